//! Checks of stripped films, sound, WebP and GIF: exiftool finds no metadata, and every packet, or every picture, is the same.

use std::path::{Path, PathBuf};

use anyhow::Result;

use super::table::Outcome;
use super::tool::{Ended, tool};

/// What a file is compared by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// Films, and sound in a container: packet by packet, with their times.
    Packets,
    /// MP3: as films, but readers take a tag between frames for a packet or for a part of one.
    Frames,
    /// Animated or not: picture by picture, as shown.
    Pictures,
}

/// Packets of an MP3 that may differ: one or two beside each of a few tags.
const MOST_BESIDE_TAGS: usize = 4;

impl Kind {
    /// How files with this extension are compared; `None` for those that [`super::check`] knows.
    pub(super) fn of(extension: &str) -> Option<Self> {
        let extension = extension.to_ascii_lowercase();
        Some(match &*extension {
            "mp4" | "m4v" | "mov" | "qt" | "m4a" | "m4b" | "3gp" | "3g2" | "webm" | "mkv"
            | "mka" | "wav" => Self::Packets,
            "mp3" => Self::Frames,
            "webp" | "gif" => Self::Pictures,
            _ => return None,
        })
    }

    /// The kind of a file.
    pub(super) fn of_file(file: &Path) -> Option<Self> {
        Self::of(&file.extension()?.to_string_lossy())
    }
}

/// Whether a tool that others wrote reads a file. `None` if it is not installed.
pub(super) fn is_read(kind: Kind, file: &Path) -> Result<Option<bool>> {
    Ok(match contents(kind, file)? {
        Contents::Missing(_) => None,
        Contents::Unreadable => Some(false),
        Contents::Read(_) => Some(true),
    })
}

