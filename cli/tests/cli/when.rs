//! Stages that are only for some files: one pipeline for a folder with files of many kinds.

use std::fs;
use std::path::Path;
use std::process::Output;

use tempfile::TempDir;

use crate::{assert_refused, assert_success, demo, forebay, json, names, text};

/// A folder `mixed` with a photo, a document and a text.
fn mixed() -> TempDir {
    let folder = TempDir::new().unwrap();
    let mixed = folder.path().join("mixed");
    fs::create_dir(&mixed).unwrap();
    fs::copy(demo("photo.jpg"), mixed.join("photo.jpg")).unwrap();
    fs::copy(demo("document.pdf"), mixed.join("document.pdf")).unwrap();
    fs::write(mixed.join("note.txt"), "hello\n").unwrap();
    folder
}

fn run(folder: &Path, args: &[&str]) -> Output {
    forebay(folder).arg("run").args(args).output().unwrap()
}

/// The names of the stages that each file went through, by the file's name.
fn stages(report: &Path) -> Vec<(String, Vec<String>)> {
    let report = json(&fs::read(report).unwrap());
    let files = |job: &serde_json::Value| job["files"].as_array().unwrap().clone();
    let mut all: Vec<_> = report["jobs"]
        .as_array()
        .unwrap()
        .iter()
        .flat_map(files)
        .map(|file| {
            let stages = file["stages"].as_array().unwrap().iter();
            let stages = stages.map(|stage| stage["stage"].as_str().unwrap().to_owned());
            (file["name"].as_str().unwrap().to_owned(), stages.collect())
        })
        .collect();
    all.sort();
    all
}

#[test]
fn each_file_goes_through_the_stages_that_are_for_it() {
    let folder = mixed();
    let path = folder.path();
    fs::write(
        path.join("pipelines.toml"),
        r#"
        [[pipelines.mixed.stages]]
        plugin = "strip-metadata"
        when = "image/*"

        [[pipelines.mixed.stages]]
        plugin = "pdf-split"
        when = "*.PDF"

        [[pipelines.mixed.stages]]
        plugin = "image-resize"
        when = "image/*, >1GB"
        "#,
    )
    .unwrap();
    let on_the_command_line = [
        "-s",
        "image/*=strip-metadata",
        "-s",
        "*.PDF=pdf-split:pages_per_file=2",
        "-o",
        "out",
        "--report",
        "r.json",
        "mixed",
    ];
    let output = run(path, &on_the_command_line);
    assert_success(&output);
    let resized = [
        "document-001-002.pdf",
        "document-003-004.pdf",
        "note.txt",
        "photo.jpg",
    ];
    assert_eq!(names(&path.join("out")), resized);
    assert_eq!(
        stages(&path.join("r.json")),
        [
            ("document-001-002.pdf", &["2 pdf-split"][..]),
            ("document-003-004.pdf", &["2 pdf-split"]),
            ("note.txt", &[]),
            ("photo.jpg", &["1 strip-metadata"]),
        ]
        .map(|(name, stages)| (
            name.to_owned(),
            stages.iter().map(ToString::to_string).collect()
        ))
    );
    // What no stage is for is unchanged.
    assert_eq!(fs::read(path.join("out/note.txt")).unwrap(), b"hello\n");
    assert!(
        fs::metadata(path.join("out/photo.jpg")).unwrap().len()
            < fs::metadata(demo("photo.jpg")).unwrap().len()
    );

    // The size of what strip-metadata emits is not known while it runs.
    let output = run(path, &["-p", "pipelines.toml", "-o", "out2", "mixed"]);
    assert_eq!(output.status.code(), Some(1));
    assert!(
        text(&output.stderr)
            .contains("photo.jpg: stage 3 image-resize: the stage is for files `image/*, >1GB`"),
        "{}",
        text(&output.stderr)
    );
    // The other files are done.
    assert_eq!(names(&path.join("out2")).len(), 5);
}

#[test]
fn a_size_decides_where_it_is_known() {
    let folder = mixed();
    let path = folder.path();
    let args = [
        "-s",
        "image/*,>1GB=image-resize:max_width=9",
        "-o",
        "out",
        "mixed/photo.jpg",
    ];
    assert_success(&run(path, &args));
    let same =
        fs::read(path.join("out/photo.jpg")).unwrap() == fs::read(demo("photo.jpg")).unwrap();
    assert!(same, "the photo is smaller than 1 GB and stays as it is");
    let args = [
        "-s",
        "image/*,>1kB=image-resize:max_width=9",
        "-o",
        "out2",
        "mixed/photo.jpg",
    ];
    assert_success(&run(path, &args));
    assert!(fs::metadata(path.join("out2/photo.jpg")).unwrap().len() < 2000);
}

#[test]
fn a_plan_shows_which_files_a_stage_is_for() {
    let folder = mixed();
    let args = ["-s", "image/*=strip-metadata", "-u", "-n", "mixed"];
    let output = run(folder.path(), &args);
    let plan = text(&output.stdout);
    assert!(
        plan.contains("stage 1 strip-metadata (for image/*; others skip it)"),
        "{plan}"
    );
    // The text is refused by the service, and not by the stage.
    assert_eq!(output.status.code(), Some(1));
    assert!(
        plan.contains("note.txt, text/plain") && !plan.contains("it takes image/jpeg"),
        "{plan}"
    );
}

#[test]
fn a_stage_that_is_for_no_file_is_refused_at_the_start() {
    let folder = mixed();
    let output = run(
        folder.path(),
        &["-s", "video/*=image-resize", "-o", "out", "mixed"],
    );
    assert_refused(
        &output,
        2,
        "forebay: stage 1 image-resize would never run: it is for video/*, its plugin takes image/png, image/jpeg, \
         image/webp, image/gif, image/bmp, image/tiff, and it gets */*",
    );
}
