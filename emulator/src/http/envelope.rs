//! The envelope of successful answers: `{"data": …}`.

use axum::Json;
use axum::response::{IntoResponse, Response};
use serde::Serialize;

/// One resource: `{"data": {…}}`.
#[derive(Serialize)]
pub(crate) struct Data<T> {
    data: T,
}

impl<T> Data<T> {
    pub(crate) const fn new(data: T) -> Self {
        Self { data }
    }
}

impl<T: Serialize> IntoResponse for Data<T> {
    fn into_response(self) -> Response {
        Json(self).into_response()
    }
}

/// A page of a list: `{"data": […], "has_more": …, "next_token": …}`.
#[derive(Serialize)]
pub(crate) struct Page<T> {
    pub(crate) data: Vec<T>,
    pub(crate) has_more: bool,
    pub(crate) next_token: Option<String>,
}

impl<T: Serialize> IntoResponse for Page<T> {
    fn into_response(self) -> Response {
        Json(self).into_response()
    }
}
