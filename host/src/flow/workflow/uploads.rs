//! `uploads`: the Assets API, as far as it is granted.

use std::sync::Arc;

use futures::future::{Either, select};
use tokio::sync::Mutex;
use wasmtime::component::{Accessor, HasSelf, Resource, StreamReader};

use super::bindings::forebay::plugin::uploads::{self, Asset, ServiceError, UploadError};
use super::files::{Handle, WholeFile};
use super::job_file::JobFile;
use super::session::{MadeFile, Session, Spending, Unspendable};
use crate::flow::event::Progress;
use crate::sandbox::bindings;
use crate::sandbox::limits::Exceeded;
use crate::sandbox::run::pipe::Drain;
use crate::sandbox::state::StageState;
use forebay_assets::journal::UploadJournal;
use forebay_assets::{
    Asset as ServiceAsset, AssetsError, DeleteOnDrop, DirectUpload, Flow, MULTIPART_MAX, NewUpload,
    Uploaded,
};
use forebay_core::FileInfo;
use forebay_core::channel::{Content, channel_within};
use forebay_core::media;

/// A workflow's handle for a direct upload.
#[allow(unreachable_pub, reason = "the bindings re-export it")]
pub struct Upload(Arc<Reserved>);

/// A direct upload. If it is dropped before it is complete, the reservation is deleted.
struct Reserved {
    direct: DirectUpload,
    info: FileInfo,
    phase: Mutex<Phase>,
}

/// The progress of a direct upload. One call at a time changes it.
struct Phase {
    spending: Option<Spending>,
    put: Option<Put>,
    completed: Option<ServiceAsset>,
    /// Whether bytes were sent, and whether the service was asked to complete it. Doing so again counts as a creation.
    was_sent: bool,
    was_asked: bool,
}

/// Why a call of the workflow did not succeed.
enum Refused {
    /// The workflow is told.
    Told(UploadError),
    /// The workflow ends.
    Ended(Exceeded),
}

impl From<UploadError> for Refused {
    fn from(error: UploadError) -> Self {
        Self::Told(error)
    }
}

impl From<Unspendable> for Refused {
    fn from(reason: Unspendable) -> Self {
        match reason {
            Unspendable::Denied(reason) => Self::Told(UploadError::Denied(reason)),
            Unspendable::Limit(limit) => Self::Ended(limit),
        }
    }
}

/// The result of a call as the bindings have it.
fn told<T>(ended: Result<T, Refused>) -> wasmtime::Result<Result<T, UploadError>> {
    match ended {
        Ok(value) => Ok(Ok(value)),
        Err(Refused::Told(error)) => Ok(Err(error)),
        Err(Refused::Ended(limit)) => Err(limit.into()),
    }
}

/// Bytes that the storage has.
struct Put {
    sha256: String,
    file: Option<Arc<JobFile>>,
    progress: Progress,
}

impl uploads::Host for StageState {}

impl uploads::HostWithStore<StageState> for HasSelf<StageState> {
    async fn upload(
        accessor: &Accessor<StageState, Self>,
        file: Resource<Handle>,
    ) -> wasmtime::Result<Result<Asset, UploadError>> {
        let (session, file) = accessor.with(|mut access| {
            let state = access.get();
            Ok::<_, wasmtime::Error>((state.session()?, state.file(&file)?))
        })?;
        told(session.upload(&file).await.map(in_contract))
    }
}

impl uploads::HostDirectUpload for StageState {
    fn asset_id(&mut self, upload: Resource<Upload>) -> wasmtime::Result<String> {
        Ok(self.table.get(&upload)?.0.direct.asset_id().to_owned())
    }

    fn max_bytes(&mut self, upload: Resource<Upload>) -> wasmtime::Result<u64> {
        Ok(self.table.get(&upload)?.0.direct.max_bytes())
    }

    fn expires_in_seconds(&mut self, upload: Resource<Upload>) -> wasmtime::Result<u64> {
        Ok(self.table.get(&upload)?.0.direct.expires_in().as_secs())
    }

    fn drop(&mut self, upload: Resource<Upload>) -> wasmtime::Result<()> {
        self.table.delete(upload)?;
        Ok(())
    }
}

impl uploads::HostDirectUploadWithStore<StageState> for HasSelf<StageState> {
    async fn create(
        accessor: &Accessor<StageState, Self>,
        info: bindings::FileInfo,
        size: u64,
    ) -> wasmtime::Result<Result<Resource<Upload>, UploadError>> {
        let session = session(accessor)?;
        // Calls may wait side by side, and hold name and type while they do.
        let strings = info.name.len() + info.media_type.len();
        let _held = accessor.with(|mut access| access.get().host_memory.hold(strings as u64))?;
        let reserved = match told(session.reserve(info, size).await)? {
            Ok(reserved) => reserved,
            Err(error) => return Ok(Err(error)),
        };
        accessor.with(|mut access| Ok(Ok(access.get().table.push(Upload(Arc::new(reserved)))?)))
    }

