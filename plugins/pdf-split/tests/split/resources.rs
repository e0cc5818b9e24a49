//! A part has every resource that its content may use. It has none of other pages if it is certain which those are.
//!
//! Documents here have two pages with one list of resources. `OWN` is the picture or the font of page 1, `OTHER` that
//! of page 2.

use std::io::Write;

use crate::pdf::{Part, Pdf, parts, smallest};

/// Two pages that share the resources in object 4; page 1 has the content in object 5, page 2 that in object 6.
fn pages(resources: &str) -> Pdf {
    let page = |content| {
        format!("<< /Type /Page /Parent 2 0 R /MediaBox [0 0 9 9] /Contents {content} 0 R >>")
    };
    smallest()
        .object(
            2,
            "<< /Type /Pages /Count 2 /Kids [3 0 R 7 0 R] /Resources 4 0 R >>",
        )
        .object(3, page(5))
        .object(4, format!("<< {resources} >>"))
        .stream(6, "", "/Im2 Do")
        .object(7, page(6))
        .stream(8, "/Subtype /Image", "OWN")
        .stream(9, "/Subtype /Image", "OTHER")
}

const PICTURES: &str = "/XObject << /Im1 8 0 R /Im2 9 0 R >>";

/// A stream object with bytes that are not text.
fn stream(entries: &str, content: &[u8]) -> Vec<u8> {
    let mut object = format!("<< {entries} /Length {} >>\nstream\n", content.len()).into_bytes();
    object.extend(content);
    object.extend(b"\nendstream");
    object
}

fn deflated(content: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::ZlibEncoder::new(Vec::new(), flate2::Compression::best());
    encoder.write_all(content).unwrap();
    encoder.finish().unwrap()
}

fn lzw(content: &[u8]) -> Vec<u8> {
    weezl::encode::Encoder::with_tiff_size_switch(weezl::BitOrder::Msb, 8)
        .encode(content)
        .unwrap()
}

/// Rows of eight bytes, each after the number of a predictor that changes nothing.
fn rows(content: &[u8]) -> Vec<u8> {
    content
        .chunks(8)
        .flat_map(|row| {
            let mut bytes = vec![0];
            bytes.extend(row);
            bytes.resize(9, b' ');
            bytes
        })
        .collect()
}

/// The part of page 1, and whether it has `OWN` and `OTHER`.
fn first(pdf: &Pdf) -> (Part, bool, bool) {
    let part = parts(pdf, "{}").remove(0);
    let (mut own, mut other) = (false, false);
    for object in part.document.objects.values() {
        if let Ok(stream) = object.as_stream() {
            own |= stream.content == b"OWN";
            other |= stream.content == b"OTHER";
        }
    }
    (part, own, other)
}

#[track_caller]
fn assert_pruned(pdf: &Pdf, what: &str) -> Part {
    let (part, own, other) = first(pdf);
    assert!(own, "{what}: the picture is missing");
    assert!(!other, "{what}: a picture of another page is there");
    part
}

#[track_caller]
fn assert_whole(pdf: &Pdf, what: &str) -> Part {
    let (part, own, other) = first(pdf);
    assert!(own && other, "{what}: {own} {other}");
    part
}

#[test]
fn references_in_filters_are_followed() {
    let content = b"q /Im1 Do Q ";
    let (plain, predicted) = (deflated(content), deflated(&rows(content)));
    for (entries, content) in [
        ("/Filter 20 0 R", &plain),
        ("/Filter [20 0 R]", &plain),
        ("/Filter 21 0 R", &plain),
        ("/Filter /FlateDecode /DecodeParms null", &plain),
        ("/Filter [/FlateDecode] /DecodeParms [null]", &plain),
        ("/Filter /FlateDecode /DecodeParms 22 0 R", &predicted),
        ("/Filter [/FlateDecode] /DecodeParms [22 0 R]", &predicted),
        ("/Filter 21 0 R /DecodeParms 23 0 R", &predicted),
        (
            "/Filter /FlateDecode /DecodeParms << /Predictor 24 0 R /Columns 25 0 R >>",
            &predicted,
        ),
    ] {
        let pdf = pages(PICTURES)
            .object(5, stream(entries, content))
            .object(20, "/FlateDecode")
            .object(21, "[20 0 R]")
            .object(22, "<< /Predictor 12 /Columns 25 0 R >>")
            .object(23, "[22 0 R]")
            .object(24, "12")
            .object(25, "8");
        let part = assert_pruned(&pdf, entries);
        let copy = part
            .at(part.page(0), "Contents")
            .unwrap()
            .as_stream()
            .unwrap();
        assert_eq!(&copy.content, content, "{entries}");
        assert!(copy.dict.has(b"Filter"), "{entries}");
    }
}

