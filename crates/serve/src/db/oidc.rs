//! Accounts of an identity provider, and sign-ins that are on their way to it.

use sqlx::Row as _;

use super::{Account, Database, DbError, now};
use crate::people::Roles;

/// Sign-ins on their way that are kept; the oldest goes where there are more.
const MOST_FLOWS: i64 = 10_000;

/// A sign-in that is sent to the provider.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewFlow {
    /// SHA-256 of the state, by which the answer is matched.
    pub state: String,
    /// SHA-256 of what the browser's cookie holds.
    pub browser: String,
    /// What it is made of otherwise.
    pub flow: Flow,
}

/// What a sign-in needs when it comes back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Flow {
    /// The ID token must hold it.
    pub nonce: String,
    /// The code is exchanged with it.
    pub verifier: String,
    /// The address on this node that the sign-in leads to.
    pub next: String,
}

/// An account that is made at its first sign-in through the provider.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewLinked {
    /// The provider.
    pub issuer: String,
    /// Who it is there.
    pub subject: String,
    /// The name here.
    pub name: String,
    /// As other people read it.
    pub full_name: String,
    /// What the person is here.
    pub roles: Roles,
}

impl Database {
    /// Keeps a sign-in, and removes those that were begun before `oldest`.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn begin_flow(&self, new: &NewFlow, oldest: i64) -> Result<(), DbError> {
        let mut transaction = self.begin().await?;
        sqlx::query("DELETE FROM oidc_flow WHERE begun_at < $1").bind(oldest).execute(&mut *transaction).await?;
        let row = sqlx::query("SELECT COUNT(*) FROM oidc_flow").fetch_one(&mut *transaction).await?;
        if row.try_get::<i64, _>(0)? >= MOST_FLOWS {
            sqlx::query("DELETE FROM oidc_flow WHERE begun_at = (SELECT MIN(begun_at) FROM oidc_flow)")
                .execute(&mut *transaction)
                .await?;
        }
        sqlx::query(
            "INSERT INTO oidc_flow (state, browser, nonce, verifier, next, begun_at) VALUES ($1, $2, $3, $4, $5, $6)",
        )
        .bind(new.state.clone())
        .bind(new.browser.clone())
        .bind(new.flow.nonce.clone())
        .bind(new.flow.verifier.clone())
        .bind(new.flow.next.clone())
        .bind(now())
        .execute(&mut *transaction)
        .await?;
        transaction.commit().await
    }

    /// Takes a sign-in that was begun since `oldest`, by the browser that began it; `None` where there is none, or it was taken already.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn take_flow(&self, state: &str, browser: &str, oldest: i64) -> Result<Option<Flow>, DbError> {
        let row = sqlx::query(
            "DELETE FROM oidc_flow WHERE state = $1 AND browser = $2 AND begun_at >= $3 RETURNING nonce, verifier, next",
        )
        .bind(state.to_owned())
        .bind(browser.to_owned())
        .bind(oldest)
        .fetch_optional(&self.write)
        .await?;
        row.map(|row| Ok(Flow { nonce: row.try_get(0)?, verifier: row.try_get(1)?, next: row.try_get(2)? })).transpose()
    }

    /// The account of somebody at a provider.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn linked_account(&self, issuer: &str, subject: &str) -> Result<Option<Account>, DbError> {
        let row = sqlx::query("SELECT person_id FROM oidc_account WHERE issuer = $1 AND subject = $2")
            .bind(issuer.to_owned())
            .bind(subject.to_owned())
            .fetch_optional(&self.read)
            .await?;
        match row {
            Some(row) => self.account(row.try_get(0)?).await,
            None => Ok(None),
        }
    }

    /// Whether an account signs in through a provider.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn is_linked(&self, person: i64) -> Result<bool, DbError> {
        let row = sqlx::query("SELECT COUNT(*) FROM oidc_account WHERE person_id = $1")
            .bind(person)
            .fetch_one(&self.read)
            .await?;
        Ok(row.try_get::<i64, _>(0)? > 0)
    }

    /// Makes an account without a password and links it; `None` where the name is taken, or somebody of this subject has one already.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn add_linked(&self, new: &NewLinked) -> Result<Option<i64>, DbError> {
        let mut transaction = self.begin().await?;
        let row = sqlx::query(
            "INSERT INTO person (name, full_name, roles, password, is_one_time, is_local, is_disabled, totp_secret, has_totp, totp_step, \
             created_at, signed_in_at) VALUES ($1, $2, $3, '', 0, 0, 0, '', 0, 0, $4, 0) ON CONFLICT (name) DO NOTHING RETURNING id",
        )
        .bind(new.name.clone())
        .bind(new.full_name.clone())
        .bind(new.roles.to_string())
        .bind(now())
        .fetch_optional(&mut *transaction)
        .await?;
        let Some(id) = row.map(|row| row.try_get::<i64, _>(0)).transpose()? else {
            transaction.rollback().await?;
            return Ok(None);
        };
        let linked = sqlx::query(
            "INSERT INTO oidc_account (issuer, subject, person_id, created_at) VALUES ($1, $2, $3, $4) \
             ON CONFLICT (issuer, subject) DO NOTHING",
        )
        .bind(new.issuer.clone())
        .bind(new.subject.clone())
        .bind(id)
        .bind(now())
        .execute(&mut *transaction)
        .await?;
        if linked.rows_affected() == 0 {
            transaction.rollback().await?;
            return Ok(None);
        }
        transaction.commit().await?;
        Ok(Some(id))
    }

    /// Gives an account of a provider the name and roles that it has there now. It has no password, so that the last administrator, who
    /// has one, is never such an account.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn renew_linked(&self, id: i64, full_name: &str, roles: Roles) -> Result<(), DbError> {
        sqlx::query(
            "UPDATE person SET full_name = $1, roles = $2 WHERE id = $3 AND id IN (SELECT person_id FROM oidc_account)",
        )
        .bind(full_name.to_owned())
        .bind(roles.to_string())
        .bind(id)
        .execute(&self.write)
        .await?;
        Ok(())
    }
}
