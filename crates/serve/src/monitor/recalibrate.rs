//! Recalibration: a temperature and a threshold chosen on films that the hospital labeled, with all that an administrator must see before
//! one is taken.
//!
//! The temperature is the maximum-likelihood one of the films' logits (Guo et al. 2017). The threshold is the most specific one at which at
//! least the target's share of patients with a fracture is called positive, a patient being called by the film with the highest score; of
//! equally specific ones the most sensitive. Figures "after" are of the same films, and so somewhat too good.

use coxa_model::probability;
use coxa_stats::{
    Clusters, Confusion, Estimate, Inference, Interval, Level, Rule, Scored, Undefined, calibration, operating,
};
use serde::{Deserialize, Serialize};

use super::figures::{patient_of, share};
use super::logit_of;
use crate::db::{Labeled, Verdict};

/// Patients with a fracture, and as many without, below which nothing is proposed.
pub const LEAST: usize = 20;
/// Below this the intervals are wide, and the proposal says so.
const FEW: usize = 100;

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

/// A temperature and a threshold.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Point {
    /// The probability is sigmoid(logit / temperature).
    pub temperature: f64,
    /// The probability from which a film is called positive.
    pub threshold: f64,
}

impl Point {
    /// Whether a film with this output is called positive.
    pub fn calls(self, logit: f32) -> bool {
        probability(logit, self.temperature) >= self.threshold
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

/// A statistic as it is kept and shown.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Shown {
    /// Its value, where it is defined.
    pub value: Option<f64>,
    /// The 95% limits, where there are any.
    pub limits: Option<(f64, f64)>,
    /// The interval's method, or why something is missing.
    pub method: String,
}

impl From<Result<Estimate, Undefined>> for Shown {
    fn from(statistic: Result<Estimate, Undefined>) -> Self {
        match statistic {
            Ok(Estimate { value, limits: Ok(limits), .. }) => {
                Self { value: Some(value), limits: Some((limits.low, limits.high)), method: limits.method.into() }
            }
            Ok(Estimate { value, limits: Err(why), .. }) => {
                Self { value: Some(value), limits: None, method: why.to_string() }
            }
            Err(undefined) => Self { value: None, limits: None, method: undefined.reason.to_string() },
        }
    }
}

impl From<Option<Estimate>> for Shown {
    fn from(statistic: Option<Estimate>) -> Self {
        match statistic {
            Some(estimate) => Ok(estimate).into(),
            None => Self { value: None, limits: None, method: "no film".into() },
        }
    }
}

/// How right a temperature and a threshold are on the labeled films.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Performance {
    /// Of films; patients are the units of its interval.
    pub sensitivity: Shown,
    /// The same.
    pub specificity: Shown,
    /// Of patients with a fracture: called on any of their films.
    pub patients_sensitivity: Shown,
    /// Of patients without one: called on none.
    pub patients_specificity: Shown,
    /// The mean squared error of the probabilities.
    pub brier: Shown,
    /// The slope of the logistic recalibration: 1 when calibrated.
    pub slope: Shown,
    /// Calibration in the large: 0 when the mean probability is right.
    pub in_the_large: Shown,
}

impl Performance {
    fn of(point: Point, cases: &[Case], patients: &[Patient]) -> Self {
        let names: Vec<String> = cases.iter().map(|case| case.patient.clone()).collect();
        let of_truth = |truth: bool| {
            let (hits, names): (Vec<bool>, Vec<String>) = cases
                .iter()
                .zip(&names)
                .filter(|(case, _)| case.truth == truth)
                .map(|(case, name)| (point.calls(case.logit) == truth, name.clone()))
                .unzip();
            Shown::from(share(&hits, &names))
        };
        let calls: Vec<bool> = patients.iter().map(|patient| point.calls(patient.logit)).collect();
        let truths: Vec<bool> = patients.iter().map(|patient| patient.truth).collect();
        let table = Confusion::from_calls(&calls, &truths);
        let (level, interval) = (Level::P95, Interval::Wilson);
        let probabilities: Vec<f64> = cases.iter().map(|case| probability(case.logit, point.temperature)).collect();
        let truth: Vec<bool> = cases.iter().map(|case| case.truth).collect();
        let clusters = Clusters::new(&names);
        let inference = Inference { level, clusters: (clusters.count() < cases.len()).then_some(&clusters) };
        Self {
            sensitivity: of_truth(true),
            specificity: of_truth(false),
            patients_sensitivity: table.clone().and_then(|table| table.sensitivity(level, interval)).into(),
            patients_specificity: table.and_then(|table| table.specificity(level, interval)).into(),
            brier: calibration::brier(&probabilities, &truth, inference).into(),
            slope: calibration::recalibration(&probabilities, &truth, inference).map(|line| line.slope).into(),
            in_the_large: calibration::in_the_large(&probabilities, &truth, inference).into(),
        }
    }
}

/// A patient: the highest output of the films, and whether any of them has a fracture.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Patient {
    logit: f32,
    truth: bool,
}

fn by_patient(cases: &[Case]) -> Vec<Patient> {
    let clusters = Clusters::new(&cases.iter().map(|case| case.patient.as_str()).collect::<Vec<_>>());
    let mut patients = vec![Patient { logit: f32::NEG_INFINITY, truth: false }; clusters.count()];
    for (case, patient) in cases.iter().zip(clusters.of()) {
        let patient = &mut patients[*patient];
        patient.logit = patient.logit.max(case.logit);
        patient.truth |= case.truth;
    }
    patients
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
    /// The rule of the threshold, in words.
    pub fn rule(&self) -> String {
        format!(
            "the most specific threshold at which at least {:.1}% of the patients with a fracture are called positive",
            100.0 * self.target
        )
    }

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
    use super::super::figures::tests::film;
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
