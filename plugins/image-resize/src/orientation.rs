//! The orientation of a picture, from Exif data (Exif 3.0, 4.6.5.1.6).

use image::metadata::Orientation;

/// The orientation from Exif data. Upright if there is no such data or it cannot be read, because a damaged orientation
/// is no reason to refuse a picture.
///
/// WebP and PNG contain bare TIFF data. Many programs write the `Exif\0\0` of JPEG in front of it. Both forms are read.
pub(crate) fn of(exif: Option<&[u8]>) -> Orientation {
    exif.and_then(exif::Orientation::find)
        .map_or(Orientation::NoTransforms, |found| {
            of_value(found.value().into())
        })
}

/// The orientation that a value of the tag stands for. Upright for unknown values.
pub(crate) fn of_value(value: u64) -> Orientation {
    u8::try_from(value)
        .ok()
        .and_then(Orientation::from_exif)
        .unwrap_or(Orientation::NoTransforms)
}
