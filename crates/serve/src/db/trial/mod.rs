//! A randomized trial of the reader: one at a time is open.
//!
//! - [`admit`]: who is randomized, in the transaction that writes a film's result; what is withheld is sealed there.
//! - [`people`]: patients who opt out, withdraw or are unblinded; final diagnoses.
//! - [`state`]: a trial's row.
//! - [`rows`]: the table that is analyzed, frozen when the trial is closed.

pub(super) mod admit;
mod people;
mod rows;
mod state;

use sqlx::any::AnyRow;
use sqlx::{AssertSqlSafe, Row as _};

pub use people::{Ended, InTrial, Undiagnosed};
pub use state::Trial;

use super::{Database, DbError, Dialect, now};
use crate::trial::{AllocationTable, TrialPlan, commitment, sealed_arm};
use admit::{Sends, open_films};
use state::{locked, of_row};

/// How far a trial is, without anything by arm.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TrialCounts {
    /// Patients who were randomized.
    pub randomized: i64,
    /// Patients who were not: reason and number.
    pub excluded: Vec<(String, i64)>,
    /// Patients who opted out, whether a film of them has come or not.
    pub opted_out: i64,
    /// Randomized patients whose results were shown early.
    pub unblinded: i64,
    /// Randomized patients who were withdrawn.
    pub withdrawn: i64,
    /// Randomized patients with a decision that stands.
    pub decided: i64,
    /// Randomized patients with a final diagnosis.
    pub diagnosed: i64,
}

/// A randomization that the audit log does not have yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Randomization {
    /// The patient's row.
    pub patient: i64,
    /// The trial's row.
    pub trial: i64,
    /// The patient's number.
    pub seq: i64,
    /// The stratum.
    pub stratum: String,
    /// The place in its sequence.
    pub place: i64,
    /// The seal of the arm.
    pub seal: String,
    /// The patient's first film.
    pub film: Option<i64>,
}

const COLUMNS: &str = "id, plan, begun_at, stopped_at, closed_at, commitment, frozen, \
     CASE WHEN closed_at > 0 THEN secret ELSE '' END AS secret";

