//! The destination of a run's report: `--report FILE`.
//!
//! Promise: only an older report is ever replaced, and only as a whole. Whether a report can be written is checked
//! before the first job runs. The report is written
//! - to standard output, for `-` and for every other name of it;
//! - into the file that a symbolic link points to: the link stays;
//! - through an open handle, if FILE is a pipe or a device, which is never replaced and never read.

use std::fs::{File, Metadata, OpenOptions};
use std::io::{self, BufRead as _, BufReader, Read, Write};
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail, ensure};
use serde::Deserialize;
use serde_json::{Map, Value};

/// Most links that are followed before they are taken for a loop. Linux has the same limit.
const MAX_LINKS: usize = 40;

/// The destination of a report, checked before the run.
#[derive(Debug)]
pub(crate) struct ReportFile {
    /// As the command line named it.
    shown: String,
    target: Target,
}

#[derive(Debug)]
enum Target {
    Stdout,
    Stderr,
    /// A file that is an older report, is empty, or does not exist yet. Links are resolved.
    File(PathBuf),
    /// A pipe, a device, or a file that was passed as an open descriptor.
    Handle(File),
}

impl ReportFile {
    /// Checks whether a report can be written to this path. Changes nothing.
    pub(crate) fn open(path: &Path) -> Result<Self> {
        let shown = path.display().to_string();
        let target = target(path).with_context(|| format!("--report {shown}"))?;
        Ok(Self { shown, target })
    }

    /// Whether the report is written to standard output. Then nothing else may be written there.
    pub(crate) fn is_stdout(&self) -> bool {
        matches!(self.target, Target::Stdout)
    }

    /// Writes the report. A file gets the whole report or nothing.
    pub(crate) async fn write(self, mut report: Map<String, Value>) -> Result<()> {
        report.insert("version".into(), 1.into());
        report.insert("forebay".into(), env!("CARGO_PKG_VERSION").into());
        let mut text = serde_json::to_string_pretty(&report)?;
        text.push('\n');
        let Self { shown, target } = self;
        // The reader of a pipe may be slow. Meanwhile this thread must react to an interrupt.
        let written = tokio::task::spawn_blocking(move || target.write(text.as_bytes()));
        written.await?.with_context(|| format!("report {shown}"))
    }
}

impl Target {
    fn write(self, text: &[u8]) -> Result<()> {
        match self {
            Self::Stdout => write_to(io::stdout().lock(), text),
            Self::Stderr => write_to(io::stderr().lock(), text),
            Self::Handle(file) => write_to(file, text),
            Self::File(path) => replace(&path, text),
        }
    }
}

fn write_to(mut stream: impl Write, text: &[u8]) -> Result<()> {
    stream.write_all(text)?;
    Ok(stream.flush()?)
}

fn target(path: &Path) -> Result<Target> {
    if path == Path::new("-") {
        return Ok(Target::Stdout);
    }
    let metadata = match std::fs::metadata(path) {
        Ok(metadata) => Some(metadata),
        Err(error) if error.kind() == io::ErrorKind::NotFound => None,
        Err(error) => return Err(error.into()),
    };
    if let Some(metadata) = &metadata {
        if is_stream(metadata, io::stdout())? {
            return Ok(Target::Stdout);
        }
        if is_stream(metadata, io::stderr())? {
            return Ok(Target::Stderr);
        }
        ensure!(!metadata.is_dir(), "this is a folder");
        if !metadata.is_file() {
            return open_handle(path, metadata).map(Target::Handle);
        }
    }
    match (resolve(path)?, metadata) {
        (Resolved::File(path), metadata) => {
            check_file(&path, metadata.is_some())?;
            Ok(Target::File(path))
        }
        (Resolved::Descriptor, Some(metadata)) => open_handle(path, &metadata).map(Target::Handle),
        (Resolved::Descriptor, None) => bail!("there is no such open file"),
    }
}

