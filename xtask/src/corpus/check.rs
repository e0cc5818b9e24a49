//! Compares what a plugin made with what others' tools make of the same file.

use std::path::{Path, PathBuf};

use anyhow::Result;

use super::Trial;
use super::media;
use super::table::Outcome;
use super::tool::{Ended, tool};

/// Width and height, in pixels, that pictures are resized to at most.
pub(super) const RESIZED_TO: u32 = 64;

/// How much a resized picture may differ from ImageMagick's, as the root of the mean square over all channels, of 1. The
/// filters differ, and so do edges.
const MOST_DIFFERENCE: f64 = 0.06;

/// How much each side may differ, in pixels: the two round differently.
const MOST_ROUNDING: u32 = 1;

/// Pages at the start of a document that are compared, besides the last.
const PAGES: usize = 2;

/// Takes what a tool gave, or returns that the file cannot be checked.
macro_rules! take {
    ($program:literal, $args:expr) => {
        match tool($program, $args)? {
            Ended::Missing => return Ok(Outcome::NotChecked($program)),
            Ended::Failed => None,
            Ended::Warned(output) | Ended::Done(output) => Some(output),
        }
    };
}

/// Whether the tools that a result would be compared with read the file. `None` where they are not installed.
pub(super) fn is_read_by_others(trial: Trial, file: &Path) -> Result<Option<bool>> {
    if let (Trial::Strip, Some(kind)) = (trial, media::Kind::of_file(file)) {
        return media::is_read(kind, file);
    }
    let file = text(file);
    let ended = match trial {
        Trial::Strip | Trial::Resize => {
            let first = format!("{file}[0]");
            // It decodes, and does not only look at the header.
            tool("convert", &["-regard-warnings", &first, "null:"])?
        }
        Trial::Split => tool("qpdf", &["--show-npages", &file])?,
    };
    Ok(match ended {
        Ended::Missing => None,
        Ended::Failed => Some(false),
        Ended::Warned(_) | Ended::Done(_) => Some(true),
    })
}

/// A picture without metadata: exiftool finds none, nothing follows its end, and its pixels are the same.
pub(super) fn stripped(file: &Path, made: &[PathBuf]) -> Result<Outcome> {
    let [one] = made else {
        return Ok(Outcome::Wrong(format!("{} files", made.len())));
    };
    let (before, after) = (text(file), text(one));
    let Some(found) = take!("exiftool", &["-a", "-u", "-G1", "-s", &after]) else {
        return Ok(Outcome::Wrong("exiftool cannot read it".into()));
    };
    let found = String::from_utf8_lossy(&found).into_owned();
    if let Some(left) = found.lines().find(|line| !may_stay(line)) {
        return Ok(Outcome::Wrong(format!("there is still {left}")));
    }
    if has_trailer(&std::fs::read(one)?) {
        return Ok(Outcome::Wrong("something follows its end".into()));
    }
    let is_jpeg = one.extension().is_some_and(|extension| extension != "png");
    let pixels = if is_jpeg {
        let before = take!("djpeg", &["-pnm", &before]);
        (before, take!("djpeg", &["-pnm", &after]))
    } else {
        let before = take!("identify", &["-quiet", "-format", "%#", &before]);
        (
            before,
            take!("identify", &["-quiet", "-format", "%#", &after]),
        )
    };
    Ok(match pixels {
        (None, _) => Outcome::NoReference,
        (Some(_), None) => Outcome::Wrong("it cannot be decoded any more".into()),
        (Some(before), Some(after)) if before == after => Outcome::Checked,
        _ => Outcome::Wrong("its pixels are others".into()),
    })
}

