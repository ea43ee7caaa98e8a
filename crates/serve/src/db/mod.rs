//! The node's database: SQLite in the data folder, or PostgreSQL that several nodes share.
//!
//! One SQL text serves both, with `$1` for parameters; times are microseconds since 1970 (UTC), UIDs and JSON are texts. What
//! differs is in [`Dialect`]: the type of a row's number, and how a job is claimed.
//!
//! SQLite has one connection that writes, as it has one writer, and others that read; a commit there has reached the disk
//! (`synchronous = FULL`).

mod allowed;
mod audit;
mod claims;
mod commitments;
mod dead;
mod films;
mod labelings;
mod migrations;
mod monitor;
mod objects;
mod oidc;
mod people;
mod publish;
mod refusals;
mod results;
mod retention;
mod reviews;
mod search;
mod sessions;
mod studies;
mod throughput;
mod tokens;
mod transaction;
mod trial;
mod worklist;

use std::path::Path;
use std::str::FromStr as _;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use sqlx::any::{AnyConnectOptions, AnyPoolOptions};
use sqlx::{AnyPool, Row as _};

pub use allowed::AllowedPeer;
pub use audit::{AuditQuery, AuditRow};
pub use claims::{Claim, Held, Job, JobKind, LEASE, LOST, Outlook};
pub use commitments::Commitment;
pub use dead::{Dead, DeadKind};
pub use films::{Film, FilmState, NewFilm, Stored};
pub use labelings::{Labeling, LabelingFilm, LabelingReviewer, NewItem, NewLabeling, StoredDecision};
pub use migrations::SchemaFound;
pub use monitor::{Baseline, Calibration, Labeled, NewCalibration, Use, Watched};
pub use objects::{Destined, NewObject, ObjectKind, Send, SendState};
pub use oidc::{Flow, NewFlow, NewLinked};
pub use people::{Account, Changed, NewPerson};
pub use publish::Outcome;
pub use refusals::SeenRefusal;
pub use results::{Reading, Sent};
pub use retention::Leftover;
pub use reviews::{NewReview, Review, Verdict};
pub use search::{Contents, FilmQuery, Level};
pub use sessions::{NewSession, SEEN, SeenSession, Session};
pub use studies::{Progress, Study, StudyAnswer, StudyReader};
pub use throughput::{Pace, Throughput};
pub use tokens::Scope;
pub use trial::{Ended, InTrial, Randomization, Trial, TrialCounts, Undiagnosed};
pub use worklist::{Finding, Listed, Neighbors, Summary, WorklistQuery};

/// Connections that read SQLite beside the one that writes; on PostgreSQL all connections.
const READERS: u32 = 4;
/// How long a statement waits for another process that has the database locked.
const BUSY: Duration = Duration::from_secs(90);

/// What failed in the database.
#[derive(Debug, thiserror::Error)]
pub enum DbError {
    /// The database answered with an error, or not at all. The URL is not repeated, as it may hold a password.
    #[error("the database: {0}")]
    Sql(#[from] sqlx::Error),
    /// The database was made by a later version of this program.
    #[error(
        "the database has schema {found}, and this program knows {known}: start the version that made it, or a later one"
    )]
    Newer {
        /// The schema's number there.
        found: i64,
        /// The latest that is known.
        known: i64,
    },
    /// A URL of another kind.
    #[error("`{0}` is no database for this program: sqlite://FILE or postgres://USER@HOST/NAME")]
    Kind(String),
    /// The program has no client of PostgreSQL.
    #[error("this program was built without PostgreSQL: build it with `--features postgres` (releases have it)")]
    NoPostgres,
}

/// What kind of database it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Dialect {
    /// One file, one process.
    Sqlite,
    /// A server that nodes share.
    Postgres,
}

