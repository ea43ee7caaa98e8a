//! Scores of films against those that a network had where it was made, or against a baseline that an administrator chose.
//!
//! What is compared is the network's own output, before temperature and sigmoid, so that a recalibration changes nothing. Each patient
//! counts once, by the earliest film: films of one patient are not independent.

use std::collections::HashSet;

use coxa_stats::drift::{
    Distance, LEAST_PER_BIN, Stability, counts, kolmogorov_smirnov, quantile_edges, stability_index,
};
use coxa_stats::{Level, Reason, Undefined, calibration};

use super::figures::patient_of;
use super::logit_of;
use crate::db::Watched;

/// Bins of the stability index: tenths of the reference.
pub const BINS: usize = 10;
/// Patients below which scores are not compared.
pub const LEAST: usize = BINS * LEAST_PER_BIN;
/// Two-sided p-values below this are a difference.
const ALPHA: f64 = 0.05;

/// A bin of scores.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Bin {
    /// Its lower edge as a probability at the bundle's temperature; 0 for the first.
    pub from: f64,
    /// Its upper edge; 1 for the last.
    pub to: f64,
    /// The share of the reference in it.
    pub reference: f64,
    /// The share of the films in it.
    pub current: f64,
    /// How many films that is.
    pub films: u64,
}

/// How films' scores differ from a reference.
#[derive(Debug, Clone, PartialEq)]
pub struct Drift {
    /// Scores of the reference.
    pub reference: usize,
    /// Patients whose earliest film counts.
    pub patients: usize,
    /// The population stability index.
    pub stability: Result<Stability, Undefined>,
    /// Kolmogorov and Smirnov's distance.
    pub distance: Result<Distance, Undefined>,
    /// The bins; none with too few films.
    pub bins: Vec<Bin>,
    /// What it means, in a sentence or two.
    pub words: String,
}

/// The scores of films that a network read, each patient once, in the order given; they are logits.
pub fn scores<'a>(films: impl IntoIterator<Item = &'a Watched>, model: &str, own_temperature: f64) -> Vec<f64> {
    let mut seen = HashSet::new();
    films
        .into_iter()
        .filter(|film| film.model == model)
        .filter_map(|film| Some((film, logit_of(film, own_temperature)?)))
        .filter(|(film, _)| seen.insert(patient_of(film)))
        .map(|(_, logit)| logit)
        .collect()
}

impl Drift {
    /// Compares current scores with a reference; both are logits. `temperature` is the bundle's own, for the edges of bins alone.
    pub fn of(reference: &[f64], current: &[f64], temperature: f64) -> Self {
        let n = reference.len().min(current.len());
        if n < LEAST {
            let few = |statistic| Undefined::new(statistic, Reason::TooFew { n, needed: LEAST });
            return Self {
                reference: reference.len(),
                patients: current.len(),
                stability: Err(few("population stability index")),
                distance: Err(few("Kolmogorov-Smirnov distance")),
                bins: Vec::new(),
                words: too_few(reference.len(), current.len()),
            };
        }
        let edges = quantile_edges(reference, BINS);
        let (expected, actual) = (counts(reference, &edges), counts(current, &edges));
        let stability = stability_index(&expected, &actual, Level::P95);
        let distance = kolmogorov_smirnov(reference, current, Level::P95);
        let share = |count: u64, all: usize| count as f64 / all as f64;
        let edge = |place: usize| edges.get(place).map(|logit| calibration::sigmoid(logit / temperature));
        let bins = (0..expected.len()).map(|bin| Bin {
            from: if bin == 0 { 0.0 } else { edge(bin - 1).unwrap_or(0.0) },
            to: edge(bin).unwrap_or(1.0),
            reference: share(expected[bin], reference.len()),
            current: share(actual[bin], current.len()),
            films: actual[bin],
        });
        Self {
            reference: reference.len(),
            patients: current.len(),
            bins: bins.collect(),
            words: words(&stability, &distance, (reference, current)),
            stability,
            distance,
        }
    }
}

