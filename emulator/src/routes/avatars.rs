//! `POST /v3/avatars`: an avatar from a photo, from a video, or from a prompt with reference images.

use std::sync::Arc;

use axum::Router;
use axum::extract::State;
use axum::routing::post;
use serde::{Deserialize, Serialize};

use crate::base::api_error::ApiError;
use crate::base::clock::unix_now;
use crate::base::config::Config;
use crate::base::ids::new_id;
use crate::base::text::require_text;
use crate::http::envelope::Data;
use crate::http::json::JsonBody;
use crate::service::file_inputs::{FileInput, FileInputs};
use crate::state::AppState;

pub(super) fn routes() -> Router<AppState> {
    Router::new().route("/avatars", post(create))
}

/// The body of a request: what to make an avatar from.
#[derive(Deserialize)]
struct Create {
    #[serde(flatten)]
    source: Source,
    name: String,
    avatar_group_id: Option<String>,
}

#[derive(Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
enum Source {
    Photo {
        file: FileInput,
    },
    DigitalTwin {
        file: FileInput,
    },
    Prompt {
        prompt: String,
        reference_images: Option<Vec<FileInput>>,
    },
}

/// The answer: a look and its group. The emulator makes neither.
#[derive(Serialize)]
struct Created {
    avatar_item: Look,
    avatar_group: Group,
}

#[derive(Serialize)]
struct Look {
    id: String,
    name: String,
    avatar_type: &'static str,
    group_id: String,
}

#[derive(Serialize)]
struct Group {
    id: String,
    name: String,
    created_at: u64,
    looks_count: u32,
}

async fn create(
    State(config): State<Arc<Config>>,
    State(inputs): State<Arc<FileInputs>>,
    JsonBody(request): JsonBody<Create>,
) -> Result<Data<Created>, ApiError> {
    require_text(&request.name, "name")?;
    let avatar_type = match request.source {
        Source::Photo { file } => {
            inputs.check(&file, "file").await?;
            "photo_avatar"
        }
        Source::DigitalTwin { file } => {
            inputs.check(&file, "file").await?;
            "digital_twin"
        }
        Source::Prompt {
            prompt,
            reference_images,
        } => {
            require_text(&prompt, "prompt")?;
            let most = config.reference_images_limit;
            inputs
                .check_all(reference_images.as_deref(), "reference_images", most)
                .await?;
            "photo_avatar"
        }
    };
    let group_id = request.avatar_group_id.unwrap_or_else(|| new_id(""));
    Ok(Data::new(Created {
        avatar_item: Look {
            id: new_id(""),
            name: request.name.clone(),
            avatar_type,
            group_id: group_id.clone(),
        },
        avatar_group: Group {
            id: group_id,
            name: request.name,
            created_at: unix_now(),
            looks_count: 1,
        },
    }))
}
