//! A document with all kinds of references from one page to others.

use crate::pdf::{Part, Pdf, parts};

/// Four pages, numbered from 1. Objects that belong to page n have numbers from n×100 on and contain `ONLY-n`.
pub(crate) fn book() -> Pdf {
    let mut pdf = Pdf::default()
        .object(
            1,
            "<< /Type /Catalog /Pages 2 0 R /Version /1.7 /Lang (en) /PageMode /UseOutlines /PageLayout /OneColumn
                /Outlines 20 0 R /AcroForm 30 0 R /StructTreeRoot 40 0 R /MarkInfo << /Marked true >>
                /PageLabels << /Nums [0 << /S /r >> 1 << /S /D /P (A-) /St 7 >>] >>
                /Names << /Dests 50 0 R /EmbeddedFiles << /Names [(a) 52 0 R] >> /JavaScript << /Names [(s) 55 0 R] >> >>
                /Dests << /Old [200 0 R /Fit] >> /OpenAction [100 0 R /Fit] /AA << /WC 55 0 R >> /Threads [60 0 R]
                /OCProperties 70 0 R /OutputIntents [<< /Type /OutputIntent /S /GTS_PDFX /Info (INTENT) >>]
                /Metadata 80 0 R /PieceInfo << /X << /Private (DOCUMENT-ONLY) >> >> /URI << /Base (https://base.example/) >>
                /ViewerPreferences << /DisplayDocTitle true /PrintPageRange [0 1] >> /AF [52 0 R] >>",
        )
        .object(2, "<< /Type /Pages /Count 99 /Kids [100 0 R 200 0 R 3 0 R] /Resources 10 0 R /MediaBox [0 0 300 400] >>")
        .object(3, "<< /Type /Pages /Count 2 /Parent 2 0 R /Kids [300 0 R 400 0 R] /Rotate 90 /CropBox [9 9 99 99] >>")
        .object(4, "<< /Title (THE-BOOK) /Author (A. Author) /Custom (DOCUMENT-ONLY) >>")
        .object(
            10,
            "<< /ProcSet [/PDF /Text] /Font << /F1 11 0 R /F2 11 0 R /Unused << /Type /Font /BaseFont /NOBODYS >> >>
                /XObject << /Im1 108 0 R /Im2 208 0 R /Im3 308 0 R /Im#34 408 0 R /Head 12 0 R >>
                /Properties << /L1 71 0 R /L2 72 0 R >> /ColorSpace << /CS0 /DeviceGray >> >>",
        )
        .object(11, "<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>")
        // A form without resources of its own: its names are looked up in the page's.
        .stream(12, "/Type /XObject /Subtype /Form /BBox [0 0 9 9] /StructParents 9", "/F2 9 Tf (EVERYONES-HEAD) Tj")
        .object(20, "<< /Type /Outlines /First 120 0 R /Last 420 0 R /Count 4 >>")
        .object(
            30,
            "<< /Fields [31 0 R 407 0 R] /DA (/Helv 0 Tf) /DR << /Font << /Helv 11 0 R >> /XObject << /Im3 308 0 R >> >>
                /XFA (ONLY-1 ONLY-2 ONLY-3 ONLY-4) /CO [107 0 R] /SigFlags 3 >>",
        )
        .object(31, "<< /T (group) /Kids [107 0 R 207 0 R 307 0 R] /AA << /K 55 0 R >> >>")
        .object(40, "<< /Type /StructTreeRoot /K [141 0 R 241 0 R 341 0 R 441 0 R] >>")
        .object(50, "<< /Kids [51 0 R] >>")
        .object(52, "<< /Type /Filespec /F (a) /EF << /F 53 0 R >> >>")
        .stream(53, "/Type /EmbeddedFile", "DOCUMENT-ONLY")
        .object(55, "<< /S /JavaScript /JS (DOCUMENT-ONLY) >>")
        .object(60, "<< /Type /Thread /F 161 0 R /I << /Title (DOCUMENT-ONLY) >> >>")
        .object(
            70,
            "<< /OCGs [71 0 R 72 0 R] /D << /Name (LAYERS) /OFF [71 0 R 72 0 R] /Order [(LAYER-TITLE) 71 0 R [72 0 R]]
                /AS [<< /Event /View /Category [/View] /OCGs [72 0 R] >>] >> /Configs [<< /Name (DOCUMENT-ONLY) >>] >>",
        )
        .object(71, "<< /Type /OCG /Name (ONLY-1) >>")
        .object(72, "<< /Type /OCG /Name (ONLY-2) >>")
        .stream(80, "/Type /Metadata /Subtype /XML", "<DOCUMENT-ONLY/>")
        .trailer("/Root 1 0 R /Info 4 0 R /ID [<00112233445566778899aabbccddeeff> <00>]");
    let mut names = String::new();
    for n in 1..=4_u32 {
        let id = n * 100;
        let next = n % 4 * 100 + 100;
        let previous = (n + 2) % 4 * 100 + 100;
        let parent = if n < 3 { 2 } else { 3 };
        let layer = if n < 3 {
            format!("/OC /L{n} BDC EMC ")
        } else {
            String::new()
        };
        names += &format!("(dest-ONLY-{n}) [{id} 0 R /XYZ 1 2 {n}] ");
        pdf = pdf
            .object(
                id,
                format!(
                    "<< /Type /Page /Parent {parent} 0 R /Contents [{} 0 R] /B [{} 0 R] /StructParents {n}
                        /Annots [{} 0 R {} 0 R {} 0 R {} 0 R {} 0 R {} 0 R << /Subtype /Square /Contents (ONLY-{n}) >>]
                        /PieceInfo << /X << /Private (PRIVATE) >> >> /AA << /O 55 0 R >> /Private [{next} 0 R] >>",
                    id + 1,
                    id + 61,
                    id + 2,
                    id + 3,
                    id + 4,
                    id + 5,
                    id + 6,
                    id + 7,
                ),
            )
            .stream(id + 1, "", &format!("{layer}/F1 9 Tf (ONLY-{n}) Tj /Im{n} Do /Head Do"))
            .object(id + 2, format!("<< /Subtype /Link /Border [0 0 1] /A << /S /GoTo /D [{next} 0 R /FitH 7] >> >>"))
            .object(id + 3, format!("<< /Subtype /Link /P {id} 0 R /Dest (dest-ONLY-{n}) /StructParent {n} >>"))
            .object(
                id + 4,
                format!(
                    "<< /Subtype /Link /A << /S /URI /URI (https://example.com/ONLY-{n}) /Next 55 0 R >> /PA 55 0 R >>"
                ),
            )
            .object(
                id + 5,
                format!("<< /Subtype /Text /Contents (ONLY-{n}) /Popup {} 0 R /IRT {} 0 R >>", id + 6, next + 5),
            )
            .object(id + 6, format!("<< /Subtype /Popup /Parent {} 0 R >>", id + 5))
            .object(
                id + 7,
                format!(
                    "<< /Subtype /Widget {} /T (field-ONLY-{n}) /FT /Tx /V (ONLY-{n}) /AA << /K 55 0 R >> /A 55 0 R >>",
                    if n < 4 { "/Parent 31 0 R" } else { "" }
                ),
            )
            .stream(
                id + 8,
                "/Type /XObject /Subtype /Image /Width 6 /Height 1 /ColorSpace /DeviceGray /BitsPerComponent 8",
                &format!("ONLY-{n}"),
            )
            .object(
                id + 20,
                format!(
                    "<< /Title (title-ONLY-{n}) /Parent 20 0 R /A << /S /GoTo /D (dest-ONLY-{n}) >> {} /First {} 0 R
                        /Last {} 0 R /Count -1 >>",
                    if n < 4 { format!("/Next {} 0 R", next + 20) } else { String::new() },
                    id + 21,
                    id + 21
                ),
            )
            // Below each entry is one that leads to the page before.
            .object(
                id + 21,
                format!(
                    "<< /Title (below-ONLY-{}) /Parent {} 0 R /Dest [{previous} 0 R /Fit] /SE 141 0 R >>",
                    previous / 100,
                    id + 20
                ),
            )
            .object(
                id + 41,
                format!("<< /Type /StructElem /S /P /P 40 0 R /Pg {id} 0 R /K 0 /ActualText (ONLY-{n}) >>"),
            )
            .object(
                id + 61,
                format!("<< /Type /Bead /T 60 0 R /N {} 0 R /V {} 0 R /P {id} 0 R >>", next + 61, previous + 61),
            );
    }
    pdf.object(51, format!("<< /Limits [(a) (z)] /Names [{names}] >>"))
}

/// The pages that are not the part's own and whose `ONLY-n` is in the part.
fn foreign(part: &Part, own: &[u32]) -> Vec<u32> {
    let everything = part.everything();
    (1..=4)
        .filter(|n| !own.contains(n) && everything.contains(&format!("ONLY-{n}")))
        .collect()
}

#[test]
fn a_part_holds_nothing_of_other_pages() {
    let files = parts(&book(), "{}");
    assert_eq!(files.len(), 4);
    for (part, n) in files.iter().zip(1..) {
        assert_eq!(part.name, format!("book-00{n}.pdf"));
        assert_eq!(part.document.get_pages().len(), 1);
        assert_eq!(foreign(part, &[n]), [0; 0], "{}", part.name);
        let everything = part.everything();
        for own in [
            format!("(ONLY-{n}) Tj"),
            format!("field-ONLY-{n}"),
            format!("title-ONLY-{n}"),
            "EVERYONES-HEAD".into(),
        ] {
            assert!(
                everything.contains(&own),
                "{}: {own}\n{everything}",
                part.name
            );
        }
        for gone in [
            "DOCUMENT-ONLY",
            "NOBODYS",
            "PRIVATE",
            "JavaScript",
            "Bead",
            "StructElem",
            "StructParent",
            "XFA",
        ] {
            assert!(
                !everything.contains(gone),
                "{}: {gone}\n{everything}",
                part.name
            );
        }
    }
    for (range, own) in [
        ("1-2", vec![1, 2]),
        ("2-4", vec![2, 3, 4]),
        ("1-", vec![1, 2, 3, 4]),
    ] {
        let files = parts(&book(), &format!(r#"{{"ranges":"{range}"}}"#));
        assert_eq!(files[0].document.get_pages().len(), own.len());
        assert_eq!(foreign(&files[0], &own), [0; 0], "{range}");
    }
}
