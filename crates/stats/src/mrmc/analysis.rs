//! Obuchowski & Rockette's analysis of a study.

use super::components::{Components, Shape, Spread, mean};
use super::covariance::Endpoints;
use super::design::Design;
use super::inference::{quantile, spread_of_mean, two_sided};
use super::merit::Endpoint;
use super::options::{AnalysisOptions, Random};
use super::readers::{ReaderDifference, ReaderEstimate};
use super::study::ReaderStudy;
use crate::distribution::{chi_square_sf, f_sf, normal_cdf, t_cdf};
use crate::estimate::{Estimate, Level, Reason, Test, Undefined};

/// A treatment's mean endpoint over readers. With the feature `serde`, `mean` is written under the endpoint's own key, such as `auc`.
#[derive(Debug, Clone, PartialEq)]
pub struct TreatmentMean {
    /// What was averaged.
    pub endpoint: Endpoint,
    /// The treatment.
    pub treatment: String,
    /// The mean with its interval, from this treatment's data alone.
    pub mean: Estimate,
    /// The standard error of the mean; `None` where its variance is estimated as zero or less.
    pub se: Option<f64>,
    /// Each reader's endpoint, in the order of [`ReaderStudy::readers`]; where readers are nested in treatments, of those of this one.
    pub by_reader: Vec<f64>,
}

#[cfg(feature = "serde")]
impl serde::Serialize for TreatmentMean {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        use serde::ser::SerializeStruct as _;
        let mut fields = serializer.serialize_struct("TreatmentMean", 4)?;
        fields.serialize_field("treatment", &self.treatment)?;
        fields.serialize_field(self.endpoint.key(), &self.mean)?;
        fields.serialize_field("se", &self.se)?;
        fields.serialize_field("by_reader", &self.by_reader)?;
        fields.end()
    }
}

/// A difference of two treatments' mean endpoints.
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
    /// The endpoint's name.
    pub endpoint: &'static str,
    /// The design.
    pub design: Design,
    /// The method of the covariances.
    pub covariance: &'static str,
    /// What was taken as random.
    pub random: Random,
    /// Variance components and mean squares.
    pub components: Components,
    /// Test of equal treatments: F with (t − 1, `df`) degrees of freedom, or with fixed readers chi-square with t − 1; `None` with one
    /// treatment.
    pub overall: Option<Test>,
    /// Numerator degrees of freedom t − 1.
    pub numerator_df: f64,
    /// Each treatment's mean endpoint.
    pub treatments: Vec<TreatmentMean>,
    /// Every pair of treatments, in order.
    pub differences: Vec<TreatmentDifference>,
    /// Each reader's endpoint under each treatment, cases being random.
    pub readers: Vec<ReaderEstimate>,
    /// Each reader's differences of treatments, cases being random; empty where readers are nested in treatments.
    pub reader_differences: Vec<ReaderDifference>,
}

const STATISTIC: &str = "MRMC analysis";

impl TreatmentDifference {
    /// The one-sided test that the first treatment is worse than the second by less than `margin`: its p is that of
    /// (difference + margin)/SE, and below α it shows non-inferiority at that level.
    ///
    /// # Errors
    /// When the margin is not above zero.
    pub fn noninferiority(&self, margin: f64) -> Result<Test, Undefined> {
        if !(margin > 0.0 && margin.is_finite()) {
            let reason = Reason::OutOfRange { value: margin, expected: "a margin above zero" };
            return Err(Undefined::new("non-inferiority", reason));
        }
        let statistic = (self.difference.value + margin) / self.se;
        let p = match self.test.df {
            Some(df) => t_cdf(-statistic, df),
            None => normal_cdf(-statistic),
        };
        Ok(Test { statistic, df: self.test.df, p, method: "one-sided test of non-inferiority" })
    }
}

