//! Which files a run takes: the inputs that are named, those of a list, and patterns that leave some out.
//!
//! A pattern without a slash is matched against names: `*.jpg` is every JPEG file at any depth. A pattern with a slash is
//! matched against the path within the folder that was named: `2024/*.jpg`. What matches a folder also matches everything
//! in it. A file that was named itself is matched by its name.

use std::cell::Cell;
use std::collections::{HashMap, HashSet};
use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::time::Duration;

use anyhow::{Context as _, Result, bail, ensure};
use clap::Args;
use globset::{GlobBuilder, GlobMatcher};

use crate::args::Common;
use crate::inputs::{Expanded, Input, PassedOver, Problem, Walk, expand};
use crate::summary::count;
use crate::{stop, streams};

/// How often a list that does not come is left, if the run is asked to end.
const STOP_CHECK: Duration = Duration::from_millis(50);

/// Most names that are told in one line.
const TOLD: usize = 3;

/// Flags that select files.
#[derive(Debug, Args)]
pub(crate) struct Selection {
    /// Take only files that match this pattern, such as `*.jpg` or `2024/**`; may be given several times
    ///
    /// A pattern without a slash is matched against the names of files and folders, at any depth. A pattern with a slash
    /// is matched against the path within the folder that was named, where `*` stops at a slash and `**` does not. If a
    /// folder matches, all files in it do. `{jpg,png}` and `[0-9]` work as well. Quote the pattern, or the shell replaces
    /// it.
    #[arg(long, value_name = "PATTERN", help_heading = "Which files")]
    include: Vec<String>,

    /// Leave out files and folders that match this pattern, even if they match --include; may be given several times
    #[arg(long, value_name = "PATTERN", help_heading = "Which files")]
    exclude: Vec<String>,

    /// Ignore upper and lower case in patterns: `*.jpg` also matches `IMG_1.JPG`
    #[arg(long, help_heading = "Which files")]
    ignore_case: bool,

    /// Also take hidden files and folders of a folder, and those of the system, such as .DS_Store and Thumbs.db
    ///
    /// A file or folder that is named itself is always taken.
    #[arg(long, help_heading = "Which files")]
    hidden: bool,

    /// Follow symbolic links in folders; without it they are skipped
    #[arg(short = 'L', long, help_heading = "Which files")]
    follow_links: bool,

    /// Also take the files and folders that are listed in this file, one a line; `-` is standard input
    ///
    /// Each line is one name as it is, with its spaces and quotes. Empty lines are skipped. A file that is listed several
    /// times, or is in a listed folder as well, is taken once.
    #[arg(long, value_name = "FILE", help_heading = "Which files")]
    files_from: Option<PathBuf>,

    /// The names in --files-from end with a NUL character in place of a line break, as `find -print0` writes them
    #[arg(
        short = '0',
        long,
        requires = "files_from",
        help_heading = "Which files"
    )]
    null: bool,
}

impl Selection {
    /// Checks that no flag would be ignored.
    pub(crate) fn check(&self) -> Result<()> {
        ensure!(
            !(self.ignore_case && self.include.is_empty() && self.exclude.is_empty()),
            "--ignore-case is for the patterns of --include and --exclude, and there are none"
        );
        Ok(())
    }
}

/// The files of a run.
pub(crate) struct Selected {
    pub(crate) inputs: Vec<Input>,
    /// What could not be read.
    pub(crate) problems: Vec<Problem>,
    /// What was passed over in folders.
    pub(crate) passed_over: PassedOver,
    /// What was left out, skipped and named several times, in words.
    pub(crate) left_out: Option<String>,
}

