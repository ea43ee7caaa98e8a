//! Peers that were allowed on the operations page.

use sqlx::Row as _;

use super::{Database, DbError, now};

/// A peer that an administrator allowed to store.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AllowedPeer {
    /// The row.
    pub id: i64,
    /// Its AE title.
    pub ae_title: String,
    /// The address it calls from.
    pub address: String,
    /// When, microseconds since 1970.
    pub allowed_at: i64,
    /// The name of the account.
    pub allowed_by: String,
}

impl Database {
    /// The title and address of a refused peer that a rule would allow.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn allowable(&self, refusal: i64) -> Result<Option<(String, String)>, DbError> {
        let found = sqlx::query("SELECT calling, address FROM refusal WHERE id = $1 AND is_allowable = 1")
            .bind(refusal)
            .fetch_optional(&self.read)
            .await?;
        found.map(|row| Ok((row.try_get(0)?, row.try_get(1)?))).transpose()
    }

    /// Allows a peer, and forgets what was refused to it for want of a rule.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn allow(&self, ae_title: &str, address: &str, by: &str) -> Result<(), DbError> {
        let mut transaction = self.begin().await?;
        sqlx::query(
            "INSERT INTO allowed_peer (ae_title, address, allowed_at, allowed_by) VALUES ($1, $2, $3, $4) \
             ON CONFLICT (ae_title, address) DO NOTHING",
        )
        .bind(ae_title.to_owned())
        .bind(address.to_owned())
        .bind(now())
        .bind(by.to_owned())
        .execute(&mut *transaction)
        .await?;
        sqlx::query("DELETE FROM refusal WHERE calling = $1 AND address = $2 AND is_allowable = 1")
            .bind(ae_title.to_owned())
            .bind(address.to_owned())
            .execute(&mut *transaction)
            .await?;
        transaction.commit().await?;
        Ok(())
    }

    /// Takes an allowance back; that it is not there is no error.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn disallow(&self, id: i64) -> Result<(), DbError> {
        sqlx::query("DELETE FROM allowed_peer WHERE id = $1").bind(id).execute(&self.write).await?;
        Ok(())
    }

    /// The peers that were allowed, by title and address.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn allowed_peers(&self) -> Result<Vec<AllowedPeer>, DbError> {
        let rows = sqlx::query(
            "SELECT id, ae_title, address, allowed_at, allowed_by FROM allowed_peer ORDER BY ae_title, address",
        )
        .fetch_all(&self.read)
        .await?;
        let peer = |row: &sqlx::any::AnyRow| {
            Ok(AllowedPeer {
                id: row.try_get(0)?,
                ae_title: row.try_get(1)?,
                address: row.try_get(2)?,
                allowed_at: row.try_get(3)?,
                allowed_by: row.try_get(4)?,
            })
        };
        rows.iter().map(peer).collect()
    }
}
