//! Matroska and WebM: RFC 9559, on EBML, RFC 8794.
//!
//! Nothing moves: an element that goes becomes a `Void` of the same size, filled with zeros.
//!
//! What stays: the frames, with their times; of each track of pictures or sound what a decoder needs; scale and duration; the
//! index (`Cues`, and what `SeekHead` says of it). [`rule`] has the list. `MuxingApp` and `WritingApp` must be there, and say
//! nothing afterwards. `TrackUID` becomes a small number. The comments that Vorbis, Theora and FLAC have in their headers are
//! emptied. Subtitles stay if asked.
//!
//! All else goes: titles, dates, names, languages of nothing, tags, attachments, chapters, checksums that would be wrong now,
//! other kinds of tracks with their frames, and what follows the segment.
//!
//! Encrypted tracks are refused, and a second segment.

mod ebml;
mod held;
mod rule;

use self::ebml::{Header, MAX_HEADER, Read};
use self::held::{Problem, Tracks};
use self::rule::{EBML, Place, Rule, SEGMENT, TRACKS, ends_cluster, rule};
use crate::bytes::zeros;
use crate::piece::Piece;
use crate::stripper::Parser;
use crate::{Error, Subtitles};

/// Bytes at the start of a `BlockGroup` among which its `Block` must begin.
const GROUP_HEAD: u64 = 64;
/// The longest number of a track.
const BLOCK_HEAD: u64 = 8;

/// A push parser that writes what stays.
#[derive(Debug)]
pub(crate) struct Matroska {
    subtitles: Subtitles,
    state: State,
    /// Where the current element stands, and its header.
    at: u64,
    head: Vec<u8>,
    id: u32,
    held: Vec<u8>,
    levels: Vec<Level>,
    tracks: Tracks,
    has_tracks: bool,
}

#[derive(Debug, Clone, Copy)]
struct Level {
    place: Place,
    /// Where it ends; `None` where that is not known.
    end: Option<u64>,
}

/// What the next byte is.
#[derive(Debug, Clone, Copy)]
enum State {
    Header,
    /// A byte of an element that is held whole.
    Held {
        place: Place,
        length: usize,
    },
    /// A byte of the start of a frame, or of a group.
    Start {
        rule: Rule,
        length: u64,
    },
    Keep {
        left: u64,
    },
    Zeros {
        left: u64,
    },
    /// What follows the segment.
    End,
}

impl Matroska {
    pub(crate) fn new(subtitles: Subtitles) -> Self {
        Self {
            subtitles,
            state: State::Header,
            at: 0,
            head: Vec::new(),
            id: 0,
            held: Vec::new(),
            levels: Vec::new(),
            tracks: Tracks::default(),
            has_tracks: false,
        }
    }

    fn next(&mut self, piece: &mut Piece, output: &mut Vec<u8>) -> Result<State, Error> {
        Ok(match self.state {
            State::Header => {
                if self.held.is_empty() {
                    if self.close(piece.offset()) {
                        return Ok(State::End);
                    }
                    self.at = piece.offset();
                }
                let header = loop {
                    match ebml::header(&self.held) {
                        Read::Whole(header) => break header,
                        Read::Part if self.held.len() < MAX_HEADER => {
                            let want = self.held.len() + 1;
                            if !piece.fill(&mut self.held, want) {
                                return Ok(State::Header);
                            }
                        }
                        Read::Part | Read::Bad => return Err(self.invalid("is no element")),
                    }
                };
                self.head = std::mem::take(&mut self.held);
                self.id = header.id;
                self.header(header, output)?
            }
            State::Held { place, length } => {
                if !piece.fill(&mut self.held, length) {
                    return Ok(self.state);
                }
                self.held(place, output)?;
                State::Header
            }
            State::Start { rule, length } => {
                let most = if rule == Rule::Group {
                    GROUP_HEAD
                } else {
                    BLOCK_HEAD
                };
                if !piece.fill(&mut self.held, length.min(most) as usize) {
                    return Ok(self.state);
                }
                self.start(rule, length, output)?
            }
            State::Keep { mut left } => {
                output.extend_from_slice(piece.take_of(&mut left));
                match left {
                    0 => State::Header,
                    _ => State::Keep { left },
                }
            }
            State::Zeros { mut left } => {
                zeros(output, piece.take_of(&mut left).len());
                match left {
                    0 => State::Header,
                    _ => State::Zeros { left },
                }
            }
            State::End => {
                // A second film, or something else that is none of the first.
                piece.fill(&mut self.held, 4);
                if matches!(&self.held[..], b"\x1A\x45\xDF\xA3" | b"\x18\x53\x80\x67") {
                    return Err(Error::refused(
                        self.at,
                        "the file holds several films, which is not supported",
                    ));
                }
                if self.held.len() == 4 {
                    piece.take(usize::MAX);
                }
                State::End
            }
        })
    }

