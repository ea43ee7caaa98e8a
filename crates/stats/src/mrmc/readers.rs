//! Each reader alone: endpoints and differences, by cases.

use super::covariance::Endpoints;
use super::inference::two_sided;
use super::study::ReaderStudy;
use crate::estimate::{Estimate, Level, Reason, Test, Undefined};

/// One reader's endpoint under one treatment.
#[derive(Debug, Clone, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
pub struct ReaderEstimate {
    /// The reader.
    pub reader: String,
    /// The treatment.
    pub treatment: String,
    /// The endpoint with Wald's interval, cut to [0, 1]; none where its variance is estimated as zero or less.
    pub estimate: Estimate,
    /// Its standard error.
    pub se: Option<f64>,
}

/// One reader's difference of two treatments.
#[derive(Debug, Clone, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
pub struct ReaderDifference {
    /// The reader.
    pub reader: String,
    /// The treatment from which is subtracted.
    pub first: String,
    /// The treatment that is subtracted.
    pub second: String,
    /// The difference with Wald's interval.
    pub difference: Estimate,
    /// Its standard error.
    pub se: Option<f64>,
    /// The normal test; undefined without variance.
    #[cfg_attr(feature = "serde", serde(serialize_with = "test_or_reason"))]
    pub test: Result<Test, Undefined>,
}

#[cfg(feature = "serde")]
fn test_or_reason<S: serde::Serializer>(test: &Result<Test, Undefined>, serializer: S) -> Result<S::Ok, S::Error> {
    use serde::Serialize as _;
    match test {
        Ok(test) => test.serialize(serializer),
        Err(undefined) => serializer.collect_map([("undefined", undefined.reason.to_string())]),
    }
}

const NO_VARIANCE: &str = "the variance is estimated as zero or less";

/// Square root of a variance that is above what rounding leaves of zero.
fn standard_error(variance: f64) -> Option<f64> {
    Some(variance.sqrt()).filter(|se| *se > f64::EPSILON)
}

impl ReaderStudy {
    pub(super) fn reader_estimates(&self, endpoints: &Endpoints, level: Level) -> Vec<ReaderEstimate> {
        let each = endpoints.cells.iter().zip(&endpoints.theta).enumerate();
        each.map(|(k, (&(treatment, reader), &value))| {
            let n = self.cell(treatment, reader).cases.len();
            let se = standard_error(endpoints.covariance[k][k]);
            let estimate = match se {
                Some(se) => {
                    let half = level.z() * se;
                    Estimate::new(value, ((value - half).max(0.0), (value + half).min(1.0)), "Wald", n)
                }
                None => Estimate::without_limits(value, NO_VARIANCE, n),
            };
            let (reader, treatment) = (self.readers()[reader].clone(), self.treatments()[treatment].clone());
            ReaderEstimate { reader, treatment, estimate, se }
        })
        .collect()
    }

    pub(super) fn reader_differences(
        &self,
        endpoints: &Endpoints,
        pairs: &[(usize, usize)],
        level: Level,
    ) -> Vec<ReaderDifference> {
        let mut differences = Vec::new();
        for reader in 0..self.readers().len() {
            for &(first, second) in pairs {
                let place = |treatment: usize| endpoints.cells.iter().position(|&cell| cell == (treatment, reader));
                let Some((a, b)) = place(first).zip(place(second)) else { continue };
                let value = endpoints.theta[a] - endpoints.theta[b];
                let covariance = &endpoints.covariance;
                let se = standard_error(covariance[a][a] + covariance[b][b] - 2.0 * covariance[a][b]);
                let n = self.cell(first, reader).cases.len().max(self.cell(second, reader).cases.len());
                let half = se.map(|se| level.z() * se);
                differences.push(ReaderDifference {
                    reader: self.readers()[reader].clone(),
                    first: self.treatments()[first].clone(),
                    second: self.treatments()[second].clone(),
                    difference: half.map_or(Estimate::without_limits(value, NO_VARIANCE, n), |half| {
                        Estimate::new(value, (value - half, value + half), "Wald", n)
                    }),
                    se,
                    test: se.map_or(Err(Undefined::new("difference of treatments", Reason::ZeroVariance)), |se| {
                        Ok(two_sided(value / se, None))
                    }),
                });
            }
        }
        differences
    }
}
