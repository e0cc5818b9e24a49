//! JSON bodies with a size limit, with errors in the API's envelope.

use std::sync::Arc;

use axum::extract::{FromRef, FromRequest, Request};
use axum::http::header;
use http_body_util::{BodyExt, LengthLimitError, Limited};
use serde::de::DeserializeOwned;

use crate::base::api_error::ApiError;
use crate::base::config::Config;

/// A JSON body of at most [`json_limit`](crate::Config::json_limit) bytes. Unknown fields are ignored, because the
/// service has many fields that the emulator does not use.
pub(crate) struct JsonBody<T>(pub(crate) T);

impl<S, T> FromRequest<S> for JsonBody<T>
where
    S: Send + Sync,
    T: DeserializeOwned,
    Arc<Config>: FromRef<S>,
{
    type Rejection = ApiError;

    async fn from_request(request: Request, state: &S) -> Result<Self, ApiError> {
        let config = Arc::<Config>::from_ref(state);
        let content_type = request
            .headers()
            .get(header::CONTENT_TYPE)
            .and_then(|value| value.to_str().ok())
            .unwrap_or_default();
        let essence = content_type.split(';').next().unwrap_or_default().trim();
        if !essence.eq_ignore_ascii_case("application/json") {
            return Err(ApiError::invalid("Content-Type must be application/json"));
        }
        let limit = usize::try_from(config.json_limit).unwrap_or(usize::MAX);
        let body = Limited::new(request.into_body(), limit)
            .collect()
            .await
            .map_err(|error| {
                if error.is::<LengthLimitError>() {
                    let message = format!("a JSON body has at most {limit} bytes");
                    ApiError::configured(&config.too_large, message)
                } else {
                    ApiError::incomplete(format!("the body could not be read: {error}"))
                }
            })?
            .to_bytes();
        serde_json::from_slice(&body)
            .map(Self)
            .map_err(|error| ApiError::invalid(format!("malformed body: {error}")))
    }
}
