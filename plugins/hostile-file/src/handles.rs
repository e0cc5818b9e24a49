//! Handles that are never closed, and calls with numbers that nobody would count to.

use std::fs;
use std::path::Path;

use forebay_plugin::{Error, OutputFile};
use wasip2::clocks::wall_clock::Datetime;
use wasip2::filesystem::types::{Advice, NewTimestamp};

use crate::{descriptor, disk, output, told};

pub(crate) fn open_files(count: u32) -> Result<Vec<OutputFile>, Error> {
    let folder = descriptor::out()?;
    for at in 0..count {
        match descriptor::create(&folder, "open") {
            Ok(file) => std::mem::forget(file),
            Err(error) => return Err(told(format!("{at} files are open, then {error}"))),
        }
    }
    Ok(Vec::new())
}

pub(crate) fn open_lists(folder: &Path, files: u32, count: u32) -> Result<Vec<OutputFile>, Error> {
    disk::empty_files(folder, files)?;
    let folder = descriptor::out()?;
    for at in 0..count {
        match folder.read_directory() {
            Ok(list) => {
                let _ = list.read_directory_entry();
                std::mem::forget(list);
            }
            Err(error) => return Err(told(format!("{at} lists are open, then {error}"))),
        }
    }
    Ok(Vec::new())
}

pub(crate) fn hold_lists(path: &str, count: u32) -> Result<Vec<OutputFile>, Error> {
    let folders = wasip2::filesystem::preopens::get_directories();
    let found = folders.iter().find(|(_, name)| name == path);
    let (folder, _) = found.ok_or_else(|| told("is not granted"))?;
    let mut lists = Vec::new();
    for at in 0..count {
        let list = folder.read_directory();
        lists.push(list.map_err(|error| told(format!("{at} lists are open, then {error}")))?);
    }
    let mut entries = 0;
    for list in &lists {
        while let Some(_entry) = list.read_directory_entry().map_err(told)? {
            entries += 1;
            if entries % 1000 == 0 {
                break;
            }
        }
    }
    fs::write("/out/count.txt", entries.to_string()).map_err(told)?;
    Ok(vec![output("count.txt")])
}

pub(crate) fn extremes(folder: &Path) -> Result<Vec<OutputFile>, Error> {
    let out = descriptor::out()?;
    let file = descriptor::create(&out, "extreme").map_err(told)?;
    let most = NewTimestamp::Timestamp(Datetime {
        seconds: u64::MAX,
        nanoseconds: u32::MAX,
    });
    let long = "n".repeat(10 << 20);
    let mut lines = vec![
        format!(
            "read: {:?}",
            file.read(u64::MAX, 0).map(|(bytes, _)| bytes.len())
        ),
        format!(
            "read beyond: {:?}",
            file.read(1, u64::MAX).map(|(bytes, _)| bytes.len())
        ),
        format!("write beyond: {:?}", file.write(b"x", u64::MAX)),
        format!("size: {:?}", file.set_size(u64::MAX)),
        format!("times: {:?}", file.set_times(most, most)),
        format!(
            "advise: {:?}",
            file.advise(u64::MAX, u64::MAX, Advice::WillNeed)
        ),
        format!("long name: {:?}", out.create_directory_at(&long).err()),
        format!("long link: {:?}", out.symlink_at(&long, "long").err()),
        format!("name with NUL: {:?}", out.create_directory_at("a\0b").err()),
        format!("empty name: {:?}", out.create_directory_at("").err()),
    ];
    if let Ok(stream) = file.read_via_stream(u64::MAX) {
        lines.push(format!(
            "stream: {:?}",
            stream.blocking_read(u64::MAX).map(|bytes| bytes.len())
        ));
    }
    if let Ok(stream) = file.write_via_stream(u64::MAX) {
        lines.push(format!(
            "stream beyond: {:?}",
            stream.blocking_write_and_flush(b"x")
        ));
    }
    if let Ok(stream) = file.read_via_stream(0) {
        lines.push(format!("skip: {:?}", stream.blocking_skip(u64::MAX)));
    }
    lines.push(String::new());
    fs::write(folder.join("told.txt"), lines.join("\n")).map_err(told)?;
    Ok(vec![output("told.txt")])
}
