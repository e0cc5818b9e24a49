//! Too much output, or too little.

use std::thread::sleep;
use std::time::Duration;

use forebay_plugin::{Error, FileInfo, Output};

use crate::streams::Input;

/// Bytes of a piece.
const PIECE: usize = 256 * 1024;

/// Passes the input through.
pub(crate) async fn copy(input: &mut Input, info: FileInfo) -> Result<(), Error> {
    let mut output = Output::open(info).await;
    let mut chunk = Vec::new();
    while input.fill(&mut chunk).await {
        output.write(&mut chunk).await?;
    }
    output.finish().await
}

pub(crate) async fn flood(info: FileInfo) -> Result<(), Error> {
    let mut output = Output::open(info).await;
    let mut chunk = Vec::new();
    loop {
        chunk.resize(PIECE, 0xff);
        output.write(&mut chunk).await?;
    }
}

pub(crate) async fn inflate(input: &mut Input, info: FileInfo, ratio: usize) -> Result<(), Error> {
    let mut output = Output::open(info).await;
    let (mut chunk, mut piece) = (Vec::new(), Vec::new());
    while input.fill(&mut chunk).await {
        for &byte in &chunk {
            let mut left = ratio;
            while left > 0 {
                let count = left.min(PIECE);
                piece.resize(count, byte);
                output.write(&mut piece).await?;
                left -= count;
            }
        }
    }
    output.finish().await
}

pub(crate) async fn empty_writes(info: FileInfo) -> Result<(), Error> {
    let (mut content, _call) = crate::streams::open(info).await;
    loop {
        content.write(Vec::new()).await;
    }
}

pub(crate) async fn trickle(info: FileInfo, every: u64) -> Result<(), Error> {
    let mut output = Output::open(info).await;
    loop {
        output.write(&mut vec![b'.']).await?;
        sleep(Duration::from_millis(every));
    }
}

fn numbered(info: &FileInfo, at: u32) -> FileInfo {
    FileInfo {
        name: format!("{at}-{}", info.name),
        ..info.clone()
    }
}

pub(crate) async fn copies(input: &mut Input, info: FileInfo, count: u32) -> Result<(), Error> {
    let mut all = Vec::new();
    let mut chunk = Vec::new();
    while input.fill(&mut chunk).await {
        all.extend_from_slice(&chunk);
    }
    for at in 0..count {
        let mut output = Output::open(numbered(&info, at)).await;
        output.write(&mut all.clone()).await?;
        output.finish().await?;
    }
    Ok(())
}

async fn open_many(info: &FileInfo, count: u32) -> Vec<Output> {
    let mut outputs = Vec::new();
    for at in 0..count {
        outputs.push(Output::open(numbered(info, at)).await);
    }
    outputs
}

pub(crate) async fn interleave(input: &mut Input, info: FileInfo, count: u32) -> Result<(), Error> {
    let mut outputs = open_many(&info, count).await;
    let mut chunk = Vec::new();
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

pub(crate) async fn hold_open(info: FileInfo, count: u32) -> Result<(), Error> {
    let _outputs = open_many(&info, count).await;
    std::future::pending().await
}

pub(crate) async fn fill_open(
    input: &mut Input,
    info: FileInfo,
    count: u32,
    bytes: usize,
) -> Result<(), Error> {
    input.fill(&mut Vec::new()).await;
    let mut outputs = Vec::new();
    for at in 0..count {
        let mut output = Output::open(numbered(&info, at)).await;
        output.write(&mut vec![b'x'; bytes]).await?;
        outputs.push(output);
    }
    std::future::pending().await
}

pub(crate) async fn small_writes(info: FileInfo, count: u32) -> Result<(), Error> {
    let mut output = Output::open(info).await;
    for _ in 0..count {
        output.write(&mut vec![b'.']).await?;
    }
    output.finish().await
}
