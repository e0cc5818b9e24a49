//! `file-inputs`: the three ways in which a request names a file.

use super::bindings::forebay::plugin::file_inputs::{
    self, FileInput as GuestInput, InlineData, InputError,
};
use super::bindings::forebay::plugin::uploads::Asset;
use super::session::Session;
use crate::sandbox::state::StageState;
use forebay_assets::{AssetsError, FileInput, inline_type};

impl file_inputs::Host for StageState {
    fn from_asset(&mut self, asset: Asset) -> wasmtime::Result<Result<GuestInput, InputError>> {
        Ok(granted(&*self.session()?).map(|()| GuestInput::AssetId(asset.asset_id)))
    }

    fn from_url(&mut self, url: String) -> wasmtime::Result<Result<GuestInput, InputError>> {
        Ok(granted(&*self.session()?)
            .and_then(|()| check_url(&url))
            .map(GuestInput::Url))
    }

    fn from_bytes(&mut self, data: Vec<u8>) -> wasmtime::Result<Result<GuestInput, InputError>> {
        Ok(granted(&*self.session()?)
            .and_then(|()| inline_type(&data).map_err(in_guest_words))
            .map(|media_type| {
                GuestInput::Base64(InlineData {
                    media_type: media_type.to_owned(),
                    data,
                })
            }))
    }

    fn to_json(&mut self, input: GuestInput) -> wasmtime::Result<Result<String, InputError>> {
        // A guest can create an input of its own, so the host builds a new input from its values.
        Ok(granted(&*self.session()?)
            .and_then(|()| match input {
                GuestInput::AssetId(id) => Ok(FileInput::asset_id(id)),
                GuestInput::Url(url) => FileInput::url(&url).map_err(in_guest_words),
                GuestInput::Base64(InlineData { data, .. }) => {
                    FileInput::bytes(&data).map_err(in_guest_words)
                }
            })
            .map(|input| serde_json::json!(input).to_string()))
    }
}

fn check_url(url: &str) -> Result<String, InputError> {
    match FileInput::url(url).map_err(in_guest_words)? {
        FileInput::Url { url } => Ok(url),
        _ => Err(InputError::InvalidUrl("not a URL".into())),
    }
}

fn granted(session: &Session) -> Result<(), InputError> {
    if session.grants().file_inputs {
        Ok(())
    } else {
        Err(InputError::Denied(
            "file inputs were not granted to this workflow".into(),
        ))
    }
}

fn in_guest_words(error: AssetsError) -> InputError {
    match error {
        AssetsError::TooLarge { most, .. } => InputError::TooLarge(most),
        AssetsError::UnsupportedType(media_type) => InputError::UnsupportedType(media_type),
        error => InputError::InvalidUrl(error.to_string()),
    }
}
