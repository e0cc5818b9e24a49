//! Options that cannot work together, or not with these inputs.
//!
//! Promise: an option that a command would ignore is refused before anything is read, and the message says what was meant.
//! What clap can tell by itself is in `args.rs`.

use std::path::Path;

use anyhow::{Result, bail, ensure};

use crate::args::{Command, Common, RunArgs};
use crate::assets::args::AssetsCommand;

/// Checks a command line, before the settings are added to it.
pub(crate) fn check(command: &Command) -> Result<()> {
    match command {
        Command::Run(run) => check_run(run),
        Command::Upload(upload) => check_inputs(&upload.common),
        Command::Assets(assets) => match &assets.command {
            AssetsCommand::Get(get) => {
                ensure!(
                    !get.force || get.download || get.out.is_some(),
                    "--force replaces files of a download: give --download or -o DIR as well"
                );
                Ok(())
            }
            _ => Ok(()),
        },
        _ => Ok(()),
    }
}

fn check_run(run: &RunArgs) -> Result<()> {
    let common = &run.common;
    check_inputs(common)?;
    let to_stdout = run.out.as_deref() == Some(Path::new("-"));
    if to_stdout || run.upload {
        let instead = if to_stdout {
            "give `-o DIR` in place of `-o -`"
        } else {
            "give -o DIR in place of -u"
        };
        for (is_given, words) in [
            (run.name.is_some(), "--name names files in a folder"),
            (run.force, "--force replaces files in a folder"),
            (run.durable, "--durable writes files in a folder"),
        ] {
            ensure!(!is_given, "{words}: {instead}");
        }
    }
    ensure!(
        !(to_stdout && common.json),
        "`-o -` and `--json` both write to standard output; `--report FILE` takes the JSON elsewhere"
    );
    if run.workflow.is_none() && !run.lend.is_empty() {
        let how = if run.pipeline.is_some() {
            "a pipeline file says under `workflow.lend` what its workflow is lent"
        } else {
            "give one with -w PLUGIN and -u"
        };
        bail!("--lend lends a stage to a workflow, and this run has none: {how}");
    }
    for (is_given, flag, grant) in [
        (!run.url_host.is_empty(), "--url-host", "url_hosts"),
        (!run.asset.is_empty(), "--asset", "assets"),
    ] {
        ensure!(
            run.workflow.is_some() || !is_given,
            "{flag} grants something to a workflow of the command line, and this run has none: give one with -w PLUGIN and -u; \
             in a pipeline file it is the grant `{grant}`"
        );
    }
    if !run.upload {
        check_folder(run)?;
    }
    Ok(())
}

/// Checks a run that uploads nothing.
fn check_folder(run: &RunArgs) -> Result<()> {
    let common = &run.common;
    let transfer = &common.transfer;
    ensure!(
        run.workflow.is_none(),
        "a workflow uploads what it makes itself: give -u in place of -o"
    );
    for (is_given, words) in [
        (
            run.raw,
            "--raw is for the result of a workflow, which uploads",
        ),
        (common.journal.is_some(), "--journal notes uploads"),
        (
            common.service.base_url.is_some(),
            "--base-url is where uploads go",
        ),
        (
            !common.service.allow_http.is_empty(),
            "--allow-http is for uploads",
        ),
        (transfer.timeout.is_some(), "--timeout is for uploads"),
        (transfer.retries.is_some(), "--retries is for uploads"),
        (transfer.bwlimit.is_some(), "--bwlimit is for uploads"),
    ] {
        ensure!(!is_given, "{words}: give -u in place of -o");
    }
    if let Some(out) = run.out.as_deref().filter(|out| *out != Path::new("-"))
        && out.exists()
        && !out.is_dir()
    {
        bail!(
            "-o {}: this is a file, not a folder; it stays",
            out.display()
        );
    }
    Ok(())
}

fn check_inputs(common: &Common) -> Result<()> {
    common.selection.check()?;
    let reads_stdin = common.inputs.iter().any(|input| input == Path::new("-"));
    ensure!(
        reads_stdin || common.stdin_name.is_none(),
        "--stdin-name names what comes from standard input: give `-` as an input"
    );
    Ok(())
}
