//! `POST /v3/video-translations` and `POST /v3/lipsyncs`: another voice for a video.
//!
//! The service's schemas list no `base64` here, and its guides say that it is taken wherever an asset is. The emulator
//! takes it.

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

/// What is to be translated.
#[derive(Deserialize)]
struct Translate {
    video: FileInput,
    audio: Option<FileInput>,
    srt: Option<FileInput>,
    /// The service's schemas ask for it; one is taken to be meant without it (U).
    output_languages: Option<Vec<String>>,
}

/// One translation for each language; here none is made.
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
        let message = "a translation needs a language to translate to";
        return Err(ApiError::invalid(message).with_param("output_languages"));
    }
    inputs.check(&request.video, "video").await?;
    if let Some(audio) = request.audio {
        inputs.check(&audio, "audio").await?;
    }
    if let Some(srt) = request.srt {
        inputs.check(&srt, "srt").await?;
    }
    Ok(Data::new(Translated {
        video_translation_ids: (0..languages).map(|_| new_id("")).collect(),
    }))
}

/// A video, and what its lips are to say.
#[derive(Deserialize)]
struct Lipsync {
    video: FileInput,
    audio: FileInput,
}

/// A video that is never made.
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
