//! The target `run`: all of a plugin's way, from bytes to outputs.

use std::fs;
use std::path::Path;
use std::sync::OnceLock;
use std::time::{Duration, Instant};

use forebay::{Grants, Host, JobLimits, Limits, Memory, Pipeline, Source, Stage};
use tempfile::TempDir;

/// How long a run may take, and what it leaves may stay.
const PATIENCE: Duration = Duration::from_secs(5);

/// Changes of one byte that an input makes to a real plugin.
const EDITS: usize = 16;

/// A host with a scratch folder of its own.
struct Arena {
    host: Host,
    scratch: TempDir,
}

/// A component, or the plugin `identity` with some bytes changed, is loaded, asked what it is, built into a pipeline and run
/// over a text, with a folder to write to. It is refused or ends in plain words and within its limits, and nothing is left.
///
/// The first byte says which: 0 before a component; any other before changes of five bytes each, where and how.
pub fn run(data: &[u8]) {
    static ARENA: OnceLock<Arena> = OnceLock::new();
    let arena = ARENA.get_or_init(|| {
        let scratch = tempfile::tempdir().expect("a folder");
        let host = Host::builder()
            .scratch_dir(scratch.path())
            .instances(4)
            .component_bytes(1 << 20)
            .compile_time(PATIENCE)
            .build()
            .expect("a host starts");
        Arena { host, scratch }
    });
    let Some((&first, rest)) = data.split_first() else {
        return;
    };
    let component = if first == 0 {
        rest.to_vec()
    } else {
        edited(forebay_bundled::IDENTITY, rest)
    };
    super::block_on(arena.run(component));
}

/// A component with some bytes changed.
fn edited(component: &[u8], edits: &[u8]) -> Vec<u8> {
    let mut bytes = component.to_vec();
    for edit in edits.as_chunks::<5>().0.iter().take(EDITS) {
        let [a, b, c, d, flip] = *edit;
        let at = u32::from_le_bytes([a, b, c, d]) as usize % bytes.len();
        if let Some(byte) = bytes.get_mut(at) {
            *byte ^= flip;
        }
    }
    bytes
}

impl Arena {
    async fn run(&self, component: Vec<u8>) {
        let plugin = match self.host.load("p", component).await {
            Ok(plugin) => plugin,
            Err(error) => return plain(&error.to_string()),
        };
        let folder = tempfile::tempdir().expect("a folder");
        let limits = Limits::default()
            .memory(64 << 20)
            .cpu_time(Duration::from_millis(300))
            .wall_clock(Duration::from_secs(1))
            .output_bytes(8 << 20)
            .granted_bytes(8 << 20)
            .output_files(20);
        let stage = Stage::new(&plugin)
            .limits(limits)
            .grants(Grants::none().write("/notes", folder.path()));
        let pipeline = Pipeline::builder("p")
            .limits(JobLimits::default().scratch_bytes(64 << 20))
            .stage(stage)
            .build();
        let pipeline = match pipeline {
            Ok(pipeline) => pipeline,
            Err(error) => return plain(&error.to_string()),
        };
        let sink = Memory::new();
        let source = Source::bytes("a.txt", "some words\n".repeat(1000));
        let job = self.host.run(&pipeline, source, sink.clone());
        let ended = tokio::time::timeout(PATIENCE, job);
        match ended.await.expect("it ends by itself") {
            Ok(report) => assert_eq!(report.files.len(), sink.take().len()),
            Err(error) => plain(&error.to_string()),
        }
        let written: u64 = fs::read_dir(folder.path())
            .expect("it is still there")
            .filter_map(|entry| entry.ok()?.metadata().ok())
            .map(|metadata| metadata.len())
            .sum();
        assert!(written <= 8 << 20, "{written} bytes in its folder");
        self.is_empty().await;
    }

    /// Scratch is removed by threads that may take their time.
    async fn is_empty(&self) {
        let deadline = Instant::now() + PATIENCE;
        while count(self.scratch.path()) > 0 {
            assert!(Instant::now() < deadline, "something is left in scratch");
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    }
}

fn count(folder: &Path) -> usize {
    fs::read_dir(folder).map_or(0, Iterator::count)
}

fn plain(error: &str) {
    assert!(
        error.len() < 64 << 10 && !error.contains(char::is_control),
        "{error:?}"
    );
}
