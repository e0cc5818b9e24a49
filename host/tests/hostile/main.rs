//! The hostile corpus: what plugins that mean harm can do, how each of it ends, and that nothing is left behind.
//!
//! `cargo test --workspace --test hostile -- --nocapture` prints the table.
#![allow(
    clippy::expect_used,
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    missing_docs,
    reason = "tests"
)]

mod by_hand;
#[path = "../common/mod.rs"]
mod common;
mod composed;
mod files;
mod granted;
mod halfway;
mod handles;
mod jobs;
mod loading;
mod outsiders;
mod overrun;
mod proposals;
mod repeated;
mod streams;
mod unwaited;
mod wasi3;

use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use forebay::{Host, JobError, Limits, Memory, Pipeline, Plugin, Report, Source, Stage};
use serde_json::{Value, json};
use tempfile::TempDir;

/// How long to wait for what must happen, but may take its time on a busy machine.
const PATIENCE: Duration = Duration::from_secs(60);

/// A host with a scratch folder of its own, and its plugins.
struct Arena {
    host: Host,
    scratch: TempDir,
    good: Plugin,
    /// Rows that did not end as they should.
    wrong: std::sync::Mutex<Vec<String>>,
}

impl Arena {
    async fn new() -> Self {
        assert!(
            common::is_alone(),
            "it counts what the process has open: the test begins with `alone!()`"
        );
        let scratch = tempfile::tempdir().unwrap();
        let cache = concat!(env!("CARGO_TARGET_TMPDIR"), "/cache");
        let host = Host::builder()
            .instances(256)
            .cache_dir(cache)
            .scratch_dir(scratch.path())
            .build()
            .unwrap();
        let good = mapped(&host, "identity", forebay_bundled::IDENTITY).await;
        Self {
            host,
            scratch,
            good,
            wrong: std::sync::Mutex::default(),
        }
    }

    async fn load(&self, component: impl Into<Vec<u8>>) -> Plugin {
        mapped(&self.host, "hostile", &component.into()).await
    }

    /// Runs a stage between two honest ones over a small text. It must end by itself.
    async fn run(&self, stage: Stage) -> Result<(Report, Memory), JobError> {
        let pipeline = Pipeline::builder("hostile")
            .stage(Stage::new(&self.good))
            .stage(stage)
            .stage(Stage::new(&self.good))
            .build()
            .unwrap();
        let sink = Memory::new();
        let source = Source::bytes("a.txt", "some words\n".repeat(1000));
        let job = self.host.run(&pipeline, source, sink.clone());
        // By its limit, which may be the wall clock.
        let ended = tokio::time::timeout(WALL_CLOCK + PATIENCE, job).await;
        ended.expect("it ends").map(|report| (report, sink))
    }

