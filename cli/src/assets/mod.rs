//! `forebay assets` and `forebay file-input`.

pub(crate) mod args;
mod delete;
mod get;
mod list;

use std::path::Path;

use anyhow::{Context as _, Result, ensure};
use forebay::FileInput;
use forebay::assets::MULTIPART_MAX;
use serde_json::json;

use crate::Outcome;
use crate::args::FileInputArgs;
use args::{AssetsArgs, AssetsCommand};

pub(crate) async fn assets(args: AssetsArgs) -> Result<Outcome> {
    match args.command {
        AssetsCommand::List(args) => list::list(args).await,
        AssetsCommand::Get(args) => get::get(args).await,
        AssetsCommand::Delete(args) => delete::delete(args).await,
    }
}

pub(crate) fn file_input(args: &FileInputArgs) -> Result<Outcome> {
    let what = args.what.as_str();
    let input = if Path::new(what).is_file() {
        let length = std::fs::metadata(what)
            .with_context(|| what.to_owned())?
            .len();
        ensure!(
            length <= MULTIPART_MAX,
            "{what}: {length} bytes are more than the {MULTIPART_MAX} that a file input may hold itself; `forebay upload` \
             makes it an asset, and its id is a file input"
        );
        let bytes = std::fs::read(what).with_context(|| what.to_owned())?;
        FileInput::bytes(&bytes).with_context(|| what.to_owned())?
    } else if what.contains("://") {
        FileInput::url(what)?
    } else if what.contains(['/', '\\', '.']) {
        // An id is a single word, so this text was meant to be a file.
        anyhow::bail!("{what}: there is no such file");
    } else {
        FileInput::asset_id(what)
    };
    if args.json {
        say!("{}", json!(input));
    } else {
        say!("{}", serde_json::to_string_pretty(&input)?);
    }
    Ok(Outcome::Done)
}
