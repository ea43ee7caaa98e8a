//! Peers and destinations.

use std::net::IpAddr;

use serde::Deserialize;

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
