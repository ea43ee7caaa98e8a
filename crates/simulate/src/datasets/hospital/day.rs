//! Days of the study's period.

/// A day between 2008-08-01 and 2017-12-31.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Day(pub(super) i64);

impl Day {
    pub(super) const FIRST: i64 = 14_092;
    pub(super) const LAST: i64 = 17_531;

    /// Year, month and day (Hinnant's `civil_from_days`).
    #[must_use]
    pub fn ymd(self) -> (i64, i64, i64) {
        let z = self.0 + 719_468;
        let era = z.div_euclid(146_097);
        let day = z.rem_euclid(146_097);
        let year = (day - day / 1460 + day / 36_524 - day / 146_096) / 365;
        let of_year = day - (365 * year + year / 4 - year / 100);
        let month = (5 * of_year + 2) / 153;
        let date = of_year - (153 * month + 2) / 5 + 1;
        let month = if month < 10 { month + 3 } else { month - 9 };
        (year + era * 400 + i64::from(month <= 2), month, date)
    }
}

impl std::fmt::Display for Day {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let (y, m, d) = self.ymd();
        write!(f, "{y:04}-{m:02}-{d:02}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_are_civil_dates() {
        assert_eq!(Day(Day::FIRST).to_string(), "2008-08-01");
        assert_eq!(Day(Day::LAST).to_string(), "2017-12-31");
        assert_eq!(Day(14_669).to_string(), "2010-03-01");
    }
}
