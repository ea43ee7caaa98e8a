//! How much a node does: films that came, films that were read, results that were sent.

use sqlx::{AssertSqlSafe, Row as _};

use super::{Database, DbError};

const MINUTE: i64 = 60_000_000;

/// How often something happened.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Pace {
    /// In the last hour.
    pub hour: i64,
    /// In the last 24 hours.
    pub day: i64,
    /// In the busiest minute of the last 24 hours, by the clock.
    pub busiest: i64,
}

/// How much a node does.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Throughput {
    /// Films that came.
    pub received: Pace,
    /// Films that were read, those whose result is withheld among them.
    pub read: Pace,
    /// Result objects that a destination accepted.
    pub sent: Pace,
}

impl Database {
    /// How much was done in the hour and the day before a moment.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn throughput(&self, now: i64) -> Result<Throughput, DbError> {
        let received = "SELECT received_at AS at FROM instance WHERE kind = 'film' AND received_at >= $1";
        let read = "SELECT read_at AS at FROM reading WHERE read_at >= $1 UNION ALL SELECT read_at AS at FROM trial_film WHERE read_at >= $1 \
             AND NOT EXISTS (SELECT 1 FROM reading WHERE reading.film_id = trial_film.film_id)";
        let sent = "SELECT done_at AS at FROM send WHERE done_at >= $1 AND state = 'done'";
        Ok(Throughput {
            received: self.pace(received, now).await?,
            read: self.pace(read, now).await?,
            sent: self.pace(sent, now).await?,
        })
    }

    async fn pace(&self, moments: &str, now: i64) -> Result<Pace, DbError> {
        let sql = format!(
            "SELECT COUNT(*) AS times, COUNT(CASE WHEN at >= $2 THEN 1 END) AS late FROM ({moments}) AS moment \
             GROUP BY at / {MINUTE}"
        );
        let (hour, day) = (now - 60 * MINUTE, now - 24 * 60 * MINUTE);
        let rows = sqlx::query(AssertSqlSafe(sql)).bind(day).bind(hour).fetch_all(&self.read).await?;
        let mut pace = Pace::default();
        for row in rows {
            let (times, late): (i64, i64) = (row.try_get(0)?, row.try_get(1)?);
            pace.day += times;
            pace.hour += late;
            pace.busiest = pace.busiest.max(times);
        }
        Ok(pace)
    }
}
