//! The inputs that a command line names.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};

use forebay::Source;
use serde_json::{Value, json};

use crate::select::Filter;
use crate::stop;
use crate::summary::count;

/// Most names of skipped entries that are told in one line.
const TOLD: usize = 3;

/// Files that systems put into folders for themselves, in small letters. Names that begin with a dot are not listed.
const SYSTEM_FILES: [&str; 4] = ["thumbs.db", "ehthumbs.db", "desktop.ini", "icon\r"];

/// Folders of the same kind.
const SYSTEM_FOLDERS: [&str; 4] = [
    "__macosx",
    "$recycle.bin",
    "system volume information",
    "@eadir",
];

/// Whether standard input is an input of this run.
static READS_STDIN: AtomicBool = AtomicBool::new(false);

/// Whether standard input is an input of this run. Reading it may never end.
pub(crate) fn reads_stdin() -> bool {
    READS_STDIN.load(Ordering::Relaxed)
}

/// An input as the command line named it.
pub(crate) struct Input {
    pub(crate) shown: String,
    pub(crate) path: PathBuf,
    /// Folders between the folder that was named and the file.
    pub(crate) beneath: PathBuf,
}

impl Input {
    /// Whether it is standard input, by its own name.
    pub(crate) fn is_stdin(&self) -> bool {
        self.path == Path::new("-")
    }

    /// Its name in a message.
    pub(crate) fn told(&self) -> &str {
        if self.is_stdin() {
            "standard input"
        } else {
            &self.shown
        }
    }

    /// The file itself. `stdin_name` is the name of the file that comes from standard input.
    pub(crate) fn source(&self, stdin_name: &str) -> Source {
        if self.is_stdin() {
            READS_STDIN.store(true, Ordering::Relaxed);
            Source::reader(stdin_name, tokio::io::stdin())
        } else {
            Source::path(&self.path)
        }
    }
}

/// A path that could not be read.
#[derive(Debug)]
pub(crate) struct Problem {
    pub(crate) shown: String,
    pub(crate) message: String,
}

/// How folders are walked.
#[derive(Debug, Clone, Default)]
pub(crate) struct Walk {
    /// Also takes hidden files and folders, and those of the system.
    pub(crate) hidden: bool,
    /// Follows symbolic links.
    pub(crate) follow_links: bool,
    /// Files and folders that the run itself writes.
    pub(crate) own: Vec<PathBuf>,
}

/// What a walk passed over.
#[derive(Debug, Default)]
pub(crate) struct PassedOver {
    /// Hidden files and folders, and those of the system.
    pub(crate) hidden: u64,
    /// Symbolic links.
    pub(crate) links: Vec<String>,
    /// Pipes, devices and sockets.
    pub(crate) special: Vec<String>,
    /// Files and folders that the run itself writes.
    pub(crate) own: Vec<String>,
}

impl PassedOver {
    pub(crate) fn to_json(&self) -> Value {
        json!({
            "hidden": self.hidden,
            "links": self.links,
            "special": self.special,
            "own": self.own,
        })
    }

    /// Describes it, if there is anything.
    pub(crate) fn in_words(&self) -> Option<String> {
        let mut parts = Vec::new();
        if self.hidden > 0 {
            let them = if self.hidden == 1 { "it" } else { "them" };
            parts.push(format!(
                "{} (--hidden takes {them})",
                count(self.hidden, "hidden file")
            ));
        }
        let mut add = |names: &[String], noun: &str, how: &str| {
            if let Some(names_told) = names.get(..names.len().min(TOLD)).filter(|n| !n.is_empty()) {
                let more = if names.len() > TOLD { ", …" } else { "" };
                let (many, told) = (count(names.len() as u64, noun), names_told.join(", "));
                parts.push(format!("{many} ({told}{more}{how})"));
            }
        };
        add(&self.links, "symbolic link", "; -L follows links");
        add(&self.special, "pipe, socket or device", "");
        add(&self.own, "own file", "; this run writes there");
        (!parts.is_empty()).then(|| format!("skipped {}", parts.join(", ")))
    }
}

