//! Puts the components of the standard plugins into `OUT_DIR`.
//!
//! In the workspace of forebay they are built from source. The published crate contains the built components in
//! `components/`, so that its users need no compiler for WebAssembly. `cargo xtask package` puts them there.

use std::env;
use std::path::PathBuf;

mod guests;

const PLUGINS: [&str; 5] = [
    "identity",
    "image-resize",
    "media-kit",
    "pdf-split",
    "strip-metadata",
];

fn main() -> guests::Result<()> {
    match guests::workspace()? {
        Some(workspace) => guests::build(&workspace, &PLUGINS),
        None => unpack(),
    }
}

fn unpack() -> guests::Result<()> {
    let components = PathBuf::from(env::var("CARGO_MANIFEST_DIR")?).join("components");
    let out = PathBuf::from(env::var("OUT_DIR")?);
    println!("cargo::rerun-if-changed={}", components.display());
    for name in PLUGINS {
        let file = format!("{name}.wasm");
        guests::copy(&components.join(&file), &out.join(&file))?;
    }
    Ok(())
}
