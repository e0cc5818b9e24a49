//! The command line.

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::{ArgGroup, Parser, Subcommand};

use crate::name_template::NameTemplate;

/// Runs sandboxed plugins over files before they are uploaded.
///
/// Plugins are WebAssembly components. Each sees only the file that it is given, under limits of memory, time and
/// output.
#[derive(Debug, Parser)]
#[command(
    version,
    max_term_width = 100,
    after_help = "\
Examples:
  forebay run -s strip-metadata -s image-resize:max_width=1024,format=jpeg -o out photos/*.jpg
  forebay run -s pdf-split:ranges='1-3,5,9-' -u document.pdf
  cat video.mp4 | forebay run -s identity -o out -
  forebay run --workflow media-kit:prompt='Introduce these pages' -u FOLDER
  forebay run -s strip-metadata --name '{stem}-{n}.{ext}' -o out 2023/ 2024/
  forebay run -p pipelines.toml#photos --locked --report report.json -o out photos/

Exit status: 0 all done; 1 some file failed, the others are done; 2 the command line or a pipeline is wrong;
128 and the number of the signal (130 for Ctrl-C) if one ended it."
)]
pub(crate) struct Args {
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Run a pipeline over files, into a folder or the Assets API
    Run(RunArgs),
    /// Upload files unchanged, each by the flow that its size calls for
    Upload(UploadArgs),
    /// List the bundled plugins
    Plugins(PluginsArgs),
    /// Show what a plugin is, which types it takes and returns, and what it imports
    Inspect(InspectArgs),
    /// Write the digests of plugins to forebay.lock, for `run --locked`
    Lock(LockArgs),
    /// Show which plugins touched files, according to a report of `run --report`
    Verify(VerifyArgs),
    /// List, show and delete what the service holds
    Assets(AssetsArgs),
    /// Print a file input, as the body of a request names a file
    FileInput(FileInputArgs),
    /// Serve the Assets API on this machine, for tests and development
    Emulator(EmulatorArgs),
    /// Run the whole process, from files to assets, against an emulator within this process
    Demo(DemoArgs),
}

#[derive(Debug, Parser)]
#[command(
    group(ArgGroup::new("what").required(true).multiple(true).args(["pipeline", "stages", "workflow"])),
    group(ArgGroup::new("where").required(true).args(["out", "upload"])),
)]
pub(crate) struct RunArgs {
    /// A pipeline from a TOML file, by name if the file holds several
    #[arg(short, long, value_name = "FILE[#NAME]", conflicts_with_all = ["stages", "workflow"])]
    pub(crate) pipeline: Option<String>,

    /// A stage: a bundled plugin or a path, with its config; may be given several times
    ///
    /// `forebay plugins` lists the bundled plugins, and `forebay inspect PLUGIN` shows what a config takes. If a value
    /// contains a comma, put it in single quotes or escape the comma: `pdf-split:ranges='1-3,5'`.
    #[arg(short = 's', long = "stage", value_name = "PLUGIN[:key=value,…]")]
    pub(crate) stages: Vec<String>,

    /// A workflow: a plugin that gets all inputs at once, or all outputs of the stages, and decides itself what to
    /// transform and upload
    ///
    /// Its result, a JSON document, is written to standard output. It may upload and make file inputs, and it may run
    /// the bundled plugins by their own names. Its uploads are kept only if it succeeds.
    #[arg(short, long, value_name = "PLUGIN[:key=value,…]", requires = "upload")]
    pub(crate) workflow: Option<String>,

    /// Let the workflow run another stage, or a bundled plugin with your own config, under this name
    #[arg(long, value_name = "NAME=STAGE", requires = "workflow")]
    pub(crate) lend: Vec<String>,

    /// Run only plugins that are in forebay.lock with the same digest; the lock is next to the pipeline file or in the
    /// current folder
    #[arg(long)]
    pub(crate) locked: bool,

    /// Stop the clock and seed the random numbers of all plugins, so that the same inputs give the same bytes
    #[arg(long)]
    pub(crate) deterministic: bool,

    /// Write results into this folder; `-` writes a single result to standard output
    #[arg(short, long, value_name = "DIR")]
    pub(crate) out: Option<PathBuf>,

    /// Upload to the Assets API
    #[arg(short, long)]
    pub(crate) upload: bool,

    /// Replace files that were in DIR before this run; without it they stay and the new files fail
    ///
    /// A file that this run itself wrote is never replaced: if two results have the same name, the second one fails.
    #[arg(short, long, requires = "out")]
    pub(crate) force: bool,

    /// Name each result in DIR by this template, such as `{stem}-{n}.{ext}`
    ///
    /// {name} is the name of the result after the last stage, {stem} is that name without the extension, and {ext} is
    /// the extension without the dot. {n} is the number of the input, from 1: inputs are counted in the order in which
    /// they are named, and the files of a folder in the order of their names. {m} is the number of the result among the
    /// results of its input, from 1; after several stages there is one number for each stage, as in `1-3`. {input} is
    /// the input's name without the extension. `{{` and `}}` stand for braces.
    ///
    /// A result keeps the extension of its type: the extension is appended if the template does not end in it.
    #[arg(long, value_name = "TEMPLATE", requires = "out")]
    pub(crate) name: Option<NameTemplate>,

    #[command(flatten)]
    pub(crate) common: Common,
}

#[derive(Debug, Parser)]
pub(crate) struct UploadArgs {
    /// The media type of the inputs, in place of the one that their bytes show, such as `video/mp4`
    ///
    /// The names get an extension of this type. The report has the type that the bytes show as `detected_type`. The
    /// service detects the type itself and may refuse a file that is of another one.
    #[arg(long = "type", value_name = "TYPE", value_parser = media_type)]
    pub(crate) media_type: Option<String>,

    #[command(flatten)]
    pub(crate) common: Common,
}

/// Arguments that `run` and `upload` share.
#[derive(Debug, Parser)]
pub(crate) struct Common {
    /// Files, folders (with all files in them and in their subfolders), or `-` for standard input
    #[arg(required = true, value_name = "INPUT")]
    pub(crate) inputs: Vec<PathBuf>,

    /// The name of the file that comes from standard input
    #[arg(long, value_name = "NAME", default_value = "stdin")]
    pub(crate) stdin_name: String,

    /// Write a report of the run to this file, as JSON; `-` is standard output
    ///
    /// An older report in FILE is replaced. If FILE is anything else, it stays unchanged and the run does not start. If
    /// FILE is a symbolic link, the report is written to the file behind it and the link stays. A pipe or a device is
    /// written to. With `-`, standard output holds the report and nothing else.
    #[arg(long, value_name = "FILE")]
    pub(crate) report: Option<PathBuf>,

    /// Keep a journal of the uploads in this file: if the run is interrupted, the same command uploads only the rest
    ///
    /// FILE is a file that forebay itself writes. It is created if it does not exist. If it is not a journal, it stays
    /// unchanged and the run does not start.
    #[arg(long, value_name = "FILE")]
    pub(crate) journal: Option<PathBuf>,

    /// Print one JSON object for each input when the input is done
    #[arg(long)]
    pub(crate) json: bool,

    /// How many inputs are processed at a time
    #[arg(short, long, value_name = "N", default_value_t = 4, value_parser = clap::value_parser!(u16).range(1..=256))]
    pub(crate) jobs: u16,

    #[command(flatten)]
    pub(crate) service: Service,
}

impl Common {
    /// Whether anyone reads the reports. If so, they contain the SHA-256 of every file between two stages.
    pub(crate) fn reports(&self) -> bool {
        self.json || self.report.is_some()
    }
}

/// The service. Its key is read only from the environment, because a flag would be visible in the list of processes.
#[derive(Debug, Parser)]
#[command(after_help = "The API key is read from HEYGEN_API_KEY.")]
pub(crate) struct Service {
    /// Base URL of the Assets API
    #[arg(long, value_name = "URL", env = "HEYGEN_BASE_URL", default_value = forebay::assets::DEFAULT_BASE_URL)]
    pub(crate) base_url: String,
}

#[derive(Debug, Parser)]
pub(crate) struct AssetsArgs {
    #[command(subcommand)]
    pub(crate) command: AssetsCommand,
}

#[derive(Debug, Subcommand)]
pub(crate) enum AssetsCommand {
    /// List assets, newest first
    List {
        /// List at most this many assets
        #[arg(short = 'n', long, value_name = "N", default_value_t = 20)]
        limit: usize,

        /// Only assets in this folder of the service
        #[arg(long, value_name = "ID")]
        folder: Option<String>,

        /// Only assets of this user
        #[arg(long, value_name = "NAME")]
        username: Option<String>,

        /// Print JSON, one object for each asset
        #[arg(long)]
        json: bool,

        #[command(flatten)]
        service: Service,
    },
    /// Show assets
    Get {
        /// Ids of the assets
        #[arg(required = true, value_name = "ID")]
        ids: Vec<String>,

        /// Print JSON, one object for each asset
        #[arg(long)]
        json: bool,

        #[command(flatten)]
        service: Service,
    },
    /// Delete assets
    Delete {
        /// Ids of the assets
        #[arg(required = true, value_name = "ID")]
        ids: Vec<String>,

        /// Print JSON, one object for each asset
        #[arg(long)]
        json: bool,

        #[command(flatten)]
        service: Service,
    },
}

#[derive(Debug, Parser)]
#[command(after_help = "\
Examples:
  forebay file-input photo.jpg                       the bytes themselves, up to 32 MB
  forebay file-input https://example.com/photo.jpg   an address that the service fetches
  forebay file-input ast_0123456789abcdef            an asset")]
pub(crate) struct FileInputArgs {
    /// A file, an https URL, or the id of an asset; if a file of this name exists, it is taken as a file
    #[arg(value_name = "PATH|URL|ID")]
    pub(crate) what: String,

    /// Print on one line
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, Parser)]
pub(crate) struct PluginsArgs {
    /// Print JSON
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, Parser)]
pub(crate) struct InspectArgs {
    /// A bundled plugin, or the path of a component
    pub(crate) plugin: String,

    /// Also show what this pipeline grants the plugin
    #[arg(short, long, value_name = "FILE[#NAME]")]
    pub(crate) pipeline: Option<String>,

    /// Print JSON
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, Parser)]
#[command(
    group(ArgGroup::new("what").required(true).multiple(true).args(["pipeline", "plugins"])),
    after_help = "\
The lock names each plugin, where it comes from, and the SHA-256 of its component. Keep it with the pipeline file, and look
at its changes as at those of code: `forebay run --locked` runs nothing else."
)]
pub(crate) struct LockArgs {
    /// The plugins of this file: those of one pipeline, or of all
    #[arg(short, long, value_name = "FILE[#NAME]")]
    pub(crate) pipeline: Option<String>,

    /// Plugins by name or by path
    #[arg(value_name = "PLUGIN")]
    pub(crate) plugins: Vec<String>,
}

#[derive(Debug, Parser)]
#[command(after_help = "\
A file is found by its bytes, whatever it is called now: as a result, as a source, or on the way between two stages. A report
is a statement, not a proof: who can change it can change what it says. Exit status: 0 all found; 1 some were not.")]
pub(crate) struct VerifyArgs {
    /// The report that `forebay run --report FILE` wrote
    #[arg(value_name = "REPORT")]
    pub(crate) report: PathBuf,

    /// The files to look for
    #[arg(required = true, value_name = "FILE")]
    pub(crate) files: Vec<PathBuf>,

    /// Print one JSON object for each file
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, Parser)]
pub(crate) struct EmulatorArgs {
    /// Address to listen on; with port 0 a free port is chosen
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:0")]
    pub(crate) listen: SocketAddr,

    /// Keep the files in this folder; without it they are deleted when the emulator ends
    #[arg(long, value_name = "DIR")]
    pub(crate) data: Option<PathBuf>,

    /// The largest direct upload that is accepted, such as `5GiB`
    #[arg(long, value_name = "SIZE", default_value = "200MiB")]
    pub(crate) max_bytes: bytesize::ByteSize,

    /// A fault to inject, as JSON; may be given several times
    ///
    /// For example `{"route":"put","fault":"status","status":503,"times":2}`. The docs of the crate `forebay-emulator`
    /// list the routes and the faults. `POST /_emulator/faults` adds faults while the emulator runs.
    #[arg(long = "fault", value_name = "JSON", value_parser = fault)]
    pub(crate) faults: Vec<forebay_emulator::Fault>,

    /// Presign direct uploads for this S3-compatible store, with the keys in AWS_ACCESS_KEY_ID and
    /// AWS_SECRET_ACCESS_KEY
    #[arg(long, value_name = "URL", requires = "s3_bucket")]
    pub(crate) s3_endpoint: Option<String>,

    /// The store's bucket
    #[arg(long, value_name = "NAME", requires = "s3_endpoint")]
    pub(crate) s3_bucket: Option<String>,

    /// The store's region
    #[arg(
        long,
        value_name = "NAME",
        default_value = "us-east-1",
        requires = "s3_endpoint"
    )]
    pub(crate) s3_region: String,

    /// Answer 429 if there are more requests per second than this
    #[arg(long, value_name = "N")]
    pub(crate) rate_limit: Option<u32>,

    /// The only API key to accept; without it any key is accepted
    #[arg(long, value_name = "KEY")]
    pub(crate) api_key: Option<String>,
}

#[derive(Debug, Parser)]
pub(crate) struct DemoArgs {
    /// Keep the demo's inputs in this folder, so that you can try other commands with them
    #[arg(long, value_name = "DIR")]
    pub(crate) keep: Option<PathBuf>,
}

/// A media type, without parameters.
fn media_type(text: &str) -> Result<String, String> {
    let part = |part: &str| {
        let allowed = |b: u8| b.is_ascii_alphanumeric() || b"!#$&-^_.+".contains(&b);
        !part.is_empty() && part.bytes().all(allowed)
    };
    match text.split_once('/') {
        Some((left, right)) if part(left) && part(right) => Ok(text.to_ascii_lowercase()),
        _ => Err("a media type is TYPE/SUBTYPE, such as video/mp4".into()),
    }
}

fn fault(text: &str) -> Result<forebay_emulator::Fault, String> {
    serde_json::from_str(text).map_err(|error| error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        <Args as clap::CommandFactory>::command().debug_assert();
    }
}
