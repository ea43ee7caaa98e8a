//! Reader studies: designs, readers and their answers.

use sqlx::Row as _;
use sqlx::any::AnyRow;

use super::{Database, DbError, now};

/// A study.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Study {
    /// Its row.
    pub id: i64,
    /// Its name.
    pub name: String,
    /// Its design, TOML.
    pub design: String,
    /// When it was made, microseconds since 1970.
    pub created_at: i64,
    /// By whom.
    pub created_by: String,
    /// When it was locked; 0 while it is open.
    pub locked_at: i64,
    /// SHA-256 of what was locked; empty while it is open.
    pub seal: String,
}

/// A reader of a study.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StudyReader {
    /// The row.
    pub id: i64,
    /// The study's row.
    pub study: i64,
    /// The place among the study's readers, from 0.
    pub place: i64,
    /// The account; 0 until the link was opened.
    pub person: i64,
    /// As the reader stated it.
    pub specialty: String,
    /// As the reader stated it.
    pub grade: String,
    /// Years of experience.
    pub years: i64,
    /// When the reader agreed to take part; 0 before that.
    pub joined_at: i64,
}

impl StudyReader {
    /// What the reader is called in tables: `R01`.
    pub fn number(&self) -> String {
        format!("R{:02}", self.place + 1)
    }
}

/// An answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StudyAnswer {
    /// The reader's row.
    pub reader: i64,
    /// The running number in the reader's plan, from 0.
    pub item: i64,
    /// The film's place in the design.
    pub film: i64,
    /// Whether it was a film for practice.
    pub is_practice: bool,
    /// The arm.
    pub arm: String,
    /// The rating.
    pub rating: i64,
    /// A place on the film, in its pixels.
    pub mark: Option<(i64, i64)>,
    /// From the first paint to the answer, without the time when the page was hidden.
    pub milliseconds: i64,
    /// When it was stored, microseconds since 1970.
    pub at: i64,
}

/// How far a reader has come.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Progress {
    /// The reader.
    pub reader: StudyReader,
    /// Answers.
    pub answers: i64,
    /// The last one, microseconds since 1970; 0 before the first.
    pub last_at: i64,
}

const READER: &str = "study_reader.id, study_reader.study_id, study_reader.place, study_reader.person_id, study_reader.specialty, \
     study_reader.grade, study_reader.years, study_reader.joined_at";

