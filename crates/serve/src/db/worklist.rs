//! The worklist: films with their results, positive ones first, the latest first among each; and how many there are.
//!
//! Positive films and all others are two walks along an index, so that a page costs the same however many films there are.

use sqlx::any::AnyRow;
use sqlx::{AssertSqlSafe, Row as _};

use super::{Database, DbError, Dialect, FilmState, Verdict};

/// What the network found, as a filter.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Finding {
    /// The film is called positive.
    Positive,
    /// It was read and is not called positive.
    Negative,
}

/// Which films a worklist shows. What is empty shows all.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct WorklistQuery {
    /// How far the film has come: any of these.
    pub states: Vec<FilmState>,
    /// What was found.
    pub finding: Option<Finding>,
    /// `Some(None)`: without a review that stands; `Some(Some(verdict))`: with that as the last one.
    pub review: Option<Option<Verdict>>,
    /// From and to when it came, microseconds since 1970.
    pub received: (Option<i64>, Option<i64>),
    /// Each word is a part of the patient's name, of the patient ID or of the accession number.
    pub words: Vec<String>,
}

/// A film in the worklist.
#[derive(Debug, Clone, PartialEq)]
#[expect(missing_docs, reason = "most are the attribute of their name")]
pub struct Listed {
    /// Its row.
    pub id: i64,
    /// How far it has come.
    pub state: String,
    /// When it came, microseconds since 1970.
    pub received_at: i64,
    pub patient_name: String,
    pub patient_id: String,
    pub patient_birth_date: String,
    pub patient_sex: String,
    pub accession_number: String,
    pub study_date: String,
    pub body_part: String,
    pub view_position: String,
    pub laterality: String,
    /// The header as DICOM JSON.
    pub metadata: String,
    /// Why the last try failed.
    pub error: String,
    /// When it was read; 0 where it is not yet.
    pub read_at: i64,
    /// Why it was not read.
    pub not_read: String,
    /// The prediction as JSON.
    pub prediction: String,
    /// The verdict that stands; empty where there is none.
    pub verdict: String,
}

/// Films before and after one in the worklist.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Neighbors {
    /// The film above.
    pub previous: Option<i64>,
    /// The film below.
    pub next: Option<i64>,
}

/// How many films there are.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Summary {
    /// Since a moment: all.
    pub films: i64,
    /// Since a moment: called positive.
    pub positive: i64,
    /// Of those, without a review.
    pub positive_unreviewed: i64,
    /// Since a moment: read, and not called positive.
    pub negative: i64,
    /// Since a moment: not read.
    pub not_read: i64,
    /// Whenever they came: received or being read.
    pub waiting: i64,
    /// Whenever they came: failed.
    pub failed: i64,
}

const COLUMNS: &str = "film.id, film.state, film.received_at, film.patient_name, film.patient_id, film.patient_birth_date, film.patient_sex, \
     film.accession_number, film.study_date, film.body_part, film.view_position, film.laterality, film.metadata, \
     COALESCE((SELECT job.error FROM job WHERE job.film_id = film.id AND job.kind = 'read'), '') AS error, \
     COALESCE(reading.read_at, 0) AS read_at, COALESCE(reading.not_read, '') AS not_read, COALESCE(reading.prediction, '') AS prediction";
/// The verdict that stands.
const VERDICT: &str = "COALESCE((SELECT review.verdict FROM review WHERE review.film_id = film.id AND review.undone_at = 0 \
     ORDER BY review.id DESC LIMIT 1), '')";

/// One of the two walks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Part {
    Positive,
    Other,
}

impl Part {
    const ALL: [Self; 2] = [Self::Positive, Self::Other];

    /// Tables and the condition that makes the part. Both walk along their own index from the latest film on.
    fn source(self) -> &'static str {
        match self {
            Self::Positive => {
                "FROM reading JOIN instance AS film ON film.id = reading.film_id WHERE reading.is_positive = 1 AND film.kind = 'film'"
            }
            Self::Other => {
                "FROM instance AS film LEFT JOIN reading ON reading.film_id = film.id WHERE film.kind = 'film' \
                 AND COALESCE(reading.is_positive, 0) = 0"
            }
        }
    }

    fn row(self) -> &'static str {
        match self {
            Self::Positive => "reading.film_id",
            Self::Other => "film.id",
        }
    }
}

