//! `cargo xtask corpus`: the standard plugins over anyone's files.
//!
//! Each picture, film and sound is stripped, each picture resized, each PDF split, by the command as a user runs it. What comes out is compared with
//! what tools that others wrote make of the same file. The table says what was done and checked, what was refused and why,
//! and what is wrong.

mod check;
mod media;
mod table;
mod tool;

use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context as _, Result, bail, ensure};

use crate::features;
use table::{Outcome, Table};

/// The longest that one run of the command may take.
const LONGEST: Duration = Duration::from_secs(120);

/// What is asked for.
#[derive(Debug, Default, PartialEq)]
pub(crate) struct Options {
    folders: Vec<PathBuf>,
    /// Files for each plugin, if not all.
    limit: Option<usize>,
}

impl Options {
    pub(crate) fn parse(args: impl IntoIterator<Item = OsString>) -> Result<Self> {
        let mut options = Self::default();
        let mut args = args.into_iter();
        while let Some(arg) = args.next() {
            if arg == "--limit" {
                let number = args.next().context("--limit takes a number")?;
                let number = number.to_string_lossy();
                let parsed = number.parse();
                let limit: usize = parsed.with_context(|| format!("--limit {number}"))?;
                ensure!(limit > 0, "--limit is at least 1");
                options.limit = Some(limit);
            } else if arg.to_string_lossy().starts_with('-') {
                bail!("`corpus` takes folders and `--limit N`");
            } else {
                options.folders.push(arg.into());
            }
        }
        ensure!(
            !options.folders.is_empty(),
            "`corpus` takes the folders whose files are tried"
        );
        Ok(options)
    }
}

/// What is tried on a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Trial {
    Strip,
    Resize,
    Split,
}

impl Trial {
    const ALL: [Self; 3] = [Self::Strip, Self::Resize, Self::Split];

    /// The stage, as the command takes it.
    fn stage(self) -> String {
        match self {
            Self::Strip => "strip-metadata".into(),
            Self::Resize => format!(
                "image-resize:max_width={0},max_height={0},format=png",
                check::RESIZED_TO
            ),
            Self::Split => "pdf-split".into(),
        }
    }

    fn name(self) -> &'static str {
        match self {
            Self::Strip => "strip-metadata",
            Self::Resize => "image-resize",
            Self::Split => "pdf-split",
        }
    }

    /// Whether files with this extension are tried.
    fn takes(self, extension: &str) -> bool {
        let extensions: &[&str] = match self {
            Self::Strip if media::Kind::of(extension).is_some() => return true,
            Self::Strip => &["jpg", "jpeg", "png"],
            Self::Resize => &["jpg", "jpeg", "png", "gif", "webp", "bmp", "tif", "tiff"],
            Self::Split => &["pdf"],
        };
        extensions
            .iter()
            .any(|known| known.eq_ignore_ascii_case(extension))
    }
}

/// Runs the plugins over the folders, and prints the table.
///
/// # Errors
/// When something is wrong with what a plugin made, or nothing could be tried.
pub(crate) fn run(workspace: &Path, options: &Options) -> Result<()> {
    let command = build(workspace)?;
    let work = std::env::temp_dir().join(format!("forebay-corpus-{}", std::process::id()));
    fs::create_dir(&work).with_context(|| format!("{}", work.display()))?;
    let tried = try_all(&command, &work, options);
    fs::remove_dir_all(&work)?;
    let table = tried?;
    print!("{table}");
    ensure!(
        table.tried() > 0,
        "there are no files in these folders that a plugin takes"
    );
    ensure!(table.wrong() == 0, "{} are wrong", table.wrong());
    Ok(())
}

/// Builds the command, and returns where it is.
fn build(workspace: &Path) -> Result<PathBuf> {
    // As the demo builds it, so that nothing is compiled twice.
    let build = [&["build", "--quiet"], &features::DEMO[..]].concat();
    let status = crate::cargo_command(workspace, &build).status()?;
    ensure!(status.success(), "the command does not build");
    let target =
        std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| "target".into(), PathBuf::from);
    Ok(workspace.join(target).join("debug/forebay"))
}

