//! Compares what a plugin made with what others' tools make of the same file.

use std::path::{Path, PathBuf};

use anyhow::Result;

use super::table::Outcome;
use super::tool::{Ended, tool};

/// Width and height, in pixels, that pictures are resized to at most.
pub(super) const RESIZED_TO: u32 = 64;

/// How much a resized picture may differ from ImageMagick's, as the root of the mean square over all channels, of 1. The
/// filters differ, and so do edges.
const MOST_DIFFERENCE: f64 = 0.06;

/// Pages of a document that are compared.
const PAGES: usize = 3;

/// What exiftool may find in a picture without metadata: what the file system and the format itself say, how colours are
/// meant, how large a pixel is, and which way up it is.
const GROUPS: [&str; 9] = [
    "ExifTool",
    "System",
    "File",
    "Composite",
    "PNG",
    "PNG-pHYs",
    "JFIF",
    "Adobe",
    "ICC_Profile",
];

/// Takes what a tool gave, or returns that the file cannot be checked.
macro_rules! take {
    ($program:literal, $args:expr) => {
        match tool($program, $args)? {
            Ended::Missing => return Ok(Outcome::NotChecked($program)),
            Ended::Failed => None,
            Ended::Done(output) => Some(output),
        }
    };
}

/// A picture without metadata: exiftool finds none, and its pixels are the same.
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

/// Whether a line of exiftool, such as `[IFD0]  Make : …`, may stand there.
fn may_stay(line: &str) -> bool {
    let Some((group, rest)) = line.strip_prefix('[').and_then(|line| line.split_once(']')) else {
        return true;
    };
    let orientation = group == "IFD0" && rest.trim_start().starts_with("Orientation");
    let header = matches!(
        group,
        "ICC-header" | "ICC_Profile" | "ICC-view" | "ICC-meas"
    );
    orientation || header || GROUPS.contains(&group)
}

/// A picture that was resized: within the box, and as ImageMagick resizes it.
pub(super) fn resized(work: &Path, file: &Path, made: &[PathBuf]) -> Result<Outcome> {
    let [one] = made else {
        return Ok(Outcome::Wrong(format!("{} files", made.len())));
    };
    let (before, after) = (format!("{}[0]", text(file)), text(one));
    let Some(size) = take!("identify", &["-quiet", "-format", "%w %h", &after]) else {
        return Ok(Outcome::Wrong("ImageMagick cannot read it".into()));
    };
    let size = String::from_utf8_lossy(&size).into_owned();
    let sides: Vec<u32> = size
        .split(' ')
        .filter_map(|side| side.parse().ok())
        .collect();
    if sides.len() != 2 || sides.iter().any(|side| *side > RESIZED_TO || *side == 0) {
        return Ok(Outcome::Wrong(format!("its size is {size}")));
    }
    let reference = text(&work.join("reference.png"));
    let exact = format!("{}!", size.replace(' ', "x"));
    let flat = ["-background", "white", "-alpha", "remove"];
    let mut args = vec![
        "-quiet",
        &*before,
        "-auto-orient",
        "-colorspace",
        "sRGB",
        "-resize",
        &*exact,
    ];
    args.extend(flat);
    args.push(&reference);
    if take!("convert", &args).is_none() {
        return Ok(Outcome::NoReference);
    }
    let flattened = text(&work.join("flattened.png"));
    let mut args = vec!["-quiet", &*after];
    args.extend(flat);
    args.push(&flattened);
    if take!("convert", &args).is_none() {
        return Ok(Outcome::Wrong("ImageMagick cannot read it".into()));
    }
    let args = [
        &*flattened,
        &*reference,
        "-compose",
        "difference",
        "-composite",
        "-colorspace",
        "sRGB",
    ];
    let args = [
        &args[..],
        &[
            "-evaluate",
            "pow",
            "2",
            "-format",
            "%[fx:sqrt(mean)]",
            "info:",
        ],
    ]
    .concat();
    let Some(difference) = take!("convert", &args) else {
        return Ok(Outcome::NoReference);
    };
    let difference = String::from_utf8_lossy(&difference).trim().parse::<f64>();
    Ok(match difference {
        Ok(difference) if difference <= MOST_DIFFERENCE => Outcome::Checked,
        Ok(difference) => Outcome::Wrong(format!("differs from ImageMagick's by {difference:.3}")),
        Err(_) => Outcome::NoReference,
    })
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
    let is_sound = take!("qpdf", &["--check", &source]).is_some();
    for (number, part) in (1..).zip(made.iter().take(PAGES)) {
        let (part, number) = (text(part), number.to_string());
        if is_sound && take!("qpdf", &["--check", &part]).is_none() {
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
        let (one, other) = (text(&work.join("page")), text(&work.join("part")));
        let draw = ["-r", "24", "-png", "-singlefile"];
        let expected = take!("pdftoppm", &[&range[..], &draw, &[&source, &one]].concat());
        let found = take!("pdftoppm", &[&draw[..], &[&part, &other]].concat());
        if expected.is_none() {
            return Ok(Outcome::NoReference);
        }
        let looks = |name: &str| std::fs::read(format!("{name}.png")).ok();
        if found.is_none() || looks(&one) != looks(&other) {
            return Ok(Outcome::Wrong(format!("page {number} looks different")));
        }
    }
    Ok(Outcome::Checked)
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
            "[PNG]           BitDepth                        : 8",
        ] {
            assert!(may_stay(line), "{line}");
        }
        for line in [
            "[IFD0]          Make                            : x",
            "[GPS]           GPSLatitude                     : 1",
            "[XMP-dc]        Creator                         : x",
            "[PNG-tEXt]      Comment : x",
        ] {
            assert!(!may_stay(line), "{line}");
        }
    }
}
