//! Accounts, and the second factor's recovery codes.

use sqlx::any::AnyRow;
use sqlx::{AnyConnection, Row as _};

use super::labelings::OPEN_LABELINGS;
use super::{Database, DbError, Dialect, now};
use crate::people::{Person, Role, Roles};

/// An account that is to be made; its password is good for one sign-in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewPerson {
    /// The name that is signed in with.
    pub name: String,
    /// As other people read it.
    pub full_name: String,
    /// What the person is here.
    pub roles: Roles,
    /// The password's hash.
    pub password: String,
    /// Whether the account is usable from this machine alone until it has a password of its own.
    pub is_local: bool,
}

/// An account.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Account {
    /// Who it is.
    pub person: Person,
    /// The password's hash.
    pub password: String,
    /// Whether the password is good for one sign-in only.
    pub is_one_time: bool,
    /// Whether it is usable from this machine alone.
    pub is_local: bool,
    /// Whether nobody signs in with it any more.
    pub is_disabled: bool,
    /// The second factor's secret, sealed; empty where none is set up.
    pub totp_secret: String,
    /// Whether the second factor is asked for.
    pub has_totp: bool,
    /// The last time step whose code was used.
    pub totp_step: i64,
    /// When it was made, microseconds since 1970.
    pub created_at: i64,
    /// The last sign-in; 0 where there was none.
    pub signed_in_at: i64,
}

/// What became of a change that must leave an administrator.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Changed {
    /// It was made.
    Done,
    /// There is no such account.
    Missing,
    /// It would have left no administrator; nothing was changed.
    LastAdministrator,
}

const COLUMNS: &str = "id, name, full_name, roles, password, is_one_time, is_local, is_disabled, totp_secret, has_totp, totp_step, \
     created_at, signed_in_at";

