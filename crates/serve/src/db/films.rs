//! Objects that were received, and those that were made for them.

use sqlx::any::AnyRow;
use sqlx::{AnyConnection, AssertSqlSafe, Row as _};

use super::{Database, DbError, JobKind, now};

/// An object's attributes that are looked up, each empty where the object does not have it.
#[derive(Debug, Clone, Default, PartialEq, Eq, serde::Deserialize, serde::Serialize)]
#[expect(missing_docs, reason = "each is the attribute of its name")]
pub struct NewFilm {
    pub sop_instance_uid: String,
    pub sop_class_uid: String,
    pub transfer_syntax: String,
    pub study_uid: String,
    pub series_uid: String,
    /// Of the file as it is kept.
    pub sha256: String,
    /// Of its data set alone; empty where that is not known.
    #[serde(default)]
    pub data_sha256: String,
    pub bytes: u64,
    /// The node on whose disk it lies.
    pub home: String,
    /// Whoever sent it: `AETITLE@address`, `stow`, `folder`.
    pub source: String,
    pub patient_name: String,
    pub patient_id: String,
    pub patient_birth_date: String,
    pub patient_sex: String,
    pub accession_number: String,
    pub study_id: String,
    pub study_date: String,
    pub study_time: String,
    pub study_description: String,
    pub referring_physician: String,
    pub modality: String,
    pub series_number: String,
    pub series_description: String,
    pub instance_number: String,
    pub body_part: String,
    pub view_position: String,
    pub laterality: String,
    pub rows: i64,
    pub columns: i64,
    /// The header as DICOM JSON.
    pub metadata: String,
}

/// What became of an object that arrived.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stored {
    /// It was not here before.
    New(i64),
    /// The same bytes are here already.
    Same(i64),
    /// Another object has its UID: it is kept apart.
    Conflict(i64),
}

impl Stored {
    /// The row of the object with this UID.
    pub fn id(self) -> i64 {
        match self {
            Self::New(id) | Self::Same(id) | Self::Conflict(id) => id,
        }
    }
}

/// How far a film has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum FilmState {
    /// It waits.
    Received,
    /// It is being read.
    Reading,
    /// It has a finding.
    Read,
    /// It is not read, with a reason: a result.
    NotRead,
    /// It could not be read for a fault that a person must look at.
    Failed,
    /// It was read, and a trial withholds the result.
    Withheld,
}

impl FilmState {
    /// All.
    pub const ALL: [Self; 6] = [Self::Received, Self::Reading, Self::Read, Self::NotRead, Self::Failed, Self::Withheld];

    /// As it is written.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Received => "received",
            Self::Reading => "reading",
            Self::Read => "read",
            Self::NotRead => "not_read",
            Self::Failed => "failed",
            Self::Withheld => "withheld",
        }
    }
}

/// An object as the database has it.
#[derive(Debug, Clone)]
pub struct Film {
    /// Its row.
    pub id: i64,
    /// `film`, or the kind of a result.
    pub kind: String,
    /// How far it has come; empty for a result.
    pub state: String,
    /// When it came, microseconds since 1970.
    pub received_at: i64,
    /// Whether the bucket has it.
    pub in_bucket: bool,
    /// Its attributes.
    pub attributes: NewFilm,
}

pub(super) const COLUMNS: &str = "id, kind, state, received_at, in_bucket, sop_instance_uid, sop_class_uid, transfer_syntax, study_uid, \
     series_uid, sha256, data_sha256, bytes, home, source, patient_name, patient_id, patient_birth_date, patient_sex, accession_number, study_id, \
     study_date, study_time, study_description, referring_physician, modality, series_number, series_description, instance_number, \
     body_part, view_position, laterality, image_rows, image_columns, metadata";

