//! Reviews: what a physician says to a film's result, or decides on a film of a trial. They are added and undone, never changed.

use sqlx::Row as _;
use sqlx::any::AnyRow;

use super::{Database, DbError, now};

/// What a physician says to a film's result.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Verdict {
    /// The result is right.
    Agree,
    /// The result is wrong.
    Disagree,
    /// The film does not decide it.
    Unsure,
    /// In a trial, whatever the result: there is a fracture.
    Fracture,
    /// In a trial: there is none.
    NoFracture,
}

impl Verdict {
    /// All.
    pub const ALL: [Self; 5] = [Self::Agree, Self::Disagree, Self::Unsure, Self::Fracture, Self::NoFracture];

    /// As it is written.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Agree => "agree",
            Self::Disagree => "disagree",
            Self::Unsure => "unsure",
            Self::Fracture => "fracture",
            Self::NoFracture => "no_fracture",
        }
    }

    /// Whether it is a verdict for a film: on one of an open trial a physician decides on the fracture, on any other on the result.
    pub fn fits(self, is_in_trial: bool) -> bool {
        match self {
            Self::Unsure => true,
            Self::Agree | Self::Disagree => !is_in_trial,
            Self::Fracture | Self::NoFracture => is_in_trial,
        }
    }

    /// Parses `agree`, `disagree`, `unsure`, `fracture` or `no_fracture`.
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|verdict| verdict.as_str() == text)
    }
}

/// A review that is to be stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewReview {
    /// The film's row.
    pub film: i64,
    /// The verdict.
    pub verdict: Verdict,
    /// In words; may be empty.
    pub note: String,
    /// A place on the film, in its pixels.
    pub mark: Option<(i64, i64)>,
    /// Who reviews, by name.
    pub reviewer: String,
    /// The same by the account's row.
    pub person: i64,
}

/// A review as it is stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Review {
    /// Its row.
    pub id: i64,
    /// The verdict: `agree`, `disagree`, `unsure`, `fracture`, `no_fracture`.
    pub verdict: String,
    /// In words; may be empty.
    pub note: String,
    /// A place on the film, in its pixels.
    pub mark: Option<(i64, i64)>,
    /// Who reviewed, by name.
    pub reviewer: String,
    /// The same by the account's row; `None` for a review from before there were accounts.
    pub person: Option<i64>,
    /// When, microseconds since 1970.
    pub at: i64,
    /// When it was undone; 0 where it stands.
    pub undone_at: i64,
}

impl Database {
    /// Stores a review; it has reached the disk when this returns. The row.
    ///
    /// # Errors
    /// When the database fails, or has no such film.
    pub async fn add_review(&self, review: &NewReview) -> Result<i64, DbError> {
        let (x, y) = review.mark.unwrap_or((-1, -1));
        let row = sqlx::query(
            "INSERT INTO review (film_id, verdict, note, mark_x, mark_y, reviewer, person_id, at, undone_at) \
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, 0) RETURNING id",
        )
        .bind(review.film)
        .bind(review.verdict.as_str())
        .bind(review.note.clone())
        .bind(x)
        .bind(y)
        .bind(review.reviewer.clone())
        .bind(review.person)
        .bind(now())
        .fetch_one(&self.write)
        .await?;
        Ok(row.try_get(0)?)
    }

    /// Undoes a review of a film; `false` where there is none that stands.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn undo_review(&self, film: i64, review: i64) -> Result<bool, DbError> {
        let undone = sqlx::query("UPDATE review SET undone_at = $1 WHERE id = $2 AND film_id = $3 AND undone_at = 0")
            .bind(now())
            .bind(review)
            .bind(film)
            .execute(&self.write)
            .await?;
        Ok(undone.rows_affected() == 1)
    }

    /// A film's reviews, the latest first, those that were undone among them.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn reviews(&self, film: i64) -> Result<Vec<Review>, DbError> {
        let rows = sqlx::query(
            "SELECT id, verdict, note, mark_x, mark_y, reviewer, person_id, at, undone_at FROM review WHERE film_id = $1 ORDER BY id DESC LIMIT 100",
        )
        .bind(film)
        .fetch_all(&self.read)
        .await?;
        rows.iter().map(of_row).collect()
    }
}

fn of_row(row: &AnyRow) -> Result<Review, DbError> {
    let mark: (i64, i64) = (row.try_get("mark_x")?, row.try_get("mark_y")?);
    Ok(Review {
        id: row.try_get("id")?,
        verdict: row.try_get("verdict")?,
        note: row.try_get("note")?,
        mark: (mark.0 >= 0 && mark.1 >= 0).then_some(mark),
        reviewer: row.try_get("reviewer")?,
        person: row.try_get("person_id")?,
        at: row.try_get("at")?,
        undone_at: row.try_get("undone_at")?,
    })
}
