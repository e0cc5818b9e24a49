//! `file-inputs`: the three ways in which a request names a file.

use super::bindings::forebay::plugin::file_inputs::{
    self, FileInput as GuestInput, InlineData, InputError,
};
use super::bindings::forebay::plugin::uploads::Asset;
use super::session::Session;
use crate::sandbox::cause::InputProblem;
use crate::sandbox::state::StageState;
use forebay_assets::{AssetsError, FileInput, inline_type};

impl file_inputs::Host for StageState {
    fn from_asset(&mut self, asset: Asset) -> wasmtime::Result<Result<GuestInput, InputError>> {
        let session = self.session()?;
        Ok(session
            .may_name_asset(&asset.asset_id)
            .map(|()| GuestInput::AssetId(asset.asset_id)))
    }

    fn from_url(&mut self, url: String) -> wasmtime::Result<Result<GuestInput, InputError>> {
        let session = self.session()?;
        Ok(session.url(&url).map(GuestInput::Url))
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
        let session = self.session()?;
        let input = match input {
            GuestInput::AssetId(id) => session
                .may_name_asset(&id)
                .map(|()| FileInput::asset_id(id)),
            GuestInput::Url(url) => session.url(&url).map(|url| FileInput::Url { url }),
            GuestInput::Base64(InlineData { data, .. }) => {
                granted(&session).and_then(|()| FileInput::bytes(&data).map_err(in_guest_words))
            }
        };
        Ok(input.map(|input| serde_json::json!(input).to_string()))
    }
}

impl Session {
    fn may_name_asset(&self, id: &str) -> Result<(), InputError> {
        granted(self)?;
        if self.workflow.is_raw() {
            return Ok(());
        }
        self.with_allowed(|allowed| allowed.asset(id))
            .map_err(denied)
    }

    /// Checks a URL, and returns it in its normal form.
    fn url(&self, url: &str) -> Result<String, InputError> {
        granted(self)?;
        let url = match FileInput::url(url).map_err(in_guest_words)? {
            FileInput::Url { url } => url,
            _ => return Err(InputError::InvalidUrl("not a URL".into())),
        };
        if !self.workflow.is_raw() {
            self.with_allowed(|allowed| allowed.url(&url))
                .map_err(denied)?;
        }
        Ok(url)
    }
}

/// What would end the workflow if it were in its result.
fn denied(problem: InputProblem) -> InputError {
    InputError::Denied(problem.to_string())
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