    /// Runs honest jobs one after the other, over more than one chunk each, until this is done; at least one. What is wrong
    /// with one of them, if anything.
    async fn neighbours(&self, done: &AtomicBool) -> Result<(), String> {
        let pipeline = Pipeline::builder("honest")
            .stage(Stage::new(&self.good))
            .stage(Stage::new(&self.good))
            .build()
            .unwrap();
        let content = "honest words\n".repeat(30_000);
        loop {
            let sink = Memory::new();
            let source = Source::bytes("honest.txt", content.clone());
            let job = self.host.run(&pipeline, source, sink.clone());
            let ended = tokio::time::timeout(PATIENCE, job).await;
            ended
                .map_err(|_| "does not end".to_owned())?
                .map_err(|error| error.to_string())?;
            let files = sink.take();
            if files.len() != 1 || files[0].1 != content.as_bytes() {
                return Err(format!("{} files, or other bytes", files.len()));
            }
            if done.load(Ordering::Relaxed) {
                return Ok(());
            }
            // They are neighbours, and no load.
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    /// Runs a stage with honest jobs beside it.
    async fn run_beside_neighbours(
        &self,
        stage: Stage,
    ) -> (Result<(Report, Memory), JobError>, Result<(), String>) {
        let done = AtomicBool::new(false);
        let hostile = async {
            let ended = self.run(stage).await;
            done.store(true, Ordering::Relaxed);
            ended
        };
        tokio::join!(hostile, self.neighbours(&done))
    }

    /// Runs a row of the table: prints it, and notes where it is not as it says.
    async fn row(&self, plugin: &Plugin, limits: Limits, config: Value, ends: &str) {
        let what = words(&config);
        let stage = Stage::new(plugin).config(config).limits(limits);
        self.row_of(&what, stage, ends).await;
    }

    /// The same for a stage that is called `what`.
    async fn row_of(&self, what: &str, stage: Stage, ends: &str) {
        let (files, tasks, idle) = (open_files(), alive_tasks(), resident());
        forget_peak();
        let started = Instant::now();
        let (ended, neighbours) = self.run_beside_neighbours(stage).await;
        let ended = match ended {
            Ok((report, _)) => format!("ok, {} files", report.files.len()),
            Err(error) => error.to_string(),
        };
        let took = started.elapsed();
        let peak = peak().saturating_sub(idle);
        let left = self.left(files, tasks).await;
        let told = ended
            .split_once(": stage 2 ")
            .map_or(&*ended, |(_, told)| told);
        println!(
            "{what:44} {:80} {took:>8.0?} {:>4} MiB  {left}",
            told.chars().take(80).collect::<String>(),
            peak >> 20
        );
        let plain = ended.len() < 4000 && ended.chars().all(|c| !c.is_control());
        if !(ended.contains(ends) && plain && left == "nothing") {
            let ended = ended.escape_debug().take(4000).collect::<String>();
            self.wrong.lock().unwrap().push(format!(
                "{what}: ends with `{ended}`, not `{ends}`, and leaves {left}"
            ));
        }
        if let Err(problem) = neighbours {
            self.wrong
                .lock()
                .unwrap()
                .push(format!("{what}: an honest job beside it: {problem}"));
        }
        if peak > MOST_MEMORY {
            self.wrong.lock().unwrap().push(format!(
                "{what}: the process held {} MiB more than before",
                peak >> 20
            ));
        }
    }

    /// What a run has left behind: files in scratch, open files, tasks. What is on its way out gets time for that.
    async fn left(&self, files: usize, tasks: usize) -> String {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let scratch = self.scratch.path().read_dir().unwrap().count();
            let files = open_files().saturating_sub(files);
            let tasks = alive_tasks().saturating_sub(tasks);
            if (scratch, files, tasks) == (0, 0, 0) {
                return "nothing".into();
            }
            if Instant::now() > deadline {
                return format!("{scratch} in scratch, {files} open files, {tasks} tasks");
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    /// Every row was right, and an honest job runs as ever.
    async fn is_well(&self) {
        let wrong = self.wrong.lock().unwrap().join("\n");
        assert!(wrong.is_empty(), "{wrong}");
        let (report, sink) = self.run(Stage::new(&self.good)).await.unwrap();
        assert_eq!(report.files.len(), 1);
        assert_eq!(sink.take()[0].1.len(), 11_000);
    }
}

/// Loads a plugin whose code is mapped from the cache. Code that was compiled in this process gets a file for its memory with
/// the first instance, which may be in the middle of what a test counts; mapped code has its file from the beginning.
async fn mapped(host: &Host, name: &str, component: &[u8]) -> Plugin {
    host.load(name, component).await.unwrap();
    host.load(name, component).await.unwrap()
}

/// What a row may take of the process's memory, in bytes: the plugin's own, which is 64 MiB in most rows, and all that the
/// host holds for it.
const MOST_MEMORY: u64 = 200 << 20;

/// The wall clock of plugins that another limit ends, or none: long, because a busy machine takes longer for the same.
const WALL_CLOCK: Duration = Duration::from_secs(60);

/// Limits under which the whole table takes a minute or two.
fn tight() -> Limits {
    Limits::default()
        .memory(64 << 20)
        .cpu_time(Duration::from_millis(400))
        .wall_clock(WALL_CLOCK)
        .output_bytes(20 << 20)
        .output_files(1000)
}

/// The same, for what only waits.
fn impatient() -> Limits {
    tight().wall_clock(Duration::from_millis(700))
}

/// A behaviour in short: `inflate ratio=1000000`.
fn words(config: &Value) -> String {
    let fields = config.as_object().unwrap();
    let mut text = fields["behaviour"].as_str().unwrap().to_owned();
    for (name, value) in fields.iter().filter(|(name, _)| *name != "behaviour") {
        let value = value.as_str().map_or(value.to_string(), str::to_owned);
        text += &format!(" {name}={}", value.escape_debug());
    }
    text.chars().take(44).collect()
}

fn behaviour(name: &str) -> Value {
    json!({ "behaviour": name })
}

fn open_files() -> usize {
    Path::new("/proc/self/fd")
        .read_dir()
        .map_or(0, |files| files.count())
}

fn alive_tasks() -> usize {
    tokio::runtime::Handle::current()
        .metrics()
        .num_alive_tasks()
}

/// The most memory that this process had in use, in bytes, since [`forget_peak`]. Other systems than Linux do not say.
fn peak() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let kilobytes = peak.and_then(|peak| peak.trim().trim_end_matches(" kB").parse::<u64>().ok());
    kilobytes.unwrap_or(0) * 1024
}

/// Begins anew with the peak. Where that is not allowed, it is the one since the start of the process.
fn forget_peak() {
    let _ = std::fs::write("/proc/self/clear_refs", "5");
}

/// Memory of this process that is in use, in bytes.
fn resident() -> u64 {
    let pages = std::fs::read_to_string("/proc/self/statm").unwrap_or_default();
    let pages = pages
        .split(' ')
        .nth(1)
        .and_then(|pages| pages.parse::<u64>().ok());
    pages.unwrap_or(0) * 4096
}
