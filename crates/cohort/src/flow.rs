//! The flow of films through a study, as the STARD 2015 statement asks for (item 19): how many came in, how many were left
//! out at each step and why, how many remained.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::dataset::Dataset;
use coxa_files::TableError;
use coxa_files::whole::write_whole;

use crate::error::CohortError;
use crate::film::Film;
use coxa_schema::{FractureType, Label};

/// The file in a dataset's folder that says what came before its manifest.
pub const FLOW: &str = "flow.json";

/// A flow chart as numbers.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Flow {
    /// The boxes from top to bottom; what a step leaves out is missing from the next.
    pub steps: Vec<FlowStep>,
    /// What the last step divides into.
    pub outcomes: Vec<Counted>,
}

/// A box of the flow chart.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FlowStep {
    /// What is counted, in words.
    pub what: String,
    /// How many there are.
    pub n: usize,
    /// How many of them do not reach the next step, by reason.
    pub left_out: Vec<Counted>,
}

/// A number with its words.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counted {
    /// What is counted.
    pub what: String,
    /// How many.
    pub n: usize,
}

impl Flow {
    /// Adds a step, with what it leaves out by reason, in the order in which the reasons first occur; reasons that occur
    /// nowhere do not appear.
    pub fn step<S: AsRef<str>>(&mut self, what: &str, n: usize, left_out: impl IntoIterator<Item = S>) {
        self.steps.push(FlowStep { what: what.to_owned(), n, left_out: count(left_out) });
    }

    /// Whether every number is accounted for: each step less what it leaves out is the next one, and the last is the sum of
    /// the outcomes.
    pub fn adds_up(&self) -> bool {
        let between = self.steps.windows(2).all(|pair| pair[0].remaining() == Some(pair[1].n));
        let last = self.steps.last().is_none_or(|step| {
            self.outcomes.is_empty() || step.remaining() == Some(self.outcomes.iter().map(|outcome| outcome.n).sum())
        });
        between && last
    }

    /// Adds the step from labeled films to those that were read, of which the outcomes are then; `left_out` has the reason of each film
    /// that was not.
    pub fn read<S: AsRef<str>>(mut self, films: &[&Film], left_out: impl IntoIterator<Item = S>) -> Self {
        if let Some(last) = self.steps.last_mut() {
            last.left_out = count(left_out);
        }
        self.step("films read", films.len(), [] as [&str; 0]);
        self.outcomes = outcomes(films);
        self
    }

    /// Writes the steps beside a manifest, whole or not at all.
    ///
    /// # Errors
    /// [`CohortError::Io`].
    pub(crate) fn save(&self, folder: &Path) -> Result<(), CohortError> {
        let text = serde_json::to_vec_pretty(self).expect("numbers and words");
        let path = folder.join(FLOW);
        write_whole(&path, &text).map_err(CohortError::io(&path))
    }

    /// The whole flow of a dataset: what came before its manifest, where its folder says so and it leads to as many films as there
    /// are, then what the manifest shows.
    ///
    /// # Errors
    /// [`TableError::Malformed`] for a flow that is none, or the disk.
    pub fn of_dataset(dataset: &Dataset) -> Result<Self, CohortError> {
        let rest = Self::of_manifest(dataset);
        let path = dataset.folder.join(FLOW);
        if !path.exists() {
            return Ok(rest);
        }
        let text = fs::read(&path).map_err(CohortError::io(&path))?;
        let mut flow: Self = serde_json::from_slice(&text).map_err(|error| TableError::Malformed {
            path,
            line: error.line() as u64,
            reason: error.to_string(),
        })?;
        if flow.steps.last().and_then(FlowStep::remaining) != Some(dataset.films.len()) {
            return Ok(rest);
        }
        flow.steps.extend(rest.steps);
        flow.outcomes = rest.outcomes;
        Ok(flow)
    }

    /// The flow that a manifest shows: films, less the excluded ones by reason, less those without a label, by kind of
    /// fracture.
    pub fn of_manifest(dataset: &Dataset) -> Self {
        let films = &dataset.films;
        let mut flow = Self::default();
        let excluded = films.iter().filter(|film| film.excluded);
        flow.step("films in the manifest", films.len(), excluded.map(|film| first_reason(&film.reason)));
        let kept: Vec<_> = films.iter().filter(|film| !film.excluded).collect();
        let unknown = kept.iter().filter(|film| film.label == Label::Unknown);
        let why = unknown
            .map(|film| if film.reason.starts_with("review:") { "label to be reviewed" } else { "label not known" });
        flow.step("films not excluded", kept.len(), why);
        let labeled: Vec<_> = kept.into_iter().filter(|film| film.label != Label::Unknown).collect();
        flow.step("films with a label", labeled.len(), [] as [&str; 0]);
        flow.outcomes = outcomes(&labeled);
        flow
    }
}

/// Films with a label by what they show, in the order of the words.
fn outcomes(films: &[&Film]) -> Vec<Counted> {
    let mut outcomes = count(films.iter().map(|film| match (film.label, film.fracture_type) {
        (Label::Present, Some(FractureType::FemoralNeck)) => "femoral neck fracture",
        (Label::Present, Some(FractureType::Trochanteric)) => "trochanteric fracture",
        (Label::Present, Some(FractureType::Subtrochanteric)) => "subtrochanteric fracture",
        (Label::Present, _) => "fracture, kind not known",
        _ => "no fracture",
    }));
    outcomes.sort_by(|a, b| a.what.cmp(&b.what));
    outcomes
}

impl FlowStep {
    /// How many reach the next step; none if more are left out than there are.
    fn remaining(&self) -> Option<usize> {
        self.n.checked_sub(self.left_out.iter().map(|reason| reason.n).sum())
    }
}

/// Counts equal words, in the order of their first occurrence.
pub(crate) fn count<S: AsRef<str>>(words: impl IntoIterator<Item = S>) -> Vec<Counted> {
    let mut places: BTreeMap<String, usize> = BTreeMap::new();
    let mut counted: Vec<Counted> = Vec::new();
    for word in words {
        let word = word.as_ref();
        match places.get(word) {
            Some(&place) => counted[place].n += 1,
            None => {
                places.insert(word.to_owned(), counted.len());
                counted.push(Counted { what: word.to_owned(), n: 1 });
            }
        }
    }
    counted
}

/// The first of a film's reasons, without the codes in brackets: they are for the manifest, the chart counts places.
fn first_reason(reason: &str) -> &str {
    let first = reason.split(';').next().unwrap_or_default();
    match first.split(" (").next().unwrap_or_default() {
        "" => "reason not given",
        reason => reason,
    }
}
