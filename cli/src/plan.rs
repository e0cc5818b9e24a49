//! `--dry-run`: what a run would do with each file.
//!
//! Promise: no request is sent, no result, report or journal is written, and nothing is read of a file but its first
//! bytes. Plugins are loaded, and so a pipeline that cannot work is refused as in a run.

use std::collections::{HashMap, HashSet};
use std::fs::File;
use std::io::Read as _;
use std::path::{Path, PathBuf};

use anyhow::Result;
use bytesize::ByteSize;
use forebay::assets::{Flow, MULTIPART_MAX, SUPPORTED_TYPES};
use forebay::{AssetsError, FileInfo, Limits, Pipeline, Stage, StageSpec, Workflow, media};
use serde_json::{Value, json};

use crate::Outcome;
use crate::args::Common;
use crate::inputs::Input;
use crate::name_template::NameTemplate;
use crate::plain::one_line;
use crate::run::{check_one_result, other_type};
use crate::select::{self, Selected};
use crate::summary::count;
use crate::usage_in_pipeline::{grants_in_words, limits_in_words};
use crate::wrap::wrap;

/// Files above this size may be refused by the service. Its own client takes no larger ones.
const LARGE: u64 = 200 << 20;

/// What a run would do.
pub(crate) struct Plan<'a> {
    pub(crate) pipeline: &'a Pipeline,
    pub(crate) workflow: Option<&'a Workflow>,
    /// The media type of the inputs, in place of the one that their bytes show.
    pub(crate) media_type: Option<&'a str>,
    pub(crate) to: To,
}

/// Where the results would go.
pub(crate) enum To {
    Folder {
        path: PathBuf,
        force: bool,
        /// The template of `--name`.
        names: Option<NameTemplate>,
    },
    Stdout,
    Assets {
        base_url: String,
    },
}

/// What would happen to one file.
struct Planned {
    shown: String,
    name: String,
    media_type: Option<String>,
    size: Option<u64>,
    flow: Option<Flow>,
    /// The path that a result gets, if the stages name it as its input.
    result: Option<PathBuf>,
    /// Why it would be refused.
    refused: Option<String>,
    /// It is among the refused because it cannot be read.
    is_unreadable: bool,
    /// Why it would probably fail: stages may name a result otherwise.
    fails: Option<String>,
    /// The service may refuse it.
    may_be_refused: bool,
    notes: Vec<String>,
}

/// What would happen to all files.
#[derive(Default)]
struct Sum {
    /// Files that can be read.
    files: u64,
    bytes: u64,
    unreadable: u64,
    refused: u64,
    fail: u64,
    may_be_refused: u64,
}

impl To {
    /// The folder that the run writes to. What is in it is no input.
    fn own(&self) -> Vec<&Path> {
        match self {
            Self::Folder { path, .. } => vec![path],
            _ => Vec::new(),
        }
    }
}

