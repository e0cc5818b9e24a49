//! No byte that leaves the command tells the API key or a presigned URL, whatever goes wrong and however much it is asked to
//! log; nor does any that a plugin sees.

use std::fs;
use std::path::Path;
use std::process::Output;

use forebay_emulator::Emulator;
use tempfile::TempDir;

use crate::{forebay_with, text, write_sparse};

const KEY: &str = "canary-key-5f2b9d";

/// What stands in every presigned URL of the emulator, and of S3.
const PRESIGNED: &str = "X-Amz-";

/// Everything that a run has written, but what it stored with the service.
fn told(folder: &Path, output: &Output) -> String {
    let files = walkdir::WalkDir::new(folder)
        .into_iter()
        .filter_map(|entry| {
            let entry = entry.unwrap();
            let ours =
                entry.file_type().is_file() && !entry.path().starts_with(folder.join("inputs"));
            ours.then(|| text(&fs::read(entry.path()).unwrap()))
        });
    let streams = [text(&output.stdout), text(&output.stderr)];
    files.chain(streams).collect()
}

#[test]
fn no_secret_is_told() {
    let folder = TempDir::new().unwrap();
    let inputs = folder.path().join("inputs");
    fs::create_dir(&inputs).unwrap();
    fs::copy(crate::demo("document.pdf"), inputs.join("document.pdf")).unwrap();
    // Over what one request takes.
    write_sparse(&inputs.join("large.pdf"), b"%PDF-1.7\n", 33_000_000);
    fs::write(
        folder.path().join("inputs/drill.wasm"),
        forebay_test_plugins::DRILL,
    )
    .unwrap();
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let emulator = Emulator::builder().api_key(KEY).start();
    let emulator = runtime.block_on(emulator).unwrap();
    let direct = "inputs/drill.wasm:exercise=direct,put=stream,complete=1";
    let workflow = ["run", "--workflow", direct, "-u", "inputs/document.pdf"];
    // Compiled once without the compiler's own log, of which there is a great deal.
    let warm = forebay_with(folder.path(), emulator.base_url(), KEY)
        .args(workflow)
        .output()
        .unwrap();
    assert!(warm.status.success(), "{}", text(&warm.stderr));
    let run = |key: &str, args: &[&str]| {
        let output = forebay_with(folder.path(), emulator.base_url(), key)
            .env("FOREBAY_LOG", "trace")
            .args(args)
            .output()
            .unwrap();
        let told = told(folder.path(), &output);
        for secret in [KEY, PRESIGNED] {
            assert!(!told.contains(secret), "{args:?} told {secret}:\n{told}");
        }
        (output.status.code(), told)
    };
    let upload = [
        "upload",
        "--journal",
        "j",
        "--report",
        "r.json",
        "inputs/large.pdf",
        "inputs/document.pdf",
    ];
    let (code, told) = run(KEY, &upload);
    assert_eq!(code, Some(0), "{told}");
    assert!(
        told.contains("asset_id"),
        "the report is among what was looked at"
    );

    let (code, told) = run(KEY, &workflow);
    assert_eq!(code, Some(0), "{told}");
    assert!(told.contains("expires_in_seconds"), "{told}");

    for (route, kind) in [
        ("put", r#""fault":"status","status":403"#),
        ("put", r#""fault":"status","status":400"#),
        ("put", r#""fault":"reset-before""#),
        ("put", r#""fault":"expired-url""#),
        ("create", r#""fault":"status","status":400"#),
        ("complete", r#""fault":"cut-short""#),
    ] {
        let fault = format!(r#"{{"route":"{route}",{kind},"times":1}}"#);
        emulator.inject(serde_json::from_str(&fault).unwrap());
        let (_, told) = run(KEY, &["upload", "inputs/large.pdf"]);
        assert!(!told.is_empty());
    }
    let (code, told) = run("canary-key-5f2b9", &["upload", "inputs/document.pdf"]);
    assert_eq!(code, Some(1), "{told}");
    assert!(
        !told.contains("canary"),
        "a wrong key is a secret, too: {told}"
    );
}
