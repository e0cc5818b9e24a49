//! The `forebay` command, run as a user runs it.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    missing_docs,
    reason = "tests"
)]

use std::fs;
use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};

use serde_json::Value;
use tempfile::TempDir;

fn demo(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("demo")
        .join(name)
}

/// `forebay` with no key and no base URL, in a folder of its own, with the cache that the tests share.
fn forebay(folder: &Path) -> Command {
    let mut command = Command::new(assert_cmd::cargo::cargo_bin!("forebay"));
    command
        .current_dir(folder)
        .env_remove("HEYGEN_API_KEY")
        .env_remove("HEYGEN_BASE_URL");
    command.env(
        "XDG_CACHE_HOME",
        Path::new(env!("CARGO_TARGET_TMPDIR")).join("cache"),
    );
    command
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

fn names(folder: &Path) -> Vec<String> {
    let mut names: Vec<String> = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}

/// Fails with this exit code and one line on standard error, which says this.
fn assert_refused(output: &Output, code: i32, line: &str) {
    let error = text(&output.stderr);
    assert_eq!(output.status.code(), Some(code), "{error}");
    assert_eq!(
        error
            .lines()
            .filter(|l| l.starts_with("forebay: "))
            .collect::<Vec<_>>(),
        [line],
        "{error}"
    );
    assert_eq!(text(&output.stdout), "");
}

/// An emulator in a process of its own.
struct Emulator {
    child: Child,
    url: String,
}

impl Emulator {
    fn start(folder: &Path, args: &[&str]) -> Self {
        let mut child = forebay(folder)
            .args(["emulator", "--data", "emulator"])
            .args(args)
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap())
            .read_line(&mut line)
            .unwrap();
        let url = line
            .trim()
            .strip_prefix("listening on ")
            .unwrap()
            .to_owned();
        Self { child, url }
    }
}

impl Drop for Emulator {
    fn drop(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }
}