enum Contents {
    Missing(&'static str),
    Unreadable,
    Read(Vec<u8>),
}

/// What is played or shown of a file.
fn contents(kind: Kind, file: &Path) -> Result<Contents> {
    let file = file.to_string_lossy();
    // Covers are metadata, so they are left out: `V` is film that is none.
    let streams = ["-v", "error", "-i", &*file, "-map", "0:V?", "-map", "0:a?"];
    let (program, args) = match kind {
        Kind::Packets | Kind::Frames => (
            "ffmpeg",
            [&streams[..], &["-c", "copy", "-f", "framemd5", "-"]].concat(),
        ),
        Kind::Pictures => (
            "convert",
            vec![&*file, "-coalesce", "-format", "%#%T\n", "info:"],
        ),
    };
    Ok(match tool(program, &args)? {
        Ended::Missing => Contents::Missing(program),
        Ended::Failed => Contents::Unreadable,
        Ended::Warned(output) | Ended::Done(output) => {
            let text = String::from_utf8_lossy(&output);
            // Behind `#` it says which program that was.
            let lines = text.lines().filter(|line| !line.starts_with('#'));
            Contents::Read(lines.collect::<Vec<_>>().join("\n").into_bytes())
        }
    })
}

/// A file without metadata: exiftool finds none, and what is played and shown, and for how long, is the same.
pub(super) fn stripped(kind: Kind, file: &Path, made: &[PathBuf]) -> Result<Outcome> {
    let [one] = made else {
        return Ok(Outcome::Wrong(format!("{} files", made.len())));
    };
    let after = one.to_string_lossy();
    let found = match tool("exiftool", &["-ee", "-a", "-G1", "-s", &after])? {
        Ended::Missing => return Ok(Outcome::NotChecked("exiftool")),
        // It does not take every MP3 that has no tag.
        Ended::Failed if kind == Kind::Frames => return Ok(Outcome::NotChecked("exiftool")),
        Ended::Failed => return Ok(Outcome::Wrong("exiftool cannot read it".into())),
        Ended::Warned(output) | Ended::Done(output) => {
            String::from_utf8_lossy(&output).into_owned()
        }
    };
    if let Some(left) = found.lines().find(|line| !may_stay(line)) {
        return Ok(Outcome::Wrong(format!("there is still {left}")));
    }
    let before = match contents(kind, file)? {
        Contents::Missing(program) => return Ok(Outcome::NotChecked(program)),
        Contents::Unreadable => return Ok(Outcome::NoReference),
        Contents::Read(before) => before,
    };
    match contents(kind, one)? {
        Contents::Read(after) if after == before => {}
        Contents::Read(after) if kind == Kind::Frames && are_among(&after, &before) => {}
        Contents::Read(_) => return Ok(Outcome::Wrong("it plays or shows something else".into())),
        _ => return Ok(Outcome::Wrong("it cannot be read any more".into())),
    }
    if kind == Kind::Packets && streams(file)? != streams(one)? {
        return Ok(Outcome::Wrong("its streams are others".into()));
    }
    Ok(Outcome::Checked)
}

/// Whether packets are among others, in the same order, but for a few that stood beside a tag.
fn are_among(after: &[u8], before: &[u8]) -> bool {
    let hashes = |text: &[u8]| -> Vec<String> {
        let text = String::from_utf8_lossy(text);
        let hashes = text.lines().filter_map(|line| line.rsplit_once(','));
        hashes.map(|(_, hash)| hash.trim().to_owned()).collect()
    };
    let (after, before) = (hashes(after), hashes(before));
    let mut rest = before.iter();
    let mut missing = 0;
    for hash in &after {
        let here = rest.clone();
        if !rest.any(|other| other == hash) {
            rest = here;
            missing += 1;
        }
    }
    !after.is_empty() && missing <= MOST_BESIDE_TAGS
}

/// What ffprobe says of the pictures and the sound of a film. `None` if it is not installed, or cannot read it.
fn streams(file: &Path) -> Result<Option<Vec<u8>>> {
    let file = file.to_string_lossy();
    let mut all = Vec::new();
    for kind in ["V", "a"] {
        let entries = "stream=codec_name,profile,width,height,pix_fmt,sample_rate,channels,duration,start_time:stream_side_data=rotation";
        let args = [
            "-v",
            "error",
            "-select_streams",
            kind,
            "-show_entries",
            entries,
            "-of",
            "compact",
            &*file,
        ];
        match tool("ffprobe", &args)? {
            Ended::Warned(output) | Ended::Done(output) => all.extend(output),
            Ended::Missing | Ended::Failed => return Ok(None),
        }
    }
    Ok(Some(all))
}

/// Whether a line of exiftool, such as `[Track1]  HandlerDescription : …`, may stand there: it tells how the file is coded and
/// shown, or it says nothing.
fn may_stay(line: &str) -> bool {
    let Some((group, rest)) = line.strip_prefix('[').and_then(|line| line.split_once(']')) else {
        return true;
    };
    let (tag, value) = rest.split_once(':').unwrap_or((rest, ""));
    let (tag, value) = (tag.trim(), value.trim());
    if matches!(value, "" | "-" | "0000:00:00 00:00:00") {
        return true;
    }
    let allowed: &[&str] = match group.trim_end_matches(|c: char| c.is_ascii_digit()) {
        "ExifTool" => return tag == "ExifToolVersion",
        "System" | "Composite" => return true,
        "IFD" => &["Orientation"],
        "File" => &[
            "FileType",
            "FileTypeExtension",
            "MIMEType",
            "ExifByteOrder",
            "ImageWidth",
            "ImageHeight",
        ],
        "GIF" => &[
            "GIFVersion",
            "ImageWidth",
            "ImageHeight",
            "HasColorMap",
            "ColorResolutionDepth",
            "BitsPerPixel",
            "BackgroundColor",
            "PixelAspectRatio",
            "AnimationIterations",
            "TransparentColor",
            "FrameCount",
            "Duration",
        ],
        // The encoder's name is a part of the header by which players skip the silence at both ends.
        "MPEG" => return true,
        "RIFF" => &[
            "Encoding",
            "NumChannels",
            "SampleRate",
            "AvgBytesPerSec",
            "BitsPerSample",
            "NumberOfSamples",
            "RIFFSize64",
            "DataSize64",
            "NumberOfSamples64",
            "WebP_Flags",
            "ImageWidth",
            "ImageHeight",
            "VP8Version",
            "HorizontalScale",
            "VerticalScale",
            "AlphaIsUsed",
            "AlphaPreprocessing",
            "AlphaFiltering",
            "AlphaCompression",
            "BackgroundColor",
            "AnimationLoopCount",
            "FrameCount",
            "Duration",
        ],
        "Matroska" | "Info" => &[
            "EBMLVersion",
            "EBMLReadVersion",
            "EBMLMaxIDLength",
            "EBMLMaxSizeLength",
            "DocType",
            "DocTypeVersion",
            "DocTypeReadVersion",
            "TimecodeScale",
            "Duration",
        ],
        "QuickTime" => &[
            "MajorBrand",
            "MinorVersion",
            "CompatibleBrands",
            "MovieHeaderVersion",
            "TimeScale",
            "Duration",
            "PreferredRate",
            "PreferredVolume",
            "MatrixStructure",
            "NextTrackID",
            "MediaDataSize",
            "MediaDataOffset",
            "MovieFragmentSequence",
            "PreviewTime",
            "PreviewDuration",
            "PosterTime",
            "SelectionTime",
            "SelectionDuration",
            "CurrentTime",
        ],
        "Track" => &[
            "TrackHeaderVersion",
            "TrackID",
            "TrackDuration",
            "TrackLayer",
            "TrackVolume",
            "MatrixStructure",
            "ImageWidth",
            "ImageHeight",
            "MediaHeaderVersion",
            "MediaTimeScale",
            "MediaDuration",
            "MediaLanguageCode",
            "HandlerClass",
            "HandlerType",
            "GraphicsMode",
            "OpColor",
            "CompressorID",
            "SourceImageWidth",
            "SourceImageHeight",
            "XResolution",
            "YResolution",
            "BitDepth",
            "PixelAspectRatio",
            "ColorProfiles",
            "ColorPrimaries",
            "TransferCharacteristics",
            "MatrixCoefficients",
            "VideoFullRangeFlag",
            "VideoFrameRate",
            "BufferSize",
            "MaxBitrate",
            "AverageBitrate",
            "Balance",
            "AudioFormat",
            "AudioChannels",
            "AudioBitsPerSample",
            "AudioSampleRate",
            "LayoutFlags",
            "AudioChannelTypes",
            "PurchaseFileFormat",
            "CleanApertureDimensions",
            "ProductionApertureDimensions",
            "EncodedPixelsDimensions",
            "ColorRepresentation",
            "VideoFieldOrder",
            "CleanAperture",
            "Gamma",
            "TrackNumber",
            "TrackUID",
            "TrackLacing",
            "TrackDefault",
            "TrackForced",
            "TrackUsed",
            "TrackLanguage",
            "TrackLanguageIETF",
            "CodecID",
            "TrackType",
            "VideoScanType",
            "DefaultDuration",
            "DisplayWidth",
            "DisplayHeight",
            "DisplayUnit",
            "VideoCodecID",
            "AudioCodecID",
            "CodecDelay",
            "SeekPreRoll",
        ],
        _ => &[],
    };
    // What a profile says of someone's device is compared where pictures are; here it must be plain.
    if group.starts_with("ICC") {
        return value == "icc"
            || ![
                "Desc",
                "Copyright",
                "Manufacturer",
                "Model",
                "Date",
                "Creator",
                "Serial",
            ]
            .iter()
            .any(|name| tag.contains(name));
    }
    allowed.contains(&tag)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_tells_how_a_file_is_played_may_stay() {
        for line in [
            "[QuickTime]     CreateDate                      : 0000:00:00 00:00:00",
            "[Track1]        HandlerType                     : Video Track",
            "[Track2]        HandlerDescription              : ",
            "[Matroska]      MuxingApp                       : -",
            "[RIFF]          SampleRate                      : 44100",
            "[IFD0]          Orientation                     : Rotate 90 CW",
        ] {
            assert!(may_stay(line), "{line}");
        }
        for line in [
            "[QuickTime]     CreateDate                      : 2024:05:06 07:08:09",
            "[Track2]        HandlerDescription              : Core Media Audio",
            "[Track3]        GPSLatitude                     : 52 deg",
            "[UserData]      GPSCoordinates                  : 52 deg",
            "[Keys]          Make                            : x",
            "[ItemList]      Title                           : x",
            "[Matroska]      MuxingApp                       : Lavf59",
            "[ID3v2_3]       Artist                          : x",
            "[RIFF]          Software                        : x",
            "[XMP-dc]        Creator                         : x",
            "[GIF]           Comment                         : x",
            "[ExifTool]      Warning                         : x",
        ] {
            assert!(!may_stay(line), "{line}");
        }
    }

    #[test]
    fn packets_beside_a_tag_may_differ() {
        let packets = |hashes: &str| -> Vec<u8> {
            let lines = hashes.chars().map(|hash| format!("0, 1, 2, {hash}\n"));
            lines.collect::<String>().into_bytes()
        };
        assert!(are_among(&packets("abcdef"), &packets("abxxcyef")));
        assert!(!are_among(&packets("fedcba"), &packets("abcdef")));
        assert!(!are_among(b"", &packets("abcdef")));
    }

    #[test]
    fn every_kind_of_file_has_a_way_to_be_compared() {
        assert_eq!(Kind::of("MOV"), Some(Kind::Packets));
        assert_eq!(Kind::of_file(Path::new("a/b.mp3")), Some(Kind::Frames));
        assert_eq!(Kind::of("gif"), Some(Kind::Pictures));
        assert_eq!(Kind::of("jpg"), None);
    }
}
