//! The audit log's rows: added in the order of their numbers, under the lock of the last one, and never changed.

use sqlx::any::AnyRow;
use sqlx::{AssertSqlSafe, Row as _};

use super::{Database, DbError, Dialect};

/// An entry as it is stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AuditRow {
    /// Its number, from 1.
    pub seq: i64,
    /// When, microseconds since 1970.
    pub at: i64,
    /// What was done.
    pub action: String,
    /// The person's row; 0 for none.
    pub person: i64,
    /// The film's row; 0 for none.
    pub film: i64,
    /// The entry as JSON, which the hash covers.
    pub body: String,
    /// SHA-256 over the hash before and the body.
    pub hash: String,
    /// The public key whose signature it has.
    pub key: String,
    /// The signature of the hash.
    pub signature: String,
}

/// Which entries are asked for. What is empty or 0 asks for all.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct AuditQuery {
    /// The person's row.
    pub person: i64,
    /// The film's row.
    pub film: i64,
    /// What was done.
    pub action: String,
    /// From this moment, and before that one.
    pub between: (Option<i64>, Option<i64>),
}

impl Database {
    /// Adds entries after the last one, in one transaction. `make` gets a number and the hash before it, for each entry in turn.
    ///
    /// # Errors
    /// When the database fails; then nothing was added.
    pub async fn append_audit(
        &self,
        entries: usize,
        mut make: impl FnMut(usize, i64, &str) -> AuditRow + Send,
    ) -> Result<Option<(i64, String)>, DbError> {
        let mut transaction = self.begin().await?;
        let lock = if self.dialect == Dialect::Postgres { " FOR UPDATE" } else { "" };
        let sql = format!("SELECT seq, hash FROM audit_head WHERE id = 1{lock}");
        let head = sqlx::query(AssertSqlSafe(sql)).fetch_one(&mut *transaction).await?;
        let (mut seq, mut hash): (i64, String) = (head.try_get(0)?, head.try_get(1)?);
        for entry in 0..entries {
            seq += 1;
            let row = make(entry, seq, &hash);
            hash.clone_from(&row.hash);
            sqlx::query(
                "INSERT INTO audit (seq, at, action, person_id, film_id, body, hash, signing_key, signature) \
                 VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)",
            )
            .bind(row.seq)
            .bind(row.at)
            .bind(row.action)
            .bind(row.person)
            .bind(row.film)
            .bind(row.body)
            .bind(row.hash)
            .bind(row.key)
            .bind(row.signature)
            .execute(&mut *transaction)
            .await?;
        }
        sqlx::query("UPDATE audit_head SET seq = $1, hash = $2 WHERE id = 1")
            .bind(seq)
            .bind(hash.clone())
            .execute(&mut *transaction)
            .await?;
        transaction.commit().await?;
        Ok((entries > 0).then_some((seq, hash)))
    }

    /// The number and hash of the last entry as the log itself states it.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn audit_head(&self) -> Result<(i64, String), DbError> {
        let row = sqlx::query("SELECT seq, hash FROM audit_head WHERE id = 1").fetch_one(&self.read).await?;
        Ok((row.try_get(0)?, row.try_get(1)?))
    }

    /// Entries after a number, in their order.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn audit_after(&self, query: &AuditQuery, seq: i64, most: i64) -> Result<Vec<AuditRow>, DbError> {
        self.audit_rows(query, &format!("seq > {seq}"), "ASC", most).await
    }

    /// Entries before a number, the latest first.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn audit_before(&self, query: &AuditQuery, seq: i64, most: i64) -> Result<Vec<AuditRow>, DbError> {
        self.audit_rows(query, &format!("seq < {seq}"), "DESC", most).await
    }

    async fn audit_rows(
        &self,
        query: &AuditQuery,
        from: &str,
        order: &str,
        most: i64,
    ) -> Result<Vec<AuditRow>, DbError> {
        let mut which = from.to_owned();
        if query.film != 0 {
            // A list names its films in one text, with spaces between.
            let film = query.film;
            which += &format!(
                " AND (film_id = {film} OR (action = 'films_listed' AND (body LIKE '%\"films\":\"{film} %' \
                 OR body LIKE '%\"films\":\"{film}\"%' OR body LIKE '% {film} %' OR body LIKE '% {film}\"%')))"
            );
        }
        let numbers = [
            ("person_id =", (query.person != 0).then_some(query.person)),
            ("at >=", query.between.0),
            ("at <", query.between.1),
        ];
        for (column, value) in numbers {
            if let Some(value) = value {
                which += &format!(" AND {column} {value}");
            }
        }
        if !query.action.is_empty() {
            which += " AND action = $1";
        }
        let sql = format!(
            "SELECT seq, at, action, person_id, film_id, body, hash, signing_key, signature FROM audit WHERE {which} ORDER BY seq {order} LIMIT {most}"
        );
        let mut statement = sqlx::query(AssertSqlSafe(sql));
        if !query.action.is_empty() {
            statement = statement.bind(query.action.clone());
        }
        statement.fetch_all(&self.read).await?.iter().map(of_row).collect()
    }

    /// What has happened to the log at least once, in alphabetical order.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn audit_actions(&self) -> Result<Vec<String>, DbError> {
        let rows = sqlx::query("SELECT DISTINCT action FROM audit ORDER BY action").fetch_all(&self.read).await?;
        rows.iter().map(|row| Ok(row.try_get(0)?)).collect()
    }
}

fn of_row(row: &AnyRow) -> Result<AuditRow, DbError> {
    Ok(AuditRow {
        seq: row.try_get("seq")?,
        at: row.try_get("at")?,
        action: row.try_get("action")?,
        person: row.try_get("person_id")?,
        film: row.try_get("film_id")?,
        body: row.try_get("body")?,
        hash: row.try_get("hash")?,
        key: row.try_get("signing_key")?,
        signature: row.try_get("signature")?,
    })
}
