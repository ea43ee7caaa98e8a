//! Coxa beside the PACS: a film arrives, is read, and its result is back in the film's study.
//!
//! - [`Config`]: what a node is told.
//! - [`receive`]: C-STORE, STOW-RS and watched folders; every byte is kept under its hash before an answer.
//! - [`read`]: jobs, the network, results in one transaction with their objects.
//! - [`send`]: objects to destinations, each status kept.
//! - [`commit`]: storage commitment's answers.
//! - [`http`]: `/health`, `/ready`, `/metrics`, `/dicom-web`, `/api/v1`, `/fhir`.
//! - [`db`]: one SQL text for SQLite and PostgreSQL; work that waits in rows.
//! - [`backup`]: a copy of all of it, and the way back.
//! - [`node`]: all of it in one process, and its graceful end.
//!
//! Research use only; not a medical device.

pub mod backup;
pub mod commit;
pub mod config;
pub mod db;
pub mod http;
pub mod log;
pub mod metrics;
pub mod node;
mod pages;
pub mod read;
pub mod receive;
pub mod results;
mod secret;
pub mod send;
pub mod store;

pub use config::{Config, ConfigError};
pub use node::{Node, NodeError};
pub use secret::secret;
