//! What `coxa predict --json` prints, a JSON object a line, and its films' truth in a dataset.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use coxa_cohort::{Dataset, Film};
use coxa_schema::{Label, Side};
use serde::Deserialize;

use crate::error::StudyError;
use crate::predictions::{Prediction, Predictions};

/// The readings of a file, and the films that could not be read.
#[derive(Debug, Clone, PartialEq)]
pub struct Readings {
    /// The file.
    pub path: PathBuf,
    /// The readings, in the file's order.
    pub readings: Vec<Reading>,
    /// The films that could not be read: file and error.
    pub failed: Vec<(String, String)>,
    /// The hash of the model that read all of them; empty if there is no reading or none says.
    pub model: String,
}

/// A film's reading.
#[derive(Debug, Clone, PartialEq)]
pub struct Reading {
    /// The line, counted from 1.
    pub line: usize,
    /// The film's file as it was named.
    pub file: String,
    /// The probability of a fracture, 0 to 1.
    pub probability: f64,
    /// The threshold that the reading was called at.
    pub threshold: f64,
    /// Whether the film was called positive.
    pub finding: bool,
    /// The regions that were marked, the strongest first.
    pub regions: Vec<Mark>,
    /// The raw Grad-CAM, if it was asked for.
    pub cam: Option<Cam>,
}

/// A marked region, in the film's pixels.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Mark {
    /// Left edge.
    pub x: f64,
    /// Top edge.
    pub y: f64,
    /// Width.
    pub width: f64,
    /// Height.
    pub height: f64,
    /// The patient's side, if the reading says.
    pub side: Option<Side>,
    /// How strong it is.
    pub score: f64,
}

impl Mark {
    /// The center: x, y.
    pub fn center(&self) -> (f64, f64) {
        (self.x + self.width / 2.0, self.y + self.height / 2.0)
    }
}

/// A raw Grad-CAM map, row by row, over the network's square input.
#[derive(Debug, Clone, PartialEq, Deserialize)]
pub struct Cam {
    /// Rows.
    pub rows: usize,
    /// Columns.
    pub columns: usize,
    /// `rows · columns` values of at least 0.
    pub values: Vec<f64>,
}

#[derive(Deserialize)]
struct Line {
    file: String,
    error: Option<String>,
    probability: Option<f64>,
    threshold: Option<f64>,
    finding: Option<bool>,
    #[serde(default)]
    regions: Vec<Region>,
    cam: Option<Cam>,
    model: Option<String>,
}

#[derive(Deserialize)]
struct Region {
    x: f64,
    y: f64,
    width: f64,
    height: f64,
    side: Option<String>,
    score: f64,
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
        let mut found = Self { path: name.to_owned(), readings: Vec::new(), failed: Vec::new(), model: String::new() };
        let mut files = BTreeSet::new();
        for (i, text) in text.lines().enumerate().filter(|(_, text)| !text.trim().is_empty()) {
            let bad = |reason: String| StudyError::Reading { path: name.to_owned(), line: i + 1, reason };
            let line: Line = serde_json::from_str(text).map_err(|error| bad(error.to_string()))?;
            if !files.insert(line.file.clone()) {
                return Err(bad(format!("`{}` was read before", line.file)));
            }
            let model = line.model.clone().unwrap_or_default();
            if found.readings.is_empty() && line.error.is_none() {
                found.model = model;
            } else if line.error.is_none() && model != found.model {
                return Err(bad(format!("read by model `{model}`, the lines before by `{}`", found.model)));
            }
            match &line.error {
                Some(error) => found.failed.push((line.file.clone(), error.clone())),
                None => found.readings.push(reading(line, i + 1).map_err(bad)?),
            }
        }
        Ok(found)
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
                probability: reading.probability,
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
        let unread = dataset.films.iter().filter(|film| !film.excluded && !seen.contains(&film.image_id));
        Ok(Joined { pairs, unread: unread.map(|film| film.image_id.clone()).collect() })
    }
}

/// Films with their readings, and the films that have none.
#[derive(Debug)]
pub struct Joined<'a> {
    /// Films that are not excluded, each with its reading.
    pub pairs: Vec<(&'a Film, &'a Reading)>,
    /// Films that are not excluded and were not read.
    pub unread: Vec<String>,
}

fn reading(line: Line, number: usize) -> Result<Reading, String> {
    let probability = line.probability.ok_or("it has neither a probability nor an error")?;
    if !(0.0..=1.0).contains(&probability) {
        return Err(format!("a probability of {probability} is not of 0 to 1"));
    }
    let threshold = line.threshold.unwrap_or(0.5);
    if let Some(cam) = &line.cam {
        if cam.rows.checked_mul(cam.columns) != Some(cam.values.len()) || cam.values.is_empty() {
            return Err(format!("a map of {}×{} with {} values", cam.rows, cam.columns, cam.values.len()));
        }
        if cam.rows != cam.columns {
            return Err(format!("a map of {}×{} is not square, as the network's input is", cam.rows, cam.columns));
        }
    }
    let mut regions = line.regions.iter().map(mark).collect::<Result<Vec<_>, _>>()?;
    regions.sort_by(|a, b| b.score.total_cmp(&a.score));
    Ok(Reading {
        line: number,
        file: line.file,
        probability,
        threshold,
        finding: line.finding.unwrap_or(probability >= threshold),
        regions,
        cam: line.cam,
    })
}

fn mark(region: &Region) -> Result<Mark, String> {
    let side = match region.side.as_deref().unwrap_or_default() {
        "" | "unknown" | "Unknown" => None,
        text => Some(Side::parse(text).ok_or_else(|| format!("a region's side `{text}` is not {}", Side::EXPECTED))?),
    };
    let Region { x, y, width, height, score, .. } = *region;
    if !(width >= 0.0 && height >= 0.0) {
        return Err(format!("a region of {width}×{height} pixels"));
    }
    Ok(Mark { x, y, width, height, side, score })
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
