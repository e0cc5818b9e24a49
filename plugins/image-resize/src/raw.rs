//! Camera raw files: sensor data from which a program must still develop a picture. Their previews are often small, so
//! they are never used as the photo.

use forebay_plugin::Error;

/// Signatures of camera raw files that do not look like a TIFF, or that have more than a TIFF's header. Each has an
/// offset.
const SIGNATURES: [(usize, &[u8], &str); 13] = [
    (0, b"FUJIFILMCCD-RAW", "RAF (Fujifilm)"),
    (0, b"IIU\0", "RW2 (Panasonic, Leica)"),
    (0, b"IIRO", "ORF (Olympus)"),
    (0, b"IIRS", "ORF (Olympus)"),
    (0, b"MMOR", "ORF (Olympus)"),
    (0, b"MMRO", "ORF (Olympus)"),
    (0, b"FOVb", "X3F (Sigma)"),
    (0, b"\0MRM", "MRW (Minolta)"),
    (4, b"ftypcrx ", "CR3 (Canon)"),
    (6, b"HEAPCCDR", "CRW (Canon)"),
    (8, b"CR\x02", "CR2 (Canon)"),
    (8, b"IIII", "IIQ (Phase One)"),
    (8, b"MMMM", "IIQ (Phase One)"),
];

/// Refuses files that begin like a camera raw file.
pub(crate) fn refuse(bytes: &[u8]) -> Result<(), Error> {
    let tiff = bytes.starts_with(b"II*\0") || bytes.starts_with(b"MM\0*");
    SIGNATURES
        .into_iter()
        .find(|(at, signature, _)| {
            (*at != 8 || tiff)
                && bytes
                    .get(*at..)
                    .is_some_and(|rest| rest.starts_with(signature))
        })
        .map_or(Ok(()), |(.., kind)| Err(refused(kind)))
}

/// The error for a camera raw file of this kind.
pub(crate) fn refused(kind: &str) -> Error {
    Error::Unsupported(format!(
        "camera raw file, {kind}: it holds what the sensor saw and no finished picture; export it as JPEG, PNG or \
         TIFF first"
    ))
}
