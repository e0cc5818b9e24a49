//! How each type is recognised: a signature, and enough of the header behind it that no text has it.

pub(super) fn is_png(head: &[u8]) -> bool {
    head.starts_with(b"\x89PNG\r\n\x1a\n")
}

/// The start of a JPEG, then a marker that can follow it.
pub(super) fn is_jpeg(head: &[u8]) -> bool {
    head.starts_with(b"\xff\xd8\xff") && head.get(3).is_none_or(|marker| *marker >= 0xc0)
}

pub(super) fn is_wav(head: &[u8]) -> bool {
    head.starts_with(b"RIFF") && head.get(8..12) == Some(b"WAVE") && !is_text(head)
}

/// An ISO base media file (ISO/IEC 14496-12, 4.3) that is a film. The major brand decides if it is one of pictures,
/// sound or QuickTime. Otherwise, any brand of MP4 will do.
pub(super) fn is_mp4(head: &[u8]) -> bool {
    let Some((size, rest)) = head.split_first_chunk::<4>() else {
        return false;
    };
    let size = u32::from_be_bytes(*size);
    let (true, Some(brands)) = ((16..=1024).contains(&size), rest.strip_prefix(b"ftyp")) else {
        return false;
    };
    // The box's own size counts the eight bytes before the brands.
    let brands = brands.get(..size as usize - 8).unwrap_or(brands);
    let mut brands = brands.chunks_exact(4);
    let major = brands.next().unwrap_or_default();
    // The version, which is not a brand.
    brands.next();
    let other = |brand: &[u8]| is_picture(brand) || is_other_film(brand);
    if other(major) {
        return false;
    }
    is_mp4_brand(major) || (brands.clone().any(is_mp4_brand) && !brands.any(is_picture))
}

fn is_mp4_brand(brand: &[u8]) -> bool {
    match brand {
        // iso2 to iso9, isom; mp41, mp42; M4V, M4VH, M4VP; the segments of CMAF.
        [b'i', b's', b'o', _] | [b'm', b'p', b'4', _] | [b'M', b'4', b'V', _] => true,
        [b'c', b'm', b'f', _] | [b'N', b'D', _, _] => true,
        _ => [
            "avc1", "avc3", "hvc1", "hev1", "av01", "vp09", "dash", "mmp4", "mp71", "f4v ", "F4V ",
            "MSNV", "NSDC", "XAVC", "CAEP", "niko", "pana", "dby1",
        ]
        .iter()
        .any(|known| known.as_bytes() == brand),
    }
}

/// HEIF, with any coding, and the raw pictures of cameras.
fn is_picture(brand: &[u8]) -> bool {
    let known: [&[u8]; 15] = [
        b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"hevm", b"hevs", b"mif1", b"mif2",
        b"msf1", b"miaf", b"avif", b"avis", b"crx ",
    ];
    known.contains(&brand)
}

/// Sound, and QuickTime.
fn is_other_film(brand: &[u8]) -> bool {
    let known: [&[u8]; 6] = [b"qt  ", b"M4A ", b"M4B ", b"M4P ", b"F4A ", b"F4B "];
    known.contains(&brand)
}

/// The header of EBML (RFC 8794, 11.2), with the document type of WebM, which may be padded with zeros.
pub(super) fn is_webm(head: &[u8]) -> bool {
    let Some(rest) = head.strip_prefix(b"\x1a\x45\xdf\xa3") else {
        return false;
    };
    let Some((header, rest)) = number(rest) else {
        return false;
    };
    let mut elements = rest.get(..header).unwrap_or(rest);
    while let [first, ..] = elements {
        let length = first.leading_zeros() as usize + 1;
        let (Some(id), Some(rest)) = (elements.get(..length), elements.get(length..)) else {
            return false;
        };
        let Some((size, rest)) = number(rest) else {
            return false;
        };
        let Some((value, rest)) = rest.split_at_checked(size) else {
            return false;
        };
        if id == b"\x42\x82" {
            return value.split(|byte| *byte == 0).next() == Some(b"webm");
        }
        elements = rest;
    }
    false
}

/// A number of EBML (RFC 8794, 4), and what follows it.
fn number(bytes: &[u8]) -> Option<(usize, &[u8])> {
    let length = bytes.first()?.leading_zeros() as usize + 1;
    let (digits, rest) = bytes.split_at_checked(length)?;
    let value = digits
        .iter()
        .fold(0u64, |sum, digit| sum << 8 | u64::from(*digit));
    // The first set bit is the length's.
    let value = if length > 8 {
        return None;
    } else {
        value & !(1 << (7 * length))
    };
    Some((usize::try_from(value).ok()?, rest))
}

