//! Outputs that are not what they are called.

use std::fs;
use std::path::Path;

use forebay_plugin::{Error, OutputFile};

use crate::{output, told, write};

const FILE: &str = "file.txt";

fn honest(folder: &Path) -> Result<(), Error> {
    write(&folder.join(FILE), "some words")
}

pub(crate) fn path(folder: &Path, path: String) -> Result<Vec<OutputFile>, Error> {
    honest(folder)?;
    let name = FILE.into();
    Ok(vec![OutputFile { path, name }])
}

pub(crate) fn name(folder: &Path, name: String) -> Result<Vec<OutputFile>, Error> {
    honest(folder)?;
    let path = FILE.into();
    Ok(vec![OutputFile { path, name }])
}

pub(crate) fn file_name(folder: &Path, path: String) -> Result<Vec<OutputFile>, Error> {
    write(&folder.join(&path), "some words")?;
    let name = FILE.into();
    Ok(vec![OutputFile { path, name }])
}

pub(crate) fn folder(folder: &Path) -> Result<Vec<OutputFile>, Error> {
    fs::create_dir(folder.join("folder")).map_err(told)?;
    Ok(vec![output("folder")])
}

pub(crate) fn twice(folder: &Path) -> Result<Vec<OutputFile>, Error> {
    honest(folder)?;
    Ok(vec![output(FILE), output(FILE)])
}

pub(crate) fn removed(folder: &Path) -> Result<Vec<OutputFile>, Error> {
    honest(folder)?;
    fs::remove_file(folder.join(FILE)).map_err(told)?;
    Ok(vec![output(FILE)])
}

pub(crate) fn renamed(folder: &Path) -> Result<Vec<OutputFile>, Error> {
    honest(folder)?;
    fs::rename(folder.join(FILE), folder.join("another.txt")).map_err(told)?;
    Ok(vec![output(FILE)])
}

pub(crate) fn claims(count: u32, bytes: usize) -> Vec<OutputFile> {
    let word = "n".repeat(bytes);
    let claim = OutputFile {
        path: word.clone(),
        name: word,
    };
    vec![claim; count as usize]
}
