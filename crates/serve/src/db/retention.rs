//! The end of films' time: which ones are done with, and the files that their rows leave behind.

use sqlx::{AnyConnection, AssertSqlSafe, Row as _};

use super::films::{COLUMNS, of_row};
use super::{Database, DbError, Film};

/// So much longer the films of another node are left to it: one that was replaced removes nothing any more.
const GRACE: i64 = 86_400_000_000;

/// A file whose row was removed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Leftover {
    /// Its hash.
    pub sha256: String,
    /// The node that has it; empty for the bucket.
    pub home: String,
}

impl Database {
    /// Films that came before a moment and are done with, the oldest first: those that retention removes. Nothing of them may wait or have
    /// failed, neither the film nor a result on its way. Films of an open trial stay until its rows are frozen, those of an open reader study
    /// until it is locked, those of an open labeling until it is closed. Films of other nodes are left to these for a day.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn done_before(&self, moment: i64, node: &str, most: i64) -> Result<Vec<Film>, DbError> {
        let sql = format!(
            "SELECT {COLUMNS} FROM instance AS film WHERE kind = 'film' AND received_at < CASE WHEN home = $3 THEN $1 ELSE $4 END \
             AND state IN ('read', 'not_read') AND NOT EXISTS (\
             SELECT 1 FROM send JOIN instance AS result ON result.id = send.object_id \
             WHERE result.film_id = film.id AND send.state <> 'done') AND NOT EXISTS (\
             SELECT 1 FROM job WHERE job.film_id = film.id AND job.state <> 'done') AND NOT EXISTS (\
             SELECT 1 FROM job JOIN instance AS result ON result.id = job.film_id \
             WHERE result.film_id = film.id AND job.state <> 'done') AND NOT EXISTS (\
             SELECT 1 FROM trial_film JOIN trial_patient ON trial_patient.id = trial_film.patient JOIN trial ON trial.id = trial_patient.trial_id \
             WHERE trial_film.film_id = film.id AND trial.closed_at = 0) AND NOT EXISTS (\
             SELECT 1 FROM study_film JOIN study ON study.id = study_film.study_id \
             WHERE study_film.film_id = film.id AND study.locked_at = 0) AND NOT EXISTS (\
             SELECT 1 FROM labeling_film JOIN labeling ON labeling.id = labeling_film.labeling_id \
             WHERE labeling_film.film_id = film.id AND labeling.closed_at = 0) ORDER BY received_at LIMIT $2"
        );
        let query = sqlx::query(AssertSqlSafe(sql)).bind(moment).bind(most).bind(node.to_owned()).bind(moment - GRACE);
        query.fetch_all(&self.read).await?.iter().map(of_row).collect()
    }

    /// Removes a film's row with all that belongs to it. In the same transaction its files become leftovers, which are removed however often
    /// that is interrupted.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn remove_film(&self, id: i64) -> Result<(), DbError> {
        let mut transaction = self.begin().await?;
        let film =
            sqlx::query("SELECT home FROM instance WHERE id = $1").bind(id).fetch_optional(&mut *transaction).await?;
        let Some(film) = film else {
            return transaction.rollback().await;
        };
        let home: String = film.try_get(0)?;
        let rows = sqlx::query(
            "SELECT sha256, home, in_bucket FROM instance WHERE id = $1 OR film_id = $1 \
             UNION SELECT sha256, home, 0 FROM conflict WHERE film_id = $1",
        )
        .bind(id)
        .fetch_all(&mut *transaction)
        .await?;
        for row in &rows {
            let (sha256, own, in_bucket): (String, String, i64) = (row.try_get(0)?, row.try_get(1)?, row.try_get(2)?);
            // What came with a taken UID in an earlier version lies where the film does, as far as is known.
            leave(&mut transaction, &sha256, if own.is_empty() { &home } else { &own }).await?;
            if in_bucket != 0 {
                leave(&mut transaction, &sha256, "").await?;
            }
        }
        sqlx::query("DELETE FROM instance WHERE id = $1").bind(id).execute(&mut *transaction).await?;
        transaction.commit().await
    }

    /// Files that a node is to remove: its own, and those in the bucket where it has one.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn leftovers(&self, node: &str, has_bucket: bool, most: i64) -> Result<Vec<Leftover>, DbError> {
        let rows = sqlx::query("SELECT sha256, home FROM leftover WHERE home = $1 OR (home = '' AND $2 = 1) LIMIT $3")
            .bind(node.to_owned())
            .bind(i64::from(has_bucket))
            .bind(most)
            .fetch_all(&self.write)
            .await?;
        rows.iter().map(|row| Ok(Leftover { sha256: row.try_get(0)?, home: row.try_get(1)? })).collect()
    }

    /// Takes a file off the list.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn forget_leftover(&self, leftover: &Leftover) -> Result<(), DbError> {
        sqlx::query("DELETE FROM leftover WHERE sha256 = $1 AND home = $2")
            .bind(leftover.sha256.clone())
            .bind(leftover.home.clone())
            .execute(&self.write)
            .await?;
        Ok(())
    }

    /// Whether a row names a file on a node's disk; of the bucket, with an empty home, whether any row does.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn is_named(&self, sha256: &str, home: &str) -> Result<bool, DbError> {
        // A film that was imported into a labeling has no row of its own, and nothing says which node has it.
        let row = sqlx::query(
            "SELECT (SELECT COUNT(*) FROM instance WHERE sha256 = $1 AND (home = $2 OR $2 = '')) \
             + (SELECT COUNT(*) FROM conflict WHERE sha256 = $1 AND (home = $2 OR home = '' OR $2 = '')) \
             + (SELECT COUNT(*) FROM labeling_film WHERE sha256 = $1 AND film_id = 0)",
        )
        .bind(sha256.to_owned())
        .bind(home.to_owned())
        .fetch_one(&self.write)
        .await?;
        Ok(row.try_get::<i64, _>(0)? > 0)
    }
}

async fn leave(connection: &mut AnyConnection, sha256: &str, home: &str) -> Result<(), DbError> {
    sqlx::query("INSERT INTO leftover (sha256, home) VALUES ($1, $2) ON CONFLICT (sha256, home) DO NOTHING")
        .bind(sha256.to_owned())
        .bind(home.to_owned())
        .execute(connection)
        .await?;
    Ok(())
}
