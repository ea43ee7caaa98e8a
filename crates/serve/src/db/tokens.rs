//! Tokens of the interfaces: only their hash is kept.

use sqlx::Row as _;

use super::{Database, DbError, now};

/// What a token allows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Scope {
    /// To look at films and results.
    Read,
    /// All, films to be stored and settings among it.
    Admin,
}

impl Scope {
    /// As it is written.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Read => "read",
            Self::Admin => "admin",
        }
    }

    /// Parses `read` or `admin`.
    pub fn parse(text: &str) -> Option<Self> {
        [Self::Read, Self::Admin].into_iter().find(|scope| scope.as_str() == text)
    }
}

impl Database {
    /// Keeps a token's hash; `false` where the name is taken.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn add_token(&self, name: &str, token: &str, scope: Scope) -> Result<bool, DbError> {
        let done = sqlx::query(
            "INSERT INTO token (name, hash, scope, created_at) VALUES ($1, $2, $3, $4) ON CONFLICT (name) DO NOTHING",
        )
        .bind(name.to_owned())
        .bind(coxa_files::sha256(token.as_bytes()))
        .bind(scope.as_str())
        .bind(now())
        .execute(&self.write)
        .await?;
        Ok(done.rows_affected() == 1)
    }

    /// Whose token it is, and what it allows.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn token(&self, token: &str) -> Result<Option<(String, Scope)>, DbError> {
        let row = sqlx::query("SELECT name, scope FROM token WHERE hash = $1")
            .bind(coxa_files::sha256(token.as_bytes()))
            .fetch_optional(&self.read)
            .await?;
        let Some(row) = row else { return Ok(None) };
        let scope: String = row.try_get(1)?;
        Scope::parse(&scope).map(|scope| Ok((row.try_get(0)?, scope))).transpose()
    }

    /// Takes a token back; `false` where there is none of this name.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn remove_token(&self, name: &str) -> Result<bool, DbError> {
        let done = sqlx::query("DELETE FROM token WHERE name = $1").bind(name.to_owned()).execute(&self.write).await?;
        Ok(done.rows_affected() == 1)
    }
}
