//! Builds plugins of this workspace for `wasm32-wasip2` and puts their components into `OUT_DIR`.
//!
//! Two build scripts include this file: the one of `forebay-bundled` and the one of `forebay-test-plugins`.
//!
//! Promise: the source tree is only read. The guests are compiled into `guests/` of the target folder that cargo uses,
//! so that the next build can reuse what has not changed. It is a separate folder because the guests may be built by
//! another compiler than the current one (see `cargo xtask setup`), and two compilers must not share one folder.

use std::env;
use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// An error is one sentence for the user who builds.
pub(crate) type Result<T> = std::result::Result<T, Box<dyn std::error::Error>>;

const TARGET: &str = "wasm32-wasip2";

/// Settings of the outer cargo that also apply to the guests: where crates come from, and how they are fetched.
/// Its other settings (its flags, clippy as a wrapper) must not apply to the guests.
const KEPT: [&str; 7] = [
    "CARGO_HOME",
    "CARGO_HTTP_",
    "CARGO_MAKEFLAGS",
    "CARGO_NET_",
    "CARGO_REGISTRIES_",
    "CARGO_REGISTRY_",
    "CARGO_SOURCE_",
];

/// The workspace of forebay, if this crate is in it. A published crate is not.
pub(crate) fn workspace() -> Result<Option<PathBuf>> {
    let manifest = PathBuf::from(env::var("CARGO_MANIFEST_DIR")?);
    let root = manifest.parent().and_then(Path::parent);
    Ok(root
        .filter(|root| root.join("plugins/sdk/Cargo.toml").is_file())
        .map(Path::to_owned))
}

/// Builds the packages of these names, and puts `NAME.wasm` of each into `OUT_DIR`.
pub(crate) fn build(workspace: &Path, names: &[&str]) -> Result<()> {
    watch(workspace, names);
    let out = PathBuf::from(env::var("OUT_DIR")?);
    let target_dir = target_dir(&out);

    let mut cargo = Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    cargo
        .current_dir(workspace)
        .args(["build", "--quiet", "--locked", "--profile", "guest"])
        .args(["--target", TARGET])
        .args(["--config", &rustflags(workspace)])
        .arg("--target-dir")
        .arg(&target_dir);
    for name in names {
        cargo.args(["--package", name]);
    }
    for (key, _) in env::vars_os() {
        let text = key.to_string_lossy();
        let cargos = ["CARGO_", "RUSTC", "RUSTDOC", "RUSTFLAGS"];
        if cargos.iter().any(|prefix| text.starts_with(prefix))
            && !KEPT.iter().any(|prefix| text.starts_with(prefix))
        {
            cargo.env_remove(key);
        }
    }
    cargo.env("RUSTC", compiler(workspace)?);
    let status = cargo.stdout(Stdio::null()).status();
    let status = status.map_err(|error| format!("cannot run cargo: {error}"))?;
    if !status.success() {
        return Err(format!(
            "the plugins did not build for {TARGET}; the compiler's messages are above"
        )
        .into());
    }

    for name in names {
        let built = format!("{}.wasm", name.replace('-', "_"));
        let built = target_dir.join(TARGET).join("guest").join(built);
        copy(&built, &out.join(format!("{name}.wasm")))?;
    }
    Ok(())
}

/// Copies a component. The error names it.
pub(crate) fn copy(from: &Path, to: &Path) -> Result<()> {
    fs::copy(from, to).map_err(|error| format!("cannot copy {}: {error}", from.display()))?;
    Ok(())
}

/// Tells cargo when to run this again.
fn watch(workspace: &Path, names: &[&str]) {
    let plugins = workspace.join("plugins");
    let mut paths: Vec<PathBuf> = Vec::new();
    for name in names {
        paths.push(plugins.join(name).join("src"));
        paths.push(plugins.join(name).join("wit"));
        paths.push(plugins.join(name).join("Cargo.toml"));
    }
    for path in ["src", "wit", "Cargo.toml"] {
        paths.push(plugins.join("sdk").join(path));
    }
    // The crates that the plugins share.
    for path in ["src", "Cargo.toml"] {
        paths.push(workspace.join("host/config-schema").join(path));
        paths.push(plugins.join("exif").join(path));
    }
    for path in [
        "Cargo.toml",
        "Cargo.lock",
        ".cargo/config.toml",
        "target/wasm-toolchain/rustc",
    ] {
        paths.push(workspace.join(path));
    }
    // A path that does not exist would count as changed at every build.
    for path in paths.iter().filter(|path| path.exists()) {
        println!("cargo::rerun-if-changed={}", path.display());
    }
}

/// Where the guests are compiled: in the target folder, which cargo marks with a `CACHEDIR.TAG`. If there is no such
/// mark, as with `cargo install`, this build script has only its own `OUT_DIR`.
fn target_dir(out: &Path) -> PathBuf {
    out.ancestors()
        .skip(1)
        .find(|folder| folder.join("CACHEDIR.TAG").is_file())
        .unwrap_or(out)
        .join("guests")
}

/// Removes the paths of this machine from the messages of panics. So a component that is built by the same compiler has
/// the same bytes and the same SHA-256 on every machine. Cargo adds these flags to those of `.cargo/config.toml`.
fn rustflags(workspace: &Path) -> String {
    let mut flags = vec![format!("--remap-path-prefix={}=.", workspace.display())];
    // Cargo does not pass the folder of the registry's crates to a build script, but this is where it puts them.
    let home = env::var_os("CARGO_HOME").map(PathBuf::from);
    let home = home.or_else(|| Some(PathBuf::from(env::var_os("HOME")?).join(".cargo")));
    if let Some(sources) = home.map(|home| home.join("registry/src")) {
        flags.push(format!(
            "--remap-path-prefix={}=registry",
            sources.display()
        ));
    }
    // A TOML string in double quotes has the same syntax as a Rust string.
    format!("target.{TARGET}.rustflags={flags:?}")
}

/// The current compiler, if it has the target. Otherwise the one that `cargo xtask setup` unpacked.
fn compiler(workspace: &Path) -> Result<OsString> {
    let own = env::var_os("RUSTC").unwrap_or_else(|| "rustc".into());
    let unpacked = workspace
        .join("target/wasm-toolchain/rustc")
        .into_os_string();
    for rustc in [own, unpacked] {
        let libdir = Command::new(&rustc)
            .args(["--print", "target-libdir", "--target", TARGET])
            .output();
        if libdir.is_ok_and(|out| {
            out.status.success() && Path::new(String::from_utf8_lossy(&out.stdout).trim()).exists()
        }) {
            return Ok(rustc);
        }
    }
    Err(format!(
        "the compiler has no target {TARGET}: run `cargo xtask setup` once, or `rustup target add {TARGET}`"
    )
    .into())
}
