//! Pages of lists: a request has `limit` and `token`, and an answer has `has_more` and `next_token`.
//!
//! A token names the item before the page, not the number of items before it. So no item is repeated or skipped when
//! items are added or removed between two requests.

use serde::Deserialize;

use crate::base::api_error::ApiError;

/// The most items on a page (S).
const MAX_LIMIT: usize = 100;

/// The parameters of a query that ask for a page. Both are parsed later, so that the error names the wrong one.
#[derive(Deserialize)]
pub(crate) struct PageQuery {
    limit: Option<String>,
    token: Option<String>,
}

impl PageQuery {
    /// The number of items on the page, from 1 to 100. `default` if the query has no `limit`.
    pub(crate) fn limit(&self, default: usize) -> Result<usize, ApiError> {
        let Some(limit) = &self.limit else {
            return Ok(default);
        };
        limit
            .parse()
            .ok()
            .filter(|limit| (1..=MAX_LIMIT).contains(limit))
            .ok_or_else(|| {
                ApiError::invalid(format!("a limit is a number from 1 to {MAX_LIMIT}"))
                    .with_param("limit")
            })
    }

    /// The item before the page; `None` for the first page.
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

/// The token of the page that starts after `item`. It is opaque to clients.
pub(crate) fn token_after(item: u64) -> String {
    hex::encode(item.to_be_bytes())
}
