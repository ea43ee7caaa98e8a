//! Adds entries, many in one transaction where many come at once.

use std::collections::VecDeque;

use tokio::sync::{mpsc, oneshot};

use super::chain;
use super::event::Event;
use super::keys::Keys;
use crate::db::{Database, now};

/// Entries that wait to be written; more must wait with their requests.
const QUEUE: usize = 1024;
/// Entries of a transaction.
const TOGETHER: usize = 256;

/// An entry that could not be written; what it was to record must not happen.
#[derive(Debug, Clone, thiserror::Error)]
#[error("the audit log: {0}")]
pub struct AuditError(String);

type Waiting = (Event, i64, oneshot::Sender<Result<(), AuditError>>);

/// The audit log of a node.
#[derive(Debug, Clone)]
pub struct Log {
    queue: mpsc::Sender<Waiting>,
    keys: Keys,
}

impl Log {
    /// Begins a node's log; it ends with the last clone.
    pub fn begin(db: Database, keys: Keys, node: &str) -> Self {
        let (queue, mut waiting) = mpsc::channel::<Waiting>(QUEUE);
        let (signing, node) = (keys.clone(), node.to_owned());
        tokio::spawn(async move {
            let mut batch = Vec::new();
            while waiting.recv_many(&mut batch, TOGETHER).await > 0 {
                write(&db, &signing, &node, std::mem::take(&mut batch)).await;
            }
        });
        Self { queue, keys }
    }

    /// Adds an entry; it has reached the disk when this returns.
    ///
    /// # Errors
    /// When it could not be written. Then the deed must not go on.
    pub async fn add(&self, event: Event) -> Result<(), AuditError> {
        let (done, answer) = oneshot::channel();
        let gone = || AuditError("it has ended".into());
        self.queue.send((event, now(), done)).await.map_err(|_| gone())?;
        answer.await.map_err(|_| gone())?
    }

    /// Adds entries, in their order; all have reached the disk when this returns.
    ///
    /// # Errors
    /// When one could not be written.
    pub async fn add_all(&self, events: Vec<Event>) -> Result<(), AuditError> {
        futures_util::future::try_join_all(events.into_iter().map(|event| self.add(event))).await.map(drop)
    }

    /// The node's key.
    pub fn keys(&self) -> &Keys {
        &self.keys
    }
}

async fn write(db: &Database, keys: &Keys, node: &str, batch: Vec<Waiting>) {
    let (events, answers): (VecDeque<(Event, i64)>, Vec<_>) =
        batch.into_iter().map(|(event, at, answer)| ((event, at), answer)).unzip();
    let written = db
        .append_audit(events.len(), |index, seq, before| {
            let (event, at) = events[index].clone();
            chain::row(event, at, node, seq, before, keys)
        })
        .await;
    let written = match written {
        Ok(head) => head.map_or(Ok(()), |(seq, hash)| keys.keep_head(seq, &hash).map_err(|error| error.to_string())),
        Err(error) => Err(error.to_string()),
    };
    if let Err(error) = &written {
        tracing::error!("the audit log cannot be written: {error}");
    }
    for answer in answers {
        // Whoever asked may be gone; the entry stays.
        let _ = answer.send(written.clone().map_err(AuditError));
    }
}