impl ReaderStudy {
    /// Obuchowski & Rockette's analysis.
    ///
    /// Readers and cases random: F = MS(T)/[MS(T:R) + r max(Cov2 − Cov3, 0)], df2 = denominator²/[MS(T:R)²/((t−1)(r−1))] (Hillis
    /// 2007), and a difference's SE = √(2 denominator/r). Readers random: the covariances are left out. Cases random:
    /// chi-square (t−1)MS(T)/[Error − Cov1 + (r−1) max(Cov2 − Cov3, 0)]. Readers nested in treatments: MS(R(T)) with t(r − 1) degrees
    /// of freedom takes the place of MS(T:R), and Error − Cov2 + r max(Cov2 − Cov3, 0) that of the last denominator (Hillis 2014);
    /// where treatments differ in their number of readers, r is the harmonic mean. Where cases are nested, or not all readers have all
    /// cases, the covariances are means over all pairs, those without a common case included (Hillis 2014).
    ///
    /// A treatment's own interval uses its own mean square and covariances: (MS(R)_i + r max(Cov2_i, 0))/r, Error_i/r + (r−1)/r·Cov2_i,
    /// or MS(R)_i/r. With one treatment that is all: nothing is compared.
    ///
    /// # Errors
    /// Undefined with one reader unless only cases are random, with fewer than two cases that the endpoint needs for some reader, where
    /// readers are mixed (see [`ReaderStudy::design`]), or when the denominator of the test of treatments is not above zero.
    pub fn analyze(&self, options: &AnalysisOptions, level: Level) -> Result<Analysis, Undefined> {
        let &AnalysisOptions { endpoint, covariance, random } = options;
        let design = self.design()?;
        let shape = self.shape(design);
        self.require(&shape, random)?;
        let endpoints = self.endpoints(endpoint, covariance)?;
        let components = Components::of(&endpoints, &shape);
        let spread = components.spread(random, &shape, shape.all_readers());
        // What is smaller is rounding: of the covariances, and of endpoints of order 1.
        let is_none = spread.square <= 1e-12 * components.error || spread.square <= f64::EPSILON * f64::EPSILON;
        if components.ms_treatment.is_some() && is_none {
            return Err(Undefined::new(STATISTIC, Reason::ZeroVariance));
        }
        let t = shape.treatments;
        let pairs: Vec<(usize, usize)> = (0..t).flat_map(|i| (i + 1..t).map(move |j| (i, j))).collect();
        let difference = |&pair: &(usize, usize)| {
            let readers = shape.readers_of(&[pair.0, pair.1]);
            self.difference(&endpoints, pair, (components.spread(random, &shape, readers), readers), level)
        };
        Ok(Analysis {
            endpoint: endpoint.name(),
            design,
            covariance: covariance.name(),
            random,
            components,
            overall: components.ms_treatment.map(|square| overall(square / spread.square, t, spread.df)),
            numerator_df: t as f64 - 1.0,
            treatments: (0..t).map(|i| self.treatment_mean(&endpoints, i, (endpoint, random), level)).collect(),
            differences: pairs.iter().map(difference).collect(),
            readers: self.reader_estimates(&endpoints, level),
            reader_differences: self.reader_differences(&endpoints, &pairs, level),
        })
    }

    pub(super) fn shape(&self, design: Design) -> Shape {
        let (t, r) = (self.treatments().len(), self.readers().len());
        let readers = |i: usize| (0..r).filter(|&j| !self.cell(i, j).cases.is_empty()).count();
        Shape {
            treatments: t,
            readers: (0..t).map(readers).collect(),
            nested_readers: design == Design::ReadersInTreatments,
        }
    }

    fn require(&self, shape: &Shape, random: Random) -> Result<(), Undefined> {
        if random != Random::Cases && shape.readers.iter().any(|&r| r < 2) {
            let why = "one reader is no sample of readers; with fixed readers the analysis is defined";
            return Err(Undefined::new(STATISTIC, Reason::Other(why)));
        }
        Ok(())
    }