fn too_few(reference: usize, current: usize) -> String {
    if reference < LEAST {
        format!("The reference has scores of {reference} patients, and {LEAST} are needed: no comparison is made.")
    } else {
        format!("Too few films to compare: scores of {current} patients, and {LEAST} are needed.")
    }
}

fn words(
    stability: &Result<Stability, Undefined>,
    distance: &Result<Distance, Undefined>,
    (reference, current): (&[f64], &[f64]),
) -> String {
    let (Ok(stability), Ok(distance)) = (stability, distance) else {
        return "The scores cannot be compared: too many of the reference are equal.".into();
    };
    if stability.test.p >= ALPHA && distance.test.p >= ALPHA {
        return "No difference from the reference is shown: scores that differ so much happen by chance.".into();
    }
    let (how, what) = match stability.index.value {
        index if index < 0.1 => ("a little", "Watch the next months."),
        index if index < 0.25 => (
            "moderately",
            "Check what changed (devices, projections, patients), and check sensitivity on labeled films.",
        ),
        _ => (
            "strongly",
            "The threshold may call too many or too few films here: check sensitivity on labeled films, and consider a recalibration.",
        ),
    };
    let mean = |values: &[f64]| values.iter().sum::<f64>() / values.len() as f64;
    let direction = if mean(current) > mean(reference) { "higher" } else { "lower" };
    format!("The scores differ {how} from the reference, and are {direction} on average. {what}")
}

#[cfg(test)]
mod tests {
    use super::super::figures::tests::film;
    use super::*;

    fn spread(n: usize, shift: f64) -> Vec<f64> {
        (0..n).map(|i| (i * 37 % n) as f64 / n as f64 * 6.0 - 3.0 + shift).collect()
    }

    #[test]
    fn a_shift_is_in_words_and_too_few_are_no_number() {
        let reference = spread(400, 0.0);
        let same = Drift::of(&reference, &spread(200, 0.0), 1.0);
        assert!(same.words.starts_with("No difference"), "{}", same.words);
        let higher = Drift::of(&reference, &spread(200, 2.0), 1.0);
        assert!(higher.words.contains("strongly") && higher.words.contains("higher"), "{}", higher.words);
        assert_eq!(higher.bins.len(), BINS);
        assert!((higher.bins.iter().map(|bin| bin.current).sum::<f64>() - 1.0).abs() < 1e-12);
        assert_eq!((higher.bins[0].from, higher.bins[9].to), (0.0, 1.0));
        let lower = Drift::of(&reference, &spread(200, -0.9), 1.0);
        assert!(lower.words.contains("lower"), "{}", lower.words);
        let few = Drift::of(&reference, &spread(49, 2.0), 1.0);
        assert!(few.stability.is_err() && few.distance.is_err() && few.bins.is_empty());
        assert_eq!(few.words, "Too few films to compare: scores of 49 patients, and 50 are needed.");
        assert!(Drift::of(&spread(20, 0.0), &spread(200, 2.0), 1.0).words.contains("The reference has"));
    }

    #[test]
    fn each_patient_counts_once_and_other_networks_do_not() {
        let mut films: Vec<Watched> = [0.9, 0.2, 0.3].iter().zip(0..).map(|(p, i)| film(i, i, Some(*p), "")).collect();
        films[1].patient = "P0".into();
        films.push(film(3, 3, None, ""));
        let logit = |p: f64| (p / (1.0 - p)).ln();
        assert_eq!(scores(&films, "abc", 1.0), [logit(0.9), logit(0.3)]);
        // From before the output was kept: by the bundle's temperature.
        films[0].logit = None;
        assert!((scores(&films, "abc", 2.0)[0] - 2.0 * logit(0.9)).abs() < 1e-12);
        films[0].model = "other".into();
        assert_eq!(scores(&films, "abc", 1.0), [logit(0.2), logit(0.3)]);
    }

    #[test]
    fn a_reference_of_ties_cannot_be_compared() {
        let drift = Drift::of(&[1.0; 100], &[1.0; 100], 1.0);
        assert!(
            drift.words.contains("cannot be compared") || drift.words.starts_with("No difference"),
            "{}",
            drift.words
        );
    }
}
