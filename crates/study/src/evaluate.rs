//! The evaluation of a table of predictions: the paper's measures, each with its interval, and those of the subgroups.

use coxa_stats::auc::{self, AucInterval};
use coxa_stats::{
    Clusters, Confusion, Estimate, Interval, Level, Metric, Plan, Reason, Resampling, Undefined, bootstrap, interval,
};
use serde::Serialize;

use crate::calibrate::Calibration;
use crate::error::StudyError;
use crate::predictions::Predictions;
use crate::statistic::Statistic;
use crate::subgroups::{Subgroup, Subgroups, subgroups};

/// Whether the films of a patient are taken for independent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Dependence {
    /// Every film is independent of every other.
    #[default]
    Films,
    /// The films of a patient are not: intervals come from resampling patients, the area's from Obuchowski's clustered
    /// variance. Where every patient has one film, this is the same as [`Dependence::Films`].
    Patients,
}

/// How an evaluation is made.
#[derive(Debug, Clone, PartialEq)]
pub struct EvaluationOptions {
    /// A film is called positive at a probability of at least this.
    pub threshold: f64,
    /// The confidence level of every interval.
    pub level: Level,
    /// How the interval of a proportion is made.
    pub interval: Interval,
    /// How the area's interval is made.
    pub auc_interval: AucInterval,
    /// Whether the films of a patient are taken for independent.
    pub dependence: Dependence,
    /// The bootstrap's size and seed.
    pub plan: Plan,
    /// Which further columns are evaluated as subgroups.
    pub subgroups: Subgroups,
}

impl Default for EvaluationOptions {
    /// The paper's: a threshold of 0.5, 95 %, exact intervals, DeLong's interval, independent films; every column a subgroup.
    fn default() -> Self {
        Self {
            threshold: 0.5,
            level: Level::P95,
            interval: Interval::ClopperPearson,
            auc_interval: AucInterval::Wald,
            dependence: Dependence::Films,
            plan: Plan::default(),
            subgroups: Subgroups::EveryColumn,
        }
    }
}

/// The measures of a set of films. Serializes to the program's JSON: `{"n", "positives", "threshold", "confusion",
/// "accuracy": {"value", "low", "high", "method"}, …}`.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Measures {
    /// Films.
    pub n: usize,
    /// Films with a fracture.
    pub positives: usize,
    /// A film is called positive at a probability of at least this.
    pub threshold: f64,
    /// The four counts.
    pub confusion: Confusion,
    /// (TP + TN) / n.
    pub accuracy: Statistic,
    /// TP / (TP + FN).
    pub sensitivity: Statistic,
    /// TN / (TN + FP).
    pub specificity: Statistic,
    /// FN / (TP + FN).
    pub false_negative_rate: Statistic,
    /// FP / (TN + FP).
    pub false_positive_rate: Statistic,
    /// TP / (TP + FP).
    pub ppv: Statistic,
    /// TN / (TN + FN).
    pub npv: Statistic,
    /// 2 TP / (2 TP + FP + FN).
    pub f1: Statistic,
    /// The area under the ROC curve.
    pub auc: Statistic,
    /// Sensitivity / (1 − specificity).
    pub likelihood_ratio_positive: Statistic,
    /// (1 − sensitivity) / specificity.
    pub likelihood_ratio_negative: Statistic,
    /// Sensitivity + specificity − 1.
    pub youden: Statistic,
}

/// An evaluation: the measures of all films, how well the probabilities are calibrated, and the subgroups.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Evaluation {
    /// The measures of all films; in JSON, these stand at the top.
    #[serde(flatten)]
    pub measures: Measures,
    /// How many patients the films are of, when every film names one.
    pub patients: Option<usize>,
    /// How well the probabilities are calibrated.
    pub calibration: Calibration,
    /// The measures of each subgroup.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub subgroups: Vec<Subgroup>,
    /// What a reader of the numbers should know.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub notes: Vec<String>,
}

/// Evaluates predictions.
///
/// # Errors
/// [`StudyError::Setting`] for a threshold that is no probability, [`StudyError::NoPatient`] where patients are asked for and
/// missing, [`StudyError::NoSubgroup`] for a column that is not there. A statistic that these films do not define is no error:
/// it is [`Undefined`] in its place.
pub fn evaluate(predictions: &Predictions, options: &EvaluationOptions) -> Result<Evaluation, StudyError> {
    let measures = measure(predictions, options)?;
    let clusters = predictions.clusters().ok();
    let mut notes = Vec::new();
    if let Some(clusters) = clusters.as_ref().filter(|clusters| clusters.count() < predictions.len()) {
        notes.push(match options.dependence {
            Dependence::Films => format!(
                "the {} films are of {} patients, but the intervals take every film for independent",
                predictions.len(),
                clusters.count()
            ),
            Dependence::Patients => {
                "the intervals of the Brier score, the calibration's slope and intercept, the calibration in the large and the bins of \
                 reliability take every film for independent"
                    .to_owned()
            }
        });
    }
    let (subgroups, more) = subgroups(predictions, options)?;
    notes.extend(more);
    Ok(Evaluation {
        measures,
        patients: clusters.map(|clusters| clusters.count()),
        calibration: Calibration::of(predictions, options),
        subgroups,
        notes,
    })
}

