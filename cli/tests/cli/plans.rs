//! `--dry-run`: the plan of a run, which changes nothing.

use std::fs;
use std::path::Path;
use std::process::Output;

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::{assert_refused, assert_success, demo, forebay, names, text, write_sparse};

/// A folder `media` with files that are taken, one that is not, one with a wrong name, and one for a direct upload.
fn media() -> TempDir {
    let folder = TempDir::new().unwrap();
    let media = folder.path().join("media");
    fs::create_dir_all(media.join("sub")).unwrap();
    fs::copy(demo("photo.jpg"), media.join("photo.jpg")).unwrap();
    fs::copy(demo("photo.jpg"), media.join("sub/page.png")).unwrap();
    fs::write(media.join("note.txt"), "hello\n").unwrap();
    write_sparse(&media.join("long.pdf"), "%PDF-1.7\n", 32_000_001);
    folder
}

/// Without a key, and with a service that nobody can reach.
fn plan(folder: &Path, args: &[&str]) -> Output {
    let before = names(folder);
    let output = forebay(folder)
        .env("HEYGEN_BASE_URL", "http://127.0.0.1:1")
        .args(args)
        .arg("--dry-run")
        .output()
        .unwrap();
    assert_eq!(names(folder), before, "a plan writes nothing");
    output
}

fn objects(output: &Output) -> Vec<Value> {
    let lines = text(&output.stdout);
    lines
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}

#[test]
fn an_upload_is_planned_file_by_file() {
    let folder = media();
    let args = [
        "upload",
        "--journal",
        "journal",
        "--report",
        "r.json",
        "media",
        "none.jpg",
    ];
    let output = plan(folder.path(), &args);
    assert_eq!(output.status.code(), Some(1), "{}", text(&output.stderr));
    let expected = "\
This is a plan. Nothing is sent or written. Types are checked, contents are not.

to the Assets API at http://127.0.0.1:1
    the journal is not read: files that it records as done are in this plan, too

  media/long.pdf, application/pdf, 32.0 MB, by direct upload
  media/note.txt, text/plain, 6 B
      refused: the service does not take text/plain; it takes PNG, JPEG, MP4, WebM, MP3, WAV, PDF and SRT
  media/photo.jpg, image/jpeg, 798.5 kB, by upload
  media/sub/page.png, image/jpeg, 798.5 kB, by upload, as page.jpg
  none.jpg
      cannot be read: No such file or directory (os error 2)

4 files, 33.6 MB; 1 cannot be read; 1 would be refused
";
    assert_eq!(text(&output.stdout), expected);

    let output = plan(
        folder.path(),
        &["upload", "--json", "media/long.pdf", "media/note.txt"],
    );
    let objects = objects(&output);
    assert_eq!(
        objects[0],
        json!({ "plan": { "stages": [], "to": { "base_url": "http://127.0.0.1:1" } } })
    );
    assert_eq!(objects[1]["flow"], "direct-upload");
    assert_eq!(objects[1]["refused"], Value::Null);
    assert_eq!(objects[2]["media_type"], "text/plain");
    assert!(objects[2]["refused"].is_string());
    assert_eq!(
        objects[3],
        json!({ "totals": {
            "inputs": 2, "bytes": 32_000_007, "unreadable": 0, "refused": 1, "would_probably_fail": 0,
            "may_be_refused": 0,
        } })
    );
}

