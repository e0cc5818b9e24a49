//! Documents that break the standard but that every reader opens: each page must be unchanged. And documents that no
//! reader can open reliably.

use forebay_plugin::Error;

use crate::pdf::{Part, Pdf, refusal, split};

/// Three pages with the texts `PAGE1` to `PAGE3`, in objects 10 to 15. Object 3 is their font, object 6 the annotation
/// of each.
fn pages() -> Pdf {
    let pdf = Pdf::default()
        .object(1, "<</Type/Catalog/Pages 2 0 R>>")
        .object(
            2,
            "<</Type/Pages/Count 3/Kids[10 0 R 12 0 R 14 0 R]/MediaBox[0 0 300 200]/Resources<</Font<</F1 3 0 R>>>>>>",
        )
        .object(3, "<</Type/Font/Subtype/Type1/BaseFont/Helvetica>>")
        .object(6, "<</Type/Annot/Subtype/Link/Rect[10 10 100 60]/Border[0 0 1]>>")
        .trailer("/Root 1 0 R");
    (1..=3).fold(pdf, |pdf, n| {
        let id = 8 + 2 * n;
        pdf.object(
            id,
            format!(
                "<</Type/Page/Parent 2 0 R/Contents {} 0 R/Annots[6 0 R]>>",
                id + 1
            ),
        )
        .stream(id + 1, "", &content(n))
    })
}

fn content(page: u32) -> String {
    format!("BT /F1 24 Tf 20 100 Td (PAGE{page} SECRET{page}) Tj ET")
}

fn replaced(bytes: &[u8], from: &str, to: &str) -> Vec<u8> {
    let text = String::from_utf8(bytes.to_vec()).unwrap();
    assert!(text.contains(from), "{from}");
    text.replace(from, to).into_bytes()
}

/// Splits a document into the pages of [`pages`], in order.
#[track_caller]
fn opened(bytes: &[u8]) -> Vec<Part> {
    let parts = split(bytes, "{}").unwrap();
    are_pages(&parts, &[1, 2, 3]);
    parts
}

#[track_caller]
fn are_pages(parts: &[Part], numbers: &[u32]) {
    assert_eq!(parts.len(), numbers.len());
    for (part, number) in parts.iter().zip(numbers) {
        let shown = part.document.get_page_content(part.page_id(0));
        assert_eq!(String::from_utf8(shown).unwrap().trim(), content(*number));
        assert!(part.text_of_font().is_some());
    }
}

impl Part {
    /// The name of the first font.
    fn text_of_font(&self) -> Option<String> {
        let name = self
            .at(self.page(0), "Resources/Font/F1/BaseFont")?
            .as_name()
            .ok()?;
        Some(String::from_utf8_lossy(name).into_owned())
    }

    /// The corners of the first annotation.
    fn rect(&self) -> Option<Vec<f32>> {
        let annotations = self.list(self.page(0), "Annots");
        let rect = annotations
            .first()?
            .get(b"Rect")
            .unwrap()
            .as_array()
            .unwrap();
        Some(rect.iter().map(|value| value.as_float().unwrap()).collect())
    }
}

#[test]
fn what_points_to_the_table_is_wrong() {
    let bytes = pages().bytes();
    let start = start_of_table(&bytes);
    let old = format!("startxref\n{start}\n%%EOF\n");
    for end in [
        format!("startxref\n{}\n%%EOF\n", start + 500),
        format!("startxref\n{}\n%%EOF\n", start - 7),
        format!("startxref\n{start}\n%%EOF\n\n"),
        format!("startxref {start}\n%%EOF"),
        format!("startxref\n{start} \n %%EOF\n"),
        format!("startxref\n{start}"),
        "startxref\n0\n%%EOF\n".into(),
        "startxref\n%%EOF\n".into(),
        format!("startxref\n{start}\n%%EOF\n{}", "junk \0 ".repeat(700)),
    ] {
        opened(&replaced(&bytes, &old, &end));
    }
}

fn start_of_table(bytes: &[u8]) -> usize {
    bytes
        .windows(5)
        .rposition(|window| window == b"xref\n")
        .map(|_| ())
        .unwrap();
    bytes
        .windows(6)
        .position(|window| window == b"\nxref\n")
        .unwrap()
        + 1
}