#[test]
fn filters_are_undone_one_after_the_other() {
    let content = b"/Im1 Do /Im1 Do /Im1 Do";
    let hex = |bytes: &[u8]| {
        bytes
            .iter()
            .map(|byte| format!("{byte:02x}"))
            .collect::<String>()
            + ">"
    };
    for (entries, content) in [
        ("/Filter /LZWDecode", lzw(content)),
        (
            "/Filter [/ASCIIHexDecode /FlateDecode]",
            hex(&deflated(content)).into_bytes(),
        ),
        (
            "/Filter [/ASCIIHexDecode /LZWDecode]",
            hex(&lzw(content)).into_bytes(),
        ),
        ("/Filter /ASCII85Decode", b" 01g\"8 +@L,j \n~>\n".to_vec()),
        (
            "/Filter /FlateDecode",
            [deflated(content), b"\r\n".to_vec()].concat(),
        ),
        ("/Filter []", content.to_vec()),
        ("", content.to_vec()),
    ] {
        assert_pruned(
            &pages(PICTURES).object(5, stream(entries, &content)),
            entries,
        );
    }
}

#[test]
fn what_cannot_be_decoded_in_full_keeps_everything() {
    // The name of the picture comes long after the bytes that a reader that stops early would read.
    let content = [b"0 0 m 1 1 l S ".repeat(900), b"/Im1 Do".to_vec()].concat();
    let sound = deflated(&content);
    let mut checksum = sound.clone();
    *checksum.last_mut().unwrap() ^= 1;
    let cut = &sound[..sound.len() - 4];
    let half = &sound[..sound.len() / 2];
    let packed = lzw(&content);
    let odd = deflated(&[rows(&content), vec![0, b'/']].concat());
    for (entries, content) in [
        ("/Filter /FlateDecode", checksum.as_slice()),
        ("/Filter /FlateDecode", cut),
        ("/Filter /FlateDecode", half),
        ("/Filter /FlateDecode", b"no zlib data"),
        ("/Filter /LZWDecode", &packed[..packed.len() - 2]),
        ("/Filter /ASCII85Decode", b"01g\"8+@L,j"),
        ("/Filter /ASCII85Decode", b"01g\"8\xff+@L,j~>"),
        ("/Filter /ASCIIHexDecode", b"2f496d3120446f x >"),
        ("/Filter /Unheard-of", b"?"),
        ("/Filter /RunLengthDecode", b"\x06/Im1 Do"),
        ("/Filter [/FlateDecode 99]", &sound),
        ("/Filter 7", &sound),
        ("/Filter /FlateDecode /DecodeParms 7", &sound),
        (
            "/Filter /FlateDecode /DecodeParms << /Predictor (12) >>",
            &sound,
        ),
        (
            "/Filter /FlateDecode /DecodeParms << /Predictor 12 /Columns 8 >>",
            &odd,
        ),
        (
            "/Filter /FlateDecode /DecodeParms << /Predictor 12 /Columns -8 >>",
            &odd,
        ),
        ("/Filter /FlateDecode /DP << /Predictor 12 >>", &sound),
        ("/F (elsewhere)", b"/Im1 Do"),
    ] {
        let pdf = pages(PICTURES).object(5, stream(entries, content));
        let part = assert_whole(&pdf, entries);
        let copy = part
            .at(part.page(0), "Contents")
            .unwrap()
            .as_stream()
            .unwrap();
        assert_eq!(copy.content, content, "{entries}");
    }
}

