//! Transactions that leave nothing behind when they fail.
//!
//! A commit that fails (a full disk) can leave SQLite's transaction open; the library then counts the next one as nested in it, and its
//! commit as done though nothing has reached the disk. So a connection whose transaction did not end as it should is closed, and never used
//! again.

use std::ops::{Deref, DerefMut};

use sqlx::pool::PoolConnection;
use sqlx::{Any, AnyConnection};

use super::{Database, DbError, Dialect};

/// A transaction. Dropped without [`Transaction::commit`], it is rolled back with its connection.
pub(super) struct Transaction {
    connection: Option<PoolConnection<Any>>,
}

impl Database {
    /// Begins a transaction that writes.
    pub(super) async fn begin(&self) -> Result<Transaction, DbError> {
        let connection = self.write.acquire().await?;
        let mut transaction = Transaction { connection: Some(connection) };
        // SQLite's lock is taken at once, so that it need not be waited for in the middle.
        let begin = if self.dialect == Dialect::Sqlite { "BEGIN IMMEDIATE" } else { "BEGIN" };
        sqlx::raw_sql(begin).execute(&mut *transaction).await?;
        Ok(transaction)
    }
}

impl Transaction {
    /// Makes it durable.
    pub(super) async fn commit(self) -> Result<(), DbError> {
        self.end("COMMIT").await
    }

    /// Undoes it, and keeps the connection.
    pub(super) async fn rollback(self) -> Result<(), DbError> {
        self.end("ROLLBACK").await
    }

    async fn end(mut self, how: &'static str) -> Result<(), DbError> {
        sqlx::raw_sql(how).execute(&mut *self).await?;
        // Back to the pool.
        drop(self.connection.take());
        Ok(())
    }
}

impl Deref for Transaction {
    type Target = AnyConnection;

    fn deref(&self) -> &AnyConnection {
        // It is taken only when the transaction is consumed.
        self.connection.as_ref().unwrap_or_else(|| unreachable!("a transaction that has ended"))
    }
}

impl DerefMut for Transaction {
    fn deref_mut(&mut self) -> &mut AnyConnection {
        self.connection.as_mut().unwrap_or_else(|| unreachable!("a transaction that has ended"))
    }
}

impl Drop for Transaction {
    fn drop(&mut self) {
        if let Some(connection) = self.connection.take() {
            // Closed, which undoes whatever is open.
            drop(connection.detach());
        }
    }
}
