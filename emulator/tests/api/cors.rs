//! What web pages may do.

use reqwest::{Method, Response, StatusCode, header};

use crate::common::{Fixture, PNG, form, mp4};

const ORIGIN: &str = "http://localhost:5173";

async fn preflight(f: &Fixture, path: &str, origin: &str) -> Response {
    f.client
        .request(Method::OPTIONS, f.url(path))
        .header(header::ORIGIN, origin)
        .header(header::ACCESS_CONTROL_REQUEST_METHOD, "POST")
        .header(
            header::ACCESS_CONTROL_REQUEST_HEADERS,
            "x-api-key,content-type",
        )
        .send()
        .await
        .unwrap()
}

fn allowed(response: &Response) -> Option<&str> {
    let origin = response.headers().get(header::ACCESS_CONTROL_ALLOW_ORIGIN);
    origin.map(|origin| origin.to_str().unwrap())
}

#[tokio::test]
async fn a_preflight_needs_no_key() {
    let f = Fixture::start().await;
    for path in [
        "/v3/assets",
        "/v3/assets/direct-uploads",
        "/bucket/ast_none",
    ] {
        let answer = preflight(&f, path, ORIGIN).await;
        assert_eq!(answer.status(), StatusCode::NO_CONTENT, "{path}");
        assert_eq!(allowed(&answer), Some(ORIGIN));
        let headers = answer.headers();
        assert_eq!(
            headers["access-control-allow-headers"],
            "x-api-key,content-type"
        );
        assert_eq!(
            headers["access-control-allow-methods"],
            "GET, HEAD, POST, PUT, DELETE"
        );
        assert_eq!(headers["vary"], "Origin");
        assert!(headers.contains_key("x-request-id"));
    }
}

#[tokio::test]
async fn a_page_of_this_machine_uploads_and_reads_answers() {
    let f = Fixture::start().await;
    let upload = f
        .request(Method::POST, "/v3/assets")
        .header(header::ORIGIN, ORIGIN)
        .multipart(form("a.png", PNG.to_vec()));
    let answer = upload.send().await.unwrap();
    assert_eq!(answer.status(), StatusCode::OK);
    assert_eq!(allowed(&answer), Some(ORIGIN));

    // The three steps: the page reads the ETag of the storage.
    let slot = f.create("video/mp4", 64).await;
    let put = f.put(&slot, mp4(64)).header(header::ORIGIN, ORIGIN);
    let answer = put.send().await.unwrap();
    assert_eq!(
        (answer.status(), allowed(&answer)),
        (StatusCode::OK, Some(ORIGIN))
    );
    let exposed = answer.headers()["access-control-expose-headers"]
        .to_str()
        .unwrap();
    assert!(exposed.contains("ETag") && exposed.contains("X-Request-Id"));

    // Refusals, too: without the headers a page could not see why.
    let request = f
        .client
        .get(f.url("/v3/assets"))
        .header(header::ORIGIN, ORIGIN);
    let answer = request.send().await.unwrap();
    assert_eq!(
        (answer.status(), allowed(&answer)),
        (StatusCode::UNAUTHORIZED, Some(ORIGIN))
    );
}

#[tokio::test]
async fn other_pages_are_not_allowed() {
    let f = Fixture::start().await;
    for origin in [
        "http://127.0.0.1:8080",
        "http://[::1]:3000",
        "https://app.localhost",
    ] {
        assert_eq!(
            allowed(&preflight(&f, "/v3/assets", origin).await),
            Some(origin)
        );
    }
    for origin in [
        "https://example.com",
        "http://localhost.example.com",
        "http://127.0.0.1.example.com",
        "http://192.168.0.1",
        "null",
    ] {
        let answer = preflight(&f, "/v3/assets", origin).await;
        assert_eq!(allowed(&answer), None, "{origin}");
        assert!(!answer.status().is_success(), "{origin}");
        let request = f
            .request(Method::GET, "/v3/assets")
            .header(header::ORIGIN, origin);
        assert_eq!(allowed(&request.send().await.unwrap()), None, "{origin}");
    }
    // The emulator's own endpoints.
    assert_eq!(
        allowed(&preflight(&f, "/_emulator/faults", ORIGIN).await),
        None
    );
}
