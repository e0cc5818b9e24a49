//! What came of all files, as a table.

use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};

/// What came of one file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Outcome {
    /// It was done, and others' tools agree.
    Checked,
    /// It was done, and could not be checked: this tool is not installed.
    NotChecked(&'static str),
    /// It was done, and the tool that it would be compared with cannot read the file either.
    NoReference,
    /// It was refused, with a reason.
    Refused(String),
    /// It is not as it should be.
    Wrong(String),
}

#[derive(Debug, Default)]
struct Row {
    checked: usize,
    not_checked: usize,
    no_reference: usize,
    refused: usize,
    wrong: usize,
}

/// What came of all files.
#[derive(Debug, Default)]
pub(super) struct Table {
    rows: BTreeMap<&'static str, Row>,
    /// How often each plugin refused for each reason.
    reasons: BTreeMap<(&'static str, String), usize>,
    missing: BTreeMap<&'static str, usize>,
    wrong: Vec<(PathBuf, &'static str, String)>,
}

impl Table {
    pub(super) fn add(&mut self, plugin: &'static str, file: &Path, outcome: Outcome) {
        let row = self.rows.entry(plugin).or_default();
        match outcome {
            Outcome::Checked => row.checked += 1,
            Outcome::NotChecked(tool) => {
                row.not_checked += 1;
                *self.missing.entry(tool).or_default() += 1;
            }
            Outcome::NoReference => row.no_reference += 1,
            Outcome::Refused(reason) => {
                row.refused += 1;
                *self.reasons.entry((plugin, reason)).or_default() += 1;
            }
            Outcome::Wrong(what) => {
                row.wrong += 1;
                self.wrong.push((file.to_owned(), plugin, what));
            }
        }
    }

    pub(super) fn tried(&self) -> usize {
        let all =
            |row: &Row| row.checked + row.not_checked + row.no_reference + row.refused + row.wrong;
        self.rows.values().map(all).sum()
    }

    pub(super) fn wrong(&self) -> usize {
        self.wrong.len()
    }
}

impl fmt::Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "{:16} {:>16} {:>12} {:>13} {:>8} {:>6}",
            "", "done and checked", "not checked", "no reference", "refused", "wrong"
        )?;
        for (plugin, row) in &self.rows {
            let Row {
                checked,
                not_checked,
                no_reference,
                refused,
                wrong,
            } = row;
            writeln!(
                f,
                "{plugin:16} {checked:>16} {not_checked:>12} {no_reference:>13} {refused:>8} {wrong:>6}"
            )?;
        }
        for (tool, count) in &self.missing {
            writeln!(f, "\n{count} not checked: {tool} is not installed")?;
        }
        let mut reasons: Vec<_> = self.reasons.iter().collect();
        reasons.sort_by_key(|(_, count)| std::cmp::Reverse(**count));
        if !reasons.is_empty() {
            writeln!(f, "\nrefused")?;
        }
        for ((plugin, reason), count) in reasons {
            writeln!(f, "{count:>6}  {plugin}: {reason}")?;
        }
        if !self.wrong.is_empty() {
            writeln!(f, "\nwrong")?;
        }
        for (file, plugin, what) in &self.wrong {
            writeln!(f, "  {plugin}: {}: {what}", file.display())?;
        }
        Ok(())
    }
}

/// Why a file was refused, without its name and with no numbers, so that equal reasons are counted together.
pub(super) fn reason(said: &str) -> String {
    let first = said.lines().next().unwrap_or_default();
    let (_, reason) = first.split_once(": stage 1 ").unwrap_or(("", first));
    let (_, reason) = reason.split_once(": ").unwrap_or(("", reason));
    let mut plain = String::new();
    for c in reason.chars().take(160) {
        match c {
            '0'..='9' if plain.ends_with('#') => {}
            '0'..='9' => plain.push('#'),
            c if c.is_control() => plain.push(' '),
            c => plain.push(c),
        }
    }
    plain
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_reasons_are_counted_together() {
        let mut table = Table::default();
        for (file, said) in [
            (
                "a.jpg",
                "forebay: a.jpg: stage 1 image-resize: damaged or invalid file: ends at byte 17\n",
            ),
            (
                "b 2.jpg",
                "forebay: b 2.jpg: stage 1 image-resize: damaged or invalid file: ends at byte 9\nmore",
            ),
        ] {
            table.add(
                "image-resize",
                Path::new(file),
                Outcome::Refused(reason(said)),
            );
        }
        table.add("image-resize", Path::new("c"), Outcome::Checked);
        table.add("pdf-split", Path::new("d"), Outcome::NotChecked("qpdf"));
        table.add(
            "pdf-split",
            Path::new("e"),
            Outcome::Wrong("3 parts, not 4".into()),
        );
        assert_eq!((table.tried(), table.wrong()), (5, 1));
        let text = table.to_string();
        for line in [
            "     2  image-resize: damaged or invalid file: ends at byte #",
            "1 not checked: qpdf is not installed",
            "  pdf-split: e: 3 parts, not 4",
        ] {
            assert!(text.lines().any(|one| one == line), "{text}");
        }
    }
}
