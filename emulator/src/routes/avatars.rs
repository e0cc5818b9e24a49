//! `POST /v3/avatars`: an avatar from a photo, from footage or from a prompt with pictures to go by.

use std::sync::Arc;

use axum::extract::State;
use serde::{Deserialize, Serialize};

use super::{Data, new_id, required};
use crate::assets::unix_now;
use crate::error::ApiError;
use crate::input::{FileInput, resolve_all};
use crate::json::JsonBody;
use crate::state::App;

/// What an avatar is to be made of.
#[derive(Deserialize)]
pub(super) struct Create {
    #[serde(flatten)]
    from: From,
    name: String,
    avatar_group_id: Option<String>,
}

#[derive(Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
enum From {
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

/// One look, and the identity it belongs to; here neither is made.
#[derive(Serialize)]
pub(super) struct Created {
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

pub(super) async fn create(
    State(app): State<Arc<App>>,
    JsonBody(wish): JsonBody<Create>,
) -> Result<Data<Created>, ApiError> {
    required(&wish.name, "name")?;
    let avatar_type = match wish.from {
        From::Photo { file } => {
            file.resolve(&app, "file").await?;
            "photo_avatar"
        }
        From::DigitalTwin { file } => {
            file.resolve(&app, "file").await?;
            "digital_twin"
        }
        From::Prompt {
            prompt,
            reference_images,
        } => {
            required(&prompt, "prompt")?;
            let most = app.config.reference_images_limit;
            resolve_all(&app, reference_images, "reference_images", most).await?;
            "photo_avatar"
        }
    };
    let group_id = wish.avatar_group_id.unwrap_or_else(new_id);
    Ok(Data(Created {
        avatar_item: Look {
            id: new_id(),
            name: wish.name.clone(),
            avatar_type,
            group_id: group_id.clone(),
        },
        avatar_group: Group {
            id: group_id,
            name: wish.name,
            created_at: unix_now(),
            looks_count: 1,
        },
    }))
}
