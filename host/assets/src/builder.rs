//! Sets up a client.

use std::fmt;
use std::sync::atomic::AtomicU64;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use reqwest::header::{ACCEPT_ENCODING, AUTHORIZATION, HeaderMap, HeaderName, HeaderValue};
use reqwest::{Client, Proxy};
use tokio_util::task::TaskTracker;

use crate::asset::{DEFAULT_BASE_URL, MULTIPART_MAX};
use crate::base_url;
use crate::body::Patience;
use crate::client::{Assets, Inner};
use crate::error::AssetsError;
use crate::gate::Gate;
use crate::network::Route;
use crate::outage::Outage;
use crate::pace::Pace;
use crate::retry::Retries;

/// Most characters of a pipeline's name that are sent to the service.
const MAX_PIPELINE: usize = 120;

/// How much longer than `stall_timeout` the system waits for a peer that takes nothing. The client's own clock, which
/// knows more, comes first.
#[cfg(any(target_os = "linux", target_os = "android", target_os = "fuchsia"))]
const USER_TIMEOUT_MARGIN: Duration = Duration::from_secs(10);

/// Sets up an [`Assets`].
///
/// ```
/// use forebay_assets::Assets;
/// use std::time::Duration;
///
/// let assets = Assets::builder()
///     .api_key("k")
///     .connections(8)
///     .stall_timeout(Duration::from_secs(20))
///     .build()?;
/// assert!(!format!("{assets:?}").contains("\"k\""));
/// # Ok::<_, forebay_assets::AssetsError>(())
/// ```
#[derive(Clone)]
pub struct AssetsBuilder {
    credential: Option<Credential>,
    base_url: String,
    allow_http: Vec<String>,
    connections: usize,
    connect_timeout: Duration,
    answer_timeout: Duration,
    stall_timeout: Duration,
    processing_timeout: Duration,
    slowest_line: u64,
    bandwidth: Option<u64>,
    retries: Retries,
    proxy: ProxyChoice,
    pipeline: Option<String>,
}

#[derive(Clone)]
enum Credential {
    Key(String),
    Token(String),
}

#[derive(Clone)]
enum ProxyChoice {
    System,
    None,
    Url(String),
}

impl Assets {
    /// Starts with the service's base URL. A key or a token must be set.
    pub fn builder() -> AssetsBuilder {
        AssetsBuilder::default()
    }
}

impl Default for AssetsBuilder {
    fn default() -> Self {
        Self {
            credential: None,
            base_url: DEFAULT_BASE_URL.to_owned(),
            allow_http: Vec::new(),
            connections: 32,
            connect_timeout: Duration::from_secs(10),
            answer_timeout: Duration::from_secs(60),
            stall_timeout: Duration::from_secs(60),
            processing_timeout: Duration::from_secs(5 * 60),
            // Less than any mobile network that carries files.
            slowest_line: 10_000,
            bandwidth: None,
            retries: Retries::default(),
            proxy: ProxyChoice::System,
            pipeline: None,
        }
    }
}

impl fmt::Debug for AssetsBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AssetsBuilder")
            .field(
                "base_url",
                &format_args!("{}", base_url::shown(&self.base_url)),
            )
            .field("allow_http", &self.allow_http)
            .field("connections", &self.connections)
            .finish_non_exhaustive()
    }
}

impl AssetsBuilder {
    /// Sets the API key, sent as `x-api-key`.
    #[must_use]
    pub fn api_key(mut self, key: impl Into<String>) -> Self {
        self.credential = Some(Credential::Key(key.into()));
        self
    }

    /// Sets a token, sent as `Authorization: Bearer` instead of a key.
    #[must_use]
    pub fn bearer_token(mut self, token: impl Into<String>) -> Self {
        self.credential = Some(Credential::Token(token.into()));
        self
    }

    /// Sets the base URL. The default is [`DEFAULT_BASE_URL`]. It is an https address, without user name, password, query
    /// and fragment. An http address is taken only if it is on this machine (`localhost`, 127.0.0.0/8 or `::1`), or if
    /// [`allow_http`](Self::allow_http) names its host.
    #[must_use]
    pub fn base_url(mut self, url: impl Into<String>) -> Self {
        self.base_url = url.into();
        self
    }

