//! From a registry and a PACS to de-identified films: each injury's frontal films of the pelvis and hip, and limb films for pretraining.
//!
//! Where to start reading: [`collect()`] (`run.rs`), then one injury (`row.rs`), then what decides on a film (`judge.rs`, by
//! [`Rules`]) and among several (`choose.rs`). [`check()`] tries the PACS first and explains what it answers.
//!
//! Nothing that identifies a patient reaches the disk: films are de-identified in memory, the journal names patients by their
//! pseudonyms and instances by their derived UIDs, and what a PACS answers is never quoted. The one exception is a folder for identified
//! films that the caller names.
//!
//! A run may be killed at any moment: the journal (`journal.rs`) has a line for each serial number and each injury, and a run with the same key
//! and rules goes on from there.

mod archive;
mod attributes;
mod check;
mod choose;
mod error;
mod fault;
mod journal;
mod judge;
mod keys;
mod objects;
mod outputs;
mod pace;
mod peer;
mod progress;
mod reason;
mod receive;
mod report;
mod row;
mod rules;
mod run;
mod search;
mod summary;
mod terms;
mod web;

pub use archive::Source;
pub use check::{Step, check};
pub use error::CollectError;
pub use journal::{FilmRecord, RowOutcome, RowRecord};
pub use outputs::{FILMS_TABLE, JOURNAL, REGISTRY_TABLE, REPORT_PAGE, REPORT_TABLE};
pub use progress::Progress;
pub use reason::Reason;
pub use rules::Rules;
pub use run::{Event, LinkRequest, Request, collect};
pub use summary::Summary;