impl Database {
    /// Films of a worklist from the `offset`-th on.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn worklist(&self, query: &WorklistQuery, offset: i64, most: i64) -> Result<Vec<Listed>, DbError> {
        let mut listed = Vec::new();
        let mut offset = offset;
        for part in Part::ALL {
            let left = most - listed.len() as i64;
            if left <= 0 || !query.has(part) {
                continue;
            }
            let (condition, values) = query.condition(self.dialect);
            let sql = format!(
                "SELECT {COLUMNS}, {VERDICT} AS verdict {} {condition} ORDER BY {} DESC LIMIT {left} OFFSET {offset}",
                part.source(),
                part.row()
            );
            let rows = bound(&sql, &values).fetch_all(&self.read).await?;
            for row in &rows {
                listed.push(of_row(row)?);
            }
            // A page that begins behind this part begins so far into the next one.
            let passed = if rows.is_empty() && offset > 0 { self.count(query, part).await? } else { offset };
            offset -= passed.min(offset);
        }
        Ok(listed)
    }

    async fn count(&self, query: &WorklistQuery, part: Part) -> Result<i64, DbError> {
        let (condition, values) = query.condition(self.dialect);
        let sql = format!("SELECT COUNT(*) {} {condition}", part.source());
        Ok(bound(&sql, &values).fetch_one(&self.read).await?.try_get(0)?)
    }

    /// The films above and below one in a worklist, whether it is in it or not.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn neighbors(&self, query: &WorklistQuery, film: i64) -> Result<Neighbors, DbError> {
        let positive = sqlx::query("SELECT film_id FROM reading WHERE film_id = $1 AND is_positive = 1")
            .bind(film)
            .fetch_optional(&self.read);
        let own = if positive.await?.is_some() { Part::Positive } else { Part::Other };
        let mut neighbors = Neighbors {
            previous: self.nearest(query, own, Some(('>', film))).await?,
            next: self.nearest(query, own, Some(('<', film))).await?,
        };
        if own == Part::Positive && neighbors.next.is_none() {
            neighbors.next = self.nearest(query, Part::Other, None).await?;
        }
        if own == Part::Other && neighbors.previous.is_none() {
            neighbors.previous = self.nearest(query, Part::Positive, Some(('>', 0))).await?;
        }
        Ok(neighbors)
    }

    /// The film next to a row: above it (`>`) the earliest, below it (`<`) the latest; without a row, the latest of all.
    async fn nearest(
        &self,
        query: &WorklistQuery,
        part: Part,
        beside: Option<(char, i64)>,
    ) -> Result<Option<i64>, DbError> {
        if !query.has(part) {
            return Ok(None);
        }
        let (condition, values) = query.condition(self.dialect);
        let row = part.row();
        let beside_row = beside.map(|(sign, film)| format!("AND {row} {sign} {film}")).unwrap_or_default();
        let order = if beside.is_some_and(|(sign, _)| sign == '>') { "ASC" } else { "DESC" };
        let sql = format!("SELECT film.id {} {condition} {beside_row} ORDER BY {row} {order} LIMIT 1", part.source());
        let found = bound(&sql, &values).fetch_optional(&self.read).await?;
        Ok(found.map(|row| row.try_get(0)).transpose()?)
    }

    /// How many films came since a moment, and how many wait or failed.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn summary(&self, since: i64) -> Result<Summary, DbError> {
        let sql = format!(
            "SELECT film.state, COALESCE(reading.is_positive, 0) AS positive, \
             CASE WHEN COALESCE(reading.is_positive, 0) = 1 AND {VERDICT} = '' THEN 1 ELSE 0 END AS open, COUNT(*) \
             FROM instance AS film LEFT JOIN reading ON reading.film_id = film.id WHERE film.kind = 'film' AND film.received_at >= $1 \
             GROUP BY 1, 2, 3"
        );
        let mut summary = Summary::default();
        for row in sqlx::query(AssertSqlSafe(sql)).bind(since).fetch_all(&self.read).await? {
            let (state, films): (String, i64) = (row.try_get(0)?, row.try_get(3)?);
            let whole =
                |index: usize| row.try_get::<i64, _>(index).or_else(|_| row.try_get::<i32, _>(index).map(i64::from));
            let (is_positive, is_open) = (whole(1)? == 1, whole(2)? == 1);
            summary.films += films;
            if state == FilmState::NotRead.as_str() {
                summary.not_read += films;
            } else if state == FilmState::Read.as_str() && is_positive {
                summary.positive += films;
                summary.positive_unreviewed += if is_open { films } else { 0 };
            } else if state == FilmState::Read.as_str() {
                summary.negative += films;
            }
        }
        let open = "SELECT state, COUNT(*) FROM instance WHERE kind = 'film' AND state IN ('received', 'reading', 'failed') GROUP BY state";
        for row in sqlx::query(open).fetch_all(&self.read).await? {
            let (state, films): (String, i64) = (row.try_get(0)?, row.try_get(1)?);
            if state == FilmState::Failed.as_str() { summary.failed += films } else { summary.waiting += films }
        }
        Ok(summary)
    }
}

