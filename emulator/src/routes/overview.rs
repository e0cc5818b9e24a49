//! `GET /`, a page that shows the assets as they arrive. It gets its data from `GET /_emulator/events`, which sends the
//! list of assets and then each change. `GET /_emulator/assets` returns the list alone.

use std::convert::Infallible;
use std::sync::{Arc, LazyLock};

use axum::extract::State;
use axum::http::header;
use axum::response::sse::{Event, KeepAlive, Sse};
use axum::response::{Html, IntoResponse};
use axum::routing::get;
use axum::{Json, Router};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use futures::stream::{self, Stream};
use serde::Serialize;
use sha2::{Digest, Sha256};
use tokio::sync::broadcast::Receiver;
use tokio::sync::broadcast::error::RecvError;

use crate::service::assets::{AssetSummary, Assets, Change};
use crate::state::AppState;

const PAGE: &str = include_str!("overview.html");

pub(super) fn routes() -> Router<AppState> {
    Router::new()
        .route("/", get(page))
        .route("/_emulator/assets", get(list))
        .route("/_emulator/events", get(events))
}

/// The content security policy of the page. The page may fetch from this server and run its own script, which the
/// policy names by its digest (CSP level 3, section 2.3.1). If the name of an asset were ever taken as markup, a script
/// in it would not run. `data:` is for the empty icon.
static POLICY: LazyLock<String> = LazyLock::new(|| {
    let script = PAGE
        .split_once("<script>")
        .and_then(|(_, rest)| rest.split_once("</script>"));
    let digest = STANDARD.encode(Sha256::digest(script.unwrap_or_default().0));
    format!(
        "default-src 'none'; connect-src 'self'; img-src 'self' data:; script-src 'sha256-{digest}'; \
         style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    )
});

async fn page() -> impl IntoResponse {
    let headers = [
        (header::CONTENT_SECURITY_POLICY, POLICY.as_str()),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    ];
    (headers, Html(PAGE))
}

async fn list(State(assets): State<Arc<Assets>>) -> Json<Vec<AssetSummary>> {
    Json(assets.summaries())
}

async fn events(
    State(assets): State<Arc<Assets>>,
) -> Sse<impl Stream<Item = Result<Event, Infallible>>> {
    // Subscribes before the list is made, so that no change between the two is missed.
    let changes = assets.subscribe();
    let stream = stream::unfold(
        (assets, changes, true),
        |(assets, mut changes, begin)| async move {
            let event = next(&assets, &mut changes, begin).await?;
            Some((Ok(event), (assets, changes, false)))
        },
    );
    Sse::new(stream).keep_alive(KeepAlive::default())
}

/// The next event: the whole list at the beginning and for a client that missed changes, otherwise the next change.
async fn next(assets: &Assets, changes: &mut Receiver<Change>, begin: bool) -> Option<Event> {
    let all = || event("assets", &assets.summaries());
    if begin {
        return Some(all());
    }
    match changes.recv().await {
        Ok(Change::Updated(asset)) => Some(event("came", &asset)),
        Ok(Change::Deleted(id)) => Some(event("went", &id)),
        Err(RecvError::Lagged(_)) => Some(all()),
        Err(RecvError::Closed) => None,
    }
}

fn event(name: &str, data: &impl Serialize) -> Event {
    let event = Event::default().event(name);
    // Serialising these types does not fail. If it did, browsers would ignore the event without data.
    event.json_data(data).unwrap_or_default()
}
