//! The HTTP server.
//!
//! It differs from `axum::serve` in four ways: connections end with the emulator, the read buffer is sized for large
//! uploads, an early error reaches a client that is still sending, and a handler can reset the connection.

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

/// The size of the read buffer of a connection, in bytes. Measured from 64 KiB to 1 MiB: larger buffers are not faster,
/// because they save few system calls and fit the cache less well.
const READ_BUFFER: usize = 256 << 10;

/// How long a client may take to send the head of a request.
const HEAD_TIMEOUT: Duration = Duration::from_secs(30);

/// How long the server reads from a connection after the last answer. Closing it at once with unread bytes would reset
/// it, and the client might lose the answer (RFC 9112, section 9.6).
const LINGER: Duration = Duration::from_secs(5);

/// The connection of a request, as an extension of the request.
#[derive(Clone, Default)]
pub(crate) struct Connection(Arc<Notify>);

impl Connection {
    /// Resets the connection (RST, not a clean close). Data in flight is lost. Does not return, because the request
    /// ends with its connection.
    pub(crate) async fn reset<T>(&self) -> T {
        self.0.notify_one();
        pending().await
    }
}

/// Serves until `stop` is sent or dropped, then closes every connection and waits until all have ended.
pub(crate) async fn serve(listener: TcpListener, router: Router, mut stop: oneshot::Receiver<()>) {
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            accepted = listener.accept() => match accepted {
                Ok((stream, _)) => {
                    connections.spawn(connection(stream, router.clone()));
                }
                Err(error) => {
                    // The usual cause is too many open files. After a pause some may be closed.
                    tracing::warn!(%error, "cannot accept a connection");
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
        tracing::debug!(%error, "cannot set TCP_NODELAY");
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
                tracing::warn!(%error, "cannot reset a connection");
            }
            return;
        }
        Some(Err(error)) => tracing::debug!(%error, "connection error"),
        Some(Ok(())) => {}
    }
    linger(stream).await;
}

/// Closes the connection for writing, then reads and drops what the client still sends, for at most [`LINGER`].
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
        tracing::debug!(%error, "cannot close a connection cleanly");
    }
}
