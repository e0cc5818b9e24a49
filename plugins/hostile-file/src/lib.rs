//! Misbehaves on request, with a folder in its hands: one behaviour a config, for tests of what the host makes of it.
//!
//! WASI has no calls for pipes, sockets, devices, owners or permission bits of files, so none of these is here.

#![allow(clippy::panic, reason = "that is what it is for")]

mod computing;
mod descriptor;
mod disk;
mod handles;
mod input;
mod links;
mod looking;
mod naming;
mod tree;
mod unwaited;

use std::path::Path;

use forebay_plugin::{About, Error, FilePlugin, InputFile, OutputFile};
use schemars::JsonSchema;

pub use input::Attack;

/// The config of `hostile-file`: what to do with a file.
#[derive(Debug, serde::Deserialize, JsonSchema)]
#[serde(tag = "behaviour", rename_all = "kebab-case", deny_unknown_fields)]
pub enum Behaviour {
    // Computing.
    /// Compute without end.
    Spin,
    /// Sleep for an hour.
    Sleep,
    /// Panic with a file half written.
    Panic,
    /// Call itself without end.
    Recurse,
    /// Take memory without end.
    Grow,

    // Links. Each names the link as an output.
    /// Make a link to this place.
    Link {
        /// Where it points to.
        target: String,
    },
    /// Make so many links, each to the next, and a file at the end.
    LinkChain {
        /// How many.
        count: u32,
    },
    /// Make a link that points to itself.
    LinkLoop,
    /// Make a link to this folder, and name this file behind it.
    LinkFolder {
        /// Where it points to.
        target: String,
        /// The file behind it.
        file: String,
    },
    /// Write through a link to this place.
    LinkWrite {
        /// Where it points to.
        target: String,
    },
    /// Give the input itself a second name in the output folder.
    HardLinkInput,
    /// Write one file, give it a second name, and hand both back.
    HardLinkOutput,

    /// Make so many files, each through a link to where there is none yet.
    ThroughLink {
        /// How many.
        count: u32,
    },
    /// Try a hard link, a symbolic link and a move from one place to another, and tell how each went.
    WayBetween {
        /// From where. In the output folder it is made first.
        from: String,
        /// To where.
        to: String,
    },

    // Naming.
    /// Write a file, and name this path in its place.
    Path {
        /// The path.
        path: String,
    },
    /// Write a file, and hand it back under this name.
    Name {
        /// The name.
        name: String,
    },
    /// Write a file of this path, and hand it back.
    FileName {
        /// The path.
        path: String,
    },
    /// Hand a folder back.
    Folder,
    /// Hand the same file back twice.
    Twice,
    /// Hand a file back that was removed.
    Removed,
    /// Hand a file back by the name that it had before.
    Renamed,
    /// Hand back so many outputs that do not exist, each with words of so many bytes.
    Claims {
        /// How many.
        count: u32,
        /// How many bytes.
        bytes: usize,
    },

    // Disk space.
    /// Write one file without end.
    Endless,
    /// Write files of 1 MiB without end.
    EndlessFiles,
    /// Write one file without end, so many folders down.
    EndlessBelow {
        /// How many folders.
        levels: u32,
        /// Bytes of the name of each.
        bytes: usize,
    },
    /// Remove a file, and write to it without end.
    EndlessRemoved,
    /// Write to a file without end, and rename the folder that holds it after each write.
    EndlessRenamed,
    /// Make a file of so many bytes with nothing in it but a last byte, and hand it back.
    Sparse {
        /// How many.
        bytes: u64,
    },
    /// Make so many files of one byte.
    Files {
        /// How many.
        count: u32,
        /// Whether to hand them back.
        named: bool,
    },
    /// Make so many empty files.
    EmptyFiles {
        /// How many.
        count: u32,
    },

    // Writes that nobody waits for.
    /// Begin to write so many bytes to each of so many files, and hand them back before they are written.
    LeaveWrites {
        /// How many files.
        count: u32,
        /// How many bytes.
        bytes: usize,
        /// From where in each file.
        offset: u64,
        /// Whether to close the streams.
        close: bool,
    },

    // Folders.
    /// Make so many folders, each within the one before.
    Deep {
        /// How many.
        levels: u32,
        /// Bytes of the name of each.
        bytes: usize,
    },
    /// Make so many folders, each within the one before, and hand back so many files from the last one.
    DeepOutputs {
        /// How many folders.
        levels: u32,
        /// How many files.
        count: u32,
    },
    /// Make so many folders side by side.
    Wide {
        /// How many.
        count: u32,
    },
    /// Remove the output folder, or move it away.
    MoveFolder,

