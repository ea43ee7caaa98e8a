//! Obuchowski & Rockette's analysis of a study.

use super::CrossedDesign;
use crate::auc::{component_covariance, placements};
use crate::distribution::{chi_square_sf, f_sf, t_quantile, t_two_sided};
use crate::estimate::{Estimate, Level, Reason, Test, Undefined};
use crate::scored::Scored;

/// Which effects are taken as a sample of a population; conclusions reach as far.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "snake_case"))]
pub enum Random {
    /// Readers and cases: results hold for other readers and other cases.
    #[default]
    ReadersAndCases,
    /// Readers only: for other readers on these very cases.
    Readers,
    /// Cases only: for these very readers on other cases.
    Cases,
}

/// The variance components, each a mean over its pairs of areas.
#[derive(Debug, Clone, Copy, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
pub struct Components {
    /// Mean variance of an area.
    pub error: f64,
    /// Same reader, different treatments; `None` with one treatment.
    pub cov1: Option<f64>,
    /// Different readers, same treatment; `None` with one reader.
    pub cov2: Option<f64>,
    /// Different readers, different treatments; `None` with one of either.
    pub cov3: Option<f64>,
    /// Mean square of treatments.
    pub ms_treatment: f64,
    /// Mean square of readers.
    pub ms_reader: f64,
    /// Mean square of the treatment-by-reader interaction.
    pub ms_interaction: f64,
}

/// A treatment's mean area over readers.
#[derive(Debug, Clone, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
pub struct TreatmentMean {
    /// The treatment.
    pub treatment: String,
    /// Its mean area with interval.
    pub auc: Estimate,
    /// Each reader's area, in the order of [`CrossedDesign::readers`].
    pub by_reader: Vec<f64>,
}

/// A difference of two treatments' mean areas.
#[derive(Debug, Clone, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
pub struct TreatmentDifference {
    /// The treatment from which is subtracted.
    pub first: String,
    /// The treatment that is subtracted.
    pub second: String,
    /// The difference with interval.
    pub difference: Estimate,
    /// Its standard error.
    pub se: f64,
    /// The t test; with fixed readers the normal test, whose `df` is `None`.
    pub test: Test,
}

/// The analysis of a study.
#[derive(Debug, Clone, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
pub struct Analysis {
    /// What was taken as random.
    pub random: Random,
    /// Variance components and mean squares.
    pub components: Components,
    /// Test of equal treatments: F with (t − 1, `df`) degrees of freedom, or with fixed readers chi-square with t − 1.
    pub overall: Test,
    /// Numerator degrees of freedom t − 1.
    pub numerator_df: f64,
    /// Each treatment's mean area.
    pub treatments: Vec<TreatmentMean>,
    /// Every pair of treatments, in order.
    pub differences: Vec<TreatmentDifference>,
}

impl CrossedDesign {
    /// Obuchowski & Rockette's analysis.
    ///
    /// Readers and cases random: F = MS(T)/[MS(T:R) + r max(Cov2 − Cov3, 0)], df2 = denominator²/[MS(T:R)²/((t−1)(r−1))] (Hillis
    /// 2007), and a difference's SE = √(2 denominator/r). Readers random: the covariances are left out. Cases random:
    /// chi-square (t−1)MS(T)/[Error − Cov1 + (r−1) max(Cov2 − Cov3, 0)]. A treatment's own interval uses its own mean square
    /// and covariances: (MS(R)_i + r max(Cov2_i, 0))/r, Error_i/r + (r−1)/r·Cov2_i, or MS(R)_i/r.
    ///
    /// # Errors
    /// Undefined with fewer than two treatments, readers, cases or controls, or when the test's denominator is zero.
    pub fn analyze(&self, random: Random, level: Level) -> Result<Analysis, Undefined> {
        let statistic = "MRMC analysis";
        let (t, r) = (self.treatments.len(), self.readers.len());
        if t.min(r) < 2 {
            return Err(Undefined::new(statistic, Reason::TooFew { n: t.min(r), needed: 2 }));
        }
        let areas = self.areas(statistic)?;
        let components = areas.components(t, r);
        let spread = areas.spread(random, &components, r);
        if spread.square <= 0.0 {
            return Err(Undefined::new(statistic, Reason::ZeroVariance));
        }
        let numerator_df = t as f64 - 1.0;
        let ratio = components.ms_treatment / spread.square;
        let overall = match spread.df {
            Some(df) => Test {
                statistic: ratio,
                df: Some(df),
                p: f_sf(ratio, numerator_df, df),
                method: "Obuchowski-Rockette F test",
            },
            None => Test {
                statistic: numerator_df * ratio,
                df: Some(numerator_df),
                p: chi_square_sf(numerator_df * ratio, t as u32 - 1),
                method: "Obuchowski-Rockette chi-square test",
            },
        };
        Ok(Analysis {
            random,
            components,
            overall,
            numerator_df,
            treatments: (0..t).map(|i| self.treatment_mean(&areas, i, random, level)).collect(),
            differences: (0..t)
                .flat_map(|i| (i + 1..t).map(move |j| (i, j)))
                .map(|pair| self.difference(&areas, pair, &spread, level))
                .collect(),
        })
    }

