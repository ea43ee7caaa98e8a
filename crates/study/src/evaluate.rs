//! The evaluation of a table of predictions: the paper's measures, each with its interval, and those of the subgroups.

use coxa_stats::auc::{self, AucInterval};
use coxa_stats::contingency::McNemar;
use coxa_stats::{
    Bootstrap, Clusters, Confusion, Estimate, Interval, Level, Metric, Plan, Reason, Resampling, Undefined, bootstrap,
};
use serde::Serialize;

use crate::calibrate::CalibrationMeasures;
use crate::error::StudyError;
use crate::predictions::Predictions;
use crate::proportion;
use crate::statistic::Statistic;
use crate::subgroups::{Subgroup, Subgroups, subgroups};

/// Which films are taken as independent: what is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Clustering {
    /// Patients are independent, and their films are not, where a patient has several films. A film without a patient is on its own.
    #[default]
    WherePatientsRepeat,
    /// Patients are independent, and every film must name one.
    ByPatient,
    /// Every film is independent of every other, whosever it is.
    ByFilm,
}

/// What the intervals take as independent: what was done. Where every patient has one film, both are the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Dependence {
    /// Films.
    Films,
    /// Patients, with all their films: they are what is resampled, and variances are those between them.
    Patients,
}

impl Dependence {
    /// That of intervals with these clusters.
    pub(crate) fn of(clusters: Option<&Clusters>) -> Self {
        if clusters.is_some() { Self::Patients } else { Self::Films }
    }
}

/// Gets what is being resampled, how many replicates are done, and how many there are.
pub type Progress<'a> = &'a dyn Fn(&str, usize, usize);

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
    /// Which films are taken as independent.
    pub clustering: Clustering,
    /// The bootstrap's size and seed.
    pub plan: Plan,
    /// The form of McNemar's test in a comparison, where films are independent.
    pub mcnemar: McNemar,
    /// Which further columns are evaluated as subgroups.
    pub subgroups: Subgroups,
}