    /// Allows the key to be sent to this host over plain http, where everybody on the way can read it. The host is a name
    /// or an address, without scheme and port. May be called several times. By default no host is allowed.
    ///
    /// ```
    /// use forebay_assets::{Assets, AssetsError};
    ///
    /// let assets = Assets::builder().api_key("k").base_url("http://gateway.example:8080");
    /// assert!(matches!(assets.clone().build(), Err(AssetsError::PlainHttp { .. })));
    /// assert!(assets.allow_http("gateway.example").build().is_ok());
    /// ```
    #[must_use]
    pub fn allow_http(mut self, host: impl Into<String>) -> Self {
        self.allow_http.push(host.into());
        self
    }

    /// Sets how many requests may be in flight at a time. The default is 32. When the service answers that there are
    /// too many, the number is lower for a while.
    #[must_use]
    pub fn connections(mut self, most: usize) -> Self {
        self.connections = most.max(1);
        self
    }

    /// Sets how long connecting may take. The default is 10 seconds.
    #[must_use]
    pub fn connect_timeout(mut self, time: Duration) -> Self {
        self.connect_timeout = time;
        self
    }

    /// Sets how long a call without a file may take. The default is one minute.
    #[must_use]
    pub fn answer_timeout(mut self, time: Duration) -> Self {
        self.answer_timeout = time;
        self
    }

    /// Sets how long an upload may stall while the other side takes none of its bytes. The default is one minute. The
    /// total time of an upload has no limit.
    ///
    /// Bytes that were passed to the network may lie in buffers on the way. Time for them is added: see
    /// [`slowest_line`](Self::slowest_line).
    #[must_use]
    pub fn stall_timeout(mut self, time: Duration) -> Self {
        self.stall_timeout = time;
        self
    }

    /// Sets how long the service and its storage may take to answer once they have all bytes of a file. The default is
    /// five minutes. If no answer comes, the file is sent once more, with the same Idempotency-Key.
    #[must_use]
    pub fn processing_timeout(mut self, time: Duration) -> Self {
        self.processing_timeout = time;
        self
    }

    /// Sets the rate of the slowest line that is supported, in bytes per second. The default is 10 000. Up to 10 MiB of
    /// an upload may lie in buffers between here and the other side, where the client cannot see them move. The client
    /// waits for as long as the slowest line needs for them before it takes an upload for stalled or its answer for
    /// lost. A higher rate finds failures sooner.
    #[must_use]
    pub fn slowest_line(mut self, bytes_per_second: u64) -> Self {
        self.slowest_line = bytes_per_second.max(1);
        self
    }

    /// Limits the rate of all uploads together, in bytes per second. By default there is no limit.
    #[must_use]
    pub fn bandwidth(mut self, bytes_per_second: u64) -> Self {
        self.bandwidth = Some(bytes_per_second);
        self
    }

    /// Sets how often a request is retried after a temporary failure, and the length of the first pause. The default is
    /// 4 retries and half a second. Pauses double, with jitter, up to 30 seconds. If the service or the storage asks for
    /// a longer pause, it gets it, up to ten minutes. If it asks for more, the request fails.
    #[must_use]
    pub fn retries(mut self, times: usize, first_pause: Duration) -> Self {
        self.retries = Retries { times, first_pause };
        self
    }

    /// Sends everything through this proxy, such as `http://proxy:3128`. By default the system's settings apply.
    #[must_use]
    pub fn proxy(mut self, url: impl Into<String>) -> Self {
        self.proxy = ProxyChoice::Url(url.into());
        self
    }

    /// Uses no proxy, even if the system's settings name one.
    #[must_use]
    pub fn no_proxy(mut self) -> Self {
        self.proxy = ProxyChoice::None;
        self
    }

    /// Sends the pipeline's name to the service, as a comment in the `User-Agent` of every request: `forebay/0.1.0
    /// (pipeline photos)`. By default no name is sent.
    #[must_use]
    pub fn pipeline(mut self, name: impl Into<String>) -> Self {
        self.pipeline = Some(name.into());
        self
    }

    /// Checks the base URL as [`build`](Self::build) does. No key is needed.
    ///
    /// # Errors
    /// [`AssetsError::Setup`] when the base URL or a host of [`allow_http`](Self::allow_http) is not valid;
    /// [`AssetsError::PlainHttp`] when others could read the key.
    pub fn check_base_url(&self) -> Result<(), AssetsError> {
        base_url::parse(&self.base_url, &self.allow_http, &self.route()).map(drop)
    }

    fn route(&self) -> Route {
        match &self.proxy {
            ProxyChoice::System => Route::System,
            ProxyChoice::None => Route::Direct,
            ProxyChoice::Url(url) => Route::proxy(url),
        }
    }

