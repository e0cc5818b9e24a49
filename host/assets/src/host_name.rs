//! Names of hosts, as the user writes them and as they stand in URLs.

use std::net::Ipv6Addr;

use url::{Host, Url};

/// Reads a host as it stands in a URL. An IPv6 address may also be without brackets.
pub(crate) fn parse(text: &str) -> Option<Host> {
    let address = text.parse().map(|address: Ipv6Addr| Host::Ipv6(address));
    let host = address.or_else(|_| Host::parse(text)).ok();
    // `Host` takes a star as it is, and no host would be equal to it.
    host.filter(|_| !text.contains('*'))
}

/// The normal form of a host's name or address: small letters, Punycode, IPv6 in brackets. `None` if it is no host.
///
/// ```
/// use forebay_assets::normal_host;
///
/// assert_eq!(normal_host("CDN.example").as_deref(), Some("cdn.example"));
/// assert_eq!(normal_host("https://cdn.example"), None);
/// ```
pub fn normal_host(text: &str) -> Option<String> {
    parse(text).map(|host| host.to_string())
}

/// The host from which a service would fetch a text, if all of the text is a URL.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FetchedFrom {
    /// The text is no URL with a host.
    Nowhere,
    /// This host, in its normal form.
    Host(String),
    /// A URL, but programs may disagree on what its host is.
    Unclear,
}

impl FetchedFrom {
    /// Reads a text. One with spaces in it is no URL.
    ///
    /// ```
    /// use forebay_assets::FetchedFrom;
    ///
    /// assert_eq!(FetchedFrom::of("https://cdn.example/a.png"), FetchedFrom::Host("cdn.example".into()));
    /// assert_eq!(FetchedFrom::of(r"https://cdn.example\@other.example/"), FetchedFrom::Unclear);
    /// assert_eq!(FetchedFrom::of("Introduce https://cdn.example"), FetchedFrom::Nowhere);
    /// ```
    pub fn of(text: &str) -> Self {
        let trimmed = text.trim_matches(|c: char| c.is_whitespace() || c.is_control());
        if trimmed.contains(char::is_whitespace) {
            return Self::Nowhere;
        }
        // A program may add the scheme.
        let with_scheme = match trimmed.strip_prefix("//") {
            Some(rest) => &format!("https://{rest}"),
            None => trimmed,
        };
        let Ok(url) = Url::parse(with_scheme) else {
            return Self::Nowhere;
        };
        let Some(host) = url.host_str().filter(|host| !host.is_empty()) else {
            // Such as `data:x` and `a: b`, but a service might open a file of its own.
            return match url.scheme() {
                "file" => Self::Unclear,
                _ => Self::Nowhere,
            };
        };
        let is_clear = text == trimmed
            && text.bytes().all(|byte| byte.is_ascii_graphic())
            && authority(text).is_some_and(|authority| is_host(authority, host));
        if is_clear {
            Self::Host(host.to_owned())
        } else {
            Self::Unclear
        }
    }
}

/// The part of a URL between `://` and the path: RFC 3986, section 3.2.
fn authority(url: &str) -> Option<&str> {
    let (_, rest) = url.split_once("://")?;
    rest.split(['/', '?', '#']).next()
}

/// Whether an authority is this host, perhaps with a port, and without user information.
fn is_host(authority: &str, host: &str) -> bool {
    let (name, rest) = match authority.split_at_checked(host.len()) {
        Some(parts) => parts,
        None => return false,
    };
    let is_port = rest
        .strip_prefix(':')
        .is_some_and(|port| port.bytes().all(|byte| byte.is_ascii_digit()));
    name.eq_ignore_ascii_case(host) && (rest.is_empty() || is_port)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_host_of_a_text_is_known_or_it_is_unclear() {
        let from = |host: &str| FetchedFrom::Host(host.to_owned());
        for (text, expected) in [
            ("https://cdn.example", from("cdn.example")),
            ("https://CDN.example:8443/a?b#c", from("cdn.example")),
            ("http://10.0.0.1/a", from("10.0.0.1")),
            ("https://[::1]:1/", from("[::1]")),
            ("ftp://cdn.example/a", from("cdn.example")),
            ("s3://bucket/key", from("bucket")),
            ("https://cdn.example/a@b", from("cdn.example")),
            ("words", FetchedFrom::Nowhere),
            ("", FetchedFrom::Nowhere),
            ("Note: https", FetchedFrom::Nowhere),
            ("see https://cdn.example", FetchedFrom::Nowhere),
            ("https://cdn.example is here", FetchedFrom::Nowhere),
            ("data:text/plain,a", FetchedFrom::Nowhere),
            ("mailto:a@b.example", FetchedFrom::Nowhere),
            ("JVBERi0xLjQ=", FetchedFrom::Nowhere),
            ("12:30", FetchedFrom::Nowhere),
            ("https://user@cdn.example/", FetchedFrom::Unclear),
            (
                "https://cdn.example:443@other.example/",
                FetchedFrom::Unclear,
            ),
            (r"https://cdn.example\@other.example/", FetchedFrom::Unclear),
            (r"https:\\cdn.example/", FetchedFrom::Unclear),
            ("https:cdn.example", FetchedFrom::Unclear),
            ("https:///cdn.example", FetchedFrom::Unclear),
            ("//cdn.example/a", FetchedFrom::Unclear),
            (" https://cdn.example", FetchedFrom::Unclear),
            ("\u{1}https://cdn.example", FetchedFrom::Unclear),
            ("https://cdn\u{3002}example/", FetchedFrom::Unclear),
            ("https://cdn.ex%61mple/", FetchedFrom::Unclear),
            ("http://2130706433/", FetchedFrom::Unclear),
            ("file:///etc/passwd", FetchedFrom::Unclear),
        ] {
            assert_eq!(FetchedFrom::of(text), expected, "{text}");
        }
    }
}
