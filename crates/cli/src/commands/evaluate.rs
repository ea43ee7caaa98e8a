//! `coxa evaluate`: a table of predictions becomes the measures of diagnostic accuracy with their intervals.

use std::path::PathBuf;

use clap::{Args, ValueEnum};
use coxa_stats::roc::{Correction, Focus, Part};
use coxa_stats::{Interval, Level};
use coxa_study::curve::{CurveStatistic, OnCurve, on_curve};
use coxa_study::evaluate::{Dependence, Evaluation, EvaluationOptions, Measures, evaluate};
use coxa_study::predictions::Predictions;
use coxa_study::statistic::Statistic;
use coxa_study::subgroups::Subgroups;
use serde::Serialize;

use crate::output::{Outcome, json_line, usage};

/// Evaluates predictions (image_id, patient, label, probability; further columns are subgroups): accuracy, sensitivity, specificity,
/// predictive values, F1, AUC, likelihood ratios, each with its interval, and calibration.
///
/// A statistic that the films do not define is printed as undefined, with the reason.
#[derive(Args)]
pub struct Evaluate {
    /// The predictions, as `coxa predict --predictions` writes them.
    #[arg(long)]
    predictions: PathBuf,
    /// One JSON object.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    how: How,
    /// The specificity at this sensitivity too; may be given again.
    #[arg(long, value_name = "SENSITIVITY")]
    at_sensitivity: Vec<f64>,
    /// The sensitivity at this specificity too; may be given again.
    #[arg(long, value_name = "SPECIFICITY")]
    at_specificity: Vec<f64>,
    /// The partial AUC over these specificities too: 0.9,1.
    #[arg(long, value_name = "FROM,TO", value_parser = range)]
    partial_auc: Option<(f64, f64)>,
    /// The partial AUC is over sensitivities.
    #[arg(long, requires = "partial_auc")]
    over_sensitivities: bool,
    /// The partial AUC is McClish's, corrected so that chance is 0.5.
    #[arg(long, requires = "partial_auc")]
    corrected: bool,
}

/// Two numbers with a comma between them.
fn range(text: &str) -> Result<(f64, f64), String> {
    let number = |part: &str| part.trim().parse::<f64>().ok();
    let both = text.split_once(',').and_then(|(from, to)| number(from).zip(number(to)));
    both.ok_or_else(|| "give two numbers: 0.9,1".to_owned())
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
    /// A film is called positive at a probability of at least this [default: that of the bundle that reads the films, or what the
    /// predictions' column `threshold` says, or 0.5].
    #[arg(long)]
    pub threshold: Option<f64>,
    /// The confidence level.
    #[arg(long, default_value_t = 0.95)]
    level: f64,
    /// The interval of a proportion.
    #[arg(long, value_enum, default_value = "exact")]
    interval: IntervalName,
    /// Resamples patients instead of films, where patients have several.
    #[arg(long)]
    by_patient: bool,
    /// Evaluates the values of this column as subgroups; may be given again [default: every column of few values].
    #[arg(long = "subgroup")]
    subgroups: Vec<String>,
    /// No subgroups.
    #[arg(long, conflicts_with = "subgroups")]
    no_subgroups: bool,
}

#[derive(Clone, Copy, ValueEnum)]
enum IntervalName {
    /// Clopper–Pearson.
    Exact,
    /// Wilson's score interval.
    Wilson,
    /// Jeffreys' prior.
    Jeffreys,
    /// Agresti–Coull.
    AgrestiCoull,
}

impl How {
    /// The options of the study, with the threshold to take where none was given.
    ///
    /// # Errors
    /// When the level is not between 0 and 1.
    pub fn options(&self, threshold: f64) -> anyhow::Result<EvaluationOptions> {
        Ok(EvaluationOptions {
            threshold: self.threshold.unwrap_or(threshold),
            level: Level::new(self.level).map_err(|_| {
                usage(format!("--level {} is no confidence level", self.level), "give one between 0 and 1, like 0.95")
            })?,
            interval: match self.interval {
                IntervalName::Exact => Interval::ClopperPearson,
                IntervalName::Wilson => Interval::Wilson,
                IntervalName::Jeffreys => Interval::Jeffreys,
                IntervalName::AgrestiCoull => Interval::AgrestiCoull,
            },
            dependence: if self.by_patient { Dependence::Patients } else { Dependence::Films },
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
        let evaluation = evaluate(&predictions, &options)?;
        let curve = on_curve(&predictions, &self.asked(), &options)?;
        if self.json {
            json_line(&Printed { evaluation, curve })?;
            return Ok(Outcome::Done);
        }
        print(&evaluation);
        for statistic in &curve {
            let method = statistic.statistic.estimate().map_or("", |estimate| estimate.method);
            println!("{}: {} {method}", statistic.name, words(&statistic.statistic));
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
        specificities.chain(sensitivities).chain(part).collect()
    }
}

/// The threshold that comes with predictions, or else the paper's.
pub fn threshold_of(predictions: &Predictions) -> f64 {
    predictions.threshold().unwrap_or(EvaluationOptions::default().threshold)
}

/// The rows of a table of measures: name and statistic.
pub fn rows(measures: &Measures) -> [(&'static str, &Statistic); 12] {
    [
        ("accuracy", &measures.accuracy),
        ("sensitivity", &measures.sensitivity),
        ("specificity", &measures.specificity),
        ("false-negative rate", &measures.false_negative_rate),
        ("false-positive rate", &measures.false_positive_rate),
        ("positive predictive value", &measures.ppv),
        ("negative predictive value", &measures.npv),
        ("F1", &measures.f1),
        ("AUC", &measures.auc),
        ("likelihood ratio +", &measures.likelihood_ratio_positive),
        ("likelihood ratio −", &measures.likelihood_ratio_negative),
        ("Youden's index", &measures.youden),
    ]
}

/// A statistic in words: value and interval, or why there is none.
pub fn words(statistic: &Statistic) -> String {
    match &statistic.0 {
        Ok(estimate) => format!("{:.4} ({:.4}–{:.4})", estimate.value, estimate.low, estimate.high),
        Err(undefined) => match undefined.value() {
            Some(value) => format!("{value:.4} (no interval: {})", undefined.reason),
            None => format!("undefined: {}", undefined.reason),
        },
    }
}

fn print(evaluation: &Evaluation) {
    let measures = &evaluation.measures;
    let c = &measures.confusion;
    println!("{} films, {} with a fracture; positive from {} on", measures.n, measures.positives, measures.threshold);
    println!("                called positive   called negative");
    println!("fracture        {:>15}   {:>15}", c.tp, c.fn_);
    println!("no fracture     {:>15}   {:>15}", c.fp, c.tn);
    for (name, statistic) in rows(measures) {
        let method = statistic.estimate().map_or("", |estimate| estimate.method);
        println!("{name:<26} {:<28} {method}", words(statistic));
    }
    let calibration = &evaluation.calibration;
    println!("{:<26} {}", "Brier score", words(&calibration.brier));
    println!("{:<26} {}", "calibration slope", words(&calibration.slope));
    println!("{:<26} {}", "calibration intercept", words(&calibration.intercept));
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
