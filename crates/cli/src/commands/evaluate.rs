//! `coxa evaluate`: a table of predictions becomes the measures of diagnostic accuracy with their intervals.

use std::cell::RefCell;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use clap::{Args, ValueEnum};
use coxa_stats::auc::AucInterval;
use coxa_stats::roc::{Correction, Focus, Part};
use coxa_stats::{Interval, Level};
use coxa_study::curve::{CurveStatistic, OnCurve, on_curve};
use coxa_study::evaluate::{Clustering, Dependence, Evaluation, EvaluationOptions, evaluate_watched};
use coxa_study::predictions::Predictions;
use coxa_study::statistic::Statistic;
use coxa_study::subgroups::Subgroups;
use serde::Serialize;

use crate::output::{Outcome, json_line};
use crate::progress::Bar;

/// Evaluate predictions (image_id, patient, label, probability; further columns are subgroups): accuracy, sensitivity, specificity,
/// predictive values, F1, AUC, likelihood ratios, each with its interval, and calibration.
///
/// Where patients have several films, intervals are by patient. A statistic that the films do not define is printed as undefined,
/// with the reason.
#[derive(Args)]
pub struct Evaluate {
    /// The predictions, as `coxa predict --predictions` writes them.
    #[arg(long)]
    predictions: PathBuf,
    /// Print one JSON object.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    how: How,
    /// Add the specificity at this sensitivity; may be repeated.
    #[arg(long, value_name = "SENSITIVITY", value_parser = share)]
    at_sensitivity: Vec<f64>,
    /// Add the sensitivity at this specificity; may be repeated.
    #[arg(long, value_name = "SPECIFICITY", value_parser = share)]
    at_specificity: Vec<f64>,
    /// Add the net benefit at this threshold probability (of the decision curve); may be repeated.
    #[arg(long, value_name = "PROBABILITY", value_parser = below_one)]
    net_benefit: Vec<f64>,
    /// Add the partial AUC over these specificities: 0.9,1.
    #[arg(long, value_name = "FROM,TO", value_parser = range)]
    partial_auc: Option<(f64, f64)>,
    /// Take the partial AUC over sensitivities.
    #[arg(long, requires = "partial_auc")]
    over_sensitivities: bool,
    /// Correct the partial AUC after McClish, so that chance is 0.5.
    #[arg(long, requires = "partial_auc")]
    corrected: bool,
}

/// A number from 0 to 1.
pub fn share(text: &str) -> Result<f64, String> {
    let number = text.trim().parse().ok().filter(|number| (0.0..=1.0).contains(number));
    number.ok_or_else(|| "give a number from 0 to 1".to_owned())
}

/// A number from 0 to below 1.
fn below_one(text: &str) -> Result<f64, String> {
    share(text).ok().filter(|&number| number < 1.0).ok_or_else(|| "give a number from 0 to below 1".to_owned())
}

/// A number strictly between 0 and 1.
pub fn between(text: &str) -> Result<f64, String> {
    let number = below_one(text).ok().filter(|&number| number > 0.0);
    number.ok_or_else(|| "give a number between 0 and 1, like 0.95".to_owned())
}

/// Two numbers with a comma between them.
fn range(text: &str) -> Result<(f64, f64), String> {
    let both = text.split_once(',').and_then(|(from, to)| share(from).ok().zip(share(to).ok()));
    both.filter(|(from, to)| from < to).ok_or_else(|| "give two numbers from 0 to 1, the lower first: 0.9,1".to_owned())
}

/// What is printed as JSON.
#[derive(Serialize)]
struct Printed {
    #[serde(flatten)]
    evaluation: Evaluation,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    curve: Vec<CurveStatistic>,
}

/// How an evaluation is made, shared by the commands that evaluate.
#[derive(Args)]
pub struct How {
    /// Call a film positive at a probability of at least this [default: that of the bundle that predicts, or of the predictions'
    /// column `threshold`, or 0.5].
    #[arg(long, value_parser = share)]
    pub threshold: Option<f64>,
    /// The confidence level.
    #[arg(long, default_value_t = 0.95, value_parser = between)]
    level: f64,
    /// The interval of a proportion of independent films.
    #[arg(long, value_enum, default_value = "exact")]
    interval: IntervalName,
    /// The interval of the AUC.
    #[arg(long, value_enum, default_value = "wald")]
    auc_interval: AucIntervalName,
    #[command(flatten)]
    independent: Independent,
    /// Evaluate the values of this column as subgroups; may be repeated [default: every column of few values].
    #[arg(long = "subgroup")]
    subgroups: Vec<String>,
    /// Evaluate no subgroups.
    #[arg(long, conflicts_with = "subgroups")]
    no_subgroups: bool,
}

