//! Agreement of many raters: Fleiss' kappa.

use crate::estimate::{Estimate, Reason, Undefined, check_lengths};
use crate::scored::{Inference, ONE_CLUSTER};

const STATISTIC: &str = "Fleiss' kappa";

/// Fleiss' kappa (1971): `counts[i][c]` raters put observation i into category c, equally many raters each observation.
///
/// (P̄ − P_e)/(1 − P_e), with P̄ the mean share of agreeing pairs and P_e the chance of agreement from the categories' shares. The
/// interval is Wald's with the jackknife's standard error over observations, or clusters of them, cut to [−1, 1].
///
/// # Errors
/// Undefined without an observation, with one rater, where observations differ in their number of raters or categories, and where all
/// ratings are of one category. Where leaving out one unit leaves the statistic undefined, the value has no limits.
pub fn fleiss_kappa<'c>(counts: &[Vec<u64>], inference: impl Into<Inference<'c>>) -> Result<Estimate, Undefined> {
    let inference = inference.into();
    inference.require_length(STATISTIC, counts.len())?;
    let Some(first) = counts.first() else {
        return Err(Undefined::new(STATISTIC, Reason::ZeroDenominator("no observation")));
    };
    let raters: u64 = first.iter().sum();
    if raters < 2 {
        return Err(Undefined::new(STATISTIC, Reason::TooFew { n: raters as usize, needed: 2 }));
    }
    for row in counts {
        check_lengths(STATISTIC, first.len(), row.len())?;
        if row.iter().sum::<u64>() != raters {
            return Err(Undefined::new(STATISTIC, Reason::Other("observations differ in their number of raters")));
        }
    }
    let same = "all ratings are of one category";
    let value = kappa(counts.iter(), raters).ok_or(Undefined::new(STATISTIC, Reason::ZeroDenominator(same)))?;
    let n = counts.len();
    let unit = |i: usize| inference.clusters.map_or(i, |clusters| clusters.of()[i]);
    let units = inference.clusters.map_or(n, |clusters| clusters.count());
    if units < 2 {
        return Ok(Estimate::without_limits(value, ONE_CLUSTER, n));
    }
    let without = |left_out: usize| {
        kappa(counts.iter().enumerate().filter(|(i, _)| unit(*i) != left_out).map(|(_, row)| row), raters)
    };
    let Some(left) = (0..units).map(without).collect::<Option<Vec<f64>>>() else {
        return Ok(Estimate::without_limits(
            value,
            "without one of the observations all ratings are of one category",
            n,
        ));
    };
    let count = units as f64;
    let mean = left.iter().sum::<f64>() / count;
    let variance = (count - 1.0) / count * left.iter().map(|v| (v - mean).powi(2)).sum::<f64>();
    Ok(inference.wald((value, Some(variance)), (-1.0, 1.0), "Wald, jackknife", n))
}

fn kappa<'a>(counts: impl Iterator<Item = &'a Vec<u64>>, raters: u64) -> Option<f64> {
    let (mut agreeing, mut n) = (0.0, 0.0);
    let mut totals: Vec<f64> = Vec::new();
    for row in counts {
        totals.resize(row.len(), 0.0);
        totals.iter_mut().zip(row).for_each(|(total, &count)| *total += count as f64);
        agreeing += row.iter().map(|&count| count * count.saturating_sub(1)).sum::<u64>() as f64;
        n += 1.0;
    }
    let raters = raters as f64;
    let observed = agreeing / (n * raters * (raters - 1.0));
    let chance: f64 = totals.iter().map(|total| (total / (n * raters)).powi(2)).sum();
    (n > 0.0 && 1.0 - chance > f64::EPSILON).then(|| (observed - chance) / (1.0 - chance))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::estimate::Level;

    #[test]
    fn perfect_agreement_and_none() {
        let perfect = fleiss_kappa(&[vec![3, 0], vec![0, 3], vec![3, 0], vec![0, 3]], Level::P95).unwrap();
        assert!((perfect.value - 1.0).abs() < 1e-15);
        // Two raters who never agree on two categories of equal shares.
        let none = fleiss_kappa(&[vec![1, 1], vec![1, 1]], Level::P95).unwrap();
        assert_eq!(none.value, -1.0);
        assert!(fleiss_kappa(&[vec![2, 0], vec![2, 0]], Level::P95).is_err());
        assert!(fleiss_kappa(&[vec![1, 0]], Level::P95).is_err());
        assert!(fleiss_kappa(&[vec![2, 0], vec![1, 0]], Level::P95).is_err());
        assert!(fleiss_kappa(&[], Level::P95).is_err());
        // Leaving out the only negative observation leaves one category.
        assert!(fleiss_kappa(&[vec![2, 0], vec![2, 0], vec![0, 2]], Level::P95).unwrap().limits.is_err());
    }
}
