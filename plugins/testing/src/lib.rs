//! Plugins for tests, built as components, and handed out as bytes.
//!
//! They do what they are told by their config: one thing that a workflow can do, or one thing that no plugin should do.
//! They are not published.

macro_rules! component {
    ($file:literal) => {
        include_bytes!(concat!(env!("OUT_DIR"), "/", $file, ".wasm"))
    };
}

/// Does one thing that a workflow can do.
pub const DRILL: &[u8] = component!("drill");
/// Misbehaves on request.
pub const HOSTILE: &[u8] = component!("hostile");
/// Misbehaves on request with a folder in its hands.
pub const HOSTILE_FILE: &[u8] = component!("hostile-file");
/// Uses WASI 0.3.
pub const WASI3: &[u8] = component!("wasi3");
/// Works on files through WASI 0.3.
pub const WASI3_FOLDERS: &[u8] = component!("wasi3-folders");
/// Stands before the name of what [`hostile_describe`] chooses, once in the component.
const BEHAVIOUR: &[u8] = b"hostile-describe:";

/// A plugin that misbehaves when it is asked what it is, in the way that `plugins/hostile-describe` knows by this name;
/// `None` when there is no room for the name, or not exactly one place to put it.
pub fn hostile_describe(behaviour: &str) -> Option<Vec<u8>> {
    let mut component = component!("hostile-describe").to_vec();
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
