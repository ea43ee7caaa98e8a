//! What every statistic returns: an [`Estimate`] with its interval, or [`Undefined`] with the reason; and the confidence
//! [`Level`] of an interval.

use std::fmt;

use serde::{Deserialize, Serialize, Serializer};

use crate::distribution::normal_quantile;

/// A statistic's value with its confidence interval.
///
/// `low <= value <= high` holds for every estimate that this crate returns, and all three are finite.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Estimate {
    /// The statistic computed from the sample.
    pub value: f64,
    /// Lower confidence limit.
    pub low: f64,
    /// Upper confidence limit.
    pub high: f64,
    /// How the interval was made, in words fit for a table's footnote.
    pub method: &'static str,
    /// Number of observations behind the value: the denominator of a proportion, the sample size of the rest.
    pub n: usize,
}

/// A hypothesis test's result.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Test {
    /// The test statistic.
    pub statistic: f64,
    /// Degrees of freedom, where the reference distribution has them.
    pub df: Option<f64>,
    /// Two-sided p-value.
    pub p: f64,
    /// The test's name.
    pub method: &'static str,
}

/// A statistic that this sample does not define. It is never replaced by a number such as 0.5.
#[derive(Debug, Clone, PartialEq, Serialize, thiserror::Error)]
#[error("{statistic} is undefined: {reason}")]
pub struct Undefined {
    /// Name of the statistic in the field's words, for example `"sensitivity"`.
    pub statistic: &'static str,
    /// Why it is undefined; serializes as its sentence.
    pub reason: Reason,
}

impl Undefined {
    /// Builds the error for `statistic`.
    pub fn new(statistic: &'static str, reason: Reason) -> Self {
        Self { statistic, reason }
    }

    /// The point value, when it is only the interval that is undefined.
    pub fn value(&self) -> Option<f64> {
        match self.reason {
            Reason::NoInterval { value, .. } | Reason::Bootstrap { value, .. } => Some(value),
            _ => None,
        }
    }
}

/// Why a statistic is undefined.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum Reason {
    /// A ratio's denominator is zero; the text says what was counted, for example "no positive case".
    ZeroDenominator(&'static str),
    /// There is no positive case in the sample.
    NoCases,
    /// There is no negative case in the sample.
    NoControls,
    /// The point value exists, but its interval does not.
    NoInterval {
        /// The point value.
        value: f64,
        /// Why there is no interval.
        because: &'static str,
    },
    /// A score, probability or rating is NaN or infinite.
    NotFinite {
        /// Zero-based position in the input.
        index: usize,
        /// The offending value.
        value: f64,
    },
    /// A value lies outside the range in which the statistic is defined.
    OutOfRange {
        /// Zero-based position in the input, or 0 for a single argument.
        index: usize,
        /// The offending value.
        value: f64,
        /// The range that was expected.
        expected: &'static str,
    },
    /// Two inputs that must be of one length are not.
    LengthMismatch {
        /// Length of the first input.
        first: usize,
        /// Length of the other input.
        other: usize,
    },
    /// Fewer observations than the statistic needs.
    TooFew {
        /// Observations at hand.
        n: usize,
        /// Observations needed.
        needed: usize,
    },
    /// The statistic's variance is zero, so that it cannot be tested.
    ZeroVariance,
    /// A logistic model separates the classes perfectly: its coefficients are infinite.
    Separation,
    /// An iteration did not converge.
    NoConvergence,
    /// Too many bootstrap replicates left the statistic undefined.
    Bootstrap {
        /// The sample's own value, which exists: it is the interval that does not.
        value: f64,
        /// Replicates in which it was undefined.
        undefined: usize,
        /// Replicates drawn.
        replicates: usize,
    },
    /// Any other reason, in words.
    Other(&'static str),
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::ZeroDenominator(what) => f.write_str(what),
            Self::NoCases => f.write_str("no positive case"),
            Self::NoControls => f.write_str("no negative case"),
            Self::NoInterval { value, because } => {
                write!(f, "the value is {value} but has no interval: {because}")
            }
            Self::NotFinite { index, value } => {
                write!(f, "value {index} is {value}, which is not finite")
            }
            Self::OutOfRange { index, value, expected } => write!(f, "value {index} is {value}, expected {expected}"),
            Self::LengthMismatch { first, other } => {
                write!(f, "inputs have lengths {first} and {other}")
            }
            Self::TooFew { n, needed } => {
                write!(f, "{n} observations, at least {needed} are needed")
            }
            Self::ZeroVariance => f.write_str("the variance is zero"),
            Self::Separation => f.write_str("the classes are perfectly separated"),
            Self::NoConvergence => f.write_str("the iteration did not converge"),
            Self::Bootstrap { undefined, replicates, .. } => {
                write!(f, "undefined in {undefined} of {replicates} bootstrap replicates")
            }
            Self::Other(why) => f.write_str(why),
        }
    }
}

