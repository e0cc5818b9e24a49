//! TIFF: chooses one of its pictures, and converts its samples to pixels.
//!
//! - If the first picture is a reduced one, or has a larger one below it, the largest picture is used. Otherwise the
//!   first page is used.
//! - A camera raw file is refused.
//! - The crate `tiff` decompresses, and colours are converted here. The crate knows few kinds of colour. One of them is
//!   grey with extra samples. So the file, which is in memory anyway, is changed to that kind. The crate then returns
//!   the samples of any picture as they are stored.

mod directory;
mod pixels;

use forebay_plugin::Error;
use image::metadata::Orientation;
use tiff::decoder::{Decoder, Limits};
use tiff::{TiffError, TiffFormatError};

use crate::decode::{Decoded, OVERHEAD};
use crate::orientation;
use crate::raw;
use directory::{Directory, MOST_DIRECTORIES, Numbers, tag};
use pixels::{Colours, Samples};

/// A TIFF file whose directories were read.
pub(crate) struct Tiff<'a> {
    bytes: &'a [u8],
    size: (u32, u32),
    orientation: Orientation,
    profile: Option<Vec<u8>>,
    samples: Samples,
    planar: bool,
}

/// The picture is a smaller version of another (bit 0 of `NewSubfileType`).
const REDUCED: u64 = 1;
/// The picture is a transparency mask of another (bit 2).
const MASK: u64 = 4;

/// How many pages there are: pictures that are neither smaller versions nor masks of others, nor below others.
pub(crate) fn pages(bytes: &[u8]) -> u64 {
    let Some(numbers) = Numbers::of(bytes) else {
        return 1;
    };
    let directories = numbers.directories(bytes);
    let below: Vec<u64> = directories
        .iter()
        .flat_map(|directory| {
            directory
                .all(bytes, numbers, tag::SUB_IFDS)
                .into_iter()
                .take(MOST_DIRECTORIES)
        })
        .collect();
    let is_page = |directory: &&Directory| {
        let kind = directory.one(bytes, numbers, tag::NEW_SUBFILE_TYPE);
        kind.unwrap_or(0) & (REDUCED | MASK) == 0 && !below.contains(&directory.at)
    };
    directories.iter().filter(is_page).count() as u64
}

impl<'a> Tiff<'a> {
    pub(crate) fn open(bytes: &'a mut [u8]) -> Result<Self, Error> {
        let numbers =
            Numbers::of(bytes).ok_or_else(|| damaged(&"its header is no TIFF's header"))?;
        let directories = numbers.directories(bytes);
        refuse_raw(bytes, numbers, &directories)?;
        let chosen = choose(bytes, numbers, &directories)?;
        let one = |tag| chosen.one(bytes, numbers, tag);

        let size = match (
            one(tag::WIDTH).and_then(|width| u32::try_from(width).ok()),
            one(tag::HEIGHT).and_then(|height| u32::try_from(height).ok()),
        ) {
            (Some(width), Some(height)) if width > 0 && height > 0 => (width, height),
            _ => return Err(damaged(&"it does not say its width and height")),
        };
        let compression = one(tag::COMPRESSION).unwrap_or(1);
        compression_is_known(compression)?;
        let samples = Samples::of(chosen, bytes, numbers)?;
        let planar = one(tag::PLANAR) == Some(2);
        let profile = chosen.bytes(bytes, tag::ICC_PROFILE).map(<[u8]>::to_vec);
        // A picture below another one has the orientation of that one, unless it has its own.
        let orientation = one(tag::ORIENTATION)
            .or_else(|| directories.first()?.one(bytes, numbers, tag::ORIENTATION))
            .map_or(Orientation::NoTransforms, orientation::of_value);

        let chosen = chosen.clone();
        if compression != COMPRESSION_JPEG && chosen.one(bytes, numbers, tag::FILL_ORDER) == Some(2)
        {
            reverse_bits(bytes, numbers, &chosen);
        }
        // Old programs use the tags of strips for tiles.
        if chosen.has(tag::TILE_WIDTH) && !chosen.has(tag::TILE_OFFSETS) {
            chosen.rename(bytes, numbers, tag::STRIP_OFFSETS, tag::TILE_OFFSETS);
            chosen.rename(
                bytes,
                numbers,
                tag::STRIP_BYTE_COUNTS,
                tag::TILE_BYTE_COUNTS,
            );
        }
        numbers.set_only(bytes, &chosen);
        chosen.set(
            bytes,
            numbers,
            tag::PHOTOMETRIC,
            u64::from(pixels::BLACK_IS_ZERO),
        );
        Ok(Self {
            bytes,
            size,
            orientation,
            profile,
            samples,
            planar,
        })
    }

