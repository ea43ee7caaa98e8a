//! What `coxa predict --json` prints, a JSON object a line, and its films' truth in a dataset.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use coxa_cohort::{Dataset, Film};
use coxa_schema::{FilmPrediction, Finding, Label, LineOutcome, PredictionLine};
use serde::Deserialize;
use serde_json::Value;

use crate::error::StudyError;
use crate::predictions::{Prediction, Predictions};

/// The readings of a file, and the films that have none.
#[derive(Debug, Clone, PartialEq)]
pub struct Readings {
    /// The file.
    pub path: PathBuf,
    /// The readings, in the file's order.
    pub readings: Vec<Reading>,
    /// The films that were refused as no frontal film of pelvis or hip: file and reason.
    pub not_read: Vec<(String, String)>,
    /// The files that could not be opened or decoded: file and error.
    pub failed: Vec<(String, String)>,
    /// The hash of the model that read all of them; empty if there is no reading.
    pub model: String,
}

/// A film's reading.
#[derive(Debug, Clone, PartialEq)]
pub struct Reading {
    /// The line, counted from 1.
    pub line: usize,
    /// The film's file as it was named.
    pub file: String,
    /// What was found; the regions are the strongest first.
    pub finding: Finding,
}

impl Readings {
    /// Reads the lines that `coxa predict --json` printed.
    ///
    /// # Errors
    /// [`StudyError::Reading`], naming the line: text that is no reading, a probability that is not of 0 to 1, a file twice,
    /// a map of the wrong length, two models in one file.
    pub fn load(path: &Path) -> Result<Self, StudyError> {
        let text = fs::read_to_string(path).map_err(StudyError::io(path))?;
        Self::parse(&text, path)
    }

    /// Reads the lines of a text; `name` stands for the file in error messages. As [`Readings::load`].
    ///
    /// # Errors
    /// As [`Readings::load`].
    pub fn parse(text: &str, name: &Path) -> Result<Self, StudyError> {
        let mut found = Self {
            path: name.to_owned(),
            readings: Vec::new(),
            not_read: Vec::new(),
            failed: Vec::new(),
            model: String::new(),
        };
        let mut files = BTreeSet::new();
        for (i, text) in text.lines().enumerate().filter(|(_, text)| !text.trim().is_empty()) {
            let bad = |reason: String| StudyError::Reading { path: name.to_owned(), line: i + 1, reason };
            let PredictionLine { file, outcome } =
                serde_json::from_str(text).map_err(|error| bad(explain(text, &error)))?;
            if !files.insert(file.clone()) {
                return Err(bad(format!("`{file}` is on a line before this one")));
            }
            match outcome {
                LineOutcome::Failed { error } => found.failed.push((file, error)),
                LineOutcome::Done(FilmPrediction::NotRead { not_read }) => found.not_read.push((file, not_read)),
                LineOutcome::Done(FilmPrediction::Read(finding)) => {
                    found.push(Reading { line: i + 1, file, finding }).map_err(bad)?;
                }
            }
        }
        Ok(found)
    }

    fn push(&mut self, mut reading: Reading) -> Result<(), String> {
        check(&reading.finding)?;
        let model = &reading.finding.model;
        if self.readings.is_empty() {
            self.model.clone_from(model);
        } else if *model != self.model {
            return Err(format!("read by model `{model}`, the lines before by `{}`", self.model));
        }
        reading.finding.regions.sort_by(|a, b| b.score.total_cmp(&a.score));
        self.readings.push(reading);
        Ok(())
    }

    /// The predictions of these readings with the truth of a dataset, ready to be evaluated; `columns` are the
    /// names of subgroups, `value_of` gives a film's value in each. Excluded films and films without a label are left out.
    ///
    /// # Errors
    /// As [`Readings::join`], and for a film that is read twice.
    pub fn predictions(
        &self,
        dataset: &Dataset,
        columns: &[&str],
        value_of: impl Fn(&Film, &str) -> String,
    ) -> Result<Predictions, StudyError> {
        let joined = self.join(dataset)?;
        let labeled = joined.pairs.iter().filter(|(film, _)| film.label != Label::Unknown);
        let rows = labeled
            .enumerate()
            .map(|(i, (film, reading))| Prediction {
                line: i as u64 + 2,
                image_id: film.image_id.clone(),
                patient: film.patient.clone(),
                truth: film.label == Label::Present,
                probability: reading.finding.probability,
                groups: columns.iter().map(|column| value_of(film, column)).collect(),
            })
            .collect();
        Predictions::of_rows(&self.path, columns.iter().map(|&column| column.to_owned()).collect(), rows)
    }

