//! `forebay run` with a workflow, which gets all inputs at once. Its result is written to standard output.

use std::path::Path;

use anyhow::{Result, bail, ensure};
use forebay::{
    Assets, Grants, JobLimits, Pipeline, Source, Stage, Workflow, WorkflowReport, WorkflowSpec,
    World,
};
use serde_json::Map;

use crate::Outcome;
use crate::args::Common;
use crate::inputs::expand;
use crate::plain::json as json_text;
use crate::plugins::Plugins;
use crate::progress::Progress;
use crate::report_file::ReportFile;
use crate::stage_arg::StageArg;

/// A workflow from a pipeline file.
pub(crate) async fn from_spec(
    plugins: &mut Plugins,
    spec: WorkflowSpec,
    limits: JobLimits,
) -> Result<Workflow> {
    let plugin = plugins.load(&spec.plugin).await?;
    let mut workflow = spec.workflow(&plugin).job_limits(limits);
    for (name, stage) in spec.lend {
        let plugin = plugins.load(&stage.plugin).await?;
        workflow = workflow.lend(name, stage.stage(&plugin));
    }
    Ok(workflow.build()?)
}

/// A workflow from the command line. It may upload and make file inputs, and it may run the bundled plugins by their
/// own names. Those plugins can access only the file that they are given.
pub(crate) async fn from_arg(
    plugins: &mut Plugins,
    text: &str,
    lend: &[String],
    grants: &Grants,
) -> Result<Workflow> {
    let arg = StageArg::parse(text)?;
    let plugin = plugins.load(&arg.plugin).await?;
    let mut workflow = Workflow::builder(plugin.name(), &plugin)
        .config(arg.config(plugin.descriptor().config_schema.as_ref()))
        .grants(grants.clone().upload().direct_upload().file_inputs());
    for (name, _) in forebay_bundled::PLUGINS {
        if !plugins.may_lend(name) {
            continue;
        }
        let bundled = plugins.load(name).await?;
        if bundled.world() != World::Workflow {
            let stage = Stage::new(&bundled).grants(grants.clone());
            workflow = workflow.lend(*name, stage);
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
        let stage = Stage::new(&plugin).config(config).name(name);
        workflow = workflow.lend(name, stage.grants(grants.clone()));
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
    report_file: Option<ReportFile>,
) -> Result<Outcome> {
    ensure!(
        common.journal.is_none(),
        "--journal notes the uploads of pipelines; a workflow's stay all or not at all"
    );
    let (inputs, problems) = expand(&common.inputs)?;
    let progress = Progress::new("upload", Progress::total(&inputs), common.json);
    problems.iter().for_each(|problem| progress.failed(problem));
    if !problems.is_empty() {
        // The workflow has one result, for all inputs or for none.
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
        .hash_files(common.reports())
        .run()
        .await;
    progress.finish();
    let (report, errors) = match ended {
        Ok(report) => (Some(report), Vec::new()),
        Err(error) => (error.report.map(|report| *report), error.errors),
    };
    if let Some(report) = &report {
        tell(report, &progress);
    }
    for error in &errors {
        progress.failed(&error.to_string());
    }
    let failures: Vec<String> = errors.iter().map(ToString::to_string).collect();
    if common.json {
        let entry = match &report {
            Some(report) => serde_json::to_value(report)?,
            None => serde_json::json!({ "failures": failures }),
        };
        say!("{}", json_text(&entry.to_string()));
    } else if report_file.as_ref().is_some_and(ReportFile::is_stdout) {
        // The report is the only content of standard output, and it contains the result.
    } else if let (Some(report), []) = (&report, errors.as_slice()) {
        let result = serde_json::to_string_pretty(&report.result)?;
        say!("{}", json_text(&result));
    }
    if let Some(file) = report_file {
        let mut entries = Map::from_iter([("failures".into(), failures.into())]);
        if let Some(report) = &report {
            entries.insert("workflow".into(), serde_json::to_value(report)?);
        }
        file.write(entries).await?;
    }
    Ok(if errors.is_empty() {
        Outcome::Done
    } else {
        Outcome::SomeFailed
    })
}

/// Prints the workflow's files and messages for a person.
fn tell(report: &WorkflowReport, progress: &Progress) {
    for file in &report.files {
        progress.done(&report.workflow, file);
    }
    for message in &report.messages {
        complain!("{}: {message}", report.workflow);
    }
}
