//! Links to where nothing should lead.

use std::fs;
use std::path::Path;

use forebay_plugin::{Error, InputFile, OutputFile};

use crate::{output, told, write};

/// Makes a symbolic link.
#[allow(deprecated, reason = "the only stable name of it for this target")]
pub(crate) fn symlink(target: &str, link: &Path) -> Result<(), Error> {
    fs::soft_link(target, link).map_err(told)
}

pub(crate) fn link(folder: &Path, target: &str) -> Result<Vec<OutputFile>, Error> {
    symlink(target, &folder.join("link"))?;
    Ok(vec![output("link")])
}

pub(crate) fn chain(folder: &Path, count: u32) -> Result<Vec<OutputFile>, Error> {
    for at in 0..count {
        symlink(&(at + 1).to_string(), &folder.join(at.to_string()))?;
    }
    write(&folder.join(count.to_string()), "the end")?;
    Ok(vec![output("0")])
}

pub(crate) fn link_folder(
    folder: &Path,
    target: &str,
    file: &str,
) -> Result<Vec<OutputFile>, Error> {
    symlink(target, &folder.join("folder"))?;
    Ok(vec![output(&format!("folder/{file}"))])
}

pub(crate) fn link_write(folder: &Path, target: &str) -> Result<Vec<OutputFile>, Error> {
    let link = folder.join("link");
    symlink(target, &link)?;
    write(&link, "written through a link")?;
    Ok(vec![output("link")])
}

pub(crate) fn hard_link_input(input: &InputFile, folder: &Path) -> Result<Vec<OutputFile>, Error> {
    let second = folder.join("second");
    fs::hard_link(&input.path, &second).map_err(told)?;
    write(&second, "another input")?;
    Ok(vec![output("second")])
}

pub(crate) fn hard_link_output(folder: &Path) -> Result<Vec<OutputFile>, Error> {
    write(&folder.join("first"), "one file")?;
    fs::hard_link(folder.join("first"), folder.join("second")).map_err(told)?;
    Ok(vec![output("first"), output("second")])
}

pub(crate) fn way_between(folder: &Path, from: &str, to: &str) -> Result<Vec<OutputFile>, Error> {
    if Path::new(from).starts_with(folder) {
        write(Path::new(from), "its own")?;
    }
    let said = |tried: Result<(), String>| tried.err().unwrap_or_else(|| "went".into());
    let hard = said(fs::hard_link(from, to).map_err(|error| error.to_string()));
    let soft = said(symlink("elsewhere", Path::new(to)).map_err(|error| error.to_string()));
    if soft == "went" {
        fs::remove_file(to).map_err(told)?;
    }
    let moved = said(fs::rename(from, to).map_err(|error| error.to_string()));
    write(
        &folder.join("told.txt"),
        &format!("{hard}\n{soft}\n{moved}\n"),
    )?;
    Ok(vec![output("told.txt")])
}

pub(crate) fn through_link(folder: &Path, count: u32) -> Result<Vec<OutputFile>, Error> {
    let link = folder.join("link");
    symlink("target", &link)?;
    for at in 0..count {
        fs::File::create(&link).map_err(told)?;
        fs::rename(folder.join("target"), folder.join(at.to_string())).map_err(told)?;
    }
    Ok(Vec::new())
}
