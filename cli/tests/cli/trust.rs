//! `lock`, `--locked`, `verify` and `inspect`: what runs, what it may do, and what touched a file.

use std::fs;

use serde_json::Value;
use tempfile::TempDir;

use crate::{assert_refused, assert_success, demo, forebay, json, text};

const PIPELINES: &str = r#"
    [pipelines.photos]
    limits = { wall_clock = "5m", scratch_bytes = "1 GiB" }

    [[pipelines.photos.stages]]
    plugin = "strip-metadata"
    limits = { memory = "64 MiB", expansion = 10 }
    grants = { deterministic = true }

    [[pipelines.photos.stages]]
    name = "small"
    plugin = "plugins/resize.wasm"
    config = { max_width = 320 }
    limits = { memory = "256 MiB", cpu_time = "30s" }
    grants = { read = { "/profiles" = "colour" }, env = { LANG = "C", TOKEN = "not-told" }, random = 7 }
"#;

fn project() -> TempDir {
    let folder = TempDir::new().unwrap();
    let at = |name: &str| folder.path().join(name);
    fs::create_dir_all(at("media/plugins")).unwrap();
    fs::create_dir(at("media/colour")).unwrap();
    fs::write(at("media/pipelines.toml"), PIPELINES).unwrap();
    fs::write(
        at("media/plugins/resize.wasm"),
        forebay_bundled::IMAGE_RESIZE,
    )
    .unwrap();
    fs::copy(demo("photo.jpg"), at("photo.jpg")).unwrap();
    folder
}

#[test]
fn a_report_tells_what_touched_a_file() {
    let folder = project();
    let run = |args: &[&str]| forebay(folder.path()).args(args).output().unwrap();
    let pipeline = "media/pipelines.toml#photos";
    let report = [
        "run",
        "-p",
        pipeline,
        "-o",
        "out",
        "--report",
        "report.json",
        "photo.jpg",
    ];
    assert_success(&run(&report));
    let written = text(&fs::read(folder.path().join("report.json")).unwrap());
    assert!(
        !written.contains("not-told"),
        "of the environment only the names"
    );
    let value: Value = serde_json::from_str(&written).unwrap();
    let stages = value["jobs"][0]["files"][0]["stages"].as_array().unwrap();
    assert_eq!(stages[0]["output_sha256"], stages[1]["input_sha256"]);
    assert_eq!(
        stages[1]["output_sha256"],
        value["jobs"][0]["files"][0]["sha256"]
    );
    assert_eq!(stages[0]["limits"]["memory"], 64 << 20);
    assert_eq!(stages[0]["grants"]["clock"], "2000-01-01T00:00:00Z");
    assert_eq!(
        stages[1]["grants"]["env"],
        serde_json::json!(["LANG", "TOKEN"])
    );
    assert_eq!(stages[1]["grants"]["random"], 7);
    assert_ne!(stages[0]["config_sha256"], stages[1]["config_sha256"]);

    let verified = run(&["verify", "report.json", "photo.jpg", "out/photo.jpg"]);
    assert_success(&verified);
    let told = text(&verified.stdout);
    assert!(
        told.contains("photo.jpg: the source of photo.jpg"),
        "{told}"
    );
    assert!(told.contains("out/photo.jpg: as reported"), "{told}");
    assert!(told.contains("stage 2 small: image-resize"), "{told}");

    fs::write(folder.path().join("out/photo.jpg"), "other bytes").unwrap();
    let verified = run(&[
        "verify",
        "--json",
        "report.json",
        "out/photo.jpg",
        "media/pipelines.toml",
    ]);
    assert_eq!(verified.status.code(), Some(1));
    let told = text(&verified.stdout);
    assert!(told.contains("the report tells of"), "{told}");
    assert!(told.contains("is not in the report"), "{told}");

    // A report whose chain does not hold is told, whatever files are asked about.
    let broken = written.replace(stages[1]["input_sha256"].as_str().unwrap(), &"0".repeat(64));
    let at = broken.find(&"0".repeat(64)).unwrap();
    let broken = format!("{}1{}", &broken[..at], &broken[at + 1..]);
    fs::write(folder.path().join("broken.json"), broken).unwrap();
    let verified = run(&["verify", "broken.json", "photo.jpg"]);
    assert_eq!(verified.status.code(), Some(1));
    assert!(
        text(&verified.stdout).contains("is not what came after it"),
        "{}",
        text(&verified.stdout)
    );
}

#[test]
fn only_what_is_locked_is_run() {
    let folder = project();
    let run = |args: &[&str]| forebay(folder.path()).args(args).output().unwrap();
    let pipeline = "media/pipelines.toml";
    let locked = [
        "run",
        "--locked",
        "-p",
        pipeline,
        "-o",
        "out",
        "-f",
        "photo.jpg",
    ];
    let output = run(&locked);
    assert_eq!(output.status.code(), Some(2));
    assert!(
        text(&output.stderr).contains("media/forebay.lock (`forebay lock -p FILE`"),
        "{}",
        text(&output.stderr)
    );
    assert_success(&run(&["lock", "-p", pipeline]));
    let lock = fs::read_to_string(folder.path().join("media/forebay.lock")).unwrap();
    assert!(lock.contains("source = \"plugins/resize.wasm\""), "{lock}");
    assert_success(&run(&locked));

    fs::write(
        folder.path().join("media/plugins/resize.wasm"),
        forebay_test_plugins::HOSTILE,
    )
    .unwrap();
    let output = run(&locked);
    assert_eq!(output.status.code(), Some(2));
    let error = text(&output.stderr);
    assert!(
        error.contains("plugin media/plugins/resize.wasm is not the one in media/forebay.lock"),
        "{error}"
    );
    let changed = run(&["lock", "-p", pipeline]);
    assert!(
        text(&changed.stdout).contains("changed"),
        "{}",
        text(&changed.stdout)
    );
    let other = run(&[
        "run",
        "--locked",
        "-s",
        "identity",
        "-o",
        "out",
        "photo.jpg",
    ]);
    assert_eq!(
        other.status.code(),
        Some(2),
        "a lock of its own, in the present folder"
    );
}

