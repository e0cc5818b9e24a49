//! What a user sees of a service that misbehaves.

use std::fs;

use serde_json::json;
use tempfile::TempDir;

use crate::{Emulator, demo, forebay_with, text};

#[test]
fn a_retry_names_its_file_and_flags_reach_the_client() {
    let folder = TempDir::new().unwrap();
    let fault =
        json!({ "route": "upload", "fault": "status", "status": 503, "times": 2 }).to_string();
    let emulator = Emulator::start(folder.path(), &["--fault", &fault]);
    let upload = |flags: &[&str]| {
        forebay_with(folder.path(), &emulator.url, "k")
            .arg("upload")
            .args(flags)
            .arg(demo("document.pdf"))
            .output()
            .unwrap()
    };
    let output = upload(&["--retries", "0", "--timeout", "90s", "--bwlimit", "10MB"]);
    let said = text(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(!said.contains("again in"), "{said}");
    let output = upload(&["--retries", "1"]);
    let said = text(&output.stderr);
    assert!(output.status.success(), "{said}");
    let retry = said
        .lines()
        .find(|line| line.contains("; again in "))
        .unwrap();
    assert!(retry.contains("document.pdf: upload: "), "{retry}");
    for wrong in [
        ["--timeout", "0s"],
        ["--retries", "many"],
        ["--bwlimit", "10"],
    ] {
        let output = upload(&wrong);
        assert_eq!(output.status.code(), Some(2), "{wrong:?}");
        assert!(text(&output.stderr).contains(wrong[0]), "{wrong:?}");
    }
}

#[test]
fn nothing_that_the_service_says_reaches_the_terminal_as_it_is() {
    let folder = TempDir::new().unwrap();
    let evil = "\u{1b}]0;owned\u{7}evil\nast_fake\timage\tgood.png\thttps://x";
    let page = json!({
        "data": [{ "id": "ast_1", "type": "image", "name": evil, "url": "https://x/" }],
        "has_more": false, "next_token": null,
    });
    let error =
        json!({ "error": { "code": "c\u{1b}[31m\nforebay: ast_1: deleted", "message": "m" } });
    let fault = |route: &str, status: u16, body: String| {
        json!({ "route": route, "fault": "answer", "status": status, "body": body, "times": 9 })
            .to_string()
    };
    let emulator = Emulator::start(
        folder.path(),
        &[
            "--fault",
            &fault("list", 200, page.to_string()),
            "--fault",
            &fault("delete", 400, error.to_string()),
        ],
    );
    let run = |args: &[&str]| {
        forebay_with(folder.path(), &emulator.url, "k")
            .args(args)
            .output()
            .unwrap()
    };
    let listed = text(&run(&["assets", "list"]).stdout);
    assert_eq!(listed.lines().count(), 1, "{listed:?}");
    assert!(!listed.contains(['\u{1b}', '\u{7}']), "{listed:?}");
    let refused = text(&run(&["assets", "delete", "ast_1"]).stderr);
    // And the summary.
    assert_eq!(refused.lines().count(), 2, "{refused:?}");
    assert!(!refused.contains('\u{1b}'), "{refused:?}");
}

#[test]
fn forty_files_and_nobody_there_end_soon_and_name_the_host() {
    let folder = TempDir::new().unwrap();
    let files = folder.path().join("files");
    fs::create_dir(&files).unwrap();
    for at in 0..40 {
        fs::copy(demo("document.pdf"), files.join(format!("{at}.pdf"))).unwrap();
    }
    let port = std::net::TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap()
        .port();
    let output = forebay_with(folder.path(), &format!("http://127.0.0.1:{port}"), "k")
        .args(["upload", "--jobs", "1", "--retries", "1", "files"])
        .output()
        .unwrap();
    let said = text(&output.stderr);
    assert_eq!(output.status.code(), Some(1));
    assert_eq!(said.matches("; again in ").count(), 1, "{said}");
    assert_eq!(
        said.matches(&format!("no connection to 127.0.0.1:{port}"))
            .count(),
        3,
        "one retry, one failure, and one line for all others: {said}"
    );
    assert!(said.contains("; 39 files not tried\n"), "{said}");
    assert!(
        said.ends_with("nothing done; 1 failed; 39 not tried\n"),
        "{said}"
    );
}
