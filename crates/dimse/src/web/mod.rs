//! A DICOMweb client (PS3.18): QIDO-RS searches, WADO-RS retrieves and STOW-RS stores, with deadlines and limits.
//!
//! Redirects are not followed: a server that redirects could make this node ask another one, with its credentials. No error holds
//! credentials, a URL's path or query, or anything of a server's text.

mod retrieve;
mod search;
mod store;

use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use bytes::Bytes;
use coxa_schema::{ErrorKind, Hint};
use reqwest::header::{AUTHORIZATION, CONTENT_ENCODING, HeaderValue, RETRY_AFTER};
use reqwest::redirect::Policy;
use reqwest::{RequestBuilder, Response, Url};

use crate::Deadlines;
use crate::tls::{TlsError, TlsFiles, client_config};

pub use retrieve::{Part, Parts, Retrieve};
pub use search::{Level, Matches};
pub use store::Stored;

/// What a request authenticates by. `Debug` shows none of it.
#[derive(Clone, PartialEq, Eq)]
pub enum Credentials {
    /// Nothing.
    None,
    /// A user's name and password.
    Basic {
        /// The name, without a colon.
        user: String,
        /// The password.
        password: String,
    },
    /// A token.
    Bearer(String),
}

impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::None => "None",
            Self::Basic { .. } => "Basic(…)",
            Self::Bearer(_) => "Bearer(…)",
        })
    }
}

/// How much a server may send.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct WebLimits {
    /// Bytes of an answer in JSON.
    pub answer: u64,
    /// Bytes of an object.
    pub object: u64,
    /// Bytes of all objects of a retrieve.
    pub retrieve: u64,
    /// Matches that are asked for at once.
    pub page: usize,
}

impl Default for WebLimits {
    fn default() -> Self {
        Self { answer: 64 << 20, object: 1 << 30, retrieve: 64 << 30, page: 200 }
    }
}

/// How a server is reached.
#[derive(Debug, Clone)]
pub struct Settings {
    /// The service's root: `https://archive.example/dicom-web`.
    pub base: String,
    /// What a request authenticates by.
    pub credentials: Credentials,
    /// The authorities to trust, in PEM; the system's, if `None`.
    pub authorities: Option<PathBuf>,
    /// The certificate to show, where the server asks for one.
    pub own: Option<TlsFiles>,
    /// How long the server may take; `opening` is for the connection alone.
    pub deadlines: Deadlines,
    /// How much it may send.
    pub limits: WebLimits,
}

