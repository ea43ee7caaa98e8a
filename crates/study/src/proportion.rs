//! Proportions and means of films, whose patients may have several.

use coxa_stats::{
    Bootstrap, Clusters, Estimate, Interval, Level, Limits, Metric, Plan, Resampling, Undefined, bootstrap, interval,
};

/// How the interval of a proportion of films is made.
#[derive(Debug, Clone, Copy)]
pub struct Proportion<'a> {
    /// Which films belong together, where films are not independent.
    pub clusters: Option<&'a Clusters>,
    /// The confidence level.
    pub level: Level,
    /// The interval where films are independent.
    pub interval: Interval,
    /// The bootstrap of patients, where they are not.
    pub plan: Plan,
}

impl Proportion<'_> {
    /// The share of films that are hits; where films are not independent, by a bootstrap of patients, and at 0 or 1 by an exact interval in
    /// which each patient counts once.
    ///
    /// # Errors
    /// Undefined without a film.
    pub fn of(&self, hits: &[bool]) -> Result<Estimate, Undefined> {
        let (k, n) = (hits.iter().filter(|&&hit| hit).count() as u64, hits.len() as u64);
        let plain = interval::proportion(k, n, self.level, self.interval)?;
        let Some(clusters) = self.clusters else { return Ok(plain) };
        if k == 0 || k == n {
            return at_the_end(plain.value, &vec![true; hits.len()], clusters, self.level);
        }
        let how = Bootstrap::new(Resampling::Clustered(clusters)).level(self.level).plan(self.plan);
        let resampled = bootstrap::metrics(hits, &vec![true; hits.len()], &[Metric::Sensitivity], &how);
        resampled.into_iter().next().unwrap_or(Ok(plain))
    }
}

/// A proportion of exactly 0 or 1 of the films that are `counted`, where every resample gives the same value and the bootstrap's
/// interval would have no width: an exact interval in which each patient counts once.
pub(crate) fn at_the_end(
    value: f64,
    counted: &[bool],
    clusters: &Clusters,
    level: Level,
) -> Result<Estimate, Undefined> {
    let mut seen = vec![false; clusters.count()];
    for (&counted, &cluster) in counted.iter().zip(clusters.of()) {
        seen[cluster] |= counted;
    }
    let patients = seen.iter().filter(|&&seen| seen).count() as u64;
    let positive = if value == 1.0 { patients } else { 0 };
    let estimate = interval::proportion(positive, patients, level, Interval::ClopperPearson)?;
    let method = "exact (Clopper-Pearson), each patient counting once";
    let n = counted.iter().filter(|&&counted| counted).count();
    Ok(Estimate { n, ..estimate.map_limits(|limits| Limits { method, ..limits }) })
}
