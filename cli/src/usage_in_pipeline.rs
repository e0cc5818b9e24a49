//! What a plugin is granted and may use in each place where a pipeline runs it.

use std::path::{Path, PathBuf};

use anyhow::Result;
use bytesize::ByteSize;
use forebay::{Clock, Grants, JobLimits, Limits, Random};
use serde::Serialize;
use sha2::{Digest as _, Sha256};

use crate::pipeline_reference::split;
use crate::settings;
use crate::wrap::wrap;

/// What one plugin is granted and may use in one pipeline.
pub(crate) struct UsageInPipeline {
    /// The pipeline as the command line named it.
    reference: String,
    /// Limits of a whole job.
    pub(crate) job: JobLimits,
    pub(crate) places: Vec<Place>,
}

/// A place where the plugin runs, with its grants and limits there.
#[derive(Serialize)]
pub(crate) struct Place {
    place: String,
    grants: Grants,
    limits: Limits,
    /// Names of the stages that a workflow may run.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    lent: Vec<String>,
}

impl UsageInPipeline {
    /// Looks the plugin up in `FILE[#NAME]`.
    pub(crate) fn read(reference: &str, plugin: &str) -> Result<Self> {
        let (path, name) = split(reference);
        let file = settings::read_pipelines(Path::new(path))?;
        let spec = file.pipeline(name)?;
        let stages = spec.stages.iter().enumerate().map(|(at, stage)| {
            let name = stage.name.as_ref().unwrap_or(&stage.plugin);
            (format!("stage {} {name}", at + 1), stage)
        });
        let lent = spec.workflow.iter().flat_map(|workflow| {
            let lent = workflow.lend.iter();
            lent.map(|(name, stage)| (format!("lent to the workflow as {name}"), stage))
        });
        let mut places: Vec<Place> = stages
            .chain(lent)
            .filter(|(_, stage)| same_plugin(&stage.plugin, plugin))
            .map(|(place, stage)| Place {
                place,
                grants: stage.grants.clone(),
                limits: stage.limits.clone(),
                lent: Vec::new(),
            })
            .collect();
        if let Some(workflow) = &spec.workflow
            && same_plugin(&workflow.plugin, plugin)
        {
            places.push(Place {
                place: format!("workflow {}", workflow.name),
                grants: workflow.grants.clone(),
                limits: workflow.limits.clone(),
                lent: workflow.lend.keys().cloned().collect(),
            });
        }
        Ok(Self {
            reference: reference.to_owned(),
            job: spec.limits.clone(),
            places,
        })
    }

    /// Prints it in readable form.
    pub(crate) fn print(&self) {
        say!("\nwhat {} gives it", self.reference);
        if self.places.is_empty() {
            say!("  it does not run there");
            return;
        }
        for Place {
            place,
            grants,
            limits,
            lent,
        } in &self.places
        {
            say!("  {place}");
            for words in grants_in_words(grants) {
                say!("      {words}");
            }
            if !lent.is_empty() {
                say!("      runs the stages {}", lent.join(", "));
            }
            for line in wrap(&limits_in_words(limits), 96) {
                say!("      {line}");
            }
        }
        let JobLimits {
            wall_clock,
            output_files,
            scratch_bytes,
            ..
        } = &self.job;
        say!(
            "  the whole job: wall_clock {}, output_files {output_files}, scratch_bytes {}",
            humantime::format_duration(*wall_clock),
            ByteSize(*scratch_bytes)
        );
    }
}

/// Whether two names mean the same component. Compares the bytes, so the paths may differ.
fn same_plugin(one: &str, other: &str) -> bool {
    let digest = |name: &str| match forebay_bundled::find(name) {
        Some(component) => Some(Sha256::digest(component)),
        None => Some(Sha256::digest(std::fs::read(name).ok()?)),
    };
    one == other || digest(one).is_some_and(|one| Some(one) == digest(other))
}

/// Describes grants in plain words.
pub(crate) fn grants_in_words(grants: &Grants) -> Vec<String> {
    let folder = |verb: &'static str| {
        move |(path, host): (&String, &PathBuf)| format!("{verb} {}, as {path}", host.display())
    };
    let mut words: Vec<String> = grants.read.iter().map(folder("reads")).collect();
    words.extend(grants.write.iter().map(folder("reads and writes")));
    if !grants.env.is_empty() {
        let names: Vec<&str> = grants.env.keys().map(String::as_str).collect();
        words.push(format!("finds {} in its environment", names.join(", ")));
    }
    let most = format!(
        "at most {} assets with {} together",
        grants.max_assets,
        ByteSize(grants.max_bytes)
    );
    match (grants.upload, grants.direct_upload) {
        (true, true) => words.push(format!("uploads files of any size, {most}")),
        (true, false) => words.push(format!("uploads files of up to 32 MB, {most}")),
        (false, true) => words.push(format!("uploads by direct uploads alone, {most}")),
        (false, false) => {}
    }
    if grants.file_inputs {
        words.push("names files for requests to the service".into());
    }
    if !grants.url_hosts.is_empty() {
        let hosts: Vec<&str> = grants.url_hosts.iter().map(String::as_str).collect();
        words.push(format!("lets the service fetch from {}", hosts.join(", ")));
    }
    if !grants.assets.is_empty() {
        let ids: Vec<&str> = grants.assets.iter().map(String::as_str).collect();
        words.push(format!("names the assets {}", ids.join(", ")));
    }
    if words.is_empty() {
        words.push("nothing but the file that it is given".into());
    }
    if let Clock::Frozen(at) = grants.clock {
        words.push(format!(
            "its clock stands at {}",
            humantime::format_rfc3339(at)
        ));
    }
    if let Random::Seeded(seed) = grants.random {
        words.push(format!("its random numbers come from the seed {seed}"));
    }
    words
}

/// Limits in the notation of a pipeline file.
pub(crate) fn limits_in_words(limits: &Limits) -> String {
    let Limits {
        memory,
        cpu_time,
        wall_clock,
        output_bytes,
        output_files,
        expansion,
        ..
    } = limits;
    format!(
        "limits: memory {}, cpu_time {}, wall_clock {}, output_bytes {}, output_files {output_files}, \
         expansion {expansion}",
        ByteSize(*memory),
        humantime::format_duration(*cpu_time),
        humantime::format_duration(*wall_clock),
        ByteSize(*output_bytes)
    )
}
