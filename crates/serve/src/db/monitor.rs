//! What monitoring and recalibration keep and ask: films with what became of them, labels, calibrations, baselines.

use sqlx::any::AnyRow;
use sqlx::{AssertSqlSafe, Row as _};

use super::worklist::VERDICT;
use super::{Database, DbError, now};

/// A film with what became of it, as monitoring counts it.
#[derive(Debug, Clone, PartialEq)]
pub struct Watched {
    /// Its row.
    pub film: i64,
    /// When it came, microseconds since 1970.
    pub received_at: i64,
    /// Whoever sent it: `AETITLE@address`, `stow`, `folder`.
    pub source: String,
    /// How far it has come.
    pub state: String,
    /// The patient ID; empty where the film has none.
    pub patient: String,
    /// When it was read; 0 where it is not yet.
    pub read_at: i64,
    /// When somebody first opened it; 0 where nobody has.
    pub opened_at: i64,
    /// Why it was not read; empty where it was.
    pub not_read: String,
    /// Short hash of the network; empty where it is not read.
    pub model: String,
    /// Whether it is called positive.
    pub is_positive: bool,
    /// The probability that was reported.
    pub probability: Option<f64>,
    /// The network's own output, before temperature and sigmoid.
    pub logit: Option<f64>,
    /// The verdict that stands; empty where there is none.
    pub verdict: String,
}

/// A film that was read, with what the hospital says of it.
#[derive(Debug, Clone, PartialEq)]
pub struct Labeled {
    /// What became of it.
    pub film: Watched,
    /// The label that was uploaded last: whether there is a fracture.
    pub label: Option<bool>,
}

/// A calibration that is to be kept.
#[derive(Debug, Clone, PartialEq)]
pub struct NewCalibration {
    /// Short hash of the network.
    pub model: String,
    /// The probability is sigmoid(logit / temperature).
    pub temperature: f64,
    /// The bundle's own temperature.
    pub own_temperature: f64,
    /// The probability from which a film is called positive.
    pub threshold: f64,
    /// The sensitivity that the rule asked for.
    pub target: f64,
    /// The films that it was chosen on, in words.
    pub chosen_on: String,
    /// What is shown before it is taken, as JSON.
    pub report: String,
}

/// A calibration as it is kept. It is never changed.
#[derive(Debug, Clone, PartialEq)]
pub struct Calibration {
    /// Its row, by which readings name it.
    pub id: i64,
    /// What it is.
    pub what: NewCalibration,
    /// Who proposed it.
    pub person: String,
    /// When.
    pub at: i64,
}

/// From when on a calibration counted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Use {
    /// The calibration's row; 0 for the bundle's own.
    pub calibration: i64,
    /// Who took it.
    pub person: String,
    /// When.
    pub at: i64,
}

/// Scores that later ones are compared with.
#[derive(Debug, Clone, PartialEq)]
pub struct Baseline {
    /// Films among which they were chosen.
    pub films: i64,
    /// When the first and the last of them came.
    pub between: (i64, i64),
    /// The network's outputs, ascending, one film a patient; none where the bundle's own scores count again.
    pub logits: Vec<f64>,
    /// Who chose it.
    pub person: String,
    /// When.
    pub at: i64,
}

const WATCHED: &str = "film.id, film.received_at, film.source, film.state, film.patient_id, film.first_opened_at, film.is_positive, \
     COALESCE(reading.read_at, 0) AS read_at, COALESCE(reading.not_read, '') AS not_read, COALESCE(reading.model, '') AS model, \
     reading.probability AS probability, reading.logit AS logit";
const LABEL: &str =
    "COALESCE((SELECT label.is_present FROM label WHERE label.film_id = film.id ORDER BY label.id DESC LIMIT 1), -1)";
const FILMS: &str = "FROM instance AS film LEFT JOIN reading ON reading.film_id = film.id WHERE film.kind = 'film'";

