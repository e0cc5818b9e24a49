//! The command line of `forebay assets`.

use std::path::PathBuf;
use std::time::Duration;

use clap::{ArgGroup, Args, Parser, Subcommand};

use crate::args::Service;
use crate::help;

#[derive(Debug, Parser)]
#[command(after_help = help::ASSETS)]
pub(crate) struct AssetsArgs {
    #[command(subcommand)]
    pub(crate) command: AssetsCommand,
}

#[derive(Debug, Subcommand)]
pub(crate) enum AssetsCommand {
    /// List assets, newest first: id, time, size, kind, name and URL
    List(ListArgs),
    /// Show or download assets
    Get(GetArgs),
    /// Delete assets, by id, by name or by age
    Delete(DeleteArgs),
}

impl AssetsCommand {
    pub(crate) fn service_mut(&mut self) -> &mut Service {
        match self {
            Self::List(list) => &mut list.service,
            Self::Get(get) => &mut get.service,
            Self::Delete(delete) => &mut delete.service,
        }
    }
}

/// An age. What is meant decides what is deleted, so the examples are safe ones.
fn age(text: &str) -> Result<Duration, String> {
    crate::args::time(text, "`30d` or `12h`")
}

/// Which assets are meant.
#[derive(Debug, Args)]
pub(crate) struct Choice {
    /// Only assets whose name matches this pattern, such as `*.mp4`
    #[arg(long, value_name = "PATTERN")]
    pub(crate) name: Option<String>,

    /// Only assets that were uploaded at least this long ago, such as `30d` or `12h`
    #[arg(long, value_name = "TIME", value_parser = age)]
    pub(crate) older_than: Option<Duration>,

    /// Only assets in this folder of the service
    #[arg(long, value_name = "ID")]
    pub(crate) folder: Option<String>,

    /// Only assets of this user
    #[arg(long, value_name = "NAME")]
    pub(crate) username: Option<String>,
}

#[derive(Debug, Parser)]
#[command(after_help = help::ASSETS_LIST)]
pub(crate) struct ListArgs {
    /// List at most this many assets
    #[arg(short = 'n', long, value_name = "N", default_value_t = 20)]
    pub(crate) limit: usize,

    /// List all assets
    #[arg(short, long, conflicts_with = "limit")]
    pub(crate) all: bool,

    /// Ask for the size of each asset, with one more request for each; the list itself may not have it
    #[arg(long)]
    pub(crate) size: bool,

    #[command(flatten)]
    pub(crate) choice: Choice,

    /// Print JSON, one object for each asset
    #[arg(long)]
    pub(crate) json: bool,

    #[command(flatten)]
    pub(crate) service: Service,
}

#[derive(Debug, Parser)]
#[command(after_help = help::ASSETS_GET)]
pub(crate) struct GetArgs {
    /// Ids of the assets
    #[arg(required = true, value_name = "ID")]
    pub(crate) ids: Vec<String>,

    /// Download the files into the current folder, or into that of --out, and print their paths
    #[arg(short, long)]
    pub(crate) download: bool,

    /// Download the files into this folder
    #[arg(short, long, value_name = "DIR")]
    pub(crate) out: Option<PathBuf>,

    /// Replace files that are in DIR; without it they stay and the download fails
    #[arg(short, long)]
    pub(crate) force: bool,

    /// Print JSON, one object for each asset
    #[arg(long)]
    pub(crate) json: bool,

    #[command(flatten)]
    pub(crate) service: Service,
}

#[derive(Debug, Parser)]
#[command(
    group(ArgGroup::new("which").required(true).multiple(true).args(["ids", "name", "older_than"])),
    after_help = help::ASSETS_DELETE,
)]
pub(crate) struct DeleteArgs {
    /// Ids of the assets
    #[arg(value_name = "ID", conflicts_with_all = ["name", "older_than", "folder", "username"])]
    pub(crate) ids: Vec<String>,

    #[command(flatten)]
    pub(crate) choice: Choice,

    /// Do not ask before assets that were found by name or by age are deleted
    #[arg(short, long)]
    pub(crate) yes: bool,

    /// List what would be deleted, and delete nothing
    #[arg(short = 'n', long)]
    pub(crate) dry_run: bool,

    /// Print JSON, one object for each asset
    #[arg(long)]
    pub(crate) json: bool,

    #[command(flatten)]
    pub(crate) service: Service,
}
