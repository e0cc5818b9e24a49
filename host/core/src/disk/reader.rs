//! A file that is read chunk by chunk, by the task that needs the bytes.
//!
//! Bytes that the system has in memory are read at once. Only bytes that must come from a disk are read on a blocking
//! thread.

use std::fs::File;
use std::io::{self, Read as _};
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use tokio::task::JoinHandle;

use super::Length;
use crate::buffers::Pool;
use crate::channel::{Pull, Pulled};
use crate::stamp::{SourceChanged, Stamp};

/// Reads a file from its current position to its end.
///
/// The last chunk is returned only if the file has as many bytes as expected, and was not changed.
pub struct FileReader(State);

enum State {
    Idle(Cursor),
    /// On a blocking thread, which returns the cursor.
    Reading(JoinHandle<(Cursor, io::Result<Pulled>)>),
    Ended,
}

impl FileReader {
    /// Reads at most `chunk` bytes at a time. With `expected`, the file must have this many bytes.
    ///
    /// `since` is an earlier stamp of the file. The bytes must not have changed since then. Without it, they must not
    /// change after the first read has begun.
    pub fn new(file: File, since: Option<Stamp>, expected: Option<u64>, chunk: usize) -> Self {
        Self(State::Idle(Cursor {
            file,
            since: since.map(Some),
            length: Length::new(expected),
            chunk,
            pool: Pool::default(),
            may_ask: true,
        }))
    }
}

impl Pull for FileReader {
    /// # Errors
    /// When the file cannot be read, has another length than expected, or was changed in the meantime
    /// ([`SourceChanged`](crate::stamp::SourceChanged)).
    fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<Pulled>> {
        let (cursor, read) = match std::mem::replace(&mut self.0, State::Ended) {
            State::Idle(mut cursor) => match cursor.read_if_at_hand() {
                Some(read) => (cursor, read),
                None => {
                    let reading = tokio::task::spawn_blocking(move || {
                        let read = cursor.read();
                        (cursor, read)
                    });
                    self.0 = State::Reading(reading);
                    return self.poll_next(cx);
                }
            },
            State::Reading(mut reading) => {
                let Poll::Ready(done) = Pin::new(&mut reading).poll(cx) else {
                    self.0 = State::Reading(reading);
                    return Poll::Pending;
                };
                done.map_err(io::Error::other)?
            }
            State::Ended => {
                let nothing = Pulled {
                    piece: Bytes::new(),
                    last: true,
                };
                return Poll::Ready(Ok(nothing));
            }
        };
        if matches!(&read, Ok(Pulled { last: false, .. })) {
            self.0 = State::Idle(cursor);
        }
        Poll::Ready(read)
    }
}

/// An open file, and what is known about it.
struct Cursor {
    file: File,
    /// `None` until the first read.
    since: Option<Option<Stamp>>,
    length: Length,
    chunk: usize,
    pool: Pool,
    /// Whether the system supports reads that return only what is in memory.
    may_ask: bool,
}

impl Cursor {
    /// The next chunk, if the system has it in memory.
    fn read_if_at_hand(&mut self) -> Option<io::Result<Pulled>> {
        if !self.may_ask {
            return None;
        }
        match self.read_by(at_hand::read) {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => None,
            Err(error) if error.kind() == io::ErrorKind::Unsupported => {
                self.may_ask = false;
                None
            }
            read => Some(read),
        }
    }

    /// The next chunk. Waits for the disk.
    fn read(&mut self) -> io::Result<Pulled> {
        self.read_by(|mut file, buffer| file.read(buffer))
    }

    fn read_by(
        &mut self,
        read: impl Fn(&File, &mut [u8]) -> io::Result<usize>,
    ) -> io::Result<Pulled> {
        if self.since.is_none() {
            self.since = Some(Stamp::of(&self.file.metadata()?));
        }
        let mut buffer = self.pool.take(self.length.next(self.chunk));
        let count = uninterrupted(|| read(&self.file, &mut buffer))?;
        self.length.add(count)?;
        // The last chunk is marked as the last, which saves another read.
        let last = count == 0 || self.length.is_reached() && self.is_at_end(&read)?;
        if last {
            self.length.end()?;
            if let Some(Some(since)) = &self.since {
                // A pipe or a device that replaced the file has no stamp.
                let now = Stamp::of(&self.file.metadata()?);
                now.ok_or_else(|| SourceChanged.into_io())?
                    .check_since(since)?;
            }
        }
        Ok(Pulled {
            piece: self.pool.lend(buffer, count),
            last,
        })
    }

    /// Whether the file ends here. Also false if this needs the disk. The next read then finds the end.
    fn is_at_end(
        &mut self,
        read: &impl Fn(&File, &mut [u8]) -> io::Result<usize>,
    ) -> io::Result<bool> {
        match uninterrupted(|| read(&self.file, &mut [0])) {
            Ok(0) => Ok(true),
            Ok(more) => self.length.add(more).map(|()| false),
            // The chunk before this was already read. Returning these errors would read a chunk once more.
            Err(error)
                if matches!(
                    error.kind(),
                    io::ErrorKind::WouldBlock | io::ErrorKind::Unsupported
                ) =>
            {
                Ok(false)
            }
            Err(error) => Err(error),
        }
    }
}

fn uninterrupted(mut read: impl FnMut() -> io::Result<usize>) -> io::Result<usize> {
    loop {
        match read() {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            read => return read,
        }
    }
}

/// Linux can read what it has in memory, and returns an error if it would have to wait.
#[cfg(all(target_os = "linux", not(target_env = "ohos")))]
mod at_hand {
    use std::fs::File;
    use std::io::{self, IoSliceMut};

