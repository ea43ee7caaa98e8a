//! What the handlers of the web interfaces share.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use axum::extract::State;

use super::caller::Caller;
use crate::audit::{AuditError, Deed, Event, Log, Sight, Sights, Who};
use crate::config::Config;
use crate::db::Database;
use crate::metrics::Metrics;
use crate::people::{Passwords, Throttle, Vault};
use crate::receive::{Admission, Intake};
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
    /// Which peers may open associations.
    pub admission: Admission,
    /// What was done.
    pub audit: Log,
    /// Which films a person has seen a moment ago.
    pub sights: Sights,
    /// Hashes passwords, few at a time.
    pub passwords: Passwords,
    /// Seals the second factors' secrets.
    pub vault: Vault,
    /// Who must wait after wrong passwords.
    pub throttle: Throttle,
    /// Woken when something may be sent again.
    pub outbox: Arc<tokio::sync::Notify>,
    /// Whether the node takes films.
    pub is_ready: AtomicBool,
}

impl App {
    /// Records that a caller sees a film, unless it was recorded a moment ago.
    pub(crate) async fn saw(&self, caller: &Caller, sight: Sight, event: Event) -> Result<(), AuditError> {
        let person = caller.asker.person().map_or(0, |person| person.id);
        if self.sights.is_new(person, sight) {
            self.audit.add(event).await?;
            self.sights.keep(person, [sight]);
        }
        Ok(())
    }

    /// Records that a caller opens a film; its pixels, which come in parts, belong to it.
    pub(crate) async fn opened(&self, caller: &Caller, sight: Sight, event: Event) -> Result<(), AuditError> {
        self.audit.add(event).await?;
        self.sights.keep(caller.asker.person().map_or(0, |person| person.id), [sight]);
        Ok(())
    }

    /// Something that the node itself did.
    pub(crate) fn of_node(&self, deed: Deed) -> Event {
        Event::new(deed, Who::node(&self.config.node_name()))
    }
}

/// The handlers' state.
pub type Shared = State<Arc<App>>;
