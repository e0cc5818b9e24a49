//! What is known of the service, row by row, over real HTTP.
//!
//! The [`table`] lists every row; the other modules carry them out. Run one section with `cargo test --test conformance
//! -- 'presigned PUT'`.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "tests"
)]

mod batches;
#[path = "../common/mod.rs"]
#[allow(dead_code, reason = "shared with another suite")]
mod common;
mod direct_uploads;
mod errors;
mod file_inputs;
mod idempotency;
mod input_places;
mod lists;
mod presigned;
mod reading;
mod table;
mod uploads;

use libtest_mimic::{Arguments, Failed, Trial};

fn main() {
    let arguments = Arguments::from_args();
    let trials = table::rows().into_iter().map(|row| {
        let name = format!("{}: {} ({:?})", row.section, row.says, row.mark);
        Trial::test(name, move || {
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build()
                .map_err(|error| Failed::from(error.to_string()))?;
            runtime.block_on((row.check)());
            Ok(())
        })
    });
    libtest_mimic::run(&arguments, trials.collect()).exit();
}