/// What the named paths stand for.
#[derive(Default)]
pub(crate) struct Expanded {
    pub(crate) inputs: Vec<Input>,
    pub(crate) problems: Vec<Problem>,
    pub(crate) passed_over: PassedOver,
}

/// Returns files as they are, all files in folders and their subfolders, and the paths that cannot be read.
///
/// What is named itself is always taken. In a folder, hidden files, symbolic links, pipes and devices are passed over, and
/// files that forebay itself left there when it was killed.
pub(crate) fn expand(named: &[PathBuf], filter: &Filter, walk: &Walk) -> Expanded {
    let mut expanded = Expanded::default();
    for path in named {
        if path.is_dir() {
            expanded.walk(path, filter, walk);
        } else {
            expanded.inputs.push(Input {
                shown: path.display().to_string(),
                path: path.clone(),
                beneath: PathBuf::new(),
            });
        }
    }
    expanded
}

impl Expanded {
    fn walk(&mut self, folder: &Path, filter: &Filter, walk: &Walk) {
        let own: Vec<PathBuf> = walk
            .own
            .iter()
            .filter_map(|path| path.canonicalize().ok())
            .collect();
        let mut entries = walkdir::WalkDir::new(folder)
            .follow_links(walk.follow_links)
            .sort_by_file_name()
            .into_iter();
        // An interrupt may come while a large folder is walked.
        while let (Some(entry), None) = (entries.next(), stop::reason()) {
            let entry = match entry {
                Ok(entry) => entry,
                Err(error) => {
                    self.add_problem(folder, &error);
                    continue;
                }
            };
            let kind = entry.file_type();
            if entry.depth() > 0 && self.passes_over(&entry, folder, filter, walk, &own) {
                if kind.is_dir() {
                    entries.skip_current_dir();
                }
            } else if kind.is_file() {
                let beneath = beneath(entry.path(), folder).parent();
                self.inputs.push(Input {
                    shown: entry.path().display().to_string(),
                    beneath: beneath.unwrap_or(Path::new("")).to_owned(),
                    path: entry.into_path(),
                });
            }
        }
    }

    fn passes_over(
        &mut self,
        entry: &walkdir::DirEntry,
        folder: &Path,
        filter: &Filter,
        walk: &Walk,
        own: &[PathBuf],
    ) -> bool {
        let (path, kind) = (entry.path(), entry.file_type());
        let shown = || path.display().to_string();
        if forebay::is_work_in_progress(path) {
            return true;
        }
        if !walk.hidden && is_hidden(entry) {
            self.passed_over.hidden += 1;
        } else if kind.is_symlink() {
            self.passed_over.links.push(shown());
        } else if !kind.is_file() && !kind.is_dir() {
            self.passed_over.special.push(shown());
        } else if !own.is_empty() && path.canonicalize().is_ok_and(|path| own.contains(&path)) {
            self.passed_over.own.push(shown());
        } else {
            return kind.is_dir() && !filter.enters(beneath(path, folder));
        }
        true
    }

    fn add_problem(&mut self, folder: &Path, error: &walkdir::Error) {
        let path = error.path().unwrap_or(folder);
        let shown = path.display().to_string();
        if let Some(above) = error.loop_ancestor() {
            // Everything in it is reached without the link.
            let link = format!("{shown} leads back to {}", above.display());
            self.passed_over.links.push(link);
            return;
        }
        let message = match error.io_error() {
            Some(reason) => format!("{shown}: {reason}"),
            None => error.to_string(),
        };
        self.problems.push(Problem { shown, message });
    }
}

/// The path within the folder that was named.
fn beneath<'a>(path: &'a Path, folder: &Path) -> &'a Path {
    path.strip_prefix(folder).unwrap_or(path)
}

/// Whether people do not see this entry when they look at the folder.
fn is_hidden(entry: &walkdir::DirEntry) -> bool {
    let name = entry.file_name();
    if name.as_encoded_bytes().starts_with(b".") {
        return true;
    }
    let name = name.to_string_lossy().to_lowercase();
    let names = if entry.file_type().is_dir() {
        SYSTEM_FOLDERS
    } else {
        SYSTEM_FILES
    };
    names.contains(&name.as_str())
}
