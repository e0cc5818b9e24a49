//! A content that can be read only once. It is hashed, and copied if needed, while it is sent.

use sha2::{Digest as _, Sha256};
use tokio::sync::oneshot;

use crate::direct::DirectUpload;
use crate::error::AssetsError;
use crate::watch::Watch;
use forebay_core::channel::{Content, Sender, channel};
use forebay_core::scratch::Spool;

/// Most bytes between reading and sending.
const BUDGET: usize = 1 << 20;

impl DirectUpload {
    /// Sends a content once, and returns its SHA-256 in hex. If sending fails, the rest of the content stays unread.
    ///
    /// # Errors
    /// As for [`put_bytes`](Self::put_bytes); and when the content is interrupted.
    pub async fn put_and_hash(
        &self,
        content: Content,
        watch: &Watch,
    ) -> Result<String, AssetsError> {
        let (sender, passing) = channel(BUDGET);
        let put = self.put(passing, watch);
        let hash = tee(content, None, sender, std::future::pending());
        let ((), sha256) = futures::try_join!(put, hash)?;
        Ok(sha256)
    }

    /// Like [`put_and_hash`](Self::put_and_hash), and writes the whole content to `copy`. Returns how sending ended,
    /// beside the SHA-256: only if sending alone failed can the copy be sent instead.
    ///
    /// # Errors
    /// When the content is not complete or could not be copied.
    pub(crate) async fn put_and_tee(
        &self,
        content: Content,
        copy: Option<Spool>,
        watch: &Watch,
    ) -> Result<(String, Result<(), AssetsError>), AssetsError> {
        let (sender, passing) = channel(BUDGET);
        // A stalled connection may keep its body, so the end of sending is signalled separately.
        let (sending, sent) = oneshot::channel::<()>();
        let put = async {
            let put = self.put(passing, watch).await;
            drop(sending);
            put
        };
        let over = async { drop(sent.await) };
        let (put, whole) = futures::join!(put, tee(content, copy, sender, over));
        Ok((whole?, put))
    }
}

/// Passes a content on until `over`, writes all of it to `copy`, and returns its SHA-256 in hex. Also passes on the
/// end.
async fn tee(
    mut content: Content,
    mut copy: Option<Spool>,
    mut sender: Sender,
    over: impl Future<Output = ()>,
) -> Result<String, AssetsError> {
    let mut over = std::pin::pin!(over);
    let mut taken = true;
    let mut hash = Sha256::new();
    while let Some(piece) = content.next().await? {
        hash.update(&piece);
        if let Some(spool) = copy.take() {
            copy = Some(spool.append(piece.clone()).await?);
        }
        if taken {
            taken = tokio::select! {
                sent = sender.send(piece) => sent.is_ok(),
                () = &mut over => false,
            };
        }
    }
    sender.finish();
    Ok(hex::encode(hash.finalize()))
}
