//! More bytes than the disk has room for.

use std::fs::{self, File};
use std::io::{Seek as _, SeekFrom, Write as _};
use std::path::Path;

use forebay_plugin::{Error, OutputFile};

use crate::{output, told};

/// Bytes of a write.
const PIECE: usize = 1 << 20;

pub(crate) fn endless<T>(path: &Path) -> Result<T, Error> {
    let mut file = File::create_new(path).map_err(told)?;
    fill(&mut file)
}

fn fill<T>(file: &mut File) -> Result<T, Error> {
    let piece = vec![b'x'; PIECE];
    loop {
        file.write_all(&piece).map_err(told)?;
    }
}

pub(crate) fn endless_files<T>(folder: &Path) -> Result<T, Error> {
    let piece = vec![b'x'; PIECE];
    for at in 0_u64.. {
        fs::write(folder.join(at.to_string()), &piece).map_err(told)?;
    }
    Err(told("there are no numbers left"))
}

pub(crate) fn endless_removed<T>(folder: &Path) -> Result<T, Error> {
    let path = folder.join("removed");
    let mut file = File::create_new(&path).map_err(told)?;
    fs::remove_file(&path).map_err(told)?;
    fill(&mut file)
}

pub(crate) fn endless_renamed<T>(folder: &Path) -> Result<T, Error> {
    let piece = vec![b'x'; PIECE];
    let mut at = folder.join("0");
    fs::create_dir(&at).map_err(told)?;
    let mut file = File::create_new(at.join("file")).map_err(told)?;
    for next in 1_u64.. {
        file.write_all(&piece).map_err(told)?;
        let to = folder.join(next.to_string());
        fs::rename(&at, &to).map_err(told)?;
        at = to;
    }
    Err(told("there are no numbers left"))
}

pub(crate) fn sparse(folder: &Path, bytes: u64) -> Result<Vec<OutputFile>, Error> {
    let mut file = File::create_new(folder.join("sparse")).map_err(told)?;
    file.set_len(bytes.saturating_sub(1)).map_err(told)?;
    file.seek(SeekFrom::End(0)).map_err(told)?;
    file.write_all(b"x").map_err(told)?;
    Ok(vec![output("sparse")])
}

pub(crate) fn files(folder: &Path, count: u32, named: bool) -> Result<Vec<OutputFile>, Error> {
    for at in 0..count {
        fs::write(folder.join(at.to_string()), "x").map_err(told)?;
    }
    let named = if named { count } else { 0 };
    Ok((0..named).map(|at| output(&at.to_string())).collect())
}

pub(crate) fn empty_files(folder: &Path, count: u32) -> Result<Vec<OutputFile>, Error> {
    for at in 0..count {
        File::create_new(folder.join(at.to_string())).map_err(told)?;
    }
    Ok(Vec::new())
}