/// An error of a request.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum WebError {
    /// The root cannot be used.
    #[error("the DICOMweb root {0}")]
    Root(&'static str),
    /// The credentials cannot be sent.
    #[error("the credentials hold a character that no HTTP header may have")]
    Credentials,
    /// Certificates that cannot be used.
    #[error(transparent)]
    Tls(#[from] TlsError),
    /// The server cannot be reached, or the connection broke.
    #[error("{doing} at {host}: {reason}")]
    Connection {
        /// What was done.
        doing: &'static str,
        /// The server.
        host: String,
        /// The system's reason.
        reason: String,
    },
    /// The server took too long.
    #[error("{doing} at {host}: no answer in time")]
    Timeout {
        /// What was done.
        doing: &'static str,
        /// The server.
        host: String,
    },
    /// The server refused or failed.
    #[error("{doing} at {host}: HTTP status {status}")]
    Status {
        /// What was done.
        doing: &'static str,
        /// The server.
        host: String,
        /// The status.
        status: u16,
        /// How long the server asks to be left alone (`Retry-After`).
        wait: Option<Duration>,
    },
    /// The answer is larger than allowed.
    #[error("the server's answer exceeds the limit of {0}")]
    Limit(&'static str),
    /// The answer is not what the standard says.
    #[error("the server's answer {0}")]
    Answer(&'static str),
    /// What was to be sent could not be read, or what was received could not be written.
    #[error(transparent)]
    Io(#[from] std::io::Error),
}

impl Hint for WebError {
    fn kind(&self) -> ErrorKind {
        ErrorKind::Input
    }

    fn hint(&self) -> Option<String> {
        let hint = match self {
            Self::Root(_) => "give it as https://host:port/path, credentials apart from it",
            Self::Connection { .. } => "check host and port, and that the server is running",
            Self::Status { status: 300..=399, .. } => "redirects are not followed: give the address it redirects to",
            Self::Status { status: 401 | 403, .. } => "check the credentials, and what they allow",
            Self::Status { status: 404, .. } => "check the path of the DICOMweb root",
            _ => return None,
        };
        Some(hint.to_owned())
    }
}

/// A server's DICOMweb service.
pub struct Service {
    http: reqwest::Client,
    root: Url,
    host: String,
    authorization: Option<HeaderValue>,
    limits: WebLimits,
}

impl Service {
    /// A client of a server; nothing is sent yet.
    ///
    /// # Errors
    /// [`WebError`]: a root that is no `http` or `https` address or holds credentials, credentials that cannot be sent, or certificates
    /// that cannot be used.
    pub fn new(settings: &Settings) -> Result<Self, WebError> {
        let root = Url::parse(&settings.base).map_err(|_| WebError::Root("is no address"))?;
        if !matches!(root.scheme(), "http" | "https") {
            return Err(WebError::Root("is neither http nor https"));
        }
        if !root.username().is_empty() || root.password().is_some() {
            return Err(WebError::Root("holds credentials"));
        }
        if root.query().is_some() || root.fragment().is_some() {
            return Err(WebError::Root("has a query or a fragment"));
        }
        let host = root.host_str().ok_or(WebError::Root("has no host"))?;
        let host = root.port().map_or_else(|| host.to_owned(), |port| format!("{host}:{port}"));
        let mut builder = reqwest::Client::builder()
            .redirect(Policy::none())
            .no_proxy()
            .referer(false)
            .connect_timeout(settings.deadlines.opening)
            .read_timeout(settings.deadlines.idle)
            .timeout(settings.deadlines.total)
            .pool_idle_timeout(Duration::from_secs(30));
        if settings.own.is_some() && settings.authorities.is_none() {
            return Err(WebError::Tls(TlsError::Config(
                "a server that asks for it needs `authorities` too".to_owned(),
            )));
        }
        // The system's authorities are read only for a server that needs them.
        if root.scheme() == "http" || settings.authorities.is_some() {
            let config = client_config(settings.authorities.as_deref(), settings.own.as_ref())?;
            builder = builder.tls_backend_preconfigured(config);
        } else {
            // It stays as it is where the process has a provider already.
            crate::tls::install_provider();
        }
        let http = builder.build().map_err(|error| WebError::Tls(TlsError::Config(innermost(&error))))?;
        let authorization = authorization(&settings.credentials)?;
        Ok(Self { http, root, host, authorization, limits: settings.limits })
    }

    /// An address below the root.
    fn address(&self, segments: &[&str]) -> Result<Url, WebError> {
        let mut address = self.root.clone();
        let mut path = address.path_segments_mut().map_err(|()| WebError::Root("has no path"))?;
        path.pop_if_empty().extend(segments);
        drop(path);
        Ok(address)
    }

    /// Sends a request; its answer's status is not judged yet.
    async fn send(&self, request: RequestBuilder, doing: &'static str) -> Result<Response, WebError> {
        let request = match &self.authorization {
            Some(value) => request.header(AUTHORIZATION, value),
            None => request,
        };
        let response = request.send().await.map_err(|error| self.broken(doing, &error))?;
        // What is compressed would have to be expanded within limits; no encoding was asked for.
        let is_encoded = response.headers().get(CONTENT_ENCODING).is_some_and(|value| value != "identity");
        if is_encoded {
            Err(WebError::Answer("is compressed, though no compression was asked for"))
        } else {
            Ok(response)
        }
    }

    fn refused(&self, doing: &'static str, response: &Response) -> WebError {
        let wait =
            response.headers().get(RETRY_AFTER).and_then(|value| wait_of(value.to_str().ok()?, jiff::Timestamp::now()));
        WebError::Status { doing, host: self.host.clone(), status: response.status().as_u16(), wait }
    }

    fn broken(&self, doing: &'static str, error: &reqwest::Error) -> WebError {
        let host = self.host.clone();
        if error.is_timeout() {
            return WebError::Timeout { doing, host };
        }
        WebError::Connection { doing, host, reason: innermost(error) }
    }

    /// The body of an answer, in memory.
    async fn body(&self, doing: &'static str, mut response: Response) -> Result<Vec<u8>, WebError> {
        let mut body = Vec::new();
        while let Some(piece) = response.chunk().await.map_err(|error| self.broken(doing, &error))? {
            let piece: Bytes = piece;
            if (body.len() + piece.len()) as u64 > self.limits.answer {
                return Err(WebError::Limit("bytes of JSON"));
            }
            body.extend_from_slice(&piece);
        }
        Ok(body)
    }
}

/// The wait that `Retry-After` states: seconds, or a date as HTTP writes it today (RFC 9110, 10.2.3). A date that has passed is no wait.
fn wait_of(value: &str, now: jiff::Timestamp) -> Option<Duration> {
    if let Ok(seconds) = value.trim().parse() {
        return Some(Duration::from_secs(seconds));
    }
    let at = jiff::fmt::rfc2822::DateTimeParser::new().parse_timestamp(value.trim()).ok()?;
    Some(at.duration_since(now).try_into().unwrap_or_default())
}

/// The last cause of an error: the others quote the URL, whose path may hold a study's UID.
fn innermost(error: &reqwest::Error) -> String {
    let mut cause: &dyn std::error::Error = error;
    while let Some(next) = cause.source() {
        cause = next;
    }
    if std::ptr::addr_eq(std::ptr::from_ref(cause), std::ptr::from_ref(error)) {
        return "the connection failed".to_owned();
    }
    cause.to_string()
}

fn authorization(credentials: &Credentials) -> Result<Option<HeaderValue>, WebError> {
    let text = match credentials {
        Credentials::None => return Ok(None),
        Credentials::Basic { user, .. } if user.contains(':') => return Err(WebError::Credentials),
        Credentials::Basic { user, password } => {
            use base64::Engine as _;
            let encoded = base64::engine::general_purpose::STANDARD.encode(format!("{user}:{password}"));
            format!("Basic {encoded}")
        }
        Credentials::Bearer(token) => format!("Bearer {token}"),
    };
    let mut value = HeaderValue::from_str(&text).map_err(|_| WebError::Credentials)?;
    value.set_sensitive(true);
    Ok(Some(value))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_server_says_how_long_to_wait() {
        let now = jiff::Timestamp::from_second(784_111_777).unwrap();
        for (value, seconds) in [
            ("120", Some(120)),
            (" 0 ", Some(0)),
            ("Sun, 06 Nov 1994 08:50:37 GMT", Some(60)),
            ("Sun, 06 Nov 1994 08:49:00 GMT", Some(0)),
            ("-5", None),
            ("soon", None),
            ("", None),
        ] {
            assert_eq!(wait_of(value, now), seconds.map(Duration::from_secs), "{value}");
        }
    }

    fn settings(base: &str) -> Settings {
        Settings {
            base: base.to_owned(),
            credentials: Credentials::Basic { user: "coxa".into(), password: "hidden".into() },
            authorities: None,
            own: None,
            deadlines: Deadlines::default(),
            limits: WebLimits::default(),
        }
    }

    #[test]
    fn a_root_is_an_address_without_credentials() {
        let service = Service::new(&settings("http://127.0.0.1:8042/dicom-web/")).unwrap();
        assert_eq!(service.address(&["studies", "1.2"]).unwrap().path(), "/dicom-web/studies/1.2");
        for base in
            ["dicom-web", "file:///etc/passwd", "http://coxa:hidden@host/", "http://host/?x=1", "data:text/plain,x"]
        {
            let error = Service::new(&settings(base)).err().unwrap();
            assert!(matches!(error, WebError::Root(_)) && !error.to_string().contains("hidden"), "{error}");
        }
        assert!(!format!("{:?}", settings("http://host")).contains("hidden"));
    }
}
