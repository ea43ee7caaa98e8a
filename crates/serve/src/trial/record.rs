//! What the audit log has of randomizations: that a patient was randomized, and a seal of the arm that the secret opens later.

use crate::audit::{Deed, Event, Log, Who};
use crate::db::{Database, Randomization};
use crate::error::NodeError;

/// Adds an entry for each randomization that has none yet. A randomization is written with its film's result; a node that is
/// killed before the entry adds it at its next start.
///
/// # Errors
/// When the database or the log fails; what is missing is added the next time.
pub async fn record_randomizations(db: &Database, audit: &Log, node: &str) -> Result<(), NodeError> {
    for Randomization { patient, trial, seq, stratum, place, seal, film } in db.unrecorded_randomizations().await? {
        let event = Event::new(Deed::PatientRandomized, Who::node(node))
            .with("trial", trial)
            .with("number", seq)
            .with("stratum", stratum)
            .with("place", place)
            .with("seal", seal);
        audit.add(film.map_or(event.clone(), |film| event.on(film))).await?;
        db.randomization_recorded(patient).await?;
    }
    Ok(())
}
