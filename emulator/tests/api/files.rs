//! The bytes behind an asset's `url`.

use reqwest::StatusCode;

use crate::common::{Fixture, PNG};

#[tokio::test]
async fn a_file_is_public_typed_and_can_be_had_in_ranges() {
    let f = Fixture::start().await;
    let url = f.upload("a.png", PNG).await.text("url");
    let response = f.client.get(&url).send().await.unwrap();
    assert_eq!(response.status(), StatusCode::OK);
    assert_eq!(response.headers()["content-type"], "image/png");
    assert_eq!(response.headers()["content-length"], PNG.len().to_string());
    assert_eq!(response.bytes().await.unwrap(), PNG);

    let request = f.client.get(&url).header("range", "bytes=1-3");
    let response = request.send().await.unwrap();
    assert_eq!(response.status(), StatusCode::PARTIAL_CONTENT);
    assert_eq!(
        response.headers()["content-range"],
        format!("bytes 1-3/{}", PNG.len())
    );
    assert_eq!(response.bytes().await.unwrap(), "PNG");

    let response = f.client.head(&url).send().await.unwrap();
    assert_eq!(response.headers()["content-length"], PNG.len().to_string());
}

#[tokio::test]
async fn a_file_has_one_name() {
    let f = Fixture::start().await;
    let id = f.upload("a.png", PNG).await.text("asset_id");
    for name in [id.as_str(), &format!("{id}.jpg"), "..%2fassets", "."] {
        let response = f
            .client
            .get(f.url("/files/asset/") + name)
            .send()
            .await
            .unwrap();
        assert_eq!(response.status(), StatusCode::NOT_FOUND, "{name}");
    }
}
