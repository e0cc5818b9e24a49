//! Failures of the connection: what kind they are, and which host or proxy they are about.

use std::error::Error;
use std::io;

use hyper_util::client::proxy::matcher::Matcher;
use url::Url;

use crate::error::{AssetsError, TransportKind};

/// How the client reaches a host.
#[derive(Clone)]
pub(crate) enum Route {
    /// As the system's settings say: directly, or through a proxy.
    System,
    /// Always directly.
    Direct,
    /// Through this proxy: `host:port`.
    Proxy(String),
}

impl Route {
    /// Through the proxy at this URL.
    pub(crate) fn proxy(url: &str) -> Self {
        match Url::parse(url) {
            Ok(url) => Self::Proxy(host_and_port(&url)),
            // The URL may hold a password, so it is not told.
            Err(_) => Self::Proxy("that was set".into()),
        }
    }

    /// The proxy on the way to `url`, as `host:port`.
    pub(crate) fn proxy_to(&self, url: &Url) -> Option<String> {
        match self {
            Self::Direct => None,
            Self::Proxy(proxy) => Some(proxy.clone()),
            Self::System => {
                // The same rules as those of the HTTP client.
                let intercept = Matcher::from_system().intercept(&url.as_str().parse().ok()?)?;
                let proxy = intercept.uri();
                let port = proxy.port_u16().map(|port| format!(":{port}"));
                Some(format!("{}{}", proxy.host()?, port.unwrap_or_default()))
            }
        }
    }

    /// An error of the HTTP client. `url` is where the request went; only its host is told.
    pub(crate) fn failure(
        &self,
        operation: &'static str,
        url: Option<&Url>,
        error: reqwest::Error,
    ) -> AssetsError {
        let to = url.map_or_else(|| "the service".to_owned(), host_and_port);
        let error = error.without_url();
        let cause = Cause::of(&error);
        let through = match url.and_then(|url| self.proxy_to(url)) {
            Some(proxy) => format!("{to} through the proxy {proxy}"),
            None => to.clone(),
        };
        let (kind, reason) = if error.is_builder() {
            let reason = format!("the request cannot be sent to {to}: {}", cause.text);
            (TransportKind::BadAddress, reason)
        } else if error.is_connect() {
            match cause.kind {
                CauseKind::Tls => (
                    TransportKind::Tls,
                    format!("no TLS connection to {through}: {}", cause.text),
                ),
                CauseKind::UnknownHost => (
                    TransportKind::UnknownHost,
                    format!("the name of {through} is not known: {}", cause.text),
                ),
                CauseKind::Other if error.is_timeout() => (
                    TransportKind::Unreachable,
                    format!("no connection to {through} in time"),
                ),
                CauseKind::Other => (
                    TransportKind::Unreachable,
                    format!("no connection to {through}: {}", cause.text),
                ),
            }
        } else if error.is_timeout() {
            (
                TransportKind::Stalled,
                format!("{to} did not answer in time"),
            )
        } else {
            (
                TransportKind::Broken,
                format!("the connection to {to} broke: {}", cause.text),
            )
        };
        AssetsError::transport(operation, kind, reason)
    }
}

/// The host of a URL, with its port if it is not the scheme's own.
pub(crate) fn host_and_port(url: &Url) -> String {
    let host = url.host_str().unwrap_or("the host");
    match url.port() {
        Some(port) => format!("{host}:{port}"),
        None => host.to_owned(),
    }
}

/// The innermost cause of an error.
struct Cause {
    text: String,
    kind: CauseKind,
}

enum CauseKind {
    Tls,
    UnknownHost,
    Other,
}

impl Cause {
    fn of(error: &(dyn Error + 'static)) -> Self {
        let mut kind = CauseKind::Other;
        let mut innermost = error;
        let mut next = Some(error);
        while let Some(error) = next {
            innermost = error;
            if error.is::<rustls::Error>() {
                kind = CauseKind::Tls;
            }
            // An I/O error passes its inner error over when it is asked for its source.
            next = match error
                .downcast_ref::<io::Error>()
                .and_then(io::Error::get_ref)
            {
                Some(inner) => Some(inner),
                None => error.source(),
            };
        }
        let text = innermost.to_string();
        // The resolvers of all systems give no number for this. "Temporary failure in name resolution" is another case.
        if text.contains("not known")
            || text.contains("No such host")
            || text.contains("No address associated")
        {
            kind = CauseKind::UnknownHost;
        }
        Self { text, kind }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use super::*;

    #[test]
    fn the_innermost_cause_is_found_within_io_errors() {
        let tls = rustls::Error::InvalidCertificate(rustls::CertificateError::Expired);
        let wrapped = io::Error::other(io::Error::new(io::ErrorKind::InvalidData, tls));
        assert!(matches!(Cause::of(&wrapped).kind, CauseKind::Tls));
        for unknown in [
            "failed to lookup address information: Name or service not known",
            "failed to lookup address information: nodename nor servname provided, or not known",
            "No such host is known. (os error 11001)",
        ] {
            let error = io::Error::other(unknown);
            assert!(
                matches!(Cause::of(&error).kind, CauseKind::UnknownHost),
                "{unknown}"
            );
        }
        let later = io::Error::other(
            "failed to lookup address information: Temporary failure in name resolution",
        );
        assert!(matches!(Cause::of(&later).kind, CauseKind::Other));
    }

    #[test]
    fn a_proxy_is_named_without_its_password() {
        let url = Url::parse("https://api.example/v3?secret").unwrap();
        let route = Route::proxy("http://user:password@proxy.example:3128");
        assert_eq!(route.proxy_to(&url).as_deref(), Some("proxy.example:3128"));
        assert_eq!(Route::Direct.proxy_to(&url), None);
        assert_eq!(host_and_port(&url), "api.example");
    }
}