/// Whether a line of exiftool, such as `[IFD0]  Make : …`, may stand there: it tells how the picture is coded, how its colours
/// are meant, how large a pixel is, or which way up it is.
fn may_stay(line: &str) -> bool {
    let Some((group, rest)) = line.strip_prefix('[').and_then(|line| line.split_once(']')) else {
        return true;
    };
    let (tag, value) = rest.split_once(':').unwrap_or((rest, ""));
    let (tag, value) = (tag.trim(), value.trim());
    let allowed: &[&str] = match group {
        // Of exiftool itself, of the file system, and what follows from the others.
        "ExifTool" | "System" | "Composite" | "PNG-pHYs" => return true,
        "IFD0" => &["Orientation"],
        "File" => &[
            "FileType",
            "FileTypeExtension",
            "MIMEType",
            "ImageWidth",
            "ImageHeight",
            "EncodingProcess",
            "BitsPerSample",
            "ColorComponents",
            "YCbCrSubSampling",
            "ExifByteOrder",
        ],
        "JFIF" => &[
            "JFIFVersion",
            "ResolutionUnit",
            "XResolution",
            "YResolution",
        ],
        "Adobe" => &[
            "DCTEncodeVersion",
            "APP14Flags0",
            "APP14Flags1",
            "ColorTransform",
        ],
        "PNG" => &[
            "ImageWidth",
            "ImageHeight",
            "BitDepth",
            "ColorType",
            "Compression",
            "Filter",
            "Interlace",
            "Palette",
            "Transparency",
            "BackgroundColor",
            "SignificantBits",
            "Gamma",
            "SRGBRendering",
            "WhitePointX",
            "WhitePointY",
            "RedX",
            "RedY",
            "GreenX",
            "GreenY",
            "BlueX",
            "BlueY",
            "AnimationFrames",
            "AnimationPlays",
        ],
        _ => &[],
    };
    if group.starts_with("ICC") || (group, tag) == ("PNG", "ProfileName") {
        // A profile tells how colours are meant, and may name whose device that was.
        let names = [
            "Desc",
            "Copyright",
            "Manufacturer",
            "Model",
            "Date",
            "Creator",
            "Serial",
            "CMMType",
            "Name",
        ];
        let is_plain = matches!(value, "" | "icc" | "0000:00:00 00:00:00");
        return is_plain || !names.iter().any(|name| tag.contains(name));
    }
    allowed.contains(&tag)
}

/// Whether something follows the end of a picture.
fn has_trailer(bytes: &[u8]) -> bool {
    if bytes.starts_with(b"\x89PNG") {
        return !bytes.ends_with(b"\0\0\0\0IEND\xae\x42\x60\x82");
    }
    // From segment to segment; in the data of a scan only a marker has a byte but zero behind `FF`.
    let mut at = 2;
    loop {
        let Some(&[0xff, code]) = bytes.get(at..at + 2).and_then(|pair| pair.first_chunk()) else {
            return true;
        };
        at += 2;
        match code {
            0xd9 => return at != bytes.len(),
            0xff => at -= 1,
            0x01 | 0xd0..=0xd7 => {}
            _ => {
                let Some(&length) = bytes.get(at..).and_then(|rest| rest.first_chunk()) else {
                    return true;
                };
                at += usize::from(u16::from_be_bytes(length));
            }
        }
        if code == 0xda {
            let is_marker = |pair: &[u8]| matches!(pair, [0xff, next] if !matches!(next, 0 | 0xd0..=0xd7 | 0xff));
            let rest = bytes.get(at..).unwrap_or_default();
            at += rest.windows(2).position(is_marker).unwrap_or(rest.len());
        }
    }
}

