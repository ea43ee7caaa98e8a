//! A linear mixed model of values that readers gave to cases under treatments, such as the logarithms of reading times.
//!
//! The value of a reader, a case and a treatment is the treatment's mean + the reader's effect + the case's effect + error: all three are
//! normal, with one variance each, so readers and cases are random and need not be crossed. Variances are estimated by restricted
//! maximum likelihood (REML), tests have Satterthwaite's degrees of freedom.
//!
//! ```
//! use coxa_stats::Level;
//! use coxa_stats::mixed::{MixedModel, Reading};
//!
//! let mut readings = Vec::new();
//! for (reader, case) in (0..4).flat_map(|reader| (0..6).map(move |case| (reader, case))) {
//!     for treatment in 0..2 {
//!         let noise = ((7 * reader + 5 * case + 3 * treatment) % 11) as f64 / 10.0;
//!         readings.push(Reading { treatment, reader, case, value: noise - 0.5 * treatment as f64 });
//!     }
//! }
//! let model = MixedModel::fit(&readings, Level::P95)?;
//! let first_less_second = &model.differences[0];
//! assert!(first_less_second.estimate.value > 0.0 && first_less_second.test.p < 0.05);
//! # Ok::<(), coxa_stats::Undefined>(())
//! ```

mod criterion;
mod optimum;

use self::criterion::{Criterion, Spread};
use self::optimum::{gradient, hessian, minimum};
use crate::distribution::{t_quantile, t_two_sided};
use crate::estimate::{Estimate, Level, Reason, Test, Undefined, check_finite};

/// A value of one reader, case and treatment, which are numbered from 0.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Reading {
    /// The treatment.
    pub treatment: usize,
    /// The reader.
    pub reader: usize,
    /// The case.
    pub case: usize,
    /// The value.
    pub value: f64,
}

/// A mean of a treatment, or a difference of two.
#[derive(Debug, Clone, Copy, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
pub struct Contrast {
    /// Its value with interval.
    pub estimate: Estimate,
    /// Its standard error.
    pub se: f64,
    /// The t test that it is zero, with Satterthwaite's degrees of freedom.
    pub test: Test,
}

/// The fitted model.
#[derive(Debug, Clone, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
pub struct MixedModel {
    /// Readings.
    pub readings: usize,
    /// The standard deviation of readers; 0 where their variance is estimated as nothing.
    pub reader: f64,
    /// The standard deviation of cases; 0 where their variance is estimated as nothing.
    pub case: f64,
    /// The standard deviation of the error.
    pub error: f64,
    /// −2 times the restricted log likelihood, as lme4's `REMLcrit`.
    pub criterion: f64,
    /// Each treatment's mean.
    pub means: Vec<Contrast>,
    /// Every pair of treatments, in order: the first's mean less the second's.
    pub differences: Vec<Contrast>,
}

const STATISTIC: &str = "linear mixed model";

impl MixedModel {
    /// Fits the model, as lme4's `lmer(value ~ 0 + treatment + (1 | reader) + (1 | case))` with the tests of lmerTest.
    ///
    /// The criterion is Bates et al.'s (2015, *Journal of Statistical Software* 67(1), equation 41). Satterthwaite's degrees of freedom of
    /// a contrast with variance v are 2v²/(g′Ag), g being v's gradient by the standard deviations and A their covariance, twice the inverse
    /// of the criterion's matrix of second derivatives (Kuznetsova, Brockhoff & Christensen 2017, *Journal of Statistical Software* 82(13)).
    /// A standard deviation that is estimated as zero has no part in them.
    ///
    /// # Errors
    /// Undefined for a value that is not finite; for a treatment without readings, fewer than two readers or cases, or as many readers or
    /// cases as readings, which leave an error nothing; where values do not vary beside reader, case and treatment, or the variances
    /// cannot be estimated apart.
    pub fn fit(readings: &[Reading], level: Level) -> Result<Self, Undefined> {
        let values: Vec<f64> = readings.iter().map(|reading| reading.value).collect();
        check_finite(STATISTIC, &values)?;
        let criterion = Criterion::of(readings)?;
        let (ratios, least) = minimum(|ratios| criterion.profiled(ratios).0);
        let error = criterion.profiled(ratios).1.sqrt();
        let scale = values.iter().fold(0.0, |most: f64, value| most.max(value.abs()));
        if error <= 1e-7 * scale || ratios.iter().any(|ratio| *ratio >= optimum::MOST) {
            return Err(Undefined::new(STATISTIC, Reason::ZeroVariance));
        }
        let spread = Spread { reader: ratios[0] * error, case: ratios[1] * error, error };
        let tests = Satterthwaite::of(&criterion, spread)?;
        let t = criterion.treatments();
        let unit = |i: usize| (0..t).map(|k| f64::from(u8::from(k == i))).collect::<Vec<f64>>();
        let less = |(i, j): (usize, usize)| unit(i).iter().zip(unit(j)).map(|(a, b)| a - b).collect::<Vec<f64>>();
        let pairs = (0..t).flat_map(|i| (i + 1..t).map(move |j| (i, j)));
        let contrast = |of: Vec<f64>| tests.contrast(&of, readings.len(), level);
        Ok(Self {
            readings: readings.len(),
            reader: spread.reader,
            case: spread.case,
            error,
            criterion: least,
            means: (0..t).map(unit).map(contrast).collect::<Result<_, _>>()?,
            differences: pairs.map(less).map(contrast).collect::<Result<_, _>>()?,
        })
    }
}

