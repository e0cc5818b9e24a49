//! `forebay assets` and `forebay file-input`.

use std::path::Path;

use anyhow::{Context as _, Result, ensure};
use forebay::FileInput;
use forebay::assets::{AssetInfo, ListQuery, MULTIPART_MAX};
use futures::StreamExt as _;
use serde_json::json;

use crate::args::{AssetsArgs, AssetsCommand, FileInputArgs};
use crate::{Outcome, service, stdout};

pub(crate) async fn assets(args: AssetsArgs) -> Result<Outcome> {
    let mut outcome = Outcome::Done;
    let mut failed = |id: &str, error: forebay::AssetsError| {
        complain!("forebay: {id}: {error}");
        outcome = Outcome::SomeFailed;
    };
    match args.command {
        AssetsCommand::List {
            limit,
            folder,
            username,
            json,
            service,
        } => {
            let query = ListQuery {
                username,
                folder_id: folder,
                limit: u32::try_from(limit.clamp(1, 100)).ok(),
                token: None,
            };
            let assets = service::connect(&service, None)?.list(query).take(limit);
            let mut assets = std::pin::pin!(assets);
            while let Some(asset) = assets.next().await {
                match asset {
                    Ok(asset) => show(&asset, json),
                    Err(error) => failed("list", error),
                }
                if stdout::has_failed() {
                    break;
                }
            }
        }
        AssetsCommand::Get { ids, json, service } => {
            let assets = service::connect(&service, None)?;
            for id in ids {
                match assets.get(&id).await {
                    Ok(asset) => show(&asset, json),
                    Err(error) => failed(&id, error),
                }
            }
        }
        AssetsCommand::Delete { ids, json, service } => {
            let assets = service::connect(&service, None)?;
            for id in ids {
                match assets.delete(&id).await {
                    Ok(()) => {
                        let deleted = if json {
                            json!({ "deleted": id }).to_string()
                        } else {
                            id
                        };
                        stdout::result(&deleted);
                    }
                    Err(error) => failed(&id, error),
                }
            }
        }
    }
    Ok(outcome)
}

/// Prints one line: id, kind, name, URL.
fn show(asset: &AssetInfo, json: bool) {
    if json {
        say!("{}", json!(asset));
        return;
    }
    let word = |text: &Option<String>| text.clone().unwrap_or_else(|| "-".into());
    say!(
        "{}\t{}\t{}\t{}",
        asset.id,
        word(&asset.kind),
        word(&asset.name),
        word(&asset.url)
    );
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