impl Database {
    /// Stores a film's row with its jobs, in one transaction that has reached the disk when this returns.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn store_film(&self, film: &NewFilm, jobs: &[(JobKind, &str)]) -> Result<Stored, DbError> {
        let mut transaction = self.begin().await?;
        let stored = match insert(&mut transaction, film, "film", None).await? {
            Some(id) => {
                for (kind, home) in jobs {
                    enqueue(&mut transaction, *kind, id, home).await?;
                }
                Stored::New(id)
            }
            None => held_apart(&mut transaction, film).await?,
        };
        transaction.commit().await?;
        Ok(stored)
    }

    /// An object by its row.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn film(&self, id: i64) -> Result<Option<Film>, DbError> {
        let sql = format!("SELECT {COLUMNS} FROM instance WHERE id = $1");
        let row = sqlx::query(AssertSqlSafe(sql)).bind(id).fetch_optional(&self.read).await?;
        row.as_ref().map(of_row).transpose()
    }

    /// An object by its SOP Instance UID.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn film_by_uid(&self, uid: &str) -> Result<Option<Film>, DbError> {
        let sql = format!("SELECT {COLUMNS} FROM instance WHERE sop_instance_uid = $1");
        let row = sqlx::query(AssertSqlSafe(sql)).bind(uid.to_owned()).fetch_optional(&self.read).await?;
        row.as_ref().map(of_row).transpose()
    }

    /// How many films are in each state.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn film_states(&self) -> Result<Vec<(String, i64)>, DbError> {
        let rows = sqlx::query("SELECT state, COUNT(*) FROM instance WHERE kind = 'film' GROUP BY state")
            .fetch_all(&self.read)
            .await?;
        rows.iter().map(|row| Ok((row.try_get(0)?, row.try_get(1)?))).collect()
    }

    /// Notes that an object is in the bucket.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn in_bucket(&self, id: i64) -> Result<(), DbError> {
        let mut transaction = self.begin().await?;
        sqlx::query("UPDATE instance SET in_bucket = 1 WHERE id = $1").bind(id).execute(&mut *transaction).await?;
        // From now on any node can read it.
        sqlx::query("UPDATE job SET home = '' WHERE film_id = $1").bind(id).execute(&mut *transaction).await?;
        transaction.commit().await?;
        Ok(())
    }

    /// What became of an object before it is kept: `None` where it is new, or new under its UID.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn known(&self, film: &NewFilm) -> Result<Option<Stored>, DbError> {
        let mut connection = self.read.acquire().await?;
        known(&mut connection, film).await
    }

    /// Objects that came with another's UID: the UID's row, hash, moment and source, the latest first.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn conflicts(&self, most: i64) -> Result<Vec<(i64, String, i64, String)>, DbError> {
        let rows = sqlx::query("SELECT film_id, sha256, received_at, source FROM conflict ORDER BY id DESC LIMIT $1")
            .bind(most)
            .fetch_all(&self.read)
            .await?;
        rows.iter().map(|row| Ok((row.try_get(0)?, row.try_get(1)?, row.try_get(2)?, row.try_get(3)?))).collect()
    }
}

/// Inserts an object; `None` where its UID is taken.
pub(super) async fn insert(
    connection: &mut AnyConnection,
    film: &NewFilm,
    kind: &str,
    of: Option<i64>,
) -> Result<Option<i64>, DbError> {
    let row = sqlx::query(
        "INSERT INTO instance (kind, film_id, sop_instance_uid, sop_class_uid, transfer_syntax, study_uid, series_uid, sha256, bytes, home, \
         received_at, source, state, patient_name, patient_id, patient_birth_date, patient_sex, accession_number, study_id, study_date, \
         study_time, study_description, referring_physician, modality, series_number, series_description, instance_number, body_part, \
         view_position, laterality, image_rows, image_columns, metadata, data_sha256) \
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20, $21, $22, $23, $24, $25, $26, \
         $27, $28, $29, $30, $31, $32, $33, $34) ON CONFLICT (sop_instance_uid) DO NOTHING RETURNING id",
    )
    .bind(kind.to_owned())
    .bind(of)
    .bind(film.sop_instance_uid.clone())
    .bind(film.sop_class_uid.clone())
    .bind(film.transfer_syntax.clone())
    .bind(film.study_uid.clone())
    .bind(film.series_uid.clone())
    .bind(film.sha256.clone())
    .bind(film.bytes as i64)
    .bind(film.home.clone())
    .bind(now())
    .bind(film.source.clone())
    .bind(if of.is_none() { FilmState::Received.as_str() } else { "" })
    .bind(film.patient_name.clone())
    .bind(film.patient_id.clone())
    .bind(film.patient_birth_date.clone())
    .bind(film.patient_sex.clone())
    .bind(film.accession_number.clone())
    .bind(film.study_id.clone())
    .bind(film.study_date.clone())
    .bind(film.study_time.clone())
    .bind(film.study_description.clone())
    .bind(film.referring_physician.clone())
    .bind(film.modality.clone())
    .bind(film.series_number.clone())
    .bind(film.series_description.clone())
    .bind(film.instance_number.clone())
    .bind(film.body_part.clone())
    .bind(film.view_position.clone())
    .bind(film.laterality.clone())
    .bind(film.rows)
    .bind(film.columns)
    .bind(film.metadata.clone())
    .bind(film.data_sha256.clone())
    .fetch_optional(connection)
    .await?;
    row.map(|row| row.try_get(0)).transpose().map_err(DbError::from)
}

