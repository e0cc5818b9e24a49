//! Time and memory without end.

use std::hint::black_box;

pub(crate) fn spin<T>() -> T {
    let mut turns = 0_u64;
    loop {
        turns = black_box(turns.wrapping_add(1));
    }
}

pub(crate) fn sleep<T>() -> T {
    loop {
        std::thread::sleep(std::time::Duration::from_secs(3600));
    }
}

/// Nothing of a frame lies in linear memory: it is the host's stack that fills up.
#[inline(never)]
pub(crate) fn recurse(depth: u64) -> u64 {
    // Neither a loop nor a tail call can come of it: the sum is made after the call.
    match black_box(true) {
        true => black_box(recurse(depth.wrapping_add(1))).wrapping_add(depth),
        false => depth,
    }
}

pub(crate) fn grow<T>() -> T {
    let mut held: Vec<Vec<u8>> = Vec::new();
    loop {
        held.push(black_box(vec![1; 1 << 20]));
    }
}
