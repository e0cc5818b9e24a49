//! `GET /`, a page that shows the assets as they arrive, and what it lives on: `GET /_emulator/assets`, a list, and
//! `GET /_emulator/events`, the same list and each change since.

use std::convert::Infallible;
use std::sync::{Arc, LazyLock};

use axum::Json;
use axum::extract::State;
use axum::http::header;
use axum::response::sse::{Event, KeepAlive, Sse};
use axum::response::{Html, IntoResponse};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use futures::stream::{self, Stream};
use serde::Serialize;
use sha2::{Digest, Sha256};
use tokio::sync::broadcast::Receiver;
use tokio::sync::broadcast::error::RecvError;

use crate::feed::{Card, Change};
use crate::state::App;

const PAGE: &str = include_str!("page.html");

/// What the page may do: fetch from here, and run its own script, which is named by its digest (CSP level 3, section
/// 2.3.1). Should a name ever become markup, no script in it would run. `data:` is for the empty icon.
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

pub(super) async fn page() -> impl IntoResponse {
    let headers = [
        (header::CONTENT_SECURITY_POLICY, POLICY.as_str()),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    ];
    (headers, Html(PAGE))
}

pub(super) async fn assets(State(app): State<Arc<App>>) -> Json<Vec<Card>> {
    Json(app.assets.cards())
}

pub(super) async fn events(
    State(app): State<Arc<App>>,
) -> Sse<impl Stream<Item = Result<Event, Infallible>>> {
    // Watching begins before the list is made, so that nothing falls between them.
    let changes = app.assets.feed().watch();
    let stream = stream::unfold(
        (app, changes, true),
        |(app, mut changes, begin)| async move {
            let event = next(&app, &mut changes, begin).await?;
            Some((Ok(event), (app, changes, false)))
        },
    );
    Sse::new(stream).keep_alive(KeepAlive::default())
}

/// The whole list at the beginning and to who missed something, else the next change.
async fn next(app: &App, changes: &mut Receiver<Change>, begin: bool) -> Option<Event> {
    let all = || event("assets", &app.assets.cards());
    if begin {
        return Some(all());
    }
    match changes.recv().await {
        Ok(Change::Came(card)) => Some(event("came", &card)),
        Ok(Change::Went(id)) => Some(event("went", &id)),
        Err(RecvError::Lagged(_)) => Some(all()),
        Err(RecvError::Closed) => None,
    }
}

fn event(name: &str, data: &impl Serialize) -> Event {
    let event = Event::default().event(name);
    // What is sent here is always JSON; an event without data is passed over by browsers.
    event.json_data(data).unwrap_or_default()
}
