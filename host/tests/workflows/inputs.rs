//! Inputs are read by the guest, from wherever they lie.

use bytes::Bytes;
use forebay::{Event, Grants, Source, StageCause};
use serde_json::{Value, json};

use crate::{Service, cause, drill, pdf};

fn read(times: usize) -> Value {
    json!({ "exercise": "read", "times": times })
}

/// The sum that `drill` makes of what it reads.
fn sum(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0_u64, |sum, &byte| {
        sum.wrapping_mul(31).wrapping_add(byte.into())
    })
}

#[tokio::test(flavor = "multi_thread")]
async fn inputs_are_read_as_often_as_one_likes_wherever_they_lie() {
    let service = Service::start().await;
    let content = pdf(700_000);
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("on disk.pdf");
    std::fs::write(&path, &content).unwrap();
    let sources = [
        Source::bytes("in memory.pdf", content.clone()),
        Source::path(&path),
        Source::reader("once.dat", std::io::Cursor::new(content.clone())),
        Source::bytes("nothing", Bytes::new()),
    ];
    let result = service.exercise(read(2), sources).await;
    let result = result.as_array().unwrap();
    assert_eq!(result.len(), 8);
    for (at, name) in ["in memory.pdf", "on disk.pdf", "once.dat.pdf"]
        .iter()
        .enumerate()
    {
        for again in 0..2 {
            assert_eq!(
                result[2 * at + again],
                json!({
                    "name": name, "media_type": "application/pdf", "size": 700_000, "bytes": 700_000,
                    "sum": sum(&content),
                })
            );
        }
    }
    assert_eq!(result[7]["bytes"], 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_input_that_changes_while_it_is_read_ends_the_workflow() {
    let service = Service::start().await;
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("log.pdf");
    std::fs::write(&path, pdf(100)).unwrap();
    let workflow = drill(read(1), Grants::all()).await;
    let growing = path.clone();
    let job = service.job(&workflow, [Source::path(&path)]).await;
    let job = job.observe(move |event| {
        if matches!(event, Event::Opened { .. }) {
            std::fs::write(&growing, pdf(200)).unwrap();
        }
    });
    let cause = cause(job.run().await.unwrap_err());
    assert!(
        matches!(&cause, StageCause::Host(text) if text.contains("did it change?")),
        "{cause:?}"
    );
}
