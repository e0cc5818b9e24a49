//! File plugins: the input spooled to scratch, the results picked up from there.
//!
//! The input's folder is read-only and holds it alone; the output folder starts empty. What the plugin leaves in it is
//! looked at only after its store is gone, so nothing can be swapped between the look and the use.

use std::collections::HashSet;
use std::io;
use std::path::{Component, Path, PathBuf};
use std::sync::Arc;
use std::time::Instant;

use cap_std::ambient_authority;
use cap_std::fs::Dir;
use wasmtime_wasi::FsPerms;

use crate::sandbox::bindings;
use crate::sandbox::bindings::file::FilePluginPre;
use crate::sandbox::bindings::file::exports::forebay::plugin::file_transform::OutputFile;
use crate::sandbox::cause::{PluginError, StageCause, StageEnd};
use crate::sandbox::grants::Clock;
use crate::sandbox::guest::Guest;
use crate::sandbox::limits::Exceeded;
use crate::sandbox::run::{Done, Environment, StageOutputs, StoredFile};
use crate::sandbox::stage::Stage;
use crate::sandbox::state::{StageState, Tally, admit};
use forebay_core::FileInfo;
use forebay_core::channel::Content;
use forebay_core::disk::WriteError;
use forebay_core::media;
use forebay_core::scratch::{Charge, Scratch, ScratchFolder, Spool};
use forebay_core::text;

/// Folders that may stand one in the other in the output folder.
const MAX_DEPTH: usize = 64;

pub(super) async fn run(
    stage: &Stage,
    pre: &FilePluginPre<StageState>,
    info: FileInfo,
    mut content: Content,
    environment: Environment<'_>,
) -> Result<Done, StageEnd> {
    let (folder, charge) = environment.scratch.folder().map_err(host)?;
    let (input_dir, output_dir) = (folder.path().join("in"), folder.path().join("out"));
    std::fs::create_dir(&input_dir).map_err(host)?;
    std::fs::create_dir(&output_dir).map_err(host)?;
    // The plugin reads the name from `info`; the path is ours, so that no file system's rules on names matter.
    let file_name = media::fit_name("input", &info.media_type);
    let input_path = input_dir.join(&file_name);
    let file = std::fs::File::create_new(&input_path).map_err(host)?;
    let started = Instant::now();
    let spool = Spool::new(file, &input_path, &charge);
    let spooled =
        tokio::time::timeout(stage.limits.wall_clock, spool.fill(&mut content, |_| {})).await;
    let size = match spooled.map_err(|_| Exceeded::WallClock(stage.limits.wall_clock))? {
        Ok(size) => size,
        Err(WriteError::Interrupted) => return Err(StageEnd::Interrupted),
        Err(WriteError::Io(error)) => return Err(host(error)),
    };

    let limits = stage.limits_of_store();
    if let Clock::Frozen(at) = stage.grants.clock {
        // What the clock does not tell, the input's own time would.
        let input = std::fs::File::options().write(true).open(&input_path);
        input
            .and_then(|input| input.set_modified(at))
            .map_err(host)?;
    }
    let state = stage.state(&limits, |wasi| {
        wasi.preopened_dir(&input_dir, "/in", FsPerms::ReadOnly)?;
        wasi.preopened_dir(&output_dir, "/out", FsPerms::ReadWrite)?;
        Ok(())
    })?;
    state
        .taken
        .store(size, std::sync::atomic::Ordering::Relaxed);
    state.written.charge(charge.clone());
    let tally = state.tally.clone();
    let input = bindings::FileInfo {
        name: info.name.clone(),
        media_type: info.media_type.clone(),
        size: Some(size),
    };
    let config = stage.config.to_string();
    let mut guest = Guest::new(environment.engine, state, limits);
    guest.report_to(environment.usage);
    guest.count_from(started);
    let calls = guest.run(async |store| {
        let plugin = pre.instantiate_async(&mut *store).await?;
        let path = format!("/in/{file_name}");
        plugin
            .forebay_plugin_file_transform()
            .call_transform(store, &input, &path, "/out", &config)
            .await
    });
    let named = calls.await?.map_err(PluginError::from)?;
    let messages = guest.messages();
    let mut usage = guest.finish().await?;
    let left = stage.limits.wall_clock.saturating_sub(usage.wall_clock);
    let pick_up = PickUp {
        folder: output_dir,
        input_name: info.name,
        input_type: info.media_type,
        tally,
        scratch: environment.scratch.clone(),
        within: folder,
    };
    // What it left may be much to look at.
    let picked = tokio::task::spawn_blocking(move || pick_up.all(named, &charge));
    let picked = tokio::time::timeout(left, picked).await;
    let stored = picked
        .map_err(|_| Exceeded::WallClock(stage.limits.wall_clock))?
        .map_err(|error| StageCause::Host(error.to_string()))??;
    usage.bytes_out = stored.iter().filter_map(|file| file.info.size).sum();
    Ok(Done {
        messages,
        usage,
        outputs: StageOutputs::Stored(stored),
    })
}

