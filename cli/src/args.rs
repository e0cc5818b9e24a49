//! The command line.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use clap::{ArgGroup, Parser, Subcommand};

use crate::assets::args::AssetsArgs;
use crate::help;
use crate::key::KeySource;
use crate::name_template::NameTemplate;
use crate::output::Verbosity;
use crate::select::Selection;
use crate::settings::MAX_JOBS;

/// Processes files with sandboxed plugins, and writes the results into a folder or uploads them to the HeyGen Assets API.
///
/// A plugin is a WebAssembly component: one of those in this program (`forebay plugins`), or a .wasm file. It reaches only
/// the file that it is given and what you grant it, under limits of memory, time and output.
///
/// A stage is a plugin with its config, such as `-s image-resize:max_width=1024`. A pipeline is stages in order, which each
/// file goes through: several -s, or a TOML file with -p. A workflow (-w) is a plugin that gets all files at once, decides
/// itself what to do with them and what to upload, and writes the body of a request to the service. An asset is a file
/// that the service holds.
#[derive(Debug, Parser)]
#[command(
    name = "forebay",
    version,
    max_term_width = 100,
    after_help = help::FOREBAY,
    after_long_help = help::FOREBAY_LONG
)]
pub(crate) struct Args {
    #[command(subcommand)]
    pub(crate) command: Command,

    /// Read settings from this file alone, not from config.toml and forebay.toml
    #[arg(long, global = true, value_name = "FILE")]
    pub(crate) config: Option<PathBuf>,

    #[command(flatten)]
    pub(crate) verbosity: Verbosity,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Run a pipeline over files, into a folder or the Assets API
    Run(RunArgs),
    /// Upload files unchanged to the Assets API
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
    /// Print how a request to the service names a file: by its bytes, a URL or the id of an asset
    FileInput(FileInputArgs),
    /// Emulate the Assets API on this machine, for tests and development
    Emulator(EmulatorArgs),
    /// Try it out: a few files become assets of an emulated service; needs no key and no network
    Demo(DemoArgs),
    /// Print completions for a shell
    Completions(CompletionsArgs),
    /// Print the manual page, or write those of all commands into a folder
    Man(ManArgs),
}

impl Command {
    /// The command's name on the command line.
    pub(crate) fn name(&self) -> &'static str {
        match self {
            Self::Run(_) => "run",
            Self::Upload(_) => "upload",
            Self::Plugins(_) => "plugins",
            Self::Inspect(_) => "inspect",
            Self::Lock(_) => "lock",
            Self::Verify(_) => "verify",
            Self::Assets(_) => "assets",
            Self::FileInput(_) => "file-input",
            Self::Emulator(_) => "emulator",
            Self::Demo(_) => "demo",
            Self::Completions(_) => "completions",
            Self::Man(_) => "man",
        }
    }
}

#[derive(Debug, Parser)]
#[command(
    group(ArgGroup::new("what").required(true).multiple(true).args(["pipeline", "stages", "workflow"])),
    group(ArgGroup::new("where").required(true).args(["out", "upload"])),
    after_help = help::RUN,
    after_long_help = help::RUN_LONG,
)]
pub(crate) struct RunArgs {
    /// A pipeline of a TOML file, with its name if the file has several; or one of forebay.toml or config.toml, by its name
    /// alone
    #[arg(short, long, value_name = "FILE[#NAME]|NAME", conflicts_with_all = ["stages", "workflow"])]
    pub(crate) pipeline: Option<String>,

