//! `--report run.html`: the report as one page that needs nothing else.
//!
//! Promise: the page has no script and loads nothing, and says so to the browser by a policy. Everything that a file name, a
//! plugin or the service chose is escaped. Pictures are shown by thumbnails that a sandboxed plugin made.

mod markup;
mod thumbnails;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use bytesize::ByteSize;
use forebay::Grants;
use serde_json::{Map, Value, json};

use crate::summary::{count, span};
use markup::Markup;
use thumbnails::Thumbnails;

/// The start of every such page, by which forebay recognizes an older one.
pub(crate) const START: &str = "<!DOCTYPE html>\n<!-- report of forebay -->\n";

/// Most lanes of the time line.
const MAX_LANES: usize = 200;

const HEAD: &str = "<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\"/>\n\
<meta http-equiv=\"Content-Security-Policy\" content=\"default-src &#39;none&#39;; style-src &#39;unsafe-inline&#39;; img-src data:\"/>\n\
<meta name=\"referrer\" content=\"no-referrer\"/>\n\
<meta name=\"viewport\" content=\"width=device-width\"/>\n\
<style>\n\
:root { color-scheme: light dark; --line: color-mix(in srgb, currentColor 20%, transparent); --bad: #c0392b; }\n\
body { font: 15px/1.45 system-ui, sans-serif; max-width: 72rem; margin: 2rem auto; padding: 0 1rem; overflow-wrap: anywhere; }\n\
h1 { margin-bottom: 0; } h2 { margin-top: 2.5rem; border-bottom: 1px solid var(--line); } h3 { margin: 0 0 .5rem; font-size: 1rem; }\n\
.bad { color: var(--bad); } .dim { opacity: .7; font-size: .9em; } code { font-size: .85em; }\n\
table { border-collapse: collapse; width: 100%; } td, th { text-align: left; vertical-align: top; padding: .25rem .6rem .25rem 0; border-bottom: 1px solid var(--line); }\n\
section { border: 1px solid var(--line); border-radius: 6px; padding: .8rem 1rem; margin: .8rem 0; }\n\
.pair { display: flex; flex-wrap: wrap; gap: 1rem; align-items: flex-start; } .arrow { align-self: center; font-size: 1.5rem; }\n\
figure { margin: 0; max-width: 220px; } figure img { display: block; max-width: 200px; max-height: 200px; border: 1px solid var(--line); }\n\
figcaption { font-size: .85em; } details { margin-top: .6rem; } summary { cursor: pointer; }\n\
.lane { display: grid; grid-template-columns: 14rem 1fr; gap: .6rem; align-items: center; margin: 2px 0; }\n\
.lane .name { overflow: hidden; text-overflow: ellipsis; white-space: nowrap; font-size: .85em; }\n\
.bars { position: relative; height: 1.1rem; background: color-mix(in srgb, currentColor 6%, transparent); }\n\
.bar { position: absolute; top: 0; bottom: 0; min-width: 2px; opacity: .85; }\n\
.s0 { background: #2980b9; } .s1 { background: #8e44ad; } .s2 { background: #d68910; } .s3 { background: #117864; } .deliver { background: #7f8c8d; top: 60%; }\n\
.key span { display: inline-block; width: .9em; height: .9em; margin: 0 .3em 0 1em; vertical-align: -.1em; }\n\
</style>\n<title>";

/// The page of a report.
pub(crate) async fn page(report: &Map<String, Value>) -> String {
    let runs = runs(report);
    let thumbnails = thumbnails::make(pictures(&runs)).await;
    let mut page = Markup::default();
    let summary = summary(report.get("totals"));
    page.raw(START).raw(HEAD).text("forebay: ").text(&summary);
    page.raw("</title>\n</head>\n<body>\n<h1>Report of forebay</h1>\n<p>");
    page.text(&summary).raw("</p>\n");
    failures(&mut page, report, &runs);
    timeline(&mut page, &runs);
    page.raw("<h2>Files</h2>\n");
    for run in &runs {
        files(&mut page, run, &thumbnails);
    }
    plugins(&mut page, &runs);
    let now = humantime::format_rfc3339_seconds(SystemTime::now()).to_string();
    page.raw("<p class=\"dim\">Written by forebay ")
        .text(env!("CARGO_PKG_VERSION"))
        .raw(" at ")
        .text(&now)
        .raw(". The page is a statement, not a proof: who can change it can change what it says.</p>\n</body>\n</html>\n");
    page.into_string()
}