/// The means with all that their tests need.
struct Satterthwaite<'c> {
    criterion: &'c Criterion,
    spread: Spread,
    means: Vec<f64>,
    /// The covariance of the standard deviations that are not zero.
    covariance: Vec<Vec<f64>>,
}

impl<'c> Satterthwaite<'c> {
    fn of(criterion: &'c Criterion, spread: Spread) -> Result<Self, Undefined> {
        let free = spread.free();
        let bent = hessian(|of| criterion.deviance(spread.with(of)), &free);
        let inverse = criterion::inverse(&bent);
        let Some(inverse) = inverse.filter(|of| of.iter().flatten().all(|value| value.is_finite())) else {
            let why = "the variances of readers, cases and error cannot be estimated apart";
            return Err(Undefined::new(STATISTIC, Reason::Other(why)));
        };
        let covariance = inverse.iter().map(|row| row.iter().map(|value| 2.0 * value).collect()).collect();
        Ok(Self { criterion, spread, means: criterion.means(spread), covariance })
    }

    fn contrast(&self, of: &[f64], n: usize, level: Level) -> Result<Contrast, Undefined> {
        let variance = |spread: Spread| self.criterion.variance(spread, of);
        let square = variance(self.spread);
        let slope = gradient(|free| variance(self.spread.with(free)), &self.spread.free());
        let rows = self.covariance.iter().map(|row| row.iter().zip(&slope).map(|(a, g)| a * g).sum::<f64>());
        let spread_of_square: f64 = rows.zip(&slope).map(|(row, g)| row * g).sum();
        let df = 2.0 * square * square / spread_of_square;
        if !(square > 0.0 && df > 0.0 && df.is_finite()) {
            return Err(Undefined::new(STATISTIC, Reason::ZeroVariance));
        }
        let value: f64 = of.iter().zip(&self.means).map(|(l, mean)| l * mean).sum();
        let se = square.sqrt();
        let half = t_quantile(1.0 - level.tail(), df) * se;
        let method = "linear mixed model, REML, Satterthwaite";
        let statistic = value / se;
        Ok(Contrast {
            estimate: Estimate::new(value, (value - half, value + half), method, n),
            se,
            test: Test { statistic, df: Some(df), p: t_two_sided(statistic, df), method },
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Every reader and case under both treatments.
    fn readings(value: impl Fn(usize, usize, usize) -> f64) -> Vec<Reading> {
        let all = (0..2)
            .flat_map(|treatment| (0..4).flat_map(move |reader| (0..5).map(move |case| (treatment, reader, case))));
        all.map(|(treatment, reader, case)| Reading { treatment, reader, case, value: value(treatment, reader, case) })
            .collect()
    }

    fn noise(treatment: usize, reader: usize, case: usize) -> f64 {
        ((treatment * 13 + reader * 29 + case * 17 + reader * case * 5) % 23) as f64 / 23.0
    }

    #[test]
    fn in_a_balanced_study_the_difference_is_that_of_the_means() {
        let readings = readings(|treatment, reader, case| noise(treatment, reader, case) + 0.2 * treatment as f64);
        let model = MixedModel::fit(&readings, Level::P95).unwrap();
        let mean = |treatment: usize| {
            readings.iter().filter(|of| of.treatment == treatment).map(|of| of.value).sum::<f64>() / 20.0
        };
        let difference = &model.differences[0];
        assert!((difference.estimate.value - (mean(0) - mean(1))).abs() < 1e-12);
        // Readers and cases have no part in the difference's error.
        assert!((difference.se - model.error * (2.0_f64 / 20.0).sqrt()).abs() < 1e-9);
    }

    #[test]
    fn what_has_no_variance_is_undefined() {
        let undefined = |readings: &[Reading]| MixedModel::fit(readings, Level::P95).unwrap_err().to_string();
        let constant = readings(|treatment, _, _| treatment as f64);
        assert!(undefined(&constant).contains("the variance is zero"), "{}", undefined(&constant));
        let full = readings(noise);
        let of = |keep: fn(&Reading) -> bool| full.iter().copied().filter(keep).collect::<Vec<_>>();
        assert!(undefined(&of(|of| of.reader == 1)).contains("2 are needed"));
        assert!(undefined(&of(|of| of.case == 1)).contains("2 are needed"));
        assert!(undefined(&of(|of| of.treatment == 1)).contains("without readings"));
        assert!(undefined(&of(|of| of.treatment == 0 && of.case == of.reader)).contains("as many"));
        assert!(undefined(&readings(|_, _, _| f64::NAN)).contains("NaN"));
        assert!(undefined(&[]).contains("2 are needed"));
    }
}
