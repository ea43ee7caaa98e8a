//! The fit: regularized least squares on the indicators of the classes, in closed form.
//!
//! There are fewer films than inputs, so the system is solved between films (Saunders, Gammerman, Vovk 1998, "Ridge Regression Learning
//! Algorithm in Dual Variables"): a = (K + λ D)⁻¹ Y with K the scaled inputs' products and D the inverse of the films' weights.

use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use super::{ACCEPTED, ContentGate, FAULTS, INPUTS, Look, dot, scaled, to_unit};
use crate::ModelError;

/// λ, where K's diagonal is 2.
const REGULARIZATION: f64 = 0.1;
/// The share of the weight of all films that the accepted ones have; classes share it evenly, and so do the others.
const ACCEPTED_SHARE: f64 = 0.5;
/// Of the validation films to be read, this share may be refused for what shows no hip, and as much again for a fault.
const LOWEST_ACCEPTED: f64 = 0.005;
/// Of the validation films that show no hip, this share may be read.
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
    let is_part = |i: usize| !is_accepted(i) && !FAULTS.contains(&examples[i].class.as_str());
    let (fitted, validation) = (rows_of(Part::Fit), rows_of(Part::Validation));
    for (what, rows) in [("fit", &fitted), ("validate", &validation)] {
        if !(rows.iter().any(|&i| is_part(i)) && rows.iter().any(|&i| is_accepted(i))) {
            return Err(ModelError::Setting(format!(
                "a gate needs films of the hip or pelvis and of other parts to {what} on"
            )));
        }
    }
    let mut classes: Vec<String> = fitted.iter().map(|&i| examples[i].class.clone()).collect();
    classes.sort_unstable();
    classes.dedup();
    let all: Vec<&[f32]> = fitted.iter().map(|&i| row(i)).collect();
    let (center, variance) = moments(&all);
    let scale: Vec<f32> = variance.iter().map(|variance| variance.sqrt().max(0.01)).collect();
    let scaled_rows: Vec<Vec<f32>> = all.iter().map(|row| scaled(row, &center, &scale)).collect();
    let units: Vec<Vec<f32>> = scaled_rows.iter().map(|row| to_unit(row)).collect();
    let of_class: Vec<usize> = fitted
        .iter()
        .map(|&i| classes.iter().position(|class| *class == examples[i].class).unwrap_or_default())
        .collect();
    let duals = solve(&units, &of_class, &classes)?;
    let mut weights = vec![0.0; classes.len() * INPUTS];
    let mut bias = vec![0.0; classes.len()];
    for (class, (weights, bias)) in weights.chunks_exact_mut(INPUTS).zip(&mut bias).enumerate() {
        let mut sums = vec![0.0f64; INPUTS];
        for (row, duals) in units.iter().zip(&duals) {
            sums.iter_mut().zip(row).for_each(|(sum, x)| *sum += duals[class] * f64::from(*x) / INPUTS as f64);
            *bias += duals[class] as f32;
        }
        weights.iter_mut().zip(sums).for_each(|(weight, sum)| *weight = rounded(sum as f32));
    }
    let accepted: Vec<&[f32]> =
        scaled_rows.iter().zip(&fitted).filter(|(_, i)| is_accepted(**i)).map(|(row, _)| row.as_slice()).collect();
    let (mean, variance) = moments(&accepted);
    let mut gate = ContentGate {
        classes,
        center: center.into_iter().map(rounded).collect(),
        scale: scale.into_iter().map(rounded).collect(),
        weights,
        bias,
        margin_over_parts: 0.0,
        margin_over_faults: 0.0,
        mean: mean.into_iter().map(rounded).collect(),
        precision: variance.into_iter().map(|variance| rounded(1.0 / variance.max(0.01))).collect(),
        most_distance: f32::MAX,
        fitted_on: fitted_on.to_owned(),
        figures: Vec::new(),
    };
    let looks: Vec<(usize, Look)> = validation.iter().map(|&i| (i, gate.look(row(i)))).collect();
    let sorted = |of: &dyn Fn(usize) -> bool, value: fn(&Look) -> f32| -> Vec<f32> {
        let mut values: Vec<f32> = looks.iter().filter(|(i, _)| of(*i)).map(|(_, look)| value(look)).collect();
        values.sort_unstable_by(f32::total_cmp);
        values
    };
    let lowest = quantile(&sorted(&is_accepted, |look| look.over_parts), LOWEST_ACCEPTED);
    let highest = quantile(&sorted(&is_part, |look| look.over_parts), 1.0 - HIGHEST_REFUSED);
    // Both are no more than 0, as a film shows another part, or has a fault, only if that is likelier: films of other hospitals look a
    // little like either.
    gate.margin_over_parts = rounded(((lowest + highest) / 2.0).min(0.0));
    let sound = quantile(&sorted(&is_accepted, |look| look.over_faults), LOWEST_ACCEPTED);
    gate.margin_over_faults = rounded(sound.min(0.0));
    gate.most_distance = rounded(DISTANCE_MARGIN * quantile(&sorted(&is_accepted, |look| look.distance), 0.99));
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
fn solve(rows: &[Vec<f32>], of_class: &[usize], classes: &[String]) -> Result<Vec<Vec<f64>>, ModelError> {
    let (n, n_classes) = (rows.len(), classes.len());
    let is_accepted: Vec<bool> = classes.iter().map(|class| ACCEPTED.contains(&class.as_str())).collect();
    let weight = |class: usize| {
        let films = of_class.iter().filter(|&&of| of == class).count();
        let alike = is_accepted.iter().filter(|&&is| is == is_accepted[class]).count();
        let share = if is_accepted[class] { ACCEPTED_SHARE } else { 1.0 - ACCEPTED_SHARE };
        share * n as f64 / (films * alike) as f64
    };
    let weights: Vec<f64> = (0..n_classes).map(weight).collect();
    // Row i of the lower triangle; each entry is a sum of its own, so threads change no bit.
    let mut lower: Vec<Vec<f64>> = (0..n)
        .into_par_iter()
        .map(|i| {
            let mut line: Vec<f64> =
                (0..=i).map(|j| 1.0 + f64::from(dot(&rows[i], &rows[j])) / INPUTS as f64).collect();
            line[i] += REGULARIZATION / weights[of_class[i]];
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
    for (i, factors) in lower.iter().enumerate() {
        let (above, rest) = duals.split_at_mut(i);
        for (class, dual) in rest[0].iter_mut().enumerate() {
            let sum: f64 = above.iter().zip(factors).map(|(row, factor)| factor * row[class]).sum();
            *dual = (*dual - sum) / factors[i];
        }
    }
    for i in (0..n).rev() {
        let (rest, below) = duals.split_at_mut(i + 1);
        for (class, dual) in rest[i].iter_mut().enumerate() {
            let sum: f64 = below.iter().zip(&lower[i + 1..]).map(|(row, factors)| factors[i] * row[class]).sum();
            *dual = (*dual - sum) / lower[i][i];
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
