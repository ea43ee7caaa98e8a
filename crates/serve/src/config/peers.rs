//! Peers and destinations.

use std::net::IpAddr;

use coxa_dimse::{PeerRule, Permission};
use serde::Deserialize;

use super::{Config, ConfigError};
use crate::db::ObjectKind;

/// A peer that may open associations.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Peer {
    /// Its AE title, case-sensitive.
    pub ae_title: String,
    /// The address it calls from; any, unless given.
    pub host: Option<IpAddr>,
    /// Its port, where storage commitment is answered.
    pub port: Option<u16>,
    /// Whether answers to it are encrypted.
    #[serde(default)]
    pub tls: bool,
    /// SHA-256 of the certificate that it must show, in hexadecimal.
    pub certificate: Option<String>,
    /// What it may do.
    #[serde(default = "Peer::stores")]
    pub may: Vec<May>,
}

impl Peer {
    pub(super) fn stores() -> Vec<May> {
        vec![May::Store]
    }
}

/// What a peer may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum May {
    /// Store films.
    Store,
    /// Query and retrieve.
    Query,
}

/// A node that results are sent to.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Destination {
    /// What it is called here.
    pub name: String,
    /// Its AE title.
    pub ae_title: String,
    /// Its host.
    pub host: String,
    /// Its port.
    pub port: u16,
    /// Whether it is called by TLS.
    #[serde(default)]
    pub tls: bool,
    /// Which objects it gets.
    #[serde(default = "Destination::usual")]
    pub sends: Vec<ObjectKind>,
}

impl Destination {
    /// What every viewer shows; the raw heat map only where it is asked for.
    fn usual() -> Vec<ObjectKind> {
        vec![ObjectKind::Sr, ObjectKind::Gsps, ObjectKind::Sc]
    }
}

/// A FHIR server that results are pushed to.
#[derive(Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Fhir {
    /// Its base URL.
    pub push: String,
    /// A bearer token.
    pub token: Option<String>,
}

impl std::fmt::Debug for Fhir {
    /// Without URL and token: either may be secret.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Fhir").finish_non_exhaustive()
    }
}

impl Fhir {
    /// A URL that may be called.
    pub(super) fn validate(&self) -> Result<(), ConfigError> {
        let wrong = |expected: &str| Err(ConfigError::value("fhir.push", "…", expected));
        let Ok(url) = self.push.parse::<reqwest::Url>() else { return wrong("a URL") };
        if !matches!(url.scheme(), "http" | "https") {
            return wrong("http:// or https://");
        }
        let host = url.host_str().unwrap_or_default().trim_start_matches('[').trim_end_matches(']');
        if host.parse::<IpAddr>().is_ok_and(crate::addresses::is_link_local) {
            return wrong("a server's address: this one is link-local");
        }
        Ok(())
    }
}

impl Config {
    /// The rules of associations for the peers.
    pub fn peer_rules(&self) -> Vec<PeerRule> {
        let rule = |peer: &Peer| PeerRule {
            ae_title: peer.ae_title.clone(),
            addresses: peer.host.into_iter().collect(),
            certificate: peer.certificate.clone(),
            may: peer
                .may
                .iter()
                .map(|may| match may {
                    May::Store => Permission::Store,
                    May::Query => Permission::Query,
                })
                .collect(),
        };
        self.peers.iter().map(rule).collect()
    }
}
