//! Wilcoxon's signed-rank test of paired differences, such as of reading times.
//!
//! ```
//! use coxa_stats::{Level, ranks};
//!
//! // Seconds a film, aided less unaided, of seven readers.
//! let test = ranks::signed_rank(&[-1.2, 0.4, -2.2, -3.1, -0.9, 1.1, -1.7], Level::P95)?;
//! assert!((test.test.p - 0.109375).abs() < 1e-12 && test.center.value == -1.125);
//! # Ok::<(), coxa_stats::Undefined>(())
//! ```

use crate::distribution::normal_cdf;
use crate::estimate::{Estimate, Level, Reason, Test, Undefined, check_finite};

/// The test with the center it tests.
#[derive(Debug, Clone, Copy, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
pub struct SignedRank {
    /// Hodges & Lehmann's estimate, the median of the pairwise means, with the interval that inverts the exact test; none where the
    /// test is not exact.
    pub center: Estimate,
    /// V, the sum of the ranks of positive differences, with its two-sided p.
    pub test: Test,
}

const STATISTIC: &str = "signed-rank test";

/// With more differences than this, or ties or zeros, the p-value is that of the normal approximation; as R's `wilcox.test`.
const EXACT: usize = 49;

/// Wilcoxon's signed-rank test that differences are symmetric about zero, as R's `wilcox.test(x)`: exact up to 49 differences without
/// ties and zeros, else the normal approximation with continuity correction, zeros being dropped.
///
/// # Errors
/// Undefined where a difference is not finite, or none differs from zero.
pub fn signed_rank(differences: &[f64], level: Level) -> Result<SignedRank, Undefined> {
    check_finite(STATISTIC, differences)?;
    let mut sizes: Vec<(f64, bool)> = differences.iter().filter(|d| **d != 0.0).map(|d| (d.abs(), *d > 0.0)).collect();
    let n = sizes.len();
    if n == 0 {
        return Err(Undefined::new(STATISTIC, Reason::ZeroDenominator("no difference from zero")));
    }
    sizes.sort_unstable_by(|a, b| a.0.total_cmp(&b.0));
    let (mut v, mut ties) = (0.0, 0.0);
    let mut from = 0;
    for group in sizes.chunk_by(|a, b| a.0 == b.0) {
        let size = group.len() as f64;
        let rank = from as f64 + (size + 1.0) / 2.0;
        v += rank * group.iter().filter(|(_, positive)| *positive).count() as f64;
        ties += size * size * size - size;
        from += group.len();
    }
    let exact = n <= EXACT && ties == 0.0 && n == differences.len();
    let mut means: Vec<f64> = (0..differences.len())
        .flat_map(|i| (i..differences.len()).map(move |j| (i, j)))
        .map(|(i, j)| (differences[i] + differences[j]) / 2.0)
        .collect();
    means.sort_unstable_by(f64::total_cmp);
    let center = crate::bootstrap::quantile(&means, 0.5);
    if !exact {
        let count = n as f64;
        let excess = v - count * (count + 1.0) / 4.0;
        let variance = count * (count + 1.0) * (2.0 * count + 1.0) / 24.0 - ties / 48.0;
        let correction = if excess == 0.0 { 0.0 } else { 0.5_f64.copysign(excess) };
        let p = (2.0 * normal_cdf(-((excess - correction) / variance.sqrt()).abs())).min(1.0);
        let because = "with ties, zeros or fifty differences the test is not exact";
        return Ok(SignedRank {
            center: Estimate::without_limits(center, because, differences.len()),
            test: Test { statistic: v, df: None, p, method: "Wilcoxon signed-rank, normal approximation" },
        });
    }
    let below = distribution(n);
    let tail = v.min(n as f64 * (n as f64 + 1.0) / 2.0 - v) as usize;
    let test = Test { statistic: v, df: None, p: (2.0 * below[tail]).min(1.0), method: "Wilcoxon signed-rank, exact" };
    // The largest k with P(V ≤ k − 1) ≤ α/2: the limits are the k-th of the means from either end.
    let k = below.iter().take_while(|&&p| p <= level.tail()).count();
    let estimate = if k == 0 {
        Estimate::without_limits(center, "too few differences for an interval of this level", n)
    } else {
        Estimate::new(center, (means[k - 1], means[means.len() - k]), "Hodges-Lehmann, exact", n)
    };
    Ok(SignedRank { center: estimate, test })
}

/// P(V ≤ v) for v from 0, V the sum of a random subset of the ranks 1 to n.
fn distribution(n: usize) -> Vec<f64> {
    let most = n * (n + 1) / 2;
    let mut mass = vec![0.0; most + 1];
    mass[0] = 1.0;
    for rank in 1..=n {
        for v in (0..=most).rev() {
            mass[v] = (mass[v] + if v >= rank { mass[v - rank] } else { 0.0 }) / 2.0;
        }
    }
    let mut sum = 0.0;
    mass.iter()
        .map(|p| {
            sum += p;
            sum
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn five_differences_have_no_interval_and_six_have() {
        let five = signed_rank(&[1.0, 2.0, 3.0, 4.0, 5.5], Level::P95).unwrap();
        assert!(five.center.limits.is_err() && five.test.p == 0.0625);
        let six = signed_rank(&[1.0, 2.0, 3.0, 4.0, 5.5, 7.0], Level::P95).unwrap();
        assert_eq!((six.center.low(), six.center.high()), (Some(1.0), Some(7.0)));
        assert!(signed_rank(&[0.0, 0.0], Level::P95).is_err());
        assert!(signed_rank(&[], Level::P95).is_err());
        assert!(signed_rank(&[1.0, f64::NAN], Level::P95).is_err());
    }
}
