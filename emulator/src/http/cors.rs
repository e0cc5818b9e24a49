//! CORS (Fetch, 3.2): which web pages may use the API from a browser.
//!
//! The service does not document this. The emulator serves development on one machine, so it allows pages that come from
//! this machine, whatever their port, and no others: a page of another site could otherwise use an emulator that it finds
//! on loopback. The emulator's own endpoints allow no pages but their own.

use axum::extract::Request;
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};

use super::internal_path::is_internal;

/// The methods of the API and of the storage.
const METHODS: HeaderValue = HeaderValue::from_static("GET, HEAD, POST, PUT, DELETE");

/// The headers of an answer that a page may read.
const EXPOSED: HeaderValue =
    HeaderValue::from_static("ETag, Retry-After, X-Request-Id, Content-Range, Accept-Ranges");

/// How long a browser may remember a preflight, in seconds.
const MAX_AGE: HeaderValue = HeaderValue::from_static("600");

/// Middleware: answers the preflights of allowed pages, and lets them read the other answers.
pub(crate) async fn allow(request: Request, next: Next) -> Response {
    let internal = is_internal(request.uri().path());
    let origin = request.headers().get(header::ORIGIN).cloned();
    let origin = origin.filter(|origin| !internal && is_local(origin));
    let preflight = origin.is_some()
        && request.method() == Method::OPTIONS
        && has(request.headers(), &header::ACCESS_CONTROL_REQUEST_METHOD);
    let mut response = if preflight {
        preflight_answer(request.headers())
    } else {
        next.run(request).await
    };
    if internal {
        return response;
    }
    let headers = response.headers_mut();
    headers.append(header::VARY, HeaderValue::from_static("Origin"));
    if let Some(origin) = origin {
        headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, origin);
        headers.insert(header::ACCESS_CONTROL_EXPOSE_HEADERS, EXPOSED);
    }
    response
}

/// Allows every header that the page asks for. The routes decide what they take.
fn preflight_answer(asked: &HeaderMap) -> Response {
    let mut response = StatusCode::NO_CONTENT.into_response();
    let headers = response.headers_mut();
    headers.insert(header::ACCESS_CONTROL_ALLOW_METHODS, METHODS);
    headers.insert(header::ACCESS_CONTROL_MAX_AGE, MAX_AGE);
    if let Some(names) = asked.get(header::ACCESS_CONTROL_REQUEST_HEADERS) {
        headers.insert(header::ACCESS_CONTROL_ALLOW_HEADERS, names.clone());
    }
    response
}

fn has(headers: &HeaderMap, name: &HeaderName) -> bool {
    headers.contains_key(name)
}

/// Whether an origin is on this machine: a loopback address, or a name that resolves to one (RFC 6761, 6.3).
fn is_local(origin: &HeaderValue) -> bool {
    let url = origin.to_str().ok().and_then(|o| url::Url::parse(o).ok());
    url.as_ref()
        .and_then(url::Url::host)
        .is_some_and(|host| match host {
            url::Host::Ipv4(address) => address.is_loopback(),
            url::Host::Ipv6(address) => address.is_loopback(),
            url::Host::Domain(name) => name == "localhost" || name.ends_with(".localhost"),
        })
}