    fn areas(&self, statistic: &'static str) -> Result<Areas, Undefined> {
        let mut all = Vec::new();
        for by_reader in &self.ratings {
            for ratings in by_reader {
                let sample = Scored::new(ratings, &self.truth)?;
                sample.require(statistic, 2)?;
                all.push(placements(sample)?);
            }
        }
        Ok(Areas {
            readers: self.readers.len(),
            theta: all.iter().map(|p| p.auc).collect(),
            covariance: all.iter().map(|a| all.iter().map(|b| component_covariance(a, b)).collect()).collect(),
        })
    }

    fn treatment_mean(&self, areas: &Areas, treatment: usize, random: Random, level: Level) -> TreatmentMean {
        let r = self.readers.len() as f64;
        let by_reader = areas.of_treatment(treatment).to_vec();
        let value = mean(by_reader.iter().copied());
        let ms = by_reader.iter().map(|a| (a - value).powi(2)).sum::<f64>() / (r - 1.0);
        let inside = |i: usize, j: usize| i / self.readers.len() == treatment && j / self.readers.len() == treatment;
        let cov2 = areas.mean_covariance(|i, j| i != j && inside(i, j));
        let error = areas.mean_covariance(|i, j| i == j && inside(i, j));
        let (square, df) = match random {
            Random::ReadersAndCases => {
                let square = ms + r * cov2.max(0.0);
                (square / r, Some(square * square / (ms * ms / (r - 1.0))))
            }
            Random::Readers => (ms / r, Some(r - 1.0)),
            Random::Cases => ((error + (r - 1.0) * cov2).max(0.0) / r, None),
        };
        let half = quantile(df, level) * square.sqrt();
        TreatmentMean {
            treatment: self.treatments[treatment].clone(),
            auc: Estimate::new(
                value,
                ((value - half).max(0.0), (value + half).min(1.0)),
                "Obuchowski-Rockette",
                self.truth.len(),
            ),
            by_reader,
        }
    }

    fn difference(
        &self,
        areas: &Areas,
        (first, second): (usize, usize),
        spread: &Spread,
        level: Level,
    ) -> TreatmentDifference {
        let mean_of = |treatment: usize| mean(areas.of_treatment(treatment).iter().copied());
        let value = mean_of(first) - mean_of(second);
        let se = (2.0 * spread.square / self.readers.len() as f64).sqrt();
        let half = quantile(spread.df, level) * se;
        let statistic = value / se;
        TreatmentDifference {
            first: self.treatments[first].clone(),
            second: self.treatments[second].clone(),
            difference: Estimate::new(value, (value - half, value + half), "Obuchowski-Rockette", self.truth.len()),
            se,
            test: Test {
                statistic,
                df: spread.df,
                p: match spread.df {
                    Some(df) => t_two_sided(statistic, df),
                    None => chi_square_sf(statistic * statistic, 1),
                },
                method: "Obuchowski-Rockette",
            },
        }
    }
}

