//! The HTTP client that the emulator itself uses.

use std::sync::Arc;

use reqwest::{Client, ClientBuilder};
use rustls::ClientConfig;
use rustls::crypto::ring;
use rustls_platform_verifier::BuilderVerifierExt as _;

/// Starts an HTTP client that uses no proxy, as fits a server on loopback. Use it where a test speaks to an
/// [`Emulator`](crate::Emulator) by plain requests.
///
/// It names its provider of cryptography, so that the process needs no default one.
///
/// # Errors
/// When the system has no certificates that can be read.
pub fn client() -> Result<ClientBuilder, rustls::Error> {
    let mut tls = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()?
        .with_platform_verifier()?
        .with_no_client_auth();
    tls.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(Client::builder().no_proxy().tls_backend_preconfigured(tls))
}
