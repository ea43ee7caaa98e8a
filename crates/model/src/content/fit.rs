//! The fit: regularized least squares on the indicators of the classes, in closed form.
//!
//! There are fewer films than inputs, so the system is solved between films (Saunders, Gammerman, Vovk 1998, "Ridge Regression Learning
//! Algorithm in Dual Variables"): a = (K + λ D)⁻¹ Y with K the scaled inputs' products and D the inverse of the films' weights.

use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use super::{ACCEPTED, ContentGate, INPUTS, Look};
use crate::ModelError;

/// λ, where the mean of K's diagonal is 1.
const REGULARIZATION: f64 = 0.02;
/// Of the accepted films' scores on validation films, at most this share lies below the threshold, if the others' allow it.
const LOWEST_ACCEPTED: f64 = 0.01;
/// Of the other films' scores on validation films, at most this share lies above the threshold, if the accepted films' allow it.
const HIGHEST_REFUSED: f64 = 0.005;
/// The distance up to which films are read is so many times the one that all but a hundredth of the accepted validation films keep.
const DISTANCE_MARGIN: f32 = 1.5;

/// What a film is used for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Part {
    /// The classifier is fitted on it.
    Fit,
    /// Thresholds are chosen on it.
    Validation,
    /// It is only tested on.
    Test,
}

/// A film of known contents.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Example {
    /// What it shows: a class of [`ACCEPTED`], or another.
    pub class: String,
    /// What it is used for.
    pub part: Part,
}

/// Fits a gate on films' inputs, [examples × [`INPUTS`]].
///
/// # Errors
/// When the films to fit on are not of an accepted class and others, or there is no accepted or no other film to validate on.
pub(crate) fn fit(inputs: &[f32], examples: &[Example], fitted_on: &str) -> Result<ContentGate, ModelError> {
    let rows_of = |part: Part| -> Vec<usize> { (0..examples.len()).filter(|&i| examples[i].part == part).collect() };
    let row = |i: usize| &inputs[i * INPUTS..][..INPUTS];
    let is_accepted = |i: usize| ACCEPTED.contains(&examples[i].class.as_str());
    let (fitted, validation) = (rows_of(Part::Fit), rows_of(Part::Validation));
    for (what, rows) in [("fit", &fitted), ("validate", &validation)] {
        if rows.iter().all(|&i| is_accepted(i)) || !rows.iter().any(|&i| is_accepted(i)) {
            return Err(ModelError::Setting(format!(
                "a gate needs films of the hip or pelvis and others to {what} on"
            )));
        }
    }
    let mut classes: Vec<String> = fitted.iter().map(|&i| examples[i].class.clone()).collect();
    classes.sort_unstable();
    classes.dedup();
    let all: Vec<&[f32]> = fitted.iter().map(|&i| row(i)).collect();
    let (center, variance) = moments(&all);
    let scale: Vec<f32> = variance.iter().map(|variance| variance.sqrt().max(1e-6)).collect();
    let scaled: Vec<Vec<f32>> =
        all.iter().map(|row| row.iter().zip(&center).zip(&scale).map(|((x, c), s)| (x - c) / s).collect()).collect();
    let of_class: Vec<usize> = fitted
        .iter()
        .map(|&i| classes.iter().position(|class| *class == examples[i].class).unwrap_or_default())
        .collect();
    let duals = solve(&scaled, &of_class, classes.len())?;
    let mut weights = vec![0.0; classes.len() * INPUTS];
    let mut bias = vec![0.0; classes.len()];
    for (class, (weights, bias)) in weights.chunks_exact_mut(INPUTS).zip(&mut bias).enumerate() {
        let mut sums = vec![0.0f64; INPUTS];
        for (row, duals) in scaled.iter().zip(&duals) {
            sums.iter_mut().zip(row).for_each(|(sum, x)| *sum += duals[class] * f64::from(*x) / INPUTS as f64);
            *bias += duals[class] as f32;
        }
        weights.iter_mut().zip(sums).for_each(|(weight, sum)| *weight = rounded(sum as f32));
    }
    let accepted: Vec<&[f32]> =
        scaled.iter().zip(&fitted).filter(|(_, i)| is_accepted(**i)).map(|(row, _)| row.as_slice()).collect();
    let (mean, variance) = moments(&accepted);
    let mut gate = ContentGate {
        classes,
        center: center.into_iter().map(rounded).collect(),
        scale: scale.into_iter().map(rounded).collect(),
        weights,
        bias,
        least_score: 0.0,
        mean: mean.into_iter().map(rounded).collect(),
        precision: variance.into_iter().map(|variance| rounded(1.0 / variance.max(0.01))).collect(),
        most_distance: f32::MAX,
        fitted_on: fitted_on.to_owned(),
        figures: Vec::new(),
    };
    let looks: Vec<(bool, Look)> = validation.iter().map(|&i| (is_accepted(i), gate.look(row(i)))).collect();
    let of = |accepted: bool, value: fn(&Look) -> f32| -> Vec<f32> {
        let mut values: Vec<f32> =
            looks.iter().filter(|(is, _)| *is == accepted).map(|(_, look)| value(look)).collect();
        values.sort_unstable_by(f32::total_cmp);
        values
    };
    let (low, high) = (
        quantile(&of(true, |look| look.score), LOWEST_ACCEPTED),
        quantile(&of(false, |look| look.score), 1.0 - HIGHEST_REFUSED),
    );
    gate.least_score = rounded((low + high) / 2.0);
    gate.most_distance = rounded(DISTANCE_MARGIN * quantile(&of(true, |look| look.distance), 0.99));
    Ok(gate)
}

