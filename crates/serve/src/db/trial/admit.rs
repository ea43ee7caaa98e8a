//! The one place where it is decided whether a film's result is shown: in the transaction that writes it.
//!
//! A result that is shown goes into the tables of results, by [`publish`]. One that is withheld is sealed: it is in no table that a
//! page, an interface, a queue or a figure reads, whatever is added to them, until [`open_films`] publishes it.

use serde::{Deserialize, Serialize};
use sqlx::{AnyConnection, AssertSqlSafe, Row as _};

use super::super::publish::{Outcome, publish};
use super::super::{DbError, Dialect, FilmState, NewObject, now};
use super::state::{Trial, locked, read_json};
use crate::trial::{Allocation, Stratum, age};

/// What becomes of a result.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::db) enum Disclosure {
    /// It is for the tables of results.
    Shown,
    /// It was sealed.
    Withheld,
}

/// Whether results that are opened are sent to destinations and pushed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Sends {
    /// As if they had been read now.
    All,
    /// No: they are history.
    None,
}

/// A withheld result.
#[derive(Serialize, Deserialize)]
struct Sealed {
    outcome: Outcome,
    objects: Vec<NewObject>,
}

/// What randomization needs of a film.
struct Arrived {
    film: i64,
    received_at: i64,
    patient_id: String,
    sex: String,
    source: String,
    age: Option<u32>,
}

/// Before a patient without an ID stands this character, which no ID has.
const NOBODY: char = '\u{1}';

/// Randomizes the film's patient where that is due, and seals the result where the patient's arm is *withheld*.
pub(in crate::db) async fn admit(
    connection: &mut AnyConnection,
    dialect: Dialect,
    film: i64,
    outcome: &Outcome,
    objects: &[NewObject],
) -> Result<Disclosure, DbError> {
    let Some(trial) = locked(connection, dialect).await? else { return Ok(Disclosure::Shown) };
    let arrived = arrived(connection, film).await?;
    // What came before the trial is none of its films.
    if arrived.received_at < trial.plan.enrolls(trial.begun_at).0 {
        return Ok(Disclosure::Shown);
    }
    let Some(patient) = patient(connection, &trial, &arrived, outcome).await? else { return Ok(Disclosure::Shown) };
    if outcome.not_read.is_some() {
        // That a film is not read tells nothing of a fracture, and must be known in either arm.
        return Ok(Disclosure::Shown);
    }
    // Texts and numbers always become JSON.
    let sealed = || serde_json::to_string(&Sealed { outcome: outcome.clone(), objects: objects.to_vec() });
    let text = if patient.is_withheld { sealed().unwrap_or_default() } else { String::new() };
    sqlx::query(
        "INSERT INTO trial_film (film_id, patient, received_at, read_at, is_positive, prediction, sealed) \
         VALUES ($1, $2, $3, $4, $5, $6, $7) ON CONFLICT (film_id) DO NOTHING",
    )
    .bind(film)
    .bind(patient.row)
    .bind(arrived.received_at)
    .bind(now())
    .bind(i64::from(outcome.is_positive))
    .bind(outcome.prediction.clone())
    .bind(text)
    .execute(&mut *connection)
    .await?;
    if !patient.is_withheld {
        return Ok(Disclosure::Shown);
    }
    sqlx::query("UPDATE instance SET state = $1 WHERE id = $2")
        .bind(FilmState::Withheld.as_str())
        .bind(film)
        .execute(connection)
        .await?;
    Ok(Disclosure::Withheld)
}

async fn arrived(connection: &mut AnyConnection, film: i64) -> Result<Arrived, DbError> {
    let row = sqlx::query(
        "SELECT received_at, patient_id, patient_sex, patient_birth_date, study_date, source, metadata FROM instance WHERE id = $1",
    )
    .bind(film)
    .fetch_one(connection)
    .await?;
    let text = |column: &str| row.try_get::<String, _>(column);
    let received_at = row.try_get("received_at")?;
    Ok(Arrived {
        film,
        received_at,
        patient_id: text("patient_id")?.trim().to_owned(),
        sex: text("patient_sex")?.trim().to_owned(),
        source: text("source")?,
        age: age(&text("patient_birth_date")?, &text("study_date")?, received_at, &text("metadata")?),
    })
}

/// A randomized patient.
struct Patient {
    row: i64,
    is_withheld: bool,
}

