//! Variance components and mean squares of the endpoints, and the denominators that they make.

use super::covariance::Endpoints;
use super::options::Random;

/// The variance components: each covariance is a mean over its pairs of endpoints.
#[derive(Debug, Clone, Copy, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
pub struct Components {
    /// Mean variance of an endpoint by cases.
    pub error: f64,
    /// Same reader, different treatments; `None` with one treatment, or readers nested in treatments.
    pub cov1: Option<f64>,
    /// Different readers, same treatment; `None` with one reader.
    pub cov2: Option<f64>,
    /// Different readers, different treatments; `None` with one of either.
    pub cov3: Option<f64>,
    /// Mean square of treatments; `None` with one.
    pub ms_treatment: Option<f64>,
    /// Mean square of readers; within treatments where readers are nested in them. `None` with one reader.
    pub ms_reader: Option<f64>,
    /// Mean square of the treatment-by-reader interaction; `None` with one treatment or one reader, or readers nested in treatments.
    pub ms_interaction: Option<f64>,
    /// The readers' variance, [MS(R) − MS(T:R)]/t − Cov1 + Cov3, or with one treatment MS(R) − Error + Cov2: an unbiased estimate, which
    /// may be negative and is left so.
    pub reader: Option<f64>,
    /// The treatment-by-reader variance, MS(T:R) − Error + Cov1 + max(Cov2 − Cov3, 0): as `reader`, it may be negative.
    pub treatment_reader: Option<f64>,
}

/// The sizes of a study's factors.
#[derive(Debug, Clone)]
pub(super) struct Shape {
    /// Number of treatments.
    pub treatments: usize,
    /// Readers of each treatment.
    pub readers: Vec<usize>,
    /// Whether every reader read under one treatment only.
    pub nested_readers: bool,
}

impl Shape {
    /// The readers of a treatment, on average over some treatments: the harmonic mean, with which the analysis of unweighted means
    /// replaces r where treatments differ in their readers.
    pub fn readers_of(&self, treatments: &[usize]) -> f64 {
        if let Some(&first) = treatments.first()
            && treatments.iter().all(|&i| self.readers[i] == self.readers[first])
        {
            return self.readers[first] as f64;
        }
        treatments.len() as f64 / treatments.iter().map(|&i| 1.0 / self.readers[i] as f64).sum::<f64>()
    }

    pub fn all_readers(&self) -> f64 {
        self.readers_of(&(0..self.treatments).collect::<Vec<_>>())
    }

    /// Degrees of freedom of the mean square that treatments are compared with.
    fn df(&self) -> f64 {
        if self.nested_readers {
            self.readers.iter().map(|r| r - 1).sum::<usize>() as f64
        } else {
            (self.treatments as f64 - 1.0) * (self.readers[0] as f64 - 1.0)
        }
    }
}

/// The denominator of a test of treatments, with its degrees of freedom; `None` is infinitely many.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Spread {
    pub square: f64,
    pub df: Option<f64>,
}

pub(super) fn mean(values: &[f64]) -> f64 {
    values.iter().sum::<f64>() / values.len() as f64
}

fn squares(values: &[f64], around: f64) -> f64 {
    values.iter().map(|value| (value - around).powi(2)).sum()
}

impl Components {
    pub(super) fn of(endpoints: &Endpoints, shape: &Shape) -> Self {
        let covariance = |same_treatment: bool, same_reader: bool| {
            endpoints.mean_covariance(|a, b| (a.0 == b.0) == same_treatment && (a.1 == b.1) == same_reader)
        };
        let t = shape.treatments as f64;
        let by_treatment: Vec<Vec<f64>> = (0..shape.treatments).map(|i| endpoints.of_treatment(i)).collect();
        let means: Vec<f64> = by_treatment.iter().map(|thetas| mean(thetas)).collect();
        let grand = mean(&means);
        let ms_treatment = (t > 1.0).then(|| shape.all_readers() * squares(&means, grand) / (t - 1.0));
        let [error, cov1, cov2, cov3] =
            [(true, true), (false, true), (true, false), (false, false)].map(|(t, r)| covariance(t, r));
        let mut components = Self {
            error: error.unwrap_or_default(),
            cov1,
            cov2,
            cov3,
            ms_treatment,
            ms_reader: None,
            ms_interaction: None,
            reader: None,
            treatment_reader: None,
        };
        if let ([thetas], true) = (by_treatment.as_slice(), shape.readers[0] > 1) {
            let ms_reader = squares(thetas, grand) / (thetas.len() as f64 - 1.0);
            components.ms_reader = Some(ms_reader);
            components.reader = Some(ms_reader - components.error + cov2.unwrap_or_default());
        }
        if shape.df() < 1.0 {
            return components;
        }
        if shape.nested_readers {
            let within: f64 = by_treatment.iter().zip(&means).map(|(thetas, &mean)| squares(thetas, mean)).sum();
            components.ms_reader = Some(within / shape.df());
            return components;
        }
        let r = shape.readers[0];
        let reader_means: Vec<f64> =
            (0..r).map(|j| mean(&by_treatment.iter().map(|thetas| thetas[j]).collect::<Vec<_>>())).collect();
        let interaction: f64 = by_treatment
            .iter()
            .zip(&means)
            .flat_map(|(thetas, mean)| {
                thetas.iter().zip(&reader_means).map(move |(theta, reader)| theta - mean - reader)
            })
            .map(|residual| (residual + grand).powi(2))
            .sum();
        let ms_reader = t * squares(&reader_means, grand) / (r as f64 - 1.0);
        let ms_interaction = interaction / shape.df();
        let [cov1, cov2, cov3] = [cov1, cov2, cov3].map(Option::unwrap_or_default);
        components.ms_reader = Some(ms_reader);
        components.ms_interaction = Some(ms_interaction);
        components.reader = Some((ms_reader - ms_interaction) / t - cov1 + cov3);
        components.treatment_reader = Some(ms_interaction - components.error + cov1 + (cov2 - cov3).max(0.0));
        components
    }

    /// max(Cov2 − Cov3, 0): a negative difference counts as zero (Hillis 2007).
    pub fn between(&self) -> f64 {
        (self.cov2.unwrap_or_default() - self.cov3.unwrap_or_default()).max(0.0)
    }

    /// The denominator for treatments with so many readers each.
    pub(super) fn spread(&self, random: Random, shape: &Shape, readers: f64) -> Spread {
        let between = self.between();
        if random == Random::Cases {
            let square = if shape.nested_readers {
                self.error - self.cov2.unwrap_or_default() + readers * between
            } else {
                self.error - self.cov1.unwrap_or_default() + (readers - 1.0) * between
            };
            return Spread { square, df: None };
        }
        let by_readers = self.ms_interaction.or(self.ms_reader).unwrap_or_default();
        if random == Random::Readers {
            return Spread { square: by_readers, df: Some(shape.df()) };
        }
        let square = by_readers + readers * between;
        let df = square * square / (by_readers * by_readers / shape.df());
        // Without variation by readers the degrees of freedom are infinite.
        Spread { square, df: Some(df).filter(|df| df.is_finite()) }
    }
}
