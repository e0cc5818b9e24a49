//! Sets up a client.

use std::fmt;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use reqwest::header::{AUTHORIZATION, HeaderName, HeaderValue};
use reqwest::{Client, Proxy};
use tokio_util::task::TaskTracker;
use url::Url;

use crate::asset::DEFAULT_BASE_URL;
use crate::client::{Assets, Inner};
use crate::error::AssetsError;
use crate::gate::Gate;
use crate::retry::Retries;

/// Most characters of a pipeline's name that are sent to the service.
const MAX_PIPELINE: usize = 120;

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
    connections: usize,
    connect_timeout: Duration,
    answer_timeout: Duration,
    stall_timeout: Duration,
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
            connections: 32,
            connect_timeout: Duration::from_secs(10),
            answer_timeout: Duration::from_secs(60),
            stall_timeout: Duration::from_secs(60),
            retries: Retries::default(),
            proxy: ProxyChoice::System,
            pipeline: None,
        }
    }
}

impl fmt::Debug for AssetsBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AssetsBuilder")
            .field("base_url", &self.base_url)
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

    /// Sets the base URL. The default is [`DEFAULT_BASE_URL`].
    #[must_use]
    pub fn base_url(mut self, url: impl Into<String>) -> Self {
        self.base_url = url.into();
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

    /// Sets how long an upload may stall, with no bytes taken and no answer received. The default is one minute. The
    /// total time of an upload has no limit.
    #[must_use]
    pub fn stall_timeout(mut self, time: Duration) -> Self {
        self.stall_timeout = time;
        self
    }

    /// Sets how often a request is retried after a temporary failure, and the length of the first pause. The default is
    /// 4 retries and half a second. Pauses double, with jitter, up to 30 seconds. The service may ask for other pauses.
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

    /// Builds the client. Nothing is sent yet.
    ///
    /// # Errors
    /// [`AssetsError::Setup`] when there is no key or token, it contains characters that a header cannot contain, or a
    /// URL is not valid.
    pub fn build(self) -> Result<Assets, AssetsError> {
        let setup = |problem: &str| AssetsError::Setup(problem.to_owned());
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
        let text = self.base_url;
        let base_url =
            Url::parse(&text).map_err(|error| setup(&format!("base URL `{text}`: {error}")))?;
        if !matches!(base_url.scheme(), "https" | "http") || base_url.cannot_be_a_base() {
            return Err(setup(&format!(
                "base URL `{text}`: not an http or https address"
            )));
        }
        let tls = crate::tls::config().map_err(|error| setup(&format!("TLS: {error}")))?;
        let mut http = Client::builder()
            .tls_backend_preconfigured(tls)
            .user_agent(user_agent(self.pipeline.as_deref()))
            .connect_timeout(self.connect_timeout)
            .pool_max_idle_per_host(self.connections)
            // A body may take long, but a peer that no longer answers is detected.
            .tcp_keepalive(Duration::from_secs(30))
            // A redirect would send the key or the bytes to a host that nobody named.
            .redirect(reqwest::redirect::Policy::none());
        match self.proxy {
            ProxyChoice::System => {}
            ProxyChoice::None => http = http.no_proxy(),
            ProxyChoice::Url(url) => {
                // The error may contain the URL, and the URL a password.
                http = http.proxy(Proxy::all(url).map_err(|_| setup("the proxy is no URL"))?);
            }
        }
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
            stall_timeout: self.stall_timeout,
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
