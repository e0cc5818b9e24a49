//! `forebay run` and `forebay upload`.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use anyhow::{Context as _, Result, anyhow, bail, ensure};
use forebay::{
    Assets, AssetsError, AssetsExt as _, Delivered, Error, Event, Failure, FileReport, Folder,
    Grants, Host, Journal, JournalError, Outgoing, Pipeline, Place, Report, Sink, SinkError,
    StageCause, StageSpec, Workflow, media,
};
use futures::StreamExt as _;
use serde_json::{Map, Value, json};
use tokio::io::AsyncWriteExt as _;
use tokio::sync::Semaphore;

use crate::Outcome;
use crate::args::{Common, RunArgs, UploadArgs};
use crate::inputs::Input;
use crate::lock_file::{self, Lock};
use crate::name_template::{NameTemplate, Named};
use crate::open_files::{self, Parallel};
use crate::plan::{Plan, To};
use crate::plugins::Plugins;
use crate::progress::{Progress, Work};
use crate::report_file::ReportFile;
use crate::select::{self, Selected};
use crate::stage_arg::StageArg;
use crate::stop::{self, Reason};
use crate::summary::{End, Totals, count};
use crate::timeline::Timeline;
use crate::{failures, pipeline_reference, plain, service, settings, workflow};

/// Stages that a pipeline in a file is expected to have at most. One of more runs, with fewer jobs at a time.
const STAGES_IN_A_FILE: usize = 16;

pub(crate) async fn run(args: RunArgs) -> Result<Outcome> {
    let to_stdout = args.out.as_deref() == Some(Path::new("-"));
    let report_file = report_file(&args.common, to_stdout)?;
    // A pipeline in a file is not read yet, and a workflow runs plugins that it borrows.
    let stages = match (&args.pipeline, &args.workflow) {
        (None, None) => args.stages.len(),
        _ => STAGES_IN_A_FILE,
    };
    let mut plugins = Plugins::for_jobs(args.common.jobs(), stages)?;
    if args.locked {
        plugins = plugins.locked(Lock::read(lock_file::place(args.pipeline.as_deref()))?);
    }
    let grants = if args.deterministic {
        Grants::none().deterministic()
    } else {
        Grants::none()
    };
    let (pipeline, last) = match (&args.pipeline, &args.workflow) {
        (Some(file), _) => from_file(&mut plugins, file, &args).await?,
        (None, None) => (
            from_stages(&mut plugins, &args.stages, &grants).await?,
            None,
        ),
        (None, Some(text)) => {
            let pipeline = from_stages(&mut plugins, &args.stages, &grants).await?;
            let workflow = workflow::from_arg(&mut plugins, text, &args, &grants).await?;
            (pipeline, Some(workflow))
        }
    };
    // Only now is it known whether a pipeline in a file ends in a workflow.
    ensure!(
        args.upload || last.is_none(),
        "a workflow uploads what it makes itself: give -u in place of -o"
    );
    ensure!(
        !args.raw || last.is_some(),
        "--raw is for the result of a workflow, and this run has none"
    );
    ensure!(
        args.common.journal.is_none() || last.is_none(),
        "--journal notes the uploads of pipelines; a workflow's stay all or not at all"
    );
    if args.common.dry_run {
        let plan = Plan {
            pipeline: &pipeline,
            workflow: last.as_ref(),
            media_type: None,
            to: match &args.out {
                None => To::Assets {
                    base_url: service::base_url(&args.common.service)?,
                },
                Some(_) if to_stdout => To::Stdout,
                Some(path) => To::Folder {
                    path: path.clone(),
                    force: args.force,
                    names: args.name.clone(),
                },
            },
        };
        return plan.show(&args.common);
    }
    if let Some(last) = last {
        let assets = service::connect_to_upload(&args.common, Some(last.name()))?;
        let common = &args.common;
        return workflow::run(&plugins, &pipeline, &last, &assets, common, report_file).await;
    }
    let target = match args.out {
        Some(_) if to_stdout => Target::Stdout(Arc::new(Stdout::default())),
        Some(out) => {
            let folder = Folder::new(&out).with_context(|| format!("{}", out.display()))?;
            Target::Folder {
                folder: folder.replace(args.force).durable(args.durable),
                names: args.name,
                inputs: Vec::new(),
            }
        }
        None => {
            let assets = service::connect_to_upload(&args.common, Some(pipeline.name()))?;
            Target::Assets(assets)
        }
    };
    let host = &plugins.host;
    jobs(host, &pipeline, target, &args.common, None, report_file).await
}