#[test]
fn a_photo_becomes_small_upright_and_silent() {
    let folder = TempDir::new().unwrap();
    let output = forebay(folder.path())
        .args([
            "run",
            "-s",
            "strip-metadata",
            "-s",
            "image-resize:max_width=640,format=jpeg",
            "-o",
            "out",
        ])
        .arg(demo("photo.jpg"))
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", text(&output.stderr));
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
fn a_document_becomes_its_pages() {
    let folder = TempDir::new().unwrap();
    let run = || {
        forebay(folder.path())
            .args([
                "run",
                "-s",
                "pdf-split:pages_per_file=1",
                "-o",
                "out",
                "--report",
                "report.json",
            ])
            .arg(demo("document.pdf"))
            .output()
            .unwrap()
    };
    let output = run();
    assert!(output.status.success(), "{}", text(&output.stderr));
    let pages: Vec<String> = (1..=4)
        .map(|page| format!("document-{page:03}.pdf"))
        .collect();
    assert_eq!(names(&folder.path().join("out")), pages);
    let report: Value =
        serde_json::from_slice(&fs::read(folder.path().join("report.json")).unwrap()).unwrap();
    let files = report["jobs"][0]["files"].as_array().unwrap();
    assert_eq!(files.len(), 4);
    assert!(
        files
            .iter()
            .all(|file| file["sha256"].as_str().unwrap().len() == 64
                && file["stages"][0]["plugin"] == "pdf-split")
    );

    // Again: what is there stays.
    let output = run();
    assert_eq!(output.status.code(), Some(1));
    assert!(
        text(&output.stderr).contains("document-001.pdf exists already"),
        "{}",
        text(&output.stderr)
    );
    assert_eq!(names(&folder.path().join("out")), pages);
}

#[test]
fn ranges_are_quoted() {
    let folder = TempDir::new().unwrap();
    let output = forebay(folder.path())
        .args(["run", "-s", "pdf-split:ranges='1-2,4-'", "-o", "out"])
        .arg(demo("document.pdf"))
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", text(&output.stderr));
    assert_eq!(names(&folder.path().join("out")).len(), 2);
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
    assert!(output.status.success(), "{}", text(&output.stderr));
    assert!(output.stdout == content);
}

#[test]
fn one_bad_file_does_not_stop_the_others() {
    let folder = TempDir::new().unwrap();
    let photo = fs::read(demo("photo.jpg")).unwrap();
    fs::write(folder.path().join("words.png"), "not a picture at all").unwrap();
    fs::write(folder.path().join("half.jpg"), &photo[..photo.len() / 2]).unwrap();
    fs::copy(demo("photo.jpg"), folder.path().join("good.jpg")).unwrap();
    for (file, line) in [
        (
            "words.png",
            "words.png: stage 1 image-resize: the file is text/plain; it takes image/png, image/jpeg, image/webp, image/gif, image/bmp, image/tiff",
        ),
        (
            "missing.jpg",
            "missing.jpg: No such file or directory (os error 2)",
        ),
    ] {
        let output = forebay(folder.path())
            .args([
                "run",
                "-s",
                "image-resize:max_width=64",
                "-o",
                "out",
                file,
                "good.jpg",
                "--force",
            ])
            .output()
            .unwrap();
        assert_eq!(output.status.code(), Some(1));
        let error = text(&output.stderr);
        assert_eq!(
            error
                .lines()
                .filter(|l| l.starts_with("forebay: "))
                .collect::<Vec<_>>(),
            [format!("forebay: {line}")]
        );
        assert_eq!(text(&output.stdout), "out/good.jpg\n");
        assert_eq!(names(&folder.path().join("out")), ["good.jpg"]);
    }
    for stage in ["image-resize:max_width=64", "strip-metadata"] {
        let output = forebay(folder.path())
            .args(["run", "-s", stage, "-o", "none", "half.jpg"])
            .output()
            .unwrap();
        assert_eq!(output.status.code(), Some(1));
        let error = text(&output.stderr);
        assert!(
            error.starts_with("forebay: half.jpg: stage 1 ")
                && error.contains("damaged or invalid file: "),
            "{error}"
        );
        assert_eq!(error.lines().count(), 1);
        assert_eq!(names(&folder.path().join("none")), [""; 0]);
    }
}

#[test]
fn a_wrong_command_line_is_told_before_anything_runs() {
    let folder = TempDir::new().unwrap();
    let run = |stage: &str| {
        forebay(folder.path())
            .args(["run", "-s", stage, "-o", "out"])
            .arg(demo("photo.jpg"))
            .output()
            .unwrap()
    };
    assert_refused(
        &run("sharpen"),
        2,
        "forebay: there is no plugin `sharpen`; bundled are identity, image-resize, media-kit, pdf-split, strip-metadata, and a path names any other",
    );
    assert_refused(
        &run("identity:bufer=1"),
        2,
        "forebay: stage 1 identity: config: there is no field `bufer`; it takes buffer",
    );
    assert_refused(
        &run("image-resize:fit=round"),
        2,
        "forebay: stage 1 image-resize: config: field `fit`: \"round\" is none of inside, cover, exact",
    );
    assert_refused(
        &run("./none.wasm"),
        2,
        "forebay: plugin ./none.wasm: No such file or directory (os error 2)",
    );
    assert!(!folder.path().join("out").exists());
    let output = forebay(folder.path())
        .args(["upload", "a.jpg"])
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(2));
    assert!(text(&output.stderr).contains("HEYGEN_API_KEY"));
}

