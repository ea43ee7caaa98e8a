//! Labelings: films, reviewers and their decisions.

use sqlx::any::AnyRow;
use sqlx::{AssertSqlSafe, Row as _};

use super::{Database, DbError, now};

/// A labeling that is to be made.
#[derive(Debug, Clone)]
pub struct NewLabeling {
    /// Its name.
    pub name: String,
    /// What reviewers do: `labels` or `heat_maps`.
    pub task: String,
    /// Which films were chosen, in words.
    pub rule: String,
    /// The reviewers' orders follow from it.
    pub seed: u64,
    /// By whom it is made.
    pub by: String,
    /// The films as they came.
    pub manifest: String,
    /// Their boxes as they came.
    pub truth: String,
    /// The reviewers' accounts.
    pub reviewers: Vec<i64>,
    /// The adjudicator's account.
    pub adjudicator: Option<i64>,
    /// The films, in the order of the manifest.
    pub films: Vec<NewItem>,
}

/// A film of a labeling that is to be made.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct NewItem {
    /// The film's row; 0 for a film that is imported.
    pub film: i64,
    /// Of its file.
    pub sha256: String,
    /// Its rows and columns.
    pub size: (i64, i64),
    /// The patient's pseudonym; empty where it is not known.
    pub patient: String,
    /// The radiologist's report; empty where there is none.
    pub report: String,
    /// The network's prediction as JSON; empty where there is none.
    pub prediction: String,
    /// Whether it is among the films that are seen early.
    pub needs_look: bool,
}

/// A labeling.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Labeling {
    /// Its row.
    pub id: i64,
    /// Its name.
    pub name: String,
    /// What reviewers do: `labels` or `heat_maps`.
    pub task: String,
    /// Which films were chosen, in words.
    pub rule: String,
    /// The reviewers' orders follow from it.
    pub seed: u64,
    /// When it was made, microseconds since 1970.
    pub created_at: i64,
    /// By whom.
    pub created_by: String,
    /// When it was closed; 0 while it is open.
    pub closed_at: i64,
}

/// Somebody who decides in a labeling.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LabelingReviewer {
    /// The place, from 0; the adjudicator's is the last.
    pub place: i64,
    /// The account's row.
    pub person: i64,
    /// Its name.
    pub name: String,
    /// Whether it decides where reviewers differ.
    pub is_adjudicator: bool,
}

/// A film of a labeling.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LabelingFilm {
    /// Its row.
    pub id: i64,
    /// Its place in the manifest.
    pub place: usize,
    /// What it is.
    pub item: NewItem,
}

/// A decision as it is stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredDecision {
    /// Its row.
    pub id: i64,
    /// The film's row in the labeling.
    pub film: i64,
    /// The account's row.
    pub person: i64,
    /// The decision that it took the place of; 0 for the first.
    pub supersedes: i64,
    /// JSON; empty where the one before was taken back.
    pub decision: String,
    /// When, microseconds since 1970.
    pub at: i64,
}

/// Of a row of `person`: in how many open labelings of received films the person decides. Imported films have no results here.
pub(super) const OPEN_LABELINGS: &str = "(SELECT COUNT(*) FROM labeling_reviewer \
    JOIN labeling ON labeling.id = labeling_reviewer.labeling_id \
    WHERE labeling_reviewer.person_id = person.id AND labeling.closed_at = 0 AND EXISTS \
    (SELECT 1 FROM labeling_film WHERE labeling_film.labeling_id = labeling.id AND labeling_film.film_id <> 0))";

const LABELING: &str = "id, name, task, rule, seed, created_at, created_by, closed_at";
const FILM: &str = "id, place, film_id, sha256, image_rows, image_columns, patient, report, prediction, needs_look";
const DECISION: &str = "SELECT made.id, made.film_id, made.person_id, made.supersedes, made.decision, made.at FROM labeling_decision AS made \
     JOIN labeling_film ON labeling_film.id = made.film_id WHERE labeling_film.labeling_id = $1";

