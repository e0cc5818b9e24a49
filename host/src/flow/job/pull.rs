//! Results that the caller reads, as they are made.
//!
//! Promise: a result that was read to its last byte is whole. Its last piece is handed out only after every stage that made it
//! has succeeded. With [`Job::single`](crate::Job::single) it is handed out after the whole job has succeeded.

use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};

use async_trait::async_trait;
use bytes::Bytes;
use forebay_core::FileInfo;
use forebay_core::channel::{Content, Sender, channel};
use forebay_core::mutex::lock;
use futures::Stream;
use tokio::sync::{mpsc, oneshot};
use tokio_util::sync::CancellationToken;

use super::{Job, JobError, JobHandle};
use crate::flow::error::Error;
use crate::flow::event::Event;
use crate::flow::report::Report;
use crate::flow::sink::{Delivered, Outgoing, Sink, SinkError, Spooled};

/// The results of a job go to the caller. See [`Host::pull`](crate::Host::pull).
#[derive(Debug, Default)]
pub struct ToCaller {
    spool: bool,
}

impl Job<ToCaller> {
    /// Writes each result to scratch first, and hands it out once it is whole. The plugins have ended by then, and others
    /// have their places, however slowly the result is read. See [`Spooled`].
    pub fn spool(mut self) -> Self {
        self.sink.spool = true;
        self
    }

    /// Starts the job, and returns its results as they are made. Must be called within a tokio runtime.
    ///
    /// At most as many results are open at a time as [`fan_out`](Self::fan_out) allows, so read each of them to its end. One that
    /// is dropped before fails the job.
    ///
    /// ```
    /// # async fn example() -> Result<(), Box<dyn std::error::Error>> {
    /// use forebay::{Host, Pipeline, Source};
    ///
    /// let host = Host::builder().build()?;
    /// let pipeline = Pipeline::builder("as it is").build()?;
    /// let mut outputs = host.pull(&pipeline, Source::bytes("a.txt", "some words")).outputs();
    /// while let Some(mut file) = outputs.next().await {
    ///     while let Some(piece) = file.content.next().await? {
    ///         println!("{}: {} bytes", file.info.name, piece.len());
    ///     }
    /// }
    /// let report = outputs.finish().await?;
    /// assert_eq!(report.files[0].size, 10);
    /// # Ok(()) }
    /// # tokio::runtime::Runtime::new()?.block_on(example())?;
    /// # Ok::<_, Box<dyn std::error::Error>>(())
    /// ```
    pub fn outputs(self) -> Outputs {
        let (sender, files) = mpsc::unbounded_channel();
        let budget = self.host.budget();
        let sink = Each {
            files: sender,
            budget,
        };
        let job = self.hand_to(sink).spawn();
        Outputs { files, job }
    }

    /// Starts the job, and returns its only result, for pipelines that give one. Returns when the first bytes are there, so
    /// that a job which fails before is an error here and not a result that is cut. A result of a few bytes is there when the
    /// job has succeeded. Must be called within a tokio runtime.
    ///
    /// # Errors
    /// If the job failed, or gave no result. If it gives another result later, the first one is cut.
    pub async fn single(self) -> Result<Single, JobError> {
        let (sender, first) = oneshot::channel();
        let file = self.source.name().to_owned();
        let last = Arc::default();
        let sink = One {
            first: Mutex::new(Some(sender)),
            last: Arc::clone(&last),
            budget: self.host.budget(),
        };
        let observers = self.observers.clone();
        let token = CancellationToken::new();
        let job = self
            .hand_to(sink)
            .cancel_on(token.clone().cancelled_owned());
        let job = JobHandle::new(run_and_release(job, last), token);
        // The sender is dropped when the job has ended without a result.
        if let Ok(Output {
            info, mut content, ..
        }) = first.await
            && content.peek(1).await.is_ok()
        {
            return Ok(Single { info, content, job });
        }
        let report = job.await?;
        let reason = SinkError::NotSingle("none");
        let error = Error::Sink { file, reason };
        observers.emit(|| Event::failed(&error));
        Err(JobError::after(report, error))
    }

    fn hand_to(self, sink: impl Sink + 'static) -> Job {
        let sink: Arc<dyn Sink> = if self.sink.spool {
            Arc::new(Spooled::new(sink))
        } else {
            Arc::new(sink)
        };
        self.with_sink(sink)
    }
}

/// A result that the caller reads.
#[derive(Debug)]
#[non_exhaustive]
pub struct Output {
    /// Its name and type. Its size is set if it was known in advance.
    pub info: FileInfo,
    /// Its position among the outputs of each stage; see [`Outgoing::place`](crate::Outgoing::place).
    pub place: Vec<usize>,
    /// Its bytes, also as a stream. They end with an error if a stage fails.
    pub content: Content,
}

/// The results of a job, from [`Job::outputs`](crate::Job::outputs). Dropping this cancels the job.
#[derive(Debug)]
pub struct Outputs {
    files: mpsc::UnboundedReceiver<Output>,
    job: JobHandle,
}

impl Outputs {
    /// The next result; `None` once the job has ended. Results come in the order in which they begin.
    pub async fn next(&mut self) -> Option<Output> {
        self.files.recv().await
    }

