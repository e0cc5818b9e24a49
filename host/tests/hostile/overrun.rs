//! By how much limits that are not exact can be overrun.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use forebay::{Limits, Stage};
use serde_json::json;

use crate::common::alone;
use crate::{Arena, behaviour};

/// CPU time of this process.
fn cpu() -> Duration {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::ProcessCPUTime);
    Duration::new(time.tv_sec as u64, time.tv_nsec as u32)
}

#[tokio::test(flavor = "multi_thread")]
async fn cpu_time_is_overrun_by_little() {
    alone!();
    let arena = Arena::new().await;
    let plugin = arena.load(forebay_test_plugins::HOSTILE).await;
    let limit = Duration::from_millis(500);
    let limits = Limits::default().cpu_time(limit);
    // One tick is 10 ms. A plugin that yields all the time has the runtime work between its turns, which is not counted.
    for (name, most) in [
        ("spin", 250),
        ("empty-writes", 250),
        ("spin-yielding", 1500),
    ] {
        let stage = Stage::new(&plugin)
            .config(behaviour(name))
            .limits(limits.clone());
        // The least of three: other things may run in this process for a moment.
        let mut over = Duration::MAX;
        for _ in 0..3 {
            let before = cpu();
            let error = arena.run(stage.clone()).await.unwrap_err().to_string();
            assert!(error.contains("`cpu_time`"), "{error}");
            over = over.min(cpu().saturating_sub(before).saturating_sub(limit));
        }
        println!(
            "{name}: cpu_time of {limit:?} overrun by {over:.0?}, the host's own work included"
        );
        assert!(over < Duration::from_millis(most), "{name}: {over:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_file_plugin_writes_is_counted_before_it_is_written() {
    alone!();
    const LIMIT: u64 = 20 << 20;
    let arena = Arena::new().await;
    let plugin = arena.load(forebay_test_plugins::HOSTILE_FILE).await;
    let (most, over) = (
        Arc::new(AtomicU64::new(0)),
        Arc::new(AtomicBool::new(false)),
    );
    let watcher = std::thread::spawn({
        let (most, over, scratch) = (most.clone(), over.clone(), arena.scratch.path().to_owned());
        move || {
            while !over.load(Ordering::Relaxed) {
                let files = walkdir::WalkDir::new(&scratch).into_iter().flatten();
                let bytes = files
                    .filter_map(|file| Some(file.metadata().ok()?.len()))
                    .sum::<u64>();
                most.fetch_max(bytes, Ordering::Relaxed);
                std::thread::sleep(Duration::from_millis(1));
            }
        }
    });
    let limits = Limits::default().output_bytes(LIMIT);
    let stage = Stage::new(&plugin)
        .config(behaviour("endless"))
        .limits(limits);
    let error = arena.run(stage).await.unwrap_err().to_string();
    over.store(true, Ordering::Relaxed);
    watcher.join().unwrap();
    assert!(error.contains("`output_bytes`"), "{error}");
    let over = most.load(Ordering::Relaxed).saturating_sub(LIMIT) >> 20;
    println!("output_bytes of 20 MiB overrun by {over} MiB on disk");
    assert_eq!(over, 0, "MiB");
}

/// What many small writes cost the host is charged to those who make and take them.
#[tokio::test(flavor = "multi_thread")]
async fn cpu_time_of_many_writes_is_counted() {
    alone!();
    let arena = Arena::new().await;
    let plugin = arena.load(forebay_test_plugins::HOSTILE).await;
    const COUNT: u32 = 300_000;
    let config = json!({ "behaviour": "small-writes", "count": COUNT });
    let limits = Limits::default().cpu_time(Duration::from_secs(600));
    let stage = Stage::new(&plugin).config(config).limits(limits);
    let before = cpu();
    let (report, _) = arena.run(stage).await.unwrap();
    let process = cpu().saturating_sub(before);
    let stages = &report.files[0].stages;
    let counted: Duration = stages.iter().map(|stage| stage.usage.cpu_time).sum();
    println!(
        "{COUNT} writes of one byte: {process:.0?} of CPU time in the process, {counted:.0?} counted"
    );
    // Besides the stages there are the source, the sink and the clock of the engine.
    let most = counted.mul_f32(1.5) + Duration::from_secs(1);
    assert!(process < most, "{process:?}, {counted:?} counted");
}
