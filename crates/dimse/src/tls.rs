//! TLS by rustls with ring, in both roles; certificates are read again without a restart.

use std::fmt::Write as _;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, RwLock};

use rustls::crypto::ring;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::server::WebPkiClientVerifier;
use rustls::{ClientConfig, RootCertStore, ServerConfig};
use sha2::{Digest as _, Sha256};
use tokio::net::TcpStream;
use tokio_rustls::{TlsAcceptor, TlsConnector};

use crate::association::Connection;
use crate::refusal::HandshakeFault;

/// Makes ring the process's provider of TLS, for clients that are made without one of their own (HTTP, buckets). Again is no fault.
pub fn install_provider() {
    // The error is that there is one: the same.
    drop(ring::default_provider().install_default());
}

/// Files in PEM.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TlsFiles {
    /// This node's certificate chain, its own first.
    pub certificate: PathBuf,
    /// Its private key.
    pub key: PathBuf,
    /// The authorities that peers' certificates are checked against. A server asks for certificates where there are some.
    pub authorities: Option<PathBuf>,
}

/// Why a TLS configuration cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// A file that cannot be read, or holds nothing of the kind.
    #[error("{}: {reason}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// Why.
        reason: String,
    },
    /// Files that do not fit together.
    #[error("the certificate and its key cannot be used: {0}")]
    Config(String),
}

/// The server's side.
#[derive(Clone)]
pub struct Acceptor {
    files: Arc<TlsFiles>,
    config: Arc<RwLock<Arc<ServerConfig>>>,
}

impl Acceptor {
    /// Reads the files.
    ///
    /// # Errors
    /// [`TlsError`], naming the file.
    pub fn new(files: TlsFiles) -> Result<Self, TlsError> {
        let config = server_config(&files)?;
        Ok(Self { files: Arc::new(files), config: Arc::new(RwLock::new(config)) })
    }

    /// Reads the files again, for the associations that open from now on. Where that fails, what was read before stays.
    ///
    /// # Errors
    /// [`TlsError`], naming the file.
    pub fn reload(&self) -> Result<(), TlsError> {
        let config = server_config(&self.files)?;
        *self.config.write().unwrap_or_else(std::sync::PoisonError::into_inner) = config;
        Ok(())
    }

    /// The handshake; with it, the SHA-256 of the peer's certificate, where it showed one.
    ///
    /// # Errors
    /// When the handshake fails.
    pub async fn accept(&self, stream: TcpStream) -> io::Result<(Box<dyn Connection>, Option<String>)> {
        let config = Arc::clone(&self.config.read().unwrap_or_else(std::sync::PoisonError::into_inner));
        let stream = TlsAcceptor::from(config).accept(stream).await?;
        let shown = stream.get_ref().1.peer_certificates().and_then(|chain| chain.first()).map(fingerprint);
        Ok((Box::new(stream), shown))
    }
}

/// The client's side.
#[derive(Clone)]
pub struct Connector {
    authorities: Arc<PathBuf>,
    own: Arc<Option<TlsFiles>>,
    config: Arc<RwLock<Arc<ClientConfig>>>,
}

impl Connector {
    /// Trusts the authorities of a file, and shows a certificate where `files` has one.
    ///
    /// # Errors
    /// [`TlsError`], naming the file.
    pub fn new(authorities: &Path, own: Option<&TlsFiles>) -> Result<Self, TlsError> {
        let config = Arc::new(client_config(Some(authorities), own)?);
        Ok(Self {
            authorities: Arc::new(authorities.to_owned()),
            own: Arc::new(own.cloned()),
            config: Arc::new(RwLock::new(config)),
        })
    }

    /// Reads the files again, for the associations that are opened from now on. Where that fails, what was read before stays.
    ///
    /// # Errors
    /// [`TlsError`], naming the file.
    pub fn reload(&self) -> Result<(), TlsError> {
        let config = Arc::new(client_config(Some(&self.authorities), Option::as_ref(&self.own))?);
        *self.config.write().unwrap_or_else(std::sync::PoisonError::into_inner) = config;
        Ok(())
    }

