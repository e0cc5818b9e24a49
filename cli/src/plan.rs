//! `--dry-run`: what a run would do with each file.
//!
//! Promise: no request is sent, no result, report or journal is written, and nothing is read of a file but its first
//! bytes. Plugins are loaded, and so a pipeline that cannot work is refused as in a run.

use std::collections::HashMap;
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
use crate::plain::one_line;
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
    pub(crate) to: To,
}

/// Where the results would go.
pub(crate) enum To {
    Folder {
        path: PathBuf,
        force: bool,
        /// Whether `--name` names the results.
        named: bool,
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
    refused: Option<String>,
    notes: Vec<String>,
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
        let (mut bytes, mut refused) = (0, problems.len() as u64);
        let all = inputs.len() as u64 + refused;
        for input in &inputs {
            let planned = self.file(input, common, &mut names);
            bytes += planned.size.unwrap_or(0);
            refused += u64::from(planned.refused.is_some());
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
                say!("  refused: {}", one_line(&problem.message));
            }
        }
        if common.json {
            let totals = json!({ "inputs": all, "bytes": bytes, "refused": refused });
            say!("{}", json!({ "totals": totals }));
        } else {
            let bytes = ByteSize(bytes).display().si();
            let refused = match refused {
                0 => "nothing would be refused".to_owned(),
                some => format!("{some} would be refused"),
            };
            let left_out = left_out.map_or_else(String::new, |words| format!("; {words}"));
            say!("\n{}, {bytes}; {refused}{left_out}", count(all, "file"));
        }
        Ok(if refused == 0 {
            Outcome::Done
        } else {
            Outcome::SomeFailed
        })
    }

    fn file(
        &self,
        input: &Input,
        common: &Common,
        names: &mut HashMap<PathBuf, String>,
    ) -> Planned {
        let mut planned = Planned {
            shown: input.shown.clone(),
            name: String::new(),
            media_type: None,
            size: None,
            flow: None,
            refused: None,
            notes: Vec::new(),
        };
        let name = input.path.file_name().unwrap_or_default().to_string_lossy();
        planned.name = media::plain_name(&name);
        if input.path == Path::new("-") {
            planned.name = media::plain_name(&common.stdin_name);
            planned
                .notes
                .push("its type and size are known when it is read".into());
            return planned;
        }
        match look(&input.path) {
            Ok(Some((size, media_type))) => {
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
                        planned
                            .notes
                            .push("the service may refuse files of more than 200 MiB".into());
                    }
                }
                planned.media_type = Some(media_type);
            }
            Ok(None) => planned
                .notes
                .push("a pipe or a device; it is not read now".into()),
            Err(error) => planned.refused = Some(error.to_string()),
        }
        if let To::Folder { path, force, named } = &self.to
            && planned.refused.is_none()
            && !named
        {
            let target = path.join(&input.beneath).join(&planned.name);
            if let Some(other) = names.insert(target.clone(), input.shown.clone()) {
                planned.notes.push(format!(
                    "fails if its result has the same name as that of {other}; --name gives each a name of its own"
                ));
            } else if !force && target.symlink_metadata().is_ok() {
                planned.notes.push(format!(
                    "fails if its result is named {}, which exists; --force replaces it",
                    target.display()
                ));
            }
        }
        planned
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
                return Some(format!(
                    "stage {name}: the file is {media_type}; it takes {accepts}"
                ));
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
        (!is_taken).then(|| AssetsError::UnsupportedType(media_type.to_owned()).to_string())
    }

    /// Prints the stages and where the results would go.
    fn tell(&self) {
        say!("This is a plan. Nothing is sent or written.\n");
        for (at, stage) in self.pipeline.stages().iter().enumerate() {
            let when = self.pipeline.when(at);
            let when = when.map_or_else(String::new, |when| {
                format!(" (for {when}; others pass it by)")
            });
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

impl Planned {
    fn tell(&self) {
        let mut parts = vec![self.shown.clone()];
        parts.extend(self.media_type.clone());
        parts.extend(
            self.size
                .map(|size| ByteSize(size).display().si().to_string()),
        );
        parts.extend(self.flow.map(|flow| format!("by {flow}")));
        let leaf = Path::new(&self.shown).file_name().unwrap_or_default();
        if self.refused.is_none() && !self.name.is_empty() && leaf != self.name.as_str() {
            parts.push(format!("as {}", self.name));
        }
        say!("  {}", one_line(&parts.join(", ")));
        if let Some(reason) = &self.refused {
            say!("      refused: {}", one_line(reason));
        }
        for note in &self.notes {
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
        });
        if let (false, Some(value)) = (self.notes.is_empty(), value.as_object_mut()) {
            value.insert("notes".into(), json!(self.notes));
        }
        value
    }
}
