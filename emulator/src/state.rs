//! What every request shares.

use crate::assets::{Assets, Ready};
use crate::auth::Keys;
use crate::batches::Batches;
use crate::bucket::Bucket;
use crate::config::Config;
use crate::fault::Faults;
use crate::idempotency::Answers;
use crate::presign::Signer;
use crate::rate_limit::Pace;
use crate::request_log::RequestLog;
use crate::store::Store;

/// One emulator's parts.
pub(crate) struct App {
    pub(crate) config: Config,
    /// `http://ADDR`, without a slash at its end.
    pub(crate) base_url: String,
    pub(crate) keys: Keys,
    pub(crate) store: Store,
    /// Where direct uploads go, if not to the store.
    pub(crate) bucket: Option<Bucket>,
    pub(crate) assets: Assets,
    pub(crate) batches: Batches,
    pub(crate) signer: Signer,
    pub(crate) answers: Answers,
    pub(crate) faults: Faults,
    pub(crate) pace: Pace,
    pub(crate) log: RequestLog,
    /// Fetches `url` file inputs.
    pub(crate) downloads: reqwest::Client,
}

impl App {
    /// The public address of an asset's file.
    pub(crate) fn asset_url(&self, asset: &Ready) -> String {
        format!("{}{}", self.base_url, asset.file_path())
    }
}
