//! The 2×2 table of truth and reading, and every rate, ratio and index taken from it.
//!
//! ```
//! use coxa_stats::{Confusion, Interval, Level, Metric};
//!
//! let table = Confusion { tp: 49, fp: 8, fn_: 1, tn: 42 };
//! assert_eq!(table.value(Metric::Sensitivity)?, 0.98);
//! let ratio = table.likelihood_ratio_positive(Level::P95)?;
//! assert!((ratio.value - 6.125).abs() < 1e-12);
//! assert_eq!(table.sensitivity(Level::P95, Interval::Wilson)?.n, 50);
//! # Ok::<(), coxa_stats::Undefined>(())
//! ```

mod estimates;

pub use self::estimates::{F1Interval, YoudenInterval};
use crate::estimate::{Reason, Undefined, check_finite, check_lengths};
use crate::interval::Counted;

/// Counts of a binary reading against the truth.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Confusion {
    /// True positives: cases called positive.
    pub tp: u64,
    /// False positives: controls called positive.
    pub fp: u64,
    /// False negatives: cases called negative.
    #[cfg_attr(feature = "serde", serde(rename = "fn"))]
    pub fn_: u64,
    /// True negatives: controls called negative.
    pub tn: u64,
}

/// A point statistic of a 2×2 table, for tables of many and for the bootstrap.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "snake_case"))]
pub enum Metric {
    /// TP / (TP + FN).
    Sensitivity,
    /// TN / (TN + FP).
    Specificity,
    /// FN / (TP + FN).
    FalseNegativeRate,
    /// FP / (TN + FP).
    FalsePositiveRate,
    /// Positive predictive value, TP / (TP + FP).
    Ppv,
    /// Negative predictive value, TN / (TN + FN).
    Npv,
    /// (TP + TN) / n.
    Accuracy,
    /// (TP + FN) / n.
    Prevalence,
    /// (sensitivity + specificity) / 2.
    BalancedAccuracy,
    /// 2 TP / (2 TP + FP + FN).
    F1,
    /// Matthews' correlation coefficient, the table's phi.
    Mcc,
    /// Youden's J = sensitivity + specificity − 1.
    Youden,
    /// LR+ = sensitivity / (1 − specificity).
    LikelihoodRatioPositive,
    /// LR− = (1 − sensitivity) / specificity.
    LikelihoodRatioNegative,
    /// DOR = TP·TN / (FP·FN).
    DiagnosticOddsRatio,
}

impl Confusion {
    /// Counts readings against the truth: `called[i]` and `truth[i]` are true for positive.
    ///
    /// # Errors
    /// When the lengths differ.
    pub fn from_calls(called: &[bool], truth: &[bool]) -> Result<Self, Undefined> {
        check_lengths("confusion matrix", called.len(), truth.len())?;
        let mut counts = Self::default();
        for (&called, &truth) in called.iter().zip(truth) {
            counts.add(called, truth);
        }
        Ok(counts)
    }

    /// Counts scores at a threshold: a score is called positive when it is ≥ `threshold`.
    ///
    /// # Errors
    /// When the lengths differ or a score is not finite.
    pub fn at_threshold(scores: &[f64], truth: &[bool], threshold: f64) -> Result<Self, Undefined> {
        check_lengths("confusion matrix", scores.len(), truth.len())?;
        check_finite("confusion matrix", scores)?;
        let mut counts = Self::default();
        for (&score, &truth) in scores.iter().zip(truth) {
            counts.add(score >= threshold, truth);
        }
        Ok(counts)
    }

    /// Adds one reading.
    pub fn add(&mut self, called: bool, truth: bool) {
        *match (called, truth) {
            (true, true) => &mut self.tp,
            (true, false) => &mut self.fp,
            (false, true) => &mut self.fn_,
            (false, false) => &mut self.tn,
        } += 1;
    }

    /// Adds a table's counts so many times over.
    pub(crate) fn add_times(&mut self, other: &Self, times: u32) {
        let times = u64::from(times);
        self.tp += times * other.tp;
        self.fp += times * other.fp;
        self.fn_ += times * other.fn_;
        self.tn += times * other.tn;
    }

    /// All observations.
    pub fn n(&self) -> u64 {
        self.tp + self.fp + self.fn_ + self.tn
    }

    /// Cases, TP + FN.
    pub fn positives(&self) -> u64 {
        self.tp + self.fn_
    }

    /// Controls, TN + FP.
    pub fn negatives(&self) -> u64 {
        self.tn + self.fp
    }

