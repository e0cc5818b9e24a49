//! Changes of files that a plugin begins and does not wait for: they are made when its outputs are looked at, or the stage fails.

use std::fs;

use forebay::{Error, Grants, Limits, Stage, StageCause};
use serde_json::{Value, json};

use crate::Arena;
use crate::by_hand::{OUTPUTS, TRANSFORM, times, transform_with};
use crate::common::alone;

/// Files that are written to at once, and bytes that are written to each in one call.
const FILES: usize = 60;
const BYTES: usize = 64 << 10;

/// No file may be as long.
const BEYOND: u64 = 1 << 63;

/// What ended the only stage that failed: its plugin, the file that it was given, and the file that it wrote.
fn failed(error: forebay::JobError) -> (String, String, String) {
    let told = error.to_string();
    let Some(Error::Stage(stage)) = error.errors.into_iter().next() else {
        panic!("{told}");
    };
    let StageCause::Write { path, .. } = stage.cause else {
        panic!("{told}");
    };
    assert!(stage.stage.starts_with("2 "), "{told}");
    (stage.plugin, stage.file, path)
}

#[tokio::test(flavor = "multi_thread")]
async fn writes_of_a_file_plugin_are_in_its_outputs() {
    alone!();
    let arena = Arena::new().await;
    let plugin = arena.load(forebay_test_plugins::HOSTILE_FILE).await;
    let leave = |offset: u64, close: bool| {
        let config = json!({
            "behaviour": "leave-writes", "count": FILES, "bytes": BYTES, "offset": offset, "close": close
        });
        Stage::new(&plugin)
            .config(config)
            .limits(Limits::default().expansion(u64::MAX))
    };
    for close in [false, true] {
        let (_, sink) = arena.run(leave(0, close)).await.unwrap();
        let files = sink.take();
        assert_eq!(files.len(), FILES);
        for (info, bytes) in files {
            let written = bytes.iter().filter(|&&byte| byte == b'x').count();
            assert_eq!((written, bytes.len()), (BYTES, BYTES), "{}", info.name);
        }
        let error = arena.run(leave(BEYOND, close)).await.unwrap_err();
        let (plugin, file, path) = failed(error);
        assert_eq!((&*plugin, &*file), ("hostile-file", "a.txt"));
        assert!(path.starts_with("/out/"), "{path}");
    }
    arena.is_well().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn changes_through_wasi_0_3_are_waited_for() {
    alone!();
    let arena = Arena::new().await;
    let plugin = arena.load(forebay_test_plugins::WASI3_FOLDERS).await;
    let folder = tempfile::tempdir().unwrap();
    let leave = async |change: &str, at: u64| {
        let path = format!("/notes/{change}-{at}");
        let config: Value =
            json!({ "behaviour": "leave", "path": path, "change": change, "at": at });
        let stage = Stage::new(&plugin)
            .config(config)
            .grants(Grants::none().write("/notes", folder.path()));
        arena.run(stage).await
    };
    let length = |name: &str| fs::metadata(folder.path().join(name)).unwrap().len();
    for (change, at, bytes) in [
        ("write", 7, 100_007),
        ("write-and-hold", 7, 100_007),
        ("set-size", 1 << 30, 1 << 30),
    ] {
        for again in 0..5 {
            let ended = leave(change, at).await;
            assert!(ended.is_ok(), "{change}: {:?}", ended.err());
            let name = format!("{change}-{at}");
            assert_eq!(length(&name), bytes, "{change}, {again}");
            fs::remove_file(folder.path().join(name)).unwrap();
        }
    }
    for (change, at) in [
        ("write", BEYOND),
        ("write-and-hold", BEYOND),
        // Not at fault, but the host cannot know whether all that was meant to be written was.
        ("write-open", 0),
        ("write-until-it-waits", 0),
        ("set-size-and-take-back", 1 << 20),
    ] {
        let error = match leave(change, at).await {
            Err(error) => error,
            // It was done before it could be taken back.
            Ok(_) if change == "set-size-and-take-back" => {
                assert_eq!(length(&format!("{change}-{at}")), at);
                continue;
            }
            Ok(_) => panic!("{change} goes well"),
        };
        let (plugin, file, path) = failed(error);
        assert_eq!((&*plugin, &*file), ("wasi3-folders", "a.txt"));
        assert_eq!(path, format!("/notes/{change}-{at}"));
    }
    // What a message says of a file is one plain line, whatever the file is called.
    let name = "\u{1b}[2J\u{202e}gpj\u{9b}1m";
    let path = format!("/notes/{name}");
    let config = json!({ "behaviour": "leave", "path": path, "change": "write", "at": BEYOND });
    let stage = Stage::new(&plugin)
        .config(config)
        .grants(Grants::none().write("/notes", folder.path()));
    let told = arena.run(stage).await.unwrap_err().to_string();
    assert!(told.contains("/notes/ [2J gpj 1m "), "{told:?}");
    assert!(
        !told.contains(|c: char| c.is_control() || c == '\u{202e}'),
        "{told:?}"
    );
    // What had been begun was written all the same. The host takes 256 KiB at a time.
    let blocks = length("write-until-it-waits-0") as f64 / f64::from(256 << 10);
    assert!(blocks >= 2.0 && blocks.fract() == 0.0, "{blocks}");
    arena.is_well().await;
}

/// Folders and files of WASI 0.3, as far as [`sizer`] needs them.
const FOLDERS: &str = r#"
    (import "wasi:filesystem/types@0.3.0" (instance $files
        (export "descriptor" (type $descriptor (sub resource)))
        (type $path-flags' (flags "symlink-follow"))
        (export "path-flags" (type $path-flags (eq $path-flags')))
        (type $open-flags' (flags "create" "directory" "exclusive" "truncate"))
        (export "open-flags" (type $open-flags (eq $open-flags')))
        (type $descriptor-flags' (flags
            "read" "write" "file-integrity-sync" "data-integrity-sync" "requested-write-sync" "mutate-directory"))
        (export "descriptor-flags" (type $descriptor-flags (eq $descriptor-flags')))
        (type $error-code' (variant
            (case "access") (case "already") (case "bad-descriptor") (case "busy") (case "deadlock") (case "quota")
            (case "exist") (case "file-too-large") (case "illegal-byte-sequence") (case "in-progress")
            (case "interrupted") (case "invalid") (case "io") (case "is-directory") (case "loop")
            (case "too-many-links") (case "message-size") (case "name-too-long") (case "no-device") (case "no-entry")
            (case "no-lock") (case "insufficient-memory") (case "insufficient-space") (case "not-directory")
            (case "not-empty") (case "not-recoverable") (case "unsupported") (case "no-tty") (case "no-such-device")
            (case "overflow") (case "not-permitted") (case "pipe") (case "read-only") (case "invalid-seek")
            (case "text-file-busy") (case "cross-device") (case "other" (option string))))
        (export "error-code" (type $error-code (eq $error-code')))
        (export "[method]descriptor.open-at" (func async
            (param "self" (borrow $descriptor)) (param "path-flags" $path-flags) (param "path" string)
            (param "open-flags" $open-flags) (param "flags" $descriptor-flags)
            (result (result (own $descriptor) (error $error-code)))))
        (export "[method]descriptor.set-size" (func async
            (param "self" (borrow $descriptor)) (param "size" u64) (result (result (error $error-code)))))))
    (alias export $files "descriptor" (type $fd))
    (import "wasi:filesystem/preopens@0.3.0" (instance $folders
        (export "descriptor" (type $folder (eq $fd)))
        (export "get-directories" (func (result (list (tuple (own $folder) string)))))))"#;

/// Makes the file `new` in its first folder, begins to set its size many times, and returns.
fn sizer(size: u64) -> Vec<u8> {
    let with = r#"(memory (core memory $memory "memory")) (realloc (core func $memory "realloc"))"#;
    let folders = format!(r#"(canon lower (func $folders "get-directories") {with})"#);
    let open = format!(r#"(canon lower (func $files "[method]descriptor.open-at") {with})"#);
    let set_size =
        format!(r#"(canon lower (func $files "[method]descriptor.set-size") async {with})"#);
    let functions = [
        ("folders", &*folders, "(param i32)"),
        ("open", &*open, "(param i32 i32 i32 i32 i32 i32 i32)"),
        ("set-size", &*set_size, "(param i32 i64 i32) (result i32)"),
    ];
    // One may be done at once. The plugin is told of that, and not of the others.
    let calls = times(
        60,
        &format!(
            "(drop (call $set-size (i32.load (i32.const 644)) (i64.const {size}) (i32.const 768)))"
        ),
    );
    let body = format!(
        "(local $turns i32)
        (call $folders (i32.const 512))
        ;; Made, and it was not there before; to be read and written.
        (call $open (i32.load (i32.load (i32.const 512))) (i32.const 0) (i32.const 3000) (i32.const 3)
            (i32.const 5) (i32.const 3) (i32.const 640))
        (if (i32.load8_u (i32.const 640)) (then unreachable))
        {calls}"
    );
    let path = r#"(data (i32.const 3000) "new")"#;
    transform_with(
        &format!("{OUTPUTS}{FOLDERS}"),
        &functions,
        &body,
        path,
        TRANSFORM,
    )
}

#[tokio::test(flavor = "multi_thread")]
async fn a_call_that_is_at_work_when_the_plugin_returns_is_waited_for() {
    alone!();
    let arena = Arena::new().await;
    for size in [1 << 20, BEYOND] {
        let plugin = arena.load(sizer(size)).await;
        let folder = tempfile::tempdir().unwrap();
        let stage = Stage::new(&plugin).grants(Grants::none().write("/notes", folder.path()));
        let ended = arena.run(stage).await;
        if size == BEYOND {
            let (plugin, file, path) = failed(ended.unwrap_err());
            assert_eq!(
                (&*plugin, &*file, &*path),
                ("only-3", "a.txt", "/notes/new")
            );
        } else {
            ended.unwrap();
            assert_eq!(fs::metadata(folder.path().join("new")).unwrap().len(), size);
        }
    }
    arena.is_well().await;
}
