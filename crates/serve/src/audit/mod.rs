//! The audit log: every sight of a film, sign-in, change, send and export, in a chain that shows any change, cut or swap.
//!
//! - [`Log`]: adds entries; what is to be recorded is on the disk before it is answered.
//! - [`Event`], [`Deed`]: what is recorded.
//! - [`chain`]: the hash of an entry covers the one before; the signature covers the hash.
//! - [`Keys`]: the node's signing key, and the head that is kept apart from the database, so that a cut at the end shows.
//! - [`verify()`]: the whole chain against hashes, signatures, columns and head.
//! - [`csv`], [`dicom`]: exports.
//!
//! No entry holds a patient's name, number or UID: a film is its row.

pub mod chain;
pub mod csv;
pub mod dicom;
mod event;
mod keys;
mod log;
mod sights;
mod verify;

pub use event::{Deed, Event, Outcome, Who};
pub(crate) use keys::FILES;
pub use keys::{Head, Keys};
pub use log::{AuditError, Log};
pub use sights::{Sight, Sights};
pub use verify::{Fault, Report, verify};