    pub(crate) fn size(&self) -> (u32, u32) {
        self.size
    }

    pub(crate) fn orientation(&self) -> Orientation {
        self.orientation
    }

    pub(crate) fn decode(self) -> Result<Decoded, Error> {
        let (width, height) = (self.size.0 as usize, self.size.1 as usize);
        let mut limits = Limits::default();
        // One strip may contain the whole picture.
        let most = width
            .saturating_mul(height)
            .saturating_mul(self.samples.bytes_per_pixel())
            .saturating_add(OVERHEAD as usize);
        limits.decoding_buffer_size = most;
        limits.intermediate_buffer_size = most;
        limits.ifd_value_size = OVERHEAD as usize;
        let mut decoder = Decoder::new(std::io::Cursor::new(self.bytes))
            .map_err(refused)?
            .with_limits(limits);

        let (chunk_width, chunk_height) = decoder.chunk_dimensions();
        let (chunk_width, chunk_height) = (chunk_width as usize, chunk_height as usize);
        if chunk_width == 0 || chunk_height == 0 {
            return Err(damaged(&"its tiles have no size"));
        }
        let across = width.div_ceil(chunk_width);
        let down = height.div_ceil(chunk_height);
        let planes = if self.planar {
            self.samples.per_pixel
        } else {
            1
        };
        let mut colours = Colours::new(&self.samples, self.planar, width, height)?;
        for plane in 0..planes {
            if !colours.wants(plane) {
                continue;
            }
            for row in 0..down {
                for column in 0..across {
                    let index = (plane * down + row) * across + column;
                    let index =
                        u32::try_from(index).map_err(|_| damaged(&"it has too many tiles"))?;
                    let layout = decoder.image_chunk_buffer_layout(index).map_err(refused)?;
                    let chunk = decoder.read_chunk(index).map_err(refused)?;
                    let stride = layout.row_stride.map_or(0, std::num::NonZeroUsize::get);
                    let at = (column * chunk_width, row * chunk_height);
                    let size = (
                        chunk_width.min(width - at.0),
                        chunk_height.min(height - at.1),
                    );
                    colours.add(plane, &chunk, stride, at, size)?;
                }
            }
        }
        Ok(Decoded {
            raster: colours.finish()?,
            full: (f64::from(self.size.0), f64::from(self.size.1)),
            scale: 1.0,
            profile: self.profile,
        })
    }
}

/// Refuses a camera raw file, which has the samples of a sensor's colour filters, whatever the name of the format is.
fn refuse_raw(bytes: &[u8], numbers: Numbers, directories: &[Directory]) -> Result<(), Error> {
    const COLOUR_FILTERS: u64 = 32803;
    const LINEAR_RAW: u64 = 34892;
    // The compressions of Sony, Epson and Samsung, Nikon, Kodak, Pentax.
    const COMPRESSIONS: [u64; 8] = [32767, 32769, 32770, 32772, 34713, 65000, 65024, 65535];
    for directory in directories {
        let one = |tag| directory.one(bytes, numbers, tag);
        if directory.has(tag::DNG_VERSION) {
            return Err(raw::refused("DNG"));
        }
        if matches!(one(tag::PHOTOMETRIC), Some(COLOUR_FILTERS | LINEAR_RAW))
            || one(tag::COMPRESSION).is_some_and(|method| COMPRESSIONS.contains(&method))
        {
            return Err(raw::refused("such as NEF, ARW or PEF"));
        }
    }
    Ok(())
}

