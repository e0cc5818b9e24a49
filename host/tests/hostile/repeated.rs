//! A thousand times: nothing adds up.

use futures::StreamExt as _;
use serde_json::json;

use forebay::Stage;

use crate::common::alone;
use crate::{Arena, alive_tasks, behaviour, open_files, resident, tight};

const TIMES: usize = 1000;

#[tokio::test(flavor = "multi_thread")]
async fn a_thousand_times_leave_nothing_behind() {
    alone!();
    let arena = Arena::new().await;
    let stream = arena.load(forebay_test_plugins::HOSTILE).await;
    let file = arena.load(forebay_test_plugins::HOSTILE_FILE).await;
    let mut stages: Vec<Stage> = [
        json!({ "behaviour": "trap", "at": "middle" }),
        json!({ "behaviour": "copies", "count": 5 }),
        json!({ "behaviour": "cancel-many", "count": 5 }),
        json!({ "behaviour": "leak-streams", "count": 100 }),
        json!({ "behaviour": "leak-pollables", "count": 100 }),
        json!({ "behaviour": "misuse", "of": "given-twice" }),
        json!({ "behaviour": "grow-at-once", "pages": 60_000 }),
        json!({ "behaviour": "fail", "kind": "failed", "at": "end", "bytes": 1000 }),
        behaviour("unfinished"),
        behaviour("ignore"),
    ]
    .into_iter()
    .map(|config| Stage::new(&stream).config(config).limits(tight()))
    .collect();
    stages.extend(
        [
            json!({ "behaviour": "link-chain", "count": 3 }),
            json!({ "behaviour": "deep", "levels": 20, "bytes": 1 }),
            json!({ "behaviour": "open-files", "count": 100 }),
        ]
        .map(|config| Stage::new(&file).config(config).limits(tight())),
    );
    let (arena, stages) = (&arena, &stages);
    let rounds = |times: usize| {
        let runs = (0..times).flat_map(move |_| stages.iter().cloned());
        let runs = runs.map(move |stage| async move { drop(arena.run(stage).await) });
        futures::stream::iter(runs)
            .buffer_unordered(4)
            .collect::<Vec<()>>()
    };
    // Pools and caches fill first.
    rounds(50).await;
    let (files, tasks, memory) = (open_files(), alive_tasks(), resident());
    rounds(TIMES).await;
    assert_eq!(arena.left(files, tasks).await, "nothing");
    let grown = resident().saturating_sub(memory) >> 20;
    println!(
        "{TIMES} times {} behaviours: memory has grown by {grown} MiB",
        stages.len()
    );
    assert!(grown < 48, "memory has grown by {grown} MiB");
    arena.is_well().await;
}