#[test]
fn uploads_go_by_the_flow_that_their_size_calls_for() {
    let folder = TempDir::new().unwrap();
    let emulator = Emulator::start(folder.path(), &["--api-key", "right"]);
    let mut large = vec![0; 40_000_000];
    large[..8].copy_from_slice(b"%PDF-1.7");
    fs::write(folder.path().join("large.pdf"), &large).unwrap();
    let upload = |key: &str, args: &[&str]| {
        let mut command = forebay(folder.path());
        command
            .env("HEYGEN_API_KEY", key)
            .env("HEYGEN_BASE_URL", &emulator.url)
            .args(args);
        command
            .arg(demo("photo.jpg"))
            .arg("large.pdf")
            .output()
            .unwrap()
    };
    for args in [
        ["upload", "--json", "--jobs", "1"].as_slice(),
        &["run", "-s", "identity", "-u", "--json", "--jobs", "1"],
    ] {
        let output = upload("right", args);
        assert!(output.status.success(), "{}", text(&output.stderr));
        let reports: Vec<Value> = text(&output.stdout)
            .lines()
            .map(|line| serde_json::from_str(line).unwrap())
            .collect();
        let flows: Vec<_> = reports
            .iter()
            .map(|report| report["files"][0]["flow"].as_str().unwrap())
            .collect();
        assert_eq!(flows, ["upload", "direct-upload"]);
    }
    let output = upload("sesame", &["upload", "--jobs", "1"]);
    assert_eq!(output.status.code(), Some(1));
    let error = text(&output.stderr);
    assert_eq!(error.lines().count(), 2, "{error}");
    assert!(
        error
            .lines()
            .all(|line| line.contains("401 unauthorized") && !line.contains("sesame")),
        "{error}"
    );
}

#[test]
fn a_pipeline_comes_from_toml() {
    let folder = TempDir::new().unwrap();
    let toml = "[pipelines.web]\n[[pipelines.web.stages]]\nplugin = \"image-resize\"\nconfig = { max_width = 100 }\n\n\
                [pipelines.tight]\n[[pipelines.tight.stages]]\nplugin = \"image-resize\"\nlimits = { memory = \"4 MiB\" }\n";
    fs::write(folder.path().join("pipelines.toml"), toml).unwrap();
    let run = |reference: &str| {
        forebay(folder.path())
            .args(["run", "-p", reference, "-o", "out"])
            .arg(demo("photo.jpg"))
            .output()
            .unwrap()
    };
    assert!(run("pipelines.toml#web").status.success());
    let shown = demo("photo.jpg");
    assert_refused(
        &run("pipelines.toml#tight"),
        1,
        &format!(
            "forebay: {}: stage 1 image-resize: reached its limit `memory` of 4.0 MiB",
            shown.display()
        ),
    );
    assert_refused(
        &run("pipelines.toml"),
        2,
        "forebay: pipeline pipelines.toml: which pipeline? There are: tight, web",
    );
}

#[test]
fn a_workflow_takes_all_inputs_and_its_result_goes_to_standard_output() {
    let folder = TempDir::new().unwrap();
    let emulator = Emulator::start(folder.path(), &["--api-key", "right"]);
    let media = folder.path().join("media");
    fs::create_dir(&media).unwrap();
    fs::copy(demo("photo.jpg"), media.join("photo.jpg")).unwrap();
    fs::copy(demo("document.pdf"), media.join("document.pdf")).unwrap();
    fs::write(
        folder.path().join("kit.toml"),
        r#"
        [pipelines.kit.workflow]
        plugin = "media-kit"
        config = { prompt = "Introduce these pages", thumbnail = 99 }
        grants = { upload = true, direct_upload = true, file_inputs = true, max_assets = 6 }
        lend.image-resize = { plugin = "image-resize", config = { format = "png" } }
        lend.pdf-split = { plugin = "pdf-split" }

        [pipelines.poor.workflow]
        plugin = "media-kit"
        config = { prompt = "Introduce these pages" }
        grants = { upload = true, max_assets = 2 }
        lend.pdf-split = { plugin = "pdf-split" }
        "#,
    )
    .unwrap();
    let run = |args: &[&str]| {
        forebay(folder.path())
            .args(["run", "--report", "report.json"])
            .args(args)
            .arg("media")
            .env("HEYGEN_API_KEY", "right")
            .env("HEYGEN_BASE_URL", &emulator.url)
            .output()
            .unwrap()
    };
    let kit = "media-kit:prompt='One, two'";
    for args in [["--workflow", kit, "-u"], ["-p", "kit.toml#kit", "-u"]] {
        let output = run(&args);
        assert!(output.status.success(), "{}", text(&output.stderr));
        let result: Value = serde_json::from_slice(&output.stdout).unwrap();
        let files = result["files"].as_array().unwrap();
        assert_eq!(files.len(), 6, "a large version, 4 pages, a thumbnail");
        let report = fs::read(folder.path().join("report.json")).unwrap();
        let report: Value = serde_json::from_slice(&report).unwrap();
        let made = report["workflow"]["files"].as_array().unwrap();
        for file in made {
            let id = file["asset"]["asset_id"].as_str().unwrap();
            assert!(files.iter().any(|input| input["asset_id"] == id));
        }
        let thumbnail = if args[0] == "-p" {
            "photo-thumbnail.png"
        } else {
            "photo-thumbnail.jpg"
        };
        assert!(
            made.iter().any(|file| file["name"] == thumbnail),
            "{made:?}"
        );
    }
    let stored = || names(&folder.path().join("emulator/assets")).len();
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
        "forebay: workflow media-kit: config: \"prompt\" is a required property",
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
    assert!(text(&output.stderr).contains("failed") || text(&output.stderr).contains("broken.pdf"));
    assert_eq!(stored(), 12, "a workflow that fails leaves nothing");
}

