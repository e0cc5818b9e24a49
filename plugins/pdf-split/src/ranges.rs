//! Which pages go into which file.

use forebay_plugin::Error;

use crate::Config;

/// The most files that one document is split into. This is far above any real use. It prevents a mistake, such as one
/// file per page of an archive, from filling a service with files.
const MAX_PARTS: usize = 10_000;

/// Pages `first` to `last`, counted from 1, both included.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct PageRange {
    /// The first page.
    pub first: usize,
    /// The last page, not before the first.
    pub last: usize,
}

/// What a config requests, before the number of pages is known.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Plan {
    Every(usize),
    Ranges(Vec<Item>),
}

/// One item of `ranges`. An open end is `None`.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Item {
    text: String,
    first: Option<usize>,
    last: Option<usize>,
}

impl Plan {
    pub(crate) fn new(config: &Config) -> Result<Self, Error> {
        match (config.pages_per_file, &config.ranges) {
            (Some(_), Some(_)) => Err(invalid(
                "pages_per_file and ranges: only one of them may be set".into(),
            )),
            (None, Some(ranges)) => ranges
                .split(',')
                .map(Item::parse)
                .collect::<Result<_, _>>()
                .map(Self::Ranges),
            (pages, None) => {
                let pages = pages.map_or(1, |pages| {
                    usize::try_from(pages.get()).unwrap_or(usize::MAX)
                });
                Ok(Self::Every(pages))
            }
        }
    }

    /// The parts of a document of `count` pages, in the order of the config.
    pub(crate) fn parts(&self, count: usize) -> Result<Vec<PageRange>, Error> {
        let (field, number) = match self {
            Self::Every(pages) => ("pages_per_file", count.div_ceil(*pages)),
            Self::Ranges(items) => ("ranges", items.len()),
        };
        if number > MAX_PARTS {
            return Err(invalid(format!(
                "{field}: would make {number} files of {count} pages; the most is {MAX_PARTS}"
            )));
        }
        match self {
            Self::Every(pages) => Ok((1..=count)
                .step_by(*pages)
                .map(|first| PageRange {
                    first,
                    last: first.saturating_add(pages - 1).min(count),
                })
                .collect()),
            Self::Ranges(items) => {
                let mut seen = std::collections::HashSet::new();
                items
                    .iter()
                    .map(|item| {
                        let range = item.resolve(count)?;
                        // Without this check, two files would have the same name.
                        if seen.insert(range) {
                            Ok(range)
                        } else {
                            Err(item.error("is given twice"))
                        }
                    })
                    .collect()
            }
        }
    }
}

impl Item {
    fn parse(text: &str) -> Result<Self, Error> {
        let text = text.trim();
        let mut item = Self {
            text: text.into(),
            first: None,
            last: None,
        };
        let number = |text: &str| match text.trim() {
            "" => Ok(None),
            digits if digits.bytes().all(|byte| byte.is_ascii_digit()) => match digits.parse() {
                Ok(0) => Err("page 0 does not exist; pages count from 1"),
                Ok(page) => Ok(Some(page)),
                Err(_) => Err("is larger than any document"),
            },
            _ => Err("is neither a page nor a range such as 1-3, 5- or -3"),
        };
        let ends = match text.split_once('-') {
            Some((first, last)) => number(first).and_then(|first| Ok((first, number(last)?))),
            None => number(text).map(|page| (page, page)),
        };
        match ends {
            Ok((None, None)) => Err(item.error("names no page")),
            Ok((Some(first), Some(last))) if first > last => {
                Err(item.error("ends before it begins"))
            }
            Ok((first, last)) => {
                (item.first, item.last) = (first, last);
                Ok(item)
            }
            Err(problem) => Err(item.error(problem)),
        }
    }

    fn resolve(&self, count: usize) -> Result<PageRange, Error> {
        let range = PageRange {
            first: self.first.unwrap_or(1),
            last: self.last.unwrap_or(count),
        };
        if range.first > count || range.last > count {
            let pages = if count == 1 {
                "1 page".into()
            } else {
                format!("{count} pages")
            };
            return Err(self.error(&format!("goes beyond the end; the document has {pages}")));
        }
        Ok(range)
    }

    fn error(&self, problem: &str) -> Error {
        invalid(format!("ranges: `{}` {problem}", self.text))
    }
}

fn invalid(text: String) -> Error {
    Error::InvalidConfig(text)
}

