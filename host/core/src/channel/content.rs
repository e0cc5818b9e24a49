//! The bytes of a file, from wherever they come.

use std::collections::VecDeque;
use std::fmt;
use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex, OnceLock};
use std::task::{Context, Poll};

use bytes::{Bytes, BytesMut};
use futures::Stream;
use sha2::{Digest as _, Sha256};

use super::{End, Interrupted, Receiver, Shared};
use crate::mutex::lock;

/// The bytes of a file, as they arrive.
///
/// As a [`Stream`] it gives pieces until the file is whole; should something upstream fail, it gives one error, and what
/// came before must not be used. Dropping it tells upstream that nobody wants the rest.
#[derive(Debug)]
pub struct Content {
    supply: Supply,
    /// Chunks that were peeked at and not yet returned.
    head: VecDeque<Bytes>,
    ended: bool,
    /// Hashes what is read, if somebody asked for that.
    hash: Option<(Sha256, Fingerprint)>,
}

/// SHA-256 of a content in hex, once all of it was read.
pub type Fingerprint = Arc<OnceLock<String>>;

impl Content {
    pub(super) fn received(receiver: Receiver) -> Self {
        Self::new(Supply::Channel(receiver))
    }

    /// A content that is read when it is asked for, and what tells why it was interrupted.
    pub fn pulled(reader: impl Pull + 'static) -> (Self, Fault) {
        let outcome = Arc::new(Mutex::new(Outcome {
            end: End::Open,
            fault: None,
        }));
        let fault = Fault(outcome.clone());
        let reader: Option<Box<dyn Pull>> = Some(Box::new(reader));
        let content = Self::new(Supply::Read(Reading { reader, outcome }));
        (content, fault)
    }

    fn new(supply: Supply) -> Self {
        Self {
            supply,
            head: VecDeque::new(),
            ended: false,
            hash: None,
        }
    }

    /// The next piece; `None` once the file is whole.
    ///
    /// # Errors
    /// [`Interrupted`] when something upstream failed.
    pub async fn next(&mut self) -> Result<Option<Bytes>, Interrupted> {
        std::future::poll_fn(|cx| self.poll_piece(cx)).await
    }

    /// Polls for the next piece; `None` once the file is whole.
    ///
    /// # Errors
    /// [`Interrupted`] when something upstream failed.
    pub fn poll_piece(&mut self, cx: &mut Context<'_>) -> Poll<Result<Option<Bytes>, Interrupted>> {
        let polled = match self.head.pop_front() {
            Some(piece) => Poll::Ready(Ok(Some(piece))),
            None => self.supply.poll_next(cx),
        };
        match (&polled, &mut self.hash) {
            (Poll::Ready(Ok(Some(piece))), Some((hash, _))) => hash.update(piece),
            (Poll::Ready(Ok(None)), hash) => {
                if let Some((hash, fingerprint)) = hash.take() {
                    let _ = fingerprint.set(hex::encode(hash.finalize()));
                }
            }
            _ => {}
        }
        polled
    }

    /// Hashes what is read from now on.
    pub fn hash(&mut self) -> Fingerprint {
        let fingerprint = Fingerprint::default();
        self.hash = Some((Sha256::new(), fingerprint.clone()));
        fingerprint
    }

    /// Returns the first bytes: at least `least` of them, or all that there are. They are still to be read afterwards.
    ///
    /// # Errors
    /// [`Interrupted`] when something upstream failed.
    pub async fn peek(&mut self, least: usize) -> Result<Bytes, Interrupted> {
        self.read_ahead(least).await?;
        if let Some(first) = self.head.front()
            && (first.len() >= least || self.head.len() == 1)
        {
            return Ok(first.clone());
        }
        let mut joined = BytesMut::with_capacity(least);
        for piece in &self.head {
            joined.extend_from_slice(piece);
            if joined.len() >= least {
                break;
            }
        }
        Ok(joined.freeze())
    }

    /// Reads until there are at least `least` bytes that are still to be read, or all that there are. Returns whether there
    /// are fewer: then nothing comes after them. Nothing is lost when this is dropped before it is done.
    ///
    /// # Errors
    /// [`Interrupted`] when something upstream failed.
    pub async fn read_ahead(&mut self, least: usize) -> Result<bool, Interrupted> {
        let mut held: usize = self.head.iter().map(Bytes::len).sum();
        while held < least {
            match std::future::poll_fn(|cx| self.supply.poll_next(cx)).await? {
                Some(piece) => {
                    held += piece.len();
                    self.head.push_back(piece);
                }
                None => return Ok(true),
            }
        }
        Ok(false)
    }

