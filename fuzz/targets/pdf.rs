//! Hands [`forebay_fuzz::pdf`] to libFuzzer.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| forebay_fuzz::pdf(data));
