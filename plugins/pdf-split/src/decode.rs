//! Decodes content streams strictly (ISO 32000-2, 7.4).
//!
//! A reader shows as much as it can of a damaged stream, and readers differ in how much that is. This module does not
//! decode such a stream at all, because it would miss names after the damage. A stream that cannot be decoded in full
//! is [`Unsure`].

use std::borrow::Cow;

use flate2::{Decompress, FlushDecompress, Status};
use forebay_plugin::Error;
use lopdf::{Dictionary, Object, Stream};
use weezl::{BitOrder, LzwStatus};

use crate::document::Source;

/// The most bytes that a content stream is decoded to. Maps and drawings reach some tens of MB.
const MAX_CONTENT: usize = 64 << 20;

/// The most filters of one stream. Files use one or two.
const MAX_FILTERS: usize = 8;

/// Bytes that are reserved at a time for decoded data.
const STEP: usize = 64 << 10;

/// Why it cannot be determined what some content uses.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Unsure {
    /// A filter, or a parameter of a filter, that is not supported here.
    Filter,
    /// The data is not valid for its filter, for example because of a wrong checksum or a missing end.
    Damaged,
    /// The list of content streams of a page contains something else.
    Contents,
    /// A name at the end of a content stream may continue in the next one.
    SplitName,
    /// The content or the resources of a page exceed the limits.
    TooMuch,
}

/// A value, or the reason why there is no reliable value.
pub(crate) type Sure<T> = Result<T, Unsure>;

/// Filters in the order of decoding, with their parameters.
type Filters<'a> = Vec<(&'a [u8], Parameters)>;

/// The decoded bytes of a stream.
pub(crate) fn decode<'a>(
    source: &Source<'a>,
    stream: &'a Stream,
) -> Result<Sure<Cow<'a, [u8]>>, Error> {
    let filters = match filters(source, &stream.dict)? {
        Ok(filters) => filters,
        Err(unsure) => return Ok(Err(unsure)),
    };
    let mut content = Cow::Borrowed(source.content(stream)?);
    for (name, parameters) in filters {
        // A stream without data counts as empty, although no filter produces empty data.
        if content.is_empty() {
            break;
        }
        content = match step(name, &content, &parameters) {
            Ok(decoded) => Cow::Owned(decoded),
            Err(unsure) => return Ok(Err(unsure)),
        };
    }
    Ok(if content.len() > MAX_CONTENT {
        Err(Unsure::TooMuch)
    } else {
        Ok(content)
    })
}

/// The filters of a stream. Each name, each dictionary of parameters and each parameter may be a reference.
fn filters<'a>(source: &Source<'a>, stream: &'a Dictionary) -> Result<Sure<Filters<'a>>, Error> {
    // The data is in another file, or the stream has keys that only some readers know.
    if stream.has(b"F") || stream.has(b"DP") {
        return Ok(Err(Unsure::Filter));
    }
    let names = list(source, source.get(stream, b"Filter")?)?;
    let parameters = list(source, source.get(stream, b"DecodeParms")?)?;
    if names.len() > MAX_FILTERS || parameters.len() > names.len() {
        return Ok(Err(Unsure::Filter));
    }
    let mut filters = Vec::with_capacity(names.len());
    for (place, name) in names.into_iter().enumerate() {
        let Object::Name(name) = name else {
            return Ok(Err(Unsure::Filter));
        };
        let parameters = match parameters.get(place) {
            None | Some(Object::Null) => Parameters::default(),
            Some(Object::Dictionary(dictionary)) => match Parameters::read(source, dictionary)? {
                Ok(parameters) => parameters,
                Err(unsure) => return Ok(Err(unsure)),
            },
            Some(_) => return Ok(Err(Unsure::Filter)),
        };
        filters.push((name.as_slice(), parameters));
    }
    Ok(Ok(filters))
}

/// One value, or the values of an array, with references followed.
fn list<'a>(source: &Source<'a>, value: &'a Object) -> Result<Vec<&'a Object>, Error> {
    match value {
        Object::Null => Ok(Vec::new()),
        Object::Array(items) => items.iter().map(|item| source.resolve(item)).collect(),
        value => Ok(vec![value]),
    }
}

/// The parameters of the filters that have a predictor (tables 8 and 10).
struct Parameters {
    predictor: i64,
    columns: i64,
    colors: i64,
    bits: i64,
    early_change: i64,
}

impl Default for Parameters {
    fn default() -> Self {
        Self {
            predictor: 1,
            columns: 1,
            colors: 1,
            bits: 8,
            early_change: 1,
        }
    }
}

