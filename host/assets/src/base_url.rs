//! The base URL: where the key goes.
//!
//! Promise: the key goes over https, or over plain http where nobody else can read it: within this machine, or to a host
//! that was allowed by name. A base URL with a user name, a password, a query or a fragment is refused, and no error shows
//! it: each of them may be a secret.

use forebay_core::text::tidy;
use url::{Host, Url};

use crate::error::AssetsError;
use crate::host_name;
use crate::network::Route;

/// Most characters of a base URL in an error.
const MAX_SHOWN: usize = 200;

/// Reads the base URL and checks that the key may be sent there. `allowed` are the hosts to which it may go over plain http.
///
/// # Errors
/// [`AssetsError::Setup`] if a URL or a host cannot be used; [`AssetsError::PlainHttp`] if others could read the key.
pub(crate) fn parse(text: &str, allowed: &[String], route: &Route) -> Result<Url, AssetsError> {
    const USE: &str = "use an https address, such as https://api.heygen.com";
    let refuse = |problem: String| AssetsError::Setup(format!("base URL{problem}"));
    if text.trim().is_empty() {
        return Err(refuse(format!(" is empty; {USE}")));
    }
    let shown = shown(text);
    let url = Url::parse(text).map_err(|error| refuse(format!(" {shown}: {error}; {USE}")))?;
    if !matches!(url.scheme(), "https" | "http") || url.cannot_be_a_base() {
        return Err(refuse(format!(
            " {shown}: not an http or https address; {USE}"
        )));
    }
    let has_user = !url.username().is_empty() || url.password().is_some();
    let secret = [
        (has_user, "a user name or a password"),
        (url.query().is_some(), "a query"),
        (url.fragment().is_some(), "a fragment"),
    ];
    if let Some((_, part)) = secret.iter().find(|(is_there, _)| *is_there) {
        let host = url.host_str().unwrap_or_default();
        return Err(refuse(format!(
            " of {host}: it has {part}; leave that out, only the key or token is sent"
        )));
    }
    let allowed = allowed
        .iter()
        .map(|host| parse_allowed(host))
        .collect::<Result<Vec<_>, _>>()?;
    if url.scheme() == "http" {
        check_plain(&url, &allowed, route)?;
    }
    Ok(url)
}

/// A base URL as an error or a log may show it: on one line, and not at all if a part of it may be a secret.
pub(crate) fn shown(text: &str) -> String {
    if text.contains(['@', '?', '#']) {
        return "(not shown, since it may contain a secret)".into();
    }
    format!("`{}`", tidy(text, MAX_SHOWN))
}

/// Reads a host to which the key may go over plain http.
fn parse_allowed(text: &str) -> Result<Host, AssetsError> {
    host_name::parse(text).ok_or_else(|| {
        AssetsError::Setup(format!(
            "allow_http `{}`: not a host; give its name or address without scheme and port, such as `api.example`",
            tidy(text, MAX_SHOWN)
        ))
    })
}

/// Checks that nobody else can read what goes to this address over plain http, or that this was allowed.
fn check_plain(url: &Url, allowed: &[Host], route: &Route) -> Result<(), AssetsError> {
    let Some(host) = url.host().map(|host| host.to_owned()) else {
        return Err(AssetsError::Setup("base URL has no host".into()));
    };
    if allowed.contains(&host) {
        return Ok(());
    }
    if !is_loopback(&host) {
        let host = host.to_string();
        return Err(AssetsError::PlainHttp { host, proxy: None });
    }
    match route.proxy_to(url) {
        // The proxy of another machine would get the key.
        Some(proxy) if !is_local_proxy(&proxy) => Err(AssetsError::PlainHttp {
            host: host.to_string(),
            proxy: Some(proxy),
        }),
        _ => Ok(()),
    }
}

/// Whether a host is this machine. `localhost` is, by RFC 6761, section 6.3; the names under it depend on the resolver.
fn is_loopback<S: AsRef<str>>(host: &Host<S>) -> bool {
    match host {
        Host::Domain(name) => name.as_ref() == "localhost",
        Host::Ipv4(address) => address.is_loopback(),
        Host::Ipv6(address) => address.is_loopback(),
    }
}

