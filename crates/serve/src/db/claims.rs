//! Work that waits in rows: it is leased to one worker at a time, tried again with a pause, and set aside for a person where that does
//! not help.
//!
//! A worker prolongs its lease while it works ([`Held`]). A lease that is not prolonged ends by itself, so that what a killed process had in
//! hand is done by another; whoever finishes late finds that the row is no longer his, and his transaction does nothing. A row that was lost
//! with its process [`LOST`] times may be what kills processes, and is set aside for a person. A clock that was set back makes moments lie in the future: what is further
//! ahead than any pause or lease can be counts as due.

use std::hash::{BuildHasher as _, Hasher as _, RandomState};
use std::time::Duration;

use sqlx::{AnyConnection, AssertSqlSafe, Row as _};

use super::{Database, DbError, Dialect, now};

/// How long a worker may be silent about what it has in hand.
pub const LEASE: Duration = Duration::from_secs(120);
/// How often a row may be in the hand of a process that ends before it is set aside: more often than chance has it where a machine loses its
/// power again and again.
pub const LOST: i64 = 6;
/// The longest pause before the next try.
const LONGEST_PAUSE: Duration = Duration::from_secs(3600);

/// A row that is leased to a worker.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Claim {
    pub(super) table: &'static str,
    /// The row.
    pub id: i64,
    pub(super) owner: String,
    /// Tries so far, this one included.
    pub attempts: i64,
    /// How often a process ended with it in hand.
    pub lost: i64,
}

impl Claim {
    /// Why it is set aside rather than tried once more; `None` where it may be tried.
    pub(super) fn is_fatal(&self) -> Option<String> {
        (self.lost >= LOST).then(|| {
            format!(
                "{} times the program ended while it worked on this (out of memory, a crash, or stopped by force): look at its log, then \
                 try again",
                self.lost
            )
        })
    }
}

/// Prolongs a lease until it is dropped.
#[derive(Debug)]
pub struct Held(tokio::task::JoinHandle<()>);

impl Drop for Held {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// What a job does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum JobKind {
    /// Reads the film.
    Read,
    /// Copies the film to the bucket.
    Copy,
    /// Pushes the film's result to a FHIR server.
    Fhir,
}

impl JobKind {
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Read => "read",
            Self::Copy => "copy",
            Self::Fhir => "fhir",
        }
    }
}

/// A job that is leased.
#[derive(Debug, Clone)]
pub struct Job {
    /// The lease.
    pub claim: Claim,
    /// The film.
    pub film: i64,
}

/// Whether a try that failed is worth another one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outlook {
    /// After a pause that doubles with every try, until this many were made.
    Again {
        /// The most tries.
        most: i64,
    },
    /// However often it is tried.
    AgainAlways,
    /// A person must look at it.
    Never,
}

impl Outlook {
    /// The pause before the next try, or `None` where there is none: a second, doubled with each try up to five minutes.
    pub fn pause(self, attempts: i64) -> Option<Duration> {
        let pause = Duration::from_secs(1 << attempts.clamp(1, 9).saturating_sub(1)).min(Duration::from_secs(300));
        match self {
            Self::Never => None,
            Self::Again { most } if attempts >= most => None,
            Self::Again { .. } | Self::AgainAlways => Some(pause.min(LONGEST_PAUSE)),
        }
    }
}

/// Which rows of a table a worker takes, and in which order.
pub(super) struct Queue {
    pub(super) table: &'static str,
    /// A condition with the parameters from `$5` on.
    pub(super) which: &'static str,
    pub(super) order: &'static str,
}