impl Parameters {
    fn read<'a>(source: &Source<'a>, dictionary: &'a Dictionary) -> Result<Sure<Self>, Error> {
        let mut read = Self::default();
        for (key, value) in [
            (b"Predictor".as_slice(), &mut read.predictor),
            (b"Columns", &mut read.columns),
            (b"Colors", &mut read.colors),
            (b"BitsPerComponent", &mut read.bits),
            (b"EarlyChange", &mut read.early_change),
        ] {
            match source.get(dictionary, key)? {
                Object::Null => {}
                Object::Integer(number) => *value = *number,
                _ => return Ok(Err(Unsure::Filter)),
            }
        }
        Ok(Ok(read))
    }

    /// The same without references, because lopdf does not follow them.
    fn dictionary(&self) -> Dictionary {
        let mut dictionary = Dictionary::new();
        dictionary.set("Predictor", self.predictor);
        dictionary.set("Columns", self.columns);
        dictionary.set("Colors", self.colors);
        dictionary.set("BitsPerComponent", self.bits);
        dictionary.set("EarlyChange", self.early_change);
        dictionary
    }

    /// Whether data of this length consists of complete rows for the predictor.
    fn whole_rows(&self, length: usize) -> bool {
        let row = self
            .columns
            .checked_mul(self.colors)
            .and_then(|samples| samples.checked_mul(self.bits))
            .and_then(|bits| usize::try_from(bits).ok())
            .map(|bits| bits.div_ceil(8) + usize::from(self.predictor >= 10));
        row.and_then(|row| length.checked_rem(row)) == Some(0)
    }
}

/// Decodes one filter.
fn step(name: &[u8], input: &[u8], parameters: &Parameters) -> Sure<Vec<u8>> {
    let decoded = match name {
        b"FlateDecode" => inflate(input)?,
        b"LZWDecode" => unpack_lzw(input, parameters.early_change != 0)?,
        b"ASCII85Decode" => return lopdf(name, ascii_85(input)?, None),
        b"ASCIIHexDecode" => return lopdf(name, input, None),
        _ => return Err(Unsure::Filter),
    };
    match parameters.predictor {
        1 => Ok(decoded),
        _ if !parameters.whole_rows(decoded.len()) => Err(Unsure::Damaged),
        // The data is known to be valid, so lopdf decodes all of it.
        _ => lopdf(name, input, Some(parameters)),
    }
}

/// Decodes one filter with lopdf. It decodes damaged data as far as possible and returns no error, so the data must be
/// checked before.
fn lopdf(name: &[u8], input: &[u8], parameters: Option<&Parameters>) -> Sure<Vec<u8>> {
    let mut dictionary = Dictionary::new();
    dictionary.set("Filter", Object::Name(name.to_vec()));
    if let Some(parameters) = parameters {
        dictionary.set("DecodeParms", parameters.dictionary());
    }
    Stream::new(dictionary, input.to_vec())
        .decompressed_content_with_limit(MAX_CONTENT)
        .map_err(|_| Unsure::Damaged)
}

/// Decodes zlib data (RFC 1950) that has an end and a valid checksum. Bytes after the end are ignored.
fn inflate(input: &[u8]) -> Sure<Vec<u8>> {
    let mut decoder = Decompress::new(true);
    let mut output = Vec::new();
    let mut rest = input;
    loop {
        output.reserve(STEP);
        let before = (decoder.total_in(), decoder.total_out());
        let status = decoder
            .decompress_vec(rest, &mut output, FlushDecompress::None)
            .map_err(|_| Unsure::Damaged)?;
        if output.len() > MAX_CONTENT {
            return Err(Unsure::TooMuch);
        }
        if status == Status::StreamEnd {
            return Ok(output);
        }
        if before == (decoder.total_in(), decoder.total_out()) {
            return Err(Unsure::Damaged);
        }
        let read = usize::try_from(decoder.total_in()).map_err(|_| Unsure::TooMuch)?;
        rest = input.get(read..).unwrap_or_default();
    }
}

/// Decodes LZW data that has its end-of-data code.
fn unpack_lzw(mut input: &[u8], early_change: bool) -> Sure<Vec<u8>> {
    const BITS: u8 = 8;

    let mut decoder = if early_change {
        weezl::decode::Decoder::with_tiff_size_switch(BitOrder::Msb, BITS)
    } else {
        weezl::decode::Decoder::new(BitOrder::Msb, BITS)
    };
    let mut output = Vec::new();
    let mut step = vec![0; STEP];
    loop {
        let result = decoder.decode_bytes(input, &mut step);
        output.extend_from_slice(step.get(..result.consumed_out).unwrap_or_default());
        input = input.get(result.consumed_in..).unwrap_or_default();
        match result.status {
            Ok(LzwStatus::Done) => return Ok(output),
            Ok(LzwStatus::Ok) if output.len() <= MAX_CONTENT => {}
            Ok(LzwStatus::Ok) => return Err(Unsure::TooMuch),
            Ok(LzwStatus::NoProgress) | Err(_) => return Err(Unsure::Damaged),
        }
    }
}

/// ASCII 85 data up to and including its end-of-data marker, if all of it is valid.
fn ascii_85(input: &[u8]) -> Sure<&[u8]> {
    let end = input
        .windows(2)
        .position(|window| window == b"~>")
        .ok_or(Unsure::Damaged)?;
    let (data, _) = input.split_at(end);
    let sound = |byte: &u8| matches!(byte, b'!'..=b'u' | b'z') || byte.is_ascii_whitespace();
    if data.iter().all(sound) {
        Ok(input.get(..end + 2).unwrap_or_default())
    } else {
        Err(Unsure::Damaged)
    }
}
