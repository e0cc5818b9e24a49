//! Settings from files: `config.toml` in the user's folder for settings, and `forebay.toml` in the current folder.
//!
//! Promise: flags and the environment win over files. A `forebay.toml` may lie in a folder that somebody else made, and
//! where the key is sent and which command is run for it are not theirs to say. So that file sets only the number of jobs
//! and pipelines, and it runs nothing by itself. A pipeline of the same name in both files is refused, not chosen.

use std::collections::BTreeMap;
use std::env::VarError;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use anyhow::{Context as _, Result, bail, ensure};
use forebay::PipelineFile;
use serde::de::Error as _;
use serde::{Deserialize, Deserializer};
use toml::Spanned;

use crate::args::Command;
use crate::key::KeySource;

/// The file in the current folder.
const IN_FOLDER: &str = "forebay.toml";

/// The variable of the environment that has the base URL, if no flag has.
const BASE_URL: &str = "HEYGEN_BASE_URL";

/// The file that `--config` names.
static NAMED: OnceLock<PathBuf> = OnceLock::new();

/// Most inputs that are processed at a time.
pub(crate) const MAX_JOBS: u16 = 256;

/// The content of a file.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct Text {
    base_url: Option<String>,
    allow_http: Option<Vec<String>>,
    key_file: Option<PathBuf>,
    #[serde(default, deserialize_with = "command")]
    key_command: Option<Vec<String>>,
    #[serde(default, deserialize_with = "jobs")]
    jobs: Option<u16>,
    /// Read by [`read_pipelines`].
    pipelines: Option<toml::Table>,
}

/// The settings of all files.
#[derive(Debug, Default)]
pub(crate) struct Settings {
    base_url: Option<String>,
    allow_http: Vec<String>,
    key: Option<KeySource>,
    jobs: Option<u16>,
    /// The files that have pipelines, with the names of these.
    pipelines: Vec<(PathBuf, Vec<String>)>,
}

impl Settings {
    /// Reads the file that `--config` names, or else the user's file and that of the current folder.
    fn read(named: Option<&Path>) -> Result<Self> {
        let mut settings = Self::default();
        if let Some(path) = named {
            let text = std::fs::read_to_string(path);
            let text = text.with_context(|| format!("--config {}", path.display()))?;
            settings.add_own(path, &text)?;
            let _ = NAMED.set(path.to_owned());
            return Ok(settings);
        }
        if let Some(path) = of_user()
            && let Some(text) = read_if_there(&path)?
        {
            settings.add_own(&path, &text)?;
        }
        let path = Path::new(IN_FOLDER);
        if let Some(text) = read_if_there(path)? {
            settings.add_folder(path, &text)?;
        }
        Ok(settings)
    }

    /// Adds a file that the user wrote or named.
    fn add_own(&mut self, path: &Path, text: &str) -> Result<()> {
        let shown = path.display().to_string();
        let text = parse(&shown, text)?;
        let folder = path.parent().unwrap_or(Path::new(""));
        self.base_url = text.base_url;
        self.allow_http = text.allow_http.unwrap_or_default();
        self.key = match (text.key_file, text.key_command) {
            (Some(_), Some(_)) => bail!("{shown}: give either `key_file` or `key_command`"),
            (Some(file), None) => Some(KeySource::file(folder, file)),
            (None, Some(command)) => Some(KeySource::command(command, shown.clone())),
            (None, None) => None,
        };
        self.jobs = text.jobs;
        self.add_pipelines(path, text.pipelines);
        Ok(())
    }

    /// Adds the file of the current folder.
    fn add_folder(&mut self, path: &Path, text: &str) -> Result<()> {
        let shown = path.display().to_string();
        let text = parse(&shown, text)?;
        let own = [
            ("base_url", text.base_url.is_some()),
            ("allow_http", text.allow_http.is_some()),
            ("key_file", text.key_file.is_some()),
            ("key_command", text.key_command.is_some()),
        ];
        if let Some((name, _)) = own.iter().find(|(_, is_set)| *is_set) {
            let user = of_user().map_or_else(String::new, |path| format!("{} or ", path.display()));
            bail!(
                "{shown}: `{name}` is not taken from the current folder, which may be somebody else's: it decides where your \
                 API key comes from and goes to. Write it into {user}a file that you name with --config; `--config \
                 {IN_FOLDER}` trusts this one"
            );
        }
        self.jobs = text.jobs.or(self.jobs);
        self.add_pipelines(path, text.pipelines);
        Ok(())
    }

