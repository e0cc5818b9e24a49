//! `forebay assets list`, and the assets that flags choose.

use std::time::{Duration, SystemTime};

use anyhow::{Context as _, Result, ensure};
use bytesize::ByteSize;
use forebay::Assets;
use forebay::assets::{AssetInfo, ListQuery};
use futures::{Stream, StreamExt as _, TryStreamExt as _};
use globset::{GlobBuilder, GlobMatcher};
use serde_json::json;

use super::args::{Choice, ListArgs};
use crate::plain::{json as json_text, one_line};
use crate::{Outcome, service, stdout};

/// Assets on one page, the most that the service gives.
const PAGE: u32 = 100;

/// Sizes that are asked for at a time.
const AT_A_TIME: usize = 8;

/// The first second that RFC 3339 cannot write: the year 10000.
const YEAR_10000: u64 = 253_402_300_800;

pub(super) async fn list(args: ListArgs) -> Result<Outcome> {
    let most = if args.all { usize::MAX } else { args.limit };
    let assets = service::connect(&args.service, None)?;
    let chosen = chosen(&assets, &args.choice, most)?.take(most);
    let sized = chosen.map(|asset| async {
        let asset = asset?;
        let size = match &asset.url {
            Some(url) if args.size => assets.size_at(url).await.ok().flatten(),
            _ => None,
        };
        Ok::<_, forebay::AssetsError>((asset, size))
    });
    let mut sized = std::pin::pin!(sized.buffered(AT_A_TIME));
    while let Some(asset) = sized.next().await {
        if stdout::has_failed() {
            break;
        }
        match asset {
            Ok((asset, size)) => say!("{}", line(&asset, size, args.json)),
            Err(error) => {
                complain!("forebay: {}", one_line(&error.to_string()));
                return Ok(Outcome::SomeFailed);
            }
        }
    }
    Ok(Outcome::Done)
}

/// The assets that are meant, newest first. `most` is how many are wanted, for the size of a page.
pub(super) fn chosen(
    assets: &Assets,
    choice: &Choice,
    most: usize,
) -> Result<impl Stream<Item = Result<AssetInfo, forebay::AssetsError>> + use<>> {
    let name = choice.name.as_deref().map(pattern).transpose()?;
    let filters = name.is_some() || choice.older_than.is_some();
    let before = match choice.older_than {
        Some(age) => {
            let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH)?;
            Some(now.as_secs().saturating_sub(age.as_secs()))
        }
        None => None,
    };
    let most = u32::try_from(most).unwrap_or(PAGE).clamp(1, PAGE);
    let query = ListQuery {
        username: choice.username.clone(),
        folder_id: choice.folder.clone(),
        limit: Some(if filters { PAGE } else { most }),
        token: None,
    };
    let is_chosen = move |asset: &AssetInfo| {
        let named = asset.name.as_deref().unwrap_or_default();
        name.as_ref().is_none_or(|name| name.is_match(named))
            // An asset of unknown age is not old.
            && before.is_none_or(|before| asset.uploaded_at.is_some_and(|at| at <= before))
    };
    Ok(assets
        .list(query)
        .try_filter(move |asset| std::future::ready(is_chosen(asset))))
}

fn pattern(text: &str) -> Result<GlobMatcher> {
    let shown = || format!("--name `{text}`");
    ensure!(!text.is_empty(), "{}: the pattern is empty", shown());
    let glob = GlobBuilder::new(text).backslash_escape(true).build();
    Ok(glob.with_context(shown)?.compile_matcher())
}

/// One line: id, time, size, kind, name, URL, with tabs between them.
pub(super) fn line(asset: &AssetInfo, size: Option<u64>, as_json: bool) -> String {
    if as_json {
        let mut value = json!(asset);
        if let (Some(size), Some(value)) = (size, value.as_object_mut()) {
            value.insert("size_bytes".into(), size.into());
        }
        return json_text(&value.to_string()).into_owned();
    }
    let word = |text: &Option<String>| one_line(text.as_deref().unwrap_or("-")).into_owned();
    let time = asset.uploaded_at.map_or_else(|| "-".into(), time);
    let size = size.map_or_else(
        || "-".into(),
        |size| ByteSize(size).display().si().to_string(),
    );
    [
        one_line(&asset.id).into_owned(),
        time,
        size,
        word(&asset.kind),
        word(&asset.name),
        word(&asset.url),
    ]
    .join("\t")
}

/// A time in seconds since 1970, as RFC 3339 writes it.
fn time(seconds: u64) -> String {
    if seconds >= YEAR_10000 {
        return seconds.to_string();
    }
    let at = SystemTime::UNIX_EPOCH + Duration::from_secs(seconds);
    humantime::format_rfc3339_seconds(at).to_string()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use super::*;

    #[test]
    fn what_the_service_says_is_one_line() {
        let asset = |value| serde_json::from_value::<AssetInfo>(value).unwrap();
        let odd = asset(json!({
            "id": "ast_1", "name": "a\tb\n\u{1b}[31m", "uploaded_at": u64::MAX,
        }));
        assert_eq!(
            line(&odd, Some(1_500_000), false),
            "ast_1\t18446744073709551615\t1.5 MB\t-\ta\\tb\\n\\u{1b}[31m\t-"
        );
        let plain = asset(json!({ "id": "ast_2", "type": "image", "uploaded_at": 1_764_000_000 }));
        assert_eq!(
            line(&plain, None, false),
            "ast_2\t2025-11-24T16:00:00Z\t-\timage\t-\t-"
        );
    }
}