impl Serialize for Reason {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// A confidence level, strictly between 0 and 1.
#[derive(Debug, Clone, Copy, PartialEq, PartialOrd, Serialize, Deserialize)]
#[serde(try_from = "f64", into = "f64")]
pub struct Level(f64);

impl Level {
    /// 90 %.
    pub const P90: Self = Self(0.90);
    /// 95 %, the default.
    pub const P95: Self = Self(0.95);
    /// 99 %.
    pub const P99: Self = Self(0.99);

    /// Checks a level.
    ///
    /// # Errors
    /// When `level` is not strictly between 0 and 1.
    pub fn new(level: f64) -> Result<Self, Undefined> {
        if level > 0.0 && level < 1.0 {
            Ok(Self(level))
        } else {
            Err(Undefined::new(
                "confidence level",
                Reason::OutOfRange { index: 0, value: level, expected: "a level strictly between 0 and 1" },
            ))
        }
    }

    /// The level as a proportion.
    pub fn get(self) -> f64 {
        self.0
    }

    /// Probability left in each tail, (1 − level)/2.
    pub fn tail(self) -> f64 {
        (1.0 - self.0) / 2.0
    }

    /// The standard normal quantile of 1 − tail: 1.959964 at 95 %.
    pub fn z(self) -> f64 {
        normal_quantile(1.0 - self.tail())
    }
}

impl Default for Level {
    fn default() -> Self {
        Self::P95
    }
}

impl TryFrom<f64> for Level {
    type Error = Undefined;

    fn try_from(level: f64) -> Result<Self, Undefined> {
        Self::new(level)
    }
}

impl From<Level> for f64 {
    fn from(level: Level) -> Self {
        level.0
    }
}

/// Fails when a value is NaN or infinite, naming the first one's index.
pub(crate) fn check_finite(statistic: &'static str, values: &[f64]) -> Result<(), Undefined> {
    match values.iter().position(|v| !v.is_finite()) {
        None => Ok(()),
        Some(index) => Err(Undefined::new(statistic, Reason::NotFinite { index, value: values[index] })),
    }
}

/// Fails when two lengths differ.
pub(crate) fn check_lengths(statistic: &'static str, first: usize, other: usize) -> Result<(), Undefined> {
    if first == other { Ok(()) } else { Err(Undefined::new(statistic, Reason::LengthMismatch { first, other })) }
}

/// Fails when a value is outside [0, 1], naming the first one's index.
pub(crate) fn check_unit(statistic: &'static str, values: &[f64]) -> Result<(), Undefined> {
    check_finite(statistic, values)?;
    match values.iter().position(|v| !(0.0..=1.0).contains(v)) {
        None => Ok(()),
        Some(index) => Err(Undefined::new(
            statistic,
            Reason::OutOfRange { index, value: values[index], expected: "a number from 0 to 1" },
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn level_is_checked() {
        for bad in [0.0, 1.0, -0.1, 95.0, f64::NAN] {
            assert!(Level::new(bad).is_err(), "{bad}");
        }
        assert_eq!(Level::new(0.95).unwrap(), Level::default());
    }

    #[test]
    fn undefined_says_what_and_why() {
        let undefined = Undefined::new("sensitivity", Reason::NoCases);
        assert_eq!(undefined.to_string(), "sensitivity is undefined: no positive case");
        let index = check_finite("AUC", &[0.1, f64::NAN]).unwrap_err();
        assert_eq!(index.to_string(), "AUC is undefined: value 1 is NaN, which is not finite");
    }
}
