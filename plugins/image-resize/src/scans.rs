//! Whether a JPEG of several scans has all of them.
//!
//! If a file was cut off between two scans, it decodes without an error into a picture without some detail or colour.
//! The end-of-image marker shows that it is complete. If the marker is missing, the scans must contain every bit of
//! every coefficient.

/// Frame, scan and segment markers (ITU-T T.81, table B.1).
const SOI: u8 = 0xd8;
const EOI: u8 = 0xd9;
const SOS: u8 = 0xda;

/// What the scans have of each coefficient of each component: its lowest bit so far, by component id.
struct Seen {
    progressive: bool,
    components: Vec<(u8, [u8; 64])>,
}

/// The scans have nothing of this coefficient yet.
const NONE: u8 = u8::MAX;

/// Whether the scans have all bits, or an end-of-image marker comes after a scan. The decoder checks whether the last
/// scan is complete.
pub(crate) fn are_complete(bytes: &[u8]) -> bool {
    let mut seen: Option<Seen> = None;
    let mut rest = bytes;
    let mut in_scan = false;
    while let Some((marker, after)) = next_marker(rest, in_scan) {
        match marker {
            EOI if in_scan => return true,
            SOI | EOI | 0x01 | 0xd0..=0xd7 => rest = after,
            _ => {
                let Some((segment, behind)) = segment(after) else {
                    break;
                };
                match marker {
                    0xc0..=0xc3 | 0xc5..=0xc7 | 0xc9..=0xcb | 0xcd..=0xcf if seen.is_none() => {
                        seen = Seen::of_frame(marker, segment);
                    }
                    SOS => {
                        if let Some(seen) = &mut seen {
                            seen.scan(segment);
                            if seen.all() {
                                return true;
                            }
                        }
                        in_scan = true;
                    }
                    _ => {}
                }
                rest = behind;
            }
        }
    }
    false
}

/// The next marker and the bytes after it. In the data of a scan, restart markers and stuffed zeros are skipped.
fn next_marker(mut rest: &[u8], in_scan: bool) -> Option<(u8, &[u8])> {
    loop {
        let at = memchr::memchr(0xff, rest)?;
        let after = rest.get(at + 1..)?;
        match after.first()? {
            0 => rest = after,
            0xff => rest = after,
            0xd0..=0xd7 if in_scan => rest = after,
            &marker => return Some((marker, after.get(1..)?)),
        }
    }
}

/// The payload of a segment, and the bytes after it.
fn segment(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let (length, _) = bytes.split_first_chunk::<2>()?;
    let length = usize::from(u16::from_be_bytes(*length));
    Some((bytes.get(2..length)?, bytes.get(length..)?))
}

impl Seen {
    /// The components of a frame header (B.2.2).
    fn of_frame(marker: u8, segment: &[u8]) -> Option<Self> {
        let components = segment.get(6..)?.as_chunks::<3>().0;
        Some(Self {
            progressive: matches!(marker, 0xc2 | 0xc6 | 0xca | 0xce),
            components: components
                .iter()
                .map(|&[id, ..]| (id, [NONE; 64]))
                .collect(),
        })
    }

    /// Records a scan header (B.2.3): its components, its band of coefficients and its lowest bit.
    fn scan(&mut self, segment: &[u8]) {
        let Some((&count, rest)) = segment.split_first() else {
            return;
        };
        let Some((components, &[first, last, bits])) = rest
            .split_at_checked(usize::from(count) * 2)
            .and_then(|(components, rest)| Some((components, rest.first_chunk::<3>()?)))
        else {
            return;
        };
        let (band, low) = if self.progressive {
            (usize::from(first)..=usize::from(last), bits & 0x0f)
        } else {
            (0..=63, 0)
        };
        for &[id, _] in components.as_chunks::<2>().0 {
            for (_, coefficients) in self.components.iter_mut().filter(|(known, _)| *known == id) {
                for coefficient in coefficients.get_mut(band.clone()).unwrap_or_default() {
                    *coefficient = (*coefficient).min(low);
                }
            }
        }
    }

    fn all(&self) -> bool {
        !self.components.is_empty()
            && self
                .components
                .iter()
                .all(|(_, coefficients)| coefficients.iter().all(|&low| low == 0))
    }
}
