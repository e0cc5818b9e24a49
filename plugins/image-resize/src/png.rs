//! What of a PNG the decoder does not look at (PNG specification, third edition, section 5): whether it is whole, and
//! Exif data behind the pixels.

use forebay_plugin::Error;

/// The Exif data of a PNG whose chunks reach as far as its last, IEND; a decoder that has all rows does not look. The
/// first intact `eXIf` chunk counts; it may stand anywhere.
pub(crate) fn exif_of_whole(bytes: &[u8]) -> Result<Option<&[u8]>, Error> {
    const SIGNATURE: usize = 8;
    let mut rest = bytes.get(SIGNATURE..).unwrap_or_default();
    let mut exif = None;
    while let Some((head, body)) = rest.split_first_chunk::<8>() {
        let [a, b, c, d, kind @ ..] = *head;
        let Some((data, tail)) = body.split_at_checked(u32::from_be_bytes([a, b, c, d]) as usize)
        else {
            break;
        };
        let Some((crc, next)) = tail.split_first_chunk::<4>() else {
            break;
        };
        match &kind {
            b"IEND" => return Ok(exif),
            b"eXIf" if exif.is_none() => {
                let mut sum = crc32fast::Hasher::new();
                sum.update(&kind);
                sum.update(data);
                if sum.finalize() == u32::from_be_bytes(*crc) {
                    exif = Some(data);
                }
            }
            _ => {}
        }
        rest = next;
    }
    Err(Error::InvalidInput(
        "the PNG ends before its IEND chunk".into(),
    ))
}
