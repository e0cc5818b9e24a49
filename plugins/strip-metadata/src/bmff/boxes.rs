//! Boxes that are read whole: what stays of each.

use super::description::{self, Shows};
use super::rule::{Kind, Place};
use super::window::Hold;
use super::{Bmff, MAX_TRACKS, MAX_UNDECIDED, fragment};
use crate::bytes::{be, clear, letters};
use crate::{Error, Subtitles};

impl Bmff {
    /// Acts on a box that has arrived whole, and writes what stays of it.
    pub(super) fn held(&mut self) -> Result<(), Error> {
        let mut body = std::mem::take(&mut self.held);
        let version = body.first().copied().unwrap_or_default();
        match &self.kind {
            b"ftyp" | b"styp" => {
                let is_text = body
                    .iter()
                    .enumerate()
                    .all(|(at, b)| (4..8).contains(&at) || (b' '..=b'~').contains(b) || *b == 0);
                if body.len() < 8 || !body.len().is_multiple_of(4) || !is_text {
                    return Err(self.invalid("has no brands"));
                }
                if matches!(
                    &letters(&body, 0).unwrap_or_default(),
                    b"heic"
                        | b"heix"
                        | b"hevc"
                        | b"hevx"
                        | b"heim"
                        | b"heis"
                        | b"mif1"
                        | b"mif2"
                        | b"msf1"
                        | b"miaf"
                        | b"avif"
                        | b"avis"
                        | b"crx "
                ) {
                    return Err(Error::refused(
                        self.at,
                        "the file holds pictures (HEIF), which are not supported",
                    ));
                }
            }
            b"mvhd" => {
                let (dates, rest) = if version == 1 {
                    (4..20, 108)
                } else {
                    (4..12, 96)
                };
                self.is_long_enough(&body, rest + 4)?;
                clear(&mut body, dates.start, dates.end);
                // What QuickTime calls preview, poster, selection and current time.
                clear(&mut body, rest - 24, rest);
                clear(&mut body, rest + 4, usize::MAX);
            }
            b"tkhd" => {
                let (dates, id, size) = if version == 1 {
                    (4..20, 20, 96)
                } else {
                    (4..12, 12, 84)
                };
                self.is_long_enough(&body, size)?;
                clear(&mut body, dates.start, dates.end);
                clear(&mut body, size, usize::MAX);
                let id = be::<4>(&body, id).and_then(|id| u32::try_from(id).ok());
                match &mut self.track {
                    Some(track) if track.id.is_none() => track.id = id,
                    _ => return Err(self.invalid("is there twice")),
                }
            }
            b"mdhd" => {
                let (dates, size) = if version == 1 {
                    (4..20, 36)
                } else {
                    (4..12, 24)
                };
                self.is_long_enough(&body, size)?;
                clear(&mut body, dates.start, dates.end);
                clear(&mut body, size, usize::MAX);
            }
            b"hdlr" => {
                self.is_long_enough(&body, 12)?;
                if self
                    .levels
                    .last()
                    .is_some_and(|level| level.place == Place::Mdia)
                {
                    self.handler(letters(&body, 8).unwrap_or_default())?;
                }
                // The maker and the name. In QuickTime's form and in ISO's, zeros are an empty one.
                clear(&mut body, 12, usize::MAX);
            }
            b"elng" => {
                let text = body
                    .get(4..)
                    .and_then(|text| text.strip_suffix(&[0]))
                    .unwrap_or_default();
                if !text.iter().all(|b| b.is_ascii_alphanumeric() || *b == b'-') || text.len() > 35
                {
                    body.fill(0);
                    self.free();
                    self.window.write(&body);
                    return Ok(());
                }
            }
            b"dref" if !is_self_contained(&mut body) => {
                return Err(Error::refused(
                    self.at,
                    "the data of a track lie in another file, which is not supported",
                ));
            }
            b"stsd" => {
                if let Some(Some(shows)) = self.shows() {
                    description::clean(&mut body, shows)
                        .map_err(|why| Error::refused(self.at, why))?;
                }
            }
            b"stsz" | b"stz2" | b"stsc" | b"stco" | b"co64" => {
                let read = self
                    .track
                    .as_mut()
                    .map(|track| track.tables.read(&self.kind, &body));
                if read != Some(true) {
                    return Err(self.invalid("is damaged, or is there twice"));
                }
            }
            b"trex" => {
                self.is_long_enough(&body, 24)?;
                let id = be::<4>(&body, 4).and_then(|id| u32::try_from(id).ok());
                if let (Some(id), Some(size)) = (id, be::<4>(&body, 16))
                    && self.defaults.len() < MAX_TRACKS
                {
                    self.defaults.insert(id, size);
                }
            }
            b"tfhd" => self.fragment_header(&body)?,
            b"trun" => {
                let run = self
                    .fragment
                    .as_mut()
                    .and_then(|fragment| fragment.run(&body));
                let Some((used, range)) = run else {
                    return Err(self.invalid("is damaged"));
                };
                clear(&mut body, used, usize::MAX);
                if let Some(range) = range {
                    // The data of a fragment follow it.
                    if range.start < self.at {
                        return Err(self.invalid("has samples that lie outside of the film's data"));
                    }
                    self.blank(range)?;
                }
            }
            _ => {}
        }
        self.window.write(&self.head);
        self.window.write(&body);
        if self.window.has(Hold::Track) && self.shows().is_none() && self.track.is_some() {
            let from = self.track.as_ref().map_or(0, |track| track.at);
            if self.window.end().saturating_sub(from) > MAX_UNDECIDED as u64 {
                return Err(self.invalid("stands too far behind the start of its track"));
            }
        }
        // Its allocation is used again, unless it is a large one.
        if body.capacity() <= 1 << 16 {
            body.clear();
            self.held = body;
        }
        Ok(())
    }