/// The film's patient in the trial, randomized now where that is due; `None` for a patient who is not in it.
async fn patient(
    connection: &mut AnyConnection,
    trial: &Trial,
    arrived: &Arrived,
    outcome: &Outcome,
) -> Result<Option<Patient>, DbError> {
    let key = if arrived.patient_id.is_empty() {
        format!("{NOBODY}film {}", arrived.film)
    } else {
        arrived.patient_id.clone()
    };
    let known = sqlx::query(
        "SELECT id, seq, arm, unblinded_at, withdrawn_at, excluded FROM trial_patient WHERE trial_id = $1 AND patient_id = $2",
    )
    .bind(trial.id)
    .bind(key.clone())
    .fetch_optional(&mut *connection)
    .await?;
    if let Some(row) = &known {
        if row.try_get::<i64, _>("seq")? > 0 {
            let is_ended = row.try_get::<i64, _>("unblinded_at")? > 0 || row.try_get::<i64, _>("withdrawn_at")? > 0;
            let is_withheld = row.try_get::<String, _>("arm")? == "withheld" && !is_ended;
            return Ok(Some(Patient { row: row.try_get("id")?, is_withheld }));
        }
        // A patient whose films were not read may still have one that is.
        if row.try_get::<String, _>("excluded")? != NOT_READ || outcome.not_read.is_some() {
            return Ok(None);
        }
    }
    if !trial.is_enrolling(arrived.received_at) {
        return Ok(None);
    }
    let count = "SELECT COUNT(*) FROM trial_patient WHERE trial_id = $1 AND seq > 0";
    let randomized: i64 = sqlx::query(count).bind(trial.id).fetch_one(&mut *connection).await?.try_get(0)?;
    if randomized >= i64::from(trial.plan.planned) {
        return Ok(None);
    }
    let excluded = excluded(connection, trial, arrived, outcome).await?;
    let (seq, stratum, place) = match excluded {
        Some(_) => (0, String::new(), 0),
        None => {
            let stratum = stratum(trial.plan.stratum, arrived);
            let count = "SELECT COUNT(*) FROM trial_patient WHERE trial_id = $1 AND seq > 0 AND stratum = $2";
            let place = sqlx::query(count).bind(trial.id).bind(stratum.clone()).fetch_one(&mut *connection).await?;
            (randomized + 1, stratum, place.try_get::<i64, _>(0)?)
        }
    };
    let arm = match excluded {
        Some(_) => "",
        None => Allocation::new(&trial.secret, &trial.plan).arm(&stratum, place.unsigned_abs()).as_str(),
    };
    let row = sqlx::query(
        "INSERT INTO trial_patient (trial_id, patient_id, first_film_at, at, excluded, seq, stratum, place, arm, unblinded_at, \
         withdrawn_at, reason, is_recorded) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, 0, 0, '', 0) \
         ON CONFLICT (trial_id, patient_id) DO UPDATE SET first_film_at = excluded.first_film_at, at = excluded.at, \
         excluded = excluded.excluded, seq = excluded.seq, stratum = excluded.stratum, place = excluded.place, arm = excluded.arm \
         RETURNING id",
    )
    .bind(trial.id)
    .bind(key)
    .bind(arrived.received_at)
    .bind(now())
    .bind(excluded.unwrap_or_default())
    .bind(seq)
    .bind(stratum)
    .bind(place)
    .bind(arm)
    .fetch_one(connection)
    .await?;
    Ok((seq > 0).then_some(Patient { row: row.try_get(0)?, is_withheld: arm == "withheld" }))
}

const NOT_READ: &str = "no film that the network reads";

/// Why a patient is not randomized.
async fn excluded(
    connection: &mut AnyConnection,
    trial: &Trial,
    arrived: &Arrived,
    outcome: &Outcome,
) -> Result<Option<&'static str>, DbError> {
    if outcome.not_read.is_some() {
        return Ok(Some(NOT_READ));
    }
    if arrived.patient_id.is_empty() {
        return Ok(Some("no patient ID"));
    }
    let opted = sqlx::query("SELECT COUNT(*) FROM trial_opt_out WHERE trial_id = $1 AND patient_id = $2")
        .bind(trial.id)
        .bind(arrived.patient_id.clone())
        .fetch_one(connection)
        .await?;
    if opted.try_get::<i64, _>(0)? > 0 {
        return Ok(Some("opted out"));
    }
    Ok(match (trial.plan.minimum_age, arrived.age) {
        (0, _) => None,
        (_, None) => Some("age not known"),
        (least, Some(age)) => (age < least).then_some("younger than the least age"),
    })
}

fn stratum(by: Stratum, arrived: &Arrived) -> String {
    match by {
        Stratum::None => String::new(),
        Stratum::Sex => match arrived.sex.as_str() {
            sex @ ("F" | "M" | "O") => sex.to_owned(),
            _ => "unknown".to_owned(),
        },
        // Whoever sends by C-STORE is `AETITLE@address`.
        Stratum::Source => arrived.source.split('@').next().unwrap_or_default().chars().take(64).collect(),
    }
}

/// Publishes the sealed results of the patients that a condition with one parameter names.
pub(super) async fn open_films(
    connection: &mut AnyConnection,
    which: &str,
    value: i64,
    sends: Sends,
) -> Result<Vec<i64>, DbError> {
    let sql = format!(
        "SELECT film_id, sealed FROM trial_film JOIN trial_patient ON trial_patient.id = trial_film.patient \
         WHERE {which} AND sealed <> '' ORDER BY film_id"
    );
    let rows = sqlx::query(AssertSqlSafe(sql)).bind(value).fetch_all(&mut *connection).await?;
    let mut opened = Vec::new();
    for row in rows {
        let film: i64 = row.try_get("film_id")?;
        let Sealed { mut outcome, mut objects } = read_json(&row.try_get::<String, _>("sealed")?)?;
        if sends == Sends::None {
            outcome.is_pushed = false;
            objects.iter_mut().for_each(|object| object.destinations.clear());
        }
        let there = sqlx::query("SELECT COUNT(*) FROM instance WHERE id = $1").bind(film).fetch_one(&mut *connection);
        if there.await?.try_get::<i64, _>(0)? > 0 {
            publish(connection, film, &outcome, &objects).await?;
            opened.push(film);
        }
        sqlx::query("UPDATE trial_film SET sealed = '' WHERE film_id = $1")
            .bind(film)
            .execute(&mut *connection)
            .await?;
    }
    Ok(opened)
}
