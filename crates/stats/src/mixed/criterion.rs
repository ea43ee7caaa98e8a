//! The restricted likelihood of the model, from sums that are made once: no evaluation passes over the readings again.

use std::collections::BTreeMap;

use super::{Reading, STATISTIC};
use crate::estimate::{Reason, Undefined};

/// The model's standard deviations.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Spread {
    pub reader: f64,
    pub case: f64,
    /// Above zero.
    pub error: f64,
}

impl Spread {
    /// Those that are not zero.
    pub(super) fn free(self) -> Vec<f64> {
        [self.reader, self.case, self.error].into_iter().filter(|sd| *sd > 0.0).collect()
    }

    /// The same with other values in the places of [`Spread::free`].
    pub(super) fn with(self, free: &[f64]) -> Self {
        let mut values = free.iter().copied();
        let mut of = |sd: f64| if sd > 0.0 { values.next().unwrap_or(sd) } else { sd };
        Self { reader: of(self.reader), case: of(self.case), error: of(self.error) }
    }
}

/// Sums over the readings of one reader, or one case: of each treatment's indicator and of the value.
struct Level {
    count: f64,
    sums: Vec<f64>,
}

/// The likelihood. Of the two factors the larger is eliminated, as its part of the equations is diagonal.
pub(super) struct Criterion {
    readings: f64,
    treatments: usize,
    /// Subtracted from every value.
    shift: f64,
    few: Vec<Level>,
    many: Vec<Level>,
    /// For each of `many`: which of `few` it met, and how often.
    met: Vec<Vec<(usize, f64)>>,
    /// Products of the treatments' indicators and the value.
    products: Vec<Vec<f64>>,
    readers_are_few: bool,
}

/// With V the values' covariance in units of the error's variance: its log determinant, and [X y]′V⁻¹[X y] by Cholesky's factor L.
struct Solved {
    log_determinant: f64,
    factor: Vec<Vec<f64>>,
}

impl Criterion {
    pub(super) fn of(readings: &[Reading]) -> Result<Self, Undefined> {
        let size = |of: fn(&Reading) -> usize| readings.iter().map(of).max().map_or(0, |most| most + 1);
        let [treatments, readers, cases] = [size(|of| of.treatment), size(|of| of.reader), size(|of| of.case)];
        if readings.is_empty() {
            return Err(Undefined::new(STATISTIC, Reason::TooFew { n: 0, needed: 2 }));
        }
        let shift = readings.iter().map(|of| of.value).sum::<f64>() / readings.len() as f64;
        let empty = |n: usize| -> Vec<Level> {
            (0..n).map(|_| Level { count: 0.0, sums: vec![0.0; treatments + 1] }).collect()
        };
        let (mut by_reader, mut by_case) = (empty(readers), empty(cases));
        let mut products = vec![vec![0.0; treatments + 1]; treatments + 1];
        let readers_are_few = readers <= cases;
        let mut met = vec![BTreeMap::new(); readers.max(cases)];
        for of in readings {
            let value = of.value - shift;
            for level in [&mut by_reader[of.reader], &mut by_case[of.case]] {
                level.count += 1.0;
                level.sums[of.treatment] += 1.0;
                level.sums[treatments] += value;
            }
            products[of.treatment][of.treatment] += 1.0;
            products[treatments][of.treatment] += value;
            products[treatments][treatments] += value * value;
            let (few, many) = if readers_are_few { (of.reader, of.case) } else { (of.case, of.reader) };
            *met[many].entry(few).or_insert(0.0) += 1.0;
        }
        for levels in [&by_reader, &by_case] {
            let n = levels.iter().filter(|level| level.count > 0.0).count();
            if n < 2 {
                return Err(Undefined::new(STATISTIC, Reason::TooFew { n, needed: 2 }));
            }
            if n >= readings.len() {
                let why = "there are as many readers or cases as readings, which leave the error nothing";
                return Err(Undefined::new(STATISTIC, Reason::Other(why)));
            }
        }
        if (0..treatments).any(|i| products[i][i] == 0.0) {
            return Err(Undefined::new(STATISTIC, Reason::Other("a treatment is without readings")));
        }
        let (few, many) = if readers_are_few { (by_reader, by_case) } else { (by_case, by_reader) };
        let met = met.into_iter().map(|of| of.into_iter().collect()).collect();
        let readings = readings.len() as f64;
        Ok(Self { readings, treatments, shift, few, many, met, products, readers_are_few })
    }

    pub(super) fn treatments(&self) -> usize {
        self.treatments
    }