    fn add_pipelines(&mut self, path: &Path, pipelines: Option<toml::Table>) {
        if let Some(pipelines) = pipelines {
            let names = pipelines.keys().cloned().collect();
            self.pipelines.push((path.to_owned(), names));
        }
    }

    /// The pipeline that `-p` names, as `FILE#NAME`. The name of a pipeline in the settings is tried first; a file of the
    /// same name is written `./NAME`.
    fn pipeline(&self, reference: &str) -> Result<String> {
        let is_name = !reference.contains(['/', '\\', '#']);
        let has = |(_, names): &&(PathBuf, Vec<String>)| names.iter().any(|name| name == reference);
        let found: Vec<&PathBuf> = self
            .pipelines
            .iter()
            .filter(has)
            .map(|(path, _)| path)
            .collect();
        match found.as_slice() {
            [only] if is_name => Ok(format!("{}#{reference}", only.display())),
            [first, second, ..] if is_name => bail!(
                "-p {reference}: there is a pipeline of this name in {0} and in {1}; say which: `-p '{0}#{reference}'` or `-p \
                 '{1}#{reference}'`",
                first.display(),
                second.display()
            ),
            _ => {
                let known: Vec<String> = self
                    .pipelines
                    .iter()
                    .flat_map(|(path, names)| {
                        names
                            .iter()
                            .map(move |name| format!("{name} ({})", path.display()))
                    })
                    .collect();
                let known = if known.is_empty() {
                    format!("; neither {IN_FOLDER} here nor your config.toml has any")
                } else {
                    format!("; pipelines are: {}", known.join(", "))
                };
                ensure!(
                    !is_name || Path::new(reference).exists(),
                    "-p {reference}: there is neither a file nor a pipeline of this name{known}"
                );
                Ok(reference.to_owned())
            }
        }
    }
}

/// Sets what the command line leaves open from the files. Commands that need no settings read none.
pub(crate) fn apply(command: &mut Command, named: Option<&Path>) -> Result<()> {
    let (service, jobs, pipeline) = match command {
        Command::Run(run) => {
            let common = &mut run.common;
            let service = Some(&mut common.service);
            (service, Some(&mut common.jobs), Some(&mut run.pipeline))
        }
        Command::Upload(upload) => {
            let common = &mut upload.common;
            (Some(&mut common.service), Some(&mut common.jobs), None)
        }
        Command::Assets(assets) => {
            let service = assets.command.service_mut();
            (Some(service), None, None)
        }
        Command::Inspect(inspect) => (None, None, Some(&mut inspect.pipeline)),
        Command::Lock(lock) => (None, None, Some(&mut lock.pipeline)),
        _ => return Ok(()),
    };
    let settings = Settings::read(named)?;
    if let Some(service) = service {
        service.base_url = match (service.base_url.take(), std::env::var(BASE_URL)) {
            (Some(named), _) => Some(named),
            (None, Ok(url)) => Some(url),
            (None, Err(VarError::NotPresent)) => settings.base_url.clone(),
            (None, Err(VarError::NotUnicode(_))) => bail!("{BASE_URL} is not UTF-8"),
        };
        service.allow_http.extend(settings.allow_http.clone());
        service.key = settings.key.clone();
    }
    if let Some(jobs) = jobs {
        *jobs = jobs.or(settings.jobs);
    }
    if let Some(Some(reference)) = pipeline {
        *reference = settings.pipeline(reference)?;
    }
    Ok(())
}

