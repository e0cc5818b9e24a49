//! What can go wrong before a plugin has a file: components that are none, that ask for too much, or that lie about
//! themselves.

use std::time::{Duration, Instant};

use forebay::{Error, Host, LoadError, Pipeline, Stage};
use serde_json::{Value, json};

use crate::Arena;
use crate::by_hand::{CLOCK, EMIT, NOW, OUTPUTS, PASS_ON, WAIT_FOR, plugin, transform};
use crate::common::alone;

#[tokio::test(flavor = "multi_thread")]
async fn plugins_that_are_asked_what_they_are() {
    alone!();
    let arena = Arena::new().await;
    for (behaviour, ends) in [
        ("panic", "the plugin crashed"),
        ("trap", "the plugin crashed"),
        ("exit", "the plugin crashed"),
        ("recurse", "used up its stack"),
        ("grow", "`memory` of 256.0 MiB"),
        ("huge-name", "`call_bytes` of 4.0 MiB"),
        ("huge-summary", "`call_bytes`"),
        ("huge-schema", "`call_bytes`"),
        ("huge-entry", "`call_bytes`"),
        ("million-accepts", "`call_bytes`"),
        ("ten-million-accepts", "`call_bytes`"),
        ("empty-name", "name is empty"),
        ("name-with-escapes", "name holds control characters"),
        ("name-with-newline", "name holds control characters"),
        ("name-with-bidi", "name holds control characters"),
        ("name-with-path", "name looks like a path"),
        ("name-not-utf8", "the plugin crashed"),
        ("summary-with-escapes", "summary holds control characters"),
        ("schema-not-utf8", "the plugin crashed"),
        ("no-accepts", "accepts is empty"),
        ("accepts-nonsense", "is no media type"),
        ("produces-wildcard", "is no media type"),
        ("produces-nonsense", "is no media type"),
        ("schema-no-json", "config-schema: EOF while parsing"),
        ("schema-no-object", "17 is not a schema"),
        ("schema-of-no-type", "the type `everything` is none of"),
        ("schema-remote-ref", "the keyword `$ref` is not part"),
        ("schema-file-ref", "the keyword `$ref` is not part"),
        ("schema-deep", "at most 65536 are taken"),
        ("schema-nested", "recursion limit exceeded"),
        (
            "schema-levels",
            "config-schema: a/a/a/a/a: nests deeper than 4",
        ),
        ("schema-wide", "more than 256 properties"),
        ("schema-choices", "text: has more than 1024 choices"),
        ("schema-twice", "the key `text` stands twice"),
        ("schema-default", "text: `default` does not fit"),
        ("schema-ref-to-itself", "text: the keyword `$ref`"),
        ("schema-refs-in-circle", "the keyword `$defs`"),
        ("schema-refs-doubling", "the keyword `$defs`"),
        ("schema-ref-percent", "the keyword `$defs`"),
        ("schema-nested-id", "text: the keyword `$defs`"),
        ("schema-any-of", "text: the keyword `anyOf`"),
        ("schema-regex-backtracks", "text: the keyword `pattern`"),
        ("schema-regex-explodes", "text: the keyword `pattern`"),
        ("schema-regex-broken", "text: the keyword `pattern`"),
        ("schema-many-patterns", "more than 256 properties"),
        ("schema-numbers", "`minItems` is not an integer"),
        ("schema-number-beyond", "number out of range"),
        ("schema-escapes", "is not named by 1 to 64 ASCII letters"),
        ("schema-escapes-in-text", "holds control characters"),
        (
            "schema-forges-lines",
            "is not named by 1 to 64 ASCII letters",
        ),
    ] {
        let (files, tasks) = (crate::open_files(), crate::alive_tasks());
        let component = forebay_test_plugins::hostile_describe(behaviour).unwrap();
        let started = Instant::now();
        let Err(error) = arena.host.load("p", component).await else {
            panic!("{behaviour} was loaded");
        };
        let (error, took) = (error.to_string(), started.elapsed());
        let left = arena.left(files, tasks).await;
        println!(
            "describe: {behaviour:34} {:80} {took:>8.0?}  {left}",
            error
                .chars()
                .skip("plugin p: ".len())
                .take(80)
                .collect::<String>()
        );
        assert!(error.contains(ends), "{behaviour}: {error}");
        assert!(error.chars().all(|c| !c.is_control()), "{error:?}");
        assert_eq!(left, "nothing", "{behaviour}");
    }
    let honest = forebay_test_plugins::hostile_describe("honest").unwrap();
    let honest = arena.host.load("p", honest).await.unwrap();
    Pipeline::builder("p")
        .stage(Stage::new(&honest))
        .build()
        .unwrap();
    arena.is_well().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_config_with_many_errors_is_refused_for_the_first() {
    alone!();
    let arena = Arena::new().await;
    let list = forebay_test_plugins::hostile_describe("schema-list").unwrap();
    let list = arena.host.load("p", list).await.unwrap();
    let refused = |config: Value| {
        let stage = Stage::new(&list).config(config);
        let error = Pipeline::builder("p").stage(stage).build().unwrap_err();
        error.to_string()
    };
    // Just under 1 MiB, and over it.
    let errors = refused(json!({ "list": vec![0; 350_000] }));
    assert_eq!(
        errors,
        "stage 1 honest: config: field `list.0`: 0 is not true or false"
    );
    let large = refused(json!({ "list": vec![0; 600_000] }));
    assert_eq!(large, "stage 1 honest: config: has more than 1048576 bytes");
    // A dialect of a stranger's is not asked for.
    let dialect = forebay_test_plugins::hostile_describe("schema-remote-dialect").unwrap();
    arena.host.load("p", dialect).await.unwrap();
    arena.is_well().await;
}

/// A component of the stream world as far as its type goes, with these imports.
fn component(imports: &str) -> Vec<u8> {
    let text = format!(
        r#"(component {imports}
            (instance $transform)
            (export "forebay:plugin/transform@0.2.0" (instance $transform)))"#
    );
    wat::parse_str(text).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn what_asks_for_the_network_is_refused_in_words() {
    alone!();
    let arena = Arena::new().await;
    let asks = component(
        r#"(import "wasi:sockets/tcp@0.2.6" (instance)) (import "wasi:http/types@0.2.6" (instance))
            (import "wasi:sockets/types@0.3.0" (instance))"#,
    );
    let Err(Error::Load { reason, .. }) = arena.host.load("p", asks).await else {
        panic!("it was loaded");
    };
    assert!(
        matches!(&reason, LoadError::Imports(asked) if asked.len() == 1),
        "{reason}"
    );
    let text = reason.to_string();
    assert!(
        text.starts_with("asks for the network (wasi:sockets/tcp@0.2.6, wasi:http/types@0.2.6, wasi:sockets/types@0.3.0)"),
        "{text}"
    );
    let memories =
        "(core module $m (memory 1)) ".to_owned() + &"(core instance (instantiate $m)) ".repeat(3);
    let error = arena
        .host
        .load("p", component(&memories))
        .await
        .unwrap_err();
    assert!(
        error.to_string().contains("3 Wasm linear memories"),
        "{error}"
    );
    let strange = component(r#"(import "acme:vault/keys@1.0.0" (instance))"#);
    let error = arena.host.load("p", strange).await.unwrap_err().to_string();
    assert!(
        error.contains("something that it does not know (acme:vault/keys@1.0.0)"),
        "{error}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn bytes_that_are_no_component_are_refused() {
    alone!();
    let arena = Arena::new().await;
    let whole = forebay_bundled::IDENTITY;
    let module = b"\0asm\x01\0\0\0".to_vec();
    let cut = (1..20).map(|part| whole[..whole.len() * part / 20].to_vec());
    for bytes in [Vec::new(), b"some words".to_vec(), module]
        .into_iter()
        .chain(cut)
    {
        let length = bytes.len();
        let error = arena.host.load("p", bytes).await.unwrap_err().to_string();
        assert!(
            error.starts_with("p: not a component")
                || error.starts_with("plugin p: not a component"),
            "{length}: {error}"
        );
    }
    // One byte is another: what still loads still works or fails like any plugin, if only for waiting without end.
    let limits = crate::tight().wall_clock(Duration::from_secs(4));
    for at in (0..whole.len()).step_by(whole.len() / 60) {
        let mut bytes = whole.to_vec();
        bytes[at] ^= 0x55;
        if let Ok(plugin) = arena.host.load("p", bytes).await {
            let _ = arena.run(Stage::new(&plugin).limits(limits.clone())).await;
        }
    }
    arena.is_well().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_component_is_bounded_in_size_and_in_time_to_compile() {
    alone!();
    let arena = Arena::new().await;
    let small = Host::builder().component_bytes(1000).build().unwrap();
    let error = small
        .load("p", forebay_bundled::IDENTITY)
        .await
        .unwrap_err();
    assert!(
        error.to_string().contains("larger than the 1000 B"),
        "{error}"
    );
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("p.wasm");
    std::fs::write(&path, forebay_bundled::IDENTITY).unwrap();
    let error = small.load_file(&path).await.unwrap_err();
    assert!(error.to_string().contains("larger than"), "{error}");
    let body = "nop ".repeat(600_000);
    let large = component(&format!("(core module (func {body}))"));
    let error = arena.host.load("p", large).await.unwrap_err().to_string();
    assert!(
        error.contains("has a function of 585.9 KiB; at most 512.0 KiB are compiled"),
        "{error}"
    );
    let hasty = Host::builder()
        .compile_time(Duration::from_millis(1))
        .build()
        .unwrap();
    let error = hasty
        .load("p", forebay_bundled::IDENTITY)
        .await
        .unwrap_err();
    assert!(
        error.to_string().contains("not compiled within 1ms"),
        "{error}"
    );
    arena.is_well().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_does_not_fit_is_told_by_its_name_and_type() {
    alone!();
    let arena = Arena::new().await;
    let bare = |imports: &str| component(imports);
    let exporting = |interface: &str, exports: &str| {
        let text = format!(
            r#"(component
                (core module $m (func (export "f") (result i32) i32.const 0))
                (core instance $i (instantiate $m))
                (func $f (result u32) (canon lift (core func $i "f")))
                (instance $transform {exports})
                (export "{interface}" (instance $transform)))"#
        );
        wat::parse_str(text).unwrap()
    };
    for (component, says) in [
        (
            bare(r#"(import "wasi:cli/stderr@0.3.0-rc-2026-02-09" (instance))"#),
            "imports wasi:cli/stderr@0.3.0-rc-2026-02-09, but this host has wasi:cli 0.2 and 0.3.0; build the plugin for that",
        ),
        (
            bare(r#"(import "wasi:io/poll@0.3.0" (instance))"#),
            "imports wasi:io/poll@0.3.0, but this host has wasi:io 0.2; build the plugin for that",
        ),
        (
            bare(r#"(import "forebay:plugin/outputs@0.3.0" (instance))"#),
            "imports forebay:plugin/outputs@0.3.0, but this host has forebay:plugin 0.2.0; build the plugin for that",
        ),
        (
            exporting("forebay:plugin/transform@0.3.0", ""),
            "exports forebay:plugin/transform@0.3.0, but this host has forebay:plugin 0.2.0; build the plugin for that",
        ),
        (
            bare(
                r#"(import "wasi:clocks/timezone@0.3.0"
                    (instance (export "iana-id" (func (result (option string))))))"#,
            ),
            "imports `iana-id` of wasi:clocks/timezone@0.3.0, which this host does not have; build the plugin with the \
             released WIT of that version",
        ),
        (
            // Of a later patch version there is what the earlier has, and no more.
            bare(
                r#"(import "wasi:clocks/monotonic-clock@0.3.9"
                    (instance (export "now" (func (result u64))) (export "later" (func (result u64)))))"#,
            ),
            "imports `later` of wasi:clocks/monotonic-clock@0.3.9, which this host does not have",
        ),
        (
            bare(
                r#"(import "wasi:clocks/monotonic-clock@0.3.0"
                    (instance (export "now" (func (result string)))))"#,
            ),
            "imports `now` of wasi:clocks/monotonic-clock@0.3.0 with another type than this host's (results: expected \
             `u64` found `string`); build the plugin with the released WIT of that version",
        ),
        (
            bare(
                r#"(import "wasi:clocks/monotonic-clock@0.2.0"
                    (instance (export "now" (func (param "zone" u32) (result u64)))))"#,
            ),
            "imports `now` of wasi:clocks/monotonic-clock@0.2.0 with another type than this host's (parameters:",
        ),
        (
            bare(
                r#"(import "wasi:clocks/monotonic-clock@0.3.0"
                    (instance (export "wait-for" (func (param "how-long" u64)))))"#,
            ),
            "imports `wait-for` of wasi:clocks/monotonic-clock@0.3.0 with another type than this host's (one is `async`, \
             the other is not)",
        ),
        (
            bare(""),
            "exports forebay:plugin/transform@0.2.0 without its function `describe`; build the plugin with",
        ),
        (
            exporting(
                "forebay:plugin/transform@0.2.0",
                r#"(export "describe" (func $f))"#,
            ),
            "exports `describe` of forebay:plugin/transform@0.2.0 with another type than this host's (expected",
        ),
    ] {
        let error = arena.host.load("p", component).await.unwrap_err();
        let Error::Load { reason, .. } = &error else {
            panic!("{error}");
        };
        assert!(matches!(reason, LoadError::Link(_)), "{reason:?}");
        assert!(
            reason.to_string().starts_with(says),
            "{reason}\nnot\n{says}"
        );
        println!("{error}");
    }
    arena.is_well().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_plugin_of_wasi_0_3_alone_streams_a_file() {
    alone!();
    let arena = Arena::new().await;
    let random = r#"
    (import "wasi:random/random@0.3.0" (instance $random (export "get-random-u64" (func (result u64)))))"#;
    let body = format!(
        "(local $begun i64)
        (local.set $begun (call $now))
        (call $wait-for (i64.const 1000000))
        (if (i64.lt_u (i64.sub (call $now) (local.get $begun)) (i64.const 1000000)) (then unreachable))
        (if (i64.eq (call $random) (call $random)) (then unreachable))
        {PASS_ON}"
    );
    let functions = [
        EMIT,
        NOW,
        WAIT_FOR,
        (
            "random",
            r#"(canon lower (func $random "get-random-u64"))"#,
            "(result i64)",
        ),
    ];
    let component = transform(&format!("{CLOCK}{OUTPUTS}{random}"), &functions, &body);
    let plugin = arena.host.load("p", component).await.unwrap();
    assert_eq!(plugin.name(), "only-3");
    assert!(
        plugin
            .imports()
            .iter()
            .all(|import| !import.starts_with("wasi:") || import.contains("@0.3"))
    );
    let (report, sink) = arena.run(Stage::new(&plugin)).await.unwrap();
    assert_eq!(report.files.len(), 1);
    assert_eq!(sink.take()[0].1, "some words\n".repeat(1000));
    arena.is_well().await;
}

/// A function that is not `async` cannot wait for one that is: so the component model has it.
#[tokio::test(flavor = "multi_thread")]
async fn a_file_plugin_that_waits_for_wasi_0_3_is_told_why_it_cannot() {
    alone!();
    let arena = Arena::new().await;
    let code = r#"
        (import "host" "wait-for" (func $wait-for (param i64)))
        (func (export "describe") (result i32) i32.const 64)
        (func (export "transform")
            (param i32 i32 i32 i32 i32 i64 i32 i32 i32 i32 i32 i32) (result i32)
            (call $wait-for (i64.const 1000000))
            i32.const 32)"#;
    let exports = r#"
    (type $output-file' (record (field "path" string) (field "name" string)))
    (export $output-file "output-file" (type $output-file'))
    (func $transform (param "input" $file-info) (param "input-path" string) (param "output-dir" string)
        (param "config" string) (result (result (list $output-file) (error $error)))
        (canon lift (core func $plugin "transform") (memory (core memory $memory "memory")) (realloc (core func $memory "realloc"))))
    (instance $transform
        (export "describe" (func $describe))
        (export "transform" (func $transform)))
    (export "forebay:plugin/file-transform@0.2.0" (instance $transform))"#;
    let needs = r#"(export "wait-for" (func $wait-for))"#;
    let clock = format!(r#"{CLOCK}(core func $wait-for (canon lower (func $clock "wait-for")))"#);
    let component = plugin(&clock, needs, code, exports);
    let plugin = arena.host.load("p", component).await.unwrap();
    let error = arena
        .run(Stage::new(&plugin))
        .await
        .unwrap_err()
        .to_string();
    assert!(
        error.contains("it waited in a function that is not `async`"),
        "{error}"
    );
    arena.is_well().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_granted_to_a_plugin_that_is_asked_what_it_is() {
    alone!();
    let arena = Arena::new().await;
    let imports = r#"
    (import "forebay:plugin/file-inputs@0.2.0" (instance $inputs
        (type $inline' (record (field "media-type" string) (field "data" (list u8))))
        (export "inline-data" (type $inline (eq $inline')))
        (type $input' (variant (case "asset-id" string) (case "url" string) (case "base64" $inline)))
        (export "file-input" (type $input (eq $input')))
        (type $error' (variant (case "denied" string) (case "invalid-url" string) (case "too-large" u64)
            (case "unsupported-type" string)))
        (export "input-error" (type $error (eq $error')))
        (export "from-url" (func (param "url" string) (result (result $input (error $error)))))))
    (core func $from-url (canon lower (func $inputs "from-url")
        (memory (core memory $memory "memory")) (realloc (core func $memory "realloc"))))"#;
    let code = r#"
        (import "host" "from-url" (func $from-url (param i32 i32 i32)))
        (func (export "describe") (result i32)
            (call $from-url (i32.const 0) (i32.const 0) (i32.const 1024))
            i32.const 64)
        (func (export "run") (param i32 i32) (result i32) i32.const 32)"#;
    let exports = r#"
    (func $run async (param "config" string) (result (result string (error $error)))
        (canon lift (core func $plugin "run") (memory (core memory $memory "memory")) (realloc (core func $memory "realloc"))))
    (instance $workflow
        (export "describe" (func $describe))
        (export "run" (func $run)))
    (export "forebay:plugin/workflow@0.2.0" (instance $workflow))"#;
    let needs = r#"(export "from-url" (func $from-url))"#;
    let curious = plugin(imports, needs, code, exports);
    let error = arena.host.load("p", curious).await.unwrap_err().to_string();
    assert!(
        error.contains(
            "called `from-url` of forebay:plugin/file-inputs@0.2.0, which is not granted while a plugin is asked what it is"
        ),
        "{error}"
    );
    let honest = code.replace(
        "(call $from-url (i32.const 0) (i32.const 0) (i32.const 1024))",
        "",
    );
    let honest = plugin(imports, needs, &honest, exports);
    arena.host.load("p", honest).await.unwrap();
    arena.is_well().await;
}
