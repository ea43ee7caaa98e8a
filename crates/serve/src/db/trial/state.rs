//! A trial's row, and the lock that all who change the trial take.

use sqlx::any::AnyRow;
use sqlx::{AnyConnection, AssertSqlSafe, Row as _};

use super::super::{DbError, Dialect};
use crate::trial::TrialPlan;

/// A trial.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Trial {
    /// Its row.
    pub id: i64,
    /// What it is to be.
    pub plan: TrialPlan,
    /// When it was begun, microseconds since 1970.
    pub begun_at: i64,
    /// When enrolling was stopped; 0 where it was not.
    pub stopped_at: i64,
    /// When it was closed; 0 where it is open.
    pub closed_at: i64,
    /// The hash of its secret.
    pub commitment: String,
    /// The secret, once the trial is closed; empty before.
    pub secret: String,
    /// The CSV that is analyzed, once the trial is closed; empty before.
    pub frozen: String,
}

impl Trial {
    /// Whether it is closed.
    pub fn is_closed(&self) -> bool {
        self.closed_at != 0
    }

    /// Whether a patient whose film comes now would be randomized, but for the planned number.
    pub fn is_enrolling(&self, at: i64) -> bool {
        let (from, before) = self.plan.enrolls(self.begun_at);
        self.closed_at == 0 && self.stopped_at == 0 && (from..before).contains(&at)
    }
}

/// The open trial with its secret, locked until the transaction ends: who is randomized, and that it is closed, come one after the
/// other on all nodes.
pub(super) async fn locked(connection: &mut AnyConnection, dialect: Dialect) -> Result<Option<Trial>, DbError> {
    let lock = if dialect == Dialect::Postgres { "FOR UPDATE" } else { "" };
    let sql = format!(
        "SELECT id, plan, begun_at, stopped_at, closed_at, commitment, frozen, secret FROM trial WHERE closed_at = 0 {lock}"
    );
    let row = sqlx::query(AssertSqlSafe(sql)).fetch_optional(connection).await?;
    row.as_ref().map(of_row).transpose()
}

pub(super) fn of_row(row: &AnyRow) -> Result<Trial, DbError> {
    Ok(Trial {
        id: row.try_get("id")?,
        plan: read_json(&row.try_get::<String, _>("plan")?)?,
        begun_at: row.try_get("begun_at")?,
        stopped_at: row.try_get("stopped_at")?,
        closed_at: row.try_get("closed_at")?,
        commitment: row.try_get("commitment")?,
        secret: row.try_get("secret")?,
        frozen: row.try_get("frozen")?,
    })
}

/// What this program wrote as JSON.
pub(super) fn read_json<T: serde::de::DeserializeOwned>(text: &str) -> Result<T, DbError> {
    serde_json::from_str(text).map_err(|error| DbError::Sql(sqlx::Error::Decode(Box::new(error))))
}
