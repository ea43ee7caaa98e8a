//! Values of films as text for a page. Templates escape them; here, characters that would disturb a line are made visible.

use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;
use serde::Deserialize;

use crate::language::Language;

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
pub(super) fn name(language: Language, value: &str) -> String {
    let group = |group: &str| {
        let mut parts = group.split('^').map(str::trim);
        let (family, given) = (parts.next().unwrap_or_default(), parts.next().unwrap_or_default());
        match (family.is_empty(), given.is_empty()) {
            (false, false) => format!("{family}, {given}"),
            _ => format!("{family}{given}"),
        }
    };
    let groups: Vec<String> = value.split('=').map(group).filter(|group| !group.is_empty()).collect();
    if groups.is_empty() { language.say("name-none").to_string() } else { visible(&groups.join(" · ")) }
}

/// Attributes that are in the header's DICOM JSON only.
#[derive(Debug, Default, Deserialize)]
pub(super) struct Header {
    #[serde(default, rename = "00101010")]
    age: Element,
    /// Window Center and Window Center & Width Explanation.
    #[serde(default, rename = "00281050")]
    pub(super) centers: Element,
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
    pub(super) fn age(&self, language: Language, (birth_date, study_date, received_at): (&str, &str, i64)) -> Age {
        let study = date(study_date).unwrap_or_else(|| local(received_at).date());
        if let Some(birth) = date(birth_date)
            && birth <= study
        {
            let before = (study.month(), study.day()) < (birth.month(), birth.day());
            return Age::years(study.year() - birth.year() - i16::from(before));
        }
        let stated = self.age.texts().into_iter().next().unwrap_or_default();
        match stated.trim().split_at_checked(3) {
            Some((number, "Y")) => number.parse::<u16>().map(Age::years).unwrap_or_default(),
            Some((number, "M")) => Age::of(language, "age-months", number),
            Some((number, "W")) => Age::of(language, "age-weeks", number),
            Some((number, "D")) => Age::of(language, "age-days", number),
            _ => Age::default(),
        }
    }
}

/// An age: in years, or with its unit.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Age {
    pub(super) text: String,
    pub(super) is_years: bool,
}

impl Age {
    fn years(years: impl ToString) -> Self {
        Self { text: years.to_string(), is_years: true }
    }

    fn of(language: Language, unit: &str, number: &str) -> Self {
        let number = number.trim_start_matches('0');
        Self { text: language.say(unit).with("count", visible(number)).to_string(), is_years: false }
    }
}

fn date(text: &str) -> Option<Date> {
    Date::strptime("%Y%m%d", text.trim()).ok()
}

/// A date of DICOM in the language's form; as it stands where it is none.
pub(super) fn day(language: Language, value: &str) -> String {
    date(value).map_or_else(|| visible(value), |date| date.strftime(&form(language, "form-day")).to_string())
}

/// Microseconds since 1970 on this machine's clock.
pub(super) fn local(micros: i64) -> jiff::Zoned {
    Timestamp::from_microsecond(micros).unwrap_or_default().to_zoned(TimeZone::system())
}

/// The time alone where it is today, else with the day.
pub(super) fn moment(language: Language, micros: i64) -> String {
    let (then, today) = (local(micros), Timestamp::now().to_zoned(TimeZone::system()).date());
    then.strftime(&form(language, if then.date() == today { "form-time" } else { "form-moment" })).to_string()
}

/// Day and time to the second, as a record states them.
pub(super) fn exact(language: Language, micros: i64) -> String {
    local(micros).strftime(&form(language, "form-exact")).to_string()
}

/// A form of days and times; a test formats with each.
fn form(language: Language, id: &str) -> String {
    language.say(id).to_string()
}

/// DICOM's `F`, `M` or `O` in words; empty for anything else.
pub(super) fn sex(language: Language, value: &str) -> String {
    let id = match value.trim() {
        "F" => "sex-F",
        "M" => "sex-M",
        "O" => "sex-O",
        _ => return String::new(),
    };
    language.say(id).to_string()
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
        let name = |value| name(Language::default(), value);
        assert_eq!(name("DOE^JANE^M"), "DOE, JANE");
        assert_eq!(name("Yamada^Tarou=山田^太郎"), "Yamada, Tarou · 山田, 太郎");
        assert_eq!((name("DOE").as_str(), name("^JANE").as_str(), name("").as_str()), ("DOE", "JANE", "No name"));
    }

    #[test]
    fn ages() {
        let age = |header: &str, birth, study| Header::of(header).age(Language::default(), (birth, study, 0)).text;
        let header = r#"{"00101010":{"vr":"AS","Value":["088Y"]}}"#;
        assert_eq!(age(header, "", "20260101"), "88");
        assert_eq!(age(header, "19400615", "20260614"), "85");
        assert_eq!(age(header, "19400615", "20260615"), "86");
        assert_eq!(age("{}", "", ""), "");
        assert_eq!(age(r#"{"00101010":{"Value":["003M"]}}"#, "", ""), "3 M");
    }

    #[test]
    fn every_language_has_forms_of_day_and_time() {
        for language in Language::all() {
            for id in ["form-day", "form-time", "form-moment", "form-exact"] {
                let text = jiff::fmt::strtime::format(form(language, id), &local(0)).unwrap();
                assert!(
                    text.chars().any(|c| c.is_ascii_digit()) && !text.contains('%'),
                    "{}: {id}: {text}",
                    language.tag()
                );
            }
        }
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
