//! Tests of counts: McNemar's for paired readings, the chi-square test and Fisher's exact test for independent groups.
//!
//! ```
//! use coxa_stats::Level;
//! use coxa_stats::contingency::{McNemar, fisher_exact, mcnemar};
//!
//! // Nine films that only the first network classifies correctly, two that only the second does.
//! assert!((mcnemar(9, 2, McNemar::Exact)?.p - 0.0654).abs() < 1e-4);
//! // Fisher's lady tasting tea.
//! assert!((fisher_exact([[3, 1], [1, 3]], Level::P95)?.p - 34.0 / 70.0).abs() < 1e-12);
//! # Ok::<(), coxa_stats::Undefined>(())
//! ```

use crate::distribution::{binomial_cdf, binomial_pmf, chi_square_sf, hypergeometric_log_pmf, normal_cdf, root};
use crate::estimate::{Estimate, Level, Reason, Test, Undefined, check_lengths};
use crate::scored::Clusters;

/// Which form of McNemar's test.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "snake_case"))]
pub enum McNemar {
    /// (|b − c| − 1)²/(b + c), chi-square with one degree of freedom (Edwards 1948); R's default. No correction when b = c.
    Corrected,
    /// (b − c)²/(b + c), chi-square with one degree of freedom (McNemar 1947).
    Uncorrected,
    /// Twice the smaller binomial tail of b in b + c at ½, at most 1; R's `binom.test(b, b + c)`.
    #[default]
    Exact,
    /// The exact test less half the probability of the outcomes with just this |b − c|: two, or one where b = c (Fagerland,
    /// Lydersen & Laake 2013).
    MidP,
}

/// Whether a chi-square test of a 2×2 table is corrected for continuity.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "snake_case"))]
pub enum Continuity {
    /// Yates' correction min(½, |O − E|) for 2×2 tables, none for larger ones: R's default.
    #[default]
    Yates,
    /// No correction.
    None,
}

/// Fisher's exact test of a 2×2 table.
#[derive(Debug, Clone, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
pub struct Fisher {
    /// Two-sided p-value: the probability of all tables no more likely than this one.
    pub p: f64,
    /// The conditional maximum-likelihood odds ratio with its exact interval; undefined where it is infinite or is not found.
    pub odds_ratio: Result<Estimate, Undefined>,
}

/// Counts the discordant pairs of two readings: (only `a` correct, only `b` correct).
///
/// # Errors
/// When the lengths differ.
pub fn discordant(a_correct: &[bool], b_correct: &[bool]) -> Result<(u64, u64), Undefined> {
    check_lengths("McNemar's test", a_correct.len(), b_correct.len())?;
    let pairs = || a_correct.iter().zip(b_correct);
    Ok((pairs().filter(|&(&a, &b)| a && !b).count() as u64, pairs().filter(|&(&a, &b)| !a && b).count() as u64))
}

/// McNemar's test of the discordant counts `b` and `c`; the statistic is the chi-square, or `b` itself when exact.
///
/// # Errors
/// Undefined when there is no discordant pair.
pub fn mcnemar(b: u64, c: u64, form: McNemar) -> Result<Test, Undefined> {
    let total = b + c;
    if total == 0 {
        return Err(Undefined::new("McNemar's test", Reason::ZeroDenominator("no discordant pair")));
    }
    let chi_square = |difference: f64, method| {
        let statistic = difference * difference / total as f64;
        Test { statistic, df: Some(1.0), p: chi_square_sf(statistic, 1), method }
    };
    let both_tails = || (2.0 * binomial_cdf(b.min(c), total, 0.5)).min(1.0);
    let difference = b.abs_diff(c) as f64;
    Ok(match form {
        McNemar::Corrected => chi_square((difference - 1.0).max(0.0), "McNemar's test with continuity correction"),
        McNemar::Uncorrected => chi_square(difference, "McNemar's test"),
        McNemar::Exact => Test { statistic: b as f64, df: None, p: both_tails(), method: "exact McNemar test" },
        McNemar::MidP => Test {
            statistic: b as f64,
            df: None,
            p: if b == c {
                1.0 - 0.5 * binomial_pmf(b, total, 0.5)
            } else {
                both_tails() - binomial_pmf(b.min(c), total, 0.5)
            },
            method: "mid-p McNemar test",
        },
    })
}