    /// A stage: a bundled plugin or a path, with its config; may be given several times
    ///
    /// With WHEN, the stage is only for some files, and all others skip it: `image/*=strip-metadata` is for pictures,
    /// `*.heic=PLUGIN` for names, and `image/*,>1MB=image-resize:max_width=2000` for pictures of more than 1 MB.
    ///
    /// `forebay plugins` lists the bundled plugins, and `forebay inspect PLUGIN` shows what a config takes. A comma
    /// that `key=` does not follow belongs to the value: `pdf-split:ranges=1-3,5`. Escape any other with a backslash.
    #[arg(
        short = 's',
        long = "stage",
        value_name = "[WHEN=]PLUGIN[:key=value,…]"
    )]
    pub(crate) stages: Vec<String>,

    /// A workflow: a plugin that gets all inputs at once, or all outputs of the stages, and decides itself what to
    /// transform and upload
    ///
    /// Its result, a JSON document, is written to standard output. It may upload and name what it uploads in its result,
    /// and it may run the bundled plugins by their own names. Its uploads are kept only if it succeeds.
    #[arg(short, long, value_name = "PLUGIN[:key=value,…]")]
    pub(crate) workflow: Option<String>,

    /// Let the workflow run another stage, or a bundled plugin with your own config, under this name
    ///
    /// A workflow asks for stages by name, and may run the bundled plugins anyway. `--lend image-resize=./my-resize.wasm`
    /// gives it yours in place of the bundled one.
    #[arg(long, value_name = "NAME=STAGE")]
    pub(crate) lend: Vec<String>,

    /// Let the result of the workflow name URLs of this host, which the service would fetch; may be given several times
    ///
    /// HOST is a name or an address, without scheme and port. A URL can tell the host what the workflow knows. In a pipeline
    /// file this is the grant `url_hosts`.
    #[arg(long, value_name = "HOST")]
    pub(crate) url_host: Vec<String>,

    /// Let the workflow name this asset, which is not of this run; may be given several times
    ///
    /// In a pipeline file this is the grant `assets`.
    #[arg(long, value_name = "ID")]
    pub(crate) asset: Vec<String>,

    /// Take the result of the workflow as it is, whatever files it names
    ///
    /// The result of a workflow is the body of a request, which you post to the service. Without --raw, a result ends the
    /// run if it names a file that it may not name: an asset that is neither of this run nor granted (`--asset`), or a URL
    /// of a host that is not granted (`--url-host`). Whoever posts an unchecked result lets the plugin decide what the
    /// service fetches, and from where.
    #[arg(long)]
    pub(crate) raw: bool,

    /// Run only plugins that are in forebay.lock with the same digest; the lock is next to the pipeline file or in the
    /// current folder
    #[arg(long)]
    pub(crate) locked: bool,

    /// Stop the clock and seed the random numbers of all plugins, so that the same inputs give the same bytes
    #[arg(long)]
    pub(crate) deterministic: bool,

    /// Write results into this folder; `-` writes a single result to standard output
    ///
    /// The results of a folder keep its subfolders: photos/sub/c.jpg becomes DIR/sub/c.jpg. The extension follows the type:
    /// a PNG file that is called a.jpg becomes DIR/a.png. A result never replaces an input.
    #[arg(short, long, value_name = "DIR")]
    pub(crate) out: Option<PathBuf>,

    /// Upload to the Assets API; an asset gets the name of the file, without its folder
    #[arg(short, long)]
    pub(crate) upload: bool,

    /// Replace files that were in DIR before this run; without it they stay and the new files fail
    ///
    /// Neither an input nor a file that this run itself wrote is ever replaced: if two results have the same name, the
    /// second one fails.
    #[arg(short, long)]
    pub(crate) force: bool,

    /// Write each result to the disk itself before it counts as done, so that it survives a power failure
    ///
    /// Without it, the system writes the results to the disk some time later. With many small files this takes longer.
    #[arg(long)]
    pub(crate) durable: bool,

    // The help is not in this comment, because clap takes `{n}` in a comment for a line break.
    #[arg(long, value_name = "TEMPLATE", help = help::NAME, long_help = help::NAME_LONG)]
    pub(crate) name: Option<NameTemplate>,

    #[command(flatten)]
    pub(crate) common: Common,
}

#[derive(Debug, Parser)]
#[command(after_help = help::UPLOAD)]
pub(crate) struct UploadArgs {
    /// The media type of the inputs, in place of the one that their bytes show, such as `video/mp4`
    ///
    /// The names get an extension of this type. A file whose bytes show another type is sent all the same, and that is
    /// said; the report has the type that the bytes show as `detected_type`. The service detects the type itself and may
    /// refuse such a file.
    #[arg(long = "type", value_name = "TYPE", value_parser = media_type)]
    pub(crate) media_type: Option<String>,

    #[command(flatten)]
    pub(crate) common: Common,
}

