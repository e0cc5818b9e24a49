//! The elements that stay (RFC 9559), by the element that they stand in. Every other one becomes `Void`.

/// An element that has elements in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Place {
    Top,
    Ebml,
    Segment,
    SeekHead,
    Info,
    Tracks,
    TrackEntry,
    Video,
    Colour,
    Mastering,
    Projection,
    Audio,
    Mapping,
    Encodings,
    Encoding,
    Compression,
    Cluster,
    BlockGroup,
    Additions,
    More,
    Cues,
    CuePoint,
    CueTrack,
    CueReference,
}

/// What becomes of an element.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Rule {
    /// It stays, and has elements.
    Enter(Place),
    /// It stays, has elements, and is read whole. The most bytes that it may have.
    Hold(Place, usize),
    /// A number of up to 8 bytes, which stays.
    Number,
    /// Up to 64 bytes that stay.
    Text,
    /// Bytes that stay.
    Bytes,
    /// A text that must be there, and says nothing afterwards.
    Neutral,
    /// A reference from `SeekHead`, which stays if what it leads to does.
    Seek,
    /// A track, which may go.
    Track,
    /// The number that a track is known by outside of the file.
    Uid,
    /// A frame, which goes if its track does.
    Block,
    /// Frames and what belongs to them, which go if their track does.
    Group,
    /// Nothing can be played without it, and it cannot be read.
    Encrypted,
    Void,
}

pub(super) const EBML: u32 = 0x1A45_DFA3;
pub(super) const SEGMENT: u32 = 0x1853_8067;
pub(super) const CLUSTER: u32 = 0x1F43_B675;
pub(super) const TRACKS: u32 = 0x1654_AE6B;
const SEEK_HEAD: u32 = 0x114D_9B74;
const INFO: u32 = 0x1549_A966;
const CUES: u32 = 0x1C53_BB6B;

/// Whether an element of this id can stand in a segment only: it ends a cluster whose size is not known.
pub(super) fn ends_cluster(id: u32) -> bool {
    // The last three are Chapters, Tags and Attachments.
    matches!(
        id,
        CLUSTER
            | TRACKS
            | SEEK_HEAD
            | INFO
            | CUES
            | EBML
            | SEGMENT
            | 0x1043_A770
            | 0x1254_C367
            | 0x1941_A469
    )
}

/// Whether a reference to an element of this id leads to something that stays.
pub(super) fn stays(id: u32) -> bool {
    matches!(id, CLUSTER | TRACKS | SEEK_HEAD | INFO | CUES)
}

