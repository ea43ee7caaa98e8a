//! The intervals of what a 2×2 table gives.

use super::{Confusion, Metric};
use crate::estimate::{Estimate, Level, Limits, Undefined};
use crate::interval::{Interval, wilson};

/// How the interval of F1 is made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "snake_case"))]
pub enum F1Interval {
    /// F1 = 2F*/(1 + F*), where F* = TP/(TP + FP + FN) is a proportion (Hand, Christen & Kirielle 2021): Wilson's limits of
    /// F*, carried over by that increasing function.
    #[default]
    WilsonFStar,
    /// Wald's interval of F1 with the multinomial delta-method standard error (Takahashi et al. 2022, micro-averaged), cut to [0, 1].
    DeltaMethod,
    /// Wilson's limits with F1 taken for a proportion of all n films. F1 is no such proportion; it is kept because published
    /// work uses it (Cheng et al. 2019: 0.916, 0.845–0.956).
    WilsonOfAll,
}

/// How the interval of Youden's index, and so of balanced accuracy, is made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "snake_case"))]
pub enum YoudenInterval {
    /// Square-and-add of the two Wilson intervals (Newcombe 1998, method 10): keeps its coverage near 0 and 1.
    #[default]
    Newcombe,
    /// J ± z √(se(1−se)/n₁ + sp(1−sp)/n₀), cut to [−1, 1].
    Wald,
    /// epiR's: the sum of the two lower (upper) limits less one. Both limits at once are wider than the level asks.
    SumOfLimits(Interval),
}

impl Confusion {
    /// A metric with the interval this crate advises: `interval` for plain proportions, and for the rest the default
    /// [`F1Interval`], [`YoudenInterval`], epiR's log intervals of ratios and the delta method for MCC.
    ///
    /// # Errors
    /// As the metric's own function.
    pub fn estimate(&self, metric: Metric, level: Level, interval: Interval) -> Result<Estimate, Undefined> {
        match metric {
            Metric::F1 => self.f1(level, F1Interval::default()),
            Metric::Mcc => self.mcc(level),
            Metric::Youden => self.youden(level, YoudenInterval::default()),
            Metric::BalancedAccuracy => self.balanced_accuracy(level, YoudenInterval::default()),
            Metric::LikelihoodRatioPositive => self.likelihood_ratio_positive(level),
            Metric::LikelihoodRatioNegative => self.likelihood_ratio_negative(level),
            Metric::DiagnosticOddsRatio => self.diagnostic_odds_ratio(level),
            proportion => self.counts(proportion).estimate(level, interval),
        }
    }

    /// Sensitivity TP/(TP + FN). Undefined without a case.
    pub fn sensitivity(&self, level: Level, interval: Interval) -> Result<Estimate, Undefined> {
        self.estimate(Metric::Sensitivity, level, interval)
    }

    /// Specificity TN/(TN + FP). Undefined without a control.
    pub fn specificity(&self, level: Level, interval: Interval) -> Result<Estimate, Undefined> {
        self.estimate(Metric::Specificity, level, interval)
    }

    /// False-negative rate FN/(TP + FN) = 1 − sensitivity. Undefined without a case.
    pub fn false_negative_rate(&self, level: Level, interval: Interval) -> Result<Estimate, Undefined> {
        self.estimate(Metric::FalseNegativeRate, level, interval)
    }

    /// False-positive rate FP/(TN + FP) = 1 − specificity. Undefined without a control.
    pub fn false_positive_rate(&self, level: Level, interval: Interval) -> Result<Estimate, Undefined> {
        self.estimate(Metric::FalsePositiveRate, level, interval)
    }

    /// Positive predictive value TP/(TP + FP), at this sample's prevalence. Undefined without a positive reading.
    pub fn ppv(&self, level: Level, interval: Interval) -> Result<Estimate, Undefined> {
        self.estimate(Metric::Ppv, level, interval)
    }

    /// Negative predictive value TN/(TN + FN), at this sample's prevalence. Undefined without a negative reading.
    pub fn npv(&self, level: Level, interval: Interval) -> Result<Estimate, Undefined> {
        self.estimate(Metric::Npv, level, interval)
    }