    /// Leaves the elements that end here. Tells whether the segment has ended.
    fn close(&mut self, offset: u64) -> bool {
        while let Some(level) = self.levels.pop_if(|level| level.end == Some(offset)) {
            if level.place == Place::Segment {
                return true;
            }
        }
        false
    }

    /// Where the innermost element ends whose end is known.
    fn end(&self) -> u64 {
        let ends = self.levels.iter().rev();
        ends.filter_map(|level| level.end)
            .next()
            .unwrap_or(u64::MAX)
    }

    fn header(&mut self, header: Header, output: &mut Vec<u8>) -> Result<State, Error> {
        let cluster = self
            .levels
            .last()
            .filter(|level| level.place == Place::Cluster);
        if cluster.is_some_and(|level| level.end.is_none()) && ends_cluster(header.id) {
            self.levels.pop();
        }
        let place = self.levels.last().map_or(Place::Top, |level| level.place);
        let start = self.at + self.head.len() as u64;
        let end = match header.size {
            Some(size) => {
                let end = start.checked_add(size).filter(|end| *end <= self.end());
                Some(end.ok_or_else(|| self.invalid("has a size that does not fit"))?)
            }
            None => None,
        };
        if place == Place::Segment && matches!(header.id, EBML | SEGMENT) {
            return Err(Error::refused(
                self.at,
                "the file holds several films, which is not supported",
            ));
        }
        if self.at == 0 && header.id != EBML {
            return Err(Error::Unsupported);
        }
        let rule = rule(place, header.id);
        let Some(length) = header.size else {
            return match rule {
                Rule::Enter(inner @ (Place::Segment | Place::Cluster)) => {
                    self.enter(inner, None, output)
                }
                _ => Err(self.invalid("does not say where it ends")),
            };
        };
        match rule {
            Rule::Enter(Place::Additions) if self.tracks.has_unknown_additions => {
                Ok(self.void(length, output))
            }
            Rule::Enter(inner) => self.enter(inner, end, output),
            Rule::Hold(inner, most) => {
                let length = usize::try_from(length).unwrap_or(usize::MAX);
                if length > most {
                    return Err(self.invalid("is longer than such an element can be"));
                }
                if length == 0 {
                    self.held(inner, output)?;
                    return Ok(State::Header);
                }
                Ok(State::Held {
                    place: inner,
                    length,
                })
            }
            Rule::Number if length <= 8 => Ok(self.keep(length, output)),
            Rule::Bytes => Ok(self.keep(length, output)),
            Rule::Block | Rule::Group => {
                if !self.has_tracks {
                    return Err(self.invalid("stands before the tracks"));
                }
                Ok(match length {
                    0 => self.void(length, output),
                    _ => State::Start { rule, length },
                })
            }
            Rule::Encrypted => Err(Error::refused(
                self.at,
                "the film is encrypted, which is not supported",
            )),
            // The others stand in elements that are held whole.
            Rule::Number
            | Rule::Text
            | Rule::Neutral
            | Rule::Seek
            | Rule::Track
            | Rule::Uid
            | Rule::Void => Ok(self.void(length, output)),
        }
    }

    fn enter(
        &mut self,
        place: Place,
        end: Option<u64>,
        output: &mut Vec<u8>,
    ) -> Result<State, Error> {
        output.extend_from_slice(&self.head);
        self.levels.push(Level { place, end });
        Ok(State::Header)
    }

    fn keep(&self, length: u64, output: &mut Vec<u8>) -> State {
        output.extend_from_slice(&self.head);
        match length {
            0 => State::Header,
            left => State::Keep { left },
        }
    }

    /// Writes a `Void` in place of the current element.
    fn void(&self, length: u64, output: &mut Vec<u8>) -> State {
        let (head, content) = ebml::void(self.head.len(), length);
        output.extend_from_slice(&head);
        // Where the old header was longer than the new one can be, a part of the content is written at once.
        zeros(
            output,
            usize::try_from(content - length).unwrap_or_default(),
        );
        match length {
            0 => State::Header,
            left => State::Zeros { left },
        }
    }

