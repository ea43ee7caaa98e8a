//! Refusals on their way to the database: the same ones are counted in memory and written together, so that a flood of them costs neither
//! memory nor a write each.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::{Notify, watch};

use crate::db::{Database, SeenRefusal};

/// How long refusals are gathered after those of before were written.
const PAUSE: Duration = Duration::from_millis(500);
/// Different ones that are gathered at once; any more are in the log and the figures alone.
const MOST: usize = 1000;

/// Calling title, called title, address and reason: a row of the database.
type Key = (String, String, String, String);

/// Refusals that are not written yet.
#[derive(Debug, Default)]
pub struct Refusals {
    waiting: Mutex<HashMap<Key, SeenRefusal>>,
    wake: Notify,
}

impl Refusals {
    /// Takes a refusal; it is written soon.
    pub fn add(&self, refused: SeenRefusal) {
        let key = (refused.calling.clone(), refused.called.clone(), refused.address.clone(), refused.reason.clone());
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(before) = waiting.get_mut(&key) {
            *before = SeenRefusal { first_at: before.first_at, times: before.times + refused.times, ..refused };
        } else if waiting.len() < MOST {
            waiting.insert(key, refused);
        }
        drop(waiting);
        self.wake.notify_one();
    }

    /// Writes what waits until `stop`, and what is left then.
    pub async fn keep(&self, db: &Database, mut stop: watch::Receiver<bool>) {
        loop {
            let is_stopped = tokio::select! {
                () = self.wake.notified() => false,
                _ = stop.wait_for(|stop| *stop) => true,
            };
            self.write(db).await;
            if is_stopped {
                return;
            }
            tokio::select! {
                () = tokio::time::sleep(PAUSE) => {}
                _ = stop.wait_for(|stop| *stop) => {}
            }
        }
    }

    async fn write(&self, db: &Database) {
        let taken = std::mem::take(&mut *self.waiting.lock().unwrap_or_else(PoisonError::into_inner));
        if taken.is_empty() {
            return;
        }
        let refused: Vec<SeenRefusal> = taken.into_values().collect();
        if let Err(error) = db.note_refusals(&refused).await {
            tracing::error!("refusals could not be noted: {error}");
            // They wait for the next time, beside those that came meanwhile.
            refused.into_iter().for_each(|one| self.add(one));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refusal(calling: &str, at: i64) -> SeenRefusal {
        SeenRefusal {
            id: 0,
            calling: calling.into(),
            called: "COXA".into(),
            address: "10.0.0.1".into(),
            reason: "why".into(),
            asked: String::new(),
            implementation: String::new(),
            remedy: String::new(),
            is_allowable: false,
            first_at: at,
            last_at: at,
            times: 1,
        }
    }

    #[tokio::test]
    async fn a_flood_is_counted_in_a_few_rows() {
        let folder = tempfile::tempdir().unwrap();
        let db = Database::in_folder(folder.path()).await.unwrap();
        let refusals = Refusals::default();
        for at in 0..100_000 {
            refusals.add(refusal("A", at));
            refusals.add(refusal(&format!("B{at}"), at));
        }
        assert_eq!(refusals.waiting.lock().unwrap().len(), MOST, "memory does not grow with the flood");
        refusals.write(&db).await;
        refusals.add(refusal("A", 200_000));
        refusals.write(&db).await;
        let seen = db.refusals(10).await.unwrap();
        let most = seen.iter().find(|seen| seen.calling == "A").unwrap();
        assert_eq!((most.times, most.first_at, most.last_at), (100_001, 0, 200_000));
        // Rows stay bounded, too, though each writing brings as many new ones as there may be.
        for round in 0..3 {
            (0..MOST).for_each(|index| refusals.add(refusal(&format!("{round}-{index}"), 300_000)));
            refusals.write(&db).await;
        }
        assert!(db.refusals(10_000).await.unwrap().len() <= MOST);
    }
}
