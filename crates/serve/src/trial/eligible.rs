//! How old a film's patient is, where the plan has a least age.

use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;
use serde_json::Value;

/// The age at the study in whole years: by the birth date, else as the file states it (0010,1010); `None` where neither does.
pub(crate) fn age(birth_date: &str, study_date: &str, received_at: i64, metadata: &str) -> Option<u32> {
    let date = |text: &str| Date::strptime("%Y%m%d", text.trim()).ok();
    let arrival = || Timestamp::from_microsecond(received_at).ok().map(|at| at.to_zoned(TimeZone::system()).date());
    if let Some(birth) = date(birth_date)
        && let Some(study) = date(study_date).or_else(arrival)
        && birth <= study
    {
        let is_before = (study.month(), study.day()) < (birth.month(), birth.day());
        return u32::try_from(study.year() - birth.year() - i16::from(is_before)).ok();
    }
    let metadata: Value = serde_json::from_str(metadata).ok()?;
    let stated = metadata["00101010"]["Value"][0].as_str()?.trim().to_owned();
    let (number, unit) = stated.split_at_checked(3)?;
    let number: u32 = number.parse().ok()?;
    match unit {
        "Y" => Some(number),
        "M" => Some(number / 12),
        "W" | "D" => Some(0),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::age;

    #[test]
    fn ages_are_whole_years() {
        assert_eq!(age("19400615", "20260614", 0, "{}"), Some(85));
        assert_eq!(age("19400615", "20260615", 0, "{}"), Some(86));
        let stated = |text: &str| age("", "", 0, &format!(r#"{{"00101010":{{"vr":"AS","Value":["{text}"]}}}}"#));
        assert_eq!((stated("081Y"), stated("030M"), stated("003D"), stated("x")), (Some(81), Some(2), Some(0), None));
        assert_eq!(age("", "", 0, "{}"), None);
    }
}
