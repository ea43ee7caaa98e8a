//! DICOM's network: associations under one policy, command sets, and the C- and N-services in both roles.
//!
//! - [`Policy`]: who may do what, in which transfer syntax, how much, and how long. [`accept()`] judges an association request by it,
//!   and keeps every [`Refusal`] with the line of configuration that would allow it.
//! - [`Server`] and [`Handler`]: a service class provider (C-ECHO, C-STORE, C-FIND, C-GET, C-MOVE, N-ACTION, N-EVENT-REPORT).
//! - [`connect`] and [`Association`]: a service class user (C-ECHO, C-STORE, C-FIND, C-MOVE, C-GET).
//! - [`query`]: the identifiers that C-FIND, C-MOVE and C-GET ask by.
//! - [`commitment`]: storage commitment in both roles.
//! - [`send`]: files to a peer, with retries.
//! - `web` (feature `web`): a DICOMweb client.
//! - [`tls`]: TLS by rustls, mutual where asked.
//!
//! PDUs are encoded and decoded by `dicom-ul`; everything above them is here. A PDU's first six bytes are judged before any room is
//! made for it, no text of a peer becomes a path or part of a log line, and no peer holds a place longer than the policy allows.

mod accept;
mod association;
mod client;
pub mod command;
pub mod commitment;
mod dataset;
mod error;
pub mod file;
mod policy;
mod provide;
pub mod query;
mod refusal;
pub mod send;
mod server;
mod status;
pub mod tls;
mod uid;
#[cfg(feature = "web")]
pub mod web;

pub use accept::{Origin, accept};
pub use association::{Association, Connection, Context, Incoming, Peer};
pub use client::{
    Call, Denial, Direction, EXPLICIT_VR, IMPLICIT_VR, Object, Proposal, SubOperations, VERIFICATION, connect,
    interactive,
};
pub use error::{DimseError, Malformed};
pub use policy::{Deadlines, Limits, Offer, PeerRule, Permission, Policy};
pub use provide::Query;
pub use refusal::{HandshakeFault, Refusal, RefusalReason};
pub use server::{Data, Handler, Server, StoreRequest};
pub use status::{Outcome, Status};
pub use uid::Uid;