pub(crate) async fn upload(args: UploadArgs) -> Result<Outcome> {
    if args.common.dry_run {
        let plan = Plan {
            pipeline: &Pipeline::builder("upload").build()?,
            workflow: None,
            media_type: args.media_type.as_deref(),
            to: To::Assets {
                base_url: service::base_url(&args.common.service)?,
            },
        };
        return plan.show(&args.common);
    }
    let report_file = report_file(&args.common, false)?;
    let target = Target::Assets(service::connect_to_upload(&args.common, None)?);
    let host = Plugins::new()?.host;
    jobs(
        &host,
        &Pipeline::builder("upload").build()?,
        target,
        &args.common,
        args.media_type.as_deref(),
        report_file,
    )
    .await
}

/// A pipeline from a file, with the workflow that is its last step.
async fn from_file(
    plugins: &mut Plugins,
    reference: &str,
    args: &RunArgs,
) -> Result<(Pipeline, Option<Workflow>)> {
    let (path, name) = pipeline_reference::split(reference);
    let file = settings::read_pipelines(Path::new(path))?;
    let spec = file.pipeline(name);
    let mut spec = spec.with_context(|| path.to_owned())?.clone();
    let path = format!("{path}: pipeline {}", spec.name);
    if args.deterministic {
        spec = spec.deterministic();
    }
    let limits = spec.limits.clone();
    let mut pipeline = Pipeline::builder(spec.name).limits(spec.limits);
    for spec in spec.stages {
        let plugin = plugins.load(&spec.plugin).await;
        let plugin = plugin.with_context(|| path.clone())?;
        pipeline = spec.add_to(pipeline, &plugin);
    }
    let pipeline = pipeline.build().with_context(|| path.clone())?;
    let last = match spec.workflow {
        Some(spec) => {
            let workflow = workflow::from_spec(plugins, spec, limits, args.raw).await;
            Some(workflow.with_context(|| path.clone())?)
        }
        None => None,
    };
    Ok((pipeline, last))
}

async fn from_stages(
    plugins: &mut Plugins,
    stages: &[String],
    grants: &Grants,
) -> Result<Pipeline> {
    let mut pipeline = Pipeline::builder(stages.join(" "));
    for text in stages {
        let arg = StageArg::parse(text)?;
        let plugin = plugins.load(&arg.plugin).await?;
        let mut spec = StageSpec::new(&arg.plugin);
        spec.config = arg.config(plugin.descriptor().config_schema.as_ref())?;
        spec.grants = grants.clone();
        spec.when = arg.when;
        pipeline = spec.add_to(pipeline, &plugin);
    }
    Ok(pipeline.build()?)
}

/// The destination of the results.
enum Target {
    Folder {
        folder: Folder,
        names: Option<NameTemplate>,
        /// The files that the run reads. None of them is replaced.
        inputs: Vec<PathBuf>,
    },
    Assets(Assets),
    Stdout(Arc<Stdout>),
}