/// Finds the files that the command line names and selects. Files and folders in `own` are those that the run writes.
pub(crate) fn select(common: &Common, own: &[&Path]) -> Result<Selected> {
    let selection = &common.selection;
    let filter = Filter::new(selection)?;
    let mut named = common.inputs.clone();
    let list = selection.files_from.as_deref();
    streams::check_stdin(&named, list)?;
    if let Some(list) = list {
        let listed = read_list(list, selection.null);
        named.extend(listed.with_context(|| format!("--files-from {}", list.display()))?);
        streams::check_stdin(&named, Some(list))?;
    }
    let own = own.iter().copied();
    let own = own.chain(common.report.as_deref());
    let walk = Walk {
        hidden: selection.hidden,
        follow_links: selection.follow_links,
        own: own
            .chain(common.journal.as_deref())
            .map(Path::to_owned)
            .collect(),
    };
    let Expanded {
        mut inputs,
        problems,
        passed_over,
    } = expand(&named, &filter, &walk);
    let repeated = take_once(&mut inputs);
    inputs.retain(|input| filter.takes(input));
    // In folders pipes are passed over.
    let named = inputs.iter().filter(|input| input.beneath == Path::new(""));
    streams::check_pipes(named.map(|input| input.path.as_path()))?;
    let left_out: Vec<String> = filter
        .left_out()
        .into_iter()
        .chain(passed_over.in_words())
        .chain(repeated)
        .collect();
    let left_out = (!left_out.is_empty()).then(|| left_out.join("; "));
    if inputs.is_empty() && problems.is_empty() && stop::reason().is_none() {
        match left_out {
            Some(left_out) => bail!("there are no files left to take: {left_out}"),
            None => bail!("there are no files in what was named"),
        }
    }
    Ok(Selected {
        inputs,
        problems,
        passed_over,
        left_out,
    })
}

/// Takes each file once, however often it is named: `find` lists a folder and then each file in it. Says which were named
/// several times.
fn take_once(inputs: &mut Vec<Input>) -> Option<String> {
    // The folders that were named, and those of files that were named. What is beneath is reached by one path.
    let mut folders: HashMap<PathBuf, PathBuf> = HashMap::new();
    let mut known = HashSet::new();
    let mut repeated: Vec<String> = Vec::new();
    inputs.retain(|input| {
        let Some(name) = input.path.file_name().filter(|_| !input.is_stdin()) else {
            return true;
        };
        let above = input.beneath.components().count() + 1;
        let folder = input.path.ancestors().nth(above).unwrap_or(Path::new(""));
        let folder = folders.entry(folder.to_owned()).or_insert_with(|| {
            let shown = if folder == Path::new("") {
                Path::new(".")
            } else {
                folder
            };
            shown.canonicalize().unwrap_or_else(|_| shown.to_owned())
        });
        let is_new = known.insert(folder.join(&input.beneath).join(name));
        if !is_new && !repeated.contains(&input.shown) && repeated.len() <= TOLD {
            repeated.push(input.shown.clone());
        }
        is_new
    });
    match repeated.as_slice() {
        [] => None,
        [only] => Some(format!("{only} is named several times and taken once")),
        several => {
            let told = several.get(..several.len().min(TOLD)).unwrap_or_default();
            let more = if several.len() > TOLD { ", …" } else { "" };
            Some(format!(
                "these files are named several times and taken once: {}{more}",
                told.join(", ")
            ))
        }
    }
}

/// Patterns that say which files are taken.
pub(crate) struct Filter {
    include: Vec<Pattern>,
    exclude: Vec<Pattern>,
    /// The patterns of `include`, in upper and lower case alike.
    in_any_case: Vec<Pattern>,
    /// Files that were left out and would match in the other case.
    other_case: Cell<u64>,
    files: Cell<u64>,
    folders: Cell<u64>,
}

impl Filter {
    fn new(selection: &Selection) -> Result<Self> {
        let ignore_case = selection.ignore_case;
        let patterns = |flag: &str, texts: &[String], ignore_case| {
            let parsed = texts.iter().map(|text| {
                Pattern::new(text, ignore_case).with_context(|| format!("{flag} `{text}`"))
            });
            parsed.collect::<Result<Vec<_>>>()
        };
        Ok(Self {
            include: patterns("--include", &selection.include, ignore_case)?,
            exclude: patterns("--exclude", &selection.exclude, ignore_case)?,
            in_any_case: patterns("--include", &selection.include, true)?,
            other_case: Cell::new(0),
            files: Cell::new(0),
            folders: Cell::new(0),
        })
    }