#[test]
fn odd_lists_of_content_keep_everything() {
    // A name that continues in the next stream, and something that is not a stream.
    for contents in [
        "[20 0 R 21 0 R]",
        "[20 0 R 22 0 R 21 0 R]",
        "[5 0 R << >>]",
        "[[5 0 R]]",
        "<< >>",
    ] {
        let pdf = pages(PICTURES)
            .object(
                3,
                format!("<< /Type /Page /Parent 2 0 R /MediaBox [0 0 9 9] /Contents {contents} >>"),
            )
            .stream(5, "", "/Im1 Do")
            .stream(20, "", "q /I")
            .stream(21, "", "m1 Do Q")
            .stream(22, "", "");
        assert_whole(&pdf, contents);
    }
    // White space ends a name.
    let pdf = pages(PICTURES)
        .object(
            3,
            "<< /Type /Page /Parent 2 0 R /MediaBox [0 0 9 9] /Contents [20 0 R null 21 0 R] >>",
        )
        .stream(20, "", "q /Im1")
        .stream(21, "", "\nDo Q");
    assert_pruned(&pdf, "white space");
}

#[test]
fn operators_need_not_be_known() {
    for content in [
        "BX /Im1 unheard-of EX",
        "BI /W 1 /H 1 /BPC 8 /CS /G ID \u{1}( EI /Im1 Do",
        "(unbalanced /Im1 Do",
        "<< /A [ /Im1 Do",
        "] >> ) 1.2.3 --4 /Im1 Do",
        "/Im#31 Do",
        "% /Im1 Do",
    ] {
        assert_pruned(&pages(PICTURES).stream(5, "", content), content);
    }
}

#[test]
fn names_before_escapes_existed() {
    // The key is `A#42`, which is the name in the content with its escape not decoded.
    let pdf = pages("/XObject << /A#2342 8 0 R /Im2 9 0 R >>").stream(5, "", "/A#42 Do");
    assert_pruned(&pdf, "a name with a number sign");
}

#[test]
fn forms_fall_back_to_the_resources_of_the_page() {
    let form = "/Subtype /Form /BBox [0 0 9 9]";
    for resources in [
        "",
        "/Resources << >>",
        "/Resources null",
        "/Resources << /ProcSet [/PDF] >>",
        "/Resources << /XObject << /Im3 30 0 R >> /Font << /Im1 31 0 R >> >>",
        "/Resources << /XObject << /Im1 null >> >>",
        "/Resources << /XObject << /Im1 99 0 R >> >>",
    ] {
        let pdf = pages("/XObject << /X 20 0 R /Im1 8 0 R /Im2 9 0 R >>")
            .stream(5, "", "/X Do")
            .stream(20, &format!("{form} {resources}"), "/Im1 Do /Im3 Do")
            .stream(30, "/Subtype /Image", "3")
            .object(31, "<< /Type /Font >>");
        assert_pruned(&pdf, resources);
    }
    // A form in a form. Its names are looked up in the page's resources and in those of the outer form.
    for (outer, inner) in [
        ("/Resources << /XObject << /Y 21 0 R >> >>", ""),
        (
            "/Resources << /XObject << /Y 21 0 R >> >>",
            "/Resources << >>",
        ),
        ("/Resources << /XObject << /Y 21 0 R /Im1 8 0 R >> >>", ""),
    ] {
        let pdf = pages("/XObject << /X 20 0 R /Im1 8 0 R /Im2 9 0 R >>")
            .stream(5, "", "/X Do")
            .stream(20, &format!("{form} {outer}"), "/Y Do")
            .stream(21, &format!("{form} {inner}"), "/Im1 Do");
        let part = assert_pruned(&pdf, outer);
        assert!(
            part.at(part.page(0), "Resources/XObject/Im1").is_some(),
            "{outer}"
        );
    }
    // A form without a type is drawn by some readers.
    let pdf = pages("/XObject << /X 20 0 R /Im1 8 0 R /Im2 9 0 R >>")
        .stream(5, "", "/X Do")
        .stream(20, "/BBox [0 0 9 9]", "/Im1 Do");
    assert_pruned(&pdf, "no subtype");
    // The type of a form may be a reference.
    let pdf = pages("/XObject << /X 20 0 R /Im1 8 0 R /Im2 9 0 R >>")
        .stream(5, "", "/X Do")
        .stream(20, "/Subtype 21 0 R /BBox [0 0 9 9]", "/Im1 Do")
        .object(21, "/Form");
    assert_pruned(&pdf, "an indirect subtype");
}