fn host(error: io::Error) -> StageEnd {
    match Exceeded::within(&error) {
        Some(limit) => limit.into(),
        None => StageCause::Host(format!("scratch folder: {error}")).into(),
    }
}

/// Takes over what a plugin has left, once its store is gone.
struct PickUp {
    folder: PathBuf,
    input_name: String,
    input_type: String,
    tally: Arc<Tally>,
    scratch: Scratch,
    /// What holds the input and all that was written. It goes with what was not named.
    within: ScratchFolder,
}

impl PickUp {
    /// The outputs that it named: regular files beneath its folder, reached without a link. They move to the job's scratch.
    fn all(self, named: Vec<OutputFile>, charge: &Charge) -> Result<Vec<StoredFile>, StageCause> {
        // From here on each output has a charge of its own.
        charge.close();
        let dir = Dir::open_ambient_dir(&self.folder, ambient_authority())
            .map_err(|error| StageCause::Host(error.to_string()))?;
        let mut seen = HashSet::new();
        let outputs = named.into_iter().map(|OutputFile { path, name }| {
            admit(&self.tally, &name, &self.input_name, &self.input_type)?;
            self.one(&dir, &path, name, &mut seen)
        });
        let outputs = outputs.collect();
        drop(self.within);
        outputs
    }

    fn one(
        &self,
        dir: &Dir,
        path: &str,
        name: String,
        seen: &mut HashSet<PathBuf>,
    ) -> Result<StoredFile, StageCause> {
        let problem = |problem: String| StageCause::OutputFile {
            path: text::tidy(path, 200),
            problem,
        };
        // Without the dots and doubled slashes that a path may have.
        if !seen.insert(Path::new(path).components().collect()) {
            return Err(problem("is named twice".into()));
        }
        let parts = Path::new(path).components().map(|part| match part {
            Component::Normal(part) => Ok(part),
            _ => Err(problem(
                "is not a plain path beneath the output folder".into(),
            )),
        });
        let parts = parts.collect::<Result<Vec<_>, _>>()?;
        let Some((name_there, folders)) = parts.split_last() else {
            return Err(problem("is the output folder".into()));
        };
        if folders.len() >= MAX_DEPTH {
            return Err(problem(format!("is deeper than {MAX_DEPTH} folders")));
        }
        let failed = |error: io::Error| match Exceeded::within(&error) {
            Some(limit) => limit.into(),
            None => problem(error.to_string()),
        };
        let mut dir = dir.try_clone().map_err(failed)?;
        for folder in folders {
            if dir.symlink_metadata(folder).map_err(failed)?.is_symlink() {
                return Err(problem("is reached through a link".into()));
            }
            dir = dir.open_dir(folder).map_err(failed)?;
        }
        // The name is looked up once: what is there is moved, and is looked at where it is then.
        let adopted = self.scratch.adopt(|place| {
            let (Some(folder), Some(name)) = (place.parent(), place.file_name()) else {
                return Err(io::ErrorKind::InvalidInput.into());
            };
            let folder = Dir::open_ambient_dir(folder, ambient_authority())?;
            dir.rename(name_there, &folder, name)
        });
        let (file, size) = adopted.map_err(failed)?;
        self.tally.add_bytes(size)?;
        let info = FileInfo {
            name,
            media_type: self.input_type.clone(),
            size: Some(size),
        };
        Ok(StoredFile { info, file })
    }
}