impl Database {
    /// Makes an account; `None` where the name is taken.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn add_person(&self, person: &NewPerson) -> Result<Option<i64>, DbError> {
        let row = sqlx::query(
            "INSERT INTO person (name, full_name, roles, password, is_one_time, is_local, is_disabled, totp_secret, has_totp, totp_step, \
             created_at, signed_in_at) VALUES ($1, $2, $3, $4, 1, $5, 0, '', 0, 0, $6, 0) ON CONFLICT (name) DO NOTHING RETURNING id",
        )
        .bind(person.name.clone())
        .bind(person.full_name.clone())
        .bind(person.roles.to_string())
        .bind(person.password.clone())
        .bind(i64::from(person.is_local))
        .bind(now())
        .fetch_optional(&self.write)
        .await?;
        row.map(|row| Ok(row.try_get(0)?)).transpose()
    }

    /// All accounts, by name.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn people(&self) -> Result<Vec<Account>, DbError> {
        let sql = format!("SELECT {COLUMNS}, {OPEN_LABELINGS} AS open_labelings FROM person ORDER BY name");
        sqlx::query(sqlx::AssertSqlSafe(sql)).fetch_all(&self.read).await?.iter().map(of_row).collect()
    }

    /// An account by its row.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn account(&self, id: i64) -> Result<Option<Account>, DbError> {
        let sql = format!("SELECT {COLUMNS}, {OPEN_LABELINGS} AS open_labelings FROM person WHERE id = $1");
        sqlx::query(sqlx::AssertSqlSafe(sql))
            .bind(id)
            .fetch_optional(&self.read)
            .await?
            .as_ref()
            .map(of_row)
            .transpose()
    }

    /// An account by its name.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn account_named(&self, name: &str) -> Result<Option<Account>, DbError> {
        let sql = format!("SELECT {COLUMNS}, {OPEN_LABELINGS} AS open_labelings FROM person WHERE name = $1");
        let row = sqlx::query(sqlx::AssertSqlSafe(sql)).bind(name.to_owned()).fetch_optional(&self.read).await?;
        row.as_ref().map(of_row).transpose()
    }

    /// Sets a password's hash. One that is good once leaves the account's bounds as they are; one of the person's own lifts that it is
    /// usable from this machine alone.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn set_password(&self, id: i64, hash: &str, is_one_time: bool) -> Result<(), DbError> {
        sqlx::query("UPDATE person SET password = $1, is_one_time = $2, is_local = is_local * $2 WHERE id = $3")
            .bind(hash.to_owned())
            .bind(i64::from(is_one_time))
            .bind(id)
            .execute(&self.write)
            .await?;
        Ok(())
    }

    /// Notes a sign-in.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn signed_in(&self, id: i64) -> Result<(), DbError> {
        sqlx::query("UPDATE person SET signed_in_at = $1 WHERE id = $2")
            .bind(now())
            .bind(id)
            .execute(&self.write)
            .await?;
        Ok(())
    }

    /// Sets the language of a person's pages by its tag; empty where the browser decides.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn set_language(&self, id: i64, tag: &str) -> Result<(), DbError> {
        let sql = "UPDATE person SET language = $1 WHERE id = $2";
        sqlx::query(sql).bind(tag.to_owned()).bind(id).execute(&self.write).await?;
        Ok(())
    }

    /// The tag of the language that a person has set; empty where none is set.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn language_of(&self, id: i64) -> Result<String, DbError> {
        let row = sqlx::query("SELECT language FROM person WHERE id = $1").bind(id).fetch_optional(&self.read).await?;
        row.map_or(Ok(String::new()), |row| Ok(row.try_get(0)?))
    }

    /// Gives a person other names and roles.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn set_roles(&self, id: i64, full_name: &str, roles: Roles) -> Result<Changed, DbError> {
        let mut transaction = self.begin().await?;
        self.lock_people(&mut transaction).await?;
        let done = sqlx::query("UPDATE person SET full_name = $1, roles = $2 WHERE id = $3")
            .bind(full_name.to_owned())
            .bind(roles.to_string())
            .bind(id)
            .execute(&mut *transaction)
            .await?;
        self.keep_an_administrator(transaction, done.rows_affected()).await
    }

    /// Lets nobody sign in with an account any more, or again; its sessions end.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn set_disabled(&self, id: i64, is_disabled: bool) -> Result<Changed, DbError> {
        let mut transaction = self.begin().await?;
        self.lock_people(&mut transaction).await?;
        let done = sqlx::query("UPDATE person SET is_disabled = $1 WHERE id = $2")
            .bind(i64::from(is_disabled))
            .bind(id)
            .execute(&mut *transaction)
            .await?;
        sqlx::query("DELETE FROM session WHERE person_id = $1").bind(id).execute(&mut *transaction).await?;
        self.keep_an_administrator(transaction, done.rows_affected()).await
    }

    /// Two administrators who disable each other at one moment must not both succeed.
    async fn lock_people(&self, transaction: &mut AnyConnection) -> Result<(), DbError> {
        if self.dialect == Dialect::Postgres {
            sqlx::query("LOCK TABLE person IN SHARE ROW EXCLUSIVE MODE").execute(transaction).await?;
        }
        Ok(())
    }

    /// Commits a change of accounts where an administrator with a password is left, and undoes it where none is: an identity provider may
    /// be gone.
    async fn keep_an_administrator(
        &self,
        mut transaction: super::transaction::Transaction,
        rows: u64,
    ) -> Result<Changed, DbError> {
        let sql = "SELECT roles FROM person WHERE is_disabled = 0 AND password <> ''";
        let left = sqlx::query(sql).fetch_all(&mut *transaction).await?;
        let is_administrator =
            |row: &AnyRow| row.try_get::<String, _>(0).is_ok_and(|roles| known_roles(&roles).has(Role::Administrator));
        if !left.iter().any(is_administrator) {
            transaction.rollback().await?;
            return Ok(Changed::LastAdministrator);
        }
        transaction.commit().await?;
        Ok(if rows == 0 { Changed::Missing } else { Changed::Done })
    }

    /// What the key that seals secrets is known by; `mark`, where none was known yet.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn sealing_mark(&self, mark: &str) -> Result<String, DbError> {
        sqlx::query("INSERT INTO sealing_key (id, mark) VALUES (1, $1) ON CONFLICT (id) DO NOTHING")
            .bind(mark.to_owned())
            .execute(&self.write)
            .await?;
        let row = sqlx::query("SELECT mark FROM sealing_key WHERE id = 1").fetch_one(&self.write).await?;
        Ok(row.try_get(0)?)
    }

    /// Makes another key the one that seals.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn set_sealing_mark(&self, mark: &str) -> Result<(), DbError> {
        sqlx::query("UPDATE sealing_key SET mark = $1 WHERE id = 1").bind(mark.to_owned()).execute(&self.write).await?;
        Ok(())
    }

    /// Puts sealed secrets in the place of plain ones: account, sealed, plain. Nothing of the plain ones is left in SQLite's file.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn seal_secrets(&self, secrets: &[(i64, String, String)]) -> Result<(), DbError> {
        if secrets.is_empty() {
            return Ok(());
        }
        let is_file = self.dialect == Dialect::Sqlite;
        if is_file {
            sqlx::raw_sql("PRAGMA secure_delete = ON").execute(&self.write).await?;
        }
        for (id, sealed, plain) in secrets {
            sqlx::query("UPDATE person SET totp_secret = $1 WHERE id = $2 AND totp_secret = $3")
                .bind(sealed.clone())
                .bind(*id)
                .bind(plain.clone())
                .execute(&self.write)
                .await?;
        }
        if is_file {
            for pragma in ["PRAGMA wal_checkpoint(TRUNCATE)", "PRAGMA secure_delete = OFF"] {
                sqlx::raw_sql(pragma).execute(&self.write).await?;
            }
        }
        Ok(())
    }

    /// Sets the second factor's secret as the vault has sealed it, which is not asked for before [`Database::confirm_totp`]; an empty one removes the factor with
    /// its recovery codes.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn set_totp(&self, id: i64, secret: &str) -> Result<(), DbError> {
        let mut transaction = self.begin().await?;
        sqlx::query("UPDATE person SET totp_secret = $1, has_totp = 0, totp_step = 0 WHERE id = $2")
            .bind(secret.to_owned())
            .bind(id)
            .execute(&mut *transaction)
            .await?;
        sqlx::query("DELETE FROM recovery WHERE person_id = $1").bind(id).execute(&mut *transaction).await?;
        transaction.commit().await
    }

    /// Asks for the second factor from now on; `codes` are the hashes of its recovery codes.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn confirm_totp(&self, id: i64, step: i64, codes: &[String]) -> Result<(), DbError> {
        let mut transaction = self.begin().await?;
        sqlx::query("UPDATE person SET has_totp = 1, totp_step = $1 WHERE id = $2 AND totp_secret <> ''")
            .bind(step)
            .bind(id)
            .execute(&mut *transaction)
            .await?;
        for hash in codes {
            sqlx::query("INSERT INTO recovery (person_id, hash) VALUES ($1, $2)")
                .bind(id)
                .bind(hash.clone())
                .execute(&mut *transaction)
                .await?;
        }
        transaction.commit().await
    }

    /// Uses a time step's code; `false` where this step or a later one was used already.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn use_totp(&self, id: i64, step: i64) -> Result<bool, DbError> {
        let done = sqlx::query("UPDATE person SET totp_step = $1 WHERE id = $2 AND totp_step < $1")
            .bind(step)
            .bind(id)
            .execute(&self.write)
            .await?;
        Ok(done.rows_affected() == 1)
    }

    /// Uses a recovery code by its hash; `false` where it is none, or was used.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn use_recovery(&self, id: i64, hash: &str) -> Result<bool, DbError> {
        let done = sqlx::query("DELETE FROM recovery WHERE person_id = $1 AND hash = $2")
            .bind(id)
            .bind(hash.to_owned())
            .execute(&self.write)
            .await?;
        Ok(done.rows_affected() == 1)
    }

    /// How many recovery codes a person has left.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn recovery_left(&self, id: i64) -> Result<i64, DbError> {
        let row =
            sqlx::query("SELECT COUNT(*) FROM recovery WHERE person_id = $1").bind(id).fetch_one(&self.read).await?;
        Ok(row.try_get(0)?)
    }
}

/// Roles as they are stored. One that this version does not know allows nothing.
pub(super) fn known_roles(text: &str) -> Roles {
    text.split_whitespace().filter_map(Role::parse).collect()
}

fn of_row(row: &AnyRow) -> Result<Account, DbError> {
    let flag = |name: &str| row.try_get::<i64, _>(name).map(|flag| flag != 0);
    Ok(Account {
        person: Person {
            id: row.try_get("id")?,
            name: row.try_get("name")?,
            full_name: row.try_get("full_name")?,
            roles: known_roles(&row.try_get::<String, _>("roles")?),
            is_labeling: flag("open_labelings")?,
        },
        password: row.try_get("password")?,
        is_one_time: flag("is_one_time")?,
        is_local: flag("is_local")?,
        is_disabled: flag("is_disabled")?,
        totp_secret: row.try_get("totp_secret")?,
        has_totp: flag("has_totp")?,
        totp_step: row.try_get("totp_step")?,
        created_at: row.try_get("created_at")?,
        signed_in_at: row.try_get("signed_in_at")?,
    })
}
