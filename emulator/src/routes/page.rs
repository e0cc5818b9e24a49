//! `GET /`, a page that shows the assets as they arrive, and what it lives on: `GET /_emulator/assets`, a list, and
//! `GET /_emulator/events`, the same list and each change since.

use std::convert::Infallible;
use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::header;
use axum::response::sse::{Event, KeepAlive, Sse};
use axum::response::{Html, IntoResponse};
use futures::stream::{self, Stream};
use serde::Serialize;
use tokio::sync::broadcast::Receiver;
use tokio::sync::broadcast::error::RecvError;

use crate::feed::{Card, Change};
use crate::state::App;

/// Only what is on the page, and only from here: should a name ever get past the script's `textContent`, it can fetch
/// nothing.
const POLICY: &str = "default-src 'none'; connect-src 'self'; img-src 'self'; script-src 'unsafe-inline'; \
                      style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

pub(super) async fn page() -> impl IntoResponse {
    let headers = [
        (header::CONTENT_SECURITY_POLICY, POLICY),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    ];
    (headers, Html(include_str!("page.html")))
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