    use rustix::io::{Errno, ReadWriteFlags, preadv2};

    /// # Errors
    /// `WouldBlock` if it would have to wait. `Unsupported` if it cannot be known for this file.
    pub(super) fn read(file: &File, buffer: &mut [u8]) -> io::Result<usize> {
        // Stands for the current position of the file.
        let place = u64::MAX;
        let mut buffers = [IoSliceMut::new(buffer)];
        preadv2(file, &mut buffers, place, ReadWriteFlags::NOWAIT).map_err(|error| match error {
            // Old kernels, file systems without support, and sandboxes that forbid the call.
            Errno::OPNOTSUPP | Errno::NOSYS | Errno::INVAL | Errno::PERM | Errno::SPIPE => {
                io::ErrorKind::Unsupported.into()
            }
            error => error.into(),
        })
    }
}

/// Other systems do not report what they have in memory.
#[cfg(not(all(target_os = "linux", not(target_env = "ohos"))))]
mod at_hand {
    use std::fs::File;
    use std::io;

    pub(super) fn read(_: &File, _: &mut [u8]) -> io::Result<usize> {
        Err(io::ErrorKind::Unsupported.into())
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use std::io::Write as _;

    use super::*;
    use crate::channel::{Content, Interrupted};

    async fn read(reader: FileReader) -> (Vec<usize>, Vec<u8>, Result<(), String>) {
        let (mut content, fault) = Content::pulled(reader);
        let (mut lengths, mut all) = (Vec::new(), Vec::new());
        loop {
            match content.next().await {
                Ok(Some(piece)) => {
                    lengths.push(piece.len());
                    all.extend_from_slice(&piece);
                }
                Ok(None) => {
                    assert!(content.ending().is_whole());
                    return (lengths, all, Ok(()));
                }
                Err(Interrupted) => {
                    assert!(!content.ending().is_whole());
                    return (lengths, all, Err(fault.take().unwrap().to_string()));
                }
            }
        }
    }

    fn file(bytes: &[u8]) -> (tempfile::NamedTempFile, File) {
        let mut file = tempfile::NamedTempFile::new().unwrap();
        file.write_all(bytes).unwrap();
        let opened = File::open(file.path()).unwrap();
        (file, opened)
    }

    #[tokio::test]
    async fn a_file_comes_in_chunks_by_whichever_way_it_is_read() {
        let bytes: Vec<u8> = (0..2_500_u32).map(|n| n as u8).collect();
        let (_file, opened) = file(&bytes);
        for may_ask in [true, false] {
            for expected in [None, Some(2_500)] {
                let opened = opened.try_clone().unwrap();
                io::Seek::rewind(&mut &opened).unwrap();
                let reader = FileReader::new(opened, None, expected, 1_000);
                let reader = match reader.0 {
                    State::Idle(cursor) => FileReader(State::Idle(Cursor { may_ask, ..cursor })),
                    _ => unreachable!(),
                };
                let (lengths, all, ended) = read(reader).await;
                assert_eq!((lengths, ended), (vec![1_000, 1_000, 500], Ok(())));
                assert!(all == bytes);
            }
        }
    }

    #[tokio::test]
    async fn a_file_of_expected_length_is_whole_with_its_last_piece() {
        let (_file, opened) = file(b"abcdef");
        let (mut content, _fault) = Content::pulled(FileReader::new(opened, None, Some(6), 3));
        assert_eq!(&content.next().await.unwrap().unwrap()[..], b"abc");
        assert!(content.ending().is_open());
        assert_eq!(&content.next().await.unwrap().unwrap()[..], b"def");
        assert!(content.ending().is_whole());
        assert_eq!(content.next().await, Ok(None));
        assert_eq!(content.next().await, Ok(None));
    }

    #[tokio::test]
    async fn a_file_of_another_length_is_not_whole() {
        for (expected, problem) in [
            (Some(5), "more than the 5 bytes"),
            (Some(7), "has 6 bytes where 7"),
            (Some(0), "more than the 0 bytes"),
        ] {
            let (_file, opened) = file(b"abcdef");
            let (_, _, ended) = read(FileReader::new(opened, None, expected, 3)).await;
            let error = ended.unwrap_err();
            assert!(error.contains(problem), "{error}");
        }
        let (_file, opened) = file(b"");
        let (lengths, _, ended) = read(FileReader::new(opened, None, Some(0), 3)).await;
        assert_eq!((lengths, ended), (vec![], Ok(())));
    }

    #[tokio::test]
    async fn a_file_that_is_changed_meanwhile_is_not_whole() {
        let (mut kept, opened) = file(b"abcdef");
        let since = Stamp::of(&opened.metadata().unwrap());
        kept.as_file_mut()
            .set_modified(std::time::UNIX_EPOCH)
            .unwrap();
        let (_, _, ended) = read(FileReader::new(opened, since, Some(6), 3)).await;
        let error = ended.unwrap_err();
        assert!(error.contains("was changed"), "{error}");
    }

    #[tokio::test]
    async fn nothing_is_lost_of_a_pipe() {
        let (from, mut to) = io::pipe().unwrap();
        let writing = std::thread::spawn(move || {
            for byte in 0..200_u8 {
                to.write_all(&[byte; 100]).unwrap();
            }
        });
        let from = File::from(std::os::fd::OwnedFd::from(from));
        let (_, all, ended) = read(FileReader::new(from, None, None, 1_000)).await;
        writing.join().unwrap();
        assert_eq!(ended, Ok(()));
        let expected: Vec<u8> = (0..200_u8).flat_map(|byte| [byte; 100]).collect();
        assert!(all == expected);
    }
}
