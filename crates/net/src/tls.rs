//! The two TLS set-ups, as values: rustls with *ring*, no process-wide provider.

use std::sync::Arc;

use rustls::crypto::{CryptoProvider, ring};
use rustls::{ClientConfig, RootCertStore};
use rustls_platform_verifier::Verifier;

/// For the client that speaks `http://` only. The HTTP library wants some TLS set-up at construction; this one trusts
/// nobody and loads nothing.
pub(crate) fn trusting_nobody() -> Result<ClientConfig, rustls::Error> {
    let builder = ClientConfig::builder_with_provider(provider()).with_safe_default_protocol_versions()?;
    Ok(builder.with_root_certificates(RootCertStore::empty()).with_no_client_auth())
}

/// Trusts what the operating system trusts (`SSL_CERT_FILE` and `SSL_CERT_DIR` included, where it is Linux). Reads the
/// certificates: a few megabytes and milliseconds, so it is done when the first `https://` request needs it.
pub(crate) fn trusting_the_system() -> Result<ClientConfig, rustls::Error> {
    let provider = provider();
    let verifier = Verifier::new(Arc::clone(&provider))?;
    let builder = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions()?;
    Ok(builder.dangerous().with_custom_certificate_verifier(Arc::new(verifier)).with_no_client_auth())
}

fn provider() -> Arc<CryptoProvider> {
    Arc::new(ring::default_provider())
}
