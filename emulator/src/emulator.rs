//! Starting, watching and stopping an emulator.

use std::fmt;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::PathBuf;
use std::sync::Arc;

use tempfile::TempDir;
use tokio::net::TcpListener;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

use crate::assets::{Assets, StoredAsset};
use crate::auth::Keys;
use crate::batches::Batches;
use crate::bucket::{Bucket, S3};
use crate::config::Config;
use crate::fault::{Fault, Faults};
use crate::idempotency::Answers;
use crate::presign::Signer;
use crate::rate_limit::Pace;
use crate::records::{RecordError, Records};
use crate::request_log::{RequestLog, RequestRecord};
use crate::routes::router;
use crate::server::serve;
use crate::state::App;
use crate::store::Store;

/// The name of the database of records in the folder.
const RECORDS: &str = "records.redb";

/// A running emulator. Dropping it stops it in the background; [`shutdown`](Self::shutdown) also waits for the end.
pub struct Emulator {
    app: Arc<App>,
    addr: SocketAddr,
    /// Dropping it tells the task to end.
    stop: oneshot::Sender<()>,
    task: JoinHandle<()>,
}

/// Why an emulator did not start.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StartError {
    /// The address is taken or not this machine's.
    #[error("listening on {addr}")]
    Listen {
        /// The address asked for.
        addr: SocketAddr,
        /// What the system said.
        source: io::Error,
    },
    /// The folder for the files cannot be made or written to.
    #[error("preparing the folder for stored files")]
    DataDir(#[source] io::Error),
    /// The records of an earlier run cannot be read, or another emulator uses the folder.
    #[error("opening the records of earlier runs")]
    Records(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// The address of the bucket is none.
    #[error("preparing the bucket for direct uploads")]
    S3(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// The HTTP client for `url` file inputs cannot be made.
    #[error("preparing the HTTP client for url inputs")]
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

/// Leaves the key out.
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
    /// The address to listen on; `127.0.0.1:0`, a free port of loopback, unless told.
    pub fn listen(mut self, addr: SocketAddr) -> Self {
        self.listen = addr;
        self
    }

    /// The folder to keep files and records in: made if it is missing, and left behind. The next emulator over it goes on
    /// where this one ended, also if it was killed: assets, pending uploads, batches, idempotency keys and presigned URLs
    /// are as they were. Addresses in answers name the port of the run that gave them, so listen on a fixed one.
    ///
    /// Without it a temporary folder is used, and removed when the emulator ends.
    pub fn data_dir(mut self, dir: impl Into<PathBuf>) -> Self {
        self.data_dir = Some(dir.into());
        self
    }

    /// The only key that is good. Without it any key is, as long as there is one.
    pub fn api_key(mut self, key: impl Into<String>) -> Self {
        self.api_key = Some(key.into());
        self
    }

    /// The largest direct upload in bytes; short for [`Config::max_bytes`].
    pub fn max_bytes(mut self, bytes: u64) -> Self {
        self.config.max_bytes = bytes;
        self
    }

    /// Limits, times and open answers.
    pub fn config(mut self, config: Config) -> Self {
        self.config = config;
        self
    }

    /// A fault to start with; several act in the order in which they are given. See [`Emulator::inject`].
    pub fn fault(mut self, fault: Fault) -> Self {
        self.faults.push(fault);
        self
    }

    /// A bucket of an S3-compatible store that direct uploads go to, by URLs presigned for it. `complete` reads the object
    /// and checks it, `url` passes it on, and deleting the asset removes it. [Faults](Fault) of [`Put`](crate::Route::Put)
    /// do not act there.
    pub fn s3(mut self, s3: S3) -> Self {
        self.s3 = Some(s3);
        self
    }

    /// Starts the emulator on the current tokio runtime. When it returns, the socket accepts connections.
    ///
    /// # Errors
    ///
    /// When the address or the folder cannot be had.
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
        let store = Store::open(&root).map_err(StartError::DataDir)?;
        let records = match temporary {
            Some(_) => Ok(Records::none()),
            None => Records::open(&root.join(RECORDS)),
        };
        let unreadable = |error: RecordError| StartError::Records(error.into());
        let records = Arc::new(records.map_err(unreadable)?);
        let assets = Assets::load(records.clone(), &store).map_err(unreadable)?;
        let batches = Batches::load(records.clone()).map_err(unreadable)?;
        let answers = Answers::load(records.clone()).map_err(unreadable)?;
        let signer = Signer::load(&records).map_err(unreadable)?;
        let bucket = self.s3.map(Bucket::new).transpose();
        let bucket = bucket.map_err(|error| StartError::S3(error.into()))?;
        let failed = |source| StartError::Listen {
            addr: self.listen,
            source,
        };
        let listener = TcpListener::bind(self.listen).await.map_err(failed)?;
        let addr = listener.local_addr().map_err(failed)?;
        let downloads = crate::client()
            .map_err(|error| StartError::Client(error.into()))?
            .redirect(reqwest::redirect::Policy::none())
            .timeout(self.config.download_timeout)
            .build()
            .map_err(|error| StartError::Client(error.into()))?;

        let faults = Faults::default();
        for fault in self.faults {
            faults.inject(fault);
        }
        let app = Arc::new(App {
            config: self.config,
            base_url: format!("http://{}", reachable(addr)),
            keys: self.api_key.as_deref().map_or(Keys::Any, Keys::one),
            store,
            bucket,
            assets,
            batches,
            signer,
            answers,
            faults,
            pace: Pace::default(),
            log: RequestLog::default(),
            downloads,
        });
        let (stop, stopped) = oneshot::channel();
        let task = tokio::spawn(run(app.clone(), listener, stopped, temporary));
        tracing::info!(%addr, "listening");
        Ok(Emulator {
            app,
            addr,
            stop,
            task,
        })
    }
}

impl Emulator {
    /// The options to start from.
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

    /// What a client takes for `https://api.heygen.com`: `http://ADDR`, without a slash at its end.
    pub fn base_url(&self) -> &str {
        &self.app.base_url
    }

    /// The address it listens on.
    pub fn addr(&self) -> SocketAddr {
        self.addr
    }

    /// Every asset, pending ones too, oldest first.
    pub fn assets(&self) -> Vec<StoredAsset> {
        self.app.assets.snapshot(&self.app.store)
    }

    /// The latest 10 000 requests, oldest first.
    pub fn requests(&self) -> Vec<RequestRecord> {
        self.app.log.snapshot()
    }

    /// How many requests came since the start.
    pub fn request_count(&self) -> u64 {
        self.app.log.seen()
    }

    /// Makes something go wrong from now on, after the faults that still wait for the same requests. The same is had
    /// by `POST` to `/_emulator/faults`.
    pub fn inject(&self, fault: Fault) {
        self.app.faults.inject(fault);
    }

    /// Takes back the faults still to come. Those that act now go on.
    pub fn clear_faults(&self) {
        self.app.faults.clear();
    }

    /// The faults still to come, with what is left of their `skip` and `times`.
    pub fn faults(&self) -> Vec<Fault> {
        self.app.faults.snapshot()
    }

    /// Stops the emulator. Requests that are not answered yet are cut off; when this returns, the socket is closed, no
    /// temporary file is left, and a temporary folder is gone.
    pub async fn shutdown(self) {
        drop(self.stop);
        if let Err(error) = self.task.await {
            tracing::error!(%error, "the emulator ended badly");
        }
    }
}

/// Serves, then clears up. The folder is last, when no connection and no writer uses it any more.
async fn run(
    app: Arc<App>,
    listener: TcpListener,
    stopped: oneshot::Receiver<()>,
    temporary: Option<TempDir>,
) {
    serve(listener, router(app.clone()), stopped).await;
    app.store.settle().await;
    if let Some(dir) = temporary
        && let Err(error) = dir.close()
    {
        tracing::warn!(%error, "removing the temporary folder");
    }
}

/// An address to connect to: "any address" is for listening only.
fn reachable(addr: SocketAddr) -> SocketAddr {
    let ip = match addr.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(ip) if ip.is_unspecified() => Ipv6Addr::LOCALHOST.into(),
        ip => ip,
    };
    SocketAddr::new(ip, addr.port())
}