    pub(super) fn treatment_mean(
        &self,
        endpoints: &Endpoints,
        treatment: usize,
        (endpoint, random): (Endpoint, Random),
        level: Level,
    ) -> TreatmentMean {
        let by_reader = endpoints.of_treatment(treatment);
        let value = mean(&by_reader);
        let of = |a: (usize, usize), b: (usize, usize)| a.0 == treatment && b.0 == treatment;
        let cov2 = endpoints.mean_covariance(|a, b| of(a, b) && a.1 != b.1).unwrap_or_default();
        let error = endpoints.mean_covariance(|a, b| of(a, b) && a.1 == b.1).unwrap_or_default();
        let (square, df) = spread_of_mean(&by_reader, (error, cov2), random);
        let n = self.truth().len();
        let se = Some(square.sqrt()).filter(|se| *se > f64::EPSILON);
        let mean = match se {
            Some(se) => {
                let half = quantile(df, level) * se;
                Estimate::new(value, ((value - half).max(0.0), (value + half).min(1.0)), "Obuchowski-Rockette", n)
            }
            None => Estimate::without_limits(value, "the variance of the mean is estimated as zero or less", n),
        };
        TreatmentMean { endpoint, treatment: self.treatments()[treatment].clone(), mean, se, by_reader }
    }

    fn difference(
        &self,
        endpoints: &Endpoints,
        (first, second): (usize, usize),
        (spread, readers): (Spread, f64),
        level: Level,
    ) -> TreatmentDifference {
        let mean_of = |treatment: usize| mean(&endpoints.of_treatment(treatment));
        let value = mean_of(first) - mean_of(second);
        let se = (2.0 * spread.square / readers).sqrt();
        let half = quantile(spread.df, level) * se;
        let limits = (value - half, value + half);
        TreatmentDifference {
            first: self.treatments()[first].clone(),
            second: self.treatments()[second].clone(),
            difference: Estimate::new(value, limits, "Obuchowski-Rockette", self.truth().len()),
            se,
            test: two_sided(value / se, spread.df),
        }
    }
}

/// The test of equal treatments from the ratio of mean square and denominator.
fn overall(ratio: f64, treatments: usize, df: Option<f64>) -> Test {
    let numerator_df = treatments as f64 - 1.0;
    match df {
        Some(df) => Test {
            statistic: ratio,
            df: Some(df),
            p: f_sf(ratio, numerator_df, df),
            method: "Obuchowski-Rockette F test",
        },
        None => Test {
            statistic: numerator_df * ratio,
            df: Some(numerator_df),
            p: chi_square_sf(numerator_df * ratio, treatments as u32 - 1),
            method: "Obuchowski-Rockette chi-square test",
        },
    }
}

#[cfg(test)]
mod tests {
    use super::super::study::CaseRating;
    use super::super::study::tests::rows;
    use super::*;

    fn analyze(rows: &[CaseRating], random: Random) -> Result<Analysis, Undefined> {
        let options = AnalysisOptions { random, ..AnalysisOptions::default() };
        ReaderStudy::from_rows(rows).unwrap().analyze(&options, Level::P95)
    }

    #[test]
    fn with_two_treatments_the_t_test_is_the_f_test() {
        let nested: Vec<CaseRating> = rows()
            .into_iter()
            .map(|row| CaseRating { reader: format!("{}{}", row.reader, row.treatment), ..row })
            .filter(|row| row.reader != "r0aided")
            .collect();
        for (rows, design) in [(rows(), Design::Crossed), (nested, Design::ReadersInTreatments)] {
            for random in [Random::ReadersAndCases, Random::Readers, Random::Cases] {
                let analysis = analyze(&rows, random).unwrap();
                assert_eq!(analysis.design, design);
                let difference = &analysis.differences[0];
                let square = difference.test.statistic.powi(2);
                let overall = analysis.overall.as_ref().unwrap();
                assert!((square / overall.statistic - 1.0).abs() < 1e-12);
                assert!((difference.test.p / overall.p - 1.0).abs() < 1e-9);
                assert!(difference.difference.value > 0.0, "aided reads better");
                for mean in &analysis.treatments {
                    assert!(mean.mean.low() <= Some(mean.mean.value) && Some(mean.mean.value) <= mean.mean.high());
                }
            }
        }
    }