/// Numbers that look random, from a seed that is told.
struct Dice(u64);

impl Dice {
    fn new() -> Self {
        let now = std::time::UNIX_EPOCH.elapsed().unwrap();
        println!("seed {}", now.subsec_nanos());
        Self(u64::from(now.subsec_nanos()) | 1)
    }

    /// One of `0..sides`.
    fn roll(&mut self, sides: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % sides
    }
}

#[test]
fn a_run_that_is_killed_again_and_again_uploads_every_file_once() {
    const KILLS: usize = 30;
    let mut dice = Dice::new();
    let folder = TempDir::new().unwrap();
    let emulator = Emulator::start(folder.path(), &[]);
    let media = folder.path().join("media");
    fs::create_dir(&media).unwrap();
    let mut total = 0;
    for at in 0..40_u64 {
        // Every tenth goes by direct upload.
        let size = if at % 10 == 0 {
            33 << 20
        } else {
            1000 + dice.roll(3_000_000)
        };
        let mut content = format!("%PDF-1.7 {at}").into_bytes();
        content.resize(usize::try_from(size).unwrap(), 7);
        fs::write(media.join(format!("{at}.pdf")), content).unwrap();
        total += size;
    }
    let upload = || {
        let mut command = forebay(folder.path());
        command
            .args(["upload", "--journal", "journal", "--json", "media"])
            // A process that is killed leaves its scratch behind: here, to go with the folder.
            .env("TMPDIR", folder.path())
            .env("HEYGEN_API_KEY", "any")
            .env("HEYGEN_BASE_URL", &emulator.url)
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        command
    };
    let mut kills = 0;
    for _ in 0..KILLS {
        let mut run = upload().spawn().unwrap();
        std::thread::sleep(std::time::Duration::from_millis(150 + dice.roll(500)));
        kills += usize::from(run.try_wait().unwrap().is_none());
        run.kill().unwrap();
        run.wait().unwrap();
    }
    assert!(upload().status().unwrap().success());
    // Run once more, it finds nothing to do.
    let requests = |path: &str| {
        let log = fs::read_to_string(folder.path().join(path)).unwrap_or_default();
        log.lines().count()
    };
    let noted = requests("journal");
    assert!(upload().status().unwrap().success());
    assert_eq!(requests("journal"), noted);

    let digest = |path: PathBuf| {
        use sha2::Digest as _;
        hex::encode(sha2::Sha256::digest(fs::read(path).unwrap()))
    };
    let digests = |folder: &Path| -> Vec<String> {
        let mut digests: Vec<String> = names(folder)
            .into_iter()
            .map(|name| digest(folder.join(name)))
            .collect();
        digests.sort();
        digests
    };
    let assets = folder.path().join("emulator/assets");
    assert_eq!(
        digests(&assets),
        digests(&media),
        "every file is one asset, none twice"
    );
    // What the emulator wrote to disk is what it was sent.
    if let Ok(io) = fs::read_to_string(format!("/proc/{}/io", emulator.child.id())) {
        let written = io
            .lines()
            .find_map(|line| line.strip_prefix("wchar: "))
            .unwrap();
        let over = written.parse::<u64>().unwrap().saturating_sub(total);
        println!("{kills} kills hit a run; {total} bytes to send, {over} sent again");
    }
}