    /// Builds the client. Nothing is sent yet.
    ///
    /// # Errors
    /// [`AssetsError::Setup`] when there is no key or token, it contains characters that a header cannot contain, or a
    /// URL is not valid; [`AssetsError::PlainHttp`] when others could read the key.
    pub fn build(self) -> Result<Assets, AssetsError> {
        let setup = |problem: &str| AssetsError::Setup(problem.to_owned());
        let route = self.route();
        let base_url = base_url::parse(&self.base_url, &self.allow_http, &route)?;
        let credential = match self.credential {
            Some(Credential::Key(key)) if !key.trim().is_empty() => {
                (HeaderName::from_static("x-api-key"), key.trim().to_owned())
            }
            Some(Credential::Token(token)) if !token.trim().is_empty() => {
                (AUTHORIZATION, format!("Bearer {}", token.trim()))
            }
            _ => return Err(setup("the API key is missing")),
        };
        let mut value = HeaderValue::from_str(&credential.1)
            .map_err(|_| setup("the API key holds characters that no header can"))?;
        value.set_sensitive(true);
        // A service that is not told otherwise may compress its answers.
        let mut default_headers = HeaderMap::new();
        default_headers.insert(ACCEPT_ENCODING, HeaderValue::from_static("identity"));
        let tls = crate::tls::config().map_err(|error| setup(&format!("TLS: {error}")))?;
        let mut http = Client::builder()
            .tls_backend_preconfigured(tls)
            .user_agent(user_agent(self.pipeline.as_deref()))
            .connect_timeout(self.connect_timeout)
            .pool_max_idle_per_host(self.connections)
            // A body may take long, but a peer that no longer answers is detected.
            .tcp_keepalive(Duration::from_secs(30))
            // A header that nobody needs must not hide what the answer says.
            .http1_ignore_invalid_headers_in_responses(true)
            .default_headers(default_headers)
            // A redirect would send the key or the bytes to a host that nobody named.
            .redirect(reqwest::redirect::Policy::none());
        // Ends a connection whose peer takes nothing. The default of 30 seconds would cut what `stall_timeout` allows. Other
        // systems have no such setting.
        #[cfg(any(target_os = "linux", target_os = "android", target_os = "fuchsia"))]
        {
            http = http.tcp_user_timeout(self.stall_timeout.saturating_add(USER_TIMEOUT_MARGIN));
        }
        http = match self.proxy {
            ProxyChoice::System => http,
            ProxyChoice::None => http.no_proxy(),
            // The error may contain the URL, and the URL a password.
            ProxyChoice::Url(url) => {
                http.proxy(Proxy::all(&url).map_err(|_| setup("the proxy is no URL"))?)
            }
        };
        let http = http.build().map_err(|error| setup(&error.to_string()))?;
        let tasks = TaskTracker::new();
        // A closed tracker still accepts tasks. `wait` can return only after the tracker was closed.
        tasks.close();
        Ok(Assets(Arc::new(Inner {
            http,
            base_url,
            credential: (credential.0, value),
            tasks,
            gate: Gate::new(self.connections),
            retries: self.retries,
            answer_timeout: self.answer_timeout,
            patience: Patience {
                stall: self.stall_timeout,
                answer: self.processing_timeout,
                slowest: self.slowest_line,
            },
            route,
            outage: Outage::default(),
            pace: self.bandwidth.map(|rate| Arc::new(Pace::new(rate))),
            multipart_max: AtomicU64::new(MULTIPART_MAX),
            unfinished: Mutex::default(),
        })))
    }
}

/// A product and, for the pipeline, a comment: RFC 9110, sections 10.1.5 and 5.6.5.
fn user_agent(pipeline: Option<&str>) -> HeaderValue {
    const PRODUCT: &str = concat!("forebay/", env!("CARGO_PKG_VERSION"));
    let mut text = PRODUCT.to_owned();
    if let Some(name) = pipeline {
        text.push_str(" (pipeline ");
        for character in name.chars().filter(|c| !c.is_control()).take(MAX_PIPELINE) {
            if matches!(character, '(' | ')' | '\\') {
                text.push('\\');
            }
            text.push(character);
        }
        text.push(')');
    }
    HeaderValue::from_bytes(text.as_bytes()).unwrap_or(HeaderValue::from_static(PRODUCT))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_pipeline_is_a_comment() {
        assert_eq!(
            user_agent(None),
            concat!("forebay/", env!("CARGO_PKG_VERSION"))
        );
        let agent = user_agent(Some("resize (small)\r\nX-Key: a"));
        let comment = agent.as_bytes().splitn(2, |&byte| byte == b' ').nth(1);
        assert_eq!(comment, Some(&br"(pipeline resize \(small\)X-Key: a)"[..]));
    }
}