    /// Joins readings with the dataset's films by file: the same file, else the same path's end, else the same file name if
    /// only one film has it. Excluded films are left out.
    ///
    /// # Errors
    /// [`StudyError::Reading`] for a file that is no film of the dataset, or a film that is read twice.
    pub fn join<'a>(&'a self, dataset: &'a Dataset) -> Result<Joined<'a>, StudyError> {
        let index = FileIndex::of(dataset);
        let mut pairs = Vec::new();
        let mut seen = BTreeSet::new();
        for reading in &self.readings {
            let bad = |reason: String| StudyError::Reading { path: self.path.clone(), line: reading.line, reason };
            let film = index.find(&reading.file).ok_or_else(|| {
                bad(format!("`{}` is no film of the dataset {}", reading.file, dataset.folder.display()))
            })?;
            if !seen.insert(&film.image_id) {
                return Err(bad(format!("film `{}` is read twice", film.image_id)));
            }
            if !film.excluded {
                pairs.push((film, reading));
            }
        }
        Ok(Joined { pairs })
    }
}

/// Films with their readings.
#[derive(Debug)]
pub struct Joined<'a> {
    /// Films that are not excluded, each with its reading.
    pub pairs: Vec<(&'a Film, &'a Reading)>,
}

impl<'a> Joined<'a> {
    /// Each film with its finding, as [`crate::localize()`] takes them.
    pub fn findings(&self) -> impl Iterator<Item = (&'a Film, &'a Finding)> {
        self.pairs.iter().map(|&(film, reading)| (film, &reading.finding))
    }
}

/// Refuses numbers that no reading has.
fn check(finding: &Finding) -> Result<(), String> {
    if !(0.0..=1.0).contains(&finding.probability) {
        return Err(format!("a probability of {} is not of 0 to 1", finding.probability));
    }
    if let Some(map) = &finding.heat_map {
        if map.rows.checked_mul(map.columns) != Some(map.values.len()) || map.values.is_empty() {
            return Err(format!("a map of {}×{} with {} values", map.rows, map.columns, map.values.len()));
        }
        if map.rows != map.columns {
            return Err(format!("a map of {}×{} is not square, as the network's input is", map.rows, map.columns));
        }
    }
    match finding.regions.iter().find(|region| !(region.width >= 0.0 && region.height >= 0.0)) {
        None => Ok(()),
        Some(region) => Err(format!("a region of {}×{} pixels", region.width, region.height)),
    }
}

/// Why a line is no [`PredictionLine`]: a type that may be one of several says only that it is none of them.
fn explain(text: &str, error: &serde_json::Error) -> String {
    let Ok(line) = serde_json::from_str::<Value>(text) else { return error.to_string() };
    if !line.get("file").is_some_and(Value::is_string) {
        return "it names no `file`".to_owned();
    }
    if line.get("probability").is_none() {
        return "it has none of `probability`, `not_read` and `error`".to_owned();
    }
    Finding::deserialize(&line).err().map_or_else(|| error.to_string(), |error| error.to_string())
}

/// Finds films by the name of a file.
struct FileIndex<'a> {
    by_path: BTreeMap<PathBuf, &'a Film>,
    by_name: BTreeMap<String, Vec<&'a Film>>,
}

impl<'a> FileIndex<'a> {
    fn of(dataset: &'a Dataset) -> Self {
        let mut by_path = BTreeMap::new();
        let mut by_name: BTreeMap<String, Vec<&Film>> = BTreeMap::new();
        for film in &dataset.films {
            let path = dataset.image_path(film);
            by_path.insert(fs::canonicalize(&path).unwrap_or(path), film);
            by_name.entry(file_name(Path::new(&film.path))).or_default().push(film);
        }
        Self { by_path, by_name }
    }

    fn find(&self, file: &str) -> Option<&'a Film> {
        let path = Path::new(file);
        let same = fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
        if let Some(film) = self.by_path.get(&same) {
            return Some(film);
        }
        match self.by_name.get(&file_name(path))?.as_slice() {
            [only] => Some(only),
            several => {
                let mut ends = several.iter().filter(|film| path.ends_with(&film.path));
                ends.next().filter(|_| ends.next().is_none()).copied()
            }
        }
    }
}

fn file_name(path: &Path) -> String {
    path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default()
}
