//! Refusals that a person can act on: who asked for what, why it was refused, and the line of configuration that would allow it.

use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::time::SystemTime;

/// A refused association.
#[derive(Debug, Clone)]
pub struct Refusal {
    /// When.
    pub at: SystemTime,
    /// From where.
    pub address: SocketAddr,
    /// The title that the peer gave itself; empty where it never said.
    pub calling: String,
    /// The title that it called.
    pub called: String,
    /// The SOP class UIDs that it asked for.
    pub asked: Vec<String>,
    /// Its implementation class UID and version name, where it gave them.
    pub implementation: (String, String),
    /// Why.
    pub reason: RefusalReason,
}

/// Why an association was refused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RefusalReason {
    /// It called another title than this node's.
    CalledTitle {
        /// This node's.
        own: String,
    },
    /// Its title is not known here.
    CallingTitle {
        /// The known title that is most like it, if one is.
        similar: Option<String>,
    },
    /// Its title is known, but at other addresses.
    Address,
    /// Its title is known, but with another certificate.
    Certificate {
        /// SHA-256 of the certificate that it showed, if it did.
        shown: Option<String>,
    },
    /// Every place is taken.
    Congestion,
    /// It may do nothing of what it asked for.
    NothingOffered,
    /// It was accepted, and no service on it: this node has none of the SOP classes, or none of the transfer syntaxes for them.
    Unsupported {
        /// Whether a SOP class of them is known here.
        is_class_known: bool,
    },
    /// TLS could not be agreed on, so that its title is not known.
    Handshake(HandshakeFault),
    /// It asked in a way that the standard does not allow.
    Protocol(String),
}

/// Why TLS could not be agreed on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum HandshakeFault {
    /// The peer showed no certificate.
    NoCertificate,
    /// It showed one of an authority that is not known, or one that has expired.
    Certificate,
    /// It does not speak TLS.
    NoTls,
    /// It declined this node's certificate or terms.
    Declined,
    /// Anything else, in the words of the TLS library.
    Other(String),
}

impl Refusal {
    /// The peer that a rule would have to name to allow it: its title and address. `None` where a rule does not help, or where it takes
    /// more than title and address to be sure of the peer.
    pub fn peer_to_allow(&self) -> Option<(&str, IpAddr)> {
        match self.reason {
            RefusalReason::CallingTitle { .. } | RefusalReason::Address if !self.calling.is_empty() => {
                Some((&self.calling, self.address.ip().to_canonical()))
            }
            _ => None,
        }
    }