impl Plan<'_> {
    /// Prints the plan.
    pub(crate) fn show(&self, common: &Common) -> Result<Outcome> {
        let Selected {
            inputs,
            problems,
            left_out,
            ..
        } = select::select(common, &self.to.own())?;
        if matches!(self.to, To::Stdout) {
            check_one_result(inputs.len() + problems.len())?;
        }
        if common.json {
            say!("{}", json!({ "plan": self.to_json() }));
        } else {
            self.tell();
            if common.journal.is_some() {
                say!(
                    "    the journal is not read: files that it records as done are in this plan, too"
                );
            }
            say!("");
        }
        let mut names = HashMap::new();
        let mut sum = Sum {
            unreadable: problems.len() as u64,
            ..Sum::default()
        };
        let read: HashSet<PathBuf> = inputs.iter().filter_map(real_path).collect();
        for (number, input) in (1..).zip(&inputs) {
            let planned = self.file(number, input, common, &read, &mut names);
            sum.add(&planned);
            if common.json {
                say!("{}", planned.to_json());
            } else {
                planned.tell();
            }
        }
        for problem in &problems {
            if common.json {
                say!("{}", json!({ "refused": problem.message }));
            } else {
                say!("  cannot be read: {}", one_line(&problem.message));
            }
        }
        if common.json {
            say!("{}", json!({ "totals": sum.to_json() }));
        } else {
            let left_out = left_out.map_or_else(String::new, |words| format!("; {words}"));
            say!("\n{}{left_out}", sum.in_words());
        }
        Ok(if sum.unreadable + sum.refused + sum.fail == 0 {
            Outcome::Done
        } else {
            Outcome::SomeFailed
        })
    }

    fn file(
        &self,
        number: usize,
        input: &Input,
        common: &Common,
        read: &HashSet<PathBuf>,
        names: &mut HashMap<PathBuf, String>,
    ) -> Planned {
        let mut planned = Planned {
            shown: input.shown.clone(),
            name: String::new(),
            media_type: None,
            size: None,
            flow: None,
            result: None,
            refused: None,
            is_unreadable: false,
            fails: None,
            may_be_refused: false,
            notes: Vec::new(),
        };
        if input.is_stdin() {
            planned.name = media::plain_name(common.stdin_name());
            planned
                .notes
                .push("its type and size are known when it is read".into());
            return planned;
        }
        let name = input.path.file_name().unwrap_or_default().to_string_lossy();
        planned.name = media::plain_name(&name);
        match look(&input.path) {
            Ok(Some((size, shown))) => self.judge(&mut planned, size, shown),
            Ok(None) => planned
                .notes
                .push("a pipe or a device; it is not read now".into()),
            Err(error) => {
                planned.refused = Some(error.to_string());
                planned.is_unreadable = true;
            }
        }
        if planned.refused.is_none() {
            self.name(&mut planned, number, input, read, names);
        }
        planned
    }

    /// Judges a file by its size and the type that its bytes show.
    fn judge(&self, planned: &mut Planned, size: u64, shown: String) {
        let media_type = match self.media_type {
            Some(sent) => {
                if sent != shown {
                    planned.notes.push(other_type(&shown, sent));
                }
                sent.to_owned()
            }
            None => shown,
        };
        planned.name = media::fit_name(&planned.name, &media_type);
        planned.size = Some(size);
        planned.refused = self.refusal(&FileInfo {
            name: planned.name.clone(),
            media_type: media_type.clone(),
            size: Some(size),
        });
        if self.uploads_as_it_is() && planned.refused.is_none() {
            planned.flow = Some(if size <= MULTIPART_MAX {
                Flow::Upload
            } else {
                Flow::DirectUpload
            });
            if size > LARGE {
                planned.may_be_refused = true;
                planned.notes.push(format!(
                    "the service may refuse files of more than {LARGE} bytes ({})",
                    ByteSize(LARGE).display().si()
                ));
            }
        }
        planned.media_type = Some(media_type);
    }

    /// Says which path the result would get, and whether it could.
    fn name(
        &self,
        planned: &mut Planned,
        number: usize,
        input: &Input,
        read: &HashSet<PathBuf>,
        names: &mut HashMap<PathBuf, String>,
    ) {
        let To::Folder {
            path,
            force,
            names: template,
        } = &self.to
        else {
            return;
        };
        let name = match self.type_of_result(planned) {
            Some(media_type) => media::fit_name(&planned.name, &media_type),
            None => planned.name.clone(),
        };
        let name = match template {
            Some(template) => {
                let source = input.path.file_name().unwrap_or_default().to_string_lossy();
                let stages = vec![0; self.pipeline.stages().len()];
                match template.apply_to(&name, &stages, &source, number) {
                    Ok(name) => name,
                    Err(problem) => {
                        planned.fails = Some(format!("would probably fail: {problem}"));
                        return;
                    }
                }
            }
            None => name,
        };
        let target = path.join(&input.beneath).join(name);
        let shown = target.display();
        if let Some(other) = names.get(&target) {
            let hint = match template {
                None => "; --name gives each a name of its own",
                Some(template) if !template.tells_inputs_apart() => {
                    "; {n} in --name tells the inputs apart"
                }
                Some(_) => "",
            };
            planned.fails = Some(format!(
                "fails if its result has the same name as that of {other}{hint}"
            ));
        } else if let Ok(real) = target.canonicalize()
            && read.contains(&real)
        {
            planned.fails = Some(format!(
                "fails if its result is named {shown}, which is an input of this run and stays; give -o another folder"
            ));
        } else if !force && target.symlink_metadata().is_ok() {
            planned.fails = Some(format!(
                "fails if its result is named {shown}, which exists; --force replaces it"
            ));
        }
        names
            .entry(target.clone())
            .or_insert_with(|| input.shown.clone());
        planned.result = Some(target);
    }

    /// The type of the result, as far as it is known in advance.
    fn type_of_result(&self, planned: &Planned) -> Option<String> {
        let mut file = FileInfo {
            name: planned.name.clone(),
            media_type: planned.media_type.clone()?,
            size: planned.size,
        };
        for (at, stage) in self.pipeline.stages().iter().enumerate() {
            match self.pipeline.when(at).map(|when| when.fits(&file)) {
                None | Some(Some(true)) => {}
                Some(Some(false)) => continue,
                Some(None) => return None,
            }
            match stage.plugin().descriptor().produces.as_slice() {
                [] => {}
                [only] => only.clone_into(&mut file.media_type),
                _ => return None,
            }
            file.name = media::fit_name(&file.name, &file.media_type);
            file.size = None;
        }
        Some(file.media_type)
    }

    fn uploads_as_it_is(&self) -> bool {
        matches!(self.to, To::Assets { .. })
            && self.pipeline.stages().is_empty()
            && self.workflow.is_none()
    }

    /// Why a file would not get through, as far as the types are known in advance.
    fn refusal(&self, file: &FileInfo) -> Option<String> {
        let mut file = file.clone();
        for (at, stage) in self.pipeline.stages().iter().enumerate() {
            match self.pipeline.when(at).map(|when| when.fits(&file)) {
                None | Some(Some(true)) => {}
                Some(Some(false)) => continue,
                // It depends on what the stages before make of the file.
                Some(None) => return None,
            }
            let plugin = stage.plugin();
            let media_type = &file.media_type;
            let descriptor = plugin.descriptor();
            if !plugin.accepts(media_type) {
                let name = label(at, stage);
                let accepts = descriptor.accepts.join(", ");
                return Some(match (media_type.as_str(), file.size) {
                    (_, Some(0)) => format!("stage {name}: the file is empty"),
                    (media::UNKNOWN, _) => {
                        format!("stage {name}: the file is of unknown type; it takes {accepts}")
                    }
                    _ => format!("stage {name}: the file is {media_type}; it takes {accepts}"),
                });
            }
            match descriptor.produces.as_slice() {
                [] => {}
                [only] => only.clone_into(&mut file.media_type),
                // What it makes of this file is known when it runs.
                _ => return None,
            }
            file.name = media::fit_name(&file.name, &file.media_type);
            file.size = None;
        }
        let media_type = &*file.media_type;
        if let Some(workflow) = self.workflow {
            let plugin = workflow.plugin();
            let accepts = || plugin.descriptor().accepts.join(", ");
            return (!plugin.accepts(media_type)).then(|| {
                format!(
                    "workflow {}: the file is {media_type}; it takes {}",
                    workflow.name(),
                    accepts()
                )
            });
        }
        let is_taken =
            !matches!(self.to, To::Assets { .. }) || SUPPORTED_TYPES.contains(&media_type);
        (!is_taken).then(|| match file.size {
            Some(0) => "the file is empty".to_owned(),
            _ => AssetsError::UnsupportedType(media_type.to_owned()).to_string(),
        })
    }

    /// Prints the stages and where the results would go.
    fn tell(&self) {
        say!("This is a plan. Nothing is sent or written. Types are checked, contents are not.\n");
        for (at, stage) in self.pipeline.stages().iter().enumerate() {
            let when = self.pipeline.when(at);
            let when =
                when.map_or_else(String::new, |when| format!(" (for {when}; others skip it)"));
            tell_stage(&format!("stage {}{when}", label(at, stage)), stage);
        }
        if let Some(workflow) = self.workflow {
            say!("{}", one_line(&format!("workflow {}", workflow.name())));
            grants_in_words(workflow.grants())
                .iter()
                .for_each(|words| say!("    {}", one_line(words)));
            if workflow.is_raw() {
                say!("    its result is taken as it is, whatever files it names (--raw)");
            }
            for line in wrap(&limits_in_words(workflow.limits()), 96) {
                say!("    {line}");
            }
            for (name, stage) in workflow.lent() {
                tell_stage(
                    &format!("lent to it as {name}: {}", stage.plugin().name()),
                    stage,
                );
            }
        }
        match &self.to {
            To::Folder { path, force, .. } => {
                let older = if *force {
                    "are replaced"
                } else {
                    "stay, and new files of their names fail"
                };
                say!(
                    "to the folder {}; files that are there {older}",
                    one_line(&path.display().to_string())
                );
                if !self.pipeline.stages().is_empty() {
                    say!(
                        "    -> is the name of a result, unless a stage gives it another name or makes several"
                    );
                }
            }
            To::Stdout => say!("to standard output"),
            To::Assets { base_url } => {
                say!("to the Assets API at {}", one_line(base_url));
                if !self.uploads_as_it_is() {
                    say!("    results of up to 32 MB by upload, larger ones by direct upload");
                }
            }
        }
    }

    fn to_json(&self) -> Value {
        let stages = self.pipeline.stages().iter().enumerate();
        let stages: Vec<Value> = stages
            .map(|(at, stage)| {
                let mut json = stage_json(&label(at, stage), stage);
                if let (Some(when), Some(json)) = (self.pipeline.when(at), json.as_object_mut()) {
                    json.insert("when".into(), when.to_string().into());
                }
                json
            })
            .collect();
        let to = match &self.to {
            To::Folder { path, force, .. } => json!({ "folder": path, "force": force }),
            To::Stdout => json!("standard output"),
            To::Assets { base_url } => json!({ "base_url": base_url }),
        };
        let mut plan = json!({ "stages": stages, "to": to });
        if let (Some(workflow), Some(plan)) = (self.workflow, plan.as_object_mut()) {
            let lent: Vec<Value> = workflow
                .lent()
                .map(|(name, stage)| stage_json(name, stage))
                .collect();
            plan.insert(
                "workflow".into(),
                json!({
                    "name": workflow.name(),
                    "plugin": workflow.plugin().name(),
                    "digest": workflow.plugin().digest(),
                    "grants": workflow.grants(),
                    "raw_result": workflow.is_raw(),
                    "limits": workflow.limits(),
                    "lent": lent,
                }),
            );
        }
        plan
    }
}

