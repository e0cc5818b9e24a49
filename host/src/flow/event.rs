//! Events of a job, reported as they happen.

use std::fmt;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

#[cfg(feature = "assets")]
use forebay_assets::{Phase, Retry, UploadEvent, Watch};
use forebay_core::FileInfo;
use futures::Stream;
use serde::Serialize;
use tokio::sync::mpsc;

use super::error::Error;
use super::error_kind::ErrorKind;
use super::report::{Failure, FileReport, Report, StageReport};

/// An event of a job, reported as it happens. It serializes to a JSON object whose field `event` is its [name](Self::name).
///
/// Each `Started` is followed by an `Ended`, unless the job's future is dropped. Each `Delivering` is followed by a
/// `Delivered`, or by a `Failed` that says why not.
#[derive(Debug, Clone, Serialize)]
#[serde(tag = "event", rename_all = "snake_case")]
#[non_exhaustive]
pub enum Event {
    /// No place is free, so the job waits for one. See [`Job::queue_timeout`](crate::Job::queue_timeout).
    Waiting {
        /// The source's name.
        file: String,
    },
    /// The journal records this job as done.
    Known {
        /// What the job did then.
        report: Box<Report>,
    },
    /// The source has changed since the journal recorded it.
    Changed {
        /// The source's name.
        file: String,
    },
    /// The asset that the journal records for this source does not exist any more, so the source is processed anew.
    Gone {
        /// The source's name.
        file: String,
    },
    /// The source was opened and its type was sniffed.
    Opened {
        /// Name, type and, if it is known, size.
        info: FileInfo,
    },
    /// More bytes were read from the source.
    Read {
        /// How many more.
        bytes: u64,
    },
    /// A stage has started on a file.
    Started {
        /// The stage, by its position and its name: `2 image-resize`.
        stage: String,
        /// The plugin's own name.
        plugin: String,
        /// Name of the file that the stage received.
        file: String,
    },
    /// A stage has finished a file, or has failed or was cancelled: then the report has a
    /// [`failure`](StageReport::failure). It has what the stage used in either case.
    Ended {
        /// What the stage did.
        report: Box<StageReport>,
    },
    /// The delivery of a file into the sink starts.
    Delivering {
        /// Identifies this delivery within the job.
        delivery: u64,
        /// The file.
        info: FileInfo,
    },
    /// A delivery has sent more bytes.
    Sent {
        /// Which delivery.
        delivery: u64,
        /// How many more.
        bytes: u64,
    },
    /// An upload has begun its next step.
    #[cfg(feature = "assets")]
    Phase {
        /// Which delivery.
        delivery: u64,
        /// The step.
        phase: Phase,
    },
    /// A part of a delivery failed and is retried.
    #[cfg(feature = "assets")]
    Retry {
        /// Which delivery.
        delivery: u64,
        /// What failed, and when it is tried again.
        retry: Retry,
    },
    /// A delivery is finished. With a journal, its record may not be on disk before the job ends.
    Delivered {
        /// Which delivery.
        delivery: u64,
        /// The file, its stages, and where it is.
        report: Box<FileReport>,
    },
    /// Something failed. The job continues with its other files.
    Failed {
        /// Whose fault it is.
        kind: ErrorKind,
        /// What failed, in parts.
        failure: Box<Failure>,
    },
}

impl Event {
    pub(crate) fn failed(error: &Error) -> Self {
        Self::Failed {
            kind: error.kind(),
            failure: Box::new(Failure::from(error)),
        }
    }

    /// A short name that does not change, for logs and metrics: `started`.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Waiting { .. } => "waiting",
            Self::Known { .. } => "known",
            Self::Changed { .. } => "changed",
            Self::Gone { .. } => "gone",
            Self::Opened { .. } => "opened",
            Self::Read { .. } => "read",
            Self::Started { .. } => "started",
            Self::Ended { .. } => "ended",
            Self::Delivering { .. } => "delivering",
            Self::Sent { .. } => "sent",
            #[cfg(feature = "assets")]
            Self::Phase { .. } => "phase",
            #[cfg(feature = "assets")]
            Self::Retry { .. } => "retry",
            Self::Delivered { .. } => "delivered",
            Self::Failed { .. } => "failed",
        }
    }
}