    /// Waits for the end of the job, and returns its report. A result that is not taken, or not read to its end, is lost: then
    /// the job fails with [`SinkError::Closed`].
    ///
    /// # Errors
    /// If anything failed. The error contains the report of what succeeded.
    pub async fn finish(self) -> Result<Report, JobError> {
        drop(self.files);
        self.job.await
    }

    /// Cancels the job; see [`JobHandle::cancel`].
    ///
    /// # Errors
    /// [`Error::Cancelled`], with the report of what was done, unless the job had ended before.
    pub async fn cancel(self) -> Result<Report, JobError> {
        self.job.cancel().await
    }
}

impl Stream for Outputs {
    type Item = Output;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Output>> {
        self.files.poll_recv(cx)
    }
}

/// The only result of a job, from [`Job::single`](crate::Job::single). Dropping this before its end cancels the job.
///
/// As a [`Stream`] it gives the bytes, and one error if the job fails; [`finish`](Self::finish) tells why it did. It gives its
/// last bytes only after the job has succeeded, so it may be sent with a `Content-Length`. HTTP servers stop reading a body at
/// its announced length, and do not see whether it ends well: with any other stream a job that fails at its end would look as
/// if it had succeeded, and one that is not asked for its end would be cancelled.
#[derive(Debug)]
#[non_exhaustive]
pub struct Single {
    /// Its name and type. Its size is set if it was known in advance.
    pub info: FileInfo,
    /// Its bytes.
    pub content: Content,
    job: JobHandle,
}

impl Single {
    /// Waits for the end of the job, and returns its report. If the result was not read to its end, the rest is lost, and the
    /// job fails with [`SinkError::Closed`].
    ///
    /// # Errors
    /// If anything failed. The error contains the report of what succeeded.
    pub async fn finish(self) -> Result<Report, JobError> {
        drop(self.content);
        self.job.await
    }
}

impl Stream for Single {
    type Item = io::Result<Bytes>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        Pin::new(&mut self.content).poll_next(cx)
    }
}

/// Runs a job with one result. Releases the last piece of the result if the job has succeeded, and cuts it otherwise.
async fn run_and_release(job: Job, last: Last) -> Result<Report, JobError> {
    let ended = job.run().await;
    let last = lock(&last).take();
    if ended.is_ok()
        && let Some((sender, piece)) = last
    {
        release(sender, piece);
    }
    ended
}

/// Hands out the last piece of a file that is whole.
fn release(mut sender: Sender, last: Option<Bytes>) {
    if let Some(last) = last {
        sender.push(last);
    }
    sender.finish();
}

/// Hands out each file.
struct Each {
    files: mpsc::UnboundedSender<Output>,
    /// How many bytes of a file may wait to be read.
    budget: usize,
}

#[async_trait]
impl Sink for Each {
    async fn put(&self, file: Outgoing) -> Result<Delivered, SinkError> {
        let (sender, output) = open(&file, self.budget);
        self.files.send(output).map_err(|_| SinkError::Closed)?;
        let passed = pass_on(file, sender).await?;
        release(passed.sender, passed.last);
        Ok(delivered(passed.size))
    }
}

/// Hands out the first file, and refuses any other.
struct One {
    first: Mutex<Option<oneshot::Sender<Output>>>,
    last: Last,
    budget: usize,
}

/// The last piece of a file, and the sender that is to send it.
type Last = Arc<Mutex<Option<(Sender, Option<Bytes>)>>>;

#[async_trait]
impl Sink for One {
    async fn put(&self, file: Outgoing) -> Result<Delivered, SinkError> {
        let first = lock(&self.first).take();
        let first = first.ok_or(SinkError::NotSingle("several"))?;
        let (sender, output) = open(&file, self.budget);
        first.send(output).map_err(|_| SinkError::Closed)?;
        let passed = pass_on(file, sender).await?;
        *lock(&self.last) = Some((passed.sender, passed.last));
        Ok(delivered(passed.size))
    }
}

/// Begins to hand out a file.
fn open(file: &Outgoing, budget: usize) -> (Sender, Output) {
    let (sender, content) = channel(budget);
    let output = Output {
        info: file.info.clone(),
        place: file.place.clone(),
        content,
    };
    (sender, output)
}

/// A file that was passed on but for its last piece.
struct Passed {
    sender: Sender,
    last: Option<Bytes>,
    size: u64,
}

/// Passes on all of a file but its last piece. The file is whole when this returns.
async fn pass_on(mut file: Outgoing, mut sender: Sender) -> Result<Passed, SinkError> {
    let (mut last, mut size): (Option<Bytes>, u64) = (None, 0);
    while let Some(piece) = file.content.next().await? {
        if piece.is_empty() {
            continue;
        }
        size += piece.len() as u64;
        file.progress.sent(piece.len() as u64);
        if let Some(earlier) = last.replace(piece) {
            let sent = sender.send(earlier).await;
            sent.map_err(|_| SinkError::Closed)?;
        }
    }
    Ok(Passed { sender, last, size })
}

fn delivered(size: u64) -> Delivered {
    Delivered::custom(size, "read by the caller".into())
}
