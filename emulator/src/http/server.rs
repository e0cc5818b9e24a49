//! The listening socket and its connections, all of which end with the task that serves them.
//!
//! This is axum's `serve` with four differences: connections do not outlive the emulator, the read buffer fits large
//! uploads, an early refusal reaches a client that is still sending, and a request can have its connection reset.

use std::future::{pending, poll_fn};
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::Request;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Notify, oneshot};
use tokio::task::JoinSet;
use tower::ServiceExt;

/// The largest piece read from a socket at once, in bytes. Measured with 64 KiB to 1 MiB: from here on, larger pieces
/// no longer save system calls that matter, and fit the cache less well.
pub(crate) const READ_BUFFER: usize = 256 << 10;

/// How long a client may take to send a request's head.
const HEAD_TIMEOUT: Duration = Duration::from_secs(30);

/// How long an answered connection is still read from before it is closed. Closing at once with bytes unread would
/// reset the connection, and the client might lose the answer (RFC 9112, section 9.6).
const LINGER: Duration = Duration::from_secs(5);

/// The connection a request came by, among its extensions.
#[derive(Clone, Default)]
pub(crate) struct Connection(Arc<Notify>);

impl Connection {
    /// Resets the connection (RST, not a clean close) with whatever is on its way. Does not return: the request ends
    /// with its connection.
    pub(crate) async fn reset<T>(&self) -> T {
        self.0.notify_one();
        pending().await
    }
}

/// Serves until `stop` is sent or dropped, then cuts every connection and waits for their ends.
pub(crate) async fn serve(listener: TcpListener, router: Router, mut stop: oneshot::Receiver<()>) {
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            accepted = listener.accept() => match accepted {
                Ok((stream, _)) => {
                    connections.spawn(connection(stream, router.clone()));
                }
                Err(error) => {
                    // Mostly too many open files: waiting lets some close.
                    tracing::warn!(%error, "accepting a connection");
                    tokio::time::sleep(Duration::from_millis(50)).await;
                }
            },
            Some(_) = connections.join_next() => {}
            _ = &mut stop => break,
        }
    }
    connections.shutdown().await;
}

async fn connection(stream: TcpStream, router: Router) {
    if let Err(error) = stream.set_nodelay(true) {
        tracing::debug!(%error, "setting TCP_NODELAY");
    }
    let handle = Connection::default();
    let extension = handle.clone();
    let service = router.map_request(move |mut request: Request<Incoming>| {
        request.extensions_mut().insert(extension.clone());
        request
    });
    let mut connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD_TIMEOUT)
        .max_buf_size(READ_BUFFER)
        .serve_connection(TokioIo::new(stream), TowerToHyperService::new(service));
    let serving = poll_fn(|cx| Pin::new(&mut connection).poll_without_shutdown(cx));
    let ended = tokio::select! {
        ended = serving => Some(ended),
        () = handle.0.notified() => None,
    };
    let stream = connection.into_parts().io.into_inner();
    match ended {
        None => {
            if let Err(error) = stream.set_zero_linger() {
                tracing::warn!(%error, "resetting a connection");
            }
            return;
        }
        Some(Err(error)) => tracing::debug!(%error, "a connection broke"),
        Some(Ok(())) => {}
    }
    linger(stream).await;
}

/// Closes for writing, then reads what still comes, for a while.
async fn linger(mut stream: TcpStream) {
    let drain = async {
        stream.shutdown().await?;
        let mut buffer = vec![0; 64 << 10];
        while stream.read(&mut buffer).await? > 0 {}
        std::io::Result::Ok(())
    };
    if let Err(error) | Ok(Err(error)) = tokio::time::timeout(LINGER, drain)
        .await
        .map_err(std::io::Error::from)
    {
        tracing::debug!(%error, "closing a connection");
    }
}
