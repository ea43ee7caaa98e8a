//! What a person must look at: jobs and objects that are tried no more, and the way to try each once again.

use sqlx::Row as _;

use super::{Database, DbError};

/// Something that is tried no more.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Dead {
    /// Its row.
    pub id: i64,
    /// Which row: a job's, or that of an object on its way.
    pub kind: DeadKind,
    /// `read`, `copy`, or the destination.
    pub queue: String,
    /// What it is about: `film`, or the kind of a result.
    pub object: String,
    /// The film's row.
    pub film: i64,
    /// Tries so far.
    pub attempts: i64,
    /// The status that a destination answered with; −1 where it did not, or it is a job.
    pub status: i64,
    /// Why the last try failed.
    pub error: String,
}

/// Which queue something dead lies in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DeadKind {
    /// A job on a film.
    Job,
    /// An object for a destination.
    Send,
}

impl DeadKind {
    /// As it is written in an address.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Job => "job",
            Self::Send => "send",
        }
    }

    /// Parses `job` or `send`.
    pub fn parse(text: &str) -> Option<Self> {
        [Self::Job, Self::Send].into_iter().find(|kind| kind.as_str() == text)
    }
}

impl Database {
    /// What is tried no more, the latest first: at most so many of each queue.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn dead(&self, most: i64) -> Result<Vec<Dead>, DbError> {
        let sends = "SELECT send.id, send.destination, instance.kind, COALESCE(instance.film_id, instance.id) AS film, send.attempts, send.status, \
             send.explained FROM send JOIN instance ON instance.id = send.object_id WHERE send.state = 'dead' ORDER BY send.id DESC LIMIT $1";
        let jobs = "SELECT id, kind, 'film' AS object, film_id AS film, attempts, CAST(-1 AS BIGINT) AS status, error FROM job \
             WHERE state = 'dead' ORDER BY id DESC LIMIT $1";
        let mut all = Vec::new();
        for (kind, sql) in [(DeadKind::Send, sends), (DeadKind::Job, jobs)] {
            for row in sqlx::query(sql).bind(most).fetch_all(&self.read).await? {
                all.push(Dead {
                    id: row.try_get(0)?,
                    kind,
                    queue: row.try_get(1)?,
                    object: row.try_get(2)?,
                    film: row.try_get(3)?,
                    attempts: row.try_get(4)?,
                    status: row.try_get(5)?,
                    error: row.try_get(6)?,
                });
            }
        }
        Ok(all)
    }

    /// Makes something dead due again; `false` where it is not dead.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn revive_one(&self, kind: DeadKind, id: i64) -> Result<bool, DbError> {
        let mut transaction = self.begin().await?;
        let sql = match kind {
            DeadKind::Job => {
                "UPDATE job SET state = 'due', run_at = 0, attempts = 0, lost = 0 WHERE id = $1 AND state = 'dead'"
            }
            DeadKind::Send => {
                "UPDATE send SET state = 'due', run_at = 0, attempts = 0, lost = 0 WHERE id = $1 AND state = 'dead'"
            }
        };
        let revived = sqlx::query(sql).bind(id).execute(&mut *transaction).await?.rows_affected() == 1;
        if revived && kind == DeadKind::Job {
            let film = "UPDATE instance SET state = 'received' WHERE state = 'failed' AND id = (SELECT film_id FROM job WHERE id = $1 AND kind = 'read')";
            sqlx::query(film).bind(id).execute(&mut *transaction).await?;
        }
        transaction.commit().await?;
        Ok(revived)
    }
}
