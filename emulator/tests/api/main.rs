//! The emulator over real HTTP, row by row of what is known of the service.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "tests"
)]

mod bucket;
mod common;
mod complete;
mod faults;
mod files;
mod idempotency;
mod keys_and_routes;
mod lifecycle;
mod upload;
mod video_agents;