    // Handles.
    /// Open so many files and close none.
    OpenFiles {
        /// How many.
        count: u32,
    },
    /// Begin to list a folder so often, read a thousand entries of each list, and hold them all.
    HoldLists {
        /// Which folder.
        path: String,
        /// How many.
        count: u32,
    },
    /// List a folder of so many files so often, to the first entry, and close no list.
    OpenLists {
        /// How many files.
        files: u32,
        /// How often.
        count: u32,
    },
    /// Call the file functions with the largest numbers that there are, and hand back what came of it.
    Extremes,

    // The outside.
    /// Do this to the input, which is read-only. Fails when nothing comes of it.
    Input {
        /// What to do.
        attack: Attack,
    },
    /// Write this path, wherever it lies. Fails when nothing comes of it.
    Write {
        /// The path.
        path: String,
    },
    /// Hand back all that can be seen, as lines of text. The input must be text.
    Look,
}

/// The plugin.
#[derive(Debug)]
pub struct HostileFile;

impl FilePlugin for HostileFile {
    type Config = Behaviour;
    const ABOUT: About = About {
        name: "hostile-file",
        version: env!("CARGO_PKG_VERSION"),
        summary: "Misbehaves on request with files, for tests",
        accepts: &["*/*"],
        produces: &[],
    };

    fn transform(
        input: &InputFile,
        folder: &Path,
        behaviour: Behaviour,
    ) -> Result<Vec<OutputFile>, Error> {
        use Behaviour as B;
        match behaviour {
            B::Spin => computing::spin(),
            B::Sleep => computing::sleep(),
            B::Panic => {
                write(&folder.join("half"), "half a ")?;
                panic!("on second thoughts")
            }
            B::Recurse => Err(Error::Failed(computing::recurse(0).to_string())),
            B::Grow => computing::grow(),

            B::Link { target } => links::link(folder, &target),
            B::LinkChain { count } => links::chain(folder, count),
            B::LinkLoop => links::link(folder, "link"),
            B::LinkFolder { target, file } => links::link_folder(folder, &target, &file),
            B::LinkWrite { target } => links::link_write(folder, &target),
            B::HardLinkInput => links::hard_link_input(input, folder),
            B::HardLinkOutput => links::hard_link_output(folder),
            B::ThroughLink { count } => links::through_link(folder, count),
            B::WayBetween { from, to } => links::way_between(folder, &from, &to),

            B::Path { path } => naming::path(folder, path),
            B::Name { name } => naming::name(folder, name),
            B::FileName { path } => naming::file_name(folder, path),
            B::Folder => naming::folder(folder),
            B::Twice => naming::twice(folder),
            B::Removed => naming::removed(folder),
            B::Renamed => naming::renamed(folder),
            B::Claims { count, bytes } => Ok(naming::claims(count, bytes)),

            B::Endless => disk::endless(&folder.join("endless")),
            B::EndlessFiles => disk::endless_files(folder),
            B::EndlessBelow { levels, bytes } => tree::endless_below(levels, bytes),
            B::EndlessRemoved => disk::endless_removed(folder),
            B::EndlessRenamed => disk::endless_renamed(folder),
            B::Sparse { bytes } => disk::sparse(folder, bytes),
            B::Files { count, named } => disk::files(folder, count, named),
            B::EmptyFiles { count } => disk::empty_files(folder, count),

            B::LeaveWrites {
                count,
                bytes,
                offset,
                close,
            } => unwaited::leave(count, bytes, offset, close),

            B::Deep { levels, bytes } => tree::deep(levels, bytes),
            B::DeepOutputs { levels, count } => tree::deep_outputs(levels, count),
            B::Wide { count } => tree::wide(folder, count),
            B::MoveFolder => tree::move_folder(folder),

            B::OpenFiles { count } => handles::open_files(count),
            B::HoldLists { path, count } => handles::hold_lists(&path, count),
            B::OpenLists { files, count } => handles::open_lists(folder, files, count),
            B::Extremes => handles::extremes(folder),

            B::Input { attack } => input::attack(input, attack),
            B::Write { path } => {
                write(Path::new(&path), "written")?;
                Ok(Vec::new())
            }
            B::Look => looking::look(input, folder),
        }
    }
}

/// An output of this path, named like it.
fn output(path: &str) -> OutputFile {
    OutputFile {
        path: path.into(),
        name: path.rsplit('/').next().unwrap_or_default().into(),
    }
}

fn write(path: &Path, text: &str) -> Result<(), Error> {
    std::fs::write(path, text).map_err(told)
}

/// What the host said, for a test to read.
fn told(error: impl std::fmt::Display) -> Error {
    Error::Failed(error.to_string())
}

forebay_plugin::export_file!(HostileFile);

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use super::*;

    #[test]
    fn the_config_can_be_described() {
        forebay_plugin::config_schema::<Behaviour>().unwrap();
    }
}
