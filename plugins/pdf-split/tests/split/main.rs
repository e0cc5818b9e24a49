//! Splits documents natively and checks the parts.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "tests"
)]

mod book;
mod demo;
mod fields;
mod hostile;
mod kept;
mod opened;
mod pdf;
mod resources;
