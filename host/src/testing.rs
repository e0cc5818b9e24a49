//! A suite for sinks of your own: what every job relies on.
//!
//! ```
//! use bytes::Bytes;
//! use forebay::testing::{Visible, check_sink};
//! use forebay::{Host, Memory};
//!
//! /// What the sink under test shows to others.
//! struct Store(Memory);
//!
//! #[async_trait::async_trait]
//! impl Visible for Store {
//!     async fn take(&self) -> Vec<Bytes> {
//!         self.0.take().into_iter().map(|(_, bytes)| bytes).collect()
//!     }
//! }
//!
//! # async fn example() -> Result<(), Box<dyn std::error::Error>> {
//! let sink = Memory::new();
//! check_sink(&Host::builder().build()?, sink.clone(), &Store(sink)).await?;
//! # Ok(()) }
//! # tokio::runtime::Runtime::new()?.block_on(example())?;
//! # Ok::<_, Box<dyn std::error::Error>>(())
//! ```

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use bytes::{Bytes, BytesMut};
use sha2::{Digest as _, Sha256};

use crate::{Error, Event, FileReport, Host, Job, JobError, Pipeline, Report, Sink, Source};

/// How long one step may take.
const PATIENCE: Duration = Duration::from_secs(60);

/// Shows what a sink has accepted.
#[async_trait]
pub trait Visible: Send + Sync {
    /// Removes and returns the bytes of all files that anybody can see, in any order. A file may be on its way meanwhile.
    async fn take(&self) -> Vec<Bytes>;

    /// Waits until what was cancelled is cleaned up. Nothing is on its way then.
    async fn settle(&self) {}
}

/// What a sink does wrong.
#[derive(Debug, thiserror::Error)]
#[error("{case}: {problem}")]
#[non_exhaustive]
pub struct Violation {
    /// What was tried.
    pub case: String,
    /// What it came to, and what is right.
    pub problem: String,
}

/// Delivers files to a sink that is empty, and checks that
///
/// - files of any size come through whole, of known and unknown size, several at a time, and are reported as they are,
/// - a file that is still written, that breaks off or is cancelled is never visible, and nothing of it stays,
/// - a file that breaks off is not taken for an error of the sink.
///
/// All files are PDFs by their first bytes, and each has a name of its own.
///
/// # Errors
/// The first thing that is wrong.
pub async fn check_sink(
    host: &Host,
    sink: impl Sink + 'static,
    visible: &dyn Visible,
) -> Result<(), Violation> {
    let suite = Suite {
        host,
        sink: Arc::new(sink),
        visible,
        names: AtomicUsize::new(0),
    };
    let kib = 1 << 10;
    for size in [9, 70 * kib, 256 * kib, 3000 * kib] {
        suite.whole(size, true).await?;
        suite.whole(size, false).await?;
        suite.broken(size).await?;
        suite.cancelled(size).await?;
    }
    suite.several().await
}

struct Suite<'a> {
    host: &'a Host,
    sink: Arc<dyn Sink>,
    visible: &'a dyn Visible,
    /// How many files there were so far. Each has a name of its own.
    names: AtomicUsize,
}

