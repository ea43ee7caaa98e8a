//! Ages and injury severity scores with the moments of Table 1 of Cheng et al. (European Radiology 2019).

use rand_distr::{Beta, Distribution};

use crate::random::FilmRng;

/// A whole-number age from a beta distribution over `low..high` with this mean and standard deviation.
pub(super) fn age(rng: &mut FilmRng, low: f64, high: f64, mean: f64, sd: f64) -> u32 {
    let m = (mean - low) / (high - low);
    let k = m * (1.0 - m) * (high - low).powi(2) / (sd * sd) - 1.0;
    let beta = Beta::new(m * k, (1.0 - m) * k).expect("moments of Table 1 lie within the range");
    (low + (high - low) * beta.sample(rng)).round() as u32
}

/// Injury severity scores of isolated hip fractures (9 by definition) with some other injuries: 9.97 ± 4.26.
pub(super) const ISS_WITH: [(u32, f32); 11] = [
    (4, 0.026),
    (9, 0.867),
    (10, 0.03),
    (13, 0.01),
    (17, 0.012),
    (18, 0.011),
    (22, 0.012),
    (25, 0.01),
    (29, 0.008),
    (34, 0.012),
    (38, 0.002),
];

/// Injury severity scores of admitted trauma patients without a hip fracture: 14.01 ± 9.29.
pub(super) const ISS_WITHOUT: [(u32, f32); 30] = [
    (1, 0.0247),
    (2, 0.0252),
    (4, 0.1041),
    (5, 0.0632),
    (6, 0.0266),
    (8, 0.0269),
    (9, 0.1614),
    (10, 0.0538),
    (12, 0.0266),
    (13, 0.0528),
    (14, 0.0261),
    (16, 0.0506),
    (17, 0.0596),
    (18, 0.0243),
    (19, 0.0237),
    (20, 0.0231),
    (21, 0.0224),
    (22, 0.0347),
    (24, 0.0202),
    (25, 0.0389),
    (26, 0.0186),
    (27, 0.0178),
    (29, 0.0226),
    (33, 0.0129),
    (34, 0.0121),
    (38, 0.0092),
    (41, 0.0073),
    (43, 0.0061),
    (50, 0.0031),
    (57, 0.0014),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn severity_scores_have_the_moments_of_table_1() {
        let moments = |table: &[(u32, f32)]| {
            let sum: f32 = table.iter().map(|t| t.1).sum();
            let mean: f32 = table.iter().map(|t| t.0 as f32 * t.1).sum::<f32>() / sum;
            let variance: f32 = table.iter().map(|t| (t.0 as f32 - mean).powi(2) * t.1).sum::<f32>() / sum;
            (mean, variance.sqrt())
        };
        let (mean, sd) = moments(&ISS_WITH);
        assert!((mean - 9.96).abs() < 0.1 && (sd - 4.21).abs() < 0.15, "{mean} ± {sd}");
        let (mean, sd) = moments(&ISS_WITHOUT);
        assert!((mean - 14.01).abs() < 0.1 && (sd - 9.29).abs() < 0.1, "{mean} ± {sd}");
    }
}