/// Adds a job; the same one again changes nothing.
pub(super) async fn enqueue(connection: &mut AnyConnection, kind: JobKind, id: i64, home: &str) -> Result<(), DbError> {
    sqlx::query(
        "INSERT INTO job (kind, film_id, home, state, run_at, lease_until, lease_owner, attempts, error) \
         VALUES ($1, $2, $3, 'due', 0, 0, '', 0, '') ON CONFLICT (kind, film_id) DO NOTHING",
    )
    .bind(kind.as_str())
    .bind(id)
    .bind(home.to_owned())
    .execute(connection)
    .await?;
    Ok(())
}

/// An object whose UID is taken: the same one again, or another that is kept apart.
async fn held_apart(connection: &mut AnyConnection, film: &NewFilm) -> Result<Stored, DbError> {
    if let Some(stored) = known(connection, film).await? {
        return Ok(stored);
    }
    let row = sqlx::query("SELECT id FROM instance WHERE sop_instance_uid = $1")
        .bind(film.sop_instance_uid.clone())
        .fetch_one(&mut *connection)
        .await?;
    let id: i64 = row.try_get(0)?;
    sqlx::query(
        "INSERT INTO conflict (film_id, sha256, bytes, received_at, source, data_sha256, home) VALUES ($1, $2, $3, $4, $5, $6, $7) \
         ON CONFLICT (film_id, sha256) DO NOTHING",
    )
    .bind(id)
    .bind(film.sha256.clone())
    .bind(film.bytes as i64)
    .bind(now())
    .bind(film.source.clone())
    .bind(film.data_sha256.clone())
    .bind(film.home.clone())
    .execute(connection)
    .await?;
    Ok(Stored::Conflict(id))
}

/// An object that is here already, with the UID's film or apart from it: what counts is the data set, as the file meta information before
/// it names the way that it came.
async fn known(connection: &mut AnyConnection, film: &NewFilm) -> Result<Option<Stored>, DbError> {
    let row = sqlx::query("SELECT id, kind, sha256, data_sha256 FROM instance WHERE sop_instance_uid = $1")
        .bind(film.sop_instance_uid.clone())
        .fetch_optional(&mut *connection)
        .await?;
    let Some(row) = row else { return Ok(None) };
    let is_same = |row: &AnyRow| -> Result<bool, DbError> {
        let (sha256, data): (String, String) = (row.try_get("sha256")?, row.try_get("data_sha256")?);
        let is_file = !film.sha256.is_empty() && sha256 == film.sha256;
        Ok(is_file || !film.data_sha256.is_empty() && data == film.data_sha256)
    };
    let id: i64 = row.try_get("id")?;
    // A result of ours that a PACS sends back may have been changed on the way; it is no film.
    if is_same(&row)? || row.try_get::<String, _>("kind")? != "film" {
        return Ok(Some(Stored::Same(id)));
    }
    let apart = sqlx::query("SELECT sha256, data_sha256 FROM conflict WHERE film_id = $1").bind(id);
    for row in apart.fetch_all(connection).await? {
        if is_same(&row)? {
            return Ok(Some(Stored::Conflict(id)));
        }
    }
    Ok(None)
}

pub(super) fn of_row(row: &AnyRow) -> Result<Film, DbError> {
    let text = |column: &str| row.try_get::<String, _>(column);
    Ok(Film {
        id: row.try_get("id")?,
        kind: text("kind")?,
        state: text("state")?,
        received_at: row.try_get("received_at")?,
        in_bucket: row.try_get::<i64, _>("in_bucket")? != 0,
        attributes: NewFilm {
            sop_instance_uid: text("sop_instance_uid")?,
            sop_class_uid: text("sop_class_uid")?,
            transfer_syntax: text("transfer_syntax")?,
            study_uid: text("study_uid")?,
            series_uid: text("series_uid")?,
            sha256: text("sha256")?,
            data_sha256: text("data_sha256")?,
            bytes: row.try_get::<i64, _>("bytes")? as u64,
            home: text("home")?,
            source: text("source")?,
            patient_name: text("patient_name")?,
            patient_id: text("patient_id")?,
            patient_birth_date: text("patient_birth_date")?,
            patient_sex: text("patient_sex")?,
            accession_number: text("accession_number")?,
            study_id: text("study_id")?,
            study_date: text("study_date")?,
            study_time: text("study_time")?,
            study_description: text("study_description")?,
            referring_physician: text("referring_physician")?,
            modality: text("modality")?,
            series_number: text("series_number")?,
            series_description: text("series_description")?,
            instance_number: text("instance_number")?,
            body_part: text("body_part")?,
            view_position: text("view_position")?,
            laterality: text("laterality")?,
            rows: row.try_get("image_rows")?,
            columns: row.try_get("image_columns")?,
            metadata: text("metadata")?,
        },
    })
}
