//! A labeling of films that no modality sent: a dataset's folder, or a folder of films.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use coxa_cohort::{CohortError, Dataset, Film};
use coxa_files::find::{films_below, without_ending};
use coxa_imaging::read_bytes;
use coxa_schema::{BodyPart, FilmPrediction, Finding, Label};

use super::Task;
use super::copies::{Fingerprint, contradicting};
use super::heat::sampled;
use crate::db::{Database, DbError, NewItem, NewLabeling};
use crate::store::{Store, StoreError};

/// Films of a labeling.
const MOST: usize = 20_000;

/// A labeling that is to be made of a dataset.
#[derive(Debug, Clone)]
pub struct Import {
    /// Its name.
    pub name: String,
    /// What reviewers do.
    pub task: Task,
    /// The reviewers' orders, and the sample of heat maps, follow from it.
    pub seed: u64,
    /// By whom it is made.
    pub by: String,
    /// The films with their labels, where they have any.
    pub dataset: Dataset,
    /// Radiologists' reports by `image_id`.
    pub reports: BTreeMap<String, String>,
    /// The network's findings by `image_id`.
    pub findings: BTreeMap<String, Finding>,
    /// At most so many films of those whose heat map can be judged.
    pub sample: usize,
    /// The reviewers' accounts.
    pub reviewers: Vec<i64>,
    /// The adjudicator's account.
    pub adjudicator: Option<i64>,
}

/// Why no labeling was made.
#[derive(Debug, thiserror::Error)]
pub enum ImportError {
    /// The dataset.
    #[error(transparent)]
    Cohort(#[from] CohortError),
    /// The database.
    #[error(transparent)]
    Db(#[from] DbError),
    /// The node's disk.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A film cannot be read.
    #[error("{}: {reason}", path.display())]
    Film {
        /// Its file.
        path: PathBuf,
        /// Why.
        reason: String,
    },
    /// Too few or too many films.
    #[error("{0} films are no labeling: 1 to {MOST} are")]
    Count(usize),
}

/// The films below a folder that is no dataset, without labels, each named by its path.
///
/// # Errors
/// [`ImportError::Film`] for a folder that cannot be searched.
pub fn folder(from: &Path) -> Result<Dataset, ImportError> {
    let found = films_below(from);
    if let Some((path, reason)) = found.unreadable.into_iter().next() {
        return Err(ImportError::Film { path, reason });
    }
    let mut dataset = Dataset::new(from);
    for path in found.films {
        let below = path.strip_prefix(from).unwrap_or(&path);
        let name = without_ending(below).display().to_string();
        dataset.films.push(Film::new(name, below.display().to_string(), "", BodyPart::Pelvis, Label::Unknown));
    }
    Ok(dataset)
}

/// Makes a labeling: the films are copied to the node's store, and those that need a look first are found. The row.
///
/// # Errors
/// [`ImportError`]: nothing is made then.
pub async fn import(db: &Database, store: &Store, import: Import) -> Result<i64, ImportError> {
    let Import { name, task, seed, by, dataset, reports, findings, sample, reviewers, adjudicator } = import;
    let (dataset, rule) = chosen(dataset, task, &findings, (sample, seed));
    if dataset.films.is_empty() || dataset.films.len() > MOST {
        return Err(ImportError::Count(dataset.films.len()));
    }
    let (mut items, mut prints) = (Vec::new(), Vec::new());
    for film in &dataset.films {
        let path = dataset.image_path(film);
        let fault = |reason: String| ImportError::Film { path: path.clone(), reason };
        let bytes = tokio::fs::read(&path).await.map_err(|error| fault(error.to_string()))?;
        let (print, size, bytes) = tokio::task::spawn_blocking(move || {
            read_bytes(&bytes, "the film").map(|film| {
                let size = (film.height() as i64, film.width() as i64);
                (Fingerprint::of(&film), size, bytes)
            })
        })
        .await
        .map_err(|_| fault("it cannot be decoded".to_owned()))?
        .map_err(|error| fault(error.to_string()))?;
        let kept = store.put(&bytes).await?;
        store.copy(&kept.sha256).await?;
        let finding = findings.get(&film.image_id);
        let prediction = finding.map(|finding| FilmPrediction::Read(finding.clone()));
        items.push(NewItem {
            film: 0,
            sha256: kept.sha256,
            size,
            patient: film.patient.clone(),
            report: reports.get(&film.image_id).cloned().unwrap_or_default(),
            prediction: prediction.map(|one| serde_json::to_string(&one).unwrap_or_default()).unwrap_or_default(),
            needs_look: finding.is_some_and(|finding| differs(film.label, finding.is_positive)),
        });
        prints.push((print, film.label));
    }
    if task == Task::Labels {
        for (item, contradicts) in items.iter_mut().zip(contradicting(&prints)) {
            item.needs_look |= contradicts;
        }
    } else {
        items.iter_mut().for_each(|item| item.needs_look = false);
    }
    let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
    let new = NewLabeling {
        name,
        task: task.as_str().to_owned(),
        rule,
        seed,
        by,
        manifest: text(dataset.manifest_csv()),
        truth: text(dataset.truth_csv()),
        reviewers,
        adjudicator,
        films: items,
    };
    Ok(db.add_labeling(&new).await?)
}

/// Whether a label and a call contradict each other.
pub(crate) fn differs(label: Label, is_positive: bool) -> bool {
    match label {
        Label::Present => !is_positive,
        Label::Absent => is_positive,
        Label::Unknown => false,
    }
}

/// The films of the labeling, and the rule by which they were chosen.
fn chosen(
    mut dataset: Dataset,
    task: Task,
    findings: &BTreeMap<String, Finding>,
    (most, seed): (usize, u64),
) -> (Dataset, String) {
    let all = dataset.films.len();
    if task == Task::Labels {
        return (dataset, format!("all {all} films of a dataset"));
    }
    let can_be_judged = |film: &Film| findings.get(&film.image_id).is_some_and(has_heat_map);
    dataset.films.retain(|film| !film.excluded && can_be_judged(film));
    let called = dataset.films.len();
    let places = sampled(called, most, seed);
    dataset.films = places.into_iter().map(|place| dataset.films[place].clone()).collect();
    let kept: std::collections::BTreeSet<&str> = dataset.films.iter().map(|film| film.image_id.as_str()).collect();
    dataset.truth.retain(|drawn| kept.contains(drawn.image_id.as_str()));
    let rule = rule_of_sample(dataset.films.len(), called, seed);
    (dataset, rule)
}

/// The rule of a sample of heat maps, in words.
pub(crate) fn rule_of_sample(sample: usize, called: usize, seed: u64) -> String {
    format!("{sample} of the {called} films that are called positive with a heat map, by seed {seed}")
}

/// Whether a finding has a heat map to be judged.
pub(crate) fn has_heat_map(finding: &Finding) -> bool {
    finding.is_positive && finding.heat_map.is_some()
}
