//! `forebay assets get`: shows assets, or downloads them.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, anyhow, bail};
use forebay::assets::AssetInfo;
use forebay::{Assets, Error, Folder, Host, Pipeline, Place, SinkError, Source};

use super::args::GetArgs;
use super::list;
use crate::plain::{chain, one_line};
use crate::plugins::Plugins;
use crate::{Outcome, service};

pub(super) async fn get(args: GetArgs) -> Result<Outcome> {
    let assets = service::connect(&args.service, None)?;
    let into = if args.download || args.out.is_some() {
        let out = args.out.as_deref().unwrap_or(Path::new("."));
        let folder = Folder::new(out).with_context(|| out.display().to_string())?;
        Some(Downloads {
            assets: assets.clone(),
            host: Plugins::new()?.host,
            nothing: Pipeline::builder("download").build()?,
            folder: folder.replace(args.force),
        })
    } else {
        None
    };
    let mut outcome = Outcome::Done;
    for id in &args.ids {
        let shown = match (assets.get(id).await, &into) {
            (Ok(asset), None) => Ok(list::line(&asset, None, args.json)),
            (Ok(asset), Some(into)) => into.download(&asset).await.map(|path| match args.json {
                true => json_line(&asset, &path),
                false => path.display().to_string(),
            }),
            (Err(error), _) => Err(error.into()),
        };
        match shown {
            Ok(line) => say!("{line}"),
            Err(error) => {
                complain!("forebay: {}", one_line(&format!("{id}: {}", chain(&error))));
                outcome = Outcome::SomeFailed;
            }
        }
    }
    Ok(outcome)
}

fn json_line(asset: &AssetInfo, path: &std::path::Path) -> String {
    let mut value = serde_json::json!(asset);
    if let Some(value) = value.as_object_mut() {
        value.insert("path".into(), serde_json::json!(path));
    }
    value.to_string()
}

/// Writes assets into a folder, by jobs without stages: each file appears whole, with a plain name that fits its bytes.
struct Downloads {
    assets: Assets,
    host: Host,
    nothing: Pipeline,
    folder: Folder,
}

impl Downloads {
    async fn download(&self, asset: &AssetInfo) -> Result<PathBuf> {
        let url = asset
            .url
            .as_deref()
            .context("the service has no URL for it")?;
        let download = self.assets.download(url).await.context("download")?;
        let name = asset.name.as_ref().unwrap_or(&asset.id);
        let mut source = Source::reader(name, download.reader);
        if let Some(size) = download.size {
            source = source.size(size);
        }
        let written = self
            .host
            .run(&self.nothing, source, self.folder.clone())
            .await;
        let report = written.map_err(|error| {
            let hint = error.errors.iter().find_map(hint).unwrap_or_default();
            anyhow!("{error}{hint}")
        })?;
        match report.files.first().map(|file| &file.place) {
            Some(Place::File { path }) => Ok(path.clone()),
            _ => bail!("nothing was written"),
        }
    }
}

/// How to avoid a failure.
fn hint(error: &Error) -> Option<&'static str> {
    let Error::Sink { reason, .. } = error else {
        return None;
    };
    match reason {
        SinkError::Exists(_) => Some("; --force replaces it"),
        SinkError::Taken(_) => Some("; download it into another folder, with --out"),
        _ => None,
    }
}
