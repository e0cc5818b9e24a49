//! The names of the parts.

use crate::PageRange;

/// The longest name, in bytes, that common file systems accept. The host accepts no longer one either.
const MAX_NAME: usize = 255;

/// `report-007.pdf` for a single page, `report-007-012.pdf` for several. Numbers are padded, so names sort by page.
pub(crate) fn part_name(document: &str, range: PageRange, count: usize) -> String {
    let width = count.to_string().len().max(3);
    let PageRange { first, last } = range;
    let tail = if first == last {
        format!("-{first:0width$}.pdf")
    } else {
        format!("-{first:0width$}-{last:0width$}.pdf")
    };

    let stem = match document.rsplit_once('.') {
        Some((stem, extension)) if extension.eq_ignore_ascii_case("pdf") => stem,
        _ => document,
    };
    let stem: String = stem
        .chars()
        .map(|c| {
            if matches!(c, '/' | '\\') || c.is_control() {
                '_'
            } else {
                c
            }
        })
        .collect();
    let stem = if stem.is_empty() { "document" } else { &stem };
    let mut end = stem.len().min(MAX_NAME.saturating_sub(tail.len()));
    while !stem.is_char_boundary(end) {
        end -= 1;
    }
    format!("{}{tail}", stem.get(..end).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(document: &str, first: usize, last: usize, count: usize) -> String {
        part_name(document, PageRange { first, last }, count)
    }

    #[test]
    fn names_tell_the_pages_and_sort() {
        assert_eq!(name("report.pdf", 1, 1, 4), "report-001.pdf");
        assert_eq!(name("report.PDF", 1, 3, 4), "report-001-003.pdf");
        assert_eq!(name("report.v2.pdf", 12, 12, 1200), "report.v2-0012.pdf");
        assert_eq!(name("report", 2, 2, 4), "report-002.pdf");
        let mut names: Vec<_> = (1..=1200)
            .map(|page| name("a.pdf", page, page, 1200))
            .collect();
        let written = names.clone();
        names.sort();
        assert_eq!(names, written);
    }

    #[test]
    fn names_are_safe_and_short() {
        assert_eq!(name(".pdf", 1, 1, 1), "document-001.pdf");
        assert_eq!(name("../a\\b\n.pdf", 1, 1, 1), ".._a_b_-001.pdf");
        let long = name(&format!("{}.pdf", "ö".repeat(200)), 1, 2, 99_999);
        assert_eq!(
            long.len(),
            255 - 1,
            "a character of two bytes is not cut in half"
        );
        assert!(long.ends_with("ö-00001-00002.pdf"));
    }
}
