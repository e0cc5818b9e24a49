//! File plugins: the input spooled to scratch, the results picked up from there.
//!
//! The input's folder is read-only and holds it alone; the output folder starts empty. What the plugin leaves in it is
//! looked at only after its store is gone, so nothing can be swapped between the look and the use.

use std::collections::HashSet;
use std::io;
use std::path::Path;
use std::time::{Duration, Instant};

use cap_std::ambient_authority;
use cap_std::fs::Dir;
use wasmtime_wasi::FsPerms;

use super::state::{StageState, Tally, admit};
use super::{Done, Environment, FileInfo, Guest, Outputs, Stage, StageEnd, StoredFile};
use crate::bindings;
use crate::bindings::file::FilePluginPre;
use crate::bindings::file::exports::forebay::plugin::file_transform::OutputFile;
use crate::disk::{self, WriteError};
use crate::error::{PluginError, StageCause};
use crate::limits::Exceeded;
use crate::media;
use crate::scratch::TempFile;
use crate::stream::Content;

/// How often the output folder is measured while the plugin runs.
const WATCH: Duration = Duration::from_millis(50);

pub(super) async fn run(
    stage: &Stage,
    pre: &FilePluginPre<StageState>,
    info: FileInfo,
    mut content: Content,
    environment: Environment<'_>,
) -> Result<Done, StageEnd> {
    let folder = environment.scratch.folder().map_err(host)?;
    let (input_dir, output_dir) = (folder.path().join("in"), folder.path().join("out"));
    std::fs::create_dir(&input_dir).map_err(host)?;
    std::fs::create_dir(&output_dir).map_err(host)?;
    // The plugin reads the name from `info`; the path is ours, so that no file system's rules on names matter.
    let file_name = media::fit_name("input", &info.media_type);
    let spool = std::fs::File::create_new(input_dir.join(&file_name)).map_err(host)?;
    let started = Instant::now();
    let spooled = tokio::time::timeout(
        stage.limits.wall_clock,
        disk::write(&mut content, spool, |_| {}),
    )
    .await;
    let size = match spooled.map_err(|_| Exceeded::WallClock(stage.limits.wall_clock))? {
        Ok((_, size)) => size,
        Err(WriteError::Interrupted) => return Err(StageEnd::Interrupted),
        Err(WriteError::Io(error)) => return Err(host(error)),
    };

    let state = StageState::with_wasi(&stage.limits, |wasi| {
        wasi.preopened_dir(&input_dir, "/in", FsPerms::ReadOnly)?;
        wasi.preopened_dir(&output_dir, "/out", FsPerms::ReadWrite)?;
        Ok::<_, wasmtime::Error>(())
    })
    .map_err(|error| StageCause::Host(format!("{error:#}")))?;
    state
        .taken
        .store(size, std::sync::atomic::Ordering::Relaxed);
    let tally = state.tally.clone();
    let input = bindings::FileInfo {
        name: info.name.clone(),
        media_type: info.media_type.clone(),
        size: Some(size),
    };
    let config = stage.config.to_string();
    let mut guest = Guest::new(environment.engine, state, stage.limits.clone());
    guest.started = started;
    let calls = guest.run(async |store| {
        let plugin = pre.instantiate_async(&mut *store).await?;
        let path = format!("/in/{file_name}");
        plugin
            .forebay_plugin_file_transform()
            .call_transform(store, &input, &path, "/out", &config)
            .await
    });
    let returned = tokio::select! {
        returned = calls => returned?,
        exceeded = watch(&output_dir, stage.limits.output_bytes) => return Err(exceeded.into()),
    };
    let named = returned.map_err(PluginError::from)?;
    let mut usage = guest.usage();
    drop(guest);
    let stored = pick_up(&output_dir, named, &info.media_type, &tally)?;
    usage.bytes_out = stored.iter().filter_map(|file| file.info.size).sum();
    // The input goes now, and each output as it is passed on; what was not named goes with the job's scratch.
    std::fs::remove_dir_all(&input_dir).map_err(host)?;
    let _ = folder.keep();
    Ok(Done {
        usage,
        outputs: Outputs::Stored(stored),
    })
}

fn host(error: io::Error) -> StageEnd {
    StageCause::Host(format!("scratch folder: {error}")).into()
}

/// Returns once the folder holds more bytes than it may.
async fn watch(folder: &Path, most: u64) -> Exceeded {
    loop {
        tokio::time::sleep(WATCH).await;
        if measure(folder) > most {
            return Exceeded::OutputBytes(most);
        }
    }
}

/// Length of all files beneath a folder; links are not followed. What vanishes under the walk counts nothing.
fn measure(folder: &Path) -> u64 {
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    entries.fold(0, |sum: u64, entry| {
        sum.saturating_add(match entry.metadata() {
            Ok(metadata) if metadata.is_dir() => measure(&entry.path()),
            Ok(metadata) => metadata.len(),
            Err(_) => 0,
        })
    })
}

/// Opens what the plugin named: regular files beneath its folder, reached without a link.
fn pick_up(
    folder: &Path,
    named: Vec<OutputFile>,
    input_type: &str,
    tally: &Tally,
) -> Result<Vec<StoredFile>, StageCause> {
    let dir = Dir::open_ambient_dir(folder, ambient_authority())
        .map_err(|error| StageCause::Host(error.to_string()))?;
    let mut files = Vec::new();
    let mut seen = HashSet::new();
    for OutputFile { path, name } in named {
        admit(tally, &name)?;
        let problem = |problem: String| StageCause::OutputFile {
            path: path
                .chars()
                .take(200)
                .flat_map(char::escape_debug)
                .collect(),
            problem,
        };
        let mut walked = std::path::PathBuf::new();
        for part in Path::new(&path).components() {
            let std::path::Component::Normal(part) = part else {
                return Err(problem(
                    "is not a plain path beneath the output folder".into(),
                ));
            };
            walked.push(part);
            let metadata = dir
                .symlink_metadata(&walked)
                .map_err(|error| problem(error.to_string()))?;
            if metadata.is_symlink() {
                return Err(problem("is reached through a link".into()));
            }
        }
        let metadata = dir
            .metadata(&walked)
            .map_err(|error| problem(error.to_string()))?;
        if !metadata.is_file() {
            return Err(problem("is not a regular file".into()));
        }
        if !seen.insert(walked.clone()) {
            return Err(problem("is named twice".into()));
        }
        tally.add_bytes(metadata.len())?;
        let info = FileInfo {
            name,
            media_type: input_type.to_owned(),
            size: Some(metadata.len()),
        };
        let file =
            TempFile::adopt(&folder.join(&walked)).map_err(|error| problem(error.to_string()))?;
        files.push(StoredFile { info, file });
    }
    Ok(files)
}
