//! Requests that name files. Each endpoint has a body, and every file is in the correct field.
//!
//! Promise: a request that the service would refuse immediately (a prompt that is too long, too many files, a missing
//! field, a URL that is not https) is refused before anything is sent. The error names the field.

use reqwest::Method;
use serde_json::{Map, Value, json};

use crate::client::{Assets, IDEMPOTENCY_KEY};
use crate::error::AssetsError;
use crate::file_input::FileInput;
use crate::journal::fresh_idempotency_key;

/// Most files in one message to a video agent.
const MOST_FILES: usize = 20;
/// Most reference images of one avatar.
const MOST_REFERENCES: usize = 3;
/// Most characters of a prompt or a message.
const LONGEST_PROMPT: usize = 10_000;

/// Builds the body of a request. Each constructor is one endpoint.
///
/// ```
/// use forebay_assets::{FileInput, Request};
///
/// let request = Request::video_agent("Introduce these pages")
///     .file(FileInput::asset_id("ast_1"))
///     .file(FileInput::url("https://example.com/a.png")?)
///     .check()?;
/// assert_eq!(request.path(), "/v3/video-agents");
/// assert_eq!(request.body()["files"][0]["asset_id"], "ast_1");
/// # Ok::<_, forebay_assets::AssetsError>(())
/// ```
#[derive(Debug, Clone)]
#[must_use = "a request does nothing until it is sent"]
pub struct Request {
    path: Vec<String>,
    body: Map<String, Value>,
    /// The first field that is wrong, and what is wrong with it.
    problem: Option<(String, String)>,
    warnings: Vec<String>,
}

impl Request {
    fn new(path: &[&str], body: Value) -> Self {
        Self {
            path: path.iter().map(ToString::to_string).collect(),
            body: match body {
                Value::Object(body) => body,
                _ => Map::new(),
            },
            problem: None,
            warnings: Vec::new(),
        }
    }

    /// `POST /v3/video-agents`: starts a session. Takes [`file`](Self::file).
    pub fn video_agent(prompt: impl Into<String>) -> Self {
        let prompt = prompt.into();
        Self::new(&["v3", "video-agents"], json!({ "prompt": prompt }))
            .check_text("prompt", &prompt)
    }

    /// `POST /v3/video-agents/{session_id}`: adds a message to a session. Takes [`file`](Self::file).
    pub fn video_agent_message(session_id: &str, message: impl Into<String>) -> Self {
        let message = message.into();
        Self::new(
            &["v3", "video-agents", session_id],
            json!({ "message": message }),
        )
        .check_text("message", &message)
    }

    /// `POST /v3/avatars` from a photo.
    pub fn photo_avatar(name: impl Into<String>, photo: FileInput) -> Self {
        Self::avatar("photo", name.into()).put("file", photo)
    }

    /// `POST /v3/avatars` from a video of a person.
    pub fn digital_twin(name: impl Into<String>, video: FileInput) -> Self {
        Self::avatar("digital_twin", name.into()).put("file", video)
    }

    /// `POST /v3/avatars` from a text prompt. Takes [`reference_image`](Self::reference_image).
    pub fn prompt_avatar(name: impl Into<String>, prompt: impl Into<String>) -> Self {
        Self::avatar("prompt", name.into()).field("prompt", prompt.into())
    }

    fn avatar(kind: &str, name: String) -> Self {
        let named = !name.trim().is_empty();
        let request = Self::new(&["v3", "avatars"], json!({ "type": kind, "name": name }));
        if named {
            request
        } else {
            request.refuse("name", "is empty")
        }
    }

    /// `POST /v3/videos`. Takes [`image`](Self::image), [`reference`](Self::reference),
    /// [`scene_source`](Self::scene_source) and [`scene_image`](Self::scene_image).
    pub fn video() -> Self {
        Self::new(&["v3", "videos"], json!({}))
    }

    /// `POST /v3/video-translations`. Takes [`audio`](Self::audio) and [`srt`](Self::srt).
    pub fn video_translation(video: FileInput) -> Self {
        Self::new(&["v3", "video-translations"], json!({})).put_doubtful("video", video)
    }

