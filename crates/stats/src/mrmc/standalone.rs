//! A stand-alone reader, such as a network, against the mean of readers who rated the same cases.

use super::components::mean;
use super::covariance::Endpoints;
use super::inference::{quantile, spread_of_mean, two_sided};
use super::options::{AnalysisOptions, Random};
use super::study::ReaderStudy;
use crate::estimate::{Estimate, Level, Reason, Test, Undefined};

/// The comparison of the readers' mean with a stand-alone reader.
#[derive(Debug, Clone, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
pub struct Standalone {
    /// The treatment under which the readers read.
    pub treatment: String,
    /// The stand-alone reader's endpoint.
    pub alone: f64,
    /// The mean of the readers' endpoints.
    pub readers: f64,
    /// The readers' mean less the stand-alone reader's endpoint.
    pub difference: Estimate,
    /// Its standard error.
    pub se: f64,
    /// The test of no difference.
    pub test: Test,
}

const STATISTIC: &str = "comparison with a stand-alone reader";

impl ReaderStudy {
    /// Compares a study's readers, under its one treatment, with the reader named `alone`: Obuchowski & Rockette's analysis of the
    /// differences θ_j − θ_0 of one treatment (Hillis, Obuchowski & Berbaum 2011; Chakraborty 2017, chapter 22), in which the
    /// stand-alone reader is fixed. The variance is (MS + r max(Cov2, 0))/r with Hillis' degrees of freedom, where Cov2 is the mean
    /// covariance of two readers' differences; with fixed readers (Error + (r − 1) Cov2)/r.
    ///
    /// # Errors
    /// Undefined unless there is one treatment, the reader `alone` and another one (two more where readers are random), for too few
    /// cases, or where the variance is not above zero.
    pub fn against_standalone(
        &self,
        alone: &str,
        options: &AnalysisOptions,
        level: Level,
    ) -> Result<Standalone, Undefined> {
        let place = self.readers().iter().position(|reader| reader == alone);
        let Some(place) = place.filter(|_| self.treatments().len() == 1) else {
            let why = "the study has not one treatment, or not that reader";
            return Err(Undefined::new(STATISTIC, Reason::Other(why)));
        };
        let needed = if options.random == Random::Cases { 1 } else { 2 };
        let n = self.readers().len() - 1;
        if n < needed {
            return Err(Undefined::new(STATISTIC, Reason::TooFew { n, needed }));
        }
        let endpoints = self.endpoints(options.endpoint, options.covariance)?;
        let differences = Differences::of(&endpoints, place);
        let (square, df) = spread_of_mean(&differences.values, (differences.error, differences.cov2), options.random);
        if square.is_nan() || square <= f64::EPSILON * f64::EPSILON {
            return Err(Undefined::new(STATISTIC, Reason::ZeroVariance));
        }
        let (value, se) = (mean(&differences.values), square.sqrt());
        let df = df.filter(|df| df.is_finite());
        let half = quantile(df, level) * se;
        Ok(Standalone {
            treatment: self.treatments()[0].clone(),
            alone: endpoints.theta[place],
            readers: value + endpoints.theta[place],
            difference: Estimate::new(value, (value - half, value + half), "Obuchowski-Rockette", self.truth().len()),
            se,
            test: two_sided(value / se, df),
        })
    }
}

/// The readers' differences from one of them.
struct Differences {
    values: Vec<f64>,
    /// Mean variance of a difference.
    error: f64,
    /// Mean covariance of two.
    cov2: f64,
}

impl Differences {
    fn of(endpoints: &Endpoints, from: usize) -> Self {
        let others: Vec<usize> = (0..endpoints.theta.len()).filter(|&k| k != from).collect();
        let c = &endpoints.covariance;
        let covariance = |a: usize, b: usize| c[a][b] - c[a][from] - c[from][b] + c[from][from];
        let variances: Vec<f64> = others.iter().map(|&a| covariance(a, a)).collect();
        let pairs: Vec<f64> = others
            .iter()
            .flat_map(|&a| others.iter().filter(move |&&b| b != a).map(move |&b| covariance(a, b)))
            .collect();
        Self {
            values: others.iter().map(|&k| endpoints.theta[k] - endpoints.theta[from]).collect(),
            error: mean(&variances),
            cov2: if pairs.is_empty() { 0.0 } else { mean(&pairs) },
        }
    }
}
