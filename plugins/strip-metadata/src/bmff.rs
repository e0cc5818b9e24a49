//! MP4, MOV, M4V, M4A and 3GP: ISO/IEC 14496-12 and the QuickTime File Format, from which it comes; fragmented ones too.
//!
//! Nothing moves: a box that goes becomes `free` of the same size, filled with zeros, so every offset in the file stays right.
//!
//! What stays:
//!
//! - the film's data, `mdat`, byte for byte, but for the samples of tracks that go;
//! - of the index: the headers of film and tracks with their matrix, which turns a film upright, and without their dates; edit
//!   lists, sample tables, and of each sample description what a decoder needs. [`rule`] has the list;
//! - tracks of pictures and sound; tracks of text if asked.
//!
//! All else becomes free space or zeros: `udta`, `meta`, `uuid`, what cameras call their own boxes, names of handlers and
//! compressors, free space itself, and whole tracks of time codes, positions (`gpmd`, `camm`), detected faces (`mebx`) and
//! everything else that is no picture and no sound. The samples of such a track become zeros where they lie.
//!
//! Those samples lie among the film's data, and only the index tells where. If it follows the data, as cameras write it, then
//! the first [`Config::film_memory`] of data wait for it. A longer film passes if all its tracks stay, and is refused if not.
//!
//! Also refused: encrypted films, compressed indexes, references to other files, and what dash cameras write among the data.

mod boxes;
mod description;
mod fragment;
mod media;
mod offsets;
mod rule;
mod track;
mod window;

use std::collections::{BTreeMap, VecDeque};
use std::ops::Range;

use self::description::Shows;
use self::fragment::{Fragment, Part};
use self::offsets::Offsets;
use self::rule::{Kind, MAX_TABLE, Place, Rule, TABLE_HEAD, rule};
use self::track::Track;
use self::window::{Hold, Window};
use crate::bytes::{be, letters, set};
use crate::piece::Piece;
use crate::stripper::Parser;
use crate::{Config, Error, Subtitles};

/// The most tracks that a film can have.
const MAX_TRACKS: usize = 1024;
/// The most bytes of a track before its kind is known.
const MAX_UNDECIDED: usize = 1 << 20;
/// Runs of data that are remembered while they wait.
const MAX_RUNS: usize = 4096;

/// A push parser that writes what stays.
#[derive(Debug)]
pub(crate) struct Bmff {
    subtitles: Subtitles,
    state: State,
    /// Where the current box stands, its kind and its header.
    at: u64,
    kind: Kind,
    head: Vec<u8>,
    /// What has arrived of a header, or of a box that is looked into.
    held: Vec<u8>,
    /// The boxes that the current one is in.
    levels: Vec<Level>,
    window: Window,
    index: Index,
    track: Option<Track>,
    /// What tracks show, and `None` for those that go.
    tracks: BTreeMap<u32, Option<Shows>>,
    /// How large samples are in fragments, by track.
    defaults: BTreeMap<u32, u64>,
    fragment: Option<Fragment>,
    /// Data that have been read and are still here.
    data: Vec<Range<u64>>,
    /// Data to come that become zeros, in order.
    blank: VecDeque<Range<u64>>,
    offsets: Offsets,
    /// The last bytes of data, to find what is cut in two.
    tail: Vec<u8>,
}

#[derive(Debug, Clone, Copy)]
struct Level {
    place: Place,
    end: u64,
}

/// The index, `moov`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Index {
    Ahead,
    Here,
    Read,
}

/// What the next byte is.
#[derive(Debug, Clone, Copy)]
enum State {
    Header,
    /// A byte of a box that is held whole.
    Held {
        length: usize,
    },
    /// A byte of the start of a table, or of a `meta` box.
    Start {
        length: u64,
    },
    /// A byte that stays, and then bytes that become zeros.
    Keep {
        left: u64,
        zeros: u64,
    },
    Zeros {
        left: u64,
    },
    Media {
        left: u64,
    },
}

impl Bmff {
    /// Whether a file may be a film: the letters of its first box, and what follows them.
    pub(crate) fn begins_with(kind: &[u8]) -> bool {
        let names: [&[u8]; 10] = [
            b"ftyp", b"moov", b"mdat", b"free", b"skip", b"wide", b"pnot", b"styp", b"uuid",
            b"pdin",
        ];
        names.iter().any(|name| kind.starts_with(name))
    }

