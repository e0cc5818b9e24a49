//! `POST /v3/video-translations` and `POST /v3/lipsyncs`: another voice for a video.
//!
//! The service's schemas list no `base64` here, and its guides say that it is taken wherever an asset is. The emulator
//! takes it.

use std::sync::Arc;

use axum::extract::State;
use serde::{Deserialize, Serialize};

use super::{Data, new_id};
use crate::error::ApiError;
use crate::input::FileInput;
use crate::json::JsonBody;
use crate::state::App;

/// What is to be translated.
#[derive(Deserialize)]
pub(super) struct Translate {
    video: FileInput,
    audio: Option<FileInput>,
    srt: Option<FileInput>,
    /// The service's schemas ask for it; one is taken to be meant without it (U).
    output_languages: Option<Vec<String>>,
}

/// One translation for each language; here none is made.
#[derive(Serialize)]
pub(super) struct Translated {
    video_translation_ids: Vec<String>,
}

pub(super) async fn translate(
    State(app): State<Arc<App>>,
    JsonBody(wish): JsonBody<Translate>,
) -> Result<Data<Translated>, ApiError> {
    let languages = wish.output_languages.map_or(1, |languages| languages.len());
    if languages == 0 {
        let message = "a translation needs a language to translate to";
        return Err(ApiError::invalid(message).param("output_languages"));
    }
    wish.video.resolve(&app, "video").await?;
    if let Some(audio) = wish.audio {
        audio.resolve(&app, "audio").await?;
    }
    if let Some(srt) = wish.srt {
        srt.resolve(&app, "srt").await?;
    }
    Ok(Data(Translated {
        video_translation_ids: (0..languages).map(|_| new_id()).collect(),
    }))
}

/// A video, and what its lips are to say.
#[derive(Deserialize)]
pub(super) struct Lipsync {
    video: FileInput,
    audio: FileInput,
}

/// A video that is never made.
#[derive(Serialize)]
pub(super) struct Lipsynced {
    lipsync_id: String,
}

pub(super) async fn lipsync(
    State(app): State<Arc<App>>,
    JsonBody(wish): JsonBody<Lipsync>,
) -> Result<Data<Lipsynced>, ApiError> {
    wish.video.resolve(&app, "video").await?;
    wish.audio.resolve(&app, "audio").await?;
    Ok(Data(Lipsynced {
        lipsync_id: new_id(),
    }))
}
