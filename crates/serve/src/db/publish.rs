//! A film's result, written with its objects and the rows of the sending queue where every page, interface, queue and figure reads it.
//!
//! Two call it: the end of a reading, for a result that no trial withholds, and the opening of one that was withheld.

use serde::{Deserialize, Serialize};
use sqlx::AnyConnection;

use super::films::{enqueue, insert};
use super::{DbError, FilmState, JobKind, NewObject, now};

/// The result of a film.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Outcome {
    /// Whether it is called positive.
    pub is_positive: bool,
    /// Why it was not read, in words for a physician.
    pub not_read: Option<String>,
    /// The short hash of the network.
    pub model: String,
    /// How long reading took.
    pub milliseconds: i64,
    /// The prediction as JSON.
    pub prediction: String,
    /// The network's own output, before temperature and sigmoid, of a film that was read.
    pub logit: Option<f32>,
    /// The probability of a film that was read.
    pub probability: Option<f64>,
    /// The calibration's row; 0 for the bundle's own.
    pub calibration: i64,
    /// Whether the result is pushed to a FHIR server.
    pub is_pushed: bool,
}

/// Writes a result with its objects where everything reads them; nothing else does.
pub(super) async fn publish(
    connection: &mut AnyConnection,
    film: i64,
    outcome: &Outcome,
    objects: &[NewObject],
) -> Result<(), DbError> {
    let state = if outcome.not_read.is_some() { FilmState::NotRead } else { FilmState::Read };
    sqlx::query("UPDATE instance SET state = $1, is_positive = $2 WHERE id = $3")
        .bind(state.as_str())
        .bind(i64::from(outcome.is_positive))
        .bind(film)
        .execute(&mut *connection)
        .await?;
    sqlx::query(
        "INSERT INTO reading (film_id, read_at, milliseconds, not_read, model, prediction, probability, logit, calibration_id) \
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9) ON CONFLICT (film_id) DO NOTHING",
    )
    .bind(film)
    .bind(now())
    .bind(outcome.milliseconds)
    .bind(outcome.not_read.clone().unwrap_or_default())
    .bind(outcome.model.clone())
    .bind(outcome.prediction.clone())
    .bind(outcome.probability)
    .bind(outcome.logit.map(f64::from))
    .bind(outcome.calibration)
    .execute(&mut *connection)
    .await?;
    if outcome.is_pushed {
        enqueue(connection, JobKind::Fhir, film, "").await?;
    }
    for object in objects {
        let kind = object.kind.as_str();
        // A UID that is taken is the same object's, of a reading before.
        let Some(id) = insert(connection, &object.attributes, kind, Some(film)).await? else { continue };
        if object.is_copied {
            enqueue(connection, JobKind::Copy, id, &object.attributes.home).await?;
        }
        for destination in &object.destinations {
            sqlx::query(
                "INSERT INTO send (object_id, destination, priority, state, run_at, lease_until, lease_owner, attempts, status, \
                 explained, done_at) VALUES ($1, $2, $3, 'due', 0, 0, '', 0, -1, '', 0) ON CONFLICT (object_id, destination) DO NOTHING",
            )
            .bind(id)
            .bind(destination.clone())
            .bind(i64::from(outcome.is_positive))
            .execute(&mut *connection)
            .await?;
        }
    }
    Ok(())
}