/// Whether a path and a stream of this process are the same file. Replacing or reopening such a file would lose what is
/// printed before or after. A device has no such content, and many runs have `/dev/null` as standard output.
#[cfg(unix)]
fn is_stream(metadata: &Metadata, stream: impl std::os::fd::AsFd + io::IsTerminal) -> Result<bool> {
    use std::os::unix::fs::{FileTypeExt as _, MetadataExt as _};
    if metadata.file_type().is_char_device() && !stream.is_terminal() {
        return Ok(false);
    }
    // A stream that was closed is not a file.
    let Ok(handle) = stream.as_fd().try_clone_to_owned() else {
        return Ok(false);
    };
    let stream = File::from(handle).metadata()?;
    Ok((metadata.dev(), metadata.ino()) == (stream.dev(), stream.ino()))
}

/// Other systems have no paths that name a stream.
#[cfg(not(unix))]
fn is_stream(_: &Metadata, _: impl io::IsTerminal) -> Result<bool> {
    Ok(false)
}

/// Opens a file that is written to instead of replaced. Does not block, even on a pipe without a reader.
#[cfg(unix)]
pub(crate) fn open_handle(path: &Path, expected: &Metadata) -> Result<File> {
    use rustix::fs::OFlags;
    use rustix::io::Errno;
    use std::os::unix::fs::{FileTypeExt as _, OpenOptionsExt as _};

    let kind = expected.file_type();
    ensure!(
        !kind.is_socket(),
        "this is a socket; it cannot be opened for writing"
    );
    ensure!(
        !kind.is_block_device(),
        "this is a disk; a report would overwrite what it holds"
    );
    let opened = File::options()
        // Earlier content of an open file stays.
        .append(true)
        .custom_flags((OFlags::NONBLOCK | OFlags::NOCTTY).bits().cast_signed())
        .open(path);
    let file = opened.map_err(|error| match Errno::from_io_error(&error) {
        Some(Errno::NXIO) if kind.is_fifo() => {
            anyhow::anyhow!("this is a pipe that nobody reads; start its reader first")
        }
        _ => error.into(),
    })?;
    ensure!(
        file.metadata()?.file_type() == kind,
        "something else took its place just now"
    );
    // The final write waits for the reader.
    rustix::fs::fcntl_setfl(&file, OFlags::APPEND)?;
    Ok(file)
}

#[cfg(not(unix))]
pub(crate) fn open_handle(path: &Path, _: &Metadata) -> Result<File> {
    Ok(File::options().append(true).open(path)?)
}

/// Opens a pipe without waiting for its other end.
#[cfg(unix)]
fn never_block(options: &mut OpenOptions) {
    use std::os::unix::fs::OpenOptionsExt as _;
    options.custom_flags(rustix::fs::OFlags::NONBLOCK.bits().cast_signed());
}

#[cfg(not(unix))]
fn never_block(_: &mut OpenOptions) {}

/// What a path names.
enum Resolved {
    /// A file, or a path where a file can be created.
    File(PathBuf),
    /// An open descriptor of this process, such as `/dev/fd/5`. Its file may have no name, and others may write to it.
    Descriptor,
}

/// Follows symbolic links to the final file, which need not exist.
fn resolve(path: &Path) -> Result<Resolved> {
    let mut path = path.to_owned();
    for _ in 0..=MAX_LINKS {
        let folder = folder(&path).to_owned();
        ensure!(folder.is_dir(), "there is no folder {}", folder.display());
        let real = folder.canonicalize()?;
        let of_process = real.starts_with("/proc") && real.ends_with("fd");
        if of_process || real == Path::new("/dev/fd") {
            return Ok(Resolved::Descriptor);
        }
        if !path.is_symlink() {
            return Ok(Resolved::File(path));
        }
        path = folder.join(std::fs::read_link(&path)?);
    }
    bail!("too many symbolic links");
}

fn folder(path: &Path) -> &Path {
    path.parent()
        .filter(|parent| !parent.as_os_str().is_empty())
        .unwrap_or(Path::new("."))
}

