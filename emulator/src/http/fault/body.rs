//! Bodies for faults: read in part, read slowly, or sent in part.

use std::collections::BTreeMap;
use std::future::pending;
use std::time::Duration;

use axum::body::{Body, HttpBody};
use axum::http::{HeaderName, HeaderValue, StatusCode, header};
use axum::response::Response;
use bytes::Bytes;
use futures::{StreamExt, stream};
use serde_json::{Map, Value};

/// How long the server waits after the first half of an answer before it breaks the connection, so that the half is
/// sent. Loopback takes microseconds; the rest is for a busy machine.
const FLUSH: Duration = Duration::from_millis(50);

/// Most bytes of an answer's JSON.
const MOST_JSON: usize = 1 << 20;

/// Reads and drops at least `most` bytes, or the whole body if it is shorter. Stops if nothing arrives for
/// `idle_timeout`.
pub(super) async fn read(body: Body, most: u64, idle_timeout: Duration) {
    let mut chunks = body.into_data_stream();
    let mut count = 0u64;
    while count < most
        && let Ok(Some(Ok(chunk))) = tokio::time::timeout(idle_timeout, chunks.next()).await
    {
        count = count.saturating_add(chunk.len() as u64);
    }
}

/// The same body at `bytes_per_second`. Each chunk takes at most a tenth of a second, or is one byte, so that the
/// reader does not take a slow body for a stalled one. At 0 nothing is sent.
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
                    Ok(chunk) => rest = chunk,
                    Err(error) => return Some((Err(error), (source, rest))),
                }
            }
            let chunk = rest.split_to(largest.min(rest.len()));
            let pause = chunk.len() as f64 / bytes_per_second as f64;
            tokio::time::sleep(Duration::from_secs_f64(pause)).await;
            Some((Ok(chunk), (source, rest)))
        },
    ))
}

/// The same body, with a pause once `after_bytes` have been passed on.
pub(super) fn paused(body: Body, after_bytes: u64, pause: Duration) -> Body {
    let source = (body.into_data_stream(), 0u64, false);
    Body::from_stream(stream::unfold(
        source,
        move |(mut source, count, has_paused)| async move {
            let pauses = !has_paused && count >= after_bytes;
            if pauses {
                tokio::time::sleep(pause).await;
            }
            let chunk = source.next().await?;
            let length = chunk.as_ref().map_or(0, |chunk| chunk.len() as u64);
            Some((chunk, (source, count + length, has_paused || pauses)))
        },
    ))
}

/// An answer of these parts. Parts that cannot be sent are left out.
pub(super) fn given(status: u16, headers: &BTreeMap<String, String>, body: String) -> Response {
    let mut response = Response::new(Body::from(body));
    *response.status_mut() =
        StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    for (name, value) in headers {
        if let (Ok(name), Ok(value)) = (name.parse::<HeaderName>(), HeaderValue::from_str(value)) {
            response.headers_mut().insert(name, value);
        }
    }
    response
}

/// The same answer with other fields in its `data`. An answer without JSON stays as it is.
pub(super) async fn changed(response: Response, fields: Map<String, Value>) -> Response {
    let (mut head, body) = response.into_parts();
    let bytes = axum::body::to_bytes(body, MOST_JSON)
        .await
        .unwrap_or_default();
    let Ok(mut json) = serde_json::from_slice::<Value>(&bytes) else {
        return Response::from_parts(head, Body::from(bytes));
    };
    if let Some(data) = json.get_mut("data").and_then(Value::as_object_mut) {
        data.extend(fields);
    }
    head.headers.remove(header::CONTENT_LENGTH);
    Response::from_parts(head, Body::from(json.to_string()))
}

/// Announces the length of the whole answer and sends half of it.
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
    let chunks = stream::unfold(source, |(mut source, left)| async move {
        let next = match left {
            0 => None,
            _ => source.next().await.and_then(Result::ok),
        };
        let Some(mut chunk) = next else {
            tokio::time::sleep(FLUSH).await;
            return Some((Err(std::io::Error::other("cut short")), (source, 0)));
        };
        chunk.truncate(usize::try_from(left).unwrap_or(usize::MAX));
        let left = left - chunk.len() as u64;
        Some((Ok(chunk), (source, left)))
    });
    Response::from_parts(head, Body::from_stream(chunks))
}
