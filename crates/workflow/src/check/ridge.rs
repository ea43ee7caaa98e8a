//! Ridge regression of few outputs on many features, solved in the space of the samples.

/// A linear prediction of `N` values.
pub(super) struct Ridge<const N: usize> {
    /// The mean of each feature.
    center: Vec<f32>,
    /// For each output, a weight for each feature.
    weights: Vec<Vec<f32>>,
    /// The mean of each output.
    offset: [f32; N],
}

impl<const N: usize> Ridge<N> {
    /// The prediction that is least wrong on the samples (features and outputs), its weights' squares counted `penalty` times.
    /// Of no sample, one that always says 0.
    pub(super) fn fit(samples: &[(Vec<f32>, [f32; N])], penalty: f64) -> Self {
        let (n, features) = (samples.len(), samples.first().map_or(0, |sample| sample.0.len()));
        let share = 1.0 / n.max(1) as f32;
        let center: Vec<f32> = (0..features).map(|f| samples.iter().map(|s| s.0[f]).sum::<f32>() * share).collect();
        let offset = std::array::from_fn(|k| samples.iter().map(|s| s.1[k]).sum::<f32>() * share);
        let rows: Vec<Vec<f32>> =
            samples.iter().map(|s| s.0.iter().zip(&center).map(|(q, mean)| q - mean).collect()).collect();
        let mut gram = vec![0.0_f64; n * n];
        for i in 0..n {
            for j in 0..=i {
                let product = f64::from(rows[i].iter().zip(&rows[j]).map(|(a, b)| a * b).sum::<f32>());
                gram[i * n + j] = product + if i == j { penalty } else { 0.0 };
            }
        }
        decompose(&mut gram, n);
        let weights = (0..N).map(|k| {
            let mut shares: Vec<f64> = samples.iter().map(|s| f64::from(s.1[k] - offset[k])).collect();
            solve(&gram, n, &mut shares);
            let weight = |f: usize| rows.iter().zip(&shares).map(|(row, a)| f64::from(row[f]) * a).sum::<f64>() as f32;
            (0..features).map(weight).collect()
        });
        Self { weights: weights.collect(), center, offset }
    }

    /// The prediction for these features.
    pub(super) fn predict(&self, features: &[f32]) -> [f32; N] {
        let of = |weights: &[f32]| {
            weights.iter().zip(features.iter().zip(&self.center)).map(|(w, (q, mean))| w * (q - mean)).sum::<f32>()
        };
        std::array::from_fn(|k| self.offset[k] + of(&self.weights[k]))
    }
}

/// The Cholesky factor of a positive definite matrix, in its lower triangle.
fn decompose(matrix: &mut [f64], n: usize) {
    for i in 0..n {
        for j in 0..=i {
            let inner: f64 = (0..j).map(|k| matrix[i * n + k] * matrix[j * n + k]).sum();
            let rest = matrix[i * n + j] - inner;
            matrix[i * n + j] = if i == j { rest.max(f64::MIN_POSITIVE).sqrt() } else { rest / matrix[j * n + j] };
        }
    }
}

/// Solves with the factor of [`decompose`], in place.
fn solve(factor: &[f64], n: usize, values: &mut [f64]) {
    for i in 0..n {
        let inner: f64 = (0..i).map(|k| factor[i * n + k] * values[k]).sum();
        values[i] = (values[i] - inner) / factor[i * n + i];
    }
    for i in (0..n).rev() {
        let inner: f64 = (i + 1..n).map(|k| factor[k * n + i] * values[k]).sum();
        values[i] = (values[i] - inner) / factor[i * n + i];
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_linear_law_is_learned() {
        let samples: Vec<(Vec<f32>, [f32; 2])> = (0..40)
            .map(|i| {
                let x: Vec<f32> = (0..3).map(|k| ((i * 7 + k * 13) % 11) as f32 / 11.0).collect();
                let y = [1.0 + 2.0 * x[0] - x[1], 3.0 * x[2]];
                (x, y)
            })
            .collect();
        let law = Ridge::fit(&samples, 1e-6);
        let [a, b] = law.predict(&[0.5, 0.25, 2.0]);
        assert!((a - 1.75).abs() < 1e-3 && (b - 6.0).abs() < 1e-3, "{a} {b}");
        assert_eq!(Ridge::<1>::fit(&[], 1.0).predict(&[1.0]), [0.0]);
    }
}