#[test]
fn a_form_that_cannot_be_decoded_keeps_everything() {
    let pdf = pages("/XObject << /X 20 0 R /Im1 8 0 R /Im2 9 0 R >>")
        .stream(5, "", "/X Do")
        .stream(
            20,
            "/Subtype /Form /BBox [0 0 9 9] /Filter /Unheard-of",
            "?",
        );
    assert_whole(&pdf, "a form");
    let pdf = pages("/XObject << /X 20 0 R >>")
        .stream(5, "", "/X Do")
        .stream(
            20,
            &format!(
                "/Subtype /Form /BBox [0 0 9 9] /Filter /Unheard-of /Resources << {PICTURES} >>"
            ),
            "?",
        );
    assert_whole(&pdf, "its own resources");
}

#[test]
fn whatever_draws_is_walked_over() {
    let glyph = "1000 0 d0 /Im1 Do";
    let lists = |list: &str| format!("{list} {PICTURES}");
    for (what, resources, content) in [
        ("a font of type 3", "/Font << /F 20 0 R >>", "/F 1 Tf"),
        (
            "a font with empty resources",
            "/Font << /F 21 0 R >>",
            "/F 1 Tf",
        ),
        (
            "a font with a glyph that has resources",
            "/Font << /F 22 0 R >>",
            "/F 1 Tf",
        ),
        (
            "a font of a graphics state",
            "/ExtGState << /G << /Font [20 0 R 1] >> >>",
            "/G gs",
        ),
        (
            "a soft mask",
            "/ExtGState << /G << /SMask << /S /Alpha /G 40 0 R >> >> >>",
            "/G gs",
        ),
        (
            "a soft mask by reference",
            "/ExtGState << /G 41 0 R >>",
            "/G gs",
        ),
        (
            "a tiling pattern",
            "/Pattern << /P 43 0 R >>",
            "/Pattern cs /P scn",
        ),
        (
            "the graphics state of a pattern",
            "/Pattern << /P << /PatternType 2 /ExtGState 41 0 R >> >>",
            "/P scn",
        ),
    ] {
        let font = "/Type /Font /Subtype /Type3 /CharProcs";
        let form = "/Subtype /Form /BBox [0 0 9 9]";
        let pdf = pages(&lists(resources))
            .stream(5, "", content)
            .object(20, format!("<< {font} << /a 30 0 R >> >>"))
            .object(21, format!("<< {font} << /a 30 0 R >> /Resources << >> >>"))
            .object(22, format!("<< {font} << /a 31 0 R >> /Resources << >> >>"))
            .stream(30, "", glyph)
            .stream(31, "/Resources << >>", glyph)
            .stream(40, form, "/Im1 Do")
            .object(41, "<< /SMask 42 0 R >>")
            .object(42, "<< /S /Alpha /G 40 0 R >>")
            .stream(43, "/PatternType 1 /Resources << >>", "/Im1 Do");
        assert_pruned(&pdf, what);
    }
}

#[test]
fn appearances_are_walked_over() {
    let annotation = |entries: &str| {
        format!(
            "<< /Type /Page /Parent 2 0 R /MediaBox [0 0 9 9] /Annots [<< /Subtype /Widget /FT /Btn {entries} >>] >>"
        )
    };
    for (what, entries) in [
        ("normal", "/AP << /N 20 0 R >>"),
        ("when pressed", "/AP << /N 21 0 R /D 20 0 R >>"),
        (
            "a state",
            "/AP << /N << /On 20 0 R /Off 21 0 R >> >> /AS /Off",
        ),
        ("a state that is named like a key", "/AP 22 0 R /AS /AF"),
        ("an icon", "/MK << /I 20 0 R >>"),
    ] {
        for resources in [
            "",
            "/Resources << >>",
            &format!("/Resources << {PICTURES} >>"),
        ] {
            let pdf = pages(PICTURES)
                .object(3, annotation(entries))
                .stream(
                    20,
                    &format!("/Subtype /Form /BBox [0 0 9 9] {resources}"),
                    "/Im1 Do",
                )
                .stream(21, "/Subtype /Form /BBox [0 0 9 9]", "")
                .object(22, "<< /N << /AF 20 0 R /PieceInfo 21 0 R >> >>");
            assert_pruned(&pdf, what);
        }
    }
    // Text of a field is drawn with a font of the page if the form has no font of that name.
    let pdf = pages("/Font << /F1 20 0 R /F2 21 0 R >>")
        .object(3, annotation("/DA (/F1 9 Tf)"))
        .object(20, "<< /Type /Font /X 8 0 R >>")
        .object(21, "<< /Type /Font /X 9 0 R >>");
    assert_pruned(&pdf, "a default appearance");
}

