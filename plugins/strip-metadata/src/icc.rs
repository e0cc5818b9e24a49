//! Colour profiles (ICC.1:2022), written anew with what colours need and nothing else.
//!
//! A profile of someone's own display names its maker, model and serial number, and says when it was measured. So what
//! stays is listed: of the header the version, the class, the two colour spaces and the rendering intent; and of the tags
//! the white point, the primaries, the curves, the lookup tables, the adaptation and the code points of `cicp`, each
//! no longer than its type says. The description and the copyright, without which a profile is no valid one, are ours.
//!
//! A profile that cannot be read is dropped whole: decoders ignore it too.

/// The longest profile that is read. Those of printing presses have about 2 MiB.
pub(crate) const MAX_PROFILE: usize = 4 << 20;

/// What the description and the copyright become.
const TEXT: &str = "icc";
/// The illuminant that every profile has: D50, as three numbers of 16.16 bits (7.2.16).
const D50: [u8; 12] = *b"\0\0\xF6\xD6\0\x01\0\0\0\0\xD3\x2D";
const HEADER: usize = 128;

/// Writes a profile anew. `None` if it cannot be read, or does not say what its colours are.
pub(crate) fn clean(profile: &[u8]) -> Option<Vec<u8>> {
    let (header, rest) = profile.split_at_checked(HEADER)?;
    let field = |at: usize| header.get(at..)?.first_chunk::<4>();
    if field(36)? != b"acsp" {
        return None;
    }
    let (class, space, connection) = (field(12)?, field(16)?, field(20)?);
    if ![b"scnr", b"mntr", b"prtr", b"spac"].contains(&class)
        || ![b"RGB ", b"GRAY", b"CMYK"].contains(&space)
        || ![b"XYZ ", b"Lab "].contains(&connection)
    {
        return None;
    }
    let [major @ 2..=4, minor, ..] = *field(8)? else {
        return None;
    };

    let count = number(rest)?;
    let mut tags: Vec<([u8; 4], Vec<u8>)> = vec![
        (*b"desc", text(major, true)),
        (*b"cprt", text(major, false)),
    ];
    for entry in rest.get(4..)?.chunks_exact(12).take(count) {
        let name = *entry.first_chunk::<4>()?;
        if !is_kept(&name) || tags.iter().any(|(known, _)| *known == name) {
            continue;
        }
        let offset = number(entry.get(4..)?)?;
        let size = number(entry.get(8..)?)?;
        let element = profile.get(offset..)?.get(..size)?;
        tags.push((name, element.get(..length(element)?)?.to_vec()));
    }
    let has = |name: &[u8; 4]| tags.iter().any(|(known, _)| known == name);
    let is_usable = has(b"A2B0")
        || match space {
            b"RGB " => [b"rXYZ", b"gXYZ", b"bXYZ", b"rTRC", b"gTRC", b"bTRC"]
                .iter()
                .all(|name| has(name)),
            b"GRAY" => has(b"kTRC"),
            _ => false,
        };
    if !is_usable {
        return None;
    }

    let mut clean = vec![0; HEADER];
    let intent = match field(64)? {
        [0, 0, 0, intent @ 0..=3] => *intent,
        _ => 0,
    };
    for (at, bytes) in [
        (8, &[major, minor][..]),
        (12, class),
        (16, space),
        (20, connection),
        (36, b"acsp"),
        (64, &[0, 0, 0, intent]),
        (68, &D50),
    ] {
        clean.get_mut(at..at + bytes.len())?.copy_from_slice(bytes);
    }
    clean.extend(u32::try_from(tags.len()).ok()?.to_be_bytes());
    // Tags that are equal share their data, as the three curves mostly do.
    let mut offset = HEADER + 4 + 12 * tags.len();
    let mut elements: Vec<(&[u8], usize)> = Vec::new();
    for (name, element) in &tags {
        let known = elements.iter().find(|(known, _)| known == element);
        let at = known.map_or(offset, |(_, at)| *at);
        if at == offset {
            elements.push((element, at));
            offset += element.len().next_multiple_of(4);
        }
        clean.extend(name);
        clean.extend(u32::try_from(at).ok()?.to_be_bytes());
        clean.extend(u32::try_from(element.len()).ok()?.to_be_bytes());
    }
    for (element, _) in elements {
        clean.extend(element);
        clean.resize(clean.len().next_multiple_of(4), 0);
    }
    let size = u32::try_from(clean.len()).ok()?.to_be_bytes();
    clean.get_mut(..4)?.copy_from_slice(&size);
    Some(clean)
}