/// What intervals and tests take as independent.
#[derive(Args, Clone, Copy)]
pub struct Independent {
    /// Take patients as independent, not their films; every film must name its patient [default: where a patient has several films].
    #[arg(long, conflicts_with = "by_film")]
    by_patient: bool,
    /// Take every film as independent, also those of one patient.
    #[arg(long)]
    by_film: bool,
}

impl Independent {
    /// The study's name of it.
    pub fn clustering(self) -> Clustering {
        match self {
            Self { by_film: true, .. } => Clustering::ByFilm,
            Self { by_patient: true, .. } => Clustering::ByPatient,
            _ => Clustering::WherePatientsRepeat,
        }
    }
}

#[derive(Clone, Copy, ValueEnum)]
enum IntervalName {
    /// Clopper–Pearson.
    Exact,
    /// Wilson's score interval.
    Wilson,
    /// Wilson's, with a continuity correction.
    WilsonCorrected,
    /// Jeffreys' prior.
    Jeffreys,
    /// Agresti–Coull.
    AgrestiCoull,
}

#[derive(Clone, Copy, ValueEnum)]
enum AucIntervalName {
    /// From DeLong's variance.
    Wald,
    /// From DeLong's variance, on the logit scale: never leaves 0 to 1.
    Logit,
    /// Newcombe's: has a width at an AUC of 0 or 1 too; for independent films.
    Newcombe,
}

impl How {
    /// The options of the study, with the threshold to take where none was given.
    ///
    /// # Errors
    /// When the level is not between 0 and 1.
    pub fn options(&self, threshold: f64) -> anyhow::Result<EvaluationOptions> {
        Ok(EvaluationOptions {
            threshold: self.threshold.unwrap_or(threshold),
            level: Level::new(self.level)?,
            interval: match self.interval {
                IntervalName::Exact => Interval::ClopperPearson,
                IntervalName::Wilson => Interval::Wilson,
                IntervalName::WilsonCorrected => Interval::WilsonCorrected,
                IntervalName::Jeffreys => Interval::Jeffreys,
                IntervalName::AgrestiCoull => Interval::AgrestiCoull,
            },
            auc_interval: match self.auc_interval {
                AucIntervalName::Wald => AucInterval::Wald,
                AucIntervalName::Logit => AucInterval::Logit,
                AucIntervalName::Newcombe => AucInterval::Newcombe,
            },
            clustering: self.independent.clustering(),
            subgroups: match (&self.subgroups[..], self.no_subgroups) {
                (_, true) => Subgroups::None,
                ([], false) => Subgroups::EveryColumn,
                (names, false) => Subgroups::Named(names.to_vec()),
            },
            ..EvaluationOptions::default()
        })
    }
}

impl Evaluate {
    /// Evaluates and prints.
    pub fn run(self) -> anyhow::Result<Outcome> {
        let predictions = Predictions::load(&self.predictions)?;
        let options = self.how.options(threshold_of(&predictions))?;
        let bars = LateBars::new();
        let progress = |what: &str, done: usize, of: usize| bars.set(what, done, of);
        let evaluation = evaluate_watched(&predictions, &options, &progress)?;
        let curve = on_curve(&predictions, &self.asked(), &options, &progress)?;
        drop(bars);
        if self.json {
            json_line(&Printed { evaluation, curve })?;
            return Ok(Outcome::Done);
        }
        print(&evaluation);
        for statistic in &curve {
            println!("{}: {} {}", statistic.name, words(&statistic.statistic), method(&statistic.statistic));
        }
        Ok(Outcome::Done)
    }