#[test]
fn default_resources_of_fields_serve_appearances() {
    let pdf = pages("")
        .object(
            1,
            "<< /Type /Catalog /Pages 2 0 R /AcroForm << /Fields [20 0 R] /DR 22 0 R >> >>",
        )
        .object(
            3,
            "<< /Type /Page /Parent 2 0 R /MediaBox [0 0 9 9] /Annots [20 0 R] >>",
        )
        .object(
            20,
            "<< /Subtype /Widget /FT /Tx /T (a) /AP << /N 21 0 R >> >>",
        )
        .stream(21, "/Subtype /Form /BBox [0 0 9 9]", "/Im1 Do /Helv 9 Tf")
        .object(22, format!("<< {PICTURES} /Font << /Helv 23 0 R >> >>"))
        .object(23, "<< /Type /Font >>");
    let part = assert_pruned(&pdf, "default resources");
    for path in ["AcroForm/DR/XObject/Im1", "AcroForm/DR/Font/Helv"] {
        assert!(part.at(part.catalog(), path).is_some(), "{path}");
    }
}

#[test]
fn names_may_look_like_keys() {
    for name in [
        "AF",
        "PieceInfo",
        "StructParent",
        "StructParents",
        "Resources",
        "Length",
        "Type",
        "Parent",
        "P",
    ] {
        let pdf = pages(&format!("/XObject << /{name} 8 0 R /Im2 9 0 R >>")).stream(
            5,
            "",
            &format!("/{name} Do"),
        );
        let part = assert_pruned(&pdf, name);
        assert!(
            part.at(part.page(0), &format!("Resources/XObject/{name}"))
                .is_some()
        );

        for (category, value) in [
            ("Font", "<< /Type /Font >>"),
            ("ExtGState", "<< /LW 2 >>"),
            ("Pattern", "<< /PatternType 2 >>"),
            ("Shading", "<< /ShadingType 2 >>"),
            ("Properties", "<< /MCID 1 >>"),
            ("ColorSpace", "[/CalGray << /Gamma 2 >>]"),
        ] {
            let pdf = pages(&format!("/{category} << /{name} 20 0 R >>"))
                .stream(5, "", &format!("/{name} x"))
                .object(20, value);
            let part = parts(&pdf, "{}").remove(0);
            let path = format!("Resources/{category}/{name}");
            assert!(part.at(part.page(0), &path).is_some(), "{path}");
        }

        // Glyphs, and colorants of a colour space.
        let pdf = pages(&format!(
            "/Font << /F << /Type /Font /CharProcs << /{name} 20 0 R >> /Resources << {PICTURES} >> >> >>
                /ColorSpace << /C [/DeviceN [/{name}] /DeviceGray 20 0 R << /Colorants << /{name} 20 0 R >> >>] >>"
        ))
        .stream(5, "", "/F 1 Tf")
        .stream(20, "", "1000 0 d0 /Im1 Do");
        let part = assert_pruned(&pdf, name);
        assert!(
            part.at(part.page(0), &format!("Resources/Font/F/CharProcs/{name}"))
                .is_some()
        );
        let spaces = part.at(part.page(0), "Resources/ColorSpace/C").unwrap();
        let attributes = spaces.as_array().unwrap()[4].as_dict().unwrap();
        assert!(part.at(attributes, &format!("Colorants/{name}")).is_some());
    }
}

#[test]
fn properties_may_have_the_type_of_a_page() {
    for entries in [
        "/Type /Page",
        "/Type /Pages",
        "/Type /MCR /MCID 1",
        "/Type /Pagination",
    ] {
        let pdf = pages("/Properties << /Prop0 20 0 R >>")
            .stream(5, "", "/Artifact /Prop0 BDC EMC")
            .object(20, format!("<< {entries} >>"));
        let part = parts(&pdf, "{}").remove(0);
        assert!(
            part.at(part.page(0), "Resources/Properties/Prop0")
                .is_some(),
            "{entries}"
        );
    }
}

