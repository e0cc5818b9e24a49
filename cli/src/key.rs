//! Where the API key comes from. Never from an argument, which the list of processes shows.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context as _, Result, bail, ensure};

/// The variable of the environment that wins over files.
const VARIABLE: &str = "HEYGEN_API_KEY";

/// Where the user's settings say that the key is.
#[derive(Debug, Clone)]
pub(crate) enum KeySource {
    File(PathBuf),
    Command {
        /// A program and its arguments. No shell reads them.
        command: Vec<String>,
        /// The file that names it.
        named_in: String,
    },
}

impl KeySource {
    /// A file; a relative path starts at the folder of the settings.
    pub(crate) fn file(folder: &Path, path: PathBuf) -> Self {
        let path = match (path.strip_prefix("~"), std::env::var_os("HOME")) {
            (Ok(beneath), Some(home)) => Path::new(&home).join(beneath),
            _ => folder.join(path),
        };
        Self::File(path)
    }

    pub(crate) fn command(command: Vec<String>, named_in: String) -> Self {
        Self::Command { command, named_in }
    }

    fn read(&self) -> Result<String> {
        match self {
            Self::File(path) => {
                let shown = path.display();
                let text =
                    std::fs::read_to_string(path).with_context(|| format!("key_file {shown}"))?;
                if is_open_to_others(path) {
                    complain!("key_file {shown}: other users can read it; `chmod 600` mends that");
                }
                first_line(&text).with_context(|| format!("key_file {shown}"))
            }
            Self::Command { command, named_in } => {
                let [program, arguments @ ..] = command.as_slice() else {
                    bail!("{named_in}: key_command is empty");
                };
                let shown = || format!("key_command `{program}` of {named_in}");
                // It may ask for a password: its input and its messages are those of the terminal.
                let output = Command::new(program)
                    .args(arguments)
                    .stdin(Stdio::inherit())
                    .stderr(Stdio::inherit())
                    .output()
                    .with_context(shown)?;
                ensure!(output.status.success(), "{}: {}", shown(), output.status);
                let text = String::from_utf8(output.stdout);
                first_line(&text.with_context(shown)?).with_context(shown)
            }
        }
    }
}

/// The key from the environment, or else from where the settings say.
pub(crate) fn find(source: Option<&KeySource>) -> Result<String> {
    let key = std::env::var(VARIABLE).unwrap_or_default();
    if !key.trim().is_empty() {
        return Ok(key);
    }
    match source {
        Some(source) => source.read(),
        None => bail!(
            "set {VARIABLE} to your API key, or `key_file` or `key_command` in your config.toml (any will do for an \
             emulator, with HEYGEN_BASE_URL set to its address)"
        ),
    }
}

fn first_line(text: &str) -> Result<String> {
    let line = text.lines().next().unwrap_or_default().trim();
    ensure!(
        !line.is_empty(),
        "its first line is empty; the key is to be there"
    );
    Ok(line.to_owned())
}

#[cfg(unix)]
fn is_open_to_others(path: &Path) -> bool {
    use std::os::unix::fs::PermissionsExt as _;
    std::fs::metadata(path)
        .is_ok_and(|file| file.is_file() && file.permissions().mode() & 0o077 != 0)
}

#[cfg(not(unix))]
fn is_open_to_others(_: &Path) -> bool {
    false
}
