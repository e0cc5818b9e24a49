//! The demo and the tests share their compiled dependencies: see the crate `workspace-features`.

/// What `cargo xtask demo` builds.
pub(crate) const DEMO: [&str; 4] = [
    "--package",
    "forebay-cli",
    "--package",
    "workspace-features",
];

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use std::collections::BTreeSet;

    use super::*;

    /// Every dependency of the selected packages, each with the features that it is compiled with.
    fn tree(selection: &[&str]) -> BTreeSet<String> {
        let workspace = crate::workspace().unwrap();
        let mut tree = crate::cargo_command(&workspace, &["tree", "--offline", "--prefix=none"]);
        let out = tree.args(["--format={p} [{f}]"]).args(selection).output();
        let out = out.unwrap();
        assert!(
            out.status.success(),
            "{}",
            String::from_utf8_lossy(&out.stderr)
        );
        let text = String::from_utf8(out.stdout).unwrap();
        text.lines()
            .map(|line| line.trim_end_matches(" (*)").to_owned())
            .collect()
    }

    #[test]
    fn the_demo_and_the_tests_compile_the_same_dependencies() {
        let demo = tree(&[&["--edges=normal,build"], &DEMO[..]].concat());
        let tests = tree(&["--workspace"]);
        let missing: Vec<_> = demo.difference(&tests).collect();
        assert!(
            missing.is_empty(),
            "the tests compile these with other features; add what they ask for to xtask/features/Cargo.toml: {missing:#?}"
        );
    }

    #[test]
    fn without_its_features_the_host_has_no_client_and_no_toml() {
        let host = ["--package=forebay", "--edges=no-dev"];
        let bare = tree(&[&host[..], &["--no-default-features"]].concat());
        let named = |tree: &BTreeSet<String>, name: &str| {
            let start = format!("{name} v");
            tree.iter().any(|package| package.starts_with(&start))
        };
        assert!(named(&bare, "wasmtime"), "this is no tree of the host");
        let whole = tree(&host);
        for name in ["forebay-assets", "reqwest", "rustls", "toml"] {
            assert!(named(&whole, name), "{name} is never there");
            assert!(!named(&bare, name), "{name} is there without the features");
        }
        assert!(!named(&whole, "jsonschema"));
    }
}
