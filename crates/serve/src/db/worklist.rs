//! The worklist: films with their results, positive ones first, the latest first among each; and how many there are.
//!
//! Positive films and all others are two walks along one index, so that a page costs the same however many films there are. What is
//! skipped, filtered by state or day and counted is in the index; rows are fetched for the films that are shown alone.

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
    /// The bundle's temperature over the one that the film was read with: 1 without a recalibration.
    pub scale: f64,
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
    /// Since a moment: with a result that a trial withholds.
    pub withheld: i64,
    /// Whenever they came: received or being read.
    pub waiting: i64,
    /// Whenever they came: failed.
    pub failed: i64,
}

const COLUMNS: &str = "film.id, film.state, film.received_at, film.patient_name, film.patient_id, film.patient_birth_date, film.patient_sex, \
     film.accession_number, film.study_date, film.body_part, film.view_position, film.laterality, film.metadata, \
     COALESCE((SELECT job.error FROM job WHERE job.film_id = film.id AND job.kind = 'read'), '') AS error, \
     COALESCE(reading.read_at, 0) AS read_at, COALESCE(reading.not_read, '') AS not_read, COALESCE(reading.prediction, '') AS prediction, \
     COALESCE((SELECT calibration.own_temperature / calibration.temperature FROM calibration WHERE calibration.id = reading.calibration_id), 1.0) \
     AS scale";
/// The verdict that stands.
pub(super) const VERDICT: &str = "COALESCE((SELECT review.verdict FROM review WHERE review.film_id = film.id AND review.undone_at = 0 \
     ORDER BY review.id DESC LIMIT 1), '')";

/// One of the two walks, from the latest film on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Part {
    Positive,
    Other,
}

impl Part {
    const ALL: [Self; 2] = [Self::Positive, Self::Other];

    /// Tables and the condition that makes the part.
    fn source(self) -> &'static str {
        match self {
            Self::Positive => "FROM instance AS film WHERE film.kind = 'film' AND film.is_positive = 1",
            Self::Other => "FROM instance AS film WHERE film.kind = 'film' AND film.is_positive = 0",
        }
    }
}

/// A film's place in a walk: when it came, and its row.
type Place = (i64, i64);

/// The order of a walk; both columns go one way, so that the index serves it in either.
#[derive(Debug, Clone, Copy)]
enum Walk {
    /// The earliest film after a place.
    Above(Place),
    /// The latest film before a place.
    Below(Place),
    /// The earliest of all.
    Earliest,
    /// The latest of all.
    Latest,
}

impl Walk {
    fn sql(self) -> String {
        let (beside, order) = match self {
            Self::Above((at, id)) => (format!("AND (film.received_at, film.id) > ({at}, {id}) "), "ASC"),
            Self::Below((at, id)) => (format!("AND (film.received_at, film.id) < ({at}, {id}) "), "DESC"),
            Self::Earliest => (String::new(), "ASC"),
            Self::Latest => (String::new(), "DESC"),
        };
        format!("{beside}ORDER BY film.received_at {order}, film.id {order}")
    }
}

