//! The document of the demo, which is a real one.

use lopdf::Document;

use crate::pdf::split;

fn demo() -> Vec<u8> {
    std::fs::read(concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/../../cli/demo/document.pdf"
    ))
    .unwrap()
}

#[test]
fn every_page_is_what_it_was() {
    let whole = Document::load_mem(&demo()).unwrap();
    let parts = split(&demo(), "{}").unwrap();
    assert_eq!(parts.len(), 4);
    let mut size = 0;
    for (part, (number, page)) in parts.iter().zip(whole.get_pages()) {
        let id = part.page_id(0);
        assert_eq!(
            part.document.get_page_content(id),
            whole.get_page_content(page)
        );
        assert_eq!(
            part.document.extract_text(&[1]).unwrap(),
            whole.extract_text(&[number]).unwrap()
        );
        let pictures = |document: &Document, page| document.get_page_images(page).unwrap().len();
        assert_eq!(
            pictures(&part.document, id),
            [1, 2, 2, 0][number as usize - 1]
        );
        assert_eq!(part.document.version, "1.4");
        size += part
            .document
            .objects
            .values()
            .filter_map(|object| object.as_stream().ok())
            .map(|s| s.content.len())
            .sum::<usize>();
    }
    // Fonts are in every part that uses them. Pictures are in one part only.
    assert!(size < demo().len() * 2, "{size}");
}

#[test]
fn web_links_stay_on_the_last_page() {
    let parts = split(&demo(), "{}").unwrap();
    let links: Vec<usize> = parts
        .iter()
        .map(|part| part.list(part.page(0), "Annots").len())
        .collect();
    assert_eq!(links, [0, 0, 0, 2]);
    let uri = parts[3]
        .text(parts[3].list(parts[3].page(0), "Annots")[1], "A/URI")
        .unwrap();
    assert_eq!(uri, "http://jmeter.apache.org/usermanual/remote-test.html");
}

#[test]
fn the_same_document_gives_the_same_parts() {
    let bytes = |config| {
        let mut all = Vec::new();
        let config = serde_json::from_str(config).unwrap();
        pdf_split::split(demo(), "a.pdf", &config, |_, part| part(&mut all)).unwrap();
        all
    };
    assert_eq!(
        bytes(r#"{"pages_per_file":2}"#),
        bytes(r#"{"ranges":"1-2,3-4"}"#)
    );
}

#[test]
fn the_plugin_writes_files() {
    use forebay_plugin::{Error, FileInfo, FilePlugin, InputFile};

    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("input");
    std::fs::write(&path, demo()).unwrap();
    let info = FileInfo {
        name: "Handbuch.PDF".into(),
        media_type: "application/pdf".into(),
        size: None,
    };
    let input = InputFile { info, path };
    let output = folder.path().join("output");
    std::fs::create_dir(&output).unwrap();

    let config = pdf_split::Config {
        ranges: Some("-2, 4".into()),
        ..Default::default()
    };
    let files = pdf_split::PdfSplit::transform(&input, &output, config).unwrap();
    let names: Vec<_> = files.iter().map(|file| file.name.as_str()).collect();
    assert_eq!(names, ["Handbuch-001-002.pdf", "Handbuch-004.pdf"]);
    assert_eq!(
        Document::load(output.join(&files[0].path))
            .unwrap()
            .get_pages()
            .len(),
        2
    );

    let config = pdf_split::Config {
        ranges: Some("3-5".into()),
        ..Default::default()
    };
    let error = pdf_split::PdfSplit::transform(&input, &output, config).unwrap_err();
    assert!(
        matches!(error, Error::InvalidConfig(text) if text.ends_with("the document has 4 pages"))
    );
}