/// Whether a proxy, as `host:port`, runs on this machine.
fn is_local_proxy(proxy: &str) -> bool {
    Url::parse(&format!("http://{proxy}"))
        .is_ok_and(|url| url.host().is_some_and(|host| is_loopback(&host)))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use super::*;

    fn refused(text: &str, allowed: &[&str], route: &Route) -> String {
        let allowed: Vec<String> = allowed.iter().map(ToString::to_string).collect();
        parse(text, &allowed, route).unwrap_err().to_string()
    }

    #[test]
    fn the_key_goes_over_plain_http_to_this_machine_and_to_hosts_that_are_allowed() {
        let allowed = ["API.example".to_owned(), "fd00::1".to_owned()];
        for taken in [
            "https://api.heygen.com",
            " https://api.example/prefix/ ",
            "http://localhost:1",
            "http://LOCALHOST",
            "http://127.0.0.1:8080",
            "http://127.255.0.7",
            "http://127.1",
            "http://[::1]:1",
            "http://api.example",
            "http://api.example:8080/a",
            "http://[fd00::1]:1",
        ] {
            parse(taken, &allowed, &Route::Direct).unwrap();
        }
        for host in [
            "other.example",
            "api.localhost",
            "localhost.example",
            "127.0.0.1.example",
            "128.0.0.1",
            "0.0.0.0",
            "10.0.0.1",
            "[fd00::2]",
            "[::ffff:7f00:1]",
            "sub.api.example",
            "xn--pi-9ja.example",
        ] {
            let url = format!("http://{host}:8080/");
            let error = parse(&url, &allowed, &Route::Direct).unwrap_err();
            assert!(
                matches!(&error, AssetsError::PlainHttp { host: told, proxy: None } if told == host),
                "{error:?}"
            );
            let text = error.to_string();
            assert!(text.contains("allow_http") && text.contains(host), "{text}");
            parse(&url, &[host.to_owned()], &Route::Direct).unwrap();
        }
        for wrong in [
            "api.example:80",
            "http://api.example",
            "",
            "*",
            "*.example",
            "a b",
        ] {
            // Also where no host has to be allowed.
            let error = refused("https://api.example", &[wrong], &Route::Direct);
            assert!(
                error.starts_with(&format!("allow_http `{wrong}`: ")),
                "{error}"
            );
        }
    }

    #[test]
    fn a_proxy_of_another_machine_gets_no_key_over_plain_http() {
        let far = Route::proxy("http://proxy.example:3128");
        let error = refused("http://127.0.0.1:1", &[], &far);
        assert!(error.contains("proxy.example:3128"), "{error}");
        let none: [String; 0] = [];
        let near = Route::proxy("http://user:password@127.0.0.1:3128");
        parse("http://127.0.0.1:1", &none, &near).unwrap();
        parse("http://127.0.0.1:1", &["127.0.0.1".into()], &far).unwrap();
        // The proxy sees a TLS connection.
        parse("https://api.example", &none, &far).unwrap();
    }

    #[test]
    fn what_may_be_a_secret_is_refused_and_not_shown() {
        for url in [
            "https://user:canary@api.example",
            "https://canary@api.example/a",
            "https://api.example/?canary",
            "https://api.example/#canary",
            "http://user:canary@127.0.0.1:1",
            "https://user:canary@api.example:99999",
            "user:canary@api.example",
            "//user:canary@api.example",
            "ftp://user:canary@api.example",
        ] {
            let error = refused(url, &[], &Route::Direct);
            assert!(
                error.starts_with("base URL") && !error.contains("canary"),
                "{error}"
            );
            assert!(!shown(url).contains("canary"));
        }
    }

    #[test]
    fn what_is_no_address_is_told() {
        for (url, told) in [
            ("", "base URL is empty; use an https address"),
            (" \t\n", "base URL is empty; "),
            (
                "api.heygen.com",
                "base URL `api.heygen.com`: relative URL without a base; use",
            ),
            (
                "ftp://api.example",
                "base URL `ftp://api.example`: not an http or https address; ",
            ),
            (
                "data:x",
                "base URL `data:x`: not an http or https address; ",
            ),
            ("https://", "base URL `https://`: empty host; "),
            ("https://a\u{1b}[31m", "base URL `https://a [31m`: "),
        ] {
            let error = refused(url, &[], &Route::Direct);
            assert!(error.starts_with(told), "{error}");
        }
    }
}