impl Database {
    /// The trial that is open, or else the last one.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn trial(&self) -> Result<Option<Trial>, DbError> {
        let sql = format!("SELECT {COLUMNS} FROM trial ORDER BY id DESC LIMIT 1");
        let row = sqlx::query(AssertSqlSafe(sql)).fetch_optional(&self.read).await?;
        row.as_ref().map(of_row).transpose()
    }

    /// Begins a trial; `None` where one is open. The plan was checked.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn begin_trial(&self, plan: &TrialPlan, secret: &str) -> Result<Option<i64>, DbError> {
        let mut transaction = self.begin().await?;
        if self.dialect == Dialect::Postgres {
            sqlx::query("LOCK TABLE trial IN EXCLUSIVE MODE").execute(&mut *transaction).await?;
        }
        let open = sqlx::query("SELECT COUNT(*) FROM trial WHERE closed_at = 0").fetch_one(&mut *transaction).await?;
        if open.try_get::<i64, _>(0)? > 0 {
            transaction.rollback().await?;
            return Ok(None);
        }
        let row = sqlx::query(
            "INSERT INTO trial (name, plan, begun_at, stopped_at, closed_at, secret, commitment, frozen) \
             VALUES ($1, $2, $3, 0, 0, $4, $5, '') RETURNING id",
        )
        .bind(plan.name.clone())
        .bind(serde_json::to_string(plan).unwrap_or_default())
        .bind(now())
        .bind(secret.to_owned())
        .bind(commitment(secret))
        .fetch_one(&mut *transaction)
        .await?;
        transaction.commit().await?;
        Ok(Some(row.try_get(0)?))
    }

    /// Stops enrolling; patients who were randomized stay in their arms. `false` where it had been stopped.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn stop_enrolling(&self, trial: i64) -> Result<bool, DbError> {
        let stopped =
            sqlx::query("UPDATE trial SET stopped_at = $1 WHERE id = $2 AND stopped_at = 0 AND closed_at = 0")
                .bind(now())
                .bind(trial)
                .execute(&self.write)
                .await?;
        Ok(stopped.rows_affected() == 1)
    }

    /// Closes a trial: its rows are frozen, and what was withheld is written as results, in one transaction. What is so old is not sent
    /// to destinations. `false` where it is closed.
    ///
    /// # Errors
    /// When the database fails; then the trial is open.
    pub async fn close_trial(&self, trial: i64) -> Result<bool, DbError> {
        let mut transaction = self.begin().await?;
        let Some(open) = locked(&mut transaction, self.dialect).await?.filter(|open| open.id == trial) else {
            transaction.rollback().await?;
            return Ok(false);
        };
        let at = now();
        let frozen = rows::table(&mut transaction, &open, at).await?.csv();
        open_films(&mut transaction, "trial_patient.trial_id = $1", trial, Sends::None).await?;
        sqlx::query("UPDATE trial SET closed_at = $1, frozen = $2 WHERE id = $3")
            .bind(at)
            .bind(String::from_utf8_lossy(&frozen).into_owned())
            .bind(trial)
            .execute(&mut *transaction)
            .await?;
        transaction.commit().await?;
        Ok(true)
    }

    /// How far a trial is.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn trial_counts(&self, trial: i64) -> Result<TrialCounts, DbError> {
        let one = async |sql: &'static str| -> Result<i64, DbError> {
            Ok(sqlx::query(sql).bind(trial).fetch_one(&self.read).await?.try_get(0)?)
        };
        let excluded = "SELECT excluded, COUNT(*) FROM trial_patient WHERE trial_id = $1 AND excluded <> '' GROUP BY excluded ORDER BY excluded";
        let excluded = sqlx::query(excluded).bind(trial).fetch_all(&self.read).await?;
        Ok(TrialCounts {
            randomized: one("SELECT COUNT(*) FROM trial_patient WHERE trial_id = $1 AND seq > 0").await?,
            excluded: excluded
                .iter()
                .map(|row| Ok((row.try_get(0)?, row.try_get(1)?)))
                .collect::<Result<_, DbError>>()?,
            opted_out: one("SELECT COUNT(*) FROM trial_opt_out WHERE trial_id = $1").await?,
            unblinded: one("SELECT COUNT(*) FROM trial_patient WHERE trial_id = $1 AND unblinded_at > 0").await?,
            withdrawn: one("SELECT COUNT(*) FROM trial_patient WHERE trial_id = $1 AND withdrawn_at > 0").await?,
            decided: one("SELECT COUNT(DISTINCT trial_patient.id) FROM trial_patient \
                 JOIN trial_film ON trial_film.patient = trial_patient.id JOIN review ON review.film_id = trial_film.film_id \
                 WHERE trial_patient.trial_id = $1 AND review.undone_at = 0 AND review.verdict IN ('fracture', 'no_fracture', 'unsure')")
            .await?,
            diagnosed: one("SELECT COUNT(DISTINCT trial_patient.id) FROM trial_patient \
                 JOIN trial_diagnosis ON trial_diagnosis.patient = trial_patient.id WHERE trial_patient.trial_id = $1")
            .await?,
        })
    }

    /// Randomizations that the audit log does not have yet, in their order.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn unrecorded_randomizations(&self) -> Result<Vec<Randomization>, DbError> {
        let rows = sqlx::query(
            "SELECT trial_patient.id, trial_id, seq, stratum, place, arm, trial.secret AS secret, \
             COALESCE((SELECT MIN(film_id) FROM trial_film WHERE trial_film.patient = trial_patient.id), 0) AS film \
             FROM trial_patient JOIN trial ON trial.id = trial_patient.trial_id WHERE seq > 0 AND is_recorded = 0 ORDER BY seq",
        )
        .fetch_all(&self.read)
        .await?;
        let randomization = |row: &AnyRow| {
            let (seq, place): (i64, i64) = (row.try_get("seq")?, row.try_get("place")?);
            let stratum: String = row.try_get("stratum")?;
            let (secret, arm): (String, String) = (row.try_get("secret")?, row.try_get("arm")?);
            Ok(Randomization {
                patient: row.try_get("id")?,
                trial: row.try_get("trial_id")?,
                seq,
                seal: sealed_arm(&secret, seq, &stratum, place, &arm),
                stratum,
                place,
                film: Some(row.try_get("film")?).filter(|film| *film != 0),
            })
        };
        rows.iter().map(randomization).collect()
    }

    /// Notes that the audit log has a randomization.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn randomization_recorded(&self, patient: i64) -> Result<(), DbError> {
        sqlx::query("UPDATE trial_patient SET is_recorded = 1 WHERE id = $1")
            .bind(patient)
            .execute(&self.write)
            .await?;
        Ok(())
    }

    /// Who was randomized to what, of a trial that is closed; empty before.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn allocation(&self, trial: i64) -> Result<AllocationTable, DbError> {
        let rows = sqlx::query(
            "SELECT seq, stratum, place, arm, trial.secret AS secret FROM trial_patient JOIN trial ON trial.id = trial_patient.trial_id \
             WHERE trial_id = $1 AND seq > 0 AND trial.closed_at > 0 ORDER BY seq",
        )
        .bind(trial)
        .fetch_all(&self.read)
        .await?;
        let allocated = |row: &AnyRow| {
            let (seq, place): (i64, i64) = (row.try_get("seq")?, row.try_get("place")?);
            let (stratum, arm): (String, String) = (row.try_get("stratum")?, row.try_get("arm")?);
            let seal = sealed_arm(&row.try_get::<String, _>("secret")?, seq, &stratum, place, &arm);
            Ok((seq, stratum, place, arm, seal))
        };
        Ok(AllocationTable { rows: rows.iter().map(allocated).collect::<Result<_, DbError>>()? })
    }
}
