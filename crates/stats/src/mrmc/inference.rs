//! Tests and critical values with Hillis' degrees of freedom, and the spread of a mean over readers.

use super::components::mean;
use super::options::Random;
use crate::distribution::{chi_square_sf, t_quantile, t_two_sided};
use crate::estimate::{Level, Test};

/// The squared standard error of a mean over readers, with its degrees of freedom, from the mean variance by cases and the mean
/// covariance of two readers.
pub(super) fn spread_of_mean(values: &[f64], (error, cov2): (f64, f64), random: Random) -> (f64, Option<f64>) {
    let r = values.len() as f64;
    let center = mean(values);
    let ms = values.iter().map(|value| (value - center).powi(2)).sum::<f64>() / (r - 1.0);
    match random {
        Random::ReadersAndCases => {
            let square = ms + r * cov2.max(0.0);
            (square / r, Some(square * square / (ms * ms / (r - 1.0))))
        }
        Random::Readers => (ms / r, Some(r - 1.0)),
        Random::Cases => ((error + (r - 1.0) * cov2) / r, None),
    }
}

/// The two-sided test of a difference in standard errors.
pub(super) fn two_sided(statistic: f64, df: Option<f64>) -> Test {
    let p = match df {
        Some(df) => t_two_sided(statistic, df),
        None => chi_square_sf(statistic * statistic, 1),
    };
    Test { statistic, df, p, method: "Obuchowski-Rockette" }
}

/// The two-sided critical value of t, or of z with infinite degrees of freedom.
pub(super) fn quantile(df: Option<f64>, level: Level) -> f64 {
    match df {
        Some(df) if df.is_finite() => t_quantile(1.0 - level.tail(), df),
        _ => level.z(),
    }
}
