//! `/_emulator/faults`: faults by request, for clients that cannot call [`Emulator::inject`](crate::Emulator::inject).
//!
//! All three methods answer the list of faults still to come. No key is asked for: the emulator listens on loopback,
//! and a page in a browser cannot send JSON here without leave.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use serde::Deserialize;
use serde_json::Value;

use crate::error::ApiError;
use crate::fault::Fault;
use crate::json::JsonBody;
use crate::state::App;

pub(super) async fn list(State(app): State<Arc<App>>) -> Json<Vec<Fault>> {
    Json(app.faults.snapshot())
}

/// Takes one fault or a list: all of them or, if one is wrong, none.
pub(super) async fn inject(
    State(app): State<Arc<App>>,
    JsonBody(given): JsonBody<Value>,
) -> Result<Json<Vec<Fault>>, ApiError> {
    let given = match given {
        Value::Array(list) => list,
        one => vec![one],
    };
    let faults: Vec<Fault> = given.iter().map(parse).collect::<Result<_, _>>()?;
    for fault in faults {
        app.faults.inject(fault);
    }
    Ok(list(State(app)).await)
}

pub(super) async fn clear(State(app): State<Arc<App>>) -> Json<Vec<Fault>> {
    app.faults.clear();
    list(State(app)).await
}

fn parse(given: &Value) -> Result<Fault, ApiError> {
    let fault = Fault::deserialize(given)
        .map_err(|error| ApiError::invalid(format!("malformed fault: {error}")))?;
    if let Some(objection) = fault.objection() {
        return Err(ApiError::invalid(objection));
    }
    // serde cannot refuse unknown fields beside a flattened one, and a misspelt `times` must not pass for no `times`.
    let known = serde_json::to_value(&fault).map_err(ApiError::internal)?;
    let unknown = given
        .as_object()
        .and_then(|fields| fields.keys().find(|field| known.get(field).is_none()));
    match unknown {
        Some(field) => Err(ApiError::invalid("a fault has no such field").param(field)),
        None => Ok(fault),
    }
}