/// Checks that a report can be written to this path. The folder must be writable, and a file that exists must be empty
/// or an older report.
fn check_file(path: &Path, exists: bool) -> Result<()> {
    let name = path.as_os_str().as_encoded_bytes();
    ensure!(
        path.file_name().is_some() && !name.ends_with(b"/") && !name.ends_with(b"/."),
        "this is the name of a folder"
    );
    if exists {
        check_replaceable(path)?;
    }
    let folder = folder(path);
    tempfile::tempfile_in(folder)
        .with_context(|| format!("folder {} cannot be written to", folder.display()))?;
    Ok(())
}

/// Checks that the file at this path is empty or an older report.
fn check_replaceable(path: &Path) -> Result<()> {
    let mut options = File::options();
    // Does not block if a pipe has replaced the file in the meantime.
    never_block(options.read(true));
    let opened = options.open(path);
    let file =
        opened.context("there is a file, and it cannot be read to see whether it is a report")?;
    let metadata = file.metadata()?;
    ensure!(
        metadata.is_file() && (metadata.len() == 0 || is_report(file)),
        "there is a file that is no report; it stays"
    );
    Ok(())
}

/// Whether this is a report of forebay. Stops at the first byte that cannot be JSON of a report, and keeps none of the
/// other values, because the file may have any size.
fn is_report(content: impl Read) -> bool {
    /// The fields that every report has.
    #[derive(Deserialize)]
    struct Report {
        #[serde(rename = "forebay")]
        _forebay: String,
        #[serde(rename = "version")]
        _version: u64,
    }
    let mut content = BufReader::new(content);
    // serde would also accept an array of the two values.
    let is_object = content
        .fill_buf()
        .is_ok_and(|start| start.trim_ascii_start().first() == Some(&b'{'));
    is_object && serde_json::from_reader::<_, Report>(content).is_ok()
}

/// Writes a report in place of an older one, or where no file exists.
fn replace(path: &Path, text: &[u8]) -> Result<()> {
    let mut builder = tempfile::Builder::new();
    builder.prefix(".forebay-").suffix(".part");
    // The same permissions as for a file made by hand: the user's umask decides who may read it.
    #[cfg(unix)]
    builder.permissions(std::os::unix::fs::PermissionsExt::from_mode(0o666));
    let mut file = builder.tempfile_in(folder(path))?;
    file.write_all(text)?;
    // The run itself may have created a file at this path.
    match std::fs::symlink_metadata(path) {
        Ok(metadata) => {
            ensure!(
                metadata.is_file(),
                "there is no regular file any more; what is there stays"
            );
            check_replaceable(path)?;
            file.as_file().set_permissions(metadata.permissions())?;
            file.persist(path)?;
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            file.persist_noclobber(path)?;
        }
        Err(error) => return Err(error.into()),
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use super::*;

    #[test]
    fn a_large_file_is_not_read_to_find_out_that_it_is_no_report() {
        /// A reader of zeros that fails the test when it is read without end.
        struct Zeros(usize);
        impl Read for Zeros {
            fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
                assert!(self.0 < 1 << 20, "the file is read whole");
                self.0 += into.len();
                into.fill(0);
                Ok(into.len())
            }
        }
        for start in [
            "",
            "\u{89}PNG\r\n",
            "{",
            "{\"",
            "{\"forebay\":\"",
            "{\"forebay\":\"0.1.0\",\"version\":1}",
            "{\"forebay\":\"0.1.0\",\"version\":1,\"jobs\":[\"",
        ] {
            assert!(!is_report(start.as_bytes().chain(Zeros(0))), "{start}");
        }
    }

    #[test]
    fn a_report_is_told_by_what_all_reports_have() {
        for (text, expected) in [
            ("{\"forebay\":\"0.1.0\",\"jobs\":[],\"version\":1}\n", true),
            (
                " {\"failures\":[], \"version\":2, \"forebay\":\"9\"} ",
                true,
            ),
            ("{\"forebay\":\"0.1.0\"}", false),
            ("{\"version\":1}", false),
            ("{\"forebay\":{},\"version\":1}", false),
            ("{\"forebay\":\"0.1.0\",\"version\":1}{", false),
            ("[\"0.1.0\",1]", false),
            ("", false),
        ] {
            assert_eq!(is_report(text.as_bytes()), expected, "{text}");
        }
    }
}
