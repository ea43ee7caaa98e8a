//! Values of films as text for a page. Templates escape them; here, characters that would disturb a line are made visible.

use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;
use serde::Deserialize;

pub(super) use crate::visible::visible;

/// A text as the value of a parameter in an address (RFC 3986: all but unreserved characters percent-encoded).
pub(super) fn parameter(text: &str) -> String {
    text.bytes().fold(String::new(), |mut all, byte| {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => all.push(char::from(byte)),
            _ => all += &format!("%{byte:02X}"),
        }
        all
    })
}

/// A day of this machine's calendar, `YYYY-MM-DD`, from its first moment to the next one's.
pub(super) fn day_of(text: &str) -> Option<(i64, i64)> {
    let date: Date = text.parse().ok()?;
    let begin = |date: Date| Some(date.to_zoned(TimeZone::system()).ok()?.timestamp().as_microsecond());
    Some((begin(date)?, begin(date.tomorrow().ok()?)?))
}

/// A person's name (PS3.5, 6.2.1): family name first, in each of its up to three writings; `No name` where it has none.
pub(super) fn name(value: &str) -> String {
    let group = |group: &str| {
        let mut parts = group.split('^').map(str::trim);
        let (family, given) = (parts.next().unwrap_or_default(), parts.next().unwrap_or_default());
        match (family.is_empty(), given.is_empty()) {
            (false, false) => format!("{family}, {given}"),
            _ => format!("{family}{given}"),
        }
    };
    let groups: Vec<String> = value.split('=').map(group).filter(|group| !group.is_empty()).collect();
    if groups.is_empty() { "No name".into() } else { visible(&groups.join(" · ")) }
}

/// Attributes that are in the header's DICOM JSON only.
#[derive(Debug, Default, Deserialize)]
pub(super) struct Header {
    #[serde(default, rename = "00101010")]
    age: Element,
    /// Window Center, Window Width and their explanations.
    #[serde(default, rename = "00281050")]
    pub(super) centers: Element,
    #[serde(default, rename = "00281051")]
    pub(super) widths: Element,
    #[serde(default, rename = "00281055")]
    pub(super) explanations: Element,
    #[serde(default, rename = "00280030")]
    pub(super) pixel_spacing: Element,
}

/// An element of DICOM JSON.
#[derive(Debug, Default, Deserialize)]
pub(super) struct Element {
    #[serde(default, rename = "Value")]
    value: Vec<serde_json::Value>,
}

impl Element {
    pub(super) fn texts(&self) -> Vec<String> {
        self.value.iter().map(|value| value.as_str().map_or_else(|| value.to_string(), str::to_owned)).collect()
    }

    pub(super) fn numbers(&self) -> Vec<f64> {
        self.texts()
            .iter()
            .filter_map(|text| text.trim().parse().ok())
            .filter(|number: &f64| number.is_finite())
            .collect()
    }
}

impl Header {
    pub(super) fn of(metadata: &str) -> Self {
        serde_json::from_str(metadata).unwrap_or_default()
    }

    /// The age at the study by the birth date, else as the file states it; empty where neither is there.
    pub(super) fn age(&self, birth_date: &str, study_date: &str, received_at: i64) -> String {
        let study = date(study_date).unwrap_or_else(|| local(received_at).date());
        if let Some(birth) = date(birth_date)
            && birth <= study
        {
            let before = (study.month(), study.day()) < (birth.month(), birth.day());
            return (study.year() - birth.year() - i16::from(before)).to_string();
        }
        let stated = self.age.texts().into_iter().next().unwrap_or_default();
        match stated.trim().split_at_checked(3) {
            Some((number, "Y")) => number.parse::<u16>().map(|years| years.to_string()).unwrap_or_default(),
            Some((number, unit @ ("M" | "W" | "D"))) => format!("{} {unit}", number.trim_start_matches('0')),
            _ => String::new(),
        }
    }
}

fn date(text: &str) -> Option<Date> {
    Date::strptime("%Y%m%d", text.trim()).ok()
}

/// A date of DICOM as `YYYY-MM-DD`; as it stands where it is none.
pub(super) fn day(value: &str) -> String {
    date(value).map_or_else(|| visible(value), |date| date.to_string())
}

/// Microseconds since 1970 on this machine's clock.
pub(super) fn local(micros: i64) -> jiff::Zoned {
    Timestamp::from_microsecond(micros).unwrap_or_default().to_zoned(TimeZone::system())
}

/// The time alone where it is today, else with the day.
pub(super) fn moment(micros: i64) -> String {
    let (then, today) = (local(micros), Timestamp::now().to_zoned(TimeZone::system()).date());
    let form = if then.date() == today { "%H:%M" } else { "%Y-%m-%d %H:%M" };
    then.strftime(form).to_string()
}

/// Day and time to the second, as a record states them.
pub(super) fn exact(micros: i64) -> String {
    local(micros).strftime("%Y-%m-%d %H:%M:%S").to_string()
}

/// DICOM's `F`, `M` or `O`; empty for anything else.
pub(super) fn sex(value: &str) -> &'static str {
    match value.trim() {
        "F" => "F",
        "M" => "M",
        "O" => "O",
        _ => "",
    }
}

/// A probability: as many digits as it takes to tell it from the thresholds.
pub(super) fn probability(value: f64, thresholds: &[f64]) -> String {
    let is_extreme = !(0.005..0.995).contains(&value);
    let digits =
        if is_extreme || thresholds.iter().any(|threshold| (threshold - value).abs() < 0.01 || *threshold < 0.1) {
            3
        } else {
            2
        };
    let text = format!("{value:.digits$}");
    // A probability is never certain: what rounds to an end is beside it.
    match text.as_str() {
        "0.00" | "0.000" if value > 0.0 => "<0.001".into(),
        "1.00" | "1.000" if value < 1.0 => ">0.999".into(),
        _ => text,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names() {
        assert_eq!(name("DOE^JANE^M"), "DOE, JANE");
        assert_eq!(name("Yamada^Tarou=山田^太郎"), "Yamada, Tarou · 山田, 太郎");
        assert_eq!((name("DOE").as_str(), name("^JANE").as_str(), name("").as_str()), ("DOE", "JANE", "No name"));
    }

    #[test]
    fn ages() {
        let header = Header::of(r#"{"00101010":{"vr":"AS","Value":["088Y"]}}"#);
        assert_eq!(header.age("", "20260101", 0), "88");
        assert_eq!(header.age("19400615", "20260614", 0), "85");
        assert_eq!(header.age("19400615", "20260615", 0), "86");
        assert_eq!(Header::of("{}").age("", "", 0), "");
        assert_eq!(Header::of(r#"{"00101010":{"Value":["003M"]}}"#).age("", "", 0), "3 M");
    }

    #[test]
    fn a_probability_near_a_threshold_has_more_digits() {
        assert_eq!(probability(0.496, &[0.5]), "0.496");
        assert_eq!(probability(0.9, &[0.5]), "0.90");
        assert_eq!(
            (
                probability(0.0001, &[0.5]).as_str(),
                probability(0.9999, &[0.5]).as_str(),
                probability(0.997, &[0.5]).as_str()
            ),
            ("<0.001", ">0.999", "0.997")
        );
    }
}
