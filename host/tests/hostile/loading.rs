//! What can go wrong before a plugin has a file: components that are none, that ask for too much, or that lie about
//! themselves.

use std::time::{Duration, Instant};

use forebay::{Error, Host, LoadError, Pipeline, Stage};

use crate::Arena;

#[tokio::test(flavor = "multi_thread")]
async fn plugins_that_are_asked_what_they_are() {
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
        ("schema-refs-doubling", "unfolds to more than"),
        ("schema-escapes", "holds control characters"),
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

/// A component of the stream world as far as its type goes, with these imports.
fn component(imports: &str) -> Vec<u8> {
    let text = format!(
        r#"(component {imports}
            (instance $transform)
            (export "forebay:plugin/transform@0.1.0" (instance $transform)))"#
    );
    wat::parse_str(text).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn what_asks_for_the_network_is_refused_in_words() {
    let arena = Arena::new().await;
    let asks = component(
        r#"(import "wasi:sockets/tcp@0.2.6" (instance)) (import "wasi:http/types@0.2.6" (instance))"#,
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
        text.starts_with("asks for the network (wasi:sockets/tcp@0.2.6, wasi:http/types@0.2.6)"),
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
    // One byte is another: what still loads still works or fails like any plugin.
    for at in (0..whole.len()).step_by(whole.len() / 60) {
        let mut bytes = whole.to_vec();
        bytes[at] ^= 0x55;
        if let Ok(plugin) = arena.host.load("p", bytes).await {
            let _ = arena.run(Stage::new(&plugin).limits(crate::tight())).await;
        }
    }
    arena.is_well().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_component_is_bounded_in_size_and_in_time_to_compile() {
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
    // The compiler is still at it; others measure what this process does.
    tokio::time::sleep(Duration::from_secs(1)).await;
    arena.is_well().await;
}