/// `1 strip-metadata`, as in reports.
fn label(at: usize, stage: &Stage) -> String {
    let name = StageSpec::from(stage).name.unwrap_or_default();
    format!("{} {name}", at + 1)
}

fn tell_stage(label: &str, stage: &Stage) {
    let spec = StageSpec::from(stage);
    let plugin = stage.plugin();
    let digest: String = plugin.digest().chars().take(12).collect();
    let version = &plugin.descriptor().version;
    say!(
        "{}",
        one_line(&format!(
            "{label} ({} {version}, sha256 {digest}…)",
            plugin.name()
        ))
    );
    if spec
        .config
        .as_object()
        .is_some_and(|config| !config.is_empty())
    {
        say!("    config {}", one_line(&spec.config.to_string()));
    }
    grants_in_words(&spec.grants)
        .iter()
        .for_each(|words| say!("    {}", one_line(words)));
    if spec.limits != Limits::default() {
        for line in wrap(&limits_in_words(&spec.limits), 96) {
            say!("    {line}");
        }
    }
}

fn stage_json(label: &str, stage: &Stage) -> Value {
    let spec = StageSpec::from(stage);
    json!({
        "stage": label,
        "plugin": stage.plugin().name(),
        "version": stage.plugin().descriptor().version,
        "digest": stage.plugin().digest(),
        "config": spec.config,
        "grants": spec.grants,
        "limits": spec.limits,
    })
}