impl Database {
    /// Films of a worklist from the `offset`-th on.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn worklist(&self, query: &WorklistQuery, offset: i64, most: i64) -> Result<Vec<Listed>, DbError> {
        let (mut rows, mut offset) = (Vec::new(), offset);
        for part in Part::ALL {
            let left = most - rows.len() as i64;
            if left <= 0 || !query.has(part) {
                continue;
            }
            let found = self.rows(query, part, Walk::Latest, left, offset).await?;
            // A page that begins behind this part begins so far into the next one.
            let passed = if found.is_empty() && offset > 0 { self.count(query, part).await? } else { offset };
            offset -= passed.min(offset);
            rows.extend(found);
        }
        self.listed(&rows).await
    }

    async fn rows(
        &self,
        query: &WorklistQuery,
        part: Part,
        walk: Walk,
        most: i64,
        offset: i64,
    ) -> Result<Vec<i64>, DbError> {
        let (condition, values) = query.condition(self.dialect);
        let sql = format!("SELECT film.id {} {condition} {} LIMIT {most} OFFSET {offset}", part.source(), walk.sql());
        bound(&sql, &values).fetch_all(&self.read).await?.iter().map(|row| Ok(row.try_get(0)?)).collect()
    }

    async fn count(&self, query: &WorklistQuery, part: Part) -> Result<i64, DbError> {
        let (condition, values) = query.condition(self.dialect);
        let sql = format!("SELECT COUNT(*) {} {condition}", part.source());
        Ok(bound(&sql, &values).fetch_one(&self.read).await?.try_get(0)?)
    }

    /// Films by their rows, in that order.
    async fn listed(&self, rows: &[i64]) -> Result<Vec<Listed>, DbError> {
        if rows.is_empty() {
            return Ok(Vec::new());
        }
        let numbers: Vec<String> = rows.iter().map(i64::to_string).collect();
        let sql = format!(
            "SELECT {COLUMNS}, {VERDICT} AS verdict FROM instance AS film LEFT JOIN reading ON reading.film_id = film.id \
             WHERE film.id IN ({})",
            numbers.join(", ")
        );
        let found = sqlx::query(AssertSqlSafe(sql)).fetch_all(&self.read).await?;
        let mut films: Vec<Listed> = found.iter().map(of_row).collect::<Result<_, _>>()?;
        films.sort_by_key(|film| rows.iter().position(|row| *row == film.id));
        Ok(films)
    }

    /// The films above and below one in a worklist, whether it is in it or not.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn neighbors(&self, query: &WorklistQuery, film: i64) -> Result<Neighbors, DbError> {
        let own = sqlx::query("SELECT received_at, is_positive FROM instance WHERE id = $1").bind(film);
        let Some(own) = own.fetch_optional(&self.read).await? else { return Ok(Neighbors::default()) };
        let place = (own.try_get(0)?, film);
        let part = if own.try_get::<i64, _>(1)? == 1 { Part::Positive } else { Part::Other };
        let mut neighbors = Neighbors {
            previous: self.nearest(query, part, Walk::Above(place)).await?,
            next: self.nearest(query, part, Walk::Below(place)).await?,
        };
        if part == Part::Positive && neighbors.next.is_none() {
            neighbors.next = self.nearest(query, Part::Other, Walk::Latest).await?;
        }
        if part == Part::Other && neighbors.previous.is_none() {
            neighbors.previous = self.nearest(query, Part::Positive, Walk::Earliest).await?;
        }
        Ok(neighbors)
    }

    async fn nearest(&self, query: &WorklistQuery, part: Part, walk: Walk) -> Result<Option<i64>, DbError> {
        if !query.has(part) {
            return Ok(None);
        }
        Ok(self.rows(query, part, walk, 1, 0).await?.first().copied())
    }

    /// How many films came since a moment, and how many wait or failed.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn summary(&self, since: i64) -> Result<Summary, DbError> {
        let mut summary = Summary::default();
        let counts = "SELECT is_positive, state, COUNT(*) FROM instance WHERE kind = 'film' AND is_positive IN (0, 1) AND received_at >= $1 \
             GROUP BY is_positive, state";
        for row in sqlx::query(counts).bind(since).fetch_all(&self.read).await? {
            let (is_positive, state, films): (i64, String, i64) = (row.try_get(0)?, row.try_get(1)?, row.try_get(2)?);
            summary.films += films;
            if state == FilmState::NotRead.as_str() {
                summary.not_read += films;
            } else if state == FilmState::Withheld.as_str() {
                summary.withheld += films;
            } else if state == FilmState::Read.as_str() {
                *(if is_positive == 1 { &mut summary.positive } else { &mut summary.negative }) += films;
            }
        }
        let open = "SELECT COUNT(*) FROM instance AS film WHERE kind = 'film' AND is_positive = 1 AND received_at >= $1 AND state = 'read' \
             AND NOT EXISTS (SELECT 1 FROM review WHERE review.film_id = film.id AND review.undone_at = 0)";
        summary.positive_unreviewed = sqlx::query(open).bind(since).fetch_one(&self.read).await?.try_get(0)?;
        let waits = "SELECT state, COUNT(*) FROM instance WHERE kind = 'film' AND state IN ('received', 'reading', 'failed') GROUP BY state";
        for row in sqlx::query(waits).fetch_all(&self.read).await? {
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
        if self.review.flatten().is_some() {
            // Few films are reviewed: they are the ones to begin with.
            text += " AND film.id IN (SELECT review.film_id FROM review WHERE review.undone_at = 0)";
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
        scale: row.try_get("scale")?,
    })
}
