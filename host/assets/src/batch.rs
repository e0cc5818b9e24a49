//! Batches: up to a hundred direct uploads, created and completed together.

use std::collections::BTreeMap;
use std::time::Duration;

use reqwest::Method;
use serde::Deserialize;
use serde_json::json;

use crate::asset::check_type;
use crate::client::{Assets, IDEMPOTENCY_KEY};
use crate::direct::{DirectUpload, NewUpload};
use crate::error::{AssetsError, TransportKind};
use crate::journal::{UploadJournal, fresh_idempotency_key};
use crate::manage::Status;
use crate::watch::Watch;
use crate::wire::Slot;

/// Most files in one batch.
const MOST_FILES: usize = 100;

/// A batch whose bytes are not sent yet. Dropping an upload deletes its asset, unless the batch has completed it.
#[derive(Debug)]
pub struct Batch {
    assets: Assets,
    batch_id: String,
    /// One upload for each file, in order. Send the bytes with [`DirectUpload::put_bytes`].
    pub uploads: Vec<DirectUpload>,
}

/// The state of a batch.
#[derive(Debug, Clone, Deserialize)]
#[non_exhaustive]
pub struct BatchStatus {
    /// The batch's id.
    pub batch_id: String,
    /// Status of the whole batch.
    pub status: Status,
    /// Number of files in the batch.
    pub total_items: usize,
    /// Number of files in each status.
    #[serde(default)]
    pub counts_by_status: BTreeMap<String, usize>,
    /// The files, as many as the service returns at once.
    #[serde(default)]
    pub items: Vec<BatchItem>,
}

/// The state of one file of a batch.
#[derive(Debug, Clone, Deserialize)]
#[non_exhaustive]
pub struct BatchItem {
    /// Index of the file in the batch, from 0.
    pub item_index: usize,
    /// Status of the file.
    pub status: Status,
    /// Why the file failed.
    #[serde(default)]
    pub error: Option<serde_json::Value>,
}

impl Assets {
    /// Reserves an asset for each of up to 100 files. Either all assets are reserved or none.
    ///
    /// # Errors
    /// When there are no files or too many, the service does not take the type of one of them, or the service refused.
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
        // Runs to its answer even if the caller is dropped, as a single creation does.
        self.see_through(async move {
            let request = || {
                this.request(Method::POST, &["v3", "assets", "direct-uploads", "batches"])
                    .header(IDEMPOTENCY_KEY, &key)
                    .json(&body)
            };
            let journal = UploadJournal::default();
            let attempt = || {
                let request = request().timeout(this.0.answer_timeout);
                this.answer_made("create batch", request, &journal)
            };
            let created = this.0.retries.run(&Watch::none(), attempt).await;
            let Created { batch_id, items } = created?;
            let count = items.len();
            // All of them, also after a failure and beyond the announced ones: what is not kept is deleted.
            let mut announced_next = announced.iter().cloned();
            let uploads: Vec<Result<DirectUpload, AssetsError>> = items
                .into_iter()
                .map(|slot| {
                    let (media_type, size) = announced_next.next().unwrap_or_default();
                    DirectUpload::reserved(&this, slot, media_type, size, &journal)
                })
                .collect();
            if count != announced.len() {
                let reason = format!("{count} uploads for {} files", announced.len());
                let kind = TransportKind::Unreadable;
                return Err(AssetsError::transport("create batch", kind, reason));
            }
            Ok(Batch {
                assets: this.clone(),
                batch_id,
                uploads: uploads.into_iter().collect::<Result<_, _>>()?,
            })
        })
        .await
    }

    /// Returns the state of a batch.
    ///
    /// # Errors
    /// When no batch has this id, or the service did not answer.
    pub async fn batch(&self, batch_id: &str) -> Result<BatchStatus, AssetsError> {
        let request = || self.request(Method::GET, &["v3", "assets", "batches", batch_id]);
        self.call("batch", request).await
    }
}

impl Batch {
    /// The batch's id.
    pub fn id(&self) -> &str {
        &self.batch_id
    }

    /// Completes all files whose bytes have arrived, and waits until the service has finished each of them. Polls the
    /// status every `pause`. Then deletes the assets that are queued, failed or not found, and keeps the others.
    ///
    /// # Errors
    /// When the service did not answer. A file that failed is not an error here: see [`BatchStatus::items`].
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
            // Only assets that are known to be unusable are deleted.
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
