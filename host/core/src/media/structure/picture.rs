//! Pictures: JPEG, BMP, icons, WebP, JPEG 2000, JPEG XL, Photoshop.

use super::{at, be16, byte, le16, le32};

/// JPEG (ITU-T T.81, B.1.1): the start of the image, then a marker other than a restart or a fill byte.
pub(in crate::media) fn is_jpeg(head: &[u8]) -> bool {
    // Some programs write several fill bytes (FF) in front of the first marker.
    at(head, 0, b"\xff\xd8\xff") && byte(head, 3).is_none_or(|marker| marker >= 0xc0)
}

/// BMP: a header of a known size, and one plane.
pub(in crate::media) fn is_bmp(head: &[u8]) -> bool {
    if !at(head, 0, b"BM") {
        return false;
    }
    let (Some(pixels), Some(header)) = (le32(head, 10), le32(head, 14)) else {
        return false;
    };
    // The sizes of BITMAPCOREHEADER, OS22XBITMAPHEADER (16 and 64), BITMAPINFOHEADER and its later versions.
    let planes = match header {
        12 => le16(head, 22),
        16 | 40 | 52 | 56 | 64 | 108 | 124 => le16(head, 26),
        _ => return false,
    };
    // A few programs set the offset of the pixels to 0.
    planes == Some(1) && (pixels == 0 || pixels >= 14 + header)
}

/// An icon (type 1) or a cursor (type 2): the first entry's data comes after the directory.
pub(in crate::media) fn is_icon(head: &[u8]) -> bool {
    let known = at(head, 0, b"\0\0\x01\0") || at(head, 0, b"\0\0\x02\0");
    let (Some(count), Some(size), Some(offset)) = (le16(head, 4), le32(head, 14), le32(head, 18))
    else {
        return false;
    };
    known
        && count > 0
        && byte(head, 9) == Some(0)
        && size >= 40
        && offset >= 6 + 16 * u32::from(count)
}

/// A RIFF file, or a 64-bit one (EBU Tech 3306), of this form.
pub(in crate::media) fn is_riff(head: &[u8], form: &[u8; 4]) -> bool {
    (at(head, 0, b"RIFF") || at(head, 0, b"RF64") || at(head, 0, b"BW64")) && at(head, 8, form)
}

/// JPEG XL (ISO/IEC 18181-2): the container, or a bare codestream. The latter has only two letters, so more bytes must
/// follow them.
pub(in crate::media) fn is_jxl(head: &[u8]) -> bool {
    at(head, 0, b"\0\0\0\x0cJXL \r\n\x87\n") || (at(head, 0, b"\xff\x0a") && head.len() >= 12)
}

/// Photoshop (Adobe's file format specification): version 1 or 2, and six reserved bytes.
pub(in crate::media) fn is_psd(head: &[u8]) -> bool {
    at(head, 0, b"8BPS") && matches!(be16(head, 4), Some(1 | 2)) && at(head, 6, &[0; 6])
}

#[cfg(test)]
mod tests {
    #![allow(clippy::indexing_slicing, reason = "tests")]

    use super::*;

    #[test]
    fn a_bitmap_has_a_header() {
        let mut bmp =
            b"BM\x46\0\0\0\0\0\0\0\x36\0\0\0\x28\0\0\0\x02\0\0\0\x02\0\0\0\x01\0\x18\0".to_vec();
        assert!(is_bmp(&bmp));
        bmp[26] = 2;
        assert!(!is_bmp(&bmp), "two planes");
        assert!(!is_bmp(b"BMW sales by month\n2024,1,2\n2025,3,4\n"));
        assert!(!is_bmp(b"BM\0\0\0\0"));
    }
}