#[test]
fn junk_in_front() {
    let bytes = pages().bytes();
    let start = start_of_table(&bytes);
    for junk in [
        "\n",
        "HTTP/1.1 200 OK\r\nContent-Type: application/pdf\r\n\r\n",
        &" ".repeat(1024),
    ] {
        // Offsets from the header.
        opened(&[junk.as_bytes(), &bytes].concat());
        // Offsets from the beginning of the file.
        let mut absolute = String::from_utf8(bytes.clone()).unwrap();
        for line in String::from_utf8(bytes.clone()).unwrap().lines() {
            if let Some(offset) = line.strip_suffix(" 00000 n ") {
                let moved: usize = offset.parse::<usize>().unwrap() + junk.len();
                absolute = absolute.replace(
                    &format!("{offset} 00000 n"),
                    &format!("{moved:010} 00000 N"),
                );
            }
        }
        let absolute = absolute.replace(" N ", " n ").replace(
            &format!("startxref\n{start}"),
            &format!("startxref\n{}", start + junk.len()),
        );
        opened(&[junk.as_bytes(), absolute.as_bytes()].concat());
    }
}

#[test]
fn headers_and_lines() {
    let bytes = pages().bytes();
    for header in [
        "%!PS-Adobe-3.0 PDF-1.4\n",
        "%PDF-1.\n",
        "%PDF-9.9\n",
        "%PDF 1.4\n",
        "\n",
    ] {
        opened(&replaced(&bytes, "%PDF-1.7\n", header));
    }
    for entry in [
        " 00000 n \r\n",
        " 00000 n  \n",
        " 00000 n\n",
        "  00000  n \n",
    ] {
        opened(&replaced(&bytes, " 00000 n \n", entry));
    }
    // A program treated the file as text.
    opened(&replaced(&bytes, "\n", "\r\n"));
    opened(&replaced(&bytes, "\n", "\r"));
}

#[test]
fn objects_that_no_page_needs() {
    let parts = opened(&pages().object(6, "<</Subtype/Link/Rect[1 2").bytes());
    assert_eq!(parts[0].rect(), None);
    for (number, name) in [
        (20, "Outlines"),
        (21, "Names"),
        (22, "PageLabels"),
        (23, "Metadata"),
    ] {
        let catalog = format!("<</Type/Catalog/Pages 2 0 R/{name} {number} 0 R>>");
        let pdf = pages().object(1, catalog).object(number, "<</Never/Ends");
        opened(&pdf.bytes());
    }
    let pdf = pages().trailer("/Info 5 0 R");
    let odd = "<</Title(a \\( b)/Author(x (y) z)/Producer(odd \\x \\1 \\)>>";
    for info in [odd, "<</Title", "77"] {
        opened(&pdf.clone().object(5, info).bytes());
    }
    // A table that lists an object where there is none.
    let bytes = pdf.object(5, "<</Title(T)>>").bytes();
    let place = bytes
        .windows(8)
        .position(|window| window == b"\n5 0 obj")
        .unwrap()
        + 1;
    let moved = replaced(
        &bytes,
        &format!("{place:010} 00000 n"),
        "0000999999 00000 n",
    );
    let parts = opened(&moved);
    let info = parts[0]
        .document
        .trailer
        .get(b"Info")
        .unwrap()
        .as_reference()
        .unwrap();
    assert_eq!(
        parts[0]
            .document
            .get_dictionary(info)
            .unwrap()
            .get(b"Title")
            .unwrap()
            .as_str()
            .unwrap(),
        b"T"
    );
}

#[test]
fn objects_that_a_page_needs() {
    for (number, text) in [
        (11, "<</Length 9/Never"),
        (3, "<</Type/Font"),
        (12, "<</Type/Page"),
        (2, "<</Type/Pages/Kids["),
        (15, "<</Length 400>>\nstream\nBT ET"),
    ] {
        let text = refusal(&pages().object(number, text).bytes());
        assert!(text.starts_with("the PDF is damaged: "), "{text}");
    }
}

