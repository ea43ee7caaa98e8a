//! The whole chain, entry by entry: number, hash, signature, columns, and at last the head.

use super::chain::{BEGIN, Body, hash};
use super::keys::{Head, is_signed};
use crate::db::{AuditQuery, AuditRow, Database, DbError};

/// Rows that are fetched at once.
const PAGE: i64 = 1000;
/// Faults that are named; a chain with more is not worth more lines.
const MOST: usize = 20;

/// Something that is not as it was written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    /// The entry's number.
    pub seq: i64,
    /// What is wrong with it.
    pub what: String,
}

impl std::fmt::Display for Fault {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "entry {}: {}", self.seq, self.what)
    }
}

/// What a verification found.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Report {
    /// Entries that are there.
    pub entries: i64,
    /// The last one's number and hash.
    pub head: (i64, String),
    /// What is wrong, the first twenty.
    pub faults: Vec<Fault>,
    /// What could not be checked, and what would allow it.
    pub unchecked: Vec<String>,
}

impl Report {
    /// Whether nothing is wrong.
    pub fn is_sound(&self) -> bool {
        self.faults.is_empty()
    }

    fn fault(&mut self, seq: i64, what: impl Into<String>) {
        if self.faults.len() < MOST {
            self.faults.push(Fault { seq, what: what.into() });
        }
    }
}

/// Verifies the chain. `trusted` are the public keys whose signatures count: this node's, and those of the nodes that share the database.
/// `heads` are what was written down apart from the database.
///
/// # Errors
/// When the database fails.
pub async fn verify(db: &Database, trusted: &[String], heads: &[Head]) -> Result<Report, DbError> {
    let mut report = Report::default();
    let (mut seq, mut before) = (0, BEGIN.to_owned());
    let (stated, stated_hash) = db.audit_head().await?;
    let mut found = vec![None; heads.len()];
    'all: loop {
        let rows = db.audit_after(&AuditQuery::default(), seq, PAGE).await?;
        for row in &rows {
            // Entries that were added after the verification began wait for the next one.
            if row.seq > stated && heads.iter().all(|head| row.seq > head.seq) {
                break 'all;
            }
            if row.seq != seq + 1 {
                let gap = if row.seq == seq + 2 {
                    "is missing".into()
                } else {
                    format!("and those up to {} are missing", row.seq - 1)
                };
                report.fault(seq + 1, gap);
            }
            entry(row, &before, trusted, &mut report);
            for (head, found) in heads.iter().zip(&mut found) {
                if head.seq == row.seq {
                    *found = Some(row.hash == head.hash);
                }
            }
            (seq, report.entries) = (row.seq, report.entries + 1);
            before.clone_from(&row.hash);
        }
        if (rows.len() as i64) < PAGE {
            break;
        }
    }
    if seq < stated {
        report.fault(seq + 1, format!("is missing: the log states {stated} as its last entry"));
    } else if stated_hash != before && seq == stated {
        report.fault(stated, "the log states another hash for its last entry");
    } else if seq > stated {
        report.fault(seq, format!("the log states {stated} as its last entry"));
    }
    for (head, found) in heads.iter().zip(found) {
        check_head(head, found, trusted, &mut report);
    }
    report.head = (seq, before);
    Ok(report)
}

fn entry(row: &AuditRow, before: &str, trusted: &[String], report: &mut Report) {
    if hash(before, &row.body) != row.hash {
        report.fault(
            row.seq,
            "its hash does not follow from its text and the entry before it: one of them was changed or exchanged",
        );
    } else if !trusted.contains(&row.key) {
        report.fault(row.seq, format!("is signed by the key {}, which is not known here", row.key));
    } else if !is_signed(&row.key, &row.hash, &row.signature) {
        report.fault(row.seq, "its signature is not that of its key");
    }
    match serde_json::from_str::<Body>(&row.body) {
        Ok(body) => {
            let written = (body.seq, body.at, body.action.as_str(), body.who.id, body.film.unwrap_or(0));
            if written != (row.seq, row.at, row.action.as_str(), row.person, row.film) {
                report.fault(row.seq, "its columns say something else than its text");
            }
        }
        Err(_) => report.fault(row.seq, "its text cannot be read"),
    }
}

fn check_head(head: &Head, found: Option<bool>, trusted: &[String], report: &mut Report) {
    if !head.is_signed() || !trusted.contains(&head.key) {
        report.fault(head.seq, "the head that was kept apart is not signed by a key that is known here");
        return;
    }
    match found {
        Some(true) => {}
        Some(false) => {
            report.fault(head.seq, "has another hash than the head that was kept apart: the chain was written anew")
        }
        None if head.seq == 0 => {}
        None => report
            .fault(head.seq, "is missing, and the head that was kept apart states it: the chain was cut at its end"),
    }
}
