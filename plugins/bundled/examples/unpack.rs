//! Writes the standard plugins into a folder, each as `NAME.wasm`.
//!
//! ```sh
//! cargo run -p forebay-bundled --example unpack -- FOLDER
//! ```

use std::path::PathBuf;
use std::{env, fs, io};

fn main() -> io::Result<()> {
    let folder = env::args_os().nth(1).map(PathBuf::from);
    let folder = folder.ok_or_else(|| io::Error::other("which folder?"))?;
    fs::create_dir_all(&folder)?;
    for (name, component) in forebay_bundled::PLUGINS {
        fs::write(folder.join(format!("{name}.wasm")), component)?;
    }
    Ok(())
}