    /// `POST /v3/lipsyncs`.
    pub fn lipsync(video: FileInput, audio: FileInput) -> Self {
        Self::new(&["v3", "lipsyncs"], json!({}))
            .put_doubtful("video", video)
            .put_doubtful("audio", audio)
    }

    /// Adds a file for a video agent; at most 20.
    pub fn file(self, file: FileInput) -> Self {
        self.push("files", file, MOST_FILES)
    }

    /// Adds an image that an avatar is to resemble; at most 3.
    pub fn reference_image(self, image: FileInput) -> Self {
        self.push("reference_images", image, MOST_REFERENCES)
    }

    /// Sets the image of a video.
    pub fn image(self, image: FileInput) -> Self {
        self.put("image", image)
    }

    /// Adds a file that a video refers to.
    pub fn reference(self, file: FileInput) -> Self {
        self.push("references", file, usize::MAX)
    }

    /// Adds a scene of footage to a video.
    pub fn scene_source(self, footage: FileInput) -> Self {
        let scene = json!({ "source": footage });
        self.push_value("scenes", scene, &footage, usize::MAX)
    }

    /// Adds a scene of a picture to a video.
    pub fn scene_image(self, image: FileInput) -> Self {
        let scene = json!({ "input": { "image": image } });
        self.push_value("scenes", scene, &image, usize::MAX)
    }

    /// Sets the audio of a translation.
    pub fn audio(self, audio: FileInput) -> Self {
        self.put_doubtful("audio", audio)
    }

    /// Sets the subtitles of a translation.
    pub fn srt(self, subtitles: FileInput) -> Self {
        self.put_doubtful("srt", subtitles)
    }

    /// Sets a field that names no file, such as `output_languages`.
    pub fn field(mut self, name: impl Into<String>, value: impl Into<Value>) -> Self {
        self.body.insert(name.into(), value.into());
        self
    }

    fn put(mut self, field: &str, file: FileInput) -> Self {
        self = self.check_file(field, &file);
        self.body.insert(field.into(), json!(file));
        self
    }

    /// Like `put`, for fields where the service's guide and its schemas disagree on base64.
    fn put_doubtful(mut self, field: &str, file: FileInput) -> Self {
        if matches!(file, FileInput::Base64 { .. }) {
            self.warnings.push(format!(
                "{field}: the service's schema for this endpoint lists url and asset_id, not base64"
            ));
        }
        self.put(field, file)
    }

    fn push(self, field: &str, file: FileInput, most: usize) -> Self {
        let value = json!(file);
        self.push_value(field, value, &file, most)
    }

    fn push_value(mut self, field: &str, value: Value, file: &FileInput, most: usize) -> Self {
        let list = self.body.entry(field).or_insert_with(|| json!([]));
        let count = list.as_array_mut().map_or(0, |list| {
            list.push(value);
            list.len()
        });
        if count > most {
            self = self.refuse(field, &format!("takes at most {most} files"));
        }
        self.check_file(&format!("{field}[{}]", count.saturating_sub(1)), file)
    }

    fn check_file(self, field: &str, file: &FileInput) -> Self {
        match file.check() {
            Ok(()) => self,
            Err(error) => self.refuse(field, &error.to_string()),
        }
    }

    fn check_text(self, field: &str, text: &str) -> Self {
        match text.chars().count() {
            1..=LONGEST_PROMPT => self,
            count => self.refuse(
                field,
                &format!("has {count} characters; it takes 1 to {LONGEST_PROMPT}"),
            ),
        }
    }

    /// Records a problem. Only the first one is kept.
    fn refuse(mut self, field: &str, problem: &str) -> Self {
        self.problem
            .get_or_insert_with(|| (field.to_owned(), problem.to_owned()));
        self
    }

    /// Checks the fields that were set.
    ///
    /// # Errors
    /// [`AssetsError::Request`] with the first field that the service would refuse.
    pub fn check(self) -> Result<Self, AssetsError> {
        match self.problem {
            Some((field, problem)) => Err(AssetsError::Request { field, problem }),
            None => Ok(self),
        }
    }

    /// The path of the endpoint.
    pub fn path(&self) -> String {
        format!("/{}", self.path.join("/"))
    }

    /// The body.
    pub fn body(&self) -> &Map<String, Value> {
        &self.body
    }