    /// Accuracy (TP + TN)/n. Undefined without an observation.
    pub fn accuracy(&self, level: Level, interval: Interval) -> Result<Estimate, Undefined> {
        self.estimate(Metric::Accuracy, level, interval)
    }

    /// Prevalence (TP + FN)/n. Undefined without an observation.
    pub fn prevalence(&self, level: Level, interval: Interval) -> Result<Estimate, Undefined> {
        self.estimate(Metric::Prevalence, level, interval)
    }

    /// F1 = 2 TP/(2 TP + FP + FN). Undefined when there is neither a case nor a positive reading.
    pub fn f1(&self, level: Level, interval: F1Interval) -> Result<Estimate, Undefined> {
        let value = self.value(Metric::F1)?;
        let relevant = self.tp + self.fp + self.fn_;
        let n = self.n() as usize;
        let (low, high, method) = match interval {
            F1Interval::WilsonFStar => {
                let (low, high) = Interval::Wilson.bounds(self.tp, relevant, level);
                let carried = |f: f64| 2.0 * f / (1.0 + f);
                (carried(low), carried(high), "Wilson of F* = TP/(TP+FP+FN)")
            }
            F1Interval::DeltaMethod => {
                // F1 = 2a/(2a + e), e = FP + FN: d/da = 2e/(2a + e)², d/de = −2a/(2a + e)²; multinomial counts, whose
                // mean gradient is zero because F1 does not change with scale.
                let (a, e) = (self.tp as f64, (self.fp + self.fn_) as f64);
                let denominator = 2.0 * a + e;
                let variance = (a * (2.0 * e).powi(2) + e * (2.0 * a).powi(2)) / denominator.powi(4);
                let half = level.z() * variance.sqrt();
                (value - half, value + half, "Wald, delta method")
            }
            F1Interval::WilsonOfAll => {
                let (low, high) = wilson(value, n as f64, level);
                (low, high, "Wilson, F1 as a proportion of all n")
            }
        };
        Ok(Estimate::new(value, (low.clamp(0.0, value), high.clamp(value, 1.0)), method, n))
    }

    /// Youden's J = sensitivity + specificity − 1. Undefined without a case or a control.
    pub fn youden(&self, level: Level, interval: YoudenInterval) -> Result<Estimate, Undefined> {
        self.youden_named("Youden's index", level, interval)
    }

    /// Balanced accuracy (sensitivity + specificity)/2 = (J + 1)/2, with Youden's interval carried over.
    /// Undefined without a case or a control.
    pub fn balanced_accuracy(&self, level: Level, interval: YoudenInterval) -> Result<Estimate, Undefined> {
        let youden = self.youden_named("balanced accuracy", level, interval)?;
        let carried = |j: f64| (j + 1.0) / 2.0;
        let limits = |l: Limits| Limits { low: carried(l.low), high: carried(l.high), ..l };
        Ok(Estimate { value: carried(youden.value), ..youden.map_limits(limits) })
    }

    /// Matthews' correlation coefficient with the multinomial delta-method interval, cut to [−1, 1].
    ///
    /// (TP·TN − FP·FN)/√((TP+FP)(TP+FN)(TN+FP)(TN+FN)). Undefined when a row or a column of the table is empty.
    pub fn mcc(&self, level: Level) -> Result<Estimate, Undefined> {
        let value = self.mcc_value()?;
        let [a, b, c, d] = [self.tp, self.fp, self.fn_, self.tn].map(|count| count as f64);
        let (called, spared, cases, controls) = (a + b, c + d, a + c, b + d);
        let root = (called * spared * cases * controls).sqrt();
        let gradient = [
            (a, d / root - value / 2.0 * (1.0 / called + 1.0 / cases)),
            (b, -c / root - value / 2.0 * (1.0 / called + 1.0 / controls)),
            (c, -b / root - value / 2.0 * (1.0 / spared + 1.0 / cases)),
            (d, a / root - value / 2.0 * (1.0 / spared + 1.0 / controls)),
        ];
        // MCC does not change with scale, so that the mean gradient is zero and the variance is Σ count·gradient².
        let variance: f64 = gradient.iter().map(|(count, g)| count * g * g).sum();
        let half = level.z() * variance.sqrt();
        Ok(Estimate::new(
            value,
            ((value - half).max(-1.0), (value + half).min(1.0)),
            "Wald, delta method",
            self.n() as usize,
        ))
    }

