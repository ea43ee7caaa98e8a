//! Quantiles of small samples.

/// The quantile `q` (0..=1), linear between neighboring order statistics; `None` of nothing.
pub fn quantile(values: &[f64], q: f64) -> Option<f64> {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let place = q * (sorted.len().checked_sub(1)? as f64);
    let (low, part) = (place as usize, place.fract());
    Some(sorted[low] + part * (sorted[(low + 1).min(sorted.len() - 1)] - sorted[low]))
}