/// The exact test of two paired readings in clusters, such as several films of one patient: with d_k the pairs of cluster k where only
/// the first is correct less those where only the second is, every d_k keeps or changes its sign with probability ½ if neither
/// reading is better. p is the probability of a |Σ d_k| at least as large as the observed. Clusters of one give McNemar's exact
/// test. Above two hundred million steps, the normal test of Obuchowski (1998), z = Σ d_k/√(Σ d_k²), is used in its place.
///
/// # Errors
/// When the lengths differ; undefined when no cluster has a difference.
pub fn clustered_mcnemar(a_correct: &[bool], b_correct: &[bool], clusters: &Clusters) -> Result<Test, Undefined> {
    let statistic = "McNemar's test of clusters";
    check_lengths(statistic, a_correct.len(), b_correct.len())?;
    clusters.require_length(statistic, a_correct.len())?;
    let mut differences = vec![0_i64; clusters.count()];
    for ((&a, &b), &cluster) in a_correct.iter().zip(b_correct).zip(clusters.of()) {
        differences[cluster] += i64::from(a) - i64::from(b);
    }
    differences.retain(|&difference| difference != 0);
    if differences.is_empty() {
        return Err(Undefined::new(statistic, Reason::ZeroDenominator("no cluster with a difference")));
    }
    let sum: i64 = differences.iter().sum();
    let reach: u64 = differences.iter().map(|difference| difference.unsigned_abs()).sum();
    if (differences.len() as u64).saturating_mul(reach) > MOST_STEPS {
        let squares: f64 = differences.iter().map(|&d| (d * d) as f64).sum();
        let z = sum as f64 / squares.sqrt();
        let p = 2.0 * normal_cdf(-z.abs());
        return Ok(Test { statistic: z, df: None, p, method: "Obuchowski's test of clustered pairs (1998)" });
    }
    // By the number of differences that fall to the first reading: the sum is twice it, less the reach.
    let mut probability = vec![0.0; reach as usize + 1];
    probability[0] = 1.0;
    let mut top = 0;
    for size in differences.iter().map(|difference| difference.unsigned_abs() as usize) {
        for first in (0..=top + size).rev() {
            let moved = if first >= size { probability[first - size] } else { 0.0 };
            probability[first] = (probability[first] + moved) / 2.0;
        }
        top += size;
    }
    let far = |first: usize| (2 * first as i64 - reach as i64).abs() >= sum.abs();
    let p: f64 = probability.iter().enumerate().filter(|&(first, _)| far(first)).map(|(_, p)| p).sum();
    Ok(Test { statistic: sum as f64, df: None, p: p.min(1.0), method: "exact test of clustered pairs (sign changes)" })
}

/// The most steps that the exact test of clustered pairs takes.
const MOST_STEPS: u64 = 200_000_000;

/// Pearson's chi-square test of independence of a table given by rows, all of one length.
///
/// # Errors
/// Undefined for fewer than two rows or columns, rows of different length, or an empty row or column.
pub fn chi_square(table: &[&[u64]], continuity: Continuity) -> Result<Test, Undefined> {
    let statistic = "chi-square test";
    let rows = table.len();
    let columns = table.first().map_or(0, |row| row.len());
    if rows.min(columns) < 2 {
        return Err(Undefined::new(statistic, Reason::TooFew { n: rows.min(columns), needed: 2 }));
    }
    for row in table {
        check_lengths(statistic, columns, row.len())?;
    }
    let row_sums: Vec<f64> = table.iter().map(|row| row.iter().sum::<u64>() as f64).collect();
    let column_sums: Vec<f64> = (0..columns).map(|j| table.iter().map(|row| row[j]).sum::<u64>() as f64).collect();
    if row_sums.iter().chain(&column_sums).any(|&sum| sum == 0.0) {
        return Err(Undefined::new(statistic, Reason::ZeroDenominator("a row or a column of the table is empty")));
    }
    let total: f64 = row_sums.iter().sum();
    let cells = || {
        table.iter().zip(&row_sums).flat_map(|(row, row_sum)| {
            row.iter().zip(&column_sums).map(move |(&observed, column_sum)| {
                let expected = row_sum * column_sum / total;
                ((observed as f64 - expected).abs(), expected)
            })
        })
    };
    let two_by_two = rows == 2 && columns == 2;
    let (correction, method) = if two_by_two && continuity == Continuity::Yates {
        (cells().fold(0.5, |least: f64, (distance, _)| least.min(distance)), "chi-square test with Yates' correction")
    } else {
        (0.0, "chi-square test")
    };
    let statistic: f64 = cells().map(|(distance, expected)| (distance - correction).powi(2) / expected).sum();
    let df = ((rows - 1) * (columns - 1)) as u32;
    Ok(Test { statistic, df: Some(f64::from(df)), p: chi_square_sf(statistic, df), method })
}