impl Default for EvaluationOptions {
    /// The paper's: a threshold of 0.5, 95 %, exact intervals, DeLong's interval; by patient where patients repeat; every column a
    /// subgroup.
    fn default() -> Self {
        Self {
            threshold: 0.5,
            level: Level::P95,
            interval: Interval::ClopperPearson,
            auc_interval: AucInterval::Wald,
            clustering: Clustering::default(),
            plan: Plan::default(),
            mcnemar: McNemar::Exact,
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

impl Measures {
    /// The statistics with their names, in the order of tables and forests.
    pub fn by_name(&self) -> [(&'static str, &Statistic); 12] {
        [
            ("accuracy", &self.accuracy),
            ("sensitivity", &self.sensitivity),
            ("specificity", &self.specificity),
            ("false-negative rate", &self.false_negative_rate),
            ("false-positive rate", &self.false_positive_rate),
            ("positive predictive value", &self.ppv),
            ("negative predictive value", &self.npv),
            ("F1", &self.f1),
            ("AUC", &self.auc),
            ("likelihood ratio +", &self.likelihood_ratio_positive),
            ("likelihood ratio −", &self.likelihood_ratio_negative),
            ("Youden's index", &self.youden),
        ]
    }
}

/// An evaluation: the measures of all films, how well the probabilities are calibrated, and the subgroups.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Evaluation {
    /// The measures of all films; in JSON, these stand at the top.
    #[serde(flatten)]
    pub measures: Measures,
    /// How many patients the films are of, when every film names one.
    pub patients: Option<usize>,
    /// What the intervals take as independent.
    pub dependence: Dependence,
    /// How well the probabilities are calibrated.
    pub calibration: CalibrationMeasures,
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
    evaluate_watched(predictions, options, &|_, _, _| {})
}

/// [`evaluate`], with reports of its progress.
///
/// # Errors
/// As [`evaluate`].
pub fn evaluate_watched(
    predictions: &Predictions,
    options: &EvaluationOptions,
    progress: Progress<'_>,
) -> Result<Evaluation, StudyError> {
    let sample = Sample::new(predictions, options)?;
    let measures = sample.measures(&|done, of| progress("all films", done, of));
    let (subgroups, columns) = subgroups(predictions, options, progress)?;
    let notes = patient_notes(predictions, options.clustering)?;
    Ok(Evaluation {
        measures,
        patients: predictions.clusters().ok().map(|clusters| clusters.count()),
        dependence: Dependence::of(sample.clusters.as_ref()),
        calibration: CalibrationMeasures::of(predictions, options, sample.clusters.as_ref()),
        subgroups,
        notes: notes.into_iter().chain(columns).collect(),
    })
}

/// What a reader should know of the films' patients.
pub(crate) fn patient_notes(predictions: &Predictions, clustering: Clustering) -> Result<Vec<String>, StudyError> {
    let n = predictions.len();
    let Some(patients) = predictions.dependent(Clustering::WherePatientsRepeat)? else { return Ok(Vec::new()) };
    let nameless = predictions.without_patient();
    Ok(match clustering {
        Clustering::ByFilm => vec![format!(
            "the {n} films are of {} patients, but the intervals take every film as independent",
            patients.count()
        )],
        _ if nameless > 0 => {
            vec![format!("{nameless} of the {n} films have no patient; each counts as a patient of its own")]
        }
        _ => Vec::new(),
    })
}

/// The measures alone.
///
/// # Errors
/// As [`evaluate`], but for the subgroups.
pub fn measure(predictions: &Predictions, options: &EvaluationOptions) -> Result<Measures, StudyError> {
    Ok(Sample::new(predictions, options)?.measures(&|_, _| {}))
}

/// Films with what their intervals take as independent.
pub(crate) struct Sample<'a> {
    predictions: &'a Predictions,
    options: &'a EvaluationOptions,
    clusters: Option<Clusters>,
}

/// The metrics of [`Measures`], in their order there.
const METRICS: [Metric; 11] = [
    Metric::Accuracy,
    Metric::Sensitivity,
    Metric::Specificity,
    Metric::FalseNegativeRate,
    Metric::FalsePositiveRate,
    Metric::Ppv,
    Metric::Npv,
    Metric::F1,
    Metric::LikelihoodRatioPositive,
    Metric::LikelihoodRatioNegative,
    Metric::Youden,
];

impl<'a> Sample<'a> {
    /// Checks the threshold and finds which films belong together.
    pub fn new(predictions: &'a Predictions, options: &'a EvaluationOptions) -> Result<Self, StudyError> {
        let threshold = options.threshold;
        if !(0.0..=1.0).contains(&threshold) {
            return Err(StudyError::Setting {
                setting: "a threshold",
                value: threshold,
                expected: "a probability of 0 to 1",
            });
        }
        Ok(Self { predictions, options, clusters: predictions.dependent(options.clustering)? })
    }

    /// The measures; `progress` gets the replicates that are done, and their number.
    pub fn measures(&self, progress: &dyn Fn(usize, usize)) -> Measures {
        let (predictions, threshold) = (self.predictions, self.options.threshold);
        let called: Vec<bool> = predictions.scores().iter().map(|&score| score >= threshold).collect();
        let mut confusion = Confusion::default();
        for (&called, &truth) in called.iter().zip(predictions.truth()) {
            confusion.add(called, truth);
        }
        let [
            accuracy,
            sensitivity,
            specificity,
            false_negative_rate,
            false_positive_rate,
            ppv,
            npv,
            f1,
            positive,
            negative,
            youden,
        ] = self.metrics(&called, &confusion, progress).map(Statistic);
        Measures {
            n: predictions.len(),
            positives: confusion.positives() as usize,
            threshold,
            confusion,
            accuracy,
            sensitivity,
            specificity,
            false_negative_rate,
            false_positive_rate,
            ppv,
            npv,
            f1,
            auc: Statistic(self.auc()),
            likelihood_ratio_positive: positive,
            likelihood_ratio_negative: negative,
            youden,
        }
    }

    /// The area under the curve with its interval.
    pub fn auc(&self) -> Result<Estimate, Undefined> {
        let (scored, options) = (self.predictions.scored()?, self.options);
        match &self.clusters {
            None => auc::delong(scored, options.level, options.auc_interval),
            Some(clusters) => auc::clustered_delong(scored, clusters, options.level, options.auc_interval),
        }
    }

    /// The statistics of [`METRICS`]. Those of patients are all from one resampling, but for proportions of 0 or 1.
    fn metrics(
        &self,
        called: &[bool],
        confusion: &Confusion,
        progress: &dyn Fn(usize, usize),
    ) -> [Result<Estimate, Undefined>; METRICS.len()] {
        let options = self.options;
        let Some(clusters) = &self.clusters else {
            return METRICS.map(|metric| confusion.estimate(metric, options.level, options.interval));
        };
        let report = |done: usize| progress(done, options.plan.replicates);
        let how =
            Bootstrap::new(Resampling::Clustered(clusters)).level(options.level).plan(options.plan).progress(&report);
        let truth = self.predictions.truth();
        let mut resampled = bootstrap::metrics(called, truth, &METRICS, &how).into_iter();
        METRICS.map(|metric| {
            // One for each of the metrics.
            let resampled =
                resampled.next().unwrap_or_else(|| confusion.estimate(metric, options.level, options.interval));
            match (denominator(metric), confusion.value(metric)) {
                (Some(counted), Ok(value @ (0.0 | 1.0))) => {
                    let counted: Vec<bool> = called.iter().zip(truth).map(|(&c, &t)| counted(c, t)).collect();
                    proportion::at_the_end(value, &counted, clusters, options.level)
                }
                _ => resampled,
            }
        })
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
