//! What can go wrong with an association. No message holds a peer's text beyond its AE title, nor a UID.

use std::io;
use std::time::Duration;

use coxa_schema::{ErrorKind, Hint};

use crate::refusal::Refusal;

/// Bytes that break the rules of the protocol.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Malformed {
    /// The first bytes are no PDU: another protocol speaks on this port.
    #[error("the first bytes are {0}, not DICOM")]
    Protocol(&'static str),
    /// A PDU of an unknown type.
    #[error("a PDU of the unknown type {0:02X}H")]
    PduType(u8),
    /// A PDU that is longer than was agreed, or than its type can be.
    #[error("a PDU of {length} bytes, where at most {most} are allowed")]
    PduLength {
        /// Its length.
        length: u32,
        /// The most.
        most: u32,
    },
    /// A PDU whose fields do not fit together.
    #[error("a PDU that cannot be parsed")]
    Pdu,
    /// A PDU that may not come in this state.
    #[error("an unexpected {0}")]
    Unexpected(&'static str),
    /// A message on a presentation context that was not accepted.
    #[error("a message on presentation context {0}, which was not accepted")]
    Context(u8),
    /// A command set that is none.
    #[error("the command set {0}")]
    Command(&'static str),
    /// A data set that cannot be read, or lacks what its service needs.
    #[error("the data set {0}")]
    DataSet(&'static str),
}

/// An error of an association.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DimseError {
    /// The network failed.
    #[error("the connection failed: {0}")]
    Io(#[from] io::Error),
    /// A name or an address that cannot be reached.
    #[error("cannot connect to {to}: {source}")]
    Connect {
        /// `host:port`.
        to: String,
        /// The system's reason.
        source: io::Error,
    },
    /// The peer did nothing for too long.
    #[error("the peer did nothing for {} s while {doing}", .after.as_secs())]
    Timeout {
        /// What was waited for.
        doing: &'static str,
        /// For how long.
        after: Duration,
    },
    /// The association lasted or sent more than is allowed.
    #[error("the association exceeds the limit of {0}")]
    Limit(&'static str),
    /// The peer broke the protocol.
    #[error("the peer sent {0}")]
    Malformed(#[from] Malformed),
    /// The peer closed the connection in the middle.
    #[error("the peer closed the connection while {0}")]
    Closed(&'static str),
    /// The peer aborted the association.
    #[error("the peer aborted the association")]
    Aborted,
    /// This side refused the association.
    #[error("{0}")]
    Refused(Box<Refusal>),
    /// The peer rejected the association.
    #[error("the peer rejected the association: {reason}")]
    Rejected {
        /// The peer's reason.
        reason: String,
        /// Whether the same request may succeed later.
        is_transient: bool,
    },
    /// The peer accepted no presentation context for what is to be done.
    #[error("the peer accepts no transfer syntax for {0}")]
    NoContext(String),
    /// The caller broke the protocol.
    #[error("{0}")]
    Misuse(&'static str),
}

impl Hint for DimseError {
    fn kind(&self) -> ErrorKind {
        if matches!(self, Self::Misuse(_)) { ErrorKind::Internal } else { ErrorKind::Input }
    }

    fn hint(&self) -> Option<String> {
        let hint = match self {
            Self::Connect { .. } => "check host and port, and that the peer is running",
            Self::Malformed(Malformed::Protocol(what)) if what.contains("TLS") => {
                "the port speaks TLS: name the file of its authorities"
            }
            Self::Rejected { reason, .. } if reason.contains("called AE title") => {
                "the peer does not know itself by the called AE title; titles are case-sensitive"
            }
            Self::Rejected { reason, .. } if reason.contains("calling AE title") => {
                "add this node's AE title, host and port to the peer's configuration"
            }
            Self::Refused(refusal) => return Some(refusal.remedy()),
            _ => return None,
        };
        Some(hint.to_owned())
    }
}
