//! Coxa beside the PACS: a film arrives, is read, and its result is back in the film's study.
//!
//! - [`Config`]: a node's settings.
//! - [`receive`]: C-STORE, STOW-RS and watched folders; every byte is kept under its hash before an answer.
//! - [`read`]: jobs, the network, results in one transaction with their objects.
//! - [`send`]: objects to destinations, each status kept.
//! - [`commit`]: storage commitment's answers.
//! - [`http`]: `/health`, `/ready`, `/metrics`, `/dicom-web`, `/api/v1`, `/fhir`.
//! - [`people`]: accounts, sign-in, and the one table of who may do what.
//! - [`monitor`]: what films and scores are like over time, and recalibration on films that the hospital labeled.
//! - [`labeling`]: films labeled by reviewers, heat maps judged, and the dataset that comes of it.
//! - [`trial`]: a randomized trial of the reader: shown or withheld results.
//! - [`audit`]: what was done, in a chain that shows any change.
//! - [`db`]: one SQL text for SQLite and PostgreSQL; work that waits in rows.
//! - [`backup`]: a copy of all of it, and the way back.
//! - [`conformance`]: the DICOM conformance statement.
//! - [`node`]: all of it in one process, and its graceful end.
//!
//! Research use only; not a medical device.

mod addresses;
pub mod audit;
pub mod backup;
pub mod check;
mod collections;
pub mod commit;
pub mod config;
pub mod conformance;
pub mod db;
mod error;
pub mod http;
mod keep;
pub mod labeling;
mod language;
pub mod log;
pub mod metrics;
pub mod monitor;
pub mod node;
mod pages;
pub mod people;
mod push;
pub mod read;
pub mod readers;
pub mod receive;
pub mod results;
mod secret;
pub mod send;
pub mod store;
pub mod trial;
mod visible;

pub use config::{Config, ConfigError};
pub use error::NodeError;
pub use node::Node;
pub use secret::secret;
