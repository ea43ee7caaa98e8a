//! Results of films: written in one transaction with their objects and the rows of the sending queue.

use sqlx::{AssertSqlSafe, Row as _};

use super::claims::finish;
use super::publish::{Outcome, publish};
use super::trial::admit::{Disclosure, admit};
use super::{Database, DbError, Job, NewObject};

/// A film's result, as the interfaces give it.
#[derive(Debug, Clone, PartialEq)]
pub struct Reading {
    /// The film's row.
    pub film: i64,
    /// SOP Instance UID of the film.
    pub sop_instance_uid: String,
    /// How far it has come.
    pub state: String,
    /// Why it failed, where it did.
    pub error: String,
    /// When it was read, microseconds since 1970; 0 where it is not yet.
    pub read_at: i64,
    /// When it came.
    pub received_at: i64,
    /// Short hash of the network; empty where it is not yet read.
    pub model: String,
    /// The prediction as JSON; empty where there is none.
    pub prediction: String,
    /// Why it was not read; empty where it was.
    pub not_read: String,
    /// The row of the calibration that it was read with; 0 for the bundle's own.
    pub calibration: i64,
    /// The bundle's temperature over that calibration's: 1 without a recalibration.
    pub scale: f64,
    /// Where its result objects have got: destination, object, state, the last status (−1: none) with its meaning.
    pub sent: Vec<Sent>,
}

/// How far an object has come to a destination.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sent {
    /// The destination's name.
    pub destination: String,
    /// The object's kind.
    pub object: String,
    /// `due`, `leased`, `done`, `dead`.
    pub state: String,
    /// The last status; −1 where there was none.
    pub status: i64,
    /// Its meaning.
    pub explained: String,
}

impl Database {
    /// Notes that a film is being read.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn reading_begins(&self, film: i64) -> Result<(), DbError> {
        sqlx::query("UPDATE instance SET state = 'reading' WHERE id = $1 AND state = 'received'")
            .bind(film)
            .execute(&self.write)
            .await?;
        Ok(())
    }

    /// Ends a job with its result; `false` where the job has gone to another worker, and nothing is changed. A result that a trial
    /// withholds is sealed in the same transaction, and the film's state says no more than that.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn finish_reading(&self, job: &Job, outcome: &Outcome, objects: &[NewObject]) -> Result<bool, DbError> {
        let mut transaction = self.begin().await?;
        if !finish(&mut transaction, &job.claim).await? {
            transaction.rollback().await?;
            return Ok(false);
        }
        if admit(&mut transaction, self.dialect, job.film, outcome, objects).await? == Disclosure::Shown {
            publish(&mut transaction, job.film, outcome, objects).await?;
        }
        transaction.commit().await?;
        Ok(true)
    }

    /// Films that came or were read at a moment or after it, in the order of their rows.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn readings(&self, since: i64, after: i64, most: i64) -> Result<Vec<Reading>, DbError> {
        let rows = sqlx::query(READINGS).bind(since).bind(after).bind(most).fetch_all(&self.read).await?;
        let mut readings = Vec::with_capacity(rows.len());
        for row in rows {
            let film: i64 = row.try_get("id")?;
            readings.push(Reading {
                film,
                sop_instance_uid: row.try_get("sop_instance_uid")?,
                state: row.try_get("state")?,
                error: row.try_get("error")?,
                read_at: row.try_get("read_at")?,
                received_at: row.try_get("received_at")?,
                model: row.try_get("model")?,
                prediction: row.try_get("prediction")?,
                not_read: row.try_get("not_read")?,
                calibration: row.try_get("calibration_id")?,
                scale: row.try_get("scale")?,
                sent: self.sent(film).await?,
            });
        }
        Ok(readings)
    }

    /// The result of one film.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn reading_of(&self, film: i64) -> Result<Option<Reading>, DbError> {
        Ok(self.readings(0, film - 1, 1).await?.into_iter().find(|reading| reading.film == film))
    }

    /// The films with a report that was made at a moment or after it, of a study where one is named: those after a row, in the order of
    /// their rows.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn reports(&self, since: i64, study: Option<&str>, after: i64, most: i64) -> Result<Vec<i64>, DbError> {
        let sql = format!("SELECT film.id {REPORTS} AND film.id > $3 ORDER BY film.id LIMIT $4");
        let query = sqlx::query(AssertSqlSafe(sql)).bind(since).bind(study.unwrap_or_default().to_owned());
        let rows = query.bind(after).bind(most).fetch_all(&self.read).await?;
        rows.iter().map(|row| row.try_get(0).map_err(DbError::from)).collect()
    }

    /// How many films [`Database::reports`] has in all.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn count_reports(&self, since: i64, study: Option<&str>) -> Result<i64, DbError> {
        let sql = format!("SELECT COUNT(*) {REPORTS}");
        let query = sqlx::query(AssertSqlSafe(sql)).bind(since).bind(study.unwrap_or_default().to_owned());
        Ok(query.fetch_one(&self.read).await?.try_get(0)?)
    }

    async fn sent(&self, film: i64) -> Result<Vec<Sent>, DbError> {
        let rows = sqlx::query(
            "SELECT send.destination, instance.kind, send.state, send.status, send.explained FROM send \
             JOIN instance ON instance.id = send.object_id WHERE instance.film_id = $1 ORDER BY send.id",
        )
        .bind(film)
        .fetch_all(&self.read)
        .await?;
        let sent = |row: &sqlx::any::AnyRow| {
            Ok(Sent {
                destination: row.try_get(0)?,
                object: row.try_get(1)?,
                state: row.try_get(2)?,
                status: row.try_get(3)?,
                explained: row.try_get(4)?,
            })
        };
        rows.iter().map(sent).collect()
    }
}

/// Without a study, `$2` is empty.
const REPORTS: &str = "FROM reading JOIN instance AS film ON film.id = reading.film_id WHERE reading.read_at >= $1 AND reading.read_at > 0 \
     AND ($2 = '' OR film.study_uid = $2)";

const READINGS: &str = "SELECT film.id, film.sop_instance_uid, film.state, film.received_at, COALESCE(job.error, '') AS error, \
     COALESCE(reading.read_at, 0) AS read_at, COALESCE(reading.model, '') AS model, COALESCE(reading.prediction, '') AS prediction, \
     COALESCE(reading.not_read, '') AS not_read, COALESCE(reading.calibration_id, 0) AS calibration_id, \
     COALESCE(calibration.own_temperature / calibration.temperature, 1.0) AS scale FROM instance AS film LEFT JOIN reading ON reading.film_id = film.id \
     LEFT JOIN calibration ON calibration.id = reading.calibration_id \
     LEFT JOIN job ON job.film_id = film.id AND job.kind = 'read' WHERE film.kind = 'film' AND film.id > $2 \
     AND (film.received_at >= $1 OR COALESCE(reading.read_at, 0) >= $1) ORDER BY film.id LIMIT $3";
