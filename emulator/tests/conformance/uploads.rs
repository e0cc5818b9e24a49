//! `POST /v3/assets`.

use forebay_emulator::{AssetStatus, Flow};
use reqwest::{Method, multipart};

use crate::common::{Answer, Fixture, PDF, PNG, mp4, sha256};

pub(crate) async fn an_upload_answers_what_was_stored() {
    let f = Fixture::start().await;
    let answer = f.upload("my-photo.png", PNG).await;
    let id = answer.text("asset_id");
    assert_eq!(answer.text("url"), f.url(&format!("/files/asset/{id}.png")));
    assert_eq!(answer.text("mime_type"), "image/png");
    assert_eq!(answer.data()["size_bytes"], PNG.len());
    assert_eq!(answer.data().as_object().unwrap().len(), 4);

    let [asset] = f.emulator.assets().try_into().unwrap();
    assert_eq!(asset.id, id);
    assert_eq!(asset.name, "my-photo.png");
    assert_eq!(
        (asset.flow, asset.status),
        (Flow::Upload, AssetStatus::Completed)
    );
    assert_eq!(asset.sha256, Some(sha256(PNG)));
    assert_eq!(std::fs::read(asset.path.unwrap()).unwrap(), PNG);
    assert_eq!(f.files("assets"), [format!("{id}.png")]);
    assert_eq!(f.files("incoming"), [""; 0]);
}

pub(crate) async fn the_type_comes_from_the_bytes_and_not_from_the_name() {
    let f = Fixture::start().await;
    let srt = "1\n00:00:01,000 --> 00:00:02,000\nHi\n";
    let webm = [
        b"\x1a\x45\xdf\xa3\x9f\x42\x82\x84webm".as_slice(),
        &[0; 300],
    ]
    .concat();
    for (name, bytes, mime) in [
        ("a.txt", PNG, "image/png"),
        ("a.png", b"\xff\xd8\xff\xe0\0\x10JFIF", "image/jpeg"),
        ("a", &mp4(64), "video/mp4"),
        ("a.mp4", &webm, "video/webm"),
        ("a.mov", b"\0\0\0\x18ftypXAVC\0\0\0\0XAVCmp42", "video/mp4"),
        ("a.m4v", b"\0\0\0\x14ftypM4V \0\0\0\0M4V ", "video/mp4"),
        ("a.bin", b"\xff\xe3\x90\x64\0\0\0\0", "audio/mpeg"),
        ("a.wav", b"ID3\x04\0\0\0\0\0\0", "audio/mpeg"),
        ("a.mp3", b"RIFF\x24\0\0\0WAVEfmt ", "audio/wav"),
        ("a.png", PDF, "application/pdf"),
        ("a.pdf", srt.as_bytes(), "application/x-subrip"),
    ] {
        assert_eq!(f.upload(name, bytes).await.text("mime_type"), mime);
    }
}

pub(crate) async fn other_types_and_empty_files_are_refused() {
    let f = Fixture::start().await;
    let bodies: [&[u8]; 7] = [
        b"GIF89a\x01\0\x01\0",
        b"plain text",
        b"",
        // HEIC as phones write it, and AVIF: pictures, though their container is that of MP4.
        b"\0\0\0\x18ftypheic\0\0\0\0mif1heic\0\0\0\x08meta",
        b"\0\0\0\x18ftypmif1\0\0\0\0heicisom\0\0\0\x08meta",
        b"\0\0\0\x14ftypavif\0\0\0\0mif1\0\0\0\x08meta",
        b"Notes on files\n\nA file that opens with %PDF- is a PDF.\n",
    ];
    for bytes in bodies {
        let answer = f.upload("a.png", bytes).await;
        assert_eq!(answer.error(), (400, "invalid_parameter", Some("file")));
    }
    assert!(f.emulator.assets().is_empty());
    assert_eq!(f.files("incoming"), [""; 0]);
    assert_eq!(f.files("assets"), [""; 0]);
}

pub(crate) async fn a_form_without_a_file_is_refused() {
    let f = Fixture::start().await;
    let post = || f.request(Method::POST, "/v3/assets");
    let other = multipart::Form::new().text("other", "value");
    for request in [
        post().multipart(other),
        post().body("not a form"),
        post().json(&serde_json::json!({"file": "x"})),
        post()
            .header("content-type", "multipart/form-data; boundary=x")
            .body("--x\r\nbroken"),
    ] {
        let answer = Answer::of(request.send().await.unwrap()).await;
        assert_eq!(answer.error(), (400, "invalid_parameter", Some("file")));
    }
}

pub(crate) async fn the_limit_is_32_mib_and_counts_the_file_only() {
    let f = Fixture::start().await;
    let answer = f.upload("a.mp4", mp4(32 << 20)).await;
    assert_eq!(answer.data()["size_bytes"], 32 << 20);
    let answer = f.upload("a.mp4", mp4((32 << 20) + 1)).await;
    assert_eq!(answer.error(), (413, "payload_too_large", Some("file")));
    assert_eq!(f.emulator.assets().len(), 1);
    assert_eq!(f.files("incoming"), [""; 0]);
}
