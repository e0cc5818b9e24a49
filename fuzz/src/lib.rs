//! What is fuzzed: one function for each target, which panics if a promise is broken.
//!
//! `targets/NAME.rs` hands the function to libFuzzer (`cargo xtask fuzz NAME`); `seeds/NAME/` holds the inputs that it
//! starts from, and every input that once broke a promise. Plain `cargo test` runs the functions on those.

#![allow(
    clippy::expect_used,
    clippy::unwrap_used,
    clippy::panic,
    reason = "a broken promise is a panic here"
)]

mod run;

use std::sync::OnceLock;
use std::time::Duration;

use forebay::{ConfigSchema, Host, Journal, JournalError, PipelineFile, Source, media};
use serde_json::Value;
use tokio::runtime::{Builder, Runtime};

pub use run::run;

/// A target: its name and its function.
pub type Target = (&'static str, fn(&[u8]));

/// Every target.
pub const TARGETS: [Target; 8] = [
    ("component", component),
    ("config", config),
    ("journal", journal),
    ("media", media),
    ("pdf", pdf),
    ("pipeline", pipeline),
    ("run", run),
    ("strip", strip),
];

/// Bytes are loaded as a plugin and asked what they are, or they are refused, in words without control characters.
pub fn component(data: &[u8]) {
    static HOST: OnceLock<Host> = OnceLock::new();
    block_on(async {
        let host = HOST.get_or_init(|| {
            Host::builder()
                .instances(2)
                .component_bytes(64 << 10)
                .compile_time(Duration::from_secs(5))
                .build()
                .expect("a host starts")
        });
        match host.load("p", data).await {
            Ok(plugin) => assert!(!plugin.name().is_empty()),
            Err(error) => assert!(!error.to_string().contains('\u{1b}')),
        }
    });
}

/// The first line is a schema, the rest a config. Both are taken, or refused in one plain line; what was taken once is taken
/// again; and a config is refused by the name of a field that is in it, or misses from it.
pub fn config(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    let (schema, config) = text.split_once('\n').unwrap_or((&*text, "{}"));
    let plain = |error: String| {
        assert!(error.len() < 64 << 10 && !error.contains(char::is_control));
    };
    let schema = match ConfigSchema::parse(schema) {
        Ok(schema) => schema,
        Err(error) => return plain(error.to_string()),
    };
    let again = ConfigSchema::parse(&schema.as_json().to_string());
    assert_eq!(again.expect("what was read is read again"), schema);
    let Ok(config) = serde_json::from_str::<Value>(config) else {
        return;
    };
    if let Err(error) = schema.check(&config) {
        let pointer = error.field.split('.').filter(|name| !name.is_empty());
        let pointer: String = pointer.map(|name| format!("/{name}")).collect();
        assert!(config.pointer(&pointer).is_some(), "{error}");
        plain(error.to_string());
    }
}

/// A journal opens, and opens again, or it is refused and left as it is.
pub fn journal(data: &[u8]) {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("journal");
    std::fs::write(&path, data).expect("a file");
    match Journal::open(&path) {
        Ok(journal) => {
            drop(journal);
            Journal::open(&path).expect("what was opened once opens again");
        }
        Err(JournalError::NotAJournal { .. } | JournalError::Unreadable { .. }) => {
            let left = std::fs::read(&path).expect("it is still there");
            assert!(left == data, "it was changed");
        }
        Err(error) => panic!("{error}"),
    }
}

/// A type is read off any bytes, and a plain name made of any text.
pub fn media(data: &[u8]) {
    assert!(media::sniff(data).contains('/'));
    let text = String::from_utf8_lossy(data);
    let name = Source::bytes(&text, Vec::new()).name().to_owned();
    assert!((1..=255).contains(&name.len()) && !matches!(&*name, "." | ".."));
    assert!(!name.contains(['/', '\\', '\0', '\n', '\u{1b}', '\u{202e}']));
    assert_eq!(media::plain_name(&name), name, "a plain name stays");
}

/// Each page of a PDF is a part of its own, or the document is refused.
pub fn pdf(data: &[u8]) {
    let config = pdf_split::Config::default();
    let _ = pdf_split::split(data.to_vec(), "a.pdf", &config, |_, part| {
        part(&mut std::io::sink())
    });
}

/// Pipelines are read, or refused with the place of the problem.
pub fn pipeline(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else {
        return;
    };
    if let Ok(file) = PipelineFile::parse(text) {
        for name in file.names() {
            let spec = file.pipeline(Some(name)).expect("what is listed is there");
            assert!(!spec.stages.is_empty() || spec.workflow.is_some());
        }
    }
}

/// Where a picture, a film or sound is cut into pieces makes no difference, and what was stripped has nothing left to strip.
pub fn strip(data: &[u8]) {
    let whole = stripped(data, data.len().max(1));
    assert_eq!(whole, stripped(data, 7));
    if let Some(once) = whole {
        assert_eq!(stripped(&once, 3).as_ref(), Some(&once));
    }
}

fn stripped(data: &[u8], piece: usize) -> Option<Vec<u8>> {
    let mut stripper = strip_metadata::Stripper::new(strip_metadata::Config::default());
    let mut out = Vec::new();
    for piece in data.chunks(piece) {
        stripper.push(piece, &mut out).ok()?;
    }
    stripper.finish(&mut out).ok()?;
    Some(out)
}

/// Runs async code to its end.
fn block_on<F: Future>(future: F) -> F::Output {
    static RUNTIME: OnceLock<Runtime> = OnceLock::new();
    RUNTIME
        .get_or_init(|| {
            Builder::new_multi_thread()
                .worker_threads(1)
                .enable_all()
                .build()
                .expect("a runtime starts")
        })
        .block_on(future)
}
