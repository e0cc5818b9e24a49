//! What the emulator promises beyond the service's own answers, which the conformance suite holds.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "tests"
)]

#[path = "../common/mod.rs"]
#[allow(dead_code, reason = "shared with another suite")]
mod common;
mod cors;
mod faults;
mod files;
mod keys_and_routes;
mod kill;
mod layers;
mod lifecycle;
mod page;
mod restart;
mod s3;
mod upload;
