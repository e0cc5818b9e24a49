//! Coverage-guided fuzzing on the stable compiler.
//!
//! Promise: [`run`] builds every requested target with counters in the code of this workspace, runs each target for its
//! time, and returns an error if one of them found something. The findings stay under `target/fuzz/`.
//!
//! The counters come from LLVM's SanitizerCoverage, and libFuzzer reads them. Only members of the workspace are
//! compiled with them: cargo calls this program instead of rustc for members only (`RUSTC_WORKSPACE_WRAPPER`). So every
//! dependency, including wasmtime, is the one that `cargo test` has built. Three rules ensure this:
//! - a target is an *example*, because only tests, examples and benches are resolved together with development
//!   dependencies, and those change the features of tokio and others;
//! - the whole workspace is resolved, as in `cargo xtask test`;
//! - the profile differs for members only ([`PROFILE`]). It must differ: cargo keeps one slot for a crate that is a
//!   `cdylib`, as plugins are, whatever compiler it calls. With the same profile it would use code with counters in the
//!   next `cargo test`.

use std::env;
use std::ffi::OsString;
use std::fs::{self, File};
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result, bail, ensure};

use report::Report;

mod report;

/// Set for cargo, and so for this program when cargo calls it instead of rustc.
const IN_PLACE_OF_RUSTC: &str = "FOREBAY_XTASK_IN_PLACE_OF_RUSTC";

/// Flags that cargo-fuzz passes, too: a counter at every edge, and the operands of every comparison. Cargo does not
/// notice when this list changes: run `cargo clean --workspace` then.
const COUNTERS: [&str; 6] = [
    "-Cpasses=sancov-module",
    "-Cllvm-args=-sanitizer-coverage-level=4",
    "-Cllvm-args=-sanitizer-coverage-inline-8bit-counters",
    "-Cllvm-args=-sanitizer-coverage-pc-table",
    "-Cllvm-args=-sanitizer-coverage-trace-compares",
    // A generic function is then one function with one set of counters, and is inlined wherever the crate uses it.
    "-Ccodegen-units=1",
];

/// Settings for members only: `[profile.dev.package."*"]` sets `opt-level` and `debug` for everything else, and cargo
/// compiles nothing else incrementally. Assertions and overflow checks stay on, because this is still the profile
/// `dev`.
const PROFILE: [&str; 3] = [
    "profile.dev.opt-level=2",
    "profile.dev.debug='line-tables-only'",
    "profile.dev.incremental=false",
];

/// In seconds. An input that takes longer is a finding.
const LONGEST_INPUT: u32 = 10;

/// In MiB. A process that uses more memory is a finding.
const MOST_MEMORY: u32 = 2048;

/// What to fuzz, and for how long.
#[derive(Debug, PartialEq)]
pub(crate) struct Options {
    /// Targets of fuzz/targets. If this is empty, all of them.
    targets: Vec<String>,
    /// How long each target runs, in seconds.
    seconds: u32,
    /// Run one target on this file only, for example on a finding of an earlier run.
    replay: Option<PathBuf>,
}

impl Options {
    /// Reads `[TARGET]... [--seconds SECONDS] [--replay FILE]`.
    pub(crate) fn parse(args: impl IntoIterator<Item = OsString>) -> Result<Self> {
        let mut options = Self {
            targets: Vec::new(),
            seconds: 60,
            replay: None,
        };
        let mut args = args.into_iter();
        while let Some(arg) = args.next() {
            match arg.to_string_lossy().as_ref() {
                "--seconds" => {
                    let value = args.next().context("--seconds takes a number")?;
                    options.seconds = value
                        .to_string_lossy()
                        .parse()
                        .ok()
                        .filter(|&seconds| seconds > 0)
                        .context("--seconds takes a number of at least 1")?;
                }
                "--replay" => {
                    let value = args.next().context("--replay takes a file")?;
                    options.replay = Some(value.into());
                }
                flag if flag.starts_with('-') => bail!("fuzz takes no {flag}"),
                target => options.targets.push(target.to_owned()),
            }
        }
        ensure!(
            options.replay.is_none() || options.targets.len() == 1,
            "--replay takes one target"
        );
        Ok(options)
    }
}

/// Builds and runs the targets. Prints one line for each.
pub(crate) fn run(workspace: &Path, options: &Options) -> Result<()> {
    let known = targets(workspace)?;
    for name in &options.targets {
        ensure!(
            known.contains(name),
            "no fuzz target {name}; there are {}",
            known.join(", ")
        );
    }
    let chosen = if options.targets.is_empty() {
        &known
    } else {
        &options.targets
    };
    build(workspace, chosen)?;
    if let Some(file) = &options.replay {
        let [name] = chosen.as_slice() else {
            bail!("--replay takes one target");
        };
        let status = target(workspace, name)?
            .arg(fs::canonicalize(file)?)
            .status();
        ensure!(
            status?.success(),
            "{name} still fails on {}",
            file.display()
        );
        return Ok(());
    }
    let mut findings = 0;
    for name in chosen {
        let report = fuzz(workspace, name, options.seconds)?;
        println!("{name:<20} {report}");
        if let Some(finding) = &report.finding {
            println!("    replay with: cargo xtask fuzz {name} --replay {finding}");
            findings += 1;
        }
    }
    ensure!(findings == 0, "{findings} fuzz target(s) found something");
    Ok(())
}

