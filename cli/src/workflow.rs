//! `forebay run` with a workflow, which gets all inputs at once. Its result is written to standard output.

use std::sync::Arc;

use anyhow::{Result, bail, ensure};
use forebay::{
    Assets, Error, Grants, JobLimits, Pipeline, PluginError, Stage, StageCause, Workflow,
    WorkflowBuilder, WorkflowReport, WorkflowSpec, World,
};
use serde_json::{Map, json};

use crate::Outcome;
use crate::args::{Common, RunArgs};
use crate::plain::json as json_text;
use crate::plugins::Plugins;
use crate::progress::{Progress, Work};
use crate::report_file::ReportFile;
use crate::select::{self, Selected};
use crate::stage_arg::StageArg;
use crate::summary::Totals;
use crate::timeline::Timeline;
use crate::{failures, stdout, stop, summary};

/// A workflow from a pipeline file.
pub(crate) async fn from_spec(
    plugins: &mut Plugins,
    spec: WorkflowSpec,
    limits: JobLimits,
    raw: bool,
) -> Result<Workflow> {
    let plugin = plugins.load(&spec.plugin).await?;
    let mut workflow = taken_raw(spec.workflow(&plugin).job_limits(limits), raw);
    for (name, stage) in spec.lend {
        let plugin = plugins.load(&stage.plugin).await?;
        workflow = workflow.lend(name, stage.stage(&plugin));
    }
    Ok(workflow.build()?)
}

/// A workflow from the command line. It may upload, make file inputs and name what `--url-host` and `--asset` list, and it
/// may run the bundled plugins by their own names. Those plugins can access only the file that they are given.
pub(crate) async fn from_arg(
    plugins: &mut Plugins,
    text: &str,
    args: &RunArgs,
    grants: &Grants,
) -> Result<Workflow> {
    let arg = StageArg::for_all_files(text)?;
    let plugin = plugins.load(&arg.plugin).await?;
    let mut own = grants.clone().upload().direct_upload().file_inputs();
    own.url_hosts.extend(args.url_host.iter().cloned());
    own.assets.extend(args.asset.iter().cloned());
    let mut workflow = Workflow::builder(plugin.name(), &plugin)
        .config(arg.config(plugin.descriptor().config_schema.as_ref())?)
        .grants(own);
    workflow = taken_raw(workflow, args.raw);
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
    for text in &args.lend {
        let Some((name, stage)) = text.split_once('=') else {
            bail!("--lend `{text}`: not of the form NAME=PLUGIN[:key=value,…]");
        };
        ensure!(!name.is_empty(), "--lend `{text}`: the name is missing");
        let arg = StageArg::for_all_files(stage)?;
        let plugin = plugins.load(&arg.plugin).await?;
        let config = arg.config(plugin.descriptor().config_schema.as_ref())?;
        let stage = Stage::new(&plugin).config(config).name(name);
        workflow = workflow.lend(name, stage.grants(grants.clone()));
    }
    Ok(workflow.build()?)
}

