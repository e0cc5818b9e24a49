//! `POST /v3/video-agents`: the request that uploads are made for.

use std::sync::Arc;

use axum::extract::State;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::Data;
use crate::assets::unix_now;
use crate::error::ApiError;
use crate::input::FileInput;
use crate::json::JsonBody;
use crate::state::App;

/// What a video is to be made of.
#[derive(Deserialize)]
pub(super) struct Create {
    prompt: String,
    #[serde(default)]
    files: Vec<FileInput>,
}

/// A session that makes a video; here nothing is made.
#[derive(Serialize)]
pub(super) struct Session {
    session_id: String,
    status: &'static str,
    video_id: String,
    created_at: u64,
}

pub(super) async fn create(
    State(app): State<Arc<App>>,
    JsonBody(wish): JsonBody<Create>,
) -> Result<Data<Session>, ApiError> {
    let config = &app.config;
    if !(1..=config.prompt_limit).contains(&wish.prompt.chars().count()) {
        let message = format!("a prompt has 1 to {} characters", config.prompt_limit);
        return Err(ApiError::invalid(message).param("prompt"));
    }
    if wish.files.len() > config.files_limit {
        let message = format!("a request has at most {} files", config.files_limit);
        return Err(ApiError::invalid(message).param("files"));
    }
    for (index, file) in wish.files.iter().enumerate() {
        let media = file.resolve(&app, &format!("files[{index}]")).await?;
        tracing::debug!(index, %media, "file input");
    }
    Ok(Data(Session {
        session_id: Uuid::new_v4().simple().to_string(),
        status: "generating",
        video_id: Uuid::new_v4().simple().to_string(),
        created_at: unix_now(),
    }))
}
