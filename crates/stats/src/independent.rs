//! A proportion in each of two independent groups, and their difference, where observations come in clusters: the arms of a trial,
//! with patients that several physicians judged.
//!
//! ```
//! use coxa_stats::{Level, independent::{Group, difference}};
//!
//! // Newcombe 1998 (part 2), his first example: 56 of 70 and 48 of 80.
//! let of = |k: usize, n: usize| (0..n).map(|i| i < k).collect::<Vec<bool>>();
//! let (a, b) = (of(56, 70), of(48, 80));
//! let found = difference(Group::new(&a), Group::new(&b), Level::P95)?;
//! let limits = found.limits.expect("both groups have observations");
//! assert!((limits.low - 0.0524).abs() < 5e-5 && (limits.high - 0.3339).abs() < 5e-5);
//! # Ok::<(), coxa_stats::Undefined>(())
//! ```

use crate::estimate::{Estimate, Level, Reason, Undefined};
use crate::interval::wilson;
use crate::scored::{Clusters, Inference};

/// Observations of one group: whether each is a hit, and which belong together.
#[derive(Debug, Clone, Copy)]
pub struct Group<'a> {
    hits: &'a [bool],
    clusters: Option<&'a Clusters>,
}

impl<'a> Group<'a> {
    /// Independent observations.
    pub fn new(hits: &'a [bool]) -> Self {
        Self { hits, clusters: None }
    }

    /// Observations in clusters.
    ///
    /// # Errors
    /// When lengths differ.
    pub fn clustered(hits: &'a [bool], clusters: &'a Clusters) -> Result<Self, Undefined> {
        clusters.require_length(PROPORTION, hits.len())?;
        Ok(Self { hits, clusters: Some(clusters) })
    }

    /// The share of hits, and how many independent observations it is worth: n over the design effect (Rao & Scott 1992), at most n.
    /// A share of 0 or 1 has no design effect: each cluster counts once.
    fn share(&self) -> Result<(f64, f64), Undefined> {
        let n = self.hits.len();
        if n == 0 {
            return Err(Undefined::new(PROPORTION, Reason::ZeroDenominator("no observation")));
        }
        let p = self.hits.iter().filter(|&&hit| hit).count() as f64 / n as f64;
        let independent = Some(n as f64);
        let worth = match self.clusters {
            None => independent,
            Some(clusters) if clusters.count() == n => independent,
            Some(clusters) if p == 0.0 || p == 1.0 => Some(clusters.count() as f64),
            Some(clusters) => {
                let excess: Vec<f64> = self.hits.iter().map(|&hit| f64::from(u8::from(hit)) - p).collect();
                let inference = Inference { level: Level::P95, clusters: Some(clusters) };
                let variance = inference.variance_of_sum(&excess).map(|sum| sum / (n * n) as f64);
                variance.map(|variance| (p * (1.0 - p) / variance).min(n as f64))
            }
        };
        worth.map(|worth| (p, worth)).ok_or_else(|| Undefined::new(PROPORTION, Reason::TooFew { n: 1, needed: 2 }))
    }

    fn limits(&self, level: Level) -> Result<(f64, f64, f64), Undefined> {
        let (p, worth) = self.share()?;
        let (low, high) = wilson(p, worth, level);
        Ok((p, low.clamp(0.0, p), high.clamp(p, 1.0)))
    }
}

const PROPORTION: &str = "proportion";

/// The share of hits with Wilson's interval for the number of independent observations that it is worth.
///
/// # Errors
/// Undefined without observations, or with one cluster alone.
pub fn proportion(group: Group<'_>, level: Level) -> Result<Estimate, Undefined> {
    let (value, low, high) = group.limits(level)?;
    let method = if group.clusters.is_some() { "Wilson, by cluster" } else { "Wilson" };
    Ok(Estimate::new(value, (low, high), method, group.hits.len()))
}

/// Share of `a` less share of `b`: Newcombe's hybrid score interval (1998, part 2, method 10), p₁ − p₂ − √((p₁ − l₁)² + (u₂ − p₂)²) to
/// p₁ − p₂ + √((u₁ − p₁)² + (p₂ − l₂)²), from the limits that [`proportion`] has for each.
///
/// # Errors
/// Undefined where either share is.
pub fn difference(a: Group<'_>, b: Group<'_>, level: Level) -> Result<Estimate, Undefined> {
    let ((p_a, low_a, high_a), (p_b, low_b, high_b)) = (a.limits(level)?, b.limits(level)?);
    let value = p_a - p_b;
    let limits = (value - (p_a - low_a).hypot(high_b - p_b), value + (high_a - p_a).hypot(p_b - low_b));
    let is_clustered = a.clusters.is_some() || b.clusters.is_some();
    let method = if is_clustered { "Newcombe's hybrid score, by cluster" } else { "Newcombe's hybrid score" };
    Ok(Estimate::new(value, limits, method, a.hits.len() + b.hits.len()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(k: usize, n: usize) -> Vec<bool> {
        (0..n).map(|i| i < k).collect()
    }

    #[test]
    fn newcombes_examples() {
        // Newcombe 1998, table II: 9/10 and 3/10; 5/56 and 0/29; 10/10 and 0/10.
        for ((k, n), (l, m), low, high) in [
            ((9, 10), (3, 10), 0.1705, 0.8090),
            ((5, 56), (0, 29), -0.0381, 0.1926),
            ((10, 10), (0, 10), 0.6075, 1.0000),
        ] {
            let (a, b) = (of(k, n), of(l, m));
            let found = difference(Group::new(&a), Group::new(&b), Level::P95).unwrap();
            assert!((found.low().unwrap() - low).abs() < 5e-5, "{found:?}");
            assert!((found.high().unwrap() - high).abs() < 5e-5, "{found:?}");
        }
    }

    #[test]
    fn repeating_each_observation_adds_nothing() {
        let (once, twice) = (of(30, 50), [of(30, 50), of(30, 50)].concat());
        let ids: Vec<usize> = (0..50).chain(0..50).collect();
        let clusters = Clusters::new(&ids);
        let plain = proportion(Group::new(&once), Level::P95).unwrap();
        let by_cluster = proportion(Group::clustered(&twice, &clusters).unwrap(), Level::P95).unwrap();
        // Worth 49 of 50: the between-cluster variance divides by one less.
        assert!((by_cluster.low().unwrap() - plain.low().unwrap()).abs() < 2e-3, "{by_cluster:?} {plain:?}");
        let naive = proportion(Group::new(&twice), Level::P95).unwrap();
        assert!(naive.low().unwrap() > by_cluster.low().unwrap() + 0.02);
    }

    #[test]
    fn clusters_of_one_change_nothing_and_no_observation_is_undefined() {
        let hits = of(3, 9);
        let clusters = Clusters::new(&(0..9).collect::<Vec<_>>());
        let of_one = proportion(Group::clustered(&hits, &clusters).unwrap(), Level::P95).unwrap();
        assert_eq!(of_one.limits.unwrap().low, proportion(Group::new(&hits), Level::P95).unwrap().limits.unwrap().low);
        assert!(difference(Group::new(&hits), Group::new(&[]), Level::P95).is_err());
        let all = vec![true; 6];
        let two = Clusters::new(&[0, 0, 0, 1, 1, 1]);
        let certain = proportion(Group::clustered(&all, &two).unwrap(), Level::P95).unwrap();
        assert!(certain.low().unwrap() < 0.4, "two patients, not six films: {certain:?}");
    }
}