impl Target {
    fn verb(&self) -> &'static str {
        match self {
            Self::Assets(_) => "upload",
            _ => "write",
        }
    }

    /// What the run writes to.
    fn own(&self) -> Vec<&Path> {
        match self {
            Self::Folder { folder, .. } => vec![folder.path()],
            _ => Vec::new(),
        }
    }

    /// Protects the inputs of the run from being replaced by results.
    fn sparing(self, inputs: &[Input]) -> Self {
        match self {
            Self::Folder { folder, names, .. } => Self::Folder {
                folder: folder.spare(inputs.iter().map(|input| &input.path)),
                names,
                inputs: inputs.iter().map(|input| input.path.clone()).collect(),
            },
            other => other,
        }
    }

    /// The sink for an input, by its number and its source's name. A folder keeps the input's subfolder within the
    /// folder that was named.
    fn sink(&self, number: usize, input: &Input, name: &str) -> Result<Arc<dyn Sink>> {
        Ok(match self {
            Self::Folder { folder, names, .. } => {
                let shown = || folder.path().join(&input.beneath).display().to_string();
                let folder = folder.within(&input.beneath).with_context(shown)?;
                match names {
                    Some(template) => Arc::new(Named {
                        template: template.clone(),
                        input: name.to_owned(),
                        number,
                        sink: Arc::new(folder),
                    }),
                    None => Arc::new(folder),
                }
            }
            Self::Assets(assets) => Arc::new(assets.sink()),
            Self::Stdout(stdout) => stdout.clone(),
        })
    }

    /// How to avoid a failure of a job that delivered the files in this report.
    fn hint(&self, error: &Error, report: &Report) -> Option<String> {
        let Self::Folder { names, inputs, .. } = self else {
            return None;
        };
        let Error::Sink { reason, .. } = error else {
            return None;
        };
        let taken = match reason {
            SinkError::Exists(path) if is_among(path, inputs) => {
                return Some(" and is an input of this run; give -o another folder".into());
            }
            SinkError::Exists(_) => return Some("; --force replaces it".into()),
            SinkError::Input(_) => return Some("; give -o another folder".into()),
            SinkError::Taken(path) => Place::File { path: path.clone() },
            _ => return None,
        };
        let within_input = report.files.iter().any(|file| file.place == taken);
        match names {
            None => {
                let numbers = if within_input { "{n}-{m}" } else { "{n}" };
                Some(format!(
                    "; --name '{{stem}}-{numbers}.{{ext}}' gives each a name of its own"
                ))
            }
            Some(names) if within_input && !names.tells_outputs_apart() => {
                Some("; {m} in --name tells the outputs of an input apart".into())
            }
            Some(names) if !within_input && !names.tells_inputs_apart() => {
                Some("; {n} in --name tells the inputs apart".into())
            }
            Some(_) => None,
        }
    }
}

/// How many lines of its plugins are shown for an input.
const MESSAGES: usize = 3;

impl Target {
    /// How many files of an input may be on their way at the same time. Standard output takes the first one that a stage
    /// emits, whichever is ready first.
    fn fan_out(&self, most: usize) -> usize {
        match self {
            Self::Stdout(_) => 1,
            _ => most,
        }
    }
}

/// Whether a path leads to one of these files.
fn is_among(path: &Path, files: &[PathBuf]) -> bool {
    path.canonicalize().is_ok_and(|path| {
        let mut files = files.iter().filter(|file| {
            // Most names tell without a look at the disk.
            file.file_name() == path.file_name() || file.is_symlink()
        });
        files.any(|file| file.canonicalize().is_ok_and(|file| file == path))
    })
}

/// How many jobs may wait for the journal's next sync, besides those that work. Each holds no more than its report.
const RECORDING: usize = 256;