/// The events of a job as a stream, from [`Job::events`](crate::Job::events). It ends with the job.
#[derive(Debug)]
pub struct Events(mpsc::UnboundedReceiver<Event>);

impl Events {
    /// The next event; `None` once the job has ended.
    pub async fn next(&mut self) -> Option<Event> {
        self.0.recv().await
    }
}

impl Stream for Events {
    type Item = Event;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Event>> {
        self.0.poll_recv(cx)
    }
}

type Callback = Arc<dyn Fn(&Event) + Send + Sync>;

/// Those who are told what happens in a job.
#[derive(Clone, Default)]
pub(crate) struct Observers(Vec<Callback>);

impl Observers {
    pub(crate) fn add(&mut self, observer: impl Fn(&Event) + Send + Sync + 'static) {
        self.0.push(Arc::new(observer));
    }

    /// Adds a stream of events.
    pub(crate) fn stream(&mut self) -> Events {
        let (sender, receiver) = mpsc::unbounded_channel();
        self.add(move |event| {
            // Fails if the stream was dropped. Then nobody wants the events.
            let _ = sender.send(event.clone());
        });
        Events(receiver)
    }

    /// Tells an event, which is made only if somebody listens.
    pub(crate) fn emit(&self, event: impl FnOnce() -> Event) {
        if !self.0.is_empty() {
            self.pass_on(&event());
        }
    }

    /// Tells the event of a job that is a part of this one.
    pub(crate) fn pass_on(&self, event: &Event) {
        self.0.iter().for_each(|observer| observer(event));
    }
}

/// Reports the progress of a delivery to the job's observers.
#[derive(Clone)]
pub struct Progress {
    observers: Observers,
    delivery: u64,
}

impl Progress {
    pub(crate) fn new(observers: Observers, delivery: u64) -> Self {
        Self {
            observers,
            delivery,
        }
    }

    /// The number that identifies this delivery within the job.
    #[cfg(feature = "workflow")]
    pub(crate) fn delivery(&self) -> u64 {
        self.delivery
    }

    /// Reports that this many more bytes were sent.
    pub fn sent(&self, bytes: u64) {
        let delivery = self.delivery;
        self.observers.emit(|| Event::Sent { delivery, bytes });
    }
}

#[cfg(feature = "assets")]
impl Progress {
    /// Reports an upload to the job's observers.
    pub(crate) fn watch(&self) -> Watch {
        let this = self.clone();
        Watch::new(move |event| {
            let delivery = this.delivery;
            match event {
                UploadEvent::Sent(bytes) => this.sent(bytes),
                UploadEvent::Phase(phase) => {
                    this.observers.emit(|| Event::Phase { delivery, phase });
                }
                UploadEvent::Retry(retry) => this.observers.emit(|| Event::Retry {
                    delivery,
                    retry: retry.clone(),
                }),
                _ => {}
            }
        })
    }
}

impl fmt::Debug for Progress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Progress").field(&self.delivery).finish()
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]

    use super::*;

    #[test]
    fn the_json_of_an_event_has_its_name() {
        let missing = std::io::ErrorKind::NotFound.into();
        let error = Error::Source {
            file: "a.jpg".into(),
            reason: missing,
        };
        let events = [
            Event::Read { bytes: 7 },
            Event::failed(&error),
            Event::Known {
                report: Box::new(Report::new("p")),
            },
        ];
        for event in events {
            let json = serde_json::to_value(&event).unwrap();
            assert_eq!(json["event"], event.name(), "{json}");
        }
        let json = serde_json::to_value(Event::failed(&error)).unwrap();
        assert_eq!(
            (&json["kind"], &json["failure"]["step"]),
            (&"caller".into(), &"read".into())
        );
    }
}
