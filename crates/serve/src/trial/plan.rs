//! What a trial is to be: the settings `[trial]`, or the form of `/trial`.

use jiff::civil::Date;
use jiff::tz::TimeZone;
use serde::{Deserialize, Serialize};

/// A trial's plan. Patients are randomized, never single films.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct TrialPlan {
    /// The trial's name.
    pub name: String,
    /// Shown to withheld, in each block.
    pub ratio: [u32; 2],
    /// Lengths of blocks, drawn at random; each a multiple of the ratio's sum.
    pub block_sizes: Vec<u32>,
    /// What has a sequence of its own.
    pub stratum: Stratum,
    /// What is randomized.
    pub unit: Unit,
    /// Patients to randomize; then enrolling ends by itself.
    pub planned: u32,
    /// Younger patients are excluded, years; 0 excludes nobody.
    pub minimum_age: u32,
    /// The first day of enrolling, `YYYY-MM-DD` of the node's calendar; empty for the moment at which the trial is begun.
    pub start: String,
    /// The last day of enrolling; empty for none.
    pub end: String,
}

impl Default for TrialPlan {
    fn default() -> Self {
        Self {
            name: String::new(),
            ratio: [1, 1],
            block_sizes: vec![4, 6],
            stratum: Stratum::None,
            unit: Unit::Patient,
            planned: 0,
            minimum_age: 0,
            start: String::new(),
            end: String::new(),
        }
    }
}

/// What has a sequence of arms of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Stratum {
    /// One sequence for all.
    None,
    /// The patient's sex.
    Sex,
    /// The AE title that the first film came from.
    Source,
}

impl Stratum {
    /// All.
    pub const ALL: [Self; 3] = [Self::None, Self::Sex, Self::Source];

    /// As it is written.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Sex => "sex",
            Self::Source => "source",
        }
    }

    /// Parses `none`, `sex` or `source`.
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|stratum| stratum.as_str() == text)
    }
}

/// What is randomized.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Unit {
    /// A patient with all films.
    Patient,
}

/// The longest block: a longer one balances nothing.
const LONGEST: u32 = 64;

impl TrialPlan {
    /// Whether a trial can be begun by it.
    ///
    /// # Errors
    /// What is wrong, in words for the administrator.
    pub fn check(&self) -> Result<(), String> {
        let name = self.name.trim();
        if name.is_empty() || name.chars().count() > 64 || name.chars().any(char::is_control) {
            return Err("The name has 1 to 64 characters.".into());
        }
        let sum = self.ratio.iter().fold(0u32, |sum, part| sum.saturating_add(*part));
        if self.ratio.contains(&0) || sum > LONGEST {
            return Err("The ratio has two parts of at least 1, such as 1:1 or 2:1.".into());
        }
        let fits = |size: &u32| size.is_multiple_of(sum) && (sum..=LONGEST).contains(size);
        if self.block_sizes.is_empty() || self.block_sizes.len() > 8 || !self.block_sizes.iter().all(fits) {
            return Err(format!("Block sizes are multiples of {sum}, the sum of the ratio, up to {LONGEST}."));
        }
        if self.planned == 0 {
            return Err("The number of patients is at least 1.".into());
        }
        if self.minimum_age > 130 {
            return Err("The least age is 0 to 130 years.".into());
        }
        let (start, end) = (day(&self.start, "first")?, day(&self.end, "last")?);
        if start.zip(end).is_some_and(|(start, end)| end < start) {
            return Err("The last day of enrolling is not before the first.".into());
        }
        Ok(())
    }

    /// From which moment and before which patients are enrolled, microseconds since 1970; `begun_at` where no first day is set.
    pub fn enrolls(&self, begun_at: i64) -> (i64, i64) {
        let moment = |date: Date| date.to_zoned(TimeZone::system()).ok().map(|at| at.timestamp().as_microsecond());
        let start = self.start.parse().ok().and_then(moment).unwrap_or(begun_at);
        let end = self.end.parse::<Date>().ok().and_then(|date| date.tomorrow().ok()).and_then(moment);
        (start.max(begun_at), end.unwrap_or(i64::MAX))
    }
}

fn day(text: &str, which: &str) -> Result<Option<Date>, String> {
    if text.is_empty() {
        return Ok(None);
    }
    text.parse().map(Some).map_err(|_| format!("The {which} day of enrolling is a date: 2026-01-31."))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_plan_says_what_is_wrong_with_it() {
        let good = TrialPlan { name: "Trial".into(), planned: 100, ..TrialPlan::default() };
        assert_eq!(good.check(), Ok(()));
        for (bad, word) in [
            (TrialPlan { name: " ".into(), ..good.clone() }, "name"),
            (TrialPlan { ratio: [1, 0], ..good.clone() }, "ratio"),
            (TrialPlan { ratio: [u32::MAX, 2], ..good.clone() }, "ratio"),
            (TrialPlan { block_sizes: vec![4, 5], ..good.clone() }, "multiples of 2"),
            (TrialPlan { block_sizes: vec![], ..good.clone() }, "Block"),
            (TrialPlan { planned: 0, ..good.clone() }, "number"),
            (TrialPlan { end: "tomorrow".into(), ..good.clone() }, "last day"),
            (TrialPlan { start: "2026-02-01".into(), end: "2026-01-01".into(), ..good.clone() }, "before"),
        ] {
            assert!(bad.check().unwrap_err().contains(word), "{bad:?}");
        }
        assert_eq!(good.enrolls(7), (7, i64::MAX));
    }
}
