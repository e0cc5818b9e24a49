//! A canonical ABI allocator that can be told to go wrong while the host uses it.
//!
//! To hand over bytes that it made itself, the host asks the guest for room with `cabi_realloc`. The C library brings one
//! along; the one below takes its place.

use std::sync::atomic::{AtomicU8, Ordering};

use forebay_plugin::Error;
use schemars::JsonSchema;

/// What the allocator does when the host asks it for room.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
#[repr(u8)]
pub enum Answer {
    /// It computes without end.
    Spin = 1,
    /// It traps.
    Trap,
    /// It gives a place that reaches beyond the end of memory.
    OutOfBounds,
    /// It calls the host back.
    Reenter,
    /// It calls itself without end.
    Recurse,
}

static ANSWER: AtomicU8 = AtomicU8::new(0);

/// Bytes to ask for; nothing else in this plugin asks for as many.
const ASKED: usize = 54_321;

/// Asks for bytes that the host has to make room for.
pub(crate) fn provoke(answer: Answer) -> Result<(), Error> {
    ANSWER.store(answer as u8, Ordering::Relaxed);
    let got = wasip2::random::random::get_random_bytes(ASKED as u64);
    Err(Error::Failed(format!("the host gave {} bytes", got.len())))
}

#[cfg(target_arch = "wasm32")]
#[allow(unsafe_code, reason = "an export of the canonical ABI")]
#[unsafe(no_mangle)]
extern "C" fn cabi_realloc(
    old: *mut u8,
    old_length: usize,
    align: usize,
    length: usize,
) -> *mut u8 {
    use std::alloc::{Layout, alloc, realloc};

    let answer = ANSWER.load(Ordering::Relaxed);
    if answer != 0 && length == ASKED {
        return go_wrong(answer);
    }
    if length == 0 {
        return std::ptr::without_provenance_mut(align);
    }
    // SAFETY: the host gives back what it got from here, with the length that it asked for.
    unsafe {
        match old_length {
            0 => alloc(Layout::from_size_align_unchecked(length, align)),
            _ => realloc(
                old,
                Layout::from_size_align_unchecked(old_length, align),
                length,
            ),
        }
    }
}

#[cfg(target_arch = "wasm32")]
fn go_wrong(answer: u8) -> *mut u8 {
    use crate::computing;

    std::ptr::without_provenance_mut(if answer == Answer::Spin as u8 {
        computing::spin()
    } else if answer == Answer::OutOfBounds as u8 {
        usize::MAX - 100
    } else if answer == Answer::Reenter as u8 {
        wasip2::clocks::monotonic_clock::now() as usize
    } else if answer == Answer::Recurse as u8 {
        computing::recurse(0) as usize
    } else {
        core::arch::wasm32::unreachable()
    })
}
