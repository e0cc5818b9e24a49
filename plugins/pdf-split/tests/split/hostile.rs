//! Damaged and malicious documents: each is refused, or split without harm.

use std::fmt::Write;

use proptest::prelude::*;

use crate::book::book;
use crate::pdf::{Pdf, parts, refusal, smallest, split};

#[test]
fn what_is_no_pdf_is_refused() {
    for bytes in [
        b"".as_slice(),
        b"%PDF-1.7\n",
        b"GIF89a",
        b"%PDF-1.7\nstartxref\n0\n%%EOF",
    ] {
        assert!(
            refusal(bytes).starts_with("the PDF is damaged"),
            "{bytes:?}"
        );
    }
}

#[test]
fn truncated_documents_are_refused() {
    let whole = book().bytes();
    let end = whole
        .windows(9)
        .rposition(|window| window == b"startxref")
        .unwrap();
    for length in (0..end).step_by(97).chain([end]) {
        assert!(
            refusal(&whole[..length]).starts_with("the PDF is damaged"),
            "{length}"
        );
    }
}

#[test]
fn page_trees_that_are_no_trees() {
    for (kids, problem) in [
        ("2 0 R", "node twice, or in itself"),
        ("4 0 R", "node twice, or in itself"),
        ("3 0 R 5 0 R 5 0 R", "node twice, or in itself"),
        ("3 0 R 99 0 R", "page 2 is missing"),
        ("null", "page 1 is missing"),
        ("", "no pages"),
    ] {
        let pdf = smallest()
            .object(2, format!("<< /Type /Pages /Kids [{kids}] >>"))
            .object(4, "<< /Type /Pages /Kids [2 0 R] >>")
            .object(5, "<< /Type /Pages /Kids [] >>");
        let text = refusal(&pdf.bytes());
        assert!(text.contains(problem), "{kids}: {text}");
    }
    assert!(
        refusal(&smallest().object(1, "<< /Type /Catalog >>").bytes()).contains("no page tree")
    );
    assert!(refusal(&smallest().object(2, "2 0 R").bytes()).contains("no page tree"));
}

#[test]
fn page_trees_of_any_depth() {
    let mut pdf = smallest().object(2, "<< /Type /Pages /Kids [10 0 R] >>");
    for level in 10..3_000 {
        let mut node = String::from("<< /Type /Pages /Kids [");
        write!(
            node,
            "{} 0 R] >>",
            if level == 2_999 { 3 } else { level + 1 }
        )
        .unwrap();
        pdf = pdf.object(level, node);
    }
    assert_eq!(parts(&pdf, "{}").len(), 1);
}

#[test]
fn one_page_named_over_and_over() {
    let pdf = smallest().object(
        2,
        format!("<< /Type /Pages /Kids [{}] >>", "3 0 R ".repeat(100_001)),
    );
    assert_eq!(refusal(&pdf.bytes()), "the PDF has more than 100000 pages");
}

#[test]
fn an_object_that_is_promised_must_be_there() {
    let pdf = smallest().object(3, "<< /Type /Page /MediaBox [0 0 9 9] /Contents 4 0 R >>");
    // No table lists object 4, so it is null according to the standard.
    assert_eq!(parts(&pdf, "{}").len(), 1);
    let broken = pdf.clone().object(4, "<< /Length 99 /Unfinished");
    assert!(refusal(&broken.bytes()).contains("object 4 cannot be read"));
    let broken = pdf.object(4, "<< /Length 77 0 R >>\nstream\nq Q\n");
    assert!(refusal(&broken.bytes()).contains("object 4 cannot be read"));
}