impl WorklistQuery {
    fn has(&self, part: Part) -> bool {
        let reads = self.states.is_empty() || self.states.contains(&FilmState::Read);
        match part {
            Part::Positive => self.finding != Some(Finding::Negative) && reads,
            Part::Other => self.finding != Some(Finding::Positive),
        }
    }

    /// What is added to a part's condition, and the values from `$1` on.
    fn condition(&self, dialect: Dialect) -> (String, Vec<String>) {
        let (mut text, mut values) = (String::new(), Vec::new());
        if !self.states.is_empty() {
            // Words of this program, not of a request.
            let states: Vec<String> = self.states.iter().map(|state| format!("'{}'", state.as_str())).collect();
            text += &format!(" AND film.state IN ({})", states.join(", "));
        }
        if self.finding == Some(Finding::Negative) {
            text += " AND film.state = 'read'";
        }
        if let Some(verdict) = self.review {
            text += &format!(" AND {VERDICT} = '{}'", verdict.map_or("", Verdict::as_str));
        }
        if let Some(from) = self.received.0 {
            text += &format!(" AND film.received_at >= {from}");
        }
        if let Some(to) = self.received.1 {
            text += &format!(" AND film.received_at < {to}");
        }
        let like = if dialect == Dialect::Postgres { "ILIKE" } else { "LIKE" };
        for word in &self.words {
            let escaped: String = word
                .chars()
                .flat_map(|c| if matches!(c, '%' | '_' | '\\') { vec!['\\', c] } else { vec![c] })
                .collect();
            values.push(format!("%{escaped}%"));
            let mark = values.len();
            let columns = ["film.patient_name", "film.patient_id", "film.accession_number"];
            let any = columns.map(|column| format!("{column} {like} ${mark} ESCAPE '\\'")).join(" OR ");
            text += &format!(" AND ({any})");
        }
        (text, values)
    }
}

fn bound<'q>(sql: &str, values: &[String]) -> sqlx::query::Query<'q, sqlx::Any, sqlx::any::AnyArguments> {
    values.iter().fold(sqlx::query(AssertSqlSafe(sql.to_owned())), |query, value| query.bind(value.clone()))
}

fn of_row(row: &AnyRow) -> Result<Listed, DbError> {
    let text = |column: &str| row.try_get::<String, _>(column);
    Ok(Listed {
        id: row.try_get("id")?,
        state: text("state")?,
        received_at: row.try_get("received_at")?,
        patient_name: text("patient_name")?,
        patient_id: text("patient_id")?,
        patient_birth_date: text("patient_birth_date")?,
        patient_sex: text("patient_sex")?,
        accession_number: text("accession_number")?,
        study_date: text("study_date")?,
        body_part: text("body_part")?,
        view_position: text("view_position")?,
        laterality: text("laterality")?,
        metadata: text("metadata")?,
        error: text("error")?,
        read_at: row.try_get("read_at")?,
        not_read: text("not_read")?,
        prediction: text("prediction")?,
        verdict: text("verdict")?,
    })
}
