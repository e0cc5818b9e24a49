//! Starts, inspects and stops an emulator.

use std::fmt;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::sync::Arc;

use tempfile::TempDir;
use tokio::net::TcpListener;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

use crate::base::base_url::BaseUrl;
use crate::base::config::Config;
use crate::http::api_key::ApiKeys;
use crate::http::fault::{Fault, Faults};
use crate::http::rate_limit::RateLimiter;
use crate::http::request_log::{RequestLog, RequestRecord};
use crate::http::server::serve;
use crate::routes::router;
use crate::service::assets::{Assets, StoredAsset};
use crate::service::batches::Batches;
use crate::service::direct_uploads::DirectUploads;
use crate::service::file_inputs::FileInputs;
use crate::service::idempotency::IdempotentResponses;
use crate::state::AppState;
use crate::storage::bucket::{Bucket, S3};
use crate::storage::files::FileStore;
use crate::storage::presign::Signer;
use crate::storage::records::{RecordError, Records};

/// The file name of the database of records in the folder.
const RECORDS: &str = "records.redb";

/// A running emulator. Dropping it stops it in the background; [`shutdown`](Self::shutdown) also waits until it has
/// stopped.
pub struct Emulator {
    state: AppState,
    addr: SocketAddr,
    /// Dropping this stops the task.
    stop: oneshot::Sender<()>,
    task: JoinHandle<()>,
}