/// The entries of jobs, or that of a workflow.
fn runs(report: &Map<String, Value>) -> Vec<&Value> {
    let jobs = report.get("jobs").and_then(Value::as_array);
    jobs.into_iter()
        .flatten()
        .chain(report.get("workflow"))
        .collect()
}

/// The files on disk that are shown, before and after, with their types.
fn pictures(runs: &[&Value]) -> Vec<(PathBuf, String)> {
    let mut files = Vec::new();
    for run in runs {
        let after: Vec<(PathBuf, String)> = list(run, "files")
            .iter()
            .filter_map(|file| Some((path_of(file)?, text(file, "media_type").to_owned())))
            .collect();
        if let (Some(path), Some(source)) = (input(run), run.get("source")) {
            files.push((path, text(source, "media_type").to_owned()));
        }
        files.extend(after);
    }
    files
}

/// The path of the input, unless a result has taken its place.
fn input(run: &Value) -> Option<PathBuf> {
    let path = Path::new(run.get("input")?.as_str()?);
    let real = path.canonicalize().ok()?;
    let replaced = list(run, "files")
        .iter()
        .filter_map(path_of)
        .any(|after| after.canonicalize().is_ok_and(|after| after == real));
    (!replaced).then(|| path.to_owned())
}

fn path_of(file: &Value) -> Option<PathBuf> {
    Some(file.get("path")?.as_str()?.into())
}

fn list<'a>(value: &'a Value, name: &str) -> &'a [Value] {
    value
        .get(name)
        .and_then(Value::as_array)
        .map_or(&[], Vec::as_slice)
}

fn text<'a>(value: &'a Value, name: &str) -> &'a str {
    value.get(name).and_then(Value::as_str).unwrap_or_default()
}

fn number(value: &Value, name: &str) -> f64 {
    value.get(name).and_then(Value::as_f64).unwrap_or_default()
}

fn bytes(value: &Value, name: &str) -> Option<String> {
    let size = value.get(name)?.as_u64()?;
    Some(ByteSize(size).display().si().to_string())
}

fn seconds(value: f64) -> Duration {
    Duration::try_from_secs_f64(value).unwrap_or_default()
}

/// The totals in words, as on the command line.
fn summary(totals: Option<&Value>) -> String {
    let Some(totals) = totals else {
        return "no totals".into();
    };
    let whole = |name| totals.get(name).and_then(Value::as_u64).unwrap_or_default();
    let mut words = format!(
        "{} from {}, {} in {}",
        count(whole("files"), "file"),
        count(whole("inputs"), "input"),
        bytes(totals, "bytes").unwrap_or_default(),
        span(seconds(number(totals, "seconds")))
    );
    for (name, label) in [
        ("done_already", "done before"),
        ("failed", "failed"),
        ("cancelled", "cancelled"),
        ("not_started", "not started"),
        ("not_tried", "not tried"),
    ] {
        if whole(name) > 0 {
            words += &format!("; {} {label}", whole(name));
        }
    }
    words
}

/// What a run is called: the input, or the workflow.
fn title(run: &Value) -> &str {
    match text(run, "input") {
        "" => text(run, "workflow"),
        input => input,
    }
}

