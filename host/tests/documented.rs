//! `docs/security.md`: every promise names a test that is there.
#![allow(
    clippy::panic,
    clippy::expect_used,
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "tests"
)]

use std::fs;
use std::path::Path;

#[test]
fn every_promise_links_to_a_test() {
    let docs = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs");
    let page = fs::read_to_string(docs.join("security.md")).unwrap();
    let (_, promises) = page.split_once("| promise | how | shown by |").unwrap();
    let (promises, _) = promises.split_once("\n\n").unwrap();
    let rows: Vec<&str> = promises.lines().skip(2).collect();
    assert!(rows.len() > 30, "{}", rows.len());
    for row in rows {
        let cells: Vec<&str> = row.split('|').collect();
        assert_eq!(cells.len(), 5, "{row}");
        let links: Vec<&str> = cells[3].split("](").skip(1).collect();
        assert!(!links.is_empty(), "no link: {row}");
        for link in links {
            let (target, rest) = link.split_once(')').unwrap();
            let file = fs::read_to_string(docs.join(target));
            let file = file.unwrap_or_else(|error| panic!("{target}: {error}"));
            // Names of functions that follow the link, up to the next one.
            for name in rest.split('`').skip(1).step_by(2) {
                let is_function = name.contains('_') && !name.contains('.');
                assert!(
                    !is_function || file.contains(&format!("fn {name}(")),
                    "{target} has no {name}"
                );
            }
        }
    }
}