    /// What is asked of the curve.
    fn asked(&self) -> Vec<OnCurve> {
        let part = self.partial_auc.map(|(from, to)| {
            let focus = if self.over_sensitivities { Focus::Sensitivity } else { Focus::Specificity };
            let correction = if self.corrected { Correction::McClish } else { Correction::Raw };
            OnCurve::PartialAuc(Part { from, to, focus, correction })
        });
        let specificities = self.at_sensitivity.iter().map(|&at| OnCurve::SpecificityAt(at));
        let sensitivities = self.at_specificity.iter().map(|&at| OnCurve::SensitivityAt(at));
        let benefits = self.net_benefit.iter().map(|&at| OnCurve::NetBenefit(at));
        specificities.chain(sensitivities).chain(part).chain(benefits).collect()
    }
}

/// Progress bars of work that takes more than a second; shorter work shows none.
struct LateBars {
    start: Instant,
    shown: RefCell<Option<(String, Bar)>>,
}

impl LateBars {
    fn new() -> Self {
        Self { start: Instant::now(), shown: RefCell::new(None) }
    }

    fn set(&self, what: &str, done: usize, of: usize) {
        if self.start.elapsed() < Duration::from_secs(1) {
            return;
        }
        let mut shown = self.shown.borrow_mut();
        if shown.as_ref().is_none_or(|(name, _)| name != what) {
            if let Some((_, bar)) = shown.take() {
                bar.finish();
            }
            *shown = Some((what.to_owned(), Bar::new(what, of)));
        }
        if let Some((_, bar)) = shown.as_ref() {
            bar.set(done, "replicates");
        }
    }
}

impl Drop for LateBars {
    fn drop(&mut self) {
        if let Some((_, bar)) = self.shown.borrow_mut().take() {
            bar.finish();
        }
    }
}

/// The threshold that comes with predictions, or else the paper's.
pub fn threshold_of(predictions: &Predictions) -> f64 {
    predictions.threshold().unwrap_or(EvaluationOptions::default().threshold)
}

/// A statistic in words: value and interval, or why there is none.
pub fn words(statistic: &Statistic) -> String {
    match &statistic.0 {
        Ok(estimate) => match estimate.limits {
            Ok(limits) => format!("{:.4} ({:.4}–{:.4})", estimate.value, limits.low, limits.high),
            Err(why) => format!("{:.4} (no interval: {why})", estimate.value),
        },
        Err(undefined) => format!("undefined: {}", undefined.reason),
    }
}

/// How a statistic's interval was made; empty without one.
pub fn method(statistic: &Statistic) -> &'static str {
    statistic.limits().map_or("", |limits| limits.method)
}

/// By what the intervals are, in words for the first line.
pub fn independent(dependence: Dependence) -> &'static str {
    match dependence {
        Dependence::Films => "intervals by film",
        Dependence::Patients => "intervals by patient",
    }
}

fn print(evaluation: &Evaluation) {
    let measures = &evaluation.measures;
    let c = &measures.confusion;
    let patients = evaluation.patients.map_or(String::new(), |patients| format!(" of {patients} patients"));
    println!(
        "{} films{patients}, {} with a fracture; positive from {} on; {}",
        measures.n,
        measures.positives,
        measures.threshold,
        independent(evaluation.dependence)
    );
    println!("                called positive   called negative");
    println!("fracture        {:>15}   {:>15}", c.tp, c.fn_);
    println!("no fracture     {:>15}   {:>15}", c.fp, c.tn);
    for (name, statistic) in measures.by_name() {
        println!("{name:<26} {:<28} {}", words(statistic), method(statistic));
    }
    let calibration = &evaluation.calibration;
    for (name, statistic) in [
        ("Brier score", &calibration.brier),
        ("calibration slope", &calibration.slope),
        ("calibration intercept", &calibration.intercept),
        ("calibration error (ECE)", &calibration.expected_calibration_error),
    ] {
        println!("{name:<26} {:<28} {}", words(statistic), method(statistic));
    }
    for group in &evaluation.subgroups {
        println!(
            "{} {}: {} films, AUC {}, sensitivity {}",
            group.column,
            group.value,
            group.measures.n,
            words(&group.measures.auc),
            words(&group.measures.sensitivity)
        );
    }
    for note in &evaluation.notes {
        eprintln!("note: {note}");
    }
}