impl Database {
    /// Makes a study with its films and its readers' links (hashes); the row.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn add_study(
        &self,
        (name, design, by): (&str, &str, &str),
        films: &[i64],
        practice: &[i64],
        links: &[String],
    ) -> Result<i64, DbError> {
        let mut transaction = self.begin().await?;
        let row = sqlx::query(
            "INSERT INTO study (name, design, created_at, created_by, locked_at, seal) VALUES ($1, $2, $3, $4, 0, '') RETURNING id",
        )
        .bind(name.to_owned())
        .bind(design.to_owned())
        .bind(now())
        .bind(by.to_owned())
        .fetch_one(&mut *transaction)
        .await?;
        let study: i64 = row.try_get(0)?;
        for (is_practice, films) in [(0i64, films), (1, practice)] {
            for (place, film) in films.iter().enumerate() {
                sqlx::query("INSERT INTO study_film (study_id, is_practice, place, film_id) VALUES ($1, $2, $3, $4)")
                    .bind(study)
                    .bind(is_practice)
                    .bind(place as i64)
                    .bind(*film)
                    .execute(&mut *transaction)
                    .await?;
            }
        }
        for (place, link) in links.iter().enumerate() {
            sqlx::query(
                "INSERT INTO study_reader (study_id, place, link, person_id, specialty, grade, years, joined_at) \
                 VALUES ($1, $2, $3, 0, '', '', 0, 0)",
            )
            .bind(study)
            .bind(place as i64)
            .bind(link.clone())
            .execute(&mut *transaction)
            .await?;
        }
        transaction.commit().await?;
        Ok(study)
    }

    /// All studies, the latest first.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn studies(&self) -> Result<Vec<Study>, DbError> {
        let rows = sqlx::query(
            "SELECT id, name, design, created_at, created_by, locked_at, seal FROM study ORDER BY id DESC LIMIT 200",
        )
        .fetch_all(&self.read)
        .await?;
        rows.iter().map(study_of).collect()
    }

    /// A study.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn study(&self, id: i64) -> Result<Option<Study>, DbError> {
        let row =
            sqlx::query("SELECT id, name, design, created_at, created_by, locked_at, seal FROM study WHERE id = $1")
                .bind(id)
                .fetch_optional(&self.read)
                .await?;
        row.as_ref().map(study_of).transpose()
    }

    /// The row of a study's film at a place.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn study_film(&self, study: i64, place: usize, is_practice: bool) -> Result<Option<i64>, DbError> {
        let row = sqlx::query("SELECT film_id FROM study_film WHERE study_id = $1 AND place = $2 AND is_practice = $3")
            .bind(study)
            .bind(place as i64)
            .bind(i64::from(is_practice))
            .fetch_optional(&self.read)
            .await?;
        row.map(|row| Ok(row.try_get(0)?)).transpose()
    }

    /// The readers of a study with how far they have come, by place.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn study_progress(&self, study: i64) -> Result<Vec<Progress>, DbError> {
        let sql = format!(
            "SELECT {READER}, COUNT(study_answer.id), COALESCE(MAX(study_answer.at), 0) FROM study_reader \
             LEFT JOIN study_answer ON study_answer.reader_id = study_reader.id \
             WHERE study_reader.study_id = $1 GROUP BY {READER} ORDER BY study_reader.place"
        );
        let rows = sqlx::query(sqlx::AssertSqlSafe(sql)).bind(study).fetch_all(&self.read).await?;
        let progress =
            |row: &AnyRow| Ok(Progress { reader: reader_of(row)?, answers: row.try_get(8)?, last_at: row.try_get(9)? });
        rows.iter().map(progress).collect()
    }

    /// The reader whose link has a hash.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn reader_by_link(&self, link: &str) -> Result<Option<StudyReader>, DbError> {
        let sql = format!("SELECT {READER} FROM study_reader WHERE link = $1");
        let row = sqlx::query(sqlx::AssertSqlSafe(sql)).bind(link.to_owned()).fetch_optional(&self.read).await?;
        row.as_ref().map(reader_of).transpose()
    }

    /// The readers that an account is, one a study.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn readers_of_person(&self, person: i64) -> Result<Vec<StudyReader>, DbError> {
        let sql = format!("SELECT {READER} FROM study_reader WHERE person_id = $1 ORDER BY study_id");
        let rows = sqlx::query(sqlx::AssertSqlSafe(sql)).bind(person).fetch_all(&self.read).await?;
        rows.iter().map(reader_of).collect()
    }

    /// Another link for a reader; the one before leads nowhere. `false` where there is no such reader.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn renew_link(&self, study: i64, place: i64, link: &str) -> Result<bool, DbError> {
        let done = sqlx::query("UPDATE study_reader SET link = $1 WHERE study_id = $2 AND place = $3")
            .bind(link.to_owned())
            .bind(study)
            .bind(place)
            .execute(&self.write)
            .await?;
        Ok(done.rows_affected() == 1)
    }

    /// A reader takes part from now on; `false` where the reader did before, and nothing is changed then.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn join_study(
        &self,
        reader: i64,
        person: i64,
        (specialty, grade, years): (&str, &str, i64),
    ) -> Result<bool, DbError> {
        let done = sqlx::query(
            "UPDATE study_reader SET person_id = $1, specialty = $2, grade = $3, years = $4, joined_at = $5 \
             WHERE id = $6 AND joined_at = 0",
        )
        .bind(person)
        .bind(specialty.to_owned())
        .bind(grade.to_owned())
        .bind(years)
        .bind(now())
        .bind(reader)
        .execute(&self.write)
        .await?;
        Ok(done.rows_affected() == 1)
    }

    /// Stores an answer; it has reached the disk when this returns. `false` where the item was answered before, or the study is locked:
    /// nothing is changed then.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn add_answer(&self, study: i64, answer: &StudyAnswer) -> Result<bool, DbError> {
        let (x, y) = answer.mark.unwrap_or((-1, -1));
        let mut transaction = self.begin().await?;
        // The study's row is taken, so that a lock waits for the answer, or the answer for the lock: what is sealed is all there is.
        let open = sqlx::query("UPDATE study SET locked_at = locked_at WHERE id = $1 AND locked_at = 0")
            .bind(study)
            .execute(&mut *transaction)
            .await?;
        if open.rows_affected() == 0 {
            transaction.rollback().await?;
            return Ok(false);
        }
        let done = sqlx::query(
            "INSERT INTO study_answer (reader_id, item, film, is_practice, arm, rating, mark_x, mark_y, milliseconds, at) \
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10) ON CONFLICT DO NOTHING",
        )
        .bind(answer.reader)
        .bind(answer.item)
        .bind(answer.film)
        .bind(i64::from(answer.is_practice))
        .bind(answer.arm.clone())
        .bind(answer.rating)
        .bind(x)
        .bind(y)
        .bind(answer.milliseconds)
        .bind(answer.at)
        .execute(&mut *transaction)
        .await?;
        transaction.commit().await?;
        Ok(done.rows_affected() == 1)
    }

    /// How many answers a reader gave, and when the one to an item was stored (0 where there is none).
    ///
    /// # Errors
    /// When the database fails.
    pub async fn answered(&self, reader: i64) -> Result<(i64, i64), DbError> {
        // From the connection that writes: an answer of a moment ago counts.
        let row = sqlx::query("SELECT COUNT(*), COALESCE(MAX(at), 0) FROM study_answer WHERE reader_id = $1")
            .bind(reader)
            .fetch_one(&self.write)
            .await?;
        Ok((row.try_get(0)?, row.try_get(1)?))
    }

    /// All answers of a study, by reader and item.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn answers(&self, study: i64) -> Result<Vec<StudyAnswer>, DbError> {
        let rows = sqlx::query(
            "SELECT study_answer.reader_id, item, film, is_practice, arm, rating, mark_x, mark_y, milliseconds, at FROM study_answer \
             JOIN study_reader ON study_reader.id = study_answer.reader_id WHERE study_reader.study_id = $1 \
             ORDER BY study_reader.place, item",
        )
        .bind(study)
        .fetch_all(&self.read)
        .await?;
        let answer = |row: &AnyRow| {
            let mark: (i64, i64) = (row.try_get(6)?, row.try_get(7)?);
            Ok(StudyAnswer {
                reader: row.try_get(0)?,
                item: row.try_get(1)?,
                film: row.try_get(2)?,
                is_practice: row.try_get::<i64, _>(3)? == 1,
                arm: row.try_get(4)?,
                rating: row.try_get(5)?,
                mark: (mark.0 >= 0 && mark.1 >= 0).then_some(mark),
                milliseconds: row.try_get(8)?,
                at: row.try_get(9)?,
            })
        };
        rows.iter().map(answer).collect()
    }

    /// Locks a study: no answer is added from now on. `false` where it is locked.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn lock_study(&self, study: i64) -> Result<bool, DbError> {
        let done = sqlx::query("UPDATE study SET locked_at = $1 WHERE id = $2 AND locked_at = 0")
            .bind(now())
            .bind(study)
            .execute(&self.write)
            .await?;
        Ok(done.rows_affected() == 1)
    }

    /// Notes the seal of a locked study.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn seal_study(&self, study: i64, seal: &str) -> Result<(), DbError> {
        sqlx::query("UPDATE study SET seal = $1 WHERE id = $2 AND locked_at > 0 AND seal = ''")
            .bind(seal.to_owned())
            .bind(study)
            .execute(&self.write)
            .await?;
        Ok(())
    }
}

fn study_of(row: &AnyRow) -> Result<Study, DbError> {
    Ok(Study {
        id: row.try_get(0)?,
        name: row.try_get(1)?,
        design: row.try_get(2)?,
        created_at: row.try_get(3)?,
        created_by: row.try_get(4)?,
        locked_at: row.try_get(5)?,
        seal: row.try_get(6)?,
    })
}

fn reader_of(row: &AnyRow) -> Result<StudyReader, DbError> {
    Ok(StudyReader {
        id: row.try_get(0)?,
        study: row.try_get(1)?,
        place: row.try_get(2)?,
        person: row.try_get(3)?,
        specialty: row.try_get(4)?,
        grade: row.try_get(5)?,
        years: row.try_get(6)?,
        joined_at: row.try_get(7)?,
    })
}