async fn jobs(
    host: &Host,
    pipeline: &Pipeline,
    target: Target,
    common: &Common,
    media_type: Option<&str>,
    report_file: Option<ReportFile>,
) -> Result<Outcome> {
    let Selected {
        inputs,
        problems,
        passed_over,
        left_out,
    } = select::select(common, &target.own())?;
    if matches!(target, Target::Stdout(_)) {
        check_one_result(inputs.len() + problems.len())?;
    }
    if common.journal.is_some() {
        stop::set_last_words("what is listed above stays; the same command sends the rest");
    }
    let journal = common.journal.as_deref().map(open_journal).transpose()?;
    stop::end_gracefully();
    // A report on standard output must be the only content. It contains what the lines would say.
    let prints = !matches!(target, Target::Stdout(_))
        && !report_file.as_ref().is_some_and(ReportFile::is_stdout);
    let target = target.sparing(&inputs);
    let (has_stages, limit) = (!pipeline.stages().is_empty(), open_files::limit());
    let parallel = Parallel::new(common.jobs(), has_stages, limit);
    let work = Work {
        verb: target.verb(),
        transforms: !pipeline.stages().is_empty(),
    };
    let progress = Progress::new(work, Progress::total(&inputs), common.json);
    left_out.iter().for_each(|words| progress.note(words));
    if parallel.jobs < common.jobs().min(inputs.len()) {
        progress.note(&format!(
            "{} at a time: this process may have only {} files open (`ulimit -n`)",
            count(parallel.jobs as u64, "input"),
            limit.unwrap_or(0)
        ));
    }
    let hopeless = Arc::new(Hopeless::default());
    let mut totals = Totals::start();
    let mut entries: Vec<Value> = Vec::new();
    for problem in &problems {
        progress.failed(&problem.message);
        totals.count(End::Failed, &[]);
        let failure = Failure::new(&problem.message, "read", "io");
        let entry = failures::not_started(&problem.shown, &failure);
        if common.json {
            progress.print(&entry.to_string());
        }
        entries.push(entry);
    }
    let started = totals.started();
    let number_of_inputs = inputs.len();
    let slots = Arc::new(Semaphore::new(parallel.jobs));
    let work = (1..).zip(inputs).map(|(number, input)| {
        let (progress, journal, target) = (progress.clone(), journal.as_ref(), &target);
        let (slots, hopeless) = (slots.clone(), hopeless.clone());
        async move {
            // The semaphore is never closed.
            let slot = slots.acquire_owned().await.ok();
            if stop::reason().is_some() {
                let failure = Failure::new("not started: the run ended early", "job", "cancelled");
                let entry = failures::not_started(&input.shown, &failure);
                return (entry, End::NotStarted, Vec::new());
            }
            let source = input.source(common.stdin_name());
            let source = match media_type {
                Some(media_type) => source.media_type(media_type),
                None => source,
            };
            let name = source.name().to_owned();
            let sink = match target.sink(number, &input, &name) {
                Ok(sink) => sink,
                Err(error) => {
                    let failure = Failure::new(plain::chain(&error), "write", "io");
                    progress.failed(&format!("{}: {}", input.told(), failure.message));
                    let entry = failures::not_started(&input.shown, &failure);
                    if common.json {
                        progress.print(&entry.to_string());
                    }
                    return (entry, End::Failed, Vec::new());
                }
            };
            let known = Arc::new(AtomicBool::new(false));
            let (observer, is_known) = (progress.clone(), known.clone());
            let timeline = Arc::new(Timeline::new(started));
            let steps = timeline.clone();
            let shown = input.told().to_owned();
            let mut job = host
                .job(pipeline, source, sink)
                .observe(move |event| {
                    if matches!(event, Event::Known { .. }) {
                        is_known.store(true, Ordering::Relaxed);
                    }
                    steps.on(event);
                    observer.on(&shown, event);
                })
                .hash_files(common.reports())
                .fan_out(target.fan_out(parallel.fan_out))
                .cancel_on(stop::requested());
            if let Some(journal) = journal {
                job = job.journal(journal);
            }
            // Nothing waits for the slots of the last jobs, so their records need not wait for those of others.
            let _slot = if number + parallel.jobs <= number_of_inputs {
                job = job.slot(slot);
                None
            } else {
                slot
            };
            let result = job.run().await;
            let (report, errors) = match result {
                Ok(report) => (report, Vec::new()),
                Err(error) => (*error.report, error.errors),
            };
            let is_cancelled = errors
                .iter()
                .any(|error| matches!(error, Error::Cancelled { .. }));
            let is_hopeless = hopeless.takes(&errors);
            for error in errors.iter().filter(|_| !is_hopeless) {
                if matches!(error, Error::Cancelled { .. }) {
                    // The totals tell how many there are.
                    continue;
                }
                if matches!(error, Error::Journal(_)) && !stop::request(Reason::Journal) {
                    // All jobs in flight fail with the same words.
                    continue;
                }
                let hint = target.hint(error, &report).unwrap_or_default();
                let names = [name.as_str(), &report.source.name];
                let is_empty = report.source.size == Some(0);
                progress.failed(&(line(input.told(), names, error, is_empty) + &hint));
            }
            let is_known = known.load(Ordering::Relaxed);
            if let (Some(sent), Some(shown)) = (media_type, &report.detected_type)
                && sent != shown
                && !is_known
            {
                progress.note(&format!("{}: {}", input.told(), other_type(shown, sent)));
            }
            for file in &report.files {
                if is_known {
                    progress.known(input.told(), file);
                } else {
                    progress.done(input.told(), file);
                }
            }
            for message in report.messages.iter().take(MESSAGES) {
                let (stage, text) = (&message.stage, &message.text);
                progress.note(&format!("{}: stage {stage} says: {text}", input.told()));
            }
            if let Some(more) = report
                .messages
                .get(MESSAGES..)
                .filter(|more| !more.is_empty())
            {
                let more = count(more.len() as u64, "more line");
                progress.note(&format!(
                    "{}: its plugins say {more}; a report has them",
                    input.told()
                ));
            }
            let mut entry = failures::entry(&input.shown, &report, &errors);
            timeline.add_to(&mut entry);
            if common.json {
                progress.print(&entry.to_string());
            } else if prints {
                report
                    .files
                    .iter()
                    .for_each(|file| progress.print(&result_line(file)));
            }
            let end = match errors.as_slice() {
                [] if is_known => End::Known,
                [] => End::Done,
                _ if is_hopeless => End::NotTried,
                _ if is_cancelled => End::Cancelled,
                _ => End::Failed,
            };
            (entry, end, report.files)
        }
    });
    let recording = if journal.is_some() { RECORDING } else { 0 };
    let mut running = futures::stream::iter(work).buffer_unordered(parallel.jobs + recording);
    let mut lost: Vec<String> = Vec::new();
    while let Some((entry, end, files)) = running.next().await {
        entries.push(entry);
        if !prints {
            lost.extend(files.iter().map(result_line));
        }
        totals.count(end, &files);
    }
    progress.finish();
    if let Some(line) = hopeless.in_words() {
        progress.failed(&line);
    }
    progress.note(&totals.to_string());
    if common.json {
        progress.print(&json!({ "totals": totals.to_json() }).to_string());
    }
    if let Some(file) = report_file {
        let report = Map::from_iter([
            ("jobs".into(), entries.into()),
            ("totals".into(), totals.to_json()),
            ("passed_over".into(), passed_over.to_json()),
            ("ended_early".into(), stop::reason().is_some().into()),
        ]);
        if let Err(error) = file.write(report).await {
            // The report is the only place that names the results if it was to be on standard output.
            lost.iter().for_each(|line| complain!("{line}"));
            return Err(error);
        }
    }
    Ok(totals.outcome())
}

