//! Ends that are none, or come at the wrong time.

use forebay_plugin::{Error, FileInfo, Output};
use schemars::JsonSchema;

use crate::output::copy;
use crate::streams::Input;
use crate::{computing, raw};

/// When to end.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Moment {
    /// Before anything was read or written.
    Start,
    /// With an output half written.
    Middle,
    /// After a complete output.
    End,
}

/// What a plugin says when it gives up.
#[derive(Debug, Clone, Copy, serde::Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Kind {
    /// `unsupported`.
    Unsupported,
    /// `invalid-input`.
    InvalidInput,
    /// `invalid-config`.
    InvalidConfig,
    /// `failed`.
    Failed,
}

impl Kind {
    fn error(self, text: String) -> Error {
        match self {
            Self::Unsupported => Error::Unsupported(text),
            Self::InvalidInput => Error::InvalidInput(text),
            Self::InvalidConfig => Error::InvalidConfig(text),
            Self::Failed => Error::Failed(text),
        }
    }
}

/// Does what comes before that moment; an output that is half written stays so.
async fn until(at: Moment, input: &mut Input, info: FileInfo) -> Result<Option<Output>, Error> {
    match at {
        Moment::Start => {}
        Moment::Middle => {
            let mut output = Output::open(info).await;
            let mut chunk = Vec::new();
            input.fill(&mut chunk).await;
            output.write(&mut chunk).await?;
            return Ok(Some(output));
        }
        Moment::End => copy(input, info).await?,
    }
    Ok(None)
}

pub(crate) async fn panic_after(
    input: &mut Input,
    info: FileInfo,
    after: u64,
) -> Result<(), Error> {
    let mut output = Output::open(info).await;
    let mut chunk = Vec::new();
    let mut read = 0;
    while input.fill(&mut chunk).await {
        read += chunk.len() as u64;
        assert!(read < after, "read {after} bytes");
        output.write(&mut chunk).await?;
    }
    output.finish().await
}

/// Without a word: no message, no destructor.
pub(crate) async fn trap(input: &mut Input, info: FileInfo, at: Moment) -> Result<(), Error> {
    let _half = until(at, input, info).await?;
    #[cfg(target_arch = "wasm32")]
    core::arch::wasm32::unreachable();
    #[cfg(not(target_arch = "wasm32"))]
    std::process::abort();
}

pub(crate) async fn fail(
    input: &mut Input,
    info: FileInfo,
    kind: Kind,
    at: Moment,
    bytes: usize,
) -> Result<(), Error> {
    // Left open: were it dropped, the stream would end, and the output with it.
    std::mem::forget(until(at, input, info).await?);
    Err(kind.error("e".repeat(bytes)))
}

pub(crate) async fn unfinished(input: &mut Input, info: FileInfo) -> Result<(), Error> {
    std::mem::forget(until(Moment::Middle, input, info).await?);
    Ok(())
}

pub(crate) async fn return_twice(input: &mut Input, info: FileInfo) -> Result<(), Error> {
    copy(input, info).await?;
    raw::return_ok();
    Ok(())
}

pub(crate) async fn return_and_spin(input: &mut Input, info: FileInfo) -> Result<(), Error> {
    copy(input, info).await?;
    raw::return_ok();
    computing::spin()
}

pub(crate) async fn return_and_write(info: FileInfo) -> Result<(), Error> {
    let mut output = Output::open(info).await;
    let mut chunk = Vec::new();
    for piece in 0_u64.. {
        chunk.resize(4096, b'.');
        output.write(&mut chunk).await?;
        if piece == 1 {
            raw::return_ok();
        }
    }
    Ok(())
}