    pub(crate) async fn connect(&self, host: &str, stream: TcpStream) -> io::Result<Box<dyn Connection>> {
        let host = host.trim_start_matches('[').trim_end_matches(']').to_owned();
        let name = ServerName::try_from(host)
            .map_err(|_| io::Error::new(io::ErrorKind::InvalidInput, "the host is no name or address"))?;
        let config = Arc::clone(&self.config.read().unwrap_or_else(std::sync::PoisonError::into_inner));
        Ok(Box::new(TlsConnector::from(config).connect(name, stream).await?))
    }
}

/// Why a handshake failed, for an administrator; `None` where the peer went away or said nothing, as monitors of ports do.
pub(crate) fn fault_of(error: &io::Error) -> Option<HandshakeFault> {
    use rustls::Error;
    match error.get_ref()?.downcast_ref::<Error>()? {
        Error::NoCertificatesPresented => Some(HandshakeFault::NoCertificate),
        Error::InvalidCertificate(_) => Some(HandshakeFault::Certificate),
        Error::InvalidMessage(_) => Some(HandshakeFault::NoTls),
        Error::AlertReceived(_) => Some(HandshakeFault::Declined),
        error => Some(HandshakeFault::Other(error.to_string())),
    }
}

/// A client's configuration; without authorities, it trusts no server.
pub(crate) fn client_config(authorities: Option<&Path>, own: Option<&TlsFiles>) -> Result<ClientConfig, TlsError> {
    let builder = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(|error| TlsError::Config(error.to_string()))?
        .with_root_certificates(authorities.map_or_else(|| Ok(RootCertStore::empty()), roots)?);
    match own {
        None => Ok(builder.with_no_client_auth()),
        Some(files) => builder
            .with_client_auth_cert(chain(&files.certificate)?, key(&files.key)?)
            .map_err(|error| TlsError::Config(error.to_string())),
    }
}

fn server_config(files: &TlsFiles) -> Result<Arc<ServerConfig>, TlsError> {
    let provider = Arc::new(ring::default_provider());
    let fault = |error: &dyn std::fmt::Display| TlsError::Config(error.to_string());
    let builder = ServerConfig::builder_with_provider(Arc::clone(&provider))
        .with_safe_default_protocol_versions()
        .map_err(|error| fault(&error))?;
    let builder = match &files.authorities {
        None => builder.with_no_client_auth(),
        Some(path) => {
            let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots(path)?), provider).build();
            builder.with_client_cert_verifier(verifier.map_err(|error| fault(&error))?)
        }
    };
    let config =
        builder.with_single_cert(chain(&files.certificate)?, key(&files.key)?).map_err(|error| fault(&error))?;
    Ok(Arc::new(config))
}

fn read(path: &Path) -> Result<Vec<u8>, TlsError> {
    fs::read(path).map_err(|error| TlsError::File { path: path.to_owned(), reason: error.to_string() })
}

fn chain(path: &Path) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let bytes = read(path)?;
    let found: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&bytes).collect();
    match found {
        Ok(chain) if !chain.is_empty() => Ok(chain),
        _ => Err(TlsError::File { path: path.to_owned(), reason: "holds no certificate in PEM".to_owned() }),
    }
}

fn key(path: &Path) -> Result<PrivateKeyDer<'static>, TlsError> {
    let none = |_| TlsError::File { path: path.to_owned(), reason: "holds no private key in PEM".to_owned() };
    PrivateKeyDer::from_pem_slice(&read(path)?).map_err(none)
}

fn roots(path: &Path) -> Result<RootCertStore, TlsError> {
    let mut roots = RootCertStore::empty();
    for certificate in chain(path)? {
        roots.add(certificate).map_err(|error| TlsError::File {
            path: path.to_owned(),
            reason: format!("holds no authority: {error}"),
        })?;
    }
    Ok(roots)
}

/// SHA-256 in lower-case hexadecimal digits.
fn fingerprint(certificate: &CertificateDer<'_>) -> String {
    Sha256::digest(certificate.as_ref()).iter().fold(String::with_capacity(64), |mut text, byte| {
        // Writing to a String cannot fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}