fn failures(page: &mut Markup, report: &Map<String, Value>, runs: &[&Value]) {
    let of_workflow = report.get("errors").and_then(Value::as_array);
    let of_jobs = runs
        .iter()
        .flat_map(|run| list(run, "errors").iter().map(|error| (title(run), error)));
    let all: Vec<(&str, &Value)> = of_workflow
        .into_iter()
        .flatten()
        .map(|error| ("", error))
        .chain(of_jobs)
        .collect();
    if all.is_empty() {
        return;
    }
    page.raw("<h2>Failures</h2>\n<table>\n<tr><th>input</th><th>what</th><th>where</th></tr>\n");
    for (input, error) in all {
        page.raw("<tr>")
            .cell(input)
            .raw("<td class=\"bad\">")
            .text(text(error, "message"))
            .raw("</td><td>");
        let place = match text(error, "stage") {
            "" => text(error, "step").to_owned(),
            stage => format!("stage {stage}"),
        };
        page.text(&place)
            .raw("<br/><span class=\"dim\">")
            .text(text(error, "code"));
        if let Some(status) = error.get("status").and_then(Value::as_u64) {
            page.text(&format!(", HTTP {status}"));
        }
        if let Some(id) = error.get("request_id").and_then(Value::as_str) {
            page.text(&format!(", request {id}"));
        }
        if error.get("retryable") == Some(&Value::Bool(true)) {
            page.raw("; it may succeed later");
        }
        page.raw("</span></td></tr>\n");
    }
    page.raw("</table>\n");
}

fn timeline(page: &mut Markup, runs: &[&Value]) {
    let spans = || runs.iter().flat_map(|run| list(run, "timeline"));
    let end = spans().map(|step| number(step, "to")).fold(0.0, f64::max);
    if end <= 0.0 {
        return;
    }
    page.raw("<h2>Time line</h2>\n<p class=\"dim\">");
    page.text(&format!("From the start to {:.2} s. ", end));
    page.raw("Move the pointer over a bar for its figures.</p>\n");
    let mut colours: BTreeMap<&str, usize> = BTreeMap::new();
    for step in spans() {
        let next = colours.len();
        if text(step, "what") != "deliver" {
            colours.entry(text(step, "what")).or_insert(next);
        }
    }
    page.raw("<p class=\"key dim\">");
    for (what, colour) in &colours {
        page.raw("<span class=\"")
            .raw(class(*colour))
            .raw("\"></span>")
            .text(what);
    }
    page.raw("<span class=\"deliver\"></span>write or upload</p>\n");
    let lanes = runs.iter().filter(|run| !list(run, "timeline").is_empty());
    for run in lanes.clone().take(MAX_LANES) {
        page.raw("<div class=\"lane\"><span class=\"name\">")
            .text(title(run))
            .raw("</span><div class=\"bars\">");
        for step in list(run, "timeline") {
            let (from, to) = (number(step, "from"), number(step, "to"));
            let what = text(step, "what");
            let class = colours.get(what).map_or("deliver", |colour| class(*colour));
            page.raw("<div class=\"bar ")
                .raw(class)
                .raw("\" style=\"left:")
                .percent(from / end);
            page.raw(";width:")
                .percent((to - from) / end)
                .raw("\" title=\"");
            page.text(&format!(
                "{what}: {}, {:.0} ms",
                text(step, "file"),
                (to - from) * 1000.0
            ));
            page.raw("\"></div>");
        }
        page.raw("</div></div>\n");
    }
    if let Some(more) = lanes
        .count()
        .checked_sub(MAX_LANES)
        .filter(|more| *more > 0)
    {
        page.raw("<p class=\"dim\">")
            .text(&format!("and {more} more"))
            .raw("</p>\n");
    }
}

fn class(colour: usize) -> &'static str {
    match colour % 4 {
        0 => "s0",
        1 => "s1",
        2 => "s2",
        _ => "s3",
    }
}

/// One run: what went in, what came out, and how.
fn files(page: &mut Markup, run: &Value, thumbnails: &Thumbnails) {
    let before = input(run).and_then(|path| thumbnails.get(&path));
    page.raw("<section>\n<h3>")
        .text(title(run))
        .raw("</h3>\n<div class=\"pair\">\n");
    match run.get("source") {
        Some(source) => figure(page, source, before),
        None => list(run, "inputs")
            .iter()
            .for_each(|given| figure(page, given, None)),
    }
    page.raw("<span class=\"arrow\">&#8594;</span>\n");
    let after = list(run, "files");
    for file in after {
        let own = path_of(file).and_then(|path| thumbnails.get(&path));
        // What was uploaded as it is looks as before.
        let same = before.filter(|_| list(file, "stages").is_empty());
        figure(page, file, own.or(same));
    }
    if after.is_empty() {
        page.raw("<p class=\"bad\">nothing was delivered</p>\n");
    }
    page.raw("</div>\n");
    for failure in list(run, "failures").iter().filter_map(Value::as_str) {
        page.raw("<p class=\"bad\">").text(failure).raw("</p>\n");
    }
    if !after.is_empty() {
        page.raw("<details><summary>How</summary>\n<table>\n");
        page.raw("<tr><th>result</th><th>stage</th><th>in, out</th><th>time, memory</th><th>SHA-256 of its input</th></tr>\n");
        for file in after {
            stages(page, file);
        }
        page.raw("</table></details>\n");
    }
    page.raw("</section>\n");
}

