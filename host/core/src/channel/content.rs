//! The bytes of a file, from any source.

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
/// As a [`Stream`] it returns chunks until the file is complete. If something upstream fails, it returns one error. The
/// chunks before that error must not be used. Dropping it signals upstream that the rest will not be read.
#[derive(Debug)]
pub struct Content {
    supply: Supply,
    /// Chunks that were peeked at and not yet returned.
    head: VecDeque<Bytes>,
    ended: bool,
    /// Hashes what is read, once the method `hash` was called.
    hash: Option<(Sha256, Fingerprint)>,
}

/// SHA-256 of a content in hex. Set once all of it was read.
pub type Fingerprint = Arc<OnceLock<String>>;

impl Content {
    pub(super) fn received(receiver: Receiver) -> Self {
        Self::new(Supply::Channel(receiver))
    }

    /// A content whose bytes are read only when they are polled for. The [`Fault`] has the reason if it is interrupted.
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

    /// The next chunk. `None` once the file is complete.
    ///
    /// # Errors
    /// [`Interrupted`] when something upstream failed.
    pub async fn next(&mut self) -> Result<Option<Bytes>, Interrupted> {
        std::future::poll_fn(|cx| self.poll_piece(cx)).await
    }

    /// Polls for the next chunk. `None` once the file is complete.
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

    /// Returns the first bytes: at least `least`, or all if there are fewer. Later reads return them again.
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

    /// Buffers bytes until at least `least` are buffered, or the content ends. Later reads return them. Returns true if
    /// the content ended first: there are then no more bytes. No bytes are lost if this future is dropped early.
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

    /// A handle that reports how the content ended, even after the content was moved.
    pub fn ending(&self) -> Ending {
        Ending(match &self.supply {
            Supply::Channel(receiver) => Supplier::Channel(receiver.shared()),
            Supply::Read(reading) => Supplier::Read(reading.outcome.clone()),
        })
    }

    /// Reads and discards the rest. If it returns ok, everything upstream has succeeded.
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

/// A source whose bytes are read when they are polled for, in the task that polls.
pub trait Pull: Send {
    /// Reads the next chunk.
    ///
    /// # Errors
    /// When the bytes cannot be read, or are not the expected ones. It is not called again after an error or after the
    /// last chunk.
    fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<Pulled>>;
}

/// A chunk that was read.
#[derive(Debug, PartialEq, Eq)]
pub struct Pulled {
    /// The bytes. Only the last chunk may be empty.
    pub piece: Bytes,
    /// Whether this is the last chunk, and all bytes are the expected ones.
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
        // If bytes are always ready, this lets the task yield to others.
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

/// The reason why a content from [`Content::pulled`] was interrupted.
#[derive(Debug)]
pub struct Fault(Arc<Mutex<Outcome>>);

impl Fault {
    /// The error of the reader, if it had one. Only the first call returns it.
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
    /// Whether more bytes may still arrive.
    pub fn is_open(&self) -> bool {
        self.end() == End::Open
    }

    /// Whether all bytes have arrived, and everything upstream has succeeded.
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