    /// The point value of a metric.
    ///
    /// # Errors
    /// Undefined when its denominator is zero. LR+ and DOR are undefined, not infinite, without a false positive (and DOR
    /// without a false negative); MCC is undefined when a whole row or column is empty.
    pub fn value(&self, metric: Metric) -> Result<f64, Undefined> {
        match metric {
            Metric::BalancedAccuracy => {
                let youden = self.youden_value("balanced accuracy")?;
                Ok((youden + 1.0) / 2.0)
            }
            Metric::Youden => self.youden_value("Youden's index"),
            Metric::Mcc => self.mcc_value(),
            Metric::LikelihoodRatioPositive => {
                let statistic = "positive likelihood ratio";
                self.both_classes(statistic)?;
                let fpr = self.fp as f64 / self.negatives() as f64;
                if self.fp == 0 {
                    return Err(Undefined::new(statistic, Reason::ZeroDenominator("no false positive")));
                }
                Ok(self.tp as f64 / self.positives() as f64 / fpr)
            }
            Metric::LikelihoodRatioNegative => {
                let statistic = "negative likelihood ratio";
                self.both_classes(statistic)?;
                if self.tn == 0 {
                    return Err(Undefined::new(statistic, Reason::ZeroDenominator("no true negative")));
                }
                let specificity = self.tn as f64 / self.negatives() as f64;
                Ok(self.fn_ as f64 / self.positives() as f64 / specificity)
            }
            Metric::DiagnosticOddsRatio => {
                let statistic = "diagnostic odds ratio";
                self.both_classes(statistic)?;
                if self.fp == 0 || self.fn_ == 0 {
                    return Err(Undefined::new(
                        statistic,
                        Reason::ZeroDenominator("no false positive or no false negative"),
                    ));
                }
                Ok((self.tp as f64 * self.tn as f64) / (self.fp as f64 * self.fn_ as f64))
            }
            proportion => {
                let Counted { statistic, empty, k, n } = self.counts(proportion);
                if n == 0 {
                    return Err(Undefined::new(statistic, Reason::ZeroDenominator(empty)));
                }
                Ok(k as f64 / n as f64)
            }
        }
    }

    fn counts(&self, metric: Metric) -> Counted {
        let (no_case, no_control, nothing) = ("no positive case", "no negative case", "no observation");
        let (statistic, empty, k, n) = match metric {
            Metric::Sensitivity => ("sensitivity", no_case, self.tp, self.positives()),
            Metric::Specificity => ("specificity", no_control, self.tn, self.negatives()),
            Metric::FalseNegativeRate => ("false-negative rate", no_case, self.fn_, self.positives()),
            Metric::FalsePositiveRate => ("false-positive rate", no_control, self.fp, self.negatives()),
            Metric::Ppv => ("positive predictive value", "no positive reading", self.tp, self.tp + self.fp),
            Metric::Npv => ("negative predictive value", "no negative reading", self.tn, self.tn + self.fn_),
            Metric::Prevalence => ("prevalence", nothing, self.positives(), self.n()),
            Metric::F1 => {
                ("F1", "neither a positive case nor a positive reading", 2 * self.tp, 2 * self.tp + self.fp + self.fn_)
            }
            // The metrics that are no proportion are taken before this table is asked.
            _ => ("accuracy", nothing, self.tp + self.tn, self.n()),
        };
        Counted { statistic, empty, k, n }
    }

    fn both_classes(&self, statistic: &'static str) -> Result<(), Undefined> {
        if self.positives() == 0 {
            return Err(Undefined::new(statistic, Reason::NoCases));
        }
        if self.negatives() == 0 {
            return Err(Undefined::new(statistic, Reason::NoControls));
        }
        Ok(())
    }

    fn youden_value(&self, statistic: &'static str) -> Result<f64, Undefined> {
        self.both_classes(statistic)?;
        let sensitivity = self.tp as f64 / self.positives() as f64;
        let false_positive_rate = self.fp as f64 / self.negatives() as f64;
        Ok(sensitivity - false_positive_rate)
    }

    fn mcc_value(&self) -> Result<f64, Undefined> {
        let [a, b, c, d] = [self.tp, self.fp, self.fn_, self.tn].map(|count| count as f64);
        let root = ((a + b) * (c + d) * (a + c) * (b + d)).sqrt();
        if root == 0.0 {
            return Err(Undefined::new("MCC", Reason::ZeroDenominator("a row or a column of the table is empty")));
        }
        Ok(((a * d - b * c) / root).clamp(-1.0, 1.0))
    }
}
