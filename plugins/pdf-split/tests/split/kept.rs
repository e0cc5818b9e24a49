//! What a part keeps of the document, besides its pages.

use lopdf::{Dictionary, Object};

use crate::book::book;
use crate::pdf::{Part, Pdf, parts, smallest};

fn one(range: &str) -> Part {
    parts(&book(), &format!(r#"{{"ranges":"{range}"}}"#))
        .pop()
        .unwrap()
}

fn numbers(part: &Part, dictionary: &Dictionary, path: &str) -> Vec<i64> {
    part.at(dictionary, path)
        .unwrap()
        .as_array()
        .unwrap()
        .iter()
        .map(|item| item.as_i64().unwrap())
        .collect()
}

#[test]
fn inherited_attributes_stand_on_the_page() {
    let part = one("2,3").page(0).clone();
    assert_eq!(part.get(b"Rotate").unwrap().as_i64().unwrap(), 90);
    let part = one("2");
    assert_eq!(numbers(&part, part.page(0), "MediaBox"), [0, 0, 300, 400]);
    assert!(!part.page(0).has(b"Rotate") && !part.page(0).has(b"CropBox"));
    let part = one("3-4");
    assert_eq!(numbers(&part, part.page(1), "MediaBox"), [0, 0, 300, 400]);
    assert_eq!(numbers(&part, part.page(1), "CropBox"), [9, 9, 99, 99]);
}

#[test]
fn the_page_tree_is_whole() {
    let part = one("2-4");
    let tree = part.at(part.catalog(), "Pages").unwrap().as_dict().unwrap();
    assert_eq!(part.at(tree, "Count").unwrap().as_i64().unwrap(), 3);
    let root = part
        .catalog()
        .get(b"Pages")
        .unwrap()
        .as_reference()
        .unwrap();
    for index in 0..3 {
        assert_eq!(
            part.page(index)
                .get(b"Parent")
                .unwrap()
                .as_reference()
                .unwrap(),
            root
        );
    }
}

#[test]
fn resources_are_those_that_the_content_names() {
    for (n, image) in [(1, "Im1"), (4, "Im4")] {
        let part = one(&n.to_string());
        let names = |category: &str| -> Vec<String> {
            let list = part
                .at(part.page(0), &format!("Resources/{category}"))
                .unwrap()
                .as_dict()
                .unwrap();
            let mut names: Vec<_> = list
                .iter()
                .map(|(name, _)| String::from_utf8_lossy(name).into_owned())
                .collect();
            names.sort();
            names
        };
        assert_eq!(names("XObject"), ["Head", image]);
        // F2 is named by the form, which has no resources of its own.
        assert_eq!(names("Font"), ["F1", "F2"]);
        assert_eq!(names("ColorSpace"), ["CS0"]);
    }
}

#[test]
fn resources_stay_when_content_cannot_be_decoded() {
    let pdf = smallest()
        .object(
            3,
            "<< /Type /Page /Parent 2 0 R /MediaBox [0 0 9 9] /Contents 4 0 R /Resources << /Font << /F 5 0 R >> >> >>",
        )
        .stream(4, "/Filter /Unheard-of", "?")
        .object(5, "<< /Type /Font >>");
    let part = parts(&pdf, "{}").pop().unwrap();
    assert!(part.at(part.page(0), "Resources/Font/F").is_some());
}

#[test]
fn resources_of_forms_and_glyphs_are_cut_down_too() {
    let pdf = smallest()
        .object(
            3,
            "<< /Type /Page /Parent 2 0 R /MediaBox [0 0 9 9] /Contents 4 0 R
                /Resources << /XObject << /A 5 0 R >> /Font << /T 6 0 R /U 7 0 R >> >> >>",
        )
        .stream(4, "", "/A Do /T 1 Tf /U 1 Tf")
        .stream(5, "/Subtype /Form /BBox [0 0 1 1] /Resources << /XObject << /B 8 0 R /C 9 0 R >> >>", "/B Do")
        .object(6, "<< /Type /Font /Subtype /Type3 /CharProcs << /a 10 0 R >> /Resources << /XObject << /B 8 0 R /C 9 0 R >> >> >>")
        .object(7, "<< /Type /Font /Subtype /Type3 /CharProcs << /a 10 0 R >> >>")
        .stream(8, "/Subtype /Image", "WANTED")
        .stream(9, "/Subtype /Image", "UNWANTED")
        .stream(10, "", "1 0 d0 /B Do");
    let everything = parts(&pdf, "{}").pop().unwrap().everything();
    assert!(everything.contains("WANTED") && !everything.contains("UNWANTED"));
}

#[test]
fn links_stay_and_lead_within_the_part_only() {
    let part = one("2-3");
    let annotations = part.list(part.page(0), "Annots");
    assert_eq!(annotations.len(), 7);
    assert!(
        annotations
            .iter()
            .all(|item| item.get(b"P").unwrap().as_reference().unwrap() == part.page_id(0))
    );

    let target = part.at(annotations[0], "A/D").unwrap().as_array().unwrap();
    assert_eq!(target[0].as_reference().unwrap(), part.page_id(1));
    assert_eq!(target[1].as_name().unwrap(), b"FitH");
    let named = part.at(annotations[1], "Dest").unwrap().as_array().unwrap();
    assert_eq!(named[0].as_reference().unwrap(), part.page_id(0));
    assert_eq!(named[4].as_i64().unwrap(), 2);
    assert_eq!(
        part.text(annotations[2], "A/URI").unwrap(),
        "https://example.com/ONLY-2"
    );
    assert!(annotations[2].get(b"PA").is_err() && part.at(annotations[2], "A/Next").is_none());

    // Page 3 has a link to page 4, which is in another part. The link keeps its border.
    let dead = part.list(part.page(1), "Annots")[0];
    assert!(!dead.has(b"A") && !dead.has(b"Dest"));
    assert_eq!(numbers(&part, dead, "Border"), [0, 0, 1]);
}

#[test]
fn comments_keep_their_popups_and_answers() {
    let part = one("2-3");
    let annotations = part.list(part.page(0), "Annots");
    let (comment, popup) = (annotations[3], annotations[4]);
    assert_eq!(part.at(comment, "Popup").unwrap().as_dict().unwrap(), popup);
    assert_eq!(
        part.at(popup, "Parent").unwrap().as_dict().unwrap(),
        comment
    );
    assert!(comment.has(b"IRT"), "answers the comment on the next page");
    assert!(
        !part.list(part.page(1), "Annots")[3].has(b"IRT"),
        "that page is elsewhere"
    );
}

#[test]
fn forms_have_the_fields_of_their_pages() {
    let part = one("2-4");
    let fields = part.list(part.catalog(), "AcroForm/Fields");
    assert_eq!(fields.len(), 2);
    assert_eq!(part.text(fields[0], "T").unwrap(), "group");
    let kids = part.list(fields[0], "Kids");
    assert_eq!(
        kids.iter()
            .map(|kid| part.text(kid, "T").unwrap())
            .collect::<Vec<_>>(),
        ["field-ONLY-2", "field-ONLY-3"]
    );
    assert!(
        kids.iter()
            .all(|kid| part.at(kid, "Parent").unwrap().as_dict().unwrap() == fields[0])
    );
    assert_eq!(part.text(kids[0], "V").unwrap(), "ONLY-2");
    assert_eq!(part.text(fields[1], "T").unwrap(), "field-ONLY-4");
    assert!(part.at(part.catalog(), "AcroForm/DR/Font/Helv").is_some());
    assert_eq!(
        part.text(part.catalog(), "AcroForm/DA").unwrap(),
        "/Helv 0 Tf"
    );
}

#[test]
fn widgets_need_not_name_their_field() {
    let pdf = smallest()
        .object(
            1,
            "<< /Type /Catalog /Pages 2 0 R /AcroForm << /Fields [4 0 R] >> >>",
        )
        .object(
            3,
            "<< /Type /Page /Parent 2 0 R /MediaBox [0 0 9 9] /Annots [5 0 R 6 0 R] >>",
        )
        .object(4, "<< /T (listed) /FT /Tx /Kids [5 0 R] >>")
        .object(5, "<< /Subtype /Widget >>")
        .object(6, "<< /Subtype /Widget /T (unlisted) /Parent 7 0 R >>")
        .object(
            7,
            "<< /FT /Sig /T (above) /V (signed) /Parent 7 0 R /Kids [6 0 R] >>",
        );
    assert!(!parts(&pdf, "{}")[0].everything().contains("signed"));
    let part = parts(&pdf, "{}").pop().unwrap();
    let fields = part.list(part.catalog(), "AcroForm/Fields");
    assert_eq!(
        fields
            .iter()
            .map(|field| part.text(field, "T").unwrap())
            .collect::<Vec<_>>(),
        ["listed", "above"],
        "a field that only its widget names is a field, too"
    );
    assert_eq!(
        part.list(fields[0], "Kids"),
        part.list(part.page(0), "Annots")[..1]
    );
    assert!(!part.list(fields[0], "Kids")[0].has(b"Parent"), "as it was");
}

#[test]
fn signatures_are_not_carried_over() {
    let pdf = smallest()
        .object(
            1,
            "<< /Type /Catalog /Pages 2 0 R /AcroForm << /Fields [4 0 R] /SigFlags 3 >> /Perms << /DocMDP 6 0 R >> >>",
        )
        .object(3, "<< /Type /Page /Parent 2 0 R /MediaBox [0 0 9 9] /Annots [5 0 R] >>")
        .object(4, "<< /T (s) /FT /Sig /V 6 0 R /Kids [5 0 R] >>")
        .object(5, "<< /Subtype /Widget /Parent 4 0 R /V 6 0 R >>")
        .object(6, "<< /Type /Sig /Contents <00> /Reference [<< /Data 1 0 R >>] >>");
    let part = parts(&pdf, "{}").pop().unwrap();
    let field = part.list(part.catalog(), "AcroForm/Fields")[0];
    assert_eq!(part.text(field, "T").unwrap(), "s");
    assert!(
        !field.has(b"V")
            && !part.everything().contains("DocMDP")
            && !part.everything().contains("ByteRange")
    );
}

/// Titles as a reader shows them: level, title, and the sign and size of `/Count`.
fn outline(part: &Part) -> Vec<(usize, String, i64)> {
    fn walk(part: &Part, parent: &Dictionary, level: usize, shown: &mut Vec<(usize, String, i64)>) {
        let mut item = parent.get(b"First").ok();
        let mut previous: Option<&Object> = None;
        while let Some(link) = item {
            let entry = part
                .document
                .dereference(link)
                .unwrap()
                .1
                .as_dict()
                .unwrap();
            assert_eq!(entry.get(b"Prev").ok(), previous);
            assert!(std::ptr::eq(
                part.at(entry, "Parent").unwrap().as_dict().unwrap(),
                parent
            ));
            let count = entry
                .get(b"Count")
                .map_or(0, |count| count.as_i64().unwrap());
            shown.push((level, part.text(entry, "Title").unwrap(), count));
            walk(part, entry, level + 1, shown);
            previous = Some(link);
            item = entry.get(b"Next").ok();
        }
        assert_eq!(parent.get(b"Last").ok(), previous);
    }
    let mut shown = Vec::new();
    if let Some(root) = part.at(part.catalog(), "Outlines") {
        walk(part, root.as_dict().unwrap(), 0, &mut shown);
    }
    shown
}

#[test]
fn outlines_are_pruned() {
    let shown = |range| outline(&one(range));
    let entry = |level, title: &str, count| (level, title.to_owned(), count);
    // The entry below title-ONLY-2 leads to page 1, the one below title-ONLY-1 to page 4.
    assert_eq!(
        shown("1-2"),
        [
            entry(0, "title-ONLY-1", 0),
            entry(0, "title-ONLY-2", -1),
            entry(1, "below-ONLY-1", 0),
            entry(0, "below-ONLY-2", 0)
        ]
    );
    assert_eq!(
        shown("4"),
        [entry(0, "below-ONLY-4", 0), entry(0, "title-ONLY-4", 0)]
    );
    let part = one("1-2");
    assert_eq!(
        part.at(part.catalog(), "Outlines/Count")
            .unwrap()
            .as_i64()
            .unwrap(),
        3
    );
    let target = part
        .at(part.catalog(), "Outlines/First/Dest")
        .unwrap()
        .as_array()
        .unwrap();
    assert_eq!(target[0].as_reference().unwrap(), part.page_id(0));
    assert_eq!(
        part.at(part.catalog(), "PageMode")
            .unwrap()
            .as_name()
            .unwrap(),
        b"UseOutlines"
    );
}

#[test]
fn page_labels_go_on() {
    let labels = |range| {
        let part = one(range);
        let tree = part
            .at(part.catalog(), "PageLabels/Nums")
            .unwrap()
            .as_array()
            .unwrap()
            .clone();
        tree.chunks(2)
            .map(|pair| {
                let label = pair[1].as_dict().unwrap();
                let style = String::from_utf8_lossy(label.get(b"S").unwrap().as_name().unwrap())
                    .into_owned();
                let start = label.get(b"St").map_or(1, |start| start.as_i64().unwrap());
                (
                    pair[0].as_i64().unwrap(),
                    style,
                    part.text(label, "P").unwrap_or_default(),
                    start,
                )
            })
            .collect::<Vec<_>>()
    };
    assert_eq!(
        labels("1-"),
        [
            (0, "r".into(), String::new(), 1),
            (1, "D".into(), "A-".into(), 7)
        ]
    );
    assert_eq!(labels("1"), [(0, "r".into(), String::new(), 1)]);
    assert_eq!(labels("2"), [(0, "D".into(), "A-".into(), 7)]);
    assert_eq!(labels("3-4"), [(0, "D".into(), "A-".into(), 8)]);
}

#[test]
fn layers_are_those_that_are_used() {
    let part = one("2");
    let layers = part.list(part.catalog(), "OCProperties/OCGs");
    assert_eq!(layers.len(), 1);
    assert_eq!(part.text(layers[0], "Name").unwrap(), "ONLY-2");
    assert_eq!(part.list(part.catalog(), "OCProperties/D/OFF"), layers);
    assert_eq!(part.list(part.catalog(), "OCProperties/D/AS").len(), 1);
    let order = part
        .at(part.catalog(), "OCProperties/D/Order")
        .unwrap()
        .as_array()
        .unwrap();
    assert_eq!(
        order.len(),
        2,
        "the title of the list, and the list with the layer"
    );
    assert!(!one("3").catalog().has(b"OCProperties"));
    assert!(
        !part
            .at(part.catalog(), "OCProperties")
            .unwrap()
            .as_dict()
            .unwrap()
            .has(b"Configs")
    );
}

#[test]
fn document_settings_and_information() {
    let part = one("3");
    let catalog = part.catalog();
    assert_eq!(part.text(catalog, "Lang").unwrap(), "en");
    assert_eq!(
        part.text(catalog, "URI/Base").unwrap(),
        "https://base.example/"
    );
    assert_eq!(part.list(catalog, "OutputIntents").len(), 1);
    assert!(
        part.at(catalog, "ViewerPreferences/DisplayDocTitle")
            .is_some()
    );
    assert!(
        part.at(catalog, "ViewerPreferences/PrintPageRange")
            .is_none()
    );
    let info = part
        .at(&part.document.trailer, "Info")
        .unwrap()
        .as_dict()
        .unwrap();
    assert_eq!(part.text(info, "Title").unwrap(), "THE-BOOK");
    assert_eq!(info.len(), 2);
    assert_eq!(part.document.version, "1.7");
    let id = |part: &Part| part.at(&part.document.trailer, "ID").unwrap().clone();
    assert_ne!(id(&part), id(&one("4")));
    assert_eq!(id(&part), id(&one("3")));
}

#[test]
fn attachments_on_a_page_stay_with_it() {
    let pdf = smallest()
        .object(
            3,
            "<< /Type /Page /Parent 2 0 R /MediaBox [0 0 9 9] /Annots [<< /Subtype /FileAttachment /FS 4 0 R >>] >>",
        )
        .object(4, "<< /Type /Filespec /F (a) /EF << /F 5 0 R >> >>")
        .stream(5, "/Type /EmbeddedFile", "ATTACHED");
    assert!(parts(&pdf, "{}")[0].everything().contains("ATTACHED"));
}

#[test]
fn streams_are_copied_byte_for_byte() {
    let content = "\u{1}not really deflated";
    let pdf = smallest()
        .object(
            3,
            "<< /Type /Page /Parent 2 0 R /MediaBox [0 0 9 9] /Contents 4 0 R >>",
        )
        .stream(4, "/Filter /FlateDecode", content);
    let part = parts(&pdf, "{}").pop().unwrap();
    let stream = part
        .at(part.page(0), "Contents")
        .unwrap()
        .as_stream()
        .unwrap();
    assert_eq!(stream.content, content.as_bytes());
}

#[test]
fn a_page_shown_twice_is_two_pages() {
    let pdf = smallest().object(2, "<< /Type /Pages /Count 2 /Kids [3 0 R 3 0 R] >>");
    assert_eq!(parts(&pdf, "{}").len(), 2);
    let both: Vec<Part> = parts(&pdf, r#"{"pages_per_file":2}"#);
    assert_eq!(both[0].document.get_pages().len(), 2);
    assert_ne!(both[0].page_id(0), both[0].page_id(1));
}

#[test]
fn annotations_that_several_pages_list_are_on_each() {
    let page = "<< /Type /Page /Parent 2 0 R /MediaBox [0 0 9 9] /Annots 5 0 R >>";
    let pdf: Pdf = smallest()
        .object(2, "<< /Type /Pages /Count 2 /Kids [3 0 R 4 0 R] >>")
        .object(3, page)
        .object(4, page)
        .object(5, "[6 0 R]")
        .object(6, "<< /Subtype /Square >>");
    let part = parts(&pdf, r#"{"pages_per_file":2}"#).pop().unwrap();
    for page in [0, 1] {
        let annotations = part.list(part.page(page), "Annots");
        assert_eq!(annotations.len(), 1);
        let on = annotations[0].get(b"P").unwrap().as_reference().unwrap();
        assert_eq!(on, part.page_id(page));
    }
}
