//! The known media types. Each row has the name of a type, its extensions and its signature.
//!
//! The order matters: the first row whose signature matches decides the type. A text is compared only with the
//! signatures of text, whatever letters it starts with. Signatures come from the formats' specifications. Those of
//! [`Signature::Infer`] come from the crate `infer`. It is used where its signatures are long or have structure.

use super::structure::iso_bmff::{self, Kind as Iso};
use super::structure::ogg::{self, Kind as Ogg};
use super::structure::tiff::{self, Kind as Tiff};
use super::structure::zip::{self, Kind as Zip};
use super::structure::{at, audio, matroska, pdf, picture, program};
use super::text::{self, Text};

/// How the type of a file is detected.
#[derive(Clone, Copy)]
pub(super) enum Signature {
    /// The file starts with these bytes, and is not text in any encoding.
    Starts(&'static [u8]),
    /// A check of a binary format's header. The file is not text in any encoding.
    Binary(fn(&[u8]) -> bool),
    /// A check of a format that may be text or binary.
    Either(fn(&[u8]) -> bool),
    /// A check of a kind of text.
    Text(fn(&Text<'_>) -> bool),
    /// The signature that `infer` has for this extension.
    Infer(&'static str),
    /// It cannot be detected. Only the file's name or a plugin shows it.
    None,
}

/// Formats that share a container. If only the container of a file is known, its name may have the extension of any of
/// these formats, or of one that is not in the table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Family {
    /// No family: a name must have one of the type's own extensions.
    Own,
    Text,
    Zip,
    /// Microsoft's compound files.
    Compound,
    Tiff,
    Compressed,
    Program,
    Data,
}

pub(super) struct Row {
    pub(super) media_type: &'static str,
    /// The usual one first. An extension that text files may also have, such as `.crt`, is in no row, so that names
    /// with it stay.
    pub(super) extensions: &'static [&'static str],
    pub(super) signature: Signature,
    pub(super) family: Family,
    /// Other names in use for the type.
    pub(super) aliases: &'static [&'static str],
}

impl Row {
    const fn family(mut self, family: Family) -> Self {
        self.family = family;
        self
    }

    const fn also(mut self, aliases: &'static [&'static str]) -> Self {
        self.aliases = aliases;
        self
    }
}

const fn row(
    media_type: &'static str,
    extensions: &'static [&'static str],
    signature: Signature,
) -> Row {
    Row {
        media_type,
        extensions,
        signature,
        family: Family::Own,
        aliases: &[],
    }
}

use Family::{Compound, Compressed, Data, Program};
use Signature::{Binary, Either, Infer, Starts};

/// The row of a type, found by its name or one of its aliases.
pub(super) fn by_type(media_type: &str) -> Option<&'static Row> {
    TABLE.iter().find(|row| {
        let mut names = row.aliases.iter().chain([&row.media_type]);
        names.any(|name| name.eq_ignore_ascii_case(media_type))
    })
}

/// The rows that have an extension.
pub(super) fn by_extension(extension: &str) -> impl Iterator<Item = &'static Row> {
    TABLE.iter().filter(move |row| row.has_extension(extension))
}

impl Row {
    /// Whether files of this type belong to a family. Subtitles are text, although they need their own extensions.
    pub(super) fn is_in(&self, family: Family) -> bool {
        self.family == family
            || (family == Family::Text && matches!(self.signature, Signature::Text(_)))
    }

    pub(super) fn has_extension(&self, extension: &str) -> bool {
        self.extensions
            .iter()
            .any(|usual| usual.eq_ignore_ascii_case(extension))
    }
}

