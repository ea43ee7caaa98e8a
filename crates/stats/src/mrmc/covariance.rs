//! The endpoints of every reader under every treatment, and four estimates of the covariances between them.

use super::matrix::{dot, symmetric};
use super::merit::{Endpoint, Merit};
use super::study::{Cell, ReaderStudy};
use super::{resampling, unbiased};
use crate::bootstrap::Plan;
use crate::estimate::{Reason, Undefined};
use crate::scored::Clusters;

/// How the covariances of the endpoints are estimated.
///
/// Endpoints that have no case in common have covariance zero in all of them but the bootstrap, where it is zero on average.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "snake_case"))]
pub enum CovarianceMethod {
    /// From the structural components (DeLong, DeLong & Clarke-Pearson 1988; with patients, Obuchowski 1997). Where two readers have
    /// only some cases in common, the sum of products is over these, divided by the geometric mean of the two divisors.
    #[default]
    Delong,
    /// The jackknife over cases, or patients: (N − 1)/N Σ (θ_(k) − mean)(θ'_(k) − mean'), with θ_(k) the endpoint without case k of the N
    /// that have a part in it (Efron 1982); what a reader did not rate is left out by leaving nothing out.
    Jackknife,
    /// The unbiased estimate θθ' less the mean of products of independent pairs of cases (Gallas 2006); may be negative.
    Unbiased,
    /// From replicates in which cases are drawn from the positive and from the negative ones, or patients from all.
    Bootstrap(Plan),
}

impl CovarianceMethod {
    /// The method's name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Delong => "DeLong",
            Self::Jackknife => "jackknife",
            Self::Unbiased => "unbiased",
            Self::Bootstrap(_) => "bootstrap",
        }
    }
}

/// The endpoints with their covariances.
pub(super) struct Endpoints {
    /// Treatment and reader of each.
    pub cells: Vec<(usize, usize)>,
    pub theta: Vec<f64>,
    pub covariance: Vec<Vec<f64>>,
}

impl Endpoints {
    /// The endpoints of one treatment, in the order of readers.
    pub fn of_treatment(&self, treatment: usize) -> Vec<f64> {
        let with = self.cells.iter().zip(&self.theta).filter(|(cell, _)| cell.0 == treatment);
        with.map(|(_, &theta)| theta).collect()
    }

    /// The mean covariance over the pairs that are wanted; `None` when there is none.
    pub fn mean_covariance(&self, wanted: impl Fn((usize, usize), (usize, usize)) -> bool) -> Option<f64> {
        let (mut sum, mut count) = (0.0, 0usize);
        for (&a, row) in self.cells.iter().zip(&self.covariance) {
            for (&b, covariance) in self.cells.iter().zip(row) {
                if wanted(a, b) {
                    sum += covariance;
                    count += 1;
                }
            }
        }
        (count > 0).then(|| sum / count as f64)
    }
}

impl ReaderStudy {
    /// Every endpoint with its covariances.
    pub(super) fn endpoints(&self, endpoint: Endpoint, method: CovarianceMethod) -> Result<Endpoints, Undefined> {
        let cells: Vec<(usize, usize)> = (0..self.treatments().len())
            .flat_map(|i| (0..self.readers().len()).map(move |j| (i, j)))
            .filter(|&(i, j)| !self.cell(i, j).cases.is_empty())
            .collect();
        let rated: Vec<&Cell> = cells.iter().map(|&(i, j)| self.cell(i, j)).collect();
        let merits: Vec<Merit> = rated.iter().map(|cell| Merit::of(cell, endpoint, 2)).collect::<Result<_, _>>()?;
        let theta = merits.iter().map(|merit| merit.value).collect();
        let own;
        let units = match self.patients() {
            Some(patients) => patients,
            None => {
                own = Clusters::new(&(0..self.cases().len()).collect::<Vec<_>>());
                &own
            }
        };
        let covariance = match method {
            CovarianceMethod::Delong => delong(&rated, &merits, units)?,
            CovarianceMethod::Jackknife => jackknife(&rated, &merits, units)?,
            CovarianceMethod::Unbiased if self.patients().is_some() => {
                let why = "the unbiased estimate does not allow for several cases of a patient; DeLong's and the jackknife do";
                return Err(Undefined::new("covariance of endpoints", Reason::Other(why)));
            }
            CovarianceMethod::Unbiased => unbiased::covariance(&rated, &merits)?,
            CovarianceMethod::Bootstrap(plan) => resampling::covariance(self, &rated, merits, plan)?,
        };
        Ok(Endpoints { cells, theta, covariance })
    }
}

