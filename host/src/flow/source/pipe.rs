//! Pipes and devices as sources.
//!
//! Promise: no thread waits for their bytes, nor for the writer of a pipe. The runtime tells when there are some, so whoever
//! waits can be dropped at any time.

use std::fs::File;
use std::io;

use super::opened::Stream;

/// A pipe or a device, opened by [`disk::open`](forebay_core::disk::open), as what is read. Must be called within
/// a runtime, which waits for the bytes.
#[cfg(unix)]
pub(super) fn stream(file: File) -> io::Result<Stream> {
    use tokio::io::Interest;
    use tokio::io::unix::AsyncFd;

    // Its replacement is unsafe. It asks for a descriptor that stays open and the same, as that of a `File` does.
    #[expect(
        deprecated,
        reason = "sound for a `File`, and the replacement is unsafe"
    )]
    let registered = AsyncFd::try_with_interest(file, Interest::READABLE);
    match registered {
        Ok(file) => Ok(Stream::Reader(Box::new(unix::Waiting(file)))),
        Err(error) => match error.into_parts() {
            // The system cannot tell when such a device has bytes, because it always has, as `/dev/zero`. Reading never
            // waits, since it was opened so.
            (file, error) if error.kind() == io::ErrorKind::PermissionDenied => {
                Ok(Stream::File(file))
            }
            (_, error) => Err(error),
        },
    }
}

/// A pipe or a device as what is read.
#[cfg(not(unix))]
pub(super) fn stream(file: File) -> io::Result<Stream> {
    Ok(Stream::File(file))
}

#[cfg(unix)]
mod unix {
    use std::fs::File;
    use std::io::{self, Read as _};
    use std::pin::Pin;
    use std::task::{Context, Poll, ready};

    use tokio::io::unix::AsyncFd;
    use tokio::io::{AsyncRead, ReadBuf};

    /// A file that is read when the runtime says that it can be. A pipe that has had no writer yet cannot. It ends when its
    /// last writer has closed it.
    pub(super) struct Waiting(pub(super) AsyncFd<File>);

    impl AsyncRead for Waiting {
        fn poll_read(
            self: Pin<&mut Self>,
            cx: &mut Context<'_>,
            buffer: &mut ReadBuf<'_>,
        ) -> Poll<io::Result<()>> {
            loop {
                let mut ready = ready!(self.0.poll_read_ready(cx))?;
                let room = buffer.initialize_unfilled();
                match ready.try_io(|file| file.get_ref().read(room)) {
                    Ok(Ok(count)) => {
                        buffer.advance(count);
                        return Poll::Ready(Ok(()));
                    }
                    Ok(Err(error)) if error.kind() == io::ErrorKind::Interrupted => {}
                    Ok(Err(error)) => return Poll::Ready(Err(error)),
                    // It cannot be read after all.
                    Err(_) => {}
                }
            }
        }
    }
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    #![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

    use std::fs::OpenOptions;
    use std::io::Write as _;
    use std::path::Path;

    use forebay_core::channel::{Content, channel};
    use rustix::fs::{CWD, FileType, Mode, mknodat};

    use crate::flow::source::{Input, Source};

    fn make_pipe(path: &Path) {
        mknodat(CWD, path, FileType::Fifo, Mode::RUSR | Mode::WUSR, 0).unwrap();
    }

    /// Opens a source and begins to read it.
    async fn read(path: &Path) -> Content {
        let opened = Source::path(path).open().await.unwrap();
        let (sender, content) = channel(1 << 20);
        let Input::Stream(stream) = opened.input else {
            panic!("{} is no pipe and no device", path.display());
        };
        tokio::spawn(stream.pump(opened.size, 1 << 16, sender, |_| {}));
        content
    }

    async fn all(content: &mut Content) -> Vec<u8> {
        let mut bytes = Vec::new();
        while let Some(piece) = content.next().await.unwrap() {
            bytes.extend_from_slice(&piece);
        }
        bytes
    }

    /// Runs a test with one thread that may block. A source that waited on it would keep it.
    fn with_one_thread(test: impl Future<Output = ()>) {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .max_blocking_threads(1)
            .build()
            .unwrap();
        let ended = runtime.block_on(async {
            tokio::time::timeout(std::time::Duration::from_secs(60), test).await
        });
        runtime.shutdown_background();
        ended.unwrap();
    }

    #[test]
    fn a_pipe_is_waited_for_without_a_thread() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("pipe");
        make_pipe(&path);
        with_one_thread(async {
            let mut content = read(&path).await;
            // Nobody writes yet.
            assert!(futures::poll!(std::pin::pin!(content.next())).is_pending());
            tokio::task::spawn_blocking(|| ()).await.unwrap();
            let mut writer = OpenOptions::new().write(true).open(&path).unwrap();
            writer.write_all(b"first, ").unwrap();
            assert_eq!(content.next().await.unwrap().unwrap(), "first, ");
            // Somebody could still write.
            assert!(futures::poll!(std::pin::pin!(content.next())).is_pending());
            tokio::task::spawn_blocking(|| ()).await.unwrap();
            writer.write_all(b"second").unwrap();
            drop(writer);
            assert_eq!(all(&mut content).await, b"second");
        });
    }

    #[test]
    fn a_writer_that_came_before_and_one_that_writes_nothing_are_read_to_their_end() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("pipe");
        make_pipe(&path);
        with_one_thread(async {
            // More than a pipe holds at a time.
            let bytes: Vec<u8> = (0..300_000_u32).map(|at| at as u8).collect();
            let (writing, at) = (bytes.clone(), path.clone());
            let writer = std::thread::spawn(move || std::fs::write(at, writing).unwrap());
            assert_eq!(all(&mut read(&path).await).await, bytes);
            writer.join().unwrap();

            let mut content = read(&path).await;
            drop(OpenOptions::new().write(true).open(&path).unwrap());
            assert_eq!(all(&mut content).await, b"");
        });
    }

    #[test]
    fn devices_that_never_wait_are_read() {
        with_one_thread(async {
            assert_eq!(all(&mut read(Path::new("/dev/null")).await).await, b"");
            let zeros = read(Path::new("/dev/zero")).await.next().await.unwrap();
            assert!(zeros.unwrap().iter().all(|byte| *byte == 0));
        });
    }
}
