//! `forebay assets`: lists, downloads and deletes.

use std::fs;
use std::io::{BufRead as _, BufReader, Write as _};
use std::net::TcpListener;
use std::path::Path;
use std::process::{Output, Stdio};
use std::sync::{Arc, Mutex};

use tempfile::TempDir;

use crate::{
    Emulator, assert_failed, assert_refused, assert_success, demo, forebay_with, json, names, text,
};

/// A folder with an emulator that holds this many subtitles and a photo, which is the newest.
struct Holding {
    folder: TempDir,
    emulator: Emulator,
}

impl Holding {
    fn new(subtitles: usize) -> Self {
        let folder = TempDir::new().unwrap();
        let emulator = Emulator::start(folder.path(), &[]);
        let files = folder.path().join("files");
        fs::create_dir(&files).unwrap();
        for at in 0..subtitles {
            let content = format!("{at}\n00:00:00,000 --> 00:00:01,000\nHi {at}\n");
            fs::write(files.join(format!("{at:02}.srt")), content).unwrap();
        }
        let this = Self { folder, emulator };
        if subtitles > 0 {
            assert_success(&this.run(&["upload", "files"]));
        }
        let photo = demo("photo.jpg");
        assert_success(&this.run(&["upload", photo.to_str().unwrap()]));
        this
    }

    fn path(&self) -> &Path {
        self.folder.path()
    }

    fn run(&self, args: &[&str]) -> Output {
        let mut command = forebay_with(self.path(), &self.emulator.url, "any");
        command.args(args).stdin(Stdio::null()).output().unwrap()
    }

    /// The lines of a list, each as its columns.
    fn listed(&self, args: &[&str]) -> Vec<Vec<String>> {
        let output = self.run(&[&["assets", "list"], args].concat());
        assert_success(&output);
        let lines = text(&output.stdout);
        let columns = |line: &str| line.split('\t').map(str::to_owned).collect();
        lines.lines().map(columns).collect()
    }

    fn held(&self) -> usize {
        self.listed(&["--all"]).len()
    }
}

#[test]
fn a_list_has_the_time_the_size_and_the_kind() {
    let holding = Holding::new(22);
    let list = holding.listed(&["--size"]);
    assert_eq!(list.len(), 20, "the newest");
    let photo = &list[0];
    let size = fs::metadata(demo("photo.jpg")).unwrap().len();
    assert_eq!(size, 798_526);
    assert_eq!(photo[2..5], ["798.5 kB", "image", "photo.jpg"]);
    let time = &photo[1];
    assert!(
        time.starts_with("20") && time.ends_with('Z') && time.len() == 20,
        "{time}"
    );
    assert!(photo[5].starts_with("http://"));
    assert_eq!(
        holding.listed(&["-n", "1"])[0][2],
        "-",
        "a size is asked for by a flag"
    );
    assert_eq!(holding.listed(&["--all"]).len(), 23);
    assert_eq!(holding.listed(&["--all", "--name", "0?.srt"]).len(), 10);
    assert_eq!(holding.listed(&["-n", "3", "--name", "*.srt"]).len(), 3);
    assert_eq!(holding.listed(&["--all", "--older-than", "0s"]).len(), 23);
    assert_eq!(holding.listed(&["--all", "--older-than", "30d"]).len(), 0);
    let shown = holding.run(&["assets", "list", "--json", "--size", "--name", "photo.*"]);
    assert_eq!(json(&shown.stdout)["size_bytes"], size);
    let refused = holding.run(&["assets", "list", "--name", "a["]);
    assert_eq!(refused.status.code(), Some(2));
}

#[test]
fn assets_are_downloaded_whole_and_replace_nothing() {
    let holding = Holding::new(0);
    let id = holding.listed(&[])[0][0].clone();
    let get = |args: &[&str]| {
        holding.run(&[&["assets", "get", &id, "--download", "-o", "out"], args].concat())
    };
    let output = get(&[]);
    assert_success(&output);
    assert_eq!(text(&output.stdout), "out/photo.jpg\n");
    let out = holding.path().join("out/photo.jpg");
    let photo = fs::read(demo("photo.jpg")).unwrap();
    assert!(fs::read(&out).unwrap() == photo);

    fs::write(&out, "older").unwrap();
    let line =
        format!("forebay: {id}: photo.jpg: out/photo.jpg exists already; --force replaces it");
    assert_refused(&get(&[]), 1, &line);
    assert_eq!(fs::read_to_string(&out).unwrap(), "older");
    let output = get(&["--force", "--json"]);
    assert_success(&output);
    assert_eq!(json(&output.stdout)["path"], "out/photo.jpg");
    assert!(fs::read(&out).unwrap() == photo);
    let output = get(&["ast_none", "--force"]);
    assert_eq!(output.status.code(), Some(1));
    assert_eq!(
        text(&output.stdout),
        "out/photo.jpg\n",
        "the others are done"
    );
}

