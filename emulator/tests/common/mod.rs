//! A client of a few lines, and files to send.

use std::fs;
use std::path::Path;
use std::time::Duration;

use forebay_emulator::{Config, Emulator};
use reqwest::{Client, Method, RequestBuilder, Response, StatusCode, multipart};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// How long to wait for what must happen, but may take its time on a busy machine.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

/// A PNG of one grey pixel.
pub(crate) const PNG: &[u8] = &[
    0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a, 0, 0, 0, 0x0d, 0x49, 0x48, 0x44, 0x52, 0, 0, 0,
    1, 0, 0, 0, 1, 8, 0, 0, 0, 0, 0x3a, 0x7e, 0x9b, 0x55, 0, 0, 0, 0x0a, 0x49, 0x44, 0x41, 0x54,
    0x78, 0xda, 0x63, 0x68, 0, 0, 0, 0x82, 0, 0x81, 0x77, 0xcd, 0x72, 0xb6, 0, 0, 0, 0, 0x49, 0x45,
    0x4e, 0x44, 0xae, 0x42, 0x60, 0x82,
];

pub(crate) const PDF: &[u8] = b"%PDF-1.7\n%%EOF\n";

/// An MP4 of `size` bytes, as far as its first box says.
pub(crate) fn mp4(size: usize) -> Vec<u8> {
    let mut bytes = b"\0\0\0\x14ftypisom\0\0\x02\0isom".to_vec();
    bytes.resize(size, 7);
    bytes
}

pub(crate) fn sha256(bytes: &[u8]) -> String {
    hex::encode(Sha256::digest(bytes))
}

/// An emulator, a client that knows its key, and the folder it keeps its files in.
pub(crate) struct Fixture {
    pub(crate) emulator: Emulator,
    pub(crate) client: Client,
    pub(crate) dir: TempDir,
}

pub(crate) const KEY: &str = "test-key";

impl Fixture {
    pub(crate) async fn start() -> Self {
        Self::with(Config::default()).await
    }

    pub(crate) async fn with(config: Config) -> Self {
        Self::over(tempfile::tempdir().unwrap(), config).await
    }

    /// A fixture over a folder that an earlier one may have left.
    pub(crate) async fn over(dir: TempDir, config: Config) -> Self {
        let emulator = Emulator::builder()
            .data_dir(dir.path())
            .api_key(KEY)
            .config(config)
            .start()
            .await
            .unwrap();
        let client = forebay_emulator::client().unwrap().build().unwrap();
        Self {
            emulator,
            client,
            dir,
        }
    }

    /// Ends this emulator and starts another over its folder; `between` sees the folder meanwhile.
    pub(crate) async fn restart(self, between: impl FnOnce(&Path)) -> Self {
        self.emulator.shutdown().await;
        between(self.dir.path());
        Self::over(self.dir, Config::default()).await
    }

    pub(crate) fn url(&self, path: &str) -> String {
        format!("{}{path}", self.emulator.base_url())
    }

    /// A request with the key.
    pub(crate) fn request(&self, method: Method, path: &str) -> RequestBuilder {
        self.client
            .request(method, self.url(path))
            .header("x-api-key", KEY)
    }

    pub(crate) async fn get(&self, path: &str) -> Answer {
        Answer::of(self.request(Method::GET, path).send().await.unwrap()).await
    }

    pub(crate) async fn post(&self, path: &str, body: &Value) -> Answer {
        let request = self.request(Method::POST, path).json(body);
        Answer::of(request.send().await.unwrap()).await
    }

    /// `POST /v3/assets`.
    pub(crate) async fn upload(&self, name: &str, bytes: impl Into<Vec<u8>>) -> Answer {
        let request = self.request(Method::POST, "/v3/assets");
        let request = request.multipart(form(name, bytes.into()));
        Answer::of(request.send().await.unwrap()).await
    }

    /// `POST /v3/assets/direct-uploads`, which must be granted.
    pub(crate) async fn create(&self, content_type: &str, size: usize) -> Slot {
        let body = json!({"filename": "a", "content_type": content_type, "size_bytes": size});
        self.create_from(&body).await
    }

