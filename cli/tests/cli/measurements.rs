//! Memory and sockets, as the system counts them, stay bounded however many or large the files.

use std::fs;
use std::path::PathBuf;
use std::process::{Child, Stdio};
use std::time::Duration;

use tempfile::TempDir;

use crate::{Emulator, forebay_with, json, write_sparse};

/// Watches a process until it ends; gives the most memory that it had, in bytes, and the most sockets.
fn watch(child: &mut Child) -> (u64, usize) {
    let (mut peak, mut sockets) = (0, 0);
    while child.try_wait().unwrap().is_none() {
        let process = PathBuf::from(format!("/proc/{}", child.id()));
        let status = fs::read_to_string(process.join("status")).unwrap_or_default();
        let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
        if let Some(kib) = line.and_then(|line| line.split_whitespace().next()) {
            peak = kib.parse::<u64>().unwrap() * 1024;
        }
        let open = fs::read_dir(process.join("fd"))
            .into_iter()
            .flatten()
            .flatten();
        let links = open.filter_map(|entry| fs::read_link(entry.path()).ok());
        let is_socket = |link: &PathBuf| link.to_string_lossy().starts_with("socket:");
        sockets = sockets.max(links.filter(is_socket).count());
        std::thread::sleep(Duration::from_millis(20));
    }
    (peak, sockets)
}

#[test]
fn many_files_and_large_ones_take_bounded_memory_and_connections() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let emulator = runtime
        .block_on(forebay_emulator::Emulator::builder().start())
        .unwrap();
    for (count, size, most) in [
        (1000, 20_000, 120 << 20),
        // In one request each, read from disk.
        (20, 30_000_000, 120 << 20),
        (20, 64 << 20, 120 << 20),
    ] {
        let folder = TempDir::new().unwrap();
        let media = folder.path().join("media");
        fs::create_dir(&media).unwrap();
        for at in 0..count {
            let path = media.join(format!("{at}.pdf"));
            write_sparse(&path, format!("%PDF-1.7 {at}"), size);
        }
        let before = emulator.request_count();
        let mut child = forebay_with(folder.path(), emulator.base_url(), "any")
            .args(["upload", "--jobs", "16", "media"])
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let (peak, sockets) = watch(&mut child);
        assert!(child.wait().unwrap().success());
        let requests = emulator.request_count() - before;
        println!(
            "{count} files of {size} bytes: {:.2} requests a file, {} MiB at most, {sockets} sockets at most",
            requests as f64 / f64::from(count),
            peak >> 20
        );
        assert!(peak < most, "{peak} bytes");
        // Of 16 jobs, each may have a connection at work and one that rests; and the runtime has a few sockets.
        assert!(sockets <= 48, "{sockets} sockets");
        assert_eq!(
            requests,
            u64::from(count as u32) * if size > 32_000_000 { 3 } else { 1 }
        );
    }
    assert_eq!(emulator.assets().len(), 1040);
    runtime.block_on(emulator.shutdown());
}

/// Sends a file of this length through a workflow's own memory into a direct upload; gives the most memory, in bytes,
/// that `forebay` had.
fn peak_memory(length: u64) -> u64 {
    let folder = TempDir::new().unwrap();
    let emulator = Emulator::start(folder.path(), &["--max-bytes", "6GiB"]);
    fs::write(
        folder.path().join("drill.wasm"),
        forebay_test_plugins::DRILL,
    )
    .unwrap();
    let video = folder.path().join("video.mp4");
    write_sparse(&video, b"\0\0\0\x20ftypisom\0\0\0\0", length);
    let mut child = forebay_with(folder.path(), &emulator.url, "any")
        .args(["run", "--workflow"])
        .arg("./drill.wasm:exercise=direct,put=stream,complete=1")
        .args(["-u", "video.mp4"])
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let (peak, _) = watch(&mut child);
    let output = child.wait_with_output().unwrap();
    let result = json(&output.stdout);
    assert_eq!(result["complete"][0]["size_bytes"], length);
    peak
}

/// A file of so many GiB takes hardly more memory than one of 40 MiB.
fn assert_flat(gib: u64) {
    let (short, long) = (peak_memory(40 << 20), peak_memory(gib << 30));
    println!("40 MiB: {} MiB, {gib} GiB: {} MiB", short >> 20, long >> 20);
    assert!(long < short + (32 << 20), "{short} {long}");
}

#[test]
fn a_direct_upload_from_a_workflow_takes_no_more_memory_for_a_longer_file() {
    assert_flat(1);
}

#[test]
#[ignore = "writes 5 GiB; `cargo test --workspace --test cli -- --ignored` runs it"]
fn a_direct_upload_of_5_gib_from_a_workflow() {
    assert_flat(5);
}
