//! Roe & Metz's model of a reader study (1997, *Academic Radiology* 4: 298–303): ratings as a sum of normal effects.

use super::draws::Draws;
use super::study::ReaderStudy;

/// A model of fully crossed studies. With truth s (0 negative, 1 positive), the rating of case k by reader j under treatment i is
/// μ_s + (difference of the treatment)·s + R + C + TR + TC + RC + E, each a normal effect of its own truth, of the variances below.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct RoeMetz {
    /// Treatments.
    pub treatments: usize,
    /// Readers.
    pub readers: usize,
    /// Positive cases.
    pub positives: usize,
    /// Negative cases.
    pub negatives: usize,
    /// The distance between the means of positive and negative cases under the first treatment.
    pub separation: f64,
    /// What the last treatment adds to the separation; those between add shares of it.
    pub gain: f64,
    /// Variance of readers, and of treatments by readers.
    pub reader: f64,
    /// Variance of treatments by readers.
    pub treatment_reader: f64,
    /// Variance of cases.
    pub case: f64,
    /// Variance of treatments by cases.
    pub treatment_case: f64,
    /// Variance of readers by cases.
    pub reader_case: f64,
    /// Variance of the error.
    pub error: f64,
}

impl Default for RoeMetz {
    /// A null study of 5 readers and 114 cases in the structure "HL" (high data correlation, low reader variance): case, treatment by
    /// case, reader by case and error 0.3, 0.3, 0.2 and 0.2, reader variances 0.0055, and a separation of 1.5 (area about 0.855).
    fn default() -> Self {
        Self {
            treatments: 2,
            readers: 5,
            positives: 45,
            negatives: 69,
            separation: 1.5,
            gain: 0.0,
            reader: 0.0055,
            treatment_reader: 0.0055,
            case: 0.3,
            treatment_case: 0.3,
            reader_case: 0.2,
            error: 0.2,
        }
    }
}

impl RoeMetz {
    /// Draws study number `number`: the same for one seed, whatever was drawn before.
    pub fn draw(&self, seed: u64, number: u64) -> ReaderStudy {
        let mut draws = Draws::of(seed, number);
        let Self { treatments: t, readers: r, .. } = *self;
        let n = self.positives + self.negatives;
        let truth: Vec<bool> = (0..n).map(|case| case < self.positives).collect();
        let mut table = |rows: usize, columns: usize, variance: f64| -> Vec<Vec<f64>> {
            (0..rows).map(|_| (0..columns).map(|_| draws.normal(variance)).collect()).collect()
        };
        // Effects of readers differ between positive and negative cases: a column each.
        let (reader, treatment_reader) = (table(r, 2, self.reader), table(t * r, 2, self.treatment_reader));
        let (case, treatment_case) = (table(1, n, self.case), table(t, n, self.treatment_case));
        let (reader_case, error) = (table(r, n, self.reader_case), table(t * r, n, self.error));
        let last = (t.max(2) - 1) as f64;
        let rating = |i: usize, j: usize, k: usize| {
            let class = usize::from(truth[k]);
            let mean = if truth[k] { self.separation + self.gain * i as f64 / last } else { 0.0 };
            mean + reader[j][class]
                + treatment_reader[i * r + j][class]
                + case[0][k]
                + treatment_case[i][k]
                + reader_case[j][k]
                + error[i * r + j][k]
        };
        let of = |i: usize, j: usize| (0..n).map(|k| rating(i, j, k)).collect();
        let ratings = (0..t).map(|i| (0..r).map(|j| of(i, j)).collect()).collect();
        ReaderStudy::crossed(truth, ratings)
    }
}

#[cfg(test)]
mod tests {
    use super::super::options::{AnalysisOptions, Random};
    use super::*;
    use crate::distribution::binomial_cdf;
    use crate::estimate::Level;

    /// How many of the studies find a difference at 5%.
    fn rejections(model: &RoeMetz, studies: u64, random: Random) -> u64 {
        let options = AnalysisOptions { random, ..AnalysisOptions::default() };
        let significant = |&number: &u64| {
            model
                .draw(4, number)
                .analyze(&options, Level::P95)
                .is_ok_and(|analysis| analysis.overall.as_ref().is_some_and(|test| test.p < 0.05))
        };
        (0..studies).filter(significant).count() as u64
    }

    #[test]
    fn null_studies_are_rejected_as_often_as_they_should() {
        let (model, studies) = (RoeMetz::default(), 400);
        let found = rejections(&model, studies, Random::ReadersAndCases);
        // Within the central 99.8% of the binomial distribution.
        let below = binomial_cdf(found, studies, 0.05);
        assert!(below > 0.001 && below < 0.999, "{found} of {studies}");
    }

    #[test]
    fn a_study_depends_on_seed_and_number_alone() {
        let model = RoeMetz { readers: 3, positives: 4, negatives: 5, ..RoeMetz::default() };
        assert_eq!(model.draw(1, 2), model.draw(1, 2));
        assert_ne!(model.draw(1, 2), model.draw(1, 3));
        assert_ne!(model.draw(1, 2), model.draw(2, 2));
    }
}
