//! The compiler for guests, and the compiler for [`targets`](crate::targets).
//!
//! Promise: after [`ensure()`], `plugins/bundled` can be built for `wasm32-wasip2`, or the error is one sentence that
//! says what to install. Nothing is installed system-wide: a compiler that rustup cannot install is unpacked under
//! `target/`.

use std::ffi::OsStr;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context as _, Result, bail, ensure};

/// The target that guests are built for.
pub(crate) const TARGET: &str = "wasm32-wasip2";
/// The Debian suite that has a matching pair of a recent `rustc` and its `wasm32-wasip2` library.
const SUITE: &str = "forky";
/// The packages of that pair.
const PACKAGES: [&str; 2] = ["rustc", "libstd-rust-dev-wasm32"];
/// A compiler and the source of its standard library, which cargo can compile for any target. For Windows, also the
/// tools that make import libraries.
const SOURCE_PACKAGES: [&str; 3] = ["rustc", "rust-src", "binutils-mingw-w64-x86-64"];
/// The tools among them that are called.
const MINGW: [&str; 2] = ["x86_64-w64-mingw32-dlltool", "x86_64-w64-mingw32-as"];

/// Makes sure that guests can be built: with the current toolchain, with rustup, or with Debian's compiler.
pub(crate) fn ensure(workspace: &Path) -> Result<()> {
    let folder = workspace.join("target/wasm-toolchain");
    if installed("rustc", TARGET) || installed(folder.join("rustc"), TARGET) {
        return Ok(());
    }
    eprintln!("setup: the target {TARGET} is missing; asking rustup for it");
    if with_rustup() && installed("rustc", TARGET) {
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
        installed(folder.join("rustc"), TARGET),
        "Debian's {} was unpacked but does not run",
        PACKAGES[0]
    );
    Ok(())
}

/// Returns a folder with Debian's compiler, called `rustc`, with the source of its standard library next to it. The
/// tools that it calls are in `bin`. The folder is unpacked under `target/` the first time.
pub(crate) fn with_sources(workspace: &Path) -> Result<PathBuf> {
    let folder = workspace.join("target/check-toolchain");
    let source = |folder: &Path| folder.join("root/usr/lib/rustlib/src/rust/library/Cargo.toml");
    if !source(&folder).exists() {
        eprintln!(
            "unpacking Debian's compiler and the source of its standard library under target/ (270 MB to fetch, 1.3 GB on disk)"
        );
        unpack(&folder, &SOURCE_PACKAGES)?;
    }
    ensure!(
        source(&folder).exists(),
        "Debian's rust-src was unpacked but is not beside its compiler"
    );
    // Written each time, because the paths in them are wrong after the folder was moved.
    let bin = folder.join("bin");
    fs::create_dir_all(&bin)?;
    for tool in MINGW {
        write_wrapper(&folder, &bin.join(tool), "", "")?;
    }
    let sysroot = format!("--sysroot '{}/root/usr'", folder.display());
    write_wrapper(&folder, &folder.join("rustc"), "", &sysroot)?;
    Ok(folder)
}

/// Whether this compiler has the target's standard library.
pub(crate) fn installed(rustc: impl AsRef<OsStr>, target: &str) -> bool {
    Command::new(rustc)
        .args(["--print", "target-libdir", "--target", target])
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

/// Unpacks the pair, and wraps it so that it links with the linkers that rustup's toolchain ships.
fn with_debian(folder: &Path) -> Result<()> {
    let sysroot = output(Command::new("rustc").args(["--print", "sysroot"]))?;
    let tools = Path::new(&sysroot).join("lib/rustlib/x86_64-unknown-linux-gnu/bin");
    ensure!(
        tools.join("wasm-component-ld").exists() && tools.join("gcc-ld/wasm-ld").exists(),
        "the Rust toolchain in use does not ship wasm-component-ld and wasm-ld"
    );
    unpack(folder, &PACKAGES)?;
    let path = format!("PATH='{0}:{0}/gcc-ld':\"$PATH\" ", tools.display());
    let sysroot = format!("--sysroot '{}/root/usr'", folder.display());
    write_wrapper(folder, &folder.join("rustc"), &path, &sysroot)
}

/// Fetches packages and their dependencies with a separate apt (its own lists, empty status and cache), and unpacks
/// them into `root` in the folder.
fn unpack(folder: &Path, packages: &[&str]) -> Result<()> {
    // Built in another folder and then moved as a whole, so that an interrupted run leaves nothing incomplete here.
    let parent = folder.parent().context("the folder has no parent")?;
    fs::create_dir_all(parent)?;
    let work = parent.join(format!("toolchain-{}", std::process::id()));
    let unpacked = unpack_into(&work, packages);
    if unpacked.is_err() {
        // An incomplete folder is of no use. The first error is the one to show.
        let _ = fs::remove_dir_all(&work);
    }
    unpacked?;
    if folder.exists() {
        fs::remove_dir_all(folder)?;
    }
    fs::rename(&work, folder)?;
    Ok(())
}

/// Fetches the packages and unpacks them under `root` in the folder.
fn unpack_into(work: &Path, packages: &[&str]) -> Result<()> {
    let root = work.join("root");
    download(work, &mirror()?, packages)?;
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

/// Writes a program that runs the program of the same name in the folder's `root`, with the C library there. That
/// program sees the path of the one written here as its own, and finds the other wrapped programs next to it.
fn write_wrapper(folder: &Path, path: &Path, variables: &str, args: &str) -> Result<()> {
    let root = folder.join("root");
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let wrapper = format!(
        "#!/bin/sh\n\
         # Debian's {name} on its own C library.\n\
         {variables}exec '{lib}/ld-linux-x86-64.so.2' --argv0 '{path}' --library-path '{lib}' \
         '{root}/usr/bin/{name}' {args} \"$@\"\n",
        path = path.display(),
        lib = root.join("usr/lib/x86_64-linux-gnu").display(),
        root = root.display(),
    );
    fs::write(path, wrapper)?;
    fs::set_permissions(path, fs::Permissions::from_mode(0o755))?;
    Ok(())
}

fn download(work: &Path, mirror: &Mirror, packages: &[&str]) -> Result<()> {
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
        // Container images set hooks that delete the fetched packages, or keep none.
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
            .args(packages),
    )?;
    Ok(())
}

struct Mirror {
    uri: String,
    keyring: String,
}

/// The Debian mirror that this machine's own apt uses. Both formats of its sources are read.
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
            // A Debian mirror, but not its security archive and not another repository.
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

/// Runs a command and returns its output. Its error output becomes the error.
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
