//! Agreement beyond chance: Cohen's kappa of two raters, plain and weighted, and Fleiss' kappa of many.
//!
//! ```
//! use coxa_stats::Level;
//! use coxa_stats::agreement::{Ratings, Weights, kappa};
//!
//! let ratings = Ratings { first: &[0, 0, 1, 1, 1, 0], second: &[0, 0, 1, 1, 0, 0], categories: 2 };
//! let agreement = kappa(&ratings.table()?, Weights::Unweighted, Level::P95)?;
//! assert!((agreement.value - 2.0 / 3.0).abs() < 1e-12);
//! # Ok::<(), coxa_stats::Undefined>(())
//! ```

mod fleiss;

pub use self::fleiss::fleiss_kappa;
use crate::estimate::{Estimate, Level, Reason, Undefined, check_lengths};
use crate::scored::{Clusters, Inference};

/// How much credit a disagreement gets.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "snake_case"))]
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

/// Two raters' categories (0 to `categories` − 1) of the same observations.
#[derive(Debug, Clone, Copy)]
pub struct Ratings<'a> {
    /// The first rater's.
    pub first: &'a [usize],
    /// The second rater's.
    pub second: &'a [usize],
    /// The number of categories.
    pub categories: usize,
}

impl Ratings<'_> {
    /// Cross-tabulates: rows are the first rater's.
    ///
    /// # Errors
    /// When the lengths differ or a category is out of range, naming its index.
    pub fn table(&self) -> Result<Vec<Vec<u64>>, Undefined> {
        check_lengths("kappa", self.first.len(), self.second.len())?;
        let mut counts = vec![vec![0; self.categories]; self.categories];
        for (index, (&i, &j)) in self.first.iter().zip(self.second).enumerate() {
            let worst = i.max(j);
            if worst >= self.categories {
                let expected = "a category below the number of categories";
                let reason = Reason::ObservationOutOfRange { index, value: worst as f64, expected };
                return Err(Undefined::new("kappa", reason));
            }
            counts[i][j] += 1;
        }
        Ok(counts)
    }
}

/// Cohen's kappa (p_o − p_e)/(1 − p_e) of a square table, with the large-sample interval of Fleiss, Cohen & Everitt (1969,
/// equation 9), κ ± z·SE cut to [−1, 1]:
/// n(1−p_e)²·Var = Σ p_ij (w_ij − (w̄_i + w̄_j)(1−κ))² − (κ − p_e(1−κ))².
///
/// # Errors
/// Undefined for a table that is empty or not square, and when chance agreement is complete (both raters used one category).
pub fn kappa(counts: &[Vec<u64>], weights: Weights, level: Level) -> Result<Estimate, Undefined> {
    let parts = Parts::of(counts, weights)?;
    let k = counts.len();
    let cells = || (0..k).flat_map(|i| (0..k).map(move |j| (i, j)));
    let spread: f64 = cells().map(|(i, j)| parts.share(counts, i, j) * parts.part(i, j).powi(2)).sum();
    let variance = (spread - parts.offset().powi(2)).max(0.0) / (parts.total * (1.0 - parts.chance).powi(2));
    let range = (-1.0, 1.0);
    let method = "Wald (Fleiss, Cohen & Everitt 1969)";
    Ok(Inference::from(level).wald((parts.value, Some(variance)), range, method, parts.total as usize))
}

/// [`kappa`] of ratings in clusters, such as several films of one patient: the variance is that of the clusters' sums of the terms
/// of Fleiss, Cohen & Everitt's, times I/(I − 1) for I clusters.
///
/// # Errors
/// As [`Ratings::table`] and [`kappa`], and where the clusters' length differs. With one cluster the value has no limits.
pub fn clustered_kappa(
    ratings: Ratings<'_>,
    clusters: &Clusters,
    weights: Weights,
    level: Level,
) -> Result<Estimate, Undefined> {
    let counts = ratings.table()?;
    let inference = Inference { level, clusters: Some(clusters) };
    inference.require_length("kappa", ratings.first.len())?;
    let parts = Parts::of(&counts, weights)?;
    let scale = parts.total * (1.0 - parts.chance);
    let pairs = ratings.first.iter().zip(ratings.second);
    let terms: Vec<f64> = pairs.map(|(&i, &j)| (parts.part(i, j) - parts.offset()) / scale).collect();
    let variance = inference.variance_of_sum(&terms);
    Ok(inference.wald((parts.value, variance), (-1.0, 1.0), "Wald, clustered", ratings.first.len()))
}

