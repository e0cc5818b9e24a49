//! `POST /v3/video-agents`, and the follow-up messages of a session.

use std::sync::Arc;

use axum::Router;
use axum::extract::State;
use axum::routing::post;
use serde::{Deserialize, Serialize};

use crate::base::api_error::ApiError;
use crate::base::clock::unix_now;
use crate::base::config::Config;
use crate::base::ids::new_id;
use crate::http::envelope::Data;
use crate::http::json::JsonBody;
use crate::http::path_id::PathId;
use crate::service::file_inputs::{FileInput, FileInputs};
use crate::state::AppState;

pub(super) fn routes() -> Router<AppState> {
    Router::new()
        .route("/video-agents", post(create))
        .route("/video-agents/{id}", post(follow_up))
}

/// The body of a request: what to make a video from.
#[derive(Deserialize)]
struct Create {
    prompt: String,
    files: Option<Vec<FileInput>>,
}

/// The answer: a session. The emulator makes no video.
#[derive(Serialize)]
struct Session {
    session_id: String,
    status: &'static str,
    video_id: String,
    created_at: u64,
}

async fn create(
    State(config): State<Arc<Config>>,
    State(inputs): State<Arc<FileInputs>>,
    JsonBody(request): JsonBody<Create>,
) -> Result<Data<Session>, ApiError> {
    check_length(&config, &request.prompt, "prompt")?;
    inputs
        .check_all(request.files.as_deref(), "files", config.files_limit)
        .await?;
    Ok(Data::new(Session {
        session_id: new_id(""),
        status: "generating",
        video_id: new_id(""),
        created_at: unix_now(),
    }))
}

/// The body of a follow-up message.
#[derive(Deserialize)]
struct Message {
    message: String,
    files: Option<Vec<FileInput>>,
}

/// The answer to a follow-up message.
#[derive(Serialize)]
struct Run {
    session_id: String,
    run_id: String,
    title: Option<String>,
}

/// Sessions are not stored, so every session id is accepted.
async fn follow_up(
    State(config): State<Arc<Config>>,
    State(inputs): State<Arc<FileInputs>>,
    PathId(session_id): PathId,
    JsonBody(request): JsonBody<Message>,
) -> Result<Data<Run>, ApiError> {
    check_length(&config, &request.message, "message")?;
    inputs
        .check_all(request.files.as_deref(), "files", config.files_limit)
        .await?;
    Ok(Data::new(Run {
        session_id,
        run_id: new_id(""),
        title: None,
    }))
}

/// Checks the length of a prompt or message. That both have the same limit is unverified.
fn check_length(config: &Config, text: &str, param: &str) -> Result<(), ApiError> {
    let most = config.prompt_limit;
    if (1..=most).contains(&text.chars().count()) {
        return Ok(());
    }
    let message = format!("a {param} has 1 to {most} characters");
    Err(ApiError::invalid(message).with_param(param))
}