/// Watches a process until it ends; gives the most memory that it had, in bytes, and the most sockets.
#[cfg(target_os = "linux")]
fn watch(child: &mut Child) -> (u64, usize) {
    let (mut peak, mut sockets) = (0, 0);
    while child.try_wait().unwrap().is_none() {
        let process = PathBuf::from(format!("/proc/{}", child.id()));
        let status = fs::read_to_string(process.join("status")).unwrap_or_default();
        let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
        if let Some(kib) = line.and_then(|line| line.split_whitespace().next()) {
            peak = kib.parse::<u64>().unwrap() * 1024;
        }
        let open = fs::read_dir(process.join("fd"))
            .into_iter()
            .flatten()
            .flatten();
        let links = open.filter_map(|entry| fs::read_link(entry.path()).ok());
        let is_socket = |link: &PathBuf| link.to_string_lossy().starts_with("socket:");
        sockets = sockets.max(links.filter(is_socket).count());
        std::thread::sleep(std::time::Duration::from_millis(20));
    }
    (peak, sockets)
}

#[test]
#[cfg(target_os = "linux")]
fn many_files_and_large_ones_take_bounded_memory_and_connections() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let emulator = runtime
        .block_on(forebay_emulator::Emulator::builder().start())
        .unwrap();
    for (count, size, most) in [(1000, 20_000, 120 << 20), (20, 64 << 20, 120 << 20)] {
        let folder = TempDir::new().unwrap();
        let media = folder.path().join("media");
        fs::create_dir(&media).unwrap();
        for at in 0..count {
            let path = media.join(format!("{at}.pdf"));
            fs::write(&path, format!("%PDF-1.7 {at}")).unwrap();
            fs::OpenOptions::new()
                .write(true)
                .open(path)
                .unwrap()
                .set_len(size)
                .unwrap();
        }
        let before = emulator.request_count();
        let mut child = forebay(folder.path())
            .args(["upload", "--jobs", "16", "media"])
            .env("HEYGEN_API_KEY", "any")
            .env("HEYGEN_BASE_URL", emulator.base_url())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let (peak, sockets) = watch(&mut child);
        assert!(child.wait().unwrap().success());
        let requests = emulator.request_count() - before;
        println!(
            "{count} files of {size} bytes: {:.2} requests a file, {} MiB at most, {sockets} sockets at most",
            requests as f64 / f64::from(count),
            peak >> 20
        );
        assert!(peak < most, "{peak} bytes");
        // Of 16 jobs, each may have a connection at work and one that rests; and the runtime has a few sockets.
        assert!(sockets <= 48, "{sockets} sockets");
        assert_eq!(
            requests,
            u64::from(count as u32) * if size > 32_000_000 { 3 } else { 1 }
        );
    }
    assert_eq!(emulator.assets().len(), 1020);
    runtime.block_on(emulator.shutdown());
}

