//! Downloads the bytes of an asset from the URL at which the service serves it.
//!
//! Promise: the key is not sent, since that URL may be of another host. A download that breaks is continued where it was,
//! and one that ends early is an error. No error contains the URL, which may be presigned.

use std::io;
use std::time::Duration;

use bytes::Bytes;
use futures::{Stream, TryStreamExt as _};
use reqwest::header::{CONTENT_RANGE, ETAG, HeaderMap, HeaderValue, IF_RANGE, LOCATION, RANGE};
use reqwest::{RequestBuilder, Response, StatusCode};
use tokio::io::AsyncRead;
use tokio_util::io::StreamReader;
use url::Url;

use crate::client::Assets;

/// Most redirects that are followed.
const MAX_REDIRECTS: usize = 5;

/// Most attempts in a row that bring nothing.
const MAX_ATTEMPTS: u32 = 5;

/// The pause before the second attempt. Later ones double.
const FIRST_PAUSE: Duration = Duration::from_millis(500);

/// The bytes of an asset on their way.
pub struct Download {
    /// How many there are, if the server says so.
    pub size: Option<u64>,
    /// The bytes.
    pub reader: Box<dyn AsyncRead + Send + Unpin>,
}

impl std::fmt::Debug for Download {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Download")
            .field("size", &self.size)
            .finish_non_exhaustive()
    }
}

impl Assets {
    /// Downloads an asset from its [`url`](crate::AssetInfo::url).
    ///
    /// # Errors
    /// If the URL is not an http or https one, or the server does not answer with the bytes. While they are read, if they
    /// stop coming and cannot be continued.
    pub async fn download(&self, url: &str) -> io::Result<Download> {
        let url = parse(url)?;
        let response = self.first(&url).await?;
        let size = response.content_length();
        let state = State {
            assets: self.clone(),
            url,
            // A strong tag says that the rest is of the same bytes: RFC 9110, section 13.1.5.
            tag: response
                .headers()
                .get(ETAG)
                .filter(|tag| !tag.as_bytes().starts_with(b"W/"))
                .cloned(),
            size,
            read: 0,
            attempts: 0,
            response: Some(response),
        };
        let pieces = Box::pin(pieces(state));
        Ok(Download {
            size,
            reader: Box::new(StreamReader::new(pieces)),
        })
    }

    /// The number of bytes at this URL. The server is asked for one byte, because a presigned URL may allow nothing but
    /// reading. Returns `None` if the server does not say.
    ///
    /// # Errors
    /// As for [`download`](Self::download).
    pub async fn size_at(&self, url: &str) -> io::Result<Option<u64>> {
        let one = HeaderMap::from_iter([(RANGE, HeaderValue::from_static("bytes=0-0"))]);
        let response = self.fetch(&parse(url)?, &one).await?;
        Ok(match response.status() {
            StatusCode::PARTIAL_CONTENT => whole(response.headers()),
            // No byte can be had of an empty file.
            StatusCode::RANGE_NOT_SATISFIABLE => whole(response.headers()),
            status if status.is_success() => response.content_length(),
            status => return Err(refused(status)),
        })
    }

    /// The first answer with bytes.
    async fn first(&self, url: &Url) -> io::Result<Response> {
        let mut attempts = 0;
        loop {
            let ended = self.fetch(url, &HeaderMap::new()).await;
            let error = match ended {
                Ok(response) if response.status() == StatusCode::OK => return Ok(response),
                Ok(response) if !is_temporary(response.status()) => {
                    return Err(refused(response.status()));
                }
                Ok(response) => refused(response.status()),
                Err(error) => error,
            };
            attempts += 1;
            if attempts == MAX_ATTEMPTS {
                return Err(error);
            }
            pause(attempts).await;
        }
    }

    /// Sends a request without the key, and follows redirects.
    async fn fetch(&self, url: &Url, headers: &HeaderMap) -> io::Result<Response> {
        let mut url = url.clone();
        for _ in 0..=MAX_REDIRECTS {
            let request = self.0.http.get(url.clone()).headers(headers.clone());
            let response = self.send_once(request).await?;
            if !response.status().is_redirection() {
                return Ok(response);
            }
            let to = response
                .headers()
                .get(LOCATION)
                .and_then(|to| to.to_str().ok());
            let to = to.and_then(|to| url.join(to).ok());
            let to = to.ok_or_else(|| io::Error::other("a redirect to nowhere"))?;
            if url.scheme() == "https" && to.scheme() != "https" {
                return Err(io::Error::other(
                    "a redirect from https to an open connection",
                ));
            }
            url = to;
        }
        Err(io::Error::other("too many redirects"))
    }

