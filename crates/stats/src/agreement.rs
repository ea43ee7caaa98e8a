//! Agreement of two raters beyond chance: Cohen's kappa, plain and weighted.

use serde::{Deserialize, Serialize};

use crate::estimate::{Estimate, Level, Reason, Undefined, check_lengths};

/// How much credit a disagreement gets.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Weights {
    /// None: Cohen (1960).
    #[default]
    Unweighted,
    /// 1 − |i − j|/(k − 1) for ordered categories (Cicchetti & Allison 1971).
    Linear,
    /// 1 − (i − j)²/(k − 1)² for ordered categories (Fleiss & Cohen 1973).
    Quadratic,
}

impl Weights {
    fn of(self, i: usize, j: usize, k: usize) -> f64 {
        let distance = i.abs_diff(j) as f64 / (k - 1) as f64;
        match self {
            Self::Unweighted => f64::from(u8::from(i == j)),
            Self::Linear => 1.0 - distance,
            Self::Quadratic => 1.0 - distance * distance,
        }
    }
}

/// Cross-tabulates two raters' categories (0 to `categories` − 1): rows are the first rater's.
///
/// # Errors
/// When the lengths differ or a category is out of range, naming its index.
pub fn table(first: &[usize], second: &[usize], categories: usize) -> Result<Vec<Vec<u64>>, Undefined> {
    check_lengths("kappa", first.len(), second.len())?;
    let mut counts = vec![vec![0; categories]; categories];
    for (index, (&i, &j)) in first.iter().zip(second).enumerate() {
        let worst = i.max(j);
        if worst >= categories {
            return Err(Undefined::new(
                "kappa",
                Reason::OutOfRange {
                    index,
                    value: worst as f64,
                    expected: "a category below the number of categories",
                },
            ));
        }
        counts[i][j] += 1;
    }
    Ok(counts)
}

/// Cohen's kappa (p_o − p_e)/(1 − p_e) of a square table, with the large-sample interval of Fleiss, Cohen & Everitt (1969,
/// equation 9), κ ± z·SE cut to [−1, 1]:
/// n(1−p_e)²·Var = Σ p_ij (w_ij − (w̄_i + w̄_j)(1−κ))² − (κ − p_e(1−κ))².
///
/// # Errors
/// Undefined for a table that is empty or not square, and when chance agreement is complete (both raters used one category).
pub fn kappa(counts: &[Vec<u64>], weights: Weights, level: Level) -> Result<Estimate, Undefined> {
    let statistic = "kappa";
    let k = counts.len();
    if k < 2 {
        return Err(Undefined::new(statistic, Reason::TooFew { n: k, needed: 2 }));
    }
    for row in counts {
        check_lengths(statistic, k, row.len())?;
    }
    let n: u64 = counts.iter().flatten().sum();
    if n == 0 {
        return Err(Undefined::new(statistic, Reason::ZeroDenominator("no observation")));
    }
    let total = n as f64;
    let share = |i: usize, j: usize| counts[i][j] as f64 / total;
    let rows: Vec<f64> = (0..k).map(|i| (0..k).map(|j| share(i, j)).sum()).collect();
    let columns: Vec<f64> = (0..k).map(|j| (0..k).map(|i| share(i, j)).sum()).collect();
    let cells = || (0..k).flat_map(|i| (0..k).map(move |j| (i, j)));
    let weight = |i, j| weights.of(i, j, k);
    let observed: f64 = cells().map(|(i, j)| weight(i, j) * share(i, j)).sum();
    let chance: f64 = cells().map(|(i, j)| weight(i, j) * rows[i] * columns[j]).sum();
    // Exact when one category holds everything; rounding cannot reach it otherwise with fewer than 2^52 observations.
    if 1.0 - chance <= f64::EPSILON {
        return Err(Undefined::new(statistic, Reason::ZeroDenominator("both raters used one and the same category")));
    }
    let value = (observed - chance) / (1.0 - chance);
    let row_weight: Vec<f64> = (0..k).map(|i| (0..k).map(|j| columns[j] * weight(i, j)).sum()).collect();
    let column_weight: Vec<f64> = (0..k).map(|j| (0..k).map(|i| rows[i] * weight(i, j)).sum()).collect();
    let spread: f64 = cells()
        .map(|(i, j)| {
            let part = weight(i, j) - (row_weight[i] + column_weight[j]) * (1.0 - value);
            share(i, j) * part * part
        })
        .sum();
    let offset = value - chance * (1.0 - value);
    let variance = (spread - offset * offset).max(0.0) / (total * (1.0 - chance).powi(2));
    let half = level.z() * variance.sqrt();
    Ok(Estimate {
        value,
        low: (value - half).max(-1.0).min(value),
        high: (value + half).min(1.0).max(value),
        method: "Wald (Fleiss, Cohen & Everitt 1969)",
        n: n as usize,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn perfect_and_chance_agreement() {
        let perfect = kappa(&[vec![5, 0], vec![0, 7]], Weights::Unweighted, Level::P95).unwrap();
        assert!((perfect.value - 1.0).abs() < 1e-15 && (perfect.high - 1.0).abs() < 1e-15);
        let chance = kappa(&[vec![4, 4], vec![4, 4]], Weights::Unweighted, Level::P95).unwrap();
        assert_eq!(chance.value, 0.0);
        assert!(kappa(&[vec![9, 0], vec![0, 0]], Weights::Unweighted, Level::P95).is_err());
        assert!(kappa(&[vec![0, 0], vec![0, 0]], Weights::Unweighted, Level::P95).is_err());
        assert!(kappa(&[vec![1, 0], vec![0]], Weights::Unweighted, Level::P95).is_err());
    }

    #[test]
    fn two_categories_need_no_weights() {
        let counts = [vec![20, 5], vec![10, 15]];
        let plain = kappa(&counts, Weights::Unweighted, Level::P95).unwrap();
        for weights in [Weights::Linear, Weights::Quadratic] {
            assert_eq!(kappa(&counts, weights, Level::P95).unwrap(), plain);
        }
        assert!((plain.value - 0.4).abs() < 1e-15);
    }

    #[test]
    fn ratings_are_tabulated() {
        assert_eq!(table(&[0, 1, 1], &[0, 1, 0], 2), Ok(vec![vec![1, 0], vec![1, 1]]));
        assert!(table(&[0, 2], &[0, 1], 2).is_err());
        assert!(table(&[0], &[0, 1], 2).is_err());
    }
}
