//! What the handlers of the web interfaces share.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use axum::extract::State;

use crate::config::Config;
use crate::db::Database;
use crate::metrics::Metrics;
use crate::receive::Intake;
use crate::store::Store;

/// What the handlers share.
#[derive(Debug)]
pub struct App {
    /// The configuration.
    pub config: Config,
    /// The database.
    pub db: Database,
    /// The films.
    pub store: Store,
    /// The figures.
    pub metrics: Arc<Metrics>,
    /// How films are taken in.
    pub intake: Intake,
    /// Woken when something may be sent again.
    pub outbox: Arc<tokio::sync::Notify>,
    /// Whether the node takes films.
    pub is_ready: AtomicBool,
}

/// The handlers' state.
pub type Shared = State<Arc<App>>;