/// The measures alone.
///
/// # Errors
/// As [`evaluate`], but for the subgroups.
pub fn measure(predictions: &Predictions, options: &EvaluationOptions) -> Result<Measures, StudyError> {
    let threshold = options.threshold;
    if !(0.0..=1.0).contains(&threshold) {
        return Err(StudyError::Setting {
            setting: "a threshold",
            value: threshold,
            expected: "a probability of 0 to 1",
        });
    }
    let mut confusion = Confusion::default();
    for row in predictions.rows() {
        confusion.add(row.probability >= threshold, row.truth);
    }
    let clusters = match options.dependence {
        Dependence::Films => None,
        Dependence::Patients => Some(predictions.clusters()?).filter(|clusters| clusters.count() < predictions.len()),
    };
    let sample = Sample { predictions, options, confusion, clusters: clusters.as_ref() };
    let estimate = |metric| Statistic(sample.metric(metric));
    Ok(Measures {
        n: predictions.len(),
        positives: predictions.truth().iter().filter(|&&positive| positive).count(),
        threshold,
        confusion,
        accuracy: estimate(Metric::Accuracy),
        sensitivity: estimate(Metric::Sensitivity),
        specificity: estimate(Metric::Specificity),
        false_negative_rate: estimate(Metric::FalseNegativeRate),
        false_positive_rate: estimate(Metric::FalsePositiveRate),
        ppv: estimate(Metric::Ppv),
        npv: estimate(Metric::Npv),
        f1: estimate(Metric::F1),
        auc: Statistic(sample.auc()),
        likelihood_ratio_positive: estimate(Metric::LikelihoodRatioPositive),
        likelihood_ratio_negative: estimate(Metric::LikelihoodRatioNegative),
        youden: estimate(Metric::Youden),
    })
}

struct Sample<'a> {
    predictions: &'a Predictions,
    options: &'a EvaluationOptions,
    confusion: Confusion,
    clusters: Option<&'a Clusters>,
}

impl Sample<'_> {
    fn auc(&self) -> Result<Estimate, Undefined> {
        let (scored, options) = (self.predictions.scored()?, self.options);
        match self.clusters {
            None => auc::delong(scored, options.level, options.auc_interval),
            Some(clusters) => auc::clustered_delong(scored, clusters, options.level, options.auc_interval),
        }
    }

    fn metric(&self, metric: Metric) -> Result<Estimate, Undefined> {
        let options = self.options;
        let Some(clusters) = self.clusters else {
            return self.confusion.estimate(metric, options.level, options.interval);
        };
        let value = self.confusion.value(metric)?;
        let called: Vec<bool> = self.called().collect();
        if let Some(counted) = denominator(metric)
            && (value == 0.0 || value == 1.0)
        {
            return self.at_the_end(value, counted, &called, clusters);
        }
        let resampling = Resampling::Clustered(clusters);
        bootstrap::metric(&called, self.predictions.truth(), metric, resampling, options.level, options.plan)
    }

    /// A proportion of exactly 0 or 1, where every resample gives the same value and the bootstrap's interval would have no
    /// width: an exact interval in which each patient counts once.
    fn at_the_end(
        &self,
        value: f64,
        counted: fn(bool, bool) -> bool,
        called: &[bool],
        clusters: &Clusters,
    ) -> Result<Estimate, Undefined> {
        let mut seen = vec![false; clusters.count()];
        for ((&called, &truth), &cluster) in called.iter().zip(self.predictions.truth()).zip(clusters.of()) {
            seen[cluster] |= counted(called, truth);
        }
        let patients = seen.iter().filter(|&&seen| seen).count() as u64;
        let positive = if value == 1.0 { patients } else { 0 };
        let estimate = interval::proportion(positive, patients, self.options.level, Interval::ClopperPearson)?;
        let n = called.iter().zip(self.predictions.truth()).filter(|&(&called, &truth)| counted(called, truth)).count();
        Ok(Estimate { method: "exact (Clopper-Pearson), each patient counting once", n, ..estimate })
    }

    fn called(&self) -> impl Iterator<Item = bool> {
        self.predictions.scores().iter().map(|&score| score >= self.options.threshold)
    }
}

/// Which films a proportion's denominator counts, given whether they are called positive and whether they are; `None` for a
/// metric that is no proportion of films.
fn denominator(metric: Metric) -> Option<fn(bool, bool) -> bool> {
    Some(match metric {
        Metric::Sensitivity | Metric::FalseNegativeRate => |_, truth| truth,
        Metric::Specificity | Metric::FalsePositiveRate => |_, truth| !truth,
        Metric::Ppv => |called, _| called,
        Metric::Npv => |called, _| !called,
        Metric::Accuracy | Metric::Prevalence => |_, _| true,
        _ => return None,
    })
}

/// The undefined statistic of a set without films.
pub(crate) fn no_film(statistic: &'static str) -> Undefined {
    Undefined::new(statistic, Reason::ZeroDenominator("no film"))
}
