//! Plugins are compiled in a process of their own, within bounds.
#![allow(clippy::panic, reason = "tests")]

use std::time::Duration;

use forebay::{Error, Host, HostBuilder, LoadError};
use tempfile::TempDir;

/// A host that has the command compile for it, and keeps code in a folder of its own.
fn host(folder: &TempDir) -> HostBuilder {
    Host::builder()
        .cache_dir(folder.path())
        .compiler(env!("CARGO_BIN_EXE_forebay"), ["__compile-plugin"])
}

async fn problem(host: &Host, component: &[u8]) -> LoadError {
    match host.load("p", component).await {
        Err(Error::Load { reason, .. }) => reason,
        other => panic!("{other:?}"),
    }
}

/// A component of the stream world as far as its exports go, with functions that take long to compile.
fn slow_to_compile(functions: usize) -> Vec<u8> {
    let step = "local.get 0 if local.get 1 i32.const 1 i32.add local.set 1 else local.get 2 i32.const 3 i32.mul local.set 2 end ";
    let function = format!("(func (local i32 i32 i32) {})", step.repeat(25_000));
    let text = format!(
        r#"(component (core module {}) (instance $transform) (export "forebay:plugin/transform@0.2.0" (instance $transform)))"#,
        function.repeat(functions)
    );
    wat::parse_str(text).unwrap()
}

#[tokio::test]
async fn code_is_made_once_and_kept() {
    let folder = tempfile::tempdir().unwrap();
    let first = host(&folder).build().unwrap();
    let made = first.load("identity", forebay_bundled::IDENTITY).await;
    let kept = || folder.path().join("compiled").read_dir().unwrap().count();
    assert_eq!(kept(), 2, "code, and what the plugin says of itself");
    // There is no such compiler: it is not asked.
    let second = Host::builder()
        .cache_dir(folder.path())
        .compiler("/nowhere/forebay", ["x"])
        .build()
        .unwrap();
    let found = second.load("identity", forebay_bundled::IDENTITY).await;
    assert_eq!(made.unwrap().descriptor(), found.unwrap().descriptor());
    let error = problem(&second, forebay_bundled::MEDIA_KIT).await;
    assert!(matches!(error, LoadError::Compiler(_)), "{error}");
    assert!(error.to_string().contains("/nowhere/forebay"), "{error}");
    assert_eq!(kept(), 2, "nothing of what failed is left");
    // Damaged code is made anew.
    for entry in folder.path().join("compiled").read_dir().unwrap() {
        std::fs::write(entry.unwrap().path(), "damaged").unwrap();
    }
    let third = host(&folder).build().unwrap();
    third
        .load("identity", forebay_bundled::IDENTITY)
        .await
        .unwrap();
}

#[tokio::test]
async fn a_plugin_loads_though_its_code_cannot_be_kept() {
    for has_compiler in [true, false] {
        let folder = tempfile::tempdir().unwrap();
        let builder = if has_compiler {
            host(&folder)
        } else {
            Host::builder().cache_dir(folder.path())
        };
        let host = builder.build().unwrap();
        std::fs::remove_dir_all(folder.path().join("compiled")).unwrap();
        let plugin = host.load("identity", forebay_bundled::IDENTITY).await;
        assert_eq!(plugin.unwrap().name(), "identity");
        assert_eq!(folder.path().read_dir().unwrap().count(), 0);
    }
}

#[tokio::test]
async fn a_component_is_told_to_be_none_by_the_other_process() {
    let folder = tempfile::tempdir().unwrap();
    let host = host(&folder).build().unwrap();
    // It reads as one, and its code is not valid.
    let invalid = wat::parse_str(
        r#"(component (core module (func (result i32) nop)) (instance $transform) (export "forebay:plugin/transform@0.2.0" (instance $transform)))"#,
    );
    let error = problem(&host, &invalid.unwrap()).await;
    assert!(
        matches!(&error, LoadError::NotAComponent(why) if why.contains("type mismatch")),
        "{error}"
    );
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn compiling_is_bounded_in_time_and_ended() {
    let folder = tempfile::tempdir().unwrap();
    let host = host(&folder)
        .compile_time(Duration::from_millis(300))
        .build()
        .unwrap();
    let error = problem(&host, &slow_to_compile(20)).await;
    assert!(matches!(error, LoadError::CompileTime(_)), "{error}");
    // Nothing works on in the background.
    let children = || {
        // Other tests of this process start the command as well, and what they compile ends soon.
        let own = std::process::id().to_string();
        let all = std::fs::read_dir("/proc").unwrap();
        all.filter_map(|process| {
            let process = process.ok()?.path();
            let arguments = std::fs::read_to_string(process.join("cmdline")).ok()?;
            let stat = std::fs::read_to_string(process.join("stat")).ok()?;
            // Behind the name in parentheses: the state, and the parent.
            let parent = stat
                .rsplit(')')
                .next()?
                .split_whitespace()
                .nth(1)?
                .to_owned();
            (arguments.contains("__compile-plugin") && parent == own).then_some(())
        })
        .count()
    };
    let deadline = std::time::Instant::now() + Duration::from_secs(60);
    while children() > 0 {
        assert!(std::time::Instant::now() < deadline, "it compiles on");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    assert_eq!(
        folder.path().join("compiled").read_dir().unwrap().count(),
        0
    );
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn compiling_is_bounded_in_memory() {
    let folder = tempfile::tempdir().unwrap();
    let host = host(&folder).compile_memory(60 << 20).build().unwrap();
    let error = problem(&host, &slow_to_compile(4)).await;
    assert!(matches!(error, LoadError::CompileMemory(_)), "{error}");
    assert!(error.to_string().contains("60.0 MiB"), "{error}");
}
