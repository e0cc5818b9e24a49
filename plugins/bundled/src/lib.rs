//! The standard plugins, built as components, as bytes.
//!
//! ```
//! let (name, component) = forebay_bundled::PLUGINS[0];
//! assert_eq!(name, "identity");
//! assert!(component.starts_with(b"\0asm"));
//! ```

macro_rules! component {
    ($file:literal) => {
        include_bytes!(concat!(env!("OUT_DIR"), "/", $file, ".wasm"))
    };
}

/// Passes bytes through, unchanged.
pub const IDENTITY: &[u8] = component!("identity");
/// Resizes and converts pictures.
pub const IMAGE_RESIZE: &[u8] = component!("image-resize");
/// Prepares and uploads media, and writes the request for a video agent: a workflow.
pub const MEDIA_KIT: &[u8] = component!("media-kit");
/// Splits a PDF.
pub const PDF_SPLIT: &[u8] = component!("pdf-split");
/// Removes metadata from pictures, films and sound.
pub const STRIP_METADATA: &[u8] = component!("strip-metadata");

/// The plugins that the `forebay` command knows by name.
pub const PLUGINS: &[(&str, &[u8])] = &[
    ("identity", IDENTITY),
    ("image-resize", IMAGE_RESIZE),
    ("media-kit", MEDIA_KIT),
    ("pdf-split", PDF_SPLIT),
    ("strip-metadata", STRIP_METADATA),
];

/// The plugin of this name.
pub fn find(name: &str) -> Option<&'static [u8]> {
    PLUGINS
        .iter()
        .find(|(known, _)| *known == name)
        .map(|(_, component)| *component)
}