/// The size and the type of a file; `None` for a pipe or a device, whose first bytes can be read only once.
fn look(path: &Path) -> std::io::Result<Option<(u64, String)>> {
    let metadata = std::fs::metadata(path)?;
    if metadata.is_dir() {
        return Err(std::io::ErrorKind::IsADirectory.into());
    }
    if !metadata.is_file() {
        return Ok(None);
    }
    let mut head = Vec::new();
    File::open(path)?
        .take(media::SNIFF_LEN as u64)
        .read_to_end(&mut head)?;
    Ok(Some((metadata.len(), media::sniff(&head).to_owned())))
}

/// The file that an input is, by whatever path.
fn real_path(input: &Input) -> Option<PathBuf> {
    input.path.canonicalize().ok()
}

impl Sum {
    fn add(&mut self, planned: &Planned) {
        self.bytes += planned.size.unwrap_or(0);
        let count = if planned.is_unreadable {
            &mut self.unreadable
        } else {
            self.files += 1;
            if planned.refused.is_some() {
                &mut self.refused
            } else if planned.fails.is_some() {
                &mut self.fail
            } else if planned.may_be_refused {
                &mut self.may_be_refused
            } else {
                return;
            }
        };
        *count += 1;
    }

    fn in_words(&self) -> String {
        let mut parts = vec![format!(
            "{}, {}",
            count(self.files, "file"),
            ByteSize(self.bytes).display().si()
        )];
        for (many, words) in [
            (self.unreadable, "cannot be read"),
            (self.refused, "would be refused"),
            (self.fail, "would probably fail"),
            (self.may_be_refused, "may be refused by the service"),
        ] {
            if many > 0 {
                parts.push(format!("{many} {words}"));
            }
        }
        if parts.len() == 1 {
            parts.push("nothing would be refused".to_owned());
        }
        parts.join("; ")
    }