#[rustfmt::skip] // One line for each type, as far as it fits.
pub(super) static TABLE: &[Row] = &[
    // Pictures.
    row("image/png", &["png", "apng"], Starts(b"\x89PNG\r\n\x1a\n")).also(&["image/x-png", "image/apng"]),
    row("image/jpeg", &["jpg", "jpeg", "jpe", "jfif", "jif", "pjpeg", "mpo"], Binary(picture::is_jpeg)).also(&["image/jpg", "image/pjpeg"]),
    row("image/gif", &["gif"], Starts(b"GIF87a")),
    row("image/gif", &["gif"], Starts(b"GIF89a")),
    row("image/webp", &["webp"], Binary(|head| picture::is_riff(head, b"WEBP"))),
    row("image/avif", &["avif", "avifs"], Binary(|head| iso_bmff::kind(head) == Some(Iso::Avif))),
    row("image/heic", &["heic", "heif", "hif", "heics"], Binary(|head| iso_bmff::kind(head) == Some(Iso::Heic))),
    row("image/heif", &["heif", "heic", "hif", "heifs", "avif"], Binary(|head| iso_bmff::kind(head) == Some(Iso::Heif))),
    row("image/jxl", &["jxl"], Binary(picture::is_jxl)),
    row("image/bmp", &["bmp", "dib", "rle"], Binary(picture::is_bmp)).also(&["image/x-ms-bmp", "image/x-bmp"]),
    row("image/vnd.adobe.photoshop", &["psd", "psb"], Binary(picture::is_psd)),
    row("image/x-canon-cr3", &["cr3", "crm"], Binary(|head| iso_bmff::kind(head) == Some(Iso::CanonRaw))),
    row("image/x-canon-cr2", &["cr2"], Binary(|head| tiff::kind(head) == Some(Tiff::Canon))).family(Family::Tiff),
    row("image/x-adobe-dng", &["dng"], Binary(|head| tiff::kind(head) == Some(Tiff::Dng))).family(Family::Tiff),
    row("image/x-nikon-nef", &["nef", "nrw"], Binary(|head| tiff::kind(head) == Some(Tiff::Nikon))).family(Family::Tiff),
    row("image/x-sony-arw", &["arw", "sr2", "srf"], Binary(|head| tiff::kind(head) == Some(Tiff::Sony))).family(Family::Tiff),
    row("image/x-pentax-pef", &["pef"], Binary(|head| tiff::kind(head) == Some(Tiff::Pentax))).family(Family::Tiff),
    row("image/x-samsung-srw", &["srw"], Binary(|head| tiff::kind(head) == Some(Tiff::Samsung))).family(Family::Tiff),
    row("image/x-raw", &["raw", "3fr", "fff", "iiq", "erf", "kdc", "dcr", "mef", "mos", "gpr"], Binary(|head| tiff::kind(head) == Some(Tiff::Raw))).family(Family::Tiff),
    row("image/x-olympus-orf", &["orf"], Binary(|head| at(head, 0, b"IIRO\x08\0") || at(head, 0, b"IIRS\x08\0") || at(head, 0, b"MMOR\0\0"))),
    row("image/x-panasonic-rw2", &["rw2", "rwl", "raw"], Starts(b"IIU\0")),
    row("image/x-fuji-raf", &["raf"], Starts(b"FUJIFILMCCD-RAW ")),
    row("image/tiff", &["tif", "tiff"], Binary(|head| tiff::kind(head) == Some(Tiff::Picture))).family(Family::Tiff),
    row("image/vnd.microsoft.icon", &["ico", "cur"], Binary(picture::is_icon)).also(&["image/x-icon"]),
    row("image/jp2", &["jp2", "jpx", "jpf", "jpm", "mj2", "jpg2"], Starts(b"\0\0\0\x0cjP  \r\n\x87\n")),
    row("image/j2c", &["j2c", "j2k", "jpc"], Starts(b"\xff\x4f\xff\x51")),
    row("image/vnd.ms-photo", &["jxr", "wdp", "hdp"], Starts(b"II\xbc\x01")),
    row("image/vnd.djvu", &["djvu", "djv"], Infer("djvu")),
    row("image/vnd.dwg", &["dwg"], Infer("dwg")),
    row("image/x-xcf", &["xcf"], Starts(b"gimp xcf ")),

    // Films and sound.
    row("video/mp4", &["mp4", "m4v", "mp4v", "mpg4", "f4v", "3gp", "3g2", "m4a", "m4b", "m4r"], Binary(|head| iso_bmff::kind(head) == Some(Iso::Mp4))).also(&["video/x-m4v"]),
    row("video/quicktime", &["mov", "qt"], Binary(|head| iso_bmff::kind(head) == Some(Iso::QuickTime))),
    row("video/3gpp", &["3gp", "3gpp"], Binary(|head| iso_bmff::kind(head) == Some(Iso::ThreeGpp))),
    row("video/3gpp2", &["3g2", "3gpp2"], Binary(|head| iso_bmff::kind(head) == Some(Iso::ThreeGpp2))),
    row("video/iso.segment", &["m4s"], Binary(|head| iso_bmff::kind(head) == Some(Iso::Segment))),
    row("audio/mp4", &["m4a", "mp4", "m4b", "m4p", "m4r", "f4a", "f4b"], Binary(|head| iso_bmff::kind(head) == Some(Iso::Audio))).also(&["audio/m4a", "audio/x-m4a"]),
    row("video/webm", &["webm", "weba"], Binary(|head| matroska::is(head, "webm"))).also(&["audio/webm"]),
    row("video/x-matroska", &["mkv", "mka", "mks", "mk3d"], Binary(|head| matroska::is(head, "matroska"))).also(&["video/matroska"]),
    row("audio/mpeg", &["mp3", "mpga"], Binary(|head| audio::kind(head) == Some(audio::Kind::Mp3))).also(&["audio/mp3", "audio/x-mp3", "audio/mpeg3"]),
    row("audio/aac", &["aac", "adts"], Binary(|head| audio::kind(head) == Some(audio::Kind::Aac))).also(&["audio/x-aac"]),
    row("audio/flac", &["flac"], Binary(|head| audio::kind(head) == Some(audio::Kind::Flac))).also(&["audio/x-flac"]),
    row("audio/wav", &["wav", "wave", "bwf", "rf64"], Binary(|head| picture::is_riff(head, b"WAVE"))).also(&["audio/x-wav", "audio/wave", "audio/vnd.wave"]),
    row("video/x-msvideo", &["avi", "divx"], Binary(|head| picture::is_riff(head, b"AVI "))).also(&["video/avi"]),
    row("audio/ogg", &["ogg", "oga", "opus", "spx"], Binary(|head| ogg::kind(head) == Some(Ogg::Audio))).also(&["audio/opus"]),
    row("video/ogg", &["ogv", "ogg", "ogm"], Binary(|head| ogg::kind(head) == Some(Ogg::Video))),
    row("application/ogg", &["ogx", "ogg"], Binary(|head| ogg::kind(head) == Some(Ogg::Other))),
    row("video/x-ms-wmv", &["wmv", "wma", "asf"], Infer("wmv")).also(&["video/x-ms-asf"]),
    row("video/mpeg", &["mpg", "mpeg", "mpe", "m1v", "m2v", "vob"], Infer("mpg")),
    row("video/x-flv", &["flv"], Infer("flv")),
    row("audio/midi", &["mid", "midi", "kar"], Starts(b"MThd\0\0\0\x06")).also(&["audio/x-midi"]),
    row("audio/amr", &["amr"], Infer("amr")),
    row("audio/aiff", &["aif", "aiff", "aifc"], Binary(|head| at(head, 0, b"FORM") && (at(head, 8, b"AIFF") || at(head, 8, b"AIFC")))).also(&["audio/x-aiff"]),
    row("audio/x-dsf", &["dsf"], Starts(b"DSD \x1c\0\0\0")),
    row("audio/x-ape", &["ape"], Infer("ape")),

    // Documents.
    row("application/pdf", &["pdf", "ai"], Either(pdf::starts)).also(&["application/x-pdf"]),
    row("application/postscript", &["ps", "eps", "pfa"], Either(|head| at(head, 0, b"%!PS") || at(head, 0, b"\xc5\xd0\xd3\xc6"))).family(Family::Text),
    row("application/rtf", &["rtf", "doc"], Either(|head| at(head, 0, b"{\\rtf"))).also(&["text/rtf"]),
    row("application/msword", &["doc"], Infer("doc")).family(Compound),
    row("application/vnd.ms-excel", &["xls", "xlt", "xla"], Infer("xls")).family(Compound),
    row("application/vnd.ms-powerpoint", &["ppt", "pps", "pot"], Infer("ppt")).family(Compound),
    row("application/x-ole-storage", &["msi", "vsd"], Infer("msi")).family(Compound),
    row("application/vnd.openxmlformats-officedocument.wordprocessingml.document", &["docx", "docm", "dotx", "dotm"], Binary(|head| zip::kind(head) == Some(Zip::Word))),
    row("application/vnd.openxmlformats-officedocument.spreadsheetml.sheet", &["xlsx", "xlsm", "xltx", "xltm", "xlsb", "xlam"], Binary(|head| zip::kind(head) == Some(Zip::Excel))),
    row("application/vnd.openxmlformats-officedocument.presentationml.presentation", &["pptx", "pptm", "potx", "potm", "ppsx", "ppsm"], Binary(|head| zip::kind(head) == Some(Zip::PowerPoint))),
    row("application/vnd.oasis.opendocument.text", &["odt", "ott"], Binary(|head| zip::kind(head) == Some(Zip::Says("application/vnd.oasis.opendocument.text")))),
    row("application/vnd.oasis.opendocument.spreadsheet", &["ods", "ots"], Binary(|head| zip::kind(head) == Some(Zip::Says("application/vnd.oasis.opendocument.spreadsheet")))),
    row("application/vnd.oasis.opendocument.presentation", &["odp", "otp"], Binary(|head| zip::kind(head) == Some(Zip::Says("application/vnd.oasis.opendocument.presentation")))),
    row("application/vnd.oasis.opendocument.graphics", &["odg", "otg"], Binary(|head| zip::kind(head) == Some(Zip::Says("application/vnd.oasis.opendocument.graphics")))),
    row("image/openraster", &["ora"], Binary(|head| zip::kind(head) == Some(Zip::Says("image/openraster")))),
    row("application/epub+zip", &["epub"], Binary(|head| zip::kind(head) == Some(Zip::Says("application/epub+zip")))),
    row("application/x-mobipocket-ebook", &["mobi", "azw", "azw3", "prc"], Infer("mobi")),

    // Archives.
    row("application/java-archive", &["jar", "war", "ear"], Binary(|head| zip::kind(head) == Some(Zip::Java))).family(Family::Zip),
    row("application/vnd.android.package-archive", &["apk"], Binary(|head| zip::kind(head) == Some(Zip::Android))).family(Family::Zip),
    // The first members may not show the format, so an extension of any format that is a ZIP is accepted.
    row("application/zip", &["zip", "docx", "xlsx", "pptx", "docm", "xlsm", "pptm", "dotx", "xltx", "potx", "ppsx", "odt", "ods", "odp", "odg", "epub", "ora", "apk", "cbz", "kmz"], Binary(|head| zip::kind(head) == Some(Zip::Other))).family(Family::Zip).also(&["application/x-zip-compressed"]),
    row("application/gzip", &["gz", "tgz", "svgz"], Binary(program::is_gzip)).family(Compressed).also(&["application/x-gzip"]),
    row("application/x-bzip2", &["bz2", "tbz2", "tbz"], Binary(program::is_bzip2)).family(Compressed),
    row("application/x-xz", &["xz", "txz"], Infer("xz")).family(Compressed),
    row("application/zstd", &["zst", "tzst"], Infer("zst")).family(Compressed),
    row("application/x-lz4", &["lz4"], Infer("lz4")).family(Compressed),
    row("application/x-lzip", &["lz"], Starts(b"LZIP\x01")).family(Compressed),
    row("application/x-compress", &["z"], Binary(program::is_compress)).family(Compressed),
    row("application/vnd.bzip3", &["bz3"], Infer("bz3")).family(Compressed),
    row("application/x-7z-compressed", &["7z", "cb7"], Infer("7z")).family(Compressed),
    row("application/vnd.rar", &["rar", "cbr"], Infer("rar")).family(Compressed),
    row("application/x-tar", &["tar", "cbt", "gem", "ova"], Infer("tar")).family(Compressed),
    row("application/vnd.debian.binary-package", &["deb", "udeb"], Binary(program::is_deb)),
    row("application/x-unix-archive", &["ar", "lib"], Binary(program::is_ar)).family(Program),
    row("application/x-rpm", &["rpm"], Infer("rpm")),
    row("application/vnd.ms-cab-compressed", &["cab"], Starts(b"MSCF\0\0\0\0")),
    row("application/x-cpio", &["cpio"], Binary(|head| at(head, 0, b"070701") || at(head, 0, b"070702") || at(head, 0, b"070707"))),

    // Programs and data.
    row("application/vnd.microsoft.portable-executable", &["exe", "dll", "sys", "scr", "ocx", "efi", "cpl", "mui"], Binary(program::is_windows_program)).family(Program),
    row("application/x-dosexec", &["exe", "com", "dll"], Binary(program::is_dos_program)).family(Program),
    row("application/x-executable", &["elf", "axf"], Binary(program::is_elf)).family(Program),
    row("application/x-mach-binary", &["dylib", "macho"], Infer("mach")).family(Program),
    row("application/java", &["class"], Infer("class")).family(Program),
    row("application/vnd.android.dex", &["dex"], Infer("dex")).family(Program),
    row("application/x-llvm", &["llvmbc"], Starts(b"BC\xc0\xde")).family(Program),
    row("application/wasm", &["wasm"], Binary(program::is_wasm)).family(Program),
    row("application/vnd.adobe.flash.movie", &["swf"], Binary(program::is_flash)).also(&["application/x-shockwave-flash"]),
    row("application/vnd.sqlite3", &["sqlite", "sqlite3", "db3"], Starts(b"SQLite format 3\0")).family(Data),
    row("application/dicom", &["dcm", "dicom"], Infer("dcm")).family(Data),
    row("application/x-qemu-disk", &["qcow2", "qcow"], Infer("qcow2")).family(Data),
    row("application/x-google-chrome-extension", &["crx"], Starts(b"Cr24\x02\0\0\0")),
    row("application/x-google-chrome-extension", &["crx"], Starts(b"Cr24\x03\0\0\0")),
    row("application/x-nintendo-nes-rom", &["nes"], Infer("nes")),
    row("application/x-x509-ca-cert", &["der"], Binary(program::is_certificate)).family(Data),
    row("font/woff", &["woff"], Starts(b"wOFF")).also(&["application/font-woff"]),
    row("font/woff2", &["woff2"], Starts(b"wOF2")),
    row("font/ttf", &["ttf", "tte"], Binary(program::is_truetype)),
    row("font/otf", &["otf"], Infer("otf")).also(&["application/font-sfnt"]),
    row("font/collection", &["ttc", "otc"], Starts(b"ttcf\0")),

    // A header after other bytes counts only if the start of the file matches no other format.
    row("application/pdf", &["pdf"], Either(pdf::is_inside)),

    // Texts.
    row("application/x-subrip", &["srt"], Signature::Text(text::is_subrip)).also(&["application/srt", "text/srt", "text/x-srt"]),
    row("text/vtt", &["vtt"], Signature::Text(text::is_vtt)),
    row("image/svg+xml", &["svg"], Signature::Text(text::is_svg)).family(Family::Text),
    row("text/html", &["html", "htm", "xhtml"], Signature::Text(text::is_html)).family(Family::Text),
    row("text/xml", &["xml", "xsl", "rss", "kml", "gpx"], Signature::Text(text::is_xml)).family(Family::Text).also(&["application/xml"]),
    row("application/json", &["json", "geojson", "ipynb", "map"], Signature::Text(text::is_json)).family(Family::Text).also(&["text/json"]),
    row("text/x-shellscript", &["sh", "bash", "zsh", "command"], Signature::Text(text::is_shell_script)).family(Family::Text),
    row("text/markdown", &["md", "markdown"], Signature::None).family(Family::Text),
    row("text/csv", &["csv"], Signature::None).family(Family::Text),
    row("text/tab-separated-values", &["tsv", "tab"], Signature::None).family(Family::Text),
    row("text/css", &["css"], Signature::None).family(Family::Text),
    row("text/javascript", &["js", "mjs", "cjs"], Signature::None).family(Family::Text),
    row("application/yaml", &["yaml", "yml"], Signature::None).family(Family::Text),
    row("application/toml", &["toml"], Signature::None).family(Family::Text),
    row("text/plain", &["txt", "text", "log"], Signature::None).family(Family::Text),
];

#[cfg(test)]
mod tests {
    use super::super::ranges::is_range;
    use super::*;

    #[test]
    fn rows_are_well_formed() {
        for row in TABLE {
            assert!(is_range(row.media_type), "{}", row.media_type);
            assert!(!row.extensions.is_empty(), "{}", row.media_type);
            for extension in row.extensions {
                let plain = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit();
                assert!(extension.bytes().all(plain), "{extension}");
            }
            if let Infer(extension) = row.signature {
                let known = infer::is_supported(extension);
                assert!(known, "infer has no signature for {extension}");
            }
        }
    }
}