/// Arguments that `run` and `upload` share.
#[derive(Debug, Parser)]
pub(crate) struct Common {
    /// Files, folders (with all files in them and in their subfolders), or `-` for standard input
    #[arg(required_unless_present = "files_from", value_name = "INPUT")]
    pub(crate) inputs: Vec<PathBuf>,

    /// The name of the file that comes from standard input
    ///
    /// `stdin` unless set, with the extension of its type.
    #[arg(long, value_name = "NAME")]
    pub(crate) stdin_name: Option<String>,

    /// Write a report of the run to this file, as JSON, or as a page if its name ends in .html; `-` is standard output
    ///
    /// The page needs nothing else and has no script: files before and after, with thumbnails, stages on a time line,
    /// failures with their reasons, and which plugin touched what.
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

    /// Print what would be done with each file, and do nothing
    ///
    /// The plan shows the stages with what they are granted, the type and size of each file, how it would be uploaded, and
    /// what would be refused and why. Types are checked, contents are not: a damaged file shows only in the run. No request
    /// is sent, and nothing is written. With --json the plan is printed as JSON. The exit status is 1 if a file would be
    /// refused or would probably fail.
    #[arg(short = 'n', long)]
    pub(crate) dry_run: bool,

    #[command(flatten)]
    pub(crate) selection: Selection,

    /// Print one JSON object for each input when the input is done, and the totals at the end
    ///
    /// `failures` has what failed as text, and `errors` has the same in parts: stage, step, status, code, request_id and
    /// retryable. The last line is `{"totals": {…}}`.
    #[arg(long)]
    pub(crate) json: bool,

    /// How many inputs are processed at a time
    ///
    /// Without it, `jobs` in forebay.toml or your config.toml, or else 4.
    #[arg(short, long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=i64::from(MAX_JOBS)))]
    pub(crate) jobs: Option<u16>,

    #[command(flatten)]
    pub(crate) service: Service,

    #[command(flatten)]
    pub(crate) transfer: Transfer,
}

/// How uploads use the network.
#[derive(Debug, Clone, Copy, Parser)]
pub(crate) struct Transfer {
    /// How long an upload may stand still before it is tried again, such as `90s` or `5m`; 60s unless set
    ///
    /// Once all bytes of a file are sent, the service has five times as long to answer. An upload that moves may take
    /// any time.
    #[arg(long, value_name = "TIME", value_parser = timeout)]
    pub(crate) timeout: Option<Duration>,

    /// How often a request is sent again after a temporary failure; 4 unless set
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(0..=100))]
    pub(crate) retries: Option<u16>,

    /// Send at most this many bytes per second, over all uploads together, such as `500kB` or `2MiB`
    #[arg(long, value_name = "SIZE", value_parser = bandwidth)]
    pub(crate) bwlimit: Option<bytesize::ByteSize>,
}

impl Common {
    pub(crate) fn jobs(&self) -> usize {
        usize::from(self.jobs.unwrap_or(4))
    }

    /// The name of the file that comes from standard input.
    pub(crate) fn stdin_name(&self) -> &str {
        self.stdin_name.as_deref().unwrap_or("stdin")
    }

    /// Whether anyone reads the reports. If so, they contain the SHA-256 of every file between two stages.
    pub(crate) fn reports(&self) -> bool {
        self.json || self.report.is_some()
    }
}

/// The service. Its key is no flag, because a flag would be visible in the list of processes.
#[derive(Debug, Parser)]
pub(crate) struct Service {
    /// Base URL of the Assets API
    ///
    /// Without it, the variable HEYGEN_BASE_URL, or `base_url` in your config.toml, or else https://api.heygen.com.
    // The variable is read with the settings: clap shows an option that the environment sets as a required one.
    #[arg(long, value_name = "URL")]
    pub(crate) base_url: Option<String>,

    /// Allow the API key to be sent to this host over plain http; may be given several times
    ///
    /// Everybody on the way to the host can read the key and the files. HOST is a name or an address, without a port.
    /// This machine needs no permission. `allow_http` in your config.toml is a list of such hosts.
    #[arg(long, value_name = "HOST")]
    pub(crate) allow_http: Vec<String>,

    /// From the settings.
    #[arg(skip)]
    pub(crate) key: Option<KeySource>,
}