#[test]
fn stages_are_planned_with_what_they_are_granted() {
    let folder = media();
    fs::create_dir(folder.path().join("fonts")).unwrap();
    fs::write(
        folder.path().join("p.toml"),
        r#"
        [[pipelines.photos.stages]]
        plugin = "strip-metadata"
        grants = { read = { "/fonts" = "fonts" }, env = { TOKEN = "a secret" } }
        limits = { memory = "64 MiB" }

        [[pipelines.photos.stages]]
        plugin = "image-resize"
        config = { max_width = 64 }
        "#,
    )
    .unwrap();
    let args = [
        "run",
        "-p",
        "p.toml",
        "-o",
        "out",
        "media/photo.jpg",
        "media/note.txt",
    ];
    let output = plan(folder.path(), &args);
    assert_eq!(output.status.code(), Some(1), "{}", text(&output.stderr));
    let told = text(&output.stdout);
    for part in [
        "stage 1 strip-metadata (strip-metadata ",
        "\n    reads fonts, as /fonts\n    finds TOKEN in its environment\n    limits: memory 64.0 MiB, ",
        "\n    config {\"max_width\":64}\n    nothing but the file that it is given\n",
        "to the folder out; files that are there stay, and new files of their names fail\n",
        "  media/photo.jpg, image/jpeg, 798.5 kB -> out/photo.jpg\n",
        "      refused: stage 1 strip-metadata: the file is text/plain; it takes image/jpeg, image/png, image/webp, image/gif, video/mp4, video/quicktime, video/3gpp, video/3gpp2, audio/mp4, video/webm, video/x-matroska, audio/mpeg, audio/wav\n",
        "2 files, 798.5 kB; 1 would be refused\n",
    ] {
        assert!(told.contains(part), "{part}\n{told}");
    }
    assert!(!told.contains("a secret"));
    let output = plan(folder.path(), &[&args[..], &["--json"]].concat());
    let first = &objects(&output)[0]["plan"];
    assert_eq!(first["to"], json!({ "folder": "out", "force": false }));
    assert_eq!(first["stages"][0]["grants"]["env"], json!(["TOKEN"]));
    assert_eq!(first["stages"][1]["config"], json!({ "max_width": 64 }));

    // A type that a stage makes is known in advance if it is the only one.
    let args = ["run", "-s", "identity", "-u", "media/photo.jpg", "-"];
    let output = plan(folder.path(), &args);
    assert_success(&output);
    let told = text(&output.stdout);
    assert!(
        told.contains("\n    results of up to 32 MB by upload, larger ones by direct upload\n")
    );
    assert!(
        told.contains(
            "  standard input, as stdin\n      its type and size are known when it is read\n"
        ),
        "{told}"
    );
}

#[test]
fn names_that_are_taken_are_told() {
    let folder = media();
    fs::create_dir(folder.path().join("out")).unwrap();
    fs::write(folder.path().join("out/photo.jpg"), "older").unwrap();
    fs::create_dir(folder.path().join("more")).unwrap();
    fs::copy(demo("photo.jpg"), folder.path().join("more/page.jpg")).unwrap();
    let told = |flags: &[&str]| {
        let args = [
            "run",
            "-s",
            "identity",
            "-o",
            "out",
            "media/photo.jpg",
            "media/sub",
            "more",
        ];
        text(&plan(folder.path(), &[&args[..], flags].concat()).stdout)
    };
    let exists =
        "\n      fails if its result is named out/photo.jpg, which exists; --force replaces it\n";
    let taken = "\n      fails if its result has the same name as that of media/sub/page.png; --name gives each a name of its own\n";
    assert!(
        told(&[]).contains(exists) && told(&[]).contains(taken),
        "{}",
        told(&[])
    );
    assert!(!told(&["-f"]).contains(exists) && told(&["-f"]).contains(taken));
    let kept = plan(
        folder.path(),
        &[
            "run",
            "-s",
            "identity",
            "-o",
            "out",
            "media/photo.jpg",
            "media/sub",
            "more",
        ],
    );
    assert_eq!(kept.status.code(), Some(1));
    assert!(
        text(&kept.stdout).ends_with("\n3 files, 2.4 MB; 2 would probably fail\n"),
        "{}",
        text(&kept.stdout)
    );
    let numbered = told(&["--name", "{stem}-{n}"]);
    assert!(
        !numbered.contains("fails if") && numbered.contains(" -> out/page-2.jpg\n"),
        "{numbered}"
    );
    let named = told(&["--name", "pic"]);
    let same = "fails if its result has the same name as that of media/photo.jpg; {n} in --name tells the inputs apart";
    assert_eq!(named.matches(same).count(), 2, "{named}");
    // An input that its own result would replace.
    let input = plan(
        folder.path(),
        &["run", "-s", "identity", "-f", "-o", "media", "media"],
    );
    assert_eq!(input.status.code(), Some(1));
    assert!(
        text(&input.stdout).contains(
            "\n      fails if its result is named media/photo.jpg, which is an input of this run and stays; give -o another folder\n"
        ),
        "{}",
        text(&input.stdout)
    );
}

