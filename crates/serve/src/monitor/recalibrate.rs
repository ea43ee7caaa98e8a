//! Recalibration: a temperature and a threshold chosen on films that the hospital labeled, with all that an administrator must see before
//! one is taken.
//!
//! The temperature is the maximum-likelihood one of the films' logits (Guo et al. 2017). The threshold is the most specific one at which at
//! least the target's share of patients with a fracture is called positive, a patient being called by the film with the highest score; of
//! equally specific ones the most sensitive. Figures "after" are of the same films, and so somewhat too good.

use coxa_model::probability;
use coxa_stats::{Level, Rule, Scored, calibration, operating};
use serde::{Deserialize, Serialize};

use super::cases::{Case, LabelSource, Sources, by_patient};
use super::performance::{Performance, Point};

/// Patients with a fracture, and as many without, below which nothing is proposed.
pub const LEAST: usize = 20;
/// Below this the intervals are wide, and the proposal says so.
const FEW: usize = 100;

/// What becomes of the temperature.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TemperatureRule {
    /// It is fitted to the labeled films.
    Fitted,
    /// It stays.
    Kept,
}

/// What is asked for.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Asked {
    /// The sensitivity by patient that is to be reached, 0 to 1.
    pub target: f64,
    /// Which labels count.
    pub labels: LabelSource,
    /// What becomes of the temperature.
    pub temperature: TemperatureRule,
}

/// A calibration that is proposed, with all that is shown of it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Proposal {
    /// What counts now.
    pub now: Point,
    /// What is proposed.
    pub new: Point,
    /// The sensitivity that was asked for.
    pub target: f64,
    /// Which labels count, in words.
    pub labels: String,
    /// Where they came from.
    pub sources: Sources,
    /// Labeled films, and those among them with a fracture.
    pub films: (usize, usize),
    /// Their patients, and those among them with a fracture.
    pub patients: (usize, usize),
    /// How right the labeled films are read now.
    pub before: Performance,
    /// And how right they would be.
    pub after: Performance,
    /// Films read lately, as many as there are to compare.
    pub recent: usize,
    /// Of those: not called now, and called then.
    pub to_positive: usize,
    /// Of those: called now, and not then.
    pub to_negative: usize,
    /// What an administrator should know besides.
    pub notes: Vec<String>,
}

impl Proposal {
    /// The films that it was chosen on, in words.
    pub fn chosen_on(&self) -> String {
        format!("{} films of {} patients here ({})", self.films.0, self.patients.0, self.labels)
    }
}

/// Proposes a calibration on labeled films; `recent` are the outputs of films that were read lately.
///
/// # Errors
/// Why none can be proposed, in a sentence.
pub fn propose(
    (cases, sources): (&[Case], Sources),
    asked: Asked,
    now: Point,
    recent: &[f32],
) -> Result<Proposal, String> {
    if !(asked.target > 0.0 && asked.target <= 1.0) {
        return Err("The sensitivity must lie above 0% and at most at 100%.".into());
    }
    let patients = by_patient(cases);
    let with = patients.iter().filter(|patient| patient.truth).count();
    let without = patients.len() - with;
    if with.min(without) < LEAST {
        return Err(format!(
            "Too few labeled films: {with} patients with a fracture and {without} without one, and {LEAST} of each are needed. \
             Label more films that this network read."
        ));
    }
    let mut notes = Vec::new();
    if with.min(without) < FEW {
        notes.push(format!(
            "With fewer than {FEW} patients of each kind the intervals are wide: the sensitivity on other films may lie well below the target."
        ));
    }
    let temperature = match asked.temperature {
        TemperatureRule::Kept => now.temperature,
        TemperatureRule::Fitted => {
            let logits: Vec<f64> = cases.iter().map(|case| f64::from(case.logit)).collect();
            let truth: Vec<bool> = cases.iter().map(|case| case.truth).collect();
            match calibration::temperature(&logits, &truth, Level::P95) {
                Ok(estimate) => {
                    notes.push(match estimate.limits {
                        Ok(limits) => format!(
                            "The temperature’s 95% interval is {:.2} to {:.2} ({}).",
                            limits.low, limits.high, limits.method
                        ),
                        Err(_) => "The temperature’s interval has no upper end: on these films the scores hardly tell fractures from \
                                   none. Check the labels before you take it."
                            .into(),
                    });
                    estimate.value
                }
                Err(undefined) => {
                    notes.push(format!("The temperature stays: none can be fitted ({}).", undefined.reason));
                    now.temperature
                }
            }
        }
    };
    let scores: Vec<f64> = patients.iter().map(|patient| probability(patient.logit, temperature)).collect();
    let truths: Vec<bool> = patients.iter().map(|patient| patient.truth).collect();
    let chosen = Scored::new(&scores, &truths)
        .and_then(|sample| operating::choose(sample, Rule::SensitivityAtLeast(asked.target), ""))
        .map_err(|undefined| format!("No threshold can be chosen: {undefined}."))?;
    // The number above the highest score may lie above 1.
    let new = Point { temperature, threshold: chosen.threshold.clamp(0.0, 1.0) };
    notes.extend(cautions(sources));
    let changes =
        |from: Point, to: Point| recent.iter().filter(|logit| !from.calls(**logit) && to.calls(**logit)).count();
    Ok(Proposal {
        now,
        new,
        target: asked.target,
        labels: asked.labels.words().into(),
        sources,
        films: (cases.len(), cases.iter().filter(|case| case.truth).count()),
        patients: (patients.len(), with),
        before: Performance::of(now, cases, &patients),
        after: Performance::of(new, cases, &patients),
        recent: recent.len(),
        to_positive: changes(now, new),
        to_negative: changes(new, now),
        notes,
    })
}

