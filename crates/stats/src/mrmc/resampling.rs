//! Covariances of endpoints by the bootstrap.

use super::matrix::symmetric;
use super::merit::{Merit, Resampled};
use super::study::{Cell, ReaderStudy};
use crate::bootstrap::{LEAST_DEFINED, Plan, resample};
use crate::estimate::{Reason, Undefined};

/// The covariance over replicates, with divisor B − 1.
pub(super) fn covariance(
    study: &ReaderStudy,
    cells: &[&Cell],
    merits: Vec<Merit>,
    plan: Plan,
) -> Result<Vec<Vec<f64>>, Undefined> {
    let statistic = "bootstrap covariance";
    if plan.replicates < 2 {
        return Err(Undefined::new(statistic, Reason::TooFew { n: plan.replicates, needed: 2 }));
    }
    let resampled: Vec<Resampled<'_>> =
        cells.iter().zip(merits).map(|(cell, merit)| Resampled::new(cell, merit)).collect::<Result<_, _>>()?;
    let cases = study.cases().len();
    let (lists, units) = match study.patients() {
        Some(patients) => (vec![(0..patients.count()).collect()], patients.count()),
        None => (strata(study), cases),
    };
    let mut replicates: Vec<Vec<f64>> = Vec::with_capacity(plan.replicates);
    let mut of_cases = vec![0; cases];
    resample(lists, units, plan, |counts| {
        let counts = match study.patients() {
            None => counts,
            Some(patients) => {
                of_cases.iter_mut().zip(patients.of()).for_each(|(count, &patient)| *count = counts[patient]);
                &of_cases
            }
        };
        let values: Option<Vec<f64>> = resampled.iter().map(|cell| cell.value(counts)).collect();
        replicates.extend(values);
    });
    if (replicates.len() as f64) < LEAST_DEFINED * plan.replicates as f64 {
        return Err(Undefined::new(statistic, Reason::Other("an endpoint is undefined in too many replicates")));
    }
    let n = replicates.len() as f64;
    let means: Vec<f64> =
        (0..cells.len()).map(|k| replicates.iter().map(|values| values[k]).sum::<f64>() / n).collect();
    Ok(symmetric(cells.len(), |a, b| {
        replicates.iter().map(|values| (values[a] - means[a]) * (values[b] - means[b])).sum::<f64>() / (n - 1.0)
    }))
}

/// The cases of either truth.
fn strata(study: &ReaderStudy) -> Vec<Vec<usize>> {
    let (positives, negatives) = (0..study.cases().len()).partition(|&case| study.truth()[case]);
    vec![negatives, positives]
}