#[test]
fn circles_end() {
    let chain = |first: u32, text: &str| {
        (0..50).fold(smallest(), |pdf, n| {
            let (id, next) = (first + n, first + (n + 1) % 50);
            pdf.object(id, text.replace("NEXT", &format!("{next} 0 R")))
        })
    };
    let page = "<< /Type /Page /MediaBox [0 0 9 9] /Annots [10 0 R] /Contents [10 0 R] /Resources 10 0 R >>";
    for (catalog, text) in [
        (
            "/Outlines << /First 10 0 R >>",
            "<< /Title (t) /Next NEXT /First NEXT /Parent NEXT /Dest [3 0 R /Fit] >>",
        ),
        (
            "/Names << /Dests 10 0 R >>",
            "<< /Kids [NEXT NEXT NEXT] /Names [(a) NEXT] >>",
        ),
        (
            "/PageLabels 10 0 R",
            "<< /Kids [NEXT NEXT NEXT] /Nums [0 << /S /D >>] >>",
        ),
        (
            "/AcroForm << /Fields [10 0 R] >>",
            "<< /Subtype /Widget /Kids [NEXT NEXT] /Parent NEXT /T (t) >>",
        ),
        (
            "/AcroForm 10 0 R",
            "<< /Subtype /Link /XObject NEXT /Font NEXT /A NEXT /D NEXT /Fields [NEXT] /X [[NEXT] NEXT] >>",
        ),
        (
            "/OCProperties << /OCGs [10 0 R] /D << /Order 11 0 R >> >>",
            "[NEXT NEXT NEXT NEXT NEXT NEXT (t) [NEXT NEXT]]",
        ),
    ] {
        let pdf = chain(10, text)
            .object(3, page)
            .object(1, format!("<< /Type /Catalog /Pages 2 0 R {catalog} >>"));
        // Objects of these kinds refer to themselves without end. References to references do not occur.
        assert_eq!(parts(&pdf, "{}").len(), 1, "{catalog}");
    }
}

#[test]
fn nesting_is_bounded_by_the_parser() {
    let deep = format!("{}{}", "[".repeat(50_000), "]".repeat(50_000));
    let pdf = smallest()
        .object(3, "<< /Type /Page /MediaBox [0 0 9 9] /VP 4 0 R >>")
        .object(4, deep);
    assert!(refusal(&pdf.bytes()).contains("object 4 cannot be read"));
}

#[test]
fn huge_numbers_cost_nothing() {
    let page = "<< /Type /Page /MediaBox [0 0 9 9] /Contents 4294967295 0 R /Rotate 9223372036854775807 >>";
    assert_eq!(parts(&smallest().object(3, page), "{}").len(), 1);
    let pdf = smallest().object(4_294_967_294, "<< /Type /Page /MediaBox [0 0 9 9] >>");
    let pdf = pdf.object(
        2,
        "<< /Type /Pages /Count 2147483647 /Kids [4294967294 0 R] >>",
    );
    assert_eq!(parts(&pdf, "{}").len(), 1);
}

#[test]
fn shared_lists_are_not_walked_for_every_page() {
    // 2,000 pages that share 20,000 resources, and a list of 20,000 annotations whose entries are not annotations.
    let kids: String = (0..2_000).map(|n| format!("{} 0 R ", n + 100)).collect();
    let fonts: String = (0..20_000).map(|n| format!("/F{n} 5 0 R ")).collect();
    let pdf = smallest()
        .object(
            2,
            format!("<< /Type /Pages /MediaBox [0 0 9 9] /Kids [{kids}] /Resources 4 0 R >>"),
        )
        .object(4, format!("<< /Font << {fonts} >> >>"))
        .object(5, "<< /Type /Font >>")
        .stream(6, "", "/F7 1 Tf");
    let pdf: Pdf = (0..2_000).fold(pdf, |pdf, n| {
        pdf.object(n + 100, "<< /Type /Page /Contents 6 0 R >>")
    });
    let begun = std::time::Instant::now();
    assert_eq!(parts(&pdf, "{}").len(), 2_000);
    // Some seconds in a debug build. It would be minutes if the list were read for every page.
    assert!(begun.elapsed().as_secs() < 60, "{:?}", begun.elapsed());
}