    async fn put(
        accessor: &Accessor<StageState, Self>,
        upload: Resource<Upload>,
        content: StreamReader<u8>,
    ) -> wasmtime::Result<Result<(), UploadError>> {
        let (session, reserved) = find(accessor, &upload)?;
        let mut phase = reserved.phase.lock().await;
        // An unread file of the host's own: its bytes need not pass through the guest, and can be re-read.
        let content = match accessor.with(|access| content.try_into::<WholeFile>(access)) {
            Ok(WholeFile(file)) => {
                return told(session.put_file(&reserved, &mut phase, file).await);
            }
            Err(content) => content,
        };
        let (ended, passing) = accessor.with(|mut access| {
            let queues = access.get().queues.clone();
            let (sender, passing) = channel_within(&queues);
            let (drain, ended) = Drain::new(sender, queues.open(), |_| Ok(()));
            content.pipe(access, drain).map(|()| (ended, passing))
        })?;
        let finish = async {
            // If the sender is not returned, the stream stays unfinished: the guest stopped early, or the storage
            // accepted no more.
            if let Ok(Some(sender)) = ended.await {
                sender.finish();
            }
        };
        let put = std::pin::pin!(session.put_stream(&reserved, &mut phase, passing));
        // A put that fails returns at once, whether or not the guest continues to write.
        told(match select(put, std::pin::pin!(finish)).await {
            Either::Left((put, _)) => put,
            Either::Right(((), put)) => put.await,
        })
    }

    async fn complete(
        accessor: &Accessor<StageState, Self>,
        upload: Resource<Upload>,
    ) -> wasmtime::Result<Result<Asset, UploadError>> {
        let (session, reserved) = find(accessor, &upload)?;
        told(session.complete(&reserved).await.map(in_contract))
    }
}

fn session(accessor: &Accessor<StageState, HasSelf<StageState>>) -> wasmtime::Result<Arc<Session>> {
    accessor.with(|mut access| access.get().session())
}

fn find(
    accessor: &Accessor<StageState, HasSelf<StageState>>,
    upload: &Resource<Upload>,
) -> wasmtime::Result<(Arc<Session>, Arc<Reserved>)> {
    accessor.with(|mut access| {
        let state = access.get();
        Ok((state.session()?, state.table.get(upload)?.0.clone()))
    })
}

impl Session {
    /// Uploads a file by the flow that fits its size.
    async fn upload(&self, file: &Arc<JobFile>) -> Result<ServiceAsset, Refused> {
        if !self.grants().upload {
            return Err(denied("upload").into());
        }
        if file.size() > MULTIPART_MAX && !self.grants().direct_upload {
            return Err(UploadError::TooLarge(MULTIPART_MAX).into());
        }
        let spending = self.spend(file.size())?;
        self.send(file.size())?;
        let _place = self.host.places.uploads.acquire().await;
        let progress = self.delivering(file.info());
        let uploaded = self
            .assets
            .send(&file.bytes, &UploadJournal::default(), &progress.watch())
            .await;
        let Uploaded {
            asset,
            flow,
            sha256,
            claim,
        } = match uploaded {
            Ok(uploaded) => uploaded,
            Err(error) => {
                if is_local(&error) {
                    spending.unused(file.size());
                }
                return Err(in_guest_words(error).into());
            }
        };
        spending.keep();
        let made = MadeFile {
            info: file.info(),
            file: Some(file),
            asset: &asset,
            flow,
            sha256,
        };
        self.made(made, &progress, claim);
        Ok(asset)
    }

    async fn reserve(&self, info: bindings::FileInfo, size: u64) -> Result<Reserved, Refused> {
        if !self.grants().direct_upload {
            return Err(denied("direct upload").into());
        }
        let bindings::FileInfo {
            name, media_type, ..
        } = info;
        media::check_name(&name)
            .map_err(|problem| UploadError::Denied(format!("the name {problem}")))?;
        let spending = self.spend(size)?;
        let new = NewUpload {
            name: &name,
            media_type: &media_type,
            size,
            sha256: None,
        };
        let direct = match self.assets.direct_upload(new).await {
            Ok(direct) => direct,
            Err(error) => {
                if is_local(&error) {
                    spending.unused(0);
                }
                return Err(in_guest_words(error).into());
            }
        };
        self.created(direct.asset_id());
        Ok(Reserved {
            direct,
            info: FileInfo {
                name,
                media_type,
                size: Some(size),
            },
            phase: Mutex::new(Phase {
                spending: Some(spending),
                put: None,
                completed: None,
                was_sent: false,
                was_asked: false,
            }),
        })
    }

