//! The flow of films through a study, as the STARD 2015 statement asks for (item 19): how many came in, how many were left
//! out at each step and why, how many remained.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::dataset::Dataset;
use crate::labels::{FractureType, Label};

/// A flow chart as numbers.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
pub struct Flow {
    /// The boxes from top to bottom; what a step leaves out is missing from the next.
    pub steps: Vec<FlowStep>,
    /// What the last step divides into.
    pub outcomes: Vec<Counted>,
}

/// A box of the flow chart.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct FlowStep {
    /// What is counted, in words.
    pub what: String,
    /// How many there are.
    pub n: usize,
    /// How many of them do not reach the next step, by reason.
    pub left_out: Vec<Counted>,
}

/// A number with its words.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
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
        let remaining = |step: &FlowStep| step.n.checked_sub(step.left_out.iter().map(|reason| reason.n).sum());
        let between = self.steps.windows(2).all(|pair| remaining(&pair[0]) == Some(pair[1].n));
        let last = self.steps.last().is_none_or(|step| {
            self.outcomes.is_empty() || remaining(step) == Some(self.outcomes.iter().map(|outcome| outcome.n).sum())
        });
        between && last
    }

    /// The flow that a manifest shows: films, less the excluded ones by reason, less those without a label, by kind of
    /// fracture.
    pub fn of_manifest(dataset: &Dataset) -> Self {
        let films = &dataset.films;
        let mut flow = Self::default();
        let excluded = films.iter().filter(|film| film.excluded);
        flow.step("films in the manifest", films.len(), excluded.map(|film| or_unsaid(&film.reason)));
        let kept: Vec<_> = films.iter().filter(|film| !film.excluded).collect();
        let unknown = kept.iter().filter(|film| film.label == Label::Unknown);
        let why =
            unknown.map(|film| if film.reason.starts_with("review:") { "to be reviewed" } else { "label not known" });
        flow.step("films not excluded", kept.len(), why);
        let labeled: Vec<_> = kept.into_iter().filter(|film| film.label != Label::Unknown).collect();
        flow.step("films with a label", labeled.len(), [] as [&str; 0]);
        flow.outcomes = count(labeled.iter().map(|film| match (film.label, film.fracture_type) {
            (Label::Present, Some(FractureType::FemoralNeck)) => "femoral neck fracture",
            (Label::Present, Some(FractureType::Trochanteric)) => "trochanteric fracture",
            (Label::Present, _) => "fracture, kind not known",
            _ => "no fracture",
        }));
        flow.outcomes.sort_by(|a, b| a.what.cmp(&b.what));
        flow
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

fn or_unsaid(reason: &str) -> &str {
    if reason.is_empty() { "reason not given" } else { reason }
}