impl Database {
    /// Leases the next due job of a kind that may be done on this node.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn claim_job(&self, kind: JobKind, node: &str) -> Result<Option<Job>, DbError> {
        let queue = Queue { table: "job", which: "kind = $5 AND (home = '' OR home = $6)", order: "run_at, id" };
        loop {
            let Some(claim) = self.claim(&queue, node, &[kind.as_str(), node]).await? else { return Ok(None) };
            let row =
                sqlx::query("SELECT film_id FROM job WHERE id = $1").bind(claim.id).fetch_one(&self.write).await?;
            let job = Job { film: row.try_get(0)?, claim };
            let Some(why) = job.claim.is_fatal() else { return Ok(Some(job)) };
            tracing::error!(job = job.claim.id, "a job is set aside: {why}");
            self.fail_job(&job, &why, Outlook::Never).await?;
        }
    }

    pub(super) async fn claim(&self, queue: &Queue, node: &str, texts: &[&str]) -> Result<Option<Claim>, DbError> {
        let skip = if self.dialect == Dialect::Postgres { "FOR UPDATE SKIP LOCKED" } else { "" };
        let Queue { table, which, order } = queue;
        let sql = format!(
            "UPDATE {table} SET state = 'leased', lease_owner = $1, lease_until = $2, attempts = attempts + 1, \
             lost = lost + CASE WHEN state = 'leased' THEN 1 ELSE 0 END WHERE id = (\
             SELECT id FROM {table} WHERE {which} AND (\
             (state = 'due' AND (run_at <= $3 OR run_at > $4)) OR (state = 'leased' AND (lease_until < $3 OR lease_until > $4))) \
             ORDER BY {order} LIMIT 1 {skip}) RETURNING id, attempts, lost"
        );
        let (now, owner) = (now(), format!("{node}/{}", nonce()));
        let mut query = sqlx::query(AssertSqlSafe(sql))
            .bind(owner.clone())
            .bind(now + span(LEASE))
            .bind(now)
            .bind(now + span(LONGEST_PAUSE) + span(LEASE));
        for text in texts {
            query = query.bind((*text).to_owned());
        }
        let Some(row) = query.fetch_optional(&self.write).await? else { return Ok(None) };
        Ok(Some(Claim {
            table: queue.table,
            id: row.try_get(0)?,
            owner,
            attempts: row.try_get(1)?,
            lost: row.try_get(2)?,
        }))
    }

    /// Prolongs a lease while a worker has the row in hand, however long a destination or a disk takes.
    pub fn hold(&self, runtime: &tokio::runtime::Handle, claim: &Claim) -> Held {
        let (db, claim) = (self.clone(), claim.clone());
        Held(runtime.spawn(async move {
            loop {
                tokio::time::sleep(LEASE / 3).await;
                match db.prolong(&claim).await {
                    Ok(true) => {}
                    Ok(false) => return,
                    // The next time comes before the lease ends.
                    Err(error) => tracing::warn!("a lease could not be prolonged: {error}"),
                }
            }
        }))
    }

    /// Prolongs a lease; `false` where it has gone to another.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn prolong(&self, claim: &Claim) -> Result<bool, DbError> {
        let sql = format!(
            "UPDATE {} SET lease_until = $1 WHERE id = $2 AND lease_owner = $3 AND state = 'leased'",
            claim.table
        );
        let query = sqlx::query(AssertSqlSafe(sql)).bind(now() + span(LEASE)).bind(claim.id).bind(claim.owner.clone());
        Ok(query.execute(&self.write).await?.rows_affected() == 1)
    }

    /// Frees what a node had leased, when it starts: the process that had it is no more. What was lost before goes behind all that waits, so
    /// that a film which kills the process holds up no other.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn reclaim(&self, node: &str) -> Result<(), DbError> {
        for table in ["job", "send", "commitment"] {
            let sql = format!(
                "UPDATE {table} SET state = 'due', run_at = CASE WHEN lost > 0 THEN $3 ELSE 0 END, lost = lost + 1, lease_owner = '', \
                 lease_until = 0 WHERE state = 'leased' AND SUBSTR(lease_owner, 1, $1) = $2"
            );
            let owner = format!("{node}/");
            let length = i32::try_from(owner.chars().count()).unwrap_or(i32::MAX);
            sqlx::query(AssertSqlSafe(sql)).bind(length).bind(owner).bind(now()).execute(&self.write).await?;
        }
        Ok(())
    }

    /// Gives a row back as if it had not been taken: at a stop.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn hand_back(&self, claim: &Claim) -> Result<(), DbError> {
        let sql = format!(
            "UPDATE {} SET state = 'due', run_at = 0, attempts = attempts - 1, lease_owner = '', lease_until = 0 \
             WHERE id = $1 AND lease_owner = $2 AND state = 'leased'",
            claim.table
        );
        sqlx::query(AssertSqlSafe(sql)).bind(claim.id).bind(claim.owner.clone()).execute(&self.write).await?;
        Ok(())
    }

    /// Ends a job that is done; `false` where it has gone to another worker.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn finish_job(&self, job: &Job) -> Result<bool, DbError> {
        let mut connection = self.write.acquire().await?;
        finish(&mut connection, &job.claim).await
    }

    /// Ends a try of a job that failed; `true` where there is no further one.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn fail_job(&self, job: &Job, error: &str, outlook: Outlook) -> Result<bool, DbError> {
        let pause = outlook.pause(job.claim.attempts);
        let mut transaction = self.begin().await?;
        let changed = sqlx::query(
            "UPDATE job SET state = $1, run_at = $2, error = $3, lost = 0, lease_owner = '', lease_until = 0 \
             WHERE id = $4 AND lease_owner = $5 AND state = 'leased'",
        )
        .bind(if pause.is_some() { "due" } else { "dead" })
        .bind(pause.map_or(0, |pause| now() + span(pause)))
        .bind(error.to_owned())
        .bind(job.claim.id)
        .bind(job.claim.owner.clone())
        .execute(&mut *transaction)
        .await?;
        if changed.rows_affected() == 1 && pause.is_none() {
            sqlx::query("UPDATE instance SET state = 'failed' WHERE id = $1 AND state IN ('received', 'reading')")
                .bind(job.film)
                .execute(&mut *transaction)
                .await?;
        }
        transaction.commit().await?;
        Ok(pause.is_none())
    }

    /// Makes dead jobs and sends due again; how many there were.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn revive(&self) -> Result<u64, DbError> {
        let mut transaction = self.begin().await?;
        sqlx::query(
            "UPDATE instance SET state = 'received' WHERE state = 'failed' AND id IN (SELECT film_id FROM job WHERE state = 'dead')",
        )
        .execute(&mut *transaction)
        .await?;
        let jobs = sqlx::query("UPDATE job SET state = 'due', run_at = 0, attempts = 0, lost = 0 WHERE state = 'dead'")
            .execute(&mut *transaction)
            .await?;
        let sends =
            sqlx::query("UPDATE send SET state = 'due', run_at = 0, attempts = 0, lost = 0 WHERE state = 'dead'")
                .execute(&mut *transaction)
                .await?;
        transaction.commit().await?;
        Ok(jobs.rows_affected() + sends.rows_affected())
    }

    /// How many jobs of each kind and state there are: the queues, as an administrator sees them.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn queues(&self) -> Result<Vec<(String, String, i64)>, DbError> {
        let rows = sqlx::query(
            "SELECT kind, state, COUNT(*) FROM job GROUP BY kind, state \
             UNION ALL SELECT destination, state, COUNT(*) FROM send GROUP BY destination, state",
        )
        .fetch_all(&self.read)
        .await?;
        rows.iter().map(|row| Ok((row.try_get(0)?, row.try_get(1)?, row.try_get(2)?))).collect()
    }
}