#[test]
fn forms_in_forms_without_end() {
    // 3,000 forms. Each has its own resources, which contain the next form, and names that no form's resources have.
    // Without a bound, the check of the part looks them up a billion times.
    let names: String = (0..50).map(|n| format!("/N{n} Do ")).collect();
    let pdf = smallest().object(
        3,
        "<< /Type /Page /Parent 2 0 R /MediaBox [0 0 9 9] /Contents 4 0 R /Resources << /XObject << /X 1000 0 R >> >> >>",
    );
    let mut pdf = pdf.stream(4, "", "/X Do");
    pdf.append((1_000..4_000).map(|n| {
        let next = if n == 3_999 { 1_000 } else { n + 1 };
        let content = format!("/X Do {names}");
        let text = format!(
            "<< /Subtype /Form /Resources << /XObject << /X {next} 0 R >> >> /Length {} >>\nstream\n{content}\nendstream",
            content.len()
        );
        (n, text)
    }));
    let part = parts(&pdf, "{}").remove(0);
    assert!(part.document.objects.len() > 3_000);
}

#[test]
fn shared_lists_of_nodes_are_read_once() {
    let list: String = (1_000..21_000).map(|n| format!("{n} 0 R ")).collect();
    let page = "<< /Type /Page /MediaBox [0 0 9 9] /Annots 5 0 R >>";
    let catalog = "<< /Type /Catalog /Pages 2 0 R /AcroForm << /Fields 5 0 R >> /Names << /Dests << /Kids 5 0 R >> >> >>";
    let pdf = smallest()
        .object(1, catalog)
        .object(3, page)
        .object(5, format!("[{list}]"));
    let mut pdf = pdf.object(6, format!("[{}]", "(a) null ".repeat(20_000)));
    pdf.append(
        (1_000..21_000).map(|n| (n, "<< /Subtype /Widget /Kids 5 0 R /Names 6 0 R >>".into())),
    );
    let begun = std::time::Instant::now();
    assert_eq!(parts(&pdf, "{}").len(), 1);
    assert!(begun.elapsed().as_secs() < 30, "{:?}", begun.elapsed());
}

/// A document with a stream as its cross-reference data, whose content is `rows` and whose dictionary has `entries`.
fn with_table(entries: &str, rows: &[u8]) -> Vec<u8> {
    let mut bytes = b"%PDF-1.7\n".to_vec();
    let start = bytes.len();
    let length = rows.len();
    bytes.extend(
        format!("9 0 obj\n<</Type/XRef/Root 1 0 R/Length {length}{entries}>>\nstream\n").bytes(),
    );
    bytes.extend(rows);
    bytes.extend(format!("\nendstream\nendobj\nstartxref\n{start}\n%%EOF").bytes());
    bytes
}

#[test]
fn tables_that_promise_too_much() {
    let zeros = vec![0; 1 << 20];
    for entries in [
        "/Size 4294967295/W[0 0 0]",
        "/Size 4294967295/W[0 1 0]/Index[0 4294967295]",
        "/Size 9/W[1 9223372036854775807 1]",
        "/Size 9/W[1 8 8]/Index[-1 -1]",
        "/Size 9/W[1 2 1]/Index[4294967290 99999]",
        "/Size 9/W[1 2 1]/Prev 9",
        "/Size 9/W[1 2 1]/Prev 10",
        "/Size 9/W(x)",
    ] {
        let text = refusal(&with_table(entries, &zeros));
        assert!(text.starts_with("the PDF is damaged"), "{entries}: {text}");
    }
    let bytes = smallest().bytes();
    let text = String::from_utf8(bytes).unwrap();
    for (from, to) in [
        ("xref\n0 1\n", "xref\n0 18446744073709551615\n"),
        ("xref\n0 1\n", "xref\n18446744073709551615 2\n"),
        ("00000 n", "99999 n"),
    ] {
        // The objects that are found without the table are valid.
        let bytes = text.replacen(from, to, 1).into_bytes();
        assert_eq!(split(&bytes, "{}").unwrap().len(), 1, "{to}");
    }
}

#[test]
fn tables_that_lead_in_circles() {
    let text = String::from_utf8(smallest().bytes()).unwrap();
    let table = text.find("xref\n").unwrap();
    for previous in [table, table - 1, table + 1] {
        let looping = text.replace("trailer\n<<", &format!("trailer\n<</Prev {previous}"));
        assert_eq!(split(looping.as_bytes(), "{}").unwrap().len(), 1);
    }
    // A long table can be read from each byte of the white space before it.
    let entries = "0000000000 65535 f \n".repeat(20_000);
    let spaces = " ".repeat(20_000);
    let sections: String = (0..2_000_u32)
        .map(|n| format!("trailer<</Prev {}>>xref\n", n + 1))
        .collect();
    let bytes = format!("%PDF-1.7\n{spaces}xref\n0 20000\n{entries}{sections}startxref\n20\n%%EOF");
    assert!(refusal(bytes.as_bytes()).starts_with("the PDF is damaged"));
}

