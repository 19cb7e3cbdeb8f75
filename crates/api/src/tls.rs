//! TLS under the API: the certificate and key the server proves itself with.

use std::fmt;
use std::sync::{Arc, PoisonError, RwLock};

use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::pem::{Error as PemError, PemObject};
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio_rustls::rustls::{Error, ServerConfig};

/// What a plain request to the TLS port is told.
pub(crate) const PLAIN_REQUEST: &[u8] =
    b"HTTP/1.1 400 Bad Request\r\ncontent-type: text/plain;charset=UTF-8\r\n\
    content-length: 46\r\nconnection: close\r\n\r\nthis port speaks TLS; ask again with https://\n";

/// A certificate and its key. Clones share them, so that they can be replaced while connections are accepted.
#[derive(Clone)]
pub struct Tls(Arc<RwLock<TlsAcceptor>>);

impl fmt::Debug for Tls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Tls")
    }
}

/// Why a certificate or a key cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum TlsFault {
    /// The text is not PEM.
    #[error("{what} cannot be read as PEM: {cause}")]
    Unreadable {
        /// Which of the two.
        what: &'static str,
        /// What is wrong with it.
        cause: String,
    },
    /// There is no certificate in it.
    #[error(
        "there is no certificate in it; it holds the server's certificate first, then those that signed it (PEM)"
    )]
    NoCertificate,
    /// There is no key in it.
    #[error("there is no private key in it; give one in PEM, without a password")]
    NoKey,
    /// They do not work together.
    #[error("the certificate and the key cannot be used together: {0}")]
    Unusable(#[from] Error),
}

impl Tls {
    /// Takes a chain of certificates, the server's own first, and its private key, both in PEM.
    pub fn from_pem(chain: &[u8], key: &[u8]) -> Result<Self, TlsFault> {
        Ok(Self(Arc::new(RwLock::new(acceptor(chain, key)?))))
    }

    /// Uses others for connections from now on. If these cannot be used, those from before stay.
    pub fn replace(&self, chain: &[u8], key: &[u8]) -> Result<(), TlsFault> {
        let new = acceptor(chain, key)?;
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = new;
        Ok(())
    }

    pub(crate) fn acceptor(&self) -> TlsAcceptor {
        self.0.read().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

fn acceptor(chain: &[u8], key: &[u8]) -> Result<TlsAcceptor, TlsFault> {
    let unreadable = |what| move |cause: PemError| TlsFault::Unreadable { what, cause: cause.to_string() };
    let chain: Vec<_> = CertificateDer::pem_slice_iter(chain)
        .collect::<Result<_, _>>()
        .map_err(unreadable("the certificate"))?;
    if chain.is_empty() {
        return Err(TlsFault::NoCertificate);
    }
    let key = match PrivateKeyDer::from_pem_slice(key) {
        Ok(key) => key,
        Err(PemError::NoItemsFound) => return Err(TlsFault::NoKey),
        Err(cause) => return Err(unreadable("the key")(cause)),
    };
    let mut config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()?
        .with_no_client_auth()
        .with_single_cert(chain, key)?;
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(TlsAcceptor::from(Arc::new(config)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_cannot_be_used_is_named() {
        let refused = |chain: &str, key: &str| {
            Tls::from_pem(chain.as_bytes(), key.as_bytes()).expect_err("refused").to_string()
        };
        assert!(refused("", "").contains("no certificate"));
        let chain = "-----BEGIN CERTIFICATE-----\nMAA=\n-----END CERTIFICATE-----\n";
        assert!(refused(chain, chain).contains("no private key"));
        let broken = "-----BEGIN CERTIFICATE-----\nMAA=\n";
        assert!(refused(broken, "").contains("the certificate cannot be read as PEM"));
    }

    #[test]
    fn a_plain_request_is_told_a_whole_answer() {
        let text = std::str::from_utf8(PLAIN_REQUEST).expect("text");
        let (head, body) = text.split_once("\r\n\r\n").expect("a head");
        assert!(head.contains(&format!("content-length: {}\r\n", body.len())), "{head}");
    }
}