#[test]
fn inspect_says_what_a_plugin_asks_for_and_what_a_pipeline_gives() {
    let folder = project();
    let run = |args: &[&str]| forebay(folder.path()).args(args).output().unwrap();
    let output = run(&[
        "inspect",
        "media/plugins/resize.wasm",
        "-p",
        "media/pipelines.toml",
    ]);
    assert_success(&output);
    let told = text(&output.stdout);
    for line in [
        "what it can reach\n  files:       only its input\n  network:     no\n  clock:       no\n",
        "\n  The config of `image-resize`. All fields are optional. ",
        "\nimports\n  forebay:plugin/types@0.1.0, ",
        "stage 2 small",
        "reads media/colour, as /profiles",
        "finds LANG, TOKEN in its environment",
        "its random numbers come from the seed 7",
        "limits: memory 256.0 MiB, cpu_time 30s",
        "the whole job: wall_clock 5m, output_files 100000, scratch_bytes 1.0 GiB",
    ] {
        assert!(told.contains(line), "{line}:\n{told}");
    }
    assert!(!told.contains("not-told"), "{told}");
    let output = run(&[
        "inspect",
        "--json",
        "strip-metadata",
        "-p",
        "media/pipelines.toml",
    ]);
    let value = json(&output.stdout);
    assert_eq!(
        value["granted"][0]["grants"]["clock"],
        "2000-01-01T00:00:00Z"
    );
    assert!(value["asks_for"][0]["words"].is_string());
}

#[test]
fn inspect_shows_what_is_never_granted() {
    let folder = TempDir::new().unwrap();
    let component = r#"(component
        (import "wasi:sockets/tcp@0.2.6" (instance))
        (instance $transform)
        (export "forebay:plugin/transform@0.1.0" (instance $transform)))"#;
    fs::write(
        folder.path().join("net.wasm"),
        wat::parse_str(component).unwrap(),
    )
    .unwrap();
    let run = |args: &[&str]| forebay(folder.path()).args(args).output().unwrap();
    let output = run(&["inspect", "net.wasm"]);
    assert_eq!(output.status.code(), Some(1));
    let told = text(&output.stdout);
    assert!(
        told.contains("the network: forebay never grants it\n      wasi:sockets/tcp@0.2.6\n"),
        "{told}"
    );
    let output = run(&["inspect", "--json", "net.wasm"]);
    assert!(
        json(&output.stdout)["never_granted"][0]
            .as_str()
            .unwrap()
            .contains("wasi:sockets/tcp")
    );
    let output = run(&["run", "-s", "./net.wasm", "-o", "out", "net.wasm"]);
    assert_eq!(output.status.code(), Some(2));
    assert!(text(&output.stderr).contains("asks for the network (wasi:sockets/tcp@0.2.6)"));
}

#[test]
fn a_deterministic_run_gives_the_same_bytes_twice() {
    let folder = TempDir::new().unwrap();
    let plugin = folder.path().join("hostile.wasm");
    fs::write(&plugin, forebay_test_plugins::HOSTILE).unwrap();
    fs::write(folder.path().join("a.txt"), "words").unwrap();
    let observe = |args: &[&str]| {
        let mut command = forebay(folder.path());
        let output = command
            .args(["run", "-s", "./hostile.wasm:behaviour=observe"])
            .args(args);
        let output = output.args(["-o", "-", "a.txt"]).output().unwrap();
        assert_success(&output);
        text(&output.stdout)
    };
    assert_eq!(observe(&["--deterministic"]), observe(&["--deterministic"]));
    assert_ne!(observe(&[]), observe(&[]));
}

#[test]
fn a_grant_that_cannot_be_given_is_named() {
    let folder = project();
    fs::remove_dir(folder.path().join("media/colour")).unwrap();
    let args = [
        "run",
        "-p",
        "media/pipelines.toml",
        "-o",
        "out",
        "photo.jpg",
    ];
    let output = forebay(folder.path()).args(args).output().unwrap();
    assert_refused(
        &output,
        2,
        "forebay: media/pipelines.toml: pipeline photos: stage 2 small: plugin image-resize: `read` of \"/profiles\": media/colour: No \
         such file or directory (os error 2)",
    );
}

#[test]
fn what_a_plugin_prints_is_logged_with_who_printed_it() {
    let folder = TempDir::new().unwrap();
    let at = |name: &str| folder.path().join(name);
    fs::write(at("plugin.wasm"), forebay_test_plugins::HOSTILE).unwrap();
    fs::write(at("a.txt"), "words").unwrap();
    let stage = "plugin.wasm:behaviour=print,text=hello";
    let output = forebay(folder.path())
        .env("FOREBAY_LOG", "forebay=debug")
        .args(["run", "-s", stage, "a.txt", "-o", "out"])
        .output()
        .unwrap();
    let errors = text(&output.stderr);
    let line = errors
        .lines()
        .find(|line| line.ends_with(" hello"))
        .unwrap();
    for part in [
        "stage=\"1 hostile\"",
        "plugin=\"hostile\"",
        "file=\"a.txt\"",
    ] {
        assert!(line.contains(part), "{line}");
    }
}
