//! The schema, as the steps that lead to it. A step that was released is never changed; a new one is added.

use std::path::Path;

use sqlx::{AnyConnection, AssertSqlSafe, Connection as _, Row as _};

use super::{Database, DbError, Dialect};

/// `{id}` is the type of a row's own number; `{append_only:TABLE}` makes the database refuse to change or remove rows of a table;
/// `{json_number:COLUMN.KEY}` is the number at a key of a column that holds a JSON object.
const STEPS: &[&str] = &[
    include_str!("schema/001.sql"),
    include_str!("schema/002.sql"),
    include_str!("schema/003.sql"),
    include_str!("schema/004.sql"),
    include_str!("schema/005.sql"),
    include_str!("schema/006.sql"),
    include_str!("schema/007.sql"),
    include_str!("schema/008.sql"),
    include_str!("schema/009.sql"),
    include_str!("schema/010.sql"),
    include_str!("schema/011.sql"),
    include_str!("schema/012.sql"),
    include_str!("schema/013.sql"),
];

const SQLITE_APPEND_ONLY: &str = "\
    CREATE TRIGGER TABLE_unchanged BEFORE UPDATE ON TABLE BEGIN SELECT RAISE(ABORT, 'rows of TABLE are only added'); END;\n\
    CREATE TRIGGER TABLE_kept BEFORE DELETE ON TABLE BEGIN SELECT RAISE(ABORT, 'rows of TABLE are only added'); END;";
const POSTGRES_APPEND_ONLY: &str = "\
    CREATE FUNCTION TABLE_refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'rows of TABLE are only added'; END $$;\n\
    CREATE TRIGGER TABLE_unchanged BEFORE UPDATE OR DELETE ON TABLE FOR EACH ROW EXECUTE FUNCTION TABLE_refuse();\n\
    CREATE TRIGGER TABLE_kept BEFORE TRUNCATE ON TABLE FOR EACH STATEMENT EXECUTE FUNCTION TABLE_refuse();";

/// Nodes that start at once bring the schema up to date one after the other; any number that no one else uses.
const LOCK: &str = "SELECT pg_advisory_xact_lock(7310593858)";

impl Database {
    /// Sees whether a database answers and what its schema is, and changes nothing of it: it may be in use, by an earlier version too.
    ///
    /// # Errors
    /// When it cannot be reached, or is a later program's.
    pub async fn look(url: &str) -> Result<SchemaFound, DbError> {
        sqlx::any::install_default_drivers();
        let url = match Dialect::of(url)? {
            Dialect::Sqlite => {
                let place = url.split('?').next().unwrap_or_default();
                let file = place.trim_start_matches("sqlite:").trim_start_matches("//");
                let file = file.replace("%23", "#").replace("%3f", "?").replace("%25", "%");
                if !Path::new(&file).exists() {
                    return Ok(SchemaFound::None);
                }
                format!("{place}?mode=ro")
            }
            Dialect::Postgres => url.to_owned(),
        };
        let mut connection = AnyConnection::connect(&url).await?;
        let found = schema_found(&mut connection).await;
        connection.close().await?;
        found
    }

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
        for (step, sql) in (1..).zip(STEPS).skip(found as usize) {
            sqlx::raw_sql(AssertSqlSafe(in_dialect(sql, self.dialect))).execute(&mut *transaction).await?;
            sqlx::query("INSERT INTO schema_step (step) VALUES ($1)")
                .bind(step as i64)
                .execute(&mut *transaction)
                .await?;
        }
        transaction.commit().await?;
        Ok(())
    }
}

/// How far a database's schema has come, seen without changing it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SchemaFound {
    /// There is none yet: the next start makes it.
    None,
    /// It is of an earlier version: the next start brings it up to date.
    Earlier,
    /// It is what this program works with.
    Current,
}

/// How far a schema has come, over a connection that only reads.
async fn schema_found(connection: &mut AnyConnection) -> Result<SchemaFound, DbError> {
    let row = match sqlx::query("SELECT COALESCE(MAX(step), 0) FROM schema_step").fetch_one(connection).await {
        Ok(row) => row,
        // The database answers, and has no such table.
        Err(sqlx::Error::Database(error)) if is_missing_table(&*error) => return Ok(SchemaFound::None),
        Err(error) => return Err(error.into()),
    };
    let (found, known) = (row.try_get::<i64, _>(0)?, STEPS.len() as i64);
    match found.cmp(&known) {
        std::cmp::Ordering::Greater => Err(DbError::Newer { found, known }),
        std::cmp::Ordering::Equal => Ok(SchemaFound::Current),
        std::cmp::Ordering::Less => Ok(SchemaFound::Earlier),
    }
}

/// PostgreSQL's code of an undefined table; SQLite has words alone.
fn is_missing_table(error: &dyn sqlx::error::DatabaseError) -> bool {
    error.code().is_some_and(|code| code == "42P01") || error.message().contains("no such table")
}

/// A step in the words of a database.
fn in_dialect(sql: &str, dialect: Dialect) -> String {
    let (id, append_only) = match dialect {
        Dialect::Sqlite => ("INTEGER PRIMARY KEY AUTOINCREMENT", SQLITE_APPEND_ONLY),
        Dialect::Postgres => ("BIGSERIAL PRIMARY KEY", POSTGRES_APPEND_ONLY),
    };
    let mut sql = sql.replace("{id}", id);
    while let Some((before, rest)) = sql.split_once("{append_only:") {
        let Some((table, after)) = rest.split_once('}') else { break };
        sql = format!("{before}{}{after}", append_only.replace("TABLE", table));
    }
    while let Some((before, rest)) = sql.split_once("{json_number:") {
        let Some(((column, key), after)) =
            rest.split_once('}').and_then(|(name, after)| Some((name.split_once('.')?, after)))
        else {
            break;
        };
        let number = match dialect {
            Dialect::Sqlite => format!("json_extract({column}, '$.{key}')"),
            Dialect::Postgres => format!("CAST(CAST({column} AS json) ->> '{key}' AS DOUBLE PRECISION)"),
        };
        sql = format!("{before}{number}{after}");
    }
    sql
}
