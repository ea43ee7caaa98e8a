//! Sessions: who is signed in, from where, since when.

use sqlx::Row as _;

use super::labelings::OPEN_LABELINGS;
use super::people::known_roles;
use super::{Database, DbError, now};
use crate::people::Person;
use crate::people::session::Stage;

/// A session that is begun.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewSession {
    /// What is stored of its secret.
    pub hash: String,
    /// Whose it is.
    pub person: i64,
    /// How far the sign-in has come.
    pub stage: Stage,
    /// The address it was begun from.
    pub address: String,
    /// The browser, in its own words.
    pub agent: String,
}

/// A session with the person.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Session {
    /// Its row.
    pub id: i64,
    /// Whose it is.
    pub person: Person,
    /// How far the sign-in has come.
    pub stage: Stage,
    /// The last request, microseconds since 1970; not more exact than [`SEEN`].
    pub seen_at: i64,
    /// The tag of the language that the person has set; empty where none is set.
    pub language: String,
}

/// A session as its person sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(missing_docs, reason = "each is what its name says")]
pub struct SeenSession {
    pub id: i64,
    pub begun_at: i64,
    pub seen_at: i64,
    pub address: String,
    pub agent: String,
}

/// A session's last request is written down at most this often, microseconds.
pub const SEEN: i64 = 60_000_000;

impl Database {
    /// Begins a session, and removes those that ended before `idle` or were begun before `oldest`.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn begin_session(&self, session: &NewSession, idle: i64, oldest: i64) -> Result<(), DbError> {
        let mut transaction = self.begin().await?;
        sqlx::query("DELETE FROM session WHERE seen_at < $1 OR begun_at < $2")
            .bind(idle)
            .bind(oldest)
            .execute(&mut *transaction)
            .await?;
        sqlx::query(
            "INSERT INTO session (hash, person_id, stage, begun_at, seen_at, address, agent) VALUES ($1, $2, $3, $4, $4, $5, $6)",
        )
        .bind(session.hash.clone())
        .bind(session.person)
        .bind(session.stage.as_str())
        .bind(now())
        .bind(session.address.clone())
        .bind(session.agent.clone())
        .execute(&mut *transaction)
        .await?;
        transaction.commit().await
    }

    /// The session of a hash, where it was used since `idle` and begun since `oldest`, and its person is not disabled.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn session(&self, hash: &str, idle: i64, oldest: i64) -> Result<Option<Session>, DbError> {
        let sql = format!(
            "SELECT session.id, session.stage, session.seen_at, person.id, person.name, person.full_name, person.roles, \
             person.language, {OPEN_LABELINGS} FROM session \
             JOIN person ON person.id = session.person_id \
             WHERE session.hash = $1 AND session.seen_at >= $2 AND session.begun_at >= $3 AND person.is_disabled = 0"
        );
        let row = sqlx::query(sqlx::AssertSqlSafe(sql))
            .bind(hash.to_owned())
            .bind(idle)
            .bind(oldest)
            .fetch_optional(&self.read)
            .await?;
        let Some(row) = row else { return Ok(None) };
        let Some(stage) = Stage::parse(&row.try_get::<String, _>(1)?) else { return Ok(None) };
        let person = Person {
            id: row.try_get(3)?,
            name: row.try_get(4)?,
            full_name: row.try_get(5)?,
            roles: known_roles(&row.try_get::<String, _>(6)?),
            is_labeling: row.try_get::<i64, _>(8)? > 0,
        };
        Ok(Some(Session { id: row.try_get(0)?, person, stage, seen_at: row.try_get(2)?, language: row.try_get(7)? }))
    }

    /// Notes that a session is used.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn saw_session(&self, id: i64) -> Result<(), DbError> {
        sqlx::query("UPDATE session SET seen_at = $1 WHERE id = $2").bind(now()).bind(id).execute(&self.write).await?;
        Ok(())
    }

    /// A person's sessions whose sign-in is whole, the latest first.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn sessions_of(&self, person: i64, idle: i64, oldest: i64) -> Result<Vec<SeenSession>, DbError> {
        let rows = sqlx::query(
            "SELECT id, begun_at, seen_at, address, agent FROM session \
             WHERE person_id = $1 AND seen_at >= $2 AND begun_at >= $3 AND stage = 'full' ORDER BY seen_at DESC LIMIT 100",
        )
        .bind(person)
        .bind(idle)
        .bind(oldest)
        .fetch_all(&self.read)
        .await?;
        rows.iter()
            .map(|row| {
                Ok(SeenSession {
                    id: row.try_get(0)?,
                    begun_at: row.try_get(1)?,
                    seen_at: row.try_get(2)?,
                    address: row.try_get(3)?,
                    agent: row.try_get(4)?,
                })
            })
            .collect()
    }

    /// Ends one of a person's sessions; `false` where there is no such one.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn end_session(&self, person: i64, session: i64) -> Result<bool, DbError> {
        let done = sqlx::query("DELETE FROM session WHERE id = $1 AND person_id = $2")
            .bind(session)
            .bind(person)
            .execute(&self.write)
            .await?;
        Ok(done.rows_affected() == 1)
    }

    /// Ends all sessions of a person but `kept` (0 for none); how many.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn end_sessions(&self, person: i64, kept: i64) -> Result<u64, DbError> {
        let done = sqlx::query("DELETE FROM session WHERE person_id = $1 AND id <> $2")
            .bind(person)
            .bind(kept)
            .execute(&self.write)
            .await?;
        Ok(done.rows_affected())
    }
}
