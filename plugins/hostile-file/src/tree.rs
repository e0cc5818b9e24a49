//! Folders without end, in depth and in breadth.

use std::fs;
use std::path::Path;

use forebay_plugin::{Error, OutputFile};
use wasip2::filesystem::types::Descriptor;

use crate::{descriptor, output, told};

/// Goes down, a folder at a time: no path is as long as the way may get.
fn descend(levels: u32, name: &str) -> Result<Descriptor, Error> {
    let mut folder = descriptor::out()?;
    for level in 0..levels {
        folder = descriptor::enter(&folder, name)
            .map_err(|error| told(format!("at level {level}: {error}")))?;
    }
    Ok(folder)
}

pub(crate) fn deep(levels: u32, bytes: usize) -> Result<Vec<OutputFile>, Error> {
    descend(levels, &"d".repeat(bytes))?;
    Ok(Vec::new())
}

pub(crate) fn deep_outputs(levels: u32, count: u32) -> Result<Vec<OutputFile>, Error> {
    let last = descend(levels, "d")?;
    let way = "d/".repeat(levels as usize);
    let mut named = Vec::new();
    for at in 0..count {
        descriptor::create(&last, &at.to_string()).map_err(told)?;
        named.push(output(&format!("{way}{at}")));
    }
    Ok(named)
}

pub(crate) fn endless_below<T>(levels: u32, bytes: usize) -> Result<T, Error> {
    let last = descend(levels, &"d".repeat(bytes))?;
    let file = descriptor::create(&last, "endless").map_err(told)?;
    let piece = vec![b'x'; 1 << 20];
    let mut length = 0;
    loop {
        length += file.write(&piece, length).map_err(told)?;
    }
}

pub(crate) fn wide(folder: &Path, count: u32) -> Result<Vec<OutputFile>, Error> {
    for at in 0..count {
        fs::create_dir(folder.join(at.to_string())).map_err(told)?;
    }
    Ok(Vec::new())
}

pub(crate) fn move_folder(folder: &Path) -> Result<Vec<OutputFile>, Error> {
    let out = descriptor::out()?;
    let tries = [
        fs::rename(folder, "/elsewhere")
            .err()
            .map(|error| error.to_string()),
        fs::rename(folder, "/in/elsewhere")
            .err()
            .map(|error| error.to_string()),
        fs::remove_dir(folder).err().map(|error| error.to_string()),
        out.rename_at(".", &out, "below")
            .err()
            .map(|error| error.to_string()),
        out.rename_at("../out", &out, "../elsewhere")
            .err()
            .map(|error| error.to_string()),
        out.remove_directory_at(".")
            .err()
            .map(|error| error.to_string()),
        out.remove_directory_at("../in")
            .err()
            .map(|error| error.to_string()),
    ];
    Err(told(format!("{tries:?}")))
}
