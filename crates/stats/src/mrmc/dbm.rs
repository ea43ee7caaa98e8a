//! Dorfman, Berbaum & Metz's analysis of variance of jackknife pseudovalues, with Hillis' denominator and degrees of freedom.

use super::components::mean;
use super::covariance::leave_one_out;
use super::merit::{Endpoint, Merit};
use super::options::{AnalysisOptions, Random};
use super::study::ReaderStudy;
use crate::distribution::f_sf;
use crate::estimate::{Reason, Test, Undefined};
use crate::scored::Clusters;

/// Mean squares of the pseudovalues: treatments T, readers R and cases C with all their interactions.
#[derive(Debug, Clone, Copy, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
pub struct MeanSquares {
    /// Treatments.
    pub t: f64,
    /// Readers.
    pub r: f64,
    /// Cases.
    pub c: f64,
    /// Treatments by readers.
    pub tr: f64,
    /// Treatments by cases.
    pub tc: f64,
    /// Readers by cases.
    pub rc: f64,
    /// Treatments by readers by cases, with the error.
    pub trc: f64,
}

/// Variance components of the pseudovalues: unbiased estimates, which may be negative and are left so.
#[derive(Debug, Clone, Copy, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
pub struct PseudovalueComponents {
    /// Readers.
    pub r: f64,
    /// Cases.
    pub c: f64,
    /// Treatments by readers.
    pub tr: f64,
    /// Treatments by cases.
    pub tc: f64,
    /// Readers by cases.
    pub rc: f64,
    /// Error.
    pub error: f64,
}

/// The analysis of pseudovalues.
#[derive(Debug, Clone, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
pub struct Dbm {
    /// Mean squares.
    pub mean_squares: MeanSquares,
    /// Variance components.
    pub components: PseudovalueComponents,
    /// Test of equal treatments: F with (t − 1, `df`) degrees of freedom.
    pub overall: Test,
}

const STATISTIC: &str = "analysis of pseudovalues";

impl ReaderStudy {
    /// The analysis of the pseudovalues N θ − (N − 1) θ_(k) of the N cases that have a part in the endpoint.
    ///
    /// Readers and cases random: F = MS(T)/[MS(TR) + max(MS(TC) − MS(TRC), 0)] with Hillis' df2 = denominator²/[MS(TR)²/((t−1)(r−1))]
    /// (Hillis, Berbaum & Metz 2008): the F of [`ReaderStudy::analyze`] with the jackknife's covariances. Readers random:
    /// MS(T)/MS(TR). Cases random: MS(T)/MS(TC), with (t − 1)(N − 1) degrees of freedom. The options' covariance is not used.
    ///
    /// # Errors
    /// Undefined unless the study is fully crossed with cases of different patients, for fewer than two treatments, readers or cases
    /// of either truth, or a denominator of zero.
    pub fn analyze_pseudovalues(&self, options: &AnalysisOptions) -> Result<Dbm, Undefined> {
        let (t, r) = (self.treatments().len(), self.readers().len());
        if t.min(r) < 2 {
            return Err(Undefined::new(STATISTIC, Reason::TooFew { n: t.min(r), needed: 2 }));
        }
        if self.require_crossed().is_err() || self.patients().is_some() {
            let why = "pseudovalues need a fully crossed study in which every case is a patient of its own";
            return Err(Undefined::new(STATISTIC, Reason::Other(why)));
        }
        let pseudovalues = self.pseudovalues(options.endpoint)?;
        let squares = pseudovalues.mean_squares();
        let (t, r, c) = (t as f64, r as f64, pseudovalues.cases as f64);
        let MeanSquares { t: ms_t, r: ms_r, c: ms_c, tr, tc, rc, trc } = squares;
        let by_readers = (t - 1.0) * (r - 1.0);
        let (denominator, df) = match options.random {
            Random::ReadersAndCases => {
                let denominator = tr + (tc - trc).max(0.0);
                (denominator, denominator * denominator / (tr * tr / by_readers))
            }
            Random::Readers => (tr, by_readers),
            Random::Cases => (tc, (t - 1.0) * (c - 1.0)),
        };
        // Mean squares of pseudovalues are N times those of the endpoints, which are of order 1.
        if denominator <= c * f64::EPSILON * f64::EPSILON || !df.is_finite() {
            return Err(Undefined::new(STATISTIC, Reason::ZeroVariance));
        }
        let statistic = ms_t / denominator;
        let p = f_sf(statistic, t - 1.0, df);
        Ok(Dbm {
            mean_squares: squares,
            components: PseudovalueComponents {
                r: (ms_r - tr - rc + trc) / (t * c),
                c: (ms_c - tc - rc + trc) / (t * r),
                tr: (tr - trc) / c,
                tc: (tc - trc) / r,
                rc: (rc - trc) / t,
                error: trc,
            },
            overall: Test { statistic, df: Some(df), p, method: "Dorfman-Berbaum-Metz F test" },
        })
    }

