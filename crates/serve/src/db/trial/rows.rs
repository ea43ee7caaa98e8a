//! The table that is analyzed, without identity: made once, in the transaction that closes the trial.
//!
//! Of a physician's decisions on a patient, the first that stands and is not *unsure* counts, else the first *unsure* one.

use std::collections::{BTreeMap, HashMap};

use coxa_schema::FilmPrediction;
use coxa_study::trial::{Arm, Decision, Status, TrialRow, TrialTable};
use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;
use sqlx::{AnyConnection, Row as _};

use super::super::DbError;
use super::state::Trial;

const HOUR: f64 = 3.6e9;

/// A patient as the table needs one.
struct Patient {
    row: i64,
    seq: i64,
    stratum: String,
    place: i64,
    arm: Option<Arm>,
    excluded: String,
    first_film_at: i64,
    unblinded_at: i64,
    withdrawn_at: i64,
    reason: String,
}

/// What was decided, by whom.
struct Decided {
    person: i64,
    decision: Decision,
    at: i64,
    opened_at: i64,
}

/// The final diagnosis.
struct Diagnosed {
    day: String,
    is_fracture: bool,
    kind: String,
    source: String,
}

/// The table of a trial that ends at a moment.
pub(super) async fn table(connection: &mut AnyConnection, trial: &Trial, at: i64) -> Result<TrialTable, DbError> {
    let patients = patients(connection, trial).await?;
    let mut decisions = decisions(connection, trial).await?;
    let diagnoses = diagnoses(connection, trial).await?;
    let network = network(connection, trial).await?;
    // Physicians are numbered in the order in which they appear in the table.
    let mut readers: HashMap<i64, usize> = HashMap::new();
    let (mut rows, mut excluded) = (Vec::new(), 0);
    for patient in &patients {
        let mut row = begun(patient, at);
        if row.status == Status::Excluded {
            excluded += 1;
            row.subject = format!("E{excluded}");
        }
        if matches!(row.status, Status::Excluded | Status::Withdrawn) {
            row.follow_up_hours = None;
            rows.push(row);
            continue;
        }
        if let Some((is_positive, probability)) = network.get(&patient.row) {
            (row.network, row.probability) = (Some(*is_positive), *probability);
        }
        if let Some(diagnosed) = diagnoses.get(&patient.row) {
            row.fracture = Some(diagnosed.is_fracture);
            row.diagnosis_days = days(patient.first_film_at, &diagnosed.day);
            (row.kind, row.source) = (diagnosed.kind.clone(), diagnosed.source.clone());
        }
        let decided = decisions.remove(&patient.row).unwrap_or_default();
        if decided.is_empty() {
            rows.push(row);
            continue;
        }
        for decided in decided {
            let next = readers.len() + 1;
            let reader = *readers.entry(decided.person).or_insert(next);
            let since = |moment: i64, unit: f64| (decided.at - moment).max(0) as f64 / unit;
            rows.push(TrialRow {
                reader: format!("R{reader}"),
                decision: Some(decided.decision),
                hours: Some(since(patient.first_film_at, HOUR)),
                seconds: (decided.opened_at > 0).then(|| since(decided.opened_at, 1e6)),
                ..row.clone()
            });
        }
    }
    Ok(TrialTable { rows })
}

fn begun(patient: &Patient, at: i64) -> TrialRow {
    let (status, reason) = match patient {
        patient if patient.seq == 0 => (Status::Excluded, &patient.excluded),
        patient if patient.withdrawn_at > 0 => (Status::Withdrawn, &patient.reason),
        patient if patient.unblinded_at > 0 => (Status::Unblinded, &patient.reason),
        _ => (Status::Randomized, &patient.excluded),
    };
    TrialRow {
        subject: format!("S{}", patient.seq),
        stratum: patient.stratum.clone(),
        place: (patient.seq > 0).then_some(patient.place.unsigned_abs()),
        arm: patient.arm,
        status,
        reason: reason.clone(),
        network: None,
        probability: None,
        reader: String::new(),
        decision: None,
        hours: None,
        seconds: None,
        follow_up_hours: Some((at - patient.first_film_at).max(0) as f64 / HOUR),
        fracture: None,
        kind: String::new(),
        source: String::new(),
        diagnosis_days: None,
    }
}