impl Database {
    /// Notes that a film was opened; only the first time counts.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn opened(&self, film: i64) -> Result<(), DbError> {
        sqlx::query("UPDATE instance SET first_opened_at = $1 WHERE id = $2 AND first_opened_at = 0")
            .bind(now())
            .bind(film)
            .execute(&self.write)
            .await?;
        Ok(())
    }

    /// Films that came from one moment to before another, in the order of their arrival.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn watched(&self, from: i64, to: i64) -> Result<Vec<Watched>, DbError> {
        let sql = format!(
            "SELECT {WATCHED}, {VERDICT} AS verdict {FILMS} AND film.received_at >= $1 AND film.received_at < $2 \
             ORDER BY film.received_at, film.id"
        );
        let rows = sqlx::query(AssertSqlSafe(sql)).bind(from).bind(to).fetch_all(&self.read).await?;
        rows.iter().map(watched).collect()
    }

    /// The films that a network was the first to read here, in the order of their arrival.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn first_read(&self, model: &str, most: i64) -> Result<Vec<Watched>, DbError> {
        let sql = format!(
            "SELECT {WATCHED}, '' AS verdict {FILMS} AND reading.model = $1 AND reading.probability IS NOT NULL \
             ORDER BY film.received_at, film.id LIMIT $2"
        );
        let rows = sqlx::query(AssertSqlSafe(sql)).bind(model.to_owned()).bind(most).fetch_all(&self.read).await?;
        rows.iter().map(watched).collect()
    }

    /// The films that a network read and the hospital labeled or a physician reviewed, in the order of their arrival.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn labeled(&self, model: &str) -> Result<Vec<Labeled>, DbError> {
        let sql = format!(
            "SELECT {WATCHED}, {VERDICT} AS verdict, {LABEL} AS is_present {FILMS} AND reading.model = $1 \
             AND reading.probability IS NOT NULL AND (film.id IN (SELECT label.film_id FROM label) \
             OR film.id IN (SELECT review.film_id FROM review WHERE review.undone_at = 0)) ORDER BY film.received_at, film.id"
        );
        let rows = sqlx::query(AssertSqlSafe(sql)).bind(model.to_owned()).fetch_all(&self.read).await?;
        let labeled = |row: &AnyRow| {
            let label = match row.try_get::<i64, _>("is_present")? {
                -1 => None,
                label => Some(label == 1),
            };
            Ok(Labeled { film: watched(row)?, label })
        };
        rows.iter().map(labeled).collect()
    }

    /// The rows of the films with an accession number.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn films_of_accession(&self, accession: &str) -> Result<Vec<i64>, DbError> {
        let rows = sqlx::query("SELECT id FROM instance WHERE kind = 'film' AND accession_number = $1")
            .bind(accession.to_owned())
            .fetch_all(&self.read)
            .await?;
        rows.iter().map(|row| Ok(row.try_get(0)?)).collect()
    }

    /// The row of the film with a SOP Instance UID.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn film_of_uid(&self, uid: &str) -> Result<Option<i64>, DbError> {
        let row = sqlx::query("SELECT id FROM instance WHERE kind = 'film' AND sop_instance_uid = $1")
            .bind(uid.to_owned())
            .fetch_optional(&self.read)
            .await?;
        Ok(row.map(|row| row.try_get(0)).transpose()?)
    }

    /// Adds labels of films, all or none.
    ///
    /// # Errors
    /// When the database fails, or a film has gone.
    pub async fn add_labels(&self, labels: &[(i64, bool)], person: i64) -> Result<(), DbError> {
        let mut transaction = self.begin().await?;
        for (film, is_present) in labels {
            sqlx::query("INSERT INTO label (film_id, is_present, person_id, at) VALUES ($1, $2, $3, $4)")
                .bind(*film)
                .bind(i64::from(*is_present))
                .bind(person)
                .bind(now())
                .execute(&mut *transaction)
                .await?;
        }
        transaction.commit().await?;
        Ok(())
    }

    /// Keeps a calibration, which does not count by that; its row.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn add_calibration(&self, new: &NewCalibration, (id, name): (i64, &str)) -> Result<i64, DbError> {
        let row = sqlx::query(
            "INSERT INTO calibration (model, temperature, own_temperature, threshold, target, chosen_on, report, person_id, person, at) \
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10) RETURNING id",
        )
        .bind(new.model.clone())
        .bind(new.temperature)
        .bind(new.own_temperature)
        .bind(new.threshold)
        .bind(new.target)
        .bind(new.chosen_on.clone())
        .bind(new.report.clone())
        .bind(id)
        .bind(name.to_owned())
        .bind(now())
        .fetch_one(&self.write)
        .await?;
        Ok(row.try_get(0)?)
    }

    /// A calibration by its row.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn calibration(&self, id: i64) -> Result<Option<Calibration>, DbError> {
        let sql = format!("SELECT {CALIBRATION} FROM calibration WHERE id = $1");
        let row = sqlx::query(AssertSqlSafe(sql)).bind(id).fetch_optional(&self.read).await?;
        row.as_ref().map(calibration).transpose()
    }

    /// A network's calibrations, the latest first.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn calibrations(&self, model: &str, most: i64) -> Result<Vec<Calibration>, DbError> {
        let sql = format!("SELECT {CALIBRATION} FROM calibration WHERE model = $1 ORDER BY id DESC LIMIT $2");
        let rows = sqlx::query(AssertSqlSafe(sql)).bind(model.to_owned()).bind(most).fetch_all(&self.read).await?;
        rows.iter().map(calibration).collect()
    }

    /// The calibration that counts for a network; `None` for the bundle's own.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn calibration_in_use(&self, model: &str) -> Result<Option<Calibration>, DbError> {
        let sql = format!(
            "SELECT {CALIBRATION} FROM calibration WHERE id = \
             (SELECT calibration_id FROM calibration_use WHERE model = $1 ORDER BY id DESC LIMIT 1)"
        );
        let row = sqlx::query(AssertSqlSafe(sql)).bind(model.to_owned()).fetch_optional(&self.read).await?;
        row.as_ref().map(calibration).transpose()
    }

    /// From now on a calibration counts for a network; 0 for the bundle's own.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn use_calibration(&self, model: &str, calibration: i64, (id, name): (i64, &str)) -> Result<(), DbError> {
        sqlx::query(
            "INSERT INTO calibration_use (model, calibration_id, person_id, person, at) VALUES ($1, $2, $3, $4, $5)",
        )
        .bind(model.to_owned())
        .bind(calibration)
        .bind(id)
        .bind(name.to_owned())
        .bind(now())
        .execute(&self.write)
        .await?;
        Ok(())
    }

    /// Which calibrations counted for a network, the latest first.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn calibration_uses(&self, model: &str, most: i64) -> Result<Vec<Use>, DbError> {
        let rows = sqlx::query(
            "SELECT calibration_id, person, at FROM calibration_use WHERE model = $1 ORDER BY id DESC LIMIT $2",
        )
        .bind(model.to_owned())
        .bind(most)
        .fetch_all(&self.read)
        .await?;
        let of_row =
            |row: &AnyRow| Ok(Use { calibration: row.try_get(0)?, person: row.try_get(1)?, at: row.try_get(2)? });
        rows.iter().map(of_row).collect()
    }

    /// The baseline that was chosen last for a network.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn baseline(&self, model: &str) -> Result<Option<Baseline>, DbError> {
        let row = sqlx::query(
            "SELECT films, first_at, last_at, logits, person, at FROM baseline WHERE model = $1 ORDER BY id DESC LIMIT 1",
        )
        .bind(model.to_owned())
        .fetch_optional(&self.read)
        .await?;
        let Some(row) = row else { return Ok(None) };
        Ok(Some(Baseline {
            films: row.try_get(0)?,
            between: (row.try_get(1)?, row.try_get(2)?),
            logits: serde_json::from_str(&row.try_get::<String, _>(3)?).unwrap_or_default(),
            person: row.try_get(4)?,
            at: row.try_get(5)?,
        }))
    }

    /// Keeps a baseline for a network, which counts from now on; its moment is now.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn add_baseline(&self, model: &str, baseline: &Baseline, person: i64) -> Result<(), DbError> {
        sqlx::query(
            "INSERT INTO baseline (model, films, first_at, last_at, logits, person_id, person, at) VALUES ($1, $2, $3, $4, $5, $6, $7, $8)",
        )
        .bind(model.to_owned())
        .bind(baseline.films)
        .bind(baseline.between.0)
        .bind(baseline.between.1)
        .bind(serde_json::to_string(&baseline.logits).unwrap_or_default())
        .bind(person)
        .bind(baseline.person.clone())
        .bind(now())
        .execute(&self.write)
        .await?;
        Ok(())
    }
}