/// A failure in one line. The line starts with the input as it was named, in place of its own name, before or after that
/// was made to fit its type.
fn line(told: &str, names: [&str; 2], error: &Error, is_empty: bool) -> String {
    let mut text = error.to_string();
    if is_empty && let Some(reason) = type_is_refused(error) {
        text = text.replace(&reason, "the file is empty");
    }
    let rest = names
        .into_iter()
        .filter_map(|name| text.strip_prefix(name))
        .find(|rest| rest.starts_with(':'));
    match rest {
        Some(rest) => format!("{told}{rest}"),
        None => format!("{told}: {text}"),
    }
}

/// The words in which an error says that nobody takes files of the type. An empty file has none that its bytes show.
fn type_is_refused(error: &Error) -> Option<String> {
    match error {
        Error::Stage(error) => match &error.cause {
            cause @ StageCause::NotAccepted { .. } => Some(cause.to_string()),
            _ => None,
        },
        Error::Sink {
            reason: SinkError::Assets(reason @ AssetsError::UnsupportedType(_)),
            ..
        } => Some(reason.to_string()),
        _ => None,
    }
}

/// Says that a file is sent as another type than its bytes show.
pub(crate) fn other_type(shown: &str, sent: &str) -> String {
    match shown {
        media::UNKNOWN => format!("bytes show no known type; sent as {sent}"),
        shown => format!("bytes show {shown}; sent as {sent}"),
    }
}

/// Checks that standard output, which takes one result, can get those of so many inputs.
pub(crate) fn check_one_result(inputs: usize) -> Result<()> {
    ensure!(
        inputs <= 1,
        "`-o -` writes a single result to standard output, and there are {inputs} inputs: give `-o DIR`"
    );
    Ok(())
}