impl Database {
    /// Makes a labeling with its films and reviewers; the row.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn add_labeling(&self, new: &NewLabeling) -> Result<i64, DbError> {
        let mut transaction = self.begin().await?;
        let row = sqlx::query(
            "INSERT INTO labeling (name, task, rule, seed, created_at, created_by, closed_at, manifest, truth) \
             VALUES ($1, $2, $3, $4, $5, $6, 0, $7, $8) RETURNING id",
        )
        .bind(new.name.clone())
        .bind(new.task.clone())
        .bind(new.rule.clone())
        .bind(new.seed as i64)
        .bind(now())
        .bind(new.by.clone())
        .bind(new.manifest.clone())
        .bind(new.truth.clone())
        .fetch_one(&mut *transaction)
        .await?;
        let labeling: i64 = row.try_get(0)?;
        let people =
            new.reviewers.iter().map(|person| (*person, 0i64)).chain(new.adjudicator.map(|person| (person, 1)));
        for (place, (person, is_adjudicator)) in people.enumerate() {
            sqlx::query(
                "INSERT INTO labeling_reviewer (labeling_id, place, person_id, is_adjudicator) VALUES ($1, $2, $3, $4)",
            )
            .bind(labeling)
            .bind(place as i64)
            .bind(person)
            .bind(is_adjudicator)
            .execute(&mut *transaction)
            .await?;
        }
        for (place, film) in new.films.iter().enumerate() {
            sqlx::query(
                "INSERT INTO labeling_film (labeling_id, place, film_id, sha256, image_rows, image_columns, patient, report, prediction, \
                 needs_look) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)",
            )
            .bind(labeling)
            .bind(place as i64)
            .bind(film.film)
            .bind(film.sha256.clone())
            .bind(film.size.0)
            .bind(film.size.1)
            .bind(film.patient.clone())
            .bind(film.report.clone())
            .bind(film.prediction.clone())
            .bind(i64::from(film.needs_look))
            .execute(&mut *transaction)
            .await?;
        }
        transaction.commit().await?;
        Ok(labeling)
    }

    /// All labelings, the latest first.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn labelings(&self) -> Result<Vec<Labeling>, DbError> {
        let sql = format!("SELECT {LABELING} FROM labeling ORDER BY id DESC LIMIT 200");
        sqlx::query(AssertSqlSafe(sql)).fetch_all(&self.read).await?.iter().map(labeling_of).collect()
    }

    /// A labeling.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn labeling(&self, id: i64) -> Result<Option<Labeling>, DbError> {
        let sql = format!("SELECT {LABELING} FROM labeling WHERE id = $1");
        let row = sqlx::query(AssertSqlSafe(sql)).bind(id).fetch_optional(&self.read).await?;
        row.as_ref().map(labeling_of).transpose()
    }

    /// The films of a labeling as they came: manifest.csv and truth.csv.
    ///
    /// # Errors
    /// When the database fails, or has no such labeling.
    pub async fn labeling_tables(&self, id: i64) -> Result<(String, String), DbError> {
        let row =
            sqlx::query("SELECT manifest, truth FROM labeling WHERE id = $1").bind(id).fetch_one(&self.read).await?;
        Ok((row.try_get(0)?, row.try_get(1)?))
    }

    /// The reviewers of a labeling by place, the adjudicator last.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn labeling_reviewers(&self, labeling: i64) -> Result<Vec<LabelingReviewer>, DbError> {
        let rows = sqlx::query(
            "SELECT place, person_id, COALESCE(person.name, ''), is_adjudicator FROM labeling_reviewer \
             LEFT JOIN person ON person.id = person_id WHERE labeling_id = $1 ORDER BY place",
        )
        .bind(labeling)
        .fetch_all(&self.read)
        .await?;
        let reviewer = |row: &AnyRow| {
            Ok(LabelingReviewer {
                place: row.try_get(0)?,
                person: row.try_get(1)?,
                name: row.try_get(2)?,
                is_adjudicator: row.try_get::<i64, _>(3)? == 1,
            })
        };
        rows.iter().map(reviewer).collect()
    }

    /// The labelings in which a person decides.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn labelings_of_person(&self, person: i64) -> Result<Vec<i64>, DbError> {
        let rows = sqlx::query("SELECT labeling_id FROM labeling_reviewer WHERE person_id = $1")
            .bind(person)
            .fetch_all(&self.read)
            .await?;
        rows.iter().map(|row| Ok(row.try_get(0)?)).collect()
    }

    /// The films of a labeling by place.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn labeling_films(&self, labeling: i64) -> Result<Vec<LabelingFilm>, DbError> {
        let sql = format!("SELECT {FILM} FROM labeling_film WHERE labeling_id = $1 ORDER BY place");
        let rows = sqlx::query(AssertSqlSafe(sql)).bind(labeling).fetch_all(&self.read).await?;
        rows.iter().map(film_of).collect()
    }

    /// Places, rows and whether a look is needed, of the films of a labeling by place: what an order is made of.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn labeling_places(&self, labeling: i64) -> Result<Vec<(i64, bool)>, DbError> {
        let rows = sqlx::query("SELECT id, needs_look FROM labeling_film WHERE labeling_id = $1 ORDER BY place")
            .bind(labeling)
            .fetch_all(&self.read)
            .await?;
        rows.iter().map(|row| Ok((row.try_get(0)?, row.try_get::<i64, _>(1)? == 1))).collect()
    }

    /// A film of a labeling by its row.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn labeling_film(&self, id: i64) -> Result<Option<LabelingFilm>, DbError> {
        let sql = format!("SELECT {FILM} FROM labeling_film WHERE id = $1");
        let row = sqlx::query(AssertSqlSafe(sql)).bind(id).fetch_optional(&self.read).await?;
        row.as_ref().map(film_of).transpose()
    }

    /// The decisions of a labeling that stand: the last of each person on each film, where it was not taken back. Those of one person alone
    /// where one is named.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn standing_decisions(&self, labeling: i64, person: Option<i64>) -> Result<Vec<StoredDecision>, DbError> {
        let sql = format!(
            "{DECISION} AND ($2 = 0 OR made.person_id = $2) AND made.decision <> '' AND NOT EXISTS (SELECT 1 FROM labeling_decision AS later \
             WHERE later.film_id = made.film_id AND later.person_id = made.person_id AND later.supersedes = made.id) ORDER BY made.id"
        );
        // From the connection that writes: a decision of a moment ago counts.
        let rows =
            sqlx::query(AssertSqlSafe(sql)).bind(labeling).bind(person.unwrap_or(0)).fetch_all(&self.write).await?;
        rows.iter().map(decision_of).collect()
    }

    /// The last decision of a person on a film, taken back or not; the row, 0 where there is none.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn last_decision(&self, film: i64, person: i64) -> Result<i64, DbError> {
        let row =
            sqlx::query("SELECT COALESCE(MAX(id), 0) FROM labeling_decision WHERE film_id = $1 AND person_id = $2")
                .bind(film)
                .bind(person)
                .fetch_one(&self.write)
                .await?;
        Ok(row.try_get(0)?)
    }

    /// All decisions of a labeling in the order in which they were made, those that were superseded among them.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn all_decisions(&self, labeling: i64) -> Result<Vec<StoredDecision>, DbError> {
        let sql = format!("{DECISION} ORDER BY made.id");
        let rows = sqlx::query(AssertSqlSafe(sql)).bind(labeling).fetch_all(&self.read).await?;
        rows.iter().map(decision_of).collect()
    }

    /// Stores a decision (empty: the one before is taken back) in the place of another; it has reached the disk when this returns. `false`
    /// where another decision stands there already, or the labeling is closed: nothing is changed then.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn add_decision(
        &self,
        film: i64,
        (person, name): (i64, &str),
        supersedes: i64,
        decision: &str,
    ) -> Result<bool, DbError> {
        let done = sqlx::query(
            "INSERT INTO labeling_decision (film_id, person_id, person, supersedes, decision, at) SELECT $1, $2, $3, $4, $5, $6 \
             WHERE EXISTS (SELECT 1 FROM labeling JOIN labeling_film ON labeling_film.labeling_id = labeling.id \
             WHERE labeling_film.id = $1 AND labeling.closed_at = 0) \
             AND ($4 = 0 OR EXISTS (SELECT 1 FROM labeling_decision WHERE id = $4 AND film_id = $1 AND person_id = $2)) ON CONFLICT DO NOTHING",
        )
        .bind(film)
        .bind(person)
        .bind(name.to_owned())
        .bind(supersedes)
        .bind(decision.to_owned())
        .bind(now())
        .execute(&self.write)
        .await?;
        Ok(done.rows_affected() == 1)
    }

    /// Closes a labeling: no decision is added from now on. `false` where it is closed.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn close_labeling(&self, labeling: i64) -> Result<bool, DbError> {
        let done = sqlx::query("UPDATE labeling SET closed_at = $1 WHERE id = $2 AND closed_at = 0")
            .bind(now())
            .bind(labeling)
            .execute(&self.write)
            .await?;
        Ok(done.rows_affected() == 1)
    }
}

