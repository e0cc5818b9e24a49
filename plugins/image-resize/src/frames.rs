//! What of a file is left out: all frames of an animation and all pages of a document but the first.

use std::io::Cursor;

use image::ImageFormat;

use crate::png;
use crate::tiff;

/// Frames and pages that are counted.
const MOST: u64 = 200;

/// Says in words what is left out of this file, if anything is. A file that ends early is judged by what is there.
pub(crate) fn left_out(format: ImageFormat, bytes: &[u8]) -> Option<String> {
    let (number, what) = match format {
        ImageFormat::Gif => (gif(bytes), "frames"),
        ImageFormat::Png => (u64::from(png::frames(bytes)), "frames"),
        ImageFormat::WebP => (webp(bytes), "frames"),
        ImageFormat::Tiff => (tiff::pages(bytes), "pages"),
        _ => return None,
    };
    let shown = if number > MOST {
        format!("more than {MOST}")
    } else {
        number.to_string()
    };
    let one = what.trim_end_matches('s');
    (number > 1)
        .then(|| format!("the file has {shown} {what}; only the first {one} is in the result"))
}

fn gif(bytes: &[u8]) -> u64 {
    let mut options = gif::DecodeOptions::new();
    options.skip_frame_decoding(true);
    let Ok(mut decoder) = options.read_info(Cursor::new(bytes)) else {
        return 1;
    };
    let mut number = 0;
    while number <= MOST && matches!(decoder.next_frame_info(), Ok(Some(_))) {
        number += 1;
    }
    number
}

fn webp(bytes: &[u8]) -> u64 {
    let decoder = image_webp::WebPDecoder::new(Cursor::new(bytes));
    decoder.map_or(1, |decoder| u64::from(decoder.num_frames()))
}
