//! Films as the numbers that the network takes, and its output as a probability.

use coxa_imaging::{Fit, ModelInput, Radiograph, preprocess};

/// Appends a film's values, each divided by 255.
pub(crate) fn extend_scaled(images: &mut Vec<f32>, input: &ModelInput) {
    images.extend(input.pixels.iter().map(|&pixel| f32::from(pixel) / 255.0));
}

/// Films of `size` × `size` pixels, one after the other, values 0 to 1.
pub(crate) fn of_films(films: &[Radiograph], size: usize, fit: Fit) -> Vec<f32> {
    let mut images = Vec::with_capacity(films.len() * size * size);
    for film in films {
        extend_scaled(&mut images, &preprocess(film, size, fit));
    }
    images
}

/// sigmoid(logit / temperature). No finite logit is certain: where the nearest double is 0 or 1, the next within is given, so that
/// the probability has a logit again.
pub fn probability(logit: f32, temperature: f64) -> f64 {
    (1.0 / (1.0 + (-f64::from(logit) / temperature).exp())).clamp(f64::MIN_POSITIVE, 1.0_f64.next_down())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn probability_follows_the_temperature() {
        assert_eq!(probability(0.0, 3.0), 0.5);
        assert!((probability(2.0, 2.0) - 0.731_058_6).abs() < 1e-6);
        for logit in [-1e30, -40.0, 40.0, 1e30] {
            let p = probability(logit, 1.0);
            assert!(p > 0.0 && p < 1.0 && (p > 0.5) == (logit > 0.0), "{logit}: {p:e}");
        }
    }
}