impl Dialect {
    fn of(url: &str) -> Result<Self, DbError> {
        let scheme = url.split(':').next().unwrap_or_default();
        match scheme {
            "sqlite" => Ok(Self::Sqlite),
            "postgres" | "postgresql" if cfg!(feature = "postgres") => Ok(Self::Postgres),
            "postgres" | "postgresql" => Err(DbError::NoPostgres),
            _ => Err(DbError::Kind(scheme.to_owned())),
        }
    }
}

/// The database.
#[derive(Debug, Clone)]
pub struct Database {
    write: AnyPool,
    read: AnyPool,
    dialect: Dialect,
}

impl Database {
    /// Opens a database, makes it where it is not there yet, and brings its schema up to date.
    ///
    /// # Errors
    /// When it cannot be reached, or is a later program's.
    pub async fn open(url: &str) -> Result<Self, DbError> {
        sqlx::any::install_default_drivers();
        let dialect = Dialect::of(url)?;
        let options = AnyConnectOptions::from_str(url)?;
        let pool = |most: u32| {
            AnyPoolOptions::new().max_connections(most).acquire_timeout(BUSY).after_connect(move |connection, _| {
                Box::pin(async move {
                    if dialect == Dialect::Sqlite {
                        for pragma in [
                            "PRAGMA busy_timeout = 90000",
                            "PRAGMA journal_mode = WAL",
                            "PRAGMA synchronous = FULL",
                            "PRAGMA foreign_keys = ON",
                        ] {
                            sqlx::raw_sql(pragma).execute(&mut *connection).await?;
                        }
                    }
                    Ok(())
                })
            })
        };
        let write =
            pool(if dialect == Dialect::Sqlite { 1 } else { 2 * READERS }).connect_with(options.clone()).await?;
        let read = match dialect {
            Dialect::Sqlite => pool(READERS).connect_with(options).await?,
            Dialect::Postgres => write.clone(),
        };
        let database = Self { write, read, dialect };
        database.migrate().await?;
        Ok(database)
    }

    /// The SQLite database in a folder.
    ///
    /// # Errors
    /// As [`Database::open`].
    pub async fn in_folder(folder: &Path) -> Result<Self, DbError> {
        Self::open(&sqlite_url(folder)).await
    }

    /// What kind of database it is.
    pub fn dialect(&self) -> Dialect {
        self.dialect
    }

    /// Whether it answers.
    ///
    /// # Errors
    /// When it does not.
    pub async fn ping(&self) -> Result<(), DbError> {
        let row = sqlx::query("SELECT 1").fetch_one(&self.read).await?;
        let _: i64 = row.try_get(0).or_else(|_| row.try_get::<i32, _>(0).map(i64::from))?;
        Ok(())
    }

    /// Writes a copy of the database to a new file, whole at one moment; `false` where the database is no file of ours.
    ///
    /// # Errors
    /// When the file is there, or the disk is full.
    pub async fn copy_to(&self, file: &Path) -> Result<bool, DbError> {
        if self.dialect != Dialect::Sqlite {
            return Ok(false);
        }
        sqlx::query("VACUUM INTO $1").bind(file.to_string_lossy().into_owned()).execute(&self.read).await?;
        Ok(true)
    }

    /// Ends all connections.
    pub async fn close(&self) {
        self.read.close().await;
        self.write.close().await;
    }
}

/// The URL of the SQLite database in a data folder.
pub fn sqlite_url(folder: &Path) -> String {
    // A question mark or percent sign would begin something else in a URL.
    let path = folder.join("coxa.sqlite").to_string_lossy().replace('%', "%25").replace('?', "%3f").replace('#', "%23");
    format!("sqlite://{path}?mode=rwc")
}

/// Now, in microseconds since 1970.
pub fn now() -> i64 {
    micros(SystemTime::now())
}

/// A moment in microseconds since 1970.
pub fn micros(at: SystemTime) -> i64 {
    at.duration_since(UNIX_EPOCH).map_or(0, |since| i64::try_from(since.as_micros()).unwrap_or(i64::MAX))
}
