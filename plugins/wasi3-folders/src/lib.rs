//! Works on files in folders through WASI 0.3, for tests.

use std::future::poll_fn;
use std::task::Poll;

use forebay_plugin::{About, Error, Input, Output, StreamPlugin};
use schemars::JsonSchema;

#[allow(
    missing_docs,
    unsafe_code,
    unreachable_pub,
    clippy::all,
    clippy::restriction,
    reason = "generated"
)]
mod bindings {
    wit_bindgen::generate!({ path: "../wasi3/wit", world: "folders", generate_all });
}

use bindings::wasi::cli::stderr;
use bindings::wasi::filesystem::preopens;
use bindings::wasi::filesystem::types::{Descriptor, DescriptorFlags, OpenFlags, PathFlags};
use bindings::wit_stream;

/// The config of `wasi3-folders`: what to do with a file.
#[derive(Debug, serde::Deserialize, JsonSchema)]
#[serde(tag = "behaviour", rename_all = "kebab-case", deny_unknown_fields)]
pub enum Behaviour {
    /// Give out this file in its place.
    Read {
        /// Its path.
        path: String,
    },
    /// Write this text to a new file, and the same once more at its end; then give out what is in it.
    Write {
        /// Its path.
        path: String,
        /// The text.
        text: String,
    },
    /// Make a file, begin this change of it, and wait for nothing.
    Leave {
        /// Its path.
        path: String,
        /// What to begin.
        change: Change,
        /// Where to write, or how large to make it.
        at: u64,
    },
    /// Begin so many lists of a folder, and give out the last of them.
    List {
        /// The path of the folder.
        path: String,
        /// How many.
        count: usize,
    },
    /// Have the host print a file so many times, all at once, and wait for none.
    Print {
        /// The path of the file.
        path: String,
        /// How often.
        count: usize,
    },
    /// Have the host print a file, and wait for that.
    PrintAndWait {
        /// The path of the file.
        path: String,
    },
    /// Look for a file whose path has so many bytes.
    LongPath {
        /// How many.
        bytes: usize,
    },
    /// Open a file so many times.
    Open {
        /// The path of the file.
        path: String,
        /// How often.
        count: usize,
    },
}

/// A change that is begun and left.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Change {
    /// Write some bytes in a stream that ends.
    Write,
    /// Write some bytes, and hold on to how that went without asking.
    WriteAndHold,
    /// Write until a write waits for the one before, and do not end the stream.
    WriteUntilItWaits,
    /// Write some bytes in a stream that does not end.
    WriteOpen,
    /// Set its size.
    SetSize,
    /// Set its size, and take the call back.
    SetSizeAndTakeBack,
}

/// The plugin.
#[derive(Debug)]
pub struct Wasi3Folders;

impl StreamPlugin for Wasi3Folders {
    type Config = Behaviour;
    const ABOUT: About = About {
        name: "wasi3-folders",
        version: env!("CARGO_PKG_VERSION"),
        summary: "Works on files through WASI 0.3, for tests",
        accepts: &["*/*"],
        produces: &[],
    };

