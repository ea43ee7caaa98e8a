//! Labeled films, by where their labels came from.

use coxa_stats::Clusters;
use serde::{Deserialize, Serialize};

use super::figures::patient_of;
use super::logit_of;
use crate::db::{Labeled, Verdict};

/// Which labels count.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LabelSource {
    /// Uploaded ones alone.
    Uploaded,
    /// Physicians' verdicts on results alone: agree or disagree, never unsure.
    Reviewed,
    /// Uploaded ones, and verdicts where none was uploaded.
    Both,
}

impl LabelSource {
    /// All.
    pub const ALL: [Self; 3] = [Self::Uploaded, Self::Reviewed, Self::Both];

    /// As a form sends it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Uploaded => "uploaded",
            Self::Reviewed => "reviewed",
            Self::Both => "both",
        }
    }

    /// In words.
    pub fn words(self) -> &'static str {
        match self {
            Self::Uploaded => "uploaded labels",
            Self::Reviewed => "physicians’ verdicts",
            Self::Both => "uploaded labels, and physicians’ verdicts on films without one",
        }
    }

    /// Parses what a form sends.
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|source| source.as_str() == text)
    }
}

/// A labeled film.
#[derive(Debug, Clone, PartialEq)]
pub struct Case {
    /// The patient, or the film itself where it names none.
    pub patient: String,
    /// The network's own output.
    pub logit: f32,
    /// Whether there is a fracture.
    pub truth: bool,
}

/// Where the labels came from.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sources {
    /// Films whose label was uploaded.
    pub uploaded: usize,
    /// Films whose label is a physician's verdict.
    pub reviewed: usize,
    /// Films whose uploaded label and verdict contradict each other; the uploaded label counts.
    pub contradictory: usize,
    /// Films with an unsure verdict and no label, which are left out.
    pub unsure: usize,
}

/// The labeled films that count, by their source.
pub fn cases(films: &[Labeled], source: LabelSource, own_temperature: f64) -> (Vec<Case>, Sources) {
    let (mut cases, mut sources) = (Vec::new(), Sources::default());
    for labeled in films {
        let film = &labeled.film;
        let Some(logit) = logit_of(film, own_temperature) else { continue };
        let verdict = match Verdict::parse(&film.verdict) {
            Some(Verdict::Agree) => Some(film.is_positive),
            Some(Verdict::Disagree) => Some(!film.is_positive),
            _ => None,
        };
        let is_unsure = film.verdict == Verdict::Unsure.as_str();
        let uploaded = labeled.label.filter(|_| source != LabelSource::Reviewed);
        let reviewed = verdict.filter(|_| source != LabelSource::Uploaded);
        let truth = match (uploaded, reviewed) {
            (Some(truth), other) => {
                sources.uploaded += 1;
                sources.contradictory += usize::from(other.is_some_and(|other| other != truth));
                truth
            }
            (None, Some(truth)) => {
                sources.reviewed += 1;
                truth
            }
            (None, None) => {
                sources.unsure += usize::from(is_unsure && source != LabelSource::Uploaded);
                continue;
            }
        };
        cases.push(Case { patient: patient_of(film), logit: logit as f32, truth });
    }
    (cases, sources)
}

/// A patient: the highest output of the films, and whether any of them has a fracture.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Patient {
    pub(super) logit: f32,
    pub(super) truth: bool,
}

/// The patients of films.
pub(super) fn by_patient(cases: &[Case]) -> Vec<Patient> {
    let clusters = Clusters::new(&cases.iter().map(|case| case.patient.as_str()).collect::<Vec<_>>());
    let mut patients = vec![Patient { logit: f32::NEG_INFINITY, truth: false }; clusters.count()];
    for (case, patient) in cases.iter().zip(clusters.of()) {
        let patient = &mut patients[*patient];
        patient.logit = patient.logit.max(case.logit);
        patient.truth |= case.truth;
    }
    patients
}

#[cfg(test)]
mod tests {
    use super::super::figures::tests::film;
    use super::*;

    #[test]
    fn uploaded_labels_come_before_verdicts() {
        let of = |number, verdict: &str, label| Labeled { film: film(number, 0, Some(0.9), verdict), label };
        let films = [
            of(0, "agree", None),
            of(1, "disagree", Some(true)),
            of(2, "unsure", None),
            of(3, "", Some(false)),
            of(4, "disagree", None),
        ];
        let truths = |source| {
            let (cases, sources) = cases(&films, source, 1.0);
            (cases.iter().map(|case| case.truth).collect::<Vec<_>>(), sources)
        };
        let of = |uploaded, reviewed, contradictory, unsure| Sources { uploaded, reviewed, contradictory, unsure };
        assert_eq!(truths(LabelSource::Uploaded), (vec![true, false], of(2, 0, 0, 0)));
        assert_eq!(truths(LabelSource::Reviewed), (vec![true, false, false], of(0, 3, 0, 1)));
        assert_eq!(truths(LabelSource::Both), (vec![true, true, false, false], of(2, 2, 1, 1)));
    }
}
