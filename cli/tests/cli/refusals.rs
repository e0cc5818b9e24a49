//! What goes wrong with `forebay run` is told in one line, with an exit code that tells a bad file from a bad command.

use std::fs;

use tempfile::TempDir;

use crate::{assert_failed, assert_refused, demo, forebay, names, text};

#[test]
fn one_bad_file_does_not_stop_the_others() {
    let folder = TempDir::new().unwrap();
    let photo = fs::read(demo("photo.jpg")).unwrap();
    fs::write(folder.path().join("words.png"), "not a picture at all").unwrap();
    fs::write(folder.path().join("half.jpg"), &photo[..photo.len() / 2]).unwrap();
    fs::copy(demo("photo.jpg"), folder.path().join("good.jpg")).unwrap();
    let run = |stage: &str, out: &str, files: &[&str]| {
        forebay(folder.path())
            .args(["run", "-s", stage, "-o", out])
            .args(files)
            .output()
            .unwrap()
    };
    for (file, line) in [
        (
            "words.png",
            "forebay: words.png: stage 1 image-resize: the file is text/plain; it takes image/png, image/jpeg, image/webp, image/gif, image/bmp, image/tiff",
        ),
        (
            "missing.jpg",
            "forebay: missing.jpg: No such file or directory (os error 2)",
        ),
    ] {
        let files = [file, "good.jpg", "--force"];
        let output = run("image-resize:max_width=64", "out", &files);
        assert_failed(&output, 1, line);
        assert_eq!(text(&output.stdout), "out/good.jpg\n");
        assert_eq!(names(&folder.path().join("out")), ["good.jpg"]);
    }
    for stage in ["image-resize:max_width=64", "strip-metadata"] {
        let output = run(stage, "none", &["half.jpg"]);
        assert_eq!(output.status.code(), Some(1));
        let error = text(&output.stderr);
        assert!(
            error.starts_with("forebay: half.jpg: stage 1 ")
                && error.contains("damaged or invalid file: "),
            "{error}"
        );
        let (_, summary) = error.split_once('\n').unwrap();
        assert!(summary == "nothing done; 1 failed\n", "{error}");
        assert_eq!(names(&folder.path().join("none")), [""; 0]);
    }
}

#[test]
fn a_wrong_command_line_is_told_before_anything_runs() {
    let folder = TempDir::new().unwrap();
    for (stage, line) in [
        (
            "sharpen",
            "forebay: there is no plugin `sharpen`. Bundled are identity, image-resize, media-kit, pdf-split, strip-metadata; or give the path of a .wasm file",
        ),
        (
            "image-resiz",
            "forebay: there is no plugin `image-resiz`; did you mean `image-resize`? Bundled are identity, image-resize, media-kit, pdf-split, strip-metadata; or give the path of a .wasm file",
        ),
        (
            "image-resize max_width=100",
            "forebay: stage `image-resize max_width=100`: config follows a colon: `image-resize:max_width=100`",
        ),
        (
            "image-resize:max_width=100, format=png",
            "forebay: stage image-resize: remove the space before `format`",
        ),
        (
            "identity:bufer=1",
            "forebay: stage 1 identity: config: there is no field `bufer`; it takes buffer",
        ),
        (
            "image-resize:fit=round",
            "forebay: stage 1 image-resize: config: field `fit`: \"round\" is none of inside, cover, exact",
        ),
        (
            "image-resize:max_width=64,fit",
            "forebay: stage image-resize: the field `fit` has no value: write `fit=VALUE`; as a part of the value of `max_width` it is written 'max_width=…\\,fit', in quotes",
        ),
        (
            "./none.wasm",
            "forebay: plugin ./none.wasm: No such file or directory (os error 2)",
        ),
    ] {
        let output = forebay(folder.path())
            .args(["run", "-s", stage, "-o", "out"])
            .arg(demo("photo.jpg"))
            .output()
            .unwrap();
        assert_refused(&output, 2, line);
    }
    assert!(!folder.path().join("out").exists());
    let output = forebay(folder.path())
        .args(["upload", "a.jpg"])
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(2));
    assert!(text(&output.stderr).contains("HEYGEN_API_KEY"));
}