/// The tags that colours need (9.2).
fn is_kept(name: &[u8; 4]) -> bool {
    matches!(
        name,
        b"wtpt"
            | b"chad"
            | b"cicp"
            | b"rXYZ"
            | b"gXYZ"
            | b"bXYZ"
            | b"rTRC"
            | b"gTRC"
            | b"bTRC"
            | b"kTRC"
            | b"A2B0"
            | b"A2B1"
            | b"A2B2"
            | b"B2A0"
            | b"B2A1"
            | b"B2A2"
    )
}

/// How long the data of a tag are by their own account (section 10). `None` if that cannot be told.
fn length(element: &[u8]) -> Option<usize> {
    let short = |at: usize| {
        let bytes = element.get(at..)?.first_chunk()?;
        Some(usize::from(u16::from_be_bytes(*bytes)))
    };
    Some(match element.first_chunk::<4>()? {
        b"XYZ " => 8 + 12,
        b"sf32" => 8 + 4 * 9,
        b"cicp" => 8 + 4,
        b"curv" => number(element.get(8..)?)?.checked_mul(2)?.checked_add(12)?,
        b"para" => 12 + 4 * [1, 3, 4, 5, 7].get(short(8)?)?,
        kind @ (b"mft1" | b"mft2") => {
            let [inputs, outputs, grid] = *element.get(8..)?.first_chunk::<3>()?;
            let (inputs, outputs) = (usize::from(inputs), usize::from(outputs));
            let points = usize::from(grid).checked_pow(inputs.try_into().ok()?)?;
            let points = points.checked_mul(outputs)?;
            if kind == b"mft1" {
                points.checked_add(48 + 256 * (inputs + outputs))?
            } else {
                let tables = inputs * short(48)? + outputs * short(50)?;
                points.checked_mul(2)?.checked_add(52 + 2 * tables)?
            }
        }
        // Made of parts at offsets of their own.
        b"mAB " | b"mBA " => element.len(),
        _ => return None,
    })
}

/// A text as its version asks for: `desc` (ICC.1:2001, 6.5.17) or `text`, and from version 4 on `mluc` (10.15).
fn text(major: u8, is_description: bool) -> Vec<u8> {
    let length = TEXT.len() as u8;
    let mut element;
    if major >= 4 {
        element = b"mluc\0\0\0\0\0\0\0\x01\0\0\0\x0CenUS\0\0\0".to_vec();
        element.extend([2 * length, 0, 0, 0, 28]);
        element.extend(TEXT.encode_utf16().flat_map(u16::to_be_bytes));
    } else if is_description {
        element = b"desc\0\0\0\0\0\0\0".to_vec();
        element.push(length + 1);
        element.extend(TEXT.bytes());
        // The end of the text, and an empty one in Unicode and in Macintosh script.
        element.resize(element.len() + 1 + 8 + 3 + 67, 0);
    } else {
        element = b"text\0\0\0\0".to_vec();
        element.extend(TEXT.bytes());
        element.push(0);
    }
    element
}

/// Reads a number of four bytes.
fn number(bytes: &[u8]) -> Option<usize> {
    usize::try_from(u32::from_be_bytes(*bytes.first_chunk()?)).ok()
}
