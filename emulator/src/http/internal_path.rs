//! The emulator's own paths, which the service does not have.

/// Whether a path is the emulator's own. Such requests are not recorded and no fault hits them.
pub(super) fn is_internal(path: &str) -> bool {
    path == "/" || path.starts_with("/_emulator/")
}
