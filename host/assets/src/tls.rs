//! TLS of the client, with the system's certificates and the cryptography of *ring*.
//!
//! rustls has several cryptography providers. Only the program may choose one for the whole process, so the client
//! names its own. *ring* compiles in seconds, while the default provider compiles for minutes.

use std::sync::Arc;

use rustls::ClientConfig;
use rustls::crypto::ring;
use rustls_platform_verifier::BuilderVerifierExt as _;

/// A config for HTTP/1.1, which is what the client speaks.
pub(crate) fn config() -> Result<ClientConfig, rustls::Error> {
    let mut config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()?
        .with_platform_verifier()?
        .with_no_client_auth();
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(config)
}
