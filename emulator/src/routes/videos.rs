//! `POST /v3/videos`: a video from an avatar, an image, a prompt with references, or scenes.
//!
//! The emulator reads only the file inputs: which ones are required, and whether each is valid.

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
    Router::new().route("/videos", post(create))
}

/// The most scenes of one video (S).
const MAX_SCENES: usize = 50;

/// The body of a request: what to make a video from.
#[derive(Deserialize)]
struct Create {
    /// Required by the service's schemas. If it is missing, the emulator checks the inputs that are there (U).
    #[serde(rename = "type")]
    kind: Option<Kind>,
    image: Option<FileInput>,
    references: Option<Vec<FileInput>>,
    watermark: Option<WithImage>,
    scenes: Option<Vec<Scene>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "snake_case")]
enum Kind {
    Avatar,
    Image,
    CinematicAvatar,
    Studio,
}

/// A part of a video that may have an image.
#[derive(Deserialize)]
struct WithImage {
    image: Option<FileInput>,
}

/// A scene of a studio video. A video is in `source`, an image in `input.image`. A scene with an avatar has no file.
#[derive(Deserialize)]
struct Scene {
    source: Option<FileInput>,
    input: Option<WithImage>,
}

/// The answer. The emulator makes no video.
#[derive(Serialize)]
struct Created {
    video_id: String,
    status: &'static str,
}

async fn create(
    State(inputs): State<Arc<FileInputs>>,
    JsonBody(request): JsonBody<Create>,
) -> Result<Data<Created>, ApiError> {
    match request.kind {
        Some(Kind::Image) if request.image.is_none() => {
            return Err(
                ApiError::invalid("a video from an image needs an image").with_param("image")
            );
        }
        Some(Kind::Studio) if request.scenes.is_none() => {
            return Err(ApiError::invalid("a studio video needs scenes").with_param("scenes"));
        }
        Some(Kind::Avatar | Kind::CinematicAvatar | Kind::Image | Kind::Studio) | None => {}
    }
    inputs
        .check_optional(request.image.as_ref(), "image")
        .await?;
    inputs
        .check_all(request.references.as_deref(), "references", usize::MAX)
        .await?;
    let watermark = request.watermark.and_then(|watermark| watermark.image);
    inputs
        .check_optional(watermark.as_ref(), "watermark.image")
        .await?;
    if let Some(scenes) = request.scenes {
        if !(1..=MAX_SCENES).contains(&scenes.len()) {
            let message = format!("a video has 1 to {MAX_SCENES} scenes");
            return Err(ApiError::invalid(message).with_param("scenes"));
        }
        for (index, scene) in scenes.into_iter().enumerate() {
            inputs
                .check_optional(scene.source.as_ref(), &format!("scenes[{index}].source"))
                .await?;
            let image = scene.input.and_then(|input| input.image);
            inputs
                .check_optional(image.as_ref(), &format!("scenes[{index}].input.image"))
                .await?;
        }
    }
    Ok(Data::new(Created {
        video_id: new_id(""),
        status: "processing",
    }))
}