fn labeling_of(row: &AnyRow) -> Result<Labeling, DbError> {
    Ok(Labeling {
        id: row.try_get(0)?,
        name: row.try_get(1)?,
        task: row.try_get(2)?,
        rule: row.try_get(3)?,
        seed: row.try_get::<i64, _>(4)? as u64,
        created_at: row.try_get(5)?,
        created_by: row.try_get(6)?,
        closed_at: row.try_get(7)?,
    })
}

fn film_of(row: &AnyRow) -> Result<LabelingFilm, DbError> {
    Ok(LabelingFilm {
        id: row.try_get(0)?,
        place: usize::try_from(row.try_get::<i64, _>(1)?).unwrap_or(0),
        item: NewItem {
            film: row.try_get(2)?,
            sha256: row.try_get(3)?,
            size: (row.try_get(4)?, row.try_get(5)?),
            patient: row.try_get(6)?,
            report: row.try_get(7)?,
            prediction: row.try_get(8)?,
            needs_look: row.try_get::<i64, _>(9)? == 1,
        },
    })
}

fn decision_of(row: &AnyRow) -> Result<StoredDecision, DbError> {
    Ok(StoredDecision {
        id: row.try_get(0)?,
        film: row.try_get(1)?,
        person: row.try_get(2)?,
        supersedes: row.try_get(3)?,
        decision: row.try_get(4)?,
        at: row.try_get(5)?,
    })
}
