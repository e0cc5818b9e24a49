//! Hands [`forebay_fuzz::strip`] to libFuzzer.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| forebay_fuzz::strip(data));