/// What becomes of an element in this place.
pub(super) fn rule(place: Place, id: u32) -> Rule {
    use Rule::{
        Block, Bytes, Encrypted, Enter, Group, Hold, Neutral, Number, Seek, Text, Track, Uid, Void,
    };
    match (place, id) {
        (Place::Top, EBML) => Hold(Place::Ebml, 4096),
        (Place::Top, SEGMENT) => Enter(Place::Segment),
        (Place::Ebml, 0x4286 | 0x42F7 | 0x42F2 | 0x42F3 | 0x4287 | 0x4285) => Number,
        (Place::Ebml, 0x4282) => Text,

        (Place::Segment, SEEK_HEAD) => Hold(Place::SeekHead, 1 << 20),
        (Place::Segment, INFO) => Hold(Place::Info, 1 << 20),
        (Place::Segment, TRACKS) => Hold(Place::Tracks, 8 << 20),
        (Place::Segment, CLUSTER) => Enter(Place::Cluster),
        (Place::Segment, CUES) => Enter(Place::Cues),
        (Place::SeekHead, 0x4DBB) => Seek,
        // TimestampScale, Duration; MuxingApp, WritingApp.
        (Place::Info, 0x002A_D7B1 | 0x4489) => Number,
        (Place::Info, 0x4D80 | 0x5741) => Neutral,

        (Place::Tracks, 0xAE) => Track,
        (Place::TrackEntry, 0x73C5) => Uid,
        // TrackNumber, TrackType; flags; caches; durations; MaxBlockAdditionID; CodecDecodeAll, CodecDelay, SeekPreRoll.
        (
            Place::TrackEntry,
            0xD7 | 0x83 | 0xB9 | 0x88 | 0x9C | 0x55AA | 0x55AB | 0x55AC | 0x55AD | 0x55AE | 0x55AF
            | 0x6DE7 | 0x6DF8 | 0x0023_E383 | 0x0023_4E7A | 0x0023_314F | 0x55EE | 0xAA | 0x56AA
            | 0x56BB,
        ) => Number,
        // Language, LanguageBCP47, CodecID.
        (Place::TrackEntry, 0x0022_B59C | 0x0022_B59D | 0x86) => Text,
        // CodecPrivate.
        (Place::TrackEntry, 0x63A2) => Bytes,
        (Place::TrackEntry, 0xE0) => Enter(Place::Video),
        (Place::TrackEntry, 0xE1) => Enter(Place::Audio),
        (Place::TrackEntry, 0x41E4) => Enter(Place::Mapping),
        (Place::TrackEntry, 0x6D80) => Enter(Place::Encodings),
        (
            Place::Video,
            0x9A | 0x9D | 0x53B8 | 0x53B9 | 0x53C0 | 0xB0 | 0xBA | 0x54AA | 0x54BB | 0x54CC
            | 0x54DD | 0x54B0 | 0x54BA | 0x54B2 | 0x54B3 | 0x002E_B524 | 0x002F_B523 | 0x0023_83E3,
        ) => Number,
        (Place::Video, 0x55B0) => Enter(Place::Colour),
        (Place::Video, 0x7670) => Enter(Place::Projection),
        (Place::Colour, 0x55B1..=0x55BD) => Number,
        (Place::Colour, 0x55D0) => Enter(Place::Mastering),
        (Place::Mastering, 0x55D1..=0x55DA) => Number,
        (Place::Projection, 0x7671 | 0x7673 | 0x7674 | 0x7675) => Number,
        (Place::Projection, 0x7672) => Bytes,
        (Place::Audio, 0xB5 | 0x78B5 | 0x9F | 0x6264 | 0x52F1) => Number,
        (Place::Audio, 0x7D7B) => Text,
        (Place::Mapping, 0x41F0 | 0x41E7) => Number,
        (Place::Mapping, 0x41ED) => Bytes,
        (Place::Encodings, 0x6240) => Enter(Place::Encoding),
        (Place::Encoding, 0x5031..=0x5033) => Number,
        (Place::Encoding, 0x5034) => Enter(Place::Compression),
        (Place::Encoding, 0x5035) => Encrypted,
        (Place::Compression, 0x4254) => Number,
        (Place::Compression, 0x4255) => Bytes,

        // Timestamp, Position, PrevSize.
        (Place::Cluster, 0xE7 | 0xA7 | 0xAB) => Number,
        (Place::Cluster, 0xA3) => Block,
        (Place::Cluster, 0xA0) => Group,
        (Place::Cluster, 0xAF) => Encrypted,
        (Place::BlockGroup, 0xA1 | 0xA4) => Bytes,
        (Place::BlockGroup, 0x9B | 0xFB | 0xFA | 0x75A2) => Number,
        (Place::BlockGroup, 0x75A1) => Enter(Place::Additions),
        (Place::Additions, 0xA6) => Enter(Place::More),
        (Place::More, 0xEE) => Number,
        (Place::More, 0xA5) => Bytes,

        (Place::Cues, 0xBB) => Hold(Place::CuePoint, 1 << 16),
        (Place::CuePoint, 0xB3) => Number,
        (Place::CuePoint, 0xB7) => Enter(Place::CueTrack),
        (Place::CueTrack, 0xF7 | 0xF1 | 0xF0 | 0xB2 | 0x5378 | 0xEA) => Number,
        (Place::CueTrack, 0xDB) => Enter(Place::CueReference),
        (Place::CueReference, 0x96 | 0x97 | 0x535F | 0xEB) => Number,
        // Among them CRC-32, which would be wrong now, and Void itself, for what it may still hold.
        _ => Void,
    }
}