    async fn put_file(
        &self,
        reserved: &Reserved,
        phase: &mut Phase,
        file: Arc<JobFile>,
    ) -> Result<(), Refused> {
        let _place = self.host.places.uploads.acquire().await;
        let progress = self.begin(reserved, phase, &file.info().media_type)?;
        let watch = progress.watch();
        let put = reserved.direct.put_replayable(&file.bytes, &watch).await;
        phase.put = Some(Put {
            sha256: put.map_err(in_guest_words)?,
            file: Some(file),
            progress,
        });
        Ok(())
    }

    async fn put_stream(
        &self,
        reserved: &Reserved,
        phase: &mut Phase,
        mut content: Content,
    ) -> Result<(), Refused> {
        // A permit from the workflow's own semaphore: if the workflow stops writing, no other workflow waits for it.
        let _place = self.streams.acquire().await;
        // The service would detect a wrong type only at completion; the bytes show it now.
        let head = content.peek(media::SNIFF_LEN).await;
        let head = head.map_err(|interrupted| in_guest_words(interrupted.into()))?;
        let announced = reserved.direct.media_type();
        let media_type = media::settle(media::sniff(&head), announced);
        let progress = self.begin(reserved, phase, media_type)?;
        let watch = progress.watch();
        let put = reserved.direct.put_and_hash(content, &watch).await;
        phase.put = Some(Put {
            sha256: put.map_err(in_guest_words)?,
            file: None,
            progress,
        });
        Ok(())
    }

    /// Checks whether bytes of this type may be sent now. They replace what was sent before.
    fn begin(
        &self,
        reserved: &Reserved,
        phase: &mut Phase,
        media_type: &str,
    ) -> Result<Progress, Refused> {
        if phase.completed.is_some() {
            return Err(UploadError::Denied("the upload is complete already".into()).into());
        }
        if media_type != reserved.direct.media_type() {
            return Err(UploadError::UnsupportedType(format!(
                "{media_type}, where {} was announced",
                reserved.direct.media_type()
            ))
            .into());
        }
        if phase.was_sent {
            self.spend_again()?;
        }
        self.send(reserved.direct.size())?;
        phase.was_sent = true;
        phase.put = None;
        Ok(self.delivering(&reserved.info))
    }

    async fn complete(&self, reserved: &Reserved) -> Result<ServiceAsset, Refused> {
        let phase = &mut *reserved.phase.lock().await;
        if let Some(asset) = &phase.completed {
            return Ok(asset.clone());
        }
        let Some(Put {
            sha256,
            file,
            progress,
        }) = &phase.put
        else {
            return Err(UploadError::NotUploaded.into());
        };
        if phase.was_asked {
            self.spend_again()?;
        }
        phase.was_asked = true;
        let asset = reserved.direct.complete(Some(sha256)).await;
        let asset = asset.map_err(|error| match error {
            AssetsError::Service(service) if service.status == 409 => UploadError::NotUploaded,
            error => in_guest_words(error),
        })?;
        let claim = DeleteOnDrop::new(&self.assets, &asset.asset_id, &UploadJournal::default());
        let made = MadeFile {
            info: &reserved.info,
            file: file.as_deref(),
            asset: &asset,
            flow: Flow::DirectUpload,
            sha256: sha256.clone(),
        };
        self.made(made, progress, claim);
        phase.completed = Some(asset.clone());
        if let Some(spending) = phase.spending.take() {
            spending.keep();
        }
        Ok(asset)
    }
}

/// Whether an upload ended before anything was sent to the service.
fn is_local(error: &AssetsError) -> bool {
    matches!(
        error,
        AssetsError::UnsupportedType(_) | AssetsError::NotTried { .. }
    )
}

fn denied(what: &str) -> UploadError {
    UploadError::Denied(format!("{what} was not granted to this workflow"))
}

fn in_contract(asset: ServiceAsset) -> Asset {
    Asset {
        asset_id: asset.asset_id,
        url: asset.url,
        mime_type: asset.mime_type,
        size_bytes: asset.size_bytes,
    }
}

/// Converts an error to the contract's error. No text of these errors contains a key, a presigned URL or a header.
fn in_guest_words(error: AssetsError) -> UploadError {
    match error {
        AssetsError::TooLarge { most, .. } => UploadError::TooLarge(most),
        AssetsError::UnsupportedType(media_type) => UploadError::UnsupportedType(media_type),
        AssetsError::WrongSize { actual, .. } => UploadError::WrongSize(actual),
        AssetsError::Service(error) => UploadError::Service(ServiceError {
            status: error.status,
            code: error.code.clone(),
            message: error.message.clone(),
            request_id: error.request_id.clone(),
        }),
        AssetsError::Storage(error) => UploadError::Service(ServiceError {
            status: error.status,
            code: error.code.clone().unwrap_or_default(),
            message: format!("the storage did not take the bytes: {error}"),
            request_id: None,
        }),
        error => UploadError::Transport(error.to_string()),
    }
}