/// Why an emulator did not start.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StartError {
    /// The address is in use, or it is not an address of this machine.
    #[error("cannot listen on {addr}")]
    Listen {
        /// The requested address.
        addr: SocketAddr,
        /// The error of the operating system.
        source: io::Error,
    },
    /// The folder for the files cannot be created or written to.
    #[error("cannot prepare the folder for stored files")]
    DataDir(#[source] io::Error),
    /// The records of an earlier run cannot be read, or another emulator uses the folder.
    #[error("cannot open the records of earlier runs")]
    Records(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// The address of the bucket is not valid.
    #[error("cannot use the bucket for direct uploads")]
    S3(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// The HTTP client for `url` file inputs cannot be created.
    #[error("cannot create the HTTP client for url inputs")]
    Client(#[source] Box<dyn std::error::Error + Send + Sync>),
}

/// The options of an [`Emulator`].
#[derive(Clone)]
pub struct Builder {
    listen: SocketAddr,
    data_dir: Option<PathBuf>,
    api_key: Option<String>,
    config: Config,
    faults: Vec<Fault>,
    s3: Option<S3>,
}

/// Omits the key.
impl fmt::Debug for Builder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Builder")
            .field("listen", &self.listen)
            .field("data_dir", &self.data_dir)
            .field("config", &self.config)
            .field("faults", &self.faults)
            .field("s3", &self.s3)
            .finish_non_exhaustive()
    }
}

impl Builder {
    /// The address to listen on. The default is `127.0.0.1:0`, a free port on loopback.
    pub fn listen(mut self, addr: SocketAddr) -> Self {
        self.listen = addr;
        self
    }

    /// The folder for files and records. It is created if it is missing, and it is not removed. The next emulator with
    /// the same folder restores assets, pending uploads, batches, idempotency keys and presigned URLs, also if this one
    /// was killed. URLs in answers contain the port, so listen on a fixed port if clients use them after a restart.
    ///
    /// The default is a temporary folder, which is removed when the emulator stops.
    pub fn data_dir(mut self, dir: impl Into<PathBuf>) -> Self {
        self.data_dir = Some(dir.into());
        self
    }

    /// The only key that is accepted. By default, every key that is not empty is accepted.
    pub fn api_key(mut self, key: impl Into<String>) -> Self {
        self.api_key = Some(key.into());
        self
    }

    /// The largest direct upload in bytes. Sets [`Config::max_bytes`].
    pub fn max_bytes(mut self, bytes: u64) -> Self {
        self.config.max_bytes = bytes;
        self
    }

    /// Limits, times, and the answers that the service does not document.
    pub fn config(mut self, config: Config) -> Self {
        self.config = config;
        self
    }

    /// A fault that is injected at the start. Several faults act in the order of the calls. See [`Emulator::inject`].
    pub fn fault(mut self, fault: Fault) -> Self {
        self.faults.push(fault);
        self
    }

    /// A bucket of an S3-compatible store. Clients send direct uploads to it by presigned URLs. `complete` reads the
    /// object and checks it, the asset's `url` returns its bytes, and deleting the asset deletes it. [Faults](Fault) of
    /// [`Put`](crate::Route::Put) do not hit these uploads, because they do not pass through the emulator.
    pub fn s3(mut self, s3: S3) -> Self {
        self.s3 = Some(s3);
        self
    }

    /// Starts the emulator on the current tokio runtime. When it returns, the socket accepts connections.
    ///
    /// # Errors
    ///
    /// If the address cannot be listened on, the folder or its records cannot be used, or the bucket's address is not
    /// valid.
    pub async fn start(self) -> Result<Emulator, StartError> {
        let (root, temporary) = match self.data_dir {
            Some(dir) => (dir, None),
            None => {
                let dir = tempfile::Builder::new()
                    .prefix("forebay-emulator-")
                    .tempdir()
                    .map_err(StartError::DataDir)?;
                (dir.path().to_owned(), Some(dir))
            }
        };
        let files = Arc::new(FileStore::open(&root).map_err(StartError::DataDir)?);
        let records = match temporary {
            Some(_) => Ok(Records::none()),
            None => Records::open(&root.join(RECORDS)),
        };
        let unreadable = |error: RecordError| StartError::Records(error.into());
        let records = Arc::new(records.map_err(unreadable)?);
        let config = Arc::new(self.config);
        let assets = Assets::load(config.clone(), files.clone(), records.clone());
        let assets = Arc::new(assets.map_err(unreadable)?);
        let signer = Arc::new(Signer::load(&records).map_err(unreadable)?);
        let responses = IdempotentResponses::load(config.clone(), records.clone());
        let responses = Arc::new(responses.map_err(unreadable)?);
        let bucket = self.s3.map(Bucket::new).transpose();
        let bucket = bucket.map_err(|error| StartError::S3(error.into()))?;
        let bucket = bucket.map(Arc::new);

        let failed = |source| StartError::Listen {
            addr: self.listen,
            source,
        };
        let listener = TcpListener::bind(self.listen).await.map_err(failed)?;
        let addr = listener.local_addr().map_err(failed)?;
        let base_url = BaseUrl::of_listener(addr);

        let direct_uploads = Arc::new(DirectUploads {
            config: config.clone(),
            base_url: base_url.clone(),
            files: files.clone(),
            bucket: bucket.clone(),
            signer: signer.clone(),
            assets: assets.clone(),
        });
        let batches = Batches::load(
            config.clone(),
            assets.clone(),
            direct_uploads.clone(),
            records,
        );
        let batches = Arc::new(batches.map_err(unreadable)?);
        let file_inputs = FileInputs::new(config.clone(), assets.clone());
        let file_inputs = file_inputs.map_err(StartError::Client)?;
        let faults = Faults::default();
        for fault in self.faults {
            faults.inject(fault);
        }
        let state = AppState {
            rate_limiter: Arc::new(RateLimiter::new(config.rate_limit)),
            config,
            base_url,
            files,
            bucket,
            signer,
            assets,
            direct_uploads,
            batches,
            file_inputs: Arc::new(file_inputs),
            responses,
            api_keys: Arc::new(ApiKeys::new(self.api_key.as_deref())),
            request_log: Arc::new(RequestLog::default()),
            faults: Arc::new(faults),
        };
        let (stop, stopped) = oneshot::channel();
        let task = tokio::spawn(run(state.clone(), listener, stopped, temporary));
        tracing::info!(%addr, "listening");
        Ok(Emulator {
            state,
            addr,
            stop,
            task,
        })
    }
}

impl Emulator {
    /// The options, with their defaults.
    pub fn builder() -> Builder {
        Builder {
            listen: SocketAddr::from((Ipv4Addr::LOCALHOST, 0)),
            data_dir: None,
            api_key: None,
            config: Config::default(),
            faults: Vec::new(),
            s3: None,
        }
    }

    /// The base URL for clients, in place of `https://api.heygen.com`: `http://ADDR`, without a slash at its end.
    pub fn base_url(&self) -> &str {
        self.state.base_url.as_str()
    }

    /// The address that it listens on.
    pub fn addr(&self) -> SocketAddr {
        self.addr
    }

    /// Every asset, including pending ones, oldest first.
    pub fn assets(&self) -> Vec<StoredAsset> {
        self.state.assets.snapshot()
    }

    /// The latest 10 000 requests, oldest first.
    pub fn requests(&self) -> Vec<RequestRecord> {
        self.state.request_log.snapshot()
    }

    /// The number of requests since the start.
    pub fn request_count(&self) -> u64 {
        self.state.request_log.seen()
    }

    /// Injects a fault. It acts after the faults that were injected earlier and match the same requests. Over HTTP,
    /// `POST` to `/_emulator/faults` does the same.
    pub fn inject(&self, fault: Fault) {
        self.state.faults.inject(fault);
    }

    /// Removes the faults that have not acted yet. A fault that is acting continues.
    pub fn clear_faults(&self) {
        self.state.faults.clear();
    }

    /// The faults that have not acted yet, with the rest of their `skip` and `times`.
    pub fn faults(&self) -> Vec<Fault> {
        self.state.faults.snapshot()
    }

    /// Stops the emulator. Connections with unanswered requests are closed. When this returns, the socket is closed, no
    /// temporary file is left, and a temporary folder is removed.
    pub async fn shutdown(self) {
        drop(self.stop);
        if let Err(error) = self.task.await {
            tracing::error!(%error, "the server task panicked");
        }
    }
}

/// Serves requests until it is stopped, then removes a temporary folder, once no connection and no writer uses it.
async fn run(
    state: AppState,
    listener: TcpListener,
    stopped: oneshot::Receiver<()>,
    temporary: Option<TempDir>,
) {
    serve(listener, router(state.clone()), stopped).await;
    state.files.finish().await;
    if let Some(dir) = temporary
        && let Err(error) = dir.close()
    {
        tracing::warn!(%error, "removing the temporary folder");
    }
}