#[test]
fn what_is_found_is_deleted_only_if_it_is_confirmed() {
    let holding = Holding::new(3);
    let delete = |args: &[&str]| holding.run(&[&["assets", "delete"], args].concat());
    let output = delete(&["--name", "*.srt", "--dry-run"]);
    assert_success(&output);
    assert_eq!(text(&output.stdout).lines().count(), 3);
    assert_eq!(text(&output.stderr), "3 assets found, nothing deleted\n");
    let output = delete(&["--name", "*.srt"]);
    assert_failed(
        &output,
        2,
        "forebay: 3 assets would be deleted, and there is no terminal to ask on; --yes deletes without asking",
    );
    assert!(
        text(&output.stderr).contains("\t01.srt\t"),
        "they are listed first"
    );
    assert_success(&delete(&["--older-than", "30d", "--yes"]));
    for args in [
        [].as_slice(),
        &["--yes"],
        &["--folder", "f"],
        &["ast_1", "--name", "*"],
        &["ast_1", "--older-than", "0s"],
    ] {
        assert_eq!(delete(args).status.code(), Some(2), "{args:?}");
    }
    assert_eq!(holding.held(), 4);
    let output = delete(&["--name", "*.srt", "--older-than", "0s", "--yes"]);
    assert_success(&output);
    assert_eq!(text(&output.stdout).lines().count(), 3);
    assert_eq!(text(&output.stderr), "3 assets deleted\n");
    assert_eq!(holding.held(), 1);
}

/// A service with one asset. Its file breaks off after four bytes, and can be continued. Returns its URL, and the heads of
/// the requests for the file.
fn breaking_service() -> (String, Arc<Mutex<Vec<String>>>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let heads: Arc<Mutex<Vec<String>>> = Arc::default();
    let (told, at) = (heads.clone(), url.clone());
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            let mut head = String::new();
            let mut reader = BufReader::new(stream.try_clone().unwrap());
            while !head.ends_with("\r\n\r\n") && reader.read_line(&mut head).unwrap() > 0 {}
            let answer = if head.starts_with("GET /v3/assets/ast_1 ") {
                let body = format!(
                    "{{\"data\":{{\"id\":\"ast_1\",\"name\":\"../a\\u001b.txt\",\"url\":\"{at}/moved\"}}}}"
                );
                format!("200 OK\r\nContent-Length: {}\r\n\r\n{body}", body.len())
            } else if head.starts_with("GET /moved ") {
                "302 Found\r\nLocation: /file\r\nContent-Length: 0\r\n\r\n".to_owned()
            } else if head.contains("range: bytes=4-\r\n") {
                "206 Partial Content\r\nContent-Range: bytes 4-9/10\r\nContent-Length: 6\r\n\r\n456789".to_owned()
            } else {
                "200 OK\r\nETag: \"1\"\r\nContent-Length: 10\r\n\r\n0123".to_owned()
            };
            if !head.starts_with("GET /v3/") {
                told.lock().unwrap().push(head);
            }
            let _ = stream.write_all(
                format!(
                    "HTTP/1.1 {}",
                    answer.replacen("\r\n", "\r\nConnection: close\r\n", 1)
                )
                .as_bytes(),
            );
        }
    });
    (url, heads)
}

#[test]
fn a_download_that_breaks_is_continued_and_no_key_is_sent() {
    let folder = TempDir::new().unwrap();
    let (url, heads) = breaking_service();
    let output = forebay_with(folder.path(), &url, "a-secret")
        .args(["assets", "get", "ast_1", "--download"])
        .output()
        .unwrap();
    assert_success(&output);
    let written: Vec<String> = names(folder.path())
        .into_iter()
        .filter(|name| name.ends_with(".txt"))
        .collect();
    assert_eq!(written.len(), 1, "{written:?}");
    assert!(!written[0].contains(['/', '\u{1b}']), "{written:?}");
    assert_eq!(
        fs::read_to_string(folder.path().join(&written[0])).unwrap(),
        "0123456789"
    );
    let heads = heads.lock().unwrap();
    assert!(
        heads
            .iter()
            .any(|head| head.contains("if-range: \"1\"\r\n")),
        "{heads:?}"
    );
    assert!(
        !heads.iter().any(|head| head.contains("a-secret")),
        "{heads:?}"
    );
}
