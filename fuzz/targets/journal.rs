//! Hands [`forebay_fuzz::journal`] to libFuzzer.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| forebay_fuzz::journal(data));
