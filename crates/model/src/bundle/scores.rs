//! The validation films' scores in a card: what a network's scores were like where it was made, to compare those of another place with.

use std::collections::HashSet;

use serde::{Deserialize, Serialize};

/// The most scores that a card keeps.
const MOST: usize = 2000;

/// The scores of a network's validation films, one film a patient, so that they are independent.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ValidationScores {
    /// Patients with a validation film.
    pub patients: usize,
    /// The network's outputs before temperature and sigmoid, ascending: each patient's first film's, or 2,000 evenly spaced order
    /// statistics where there are more patients.
    pub logits: Vec<f32>,
}

impl ValidationScores {
    /// The scores of films with their patients, in the films' order.
    pub fn new<'a>(films: impl IntoIterator<Item = (&'a str, f32)>) -> Self {
        let mut seen = HashSet::new();
        let first = films.into_iter().filter(|(patient, _)| seen.insert(*patient)).map(|(_, logit)| logit);
        let mut logits: Vec<f32> = first.collect();
        logits.sort_unstable_by(f32::total_cmp);
        let patients = logits.len();
        if patients > MOST {
            // The middle of each of so many equal shares.
            logits = (0..MOST).map(|i| logits[(2 * i + 1) * patients / (2 * MOST)]).collect();
        }
        Self { patients, logits }
    }

    pub(super) fn check(&self) -> Result<(), String> {
        let is_ascending = self.logits.is_sorted() && self.logits.iter().all(|logit| logit.is_finite());
        if is_ascending && !self.logits.is_empty() && self.logits.len() <= self.patients {
            return Ok(());
        }
        Err("validation_scores must hold finite logits in ascending order, at most one a patient".into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_patient_counts_once() {
        let scores = ValidationScores::new([("b", 2.0), ("a", -1.0), ("b", 9.0)]);
        assert_eq!(scores, ValidationScores { patients: 2, logits: vec![-1.0, 2.0] });
        assert!(scores.check().is_ok());
        let text = serde_json::to_string(&scores).unwrap();
        assert_eq!(serde_json::from_str::<ValidationScores>(&text).unwrap(), scores);
    }

    #[test]
    fn many_patients_are_thinned_evenly() {
        let names: Vec<String> = (0..10_000).map(|i| format!("p{i}")).collect();
        let scores = ValidationScores::new(names.iter().enumerate().map(|(i, name)| (name.as_str(), i as f32)));
        assert_eq!((scores.patients, scores.logits.len()), (10_000, MOST));
        assert_eq!((scores.logits[0], scores.logits[MOST - 1]), (2.0, 9997.0));
        assert!(scores.check().is_ok());
    }

    #[test]
    fn scores_that_cannot_be_are_refused() {
        for logits in [vec![], vec![1.0, 0.0], vec![f32::NAN], vec![0.0, 1.0, 2.0]] {
            assert!(ValidationScores { patients: 2, logits }.check().is_err());
        }
    }
}