/// A picture that was resized: to the size that ImageMagick gives it, and as ImageMagick or libvips resizes it.
pub(super) fn resized(work: &Path, file: &Path, made: &[PathBuf]) -> Result<Outcome> {
    let [one] = made else {
        return Ok(Outcome::Wrong(format!("{} files", made.len())));
    };
    let (before, after) = (format!("{}[0]", text(file)), text(one));
    let Some(size) = take!("identify", &["-quiet", "-format", "%w %h", &after]) else {
        return Ok(Outcome::Wrong("ImageMagick cannot read it".into()));
    };
    let within = format!("{RESIZED_TO}x{RESIZED_TO}>");
    // The first frame of an animation may be smaller than the picture.
    let whole: &[&str] = match before.to_lowercase().ends_with(".gif[0]") {
        true => &["-coalesce"],
        false => &[],
    };
    let shape = [
        "-auto-orient",
        "-resize",
        &*within,
        "-format",
        "%w %h",
        "info:",
    ];
    let Some(expected) = take!(
        "convert",
        &[&["-quiet", &*before][..], whole, &shape].concat()
    ) else {
        return Ok(Outcome::NoReference);
    };
    let (Some([width, height]), Some([expected_width, expected_height])) =
        (sides(&size), sides(&expected))
    else {
        return Ok(Outcome::NoReference);
    };
    if width
        .abs_diff(expected_width)
        .max(height.abs_diff(expected_height))
        > MOST_ROUNDING
    {
        return Ok(Outcome::Wrong(format!(
            "it has {width}x{height} pixels, not {expected_width}x{expected_height}"
        )));
    }
    let reference = text(&work.join("reference.png"));
    let exact = format!("{width}x{height}!");
    let resize = ["-auto-orient", "-colorspace", "sRGB", "-resize", &*exact];
    let args = [&["-quiet", &*before][..], whole, &resize, &[&*reference]].concat();
    if take!("convert", &args).is_none() {
        return Ok(Outcome::NoReference);
    }
    let outcome = looks_like(work, &reference, "ImageMagick", &after)?;
    if !matches!(outcome, Outcome::Wrong(_)) {
        return Ok(outcome);
    }
    // ImageMagick applies no profile of inks and inverts some TIFFs. What libvips makes of a file is right, too.
    let args = [
        "--size",
        &*exact,
        "--export-profile",
        "srgb",
        "-o",
        &*reference,
        text(file).as_str(),
    ]
    .map(ToOwned::to_owned);
    let args: Vec<&str> = args.iter().map(String::as_str).collect();
    Ok(match tool("vipsthumbnail", &args)? {
        Ended::Done(_) => match looks_like(work, &reference, "libvips", &after)? {
            Outcome::Wrong(_) => outcome,
            other => other,
        },
        _ => outcome,
    })
}

/// Whether a picture looks like a reference of the same size, on black and on white.
fn looks_like(work: &Path, reference: &str, whose: &str, picture: &str) -> Result<Outcome> {
    for background in ["white", "black"] {
        let flat = ["-background", background, "-alpha", "remove"];
        let (expected, ours) = (
            text(&work.join("expected.png")),
            text(&work.join("ours.png")),
        );
        for (from, to) in [(reference, &*expected), (picture, &*ours)] {
            let args = [&["-quiet", from][..], &flat, &[to]].concat();
            if take!("convert", &args).is_none() {
                return Ok(Outcome::Wrong("ImageMagick cannot read it".into()));
            }
        }
        let difference = [
            "-compose",
            "difference",
            "-composite",
            "-colorspace",
            "sRGB",
        ];
        let mean = [
            "-evaluate",
            "pow",
            "2",
            "-format",
            "%[fx:sqrt(mean)]",
            "info:",
        ];
        let args = [&[&*ours, &*expected][..], &difference, &mean].concat();
        let Some(difference) = take!("convert", &args) else {
            return Ok(Outcome::NoReference);
        };
        match String::from_utf8_lossy(&difference).trim().parse::<f64>() {
            Ok(difference) if difference <= MOST_DIFFERENCE => {}
            Ok(difference) => {
                let what =
                    format!("differs from that of {whose} by {difference:.3} on {background}");
                return Ok(Outcome::Wrong(what));
            }
            Err(_) => return Ok(Outcome::NoReference),
        }
    }
    Ok(Outcome::Checked)
}

/// Width and height, as ImageMagick prints them.
fn sides(text: &[u8]) -> Option<[u32; 2]> {
    let text = String::from_utf8_lossy(text).into_owned();
    let (width, height) = text.trim().split_once(' ')?;
    Some([width.parse().ok()?, height.parse().ok()?])
}

/// A document that was split: as many parts as it has pages, sound, and with the text and the look of its pages.
pub(super) fn split(work: &Path, file: &Path, made: &[PathBuf]) -> Result<Outcome> {
    let source = text(file);
    let Some(pages) = take!("qpdf", &["--show-npages", &source]) else {
        return Ok(Outcome::NoReference);
    };
    let pages = String::from_utf8_lossy(&pages).trim().to_owned();
    if pages != made.len().to_string() {
        return Ok(Outcome::Wrong(format!(
            "{} parts of {pages} pages",
            made.len()
        )));
    }
    let is_sound = matches!(tool("qpdf", &["--check", &source])?, Ended::Done(_));
    // It only prints its version.
    let _ = take!("pdftoppm", &["-v"]);
    for (number, part) in (1..).zip(made) {
        if number > PAGES && number < made.len() {
            continue;
        }
        let (part, number) = (text(part), number.to_string());
        if is_sound && !matches!(tool("qpdf", &["--check", &part])?, Ended::Done(_)) {
            return Ok(Outcome::Wrong(format!("part {number} is not sound")));
        }
        let range = ["-f", &*number, "-l", &*number];
        let expected = take!("pdftotext", &[&range[..], &[&source, "-"]].concat());
        let found = take!("pdftotext", &[&*part, "-"]);
        if expected.is_none() {
            return Ok(Outcome::NoReference);
        }
        if expected != found {
            return Ok(Outcome::Wrong(format!("page {number} has another text")));
        }
        match looks(work, &source, &part, &number)? {
            [None, _] => return Ok(Outcome::NoReference),
            [expected, found] if expected == found => {}
            // The two renderers of others do not agree about all syntax.
            _ if looks_alike_to_mupdf(work, &source, &part, &number)? => {}
            _ => return Ok(Outcome::Wrong(format!("page {number} looks different"))),
        }
    }
    Ok(Outcome::Checked)
}