    async fn send_once(&self, request: RequestBuilder) -> io::Result<Response> {
        let answered = tokio::time::timeout(self.0.answer_timeout, request.send()).await;
        match answered {
            Ok(answered) => answered.map_err(without_url),
            Err(_) => Err(io::Error::new(io::ErrorKind::TimedOut, "no answer in time")),
        }
    }
}

struct State {
    assets: Assets,
    url: Url,
    tag: Option<HeaderValue>,
    size: Option<u64>,
    /// Bytes that were read so far.
    read: u64,
    /// Attempts since the last byte.
    attempts: u32,
    response: Option<Response>,
}

/// The bytes, over as many answers as it takes.
fn pieces(state: State) -> impl Stream<Item = io::Result<Bytes>> + Send {
    futures::stream::try_unfold(state, |mut state| async move {
        loop {
            let response = match &mut state.response {
                Some(response) => response,
                None => {
                    let next = state.next().await?;
                    state.response.insert(next)
                }
            };
            let patience = state.assets.0.patience.stall;
            let error = match tokio::time::timeout(patience, response.chunk()).await {
                Ok(Ok(Some(piece))) => {
                    state.read += piece.len() as u64;
                    state.attempts = 0;
                    return Ok(Some((piece, state)));
                }
                Ok(Ok(None)) if state.size.is_none_or(|size| state.read >= size) => {
                    return Ok(None);
                }
                Ok(Ok(None)) => io::ErrorKind::UnexpectedEof.into(),
                Ok(Err(error)) => without_url(error),
                Err(_) => io::Error::new(io::ErrorKind::TimedOut, "nothing came for a while"),
            };
            state.response = None;
            state.failed(error).await?;
        }
    })
    .into_stream()
}

impl State {
    /// Waits before the next attempt, if there may be one.
    async fn failed(&mut self, error: io::Error) -> io::Result<()> {
        self.attempts += 1;
        if self.tag.is_none() || self.attempts >= MAX_ATTEMPTS {
            return Err(error);
        }
        pause(self.attempts).await;
        Ok(())
    }

    /// The answer with the rest of the bytes.
    async fn next(&mut self) -> io::Result<Response> {
        loop {
            let mut headers = HeaderMap::new();
            let range = HeaderValue::from_str(&format!("bytes={}-", self.read));
            headers.insert(RANGE, range.map_err(io::Error::other)?);
            headers.extend(self.tag.clone().map(|tag| (IF_RANGE, tag)));
            let ended = self.assets.fetch(&self.url, &headers).await;
            match ended {
                Ok(rest) if starts_at(rest.headers()) == Some(self.read) => return Ok(rest),
                Ok(rest) if is_temporary(rest.status()) => {
                    self.failed(refused(rest.status())).await?;
                }
                Ok(rest) if rest.status().is_success() => {
                    return Err(io::Error::other(
                        "it broke off, and the server does not continue it",
                    ));
                }
                Ok(rest) => return Err(refused(rest.status())),
                Err(error) => self.failed(error).await?,
            }
        }
    }
}

fn parse(url: &str) -> io::Result<Url> {
    let invalid = || {
        io::Error::new(
            io::ErrorKind::InvalidInput,
            "its URL is not an http or https one",
        )
    };
    let url = Url::parse(url).map_err(|_| invalid())?;
    if matches!(url.scheme(), "http" | "https") {
        Ok(url)
    } else {
        Err(invalid())
    }
}

async fn pause(attempts: u32) {
    tokio::time::sleep(FIRST_PAUSE * 2_u32.saturating_pow(attempts - 1)).await;
}

fn is_temporary(status: StatusCode) -> bool {
    status.is_server_error()
        || matches!(
            status,
            StatusCode::TOO_MANY_REQUESTS | StatusCode::REQUEST_TIMEOUT
        )
}

fn refused(status: StatusCode) -> io::Error {
    io::Error::other(format!("the server answered {status}"))
}

fn without_url(error: reqwest::Error) -> io::Error {
    io::Error::other(error.without_url())
}

/// The first byte of a part: `bytes 5-9/10` starts at 5. RFC 9110, section 14.4.
fn starts_at(headers: &HeaderMap) -> Option<u64> {
    let range = headers.get(CONTENT_RANGE)?.to_str().ok()?;
    let (start, _) = range.strip_prefix("bytes ")?.split_once('-')?;
    start.parse().ok()
}

/// The number of bytes of the whole: `bytes 0-0/10` and `bytes */10` are of 10.
fn whole(headers: &HeaderMap) -> Option<u64> {
    let range = headers.get(CONTENT_RANGE)?.to_str().ok()?;
    range.rsplit_once('/')?.1.parse().ok()
}
