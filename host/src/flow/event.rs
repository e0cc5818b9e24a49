//! What happens in a job, as it happens.

use std::fmt;
use std::sync::Arc;

#[cfg(feature = "assets")]
use forebay_assets::{Phase, Retry, UploadEvent, Watch};
use forebay_core::FileInfo;

use super::error::Error;
use super::report::{FileReport, Report, StageReport};

/// What happens in a job, as it happens.
#[derive(Debug)]
#[non_exhaustive]
pub enum Event<'a> {
    /// The journal knows the job as done: this is what it did then.
    Known(&'a Report),
    /// The source of this name is not what it was when the journal noted it.
    Changed(&'a str),
    /// The source was opened; its type was sniffed.
    Opened(&'a FileInfo),
    /// So many more bytes were read from the source.
    Read(u64),
    /// A stage is done with a file.
    Transformed(&'a StageReport),
    /// A file begins to go into the sink. The number tells this delivery from others of the job.
    Delivering(u64, &'a FileInfo),
    /// So many more bytes of that delivery were sent.
    Sent(u64, u64),
    /// What that delivery is busy with.
    #[cfg(feature = "assets")]
    Phase(u64, Phase),
    /// Something of that delivery failed for now, and is tried again.
    #[cfg(feature = "assets")]
    Retry(u64, &'a Retry),
    /// That delivery is done.
    Delivered(u64, &'a FileReport),
    /// Something failed; the job goes on with its other files.
    Failed(&'a Error),
}

pub(crate) type Observer = Arc<dyn Fn(Event<'_>) + Send + Sync>;

/// Tells a job's observer how far a delivery is.
#[derive(Clone)]
pub struct Progress {
    observer: Observer,
    delivery: u64,
}

impl Progress {
    pub(crate) fn new(observer: Observer, delivery: u64) -> Self {
        Self { observer, delivery }
    }

    /// The number that tells this delivery from others of the job.
    #[cfg(feature = "workflow")]
    pub(crate) fn delivery(&self) -> u64 {
        self.delivery
    }

    /// Says that so many more bytes have been sent.
    pub fn sent(&self, bytes: u64) {
        (self.observer)(Event::Sent(self.delivery, bytes));
    }
}

#[cfg(feature = "assets")]
impl Progress {
    /// Reports an upload to the job's observer.
    pub(crate) fn watch(&self) -> Watch {
        let Self { observer, delivery } = self.clone();
        Watch::new(move |event| match event {
            UploadEvent::Sent(bytes) => observer(Event::Sent(delivery, bytes)),
            UploadEvent::Phase(phase) => observer(Event::Phase(delivery, phase)),
            UploadEvent::Retry(retry) => observer(Event::Retry(delivery, retry)),
            _ => {}
        })
    }
}

impl fmt::Debug for Progress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Progress").field(&self.delivery).finish()
    }
}