/// A cell's centered components, each divided by the number of its class, summed within units.
struct Sums {
    positive: Vec<f64>,
    negative: Vec<f64>,
    /// √(I/(I − 1)) for the I units with a positive case, with a negative one, and with either.
    inflate: [f64; 3],
}

fn delong(cells: &[&Cell], merits: &[Merit], units: &Clusters) -> Result<Vec<Vec<f64>>, Undefined> {
    let sums: Vec<Sums> =
        cells.iter().zip(merits).map(|(cell, merit)| Sums::of(cell, merit, units)).collect::<Result<_, _>>()?;
    Ok(symmetric(cells.len(), |a, b| {
        let (a, b) = (&sums[a], &sums[b]);
        let [of_positives, of_negatives, of_both] = [0, 1, 2].map(|k| a.inflate[k] * b.inflate[k]);
        of_positives * dot(&a.positive, &b.positive)
            + of_negatives * dot(&a.negative, &b.negative)
            + of_both * (dot(&a.positive, &b.negative) + dot(&a.negative, &b.positive))
    }))
}

impl Sums {
    fn of(cell: &Cell, merit: &Merit, units: &Clusters) -> Result<Self, Undefined> {
        let mut sums =
            Self { positive: vec![0.0; units.count()], negative: vec![0.0; units.count()], inflate: [0.0; 3] };
        let mut has = vec![[false; 2]; units.count()];
        for (case, truth, centered) in merit.centered(cell) {
            let unit = units.of()[case];
            if truth {
                sums.positive[unit] += centered / merit.positives as f64;
            } else {
                sums.negative[unit] += centered / merit.negatives as f64;
            }
            has[unit][usize::from(!truth)] = true;
        }
        let count = |with: &dyn Fn(&[bool; 2]) -> bool| has.iter().filter(|&has| with(has)).count();
        let counts = [count(&|has| has[0]), count(&|has| has[1]), count(&|has| has[0] || has[1])];
        for (k, n) in counts.into_iter().enumerate() {
            let needed = [merit.positives, merit.negatives, 1][k] > 0;
            if needed && n < 2 {
                return Err(Undefined::new(merit.endpoint.name(), Reason::TooFew { n, needed: 2 }));
            }
            sums.inflate[k] = if needed { (n as f64 / (n as f64 - 1.0)).sqrt() } else { 0.0 };
        }
        Ok(sums)
    }
}

fn jackknife(cells: &[&Cell], merits: &[Merit], units: &Clusters) -> Result<Vec<Vec<f64>>, Undefined> {
    // Only what has a part in the endpoint counts: of a sensitivity, the positive cases.
    let mut involved = vec![false; units.count()];
    for (cell, merit) in cells.iter().zip(merits) {
        merit.centered(cell).for_each(|(case, ..)| involved[units.of()[case]] = true);
    }
    let n = involved.iter().filter(|&&involved| involved).count() as f64;
    let without: Vec<Vec<f64>> =
        cells.iter().zip(merits).map(|(cell, merit)| leave_one_out(cell, merit, units)).collect::<Result<_, _>>()?;
    let centered: Vec<Vec<f64>> = without
        .into_iter()
        .zip(merits)
        .map(|(values, merit)| {
            // Deviations from the endpoint first, so that units that a reader did not rate contribute exactly zero.
            let values = values.into_iter().zip(&involved).filter(|(_, involved)| **involved);
            let deviations: Vec<f64> = values.map(|(value, _)| value - merit.value).collect();
            let mean = deviations.iter().sum::<f64>() / n;
            deviations.into_iter().map(|deviation| deviation - mean).collect()
        })
        .collect();
    Ok(symmetric(cells.len(), |a, b| (n - 1.0) / n * dot(&centered[a], &centered[b])))
}