/// A page of the document and the part that has it, as poppler draws them.
fn looks(work: &Path, source: &str, part: &str, number: &str) -> Result<[Option<Vec<u8>>; 2]> {
    let picture = work.join("page.png");
    let stem = text(&picture.with_extension(""));
    let draw = |document: &str, number: &str| -> Result<_> {
        let range = ["-f", number, "-l", number];
        let args = ["-r", "24", "-png", "-singlefile", document, &*stem];
        let drawn = matches!(
            tool("pdftoppm", &[&range[..], &args].concat())?,
            Ended::Done(_)
        );
        let read = drawn.then(|| std::fs::read(&picture).ok()).flatten();
        // An old picture is never compared.
        let _ = std::fs::remove_file(&picture);
        Ok(read)
    };
    Ok([draw(source, number)?, draw(part, "1")?])
}

/// Whether MuPDF draws both alike. Not if it is not installed.
fn looks_alike_to_mupdf(work: &Path, source: &str, part: &str, number: &str) -> Result<bool> {
    let picture = work.join("page.png");
    let to = text(&picture);
    let draw = |document: &str, number: &str| -> Result<_> {
        let drawn = tool(
            "mutool",
            &["draw", "-q", "-r", "24", "-o", &*to, document, number],
        )?;
        let read = matches!(drawn, Ended::Done(_))
            .then(|| std::fs::read(&picture).ok())
            .flatten();
        let _ = std::fs::remove_file(&picture);
        Ok(read)
    };
    let source = draw(source, number)?;
    Ok(source.is_some() && source == draw(part, "1")?)
}

fn text(path: &Path) -> String {
    path.to_string_lossy().into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_describes_the_picture_itself_may_stay() {
        for line in [
            "[File]          ImageWidth                      : 96",
            "[IFD0]          Orientation                     : Rotate 90 CW",
            "[ICC-header]    ProfileClass                    : Display Device Profile",
            "[ICC-header]    DeviceModel                     : ",
            "[ICC_Profile]   ProfileDescription              : icc",
            "[PNG]           BitDepth                        : 8",
        ] {
            assert!(may_stay(line), "{line}");
        }
        for line in [
            "[IFD0]          Make                            : x",
            "[GPS]           GPSLatitude                     : 1",
            "[XMP-dc]        Creator                         : x",
            "[PNG]           Comment                         : x",
            "[PNG]           ModifyDate                      : x",
            "[File]          Comment                         : x",
            "[JFIF]          ThumbnailImage                  : x",
            "[ICC-header]    DeviceModel                     : x",
            "[ICC_Profile]   ProfileDescription              : my screen",
        ] {
            assert!(!may_stay(line), "{line}");
        }
    }

    #[test]
    fn what_follows_the_end_is_found() {
        // A scan with a stuffed zero, a restart marker, and FFD9 within a segment.
        let jpeg = b"\xff\xd8\xff\xe0\0\x04\xff\xd9\xff\xda\0\x02ab\xff\0\xff\xd0c\xff\xd9";
        assert!(!has_trailer(jpeg));
        assert!(has_trailer(&[&jpeg[..], b"x\xff\xd9"].concat()));
        assert!(has_trailer(
            jpeg.strip_suffix(b"\xff\xd9").unwrap_or_default()
        ));
        let png = b"\x89PNG....\0\0\0\0IEND\xae\x42\x60\x82";
        assert!(!has_trailer(png));
        assert!(has_trailer(&[&png[..], b"x"].concat()));
    }
}
