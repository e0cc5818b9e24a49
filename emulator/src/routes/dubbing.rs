//! `POST /v3/video-translations` and `POST /v3/lipsyncs`: a new voice for a video.
//!
//! The service's schemas do not list `base64` here, but its guides say that it is accepted wherever an asset is. The
//! emulator accepts it.

use std::sync::Arc;

use axum::Router;
use axum::extract::State;
use axum::routing::post;
use serde::{Deserialize, Serialize};

use crate::base::api_error::ApiError;
use crate::base::ids::new_id;
use crate::http::envelope::Data;
use crate::http::json::JsonBody;
use crate::service::file_inputs::{FileInput, FileInputs};
use crate::state::AppState;

pub(super) fn routes() -> Router<AppState> {
    Router::new()
        .route("/video-translations", post(translate))
        .route("/lipsyncs", post(lipsync))
}

/// The body of a translation request.
#[derive(Deserialize)]
struct Translate {
    video: FileInput,
    audio: Option<FileInput>,
    srt: Option<FileInput>,
    /// Required by the service's schemas. If it is missing, the emulator assumes one language (U).
    output_languages: Option<Vec<String>>,
}

/// The answer: one translation for each language. The emulator makes none.
#[derive(Serialize)]
struct Translated {
    video_translation_ids: Vec<String>,
}

async fn translate(
    State(inputs): State<Arc<FileInputs>>,
    JsonBody(request): JsonBody<Translate>,
) -> Result<Data<Translated>, ApiError> {
    let languages = request
        .output_languages
        .map_or(1, |languages| languages.len());
    if languages == 0 {
        let message = "a translation needs at least one output language";
        return Err(ApiError::invalid(message).with_param("output_languages"));
    }
    inputs.check(&request.video, "video").await?;
    let (audio, srt) = (request.audio.as_ref(), request.srt.as_ref());
    inputs.check_optional(audio, "audio").await?;
    inputs.check_optional(srt, "srt").await?;
    Ok(Data::new(Translated {
        video_translation_ids: (0..languages).map(|_| new_id("")).collect(),
    }))
}

/// The body of a lipsync request: a video, and the audio to match it to.
#[derive(Deserialize)]
struct Lipsync {
    video: FileInput,
    audio: FileInput,
}

/// The answer. The emulator makes no video.
#[derive(Serialize)]
struct Lipsynced {
    lipsync_id: String,
}

async fn lipsync(
    State(inputs): State<Arc<FileInputs>>,
    JsonBody(request): JsonBody<Lipsync>,
) -> Result<Data<Lipsynced>, ApiError> {
    inputs.check(&request.video, "video").await?;
    inputs.check(&request.audio, "audio").await?;
    Ok(Data::new(Lipsynced {
        lipsync_id: new_id(""),
    }))
}