    /// The ratios of the readers' and the cases' standard deviation to the error's.
    fn solve(&self, ratios: [f64; 2]) -> Option<Solved> {
        let [s, m] = if self.readers_are_few { ratios } else { [ratios[1], ratios[0]] };
        let width = self.treatments + 1;
        let mut inner: Vec<Vec<f64>> = vec![vec![0.0; self.few.len()]; self.few.len()];
        let mut right: Vec<Vec<f64>> = Vec::with_capacity(self.few.len());
        for (j, level) in self.few.iter().enumerate() {
            inner[j][j] = 1.0 + s * s * level.count;
            right.push(level.sums.iter().map(|sum| s * sum).collect());
        }
        let mut left = self.products.clone();
        let mut log_determinant = 0.0;
        for (level, met) in self.many.iter().zip(&self.met) {
            let pivot = 1.0 + m * m * level.count;
            log_determinant += pivot.ln();
            let weight = m * m / pivot;
            for (place, &(a, count)) in met.iter().enumerate() {
                for &(b, other) in &met[..=place] {
                    inner[a][b] -= s * s * weight * count * other;
                }
                right[a].iter_mut().zip(&level.sums).for_each(|(sum, of)| *sum -= s * weight * count * of);
            }
            for (row, of) in left.iter_mut().zip(&level.sums) {
                row.iter_mut().zip(&level.sums).for_each(|(value, other)| *value -= weight * of * other);
            }
        }
        let inner = cholesky(inner)?;
        log_determinant += 2.0 * inner.iter().enumerate().map(|(j, row)| row[j].ln()).sum::<f64>();
        for column in 0..width {
            let solved = forward(&inner, right.iter().map(|row| row[column]).collect());
            right.iter_mut().zip(solved).for_each(|(row, value)| row[column] = value);
        }
        for (a, row) in left.iter_mut().enumerate() {
            for (b, value) in row[..=a].iter_mut().enumerate() {
                *value -= right.iter().map(|row| row[a] * row[b]).sum::<f64>();
            }
        }
        // Rounding leaves a residual of nothing below zero; it stays undefined for the caller to see.
        Some(Solved { log_determinant, factor: cholesky(left)? })
    }

    /// The criterion at the best error variance for these ratios, and that variance; infinite and zero where nothing is left to the error.
    pub(super) fn profiled(&self, ratios: [f64; 2]) -> (f64, f64) {
        let Some(solved) = self.solve(ratios) else { return (f64::INFINITY, 0.0) };
        let free = self.readings - self.treatments as f64;
        let variance = solved.factor[self.treatments][self.treatments].powi(2) / free;
        (self.of_parts(&solved) + free * (1.0 + (std::f64::consts::TAU * variance).ln()), variance)
    }

    /// −2 times the restricted log likelihood.
    pub(super) fn deviance(&self, spread: Spread) -> f64 {
        let Some(solved) = self.solve(spread.ratios()) else { return f64::INFINITY };
        let (free, variance) = (self.readings - self.treatments as f64, spread.error.powi(2));
        let residual = solved.factor[self.treatments][self.treatments].powi(2);
        self.of_parts(&solved) + free * (std::f64::consts::TAU * variance).ln() + residual / variance
    }

    /// log|V| + log|X′V⁻¹X|, in units of the error's variance.
    fn of_parts(&self, solved: &Solved) -> f64 {
        let diagonal = (0..self.treatments).map(|i| solved.factor[i][i].ln()).sum::<f64>();
        solved.log_determinant + 2.0 * diagonal
    }

    /// The treatments' means by generalized least squares.
    pub(super) fn means(&self, spread: Spread) -> Vec<f64> {
        let Some(Solved { factor, .. }) = self.solve(spread.ratios()) else { return vec![f64::NAN; self.treatments] };
        let t = self.treatments;
        let means = backward(&factor, factor[t][..t].to_vec());
        means.into_iter().map(|mean| mean + self.shift).collect()
    }

    /// The variance of a combination of means.
    pub(super) fn variance(&self, spread: Spread, of: &[f64]) -> f64 {
        let Some(Solved { factor, .. }) = self.solve(spread.ratios()) else { return f64::NAN };
        forward(&factor[..self.treatments], of.to_vec()).iter().map(|x| x * x).sum::<f64>() * spread.error.powi(2)
    }
}

impl Spread {
    fn ratios(self) -> [f64; 2] {
        [self.reader / self.error, self.case / self.error]
    }
}

/// The lower factor of a matrix of which the lower half is given; none where it is not positive definite.
fn cholesky(mut matrix: Vec<Vec<f64>>) -> Option<Vec<Vec<f64>>> {
    for i in 0..matrix.len() {
        let (done, rest) = matrix.split_at_mut(i);
        let row = &mut rest[0];
        for (j, before) in done.iter().enumerate() {
            let dot: f64 = row[..j].iter().zip(before).map(|(a, b)| a * b).sum();
            row[j] = (row[j] - dot) / before[j];
        }
        let square = row[i] - row[..i].iter().map(|a| a * a).sum::<f64>();
        if square.is_nan() || square <= 0.0 {
            return None;
        }
        row[i] = square.sqrt();
    }
    Some(matrix)
}

/// Solves L x = right.
fn forward(factor: &[Vec<f64>], mut right: Vec<f64>) -> Vec<f64> {
    for i in 0..right.len() {
        let dot: f64 = factor[i][..i].iter().zip(&right).map(|(a, b)| a * b).sum();
        right[i] = (right[i] - dot) / factor[i][i];
    }
    right
}

/// Solves L′ x = right.
fn backward(factor: &[Vec<f64>], mut right: Vec<f64>) -> Vec<f64> {
    for i in (0..right.len()).rev() {
        let dot: f64 = (i + 1..right.len()).map(|j| factor[j][i] * right[j]).sum();
        right[i] = (right[i] - dot) / factor[i][i];
    }
    right
}

/// The inverse of a symmetric matrix; none where it is not positive definite.
pub(super) fn inverse(matrix: &[Vec<f64>]) -> Option<Vec<Vec<f64>>> {
    let factor = cholesky(matrix.to_vec())?;
    let unit = |i: usize| (0..matrix.len()).map(|j| f64::from(u8::from(i == j))).collect();
    Some((0..matrix.len()).map(|i| backward(&factor, forward(&factor, unit(i)))).collect())
}