/// The inputs that were not uploaded because every upload fails for the same reason. They are told in one line.
#[derive(Default)]
struct Hopeless(Mutex<(u64, Option<String>)>);

impl Hopeless {
    /// Takes the errors of an input if it failed for such a reason alone.
    fn takes(&self, errors: &[Error]) -> bool {
        let reasons: Option<Vec<String>> = errors.iter().map(Self::reason).collect();
        let Some(reason) = reasons.and_then(|reasons| reasons.into_iter().next()) else {
            return false;
        };
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        known.0 += 1;
        // The error of the upload that was tried says more than that of those that were not.
        if known.1.is_none()
            || !matches!(
                errors,
                [
                    Error::Sink {
                        reason: SinkError::Assets(AssetsError::NotTried { .. }),
                        ..
                    },
                    ..
                ]
            )
        {
            known.1 = Some(reason);
        }
        true
    }

    fn reason(error: &Error) -> Option<String> {
        let Error::Sink {
            reason: SinkError::Assets(reason),
            ..
        } = error
        else {
            return None;
        };
        match reason {
            AssetsError::NotTried { reason } => Some(reason.clone()),
            AssetsError::Service(reason) if reason.status == 401 => Some(format!(
                "the service refuses the API key (HEYGEN_API_KEY or the config): {reason}"
            )),
            _ => None,
        }
    }

    fn in_words(&self) -> Option<String> {
        let known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let reason = known.1.as_ref()?;
        Some(format!("{reason}; {} not tried", count(known.0, "file")))
    }
}

/// What a script needs about a file: its path, or its asset id and its name.
fn result_line(file: &FileReport) -> String {
    match &file.place {
        Place::File { path } => path.display().to_string(),
        Place::Asset { asset, .. } => format!("{}\t{}", asset.asset_id, file.name),
        _ => file.name.clone(),
    }
}

/// The destination of the report, if one was requested. It is checked before the first byte is read.
fn report_file(common: &Common, out_is_stdout: bool) -> Result<Option<ReportFile>> {
    let Some(path) = common.report.as_ref().filter(|_| !common.dry_run) else {
        return Ok(None);
    };
    let shown = path.display();
    ensure!(
        common.journal.as_ref() != Some(path),
        "--report {shown}: the journal is to be in the same file; give each a file of its own"
    );
    let file = ReportFile::open(path)?;
    let other = match (common.json, out_is_stdout) {
        _ if !file.is_stdout() => None,
        (true, _) => Some("--json"),
        (_, true) => Some("-o -"),
        _ => None,
    };
    if let Some(other) = other {
        bail!(
            "`--report {shown}` and `{other}` both write to standard output; give --report a file"
        );
    }
    Ok(Some(file))
}

/// Opens the journal. If the user forgot its name, the first input is taken as the journal file.
fn open_journal(path: &Path) -> Result<Journal> {
    Journal::open(path).map_err(|error| match error {
        JournalError::NotAJournal { .. } => anyhow!(
            "{error}. --journal takes the name of a file that forebay itself writes, before the files to upload; was it \
             left out?"
        ),
        error => error.into(),
    })
}

/// Standard output, for one file. The file is written as it arrives. The exit status tells the reader whether the file
/// was complete.
#[derive(Default)]
struct Stdout {
    taken: AtomicBool,
}

#[async_trait::async_trait]
impl Sink for Stdout {
    async fn put(&self, mut file: Outgoing) -> Result<Delivered, SinkError> {
        if self.taken.swap(true, Ordering::Relaxed) {
            return Err(SinkError::Other(
                "standard output takes one file, and there was one before".into(),
            ));
        }
        let failed = |error: std::io::Error| SinkError::Io {
            path: "standard output".into(),
            reason: error,
        };
        let mut stdout = tokio::io::stdout();
        let mut size = 0;
        while let Some(piece) = file.content.next().await? {
            stdout.write_all(&piece).await.map_err(failed)?;
            size += piece.len() as u64;
            file.progress.sent(piece.len() as u64);
        }
        stdout.flush().await.map_err(failed)?;
        Ok(Delivered::custom(size, "standard output".into()))
    }
}
