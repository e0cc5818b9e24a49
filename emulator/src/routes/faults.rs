//! `/_emulator/faults`: faults over HTTP, for clients that cannot call [`Emulator::inject`](crate::Emulator::inject).
//!
//! All three methods answer with the faults that have not acted yet. No key is required, because the emulator listens
//! on loopback, and browsers do not let pages of other sites send JSON here without CORS.

use std::sync::Arc;

use axum::extract::State;
use axum::routing::get;
use axum::{Json, Router};
use serde::Deserialize;
use serde_json::Value;

use crate::base::api_error::ApiError;
use crate::http::fault::{Fault, Faults};
use crate::http::json::JsonBody;
use crate::state::AppState;

pub(super) fn routes() -> Router<AppState> {
    let methods = get(list).post(inject).delete(clear);
    Router::new().route("/_emulator/faults", methods)
}

async fn list(State(faults): State<Arc<Faults>>) -> Json<Vec<Fault>> {
    Json(faults.snapshot())
}

/// Injects one fault or a list of faults. If one is not valid, none is injected.
async fn inject(
    State(faults): State<Arc<Faults>>,
    JsonBody(given): JsonBody<Value>,
) -> Result<Json<Vec<Fault>>, ApiError> {
    let given = match given {
        Value::Array(list) => list,
        one => vec![one],
    };
    let parsed: Vec<Fault> = given.iter().map(parse).collect::<Result<_, _>>()?;
    for fault in parsed {
        faults.inject(fault);
    }
    Ok(Json(faults.snapshot()))
}

async fn clear(State(faults): State<Arc<Faults>>) -> Json<Vec<Fault>> {
    faults.clear();
    Json(faults.snapshot())
}

fn parse(given: &Value) -> Result<Fault, ApiError> {
    let fault = Fault::deserialize(given)
        .map_err(|error| ApiError::invalid(format!("malformed fault: {error}")))?;
    if let Some(objection) = fault.objection() {
        return Err(ApiError::invalid(objection));
    }
    // serde cannot deny unknown fields in a struct with a flattened field, and a misspelt `times` must not be ignored.
    let known = serde_json::to_value(&fault).map_err(ApiError::internal)?;
    let unknown = given
        .as_object()
        .and_then(|fields| fields.keys().find(|field| known.get(field).is_none()));
    match unknown {
        Some(field) => Err(ApiError::invalid("a fault has no such field").with_param(field)),
        None => Ok(fault),
    }
}