    /// A handle that tells how the content ended, also after the content was moved away.
    pub fn ending(&self) -> Ending {
        Ending(match &self.supply {
            Supply::Channel(receiver) => Supplier::Channel(receiver.shared()),
            Supply::Read(reading) => Supplier::Read(reading.outcome.clone()),
        })
    }

    /// Reads and discards what is left. When it returns ok, everything upstream has succeeded.
    ///
    /// # Errors
    /// [`Interrupted`] when something upstream failed.
    pub async fn drain(&mut self) -> Result<(), Interrupted> {
        while self.next().await?.is_some() {}
        Ok(())
    }
}

impl Stream for Content {
    type Item = io::Result<Bytes>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        if self.ended {
            return Poll::Ready(None);
        }
        self.poll_piece(cx).map(|piece| match piece {
            Ok(Some(piece)) => Some(Ok(piece)),
            Ok(None) => {
                self.ended = true;
                None
            }
            Err(interrupted) => {
                self.ended = true;
                Some(Err(io::Error::other(interrupted)))
            }
        })
    }
}

/// Where the bytes come from.
#[derive(Debug)]
enum Supply {
    Channel(Receiver),
    Read(Reading),
}

impl Supply {
    fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<Result<Option<Bytes>, Interrupted>> {
        match self {
            Self::Channel(receiver) => receiver.poll_next(cx),
            Self::Read(reading) => reading.poll_next(cx),
        }
    }
}

/// Bytes that are read when somebody asks for them, by the task that asks.
pub trait Pull: Send {
    /// Reads the next piece.
    ///
    /// # Errors
    /// When they cannot be read, or are not what they should be. It is not called again after that, nor after the last piece.
    fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<Pulled>>;
}

/// A piece that was read.
#[derive(Debug, PartialEq, Eq)]
pub struct Pulled {
    /// The bytes. Only the last piece may be empty.
    pub piece: Bytes,
    /// Whether nothing comes after it, and all bytes are what they should be.
    pub last: bool,
}

struct Reading {
    /// None once it has ended.
    reader: Option<Box<dyn Pull>>,
    outcome: Arc<Mutex<Outcome>>,
}

#[derive(Debug)]
struct Outcome {
    end: End,
    fault: Option<io::Error>,
}

impl Reading {
    fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<Result<Option<Bytes>, Interrupted>> {
        let Some(reader) = &mut self.reader else {
            let whole = lock(&self.outcome).end == End::Finished;
            return Poll::Ready(if whole { Ok(None) } else { Err(Interrupted) });
        };
        // Bytes that are always at hand must not keep the task from everything else.
        let proceed = std::task::ready!(tokio::task::coop::poll_proceed(cx));
        let pulled = std::task::ready!(reader.poll_next(cx));
        proceed.made_progress();
        let (end, fault, next) = match pulled {
            Ok(Pulled { piece, last: false }) => return Poll::Ready(Ok(Some(piece))),
            Ok(Pulled { piece, .. }) => {
                let next = (!piece.is_empty()).then_some(piece);
                (End::Finished, None, Ok(next))
            }
            Err(fault) => (End::Interrupted, Some(fault), Err(Interrupted)),
        };
        self.reader = None;
        *lock(&self.outcome) = Outcome { end, fault };
        Poll::Ready(next)
    }
}

impl fmt::Debug for Reading {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Reading")
            .field("outcome", &self.outcome)
            .finish_non_exhaustive()
    }
}

/// Knows why a content that was pulled was interrupted.
#[derive(Debug)]
pub struct Fault(Arc<Mutex<Outcome>>);

impl Fault {
    /// The error of the reader, if it had one. It is told once.
    pub fn take(&self) -> Option<io::Error> {
        lock(&self.0).fault.take()
    }
}

/// How a content ended.
#[derive(Debug)]
pub struct Ending(Supplier);

#[derive(Debug)]
enum Supplier {
    Channel(Arc<Shared>),
    Read(Arc<Mutex<Outcome>>),
}

impl Ending {
    /// Whether there may still be more to come.
    pub fn is_open(&self) -> bool {
        self.end() == End::Open
    }

    /// Whether all has come, and everything upstream has succeeded.
    pub fn is_whole(&self) -> bool {
        self.end() == End::Finished
    }

    fn end(&self) -> End {
        match &self.0 {
            Supplier::Channel(shared) => shared.lock().end,
            Supplier::Read(outcome) => lock(outcome).end,
        }
    }
}
