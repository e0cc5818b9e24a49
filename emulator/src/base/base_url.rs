//! The address that clients reach the emulator at.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;

/// `http://ADDR`, without a slash at its end.
#[derive(Clone)]
pub(crate) struct BaseUrl(Arc<str>);

impl BaseUrl {
    /// The URL of a server that listens on `addr`. An unspecified address such as `0.0.0.0` is for listening only, so
    /// the URL names loopback in its place.
    pub(crate) fn of_listener(addr: SocketAddr) -> Self {
        let ip = match addr.ip() {
            IpAddr::V4(ip) if ip.is_unspecified() => Ipv4Addr::LOCALHOST.into(),
            IpAddr::V6(ip) if ip.is_unspecified() => Ipv6Addr::LOCALHOST.into(),
            ip => ip,
        };
        Self(format!("http://{}", SocketAddr::new(ip, addr.port())).into())
    }

    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }

    /// The URL of `path`, which begins with a slash.
    pub(crate) fn join(&self, path: &str) -> String {
        format!("{self}{path}")
    }
}

impl fmt::Display for BaseUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}
