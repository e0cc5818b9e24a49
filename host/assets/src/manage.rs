//! Reads, lists and deletes assets.

use std::collections::BTreeMap;

use futures::{Stream, TryStreamExt as _};
use reqwest::Method;
use serde::{Deserialize, Serialize};

use crate::client::Assets;
use crate::error::AssetsError;
use crate::watch::Watch;

/// Most ids in one request for statuses.
const STATUSES: usize = 100;

/// An asset, as the service describes it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct AssetInfo {
    /// Opaque id.
    pub id: String,
    /// The file's name.
    #[serde(default)]
    pub name: Option<String>,
    /// `image`, `video`, `audio` or another kind.
    #[serde(rename = "type", default)]
    pub kind: Option<String>,
    /// Who uploaded it.
    #[serde(default)]
    pub owner: Option<String>,
    /// The space that it belongs to.
    #[serde(default)]
    pub space_id: Option<String>,
    /// When it was uploaded, in seconds since 1970.
    #[serde(default)]
    pub uploaded_at: Option<u64>,
    /// The folder that contains it.
    #[serde(default)]
    pub folder_id: Option<String>,
    /// URL at which the service serves it.
    #[serde(default)]
    pub url: Option<String>,
}

/// Selects the assets to list.
///
/// ```
/// use forebay_assets::ListQuery;
///
/// let query = ListQuery { limit: Some(50), ..ListQuery::default() };
/// ```
#[derive(Debug, Clone, Default, Serialize)]
pub struct ListQuery {
    /// Only assets of this user.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub username: Option<String>,
    /// Only assets in this folder.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub folder_id: Option<String>,
    /// Number of assets on one page, 1 to 100. The default is 20.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub limit: Option<u32>,
    /// Where the page begins: the [`Page::next_token`] of the previous page.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub token: Option<String>,
}

/// One page of a list. The newest assets come first.
#[derive(Debug, Clone, Deserialize)]
#[non_exhaustive]
pub struct Page {
    /// The assets.
    #[serde(rename = "data")]
    pub assets: Vec<AssetInfo>,
    /// Whether more assets follow.
    #[serde(default)]
    pub has_more: bool,
    /// Where the next page begins.
    #[serde(default)]
    pub next_token: Option<String>,
}

/// Status of an asset or a batch.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Status {
    /// It waits to be processed.
    Queued,
    /// It is being processed.
    Processing,
    /// It can be used.
    Completed,
    /// It cannot be used.
    Failed,
    /// No asset or batch has this id.
    NotFound,
    /// A status that this version does not know.
    #[serde(untagged)]
    Other(String),
}

impl Assets {
    /// Returns an asset.
    ///
    /// # Errors
    /// When no asset has this id, or the service did not answer.
    pub async fn get(&self, asset_id: &str) -> Result<AssetInfo, AssetsError> {
        let request = || self.request(Method::GET, &["v3", "assets", asset_id]);
        self.call("get", request).await
    }

    /// Deletes an asset.
    ///
    /// # Errors
    /// When the service did not delete it.
    pub async fn delete(&self, asset_id: &str) -> Result<(), AssetsError> {
        let request = || self.request(Method::DELETE, &["v3", "assets", asset_id]);
        let _: serde_json::Value = self.call("delete", request).await?;
        Ok(())
    }

    /// Like [`delete`](Self::delete), but succeeds if the asset no longer exists.
    pub(crate) async fn delete_if_there(&self, asset_id: &str) -> Result<(), AssetsError> {
        match self.delete(asset_id).await {
            Err(AssetsError::Service(gone)) if gone.status == 404 => Ok(()),
            ended => ended,
        }
    }

    /// Returns one page of the assets that the service holds.
    ///
    /// # Errors
    /// When the service did not answer, or refused the query.
    pub async fn list_page(&self, query: &ListQuery) -> Result<Page, AssetsError> {
        let attempt = || {
            let request = self.request(Method::GET, &["v3", "assets"]).query(query);
            self.answer("list", request.timeout(self.0.answer_timeout))
        };
        self.0.retries.run(&Watch::none(), attempt).await
    }

    /// Lists all assets that the service holds. Each page is requested when it is needed.
    ///
    /// # Errors
    /// As for [`list_page`](Self::list_page). The stream ends at the first error.
    pub fn list(
        &self,
        query: ListQuery,
    ) -> impl Stream<Item = Result<AssetInfo, AssetsError>> + Send + use<> {
        let this = self.clone();
        let pages = futures::stream::try_unfold(Some(query), move |query| {
            let this = this.clone();
            async move {
                let Some(query) = query else {
                    return Ok::<_, AssetsError>(None);
                };
                let page = this.list_page(&query).await?;
                let next = page.next_token.filter(|_| page.has_more);
                // A token that repeats would cause an endless loop.
                let next = next.filter(|token| query.token.as_ref() != Some(token));
                let next = next.map(|token| ListQuery {
                    token: Some(token),
                    ..query
                });
                let assets = page.assets.into_iter().map(Ok::<_, AssetsError>);
                Ok(Some((futures::stream::iter(assets), next)))
            }
        });
        pages.try_flatten()
    }

    /// Returns the statuses of any number of assets. Each request asks for a hundred of them.
    ///
    /// # Errors
    /// When the service did not answer.
    pub async fn statuses(
        &self,
        asset_ids: &[impl AsRef<str>],
    ) -> Result<BTreeMap<String, Status>, AssetsError> {
        #[derive(Deserialize)]
        struct One {
            // The service uses one model for videos and assets.
            #[serde(alias = "video_id")]
            asset_id: String,
            status: Status,
        }
        let mut statuses = BTreeMap::new();
        for some in asset_ids.chunks(STATUSES) {
            let ids: Vec<&str> = some.iter().map(AsRef::as_ref).collect();
            let ids = ids.join(",");
            let request = || {
                self.request(Method::GET, &["v3", "assets", "statuses"])
                    .query(&[("asset_ids", &ids)])
            };
            let these: Vec<One> = self.call("statuses", request).await?;
            statuses.extend(these.into_iter().map(|one| (one.asset_id, one.status)));
        }
        Ok(statuses)
    }
}
