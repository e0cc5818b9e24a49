//! What there is to see of the outside.

use std::fmt::Write as _;
use std::fs;
use std::hash::{BuildHasher as _, RandomState};
use std::io::Read as _;
use std::time::SystemTime;

use forebay_plugin::{Error, FileInfo, Output};
use wasip2::cli::environment;
use wasip2::clocks::monotonic_clock;
use wasip2::filesystem::preopens;
use wasip2::random::{insecure, insecure_seed, random};

/// Places where a host may have something to hide.
const PLACES: [&str; 9] = [
    "/",
    ".",
    "..",
    "/in",
    "/out",
    "/tmp",
    "/etc/passwd",
    "/proc/self/environ",
    "/dev/random",
];

async fn emit(info: FileInfo, text: String) -> Result<(), Error> {
    let mut output = Output::open(FileInfo {
        name: "seen.txt".into(),
        ..info
    })
    .await;
    output.write(&mut text.into_bytes()).await?;
    output.finish().await
}

/// One line for each thing that was found, `nothing` otherwise.
pub(crate) async fn look(info: FileInfo) -> Result<(), Error> {
    let mut seen = String::new();
    let mut found = |what: &str, which: String| {
        let _ = writeln!(seen, "{what}: {}", which.escape_debug());
    };
    for (key, value) in std::env::vars() {
        found("variable", format!("{key}={value}"));
    }
    for argument in std::env::args() {
        found("argument", argument);
    }
    if let Some(folder) = environment::initial_cwd() {
        found("working folder", folder);
    }
    for (_, path) in preopens::get_directories() {
        found("preopened folder", path);
    }
    for place in PLACES {
        if let Ok(entries) = fs::read_dir(place) {
            found(
                "folder",
                format!("{place} with {} entries", entries.count()),
            );
        }
        if fs::File::open(place).is_ok() {
            found("file", place.into());
        }
        if fs::metadata(place).is_ok() {
            found("metadata", place.into());
        }
        if fs::File::create(format!("{place}/hostile")).is_ok() {
            found("writable", place.into());
        }
    }
    let mut typed = Vec::new();
    if std::io::stdin().take(100).read_to_end(&mut typed).is_ok() && !typed.is_empty() {
        found("standard input", format!("{typed:?}"));
    }
    if seen.is_empty() {
        seen.push_str("nothing\n");
    }
    emit(info, seen).await
}

/// A line for each of the host's words that could differ from run to run.
pub(crate) async fn observe(info: FileInfo) -> Result<(), Error> {
    let now = SystemTime::now()
        .duration_since(SystemTime::UNIX_EPOCH)
        .map_err(|error| Error::Failed(error.to_string()))?;
    let lines = [
        format!("wall clock: {} ns", now.as_nanos()),
        format!("monotonic clock: {} ns", monotonic_clock::now()),
        format!("random: {:02x?}", random::get_random_bytes(16)),
        format!("random number: {:x}", random::get_random_u64()),
        format!("insecure: {:02x?}", insecure::get_insecure_random_bytes(16)),
        format!("insecure number: {:x}", insecure::get_insecure_random_u64()),
        format!("seed: {:x?}", insecure_seed::insecure_seed()),
        format!("hash: {:x}", RandomState::new().hash_one(0)),
        String::new(),
    ];
    emit(info, lines.join("\n")).await
}
