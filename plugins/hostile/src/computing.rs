//! Time and memory without end.

use std::hint::black_box;

use forebay_plugin::Error;
use wasip2::clocks::monotonic_clock;

pub(crate) fn spin<T>() -> T {
    let mut turns = 0_u64;
    loop {
        turns = black_box(turns.wrapping_add(1));
    }
}

pub(crate) async fn spin_yielding<T>() -> T {
    loop {
        wit_bindgen::yield_async().await;
    }
}

pub(crate) fn spin_polling<T>() -> T {
    loop {
        monotonic_clock::subscribe_duration(0).block();
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

pub(crate) fn grow_by_page() -> Result<(), Error> {
    let mut pages = 0_u64;
    while take_pages(1) {
        pages += 1;
    }
    Err(Error::Failed(format!("no memory left after {pages} pages")))
}

pub(crate) fn grow_at_once(pages: usize) -> Result<(), Error> {
    match take_pages(pages) {
        true => Ok(()),
        false => Err(Error::Failed(format!("there were no {pages} pages"))),
    }
}

/// Grows the memory past the allocator.
#[cfg(target_arch = "wasm32")]
fn take_pages(count: usize) -> bool {
    core::arch::wasm32::memory_grow(0, count) != usize::MAX
}

#[cfg(not(target_arch = "wasm32"))]
fn take_pages(_: usize) -> bool {
    false
}