    pub(crate) fn new(config: Config) -> Self {
        // 4 GiB at most, as long as the number has 12 bits.
        let most = (config.film_memory as usize) << 20;
        Self {
            subtitles: config.subtitles,
            state: State::Header,
            at: 0,
            kind: [0; 4],
            head: Vec::new(),
            held: Vec::new(),
            levels: Vec::new(),
            window: Window::new(most),
            index: Index::Ahead,
            track: None,
            tracks: BTreeMap::new(),
            defaults: BTreeMap::new(),
            fragment: None,
            data: Vec::new(),
            blank: VecDeque::new(),
            offsets: Offsets::default(),
            tail: Vec::new(),
        }
    }

    fn next(&mut self, piece: &mut Piece, output: &mut Vec<u8>) -> Result<State, Error> {
        Ok(match self.state {
            State::Header => {
                if self.held.is_empty() {
                    self.close(piece.offset())?;
                    self.at = piece.offset();
                    let left = self.end() - self.at;
                    if left < 8 {
                        // No box fits here. QuickTime ends some lists with a zero.
                        return Ok(State::Zeros { left });
                    }
                }
                if !piece.fill(&mut self.held, 8) {
                    return Ok(State::Header);
                }
                let is_long = be::<4>(&self.held, 0) == Some(1);
                if is_long && !piece.fill(&mut self.held, 16) {
                    return Ok(State::Header);
                }
                self.head = std::mem::take(&mut self.held);
                self.kind = letters(&self.head, 4).unwrap_or_default();
                self.header()?
            }
            State::Held { length } => {
                if !piece.fill(&mut self.held, length) {
                    return Ok(self.state);
                }
                self.held()?;
                State::Header
            }
            State::Start { length } => {
                let want = usize::try_from(length)
                    .unwrap_or(usize::MAX)
                    .min(TABLE_HEAD);
                if !piece.fill(&mut self.held, want) {
                    return Ok(self.state);
                }
                self.start(length)?
            }
            State::Keep { mut left, zeros } => {
                let bytes = piece.take_of(&mut left);
                self.chunks(bytes);
                self.window.write(bytes);
                match left {
                    0 => State::Zeros { left: zeros },
                    _ => State::Keep { left, zeros },
                }
            }
            State::Zeros { mut left } => {
                self.window.zeros(piece.take_of(&mut left).len());
                match left {
                    0 => State::Header,
                    _ => State::Zeros { left },
                }
            }
            State::Media { mut left } => {
                let offset = piece.offset();
                let bytes = piece.take_of(&mut left);
                self.media(bytes, offset, left, output)?;
                match left {
                    0 => State::Header,
                    _ => State::Media { left },
                }
            }
        })
    }

    /// Where the box ends that the current one is in.
    fn end(&self) -> u64 {
        self.levels.last().map_or(u64::MAX, |level| level.end)
    }

    /// Decides what becomes of the box whose header has arrived.
    fn header(&mut self) -> Result<State, Error> {
        let place = self.levels.last().map_or(Place::Top, |level| level.place);
        let header = self.head.len() as u64;
        let size = match be::<4>(&self.head, 0).unwrap_or_default() {
            0 if place == Place::Top => u64::MAX - self.at,
            1 => be::<8>(&self.head, 8).unwrap_or_default(),
            size => size,
        };
        let end = self.at.checked_add(size).filter(|end| *end <= self.end());
        let (Some(end), true) = (end, size >= header) else {
            return Err(self.invalid("has a size that does not fit"));
        };
        let is_open = end == u64::MAX;
        let length = size - header;
        if place == Place::Top && !self.kind.iter().all(|b| (b' '..=b'~').contains(b)) {
            return Err(self.invalid("is no box: something else follows the film"));
        }
        let found = rule(place, &self.kind);
        if is_open && !matches!(found, Rule::Media | Rule::Free) {
            return Err(self.invalid("does not say where it ends"));
        }
        match found {
            Rule::Enter(inner) => {
                self.enter(inner)?;
                self.window.write(&self.head);
                self.levels.push(Level { place: inner, end });
                Ok(State::Header)
            }
            Rule::Hold(_) | Rule::Table if self.reads_samples() => self.hold(length, MAX_TABLE),
            Rule::Hold(most) => self.hold(length, most),
            Rule::Table | Rule::Meta if length == 0 => {
                self.free();
                Ok(State::Header)
            }
            Rule::Table | Rule::Meta => Ok(State::Start { length }),
            Rule::Media => {
                if self.index == Index::Ahead
                    && !self.window.has(Hold::Index)
                    && self.data.is_empty()
                {
                    self.window.set(Hold::Index, Some(self.at));
                }
                if self.index == Index::Ahead {
                    self.data.push(self.at + header..end);
                    if self.data.len() > MAX_RUNS {
                        self.let_go();
                    }
                }
                self.offsets.data(self.at + header..end);
                self.tail.clear();
                self.window.write(&self.head);
                Ok(State::Media { left: length })
            }
            Rule::Free => {
                self.free();
                Ok(State::Zeros { left: length })
            }
            Rule::Refuse(why) => Err(Error::refused(self.at, why)),
        }
        .map(|state| match state {
            State::Media { left: 0 } | State::Zeros { left: 0 } => State::Header,
            state => state,
        })
    }

