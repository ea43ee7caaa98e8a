//! An entry as bytes, its hash, and its place in the chain.
//!
//! The body is JSON with the fields in the order of [`Body`], details sorted by key, and no space between. The hash is
//! `SHA-256(hash of the entry before ‖ "\n" ‖ body)`, both hashes as hexadecimal digits; before the first one stand 64 zeros. The
//! signature is Ed25519 over the hash's digits.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::event::{Event, Outcome, Who};
use super::keys::Keys;
use crate::db::AuditRow;

/// The hash before the first entry.
pub const BEGIN: &str = "0000000000000000000000000000000000000000000000000000000000000000";

/// An entry as it is written.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Body {
    /// Its number, from 1.
    pub seq: i64,
    /// When, microseconds since 1970.
    pub at: i64,
    /// The node that wrote it.
    pub node: String,
    /// What was done.
    pub action: String,
    /// How it ended.
    pub outcome: Outcome,
    /// Who did it.
    pub who: Who,
    /// The address it came from.
    pub address: String,
    /// The film's row.
    pub film: Option<i64>,
    /// What else there is to know.
    pub detail: BTreeMap<String, String>,
}

/// The hash of an entry.
pub fn hash(before: &str, body: &str) -> String {
    coxa_files::sha256(format!("{before}\n{body}").as_bytes())
}

/// The row of an event.
pub(super) fn row(event: Event, at: i64, node: &str, seq: i64, before: &str, keys: &Keys) -> AuditRow {
    let (action, person, film) = (event.deed.as_str().to_owned(), event.who.id, event.film);
    let body = Body {
        seq,
        at,
        node: node.to_owned(),
        action: action.clone(),
        outcome: event.outcome,
        who: event.who,
        address: event.address,
        film,
        detail: event.detail,
    };
    // Texts and numbers always become JSON.
    let body = serde_json::to_string(&body).unwrap_or_default();
    let hash = hash(before, &body);
    let signature = keys.sign(&hash);
    AuditRow { seq, at, action, person, film: film.unwrap_or(0), body, hash, key: keys.public().to_owned(), signature }
}
