//! `forebay run`: stages over files, from the command line or from TOML, into a folder or a pipe.

use std::fs;

use tempfile::TempDir;

use crate::{assert_refused, assert_success, demo, forebay, json, names, text};

#[test]
fn a_photo_becomes_small_upright_and_silent() {
    let folder = TempDir::new().unwrap();
    let resize = "image-resize:max_width=640,format=jpeg";
    let output = forebay(folder.path())
        .args(["run", "-s", "strip-metadata", "-s", resize, "-o", "out"])
        .arg(demo("photo.jpg"))
        .output()
        .unwrap();
    assert_success(&output);
    assert_eq!(text(&output.stdout), "out/photo.jpg\n");
    let photo = fs::read(folder.path().join("out/photo.jpg")).unwrap();
    // Start of frame: height and width. The photo is stored lying down and shows upright.
    let frame = photo
        .windows(2)
        .position(|pair| matches!(pair, [0xff, 0xc0 | 0xc2]))
        .unwrap();
    let number = |at: usize| u16::from_be_bytes([photo[frame + at], photo[frame + at + 1]]);
    assert_eq!((number(7), number(5)), (640, 850));
    for secret in [&b"Exif"[..], b"GPS", b"xpacket", b"Photoshop"] {
        assert!(
            !photo.windows(secret.len()).any(|window| window == secret),
            "{}",
            text(secret)
        );
    }
}

#[test]
fn what_a_plugin_says_about_a_file_is_shown_and_reported() {
    let folder = TempDir::new().unwrap();
    let path = folder.path();
    // The cross-reference table is not where the file says.
    let document = fs::read(demo("document.pdf")).unwrap();
    let at = document
        .windows(9)
        .rposition(|bytes| bytes == b"startxref")
        .unwrap();
    let mut broken = document[..at].to_vec();
    broken.extend_from_slice(b"startxref\n7\n%%EOF\n");
    fs::write(path.join("broken.pdf"), broken).unwrap();
    let run = |args: &[&str]| {
        let args = [
            &["run", "-s", "pdf-split", "-f", "-o", "out"],
            args,
            &["broken.pdf"],
        ]
        .concat();
        let output = forebay(path).args(args).output().unwrap();
        assert_success(&output);
        output
    };
    let says = "the table of objects does not hold and was rebuilt from the objects in the file";
    let output = run(&["--report", "report.json"]);
    let shown = format!("broken.pdf: stage 1 pdf-split says: {says}\n");
    assert!(
        text(&output.stderr).contains(&shown),
        "{}",
        text(&output.stderr)
    );
    let report = json(&fs::read(path.join("report.json")).unwrap());
    assert_eq!(
        report["jobs"][0]["messages"],
        serde_json::json!([{ "stage": "1 pdf-split", "file": "broken.pdf", "text": says }])
    );
    assert_eq!(text(&run(&["-q"]).stderr), "");
}

#[test]
fn a_document_becomes_its_pages() {
    let folder = TempDir::new().unwrap();
    let out = folder.path().join("out");
    let run = || {
        forebay(folder.path())
            .args(["run", "-s", "pdf-split:pages_per_file=1", "-o", "out"])
            .args(["--report", "report.json"])
            .arg(demo("document.pdf"))
            .output()
            .unwrap()
    };
    assert_success(&run());
    let pages: Vec<String> = (1..=4)
        .map(|page| format!("document-{page:03}.pdf"))
        .collect();
    assert_eq!(names(&out), pages);
    let report = json(&fs::read(folder.path().join("report.json")).unwrap());
    let files = report["jobs"][0]["files"].as_array().unwrap();
    assert_eq!(files.len(), 4);
    for file in files {
        assert_eq!(file["sha256"].as_str().unwrap().len(), 64);
        assert_eq!(file["stages"][0]["plugin"], "pdf-split");
    }

    // Again: what is there stays.
    let output = run();
    assert_eq!(output.status.code(), Some(1));
    let error = text(&output.stderr);
    assert!(error.contains("document-001.pdf exists already"), "{error}");
    assert_eq!(names(&out), pages);
}

#[test]
fn ranges_are_quoted_or_not() {
    let folder = TempDir::new().unwrap();
    for ranges in ["'1-2,4-'", "1-2,4-", r"1-2\,4-"] {
        let stage = format!("pdf-split:ranges={ranges}");
        let output = forebay(folder.path())
            .args(["run", "-f", "-s", &stage, "-o", "out"])
            .arg(demo("document.pdf"))
            .output()
            .unwrap();
        assert_success(&output);
        let out = folder.path().join("out");
        assert_eq!(names(&out), ["document-001-002.pdf", "document-004.pdf"]);
        fs::remove_dir_all(out).unwrap();
    }
}

#[test]
fn standard_input_goes_to_standard_output() {
    let folder = TempDir::new().unwrap();
    let content: Vec<u8> = (0..3_000_000_u32).flat_map(u32::to_le_bytes).collect();
    fs::write(folder.path().join("in.bin"), &content).unwrap();
    let output = forebay(folder.path())
        .args(["run", "-s", "identity", "-o", "-", "-"])
        .stdin(fs::File::open(folder.path().join("in.bin")).unwrap())
        .output()
        .unwrap();
    assert_success(&output);
    assert!(output.stdout == content);
}

#[test]
fn a_pipeline_comes_from_toml() {
    let folder = TempDir::new().unwrap();
    fs::write(
        folder.path().join("pipelines.toml"),
        r#"
        [pipelines.web]
        [[pipelines.web.stages]]
        plugin = "image-resize"
        config = { max_width = 100 }

        [pipelines.tight]
        [[pipelines.tight.stages]]
        plugin = "image-resize"
        limits = { memory = "4 MiB" }
        "#,
    )
    .unwrap();
    let run = |reference: &str| {
        forebay(folder.path())
            .args(["run", "-p", reference, "-o", "out"])
            .arg(demo("photo.jpg"))
            .output()
            .unwrap()
    };
    assert_success(&run("pipelines.toml#web"));
    assert_refused(
        &run("pipelines.toml#tight"),
        1,
        &format!(
            "forebay: {}: stage 1 image-resize: reached its limit `memory` of 4.0 MiB",
            demo("photo.jpg").display()
        ),
    );
    assert_refused(
        &run("pipelines.toml"),
        2,
        "forebay: pipelines.toml: which pipeline? There are: tight, web",
    );
}
