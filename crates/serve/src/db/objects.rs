//! Result objects on their way to destinations: one row for each object and destination.

use sqlx::Row as _;

use super::claims::{Queue, finish, span};
use super::{Claim, Database, DbError, Film, NewFilm, Outlook, now};

/// What a result object is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, serde::Deserialize, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub enum ObjectKind {
    /// A Comprehensive 3D SR, TID 1500.
    Sr,
    /// A Grayscale Softcopy Presentation State.
    Gsps,
    /// A Secondary Capture.
    Sc,
    /// A Parametric Map.
    ParametricMap,
}

impl ObjectKind {
    /// All.
    pub const ALL: [Self; 4] = [Self::Sr, Self::Gsps, Self::Sc, Self::ParametricMap];

    /// As it is written.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Sr => "sr",
            Self::Gsps => "gsps",
            Self::Sc => "sc",
            Self::ParametricMap => "parametric_map",
        }
    }
}

/// A result object with where it goes.
#[derive(Debug, Clone, serde::Deserialize, serde::Serialize)]
pub struct NewObject {
    /// What it is.
    pub kind: ObjectKind,
    /// Its attributes.
    pub attributes: NewFilm,
    /// Names of destinations.
    pub destinations: Vec<String>,
    /// Whether it is to be copied to the bucket.
    pub is_copied: bool,
}

/// An object that is to be sent, leased.
#[derive(Debug, Clone)]
pub struct Send {
    /// The lease.
    pub claim: Claim,
    /// The object.
    pub object: Film,
}

/// What became of a try to send.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SendState {
    /// The destination has it.
    Done,
    /// It has not.
    Failed(Outlook),
}

/// How a destination fares.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Destined {
    /// Its name.
    pub name: String,
    /// Objects that wait.
    pub due: i64,
    /// Objects that are there.
    pub done: i64,
    /// Objects that a person must look at.
    pub dead: i64,
    /// When the last object was accepted, microseconds since 1970; 0 where none was.
    pub last_success: i64,
    /// The last error in words; empty where there was none since.
    pub last_error: String,
}

impl Database {
    /// The film that an object was made for.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn film_of_object(&self, object: i64) -> Result<Option<i64>, DbError> {
        let row =
            sqlx::query("SELECT film_id FROM instance WHERE id = $1").bind(object).fetch_optional(&self.read).await?;
        Ok(row.map(|row| row.try_get(0)).transpose()?.flatten())
    }

    /// Leases the next object for a destination: of positive films first.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn claim_send(&self, destination: &str, node: &str) -> Result<Option<Send>, DbError> {
        let which = "destination = $5 AND object_id IN (SELECT id FROM instance WHERE home = $6 OR in_bucket = 1)";
        let queue = Queue { table: "send", which, order: "priority DESC, run_at, id" };
        loop {
            let Some(claim) = self.claim(&queue, node, &[destination, node]).await? else { return Ok(None) };
            let row =
                sqlx::query("SELECT object_id FROM send WHERE id = $1").bind(claim.id).fetch_one(&self.write).await?;
            // A row that retention has just removed is not there to be sent.
            let Some(object) = self.film(row.try_get(0)?).await? else { return Ok(None) };
            let send = Send { claim, object };
            let Some(why) = send.claim.is_fatal() else { return Ok(Some(send)) };
            tracing::error!(%destination, "an object is set aside: {why}");
            self.finish_send(&send, SendState::Failed(Outlook::Never), -1, &why).await?;
        }
    }

    /// Ends a try to send; `true` where there is no further one.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn finish_send(
        &self,
        send: &Send,
        state: SendState,
        status: i64,
        explained: &str,
    ) -> Result<bool, DbError> {
        let mut transaction = self.begin().await?;
        let pause = match state {
            SendState::Done => {
                if !finish(&mut transaction, &send.claim).await? {
                    transaction.rollback().await?;
                    return Ok(true);
                }
                None
            }
            SendState::Failed(outlook) => {
                let pause = outlook.pause(send.claim.attempts);
                sqlx::query(
                    "UPDATE send SET state = $1, run_at = $2, lost = 0, lease_owner = '', lease_until = 0 \
                     WHERE id = $3 AND lease_owner = $4 AND state = 'leased'",
                )
                .bind(if pause.is_some() { "due" } else { "dead" })
                .bind(pause.map_or(0, |pause| now() + span(pause)))
                .bind(send.claim.id)
                .bind(send.claim.owner.clone())
                .execute(&mut *transaction)
                .await?;
                pause
            }
        };
        sqlx::query("UPDATE send SET status = $1, explained = $2, done_at = $3 WHERE id = $4")
            .bind(status)
            .bind(explained.to_owned())
            .bind(now())
            .bind(send.claim.id)
            .execute(&mut *transaction)
            .await?;
        transaction.commit().await?;
        Ok(pause.is_none())
    }

    /// How destinations fare.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn destined(&self, names: &[String]) -> Result<Vec<Destined>, DbError> {
        let mut all = Vec::new();
        for name in names {
            let rows = sqlx::query("SELECT state, COUNT(*) FROM send WHERE destination = $1 GROUP BY state")
                .bind(name.clone())
                .fetch_all(&self.read)
                .await?;
            let mut destined = Destined { name: name.clone(), ..Destined::default() };
            for row in rows {
                let (state, count): (String, i64) = (row.try_get(0)?, row.try_get(1)?);
                match state.as_str() {
                    "done" => destined.done = count,
                    "dead" => destined.dead = count,
                    _ => destined.due += count,
                }
            }
            let last = "SELECT COALESCE(MAX(done_at), 0) FROM send WHERE destination = $1 AND state = 'done'";
            destined.last_success = sqlx::query(last).bind(name.clone()).fetch_one(&self.read).await?.try_get(0)?;
            let error = "SELECT explained FROM send WHERE destination = $1 AND state <> 'done' AND explained <> '' AND done_at >= $2 \
                 ORDER BY done_at DESC LIMIT 1";
            let error =
                sqlx::query(error).bind(name.clone()).bind(destined.last_success).fetch_optional(&self.read).await?;
            destined.last_error = error.map(|row| row.try_get(0)).transpose()?.unwrap_or_default();
            all.push(destined);
        }
        Ok(all)
    }
}