    #[test]
    fn one_treatment_has_its_mean_and_no_comparison() {
        let both = rows();
        for random in [Random::ReadersAndCases, Random::Readers, Random::Cases] {
            let compared = analyze(&both, random).unwrap();
            for (i, of) in compared.treatments.iter().enumerate() {
                let rows: Vec<CaseRating> = both.iter().filter(|row| row.treatment == of.treatment).cloned().collect();
                let alone = analyze(&rows, random).unwrap();
                assert_eq!(alone.treatments.as_slice(), std::slice::from_ref(of));
                assert!(alone.overall.is_none() && alone.differences.is_empty() && alone.reader_differences.is_empty());
                let of_both = compared.readers.iter().filter(|reader| reader.treatment == of.treatment);
                assert_eq!(alone.readers, of_both.cloned().collect::<Vec<_>>(), "{i}");
                let c = alone.components;
                assert!(c.ms_treatment.is_none() && c.cov1.is_none() && c.cov3.is_none() && c.ms_interaction.is_none());
                let reader = c.ms_reader.unwrap() - c.error + c.cov2.unwrap();
                assert_eq!(c.reader, Some(reader));
                // The standard error's square is (MS(R) + r max(Cov2, 0))/r.
                if random == Random::ReadersAndCases {
                    let r = alone.treatments[0].by_reader.len() as f64;
                    let square = (c.ms_reader.unwrap() + r * c.cov2.unwrap().max(0.0)) / r;
                    assert!((alone.treatments[0].se.unwrap().powi(2) / square - 1.0).abs() < 1e-12);
                }
            }
        }
    }

    #[test]
    fn one_reader_has_fixed_readers_only() {
        let one: Vec<CaseRating> = rows().into_iter().filter(|row| row.reader == "r1").collect();
        for random in [Random::ReadersAndCases, Random::Readers] {
            assert!(analyze(&one, random).unwrap_err().to_string().contains("one reader is no sample"));
        }
        let fixed = analyze(&one, Random::Cases).unwrap();
        assert!(fixed.overall.is_some_and(|test| test.p.is_finite()) && fixed.components.ms_reader.is_none());
        assert!(
            (fixed.differences[0].test.p / fixed.reader_differences[0].test.as_ref().unwrap().p - 1.0).abs() < 1e-12
        );
    }

    #[test]
    fn perfect_readers_and_single_cases_are_undefined() {
        let mut perfect = rows();
        perfect.iter_mut().for_each(|row| row.rating = f64::from(u8::from(row.truth)));
        for random in [Random::ReadersAndCases, Random::Readers, Random::Cases] {
            assert_eq!(analyze(&perfect, random).unwrap_err().reason, Reason::ZeroVariance);
        }
        let one_case: Vec<CaseRating> = rows().into_iter().filter(|row| !row.truth || row.case == "0").collect();
        assert_eq!(analyze(&one_case, Random::Cases).unwrap_err().reason, Reason::TooFew { n: 1, needed: 2 });
        // One perfect reader among others is no obstacle.
        let mut one = rows();
        one.iter_mut().filter(|row| row.reader == "r1").for_each(|row| row.rating = f64::from(u8::from(row.truth)));
        let analysis = analyze(&one, Random::ReadersAndCases).unwrap();
        assert!(analysis.overall.is_some_and(|test| test.p.is_finite()));
        let perfect = analysis.readers.iter().find(|reader| reader.reader == "r1").unwrap();
        assert!(perfect.estimate.value == 1.0 && perfect.estimate.limits.is_err());
    }
}
