//! Patients of a trial who leave it or are unblinded, and what was found in them at last.

use sqlx::{AssertSqlSafe, Row as _};

use super::super::{Database, DbError, now};
use super::admit::{Sends, open_films};
use super::state::locked;
use crate::trial::{NewDiagnosis, Whose};

/// What became of a request about a patient.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Ended {
    /// It was done; these films are shown now.
    Done(Vec<i64>),
    /// Nothing had to be done.
    Nothing,
    /// The trial is not open, or has no such patient.
    NotThere,
}

/// A film of a randomized patient, in a trial that is open.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct InTrial {
    /// The trial's row.
    pub trial: i64,
    /// The patient's row.
    pub patient: i64,
    /// Whether the film's result is sealed.
    pub is_withheld: bool,
}

/// A randomized patient without a final diagnosis.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Undiagnosed {
    /// The number among the randomized.
    pub seq: i64,
    /// The patient's ID.
    pub patient_id: String,
    /// The first film.
    pub film: i64,
    /// Its accession number.
    pub accession: String,
}

/// How a randomized patient is named.
#[derive(Debug, Clone, Copy)]
enum By<'a> {
    Id(&'a str),
    Film(i64),
}

/// What ends for a patient.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum End {
    Blinding,
    Participation,
}

impl Database {
    /// Shows a patient's results early, with the reason. `Nothing` where nothing is withheld of the patient.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn unblind(&self, patient_id: &str, reason: &str) -> Result<Ended, DbError> {
        self.end(By::Id(patient_id), End::Blinding, reason).await
    }

    /// The same, for the patient of a film.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn unblind_film(&self, film: i64, reason: &str) -> Result<Ended, DbError> {
        self.end(By::Film(film), End::Blinding, reason).await
    }

    /// Withdraws a randomized patient: the results are shown from now on, and nothing of the patient but the arm is analyzed.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn withdraw(&self, patient_id: &str, reason: &str) -> Result<Ended, DbError> {
        self.end(By::Id(patient_id), End::Participation, reason).await
    }

    async fn end(&self, by: By<'_>, what: End, reason: &str) -> Result<Ended, DbError> {
        let mut transaction = self.begin().await?;
        let Some(trial) = locked(&mut transaction, self.dialect).await? else {
            transaction.rollback().await?;
            return Ok(Ended::NotThere);
        };
        let columns = "SELECT id, arm, unblinded_at, withdrawn_at FROM trial_patient WHERE trial_id = $1 AND seq > 0";
        let found = match by {
            By::Id(id) => {
                let sql = format!("{columns} AND patient_id = $2");
                sqlx::query(AssertSqlSafe(sql))
                    .bind(trial.id)
                    .bind(id.to_owned())
                    .fetch_optional(&mut *transaction)
                    .await?
            }
            By::Film(film) => {
                let sql = format!("{columns} AND id = (SELECT patient FROM trial_film WHERE film_id = $2)");
                sqlx::query(AssertSqlSafe(sql)).bind(trial.id).bind(film).fetch_optional(&mut *transaction).await?
            }
        };
        let Some(row) = found else {
            transaction.rollback().await?;
            return Ok(Ended::NotThere);
        };
        let is_set = |column: &str| Ok::<_, DbError>(row.try_get::<i64, _>(column)? > 0);
        let is_withdrawn = is_set("withdrawn_at")?;
        let is_open = is_set("unblinded_at")? || is_withdrawn || row.try_get::<String, _>("arm")? != "withheld";
        if is_withdrawn || (what == End::Blinding && is_open) {
            transaction.rollback().await?;
            return Ok(Ended::Nothing);
        }
        let patient: i64 = row.try_get("id")?;
        let column = if what == End::Blinding { "unblinded_at" } else { "withdrawn_at" };
        sqlx::query(AssertSqlSafe(format!("UPDATE trial_patient SET {column} = $1, reason = $2 WHERE id = $3")))
            .bind(now())
            .bind(reason.to_owned())
            .bind(patient)
            .execute(&mut *transaction)
            .await?;
        let opened = open_films(&mut transaction, "trial_patient.id = $1", patient, Sends::All).await?;
        transaction.commit().await?;
        Ok(Ended::Done(opened))
    }

    /// Notes that a patient takes no part. `Nothing` where that is known, `NotThere` where no trial is open or the patient has been
    /// randomized and can only be withdrawn.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn opt_out(&self, patient_id: &str, reason: &str) -> Result<Ended, DbError> {
        let mut transaction = self.begin().await?;
        let Some(trial) = locked(&mut transaction, self.dialect).await? else {
            transaction.rollback().await?;
            return Ok(Ended::NotThere);
        };
        let known =
            sqlx::query("SELECT COUNT(*) FROM trial_patient WHERE trial_id = $1 AND patient_id = $2 AND seq > 0")
                .bind(trial.id)
                .bind(patient_id.to_owned())
                .fetch_one(&mut *transaction)
                .await?;
        if known.try_get::<i64, _>(0)? > 0 {
            transaction.rollback().await?;
            return Ok(Ended::NotThere);
        }
        let added = sqlx::query(
            "INSERT INTO trial_opt_out (trial_id, patient_id, at, reason) VALUES ($1, $2, $3, $4) ON CONFLICT (trial_id, patient_id) DO NOTHING",
        )
        .bind(trial.id)
        .bind(patient_id.to_owned())
        .bind(now())
        .bind(reason.to_owned())
        .execute(&mut *transaction)
        .await?;
        transaction.commit().await?;
        Ok(if added.rows_affected() == 1 { Ended::Done(Vec::new()) } else { Ended::Nothing })
    }

    /// Where a film stands in the trial that is open; `None` for a film of nobody in it.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn in_trial(&self, film: i64) -> Result<Option<InTrial>, DbError> {
        let row = sqlx::query(
            "SELECT trial_patient.trial_id, trial_patient.id, instance.state FROM trial_film \
             JOIN trial_patient ON trial_patient.id = trial_film.patient JOIN trial ON trial.id = trial_patient.trial_id \
             JOIN instance ON instance.id = trial_film.film_id WHERE trial_film.film_id = $1 AND trial.closed_at = 0",
        )
        .bind(film)
        .fetch_optional(&self.read)
        .await?;
        let found = |row: sqlx::any::AnyRow| {
            let is_withheld = row.try_get::<String, _>(2)? == "withheld";
            Ok(InTrial { trial: row.try_get(0)?, patient: row.try_get(1)?, is_withheld })
        };
        row.map(found).transpose()
    }

    /// Notes when a person opened a film of the trial, the first time alone.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn opened_in_trial(&self, film: i64, person: i64) -> Result<(), DbError> {
        sqlx::query("INSERT INTO trial_opening (film_id, person_id, at) VALUES ($1, $2, $3) ON CONFLICT (film_id, person_id) DO NOTHING")
            .bind(film)
            .bind(person)
            .bind(now())
            .execute(&self.write)
            .await?;
        Ok(())
    }

    /// Adds final diagnoses of randomized patients of the open trial, all or none: where a patient is not found, the lines that name
    /// one are returned, and nothing is stored. A later diagnosis of a patient replaces an earlier one.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn add_diagnoses(&self, diagnoses: &[NewDiagnosis], person: i64) -> Result<Vec<u64>, DbError> {
        let mut transaction = self.begin().await?;
        let Some(trial) = locked(&mut transaction, self.dialect).await? else {
            transaction.rollback().await?;
            return Ok(diagnoses.iter().map(|diagnosis| diagnosis.line).collect());
        };
        let mut missing = Vec::new();
        for diagnosis in diagnoses {
            let (sql, value) = match &diagnosis.whose {
                Whose::Patient(id) => {
                    ("SELECT id FROM trial_patient WHERE trial_id = $1 AND seq > 0 AND patient_id = $2", id)
                }
                Whose::Accession(number) => (
                    "SELECT DISTINCT trial_patient.id FROM trial_patient JOIN trial_film ON trial_film.patient = trial_patient.id \
                     JOIN instance ON instance.id = trial_film.film_id WHERE trial_id = $1 AND seq > 0 AND instance.accession_number = $2",
                    number,
                ),
            };
            let found = sqlx::query(sql).bind(trial.id).bind(value.clone()).fetch_all(&mut *transaction).await?;
            // An accession number that two patients share names nobody.
            let [row] = found.as_slice() else {
                missing.push(diagnosis.line);
                continue;
            };
            sqlx::query(
                "INSERT INTO trial_diagnosis (patient, day, is_fracture, kind, source, at, person_id) VALUES ($1, $2, $3, $4, $5, $6, $7)",
            )
            .bind(row.try_get::<i64, _>(0)?)
            .bind(diagnosis.day.to_string())
            .bind(i64::from(diagnosis.is_fracture))
            .bind(diagnosis.kind.clone())
            .bind(diagnosis.source.clone())
            .bind(now())
            .bind(person)
            .execute(&mut *transaction)
            .await?;
        }
        if missing.is_empty() {
            transaction.commit().await?
        } else {
            transaction.rollback().await?
        }
        Ok(missing)
    }

    /// Randomized patients of a trial without a final diagnosis, in the order of their numbers; those who were withdrawn are left out.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn undiagnosed(&self, trial: i64, most: i64) -> Result<Vec<Undiagnosed>, DbError> {
        let rows = sqlx::query(
            "SELECT seq, trial_patient.patient_id AS patient_id, instance.id AS film, instance.accession_number AS accession \
             FROM trial_patient JOIN instance ON instance.id = (SELECT MIN(film_id) FROM trial_film WHERE trial_film.patient = trial_patient.id) \
             WHERE trial_id = $1 AND seq > 0 AND withdrawn_at = 0 \
             AND NOT EXISTS (SELECT 1 FROM trial_diagnosis WHERE trial_diagnosis.patient = trial_patient.id) ORDER BY seq LIMIT $2",
        )
        .bind(trial)
        .bind(most)
        .fetch_all(&self.read)
        .await?;
        let one = |row: &sqlx::any::AnyRow| {
            Ok(Undiagnosed {
                seq: row.try_get("seq")?,
                patient_id: row.try_get("patient_id")?,
                film: row.try_get("film")?,
                accession: row.try_get("accession")?,
            })
        };
        rows.iter().map(one).collect()
    }
}
