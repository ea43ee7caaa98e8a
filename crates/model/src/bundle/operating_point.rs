//! The operating point in a card's JSON: `{ "value", "rule", "chosen_on" }`, the rule in words.

use coxa_stats::{OperatingPoint, Rule};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

const FIXED: &str = "fixed";
const YOUDEN: &str = "greatest Youden index";
const SENSITIVITY: &str = "greatest specificity at a sensitivity of at least ";
const SPECIFICITY: &str = "greatest sensitivity at a specificity of at least ";

/// A threshold that was taken without looking at any film, as the paper's 0.5.
pub(crate) fn fixed(threshold: f64) -> OperatingPoint {
    OperatingPoint { threshold, rule: Rule::Fixed(threshold), chosen_on: "no films".into() }
}

/// The rule that chose a threshold, in words.
pub fn rule_words(rule: Rule) -> String {
    match rule {
        Rule::Fixed(_) => FIXED.to_owned(),
        Rule::Youden => YOUDEN.to_owned(),
        Rule::SensitivityAtLeast(least) => format!("{SENSITIVITY}{least}"),
        Rule::SpecificityAtLeast(least) => format!("{SPECIFICITY}{least}"),
    }
}

#[derive(Serialize, Deserialize)]
struct Words {
    value: f64,
    rule: String,
    chosen_on: String,
}

pub(super) fn serialize<S: Serializer>(point: &OperatingPoint, serializer: S) -> Result<S::Ok, S::Error> {
    let rule = rule_words(point.rule);
    Words { value: point.threshold, rule, chosen_on: point.chosen_on.clone() }.serialize(serializer)
}

pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<OperatingPoint, D::Error> {
    let Words { value, rule, chosen_on } = Words::deserialize(deserializer)?;
    let least = |start: &str| rule.strip_prefix(start)?.parse().ok();
    let known = match rule.as_str() {
        FIXED => Some(Rule::Fixed(value)),
        YOUDEN => Some(Rule::Youden),
        _ => least(SENSITIVITY)
            .map(Rule::SensitivityAtLeast)
            .or_else(|| least(SPECIFICITY).map(Rule::SpecificityAtLeast)),
    };
    Ok(match known {
        Some(rule) => OperatingPoint { threshold: value, rule, chosen_on },
        // A rule of somebody's own: the value counts, and the words are kept.
        None => {
            OperatingPoint { threshold: value, rule: Rule::Fixed(value), chosen_on: format!("{chosen_on} ({rule})") }
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, PartialEq, Serialize, Deserialize)]
    struct Holder(#[serde(with = "super")] OperatingPoint);

    #[test]
    fn cards_are_read_as_they_were_written() {
        for (rule, words) in [
            (Rule::Fixed(0.25), "fixed"),
            (Rule::Youden, "greatest Youden index"),
            (Rule::SensitivityAtLeast(0.95), "greatest specificity at a sensitivity of at least 0.95"),
            (Rule::SpecificityAtLeast(0.9), "greatest sensitivity at a specificity of at least 0.9"),
        ] {
            let point = Holder(OperatingPoint { threshold: 0.25, rule, chosen_on: "4 validation films".into() });
            let text = serde_json::to_string(&point).unwrap();
            assert_eq!(text, format!(r#"{{"value":0.25,"rule":"{words}","chosen_on":"4 validation films"}}"#));
            assert_eq!(serde_json::from_str::<Holder>(&text).unwrap(), point);
        }
        let own = r#"{"value":0.25,"rule":"by hand","chosen_on":"100 films"}"#;
        let Holder(point) = serde_json::from_str(own).unwrap();
        assert_eq!((point.threshold, point.chosen_on.as_str()), (0.25, "100 films (by hand)"));
    }
}
