//! The routes. Everything below `/v3` is the API and wants a key; `/bucket` stands for the storage behind presigned
//! URLs, and `/files` for the host that serves the stored files. `/` and `/_emulator` are the emulator's own.

mod assets;
mod avatars;
mod batches;
mod bucket;
mod direct_upload;
mod dubbing;
mod faults;
mod files;
mod lists;
mod page;
mod video_agents;
mod videos;

use std::convert::Infallible;
use std::sync::Arc;

use axum::extract::{DefaultBodyLimit, FromRequestParts, Path};
use axum::http::request::Parts;
use axum::middleware::from_fn_with_state;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post, put};
use axum::{Json, Router};
use serde::Serialize;
use uuid::Uuid;

use crate::error::{ApiError, unknown_route, wrong_method};
use crate::state::App;
use crate::{auth, fault, idempotency, rate_limit, request_log};

/// Every route of `app`, with what surrounds them all.
pub(crate) fn router(app: Arc<App>) -> Router {
    let api = Router::new()
        // The store counts the bytes itself, and answers in the API's words.
        .route(
            "/assets",
            post(assets::upload)
                .layer(DefaultBodyLimit::disable())
                .get(lists::list),
        )
        .route("/assets/statuses", get(lists::statuses))
        .route("/assets/direct-uploads", post(direct_upload::create))
        .route("/assets/direct-uploads/batches", post(batches::create))
        .route("/assets/complete/batches", post(batches::complete))
        .route("/assets/batches/{id}", get(batches::get))
        .route("/assets/{id}", get(assets::get).delete(assets::delete))
        .route("/assets/{id}/complete", post(direct_upload::complete))
        .route("/video-agents", post(video_agents::create))
        .route("/video-agents/{id}", post(video_agents::follow_up))
        .route("/avatars", post(avatars::create))
        .route("/videos", post(videos::create))
        .route("/video-translations", post(dubbing::translate))
        .route("/lipsyncs", post(dubbing::lipsync))
        .method_not_allowed_fallback(wrong_method)
        .route_layer(from_fn_with_state(app.clone(), idempotency::replay))
        .fallback(unknown_route)
        .layer(from_fn_with_state(app.clone(), rate_limit::hold))
        .layer(from_fn_with_state(app.clone(), auth::require_key));

    Router::new()
        .nest("/v3", api)
        .route(
            "/bucket/{id}",
            put(bucket::put).fallback(bucket::wrong_method),
        )
        .route("/files/asset/{name}", get(files::get))
        .route("/", get(page::page))
        .route("/_emulator/assets", get(page::assets))
        .route("/_emulator/events", get(page::events))
        .route(
            "/_emulator/faults",
            get(faults::list).post(faults::inject).delete(faults::clear),
        )
        .method_not_allowed_fallback(wrong_method)
        .fallback(unknown_route)
        .layer(from_fn_with_state(app.clone(), fault::act))
        .layer(from_fn_with_state(app.clone(), request_log::observe))
        .with_state(app)
}

/// Whether a path is the emulator's own. Such requests are not recorded and meet no faults.
pub(crate) fn is_own(path: &str) -> bool {
    path == "/" || path.starts_with("/_emulator/")
}

/// The id in a path. One that is not even text is an id like any other that nobody has.
struct Id(String);

impl<S: Send + Sync> FromRequestParts<S> for Id {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Infallible> {
        let path = Path::<String>::from_request_parts(parts, state).await;
        Ok(Self(path.map_or_else(|_| String::new(), |Path(id)| id)))
    }
}

/// A new id for what the emulator does not keep.
fn new_id() -> String {
    Uuid::new_v4().simple().to_string()
}

/// Refuses a text field with nothing in it.
fn required(text: &str, param: &str) -> Result<(), ApiError> {
    if text.trim().is_empty() {
        return Err(ApiError::invalid(format!("a {param} is needed")).param(param));
    }
    Ok(())
}

/// One resource: `{"data": {…}}`.
struct Data<T>(T);

impl<T: Serialize> IntoResponse for Data<T> {
    fn into_response(self) -> Response {
        #[derive(Serialize)]
        struct Envelope<T> {
            data: T,
        }
        Json(Envelope { data: self.0 }).into_response()
    }
}
