//! What a plugin is given, and what it finds beyond that: nothing.

use std::fs;
use std::time::Duration;

use forebay::{Clock, Grants, Limits, Pipeline, Random, Stage};
use serde_json::json;

use crate::common::alone;
use crate::{Arena, behaviour};

/// What a plugin that looks everywhere has found.
async fn seen(arena: &Arena, stage: Stage) -> String {
    let (_, sink) = arena.run(stage).await.unwrap();
    String::from_utf8(sink.take()[0].1.to_vec()).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn without_grants_there_is_nothing_to_find() {
    alone!();
    let arena = Arena::new().await;
    let stream = arena.load(forebay_test_plugins::HOSTILE).await;
    let stage = Stage::new(&stream).config(behaviour("look"));
    assert_eq!(seen(&arena, stage).await.trim(), "nothing");
    let file = arena.load(forebay_test_plugins::HOSTILE_FILE).await;
    let found = seen(&arena, Stage::new(&file).config(behaviour("look"))).await;
    for line in found.lines().filter(|line| line.contains('/')) {
        assert!(line.contains("/in") || line.contains("/out"), "{found}");
    }
    let host = std::env::var("PATH").unwrap();
    assert!(!found.contains(&host), "{found}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_granted_is_there_and_no_way_leads_out_of_it() {
    alone!();
    let arena = Arena::new().await;
    let plugin = arena.load(forebay_test_plugins::HOSTILE_FILE).await;
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    for name in ["fonts", "notes", "secret"] {
        fs::create_dir(at(name)).unwrap();
    }
    fs::write(at("fonts/a.ttf"), "a font").unwrap();
    fs::write(at("secret/key"), "the-secret").unwrap();
    #[cfg(unix)]
    std::os::unix::fs::symlink(at("secret"), at("fonts/way-out")).unwrap();
    let grants = Grants::none()
        .read("/fonts", at("fonts"))
        .write("/notes", at("notes"))
        .env("LANG", "C.UTF-8");
    let stage = |config| Stage::new(&plugin).config(config).grants(grants.clone());
    let found = seen(&arena, stage(behaviour("look"))).await;
    assert!(
        found.contains("a.ttf") && found.contains("C.UTF-8"),
        "{found}"
    );
    assert!(!found.contains("the-secret"), "{found}");

    let write = |path: &str| stage(json!({ "behaviour": "write", "path": path }));
    arena.run(write("/notes/new")).await.unwrap();
    assert!(at("notes/new").exists());
    for path in [
        "/fonts/new",
        "/fonts/a.ttf",
        "/notes/../secret/key",
        "/fonts/way-out/key",
    ] {
        let error = arena.run(write(path)).await.unwrap_err().to_string();
        assert!(error.contains("failed: "), "{path}: {error}");
    }
    assert_eq!(fs::read(at("fonts/a.ttf")).unwrap(), b"a font");
    assert_eq!(fs::read(at("secret/key")).unwrap(), b"the-secret");

    // The folder was opened when the pipeline was built: what takes its place later is not what was granted.
    let pipeline = Pipeline::builder("p")
        .stage(write("/notes/later"))
        .build()
        .unwrap();
    fs::rename(at("notes"), at("notes-before")).unwrap();
    fs::create_dir(at("notes")).unwrap();
    let source = forebay::Source::bytes("a.txt", "words");
    let sink = forebay::Memory::new();
    arena.host.run(&pipeline, source, sink).await.unwrap();
    assert!(at("notes-before/later").exists() && !at("notes/later").exists());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_deterministic_plugin_gives_the_same_bytes_twice() {
    alone!();
    let arena = Arena::new().await;
    let plugin = arena.load(forebay_test_plugins::HOSTILE).await;
    let observe = |grants: Grants| {
        Stage::new(&plugin)
            .config(behaviour("observe"))
            .grants(grants)
    };
    let fixed = || observe(Grants::none().deterministic());
    let once = seen(&arena, fixed()).await;
    tokio::time::sleep(Duration::from_millis(20)).await;
    assert_eq!(seen(&arena, fixed()).await, once);
    assert!(once.contains("946684800"), "{once}");
    let seeded = Grants::none().deterministic().random(Random::Seeded(1));
    assert_ne!(seen(&arena, observe(seeded)).await, once);
    let real = seen(&arena, observe(Grants::none())).await;
    assert_ne!(seen(&arena, observe(Grants::none())).await, real);
    let later = Clock::Frozen(std::time::SystemTime::UNIX_EPOCH + Duration::from_secs(77));
    let later = Grants::none().deterministic().clock(later);
    assert_ne!(seen(&arena, observe(later)).await, once);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_deterministic_file_plugin_sees_no_time_of_its_input() {
    alone!();
    let arena = Arena::new().await;
    let plugin = arena.load(forebay_test_plugins::HOSTILE_FILE).await;
    let look = |grants| Stage::new(&plugin).config(behaviour("look")).grants(grants);
    let fixed = Grants::none().deterministic();
    let once = seen(&arena, look(fixed.clone())).await;
    tokio::time::sleep(Duration::from_millis(1100)).await;
    assert_eq!(seen(&arena, look(fixed)).await, once);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_grant_that_cannot_be_given_is_refused_when_the_pipeline_is_built() {
    alone!();
    let arena = Arena::new().await;
    for (grants, problem) in [
        (
            Grants::none().read("/a", "no/such/folder"),
            "`read` of \"/a\": no/such/folder: No such",
        ),
        (
            Grants::none().read("a", "/tmp"),
            "the plugin's path is absolute",
        ),
        (
            Grants::none().write("/a/../b", "/tmp"),
            "has no `.` or `..`",
        ),
        (
            Grants::none().read("/out", "/tmp"),
            "file plugins find their own files",
        ),
        (
            Grants::none().read("/a", "/tmp").write("/a", "/tmp"),
            "is granted twice",
        ),
        (Grants::none().env("A=B", "c"), "is no name"),
    ] {
        let stage = Stage::new(&arena.good).grants(grants);
        let error = Pipeline::builder("p")
            .stage(stage)
            .build()
            .unwrap_err()
            .to_string();
        assert!(
            error.starts_with("stage 1 identity: plugin identity: ") && error.contains(problem),
            "{error}"
        );
    }
}

#[cfg(unix)]
#[tokio::test(flavor = "multi_thread")]
async fn a_large_folder_that_is_granted_is_listed_without_holding_it() {
    alone!();
    let arena = Arena::new().await;
    let folder = tempfile::tempdir().unwrap();
    for at in 0..20_000 {
        let name = format!("{at:0>200}");
        fs::write(folder.path().join(name), "").unwrap();
    }
    let plugin = arena.load(forebay_test_plugins::HOSTILE_FILE).await;
    let (idle, count) = (crate::resident(), 100);
    crate::forget_peak();
    let config = json!({ "behaviour": "hold-lists", "path": "/many", "count": count });
    let grants = Grants::none().read("/many", folder.path());
    let stage = Stage::new(&plugin).config(config).grants(grants);
    assert_eq!(seen(&arena, stage).await, (count * 1000).to_string());
    // All entries of one list take 5 MB.
    let peak = crate::peak().saturating_sub(idle);
    assert!(peak < 60 << 20, "{} MiB", peak >> 20);
}

#[cfg(unix)]
#[tokio::test(flavor = "multi_thread")]
async fn what_is_granted_for_writing_has_a_limit_and_gets_no_links() {
    alone!();
    let arena = Arena::new().await;
    let plugin = arena.load(forebay_test_plugins::HOSTILE_FILE).await;
    let folder = tempfile::tempdir().unwrap();
    let stage = |config, most| {
        Stage::new(&plugin)
            .config(config)
            .grants(Grants::none().write("/notes", folder.path()))
            .limits(Limits::default().granted_bytes(most))
    };
    let write = json!({ "behaviour": "write", "path": "/notes/a" });
    assert!(arena.run(stage(write.clone(), 1 << 20)).await.is_ok());
    let written = folder.path().join("a").metadata().unwrap().len();
    assert!(written > 0);
    let ended = arena.run(stage(write, written - 1)).await.unwrap_err();
    assert!(ended.to_string().contains("`granted_bytes`"), "{ended}");
    for (from, to) in [
        ("/notes/a", "/out/a"),
        ("/notes/a", "/notes/b"),
        ("/out/own", "/notes/own"),
    ] {
        let config = json!({ "behaviour": "way-between", "from": from, "to": to });
        let told = seen(&arena, stage(config, 1 << 20)).await;
        let [hard, soft, moved] = told.lines().collect::<Vec<_>>()[..] else {
            panic!("{told}");
        };
        let inside = to.starts_with("/notes/b");
        assert!(hard.contains("not permitted"), "{from} {to}: {told}");
        assert_eq!(
            soft.contains("not permitted"),
            !to.starts_with("/out"),
            "{from} {to}: {told}"
        );
        assert_eq!(moved.contains("ross"), !inside, "{from} {to}: {told}");
    }
}

/// Whoever opens a pipe may wait for the other end for ever, and so would a thread of the host.
#[cfg(unix)]
#[tokio::test(flavor = "multi_thread")]
async fn a_pipe_in_a_folder_that_is_granted_is_not_opened() {
    use rustix::fs::{CWD, FileType, Mode, mknodat};

    alone!();
    let arena = Arena::new().await;
    let folder = tempfile::tempdir().unwrap();
    let pipe = folder.path().join("pipe");
    mknodat(CWD, &pipe, FileType::Fifo, Mode::RUSR | Mode::WUSR, 0).unwrap();
    let file = arena.load(forebay_test_plugins::HOSTILE_FILE).await;
    let newer = arena.load(forebay_test_plugins::WASI3_FOLDERS).await;
    let mut told = Vec::new();
    for (plugin, behaviour) in [(&file, "write"), (&newer, "read")] {
        let stage = Stage::new(plugin)
            .config(json!({ "behaviour": behaviour, "path": "/notes/pipe" }))
            .grants(Grants::none().write("/notes", folder.path()))
            .limits(Limits::default().wall_clock(Duration::from_secs(20)));
        told.push(arena.run(stage).await.unwrap_err().to_string());
    }
    // Threads that wait all the same would keep the test from its end.
    let other_end = fs::File::options().read(true).write(true).open(&pipe);
    for told in told {
        assert!(
            told.contains("failed: Operation not permitted")
                || told.contains("failed: ErrorCode::NotPermitted"),
            "{told}"
        );
    }
    drop(other_end);
    arena.is_well().await;
}