/// Kappa with what its variance is made of.
struct Parts {
    total: f64,
    value: f64,
    chance: f64,
    weights: Weights,
    /// The mean weight of each of the first rater's categories, and of the second's.
    mean_weights: [Vec<f64>; 2],
}

impl Parts {
    fn of(counts: &[Vec<u64>], weights: Weights) -> Result<Self, Undefined> {
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
            let same = "both raters used one and the same category";
            return Err(Undefined::new(statistic, Reason::ZeroDenominator(same)));
        }
        let value = (observed - chance) / (1.0 - chance);
        let first = (0..k).map(|i| (0..k).map(|j| columns[j] * weight(i, j)).sum()).collect();
        let second = (0..k).map(|j| (0..k).map(|i| rows[i] * weight(i, j)).sum()).collect();
        Ok(Self { total, value, chance, weights, mean_weights: [first, second] })
    }

    fn share(&self, counts: &[Vec<u64>], i: usize, j: usize) -> f64 {
        counts[i][j] as f64 / self.total
    }

    /// w_ij − (w̄_i + w̄_j)(1 − κ).
    fn part(&self, i: usize, j: usize) -> f64 {
        let [first, second] = &self.mean_weights;
        self.weights.of(i, j, first.len()) - (first[i] + second[j]) * (1.0 - self.value)
    }

    /// κ − p_e(1 − κ), the mean of the parts.
    fn offset(&self) -> f64 {
        self.value - self.chance * (1.0 - self.value)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn perfect_and_chance_agreement() {
        let perfect = kappa(&[vec![5, 0], vec![0, 7]], Weights::Unweighted, Level::P95).unwrap();
        assert!((perfect.value - 1.0).abs() < 1e-15 && perfect.high() == Some(1.0));
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
        let table = |first, second| Ratings { first, second, categories: 2 }.table();
        assert_eq!(table(&[0, 1, 1], &[0, 1, 0]), Ok(vec![vec![1, 0], vec![1, 1]]));
        assert!(table(&[0, 2], &[0, 1]).is_err());
        assert!(table(&[0], &[0, 1]).is_err());
    }

    #[test]
    fn clusters_of_one_and_of_copies() {
        let first: Vec<usize> = (0..60).map(|i| i * 7 % 3).collect();
        let second: Vec<usize> = (0..60).map(|i| (i * 7 + i % 4 / 3) % 3).collect();
        let ratings = Ratings { first: &first, second: &second, categories: 3 };
        let width = |estimate: Estimate| estimate.limits.map(|l| l.high - l.low).unwrap();
        let plain = kappa(&ratings.table().unwrap(), Weights::Linear, Level::P95).unwrap();
        let of = |ids: Vec<usize>| clustered_kappa(ratings, &Clusters::new(&ids), Weights::Linear, Level::P95).unwrap();
        let single = of((0..60).collect());
        assert_eq!(single.value, plain.value);
        assert!((width(single) / width(plain) - (60.0_f64 / 59.0).sqrt()).abs() < 1e-9);
        assert!(of(vec![0; 60]).limits.is_err());
        let copies = |of: &[usize]| -> Vec<usize> { (0..240).map(|i| of[i / 4]).collect() };
        let (first, second) = (copies(&first), copies(&second));
        let four = Ratings { first: &first, second: &second, categories: 3 };
        let clusters = Clusters::new(&(0..240).map(|i| i / 4).collect::<Vec<_>>());
        let copied = clustered_kappa(four, &clusters, Weights::Linear, Level::P95).unwrap();
        assert!((width(copied) - width(single)).abs() < 1e-12);
    }
}
