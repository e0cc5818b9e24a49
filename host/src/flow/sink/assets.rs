//! The sink into the Assets API.

use async_trait::async_trait;
use forebay_assets::journal::UploadJournal;
use forebay_assets::{Assets, AssetsError, Incoming};

use super::{Delivered, Outgoing, Sink, SinkError};
use crate::flow::place::Place;

/// Uploads every file of a job.
///
/// Files of up to [`MULTIPART_MAX`](forebay_assets::MULTIPART_MAX) bytes are sent by multipart. They are read to their
/// end first. If they lie on disk, they are then read again from there; otherwise they are held in memory. A larger file of known size streams into a direct upload. If it cannot be
/// re-read, it is written to scratch at the same time. A larger file of unknown size is written to scratch first.
#[derive(Debug, Clone)]
pub struct AssetsSink(Assets);

impl AssetsSink {
    /// A sink that uploads with this client.
    pub fn new(assets: &Assets) -> Self {
        Self(assets.clone())
    }
}

/// Methods that a host adds to the client of the Assets API.
pub trait AssetsExt {
    /// A sink that uploads every file of a job.
    fn sink(&self) -> AssetsSink;
}

impl AssetsExt for Assets {
    fn sink(&self) -> AssetsSink {
        AssetsSink::new(self)
    }
}

#[async_trait]
impl Sink for AssetsSink {
    fn identity(&self) -> Option<String> {
        Some(format!("{} {}", self.0.base_url(), self.0.account()))
    }

    async fn still_has(&self, place: &Place) -> Result<bool, SinkError> {
        let Place::Asset { asset, .. } = place else {
            return Ok(true);
        };
        match self.0.get(&asset.asset_id).await {
            Ok(_) => Ok(true),
            // The second code is for an asset of another account.
            Err(AssetsError::Service(error))
                if error.status == 404 || error.code == "resource_access_denied" =>
            {
                Ok(false)
            }
            Err(error) => Err(error.into()),
        }
    }

    async fn put(&self, file: Outgoing) -> Result<Delivered, SinkError> {
        #[cfg(feature = "journal")]
        if let Some(journal) = &file.journal {
            // What cannot be recorded is not uploaded.
            journal
                .check()
                .map_err(|error| SinkError::Other(error.into()))?;
        }
        let journal = journal(&file);
        let watch = file.progress.watch();
        let incoming = Incoming {
            info: file.info,
            content: file.content,
            scratch: file.scratch,
            replay: file.replay,
        };
        match self.0.send_incoming(incoming, &journal, &watch).await {
            Ok(uploaded) => Ok(Delivered {
                size: uploaded.asset.size_bytes,
                sha256: Some(uploaded.sha256),
                place: Place::Asset {
                    asset: uploaded.asset,
                    flow: uploaded.flow,
                },
            }),
            Err(AssetsError::Interrupted(_)) => Err(SinkError::Interrupted),
            Err(error) => Err(error.into()),
        }
    }
}

/// The part of the journal for this file, if the job has a journal.
#[cfg(feature = "journal")]
fn journal(file: &Outgoing) -> UploadJournal {
    let journal = file.journal.clone();
    journal.map_or_else(UploadJournal::default, |journal| {
        UploadJournal::new(std::sync::Arc::new(journal))
    })
}

/// Without the feature `journal` nothing is recorded.
#[cfg(not(feature = "journal"))]
fn journal(_: &Outgoing) -> UploadJournal {
    UploadJournal::default()
}