/// The mean and the variance of each input.
fn moments(rows: &[&[f32]]) -> (Vec<f32>, Vec<f32>) {
    let n = rows.len().max(1) as f64;
    let mut mean = vec![0.0f64; INPUTS];
    rows.iter().for_each(|row| mean.iter_mut().zip(*row).for_each(|(sum, x)| *sum += f64::from(*x) / n));
    let mut variance = vec![0.0f64; INPUTS];
    for row in rows {
        variance
            .iter_mut()
            .zip(*row)
            .zip(&mean)
            .for_each(|((sum, x), mean)| *sum += (f64::from(*x) - mean).powi(2) / n);
    }
    let narrow = |values: Vec<f64>| values.into_iter().map(|value| value as f32).collect();
    (narrow(mean), narrow(variance))
}

/// The dual weights, [films][classes].
fn solve(rows: &[Vec<f32>], of_class: &[usize], n_classes: usize) -> Result<Vec<Vec<f64>>, ModelError> {
    let n = rows.len();
    let mut counts = vec![0usize; n_classes];
    of_class.iter().for_each(|&class| counts[class] += 1);
    // Row i of the lower triangle; each entry is a sum of its own, so threads change no bit.
    let mut lower: Vec<Vec<f64>> = (0..n)
        .into_par_iter()
        .map(|i| {
            let mut line: Vec<f64> =
                (0..=i).map(|j| 1.0 + f64::from(super::dot(&rows[i], &rows[j])) / INPUTS as f64).collect();
            // Every class weighs the same as a whole.
            let weight = n as f64 / (n_classes * counts[of_class[i]]) as f64;
            line[i] += REGULARIZATION / weight;
            line
        })
        .collect();
    // Cholesky's factor in place.
    for j in 0..n {
        let (above, below) = lower.split_at_mut(j + 1);
        let pivot = &mut above[j];
        let rest = pivot[j] - pivot[..j].iter().map(|x| x * x).sum::<f64>();
        if rest <= 0.0 {
            return Err(ModelError::Internal("the fit of the gate is singular".to_owned()));
        }
        pivot[j] = rest.sqrt();
        let pivot = &above[j];
        below.par_iter_mut().for_each(|line| {
            let sum: f64 = line[..j].iter().zip(&pivot[..j]).map(|(a, b)| a * b).sum();
            line[j] = (line[j] - sum) / pivot[j];
        });
    }
    let mut duals: Vec<Vec<f64>> =
        of_class.iter().map(|&class| (0..n_classes).map(|c| f64::from(u8::from(c == class))).collect()).collect();
    for i in 0..n {
        for class in 0..n_classes {
            let sum: f64 = (0..i).map(|j| lower[i][j] * duals[j][class]).sum();
            duals[i][class] = (duals[i][class] - sum) / lower[i][i];
        }
    }
    for i in (0..n).rev() {
        for class in 0..n_classes {
            let sum: f64 = (i + 1..n).map(|j| lower[j][i] * duals[j][class]).sum();
            duals[i][class] = (duals[i][class] - sum) / lower[i][i];
        }
    }
    Ok(duals)
}

/// The value below which a share of sorted values lies.
fn quantile(sorted: &[f32], share: f64) -> f32 {
    let place = (share * (sorted.len() - 1) as f64).round() as usize;
    sorted[place]
}

/// With five digits: the bundle stays small.
fn rounded(value: f32) -> f32 {
    format!("{value:.4e}").parse().unwrap_or(value)
}