    /// Whether the files in this folder may be taken. The path starts at the folder that was named.
    pub(crate) fn enters(&self, folder: &Path) -> bool {
        let left_out = self
            .exclude
            .iter()
            .any(|pattern| pattern.matches(folder, true));
        if left_out {
            self.folders.set(self.folders.get() + 1);
        }
        !left_out
    }

    fn takes(&self, input: &Input) -> bool {
        if input.is_stdin() {
            return true;
        }
        let name = input.path.file_name().unwrap_or_default();
        let path = input.beneath.join(name);
        let matches = |patterns: &[Pattern]| {
            let mut patterns = patterns.iter();
            patterns.any(|pattern| pattern.matches(&path, false))
        };
        let included = self.include.is_empty() || matches(&self.include);
        let excluded = matches(&self.exclude);
        let takes = included && !excluded;
        if !takes {
            self.files.set(self.files.get() + 1);
        }
        if !included && !excluded && matches(&self.in_any_case) {
            self.other_case.set(self.other_case.get() + 1);
        }
        takes
    }

    fn left_out(&self) -> Option<String> {
        let parts: Vec<String> = [(self.files.get(), "file"), (self.folders.get(), "folder")]
            .into_iter()
            .filter(|(many, _)| *many > 0)
            .map(|(many, noun)| count(many, noun))
            .collect();
        let flags = match (self.include.is_empty(), self.exclude.is_empty()) {
            (false, true) => "--include",
            (true, false) => "--exclude",
            _ => "--include and --exclude",
        };
        let hint = match self.other_case.get() {
            0 => String::new(),
            some => format!(" ({some} of them would match with --ignore-case)"),
        };
        (!parts.is_empty()).then(|| format!("{flags} left out {}{hint}", parts.join(" and ")))
    }
}

struct Pattern {
    matcher: GlobMatcher,
    /// Matched against paths, not against names.
    has_slash: bool,
    /// It ended in a slash, so that it matches folders alone.
    folders_only: bool,
}

impl Pattern {
    fn new(text: &str, ignore_case: bool) -> Result<Self> {
        let (folders_only, rest) = match text.strip_suffix('/') {
            Some(rest) => (true, rest),
            None => (false, text),
        };
        let has_slash = rest.contains('/');
        // A slash at the start only says that the path is meant, and not a name.
        let rest = rest.strip_prefix("./").unwrap_or(rest);
        let rest = rest.strip_prefix('/').unwrap_or(rest);
        ensure!(!matches!(rest, "" | "."), "the pattern is empty");
        let mut builder = GlobBuilder::new(rest);
        builder
            .literal_separator(true)
            .case_insensitive(ignore_case)
            .backslash_escape(true);
        let glob = match builder.build() {
            Ok(glob) => glob,
            Err(error) => bail!("{}", error.kind()),
        };
        Ok(Self {
            matcher: glob.compile_matcher(),
            has_slash,
            folders_only,
        })
    }

    /// Whether the pattern matches this path or a folder on it.
    fn matches(&self, path: &Path, is_folder: bool) -> bool {
        path.ancestors()
            .filter(|part| !part.as_os_str().is_empty())
            .enumerate()
            .any(|(above, part)| {
                if self.folders_only && above == 0 && !is_folder {
                    return false;
                }
                if self.has_slash {
                    self.matcher.is_match(part)
                } else {
                    part.file_name()
                        .is_some_and(|name| self.matcher.is_match(name))
                }
            })
    }
}

