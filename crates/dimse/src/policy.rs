//! The one policy of a node: who may do what, in which transfer syntax, how much, and how long.

use std::net::IpAddr;
use std::time::Duration;

/// How long a peer may take.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Deadlines {
    /// From the connection to the end of the TLS handshake and the association request together.
    pub opening: Duration,
    /// For the next bytes, in either direction.
    pub idle: Duration,
    /// For the whole association.
    pub total: Duration,
}

impl Default for Deadlines {
    fn default() -> Self {
        Self { opening: Duration::from_secs(10), idle: Duration::from_secs(30), total: Duration::from_secs(3600) }
    }
}

/// How much a peer may send.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Associations at once.
    pub associations: usize,
    /// Bytes of a P-DATA-TF PDU, 1,018 to 1,048,576.
    pub pdu: u32,
    /// Bytes of a data set.
    pub data_set: u64,
    /// Bytes of an association.
    pub association: u64,
}

impl Limits {
    /// The range of [`Limits::pdu`]: what the codec takes, and what a place is worth.
    pub const PDU: std::ops::RangeInclusive<u32> = 1018..=1 << 20;
}

impl Default for Limits {
    fn default() -> Self {
        Self { associations: 32, pdu: 128 * 1024, data_set: 1 << 30, association: 64 << 30 }
    }
}

/// What a peer may ask for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Permission {
    /// C-STORE, and storage commitment of what it stored.
    Store,
    /// C-FIND, C-GET and C-MOVE.
    Query,
}

/// A peer that is known.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PeerRule {
    /// Its AE title.
    pub ae_title: String,
    /// Its addresses; any, if empty.
    pub addresses: Vec<IpAddr>,
    /// SHA-256 of its certificate in lower-case hexadecimal; any that TLS accepted, if `None`.
    pub certificate: Option<String>,
    /// What it may ask for. C-ECHO is open to every known peer.
    pub may: Vec<Permission>,
}

/// A service that the node offers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Offer {
    /// The abstract syntax: a SOP class UID.
    pub abstract_syntax: String,
    /// Transfer syntax UIDs, the most wanted first: of those that a peer proposes, the first of these is taken.
    pub transfer_syntaxes: Vec<String>,
    /// What a peer needs for it; `None` for C-ECHO.
    pub permission: Option<Permission>,
}

/// A node's policy.
#[derive(Debug, Clone)]
pub struct Policy {
    /// This node's AE title.
    pub ae_title: String,
    /// The peers that are known. Where there is none, every peer may store: for a node that only its own machine reaches.
    pub peers: Vec<PeerRule>,
    /// The services that are offered.
    pub offers: Vec<Offer>,
    /// How long a peer may take.
    pub deadlines: Deadlines,
    /// How much it may send.
    pub limits: Limits,
    /// This node's implementation class UID and version name.
    pub implementation: (String, String),
}

impl Policy {
    /// The rule for a peer by its AE title.
    pub fn peer(&self, ae_title: &str) -> Option<&PeerRule> {
        self.peers.iter().find(|peer| peer.ae_title == ae_title)
    }

    /// Whether a peer may use what needs a permission.
    pub fn permits(&self, peer: Option<&PeerRule>, permission: Option<Permission>) -> bool {
        match (permission, peer) {
            (None, _) => true,
            (Some(permission), Some(peer)) => peer.may.contains(&permission),
            (Some(permission), None) => self.peers.is_empty() && permission == Permission::Store,
        }
    }
}