#[test]
fn lengths() {
    let stream = |entries: &str| format!("<<{entries}>>\nstream\n{}\nendstream", content(2));
    for entries in [
        "",
        "/Length 0",
        "/Length 3",
        "/Length 42",
        "/Length 9999",
        "/Length 99 0 R",
        "/Length -1",
        "/Length(x)",
        "/Length 13 0 R",
    ] {
        opened(&pages().object(13, stream(entries)).bytes());
    }
    for text in [
        format!("<<>>\nstream\r\n{}\r\nendstream", content(2)),
        format!("<<>>stream \n{}endstream", content(2)),
        format!("<</Length 5 0 R>>\nstream\n{}\nendstream", content(2)),
    ] {
        let length = content(2).len().to_string();
        opened(&pages().object(13, text).object(5, length).bytes());
    }
    for empty in [
        "<<>>\nstream\n\nendstream",
        "<</Length 0>>stream\nendstream",
        "<<>>\nstream\nendstream",
    ] {
        let parts = split(&pages().object(13, empty).bytes(), "{}").unwrap();
        assert_eq!(parts.len(), 3);
        are_pages(&parts[..1], &[1]);
    }
}

#[test]
fn ends_of_streams() {
    let length = content(2).len();
    for end in ["enxstream", "", "endstream endstream", "\n\n\n  endstream"] {
        let text = format!("<</Length {length}>>\nstream\n{}\n{end}", content(2));
        opened(&pages().object(13, text).bytes());
    }
}

#[test]
fn what_a_page_needs_is_looked_for() {
    let entry = |bytes: &[u8]| {
        let place = bytes
            .windows(9)
            .position(|window| window == b"\n11 0 obj")
            .unwrap()
            + 1;
        format!("{place:010} 00000 n")
    };
    // An object that the table marks as free, a wrong offset, and a reference to an object that never existed.
    let bytes = pages().bytes();
    for other in [
        "0000000000 00000 n",
        "0000000001 00000 f",
        "0000000012 00000 n",
        "9999999999 00000 n",
    ] {
        opened(&replaced(&bytes, &entry(&bytes), other));
    }
    let font = pages().object(3, "<</BaseFont/X/Quack 99 0 R>>").bytes();
    opened(&font);
    opened(&replaced(&font, &entry(&font), "0000000012 00000 n"));
    // An object that existed and is missing now.
    let gone = replaced(&bytes, "\n11 0 obj", "\n71 0 obj");
    assert!(refusal(&gone).contains("object 11 cannot be read, and a page needs it"));
}

#[test]
fn page_trees() {
    let tree = |kids: &str, count: u32| {
        let font = "/MediaBox[0 0 300 200]/Resources<</Font<</F1 3 0 R>>>>";
        pages()
            .object(
                2,
                format!("<</Type/Pages/Count {count}/Kids[{kids}]{font}>>"),
            )
            .object(
                20,
                "<</Type/Pages/Parent 2 0 R/Kids[14 0 R 20 0 R]/Count 1>>",
            )
            .object(21, "<</Type/Pages/Parent 2 0 R/Kids[]/Count 0>>")
            .object(22, "<</Type/Pages/Parent 2 0 R/Count 0>>")
            .object(23, "<</Type/Pages/Parent 2 0 R/Count 2>>")
            .bytes()
    };
    for kids in [
        "10 0 R 12 0 R 14 0 R 2 0 R",
        "10 0 R 77 0 R 12 0 R 14 0 R",
        "null 10 0 R 12 0 R 14 0 R (x) 7",
        "10 0 R 12 0 R 20 0 R",
        "10 0 R 21 0 R 12 0 R 22 0 R 14 0 R",
    ] {
        opened(&tree(kids, 3));
    }
    // A hole, and fewer pages than there should be.
    for kids in [
        "10 0 R 77 0 R 14 0 R",
        "10 0 R 23 0 R",
        "10 0 R null 14 0 R",
        "10 0 R 12 0 R 2 0 R",
    ] {
        assert!(
            refusal(&tree(kids, 3)).starts_with("the PDF is damaged"),
            "{kids}"
        );
    }
    // A page that the tree names twice appears twice, unless `/Count` counts each page once.
    for (count, expected) in [
        (3, &[1, 2, 3][..]),
        (4, &[1, 2, 1, 3]),
        (5, &[1, 2, 1, 3]),
        (2, &[1, 2, 1, 3]),
    ] {
        let twice = tree("10 0 R 12 0 R 10 0 R 14 0 R", count);
        are_pages(&split(&twice, "{}").unwrap(), expected);
    }
    // With a hole.
    opened(&tree("10 0 R 12 0 R null 10 0 R 14 0 R", 3));
    // Types that are wrong or missing.
    for (from, to) in [
        (
            "/Type/Page/Parent 2 0 R/Contents 13",
            "/Type/Pages/Parent 2 0 R/Contents 13",
        ),
        (
            "/Type/Page/Parent 2 0 R/Contents 13",
            "/Parent 2 0 R/Contents 13",
        ),
        ("<</Type/Pages/Count 3", "<</Type/Page/Count 3"),
        ("<</Type/Pages/Count 3", "<</Count 3"),
        ("/Type/Catalog", "/Type/Katalog"),
    ] {
        opened(&replaced(&pages().bytes(), from, to));
    }
}

