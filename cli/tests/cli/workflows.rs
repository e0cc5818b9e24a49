//! `forebay run --workflow`: all inputs at once, and a result on standard output.

use std::fs;

use tempfile::TempDir;

use crate::{Emulator, assert_refused, assert_success, demo, forebay_with, json, names, text};

/// One workflow that has all it needs, and one that was lent too little.
const KIT: &str = r#"
    [pipelines.kit.workflow]
    plugin = "media-kit"
    config = { prompt = "Introduce these pages", thumbnail = 99 }
    grants = { upload = true, direct_upload = true, file_inputs = true, max_assets = 6 }
    lend.image-resize = { plugin = "image-resize", config = { format = "png" } }
    lend.pdf-split = { plugin = "pdf-split" }

    [pipelines.poor.workflow]
    plugin = "media-kit"
    config = { prompt = "Introduce these pages" }
    grants = { upload = true, file_inputs = true, max_assets = 2 }
    lend.pdf-split = { plugin = "pdf-split" }
"#;

#[test]
fn a_workflow_takes_all_inputs_and_its_result_goes_to_standard_output() {
    let folder = TempDir::new().unwrap();
    let emulator = Emulator::start(folder.path(), &["--api-key", "right"]);
    let media = folder.path().join("media");
    fs::create_dir(&media).unwrap();
    for name in ["photo.jpg", "document.pdf"] {
        fs::copy(demo(name), media.join(name)).unwrap();
    }
    fs::write(folder.path().join("kit.toml"), KIT).unwrap();
    let run = |args: &[&str]| {
        forebay_with(folder.path(), &emulator.url, "right")
            .args(["run", "--report", "report.json"])
            .args(args)
            .arg("media")
            .output()
            .unwrap()
    };
    let stored = || names(&folder.path().join("emulator/assets")).len();
    let kit = "media-kit:prompt='One, two'";

    for (args, thumbnail) in [
        (["--workflow", kit, "-u"], "photo-thumbnail.jpg"),
        (["-p", "kit.toml#kit", "-u"], "photo-thumbnail.png"),
    ] {
        let output = run(&args);
        assert_success(&output);
        let result = json(&output.stdout);
        let files = result["files"].as_array().unwrap();
        assert_eq!(files.len(), 6, "a large version, 4 pages, a thumbnail");
        let report = json(&fs::read(folder.path().join("report.json")).unwrap());
        let made = report["workflow"]["files"].as_array().unwrap();
        for file in made {
            let id = file["asset"]["asset_id"].as_str().unwrap();
            assert!(files.iter().any(|input| input["asset_id"] == id));
        }
        assert!(
            made.iter().any(|file| file["name"] == thumbnail),
            "{made:?}"
        );
    }
    assert_eq!(stored(), 12);

    assert_refused(
        &run(&["-p", "kit.toml#poor", "-u"]),
        1,
        "forebay: workflow poor: failed: photo.jpg: denied: no stage `image-resize` was lent to this workflow, which has: pdf-split",
    );
    assert_refused(
        &run(&["-p", "kit.toml#poor", "-o", "out"]),
        2,
        "forebay: a workflow uploads what it makes itself: give -u in place of -o",
    );
    assert_refused(
        &run(&["--workflow", "media-kit", "-u"]),
        2,
        "forebay: workflow media-kit: config: the field `prompt` is missing",
    );
    assert_refused(
        &run(&["--workflow", "identity", "-u"]),
        2,
        "forebay: workflow identity: plugin identity is no workflow plugin",
    );
    assert_refused(
        &run(&["--workflow", kit, "--lend", "image-resize", "-u"]),
        2,
        "forebay: --lend `image-resize`: not of the form NAME=PLUGIN[:key=value,…]",
    );
    fs::write(media.join("broken.pdf"), "%PDF-1.7 and no more").unwrap();
    let output = run(&["--workflow", kit, "--lend", "pdf-split=identity", "-u"]);
    assert_eq!(output.status.code(), Some(1), "{}", text(&output.stderr));
    let output = run(&["-s", "identity", "--workflow", kit, "-u"]);
    assert_eq!(output.status.code(), Some(1));
    let error = text(&output.stderr);
    assert!(error.contains("failed") || error.contains("broken.pdf"));
    assert_eq!(stored(), 12, "a workflow that fails leaves nothing");
}