fn stages(page: &mut Markup, file: &Value) {
    for stage in list(file, "stages") {
        page.raw("<tr>")
            .cell(text(file, "name"))
            .cell(text(stage, "stage"));
        page.cell(&format!(
            "{} -> {}",
            bytes(stage, "bytes_in").unwrap_or_default(),
            bytes(stage, "bytes_out").unwrap_or_default()
        ));
        page.cell(&format!(
            "{:.0} ms, {}",
            number(stage, "wall_seconds") * 1000.0,
            bytes(stage, "peak_memory").unwrap_or_default()
        ));
        page.raw("<td><code>")
            .text(text(stage, "input_sha256"))
            .raw("</code></td></tr>\n");
    }
    page.raw("<tr>").cell(text(file, "name"));
    page.raw("<td colspan=\"3\">")
        .text(&place(file))
        .raw("</td>");
    page.raw("<td><code>")
        .text(text(file, "sha256"))
        .raw("</code> (result)</td></tr>\n");
}

/// Where a result is, in words.
fn place(file: &Value) -> String {
    match (file.get("path").and_then(Value::as_str), file.get("asset")) {
        (Some(path), _) => path.to_owned(),
        (None, Some(asset)) => format!(
            "asset {}, by {}",
            text(asset, "asset_id"),
            text(file, "flow")
        ),
        (None, None) => text(file, "note").to_owned(),
    }
}

fn figure(page: &mut Markup, file: &Value, thumbnail: Option<&Vec<u8>>) {
    page.raw("<figure>");
    if let Some(jpeg) = thumbnail {
        page.picture(jpeg);
    }
    page.raw("<figcaption>")
        .text(text(file, "name"))
        .raw("<br/><span class=\"dim\">");
    page.text(text(file, "media_type"));
    if let Some(size) = bytes(file, "size") {
        page.raw(", ").text(&size);
    }
    page.raw("</span></figcaption></figure>\n");
}

/// Which plugins touched files, and what they were granted.
fn plugins(page: &mut Markup, runs: &[&Value]) {
    // By what tells them apart, with the number of files.
    let mut seen: BTreeMap<[String; 5], u64> = BTreeMap::new();
    let mut see = |stage: &Value| {
        let words = |name| text(stage, name).to_owned();
        let grants = match stage.get("grants") {
            Some(grants) if *grants != json!(Grants::none()) => grants.to_string(),
            _ => "nothing but the file".to_owned(),
        };
        let plugin = format!("{} {}", text(stage, "plugin"), text(stage, "version"));
        let key = [
            plugin,
            words("stage"),
            words("digest"),
            words("config_sha256"),
            grants,
        ];
        *seen.entry(key).or_default() += 1;
    };
    for run in runs {
        let given = list(run, "inputs").iter();
        let files = list(run, "files").iter().chain(given);
        files
            .flat_map(|file| list(file, "stages"))
            .for_each(&mut see);
        if run.get("plugin").is_some() {
            see(run);
        }
    }
    if seen.is_empty() {
        return;
    }
    page.raw("<h2>Who touched what</h2>\n<table>\n<tr><th>plugin</th><th>stage</th><th>results</th><th>granted</th><th>SHA-256 of the component, and of its config</th></tr>\n");
    for ([plugin, stage, digest, config, grants], files) in &seen {
        page.raw("<tr>")
            .cell(plugin)
            .cell(stage)
            .cell(&files.to_string());
        page.raw("<td><code>")
            .text(grants)
            .raw("</code></td><td><code>")
            .text(digest);
        page.raw("</code><br/><code class=\"dim\">")
            .text(config)
            .raw("</code></td></tr>\n");
    }
    page.raw("</table>\n");
}