    pub(crate) async fn create_from(&self, body: &Value) -> Slot {
        let answer = self.post("/v3/assets/direct-uploads", body).await;
        assert_eq!(answer.status, StatusCode::OK, "{answer:?}");
        Slot {
            id: answer.text("asset_id"),
            url: answer.text("upload_url"),
            data: answer.data().clone(),
        }
    }

    /// The presigned `PUT`, with the headers of the slot.
    pub(crate) fn put(&self, slot: &Slot, bytes: impl Into<Vec<u8>>) -> RequestBuilder {
        let mut request = self.client.put(&slot.url).body(bytes.into());
        for (name, value) in slot.data["upload_headers"].as_object().unwrap() {
            request = request.header(name, value.as_str().unwrap());
        }
        request
    }

    pub(crate) async fn complete(&self, id: &str, body: &Value) -> Answer {
        self.post(&format!("/v3/assets/{id}/complete"), body).await
    }

    /// Writes `request` to a socket of its own, closes it for writing if told, and reads the whole answer.
    pub(crate) async fn raw(&self, request: &[u8], close: bool) -> String {
        let mut stream = self.connect(request).await;
        if close {
            stream.shutdown().await.unwrap();
        }
        let mut answer = Vec::new();
        let reading = stream.read_to_end(&mut answer);
        tokio::time::timeout(PATIENCE, reading)
            .await
            .expect("an answer in time")
            .unwrap();
        String::from_utf8(answer).unwrap()
    }

    /// Writes `request` to a socket of its own and leaves it open.
    pub(crate) async fn connect(&self, request: &[u8]) -> TcpStream {
        let mut stream = TcpStream::connect(self.emulator.addr()).await.unwrap();
        stream.write_all(request).await.unwrap();
        stream
    }

    /// The files on disk below `folder`, hidden ones too.
    pub(crate) fn files(&self, folder: &str) -> Vec<String> {
        names(&self.dir.path().join(folder))
    }

    /// Waits for something that happens behind the answer.
    pub(crate) async fn eventually(&self, what: impl Fn(&Self) -> bool) {
        eventually(async || what(self)).await;
    }
}

/// Asks again and again, until it is so.
pub(crate) async fn eventually(what: impl AsyncFn() -> bool) {
    let asking = async {
        while !what().await {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    tokio::time::timeout(PATIENCE, asking)
        .await
        .expect("it happens in time");
}

pub(crate) fn names(folder: &Path) -> Vec<String> {
    fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect()
}

pub(crate) fn form(name: &str, bytes: Vec<u8>) -> multipart::Form {
    let part = multipart::Part::bytes(bytes).file_name(name.to_owned());
    multipart::Form::new().part("file", part)
}

/// A direct upload that has been created.
pub(crate) struct Slot {
    pub(crate) id: String,
    pub(crate) url: String,
    pub(crate) data: Value,
}

impl Slot {
    /// The URL's path and query, for raw requests.
    pub(crate) fn target(&self) -> String {
        let url = reqwest::Url::parse(&self.url).unwrap();
        format!("{}?{}", url.path(), url.query().unwrap())
    }
}

/// A JSON answer.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) body: Value,
}

impl Answer {
    /// Reads a JSON answer, which must carry an id.
    pub(crate) async fn of(response: Response) -> Self {
        let id = response.headers().get("x-request-id").expect("an id");
        assert_eq!(id.len(), 32);
        let status = response.status();
        let text = response.text().await.unwrap();
        let body = serde_json::from_str(&text).unwrap_or_else(|_| panic!("{status}: {text}"));
        Self { status, body }
    }

    pub(crate) fn data(&self) -> &Value {
        assert_eq!(self.status, StatusCode::OK, "{self:?}");
        &self.body["data"]
    }

    pub(crate) fn text(&self, field: &str) -> String {
        let value = self.data()[field].as_str();
        value
            .unwrap_or_else(|| panic!("{field} in {self:?}"))
            .to_owned()
    }

    /// An error's status, code and param; the message must say something.
    pub(crate) fn error(&self) -> (u16, &str, Option<&str>) {
        let error = &self.body["error"];
        assert!(!error["message"].as_str().unwrap().is_empty());
        (
            self.status.as_u16(),
            error["code"].as_str().unwrap(),
            error["param"].as_str(),
        )
    }
}