#[derive(Debug, Parser)]
#[command(after_help = help::FILE_INPUT)]
pub(crate) struct FileInputArgs {
    /// A file, an https URL, or the id of an asset; if a file of this name exists, it is taken as a file
    #[arg(value_name = "PATH|URL|ID")]
    pub(crate) what: String,

    /// Print on one line
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, Parser)]
#[command(after_help = help::PLUGINS)]
pub(crate) struct PluginsArgs {
    /// Print JSON
    #[arg(long)]
    pub(crate) json: bool,

    /// Write the components into this folder, as NAME.wasm, for programs that embed forebay
    ///
    /// Prints the SHA-256 of each, as `sha256sum` does. Replaces files of these names.
    #[arg(long, value_name = "DIR", conflicts_with = "json")]
    pub(crate) write: Option<PathBuf>,
}

#[derive(Debug, Parser)]
#[command(after_help = help::INSPECT)]
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
    after_help = help::LOCK
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
#[command(after_help = help::VERIFY)]
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
#[command(after_help = help::EMULATOR)]
pub(crate) struct EmulatorArgs {
    /// Address to listen on; with port 0 a free port is chosen
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:0")]
    pub(crate) listen: SocketAddr,

    /// Keep the files in this folder; without it they are deleted when the emulator ends
    #[arg(long, value_name = "DIR")]
    pub(crate) data: Option<PathBuf>,

    /// The largest direct upload that is accepted, such as `5GiB`
    #[arg(long, value_name = "SIZE", default_value = "200MiB", value_parser = size)]
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
#[command(after_help = help::DEMO)]
pub(crate) struct DemoArgs {
    /// Keep the demo's inputs in this folder, so that you can try other commands with them
    #[arg(long, value_name = "DIR")]
    pub(crate) keep: Option<PathBuf>,
}

/// A media type, without parameters, by its usual name.
fn media_type(text: &str) -> Result<String, String> {
    let part = |part: &str| {
        let allowed = |b: u8| b.is_ascii_alphanumeric() || b"!#$&-^_.+".contains(&b);
        !part.is_empty() && part.bytes().all(allowed)
    };
    match text.split_once('/') {
        Some((left, right)) if part(left) && part(right) => {
            Ok(forebay::media::canonical(&text.to_ascii_lowercase()).to_owned())
        }
        _ => Err("a media type is TYPE/SUBTYPE, such as video/mp4".into()),
    }
}

#[derive(Debug, Parser)]
#[command(after_help = help::COMPLETIONS)]
pub(crate) struct CompletionsArgs {
    /// The shell
    #[arg(value_name = "SHELL")]
    pub(crate) shell: clap_complete::Shell,
}

#[derive(Debug, Parser)]
#[command(after_help = help::MAN)]
pub(crate) struct ManArgs {
    /// The command whose page is printed, such as `run` or `assets list`; without it the page of forebay itself
    #[arg(value_name = "COMMAND")]
    pub(crate) command: Vec<String>,

    /// Write the pages of all commands into this folder
    #[arg(long, value_name = "DIR", conflicts_with = "command")]
    pub(crate) dir: Option<PathBuf>,
}

fn timeout(text: &str) -> Result<Duration, String> {
    let time = time(text, "`90s` or `5m`")?;
    if time < Duration::from_secs(1) {
        return Err("the time is at least 1s".into());
    }
    Ok(time)
}

/// A time with a unit. `examples` are such times, for the message.
pub(crate) fn time(text: &str, examples: &str) -> Result<Duration, String> {
    humantime::parse_duration(text)
        .map_err(|_| format!("a time is a number with a unit, such as {examples}"))
}

fn size(text: &str) -> Result<bytesize::ByteSize, String> {
    text.parse()
        .map_err(|_| "a size is a number with a unit, such as `500kB` or `2MiB`".to_owned())
}

fn bandwidth(text: &str) -> Result<bytesize::ByteSize, String> {
    let rate = size(text)?;
    // One chunk of a thousand bytes a second keeps an upload from standing still.
    if rate.as_u64() < 1000 {
        return Err("the limit is at least 1kB per second".into());
    }
    Ok(rate)
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
