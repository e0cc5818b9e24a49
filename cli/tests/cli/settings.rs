//! Settings from files: what they set, what wins over them, and what a `forebay.toml` of somebody else cannot do.

use std::fs;
use std::path::Path;
use std::process::{Command, Output};

use tempfile::TempDir;

use crate::{Emulator, assert_refused, assert_success, demo, forebay, json, names, text};

/// Writes the user's own settings.
fn write_own(folder: &Path, text: &str) {
    let own = folder.join("config-home/forebay");
    fs::create_dir_all(&own).unwrap();
    fs::write(own.join("config.toml"), text).unwrap();
}

fn upload(folder: &Path) -> Command {
    let mut command = forebay(folder);
    command.arg("upload").arg(demo("photo.jpg"));
    command
}

fn output(mut command: Command, args: &[&str]) -> Output {
    command.args(args).output().unwrap()
}

#[test]
fn the_users_settings_say_where_to_and_with_which_key() {
    let folder = TempDir::new().unwrap();
    let emulator = Emulator::start(folder.path(), &["--api-key", "right"]);
    let own = folder.path().join("config-home/forebay");
    let with = |key: &str| {
        write_own(
            folder.path(),
            &format!("base_url = \"{}\"\n{key}\n", emulator.url),
        );
    };
    with("key_file = \"key\"");
    fs::write(own.join("key"), "right\n").unwrap();
    assert_success(&output(upload(folder.path()), &[]));
    assert_success(&output(forebay(folder.path()), &["assets", "list"]));

    // The environment wins over the file, and a flag over both.
    let mut command = upload(folder.path());
    command.env("HEYGEN_API_KEY", "wrong");
    let refused = output(command, &[]);
    assert!(text(&refused.stderr).contains("401 unauthorized"));
    let mut command = upload(folder.path());
    command.env("HEYGEN_BASE_URL", "http://127.0.0.1:1");
    let planned = text(&output(command, &["--dry-run"]).stdout);
    assert!(
        planned.contains("to the Assets API at http://127.0.0.1:1\n"),
        "{planned}"
    );
    let planned = output(
        upload(folder.path()),
        &["--dry-run", "--base-url", "http://127.0.0.1:2"],
    );
    assert!(text(&planned.stdout).contains("to the Assets API at http://127.0.0.1:2\n"));

    fs::write(own.join("key"), "\n").unwrap();
    let refused = output(upload(folder.path()), &[]);
    let line = text(&refused.stderr);
    assert!(
        line.contains(": its first line is empty; the key is to be there\n"),
        "{line}"
    );
    assert_eq!(refused.status.code(), Some(2));
}

#[test]
fn the_key_goes_over_plain_http_only_where_that_is_allowed() {
    let folder = TempDir::new().unwrap();
    let address = "http://api.example:8080";
    let with = |url: &str, args: &[&str]| {
        let mut command = upload(folder.path());
        command.env("HEYGEN_BASE_URL", url);
        output(command, args)
    };
    // The key would be read by a command, and it is not run.
    let own = |rest: &str| {
        write_own(
            folder.path(),
            &format!("key_command = ['touch', 'ran']\n{rest}"),
        );
    };
    own("");
    let line = "forebay: base URL: the key would go over plain http to api.example, where others can read it; use an https \
                address, or allow the host by name (`allow_http`): `--allow-http api.example`, or `allow_http = \
                [\"api.example\"]` in your config.toml";
    for args in [&["--dry-run"] as &[_], &["--allow-http", "example"], &[]] {
        assert_refused(&with(address, args), 2, line);
    }
    let mut list = forebay(folder.path());
    list.env("HEYGEN_BASE_URL", address);
    assert_refused(&output(list, &["assets", "list"]), 2, line);
    assert!(!names(folder.path()).contains(&"ran".to_owned()));

    let planned = with(address, &["--dry-run", "--allow-http", "API.example"]);
    assert_success(&planned);
    own("allow_http = ['other.example', 'api.example']");
    assert_success(&with(address, &["--dry-run"]));
    assert_success(&with(
        address,
        &["--dry-run", "--allow-http", "third.example"],
    ));
    assert_refused(
        &with(
            "http://10.0.0.1",
            &["--dry-run", "--allow-http", "10.0.0.1:80"],
        ),
        2,
        "forebay: allow_http `10.0.0.1:80`: not a host; give its name or address without scheme and port, such as \
         `api.example`",
    );
}

#[test]
fn a_base_url_that_cannot_be_used_is_told_and_no_secret_in_it() {
    let folder = TempDir::new().unwrap();
    for url in [
        "",
        " ",
        "api.heygen.com",
        "ftp://api.example",
        "https://user:canary@api.example",
        "https://user:canary@api.example:0x",
        "https://api.example/?key=canary",
        "https://api.example/#canary",
    ] {
        for args in [&["--dry-run"] as &[_], &["--dry-run", "--json"], &["-vvv"]] {
            let mut command = upload(folder.path());
            command
                .env("HEYGEN_BASE_URL", url)
                .env("HEYGEN_API_KEY", "any")
                .env("FOREBAY_LOG", "trace");
            let refused = output(command, args);
            let told = text(&refused.stderr);
            assert_eq!(refused.status.code(), Some(2), "{told}");
            assert_eq!(text(&refused.stdout), "");
            assert!(told.contains("forebay: base URL"), "{told}");
            assert!(told.contains("HEYGEN_BASE_URL"), "{told}");
            assert!(!told.contains("canary"), "{told}");
        }
    }
}