fn try_all(command: &Path, work: &Path, options: &Options) -> Result<Table> {
    let mut files = Vec::new();
    for folder in &options.folders {
        find(folder, &mut files).with_context(|| format!("{}", folder.display()))?;
    }
    files.sort();
    let mut table = Table::default();
    for trial in Trial::ALL {
        let chosen: Vec<&PathBuf> = files
            .iter()
            .filter(|file| {
                let extension = file.extension().unwrap_or_default();
                trial.takes(&extension.to_string_lossy())
            })
            .collect();
        let most = options.limit.unwrap_or(usize::MAX);
        // Spread over all of them, and the same in each run.
        let step = chosen.len().div_ceil(most).max(1);
        for (at, file) in chosen.iter().step_by(step).enumerate() {
            let outcome = try_one(command, work, trial, file)?;
            table.add(trial.name(), file, outcome);
            if at % 50 == 49 {
                eprintln!("{}: {} files", trial.name(), at + 1);
            }
        }
    }
    Ok(table)
}

/// Finds regular files in a folder and below. Links are not followed.
fn find(folder: &Path, files: &mut Vec<PathBuf>) -> Result<()> {
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let kind = entry.file_type()?;
        if kind.is_file() {
            files.push(entry.path());
        } else if kind.is_dir() {
            // What may not be read is not tried.
            let _ = find(&entry.path(), files);
        }
    }
    Ok(())
}

fn try_one(command: &Path, work: &Path, trial: Trial, file: &Path) -> Result<Outcome> {
    let out = work.join("out");
    if out.exists() {
        fs::remove_dir_all(&out)?;
    }
    let mut run = Command::new(command);
    run.args(["run", "--quiet", "--stage", &trial.stage(), "--out"])
        .args([&out, &file.to_path_buf()]);
    let ended = tool::run_within(&mut run, LONGEST);
    let Some(ended) = ended.with_context(|| format!("{}", command.display()))? else {
        return Ok(Outcome::Wrong(format!("did not end within {LONGEST:?}")));
    };
    if !ended.status.success() {
        let said = String::from_utf8_lossy(&ended.stderr).into_owned();
        // A plugin that crashes refuses nothing, and neither does a disk that is full.
        let is_refusal = ended.status.code() == Some(1)
            && said.contains(&format!(": stage 1 {}: ", trial.name()))
            && !said.contains("the plugin crashed");
        if !is_refusal {
            return Ok(Outcome::Wrong(format!("{}: {said}", ended.status)));
        }
        let others = match check::is_read_by_others(trial, file)? {
            Some(true) => " (others read it)",
            Some(false) => " (others do not read it either)",
            None => "",
        };
        return Ok(Outcome::Refused(table::reason(&said) + others));
    }
    let mut made: Vec<PathBuf> = Vec::new();
    if out.exists() {
        find(&out, &mut made)?;
    }
    made.sort();
    match trial {
        Trial::Strip => match media::Kind::of_file(file) {
            Some(kind) => media::stripped(kind, file, &made),
            None => check::stripped(file, &made),
        },
        Trial::Resize => check::resized(work, file, &made),
        Trial::Split => check::split(work, file, &made),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use super::*;

    #[test]
    fn options_are_folders_and_a_limit() {
        let parse = |args: &[&str]| Options::parse(args.iter().map(OsString::from));
        let options = parse(&["a", "--limit", "7", "b"]).unwrap();
        assert_eq!(options.folders, [PathBuf::from("a"), "b".into()]);
        assert_eq!(options.limit, Some(7));
        for wrong in [
            &[][..],
            &["--limit", "0", "a"],
            &["--limit", "x", "a"],
            &["a", "--limit"],
            &["--all", "a"],
        ] {
            assert!(parse(wrong).is_err(), "{wrong:?}");
        }
    }

    #[test]
    fn each_plugin_gets_the_files_that_it_is_for() {
        assert!(Trial::Strip.takes("JPG") && Trial::Strip.takes("MOV"));
        assert!(!Trial::Strip.takes("pdf"));
        assert!(Trial::Resize.takes("tiff") && !Trial::Resize.takes("pdf"));
        assert!(Trial::Split.takes("pdf") && !Trial::Split.takes(""));
    }
}