/// Takes a finished row off its queue, in the transaction of what was made; `false` where it has gone to another.
pub(super) async fn finish(connection: &mut AnyConnection, claim: &Claim) -> Result<bool, DbError> {
    let sql = format!(
        "UPDATE {} SET state = 'done', lease_owner = '', lease_until = 0 WHERE id = $1 AND lease_owner = $2 AND state = 'leased'",
        claim.table
    );
    let query = sqlx::query(AssertSqlSafe(sql)).bind(claim.id).bind(claim.owner.clone());
    Ok(query.execute(connection).await?.rows_affected() == 1)
}

pub(super) fn span(duration: Duration) -> i64 {
    i64::try_from(duration.as_micros()).unwrap_or(i64::MAX / 4)
}

/// A number that no other claim has.
fn nonce() -> String {
    format!("{:016x}", RandomState::new().build_hasher().finish())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_double_and_end() {
        let again = Outlook::Again { most: 3 };
        assert_eq!(again.pause(1), Some(Duration::from_secs(1)));
        assert_eq!(again.pause(2), Some(Duration::from_secs(2)));
        assert_eq!(again.pause(3), None);
        assert_eq!(Outlook::AgainAlways.pause(1_000_000), Some(Duration::from_secs(256)));
        assert_eq!(Outlook::Never.pause(1), None);
    }
}
