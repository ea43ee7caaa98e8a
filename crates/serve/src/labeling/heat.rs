//! Judging heat maps: which films are judged, and the score.

use coxa_stats::{Clusters, Estimate, Interval, Level, Plan, Undefined};
use coxa_study::judged::{Judgment, Judgments};
use coxa_study::localize::Site;
use coxa_study::proportion::Proportion;

use crate::readers::Random;

/// The places of at most so many of the films that are called positive, chosen by the seed alone, in their order.
pub fn sampled(called: usize, most: usize, seed: u64) -> Vec<usize> {
    let mut chosen: Vec<usize> = Random(seed).order("sample", called).into_iter().take(most).collect();
    chosen.sort_unstable();
    chosen
}

/// The share of judged films whose heat map is at the right site: an exact interval (Clopper-Pearson), or a bootstrap of patients where
/// some have several films. Each film comes with its patient, empty where unknown.
///
/// # Errors
/// Undefined without a film.
pub fn right_site(films: &[(String, Site)]) -> Result<Estimate, Undefined> {
    let ids: Vec<(&str, Option<usize>)> = films
        .iter()
        .enumerate()
        .map(|(at, (patient, _))| (patient.as_str(), patient.is_empty().then_some(at)))
        .collect();
    let clusters = Clusters::new(&ids);
    let repeats = clusters.count() < films.len();
    let how = Proportion {
        clusters: repeats.then_some(&clusters),
        level: Level::P95,
        interval: Interval::ClopperPearson,
        plan: Plan::default(),
    };
    how.of(&films.iter().map(|(_, site)| *site == Site::Right).collect::<Vec<_>>())
}

/// The judged films as `coxa report --judged` reads them.
pub fn judgments(films: impl IntoIterator<Item = (String, Site)>) -> Judgments {
    Judgments(films.into_iter().map(|(image_id, site)| Judgment { image_id, site }).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_paper_s_score_has_its_exact_interval() {
        let films: Vec<(String, Site)> = (0..49)
            .map(|at| (String::new(), [Site::OppositeSide, Site::Elsewhere].get(at).copied().unwrap_or(Site::Right)))
            .collect();
        let score = right_site(&films).unwrap();
        let limits = score.limits.unwrap();
        // binom.test(47, 49) in R.
        assert!((score.value - 47.0 / 49.0).abs() < 1e-12);
        assert!((limits.low - 0.860_222_0).abs() < 1e-4 && (limits.high - 0.995_017_0).abs() < 1e-4, "{limits:?}");
        assert!(right_site(&[]).is_err());
        let repeated: Vec<(String, Site)> =
            films.into_iter().enumerate().map(|(at, (_, site))| (format!("P{}", at / 2), site)).collect();
        assert!(right_site(&repeated).unwrap().limits.unwrap().method.contains("bootstrap"));
    }

    #[test]
    fn a_sample_follows_from_its_seed() {
        assert_eq!(sampled(100, 49, 5), sampled(100, 49, 5));
        assert_ne!(sampled(100, 49, 5), sampled(100, 49, 6));
        assert_eq!(sampled(3, 49, 5), [0, 1, 2]);
        assert!(sampled(100, 49, 5).is_sorted());
    }
}
