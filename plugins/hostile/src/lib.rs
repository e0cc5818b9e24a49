//! Misbehaves on request: one behaviour a config, for tests of what the host makes of it.

#![allow(clippy::panic, reason = "that is what it is for")]

use forebay_plugin::{About, Error, FileInfo, Input, Output, StreamPlugin};
use schemars::JsonSchema;

/// The config of `hostile`: what to do with a file.
#[derive(Debug, serde::Deserialize, JsonSchema)]
#[serde(tag = "behaviour", rename_all = "kebab-case", deny_unknown_fields)]
pub enum Behaviour {
    /// Compute without end.
    Spin,
    /// Take memory without end.
    Grow,
    /// Write without end.
    Flood,
    /// Sleep for an hour.
    Sleep,
    /// Emit so many copies, one after the other.
    Copies {
        /// How many.
        count: u32,
    },
    /// Emit so many copies at the same time, a piece of each in turn.
    Interleave {
        /// How many.
        count: u32,
    },
    /// Panic once so many bytes were read.
    Panic {
        /// How many.
        after: u64,
    },
    /// Give up after a complete output.
    FailLate,
    /// Return ok with an output still open.
    Unfinished,
    /// Return ok without having read anything.
    Ignore,
    /// Announce a size that does not hold.
    WrongSize {
        /// What to announce.
        size: u64,
    },
    /// Call an output this.
    Name {
        /// The name.
        name: String,
    },
    /// Emit these bytes as this type.
    Claim {
        /// The type.
        media_type: String,
        /// The bytes.
        text: String,
    },
    /// Write so many bytes to standard error, then panic.
    Chatter {
        /// How many.
        bytes: usize,
    },
    /// End the process.
    Exit,
}

/// The plugin.
#[derive(Debug)]
pub struct Hostile;

impl StreamPlugin for Hostile {
    type Config = Behaviour;
    const ABOUT: About = About {
        name: "hostile",
        version: env!("CARGO_PKG_VERSION"),
        summary: "Misbehaves on request, for tests",
        accepts: &["*/*"],
        produces: &[],
    };

    async fn transform(mut input: Input, config: Behaviour) -> Result<(), Error> {
        let info = FileInfo {
            size: None,
            ..input.info().clone()
        };
        let mut chunk = Vec::new();
        match config {
            Behaviour::Spin => {
                let mut turns = 0_u64;
                loop {
                    turns = std::hint::black_box(turns.wrapping_add(1));
                }
            }
            Behaviour::Grow => {
                let mut held: Vec<Vec<u8>> = Vec::new();
                loop {
                    held.push(std::hint::black_box(vec![1; 1 << 20]));
                }
            }
            Behaviour::Flood => {
                let mut output = Output::open(info).await;
                loop {
                    chunk.resize(256 * 1024, 0xff);
                    output.write(&mut chunk).await?;
                }
            }
            Behaviour::Sleep => {
                std::thread::sleep(std::time::Duration::from_secs(3600));
                Ok(())
            }
            Behaviour::Copies { count } => {
                let all = input.read_to_end(usize::MAX).await?;
                for at in 0..count {
                    let mut output = Output::open(FileInfo {
                        name: format!("{at}-{}", info.name),
                        ..info.clone()
                    })
                    .await;
                    chunk.extend_from_slice(&all);
                    output.write(&mut chunk).await?;
                    output.finish().await?;
                }
                Ok(())
            }
            Behaviour::Interleave { count } => {
                let mut outputs = Vec::new();
                for at in 0..count {
                    outputs.push(
                        Output::open(FileInfo {
                            name: format!("{at}-{}", info.name),
                            ..info.clone()
                        })
                        .await,
                    );
                }
                while input.fill(&mut chunk).await {
                    for output in &mut outputs {
                        output.write(&mut chunk.clone()).await?;
                    }
                }
                for output in outputs {
                    output.finish().await?;
                }
                Ok(())
            }
            Behaviour::Panic { after } => {
                let mut output = Output::open(info).await;
                let mut read = 0;
                while input.fill(&mut chunk).await {
                    read += chunk.len() as u64;
                    assert!(read < after, "read {after} bytes");
                    output.write(&mut chunk).await?;
                }
                output.finish().await
            }
            Behaviour::FailLate => {
                copy(&mut input, info).await?;
                Err(Error::Failed("on second thoughts".into()))
            }
            Behaviour::Unfinished => {
                let mut output = Output::open(info).await;
                input.fill(&mut chunk).await;
                output.write(&mut chunk).await?;
                std::mem::forget(output);
                Ok(())
            }
            Behaviour::Ignore => Ok(()),
            Behaviour::WrongSize { size } => {
                copy(
                    &mut input,
                    FileInfo {
                        size: Some(size),
                        ..info
                    },
                )
                .await
            }
            Behaviour::Name { name } => copy(&mut input, FileInfo { name, ..info }).await,
            Behaviour::Claim { media_type, text } => {
                let mut output = Output::open(FileInfo { media_type, ..info }).await;
                output.write(&mut text.into_bytes()).await?;
                output.finish().await
            }
            Behaviour::Chatter { bytes } => {
                for _ in 0..bytes / 64 {
                    eprintln!("{}", "x".repeat(63));
                }
                panic!("said enough");
            }
            Behaviour::Exit => std::process::exit(3),
        }
    }
}

/// Passes the input through.
async fn copy(input: &mut Input, info: FileInfo) -> Result<(), Error> {
    let mut output = Output::open(info).await;
    let mut chunk = Vec::new();
    while input.fill(&mut chunk).await {
        output.write(&mut chunk).await?;
    }
    output.finish().await
}

forebay_plugin::export_stream!(Hostile);
