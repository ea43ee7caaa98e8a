//! The design of a reader study, as its TOML file and the designer's form state it alike.

use serde::{Deserialize, Serialize};

/// Readers of a study.
const READERS: std::ops::RangeInclusive<usize> = 1..=500;
/// Films of a study.
const FILMS: usize = 5000;

/// What a reader answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Answer {
    /// Yes or no: rating 1 or 0.
    YesNo,
    /// Confidence that the answer is yes, 1 to 5.
    #[serde(rename = "confidence_5")]
    Confidence5,
    /// Confidence that the answer is yes, 0 to 100.
    #[serde(rename = "confidence_100")]
    Confidence100,
}

impl Answer {
    /// The ratings that may be given.
    pub fn range(self) -> std::ops::RangeInclusive<i64> {
        match self {
            Self::YesNo => 0..=1,
            Self::Confidence5 => 1..=5,
            Self::Confidence100 => 0..=100,
        }
    }
}

/// Whether a reader marks the place.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Marks {
    /// No mark is asked for.
    #[default]
    None,
    /// A mark may be set.
    Optional,
    /// An answer above the lowest rating needs a mark.
    Required,
}

/// Who reads which film with the network's result, and when.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Arms {
    /// Every film once, without the result.
    Unaided,
    /// Every film once, with the result.
    Aided,
    /// Every film without the result, and at once again with it.
    Sequential,
    /// Two sessions with a wash-out between: half of the readers begin unaided, half aided; then the other way round.
    Crossover,
    /// Two sessions with a wash-out between: in the first, half of the films are aided; in the second, the other half.
    Halves,
    /// Half of the readers read unaided, half aided.
    Parallel,
}

impl Arms {
    /// Whether there are two sessions.
    pub fn has_washout(self) -> bool {
        matches!(self, Self::Crossover | Self::Halves)
    }
}

/// A film that is read before the study begins, and does not count.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Practice {
    /// SOP Instance UID.
    pub film: String,
    /// The right answer, which is shown afterwards where it is stated.
    pub truth: Option<bool>,
}

/// The design of a study.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Design {
    /// What the study is called.
    pub name: String,
    /// The question to each film.
    #[serde(default = "Design::usual_question")]
    pub question: String,
    /// What is answered.
    pub answer: Answer,
    /// Whether the place is marked.
    #[serde(default)]
    pub mark: Marks,
    /// Who reads what with the result, and when.
    pub arms: Arms,
    /// Days between a reader's last answer of the first session and the second session.
    #[serde(default)]
    pub washout_days: u32,
    /// Split-plot: films and readers are divided into so many blocks, and readers read the films of their own block.
    #[serde(default = "Design::one")]
    pub blocks: usize,
    /// How many readers take part.
    pub readers: usize,
    /// Seconds after which a film is covered; 0 for no limit.
    #[serde(default)]
    pub time_limit_seconds: u32,
    /// What all random choices follow from.
    pub seed: u64,
    /// What a reader agrees to before the first film.
    #[serde(default)]
    pub consent: String,
    /// SOP Instance UIDs of the films.
    pub films: Vec<String>,
    /// Films that come first and do not count.
    #[serde(default)]
    pub practice: Vec<Practice>,
}

/// What is wrong with a design.
#[derive(Debug, thiserror::Error)]
pub enum DesignError {
    /// It is not TOML of this form.
    #[error("the design cannot be read: {}", .0.message())]
    Form(#[from] Box<toml::de::Error>),
    /// A value is out of range.
    #[error("`{key}` is {value}, where {expected} is needed")]
    Value {
        /// The key.
        key: &'static str,
        /// Its value.
        value: String,
        /// What would be right.
        expected: &'static str,
    },
}

impl Design {
    fn usual_question() -> String {
        "Is there a hip fracture?".into()
    }

    fn one() -> usize {
        1
    }

    /// Reads a design file.
    ///
    /// # Errors
    /// [`DesignError`], with line and column, or with key and value.
    pub fn parse(text: &str) -> Result<Self, DesignError> {
        let design: Self = toml::from_str(text).map_err(Box::new)?;
        design.check()?;
        Ok(design)
    }

