//! Strips a file, natively: `cargo run --example strip -- IN OUT [keep|drop]`. The last argument tells what becomes of
//! subtitles. Prints how fast it was, without reading and writing.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "an example"
)]

use std::fs::File;
use std::io::{Read, Write};
use std::time::{Duration, Instant};

use strip_metadata::{Config, Stripper, Subtitles};

fn main() {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let [input, output, rest @ ..] = &args[..] else {
        panic!("strip IN OUT [keep|drop]");
    };
    let subtitles = match rest.first().map(String::as_str) {
        Some("keep") => Subtitles::Keep,
        Some("drop") => Subtitles::Drop,
        _ => Subtitles::Refuse,
    };
    let mut stripper = Stripper::new(Config {
        subtitles,
        ..Config::default()
    });
    let (mut input, mut output) = (
        File::open(input).expect("the input opens"),
        File::create(output).expect("the output opens"),
    );
    let mut chunk = vec![0; 256 << 10];
    let mut stripped = Vec::new();
    let (mut time, mut bytes) = (Duration::ZERO, 0);
    loop {
        let count = input.read(&mut chunk).expect("the input is read");
        let Some(piece) = chunk.get(..count).filter(|piece| !piece.is_empty()) else {
            break;
        };
        bytes += count;
        let begun = Instant::now();
        let passes = stripper.pass(piece);
        if !passes {
            stripper
                .push(piece, &mut stripped)
                .unwrap_or_else(|error| fail(&error));
        }
        time += begun.elapsed();
        output
            .write_all(if passes { piece } else { &stripped })
            .expect("the output is written");
        stripped.clear();
    }
    stripper
        .finish(&mut stripped)
        .unwrap_or_else(|error| fail(&error));
    output.write_all(&stripped).expect("the output is written");
    let rate = bytes as f64 / time.as_secs_f64() / f64::from(1 << 30);
    println!("{bytes} bytes in {time:?}: {rate:.2} GiB/s");
}

fn fail(error: &strip_metadata::Error) {
    eprintln!("{error}");
    std::process::exit(1);
}