/// The directory of the picture to use.
fn choose<'d>(
    bytes: &[u8],
    numbers: Numbers,
    directories: &'d [Directory],
) -> Result<&'d Directory, Error> {
    let first = directories
        .first()
        .ok_or_else(|| damaged(&"its first directory cannot be read"))?;
    let kind = |directory: &Directory| {
        directory
            .one(bytes, numbers, tag::NEW_SUBFILE_TYPE)
            .unwrap_or(0)
    };
    let area = |directory: &Directory| {
        directory
            .one(bytes, numbers, tag::WIDTH)
            .unwrap_or(0)
            .saturating_mul(directory.one(bytes, numbers, tag::HEIGHT).unwrap_or(0))
    };
    let is_reduced = kind(first) & (REDUCED | MASK) != 0;
    if !is_reduced && !first.has(tag::SUB_IFDS) {
        return Ok(first);
    }
    let below = first.all(bytes, numbers, tag::SUB_IFDS);
    let largest = directories
        .iter()
        .filter(|directory| kind(directory) & (REDUCED | MASK) == 0)
        .filter(|directory| is_reduced || directory.at == first.at || below.contains(&directory.at))
        // Among equally large ones, this finds the first.
        .rev()
        .max_by_key(|directory| area(directory));
    match largest {
        Some(largest) if area(largest) > area(first) || is_reduced => Ok(largest),
        None if first.has(tag::SUB_IFDS) => Err(damaged(
            &"its first picture is a small preview, and the one that it stands for cannot be found",
        )),
        _ => Ok(first),
    }
}

const COMPRESSION_JPEG: u64 = 7;

/// Refuses compressions that the decoder does not know. The error has their name, if they have one.
fn compression_is_known(compression: u64) -> Result<(), Error> {
    let name = match compression {
        1 | 4 | 5 | COMPRESSION_JPEG | 8 | 32773 | 32946 => return Ok(()),
        2 => "modified Huffman fax",
        3 => "group 3 fax",
        6 => "JPEG of the old style",
        32809 => "ThunderScan",
        33003 | 33005 | 34712 => "JPEG 2000",
        34661 => "JBIG",
        34676 | 34677 => "SGI LogLuv",
        34887 => "LERC",
        34925 => "LZMA",
        50000 => "Zstandard",
        50001 => "WebP",
        50002 | 52546 => "JPEG XL",
        _ => "of an unknown kind",
    };
    Err(Error::Unsupported(format!(
        "TIFF compressed by {compression} ({name}); save it with LZW, deflate, JPEG or group 4 fax compression"
    )))
}

/// Reverses the bits in each byte of compressed data that was stored with the lowest bit first (`FillOrder` 2).
fn reverse_bits(bytes: &mut [u8], numbers: Numbers, directory: &Directory) {
    let (offsets, counts) = if directory.has(tag::TILE_OFFSETS) {
        (tag::TILE_OFFSETS, tag::TILE_BYTE_COUNTS)
    } else {
        (tag::STRIP_OFFSETS, tag::STRIP_BYTE_COUNTS)
    };
    let offsets = directory.all(bytes, numbers, offsets);
    let counts = directory.all(bytes, numbers, counts);
    let mut ranges: Vec<_> = offsets
        .into_iter()
        .zip(counts)
        .filter_map(|(offset, count)| {
            let start = usize::try_from(offset).ok()?;
            Some((start, start.checked_add(usize::try_from(count).ok()?)?))
        })
        .collect();
    // Strips may share bytes, which must be reversed only once.
    ranges.sort_unstable();
    let mut done = 0;
    for (start, end) in ranges {
        let range = start.max(done)..end.min(bytes.len());
        for byte in bytes.get_mut(range).unwrap_or_default() {
            *byte = byte.reverse_bits();
        }
        done = done.max(end);
    }
}

fn damaged(what: &dyn std::fmt::Display) -> Error {
    Error::InvalidInput(format!("damaged TIFF: {what}"))
}

fn refused(error: TiffError) -> Error {
    match error {
        TiffError::UnsupportedError(error) => Error::Unsupported(format!("TIFF: {error}")),
        TiffError::LimitsExceeded => {
            Error::Unsupported("TIFF whose strips or tiles are larger than its picture".into())
        }
        TiffError::FormatError(TiffFormatError::InconsistentSizesEncountered) => {
            damaged(&"it has too few or too many strips or tiles")
        }
        TiffError::IoError(error) if error.kind() == std::io::ErrorKind::UnexpectedEof => {
            damaged(&"it ends too early")
        }
        error => damaged(&error),
    }
}