/// Reads a file that may be a pipe or a terminal, on which nobody may ever write. Returns nothing if the run is asked to end
/// meanwhile.
fn read_unless_stopped(list: &Path) -> std::io::Result<Vec<u8>> {
    let (sender, receiver) = mpsc::channel();
    let list = list.to_owned();
    // It ends with the process.
    std::thread::spawn(move || {
        let mut bytes = Vec::new();
        let read = if list == Path::new("-") {
            std::io::stdin().read_to_end(&mut bytes).map(|_| bytes)
        } else {
            std::fs::read(list)
        };
        // Nobody waits for it if the run was asked to end.
        let _ = sender.send(read);
    });
    loop {
        match receiver.recv_timeout(STOP_CHECK) {
            Ok(read) => return read,
            Err(RecvTimeoutError::Timeout) if stop::reason().is_none() => {}
            Err(_) => return Ok(Vec::new()),
        }
    }
}

/// Reads the names in a list.
fn read_list(list: &Path, null: bool) -> Result<Vec<PathBuf>> {
    let bytes = read_unless_stopped(list)?;
    ensure!(
        null || !bytes.contains(&0),
        "there are NUL characters in the list; --null reads such a list"
    );
    let end = if null { 0 } else { b'\n' };
    let mut names = Vec::new();
    for line in bytes.split(|byte| *byte == end) {
        let name = if null { line } else { without_return(line)? };
        if name.is_empty() {
            continue;
        }
        let path = to_path(name)?;
        // In a list, a dash is a file.
        names.push(if path == Path::new("-") {
            Path::new(".").join(path)
        } else {
            path
        });
    }
    Ok(names)
}

/// The name in a line. Windows ends a line with two characters; but a name may end in the first one, too.
fn without_return(line: &[u8]) -> Result<&[u8]> {
    Ok(match line.strip_suffix(b"\r") {
        Some(name) if !to_path(line)?.exists() => name,
        _ => line,
    })
}

#[cfg(unix)]
fn to_path(bytes: &[u8]) -> Result<PathBuf> {
    use std::os::unix::ffi::OsStrExt as _;
    Ok(std::ffi::OsStr::from_bytes(bytes).into())
}

#[cfg(not(unix))]
fn to_path(bytes: &[u8]) -> Result<PathBuf> {
    let text = std::str::from_utf8(bytes).context("the list is not UTF-8")?;
    Ok(text.into())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use super::*;

    #[test]
    fn a_pattern_matches_names_or_paths_and_what_is_in_a_folder() {
        for (pattern, path, expected) in [
            ("*.jpg", "a.jpg", true),
            ("*.jpg", "deep/er/a.jpg", true),
            ("*.jpg", "a.JPG", false),
            ("*.jpg", "a.jpg.txt", false),
            ("2024", "2024/01/a.jpg", true),
            ("2024/", "2024/a.jpg", true),
            ("2024/", "2024", false),
            ("2024/*.jpg", "2024/a.jpg", true),
            ("2024/*.jpg", "2024/01/a.jpg", false),
            ("2024/*.jpg", "old/2024/a.jpg", false),
            ("**/2024/*.jpg", "old/2024/a.jpg", true),
            ("2024/**", "2024/01/a.jpg", true),
            ("/a.jpg", "a.jpg", true),
            ("/a.jpg", "deep/a.jpg", false),
            ("./a.jpg", "a.jpg", true),
            ("*.{jpg,png}", "a.png", true),
            ("IMG_[0-9]*", "x/IMG_7.jpg", true),
            (r"a\*.jpg", "a*.jpg", true),
            (r"a\*.jpg", "ab.jpg", false),
        ] {
            let parsed = Pattern::new(pattern, false).unwrap();
            assert_eq!(
                parsed.matches(Path::new(path), false),
                expected,
                "{pattern} {path}"
            );
        }
        let any_case = Pattern::new("*.jpg", true).unwrap();
        assert!(any_case.matches(Path::new("deep/a.JPG"), false));
        assert!(
            Pattern::new("a/", false)
                .unwrap()
                .matches(Path::new("a"), true)
        );
        for wrong in ["", "/", "./", "a[", "{a"] {
            assert!(Pattern::new(wrong, false).is_err(), "{wrong}");
        }
    }
}