#[test]
fn streams_that_overlap() {
    let mut pdf = smallest();
    // The length of each stream reaches to the end of the last one.
    pdf.append((10..2_010).map(|n| (n, format!("<</Length {n} 0 R>>stream\nx"))));
    pdf.append([(3_000, "<<>>stream\nx\nendstream".to_owned())].into_iter());
    let text = refusal(&pdf.bytes());
    assert!(text.contains("its streams overlap"), "{text}");
}

#[test]
fn values_that_do_not_end() {
    for text in [
        "(",
        "<",
        "[[[",
        "<</A",
        "<</A(",
        "<<>>stream\n",
        "<<>>stream\nendstreaM",
    ] {
        let mut pdf = smallest();
        pdf.append((10..20_010).map(|n| (n, text.to_owned())));
        let bytes = String::from_utf8(pdf.bytes()).unwrap();
        // No page needs them.
        assert_eq!(split(bytes.as_bytes(), "{}").unwrap().len(), 1, "{text}");
        // Nothing shows where they end. The document is refused, or its page is found.
        let bytes = bytes.replace("endobj\n", "").replace("startxref", "");
        if let Ok(parts) = split(bytes.as_bytes(), "{}") {
            assert_eq!(parts.len(), 1, "{text}");
        }
    }
}

#[test]
fn object_streams_that_expand() {
    use lopdf::{Dictionary, Stream};

    // Many entries that all point to the same long object.
    let mut content = "7 0 ".repeat(300_000);
    let first = content.len();
    content += &format!("[{}]", "0 ".repeat(300_000));
    let mut stream = Stream::new(Dictionary::new(), content.into_bytes());
    stream.compress().unwrap();
    let packed = stream.content;
    let mut bytes = smallest().bytes();
    let start = bytes.len();
    let length = packed.len();
    bytes.extend(
        format!("8 0 obj\n<</Type/ObjStm/N 300000/First {first}/Filter/FlateDecode/Length {length}>>stream\n")
            .bytes(),
    );
    bytes.extend(&packed);
    let table = bytes.len() + 18;
    bytes.extend(b"\nendstream\nendobj\n");
    let rows = [[2, 0, 8, 0], [1, 0, 0, 0]].concat();
    bytes.extend(
        format!(
            "9 0 obj\n<</Type/XRef/Size 9/W[1 2 1]/Index[7 2]/Root 1 0 R/Length {}>>stream\n",
            rows.len()
        )
        .bytes(),
    );
    bytes.extend(rows);
    bytes.extend(format!("\nendstream\nendobj\nstartxref\n{table}\n%%EOF").bytes());
    assert!(start < table);
    assert_eq!(split(&bytes, "{}").unwrap().len(), 1);
}

proptest! {
    /// Whatever bytes are changed, the document is refused or its parts are valid. `split` reads each part strictly.
    #[test]
    fn mutations_do_no_harm(changes in proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..12)) {
        let mut bytes = book().bytes();
        for (at, byte) in changes {
            let at = at.index(bytes.len());
            bytes[at] = byte;
        }
        let _ = split(&bytes, "{}");
    }

    /// The same with more effect: only numbers are changed, so references lead elsewhere.
    #[test]
    fn rewired_references_do_no_harm(changes in proptest::collection::vec((any::<prop::sample::Index>(), b'0'..=b'9'), 1..40)) {
        let mut bytes = book().bytes();
        let end = bytes.windows(5).rposition(|window| window == b"xref\n").unwrap();
        let digits: Vec<usize> = (9..end).filter(|at| bytes[*at].is_ascii_digit()).collect();
        for (at, digit) in changes {
            let at = digits[at.index(digits.len())];
            bytes[at] = digit;
        }
        let _ = split(&bytes, r#"{"pages_per_file":2}"#);
    }
}