    async fn transform(input: Input, behaviour: Behaviour) -> Result<(), Error> {
        use Behaviour as B;
        let mut seen = match behaviour {
            B::Read { path } => read(&path).await?,
            B::Write { path, text } => {
                let flags = DescriptorFlags::READ | DescriptorFlags::WRITE;
                let create = OpenFlags::CREATE | OpenFlags::EXCLUSIVE;
                let file = open(&path, create, flags).await?;
                let (mut writer, reader) = wit_stream::new();
                let ended = file.write_via_stream(reader, 0);
                writer.write_all(text.clone().into_bytes()).await;
                drop(writer);
                ended.await.map_err(told)?;
                let (mut writer, reader) = wit_stream::new();
                let ended = file.append_via_stream(reader);
                writer.write_all(text.into_bytes()).await;
                drop(writer);
                ended.await.map_err(told)?;
                read(&path).await?
            }
            B::Leave { path, change, at } => {
                let output = Output::open(input.info().clone()).await;
                pass_on(input, output).await?;
                // The last thing that it does.
                return leave(&path, change, at).await;
            }
            B::List { path, count } => {
                let folder = open(&path, OpenFlags::DIRECTORY, DescriptorFlags::READ).await?;
                let mut lists: Vec<_> =
                    (0..count.max(1)).map(|_| folder.read_directory()).collect();
                // One entry of each, so that each is under way.
                for (entries, _) in &mut lists {
                    entries.next().await;
                }
                let (entries, ended) = folder.read_directory();
                let entries = entries.collect().await;
                ended.await.map_err(told)?;
                let mut names: Vec<String> = entries.into_iter().map(|entry| entry.name).collect();
                names.sort();
                names.join("\n").into_bytes()
            }
            B::Print { path, count } => {
                let file = open(&path, OpenFlags::empty(), DescriptorFlags::READ).await?;
                for _ in 0..count {
                    let (bytes, ended) = file.read_via_stream(0);
                    drop((ended, stderr::write_via_stream(bytes)));
                }
                Vec::new()
            }
            B::PrintAndWait { path } => {
                let file = open(&path, OpenFlags::empty(), DescriptorFlags::READ).await?;
                let (bytes, _) = file.read_via_stream(0);
                stderr::write_via_stream(bytes).await.map_err(told)?;
                Vec::new()
            }
            B::LongPath { bytes } => {
                let (folder, _) = granted("/")?;
                let path = "a/".repeat(bytes / 2);
                folder
                    .stat_at(PathFlags::empty(), path)
                    .await
                    .map_err(told)?;
                Vec::new()
            }
            B::Open { path, count } => {
                let mut files = Vec::new();
                for _ in 0..count {
                    files.push(open(&path, OpenFlags::empty(), DescriptorFlags::READ).await?);
                }
                Vec::new()
            }
        };
        let mut info = input.info().clone();
        if !seen.is_empty() {
            info.size = None;
        }
        let mut output = Output::open(info).await;
        if seen.is_empty() {
            return pass_on(input, output).await;
        }
        output.write(&mut seen).await?;
        output.finish().await
    }
}

/// The first folder that a path lies in, and the rest of the path.
fn granted(path: &str) -> Result<(Descriptor, String), Error> {
    for (folder, name) in preopens::get_directories() {
        if path == "/" {
            return Ok((folder, ".".into()));
        }
        if let Some(rest) = path.strip_prefix(&name) {
            let rest = rest.trim_start_matches('/');
            return Ok((folder, if rest.is_empty() { "." } else { rest }.into()));
        }
    }
    Err(Error::Failed(format!("{path} lies in no folder")))
}

async fn open(path: &str, open: OpenFlags, flags: DescriptorFlags) -> Result<Descriptor, Error> {
    let (folder, path) = granted(path)?;
    let opened = folder.open_at(PathFlags::empty(), path, open, flags);
    opened.await.map_err(told)
}

async fn pass_on(mut input: Input, mut output: Output) -> Result<(), Error> {
    let mut chunk = Vec::new();
    while input.fill(&mut chunk).await {
        output.write(&mut chunk).await?;
    }
    output.finish().await
}

async fn leave(path: &str, change: Change, at: u64) -> Result<(), Error> {
    let flags = DescriptorFlags::READ | DescriptorFlags::WRITE;
    let file = open(path, OpenFlags::CREATE | OpenFlags::EXCLUSIVE, flags).await?;
    if matches!(change, Change::SetSize | Change::SetSizeAndTakeBack) {
        let mut call = Box::pin(file.set_size(at));
        // The first poll makes the call.
        let _ = poll_fn(|cx| Poll::Ready(call.as_mut().poll(cx))).await;
        if change == Change::SetSize {
            std::mem::forget(call);
            std::mem::forget(file);
        }
        return Ok(());
    }
    let (mut writer, reader) = wit_stream::new();
    let ended = file.write_via_stream(reader, at);
    let mut rest = vec![
        b'x';
        if change == Change::WriteUntilItWaits {
            32 << 20
        } else {
            100_000
        }
    ];
    while !rest.is_empty() {
        let mut write = Box::pin(writer.write(rest));
        let Poll::Ready((_, left)) = poll_fn(|cx| Poll::Ready(write.as_mut().poll(cx))).await
        else {
            std::mem::forget(write);
            break;
        };
        rest = left.into_vec();
    }
    if change == Change::Write {
        return Ok(());
    }
    std::mem::forget(ended);
    if change == Change::WriteAndHold {
        return Ok(());
    }
    std::mem::forget(writer);
    Ok(())
}

async fn read(path: &str) -> Result<Vec<u8>, Error> {
    let file = open(path, OpenFlags::empty(), DescriptorFlags::READ).await?;
    let (bytes, ended) = file.read_via_stream(0);
    let bytes = bytes.collect().await;
    ended.await.map_err(told)?;
    Ok(bytes)
}

/// What the host said, for a test to read.
fn told(error: impl std::fmt::Debug) -> Error {
    Error::Failed(format!("{error:?}"))
}

forebay_plugin::export_stream!(Wasi3Folders);
