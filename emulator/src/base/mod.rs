//! What every other layer uses: configuration, error answers, media types, ids and the time. Knows no other layer.

pub(crate) mod api_error;
pub(crate) mod base_url;
pub(crate) mod client;
pub(crate) mod clock;
pub(crate) mod config;
pub(crate) mod ids;
pub(crate) mod media;
pub(crate) mod text;
pub(crate) mod user_agent;
