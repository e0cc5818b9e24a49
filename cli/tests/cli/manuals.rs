//! `--help`, `forebay man` and `forebay completions`.

use std::process::Output;

use tempfile::TempDir;

use crate::{assert_success, forebay, names, text};

fn run(args: &[&str]) -> Output {
    let folder = TempDir::new().unwrap();
    forebay(folder.path()).args(args).output().unwrap()
}

#[test]
fn help_shows_templates_as_they_are_written() {
    let output = run(&["run", "--help"]);
    assert_success(&output);
    let help = text(&output.stdout);
    assert!(help.contains("such as `{stem}-{n}.{ext}`"), "{help}");
    assert!(!help.contains('\u{1b}'), "{help}");
    let output = run(&["--help"]);
    let help = text(&output.stdout);
    assert!(help.contains("--name '{stem}-{n}.{ext}' -o out"), "{help}");
}

#[test]
fn every_command_has_examples() {
    for command in [
        "run",
        "upload",
        "plugins",
        "inspect",
        "lock",
        "verify",
        "assets",
        "file-input",
        "emulator",
        "demo",
        "completions",
        "man",
    ] {
        let help = text(&run(&[command, "--help"]).stdout);
        let (_, examples) = help
            .split_once("\nExamples:\n")
            .unwrap_or_else(|| panic!("{command}: {help}"));
        assert!(
            examples.contains(&format!("forebay {command}")),
            "{command}: {help}"
        );
    }
}

#[test]
fn every_command_has_a_page_of_its_own() {
    let folder = TempDir::new().unwrap();
    let mut command = forebay(folder.path());
    assert_success(&command.args(["man", "--dir", "man1"]).output().unwrap());
    let pages = names(&folder.path().join("man1"));
    for page in ["forebay.1", "forebay-run.1", "forebay-assets-list.1"] {
        assert!(pages.contains(&page.to_owned()), "{page}: {pages:?}");
        let words: Vec<&str> = page.trim_end_matches(".1").split('-').skip(1).collect();
        let printed = run(&[&["man"][..], &words].concat());
        assert_success(&printed);
        let page = std::fs::read(folder.path().join("man1").join(page)).unwrap();
        assert_eq!(text(&printed.stdout), text(&page));
    }
    let page = text(&run(&["man", "run"]).stdout);
    assert!(page.contains("such as `{stem}\\-{n}.{ext}`"), "{page}");
    let output = run(&["man", "walk"]);
    assert_eq!(output.status.code(), Some(2));
    assert!(
        text(&output.stderr)
            .starts_with("forebay: man: there is no command `walk`; there are: run, ")
    );
}

#[test]
fn completions_know_the_commands() {
    for shell in ["bash", "zsh", "fish", "powershell", "elvish"] {
        let output = run(&["completions", shell]);
        assert_success(&output);
        let script = text(&output.stdout);
        assert!(
            script.contains("file-input") && script.contains("log-file"),
            "{shell}"
        );
    }
    let output = run(&["completions", "cmd"]);
    assert_eq!(output.status.code(), Some(2));
    assert!(text(&output.stderr).contains("possible values: bash, elvish, fish, powershell, zsh"));
}
