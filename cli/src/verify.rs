//! `forebay verify`: which plugins touched a file, according to a report and the file's own bytes.

use std::io::{self, BufRead as _};
use std::path::Path;

use anyhow::{Context as _, Result, ensure};
use forebay::{FileReport, StageReport};
use serde::Deserialize;
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use crate::Outcome;
use crate::args::VerifyArgs;
use crate::plain::{one_line, plain};

/// The parts of a report that are needed here.
#[derive(Deserialize)]
struct Written {
    version: u64,
    #[serde(default)]
    jobs: Vec<Run>,
    workflow: Option<Run>,
}

/// A job, or a workflow.
#[derive(Deserialize)]
struct Run {
    files: Vec<FileReport>,
    /// The inputs of a workflow.
    #[serde(default)]
    inputs: Vec<Given>,
}

#[derive(Deserialize)]
struct Given {
    name: String,
    #[serde(default)]
    sha256: Option<String>,
}

/// What a report says about some bytes.
struct Finding<'a> {
    role: &'static str,
    name: &'a str,
    /// The stages that processed them before.
    stages: &'a [StageReport],
}

pub(crate) fn verify(args: &VerifyArgs) -> Result<Outcome> {
    let shown = args.report.display();
    let text = std::fs::read(&args.report).with_context(|| format!("report {shown}"))?;
    ensure!(
        !text.trim_ascii_start().starts_with(b"<"),
        "{shown}: this is the page; verify needs the JSON report, which `--report FILE.json` writes"
    );
    let written: Written = serde_json::from_slice(&text)
        .with_context(|| format!("{shown}: not a report that `forebay run --report` wrote"))?;
    ensure!(
        written.version == 1,
        "{shown}: version {}, this forebay reads 1",
        written.version
    );
    let runs: Vec<&Run> = written.jobs.iter().chain(&written.workflow).collect();
    let mut all_well = true;
    for file in runs.iter().flat_map(|run| &run.files) {
        if let Some(problem) = broken_chain(file) {
            all_well = false;
            tell(
                args,
                json!({ "report": args.report, "file": file.name, "problem": problem }),
                || format!("{shown}: {}: {problem}", file.name),
            );
        }
    }
    for path in &args.files {
        let verdict = match hash(path) {
            Ok(sha256) => judge(&runs, path, &sha256),
            Err(error) => Err(error.to_string()),
        };
        all_well &= verdict.is_ok();
        let path = path.display();
        match verdict {
            Ok(findings) => {
                let listed: Vec<Value> = findings.iter().map(Finding::json).collect();
                let value = json!({ "file": path.to_string(), "found": listed });
                tell(args, value, || in_lines(&path.to_string(), &findings));
            }
            Err(problem) => {
                let value = json!({ "file": path.to_string(), "problem": problem });
                tell(args, value, || format!("{path}: {problem}"));
            }
        }
    }
    Ok(if all_well {
        Outcome::Done
    } else {
        Outcome::SomeFailed
    })
}

fn tell(args: &VerifyArgs, value: Value, text: impl FnOnce() -> String) {
    if args.json {
        say!("{value}");
    } else {
        say!("{}", plain(&text()));
    }
}

/// What was found about a file: one finding in the file's own line, several in one line each.
fn in_lines(path: &str, findings: &[Finding<'_>]) -> String {
    let mut lines: Vec<String> = findings.iter().map(ToString::to_string).collect();
    lines.sort();
    lines.dedup();
    match lines.as_slice() {
        [only] => format!("{path}: {only}"),
        several => format!("{path}:\n  {}", several.join("\n  ")),
    }
}

/// Each stage must have received the output of the stage before it, and the file must be the output of the last stage.
fn broken_chain(file: &FileReport) -> Option<String> {
    let after = file.stages.iter().skip(1).map(|stage| &stage.input_sha256);
    let given = after.chain([&file.sha256]);
    file.stages.iter().zip(given).find_map(|(stage, given)| {
        // A journal may have recorded a file whose stages were not hashed.
        let both = stage.output_sha256.as_ref().zip(given.as_ref());
        both.is_some_and(|(made, given)| made != given)
            .then(|| format!("what stage {} made is not what came after it", stage.stage))
    })
}

/// What the report says about these bytes, or why they are not bytes of the report.
fn judge<'a>(runs: &[&'a Run], path: &Path, sha256: &str) -> Result<Vec<Finding<'a>>, String> {
    let is = |known: &Option<String>| known.as_deref() == Some(sha256);
    let mut findings = Vec::new();
    let mut hashed = false;
    for run in runs {
        for given in run.inputs.iter().filter(|given| is(&given.sha256)) {
            findings.push(Finding {
                role: "given to the workflow",
                name: &given.name,
                stages: &[],
            });
        }
        for file in &run.files {
            hashed |= file.sha256.is_some();
            if is(&file.sha256) {
                findings.push(Finding {
                    role: "made",
                    name: &file.name,
                    stages: &file.stages,
                });
            }
            for (at, stage) in file.stages.iter().enumerate() {
                hashed |= stage.input_sha256.is_some();
                if is(&stage.input_sha256) {
                    findings.push(Finding {
                        role: if at == 0 {
                            "the source of"
                        } else {
                            "on the way to"
                        },
                        name: &file.name,
                        stages: file.stages.get(..at).unwrap_or_default(),
                    });
                }
            }
        }
    }
    if !findings.is_empty() {
        return Ok(findings);
    }
    if !hashed {
        return Err("the report has no SHA-256 to compare with".into());
    }
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let namesake = runs.iter().flat_map(|run| &run.files);
    let namesake = namesake
        .filter(|file| file.name == name)
        .find_map(|file| file.sha256.as_deref());
    Err(match namesake {
        Some(told) => format!("has the SHA-256 {sha256}; the report tells of {told} by that name"),
        None => format!("is not in the report; its SHA-256 is {sha256}"),
    })
}

impl Finding<'_> {
    fn json(&self) -> Value {
        json!({ "role": self.role, "name": self.name, "stages": self.stages })
    }
}

impl std::fmt::Display for Finding<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match (self.role, self.stages.first()) {
            ("made", Some(first)) => write!(f, "as reported, made of {}", one_line(&first.input))?,
            ("made", None) => write!(f, "as reported, through no plugin")?,
            (role, _) => write!(f, "{role} {}", one_line(self.name))?,
        }
        for stage in self.stages {
            let StageReport {
                stage,
                plugin,
                version,
                digest,
                ..
            } = stage;
            // All of it: a plugin whose digest begins alike is quickly made.
            let line = format!("stage {stage}: {plugin} {version}, sha256 {digest}");
            write!(f, "\n    {}", one_line(&line))?;
        }
        Ok(())
    }
}

fn hash(path: &Path) -> io::Result<String> {
    let mut hash = Sha256::new();
    let mut file = io::BufReader::with_capacity(256 << 10, std::fs::File::open(path)?);
    loop {
        let piece = file.fill_buf()?;
        if piece.is_empty() {
            break;
        }
        hash.update(piece);
        let length = piece.len();
        file.consume(length);
    }
    Ok(hex::encode(hash.finalize()))
}
