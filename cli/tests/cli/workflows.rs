//! `forebay run --workflow`: all inputs at once, and a result on standard output.

use std::fs;

use tempfile::TempDir;

use crate::{
    Emulator, assert_failed, assert_refused, assert_success, demo, forebay_with, json, names, text,
};

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

#[test]
fn flags_grant_a_workflow_hosts_and_assets() {
    let folder = TempDir::new().unwrap();
    let emulator = Emulator::start(folder.path(), &[]);
    fs::copy(demo("photo.jpg"), folder.path().join("photo.jpg")).unwrap();
    fs::write(
        folder.path().join("drill.wasm"),
        forebay_test_plugins::DRILL,
    )
    .unwrap();
    let run = |json: &str, flags: &[&str]| {
        // A comma that no `key=` follows belongs to the value.
        let workflow = format!("./drill.wasm:exercise=return,json={json}");
        let mut command = forebay_with(folder.path(), &emulator.url, "any");
        command.args(["run", "-u", "photo.jpg", "--workflow", &workflow]);
        command.args(flags).output().unwrap()
    };
    let url = r#"{"type":"url","url":"https://cdn.example/a.jpg"}"#;
    let asset = r#"{"type":"asset_id","asset_id":"ast_9"}"#;
    for (file, flag, given, other, refused) in [
        (
            url,
            "--url-host",
            "cdn.example",
            "example",
            "the service would fetch this URL from `cdn.example`",
        ),
        (
            asset,
            "--asset",
            "ast_9",
            "ast_8",
            "the asset `ast_9` is neither of this run nor lent to it",
        ),
    ] {
        for flags in [&[][..], &[flag, other]] {
            let output = run(file, flags);
            assert_eq!(output.status.code(), Some(1), "{}", text(&output.stderr));
            assert!(
                text(&output.stderr).contains(refused),
                "{}",
                text(&output.stderr)
            );
            assert_eq!(text(&output.stdout), "");
        }
        let output = run(file, &[flag, other, flag, given]);
        assert_success(&output);
        assert_eq!(json(&output.stdout), json(file.as_bytes()));
    }
    let planned = text(
        &run(
            url,
            &["--url-host", "cdn.example", "--asset", "ast_9", "-n"],
        )
        .stdout,
    );
    for words in [
        "lets the service fetch from cdn.example",
        "names the assets ast_9",
    ] {
        assert!(planned.contains(words), "{planned}");
    }
    let refused = run(url, &["--url-host", "https://cdn.example/"]);
    assert_refused(
        &refused,
        2,
        "forebay: workflow drill: plugin drill: `url_hosts`: `https://cdn.example/` is no host; give its name or address without scheme \
         and port, such as `cdn.example`",
    );
    let mut command = forebay_with(folder.path(), &emulator.url, "any");
    let alone = command.args([
        "run",
        "-s",
        "identity",
        "-u",
        "photo.jpg",
        "--url-host",
        "cdn.example",
    ]);
    assert_eq!(alone.output().unwrap().status.code(), Some(2));
}

/// Workflows of one plugin, with a result that makes the service fetch a URL.
const NAMING: &str = r#"
    [pipelines.bare.workflow]
    plugin = "./drill.wasm"
    config = { exercise = "return", json = '{"files":[{"type":"url","url":"https://evil.example/?d=1"}]}' }
    grants = { upload = true, direct_upload = true, file_inputs = true }

    [pipelines.granted.workflow]
    plugin = "./drill.wasm"
    config = { exercise = "return", json = '{"files":[{"type":"url","url":"https://evil.example/?d=1"}]}' }
    grants = { upload = true, direct_upload = true, file_inputs = true, url_hosts = ["evil.example"], assets = ["ast_9"] }
"#;

#[test]
fn a_result_that_makes_the_service_fetch_is_printed_only_where_that_is_granted_or_asked_for() {
    let folder = TempDir::new().unwrap();
    let emulator = Emulator::start(folder.path(), &[]);
    fs::copy(demo("photo.jpg"), folder.path().join("photo.jpg")).unwrap();
    fs::write(
        folder.path().join("drill.wasm"),
        forebay_test_plugins::DRILL,
    )
    .unwrap();
    fs::write(folder.path().join("p.toml"), NAMING).unwrap();
    let forebay = |args: &[&str]| {
        let mut command = forebay_with(folder.path(), &emulator.url, "any");
        command.args(args).output().unwrap()
    };
    let run = |args: &[&str]| forebay(&[&["run", "-u", "photo.jpg"], args].concat());
    let line = "forebay: workflow bare: its result at $.files[0].url: the service would fetch this URL from \
                `evil.example`; the grant `url_hosts` lists the hosts that a workflow may name";
    let refused = run(&["-p", "p.toml#bare"]);
    assert_failed(&refused, 1, line);
    assert_eq!(text(&refused.stdout), "");
    let refused = text(&run(&["-p", "p.toml#bare", "--json"]).stdout);
    let entry = json(refused.lines().next().unwrap().as_bytes());
    assert_eq!(entry["errors"][0]["code"], "result_input");
    assert_eq!(entry["result"], serde_json::Value::Null);

    let taken = run(&["-p", "p.toml#bare", "--raw"]);
    assert_success(&taken);
    let result = json(&taken.stdout);
    assert_eq!(result["files"][0]["url"], "https://evil.example/?d=1");
    assert!(text(&taken.stderr).contains("were not checked (--raw)"));
    let planned = text(&run(&["-p", "p.toml#bare", "--raw", "-n"]).stdout);
    assert!(
        planned.contains("    its result is taken as it is, whatever files it names (--raw)\n")
    );

    let granted = run(&["-p", "p.toml#granted"]);
    assert_success(&granted);
    assert_eq!(json(&granted.stdout), result);
    let told = text(&forebay(&["inspect", "drill.wasm", "-p", "p.toml#granted"]).stdout);
    for line in [
        "`forebay run --raw` takes it unchecked\n",
        "lets the service fetch from evil.example\n",
        "names the assets ast_9\n",
    ] {
        assert!(told.contains(line), "{line}\n{told}");
    }
    assert_refused(
        &run(&["-s", "identity", "--raw"]),
        2,
        "forebay: --raw is for the result of a workflow, and this run has none",
    );
}

#[test]
fn the_file_that_is_broken_is_named_and_how_to_leave_it_out() {
    let folder = TempDir::new().unwrap();
    let emulator = Emulator::start(folder.path(), &[]);
    let media = folder.path().join("media");
    fs::create_dir(&media).unwrap();
    let photo = fs::read(demo("photo.jpg")).unwrap();
    fs::write(media.join("good.jpg"), &photo).unwrap();
    fs::write(media.join("half.jpg"), &photo[..photo.len() / 2]).unwrap();
    let run = |config: &str| {
        forebay_with(folder.path(), &emulator.url, "k")
            .args(["run", "-u", "media", "-w", config])
            .output()
            .unwrap()
    };
    let output = run("media-kit:prompt=Hello");
    assert_eq!(output.status.code(), Some(1));
    let error = text(&output.stderr);
    let (failure, summary) = error.split_once('\n').unwrap();
    assert!(
        failure.contains(": half.jpg: ")
            && failure.ends_with("; `skip_broken=true` in its config leaves such files out"),
        "{error}"
    );
    assert_eq!(
        summary,
        "nothing done: a workflow takes all of its 2 inputs or none\n"
    );
    let output = run("media-kit:prompt=Hello,skip_broken=true");
    assert_success(&output);
    let error = text(&output.stderr);
    assert!(
        error.contains("left out: half.jpg: ") && !error.contains("skip_broken"),
        "{error}"
    );
}