    /// What would allow it, for an administrator.
    pub fn remedy(&self) -> String {
        let host = self.address.ip();
        match &self.reason {
            RefusalReason::CalledTitle { own } => {
                let case = if own.eq_ignore_ascii_case(&self.called) { " (titles are case-sensitive)" } else { "" };
                format!(
                    "did you mean {own}?{case} Set the called AE title to {own} at the peer, or this node's to {called} by \
                     `--ae-title {quoted}`",
                    called = self.called,
                    quoted = in_shell(&self.called)
                )
            }
            RefusalReason::CallingTitle { similar: Some(similar) } => format!(
                "did you mean {similar}? Set the peer's title to {similar}, or add: [[peer]] ae_title = \"{}\", host = \"{host}\", \
                 may = [\"store\"]",
                self.calling
            ),
            RefusalReason::CallingTitle { similar: None } => format!(
                "to allow it, add: [[peer]] ae_title = \"{}\", host = \"{host}\", may = [\"store\"]",
                self.calling
            ),
            RefusalReason::Address => {
                format!("if the peer has moved, set host = \"{host}\" in the [[peer]] of {}", self.calling)
            }
            RefusalReason::Certificate { shown: Some(shown) } => {
                format!("if the peer has a new certificate, set certificate = \"{shown}\" in its [[peer]]")
            }
            RefusalReason::Certificate { shown: None } => {
                "the peer must show a certificate: switch TLS client authentication on at the peer".to_owned()
            }
            RefusalReason::Congestion => "raise the limit of associations, or send over fewer at once".to_owned(),
            RefusalReason::NothingOffered => {
                format!("if the peer may do this, add it to `may` in the [[peer]] of {}", self.calling)
            }
            RefusalReason::Unsupported { is_class_known: false } => {
                "send films (CR, DX) and what the conformance statement lists: other SOP classes are not taken here".to_owned()
            }
            RefusalReason::Unsupported { is_class_known: true } => {
                "switch Explicit VR Little Endian or another transfer syntax of the conformance statement on at the peer".to_owned()
            }
            RefusalReason::Handshake(HandshakeFault::NoCertificate) => {
                "the peer must show a certificate: switch TLS client authentication on at the peer".to_owned()
            }
            RefusalReason::Handshake(HandshakeFault::Certificate) => {
                "add the authority of the peer's certificate to the file of [tls] authorities, or renew the certificate at the peer".to_owned()
            }
            RefusalReason::Handshake(HandshakeFault::Declined) => {
                "give the peer the authority of this node's certificate, and check that both know a common TLS version".to_owned()
            }
            RefusalReason::Handshake(HandshakeFault::NoTls | HandshakeFault::Other(_)) | RefusalReason::Protocol(_) => "check that the peer speaks DICOM, and TLS where this port does".to_owned(),
        }
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { calling, called, .. } = self;
        match &self.reason {
            RefusalReason::CalledTitle { own } => {
                write!(f, "{calling} called {called}, but this node's AE title is {own}")
            }
            RefusalReason::CallingTitle { .. } => write!(f, "the calling AE title {calling} is not known here"),
            RefusalReason::Address => write!(f, "{calling} is not known at {}", self.address.ip()),
            RefusalReason::Certificate { .. } => {
                write!(f, "{calling} did not show the certificate that is known of it")
            }
            RefusalReason::Congestion => write!(f, "every place for an association is taken"),
            RefusalReason::NothingOffered => write!(f, "{calling} may do nothing of what it asked for"),
            RefusalReason::Unsupported { is_class_known: false } => {
                write!(f, "{calling} asked for no SOP class that is taken here")
            }
            RefusalReason::Unsupported { is_class_known: true } => {
                write!(f, "{calling} offered no transfer syntax that is taken here")
            }
            RefusalReason::Handshake(HandshakeFault::NoCertificate) => write!(f, "a peer showed no certificate"),
            RefusalReason::Handshake(HandshakeFault::Certificate) => {
                write!(f, "a peer showed a certificate that cannot be trusted here")
            }
            RefusalReason::Handshake(HandshakeFault::NoTls) => write!(f, "a peer did not begin with TLS"),
            RefusalReason::Handshake(HandshakeFault::Declined) => {
                write!(f, "a peer declined this node's certificate or TLS")
            }
            RefusalReason::Handshake(HandshakeFault::Other(what)) => write!(f, "TLS failed: {what}"),
            RefusalReason::Protocol(what) => write!(f, "a peer sent {what}"),
        }
    }
}

/// A peer's title as one word of a shell.
fn in_shell(title: &str) -> String {
    let is_plain = title.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.'));
    if is_plain { title.to_owned() } else { format!("'{}'", title.replace('\'', "'\\''")) }
}

/// The known title most like another: the same but for case, or with at most two characters of difference.
pub(crate) fn similar<'a>(title: &str, known: impl Iterator<Item = &'a str>) -> Option<String> {
    let title = title.to_ascii_uppercase();
    let near =
        known.map(|name| (distance(&title, &name.to_ascii_uppercase()), name)).min_by_key(|(distance, _)| *distance)?;
    (near.0 <= 2 && near.0 < title.len()).then(|| near.1.to_owned())
}

/// Levenshtein's distance.
fn distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.chars().enumerate() {
        let mut corner = row[0];
        row[0] = i + 1;
        for (j, y) in b.iter().enumerate() {
            let change = corner + usize::from(x != *y);
            corner = row[j + 1];
            row[j + 1] = change.min(row[j] + 1).min(corner + 1);
        }
    }
    row[b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn near_titles_are_found() {
        let known = ["COXA", "MODALITY1"];
        assert_eq!(similar("coxa", known.into_iter()).as_deref(), Some("COXA"));
        assert_eq!(similar("MODALITY_1", known.into_iter()).as_deref(), Some("MODALITY1"));
        assert_eq!(similar("ORTHANC", known.into_iter()), None);
        assert_eq!(similar("AB", ["CD"].into_iter()), None);
    }
}
