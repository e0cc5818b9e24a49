//! Bodies that are read in part, read slowly, or sent in part.

use std::future::pending;
use std::time::Duration;

use axum::body::{Body, HttpBody};
use axum::http::{HeaderValue, header};
use axum::response::Response;
use bytes::Bytes;
use futures::{StreamExt, stream};

/// How long the first half of an answer has to leave before the connection breaks. Loopback takes microseconds; this
/// is for a busy machine.
const FLUSH: Duration = Duration::from_millis(50);

/// Reads and forgets at least `most` bytes, or all there are. Gives up when nothing comes for as long as `patience`.
pub(super) async fn read(body: Body, most: u64, patience: Duration) {
    let mut pieces = body.into_data_stream();
    let mut count = 0u64;
    while count < most
        && let Ok(Some(Ok(piece))) = tokio::time::timeout(patience, pieces.next()).await
    {
        count = count.saturating_add(piece.len() as u64);
    }
}

/// The same body at a given pace. Pieces are small, so that no single one takes longer than a tenth of a second, or
/// than its one byte takes: whoever waits for the next is not to take this for a sender that stands still.
pub(super) fn slow(body: Body, bytes_per_second: u64) -> Body {
    let largest = usize::try_from(bytes_per_second / 10)
        .unwrap_or(usize::MAX)
        .max(1);
    let source = (body.into_data_stream(), Bytes::new());
    Body::from_stream(stream::unfold(
        source,
        move |(mut source, mut rest)| async move {
            if bytes_per_second == 0 {
                return pending().await;
            }
            if rest.is_empty() {
                match source.next().await? {
                    Ok(piece) => rest = piece,
                    Err(error) => return Some((Err(error), (source, rest))),
                }
            }
            let piece = rest.split_to(largest.min(rest.len()));
            let pause = piece.len() as f64 / bytes_per_second as f64;
            tokio::time::sleep(Duration::from_secs_f64(pause)).await;
            Some((Ok(piece), (source, rest)))
        },
    ))
}

/// Announces the whole answer and sends half of it.
pub(super) fn cut_short(response: Response) -> Response {
    let (mut head, body) = response.into_parts();
    let announced = head.headers.get(header::CONTENT_LENGTH);
    let length = announced
        .and_then(|value| value.to_str().ok()?.parse().ok())
        .or_else(|| body.size_hint().exact())
        .unwrap_or_default();
    let length: u64 = length.max(1);
    head.headers
        .insert(header::CONTENT_LENGTH, HeaderValue::from(length));

    let source = (body.into_data_stream(), length / 2);
    let pieces = stream::unfold(source, |(mut source, left)| async move {
        let next = match left {
            0 => None,
            _ => source.next().await.and_then(Result::ok),
        };
        let Some(mut piece) = next else {
            tokio::time::sleep(FLUSH).await;
            return Some((Err(std::io::Error::other("cut short")), (source, 0)));
        };
        piece.truncate(usize::try_from(left).unwrap_or(usize::MAX));
        let left = left - piece.len() as u64;
        Some((Ok(piece), (source, left)))
    });
    Response::from_parts(head, Body::from_stream(pieces))
}