    /// LR+ = sensitivity/(1 − specificity), with epiR's interval exp(ln LR ± z √((1−se)/(n₁se) + sp/(n₀(1−sp)))) (Simel 1991).
    ///
    /// # Errors
    /// Undefined without a case, a control or a false positive; without a true positive the value is 0 and has no interval.
    pub fn likelihood_ratio_positive(&self, level: Level) -> Result<Estimate, Undefined> {
        let value = self.value(Metric::LikelihoodRatioPositive)?;
        if self.tp == 0 {
            return Ok(self.without_log_limits(value));
        }
        self.log_interval(
            value,
            self.relative_variance(self.tp, self.positives()) + self.relative_variance(self.fp, self.negatives()),
            level,
        )
    }

    /// LR− = (1 − sensitivity)/specificity, with epiR's interval exp(ln LR ± z √(se/(n₁(1−se)) + (1−sp)/(n₀sp))) (Simel 1991).
    ///
    /// # Errors
    /// Undefined without a case, a control or a true negative; without a false negative the value is 0 and has no interval.
    pub fn likelihood_ratio_negative(&self, level: Level) -> Result<Estimate, Undefined> {
        let value = self.value(Metric::LikelihoodRatioNegative)?;
        if self.fn_ == 0 {
            return Ok(self.without_log_limits(value));
        }
        self.log_interval(
            value,
            self.relative_variance(self.fn_, self.positives()) + self.relative_variance(self.tn, self.negatives()),
            level,
        )
    }

    /// Diagnostic odds ratio TP·TN/(FP·FN), with Woolf's interval exp(ln DOR ± z √(1/TP + 1/FP + 1/FN + 1/TN)), as epiR.
    ///
    /// # Errors
    /// Undefined without a case, a control, a false positive or a false negative; with TP or TN zero the value is 0 and has no
    /// interval.
    pub fn diagnostic_odds_ratio(&self, level: Level) -> Result<Estimate, Undefined> {
        let value = self.value(Metric::DiagnosticOddsRatio)?;
        if self.tp == 0 || self.tn == 0 {
            return Ok(self.without_log_limits(value));
        }
        let variance = [self.tp, self.fp, self.fn_, self.tn].iter().map(|&count| 1.0 / count as f64).sum();
        self.log_interval(value, variance, level)
    }

    fn youden_named(
        &self,
        statistic: &'static str,
        level: Level,
        interval: YoudenInterval,
    ) -> Result<Estimate, Undefined> {
        let value = self.youden_value(statistic)?;
        let (n1, n0) = (self.positives(), self.negatives());
        let se = self.tp as f64 / n1 as f64;
        let sp = self.tn as f64 / n0 as f64;
        let (low, high, method) = match interval {
            YoudenInterval::Newcombe => {
                let (se_low, se_high) = Interval::Wilson.bounds(self.tp, n1, level);
                let (sp_low, sp_high) = Interval::Wilson.bounds(self.tn, n0, level);
                (
                    value - (se - se_low).hypot(sp - sp_low),
                    value + (se_high - se).hypot(sp_high - sp),
                    "Newcombe (square-and-add of Wilson)",
                )
            }
            YoudenInterval::Wald => {
                let variance = se * (1.0 - se) / n1 as f64 + sp * (1.0 - sp) / n0 as f64;
                let half = level.z() * variance.sqrt();
                (value - half, value + half, "Wald")
            }
            YoudenInterval::SumOfLimits(limits) => {
                let (se_low, se_high) = limits.bounds(self.tp, n1, level);
                let (sp_low, sp_high) = limits.bounds(self.tn, n0, level);
                (se_low + sp_low - 1.0, se_high + sp_high - 1.0, "sum of the limits (epiR)")
            }
        };
        Ok(Estimate::new(value, (low.max(-1.0).min(value), high.min(1.0).max(value)), method, self.n() as usize))
    }