#[cfg(test)]
mod tests {
    #![allow(
        clippy::unwrap_used,
        clippy::expect_used,
        clippy::indexing_slicing,
        clippy::panic,
        reason = "tests"
    )]

    use proptest::prelude::*;

    use super::*;

    fn parts(ranges: &str, count: usize) -> Result<Vec<(usize, usize)>, String> {
        let config = Config {
            ranges: Some(ranges.into()),
            ..Config::default()
        };
        match Plan::new(&config).and_then(|plan| plan.parts(count)) {
            Ok(parts) => Ok(parts
                .into_iter()
                .map(|range| (range.first, range.last))
                .collect()),
            Err(Error::InvalidConfig(text)) => Err(text),
            Err(other) => panic!("{other:?}"),
        }
    }

    #[test]
    fn ranges_are_read() {
        for (ranges, expected) in [
            ("1", vec![(1, 1)]),
            ("1-3,5,9-", vec![(1, 3), (5, 5), (9, 12)]),
            (" 1 - 3 ,\t5\n, 9 - ", vec![(1, 3), (5, 5), (9, 12)]),
            ("-4", vec![(1, 4)]),
            ("12-12", vec![(12, 12)]),
            ("5,1-5,2", vec![(5, 5), (1, 5), (2, 2)]),
            ("007", vec![(7, 7)]),
        ] {
            assert_eq!(parts(ranges, 12), Ok(expected), "{ranges:?}");
        }
    }

    #[test]
    fn wrong_ranges_are_named() {
        for (ranges, message) in [
            ("", "ranges: `` names no page"),
            ("1,,2", "ranges: `` names no page"),
            ("1-3,", "ranges: `` names no page"),
            ("-", "ranges: `-` names no page"),
            ("0", "ranges: `0` page 0 does not exist; pages count from 1"),
            (
                "0-3",
                "ranges: `0-3` page 0 does not exist; pages count from 1",
            ),
            ("3-1", "ranges: `3-1` ends before it begins"),
            (
                "1-2-3",
                "ranges: `1-2-3` is neither a page nor a range such as 1-3, 5- or -3",
            ),
            (
                "one",
                "ranges: `one` is neither a page nor a range such as 1-3, 5- or -3",
            ),
            (
                "+1",
                "ranges: `+1` is neither a page nor a range such as 1-3, 5- or -3",
            ),
            (
                "1–3",
                "ranges: `1–3` is neither a page nor a range such as 1-3, 5- or -3",
            ),
            (
                "99999999999999999999",
                "ranges: `99999999999999999999` is larger than any document",
            ),
            (
                "13",
                "ranges: `13` goes beyond the end; the document has 12 pages",
            ),
            (
                "13-",
                "ranges: `13-` goes beyond the end; the document has 12 pages",
            ),
            (
                "1-13",
                "ranges: `1-13` goes beyond the end; the document has 12 pages",
            ),
            ("2,1-2,2-2", "ranges: `2-2` is given twice"),
        ] {
            assert_eq!(parts(ranges, 12), Err(message.into()), "{ranges:?}");
        }
        assert_eq!(
            parts("2", 1),
            Err("ranges: `2` goes beyond the end; the document has 1 page".into())
        );
    }

    fn every(json: &str, count: usize) -> Result<Vec<PageRange>, Error> {
        Plan::new(&serde_json::from_str(json).unwrap())?.parts(count)
    }

    #[test]
    fn pages_per_file_and_its_default() {
        let pairs = |json, count| -> Vec<_> {
            every(json, count)
                .unwrap()
                .into_iter()
                .map(|range| (range.first, range.last))
                .collect()
        };
        assert_eq!(pairs("{}", 3), [(1, 1), (2, 2), (3, 3)]);
        assert_eq!(
            pairs(r#"{"pages_per_file":2}"#, 5),
            [(1, 2), (3, 4), (5, 5)]
        );
        assert_eq!(pairs(r#"{"pages_per_file":4294967295}"#, 5), [(1, 5)]);
        let too_many = every("{}", 10_001).unwrap_err();
        assert!(
            matches!(too_many, Error::InvalidConfig(text) if text.starts_with("pages_per_file: would make 10001 files"))
        );
    }

    #[test]
    fn config_is_checked() {
        assert!(serde_json::from_str::<Config>(r#"{"pages_per_file":0}"#).is_err());
        assert!(serde_json::from_str::<Config>(r#"{"pages":1}"#).is_err());
        let both = every(r#"{"pages_per_file":1,"ranges":"1"}"#, 3).unwrap_err();
        assert!(
            matches!(both, Error::InvalidConfig(text) if text.contains("pages_per_file and ranges"))
        );
    }

    proptest! {
        #[test]
        fn any_text_gives_ranges_within_the_document(text in "[0-9, -]{0,24}|\\PC{0,24}", count in 1_usize..50) {
            if let Ok(parts) = parts(&text, count) {
                prop_assert!(!parts.is_empty());
                prop_assert!(parts.iter().all(|&(first, last)| 1 <= first && first <= last && last <= count));
            }
        }

        #[test]
        fn written_ranges_are_read_back(list in proptest::collection::hash_set((1_usize..99, 0_usize..9), 1..20)) {
            let list: Vec<_> = list.into_iter().map(|(first, more)| (first, first + more)).collect();
            let text: Vec<_> = list.iter().map(|(first, last)| format!("{first}-{last}")).collect();
            prop_assert_eq!(parts(&text.join(", "), 200), Ok(list));
        }

        #[test]
        fn every_page_is_in_exactly_one_part(pages in 1_u32..40, count in 1_usize..200) {
            let config = Config { pages_per_file: std::num::NonZeroU32::new(pages), ranges: None, ..Config::default() };
            let parts = Plan::new(&config).unwrap().parts(count).unwrap();
            let all: Vec<_> = parts.iter().flat_map(|range| range.first..=range.last).collect();
            prop_assert_eq!(all, (1..=count).collect::<Vec<_>>());
        }
    }
}