/// Fisher's exact test of the table [[a, b], [c, d]], as R's `fisher.test`.
///
/// The p-value sums the hypergeometric probabilities that are at most this table's (within 1e-7 relative, as R). The odds ratio
/// maximizes the conditional (noncentral hypergeometric) likelihood, and its interval inverts two one-sided exact tests.
///
/// # Errors
/// Undefined when a row or a column is empty.
pub fn fisher_exact([[a, b], [c, d]]: [[u64; 2]; 2], level: Level) -> Result<Fisher, Undefined> {
    let (marked, unmarked, draws) = (a + c, b + d, a + b);
    if marked == 0 || unmarked == 0 || draws == 0 || c + d == 0 {
        return Err(Undefined::new(
            "Fisher's exact test",
            Reason::ZeroDenominator("a row or a column of the table is empty"),
        ));
    }
    let low = draws.saturating_sub(unmarked);
    let high = draws.min(marked);
    let log_null: Vec<f64> = (low..=high).map(|k| hypergeometric_log_pmf(k, marked, unmarked, draws)).collect();
    let cut = log_null[(a - low) as usize] + 1e-7_f64.ln_1p();
    // Each is at most `cut`: taken out, it leaves a sum of at least about 1, so that only `p` itself can underflow.
    let shares: f64 = log_null.iter().filter(|&&log| log <= cut).map(|log| (log - cut).exp()).sum();
    let p = (cut + shares.ln()).exp();
    let conditional = Conditional { low, log_null };
    Ok(Fisher { p: p.min(1.0), odds_ratio: conditional.odds_ratio(a, (a + b + c + d) as usize, level) })
}

/// The noncentral hypergeometric distribution over a table's support, by the log of the odds ratio.
struct Conditional {
    low: u64,
    log_null: Vec<f64>,
}

impl Conditional {
    /// (P(X < x), P(X = x), P(X > x), mean) at a log odds ratio.
    fn at(&self, log_odds: f64, x: u64) -> (f64, f64, f64, f64) {
        let exponent = |index: usize| self.log_null[index] + log_odds * (self.low + index as u64) as f64;
        let indices = 0..self.log_null.len();
        let largest = indices.clone().map(exponent).fold(f64::NEG_INFINITY, f64::max);
        let (mut below, mut equal, mut above, mut moment) = (0.0, 0.0, 0.0, 0.0);
        for index in indices {
            let k = self.low + index as u64;
            let weight = (exponent(index) - largest).exp();
            moment += weight * k as f64;
            *match k.cmp(&x) {
                std::cmp::Ordering::Less => &mut below,
                std::cmp::Ordering::Equal => &mut equal,
                std::cmp::Ordering::Greater => &mut above,
            } += weight;
        }
        let total = below + equal + above;
        (below / total, equal / total, above / total, moment / total)
    }

    fn odds_ratio(&self, x: u64, n: usize, level: Level) -> Result<Estimate, Undefined> {
        let (low, high) = (self.low, self.low + self.log_null.len() as u64 - 1);
        if x == high {
            return Err(Undefined::new("odds ratio", Reason::ZeroDenominator("the odds ratio is infinite")));
        }
        let tail = level.tail();
        let upper = solve_odds(|t| {
            let (below, equal, _, _) = self.at(t, x);
            tail - (below + equal)
        })?;
        let (value, lower) = if x == low {
            (0.0, 0.0)
        } else {
            (
                solve_odds(|t| self.at(t, x).3 - x as f64)?,
                solve_odds(|t| {
                    let (_, equal, above, _) = self.at(t, x);
                    equal + above - tail
                })?,
            )
        };
        Ok(Estimate::new(value, (lower, upper), "exact conditional", n))
    }
}