    /// Whether the current box is one of those that tell where samples of a track are that goes.
    fn reads_samples(&self) -> bool {
        let goes = self
            .track
            .as_ref()
            .is_some_and(|track| track.shows == Some(None));
        goes && matches!(&self.kind, b"stsz" | b"stz2" | b"stsc" | b"stco" | b"co64")
    }

    fn hold(&mut self, length: u64, most: usize) -> Result<State, Error> {
        let length = usize::try_from(length).unwrap_or(usize::MAX);
        if length > most {
            return Err(self.invalid("is longer than such a box can be"));
        }
        if length == 0 {
            self.held()?;
            return Ok(State::Header);
        }
        Ok(State::Held { length })
    }

    /// Writes the header of a box that becomes free space.
    fn free(&mut self) {
        set(&mut self.head, 4, b"free");
        self.window.write(&self.head);
    }

    /// Enters a box.
    fn enter(&mut self, place: Place) -> Result<(), Error> {
        let (at, header) = (self.at, self.head.len());
        match place {
            Place::Moov => {
                if self.index != Index::Ahead {
                    return Err(self.invalid("is there twice"));
                }
                self.index = Index::Here;
            }
            Place::Trak => {
                if self.tracks.len() >= MAX_TRACKS {
                    return Err(self.invalid("is one track too many"));
                }
                self.window.set(Hold::Track, Some(at));
                self.track = Some(Track {
                    at,
                    header,
                    ..Track::default()
                });
            }
            Place::Minf if self.shows().is_none() => {
                return Err(self.invalid("stands before the handler of its track"));
            }
            Place::Moof => {
                if self.index != Index::Read {
                    return Err(self.invalid("stands before the index of the film"));
                }
                self.fragment = Some(Fragment::new(at));
            }
            Place::Traf => {
                self.window.set(Hold::Track, Some(at));
                if let Some(fragment) = &mut self.fragment {
                    fragment.part = Some(Part::new(at, header));
                }
            }
            _ => {}
        }
        Ok(())
    }

    /// Leaves the boxes that end here.
    fn close(&mut self, offset: u64) -> Result<(), Error> {
        while let Some(level) = self.levels.pop_if(|level| level.end == offset) {
            match level.place {
                Place::Trak => self.end_track()?,
                Place::Moov => {
                    self.index = Index::Read;
                    self.let_go();
                    self.sort();
                }
                Place::Traf => {
                    let part = self
                        .fragment
                        .as_mut()
                        .and_then(|fragment| fragment.part.take());
                    if !part.is_some_and(|part| part.has_header()) {
                        return Err(self.invalid("is the last of a fragment that names no track"));
                    }
                    self.window.set(Hold::Track, None);
                    self.window.is_muted = false;
                }
                Place::Moof => {
                    self.fragment = None;
                    self.sort();
                }
                _ => {}
            }
        }
        Ok(())
    }

    /// Data that waited for the index wait no more.
    fn let_go(&mut self) {
        self.window.set(Hold::Index, None);
        if self.index == Index::Read {
            self.data.clear();
        }
    }

    /// What the current track shows: `None` if that is not known yet, and `None` inside if it goes.
    fn shows(&self) -> Option<Option<Shows>> {
        self.track.as_ref().and_then(|track| track.shows)
    }

    fn end_track(&mut self) -> Result<(), Error> {
        self.window.set(Hold::Track, None);
        self.window.is_muted = false;
        let Some(track) = self.track.take() else {
            return Ok(());
        };
        self.at = track.at;
        self.kind = *b"trak";
        let (Some(id), Some(shows)) = (track.id, track.shows) else {
            return Err(self.invalid("has no header or no handler"));
        };
        if self.tracks.insert(id, shows).is_some() {
            return Err(self.invalid("has an id that another track has"));
        }
        if shows.is_none() {
            let ranges = track.tables.ranges();
            let ranges = ranges
                .ok_or_else(|| self.invalid("has sample tables that do not fit each other"))?;
            for range in ranges {
                self.blank(range)?;
            }
        }
        Ok(())
    }

