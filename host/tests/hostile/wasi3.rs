//! Plugins that use WASI 0.3: they get what those of 0.2 get, by the same grants and under the same limits.

use crate::common::alone;
use std::fs;
use std::time::Duration;

use forebay::{Grants, Memory, Pipeline, PipelineError, Source, Stage};
use serde_json::{Value, json};

use crate::{Arena, behaviour, impatient, tight, words};

const TEXT: &str = "some words\n";

#[tokio::test(flavor = "multi_thread")]
async fn a_plugin_of_wasi_0_3_streams_a_file() {
    alone!();
    let arena = Arena::new().await;
    let plugin = arena.load(forebay_test_plugins::WASI3).await;
    for import in [
        "wasi:cli/stderr@0.3.0",
        "wasi:clocks/monotonic-clock@0.3.0",
        "wasi:random/random@0.3.0",
    ] {
        assert!(
            plugin.imports().iter().any(|known| known == import),
            "{import}"
        );
    }
    // What the standard library imports.
    assert!(
        plugin
            .imports()
            .iter()
            .any(|import| import.contains("@0.2"))
    );

    let stage = |config: Value| Stage::new(&plugin).config(config);
    let (report, sink) = arena.run(stage(behaviour("pass-on"))).await.unwrap();
    assert_eq!(report.files.len(), 1);
    assert_eq!(sink.take()[0].1, TEXT.repeat(1000));

    // What it prints is in the log, whose last line goes with a crash.
    let config = json!({ "behaviour": "print-and-trap", "text": "so far\nand no further" });
    let error = arena.run(stage(config)).await.unwrap_err().to_string();
    assert!(
        error.contains("the plugin crashed") && error.ends_with(": and no further"),
        "{error}"
    );
    arena.is_well().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn limits_hold_for_wasi_0_3() {
    alone!();
    let arena = Arena::new().await;
    let plugin = arena.load(forebay_test_plugins::WASI3).await;
    let few = tight().handles(200);
    let count = |name: &str, count: u64| json!({ "behaviour": name, "count": count });
    for (limits, config, ends) in [
        (impatient(), count("sleeps", 100), "`wall_clock`"),
        (few.clone(), count("sleeps", 300), "`handles` of 200"),
        (few.clone(), count("printers", 90), "ok, 1 files"),
        (few, count("printers", 110), "`handles` of 200"),
        (
            tight(),
            json!({ "behaviour": "flood", "bytes": 10_000_000 }),
            "the plugin crashed",
        ),
        (
            tight(),
            json!({ "behaviour": "exit", "code": 3 }),
            "the plugin crashed: Exited with i32 exit status 3",
        ),
    ] {
        arena.row(&plugin, limits, config, ends).await;
    }
    // The log has room for 64 KiB, in which the last line was not.
    let flood = json!({ "behaviour": "flood", "bytes": 1_000_000 });
    let error = arena
        .run(Stage::new(&plugin).config(flood))
        .await
        .unwrap_err();
    let error = error.to_string();
    assert!(
        error.contains("---") && !error.contains("beyond"),
        "{error}"
    );
    arena.is_well().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn wasi_0_3_has_the_clock_the_numbers_and_the_environment_that_are_granted() {
    alone!();
    let arena = Arena::new().await;
    let plugin = arena.load(forebay_test_plugins::WASI3).await;
    let observe = async |grants: Grants| {
        let stage = Stage::new(&plugin)
            .config(behaviour("observe"))
            .grants(grants);
        let (_, sink) = arena.run(stage).await.unwrap();
        String::from_utf8(sink.take()[0].1.to_vec()).unwrap()
    };
    let fixed = || Grants::none().deterministic().env("LANG", "C.UTF-8");
    let once = observe(fixed()).await;
    assert_eq!(observe(fixed()).await, once);
    assert!(once.starts_with("946684800.000000000 0 "), "{once}");
    assert!(once.ends_with(r#" [("LANG", "C.UTF-8")] [] []"#), "{once}");
    let real = observe(Grants::none()).await;
    assert!(real.ends_with(" [] [] []"), "{real}");
    assert_ne!(observe(Grants::none()).await, real);
    assert!(!real.starts_with("946684800"), "{real}");
}

#[tokio::test(flavor = "multi_thread")]
async fn wasi_0_3_has_the_folders_that_are_granted() {
    alone!();
    let arena = Arena::new().await;
    let plugin = arena.load(forebay_test_plugins::WASI3_FOLDERS).await;
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    for name in ["fonts", "notes", "secret"] {
        fs::create_dir(at(name)).unwrap();
    }
    fs::write(at("fonts/a.ttf"), "a font").unwrap();
    fs::write(at("secret/key"), "the secret").unwrap();
    #[cfg(unix)]
    std::os::unix::fs::symlink(at("secret"), at("fonts/way-out")).unwrap();

    let read = |path: &str| json!({ "behaviour": "read", "path": path });
    let write = |path: &str| json!({ "behaviour": "write", "path": path, "text": "a note " });
    let refused = |grants: Grants| {
        let stage = Stage::new(&plugin)
            .config(read("/fonts/a.ttf"))
            .grants(grants);
        Pipeline::builder("p").stage(stage).build().unwrap_err()
    };
    for grants in [
        Grants::none(),
        Grants::none().env("LANG", "C").deterministic(),
    ] {
        let error = refused(grants);
        assert!(matches!(error, PipelineError::Grants { .. }), "{error}");
        let error = error.to_string();
        assert!(
            error.starts_with(
                "stage 1 wasi3-folders: plugin wasi3-folders: imports wasi:filesystem/"
            ) && error.ends_with("@0.3.0, which needs the grant `read` or `write`"),
            "{error}"
        );
    }

    let grants = Grants::none()
        .read("/fonts", at("fonts"))
        .write("/notes", at("notes"));
    let seen = async |config: Value| {
        let stage = Stage::new(&plugin).config(config).grants(grants.clone());
        let (_, sink) = arena.run(stage).await.map_err(|error| error.to_string())?;
        Ok::<_, String>(String::from_utf8(sink.take()[0].1.to_vec()).unwrap())
    };
    assert_eq!(seen(read("/fonts/a.ttf")).await.unwrap(), "a font");
    assert_eq!(seen(write("/notes/new")).await.unwrap(), "a note a note ");
    assert_eq!(fs::read(at("notes/new")).unwrap(), b"a note a note ");
    let list = json!({ "behaviour": "list", "path": "/fonts", "count": 1 });
    assert_eq!(seen(list).await.unwrap(), "a.ttf\nway-out");
    // Neither another folder, nor a way out of one, nor writing where only reading is granted.
    for config in [
        read("/secret/key"),
        read("/fonts/way-out/key"),
        read("/fonts/../secret/key"),
        write("/fonts/new"),
    ] {
        let error = seen(config.clone()).await.unwrap_err();
        assert!(error.contains("failed: "), "{config}: {error}");
    }
    assert!(!at("fonts/new").exists());
    arena.is_well().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn limits_hold_for_folders_of_wasi_0_3() {
    alone!();
    let arena = Arena::new().await;
    let plugin = arena.load(forebay_test_plugins::WASI3_FOLDERS).await;
    let folder = tempfile::tempdir().unwrap();
    let file = fs::File::create(folder.path().join("large")).unwrap();
    file.set_len(64 << 30).unwrap();
    let grants = || Grants::none().read("/data", folder.path());
    let count = |name: &str, count: u64| json!({ "behaviour": name, "path": "/data/large", "count": count });
    for (limits, config, ends) in [
        // Each holds its file open, and none is a handle of the plugin.
        (tight(), count("print", 60), "ok"),
        (tight(), count("print", 100), "`handles` of 128"),
        (tight(), count("open", 100), "ok"),
        (tight(), count("open", 200), "`handles` of 128"),
        // No code of the plugin runs while the host reads and prints.
        (
            tight().wall_clock(Duration::from_secs(50)),
            json!({ "behaviour": "print-and-wait", "path": "/data/large" }),
            "`cpu_time` of 400ms",
        ),
        (
            tight(),
            json!({ "behaviour": "long-path", "bytes": 4096 }),
            "NameTooLong",
        ),
        (
            tight(),
            json!({ "behaviour": "long-path", "bytes": 15_000_000 }),
            "NameTooLong",
        ),
        (
            tight(),
            json!({ "behaviour": "long-path", "bytes": 20_000_000 }),
            "`call_bytes` of 16.0 MiB",
        ),
    ] {
        let stage = Stage::new(&plugin)
            .config(config.clone())
            .limits(limits)
            .grants(grants());
        arena.row_of(&words(&config), stage, ends).await;
    }
    arena.is_well().await;
}

/// A runtime whose threads for what blocks are few, as they are where many stages share them.
#[test]
fn a_list_that_is_left_open_holds_no_thread() {
    alone!();
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .max_blocking_threads(4)
        .build()
        .unwrap();
    runtime.block_on(async {
        let arena = Arena::new().await;
        let plugin = arena.load(forebay_test_plugins::WASI3_FOLDERS).await;
        let folder = tempfile::tempdir().unwrap();
        let mut names = Vec::new();
        for number in 0..1000 {
            names.push(format!("{number:04}"));
            fs::write(folder.path().join(&names[number]), "").unwrap();
        }
        let stage = Stage::new(&plugin)
            .config(json!({ "behaviour": "list", "path": "/data", "count": 30 }))
            .grants(Grants::none().read("/data", folder.path()))
            .limits(tight().wall_clock(Duration::from_secs(20)));
        let pipeline = Pipeline::builder("p").stage(stage).build().unwrap();
        let sink = Memory::new();
        let source = Source::bytes("a.txt", TEXT);
        arena
            .host
            .run(&pipeline, source, sink.clone())
            .await
            .unwrap();
        assert_eq!(sink.take()[0].1, names.join("\n"));
        arena.is_well().await;
    });
}