#[cfg(unix)]
#[test]
fn a_key_file_that_others_can_read_is_told() {
    use std::os::unix::fs::PermissionsExt as _;
    let folder = TempDir::new().unwrap();
    let emulator = Emulator::start(folder.path(), &[]);
    let key = folder.path().join("key");
    fs::write(&key, "any\n").unwrap();
    let key = key.to_str().unwrap();
    write_own(
        folder.path(),
        &format!("base_url = \"{}\"\nkey_file = '{key}'", emulator.url),
    );
    for (mode, told) in [(0o644, true), (0o600, false)] {
        fs::set_permissions(key, fs::Permissions::from_mode(mode)).unwrap();
        let ended = output(upload(folder.path()), &[]);
        assert_success(&ended);
        let line = format!("key_file {key}: other users can read it; `chmod 600` mends that\n");
        assert_eq!(text(&ended.stderr).contains(&line), told);
    }
}

#[cfg(unix)]
#[test]
fn a_command_prints_the_key() {
    let folder = TempDir::new().unwrap();
    let emulator = Emulator::start(folder.path(), &["--api-key", "right"]);
    let with = |command: &str| {
        write_own(
            folder.path(),
            &format!("base_url = \"{}\"\nkey_command = {command}\n", emulator.url),
        );
    };
    // Only its first line is the key, as password managers print it. No shell reads the arguments.
    with(r#"["printf", "right\nuser: $(touch shell)\n"]"#);
    assert_success(&output(upload(folder.path()), &[]));
    assert!(!names(folder.path()).contains(&"shell".to_owned()));
    let own = folder.path().join("config-home/forebay/config.toml");
    let own = own.display();
    for (command, line) in [
        (
            "['false']",
            format!("forebay: key_command `false` of {own}: exit status: 1"),
        ),
        (
            "['true']",
            format!(
                "forebay: key_command `true` of {own}: its first line is empty; the key is to be there"
            ),
        ),
        (
            "['./none']",
            format!(
                "forebay: key_command `./none` of {own}: No such file or directory (os error 2)"
            ),
        ),
    ] {
        with(command);
        assert_refused(&output(upload(folder.path()), &[]), 2, &line);
    }
    // It is not run for a plan, which needs no key, nor if the environment has one.
    with(r#"["touch", "ran"]"#);
    assert_success(&output(upload(folder.path()), &["--dry-run"]));
    let mut command = upload(folder.path());
    command.env("HEYGEN_API_KEY", "right");
    assert_success(&output(command, &[]));
    assert!(!names(folder.path()).contains(&"ran".to_owned()));
}

#[test]
fn a_folders_file_decides_neither_about_the_key_nor_where_it_goes() {
    let folder = TempDir::new().unwrap();
    let emulator = Emulator::start(folder.path(), &[]);
    write_own(folder.path(), &format!("base_url = \"{}\"", emulator.url));
    for (name, setting) in [
        ("key_command", "key_command = ['touch', 'ran']"),
        ("key_file", "key_file = '/etc/hostname'"),
        ("base_url", "base_url = 'https://example.com'"),
        ("allow_http", "allow_http = ['example.com']"),
    ] {
        fs::write(folder.path().join("forebay.toml"), setting).unwrap();
        for key in [false, true] {
            let mut command = upload(folder.path());
            if key {
                command.env("HEYGEN_API_KEY", "a secret");
            }
            let own = folder.path().join("config-home/forebay/config.toml");
            let line = format!(
                "forebay: forebay.toml: `{name}` is not taken from the current folder, which may be somebody else's: it decides \
                 where your API key comes from and goes to. Write it into {} or a file that you name with --config; `--config \
                 forebay.toml` trusts this one",
                own.display()
            );
            assert_refused(&output(command, &[]), 2, &line);
        }
        assert!(!names(folder.path()).contains(&"ran".to_owned()));
        // Another file can be named in its place.
        fs::write(
            folder.path().join("mine.toml"),
            format!("base_url = '{}'", emulator.url),
        )
        .unwrap();
        let mut command = upload(folder.path());
        command.env("HEYGEN_API_KEY", "any");
        assert_success(&output(command, &["--config", "mine.toml"]));
    }
    #[cfg(unix)]
    {
        let trusted = format!(
            "base_url = '{}'\nkey_command = ['echo', 'any']",
            emulator.url
        );
        fs::write(folder.path().join("forebay.toml"), trusted).unwrap();
        assert_success(&output(
            upload(folder.path()),
            &["--config", "forebay.toml"],
        ));
    }
}

const PIPELINES: &str = r#"
[[pipelines.small.stages]]
plugin = "image-resize"
config = { max_width = 64 }
"#;

#[test]
fn pipelines_are_named() {
    let folder = TempDir::new().unwrap();
    let photo = demo("photo.jpg");
    let photo = photo.to_str().unwrap();
    let run = |args: &[&str]| {
        output(
            forebay(folder.path()),
            &[&["run", "-fo", "out", photo], args].concat(),
        )
    };
    fs::write(
        folder.path().join("forebay.toml"),
        format!("jobs = 2\n{PIPELINES}"),
    )
    .unwrap();
    write_own(
        folder.path(),
        "[[pipelines.plain.stages]]\nplugin = 'strip-metadata'\n",
    );
    let config = folder.path().join("config-home/forebay/config.toml");
    let config = config.display();
    for name in [
        "small",
        "plain",
        "forebay.toml#small",
        "./forebay.toml",
        &format!("{config}#plain"),
    ] {
        assert_success(&run(&["-p", name]));
    }
    assert_refused(
        &run(&["-p", "big"]),
        2,
        &format!(
            "forebay: -p big: there is neither a file nor a pipeline of this name; pipelines are: plain ({config}), small (forebay.toml)"
        ),
    );
    // A folder's file cannot replace a pipeline of the user's.
    write_own(folder.path(), PIPELINES);
    assert_refused(
        &run(&["-p", "small"]),
        2,
        &format!(
            "forebay: -p small: there is a pipeline of this name in {config} and in forebay.toml; say which: `-p '{config}#small'` or `-p 'forebay.toml#small'`"
        ),
    );
    assert_success(&run(&["-p", "forebay.toml#small"]));
    let inspected = output(
        forebay(folder.path()),
        &[
            "inspect",
            "image-resize",
            "-p",
            "forebay.toml#small",
            "--json",
        ],
    );
    assert_eq!(
        json(&inspected.stdout)["granted"].as_array().unwrap().len(),
        1
    );
    fs::write(
        folder.path().join("mine.toml"),
        format!("jobs = 1\n{PIPELINES}"),
    )
    .unwrap();
    assert_success(&run(&["--config", "mine.toml", "-p", "small"]));
    // The lock is beside the file.
    let locked = output(
        forebay(folder.path()),
        &["lock", "--config", "mine.toml", "-p", "small"],
    );
    assert_success(&locked);
    assert!(names(folder.path()).contains(&"forebay.lock".to_owned()));
    // Elsewhere, settings have no meaning.
    let refused = run(&["-p", "mine.toml"]);
    assert!(
        text(&refused.stderr).contains("unknown field `jobs`"),
        "{}",
        text(&refused.stderr)
    );
}

#[test]
fn a_file_that_is_wrong_is_told_with_what_it_may_hold() {
    let folder = TempDir::new().unwrap();
    let wrong = |text: &str| {
        write_own(folder.path(), text);
        let output = output(upload(folder.path()), &["--dry-run"]);
        assert_eq!(output.status.code(), Some(2));
        crate::text(&output.stderr)
    };
    let told = wrong("jobs = 2\nbase-url = 'x'\n");
    assert!(
        told.contains("config.toml: TOML parse error at line 2")
            && told.contains("unknown field `base-url`, expected one of `base_url`, `allow_http`, `key_file`, `key_command`, `jobs`, `pipelines`"),
        "{told}"
    );
    assert!(wrong("jobs = 0").contains("`jobs` is 0; it is a number from 1 to 256\n"));
    assert!(wrong("jobs = 'x'").contains("`jobs` is \"x\"; it is a number from 1 to 256\n"));
    for text in [
        "key_command = 'pass show'",
        "key_command = []",
        "key_command = ['']",
    ] {
        let told = wrong(text);
        assert!(
            told.contains(
                "`key_command` is a list of a program and its arguments, such as [\"pass\", "
            ),
            "{told}"
        );
    }
    assert!(
        wrong("key_file = 'a'\nkey_command = ['b']")
            .contains("give either `key_file` or `key_command`\n")
    );
    // A mistake in a pipeline is told with its line in the file.
    write_own(
        folder.path(),
        "jobs = 1\n\n[[pipelines.a.stages]]\nplugin = 'identity'\nlimit = 1\n",
    );
    let photo = demo("photo.jpg");
    let args = ["run", "-p", "a", "-o", "out", photo.to_str().unwrap()];
    let told = text(&output(forebay(folder.path()), &args).stderr);
    assert!(
        told.contains("line 5") && told.contains("unknown field `limit`"),
        "{told}"
    );
    // What needs no settings reads none.
    assert_success(&output(forebay(folder.path()), &["plugins"]));
    let none = output(upload(folder.path()), &["--config", "none.toml"]);
    assert_refused(
        &none,
        2,
        "forebay: --config none.toml: No such file or directory (os error 2)",
    );
}