    fn to_json(&self) -> Value {
        json!({
            "inputs": self.files + self.unreadable,
            "bytes": self.bytes,
            "unreadable": self.unreadable,
            "refused": self.refused,
            "would_probably_fail": self.fail,
            "may_be_refused": self.may_be_refused,
        })
    }
}

impl Planned {
    fn tell(&self) {
        let shown = match self.shown.as_str() {
            "-" => "standard input",
            shown => shown,
        };
        let mut parts = vec![shown.to_owned()];
        parts.extend(self.media_type.clone());
        parts.extend(
            self.size
                .map(|size| ByteSize(size).display().si().to_string()),
        );
        parts.extend(self.flow.map(|flow| format!("by {flow}")));
        let leaf = Path::new(&self.shown).file_name().unwrap_or_default();
        let mut line = parts.join(", ");
        if let Some(result) = &self.result {
            line += &format!(" -> {}", result.display());
        } else if self.refused.is_none() && !self.name.is_empty() && leaf != self.name.as_str() {
            line += &format!(", as {}", self.name);
        }
        say!("  {}", one_line(&line));
        if let Some(reason) = &self.refused {
            let what = if self.is_unreadable {
                "cannot be read"
            } else {
                "refused"
            };
            say!("      {what}: {}", one_line(reason));
        }
        for note in self.fails.iter().chain(&self.notes) {
            say!("      {}", one_line(note));
        }
    }

    fn to_json(&self) -> Value {
        let mut value = json!({
            "input": self.shown,
            "name": self.name,
            "media_type": self.media_type,
            "size": self.size,
            "flow": self.flow,
            "refused": self.refused,
            "fails": self.fails,
            "result": self.result,
        });
        if let (false, Some(value)) = (self.notes.is_empty(), value.as_object_mut()) {
            value.insert("notes".into(), json!(self.notes));
        }
        value
    }
}
