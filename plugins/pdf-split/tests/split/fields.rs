//! Annotations on several pages, signatures, and forms that list their fields in unusual ways.

use crate::pdf::{Part, Pdf, parts, smallest};

/// Three pages with the annotation in object 5.
fn three(annotation: &str) -> Pdf {
    let page = "<< /Type /Page /Parent 2 0 R /MediaBox [0 0 9 9] /Annots [5 0 R] >>";
    smallest()
        .object(2, "<< /Type /Pages /Count 3 /Kids [3 0 R 11 0 R 12 0 R] >>")
        .object(3, page)
        .object(11, page)
        .object(12, page)
        .object(5, annotation)
}

#[test]
fn a_link_on_every_page_is_on_every_page() {
    let pdf = three("<< /Type /Annot /Subtype /Link /A << /S /URI /URI (https://example.com/) >> /Popup 6 0 R >>")
        .object(6, "<< /Subtype /Popup /Parent 5 0 R >>");
    for (config, pages) in [
        ("{}", 1),
        (r#"{"pages_per_file":3}"#, 3),
        (r#"{"ranges":"2-3"}"#, 2),
    ] {
        for part in parts(&pdf, config) {
            assert_eq!(part.document.get_pages().len(), pages);
            for page in 0..pages {
                let links = part.list(part.page(page), "Annots");
                assert_eq!(links.len(), 1, "{config}");
                assert_eq!(
                    part.text(links[0], "A/URI").unwrap(),
                    "https://example.com/"
                );
                let on = links[0].get(b"P").unwrap().as_reference().unwrap();
                assert_eq!(on, part.page_id(page));
            }
        }
    }
}

#[test]
fn annotations_of_a_page_refer_to_those_of_the_same_page() {
    let pages = "<< /Type /Page /Parent 2 0 R /MediaBox [0 0 9 9] /Annots [5 0 R 6 0 R 5 0 R] >>";
    let pdf = three("<< /Subtype /Text /Popup 6 0 R >>")
        .object(6, "<< /Subtype /Popup /Parent 5 0 R >>")
        .object(3, pages)
        .object(11, pages);
    let part = parts(&pdf, r#"{"pages_per_file":3}"#).remove(0);
    for page in 0..2 {
        let ids: Vec<_> = part
            .at(part.page(page), "Annots")
            .unwrap()
            .as_array()
            .unwrap()
            .iter()
            .map(|item| item.as_reference().unwrap())
            .collect();
        let annotations = part.list(part.page(page), "Annots");
        assert_eq!(
            annotations.len(),
            2,
            "an annotation that a page lists twice is there once"
        );
        assert_eq!(
            annotations[0]
                .get(b"Popup")
                .unwrap()
                .as_reference()
                .unwrap(),
            ids[1]
        );
        assert_eq!(
            annotations[1]
                .get(b"Parent")
                .unwrap()
                .as_reference()
                .unwrap(),
            ids[0]
        );
    }
}

#[test]
fn a_button_on_every_page_belongs_to_one_field() {
    let pdf = three("<< /Subtype /Widget /Parent 6 0 R >>")
        .object(
            1,
            "<< /Type /Catalog /Pages 2 0 R /AcroForm << /Fields [6 0 R] >> >>",
        )
        .object(6, "<< /T (button) /FT /Btn /Kids [5 0 R] >>");
    let part = parts(&pdf, r#"{"pages_per_file":3}"#).remove(0);
    let fields = part.list(part.catalog(), "AcroForm/Fields");
    assert_eq!(fields.len(), 1);
    assert_eq!(part.list(fields[0], "Kids").len(), 3);
}

#[test]
fn a_list_of_annotations_on_very_many_pages_is_refused() {
    let list: String = (1_000..2_000).map(|n| format!("{n} 0 R ")).collect();
    let mut pdf = smallest()
        .object(
            2,
            format!("<< /Type /Pages /Kids [{}] >>", "3 0 R ".repeat(200)),
        )
        .object(
            3,
            "<< /Type /Page /Parent 2 0 R /MediaBox [0 0 9 9] /Annots 5 0 R >>",
        )
        .object(5, format!("[{list}]"));
    pdf.append((1_000..2_000).map(|n| (n, "<< /Subtype /Square >>".to_owned())));
    let error = crate::pdf::split(&pdf.bytes(), r#"{"ranges":"1-"}"#)
        .err()
        .unwrap();
    assert!(error.to_string().contains("smaller parts"), "{error}");
}

/// A page with the signature field in object 5.
fn signed(entries: &str) -> Part {
    let pdf = smallest()
        .object(
            1,
            "<< /Type /Catalog /Pages 2 0 R /AcroForm << /SigFlags 3 /Fields [5 0 R] >> >>",
        )
        .object(3, "<< /Type /Page /Parent 2 0 R /MediaBox [0 0 9 9] /Annots [5 0 R] >>")
        .object(
            5,
            format!("<< /Type /Annot /Subtype /Widget /FT /Sig /T (sig) /Rect [1 2 3 4] /F 132 {entries} >>"),
        )
        .stream(6, "/Subtype /Form /BBox [0 0 9 9]", "(Signed) Tj")
        .object(7, "<< /Type /Sig /Contents <00> /ByteRange [0 1 2 3] >>");
    parts(&pdf, "{}").remove(0)
}

#[test]
fn a_visible_signature_becomes_a_stamp() {
    for entries in [
        "/V 7 0 R /AP << /N 6 0 R >>",
        "/V 7 0 R /AP << /N << /On 6 0 R >> >> /AS /On /MK << /I 6 0 R >> /Lock << /Action /All >>",
    ] {
        let part = signed(entries);
        let stamp = part.list(part.page(0), "Annots")[0];
        assert_eq!(stamp.get(b"Subtype").unwrap().as_name().unwrap(), b"Stamp");
        assert_eq!(stamp.get(b"F").unwrap().as_i64().unwrap(), 132);
        assert!(stamp.has(b"Rect") && part.at(stamp, "AP/N").is_some());
        for key in [b"FT".as_slice(), b"T", b"V", b"MK", b"Lock"] {
            assert!(!stamp.has(key));
        }
        assert!(part.everything().contains("(Signed) Tj"));
        assert!(!part.everything().contains("ByteRange"));
        assert!(!part.catalog().has(b"AcroForm"), "no field is left");
    }
}

#[test]
fn a_signature_may_stand_in_the_field_above() {
    let pdf = smallest()
        .object(
            1,
            "<< /Type /Catalog /Pages 2 0 R /AcroForm << /Fields [4 0 R 8 0 R] >> >>",
        )
        .object(
            3,
            "<< /Type /Page /Parent 2 0 R /MediaBox [0 0 9 9] /Annots [5 0 R 8 0 R] >>",
        )
        .object(4, "<< /FT /Sig /T (sig) /V 7 0 R /Kids [5 0 R] >>")
        .object(5, "<< /Subtype /Widget /Parent 4 0 R /AP << /N 6 0 R >> >>")
        .stream(6, "/Subtype /Form /BBox [0 0 9 9]", "(Signed) Tj")
        .object(7, "<< /Type /Sig /Contents <00> /ByteRange [0 1 2 3] >>")
        .object(8, "<< /Subtype /Widget /FT /Tx /T (name) >>");
    let part = parts(&pdf, "{}").remove(0);
    let stamp = part.list(part.page(0), "Annots")[0];
    assert_eq!(stamp.get(b"Subtype").unwrap().as_name().unwrap(), b"Stamp");
    let fields = part.list(part.catalog(), "AcroForm/Fields");
    assert_eq!(fields.len(), 1);
    assert_eq!(part.text(fields[0], "T").unwrap(), "name");
}

#[test]
fn a_field_without_a_signature_or_a_look_stays_a_field() {
    for entries in [
        "",
        "/AP << /N 6 0 R >>",
        "/V null /AP << /N 6 0 R >>",
        "/V 7 0 R",
        "/V 7 0 R /AP << >>",
    ] {
        let part = signed(entries);
        let fields = part.list(part.catalog(), "AcroForm/Fields");
        assert_eq!(fields.len(), 1, "{entries}");
        assert_eq!(part.text(fields[0], "T").unwrap(), "sig");
        assert!(!fields[0].has(b"V"), "{entries}");
    }
}

#[test]
fn fields_may_be_told_by_their_widgets_only() {
    for (fields, above) in [
        // No field is listed.
        (
            "",
            "<< /FT /Tx /T (name) /V (VALUE) /DA (/Helv 9 Tf) /Kids [5 0 R] >>",
        ),
        // The field is listed but does not name its widget.
        (
            "6 0 R",
            "<< /FT /Tx /T (name) /V (VALUE) /DA (/Helv 9 Tf) >>",
        ),
        // The widget is listed in place of its field.
        (
            "5 0 R",
            "<< /FT /Tx /T (name) /V (VALUE) /DA (/Helv 9 Tf) >>",
        ),
        // The field is below another field, which is not listed.
        (
            "",
            "<< /FT /Tx /T (name) /V (VALUE) /DA (/Helv 9 Tf) /Parent 7 0 R >>",
        ),
    ] {
        let pdf = smallest()
            .object(
                1,
                format!(
                    "<< /Type /Catalog /Pages 2 0 R /AcroForm << /Fields [{fields}] /NeedAppearances true
                        /DR << /Font << /Helv 8 0 R >> >> >> >>"
                ),
            )
            .object(3, "<< /Type /Page /Parent 2 0 R /MediaBox [0 0 9 9] /Annots [5 0 R] >>")
            .object(5, "<< /Subtype /Widget /Parent 6 0 R >>")
            .object(6, above)
            .object(7, "<< /T (group) >>")
            .object(8, "<< /Type /Font >>");
        let part = parts(&pdf, "{}").remove(0);
        let mut field = part.list(part.catalog(), "AcroForm/Fields")[0];
        if part.text(field, "T").unwrap() == "group" {
            field = part.list(field, "Kids")[0];
        }
        assert_eq!(part.text(field, "V").unwrap(), "VALUE");
        let widget = part.list(field, "Kids")[0];
        assert_eq!(widget, part.list(part.page(0), "Annots")[0]);
        assert_eq!(part.at(widget, "Parent").unwrap().as_dict().unwrap(), field);
        assert!(part.at(part.catalog(), "AcroForm/DR/Font/Helv").is_some());
        assert!(
            part.at(part.catalog(), "AcroForm/NeedAppearances")
                .is_some()
        );
    }
    // A widget that is its own field.
    let pdf = smallest()
        .object(
            1,
            "<< /Type /Catalog /Pages 2 0 R /AcroForm << /Fields [] >> >>",
        )
        .object(
            3,
            "<< /Type /Page /Parent 2 0 R /MediaBox [0 0 9 9] /Annots [5 0 R 6 0 R] >>",
        )
        .object(5, "<< /Subtype 7 0 R /FT /Tx /T (name) /V (VALUE) >>")
        .object(6, "<< /Subtype /Widget >>")
        .object(7, "/Widget");
    let part = parts(&pdf, "{}").remove(0);
    let fields = part.list(part.catalog(), "AcroForm/Fields");
    assert_eq!(
        fields.len(),
        1,
        "a widget without a type or a name is no field"
    );
    assert_eq!(part.text(fields[0], "V").unwrap(), "VALUE");
}

#[test]
fn a_field_keeps_what_it_says_of_its_widgets() {
    let pdf = smallest()
        .object(1, "<< /Type /Catalog /Pages 2 0 R /AcroForm << /Fields [6 0 R] >> >>")
        .object(3, "<< /Type /Page /Parent 2 0 R /MediaBox [0 0 9 9] /Annots [5 0 R] >>")
        .object(5, "<< /Subtype /Widget /Parent 6 0 R >>")
        .object(
            6,
            "<< /FT /Btn /T (name) /MK << /CA (8) >> /Own (OWN) /P 3 0 R /AA << /K 7 0 R >> /A 7 0 R /Kids [5 0 R] >>",
        )
        .object(7, "<< /S /JavaScript /JS (SCRIPT) >>");
    let part = parts(&pdf, "{}").remove(0);
    let field = part.list(part.catalog(), "AcroForm/Fields")[0];
    assert_eq!(part.text(field, "MK/CA").unwrap(), "8");
    assert_eq!(part.text(field, "Own").unwrap(), "OWN");
    assert!(!part.everything().contains("SCRIPT"));
}

#[test]
fn fields_that_name_each_other_end() {
    for (fields, five, six, seven) in [
        (
            "5 0 R",
            "/Parent 6 0 R /Kids [6 0 R]",
            "/Parent 5 0 R /Kids [7 0 R]",
            "/Parent 6 0 R",
        ),
        (
            "5 0 R 6 0 R",
            "/Parent 6 0 R",
            "/Parent 7 0 R",
            "/Parent 5 0 R",
        ),
        ("", "/Parent 6 0 R", "/Parent 7 0 R", "/Parent 5 0 R"),
        (
            "7 0 R",
            "/Parent 6 0 R /Kids [6 0 R]",
            "/Parent 7 0 R",
            "/Parent 5 0 R /Kids [5 0 R]",
        ),
        (
            "5 0 R 6 0 R 7 0 R",
            "/Parent 5 0 R",
            "/Parent 3 0 R",
            "/Parent 2 0 R",
        ),
    ] {
        let field = |more: &str| format!("<< /Subtype /Widget /FT /Tx /T (t) {more} >>");
        let pdf = smallest()
            .object(
                1,
                format!("<< /Type /Catalog /Pages 2 0 R /AcroForm << /Fields [{fields}] >> >>"),
            )
            .object(
                3,
                "<< /Type /Page /Parent 2 0 R /MediaBox [0 0 9 9] /Annots [5 0 R 6 0 R 7 0 R] >>",
            )
            .object(5, field(five))
            .object(6, field(six))
            .object(7, field(seven));
        let part = parts(&pdf, "{}").remove(0);
        assert_eq!(part.list(part.page(0), "Annots").len(), 3, "{fields}");
    }
}