const CALIBRATION: &str = "id, model, temperature, own_temperature, threshold, target, chosen_on, report, person, at";

fn calibration(row: &AnyRow) -> Result<Calibration, DbError> {
    Ok(Calibration {
        id: row.try_get("id")?,
        what: NewCalibration {
            model: row.try_get("model")?,
            temperature: row.try_get("temperature")?,
            own_temperature: row.try_get("own_temperature")?,
            threshold: row.try_get("threshold")?,
            target: row.try_get("target")?,
            chosen_on: row.try_get("chosen_on")?,
            report: row.try_get("report")?,
        },
        person: row.try_get("person")?,
        at: row.try_get("at")?,
    })
}

fn watched(row: &AnyRow) -> Result<Watched, DbError> {
    Ok(Watched {
        film: row.try_get("id")?,
        received_at: row.try_get("received_at")?,
        source: row.try_get("source")?,
        state: row.try_get("state")?,
        patient: row.try_get("patient_id")?,
        read_at: row.try_get("read_at")?,
        opened_at: row.try_get("first_opened_at")?,
        not_read: row.try_get("not_read")?,
        model: row.try_get("model")?,
        is_positive: row.try_get::<i64, _>("is_positive")? == 1,
        probability: row.try_get("probability")?,
        logit: row.try_get("logit")?,
        verdict: row.try_get("verdict")?,
    })
}
