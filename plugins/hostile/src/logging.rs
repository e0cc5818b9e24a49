//! More words than anyone wants to hear.

use std::io::{self, Write};

use forebay_plugin::Error;
use schemars::JsonSchema;

/// Where to write.
#[derive(Debug, Clone, Copy, serde::Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Printer {
    /// Standard output.
    Stdout,
    /// Standard error.
    Stderr,
}

pub(crate) fn chatter(bytes: usize) -> Result<(), Error> {
    for _ in 0..bytes / 64 {
        eprintln!("{}", "x".repeat(63));
    }
    panic!("said enough");
}

pub(crate) fn flood(to: Printer, bytes: usize) -> Result<(), Error> {
    let piece = [b'x'; 4096];
    let mut printer: Box<dyn Write> = match to {
        Printer::Stdout => Box::new(io::stdout()),
        Printer::Stderr => Box::new(io::stderr()),
    };
    let mut left = bytes;
    while left > 0 {
        let count = left.min(piece.len());
        let piece = piece.get(..count).unwrap_or_default();
        printer
            .write_all(piece)
            .and_then(|()| printer.flush())
            .map_err(|error| Error::Failed(error.to_string()))?;
        left -= count;
    }
    Ok(())
}

pub(crate) fn print(text: &str) -> Result<(), Error> {
    eprintln!("{text}");
    panic!("{text}");
}
