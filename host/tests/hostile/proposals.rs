//! Plugins that use newer parts of WebAssembly and of the component model: what this host does not have is refused when it is
//! loaded, and what it has is under the limits.

use forebay::Stage;

use crate::Arena;
use crate::by_hand::{Function, OUTPUTS, TRANSFORM, forever, transform, transform_with};
use crate::common::alone;
use crate::tight;

/// Makes objects of a heap that the host collects, and keeps all.
fn collected() -> Vec<u8> {
    let more = "
        (type $bytes (array (mut i8)))
        (rec (type $list (struct (field (ref null $list)) (field (ref $bytes)))))
        (global $all (mut (ref null $list)) (ref.null $list))";
    let body = forever(
        "(global.set $all (struct.new $list (global.get $all) (array.new $bytes (i32.const 1) (i32.const 1000000))))",
    );
    transform_with(OUTPUTS, &[], &body, more, TRANSFORM)
}

/// A memory with addresses of 64 bits, larger than any machine has.
fn wide() -> Vec<u8> {
    let more = "(memory $wide i64 1)";
    let body = forever("(drop (memory.grow $wide (i64.const 16)))");
    transform_with(OUTPUTS, &[], &body, more, TRANSFORM)
}

/// Says why things went wrong, at length and without end. The host keeps what is said.
fn contexts() -> Vec<u8> {
    let new = r#"(canon error-context.new (memory (core memory $memory "memory")))"#;
    let functions: [Function; 1] = [("new", new, "(param i32 i32) (result i32)")];
    let body = forever("(drop (call $new (i32.const 0) (i32.const 65536)))");
    transform(OUTPUTS, &functions, &body)
}

/// Gives its way through the threads of the component model without end.
fn threads() -> Vec<u8> {
    let functions: [Function; 1] = [("index", "(canon thread.index)", "(result i32)")];
    transform(OUTPUTS, &functions, &forever("(drop (call $index))"))
}

#[tokio::test(flavor = "multi_thread")]
async fn newer_parts_are_refused_or_under_the_limits() {
    alone!();
    let arena = Arena::new().await;
    for (what, component, refused) in [
        (
            "collected objects",
            collected(),
            Some("cannot define array types when gc types are disabled"),
        ),
        (
            "error contexts",
            contexts(),
            Some("`error-context.new` requires the component model error-context feature"),
        ),
        (
            "threads",
            threads(),
            Some("`thread.index` requires the component model threading feature"),
        ),
        ("a wide memory", wide(), None),
    ] {
        let Some(refused) = refused else {
            let plugin = arena.load(component).await;
            let stage = Stage::new(&plugin).limits(tight());
            arena.row_of(what, stage, "`memory` of 64.0 MiB").await;
            continue;
        };
        let error = arena.host.load("p", component).await.unwrap_err();
        assert!(error.to_string().contains(refused), "{what}: {error}");
    }
    arena.is_well().await;
}
