//! Lists in pages: `limit` and `token` in, `has_more` and `next_token` out.
//!
//! A token says after which item a page begins, and not how many items came before, so that pages neither repeat nor
//! skip anything while items are added or removed.

use serde::Deserialize;

use crate::base::api_error::ApiError;

/// The largest page, in items (S).
const LARGEST: usize = 100;

/// The part of a query that asks for a page. Both are text here, so that a wrong one is refused by its name.
#[derive(Deserialize)]
pub(crate) struct PageQuery {
    limit: Option<String>,
    token: Option<String>,
}

impl PageQuery {
    /// How many items to show, from 1 to 100, and `default` if the query does not say.
    pub(crate) fn limit(&self, default: usize) -> Result<usize, ApiError> {
        let Some(limit) = &self.limit else {
            return Ok(default);
        };
        limit
            .parse()
            .ok()
            .filter(|limit| (1..=LARGEST).contains(limit))
            .ok_or_else(|| {
                ApiError::invalid(format!("a limit is from 1 to {LARGEST}")).with_param("limit")
            })
    }

    /// The item after which the page begins.
    pub(crate) fn after(&self) -> Result<Option<u64>, ApiError> {
        let parse = |token: &str| {
            let mut bytes = [0; 8];
            hex::decode_to_slice(token, &mut bytes).ok()?;
            Some(u64::from_be_bytes(bytes))
        };
        match self.token.as_deref() {
            None | Some("") => Ok(None),
            Some(token) => match parse(token) {
                Some(after) => Ok(Some(after)),
                None => Err(ApiError::invalid("not a token of this list").with_param("token")),
            },
        }
    }
}

/// The token of the page that begins after `item`; opaque to clients.
pub(crate) fn token_after(item: u64) -> String {
    hex::encode(item.to_be_bytes())
}
