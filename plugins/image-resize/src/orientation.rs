//! Which way up: the orientation that Exif data give (Exif 3.0, 4.6.5.1.6).

use image::metadata::Orientation;

/// The orientation of Exif data; upright where there are none or they cannot be read. A damaged orientation is no
/// reason to refuse a picture.
///
/// WebP and PNG hold bare TIFF data; many writers put the `Exif\0\0` of JPEG in front. Both are read.
pub(crate) fn of(exif: Option<&[u8]>) -> Orientation {
    exif.and_then(exif::Orientation::find)
        .map_or(Orientation::NoTransforms, |found| {
            of_value(found.value().into())
        })
}

/// The orientation that a value of the tag stands for; upright for values that mean nothing.
pub(crate) fn of_value(value: u64) -> Orientation {
    u8::try_from(value)
        .ok()
        .and_then(Orientation::from_exif)
        .unwrap_or(Orientation::NoTransforms)
}
