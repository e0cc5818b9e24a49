//! `forebay assets delete`.
//!
//! What was found by name or by age is listed, and a person confirms it, unless `--yes` is given. Exactly what was listed
//! is deleted.

use std::io::{IsTerminal as _, Write as _};

use anyhow::{Result, ensure};
use forebay::Assets;
use forebay::assets::AssetInfo;
use futures::{StreamExt as _, TryStreamExt as _};
use serde_json::json;

use super::args::DeleteArgs;
use super::list;
use crate::output::{self, Weight};
use crate::plain::one_line;
use crate::summary::count;
use crate::{Outcome, service, stdout, stop};

/// Assets that are deleted at a time.
const AT_A_TIME: usize = 8;

pub(super) async fn delete(args: DeleteArgs) -> Result<Outcome> {
    let assets = service::connect(&args.service, None)?;
    stop::set_last_words("nothing was deleted");
    let ids = if args.ids.is_empty() {
        let found = list::chosen(&assets, &args.choice, usize::MAX)?;
        let found: Vec<AssetInfo> = found.try_collect().await?;
        if args.dry_run {
            for asset in &found {
                say!("{}", list::line(asset, None, args.json));
            }
        }
        if found.is_empty() || args.dry_run {
            tell(&format!(
                "{} found, nothing deleted",
                count(found.len() as u64, "asset")
            ));
            return Ok(Outcome::Done);
        }
        if !args.yes && !confirmed(&found).await? {
            complain!("nothing deleted");
            return Ok(Outcome::SomeFailed);
        }
        found.into_iter().map(|asset| asset.id).collect()
    } else {
        args.ids
    };
    if args.dry_run {
        ids.iter().for_each(|id| say!("{}", one_line(id)));
        return Ok(Outcome::Done);
    }
    Ok(delete_all(&assets, &ids, args.json).await)
}

async fn delete_all(assets: &Assets, ids: &[String], as_json: bool) -> Outcome {
    stop::set_last_words("what is listed above was deleted");
    let (mut deleted, mut failed) = (0, 0);
    let each = ids
        .iter()
        .map(|id| async move { (id, assets.delete(id).await) });
    let mut ended = futures::stream::iter(each).buffered(AT_A_TIME);
    while let Some((id, ended)) = ended.next().await {
        match ended {
            Ok(()) => {
                deleted += 1;
                // An id that was deleted is told even if standard output takes nothing.
                stdout::result(&if as_json {
                    json!({ "deleted": id }).to_string()
                } else {
                    one_line(id).into_owned()
                });
            }
            Err(error) => {
                failed += 1;
                complain!("forebay: {}", one_line(&format!("{id}: {error}")));
            }
        }
    }
    if failed == 0 {
        tell(&format!("{} deleted", count(deleted, "asset")));
        Outcome::Done
    } else {
        tell(&format!(
            "{} deleted; {failed} failed",
            count(deleted, "asset")
        ));
        Outcome::SomeFailed
    }
}

/// Lists the assets on standard error, and asks.
async fn confirmed(found: &[AssetInfo]) -> Result<bool> {
    for asset in found {
        complain!("{}", list::line(asset, None, false));
    }
    let assets = count(found.len() as u64, "asset");
    ensure!(
        std::io::stdin().is_terminal(),
        "{assets} would be deleted, and there is no terminal to ask on; --yes deletes without asking"
    );
    stop::set_at_prompt(true);
    let these = if found.len() == 1 { "this" } else { "these" };
    let _ = write!(std::io::stderr(), "Delete {these} {assets}? [y/N] ");
    // A thread of its own, since the end of the program does not wait for it: nobody may ever answer.
    let (sender, receiver) = tokio::sync::oneshot::channel();
    std::thread::spawn(move || {
        let mut answer = String::new();
        let read = std::io::stdin().read_line(&mut answer);
        let _ = sender.send(read.map(|_| answer));
    });
    let answer = receiver.await??;
    stop::set_at_prompt(false);
    Ok(matches!(answer.trim().to_lowercase().as_str(), "y" | "yes"))
}

fn tell(line: &str) {
    if output::prints(Weight::Note) {
        complain!("{line}");
    }
}