impl Suite<'_> {
    fn job(&self, source: Source) -> Result<Job, Violation> {
        let pipeline = Pipeline::builder("conformance").build();
        let pipeline = pipeline.map_err(|error| violation("a pipeline", error.to_string()))?;
        Ok(self.host.job(&pipeline, source, self.sink.clone()))
    }

    fn name(&self) -> String {
        format!("{}.pdf", self.names.fetch_add(1, Ordering::Relaxed))
    }

    async fn whole(&self, size: usize, known: bool) -> Result<(), Violation> {
        let known_or_not = if known { "known" } else { "unknown" };
        let case = format!("a file of {size} bytes, of {known_or_not} size");
        let bytes = content(size, 0);
        let source = if known {
            Source::bytes(self.name(), bytes.clone())
        } else {
            let pieces: Vec<_> = bytes.chunks(50_000).map(Bytes::copy_from_slice).collect();
            let pieces = pieces.into_iter().map(Ok::<_, std::io::Error>);
            Source::stream(self.name(), futures::stream::iter(pieces))
        };
        let report = in_time(&case, self.job(source)?.run()).await?;
        let report = report.map_err(|error| violation(&case, error.to_string()))?;
        let file = report.files.first();
        let file = file.ok_or_else(|| violation(&case, "is not in the report".into()))?;
        check_report(&case, file, &bytes)?;
        self.shows(&case, vec![bytes]).await
    }

    async fn broken(&self, size: usize) -> Result<(), Violation> {
        let case = format!("a file that breaks off after {size} bytes");
        let ended = self.partial(&case, size, End::Break).await?;
        let errors = ended.err().map(|error| error.errors).unwrap_or_default();
        match errors.as_slice() {
            [Error::Source { .. }] => self.shows(&case, Vec::new()).await,
            others => {
                let right = "the job fails with the error of its source alone";
                Err(violation(&case, format!("{others:?}, but {right}")))
            }
        }
    }

    async fn cancelled(&self, size: usize) -> Result<(), Violation> {
        let case = format!("a file that is cancelled after {size} bytes");
        let ended = self.partial(&case, size, End::Cancel).await?;
        if let Ok(report) = ended {
            let problem = format!("the job succeeds: {:?}", report.files);
            return Err(violation(&case, problem));
        }
        self.shows(&case, Vec::new()).await
    }

    /// A file that has so many bytes and does not become whole. Returns how the job ended.
    async fn partial(
        &self,
        case: &str,
        size: usize,
        end: End,
    ) -> Result<Result<Report, JobError>, Violation> {
        let (mut sender, source) = Source::channel(self.name());
        let (job, mut events) = self.job(source)?.events();
        let job = job.spawn();
        let feed = async {
            for piece in content(size, 1).chunks(50_000) {
                // The sink may have given up. Then the job tells.
                let _ = sender.send(Bytes::copy_from_slice(piece)).await;
            }
        };
        in_time(case, feed).await?;
        // A file is given to the sink when its type is known, which a short one tells only at its end.
        while size > 60_000
            && let Some(event) = in_time(case, events.next()).await?
            && !matches!(event, Event::Delivering { .. })
        {}
        let early = in_time(case, self.visible.take()).await?;
        if !early.is_empty() {
            return Err(violation(case, "is visible before its end".into()));
        }
        let ended = match end {
            End::Break => {
                drop(sender);
                in_time(case, job).await?
            }
            End::Cancel => in_time(case, job.cancel()).await?,
        };
        Ok(ended)
    }

    async fn several(&self) -> Result<(), Violation> {
        let case = "eight files at the same time";
        let contents: Vec<Bytes> = (0..8).map(|at| content(100_000 + at, at as u8)).collect();
        let jobs = contents.iter().map(|bytes| async move {
            let job = self.job(Source::bytes(self.name(), bytes.clone()))?;
            let ended = job.run().await;
            ended.map_err(|error| violation(case, error.to_string()))
        });
        in_time(case, futures::future::try_join_all(jobs)).await??;
        self.shows(case, contents).await
    }

    /// Checks that these files are visible, and no others.
    async fn shows(&self, case: &str, mut expected: Vec<Bytes>) -> Result<(), Violation> {
        in_time(case, self.visible.settle()).await?;
        let mut there = in_time(case, self.visible.take()).await?;
        there.sort();
        expected.sort();
        if there == expected {
            return Ok(());
        }
        let lengths = |files: &[Bytes]| files.iter().map(Bytes::len).collect::<Vec<_>>();
        let (there, right) = (lengths(&there), lengths(&expected));
        let problem = format!("files of {there:?} bytes are visible; right are {right:?}");
        Err(violation(case, problem))
    }
}

/// How a file does not become whole.
enum End {
    Break,
    Cancel,
}

fn check_report(case: &str, file: &FileReport, bytes: &Bytes) -> Result<(), Violation> {
    let (size, digest) = (bytes.len() as u64, hex::encode(Sha256::digest(bytes)));
    if file.size != size {
        let problem = format!("is reported with {} bytes; right are {size}", file.size);
        return Err(violation(case, problem));
    }
    match &file.sha256 {
        Some(sha256) if *sha256 != digest => {
            let problem = format!("is reported with SHA-256 {sha256}; right is {digest}");
            Err(violation(case, problem))
        }
        _ => Ok(()),
    }
}

/// Bytes of a PDF by its first bytes. Files with another `seed` have other bytes.
fn content(size: usize, seed: u8) -> Bytes {
    let mut bytes = BytesMut::from(&b"%PDF-1.7\n"[..]);
    bytes.extend((bytes.len()..size).map(|at| (at / 7) as u8 ^ seed));
    bytes.freeze()
}

fn violation(case: &str, problem: String) -> Violation {
    Violation {
        case: case.to_owned(),
        problem,
    }
}

async fn in_time<T>(case: &str, work: impl Future<Output = T>) -> Result<T, Violation> {
    let done = tokio::time::timeout(PATIENCE, work).await;
    done.map_err(|_| violation(case, format!("nothing came of it within {PATIENCE:?}")))
}
