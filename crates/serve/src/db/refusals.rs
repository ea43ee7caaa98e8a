//! Associations that were refused: the same peer's for the same reason are one row that counts.

use coxa_dimse::Refusal;
use sqlx::{AnyConnection, Row as _};

use super::{Database, DbError, micros};

/// Rows that are kept; the oldest go first, so that a peer that tries every title fills no disk.
const MOST: i64 = 1000;

/// A refusal as it is shown.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct SeenRefusal {
    /// The row; 0 before it has one.
    pub id: i64,
    /// The calling AE title.
    pub calling: String,
    /// The called AE title.
    pub called: String,
    /// Where it came from.
    pub address: String,
    /// Why it was refused.
    pub reason: String,
    /// What it asked for.
    pub asked: String,
    /// The peer's implementation.
    pub implementation: String,
    /// The line of configuration that would allow it.
    pub remedy: String,
    /// Whether a rule for its title and address would allow it.
    pub is_allowable: bool,
    /// First, microseconds since 1970.
    pub first_at: i64,
    /// Last.
    pub last_at: i64,
    /// How often.
    pub times: i64,
}

impl From<&Refusal> for SeenRefusal {
    fn from(refusal: &Refusal) -> Self {
        let at = micros(refusal.at);
        Self {
            id: 0,
            calling: refusal.calling.clone(),
            called: refusal.called.clone(),
            address: refusal.address.ip().to_canonical().to_string(),
            reason: refusal.to_string(),
            asked: refusal.asked.iter().take(16).cloned().collect::<Vec<_>>().join(" "),
            implementation: format!("{} {}", refusal.implementation.0, refusal.implementation.1),
            remedy: refusal.remedy(),
            is_allowable: refusal.peer_to_allow().is_some(),
            first_at: at,
            last_at: at,
            times: 1,
        }
    }
}

impl Database {
    /// Notes what was refused: associations, and requests on them.
    ///
    /// # Errors
    /// When the database fails; nothing of it is noted then.
    pub async fn note_refusals(&self, refused: &[SeenRefusal]) -> Result<(), DbError> {
        let mut transaction = self.begin().await?;
        for one in refused {
            note(&mut transaction, one).await?;
        }
        let surplus =
            "DELETE FROM refusal WHERE id IN (SELECT id FROM refusal ORDER BY last_at DESC LIMIT $1 OFFSET $2)";
        sqlx::query(surplus).bind(100 + refused.len() as i64).bind(MOST).execute(&mut *transaction).await?;
        transaction.commit().await
    }

    /// Refusals, the latest first.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn refusals(&self, most: i64) -> Result<Vec<SeenRefusal>, DbError> {
        let rows = sqlx::query(
            "SELECT calling, called, address, reason, asked, implementation, remedy, first_at, last_at, times, id, is_allowable \
             FROM refusal ORDER BY last_at DESC LIMIT $1",
        )
        .bind(most)
        .fetch_all(&self.read)
        .await?;
        let seen = |row: &sqlx::any::AnyRow| {
            Ok(SeenRefusal {
                calling: row.try_get(0)?,
                called: row.try_get(1)?,
                address: row.try_get(2)?,
                reason: row.try_get(3)?,
                asked: row.try_get(4)?,
                implementation: row.try_get(5)?,
                remedy: row.try_get(6)?,
                first_at: row.try_get(7)?,
                last_at: row.try_get(8)?,
                times: row.try_get(9)?,
                id: row.try_get(10)?,
                is_allowable: row.try_get::<i64, _>(11)? == 1,
            })
        };
        rows.iter().map(seen).collect()
    }
}

async fn note(connection: &mut AnyConnection, refused: &SeenRefusal) -> Result<(), DbError> {
    sqlx::query(
        "INSERT INTO refusal (calling, called, address, reason, asked, implementation, remedy, first_at, last_at, times, \
         is_allowable) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11) \
         ON CONFLICT (calling, called, address, reason) DO UPDATE SET last_at = excluded.last_at, \
         times = refusal.times + excluded.times, asked = excluded.asked, remedy = excluded.remedy, \
         implementation = excluded.implementation, is_allowable = excluded.is_allowable",
    )
    .bind(refused.calling.clone())
    .bind(refused.called.clone())
    .bind(refused.address.clone())
    .bind(refused.reason.clone())
    .bind(refused.asked.clone())
    .bind(refused.implementation.clone())
    .bind(refused.remedy.clone())
    .bind(refused.first_at)
    .bind(refused.last_at)
    .bind(refused.times)
    .bind(i64::from(refused.is_allowable))
    .execute(connection)
    .await?;
    Ok(())
}