/// Reads the pipelines of a file. Those files that hold settings may hold pipelines as well.
pub(crate) fn read_pipelines(path: &Path) -> Result<PipelineFile> {
    let is_settings = path.file_name().is_some_and(|name| name == IN_FOLDER)
        || of_user().is_some_and(|user| user == path)
        || NAMED.get().is_some_and(|named| named == path);
    if !is_settings {
        return Ok(PipelineFile::read(path)?);
    }
    let shown = path.display().to_string();
    let text = std::fs::read_to_string(path).with_context(|| shown.clone())?;
    parse(&shown, &text)?;
    let folder = path.parent().unwrap_or(Path::new(""));
    let pipelines = PipelineFile::parse_in(&without_settings(&text)?, folder);
    pipelines.with_context(|| shown)
}

/// The text without its settings. What is left stays where it was, so that messages name the right lines.
fn without_settings(text: &str) -> Result<String> {
    let table: BTreeMap<Spanned<String>, Spanned<toml::Value>> = toml::from_str(text)?;
    let mut bytes = text.as_bytes().to_vec();
    for (key, value) in &table {
        if key.get_ref() == "pipelines" {
            continue;
        }
        let setting = bytes.get_mut(key.span().start..value.span().end);
        let content = setting.into_iter().flatten();
        content
            .filter(|byte| **byte != b'\n')
            .for_each(|byte| *byte = b' ');
    }
    Ok(String::from_utf8(bytes)?)
}

fn parse(shown: &str, text: &str) -> Result<Text> {
    toml::from_str(text).with_context(|| shown.to_owned())
}

/// A program and its arguments. The error says so, and not that a sequence was expected.
fn command<'de, D: Deserializer<'de>>(from: D) -> Result<Option<Vec<String>>, D::Error> {
    let value = toml::Value::deserialize(from)?;
    let words = value.as_array().map(|words| {
        let words = words.iter().map(|word| word.as_str().map(str::to_owned));
        words.collect::<Option<Vec<String>>>()
    });
    match words.flatten() {
        Some(words) if words.first().is_some_and(|program| !program.is_empty()) => Ok(Some(words)),
        _ => Err(D::Error::custom(
            "`key_command` is a list of a program and its arguments, such as [\"pass\", \"show\", \"heygen\"]",
        )),
    }
}

/// How many inputs are processed at a time.
fn jobs<'de, D: Deserializer<'de>>(from: D) -> Result<Option<u16>, D::Error> {
    let value = toml::Value::deserialize(from)?;
    let number = value.as_integer().and_then(|jobs| u16::try_from(jobs).ok());
    match number {
        Some(jobs) if (1..=MAX_JOBS).contains(&jobs) => Ok(Some(jobs)),
        _ => Err(D::Error::custom(format!(
            "`jobs` is {value}; it is a number from 1 to {MAX_JOBS}"
        ))),
    }
}

fn read_if_there(path: &Path) -> Result<Option<String>> {
    match std::fs::read_to_string(path) {
        Ok(text) => Ok(Some(text)),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error).with_context(|| path.display().to_string()),
    }
}

/// The user's own file, according to the XDG base directory specification and the convention of Windows.
fn of_user() -> Option<PathBuf> {
    let absolute = |name: &str| {
        std::env::var_os(name)
            .map(PathBuf::from)
            .filter(|path| path.is_absolute())
    };
    let folder = match absolute("XDG_CONFIG_HOME") {
        Some(folder) => folder,
        None if cfg!(windows) => absolute("APPDATA")?,
        None => absolute("HOME")?.join(".config"),
    };
    Some(folder.join("forebay").join("config.toml"))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use super::*;

    #[test]
    fn settings_are_blanked_out_and_lines_stay() {
        let text = "jobs = 3 # three\nkey_command = [\n  'a', # [x]\n  '[pipelines.no]',\n]\nbase_url = \"\"\"\n[b]\n\"\"\"\n\n\
                    [pipelines.web]\nstages = []\n";
        let left = without_settings(text).unwrap();
        assert_eq!(left.len(), text.len());
        assert_eq!(left.lines().count(), text.lines().count());
        let table: toml::Table = toml::from_str(&left).unwrap();
        assert_eq!(table.keys().collect::<Vec<_>>(), ["pipelines"]);
        assert!(left.starts_with("         # three\n"), "{left}");
    }
}
