//! The schema, as the steps that lead to it. A step that was released is never changed; a new one is added.

use sqlx::{AssertSqlSafe, Row as _};

use super::{Database, DbError, Dialect};

/// `{id}` is the type of a row's own number.
const STEPS: &[&str] =
    &[include_str!("schema/001.sql"), include_str!("schema/002.sql"), include_str!("schema/004.sql")];

/// Nodes that start at once bring the schema up to date one after the other; any number that no one else uses.
const LOCK: &str = "SELECT pg_advisory_xact_lock(7310593858)";

impl Database {
    pub(super) async fn migrate(&self) -> Result<(), DbError> {
        let mut transaction = self.begin().await?;
        if self.dialect == Dialect::Postgres {
            sqlx::query(LOCK).execute(&mut *transaction).await?;
        }
        sqlx::raw_sql("CREATE TABLE IF NOT EXISTS schema_step (step BIGINT PRIMARY KEY)")
            .execute(&mut *transaction)
            .await?;
        let row = sqlx::query("SELECT COALESCE(MAX(step), 0) FROM schema_step").fetch_one(&mut *transaction).await?;
        let (found, known) = (row.try_get::<i64, _>(0)?, STEPS.len() as i64);
        if found > known {
            return Err(DbError::Newer { found, known });
        }
        let id = match self.dialect {
            Dialect::Sqlite => "INTEGER PRIMARY KEY AUTOINCREMENT",
            Dialect::Postgres => "BIGSERIAL PRIMARY KEY",
        };
        for (step, sql) in (1..).zip(STEPS).skip(found as usize) {
            sqlx::raw_sql(AssertSqlSafe(sql.replace("{id}", id))).execute(&mut *transaction).await?;
            sqlx::query("INSERT INTO schema_step (step) VALUES ($1)")
                .bind(step as i64)
                .execute(&mut *transaction)
                .await?;
        }
        transaction.commit().await?;
        Ok(())
    }
}
