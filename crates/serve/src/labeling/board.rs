//! A labeling with all that stands in it.

use std::collections::BTreeMap;
use std::path::Path;

use bytes::Bytes;
use coxa_cohort::{CohortError, Dataset, Film};
use coxa_imaging::{encode, read_graded};
use coxa_study::judged::Judgments;
use coxa_study::localize::Site;

use super::agreement::{Agreement, agreement};
use super::dataset::{History, labeled};
use super::decision::Decision;
use super::heat::judgments;
use super::standing::{Standing, standing};
use super::{Labels, Task};
use crate::db::{Database, DbError, Labeling, LabelingFilm, LabelingReviewer, StoredDecision};
use crate::store::{Store, StoreError};

/// Why a labeling cannot be shown or exported.
#[derive(Debug, thiserror::Error)]
pub enum BoardError {
    /// The database.
    #[error(transparent)]
    Db(#[from] DbError),
    /// Its films as they came cannot be read.
    #[error(transparent)]
    Cohort(#[from] CohortError),
    /// There is none of this number.
    #[error("there is no labeling {0}")]
    Unknown(i64),
    /// A film's file is not there.
    #[error("the film {image_id}: {source}")]
    Store {
        /// The film.
        image_id: String,
        /// Why.
        source: StoreError,
    },
    /// A film cannot be decoded.
    #[error("the film {image_id}: {reason}")]
    Film {
        /// The film.
        image_id: String,
        /// Why.
        reason: String,
    },
}

/// What was decided on a film.
#[derive(Debug, Clone, PartialEq)]
pub struct OnFilm {
    /// The reviewers' decisions with their places, by place.
    pub reviews: Vec<(i64, Decision)>,
    /// What it comes to.
    pub standing: Standing,
}

/// A labeling with its films, its people, and what stands on each film.
#[derive(Debug, Clone)]
pub struct Board {
    /// The labeling.
    pub labeling: Labeling,
    /// What reviewers do.
    pub task: Task,
    /// Reviewers by place, the adjudicator last.
    pub people: Vec<LabelingReviewer>,
    /// The films by place.
    pub films: Vec<LabelingFilm>,
    /// What was decided on each.
    pub decided: Vec<OnFilm>,
}

impl Board {
    /// Opens a labeling.
    ///
    /// # Errors
    /// [`BoardError`].
    pub async fn open(db: &Database, id: i64) -> Result<Self, BoardError> {
        let labeling = db.labeling(id).await?.ok_or(BoardError::Unknown(id))?;
        let (people, films) = (db.labeling_reviewers(id).await?, db.labeling_films(id).await?);
        let decisions = db.standing_decisions(id, None).await?;
        let rows: Vec<i64> = films.iter().map(|film| film.id).collect();
        let decided = on_films(&people, &rows, &decisions);
        let task = Task::parse(&labeling.task).unwrap_or(Task::Labels);
        Ok(Self { labeling, task, people, films, decided })
    }

    /// How many decide without each other's decisions.
    pub fn reviewers(&self) -> usize {
        self.people.iter().filter(|one| !one.is_adjudicator).count()
    }

    /// Whether every film has its decision.
    pub fn is_complete(&self) -> bool {
        self.decided.iter().all(|on_film| on_film.standing.decision().is_some())
    }

    /// The reviewers' agreement on the films that all of them decided.
    pub fn agreement(&self) -> Vec<Agreement> {
        let reviewers = self.reviewers();
        let whole = self.films.iter().zip(&self.decided).filter(|(_, on_film)| on_film.reviews.len() == reviewers);
        let films: Vec<(String, Vec<&Decision>)> = whole
            .map(|(film, on_film)| {
                (film.item.patient.clone(), on_film.reviews.iter().map(|(_, decision)| decision).collect())
            })
            .collect();
        if reviewers < 2 { Vec::new() } else { agreement(&films) }
    }

    /// Where heat maps lie, with each film's patient.
    pub fn sites(&self) -> Vec<(String, Site)> {
        let of = |(film, on_film): (&LabelingFilm, &OnFilm)| {
            Some((film.item.patient.clone(), on_film.standing.decision()?.site()?))
        };
        self.films.iter().zip(&self.decided).filter_map(of).collect()
    }

    /// The films as they came.
    ///
    /// # Errors
    /// [`BoardError`].
    pub async fn given(&self, db: &Database) -> Result<Dataset, BoardError> {
        let (manifest, truth) = db.labeling_tables(self.labeling.id).await?;
        Ok(Dataset::parse(Path::new("labeling"), manifest.as_bytes(), truth.as_bytes())?)
    }

    /// The films with what was decided.
    pub fn dataset(&self, given: &Dataset) -> Dataset {
        let standings: Vec<Standing> = self.decided.iter().map(|on_film| on_film.standing.clone()).collect();
        labeled(given, &standings)
    }

    /// How many films were decided otherwise than they came labeled, of how many that came with a label.
    pub fn changed(&self, given: &Dataset) -> (usize, usize) {
        let pairs = given.films.iter().zip(&self.decided).filter_map(|(film, on_film)| {
            let came = Labels::read(film, &[])?.opinion;
            Some(came != on_film.standing.decision()?.labels()?.opinion)
        });
        pairs.fold((0, 0), |(changed, of), differs| (changed + usize::from(differs), of + 1))
    }

    /// The judged heat maps, as `coxa report --judged` reads them.
    pub fn judgments(&self, given: &Dataset) -> Judgments {
        let of =
            |(film, on_film): (&Film, &OnFilm)| Some((film.image_id.clone(), on_film.standing.decision()?.site()?));
        judgments(given.films.iter().zip(&self.decided).filter_map(of))
    }

    /// All decisions, those that were superseded among them.
    ///
    /// # Errors
    /// [`BoardError`].
    pub async fn history(&self, db: &Database, given: &Dataset) -> Result<Vec<History>, BoardError> {
        let all = db.all_decisions(self.labeling.id).await?;
        let superseded: std::collections::BTreeSet<i64> = all.iter().map(|made| made.supersedes).collect();
        let names: BTreeMap<i64, &str> =
            self.films.iter().zip(&given.films).map(|(film, row)| (film.id, row.image_id.as_str())).collect();
        let who: BTreeMap<i64, String> = self.people.iter().map(|one| (one.person, number(one))).collect();
        let row = |made: &StoredDecision| History {
            image_id: names.get(&made.film).copied().unwrap_or_default().to_owned(),
            who: who.get(&made.person).cloned().unwrap_or_default(),
            at: moment(made.at),
            state: match (made.decision.is_empty(), superseded.contains(&made.id)) {
                (true, _) => "taken back",
                (false, true) => "superseded",
                (false, false) => "stands",
            },
            decision: parsed(made),
        };
        Ok(all.iter().map(row).collect())
    }

    /// A film's file for a dataset: an imported one as it is; a received one as a PNG after its own window, without its header; then
    /// the row's path and hash are the PNG's.
    ///
    /// # Errors
    /// [`BoardError`].
    pub async fn file(&self, store: &Store, film: &LabelingFilm, row: &mut Film) -> Result<Bytes, BoardError> {
        let image_id = row.image_id.clone();
        let bytes = store
            .get(&film.item.sha256)
            .await
            .map_err(|source| BoardError::Store { image_id: image_id.clone(), source })?;
        if film.item.film == 0 {
            return Ok(bytes);
        }
        let fault = |reason: String| BoardError::Film { image_id: image_id.clone(), reason };
        let (radiograph, grades) = read_graded(&bytes, "the film").map_err(|error| fault(error.to_string()))?;
        let shown: Vec<u8> = grades.pixels.iter().map(|grade| grades.display[usize::from(*grade)]).collect();
        let png = encode::png_gray8_to_vec(radiograph.width(), radiograph.height(), &shown)
            .map_err(|error| fault(error.to_string()))?;
        row.path = format!("images/{image_id}.png");
        row.sha256 = coxa_files::sha256(&png);
        Ok(png.into())
    }
}

/// What is called by in tables and on pages: `R1`, `R2`, …, `A` for the adjudicator.
pub(crate) fn number(one: &LabelingReviewer) -> String {
    if one.is_adjudicator { "A".to_owned() } else { format!("R{}", one.place + 1) }
}

/// What stands on each film of these rows.
pub(crate) fn on_films(people: &[LabelingReviewer], rows: &[i64], decisions: &[StoredDecision]) -> Vec<OnFilm> {
    let mut of_film: BTreeMap<i64, BTreeMap<i64, Decision>> = BTreeMap::new();
    for made in decisions {
        if let Some(decision) = parsed(made) {
            of_film.entry(made.film).or_default().insert(made.person, decision);
        }
    }
    let reviewers = people.iter().filter(|one| !one.is_adjudicator).count();
    let adjudicator = people.iter().find(|one| one.is_adjudicator);
    rows.iter()
        .map(|row| {
            let of_person = of_film.remove(row).unwrap_or_default();
            let reviews: Vec<(i64, Decision)> = people
                .iter()
                .filter(|one| !one.is_adjudicator)
                .filter_map(|one| Some((one.place, of_person.get(&one.person)?.clone())))
                .collect();
            let adjudication = adjudicator.and_then(|one| of_person.get(&one.person));
            let decisions: Vec<&Decision> = reviews.iter().map(|(_, decision)| decision).collect();
            let standing = standing(reviewers, &decisions, adjudication);
            OnFilm { reviews, standing }
        })
        .collect()
}

pub(crate) fn parsed(made: &StoredDecision) -> Option<Decision> {
    if made.decision.is_empty() {
        return None;
    }
    serde_json::from_str(&made.decision)
        .inspect_err(|error| tracing::error!(decision = made.id, "a decision cannot be read: {error}"))
        .ok()
}

/// A moment in UTC, as tables have it.
fn moment(micros: i64) -> String {
    jiff::Timestamp::from_microsecond(micros).unwrap_or_default().strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
}