/// The areas in the order treatment, then reader, with DeLong's covariances.
struct Areas {
    readers: usize,
    theta: Vec<f64>,
    covariance: Vec<Vec<f64>>,
}

/// The denominator of a test of treatments, with its degrees of freedom; `None` is infinitely many.
struct Spread {
    square: f64,
    df: Option<f64>,
}

impl Areas {
    fn of_treatment(&self, treatment: usize) -> &[f64] {
        &self.theta[treatment * self.readers..(treatment + 1) * self.readers]
    }

    /// The mean covariance over the pairs that are wanted; NaN when there is none.
    fn mean_covariance(&self, wanted: impl Fn(usize, usize) -> bool) -> f64 {
        let count = self.theta.len();
        let wanted = &wanted;
        mean(
            (0..count)
                .flat_map(|i| (0..count).map(move |j| (i, j)))
                .filter(|&(i, j)| wanted(i, j))
                .map(|(i, j)| self.covariance[i][j]),
        )
    }

    fn components(&self, t: usize, r: usize) -> Components {
        let (treatment, reader) = (|k: usize| k / r, |k: usize| k % r);
        let covariance = |same_treatment: bool, same_reader: bool| {
            self.mean_covariance(|i, j| {
                (treatment(i) == treatment(j)) == same_treatment && (reader(i) == reader(j)) == same_reader
            })
        };
        let grand = mean(self.theta.iter().copied());
        let treatment_means: Vec<f64> = (0..t).map(|i| mean(self.of_treatment(i).iter().copied())).collect();
        let reader_means: Vec<f64> = (0..r).map(|j| mean((0..t).map(|i| self.theta[i * r + j]))).collect();
        let squares = |means: &[f64]| means.iter().map(|m| (m - grand).powi(2)).sum::<f64>();
        let interaction: f64 = self
            .theta
            .iter()
            .enumerate()
            .map(|(k, theta)| (theta - treatment_means[treatment(k)] - reader_means[reader(k)] + grand).powi(2))
            .sum();
        let (t_count, r_count) = (t as f64, r as f64);
        Components {
            error: covariance(true, true),
            cov1: (t > 1).then(|| covariance(false, true)),
            cov2: (r > 1).then(|| covariance(true, false)),
            cov3: (t > 1 && r > 1).then(|| covariance(false, false)),
            ms_treatment: r_count * squares(&treatment_means) / (t_count - 1.0),
            ms_reader: t_count * squares(&reader_means) / (r_count - 1.0),
            ms_interaction: interaction / ((t_count - 1.0) * (r_count - 1.0)),
        }
    }

    fn spread(&self, random: Random, components: &Components, r: usize) -> Spread {
        let t = (self.theta.len() / r) as f64;
        let r = r as f64;
        let interaction = components.ms_interaction;
        let interaction_df = (t - 1.0) * (r - 1.0);
        let [cov1, cov2, cov3] = [components.cov1, components.cov2, components.cov3].map(Option::unwrap_or_default);
        let between_readers = (cov2 - cov3).max(0.0);
        match random {
            Random::ReadersAndCases => {
                let square = interaction + r * between_readers;
                let df = square * square / (interaction * interaction / interaction_df);
                Spread {
                    square,
                    // Without interaction the degrees of freedom are infinite.
                    df: Some(df).filter(|df| df.is_finite()),
                }
            }
            Random::Readers => Spread { square: interaction, df: Some(interaction_df) },
            Random::Cases => Spread { square: components.error - cov1 + (r - 1.0) * between_readers, df: None },
        }
    }
}

/// The two-sided critical value of t, or of z with infinite degrees of freedom.
fn quantile(df: Option<f64>, level: Level) -> f64 {
    match df {
        Some(df) if df.is_finite() => t_quantile(1.0 - level.tail(), df),
        _ => level.z(),
    }
}

fn mean(values: impl Iterator<Item = f64>) -> f64 {
    let (sum, count) = values.fold((0.0, 0usize), |(sum, count), v| (sum + v, count + 1));
    sum / count as f64
}