/// The odds ratio at whose logarithm, from −512 to 512, an increasing function is 0.
fn solve_odds(f: impl Fn(f64) -> f64) -> Result<f64, Undefined> {
    let changes_sign = |bound: f64| f(-bound) <= 0.0 && f(bound) >= 0.0;
    let bound = (0..10).map(|power| f64::from(1 << power)).find(|&bound| changes_sign(bound));
    match bound {
        Some(bound) => Ok(root(f, -bound, bound).exp()),
        None => Err(Undefined::new("odds ratio", Reason::NoConvergence)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tea_tasting() {
        // R's own example: fisher.test of the lady tasting tea, p = 34/70.
        let fisher = fisher_exact([[3, 1], [1, 3]], Level::P95).unwrap();
        assert!((fisher.p - 34.0 / 70.0).abs() < 1e-14);
        let odds = fisher.odds_ratio.unwrap();
        assert!((odds.value - 6.408309).abs() < 1e-3, "{odds:?}");
    }

    #[test]
    fn large_tables_do_not_underflow() {
        // This table's own probability is far below the smallest double. So large a table's odds ratio is nearly normal on its
        // logarithm, with the standard error √(1/a + 1/b + 1/c + 1/d).
        let odds = fisher_exact([[7000, 300], [300, 7000]], Level::P95).unwrap().odds_ratio.unwrap();
        let (log_odds, se) = (2.0 * (7000.0_f64 / 300.0).ln(), (2.0_f64 / 7000.0 + 2.0 / 300.0).sqrt());
        assert!((odds.value.ln() - log_odds).abs() < 0.01, "{odds:?}");
        assert!((odds.high().unwrap() / odds.low().unwrap()).ln() / (2.0 * Level::P95.z() * se) < 1.05, "{odds:?}");
        assert_eq!(solve_odds(|_| 1.0).unwrap_err().reason, Reason::NoConvergence);
    }

    #[test]
    fn mcnemar_needs_discordance() {
        assert!(mcnemar(0, 0, McNemar::Exact).is_err());
        assert_eq!(mcnemar(3, 3, McNemar::Corrected).unwrap().p, 1.0);
        assert_eq!(mcnemar(3, 3, McNemar::Exact).unwrap().p, 1.0);
        let exact = mcnemar(0, 5, McNemar::Exact).unwrap();
        assert!((exact.p - 0.0625).abs() < 1e-15);
        let mid = mcnemar(0, 5, McNemar::MidP).unwrap();
        assert!((mid.p - 0.03125).abs() < 1e-15);
        // 1 − ½ · 2/4.
        assert!((mcnemar(1, 1, McNemar::MidP).unwrap().p - 0.75).abs() < 1e-15);
        assert_eq!(discordant(&[true, true, false, false], &[true, false, true, true]), Ok((1, 2)));
    }

    #[test]
    fn clusters_of_one_are_mcnemars_exact_test() {
        for (b, c) in [(0, 5), (3, 3), (7, 2), (1, 0), (12, 20)] {
            let a_correct: Vec<bool> = (0..b + c + 4).map(|i| i < b || i >= b + c).collect();
            let b_correct: Vec<bool> = (0..b + c + 4).map(|i| i >= b).collect();
            let ids: Vec<u64> = (0..b + c + 4).collect();
            let test = clustered_mcnemar(&a_correct, &b_correct, &Clusters::new(&ids)).unwrap();
            assert!((test.p - mcnemar(b, c, McNemar::Exact).unwrap().p).abs() < 1e-12, "{b} {c}: {}", test.p);
        }
    }

    #[test]
    fn a_patients_films_change_sign_together() {
        // Three patients: 2 and 1 films where only the first is right, 1 where only the second is. Sums of ±2 ±1 ±1: |2| or more
        // in 6 of 8.
        let (a, b) = ([true, true, true, false, true], [false, false, false, true, true]);
        let test = clustered_mcnemar(&a, &b, &Clusters::new(&[0, 0, 1, 2, 2])).unwrap();
        assert_eq!((test.statistic, test.p), (2.0, 0.75));
        assert!(clustered_mcnemar(&a, &a, &Clusters::new(&[0, 0, 1, 2, 2])).is_err());
        assert!(clustered_mcnemar(&a, &b, &Clusters::new(&[0, 1])).is_err());
        // Too many steps for the exact test: 20,000 patients, one step in a hundred to the first.
        let many: Vec<bool> = (0..40_000).map(|i| i / 2 % 100 < 51).collect();
        let other: Vec<bool> = many.iter().map(|a| !a).collect();
        let ids: Vec<usize> = (0..40_000).map(|i| i / 2).collect();
        let test = clustered_mcnemar(&many, &other, &Clusters::new(&ids)).unwrap();
        assert!((test.statistic - 800.0 / (4.0_f64 * 20_000.0).sqrt()).abs() < 1e-12);
    }

    #[test]
    fn empty_margins_are_undefined() {
        assert!(chi_square(&[&[0, 0], &[1, 2]], Continuity::Yates).is_err());
        assert!(chi_square(&[&[1, 2]], Continuity::Yates).is_err());
        assert!(chi_square(&[&[1, 2], &[1]], Continuity::Yates).is_err());
        assert!(fisher_exact([[0, 3], [0, 4]], Level::P95).is_err());
        let infinite = fisher_exact([[4, 0], [0, 4]], Level::P95).unwrap();
        assert!(infinite.odds_ratio.is_err());
        let zero = fisher_exact([[0, 4], [4, 0]], Level::P95).unwrap();
        assert_eq!(zero.odds_ratio.unwrap().value, 0.0);
    }
}
