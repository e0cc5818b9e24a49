//! `POST /v3/videos`: a video from an avatar, an image, a prompt with references, or scenes.
//!
//! Only what has to do with files is read: which inputs there must be, and that each is good.

use std::sync::Arc;

use axum::extract::State;
use serde::{Deserialize, Serialize};

use super::{Data, new_id};
use crate::error::ApiError;
use crate::input::{FileInput, resolve_all};
use crate::json::JsonBody;
use crate::state::App;

/// The most scenes of one video (S).
const MOST_SCENES: usize = 50;

/// What a video is to be made of.
#[derive(Deserialize)]
pub(super) struct Create {
    /// The service's schemas ask for it; a body without one is taken for what it has (U).
    #[serde(rename = "type")]
    kind: Option<Kind>,
    image: Option<FileInput>,
    references: Option<Vec<FileInput>>,
    watermark: Option<Pictured>,
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
struct Pictured {
    image: Option<FileInput>,
}

/// A scene of a studio video: footage is its `source`, a picture its `input.image`, and an avatar has no file.
#[derive(Deserialize)]
struct Scene {
    source: Option<FileInput>,
    input: Option<Pictured>,
}

/// A video that is never made.
#[derive(Serialize)]
pub(super) struct Created {
    video_id: String,
    status: &'static str,
}

pub(super) async fn create(
    State(app): State<Arc<App>>,
    JsonBody(wish): JsonBody<Create>,
) -> Result<Data<Created>, ApiError> {
    match wish.kind {
        Some(Kind::Image) if wish.image.is_none() => {
            return Err(ApiError::invalid("a video of an image needs one").param("image"));
        }
        Some(Kind::Studio) if wish.scenes.is_none() => {
            return Err(ApiError::invalid("a studio video needs scenes").param("scenes"));
        }
        Some(Kind::Avatar | Kind::CinematicAvatar | Kind::Image | Kind::Studio) | None => {}
    }
    resolve(&app, wish.image, "image").await?;
    resolve_all(&app, wish.references, "references", usize::MAX).await?;
    let watermark = wish.watermark.and_then(|watermark| watermark.image);
    resolve(&app, watermark, "watermark.image").await?;
    if let Some(scenes) = wish.scenes {
        if !(1..=MOST_SCENES).contains(&scenes.len()) {
            let message = format!("a video has 1 to {MOST_SCENES} scenes");
            return Err(ApiError::invalid(message).param("scenes"));
        }
        for (index, scene) in scenes.into_iter().enumerate() {
            resolve(&app, scene.source, &format!("scenes[{index}].source")).await?;
            let image = scene.input.and_then(|input| input.image);
            resolve(&app, image, &format!("scenes[{index}].input.image")).await?;
        }
    }
    Ok(Data(Created {
        video_id: new_id(),
        status: "processing",
    }))
}

async fn resolve(app: &App, file: Option<FileInput>, param: &str) -> Result<(), ApiError> {
    if let Some(file) = file {
        file.resolve(app, param).await?;
    }
    Ok(())
}
