//! The input, which is not the plugin's to change.

use std::fs::{self, File};
use std::path::Path;

use forebay_plugin::{Error, InputFile, OutputFile};
use schemars::JsonSchema;

use crate::{told, write};

/// What to do to the input.
#[derive(Debug, Clone, Copy, serde::Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Attack {
    /// Write over it.
    Overwrite,
    /// Cut it off.
    Truncate,
    /// Remove it.
    Remove,
    /// Move it into the output folder.
    Move,
    /// Put another file beside it.
    Create,
    /// Put a folder beside it.
    CreateFolder,
    /// Put a link beside it.
    CreateLink,
    /// Make it look as if it were old.
    Touch,
}

pub(crate) fn attack(input: &InputFile, attack: Attack) -> Result<Vec<OutputFile>, Error> {
    let path = &input.path;
    let beside = path.with_file_name("beside");
    match attack {
        Attack::Overwrite => write(path, "another input")?,
        Attack::Truncate => File::options()
            .write(true)
            .open(path)
            .and_then(|file| file.set_len(0))
            .map_err(told)?,
        Attack::Remove => fs::remove_file(path).map_err(told)?,
        Attack::Move => fs::rename(path, Path::new("/out/moved")).map_err(told)?,
        Attack::Create => write(&beside, "another input")?,
        Attack::CreateFolder => fs::create_dir(&beside).map_err(told)?,
        Attack::CreateLink => crate::links::symlink("/etc/passwd", &beside)?,
        Attack::Touch => File::open(path)
            .and_then(|file| file.set_modified(std::time::SystemTime::UNIX_EPOCH))
            .map_err(told)?,
    }
    Ok(Vec::new())
}
