//! What the pages keep between requests: the summary of a second, the film that is being viewed, the network's card.

use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use bytes::Bytes;
use coxa_model::Card;
use tokio::sync::{Mutex, OnceCell};

use super::tiles::Values;
use crate::config::Config;
use crate::db::{Database, DbError, Summary, now};

/// The summary is counted at most this often, however many look at it.
const FRESH: Duration = Duration::from_secs(1);
const DAY: i64 = 86_400_000_000;
/// Films that stay decoded: those of two viewers who go back and forth; each is up to some tens of megabytes.
const OPENED: usize = 3;

/// A film that was decoded for the viewer.
#[derive(Debug)]
pub(super) struct Opened {
    /// A PNG in the film's true shape, of screen size.
    pub(super) preview: Bytes,
    pub(super) values: Values,
    overview: OnceLock<Bytes>,
}

impl Opened {
    pub(super) fn new(preview: Bytes, values: Values) -> Self {
        Self { preview, values, overview: OnceLock::new() }
    }

    /// [`Values::overview`], made when it is first asked for: the picture does not wait for it.
    pub(super) fn overview(&self) -> Bytes {
        self.overview.get_or_init(|| self.values.overview()).clone()
    }
}

/// What the pages keep between requests.
#[derive(Debug, Default)]
pub(super) struct Desk {
    summary: Mutex<Option<(Instant, Summary)>>,
    opened: Mutex<Vec<(String, Arc<Opened>)>>,
    turn: Mutex<()>,
    deciding: Mutex<()>,
    network: OnceCell<Option<(Card, String)>>,
}

impl Desk {
    /// The summary of the last 24 hours, at most a second old.
    pub(super) async fn summary(&self, db: &Database) -> Result<Summary, DbError> {
        let mut kept = self.summary.lock().await;
        if let Some((at, summary)) = *kept
            && at.elapsed() < FRESH
        {
            return Ok(summary);
        }
        let summary = db.summary(now() - DAY).await?;
        *kept = Some((Instant::now(), summary));
        Ok(summary)
    }

    /// Held while a film is decoded.
    pub(super) async fn turn(&self) -> tokio::sync::MutexGuard<'_, ()> {
        self.turn.lock().await
    }

    /// Held while a table of decisions about withheld films is changed.
    pub(super) async fn deciding(&self) -> tokio::sync::MutexGuard<'_, ()> {
        self.deciding.lock().await
    }

    /// A decoded film by the hash of its file.
    pub(super) async fn opened(&self, sha256: &str) -> Option<Arc<Opened>> {
        let mut all = self.opened.lock().await;
        let place = all.iter().position(|(hash, _)| hash == sha256)?;
        let found = all.remove(place);
        let film = Arc::clone(&found.1);
        all.insert(0, found);
        Some(film)
    }

    /// Keeps a decoded film; the one that was wanted longest ago goes.
    pub(super) async fn keep(&self, sha256: &str, film: Arc<Opened>) {
        let mut all = self.opened.lock().await;
        all.retain(|(hash, _)| hash != sha256);
        all.insert(0, (sha256.to_owned(), film));
        all.truncate(OPENED);
    }

    /// The card and the short hash of the network that is configured; `None` where it cannot be read.
    pub(super) async fn network(&self, config: &Config) -> Option<&(Card, String)> {
        let read = || async {
            let folder = config.network.bundle.clone();
            let opened = tokio::task::spawn_blocking(move || match folder {
                Some(folder) => coxa_model::Bundle::load(&folder),
                None => coxa_model::Bundle::shipped(),
            });
            match opened.await {
                Ok(Ok(bundle)) => Some((bundle.card().clone(), bundle.short_hash().to_owned())),
                Ok(Err(error)) => {
                    tracing::warn!("the network's card cannot be read for the pages: {error}");
                    None
                }
                Err(_) => None,
            }
        };
        self.network.get_or_init(read).await.as_ref()
    }
}