/// A tag of ID3v2 (ID3v2.4.0 structure, 3.1) with a known version and a size of 7-bit bytes, or a frame.
pub(super) fn is_mp3(head: &[u8]) -> bool {
    match head {
        [b'I', b'D', b'3', version, _, flags, size @ ..] if size.len() >= 4 => {
            let size = size.get(..4).unwrap_or_default();
            (2..=4).contains(version)
                && flags & 0x0f == 0
                && size.iter().all(|byte| byte & 0x80 == 0)
        }
        _ => is_mp3_frame(head),
    }
}

/// Whether `head` is the header of an MPEG audio layer III frame (ISO/IEC 11172-3, 2.4.1.3) with a valid bit rate and
/// sampling rate.
fn is_mp3_frame(head: &[u8]) -> bool {
    let &[0xff, second, third, ..] = head else {
        return false;
    };
    let synchronised = second & 0xe0 == 0xe0;
    let version_known = second & 0x18 != 0x08;
    let layer_three = second & 0x06 == 0x02;
    let rates_known = !matches!(third >> 4, 0x0 | 0xf) && third & 0x0c != 0x0c;
    synchronised && version_known && layer_three && rates_known
}

/// A header at the start, behind white space at most. Or one in the first 1024 bytes of a file that is no text: readers
/// accept it there (PDF 1.7, annex H, note 13). If text precedes it, the comment of bytes above 127 must follow it (PDF
/// 1.7, 7.5.2).
pub(super) fn is_pdf(head: &[u8]) -> bool {
    let start = head.strip_prefix(b"\xef\xbb\xbf").unwrap_or(head);
    let start = start.trim_ascii_start();
    if is_pdf_header(start) || is_pdf_after_postscript(start) {
        return true;
    }
    // A character that the head cuts off does not count.
    let utf_8 =
        std::str::from_utf8(head).map_or_else(|error| error.error_len().is_none(), |_| true);
    if utf_8 && is_text(head) {
        return false;
    }
    (0..=1024).any(|at| {
        let (Some(before), Some(rest)) = (head.get(..at), head.get(at..)) else {
            return false;
        };
        is_pdf_header(rest)
            && (!is_text(before) || (before.ends_with(b"\n") && has_binary_comment(rest)))
    })
}

fn is_pdf_header(bytes: &[u8]) -> bool {
    let version = bytes.strip_prefix(b"%PDF-").and_then(<[u8]>::first);
    version.is_some_and(u8::is_ascii_digit)
}

/// `%!PS-Adobe-N.n PDF-M.m` (PDF 1.7, annex H, note 14).
fn is_pdf_after_postscript(bytes: &[u8]) -> bool {
    let line = bytes.split(|byte| matches!(byte, b'\r' | b'\n')).next();
    let line = line.unwrap_or_default();
    line.starts_with(b"%!PS-Adobe-") && line.windows(7).any(|window| window == b" PDF-1.")
}

fn has_binary_comment(pdf: &[u8]) -> bool {
    let mut lines = pdf.split(|byte| matches!(byte, b'\r' | b'\n'));
    let second = lines.by_ref().skip(1).find(|line| !line.is_empty());
    let comment = second.and_then(|line| line.strip_prefix(b"%"));
    comment
        .and_then(|comment| comment.get(..4))
        .is_some_and(|bytes| bytes.iter().all(|byte| *byte >= 0x80))
}

/// Whether there are no control characters.
fn is_text(bytes: &[u8]) -> bool {
    !bytes
        .iter()
        .any(|byte| byte.is_ascii_control() && !byte.is_ascii_whitespace())
}

/// Whether `head` starts with a SubRip cue: a number, then a line such as `00:00:01,000 --> 00:00:04,000`. SubRip has
/// no signature and no standard.
pub(super) fn is_srt(head: &[u8]) -> bool {
    let text = head.strip_prefix(b"\xef\xbb\xbf").unwrap_or(head);
    let mut lines = text
        .split(|&byte| byte == b'\n')
        .map(<[u8]>::trim_ascii)
        .skip_while(|line| line.is_empty());
    let (Some(number), Some(times)) = (lines.next(), lines.next()) else {
        return false;
    };
    !number.is_empty() && number.iter().all(u8::is_ascii_digit) && is_cue(times)
}

fn is_cue(line: &[u8]) -> bool {
    let Some(arrow) = line.windows(3).position(|window| window == b"-->") else {
        return false;
    };
    let (start, end) = line.split_at(arrow);
    // Coordinates such as `X1:40` may follow the end time after a space.
    let end = end.get(3..).unwrap_or_default().trim_ascii_start();
    let end = end
        .split(u8::is_ascii_whitespace)
        .next()
        .unwrap_or_default();
    is_time(start.trim_ascii()) && is_time(end)
}

/// Whether `time` is `hours:minutes:seconds,milliseconds`. Many programs write a full stop instead of the comma.
fn is_time(time: &[u8]) -> bool {
    let mut fields = 0;
    time.split(|byte| matches!(byte, b':' | b',' | b'.'))
        .all(|field| {
            fields += 1;
            (1..=3).contains(&field.len()) && field.iter().all(u8::is_ascii_digit)
        })
        && fields == 4
}