    /// Decides whether a track stays.
    fn handler(&mut self, handler: Kind) -> Result<(), Error> {
        let shows = match &handler {
            b"vide" | b"auxv" => Some(Shows::Pictures),
            b"soun" => Some(Shows::Sound),
            b"pict" => {
                return Err(Error::refused(
                    self.at,
                    "a track holds pictures of HEIF, which are not supported",
                ));
            }
            b"text" | b"sbtl" | b"subt" | b"subp" | b"clcp" => match self.subtitles {
                Subtitles::Keep => Some(Shows::Text),
                Subtitles::Drop => None,
                Subtitles::Refuse => return Err(Error::refused(self.at, Subtitles::REFUSED)),
            },
            _ => None,
        };
        let Some(track) = &mut self.track else {
            return Err(self.invalid("stands in no track"));
        };
        if track.shows.is_some() {
            return Err(self.invalid("is there twice"));
        }
        track.shows = Some(shows);
        if shows.is_none() && !self.window.free_from(track.at, track.header) {
            return Err(self.invalid("stands too far behind the start of its track"));
        }
        self.window.set(Hold::Track, None);
        Ok(())
    }

    fn fragment_header(&mut self, body: &[u8]) -> Result<(), Error> {
        let track = fragment::track(body);
        let shows = track.and_then(|track| self.tracks.get(&track)).copied();
        let (Some(track), Some(shows)) = (track, shows) else {
            return Err(self.invalid("names a track that is not in the index of the film"));
        };
        let default = self.defaults.get(&track).copied().unwrap_or_default();
        let fragment = self.fragment.as_mut();
        let Some((at, header)) = fragment.and_then(|fragment| {
            fragment.header(body, default, shows.is_none())?;
            fragment.part.as_ref().map(|part| (part.at, part.header))
        }) else {
            return Err(self.invalid("is damaged, or is there twice"));
        };
        if shows.is_none() && !self.window.free_from(at, header) {
            return Err(self.invalid("stands too far behind the start of its track"));
        }
        self.window.set(Hold::Track, None);
        Ok(())
    }

    fn is_long_enough(&self, body: &[u8], least: usize) -> Result<(), Error> {
        if body.len() < least {
            return Err(self.invalid("is shorter than such a box is"));
        }
        Ok(())
    }
}

/// Whether all data references of a `dref` are to the same file. What stands behind their flags becomes zeros.
fn is_self_contained(body: &mut [u8]) -> bool {
    let Some(count) = be::<4>(body, 4) else {
        return false;
    };
    let mut rest = body.get_mut(8..).unwrap_or_default();
    for _ in 0..count {
        let size = be::<4>(rest, 0).and_then(|size| usize::try_from(size).ok());
        let Some((one, next)) = size
            .filter(|size| *size >= 12)
            .and_then(|size| rest.split_at_mut_checked(size))
        else {
            return false;
        };
        if be::<4>(one, 8).is_none_or(|flags| flags & 1 == 0) {
            return false;
        }
        clear(one, 12, usize::MAX);
        rest = next;
    }
    rest.fill(0);
    true
}