fn taken_raw(workflow: WorkflowBuilder, raw: bool) -> WorkflowBuilder {
    if raw { workflow.raw_result() } else { workflow }
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
    let Selected {
        inputs,
        problems,
        passed_over,
        left_out,
    } = select::select(common, &[])?;
    let work = Work {
        verb: "upload",
        transforms: true,
    };
    let progress = Progress::new(work, Progress::total(&inputs), common.json);
    left_out.iter().for_each(|words| progress.note(words));
    let mut totals = Totals::start();
    let count = inputs.len();
    problems
        .iter()
        .for_each(|problem| progress.failed(&problem.message));
    if !problems.is_empty() {
        // The workflow has one result, for all inputs or for none.
        if let Some(file) = report_file {
            let failures: Vec<&str> = problems.iter().map(|problem| &*problem.message).collect();
            let report = Map::from_iter([("failures".into(), failures.into())]);
            file.write(report).await?;
        }
        return Ok(Outcome::SomeFailed);
    }
    let sources = inputs.iter().map(|input| input.source(common.stdin_name()));
    let workflow = if pipeline.stages().is_empty() {
        workflow.clone()
    } else {
        pipeline.then(workflow)
    };
    let timeline = Arc::new(Timeline::new(totals.started()));
    let steps = timeline.clone();
    let (observer, name) = (progress.clone(), workflow.name().to_owned());
    stop::end_gracefully();
    let job = plugins
        .host
        .workflow_job(&workflow, sources, assets)
        .observe(move |event| {
            steps.on(event);
            observer.on(&name, event);
        })
        .hash_files(common.reports())
        .run();
    let ended = tokio::select! {
        biased;
        // This drops the job, which deletes what it has uploaded.
        () = stop::requested() => None,
        ended = job => Some(ended),
    };
    progress.finish();
    let (report, errors) = match ended {
        Some(Ok(report)) => (Some(report), Vec::new()),
        Some(Err(error)) => (error.report.map(|report| *report), error.errors),
        None => {
            let file = workflow.name().to_owned();
            (None, vec![Error::Cancelled { file }])
        }
    };
    if let Some(report) = &report {
        tell(report, &progress);
    }
    for error in &errors {
        progress.failed(&(error.to_string() + skip_hint(error, &workflow)));
    }
    totals.count_all(
        count,
        errors.is_empty(),
        report.as_ref().map_or(&[], |report| &report.files),
    );
    let failures: Vec<String> = errors.iter().map(ToString::to_string).collect();
    let parts = failures::parts(&errors);
    if common.json {
        let mut entry = match &report {
            Some(report) => serde_json::to_value(report)?,
            None => json!({ "failures": failures }),
        };
        if let Some(entry) = entry.as_object_mut() {
            entry.insert("errors".into(), parts.clone());
        }
        stdout::result(&json_text(&entry.to_string()));
        stdout::result(&json!({ "totals": totals.to_json() }).to_string());
    } else if report_file.as_ref().is_some_and(ReportFile::is_stdout) {
        // The report is the only content of standard output, and it contains the result.
    } else if let (Some(report), []) = (&report, errors.as_slice()) {
        let result = serde_json::to_string_pretty(&report.result)?;
        stdout::result(&json_text(&result));
    }
    if errors.is_empty() {
        progress.note(&totals.to_string());
    } else {
        progress.note(&format!(
            "nothing done: a workflow takes all of its {} or none",
            summary::count(count as u64, "input")
        ));
    }
    if let Some(file) = report_file {
        let mut entries = Map::from_iter([
            ("failures".into(), failures.into()),
            ("errors".into(), parts),
            ("totals".into(), totals.to_json()),
            ("passed_over".into(), passed_over.to_json()),
        ]);
        if let Some(report) = &report {
            let mut entry = serde_json::to_value(report)?;
            timeline.add_to(&mut entry);
            entries.insert("workflow".into(), entry);
        }
        file.write(entries).await?;
    }
    Ok(totals.outcome())
}

/// How to leave out a file that is broken, if the workflow can and was not told to.
fn skip_hint(error: &Error, workflow: &Workflow) -> &'static str {
    let is_broken = matches!(
        error,
        Error::Workflow {
            cause: StageCause::Plugin(PluginError::InvalidInput(_)),
            ..
        }
    );
    let schema = workflow.plugin().descriptor().config_schema.as_ref();
    let can_skip = schema.is_some_and(|schema| {
        let field = schema.as_json().pointer("/properties/skip_broken/type");
        field.is_some_and(|kind| kind == "boolean")
    });
    if is_broken && can_skip {
        "; `skip_broken=true` in its config leaves such files out"
    } else {
        ""
    }
}

/// Prints the workflow's files and messages for a person.
fn tell(report: &WorkflowReport, progress: &Progress) {
    for file in &report.files {
        progress.done(&report.workflow, file);
    }
    for message in &report.messages {
        progress.note(&format!("{}: {message}", report.workflow));
    }
    if report.raw_result {
        progress.note(&format!(
            "{}: the files that its result names were not checked (--raw); look at them before you post it",
            report.workflow
        ));
    }
}
