//! Completing and deleting, wherever the bytes are.

use crate::assets::{Declared, Ready};
use crate::error::ApiError;
use crate::state::App;
use crate::store::Place;

/// The name of a direct upload's object in a bucket.
pub(crate) fn object_key(id: &str, declared: &Declared) -> String {
    format!("{id}.{}", declared.media.extension())
}

impl App {
    /// Makes a direct upload usable, if its bytes are there and are what was declared. May be repeated.
    pub(crate) async fn complete(
        &self,
        id: &str,
        sha256: Option<[u8; 32]>,
    ) -> Result<Ready, ApiError> {
        // A bucket does not tell when bytes arrive, nor when others replace them: each try reads them anew.
        if let Some(bucket) = &self.bucket
            && let Some(declared) = self.assets.pending(id)
        {
            let key = object_key(id, &declared);
            let found = bucket.inspect(&key, declared.size).await;
            match found.map_err(ApiError::internal)? {
                Some(object) => self.assets.arrive(id, object)?,
                None => return Err(ApiError::conflict("the bytes have not arrived yet")),
            }
        }
        self.assets.complete(&self.store, &self.config, id, sha256)
    }

    /// Deletes an asset, pending or not, and its bytes.
    pub(crate) async fn delete(&self, id: &str) -> Result<(), ApiError> {
        let pending = self.assets.pending(id);
        let place = self.assets.remove(id)?.map(|object| object.place);
        if let Some(Place::File(file)) = &place {
            self.store.remove(file).await.map_err(ApiError::internal)?;
        }
        let Some(bucket) = &self.bucket else {
            return Ok(());
        };
        // For a pending upload bytes may be there, whether or not a completion has seen them.
        let key = match (place, pending) {
            (Some(Place::Bucket(key)), _) => key,
            (_, Some(declared)) => object_key(id, &declared),
            (_, None) => return Ok(()),
        };
        bucket.delete(&key).await.map_err(ApiError::internal)
    }
}