    /// The design as its file.
    pub fn to_toml(&self) -> String {
        // A structure of texts, numbers and lists of them is always TOML.
        toml::to_string_pretty(self).unwrap_or_default()
    }

    fn check(&self) -> Result<(), DesignError> {
        let wrong = |key, value: String, expected| Err(DesignError::Value { key, value, expected });
        if self.name.trim().is_empty() || self.name.chars().count() > 200 {
            return wrong("name", format!("{:?}", self.name), "a name of 1 to 200 characters");
        }
        if self.question.trim().is_empty() || self.question.chars().count() > 500 {
            return wrong("question", format!("{:?}", self.question), "a question of 1 to 500 characters");
        }
        if !READERS.contains(&self.readers) {
            return wrong("readers", self.readers.to_string(), "1 to 500");
        }
        if self.films.is_empty() || self.films.len() > FILMS {
            return wrong("films", format!("a list of {}", self.films.len()), "a list of 1 to 5,000 SOP Instance UIDs");
        }
        if self.practice.len() > 100 {
            return wrong("practice", format!("a list of {}", self.practice.len()), "at most 100 films");
        }
        if self.blocks == 0 || self.blocks > self.readers || self.blocks > self.films.len() {
            return wrong("blocks", self.blocks.to_string(), "1 to the number of readers, and of films");
        }
        if self.arms == Arms::Parallel && self.readers < 2 * self.blocks {
            return wrong("readers", self.readers.to_string(), "at least two readers a block for parallel arms");
        }
        if self.arms.has_washout() && !(1..=3650).contains(&self.washout_days) {
            return wrong("washout_days", self.washout_days.to_string(), "1 to 3650 days for two sessions");
        }
        if !self.arms.has_washout() && self.washout_days != 0 {
            return wrong("washout_days", self.washout_days.to_string(), "0, as these arms have one session");
        }
        if self.time_limit_seconds > 3600 {
            return wrong("time_limit_seconds", self.time_limit_seconds.to_string(), "0 (none) to 3600");
        }
        let mut seen = std::collections::BTreeSet::new();
        for uid in self.films.iter().chain(self.practice.iter().map(|practice| &practice.film)) {
            if coxa_dimse::Uid::parse(uid).is_none() {
                return wrong("films", format!("{uid:?}"), "a SOP Instance UID of digits and points");
            }
            if !seen.insert(uid) {
                return wrong("films", "a list with a film twice".into(), "each film once, and none for practice too");
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    pub(crate) fn films(count: usize) -> Vec<String> {
        (0..count).map(|film| format!("\"1.2.3.{film}\"")).collect()
    }

    #[test]
    fn a_design_is_read_as_it_is_written() {
        let text = format!(
            "name = \"24 × 480\"\nanswer = \"confidence_100\"\nmark = \"optional\"\narms = \"crossover\"\nwashout_days = 30\n\
             readers = 24\nseed = 7\nconsent = \"I take part.\"\nfilms = [{}]\n[[practice]]\nfilm = \"1.2.4\"\ntruth = true\n",
            films(480).join(", ")
        );
        let design = Design::parse(&text).unwrap();
        assert_eq!(
            (design.answer, design.blocks, design.question.as_str()),
            (Answer::Confidence100, 1, "Is there a hip fracture?")
        );
        assert_eq!(Design::parse(&design.to_toml()).unwrap(), design);
    }

    #[test]
    fn what_is_wrong_is_named() {
        let with = |line: &str| {
            let text = format!(
                "name = \"a\"\nanswer = \"yes_no\"\nreaders = 4\nseed = 1\nfilms = [{}]\n{line}",
                films(4).join(", ")
            );
            Design::parse(&text).unwrap_err().to_string()
        };
        assert!(with("arms = \"crossover\"").contains("`washout_days` is 0"));
        assert!(with("arms = \"unaided\"\nwashout_days = 3").contains("`washout_days` is 3"));
        assert!(with("arms = \"unaided\"\nblocks = 5").contains("`blocks` is 5"));
        assert!(with("arms = \"unaided\"\nkind = 1").contains("kind"));
        assert!(with("arms = \"unaided\"\n[[practice]]\nfilm = \"1.2.3.0\"").contains("twice"));
        assert!(with("arms = \"both\"").contains("both"));
    }
}
