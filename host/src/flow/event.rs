//! Events of a job, reported as they happen.

use std::fmt;
use std::sync::Arc;

#[cfg(feature = "assets")]
use forebay_assets::{Phase, Retry, UploadEvent, Watch};
use forebay_core::FileInfo;

use super::error::Error;
use super::report::{FileReport, Report, StageReport};

/// An event of a job, reported as it happens.
#[derive(Debug)]
#[non_exhaustive]
pub enum Event<'a> {
    /// The journal records this job as done. This is the report of what it did then.
    Known(&'a Report),
    /// The source of this name has changed since the journal recorded it.
    Changed(&'a str),
    /// The asset that the journal records for this source does not exist any more, so the source is processed anew.
    Gone(&'a str),
    /// The source was opened and its type was sniffed.
    Opened(&'a FileInfo),
    /// This many more bytes were read from the source.
    Read(u64),
    /// A stage has finished a file.
    Transformed(&'a StageReport),
    /// The delivery of a file into the sink starts. The number identifies this delivery within the job.
    Delivering(u64, &'a FileInfo),
    /// This delivery (first number) has sent this many more bytes (second number).
    Sent(u64, u64),
    /// What that delivery is doing now.
    #[cfg(feature = "assets")]
    Phase(u64, Phase),
    /// A part of that delivery failed and is retried.
    #[cfg(feature = "assets")]
    Retry(u64, &'a Retry),
    /// That delivery is finished. With a journal, its record may not be on disk before the job ends.
    Delivered(u64, &'a FileReport),
    /// Something failed. The job continues with its other files.
    Failed(&'a Error),
}

pub(crate) type Observer = Arc<dyn Fn(Event<'_>) + Send + Sync>;

/// Reports the progress of a delivery to the job's observer.
#[derive(Clone)]
pub struct Progress {
    observer: Observer,
    delivery: u64,
}

impl Progress {
    pub(crate) fn new(observer: Observer, delivery: u64) -> Self {
        Self { observer, delivery }
    }

    /// The number that identifies this delivery within the job.
    #[cfg(feature = "workflow")]
    pub(crate) fn delivery(&self) -> u64 {
        self.delivery
    }

    /// Reports that this many more bytes were sent.
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
