//! Power and size of the next study from the variance components of this one.

use super::analysis::Analysis;
use super::components::mean;
use super::design::Design;
use super::options::Random;
use crate::distribution::{chi_square_sf, f_sf, noncentral_chi_square_1_sf, noncentral_f_sf, root};
use crate::estimate::{Reason, Undefined};

/// The variance of a comparison of two treatments, as a pilot study has it (Hillis, Obuchowski & Berbaum 2011).
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct NextStudy {
    /// The treatment-by-reader variance; a negative estimate counts as zero (the convention of Hillis et al.).
    pub(super) treatment_reader: f64,
    /// Error − Cov1 of the pilot.
    within: f64,
    /// max(Cov2 − Cov3, 0) of the pilot.
    between: f64,
    /// The readers' variance; negative counts as zero here too.
    pub(super) reader: f64,
    /// Error, Cov1, Cov2 and Cov3 of the pilot.
    pub(super) covariances: [f64; 4],
    /// The mean of the pilot's endpoints.
    pub(super) mean: f64,
    /// Cases of the pilot.
    pub(super) cases: f64,
    pub(super) random: Random,
}

/// A fully crossed study of two treatments.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
pub struct StudySize {
    /// Readers.
    pub readers: u32,
    /// Cases, in the pilot's proportion of positive ones.
    pub cases: u32,
}

pub(super) const STATISTIC: &str = "size of the next study";

/// More cases than this are no answer.
const MOST_CASES: f64 = 1e6;

impl NextStudy {
    /// Takes the variances of a fully crossed study that had so many cases; what is random there is random in the next study.
    ///
    /// # Errors
    /// Undefined for another design, one reader, one treatment, or a pilot without variance.
    pub fn of(pilot: &Analysis, cases: usize) -> Result<Self, Undefined> {
        let c = &pilot.components;
        let Some(treatment_reader) = c.treatment_reader.filter(|_| pilot.design == Design::Crossed) else {
            let why = "the pilot is not fully crossed, or has one reader or one treatment";
            return Err(Undefined::new(STATISTIC, Reason::Other(why)));
        };
        let next = Self {
            treatment_reader: treatment_reader.max(0.0),
            within: (c.error - c.cov1.unwrap_or_default()).max(0.0),
            between: c.between(),
            reader: c.reader.unwrap_or_default().max(0.0),
            covariances: [c.error, c.cov1.unwrap_or_default(), c.cov2.unwrap_or_default(), c.cov3.unwrap_or_default()],
            mean: mean(&pilot.treatments.iter().map(|of| of.mean.value).collect::<Vec<_>>()),
            cases: cases as f64,
            random: pilot.random,
        };
        if next.treatment_reader + next.within + next.between <= f64::EPSILON * f64::EPSILON {
            return Err(Undefined::new(STATISTIC, Reason::ZeroVariance));
        }
        Ok(next)
    }

    /// The power of a two-sided test at `alpha` to find a true difference: with c*/c the ratio of cases to the pilot's, r readers and
    /// σ² the treatment-by-reader variance, λ = (r d²/2)/[σ² + c/c* (Error − Cov1 + (r−1) max(Cov2 − Cov3, 0))] and
    /// df2 = [σ² + c/c* (Error − Cov1 + (r−1) max(…))]²/{[σ² + c/c* (Error − Cov1 − max(…))]²/(r − 1)}. Readers alone random: both are
    /// without the r max(…). Cases alone random: chi-square, without σ².
    ///
    /// Variances are those of the pilot whatever the difference: where it takes an endpoint near one, or from there,
    /// [`NextStudy::simulated_power`] is nearer to the truth.
    ///
    /// # Errors
    /// When the difference is not above zero, `alpha` not strictly between 0 and 1, or there are fewer than two readers or cases.
    pub fn power(&self, difference: f64, size: StudySize, alpha: f64) -> Result<f64, Undefined> {
        self.check_study(difference, size, alpha)?;
        Ok(self.power_of(difference, f64::from(size.readers), f64::from(size.cases), alpha))
    }

    fn power_of(&self, difference: f64, readers: f64, cases: f64, alpha: f64) -> f64 {
        let scale = self.cases / cases;
        let interaction = self.treatment_reader + scale * (self.within - self.between).max(0.0);
        let effect = readers * difference * difference / 2.0;
        if self.random == Random::Cases {
            let lambda = effect / (scale * (self.within + (readers - 1.0) * self.between));
            let critical = root(|x| alpha - chi_square_sf(x, 1), 0.0, 2_000.0);
            return noncentral_chi_square_1_sf(critical, lambda);
        }
        let square = match self.random {
            Random::Readers => interaction,
            _ => interaction + readers * scale * self.between,
        };
        let df = (readers - 1.0) * (square / interaction).powi(2);
        // Without interaction the test is normal; F with a million degrees of freedom is as near as makes no difference.
        let df = df.min(1e6);
        let critical = root(|x| alpha - f_sf(x, 1.0, df), 0.0, 1e9);
        // Beyond this the power is one, and the mixture would have a great many terms.
        noncentral_f_sf(critical, 1.0, df, (effect / square).min(1e4))
    }

    /// The fewest cases with which so many readers reach a power.
    ///
    /// # Errors
    /// As [`NextStudy::power`], and undefined where a million cases do not reach it: more readers are needed.
    pub fn cases(&self, difference: f64, readers: u32, power: f64, alpha: f64) -> Result<StudySize, Undefined> {
        self.check(difference, alpha)?;
        if !(power > 0.0 && power < 1.0) {
            let expected = "a power strictly between 0 and 1";
            return Err(Undefined::new(STATISTIC, Reason::OutOfRange { value: power, expected }));
        }
        if readers < 2 {
            return Err(Undefined::new(STATISTIC, Reason::TooFew { n: readers as usize, needed: 2 }));
        }
        let reaches = |cases: f64| self.power_of(difference, f64::from(readers), cases, alpha) >= power;
        if !reaches(MOST_CASES) {
            let why = "no number of cases gives that power to so few readers";
            return Err(Undefined::new(STATISTIC, Reason::Other(why)));
        }
        let (mut too_few, mut enough) = (1.0, MOST_CASES);
        while enough - too_few > 1.0 {
            let middle = ((too_few + enough) / 2.0).floor();
            if reaches(middle) { enough = middle } else { too_few = middle }
        }
        Ok(StudySize { readers, cases: enough as u32 })
    }

    pub(super) fn check_study(&self, difference: f64, size: StudySize, alpha: f64) -> Result<(), Undefined> {
        self.check(difference, alpha)?;
        let n = size.readers.min(size.cases) as usize;
        if n < 2 {
            return Err(Undefined::new(STATISTIC, Reason::TooFew { n, needed: 2 }));
        }
        Ok(())
    }

    fn check(&self, difference: f64, alpha: f64) -> Result<(), Undefined> {
        let of = |value: f64, expected| Err(Undefined::new(STATISTIC, Reason::OutOfRange { value, expected }));
        if !(difference > 0.0 && difference <= 1.0) {
            return of(difference, "a difference above 0, at most 1");
        }
        if !(alpha > 0.0 && alpha < 1.0) {
            return of(alpha, "a level strictly between 0 and 1");
        }
        Ok(())
    }
}
