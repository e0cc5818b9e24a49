//! Misbehaves while it is merely loaded: when it is asked what it is.
//!
//! `describe` takes no config, so the behaviour stands in the component itself, behind a marker, for a test to overwrite
//! before it loads the component.

#![allow(clippy::panic, reason = "that is what it is for")]

mod schema;

use std::hint::black_box;

use forebay_plugin::bindings::stream::exports::forebay::plugin::transform::Guest;
use forebay_plugin::{Descriptor, Error, FileInfo};
use wit_bindgen::StreamReader;

/// The marker, and behind it the name of the behaviour, filled up with dots.
#[used]
static BEHAVIOUR: [u8; 48] = *b"hostile-describe:honest.........................";

/// Bytes of the marker.
const MARKER: usize = "hostile-describe:".len();

fn behaviour() -> String {
    // What stands there when the plugin is built says nothing of what stands there when it runs.
    let name = black_box(&BEHAVIOUR).iter().skip(MARKER);
    let name = name.take_while(|&&byte| byte != b'.');
    name.map(|&byte| char::from(byte)).collect()
}

/// The plugin.
#[derive(Debug)]
pub struct HostileDescribe;

/// What a good plugin says of itself.
fn honest() -> Descriptor {
    Descriptor {
        name: "honest".into(),
        version: env!("CARGO_PKG_VERSION").into(),
        summary: "Takes anything and gives nothing back, for tests".into(),
        accepts: vec!["*/*".into()],
        produces: Vec::new(),
        config_schema: String::new(),
    }
}

/// Calls itself without end; nothing of a frame lies in linear memory, so it is the host's stack that fills up.
#[inline(never)]
fn recurse(depth: u64) -> u64 {
    match black_box(true) {
        true => black_box(recurse(depth.wrapping_add(1))).wrapping_add(depth),
        false => depth,
    }
}

/// Bytes that are no text.
fn not_utf8() -> String {
    #[allow(
        unsafe_code,
        reason = "the bindings pass on whatever bytes a `String` has"
    )]
    // SAFETY: none is claimed. Nothing here reads it as text, and it is for the host to refuse it.
    unsafe {
        String::from_utf8_unchecked(b"\xff\xfe\xc0\x80".to_vec())
    }
}

const HUGE: usize = 100 << 20;

fn describe(behaviour: &str) -> Descriptor {
    let mut said = honest();
    match behaviour {
        "honest" => {}
        // It does not come to an end, or not to a good one.
        "panic" => panic!("asked once too often"),
        "trap" => trap(),
        "exit" => std::process::exit(0),
        "spin" => loop {
            black_box(0);
        },
        "sleep" => std::thread::sleep(std::time::Duration::from_secs(3600)),
        "recurse" => said.summary = recurse(0).to_string(),
        "grow" => {
            let mut held = Vec::new();
            loop {
                held.push(black_box(vec![1_u8; 1 << 20]));
            }
        }
        "chatter" => {
            for _ in 0..1_000_000 {
                eprintln!("{}", "x".repeat(63));
            }
        }
        // Its words are too many.
        "huge-name" => said.name = "n".repeat(HUGE),
        "huge-version" => said.version = "1".repeat(HUGE),
        "huge-summary" => said.summary = "s".repeat(HUGE),
        "huge-schema" => said.config_schema = " ".repeat(HUGE),
        "huge-entry" => said.accepts = vec![format!("text/{}", "t".repeat(HUGE))],
        "million-accepts" => said.accepts = vec!["*/*".into(); 1_000_000],
        "million-produces" => said.produces = vec!["text/plain".into(); 1_000_000],
        "ten-million-accepts" => said.accepts = vec![String::new(); 10_000_000],
        // Its words are not words.
        "empty-name" => said.name.clear(),
        "name-with-escapes" => said.name = "\x1b]0;owned\x07\x1b[2J".into(),
        "name-with-newline" => said.name = "good\nINFO all is well".into(),
        "name-with-bidi" => said.name = "evil\u{202e}gnp.exe".into(),
        "name-with-path" => said.name = "../../etc/passwd".into(),
        "name-not-utf8" => said.name = not_utf8(),
        "summary-with-escapes" => said.summary = "\x1b[31mred\x1b[8m".into(),
        "schema-not-utf8" => said.config_schema = not_utf8(),
        "accepts-not-utf8" => said.accepts = vec![not_utf8()],
        "no-accepts" => said.accepts.clear(),
        "accepts-nonsense" => said.accepts = vec!["any file at all".into()],
        "produces-wildcard" => said.produces = vec!["image/*".into()],
        "produces-nonsense" => said.produces = vec!["text/plain; rm -rf /".into()],
        // The rest is about the schema.
        other => match schema::of(other) {
            Some(schema) => said.config_schema = schema,
            None => panic!("`{other}` is no behaviour"),
        },
    }
    said
}

fn trap() -> ! {
    #[cfg(target_arch = "wasm32")]
    core::arch::wasm32::unreachable();
    #[cfg(not(target_arch = "wasm32"))]
    std::process::abort();
}

impl Guest for HostileDescribe {
    fn describe() -> Descriptor {
        describe(&behaviour())
    }

    async fn transform(_: FileInfo, _: StreamReader<u8>, _: String) -> Result<(), Error> {
        Ok(())
    }
}

#[cfg(target_arch = "wasm32")]
#[allow(unsafe_code, reason = "generated")]
const _: () = {
    forebay_plugin::export::export_stream_plugin!(HostileDescribe);
};

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_marker_is_read() {
        assert!(BEHAVIOUR.starts_with(b"hostile-describe:"));
        assert_eq!(behaviour(), "honest");
    }

    #[test]
    fn names_fit_behind_the_marker() {
        for name in schema::NAMES {
            assert!(
                name.len() <= BEHAVIOUR.len() - MARKER && schema::of(name).is_some(),
                "{name}"
            );
        }
    }
}
