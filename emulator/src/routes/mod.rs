//! The routes. Paths below `/v3` are the API and need a key. `/bucket` stands for the storage behind presigned URLs,
//! and `/files` for the host that serves the stored files. `/` and `/_emulator` are the emulator's own.
//!
//! Each child has a function `routes` with the paths and handlers of one resource. A new endpoint goes into one of
//! them; a new resource is a new file and a line here.

mod assets;
mod avatars;
mod batches;
mod direct_uploads;
mod dubbing;
mod faults;
mod files;
mod lists;
mod overview;
mod presigned_put;
mod video_agents;
mod videos;

use axum::Router;
use axum::http::StatusCode;
use axum::middleware::{from_fn, from_fn_with_state};

use crate::base::api_error::ApiError;
use crate::http::{api_key, cors, fault, idempotency, rate_limit, request_log};
use crate::state::AppState;

/// Every route and all middleware. The layer that is added last sees a request first.
pub(crate) fn router(state: AppState) -> Router {
    let api = Router::new()
        .merge(assets::routes())
        .merge(lists::routes())
        .merge(direct_uploads::routes())
        .merge(batches::routes())
        .merge(video_agents::routes())
        .merge(avatars::routes())
        .merge(videos::routes())
        .merge(dubbing::routes())
        .method_not_allowed_fallback(wrong_method)
        .route_layer(from_fn_with_state(state.clone(), idempotency::replay))
        .fallback(unknown_route)
        .layer(from_fn_with_state(state.clone(), rate_limit::limit))
        .layer(from_fn_with_state(state.clone(), api_key::require));

    Router::new()
        .nest("/v3", api)
        .merge(presigned_put::routes())
        .merge(files::routes())
        .merge(overview::routes())
        .merge(faults::routes())
        .method_not_allowed_fallback(wrong_method)
        .fallback(unknown_route)
        .layer(from_fn_with_state(state.clone(), fault::apply))
        .layer(from_fn(cors::allow))
        .layer(from_fn_with_state(state.clone(), request_log::record))
        .with_state(state)
}

/// The answer to a path that does not exist.
async fn unknown_route() -> ApiError {
    ApiError::new(StatusCode::NOT_FOUND, "not_found", "no such route")
}

/// The answer to a method that the path does not have. axum adds the `Allow` header.
async fn wrong_method() -> ApiError {
    ApiError::new(
        StatusCode::METHOD_NOT_ALLOWED,
        "method_not_allowed",
        "this route does not have this method",
    )
}