    /// Acts on an element that has arrived whole.
    fn held(&mut self, place: Place, output: &mut Vec<u8>) -> Result<(), Error> {
        let mut content = std::mem::take(&mut self.held);
        if self.id == TRACKS {
            if self.has_tracks {
                return Err(self.invalid("is there twice"));
            }
            self.has_tracks = true;
        }
        held::clean(place, &mut content, self.subtitles, &mut self.tracks).map_err(|problem| {
            match problem {
                Problem::Damaged => self.invalid("is damaged"),
                Problem::Encrypted => {
                    Error::refused(self.at, "the film is encrypted, which is not supported")
                }
                Problem::Subtitles => Error::refused(self.at, Subtitles::REFUSED),
            }
        })?;
        if place == Place::Ebml && !matches!(doc_type(&content), b"webm" | b"matroska") {
            return Err(Error::Unsupported);
        }
        output.extend_from_slice(&self.head);
        output.extend_from_slice(&content);
        if content.capacity() <= 1 << 16 {
            content.clear();
            self.held = content;
        }
        Ok(())
    }

    /// Acts on the start of a frame or of a group.
    fn start(&mut self, rule: Rule, length: u64, output: &mut Vec<u8>) -> Result<State, Error> {
        let start = std::mem::take(&mut self.held);
        let track = match rule {
            Rule::Group => {
                let block = block_of(&start);
                block.ok_or_else(|| self.invalid("does not begin with a frame"))?
            }
            _ => &start,
        };
        let track = ebml::number(track).ok_or_else(|| self.invalid("is a damaged frame"))?;
        let rest = length - start.len() as u64;
        if !self.tracks.stay.contains(&track) {
            let (head, content) = ebml::void(self.head.len(), length);
            output.extend_from_slice(&head);
            zeros(output, usize::try_from(content - rest).unwrap_or_default());
            return Ok(match rest {
                0 => State::Header,
                left => State::Zeros { left },
            });
        }
        if rule == Rule::Group {
            let offset = self.at + self.head.len() as u64;
            self.enter(Place::BlockGroup, Some(offset + length), output)?;
            self.state = State::Header;
            let mut piece = Piece::new(&start, offset);
            while !piece.rest().is_empty() {
                self.state = self.next(&mut piece, output)?;
            }
            return Ok(self.state);
        }
        output.extend_from_slice(&self.head);
        output.extend_from_slice(&start);
        Ok(match rest {
            0 => State::Header,
            left => State::Keep { left },
        })
    }

    /// An error about the current element.
    fn invalid(&self, what: &str) -> Error {
        Error::invalid(self.at, format!("element {:X} {what}", self.id))
    }
}

impl Parser for Matroska {
    fn step(&mut self, piece: &mut Piece, output: &mut Vec<u8>) -> Result<(), Error> {
        self.state = self.next(piece, output)?;
        Ok(())
    }

    fn finish(&mut self, size: u64, _output: &mut Vec<u8>) -> Result<(), Error> {
        let is_between = matches!(self.state, State::Header) && self.held.is_empty();
        let has_ended = matches!(self.state, State::End) || (is_between && self.close(size));
        // Elements whose end is not known end with the file.
        let is_open = is_between
            && !self.levels.is_empty()
            && self.levels.iter().all(|level| level.end.is_none());
        if !has_ended && !is_open {
            return Err(Error::early(size, "film"));
        }
        if self.tracks.stay.is_empty() {
            return Err(Error::refused(
                size,
                "the film has neither pictures nor sound",
            ));
        }
        Ok(())
    }
}

/// The document type that an EBML header names; zeros may follow it.
fn doc_type(content: &[u8]) -> &[u8] {
    let text = held::find(content, 0x4282).unwrap_or_default();
    text.split(|byte| *byte == 0).next().unwrap_or_default()
}

/// What of a group's frame is among the group's first bytes.
fn block_of(mut bytes: &[u8]) -> Option<&[u8]> {
    while let Read::Whole(header) = ebml::header(bytes) {
        let content = bytes.get(header.length..)?;
        if header.id == 0xA1 {
            return Some(content);
        }
        bytes = content.get(usize::try_from(header.size?).ok()?..)?;
    }
    None
}
