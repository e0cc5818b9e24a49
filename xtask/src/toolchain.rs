//! The compiler for guests.
//!
//! Promise: after [`ensure`], `plugins/bundled` can build for `wasm32-wasip2`, or the error is one sentence that says
//! what to install. Nothing is installed system-wide: a compiler that rustup cannot bring is unpacked under `target/`.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context as _, Result, bail, ensure};

/// What guests are built for.
pub(crate) const TARGET: &str = "wasm32-wasip2";
/// The Debian suite that carries a matched pair of a recent `rustc` and its `wasm32-wasip2` library.
const SUITE: &str = "forky";
/// That pair.
const PACKAGES: [&str; 2] = ["rustc", "libstd-rust-dev-wasm32"];

/// Makes sure that guests can be built: with the toolchain in use, with rustup, or with Debian's compiler.
pub(crate) fn ensure(workspace: &Path) -> Result<()> {
    let folder = workspace.join("target/wasm-toolchain");
    if installed("rustc") || installed(folder.join("rustc")) {
        return Ok(());
    }
    eprintln!("setup: the target {TARGET} is missing; asking rustup for it");
    if with_rustup() && installed("rustc") {
        return Ok(());
    }
    eprintln!(
        "setup: rustup could not bring it; unpacking Debian's compiler under target/ (250 MB to fetch, 1.1 GB on disk)"
    );
    with_debian(&folder).with_context(|| {
        format!(
            "no compiler for {TARGET}: install Rust with rustup and run `rustup target add {TARGET}`, \
             or use a Debian machine that reaches a mirror"
        )
    })?;
    ensure!(
        installed(folder.join("rustc")),
        "Debian's {} was unpacked but does not run",
        PACKAGES[0]
    );
    Ok(())
}

/// Whether this compiler has the target's standard library.
fn installed(rustc: impl AsRef<std::ffi::OsStr>) -> bool {
    Command::new(rustc)
        .args(["--print", "target-libdir", "--target", TARGET])
        .stderr(Stdio::null())
        .output()
        .is_ok_and(|out| {
            out.status.success() && Path::new(String::from_utf8_lossy(&out.stdout).trim()).exists()
        })
}

fn with_rustup() -> bool {
    Command::new("rustup")
        .args(["target", "add", TARGET])
        .env("RUSTUP_MAX_RETRIES", "0")
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .is_ok_and(|status| status.success())
}

/// Fetches the pair with an apt of its own (its lists, its empty status, its cache), unpacks it, and wraps it so that it
/// runs on its own C library and links with the linkers that rustup's toolchain ships.
fn with_debian(folder: &Path) -> Result<()> {
    let sysroot = output(Command::new("rustc").args(["--print", "sysroot"]))?;
    let tools = Path::new(&sysroot).join("lib/rustlib/x86_64-unknown-linux-gnu/bin");
    ensure!(
        tools.join("wasm-component-ld").exists() && tools.join("gcc-ld/wasm-ld").exists(),
        "the Rust toolchain in use does not ship wasm-component-ld and wasm-ld"
    );
    // Built beside its place and moved there whole, so that a run that was interrupted leaves nothing half-done behind.
    let parent = folder.parent().context("the folder has no parent")?;
    fs::create_dir_all(parent)?;
    let work = parent.join(format!("wasm-toolchain-{}", std::process::id()));
    let unpacked = unpack(&work);
    if unpacked.is_err() {
        // What is half-done is of no use. The error to show is the first one.
        let _ = fs::remove_dir_all(&work);
    }
    unpacked?;
    if folder.exists() {
        fs::remove_dir_all(folder)?;
    }
    fs::rename(&work, folder)?;
    write_wrapper(folder, &tools)
}

/// Fetches the packages and unpacks them under `root` of the folder.
fn unpack(work: &Path) -> Result<()> {
    let root = work.join("root");
    download(work, &mirror()?)?;
    for entry in fs::read_dir(work.join("cache/archives"))? {
        let package = entry?.path();
        if package.extension().is_some_and(|e| e == "deb") {
            output(Command::new("dpkg").arg("-x").arg(&package).arg(&root))?;
        }
    }
    fs::remove_dir_all(work.join("cache"))?;
    fs::remove_dir_all(work.join("lists"))?;
    Ok(())
}