async fn patients(connection: &mut AnyConnection, trial: &Trial) -> Result<Vec<Patient>, DbError> {
    let rows = sqlx::query(
        "SELECT id, seq, stratum, place, arm, excluded, unblinded_at, withdrawn_at, reason, \
         COALESCE((SELECT MIN(received_at) FROM trial_film WHERE trial_film.patient = trial_patient.id), first_film_at) AS first_film_at \
         FROM trial_patient WHERE trial_id = $1 ORDER BY CASE WHEN seq > 0 THEN 0 ELSE 1 END, seq, id",
    )
    .bind(trial.id)
    .fetch_all(connection)
    .await?;
    let patient = |row: &sqlx::any::AnyRow| {
        Ok(Patient {
            row: row.try_get("id")?,
            seq: row.try_get("seq")?,
            stratum: row.try_get("stratum")?,
            place: row.try_get("place")?,
            arm: Arm::parse(&row.try_get::<String, _>("arm")?),
            excluded: row.try_get("excluded")?,
            first_film_at: row.try_get("first_film_at")?,
            unblinded_at: row.try_get("unblinded_at")?,
            withdrawn_at: row.try_get("withdrawn_at")?,
            reason: row.try_get("reason")?,
        })
    };
    rows.iter().map(patient).collect()
}

/// The decision of each physician that counts, by patient, in the order in which they were made.
async fn decisions(connection: &mut AnyConnection, trial: &Trial) -> Result<HashMap<i64, Vec<Decided>>, DbError> {
    let rows = sqlx::query(
        "SELECT trial_film.patient AS patient, review.person_id AS person, review.verdict AS verdict, review.at AS at, \
         COALESCE(trial_opening.at, 0) AS opened_at FROM review JOIN trial_film ON trial_film.film_id = review.film_id \
         JOIN trial_patient ON trial_patient.id = trial_film.patient \
         LEFT JOIN trial_opening ON trial_opening.film_id = review.film_id AND trial_opening.person_id = review.person_id \
         WHERE trial_patient.trial_id = $1 AND review.undone_at = 0 AND review.person_id IS NOT NULL ORDER BY review.id",
    )
    .bind(trial.id)
    .fetch_all(connection)
    .await?;
    let mut all: HashMap<i64, BTreeMap<i64, Decided>> = HashMap::new();
    for row in &rows {
        let Some(decision) = Decision::parse(&row.try_get::<String, _>("verdict")?) else { continue };
        let decided = Decided {
            person: row.try_get("person")?,
            decision,
            at: row.try_get("at")?,
            opened_at: row.try_get("opened_at")?,
        };
        let by_person = all.entry(row.try_get("patient")?).or_default();
        let known = by_person.get(&decided.person).map(|known| known.decision);
        if known.is_none() || (known == Some(Decision::Unsure) && decision != Decision::Unsure) {
            by_person.insert(decided.person, decided);
        }
    }
    let in_order = |decided: BTreeMap<i64, Decided>| {
        let mut decided: Vec<Decided> = decided.into_values().collect();
        decided.sort_by_key(|decided| decided.at);
        decided
    };
    Ok(all.into_iter().map(|(patient, decided)| (patient, in_order(decided))).collect())
}

async fn diagnoses(connection: &mut AnyConnection, trial: &Trial) -> Result<HashMap<i64, Diagnosed>, DbError> {
    let rows = sqlx::query(
        "SELECT patient, day, is_fracture, kind, source FROM trial_diagnosis \
         JOIN trial_patient ON trial_patient.id = trial_diagnosis.patient WHERE trial_id = $1 ORDER BY trial_diagnosis.id",
    )
    .bind(trial.id)
    .fetch_all(connection)
    .await?;
    let diagnosed = |row: &sqlx::any::AnyRow| {
        let diagnosed = Diagnosed {
            day: row.try_get("day")?,
            is_fracture: row.try_get::<i64, _>("is_fracture")? != 0,
            kind: row.try_get("kind")?,
            source: row.try_get("source")?,
        };
        Ok((row.try_get("patient")?, diagnosed))
    };
    // Of several, the last one stays.
    rows.iter().map(diagnosed).collect()
}

/// What the network called the first film of each patient, with its probability.
async fn network(connection: &mut AnyConnection, trial: &Trial) -> Result<HashMap<i64, (bool, Option<f64>)>, DbError> {
    let rows = sqlx::query(
        "SELECT patient, is_positive, prediction FROM trial_film JOIN trial_patient ON trial_patient.id = trial_film.patient \
         WHERE trial_id = $1 ORDER BY trial_film.received_at DESC, film_id DESC",
    )
    .bind(trial.id)
    .fetch_all(connection)
    .await?;
    let called = |row: &sqlx::any::AnyRow| {
        let prediction: Option<FilmPrediction> = serde_json::from_str(&row.try_get::<String, _>("prediction")?).ok();
        let probability = prediction.as_ref().and_then(FilmPrediction::finding).map(|finding| finding.probability);
        Ok((row.try_get("patient")?, (row.try_get::<i64, _>("is_positive")? != 0, probability)))
    };
    // The latest first, so that the first film is what stays.
    rows.iter().map(called).collect()
}

/// Days from the day of a moment to another day.
fn days(from: i64, to: &str) -> Option<f64> {
    let from = Timestamp::from_microsecond(from).ok()?.to_zoned(TimeZone::system()).date();
    let to: Date = to.parse().ok()?;
    Some(f64::from((to - from).get_days()))
}