#[test]
fn a_type_that_is_given_is_planned_and_told() {
    let folder = media();
    let output = plan(
        folder.path(),
        &["upload", "--type", "video/mp4", "media/photo.jpg"],
    );
    assert_success(&output);
    assert!(
        text(&output.stdout).contains(
            "  media/photo.jpg, video/mp4, 798.5 kB, by upload, as photo.mp4\n      bytes show image/jpeg; sent as video/mp4\n"
        ),
        "{}",
        text(&output.stdout)
    );
    // `audio/mp3` is another name of `audio/mpeg`.
    let sound = ["upload", "--type", "audio/mp3", "media/photo.jpg"];
    assert_success(&plan(folder.path(), &sound));
    let same = ["upload", "--type", "image/jpeg", "media/photo.jpg"];
    assert!(!text(&plan(folder.path(), &same).stdout).contains("bytes show"));
}

#[test]
fn a_large_file_may_be_refused_and_an_empty_one_is() {
    let folder = TempDir::new().unwrap();
    write_sparse(&folder.path().join("large.pdf"), "%PDF-1.7\n", 300_000_000);
    let output = plan(folder.path(), &["upload", "large.pdf"]);
    assert_success(&output);
    let told = text(&output.stdout);
    assert!(
        told.contains(
            "\n      the service may refuse files of more than 209715200 bytes (209.7 MB)\n"
        ) && told.ends_with("\n1 file, 300.0 MB; 1 may be refused by the service\n"),
        "{told}"
    );
    fs::write(folder.path().join("empty.png"), "").unwrap();
    fs::write(folder.path().join("odd"), [0x91, 0xfe, 0x00, 0x17]).unwrap();
    for (args, line) in [
        (
            ["upload", "empty.png"].as_slice(),
            "refused: the file is empty\n",
        ),
        (
            &["run", "-s", "strip-metadata", "-u", "empty.png"],
            "refused: stage 1 strip-metadata: the file is empty\n",
        ),
        (
            &["run", "-s", "strip-metadata", "-u", "odd"],
            "refused: stage 1 strip-metadata: the file is of unknown type; it takes image/jpeg, image/png, image/webp, image/gif, video/mp4, video/quicktime, video/3gpp, video/3gpp2, audio/mp4, \
             video/webm, video/x-matroska, audio/mpeg, audio/wav\n",
        ),
    ] {
        let told = text(&plan(folder.path(), args).stdout);
        assert!(told.contains(line), "{told}");
    }
}

#[test]
fn a_workflow_is_planned_with_what_it_is_lent() {
    let folder = media();
    let args = [
        "run",
        "--workflow",
        "media-kit:prompt=Hello, world",
        "-u",
        "media",
    ];
    let told = text(&plan(folder.path(), &args).stdout);
    for part in [
        "workflow media-kit\n    uploads files of any size, at most 1000 assets",
        "lent to it as pdf-split: pdf-split (pdf-split ",
        "4 files, 33.6 MB; nothing would be refused\n",
    ] {
        assert!(told.contains(part), "{part}\n{told}");
    }
}

#[test]
fn a_pipeline_that_cannot_work_is_refused_as_in_a_run() {
    let folder = media();
    for (args, line) in [
        (
            ["-s", "image-resize:fit=round", "-u"].as_slice(),
            "forebay: stage 1 image-resize: config: field `fit`: \"round\" is none of inside, cover, exact",
        ),
        (
            &["-s", "identity", "-o", "-", "--json"],
            "forebay: `-o -` and `--json` both write to standard output; `--report FILE` takes the JSON elsewhere",
        ),
        (
            &["-s", "identity", "-u", "--locked"],
            "forebay: forebay.lock (`forebay lock -p FILE` or `forebay lock PLUGIN…` writes it): No such file or directory (os error 2)",
        ),
    ] {
        let args = [&["run"][..], args, &["media/photo.jpg"]].concat();
        assert_refused(&plan(folder.path(), &args), 2, line);
    }
}