#[test]
fn names_and_numbers() {
    let font = |name: &str| {
        let font = format!("<</Type/Font/Subtype/Type1/BaseFont/{name}/Encoding/WinAnsiEncoding>>");
        opened(&pages().object(3, font).bytes())[0].text_of_font()
    };
    assert_eq!(font("A#Bold").as_deref(), Some("A#Bold"));
    assert_eq!(font("Open#20Sans").as_deref(), Some("Open Sans"));
    assert_eq!(font("Open Sans").as_deref(), Some("Open"));
    let rect = |corners: &str, contents: &str| {
        let annotation = format!("<</Subtype/Link/Rect[{corners}]/Contents{contents}>>");
        opened(&pages().object(6, annotation).bytes())[0].rect()
    };
    let right = Some(vec![10.0, 10.0, 100.0, 60.0]);
    for corners in [
        "10 10 1e2 60",
        "1E1 +10 100.0.0 60.",
        "10 10 1.e+2 60",
        "010 10 100 60-",
    ] {
        assert_eq!(rect(corners, "(x)"), right, "{corners}");
    }
    for contents in ["<48656Z6c>", "<4>", "<>", "undefined", "NaN"] {
        assert_eq!(rect("10 10 100 60", contents), right, "{contents}");
    }
}

/// Made by qpdf from three pages as above.
const ENCRYPTED: [&[u8]; 3] = [
    include_bytes!("../data/rc4-40-owner.pdf"),
    include_bytes!("../data/aes-128-owner.pdf"),
    include_bytes!("../data/aes-256-owner.pdf"),
];

#[test]
fn an_empty_password_opens() {
    for bytes in ENCRYPTED {
        let parts = split(bytes, "{}").unwrap();
        let said = parts.iter().map(|part| part.everything());
        assert_eq!(parts.len(), 3);
        for (text, n) in said.zip(1..) {
            assert!(text.contains(&format!("PAGE{n} SECRET{n}")), "{text}");
            assert!(!text.contains("Encrypt"), "{text}");
        }
        // A password that is meant for another document.
        assert_eq!(split(bytes, r#"{"password":"x"}"#).unwrap().len(), 3);
    }
}

#[test]
fn a_password_opens_the_rest() {
    let bytes = include_bytes!("../data/aes-256-user.pdf");
    assert_eq!(
        refusal(bytes),
        "the PDF can be opened only with its password; give it in the option `password`"
    );
    assert!(matches!(
        split(bytes, r#"{"password":"wrong"}"#),
        Err(Error::InvalidInput(text)) if text == "the PDF is not opened by the option `password`; give the right one"
    ));
}

#[test]
fn the_user_password_and_the_owner_password_open() {
    let bytes = include_bytes!("../data/aes-256-user.pdf");
    for password in ["user", "owner"] {
        let config = format!(r#"{{"password":"{password}"}}"#);
        let parts = split(bytes, &config).unwrap();
        assert_eq!(parts.len(), 3);
        assert!(parts[2].everything().contains("PAGE3 SECRET3"));
    }
}

#[test]
fn passwords_stay_out_of_logs() {
    let config: pdf_split::Config = serde_json::from_str(r#"{"password":"hush"}"#).unwrap();
    assert!(!format!("{config:?}").contains("hush"));
}