    /// (1 − p)/(n p) for p = k/n: the variance of ln p̂.
    fn relative_variance(&self, k: u64, n: u64) -> f64 {
        (n - k) as f64 / (n as f64 * k as f64)
    }

    fn without_log_limits(&self, value: f64) -> Estimate {
        Estimate::without_limits(value, "the logarithm of a zero ratio is not finite", self.n() as usize)
    }

    fn log_interval(&self, value: f64, variance: f64, level: Level) -> Result<Estimate, Undefined> {
        let factor = (level.z() * variance.sqrt()).exp();
        Ok(Estimate::new(value, (value / factor, value * factor), "Wald on the log scale", self.n() as usize))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PAPER: Confusion = Confusion { tp: 49, fp: 8, fn_: 1, tn: 42 };

    fn close(actual: f64, expected: f64, tolerance: f64) {
        assert!((actual - expected).abs() <= tolerance, "{actual} is not {expected}");
    }

    #[test]
    fn the_papers_ratios() {
        let positive = PAPER.likelihood_ratio_positive(Level::P95).unwrap();
        close(positive.value, 6.125, 1e-12);
        close(positive.low().unwrap(), 3.241527, 5e-7);
        close(positive.high().unwrap(), 11.573441, 5e-7);
        let negative = PAPER.likelihood_ratio_negative(Level::P95).unwrap();
        close(negative.value, 0.023810, 5e-7);
        close(negative.low().unwrap(), 0.003408, 5e-7);
        close(negative.high().unwrap(), 0.166354, 5e-7);
    }

    #[test]
    fn the_papers_f1() {
        let f1 = PAPER.f1(Level::P95, F1Interval::WilsonOfAll).unwrap();
        close(f1.value, 0.916, 5e-4);
        close(f1.low().unwrap(), 0.845, 5e-4);
        close(f1.high().unwrap(), 0.956, 5e-4);
    }

    #[test]
    fn perfect_reading() {
        let perfect = Confusion { tp: 5, fp: 0, fn_: 0, tn: 7 };
        assert!(perfect.likelihood_ratio_positive(Level::P95).is_err());
        let negative = perfect.likelihood_ratio_negative(Level::P95).unwrap();
        assert!(negative.value == 0.0 && negative.limits.is_err());
        let mcc = perfect.mcc(Level::P95).unwrap();
        assert_eq!((mcc.value, mcc.low(), mcc.high()), (1.0, Some(1.0), Some(1.0)));
        let youden = perfect.youden(Level::P95, YoudenInterval::default()).unwrap();
        assert!(youden.low() > Some(0.3) && youden.high() == Some(1.0), "{youden:?}");
    }

    #[test]
    fn empty_classes_are_undefined() {
        let no_case = Confusion { tp: 0, fp: 3, fn_: 0, tn: 4 };
        for metric in [
            Metric::Sensitivity,
            Metric::FalseNegativeRate,
            Metric::BalancedAccuracy,
            Metric::Youden,
            Metric::Mcc,
            Metric::LikelihoodRatioPositive,
            Metric::DiagnosticOddsRatio,
        ] {
            assert!(no_case.value(metric).is_err(), "{metric:?}");
            assert!(no_case.estimate(metric, Level::P95, Interval::Wilson).is_err(), "{metric:?}");
        }
        assert_eq!(no_case.value(Metric::F1), Ok(0.0));
    }

    #[test]
    fn a_score_at_the_threshold_is_positive() {
        let counts = Confusion::at_threshold(&[0.5, 0.4, 0.5, 0.6], &[true, true, false, false], 0.5);
        assert_eq!(counts, Ok(Confusion { tp: 1, fp: 2, fn_: 1, tn: 0 }));
        assert!(Confusion::at_threshold(&[f64::NAN], &[true], 0.5).is_err());
    }
}
