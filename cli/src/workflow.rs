//! `forebay run` with a workflow: all inputs at once, and its result on standard output.

use std::path::Path;

use anyhow::{Context as _, Result, bail, ensure};
use forebay::{
    Assets, Grants, Pipeline, Source, Stage, Workflow, WorkflowReport, WorkflowSpec, World,
};
use serde_json::Map;

use crate::Outcome;
use crate::args::Common;
use crate::plugins::Plugins;
use crate::progress::Progress;
use crate::run::{expand, write_report};
use crate::stage_arg::StageArg;

/// A workflow from a pipeline file.
pub(crate) async fn from_spec(plugins: &mut Plugins, spec: WorkflowSpec) -> Result<Workflow> {
    let plugin = plugins.load(&spec.plugin).await?;
    let mut workflow = spec.workflow(&plugin);
    for (name, stage) in spec.lend {
        let plugin = plugins.load(&stage.plugin).await?;
        workflow = workflow.lend(name, stage.stage(&plugin));
    }
    Ok(workflow.build()?)
}

/// A workflow from the command line. It is granted uploads and file inputs, and lent the bundled plugins by their own
/// names: they reach nothing but the file that they are given.
pub(crate) async fn from_arg(
    plugins: &mut Plugins,
    text: &str,
    lend: &[String],
) -> Result<Workflow> {
    let arg = StageArg::parse(text)?;
    let plugin = plugins.load(&arg.plugin).await?;
    let mut workflow = Workflow::builder(plugin.name(), &plugin)
        .config(arg.config(plugin.descriptor().config_schema.as_ref()))
        .grants(Grants::all());
    for (name, _) in forebay_bundled::PLUGINS {
        let bundled = plugins.load(name).await?;
        if bundled.world() != World::Workflow {
            workflow = workflow.lend(*name, Stage::new(&bundled));
        }
    }
    for text in lend {
        let Some((name, stage)) = text.split_once('=') else {
            bail!("--lend `{text}`: not of the form NAME=PLUGIN[:key=value,…]");
        };
        ensure!(!name.is_empty(), "--lend `{text}`: the name is missing");
        let arg = StageArg::parse(stage)?;
        let plugin = plugins.load(&arg.plugin).await?;
        let config = arg.config(plugin.descriptor().config_schema.as_ref());
        workflow = workflow.lend(name, Stage::new(&plugin).config(config).name(name));
    }
    Ok(workflow.build()?)
}

/// Runs a workflow over all inputs, after the stages of `pipeline`.
pub(crate) async fn run(
    plugins: &Plugins,
    pipeline: &Pipeline,
    workflow: &Workflow,
    assets: &Assets,
    common: &Common,
) -> Result<Outcome> {
    ensure!(
        common.journal.is_none(),
        "--journal notes the uploads of pipelines; a workflow's stay all or not at all"
    );
    let (inputs, problems) = expand(&common.inputs)?;
    let progress = Progress::new("upload", Progress::total(&inputs), common.json);
    problems.iter().for_each(|problem| progress.failed(problem));
    if !problems.is_empty() {
        // Its one result is for all inputs or for none.
        return Ok(Outcome::SomeFailed);
    }
    let sources = inputs.iter().map(|input| {
        if input.path == Path::new("-") {
            Source::reader(&common.stdin_name, tokio::io::stdin())
        } else {
            Source::path(&input.path)
        }
    });
    let workflow = if pipeline.stages().is_empty() {
        workflow.clone()
    } else {
        pipeline.then(workflow)
    };
    let observer = progress.clone();
    let ended = plugins
        .host
        .workflow_job(&workflow, sources, assets)
        .observe(move |event| observer.on(&event))
        .run()
        .await;
    progress.finish();
    let report = match ended {
        Ok(report) => report,
        Err(error) => {
            for error in &error.errors {
                progress.failed(&error.to_string());
            }
            return Ok(Outcome::SomeFailed);
        }
    };
    tell(&report, &progress);
    if common.json {
        say!("{}", serde_json::to_string(&report)?);
    } else {
        say!("{}", serde_json::to_string_pretty(&report.result)?);
    }
    if let Some(path) = &common.report {
        let report = Map::from_iter([("workflow".into(), serde_json::to_value(&report)?)]);
        write_report(path, report).with_context(|| format!("report {}", path.display()))?;
    }
    Ok(Outcome::Done)
}

/// What the workflow made and said, for a person.
fn tell(report: &WorkflowReport, progress: &Progress) {
    for file in &report.files {
        progress.done(&report.workflow, file);
    }
    for message in &report.messages {
        eprintln!("{}: {message}", report.workflow);
    }
}