    /// The pseudovalues of the cases that have a part in the endpoint.
    fn pseudovalues(&self, endpoint: Endpoint) -> Result<Pseudovalues, Undefined> {
        let units = Clusters::new(&(0..self.cases().len()).collect::<Vec<_>>());
        let mut values: Vec<Vec<Vec<f64>>> = Vec::new();
        for i in 0..self.treatments().len() {
            let mut by_reader = Vec::new();
            for j in 0..self.readers().len() {
                let cell = self.cell(i, j);
                let merit = Merit::of(cell, endpoint, 2)?;
                let n = (merit.positives + merit.negatives) as f64;
                let without = leave_one_out(cell, &merit, &units)?;
                let parts = without.into_iter().zip(&merit.components).filter(|(_, part)| part.is_some());
                by_reader.push(parts.map(|(left, _)| n * merit.value - (n - 1.0) * left).collect());
            }
            values.push(by_reader);
        }
        let cases = values[0][0].len();
        Ok(Pseudovalues { values, cases })
    }
}

/// `values[treatment][reader][case]`.
struct Pseudovalues {
    values: Vec<Vec<Vec<f64>>>,
    cases: usize,
}

impl Pseudovalues {
    /// The mean over all places but those that are fixed.
    fn mean(&self, i: Option<usize>, j: Option<usize>, k: Option<usize>) -> f64 {
        let (t, r) = (self.values.len(), self.values[0].len());
        let range = |fixed: Option<usize>, n: usize| fixed.map_or(0..n, |at| at..at + 1);
        let mut all = Vec::new();
        for i in range(i, t) {
            for j in range(j, r) {
                all.extend_from_slice(&self.values[i][j][range(k, self.cases)]);
            }
        }
        mean(&all)
    }

    fn mean_squares(&self) -> MeanSquares {
        let (t, r, c) = (self.values.len(), self.values[0].len(), self.cases);
        let grand = self.mean(None, None, None);
        let each = |n: usize, of: &dyn Fn(usize) -> f64| (0..n).map(of).collect::<Vec<f64>>();
        let by_t = each(t, &|i| self.mean(Some(i), None, None));
        let by_r = each(r, &|j| self.mean(None, Some(j), None));
        let by_c = each(c, &|k| self.mean(None, None, Some(k)));
        let table = |n: usize, m: usize, of: &dyn Fn(usize, usize) -> f64| -> Vec<Vec<f64>> {
            (0..n).map(|a| (0..m).map(|b| of(a, b)).collect()).collect()
        };
        let tr = table(t, r, &|i, j| self.mean(Some(i), Some(j), None));
        let tc = table(t, c, &|i, k| self.mean(Some(i), None, Some(k)));
        let rc = table(r, c, &|j, k| self.mean(None, Some(j), Some(k)));
        let main = |means: &[f64]| means.iter().map(|m| (m - grand).powi(2)).sum::<f64>();
        let pair = |table: &[Vec<f64>], a: &[f64], b: &[f64]| -> f64 {
            let cells = table.iter().zip(a).flat_map(|(row, a)| row.iter().zip(b).map(move |(m, b)| m - a - b));
            cells.map(|residual| (residual + grand).powi(2)).sum()
        };
        let mut rest = 0.0;
        for i in 0..t {
            for j in 0..r {
                for k in 0..c {
                    let additive = tr[i][j] + tc[i][k] + rc[j][k] - by_t[i] - by_r[j] - by_c[k] + grand;
                    rest += (self.values[i][j][k] - additive).powi(2);
                }
            }
        }
        let (tf, rf, cf) = (t as f64, r as f64, c as f64);
        MeanSquares {
            t: rf * cf * main(&by_t) / (tf - 1.0),
            r: tf * cf * main(&by_r) / (rf - 1.0),
            c: tf * rf * main(&by_c) / (cf - 1.0),
            tr: cf * pair(&tr, &by_t, &by_r) / ((tf - 1.0) * (rf - 1.0)),
            tc: rf * pair(&tc, &by_t, &by_c) / ((tf - 1.0) * (cf - 1.0)),
            rc: tf * pair(&rc, &by_r, &by_c) / ((rf - 1.0) * (cf - 1.0)),
            trc: rest / ((tf - 1.0) * (rf - 1.0) * (cf - 1.0)),
        }
    }
}
