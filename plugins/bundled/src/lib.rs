//! The standard plugins, built as components, and handed out as bytes.
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
pub const IMAGE_RESIZE: &[u8] = component!("image_resize");
/// Prepares and uploads media, and writes the request for a video agent: a workflow.
pub const MEDIA_KIT: &[u8] = component!("media_kit");
/// Splits a PDF.
pub const PDF_SPLIT: &[u8] = component!("pdf_split");
/// Removes metadata from pictures.
pub const STRIP_METADATA: &[u8] = component!("strip_metadata");

/// The plugins that the `forebay` command knows by name.
pub const PLUGINS: &[(&str, &[u8])] = &[
    ("identity", IDENTITY),
    ("image-resize", IMAGE_RESIZE),
    ("media-kit", MEDIA_KIT),
    ("pdf-split", PDF_SPLIT),
    ("strip-metadata", STRIP_METADATA),
];

/// Does one thing that a workflow can do; for tests.
pub const DRILL: &[u8] = component!("drill");
/// Misbehaves on request; for tests.
pub const HOSTILE: &[u8] = component!("hostile");
/// Misbehaves on request with a folder in its hands; for tests.
pub const HOSTILE_FILE: &[u8] = component!("hostile_file");
/// Uses WASI 0.3; for tests.
pub const WASI3: &[u8] = component!("wasi3");
/// Works on files through WASI 0.3; for tests.
pub const WASI3_FOLDERS: &[u8] = component!("wasi3_folders");
/// Stands before the name of what [`hostile_describe`] chooses, once in the component.
const BEHAVIOUR: &[u8] = b"hostile-describe:";

/// A plugin that misbehaves when it is asked what it is, in the way that `plugins/hostile-describe` knows by this name;
/// for tests. `None` when there is no room for the name, or not exactly one place to put it.
pub fn hostile_describe(behaviour: &str) -> Option<Vec<u8>> {
    let mut component = component!("hostile_describe").to_vec();
    let mut places = component.windows(BEHAVIOUR.len()).enumerate();
    let start = places.find(|(_, bytes)| *bytes == BEHAVIOUR)?.0 + BEHAVIOUR.len();
    if places.any(|(_, bytes)| bytes == BEHAVIOUR) {
        return None;
    }
    // `honest` and the dots behind it are the room.
    let room = component.get_mut(start..)?;
    let dots = room.iter().skip_while(|&&byte| byte != b'.');
    let length = "honest".len() + dots.take_while(|&&byte| byte == b'.').count();
    let (name, rest) = room
        .get_mut(..length)?
        .split_at_mut_checked(behaviour.len())?;
    name.copy_from_slice(behaviour.as_bytes());
    rest.fill(b'.');
    Some(component)
}

/// The plugin of this name.
pub fn find(name: &str) -> Option<&'static [u8]> {
    PLUGINS
        .iter()
        .find(|(known, _)| *known == name)
        .map(|(_, component)| *component)
}