fn write_wrapper(folder: &Path, tools: &Path) -> Result<()> {
    let root = folder.join("root");
    let lib = root.join("usr/lib/x86_64-linux-gnu");
    let wrapper = format!(
        "#!/bin/sh\n\
         # Debian's rustc on its own C library, with the linkers of rustup's toolchain.\n\
         PATH='{tools}:{tools}/gcc-ld':\"$PATH\" exec '{lib}/ld-linux-x86-64.so.2' --library-path '{lib}' \
         '{root}/usr/bin/rustc' --sysroot '{root}/usr' \"$@\"\n",
        tools = tools.display(),
        lib = lib.display(),
        root = root.display(),
    );
    let path = folder.join("rustc");
    fs::write(&path, wrapper)?;
    fs::set_permissions(&path, fs::Permissions::from_mode(0o755))?;
    Ok(())
}

fn download(work: &Path, mirror: &Mirror) -> Result<()> {
    let dir = |name: &str| -> Result<PathBuf> {
        let path = work.join(name);
        fs::create_dir_all(&path)?;
        Ok(path)
    };
    let (lists, cache) = (dir("lists")?, dir("cache")?);
    dir("lists/partial")?;
    dir("cache/archives/partial")?;
    let status = work.join("status");
    fs::write(&status, "")?;
    let sources = work.join("sources.list");
    fs::write(
        &sources,
        format!(
            "deb [signed-by={}] {} {SUITE} main\n",
            mirror.keyring, mirror.uri
        ),
    )?;
    let apt = || {
        let mut apt = Command::new("apt-get");
        apt.arg("-qq");
        for (key, value) in [
            ("Dir::State::Lists", lists.as_path()),
            ("Dir::State::Status", &status),
            ("Dir::Etc::SourceList", &sources),
            ("Dir::Etc::SourceParts", Path::new("/dev/null")),
            ("Dir::Cache", &cache),
        ] {
            apt.arg("-o").arg(format!("{key}={}", value.display()));
        }
        apt.args([
            "-o",
            "APT::Install-Recommends=0",
            "-o",
            "APT::Sandbox::User=root",
        ]);
        // Images for containers set hooks that delete what was fetched, or keep nothing.
        apt.args([
            "-o",
            "Binary::apt-get::APT::Keep-Downloaded-Packages=1",
            "-o",
            "Debug::NoLocking=1",
        ]);
        apt
    };
    output(apt().arg("update"))?;
    output(
        apt()
            .args(["install", "--yes", "--download-only"])
            .args(PACKAGES),
    )?;
    Ok(())
}

struct Mirror {
    uri: String,
    keyring: String,
}

/// The Debian mirror that this machine's own apt uses, in either format of its sources.
fn mirror() -> Result<Mirror> {
    const KEYRING: &str = "/usr/share/keyrings/debian-archive-keyring.gpg";
    let mut files = vec![PathBuf::from("/etc/apt/sources.list")];
    if let Ok(entries) = fs::read_dir("/etc/apt/sources.list.d") {
        files.extend(entries.flatten().map(|e| e.path()));
    }
    files.sort();
    for text in files.iter().filter_map(|f| fs::read_to_string(f).ok()) {
        let uri = text.lines().find_map(|line| {
            let mut words = line.split_whitespace();
            match words.next()? {
                "URIs:" => words.next().map(str::to_owned),
                "deb" => words.find(|w| w.contains("://")).map(str::to_owned),
                _ => None,
            }
            // A Debian mirror, not its security archive and nobody else's repository.
            .filter(|uri| uri.trim_end_matches('/').ends_with("/debian"))
        });
        if let Some(uri) = uri {
            return Ok(Mirror {
                uri,
                keyring: KEYRING.to_owned(),
            });
        }
    }
    bail!("this machine's apt names no Debian mirror")
}

/// Runs a command and gives what it printed; its error output becomes the error.
fn output(command: &mut Command) -> Result<String> {
    let name = command.get_program().to_string_lossy().into_owned();
    let out = command
        .output()
        .with_context(|| format!("cannot run {name}"))?;
    ensure!(
        out.status.success(),
        "{name} failed: {}",
        String::from_utf8_lossy(&out.stderr).trim()
    );
    Ok(String::from_utf8(out.stdout)?.trim().to_owned())
}