    /// Parts of the request that are sent but may not work.
    pub fn warnings(&self) -> &[String] {
        &self.warnings
    }
}

impl Assets {
    /// Sends a request and returns the `data` of its answer.
    ///
    /// # Errors
    /// [`AssetsError::Request`] before anything is sent; otherwise the error that the service answered.
    pub async fn send_request(&self, request: Request) -> Result<Value, AssetsError> {
        let request = request.check()?;
        for warning in request.warnings() {
            tracing::warn!("{}: {warning}", request.path());
        }
        let path: Vec<&str> = request.path.iter().map(String::as_str).collect();
        let key = fresh_idempotency_key();
        let post = || {
            self.request(Method::POST, &path)
                .header(IDEMPOTENCY_KEY, &key)
                .json(&request.body)
        };
        self.call("request", post).await
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use super::*;

    fn asset() -> FileInput {
        FileInput::asset_id("ast_1")
    }

    #[test]
    fn every_file_has_its_field() {
        let input = json!({ "type": "asset_id", "asset_id": "ast_1" });
        for (request, path, body) in [
            (
                Request::video_agent("p").file(asset()),
                "/v3/video-agents",
                json!({ "prompt": "p", "files": [input] }),
            ),
            (
                Request::video_agent_message("s1", "m").file(asset()),
                "/v3/video-agents/s1",
                json!({ "message": "m", "files": [input] }),
            ),
            (
                Request::photo_avatar("n", asset()),
                "/v3/avatars",
                json!({ "type": "photo", "name": "n", "file": input }),
            ),
            (
                Request::digital_twin("n", asset()),
                "/v3/avatars",
                json!({ "type": "digital_twin", "name": "n", "file": input }),
            ),
            (
                Request::prompt_avatar("n", "p").reference_image(asset()),
                "/v3/avatars",
                json!({ "type": "prompt", "name": "n", "prompt": "p", "reference_images": [input] }),
            ),
            (
                Request::video()
                    .image(asset())
                    .reference(asset())
                    .scene_source(asset())
                    .scene_image(asset()),
                "/v3/videos",
                json!({
                    "image": input, "references": [input],
                    "scenes": [{ "source": input }, { "input": { "image": input } }],
                }),
            ),
            (
                Request::video_translation(asset())
                    .audio(asset())
                    .srt(asset())
                    .field("output_languages", json!(["de"])),
                "/v3/video-translations",
                json!({ "video": input, "audio": input, "srt": input, "output_languages": ["de"] }),
            ),
            (
                Request::lipsync(asset(), asset()),
                "/v3/lipsyncs",
                json!({ "video": input, "audio": input }),
            ),
        ] {
            let request = request.check().unwrap();
            assert_eq!(request.path(), path);
            assert_eq!(json!(request.body()), body);
            assert!(request.warnings().is_empty());
        }
    }

    #[test]
    fn what_the_service_would_refuse_is_refused_by_field() {
        let http = FileInput::Url {
            url: "http://example.com/a.png".into(),
        };
        let many = |most| {
            (0..=most).fold(Request::video_agent("p"), |request, _| {
                request.file(asset())
            })
        };
        let images = (0..4).fold(Request::prompt_avatar("n", "p"), |request, _| {
            request.reference_image(asset())
        });
        for (request, refused) in [
            (Request::video_agent(""), "prompt"),
            (Request::video_agent("x".repeat(10_001)), "prompt"),
            (Request::video_agent_message("s", ""), "message"),
            (many(20), "files"),
            (
                Request::video_agent("p").file(asset()).file(http.clone()),
                "files[1]",
            ),
            (images, "reference_images"),
            (Request::photo_avatar(" ", asset()), "name"),
            (Request::lipsync(asset(), http), "audio"),
        ] {
            let error = request.check().unwrap_err();
            assert!(
                matches!(&error, AssetsError::Request { field, .. } if field == refused),
                "{error}"
            );
        }
        assert!(many(19).check().is_ok());
        let inline = FileInput::bytes(b"\0\0\0\x20ftypisom\0\0\0\0").unwrap();
        let request = Request::lipsync(inline.clone(), asset()).check().unwrap();
        assert_eq!(request.warnings().len(), 1);
        assert!(Request::video_agent("p").file(inline).warnings().is_empty());
    }
}
