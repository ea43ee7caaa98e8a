//! How far the reviewers of a labeling agree beyond chance.

use coxa_stats::agreement::{Ratings, Weights, clustered_kappa, fleiss_kappa};
use coxa_stats::{Clusters, Estimate, Inference, Level, Undefined};
use coxa_study::localize::Site;

use super::decision::{Decision, Kind, Labels, Opinion};

/// What is compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Compared {
    /// Fracture, none, questionable, or excluded without a label.
    Opinion,
    /// The kind, on films that all call fractured.
    Kind,
    /// The side, on films that all call fractured.
    Side,
    /// Where the heat map lies.
    Site,
}

/// An agreement beyond chance: Cohen's kappa of two reviewers, Fleiss' of more. Films of one patient are one cluster in the interval.
#[derive(Debug, Clone, PartialEq)]
pub struct Agreement {
    /// What is compared.
    pub compared: Compared,
    /// Films that all reviewers decided.
    pub films: usize,
    /// Kappa.
    pub kappa: Result<Estimate, Undefined>,
}

/// The agreement of reviewers on films that all of them decided: each film's patient (empty where unknown: the film is a cluster of its
/// own) and the reviewers' decisions in the order of reviewers.
pub fn agreement(films: &[(String, Vec<&Decision>)]) -> Vec<Agreement> {
    let of = |compared: Compared, categories: usize| {
        let rated = films.iter().enumerate().filter_map(|(at, (patient, decisions))| {
            let rated = decisions.iter().map(|decision| category(compared, decision)).collect::<Option<Vec<_>>>()?;
            Some(((patient.as_str(), patient.is_empty().then_some(at)), rated))
        });
        let (patients, rated): (Vec<_>, Vec<Vec<usize>>) = rated.unzip();
        (!rated.is_empty()).then(|| Agreement {
            compared,
            films: rated.len(),
            kappa: kappa(&rated, &Clusters::new(&patients), categories),
        })
    };
    [of(Compared::Opinion, 4), of(Compared::Kind, 5), of(Compared::Side, 3), of(Compared::Site, 4)]
        .into_iter()
        .flatten()
        .collect()
}

fn category(compared: Compared, decision: &Decision) -> Option<usize> {
    let called = |labels: &Labels| labels.opinion == Some(Opinion::Fracture);
    match (compared, decision) {
        (Compared::Opinion, Decision::Labels(labels)) => Some(labels.opinion.map_or(3, |opinion| opinion as usize)),
        (Compared::Kind, Decision::Labels(labels)) if called(labels) => {
            Some(labels.kind.and_then(|kind| Kind::ALL.iter().position(|known| *known == kind)).map_or(0, |at| at + 1))
        }
        (Compared::Side, Decision::Labels(labels)) if called(labels) => {
            Some(labels.side.map_or(0, |side| side as usize + 1))
        }
        (Compared::Site, Decision::Site(site)) => Some(match site {
            Site::Right => 0,
            Site::OppositeSide => 1,
            Site::Elsewhere => 2,
            Site::None => 3,
        }),
        _ => None,
    }
}

fn kappa(rated: &[Vec<usize>], clusters: &Clusters, categories: usize) -> Result<Estimate, Undefined> {
    if rated.iter().all(|ratings| ratings.len() == 2) {
        let of = |reviewer: usize| -> Vec<usize> { rated.iter().map(|ratings| ratings[reviewer]).collect() };
        let (first, second) = (of(0), of(1));
        let ratings = Ratings { first: &first, second: &second, categories };
        return clustered_kappa(ratings, clusters, Weights::Unweighted, Level::P95);
    }
    let counts: Vec<Vec<u64>> = rated
        .iter()
        .map(|ratings| {
            let mut counts = vec![0; categories];
            ratings.iter().for_each(|category| counts[*category] += 1);
            counts
        })
        .collect();
    fleiss_kappa(&counts, Inference { level: Level::P95, clusters: Some(clusters) })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(opinion: Opinion) -> Decision {
        Decision::Labels(Labels { opinion: Some(opinion), ..Labels::default() })
    }

    #[test]
    fn two_reviewers_have_cohen_s_kappa_and_three_have_fleiss() {
        let (yes, no) = (of(Opinion::Fracture), of(Opinion::None));
        // The example of the stats crate: kappa is 2/3.
        let pairs = [(&yes, &yes), (&yes, &yes), (&no, &no), (&no, &no), (&no, &yes), (&yes, &yes)];
        let films: Vec<(String, Vec<&Decision>)> =
            pairs.iter().enumerate().map(|(at, (a, b))| (format!("P{}", at / 2), vec![*a, *b])).collect();
        let all = agreement(&films);
        let cohen = all.iter().find(|one| one.compared == Compared::Opinion).unwrap();
        let kappa = cohen.kappa.clone().unwrap();
        assert!((kappa.value - 2.0 / 3.0).abs() < 1e-12 && kappa.limits.unwrap().method.contains("clustered"));
        assert_eq!(cohen.films, 6);
        // Kind and side are compared on the three films that both call fractured, and neither was stated.
        assert!(all.iter().any(|one| one.compared == Compared::Kind && one.films == 3 && one.kappa.is_err()));
        let three: Vec<(String, Vec<&Decision>)> =
            [[&yes, &yes, &yes], [&no, &no, &no], [&yes, &no, &no], [&no, &no, &no]]
                .iter()
                .map(|ratings| (String::new(), ratings.to_vec()))
                .collect();
        let fleiss = agreement(&three)[0].kappa.clone().unwrap();
        assert!(fleiss.limits.unwrap().method.contains("jackknife"), "films without a patient are not one cluster");
        assert!(agreement(&[]).is_empty());
    }
}
