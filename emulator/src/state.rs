//! The state of a running emulator: every part that a request can need.

use std::sync::Arc;

use axum::extract::FromRef;

use crate::base::base_url::BaseUrl;
use crate::base::config::Config;
use crate::http::api_key::ApiKeys;
use crate::http::fault::Faults;
use crate::http::rate_limit::RateLimiter;
use crate::http::request_log::RequestLog;
use crate::service::assets::Assets;
use crate::service::batches::Batches;
use crate::service::direct_uploads::DirectUploads;
use crate::service::file_inputs::FileInputs;
use crate::service::idempotency::IdempotentResponses;
use crate::storage::bucket::Bucket;
use crate::storage::files::FileStore;
use crate::storage::presign::Signer;

/// Defines [`AppState`], and lets handlers take a single part of it as `State<Part>`.
macro_rules! app_state {
    ($($(#[$doc:meta])* $field:ident: $part:ty,)*) => {
        /// The parts of one emulator. A clone shares them.
        #[derive(Clone)]
        pub(crate) struct AppState {
            $($(#[$doc])* pub(crate) $field: $part,)*
        }

        $(impl FromRef<AppState> for $part {
            fn from_ref(state: &AppState) -> Self {
                state.$field.clone()
            }
        })*
    };
}

app_state! {
    config: Arc<Config>,
    base_url: BaseUrl,
    files: Arc<FileStore>,
    /// Where direct uploads go; `None` for `files`.
    bucket: Option<Arc<Bucket>>,
    signer: Arc<Signer>,
    assets: Arc<Assets>,
    direct_uploads: Arc<DirectUploads>,
    batches: Arc<Batches>,
    file_inputs: Arc<FileInputs>,
    responses: Arc<IdempotentResponses>,
    api_keys: Arc<ApiKeys>,
    rate_limiter: Arc<RateLimiter>,
    request_log: Arc<RequestLog>,
    faults: Arc<Faults>,
}
