//! What a network predicts for a film: as a value, as a JSON line, as a row of CSV.

use serde::{Deserialize, Serialize};

use crate::{HeatMap, Label, Region};

/// The notice that goes with every result.
pub const NOTICE: &str = "research use only";

/// A film that was read, or was not.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum FilmPrediction {
    /// It was read.
    Read(Finding),
    /// It was not read, as it is no frontal film of pelvis or hip, or of no usable quality: a result of its own, never a probability.
    NotRead {
        /// Why, in words for a physician.
        not_read: String,
    },
}

impl FilmPrediction {
    /// What was found, if the film was read.
    pub fn finding(&self) -> Option<&Finding> {
        match self {
            Self::Read(finding) => Some(finding),
            Self::NotRead { .. } => None,
        }
    }
}

/// What a network found on a film that was read.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Finding {
    /// The probability of a fracture, 0 to 1, calibrated by the bundle's temperature.
    pub probability: f64,
    /// The probability from which a film is called positive.
    pub threshold: f64,
    /// Whether the film is called positive: `probability >= threshold`.
    #[serde(rename = "finding")]
    pub is_positive: bool,
    /// Where, the strongest first; none on a film that is not called positive.
    pub regions: Vec<Region>,
    /// The short hash of the bundle that read it.
    pub model: String,
    /// Columns of the film.
    pub width: usize,
    /// Rows of the film.
    pub height: usize,
    /// [`NOTICE`].
    #[serde(default)]
    pub notice: String,
    /// The raw Grad-CAM, where it was asked for.
    #[serde(default, rename = "cam", skip_serializing_if = "Option::is_none")]
    pub heat_map: Option<HeatMap>,
}

/// A JSON line of `coxa predict --json`: a film's file with what became of it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct PredictionLine {
    /// The film's file as it was named.
    pub file: String,
    /// What became of it.
    #[serde(flatten)]
    pub outcome: LineOutcome,
}

/// What became of a film of a [`PredictionLine`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum LineOutcome {
    /// It could not be opened or decoded.
    Failed {
        /// Why, in one line.
        error: String,
    },
    /// It was read, or was not.
    Done(FilmPrediction),
}

/// A row of `predictions.csv`: the columns of [`PredictionRow::COLUMNS`], then one for each subgroup.
///
/// As CSV it is positional: `groups` are the fields after the named ones, in the order of the table's further columns.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct PredictionRow {
    /// The film.
    pub image_id: String,
    /// The patient's pseudonym; empty if not known.
    pub patient: String,
    /// Whether there is a fracture.
    pub label: Label,
    /// The predicted probability of a fracture, 0 to 1.
    pub probability: f64,
    /// The probability from which the network calls a film positive, if known.
    pub threshold: Option<f64>,
    /// The values of the further columns.
    pub groups: Vec<String>,
}

impl PredictionRow {
    /// The names of the columns that every table of predictions has, in their order.
    pub const COLUMNS: [&'static str; 5] = ["image_id", "patient", "label", "probability", "threshold"];
}

#[cfg(test)]
mod tests {
    use super::*;

    fn finding() -> Finding {
        Finding {
            probability: 0.75,
            threshold: 0.5,
            is_positive: true,
            regions: Vec::new(),
            model: "0123456789abcdef".into(),
            width: 10,
            height: 20,
            notice: NOTICE.into(),
            heat_map: Some(HeatMap { rows: 1, columns: 1, values: vec![0.5] }),
        }
    }

    #[test]
    fn the_three_outcomes_of_a_film_are_told_apart_by_their_keys() {
        let read = LineOutcome::Done(FilmPrediction::Read(finding()));
        let not_read = LineOutcome::Done(FilmPrediction::NotRead { not_read: "lateral view".into() });
        let failed = LineOutcome::Failed { error: "truncated".into() };
        for (outcome, key) in [(read, "probability"), (not_read, "not_read"), (failed, "error")] {
            let line = PredictionLine { file: "a.dcm".into(), outcome };
            let text = serde_json::to_string(&line).unwrap();
            assert!(text.starts_with(r#"{"file":"a.dcm","#) && text.contains(&format!("\"{key}\":")), "{text}");
            assert_eq!(serde_json::from_str::<PredictionLine>(&text).unwrap(), line);
        }
    }

    #[test]
    fn a_map_that_was_not_asked_for_is_not_written() {
        let text = serde_json::to_string(&Finding { heat_map: None, ..finding() }).unwrap();
        assert!(!text.contains("cam") && text.contains(r#""finding":true"#), "{text}");
    }
}
