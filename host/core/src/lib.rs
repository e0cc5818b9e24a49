//! What all parts of forebay share.
//!
//! This crate knows neither plugins nor the Assets API. It contains the lowest layer of the project:
//!
//! | module | what it has |
//! |---|---|
//! | [`channel`] | bytes between two tasks, bounded in bytes, with an end that is a promise |
//! | [`buffers`] | buffers that are reused |
//! | [`disk`] | reading and writing files away from the async threads |
//! | [`replay`] | a complete file that can be read any number of times |
//! | [`scratch`] | the private folder of a job, bounded in bytes, removed with the job |
//! | [`media`] | media types from bytes, and the names that fit them |
//! | [`stamp`] | whether a file was changed while it was read |
//! | [`text`] | untrusted text, made safe to show |
//! | [`seconds`] | durations as seconds, for serde |
//! | [`mutex`] | a lock that a panic elsewhere does not poison |
//!
//! It is published because the other crates of forebay need it. Its API changes with them: depend on `forebay` or
//! `forebay-assets`, which re-export what their users need.

pub mod buffers;
pub mod channel;
pub mod disk;
mod file_info;
pub mod media;
pub mod mutex;
pub mod replay;
pub mod scratch;
pub mod seconds;
pub mod stamp;
pub mod text;

pub use file_info::FileInfo;

/// Bytes that are read from a file or offered to a guest at a time, unless the host is configured otherwise: 256 KiB.
///
/// Larger chunks do not stay in the processor's cache between two stages. Smaller ones cost more calls (see the bench
/// `streaming`).
pub const DEFAULT_CHUNK: usize = 256 * 1024;
