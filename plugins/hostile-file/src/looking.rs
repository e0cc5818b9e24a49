//! What there is to see of the outside.

use std::fmt::Write as _;
use std::fs;
use std::io::Read as _;
use std::path::Path;

use forebay_plugin::{Error, InputFile, OutputFile};
use wasip2::cli::environment;
use wasip2::filesystem::preopens;
use wasip2::filesystem::types::{DescriptorFlags, OpenFlags, PathFlags};

use crate::{output, write};

/// Places where a host may have something to hide, from the root and from either folder.
const PLACES: [&str; 16] = [
    "/",
    ".",
    "..",
    "../..",
    "/in/..",
    "/out/..",
    "/in/../in",
    "/tmp",
    "/etc",
    "/etc/passwd",
    "/proc/self/environ",
    "/dev/random",
    "in/../../out",
    "./..",
    "../in",
    "../../../../../../../../etc/passwd",
];

/// One line for each thing that was found: the two folders and the input are there, and nothing else should be.
pub(crate) fn look(input: &InputFile, folder: &Path) -> Result<Vec<OutputFile>, Error> {
    let mut seen = String::new();
    let mut found = |what: &str, which: String| {
        let _ = writeln!(seen, "{what}: {}", which.escape_debug());
    };
    for (key, value) in environment::get_environment() {
        found("variable", format!("{key}={value}"));
    }
    for argument in environment::get_arguments() {
        found("argument", argument);
    }
    if let Some(folder) = environment::initial_cwd() {
        found("working folder", folder);
    }
    let mut typed = Vec::new();
    if std::io::stdin().take(100).read_to_end(&mut typed).is_ok() && !typed.is_empty() {
        found("standard input", format!("{typed:?}"));
    }
    for place in PLACES {
        if fs::read_dir(place).is_ok() || fs::File::open(place).is_ok() {
            found("opened", place.into());
        }
        if fs::metadata(place).is_ok() {
            found("metadata", place.into());
        }
    }
    for (preopen, path) in preopens::get_directories() {
        found("preopened folder", path.clone());
        for entry in fs::read_dir(&path).into_iter().flatten().flatten() {
            found("entry", entry.path().display().to_string());
        }
        for place in PLACES {
            let opened = preopen.open_at(
                PathFlags::SYMLINK_FOLLOW,
                place,
                OpenFlags::empty(),
                DescriptorFlags::READ,
            );
            if opened.is_ok() && place != "." {
                found("opened from there", place.into());
            }
            if preopen.stat_at(PathFlags::SYMLINK_FOLLOW, place).is_ok() && place != "." {
                found("metadata from there", place.into());
            }
        }
    }
    found("input", input.path.display().to_string());
    write(&folder.join("seen.txt"), &seen)?;
    Ok(vec![output("seen.txt")])
}
