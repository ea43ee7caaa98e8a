//! What every statistic returns: an [`Estimate`], whose interval may be missing for a reason, or [`Undefined`] with the reason;
//! and the confidence [`Level`] of an interval.
//!
//! ```
//! use coxa_stats::{Interval, Level, interval};
//!
//! let share = interval::proportion(9, 10, Level::P95, Interval::Wilson)?;
//! let limits = share.limits.expect("ten observations have an interval");
//! assert!(limits.low < share.value && share.value < limits.high);
//! assert_eq!(limits.method, "Wilson");
//!
//! let nothing = interval::proportion(0, 0, Level::P95, Interval::Wilson).unwrap_err();
//! assert_eq!(nothing.to_string(), "proportion is undefined: no observation");
//! # Ok::<(), coxa_stats::Undefined>(())
//! ```

use std::fmt;

use crate::distribution::normal_quantile;

/// A statistic's value with its confidence limits, or with the reason why the value has none.
///
/// The value is finite. With the feature `serde` it is written as `{"value", "low", "high", "method", "n"}`; without limits, `low`
/// and `high` are null and `method` says why.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Estimate {
    /// The statistic computed from the sample.
    pub value: f64,
    /// The confidence limits; an area of one case against one control, for example, has none.
    pub limits: Result<Limits, NoLimits>,
    /// Number of observations behind the value: the denominator of a proportion, the sample size of the rest.
    pub n: usize,
}

/// Confidence limits: `low <= value <= high` of their estimate, both finite.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Limits {
    /// Lower confidence limit.
    pub low: f64,
    /// Upper confidence limit.
    pub high: f64,
    /// How the interval was made, in words fit for a table's footnote.
    pub method: &'static str,
}

/// Why a value has no confidence limits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum NoLimits {
    /// The sample does not define them; the text says why.
    Because(&'static str),
    /// Too many bootstrap replicates left the statistic undefined.
    Bootstrap {
        /// Replicates in which it was undefined.
        undefined: usize,
        /// Replicates drawn.
        replicates: usize,
    },
}

impl Estimate {
    /// A value with its limits.
    pub fn new(value: f64, (low, high): (f64, f64), method: &'static str, n: usize) -> Self {
        Self { value, limits: Ok(Limits { low, high, method }), n }
    }

    /// A value whose interval the sample does not define.
    pub fn without_limits(value: f64, because: &'static str, n: usize) -> Self {
        Self { value, limits: Err(NoLimits::Because(because)), n }
    }

    /// The lower confidence limit, where there is one.
    pub fn low(&self) -> Option<f64> {
        self.limits.ok().map(|limits| limits.low)
    }

    /// The upper confidence limit, where there is one.
    pub fn high(&self) -> Option<f64> {
        self.limits.ok().map(|limits| limits.high)
    }

    /// The same value with limits that `change` makes of these.
    pub fn map_limits(self, change: impl FnOnce(Limits) -> Limits) -> Self {
        Self { limits: self.limits.map(change), ..self }
    }
}

impl fmt::Display for NoLimits {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Because(why) => f.write_str(why),
            Self::Bootstrap { undefined, replicates } => {
                write!(f, "undefined in {undefined} of {replicates} bootstrap replicates")
            }
        }
    }
}

#[cfg(feature = "serde")]
impl serde::Serialize for Estimate {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        use serde::ser::SerializeStruct as _;
        let mut fields = serializer.serialize_struct("Estimate", 5)?;
        fields.serialize_field("value", &self.value)?;
        fields.serialize_field("low", &self.low())?;
        fields.serialize_field("high", &self.high())?;
        match self.limits {
            Ok(limits) => fields.serialize_field("method", limits.method)?,
            Err(why) => fields.serialize_field("method", &format!("no interval: {why}"))?,
        }
        fields.serialize_field("n", &self.n)?;
        fields.end()
    }
}

/// A hypothesis test's result.
#[derive(Debug, Clone, Copy, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
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
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
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
    /// A score, probability or rating is NaN or infinite.
    NotFinite {
        /// Zero-based position in the input.
        index: usize,
        /// The offending value.
        value: f64,
    },
    /// An argument lies outside the range in which the statistic is defined.
    OutOfRange {
        /// The offending value.
        value: f64,
        /// The range that was expected.
        expected: &'static str,
    },
    /// An observation lies outside the range in which the statistic is defined.
    ObservationOutOfRange {
        /// Zero-based position in the input.
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
    /// Any other reason, in words.
    Other(&'static str),
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::ZeroDenominator(what) => f.write_str(what),
            Self::NoCases => f.write_str("no positive case"),
            Self::NoControls => f.write_str("no negative case"),
            Self::NotFinite { index, value } => {
                write!(f, "the value at index {index} is {value}, which is not finite")
            }
            Self::OutOfRange { value, expected } => write!(f, "{value} is not {expected}"),
            Self::ObservationOutOfRange { index, value, expected } => {
                write!(f, "the value at index {index} is {value}, not {expected}")
            }
            Self::LengthMismatch { first, other } => {
                write!(f, "inputs have lengths {first} and {other}")
            }
            Self::TooFew { n, needed } => {
                write!(f, "{n} observations, at least {needed} are needed")
            }
            Self::ZeroVariance => f.write_str("the variance is zero"),
            Self::Separation => f.write_str("the classes are perfectly separated"),
            Self::NoConvergence => f.write_str("the iteration did not converge"),
            Self::Other(why) => f.write_str(why),
        }
    }
}

#[cfg(feature = "serde")]
impl serde::Serialize for Reason {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// A confidence level, strictly between 0 and 1.
#[derive(Debug, Clone, Copy, PartialEq, PartialOrd)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(try_from = "f64", into = "f64"))]
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
                Reason::OutOfRange { value: level, expected: "a level strictly between 0 and 1" },
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
            Reason::ObservationOutOfRange { index, value: values[index], expected: "a number from 0 to 1" },
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
        assert_eq!(index.to_string(), "AUC is undefined: the value at index 1 is NaN, which is not finite");
    }
}
