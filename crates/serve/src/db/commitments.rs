//! Storage commitment: requests wait in rows until their answer has arrived.

use sqlx::Row as _;

use super::claims::{Queue, finish, span};
use super::{Claim, Database, DbError, Outlook, now};

/// A request that is to be answered, leased.
#[derive(Debug, Clone)]
pub struct Commitment {
    /// The lease.
    pub claim: Claim,
    /// The AE title of who asked.
    pub peer: String,
    /// Transaction UID.
    pub transaction: String,
    /// SOP class and instance UIDs of what was asked for.
    pub references: Vec<(String, String)>,
}

impl Database {
    /// Keeps a request; the same one again changes nothing.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn ask_commitment(
        &self,
        peer: &str,
        transaction: &str,
        references: &[(String, String)],
    ) -> Result<(), DbError> {
        sqlx::query(
            "INSERT INTO commitment (peer, transaction_uid, request, state, run_at, lease_until, lease_owner, attempts, explained) \
             VALUES ($1, $2, $3, 'due', 0, 0, '', 0, '') ON CONFLICT (peer, transaction_uid) DO NOTHING",
        )
        .bind(peer.to_owned())
        .bind(transaction.to_owned())
        .bind(serde_json::to_string(references).unwrap_or_default())
        .execute(&self.write)
        .await?;
        Ok(())
    }

    /// Leases the next request that is due.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn claim_commitment(&self, node: &str) -> Result<Option<Commitment>, DbError> {
        let queue = Queue { table: "commitment", which: "peer <> $5", order: "run_at, id" };
        let Some(claim) = self.claim(&queue, node, &[""]).await? else { return Ok(None) };
        let row = sqlx::query("SELECT peer, transaction_uid, request FROM commitment WHERE id = $1")
            .bind(claim.id)
            .fetch_one(&self.write)
            .await?;
        let references = serde_json::from_str(&row.try_get::<String, _>(2)?).unwrap_or_default();
        Ok(Some(Commitment { claim, peer: row.try_get(0)?, transaction: row.try_get(1)?, references }))
    }

    /// Ends a request that was answered, or a try that failed: it is made again with growing pauses.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn finish_commitment(&self, commitment: &Commitment, result: Result<(), String>) -> Result<(), DbError> {
        let claim = &commitment.claim;
        let mut transaction = self.begin().await?;
        match result {
            Ok(()) => {
                finish(&mut transaction, claim).await?;
            }
            Err(explained) => {
                let pause = Outlook::AgainAlways.pause(claim.attempts).unwrap_or_default();
                sqlx::query(
                    "UPDATE commitment SET state = 'due', run_at = $1, explained = $2, lost = 0, lease_owner = '', lease_until = 0 \
                     WHERE id = $3 AND lease_owner = $4 AND state = 'leased'",
                )
                .bind(now() + span(pause))
                .bind(explained)
                .bind(claim.id)
                .bind(claim.owner.clone())
                .execute(&mut *transaction)
                .await?;
            }
        }
        transaction.commit().await?;
        Ok(())
    }

    /// Requests that wait: peer, tries, and why the last one failed.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn open_commitments(&self) -> Result<Vec<(String, i64, String)>, DbError> {
        let rows =
            sqlx::query("SELECT peer, attempts, explained FROM commitment WHERE state <> 'done' ORDER BY id LIMIT 100")
                .fetch_all(&self.read)
                .await?;
        rows.iter().map(|row| Ok((row.try_get(0)?, row.try_get(1)?, row.try_get(2)?))).collect()
    }
}