/// The names of the targets: one file each.
fn targets(workspace: &Path) -> Result<Vec<String>> {
    let mut names = Vec::new();
    for entry in fs::read_dir(workspace.join("fuzz/targets"))? {
        let path = entry?.path();
        if let Some(stem) = path.file_stem() {
            names.push(stem.to_string_lossy().into_owned());
        }
    }
    names.sort();
    Ok(names)
}

fn build(workspace: &Path, names: &[String]) -> Result<()> {
    let compiler = env::var("CXX").unwrap_or_else(|_| "c++".into());
    let runs = Command::new(compiler.split_whitespace().next().unwrap_or_default())
        .arg("--version")
        .output()
        .is_ok_and(|out| out.status.success());
    ensure!(
        runs,
        "libFuzzer is C++ and `{compiler}` does not run: install a C++ compiler (g++ or clang), or name one in CXX"
    );
    let mut args = vec!["build", "--workspace", "--features=forebay-fuzz/libfuzzer"];
    args.extend(PROFILE.iter().flat_map(|setting| ["--config", setting]));
    args.extend(names.iter().flat_map(|name| ["--example", name]));
    let status = crate::cargo_command(workspace, &args)
        .env("RUSTC_WORKSPACE_WRAPPER", env::current_exe()?)
        .env(IN_PLACE_OF_RUSTC, "1")
        .status()
        .context("cannot run cargo")?;
    ensure!(status.success(), "the fuzz targets did not build");
    Ok(())
}

/// Runs one target until its time is up or it has found something.
fn fuzz(workspace: &Path, name: &str, seconds: u32) -> Result<Report> {
    let results = workspace.join("target/fuzz");
    let corpus = results.join("corpus").join(name);
    let artifacts = results.join("artifacts").join(name);
    fs::create_dir_all(&corpus)?;
    fs::create_dir_all(&artifacts)?;
    let path = results.join(format!("{name}.log"));
    let log = File::create(&path)?;

    let mut command = target(workspace, name)?;
    command.arg(format!("-max_total_time={seconds}"));
    command.arg(format!("-timeout={LONGEST_INPUT}"));
    command.arg(format!("-rss_limit_mb={MOST_MEMORY}"));
    command.arg(format!("-artifact_prefix={}/", artifacts.display()));
    command.arg("-print_final_stats=1");
    let dictionary = workspace.join(format!("fuzz/dictionaries/{name}.dict"));
    if dictionary.exists() {
        command.arg(format!("-dict={}", dictionary.display()));
    }
    // New inputs are written to the first folder. The longest file of all folders limits the length of an input; the
    // limit is at least 4 KiB.
    command.arg(&corpus);
    let seeds = workspace.join("fuzz/seeds").join(name);
    if seeds.exists() {
        command.arg(seeds);
    }
    let status = command
        .stdout(log.try_clone()?)
        .stderr(log)
        .status()
        .with_context(|| format!("cannot run {name}"))?;

    let text = String::from_utf8_lossy(&fs::read(&path)?).into_owned();
    let report = Report::read(&text, workspace);
    ensure!(
        status.success() || report.finding.is_some(),
        "{name} did not run: see {}",
        path.display()
    );
    ensure!(
        report.edges > 0 || report.finding.is_some(),
        "{name} was built without counters: see {}",
        path.display()
    );
    Ok(report)
}

/// The command for a target, which is built next to this program.
fn target(workspace: &Path, name: &str) -> Result<Command> {
    let path = env::current_exe()?.with_file_name("examples").join(name);
    let mut command = Command::new(path);
    command.current_dir(workspace);
    // A panic prints its backtrace. Errors do not capture one, because there are millions of them.
    command
        .env("RUST_BACKTRACE", "1")
        .env("RUST_LIB_BACKTRACE", "0");
    Ok(command)
}

/// Acts as rustc, with counters where they belong, if cargo called this program instead of rustc. Otherwise returns.
pub(crate) fn stand_in_for_rustc() -> Result<()> {
    if env::var_os(IN_PLACE_OF_RUSTC).is_none() {
        return Ok(());
    }
    let mut args = env::args_os().skip(1);
    let rustc = args.next().context("cargo names no compiler")?;
    let args: Vec<OsString> = args.collect();
    let mut command = Command::new(rustc);
    command.args(&args);
    if is_fuzzed(&args) {
        command.args(COUNTERS);
    }
    Err(command.exec()).context("cannot run rustc")
}

/// Whether rustc compiles code that a target runs. Procedural macros and build scripts run during compilation, without
/// a libFuzzer to link to.
fn is_fuzzed(args: &[OsString]) -> bool {
    let has = |flag: &str, what: fn(&str) -> bool| {
        args.windows(2).any(|pair| match pair {
            [name, value] => name == flag && value.to_str().is_some_and(what),
            _ => false,
        })
    };
    has("--crate-name", |name| !name.starts_with("build_script_"))
        && !has("--crate-type", |kind| kind == "proc-macro")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn args(line: &str) -> Vec<OsString> {
        line.split(' ').map(OsString::from).collect()
    }

    #[test]
    fn counters_go_into_code_that_targets_run() {
        assert!(is_fuzzed(&args(
            "--crate-name forebay --crate-type lib a.rs"
        )));
        assert!(is_fuzzed(&args(
            "--crate-name pdf_split --crate-type cdylib --crate-type rlib a.rs"
        )));
        assert!(!is_fuzzed(&args(
            "--crate-name build_script_build --crate-type bin build.rs"
        )));
        assert!(!is_fuzzed(&args(
            "--crate-name macros --crate-type proc-macro a.rs"
        )));
        assert!(!is_fuzzed(&args("-vV")));
    }
}