    /// Looks at a part of a table that stays, if it says where the chunks of a track are.
    fn chunks(&mut self, bytes: &[u8]) {
        match &self.kind {
            b"stco" => self.offsets.push(bytes, 4),
            b"co64" => self.offsets.push(bytes, 8),
            _ => {}
        }
    }

    /// Acts on the start of a table or of `meta`.
    fn start(&mut self, length: u64) -> Result<State, Error> {
        let start = std::mem::take(&mut self.held);
        let rest = length - start.len() as u64;
        if self.kind == *b"meta" {
            // The handler, with or without the box's version before it.
            if [letters(&start, 20), letters(&start, 16)].contains(&Some(*b"pict")) {
                return Err(Error::refused(
                    self.at,
                    "the file holds pictures (HEIF), which are not supported",
                ));
            }
            self.free();
            self.window.zeros(start.len());
            return Ok(State::Zeros { left: rest });
        }
        let used = rule::used(&self.kind, &start, length).filter(|used| *used <= length);
        let Some(used) = used else {
            return Err(self.invalid("has more entries than fit into it"));
        };
        self.window.write(&self.head);
        let here = usize::try_from(used).unwrap_or(usize::MAX).min(start.len());
        let (kept, gone) = start.split_at_checked(here).unwrap_or((&start, &[]));
        self.offsets.begin();
        self.chunks(kept.get(8..).unwrap_or_default());
        self.window.write(kept);
        self.window.zeros(gone.len());
        let left = used - here as u64;
        Ok(match (left, rest - left) {
            (0, 0) => State::Header,
            (0, zeros) => State::Zeros { left: zeros },
            (left, zeros) => State::Keep { left, zeros },
        })
    }

    /// An error about the current box.
    fn invalid(&self, what: &str) -> Error {
        Error::invalid(self.at, format!("box {} {what}", self.kind.escape_ascii()))
    }
}

impl Parser for Bmff {
    fn step(&mut self, piece: &mut Piece, output: &mut Vec<u8>) -> Result<(), Error> {
        self.state = self.next(piece, output)?;
        // A track whose kind comes late may not fill the memory with what becomes zeros.
        if self.window.has(Hold::Track)
            && !self.window.has(Hold::Index)
            && self.window.len() > 2 * MAX_UNDECIDED
        {
            return Err(self.invalid("stands in a track whose kind is not known soon enough"));
        }
        if self.window.has(Hold::Index) && self.window.is_full() {
            self.let_go();
        }
        self.window.release(output);
        Ok(())
    }

    fn finish(&mut self, size: u64, output: &mut Vec<u8>) -> Result<(), Error> {
        let is_whole = match self.state {
            State::Header => self.held.is_empty(),
            // A box that goes to the end of the file.
            State::Media { left } | State::Zeros { left } => left == u64::MAX - size,
            _ => false,
        };
        self.close(size)?;
        if !is_whole || !self.levels.is_empty() {
            return Err(Error::early(size, "film"));
        }
        if self.index == Index::Ahead {
            return Err(Error::invalid(
                size,
                "the file has no index (moov): it is no whole film",
            ));
        }
        if self.tracks.values().all(Option::is_none) {
            return Err(Error::refused(
                size,
                "the film has neither pictures nor sound",
            ));
        }
        if !self.blank.is_empty() {
            return Err(Error::invalid(
                size,
                "a metadata track has samples that lie outside of the film's data",
            ));
        }
        if !self.offsets.fit() {
            return Err(Error::invalid(
                size,
                "a track has samples that lie outside of the film's data",
            ));
        }
        self.window.release(output);
        Ok(())
    }

    fn pass(&mut self, bytes: &[u8], offset: u64) -> bool {
        let State::Media { left } = self.state else {
            return false;
        };
        let length = bytes.len() as u64;
        let has_blank = self
            .blank
            .front()
            .is_some_and(|range| range.start < offset + length);
        if length > left
            || has_blank
            || !self.window.is_open()
            || self.look_for_dash_camera(bytes, offset).is_err()
        {
            return false;
        }
        self.window.skip(bytes.len());
        self.state = match left - length {
            0 => State::Header,
            left => State::Media { left },
        };
        true
    }
}