/// Sends a file of this length through a workflow's own memory into a direct upload; gives the most memory, in bytes,
/// that `forebay` had.
#[cfg(target_os = "linux")]
fn peak_memory(length: u64) -> u64 {
    let folder = TempDir::new().unwrap();
    let emulator = Emulator::start(folder.path(), &["--max-bytes", "6GiB"]);
    fs::write(folder.path().join("drill.wasm"), forebay_bundled::DRILL).unwrap();
    let video = folder.path().join("video.mp4");
    fs::write(&video, b"\0\0\0\x20ftypisom\0\0\0\0").unwrap();
    let file = fs::OpenOptions::new().write(true).open(&video).unwrap();
    file.set_len(length).unwrap();
    let mut child = forebay(folder.path())
        .args(["run", "--workflow"])
        .arg("./drill.wasm:exercise=direct,put=stream,complete=1")
        .args(["-u", "video.mp4"])
        .env("HEYGEN_API_KEY", "any")
        .env("HEYGEN_BASE_URL", &emulator.url)
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let (peak, _) = watch(&mut child);
    let output = child.wait_with_output().unwrap();
    let result: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(result["complete"][0]["size_bytes"], length);
    peak
}

#[test]
#[cfg(target_os = "linux")]
fn a_direct_upload_from_a_workflow_takes_no_more_memory_for_a_longer_file() {
    let (short, long) = (peak_memory(40 << 20), peak_memory(1 << 30));
    println!("40 MiB: {} MiB, 1 GiB: {} MiB", short >> 20, long >> 20);
    assert!(long < short + (32 << 20), "{short} {long}");
}

#[test]
#[cfg(target_os = "linux")]
#[ignore = "writes 5 GiB; `cargo test --workspace --test cli -- --ignored` runs it"]
fn a_direct_upload_of_5_gib_from_a_workflow() {
    let (short, long) = (peak_memory(40 << 20), peak_memory(5 << 30));
    println!("40 MiB: {} MiB, 5 GiB: {} MiB", short >> 20, long >> 20);
    assert!(long < short + (32 << 20), "{short} {long}");
}

#[test]
fn assets_are_looked_after_and_files_are_named() {
    let folder = TempDir::new().unwrap();
    let emulator = Emulator::start(folder.path(), &["--api-key", "right"]);
    let run = |args: &[&str]| {
        let mut command = forebay(folder.path());
        command.args(args).env("HEYGEN_API_KEY", "right");
        command
            .env("HEYGEN_BASE_URL", &emulator.url)
            .output()
            .unwrap()
    };
    let document = demo("document.pdf");
    let uploaded = run(&["upload", document.to_str().unwrap()]);
    let id = text(&uploaded.stdout)
        .split_once('\t')
        .unwrap()
        .0
        .to_owned();
    let listed = text(&run(&["assets", "list"]).stdout);
    assert!(
        listed.starts_with(&format!("{id}\t")) && listed.contains("document.pdf"),
        "{listed}"
    );
    let shown: Value =
        serde_json::from_slice(&run(&["assets", "get", &id, "--json"]).stdout).unwrap();
    assert_eq!(shown["name"], "document.pdf");
    let output = run(&["assets", "delete", "ast_none", &id]);
    assert_eq!(output.status.code(), Some(1), "one was not there");
    assert_eq!(text(&output.stdout), format!("{id}\n"));
    assert_eq!(text(&run(&["assets", "list", "--json"]).stdout), "");

    let input = |what: &str| run(&["file-input", what, "--json"]);
    assert_eq!(
        text(&input("ast_1").stdout),
        "{\"asset_id\":\"ast_1\",\"type\":\"asset_id\"}\n"
    );
    assert!(text(&input("https://example.com/a.png").stdout).contains("\"type\":\"url\""));
    let inline: Value = serde_json::from_slice(&input(document.to_str().unwrap()).stdout).unwrap();
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
fn plugins_are_told_in_plain_words() {
    let folder = TempDir::new().unwrap();
    let output = forebay(folder.path()).arg("plugins").output().unwrap();
    assert_eq!(text(&output.stdout).lines().count(), 5);
    let output = forebay(folder.path())
        .args(["inspect", "image-resize"])
        .output()
        .unwrap();
    let shown = text(&output.stdout);
    assert!(
        shown.contains("max_width") && shown.contains("inside | cover | exact"),
        "{shown}"
    );
    let output = forebay(folder.path())
        .args(["inspect", "pdf-split", "--json"])
        .output()
        .unwrap();
    let json: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(json["world"], "file");
}
