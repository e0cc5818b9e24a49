//! `POST /v3/video-agents` and the follow-up message: the requests that uploads are made for.

use std::sync::Arc;

use axum::extract::State;
use serde::{Deserialize, Serialize};

use super::{Data, Id, new_id};
use crate::assets::unix_now;
use crate::error::ApiError;
use crate::input::{FileInput, resolve_all};
use crate::json::JsonBody;
use crate::state::App;

/// What a video is to be made of.
#[derive(Deserialize)]
pub(super) struct Create {
    prompt: String,
    files: Option<Vec<FileInput>>,
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
    check_length(&app, &wish.prompt, "prompt")?;
    resolve_all(&app, wish.files, "files", app.config.files_limit).await?;
    Ok(Data(Session {
        session_id: new_id(),
        status: "generating",
        video_id: new_id(),
        created_at: unix_now(),
    }))
}

/// What to add to a session.
#[derive(Deserialize)]
pub(super) struct Message {
    message: String,
    files: Option<Vec<FileInput>>,
}

/// What comes of it; here nothing.
#[derive(Serialize)]
pub(super) struct Run {
    session_id: String,
    run_id: String,
    title: Option<String>,
}

/// Sessions are not remembered, so any id will do.
pub(super) async fn follow_up(
    State(app): State<Arc<App>>,
    Id(session_id): Id,
    JsonBody(wish): JsonBody<Message>,
) -> Result<Data<Run>, ApiError> {
    check_length(&app, &wish.message, "message")?;
    resolve_all(&app, wish.files, "files", app.config.files_limit).await?;
    Ok(Data(Run {
        session_id,
        run_id: new_id(),
        title: None,
    }))
}

/// That a message may be as long as a prompt is unverified.
fn check_length(app: &App, text: &str, param: &str) -> Result<(), ApiError> {
    let most = app.config.prompt_limit;
    if (1..=most).contains(&text.chars().count()) {
        return Ok(());
    }
    let message = format!("a {param} has 1 to {most} characters");
    Err(ApiError::invalid(message).param(param))
}
