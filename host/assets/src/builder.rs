//! Setting up a client.

use std::fmt;
use std::sync::Arc;
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

/// Characters of a pipeline's name that the service is told.
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
    /// Starts with the service's own base URL. A key or a token must be given.
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

    /// Sets a token, sent as `Authorization: Bearer`, in place of a key.
    #[must_use]
    pub fn bearer_token(mut self, token: impl Into<String>) -> Self {
        self.credential = Some(Credential::Token(token.into()));
        self
    }

    /// Sets the base URL; [`DEFAULT_BASE_URL`] unless set.
    #[must_use]
    pub fn base_url(mut self, url: impl Into<String>) -> Self {
        self.base_url = url.into();
        self
    }

    /// How many requests may be under way at a time; 32 unless set. When the service answers that there are too many,
    /// fewer are, for a while.
    #[must_use]
    pub fn connections(mut self, most: usize) -> Self {
        self.connections = most.max(1);
        self
    }

    /// How long connecting may take; 10 seconds unless set.
    #[must_use]
    pub fn connect_timeout(mut self, time: Duration) -> Self {
        self.connect_timeout = time;
        self
    }

    /// How long a call without a file may take; a minute unless set.
    #[must_use]
    pub fn answer_timeout(mut self, time: Duration) -> Self {
        self.answer_timeout = time;
        self
    }

    /// How long an upload may stand still, its bytes not taken and no answer given; a minute unless set. There is no
    /// bound on how long one may take in all.
    #[must_use]
    pub fn stall_timeout(mut self, time: Duration) -> Self {
        self.stall_timeout = time;
        self
    }

    /// How often a request that failed for now is sent again, and how long the first pause before that is; 4 times from
    /// half a second unless set. Pauses double, with jitter, up to 30 seconds; the service may ask for other ones.
    #[must_use]
    pub fn retries(mut self, times: usize, first_pause: Duration) -> Self {
        self.retries = Retries { times, first_pause };
        self
    }

    /// Sends everything through this proxy, such as `http://proxy:3128`. Unless set, the system's settings hold.
    #[must_use]
    pub fn proxy(mut self, url: impl Into<String>) -> Self {
        self.proxy = ProxyChoice::Url(url.into());
        self
    }

    /// Uses no proxy, whatever the system's settings say.
    #[must_use]
    pub fn no_proxy(mut self) -> Self {
        self.proxy = ProxyChoice::None;
        self
    }

    /// Names the pipeline to the service, as a comment in the `User-Agent` of every request: `forebay/0.1.0 (pipeline photos)`.
    /// Unless set, nothing is told of it.
    #[must_use]
    pub fn pipeline(mut self, name: impl Into<String>) -> Self {
        self.pipeline = Some(name.into());
        self
    }

    /// Makes the client. Nothing is sent yet.
    ///
    /// # Errors
    /// [`AssetsError::Setup`] when there is no key or token, or it holds characters that a header cannot, or a URL is
    /// none.
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
            // A body may take long, but a peer that has gone is noticed.
            .tcp_keepalive(Duration::from_secs(30))
            // A redirect would carry the key or the bytes to a place that nobody named.
            .redirect(reqwest::redirect::Policy::none());
        match self.proxy {
            ProxyChoice::System => {}
            ProxyChoice::None => http = http.no_proxy(),
            ProxyChoice::Url(url) => {
                // Its error may hold the URL, and that a password.
                http = http.proxy(Proxy::all(url).map_err(|_| setup("the proxy is no URL"))?);
            }
        }
        let http = http.build().map_err(|error| setup(&error.to_string()))?;
        let tasks = TaskTracker::new();
        // Closed trackers still take tasks; it means that `wait` may end.
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
        })))
    }
}

/// A product and, of the pipeline, a comment: RFC 9110, sections 10.1.5 and 5.6.5.
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
