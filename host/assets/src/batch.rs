//! Batches: up to a hundred direct uploads, created and completed together.

use std::collections::BTreeMap;
use std::time::Duration;

use reqwest::Method;
use serde::Deserialize;
use serde_json::json;

use crate::asset::check_type;
use crate::client::{Assets, IDEMPOTENCY_KEY};
use crate::direct::{DirectUpload, NewUpload, Slot};
use crate::error::AssetsError;
use crate::journal::{UploadJournal, fresh_idempotency_key};
use crate::manage::Status;
use crate::watch::Watch;

/// Files of one batch.
const MOST_FILES: usize = 100;

/// A batch that waits for its bytes. What is not completed with it is deleted when its upload is dropped.
#[derive(Debug)]
pub struct Batch {
    assets: Assets,
    batch_id: String,
    /// One upload for each file, in order: their bytes go by [`DirectUpload::put_bytes`].
    pub uploads: Vec<DirectUpload>,
}

/// How far a batch is.
#[derive(Debug, Clone, Deserialize)]
#[non_exhaustive]
pub struct BatchStatus {
    /// Its id.
    pub batch_id: String,
    /// The batch as a whole.
    pub status: Status,
    /// How many files it has.
    pub total_items: usize,
    /// How many of them are how far.
    #[serde(default)]
    pub counts_by_status: BTreeMap<String, usize>,
    /// The files, as many as the service shows at once.
    #[serde(default)]
    pub items: Vec<BatchItem>,
}

/// How far one file of a batch is.
#[derive(Debug, Clone, Deserialize)]
#[non_exhaustive]
pub struct BatchItem {
    /// Its place in the batch, from 0.
    pub item_index: usize,
    /// How far it is.
    pub status: Status,
    /// Why it failed.
    #[serde(default)]
    pub error: Option<serde_json::Value>,
}

impl Assets {
    /// Reserves an asset for each of up to 100 files, all or none.
    ///
    /// # Errors
    /// When there are too many or none, one is of a type that the service does not take, or the service said no.
    pub async fn create_batch(
        &self,
        title: Option<&str>,
        files: &[NewUpload<'_>],
    ) -> Result<Batch, AssetsError> {
        if !(1..=MOST_FILES).contains(&files.len()) {
            return Err(AssetsError::Request {
                field: "files".into(),
                problem: format!("a batch has 1 to {MOST_FILES} files, not {}", files.len()),
            });
        }
        files
            .iter()
            .try_for_each(|file| check_type(file.media_type))?;
        #[derive(Deserialize)]
        struct Created {
            batch_id: String,
            items: Vec<Slot>,
        }
        let mut body = json!({ "files": files.iter().map(NewUpload::body).collect::<Vec<_>>() });
        if let (Some(title), Some(body)) = (title, body.as_object_mut()) {
            body.insert("title".into(), title.into());
        }
        let announced: Vec<(String, u64)> = files
            .iter()
            .map(|file| (file.media_type.to_owned(), file.size))
            .collect();
        let (this, key) = (self.clone(), fresh_idempotency_key());
        // Seen through to its answer, as a single creation is.
        self.see_through(async move {
            let request = || {
                this.request(Method::POST, &["v3", "assets", "direct-uploads", "batches"])
                    .header(IDEMPOTENCY_KEY, &key)
                    .json(&body)
            };
            let Created { batch_id, items } = this.call("create batch", request).await?;
            let count = items.len();
            let uploads: Result<Vec<_>, _> = items
                .into_iter()
                .zip(&announced)
                .map(|(slot, (media_type, size))| {
                    let journal = UploadJournal::default();
                    DirectUpload::reserved(&this, slot, media_type.clone(), *size, &journal)
                })
                .collect();
            if count != announced.len() {
                return Err(AssetsError::Transport {
                    operation: "create batch",
                    reason: format!("{count} uploads for {} files", announced.len()),
                });
            }
            Ok(Batch {
                assets: this.clone(),
                batch_id,
                uploads: uploads?,
            })
        })
        .await
    }

    /// How far a batch is.
    ///
    /// # Errors
    /// When there is none of this id, or the service did not answer.
    pub async fn batch(&self, batch_id: &str) -> Result<BatchStatus, AssetsError> {
        let request = || self.request(Method::GET, &["v3", "assets", "batches", batch_id]);
        self.call("batch", request).await
    }
}

impl Batch {
    /// Its id.
    pub fn id(&self) -> &str {
        &self.batch_id
    }

    /// Completes all files whose bytes have arrived, and waits until the service is done with each; looks every `pause`.
    /// The assets that are complete stay; the others are deleted.
    ///
    /// # Errors
    /// When the service did not answer. A file that failed is no error here: [`BatchStatus::items`] tells.
    pub async fn complete(self, pause: Duration) -> Result<BatchStatus, AssetsError> {
        let body = json!({ "batch_id": self.batch_id });
        let request = || {
            self.assets
                .request(Method::POST, &["v3", "assets", "complete", "batches"])
                .json(&body)
        };
        let (again, watch) = (AssetsError::may_settle, Watch::none());
        let completing = self
            .assets
            .call_when("complete batch", again, &watch, request);
        let _: serde_json::Value = completing.await?;
        loop {
            let status = self.assets.batch(&self.batch_id).await?;
            if matches!(status.status, Status::Completed | Status::Failed) {
                self.keep_what_is_complete().await?;
                return Ok(status);
            }
            tokio::time::sleep(pause).await;
        }
    }

    async fn keep_what_is_complete(&self) -> Result<(), AssetsError> {
        let ids: Vec<&str> = self.uploads.iter().map(DirectUpload::asset_id).collect();
        let statuses = self.assets.statuses(&ids).await?;
        for upload in &self.uploads {
            // Only what is known to be of no use is deleted.
            if !matches!(
                statuses.get(upload.asset_id()),
                Some(Status::Queued | Status::Failed | Status::NotFound)
            ) {
                upload.keep();
            }
        }
        Ok(())
    }
}
