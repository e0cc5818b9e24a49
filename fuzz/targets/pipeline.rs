//! Hands [`forebay_fuzz::pipeline`] to libFuzzer.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| forebay_fuzz::pipeline(data));
