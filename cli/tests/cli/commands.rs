//! The commands beside `run` and `upload`: `assets`, `file-input`, `plugins` and `inspect`.

use std::fs;

use sha2::{Digest as _, Sha256};
use tempfile::TempDir;

use crate::{Emulator, assert_refused, demo, forebay, forebay_with, json, text};

#[test]
fn assets_are_looked_after_and_files_are_named() {
    let folder = TempDir::new().unwrap();
    let emulator = Emulator::start(folder.path(), &["--api-key", "right"]);
    let run = |args: &[&str]| {
        forebay_with(folder.path(), &emulator.url, "right")
            .args(args)
            .output()
            .unwrap()
    };
    let document = demo("document.pdf");
    let document = document.to_str().unwrap();
    let uploaded = text(&run(&["upload", document]).stdout);
    let (id, _) = uploaded.split_once('\t').unwrap();
    let listed = text(&run(&["assets", "list"]).stdout);
    assert!(
        listed.starts_with(&format!("{id}\t")) && listed.contains("document.pdf"),
        "{listed}"
    );
    let shown = json(&run(&["assets", "get", id, "--json"]).stdout);
    assert_eq!(shown["name"], "document.pdf");
    let output = run(&["assets", "delete", "ast_none", id]);
    assert_eq!(output.status.code(), Some(1), "one was not there");
    assert_eq!(text(&output.stdout), format!("{id}\n"));
    assert_eq!(text(&run(&["assets", "list", "--json"]).stdout), "");

    let input = |what: &str| run(&["file-input", what, "--json"]);
    assert_eq!(
        text(&input("ast_1").stdout),
        "{\"asset_id\":\"ast_1\",\"type\":\"asset_id\"}\n"
    );
    assert!(text(&input("https://example.com/a.png").stdout).contains("\"type\":\"url\""));
    let inline = json(&input(document).stdout);
    assert_eq!(
        (&inline["type"], &inline["media_type"]),
        (&"base64".into(), &"application/pdf".into())
    );
    assert_refused(
        &input("http://example.com/a.png"),
        2,
        "forebay: file input: the URL is not an https one",
    );
    assert_refused(
        &input("no/such.pdf"),
        2,
        "forebay: no/such.pdf: there is no such file",
    );
}

#[test]
fn plugins_are_written_as_files_with_their_digests() {
    let folder = TempDir::new().unwrap();
    let run = |args: &[&str]| forebay(folder.path()).args(args).output().unwrap();
    fs::create_dir(folder.path().join("out")).unwrap();
    fs::write(folder.path().join("out/identity.wasm"), "an older one").unwrap();
    let written = run(&["plugins", "--write", "out"]);
    assert!(written.status.success(), "{written:?}");
    let lines = text(&written.stdout);
    assert_eq!(lines.lines().count(), 5);
    for (name, component) in forebay_bundled::PLUGINS {
        let path = format!("out/{name}.wasm");
        assert!(fs::read(folder.path().join(&path)).unwrap() == *component);
        let digest = hex::encode(Sha256::digest(component));
        assert!(lines.contains(&format!("{digest}  {path}")), "{lines}");
    }
    assert_eq!(fs::read_dir(folder.path().join("out")).unwrap().count(), 5);
    let refused = run(&["plugins", "--write", "out/identity.wasm"]);
    assert_eq!(refused.status.code(), Some(2));
}

#[test]
fn plugins_are_told_in_plain_words() {
    let folder = TempDir::new().unwrap();
    let run = |args: &[&str]| forebay(folder.path()).args(args).output().unwrap().stdout;
    assert_eq!(text(&run(&["plugins"])).lines().count(), 5);
    let shown = text(&run(&["inspect", "image-resize"]));
    assert!(
        shown.contains("max_width") && shown.contains("inside | cover | exact"),
        "{shown}"
    );
    let shown = json(&run(&["inspect", "pdf-split", "--json"]));
    assert_eq!(shown["world"], "file");
}