fn cautions(sources: Sources) -> Vec<String> {
    let mut notes = vec![
        "The figures after are of the films that the threshold was chosen on, and so somewhat too good.".to_owned(),
    ];
    if sources.reviewed > 0 {
        notes.push(
            "Verdicts were given with the result in view, and on films that somebody chose to review: missed fractures are \
             underrepresented, and sensitivity looks better than it is."
                .into(),
        );
    }
    if sources.contradictory > 0 {
        notes.push(format!(
            "On {} films the uploaded label and the verdict contradict each other; the uploaded label counts.",
            sources.contradictory
        ));
    }
    if sources.unsure > 0 {
        notes.push(format!("{} films with an unsure verdict are left out.", sources.unsure));
    }
    notes
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Point = Point { temperature: 1.0, threshold: 0.5 };

    fn case(patient: usize, logit: f32, truth: bool) -> Case {
        Case { patient: format!("P{patient}"), logit, truth }
    }

    /// Forty patients with a fracture at logits −1.5, −1.4, …, 2.4, and forty without at −4, −3.9, …, −0.1.
    fn overlapping() -> Vec<Case> {
        let with = (0..40).map(|i| case(i as usize, (i - 15) as f32 / 10.0, true));
        with.chain((0..40).map(|i| case(100 + i as usize, (i - 40) as f32 / 10.0, false))).collect()
    }

    fn asked(target: f64, temperature: TemperatureRule) -> Asked {
        Asked { target, labels: LabelSource::Uploaded, temperature }
    }

    #[test]
    fn the_threshold_reaches_the_target_by_patient_and_no_more() {
        let cases = overlapping();
        let recent = [-3.0, -1.0, 0.5, 2.0];
        let found = propose((&cases, Sources::default()), asked(0.9, TemperatureRule::Kept), NOW, &recent).unwrap();
        // 36 of 40: the four lowest, −1.5 to −1.2, may be missed. At −1.15 eleven of the forty others are called.
        assert!((calibration::logit(found.new.threshold) + 1.15).abs() < 0.06, "{:?}", found.new);
        assert_eq!(found.after.patients_sensitivity.value, Some(0.9));
        assert_eq!(found.after.sensitivity.value, Some(0.9));
        assert_eq!(found.before.sensitivity.value, Some(25.0 / 40.0));
        assert_eq!(found.before.specificity.value, Some(1.0));
        assert!(found.after.sensitivity.method == "Wilson", "{:?}", found.after.sensitivity);
        assert_eq!((found.recent, found.to_positive, found.to_negative), (4, 1, 0));
        assert_eq!((found.films, found.patients), ((80, 40), (80, 40)));
        let text = serde_json::to_string(&found).unwrap();
        assert_eq!(serde_json::from_str::<Proposal>(&text).unwrap(), found);
    }

    #[test]
    fn a_patient_is_called_by_the_film_with_the_highest_score() {
        let mut cases = overlapping();
        // Each patient with a fracture has another film that shows nothing.
        cases.extend((0..40).map(|i| case(i, -9.0, true)));
        let found = propose((&cases, Sources::default()), asked(0.9, TemperatureRule::Kept), NOW, &[]).unwrap();
        assert_eq!(found.after.patients_sensitivity.value, Some(0.9));
        assert_eq!(found.after.sensitivity.value, Some(0.45));
        assert!(found.after.sensitivity.method.contains("clustered"), "{:?}", found.after.sensitivity);
    }

    #[test]
    fn a_fitted_temperature_moves_the_threshold_with_it() {
        let cases = overlapping();
        let kept = propose((&cases, Sources::default()), asked(0.9, TemperatureRule::Kept), NOW, &[]).unwrap();
        let fitted = propose((&cases, Sources::default()), asked(0.9, TemperatureRule::Fitted), NOW, &[]).unwrap();
        assert!(fitted.new.temperature != 1.0 && fitted.new.threshold != kept.new.threshold);
        for case in &cases {
            assert_eq!(kept.new.calls(case.logit), fitted.new.calls(case.logit), "{case:?}");
        }
        // Perfectly separated films give no temperature, and still a threshold.
        let apart: Vec<Case> = (0..40).map(|i| case(i, if i < 20 { 3.0 } else { -3.0 }, i < 20)).collect();
        let found = propose((&apart, Sources::default()), asked(0.95, TemperatureRule::Fitted), NOW, &[]).unwrap();
        assert_eq!(found.new, Point { temperature: 1.0, threshold: found.new.threshold });
        assert!(found.notes.iter().any(|note| note.contains("stays")), "{:?}", found.notes);
        assert!(found.after.slope.value.is_none() && found.after.slope.method.contains("separated"));
    }

    #[test]
    fn too_few_patients_have_no_proposal() {
        let cases: Vec<Case> = (0..38).map(|i| case(i, i as f32, i < 19)).collect();
        let error = propose((&cases, Sources::default()), asked(0.95, TemperatureRule::Fitted), NOW, &[]).unwrap_err();
        assert!(error.contains("19 patients with a fracture and 19 without"), "{error}");
        for target in [0.0, -1.0, 1.1, f64::NAN] {
            assert!(
                propose((&overlapping(), Sources::default()), asked(target, TemperatureRule::Kept), NOW, &[]).is_err()
            );
        }
    }
}