/// The endpoint without each unit in turn.
pub(super) fn leave_one_out(cell: &Cell, merit: &Merit, units: &Clusters) -> Result<Vec<f64>, Undefined> {
    let mut members = vec![Vec::new(); units.count()];
    for (place, &case) in cell.cases.iter().enumerate() {
        if merit.components[place].is_some() {
            members[units.of()[case]].push(place);
        }
    }
    members.iter().map(|places| without(cell, merit, places)).collect()
}

/// The endpoint without some of the cell's cases, from the components: what is taken away of the sum over pairs (an area), or over
/// cases (a proportion).
fn without(cell: &Cell, merit: &Merit, places: &[usize]) -> Result<f64, Undefined> {
    if places.is_empty() {
        return Ok(merit.value);
    }
    let gone = |class: bool| places.iter().copied().filter(move |&place| cell.truth[place] == class);
    let sum = |class: bool| gone(class).filter_map(|place| merit.components[place]).sum::<f64>();
    let left = [(merit.positives, true), (merit.negatives, false)].map(|(n, class)| (n, n - gone(class).count()));
    if left.iter().any(|&(before, after)| before > 0 && after == 0) {
        let why = "one patient has all positive or all negative cases of a reader";
        return Err(Undefined::new(merit.endpoint.name(), Reason::Other(why)));
    }
    let [(m, m_left), (n, n_left)] = left.map(|(before, after)| (before as f64, after as f64));
    if merit.endpoint != Endpoint::Area {
        let (all, rest, class) = if m > 0.0 { (m, m_left, true) } else { (n, n_left, false) };
        return Ok((all * merit.value - sum(class)) / rest);
    }
    let both: f64 = gone(true)
        .flat_map(|i| gone(false).map(move |j| (i, j)))
        .map(|(i, j)| super::merit::win(cell.ratings[i], cell.ratings[j]))
        .sum();
    Ok((m * n * merit.value - n * sum(true) - m * sum(false) + both) / (m_left * n_left))
}

#[cfg(test)]
mod tests {
    use super::super::study::tests::rows;
    use super::*;

    /// The endpoint of the cell's cases that are kept.
    fn value(cell: &Cell, endpoint: Endpoint, keep: impl Fn(usize) -> bool) -> f64 {
        let kept: Vec<usize> = (0..cell.cases.len()).filter(|&place| keep(cell.cases[place])).collect();
        let cell = Cell {
            cases: kept.iter().map(|&place| cell.cases[place]).collect(),
            truth: kept.iter().map(|&place| cell.truth[place]).collect(),
            ratings: kept.iter().map(|&place| cell.ratings[place]).collect(),
        };
        Merit::of(&cell, endpoint, 1).unwrap().value
    }

    #[test]
    fn leaving_out_is_computing_anew() {
        let study = ReaderStudy::from_rows(&rows()).unwrap();
        let patients = Clusters::new(&(0..12).map(|case| case / 3).collect::<Vec<_>>());
        let single = Clusters::new(&(0..12).collect::<Vec<_>>());
        for endpoint in [Endpoint::Area, Endpoint::Sensitivity(8.0), Endpoint::Specificity(6.0)] {
            for units in [&patients, &single] {
                let cell = study.cell(1, 2);
                let merit = Merit::of(cell, endpoint, 2).unwrap();
                for (unit, left) in leave_one_out(cell, &merit, units).unwrap().into_iter().enumerate() {
                    let anew = value(cell, endpoint, |case| units.of()[case] != unit);
                    assert!((left - anew).abs() < 1e-14, "{endpoint:?}: {left} {anew}");
                }
            }
        }
    }

    #[test]
    fn patients_of_one_case_change_nothing() {
        let study = ReaderStudy::from_rows(&rows()).unwrap();
        let same = study.clone().with_patients(|case| {
            ["0", "1", "2", "3", "4", "5", "6", "7", "8", "9", "10", "11"]
                .into_iter()
                .find(|name| *name == case)
                .unwrap()
        });
        let of = |study: &ReaderStudy, method| study.endpoints(Endpoint::Area, method).unwrap().covariance;
        let methods = [CovarianceMethod::Delong, CovarianceMethod::Jackknife];
        for method in methods {
            assert_eq!(of(&study, method), of(&same, method));
        }
        assert!(same.endpoints(Endpoint::Area, CovarianceMethod::Unbiased).is_err());
    }
}