#[test]
fn keys_that_lead_elsewhere_are_still_dropped() {
    let secret = "/AF 20 0 R /PieceInfo 20 0 R /StructParent 1 /StructParents 1";
    let pdf = pages("/XObject << /X 21 0 R >>")
        .stream(5, "", "/X Do")
        .object(20, "<< /Private (SECRET) >>")
        .stream(21, &format!("/Subtype /Form /BBox [0 0 9 9] {secret}"), "")
        .object(
            3,
            "<< /Type /Page /Parent 2 0 R /MediaBox [0 0 9 9] /Contents 5 0 R
                /Annots [<< /Subtype /Square /AF 20 0 R /StructParent 3 >>] >>",
        );
    let everything = parts(&pdf, "{}")[0].everything();
    assert!(
        !everything.contains("SECRET") && !everything.contains("Struct"),
        "{everything}"
    );
}

#[test]
fn streams_are_no_structure() {
    // A picture that is named by mistake in a list of annotations or in the form, or that has the type of a page.
    let pdf = pages(PICTURES)
        .object(
            1,
            "<< /Type /Catalog /Pages 2 0 R /AcroForm << /Fields [8 0 R] >> >>",
        )
        .object(
            3,
            "<< /Type /Page /Parent 2 0 R /MediaBox [0 0 9 9] /Contents 5 0 R /Annots [8 0 R] >>",
        )
        .stream(5, "", "/Im1 Do")
        .stream(8, "/Subtype /Image /Type /Page", "OWN");
    assert_pruned(&pdf, "a stream");
}

#[test]
fn resources_shared_by_pages_are_written_once() {
    let pdf = pages(PICTURES).stream(5, "", "/Im1 Do");
    let part = parts(&pdf, r#"{"pages_per_file":2}"#).remove(0);
    let resources = |page| {
        part.page(page)
            .get(b"Resources")
            .unwrap()
            .as_reference()
            .unwrap()
    };
    assert_eq!(resources(0), resources(1));
    for picture in ["Im1", "Im2"] {
        assert!(
            part.at(part.page(0), &format!("Resources/XObject/{picture}"))
                .is_some()
        );
    }
}

#[test]
fn a_part_costs_what_its_page_uses() {
    // 1,000 pages with one list of pictures. Their forms also use that list as their resources.
    let count = 1_000;
    let list: String = (0..count)
        .map(|n| format!("/Im{n} {} 0 R ", 4_000 + n))
        .collect();
    let kids: String = (0..count).map(|n| format!("{} 0 R ", 1_000 + n)).collect();
    let mut pdf = smallest()
        .object(
            2,
            format!("<< /Type /Pages /MediaBox [0 0 9 9] /Kids [{kids}] /Resources 4 0 R >>"),
        )
        .object(4, "<< /XObject 5 0 R /Font << /T 7 0 R >> >>")
        .object(5, format!("<< /X 6 0 R {list} >>"))
        .stream(
            6,
            "/Subtype /Form /BBox [0 0 9 9] /Resources 4 0 R",
            "/T 1 Tf",
        )
        .object(
            7,
            "<< /Type /Font /Subtype /Type3 /CharProcs << /a 8 0 R >> /Resources 4 0 R >>",
        )
        .stream(8, "", "1000 0 d0 (/Im) Tj");
    pdf.append((0..count).map(|n| {
        (
            1_000 + n,
            format!("<< /Type /Page /Contents {} 0 R >>", 2_000 + n),
        )
    }));
    pdf.append((0..count).map(|n| {
        let content = format!("/Im{n} Do /X Do");
        (
            2_000 + n,
            format!(
                "<< /Length {} >>\nstream\n{content}\nendstream",
                content.len()
            ),
        )
    }));
    pdf.append((0..count).map(|n| {
        (
            4_000 + n,
            "<< /Subtype /Image /Length 5 >>\nstream\nIMAGE\nendstream".to_owned(),
        )
    }));
    let files = parts(&pdf, "{}");
    assert_eq!(files.len(), count as usize);
    for part in files {
        let pictures = part.document.objects.values().filter(|object| {
            object
                .as_stream()
                .is_ok_and(|stream| stream.content == b"IMAGE")
        });
        assert_eq!(pictures.count(), 1, "{}", part.name);
        assert!(
            part.document.objects.len() < 12,
            "{}",
            part.document.objects.len()
        );
    }
    // A single part has the list once.
    let whole = parts(&pdf, r#"{"ranges":"1-"}"#).remove(0);
    assert_eq!(whole.document.get_pages().len(), count as usize);
    assert!(whole.document.objects.len() < 3 * count as usize + 20);
}
