//! Matrices of covariances.

/// A matrix from a function of two places; symmetric.
pub(super) fn symmetric(n: usize, of: impl Fn(usize, usize) -> f64) -> Vec<Vec<f64>> {
    let mut matrix = vec![vec![0.0; n]; n];
    for (a, b) in (0..n).flat_map(|a| (a..n).map(move |b| (a, b))) {
        matrix[a][b] = of(a, b);
        matrix[b][a] = matrix[a][b];
    }
    matrix
}

/// The sum of products.
pub(super) fn dot(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(x, y)| x * y).sum()
}
