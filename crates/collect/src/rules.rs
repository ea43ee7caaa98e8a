//! The rules of a collection, a TOML file: which days, parts, views and films, and how fast the PACS is asked. Every key has a default.

use std::collections::BTreeMap;
use std::path::Path;

use coxa_schema::BodyPart;
use serde::{Deserialize, Serialize};

use crate::error::CollectError;

/// The rules. [`Rules::default`] is what `coxa collect` does without a file.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Rules {
    /// Which patients of the registry are searched for.
    pub patients: Patients,
    /// The days around the injury.
    pub window: Window,
    /// Frontal films of the pelvis and the hip.
    pub films: FilmRules,
    /// Limb films for pretraining.
    pub limbs: LimbRules,
    /// How the PACS is asked.
    pub pace: PaceRules,
}

/// Which patients are searched for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Patients {
    /// Every one of the registry.
    #[default]
    All,
    /// Those who were admitted.
    Admitted,
}

/// Days around the day of the injury, which is always within.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Window {
    /// Days before, 0 to 3650.
    pub before: u16,
    /// Days after, 0 to 3650.
    pub after: u16,
}

/// What becomes of films of a kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Decision {
    /// They are collected.
    Take,
    /// They are left.
    Leave,
}

/// How many films an injury may have.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Keep {
    /// Each exposure.
    All,
    /// The one that is preferred: of the pelvis before the hip, stated before unsure, original before derived, the earlier first.
    One,
}

/// Which films of the pelvis and the hip are collected.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct FilmRules {
    /// Modality (0008,0060) of a radiograph.
    pub modalities: Vec<String>,
    /// Body Part Examined (0018,0015) of a film of the pelvis.
    pub pelvis_parts: Vec<String>,
    /// Body Part Examined of a film of a hip.
    pub hip_parts: Vec<String>,
    /// Body Part Examined that does not say which part: descriptions decide.
    pub vague_parts: Vec<String>,
    /// Words of descriptions and protocols that name the pelvis.
    pub pelvis_words: Vec<String>,
    /// Words that name a hip.
    pub hip_words: Vec<String>,
    /// Words that name another part.
    pub other_part_words: Vec<String>,
    /// View Position (0018,5101) of a frontal film.
    pub frontal_views: Vec<String>,
    /// Words that name a frontal view.
    pub frontal_words: Vec<String>,
    /// Words that name another view.
    pub other_view_words: Vec<String>,
    /// Words that name a copy: it is left where another film of the injury is taken.
    pub copy_words: Vec<String>,
    /// Films whose view is not stated, or whose header contradicts itself; they are marked for review.
    pub unsure: Decision,
    /// Films that state no part at all.
    pub unstated_part: Decision,
    /// Secondary captures.
    pub secondary_captures: Decision,
    /// Copies of a film that is taken: reprocessed, turned, sent twice.
    pub copies: Decision,
    /// How many films an injury may have.
    pub keep: Keep,
    /// Most films that are retrieved for an injury, 1 to 1000.
    pub most: usize,
}

/// Which limb films are collected.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct LimbRules {
    /// Whether limb films are collected beside the others.
    pub collect: bool,
    /// Days before the injury, 0 to 3650.
    pub before: u16,
    /// Days after the injury, 0 to 3650.
    pub after: u16,
    /// Body parts of a dataset, each with the terms of Body Part Examined and the words of descriptions that name it. A film that two
    /// parts name has no label, and is left.
    pub parts: BTreeMap<String, Vec<String>>,
}

/// How the PACS is asked.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct PaceRules {
    /// Requests a second at most, 0.01 to 1000.
    pub requests_per_second: f64,
    /// The longest pause between requests to a busy PACS, in seconds.
    pub slowest_seconds: f64,
    /// How often a request is tried, 1 to 20.
    pub attempts: u32,
    /// Seconds for which the PACS may do nothing.
    pub idle_seconds: u64,
    /// Seconds that one request may take.
    pub request_seconds: u64,
    /// Injuries in a row that the PACS fails for before the run ends.
    pub give_up_after: usize,
}

fn owned(words: &[&str]) -> Vec<String> {
    words.iter().map(|&word| word.to_owned()).collect()
}

impl Default for FilmRules {
    fn default() -> Self {
        Self {
            modalities: owned(&["CR", "DX", "RG", "DR", "XR"]),
            pelvis_parts: owned(&["PELVIS", "PELVIC", "PELVISHIP", "HIPS"]),
            hip_parts: owned(&["HIP", "RHIP", "LHIP", "HIPJOINT"]),
            vague_parts: owned(&[
                "EXTREMITY",
                "LOWEREXTREMITY",
                "LOWERLIMB",
                "LOWEXM",
                "TRUNK",
                "SKELETON",
                "BONE",
                "BODY",
                "OTHER",
                "UNKNOWN",
                "ABDOMENPELVIS",
            ]),
            pelvis_words: owned(&["pelvis", "pelvic", "pxr", "hips", "both hips", "骨盆", "骨盤"]),
            hip_words: owned(&["hip", "hip joint", "髖", "髋", "股関節"]),
            other_part_words: owned(&[
                "chest",
                "cxr",
                "abdomen",
                "kub",
                "skull",
                "spine",
                "cervical",
                "thoracic",
                "lumbar",
                "shoulder",
                "clavicle",
                "humerus",
                "elbow",
                "forearm",
                "wrist",
                "hand",
                "finger",
                "thigh",
                "femur",
                "knee",
                "leg",
                "tibia",
                "ankle",
                "foot",
                "toe",
                "calcaneus",
                "胸部",
                "腹部",
                "膝",
                "踝",
                "腕",
                "肘",
                "肩",
                "足",
            ]),
            frontal_views: owned(&["AP", "PA"]),
            frontal_words: owned(&["ap", "pa", "frontal", "anteroposterior", "posteroanterior", "正面"]),
            other_view_words: owned(&[
                "lat",
                "lateral",
                "lateralis",
                "oblique",
                "obl",
                "inlet",
                "outlet",
                "frog",
                "frogleg",
                "axial",
                "axiolateral",
                "cross table",
                "crosstable",
                "judet",
                "dunn",
                "lowenstein",
                "側面",
                "斜位",
            ]),
            copy_words: owned(&[
                "copy",
                "rotated",
                "reprocessed",
                "reprocess",
                "edge enhanced",
                "annotated",
                "screenshot",
            ]),
            unsure: Decision::Take,
            unstated_part: Decision::Leave,
            secondary_captures: Decision::Leave,
            copies: Decision::Leave,
            keep: Keep::All,
            most: 40,
        }
    }
}

impl Default for LimbRules {
    fn default() -> Self {
        let part = |part: BodyPart, terms: &[&str]| (part.as_str().to_owned(), owned(terms));
        Self {
            collect: false,
            before: 0,
            after: 0,
            parts: BTreeMap::from([
                part(BodyPart::Ankle, &["ankle", "踝"]),
                part(BodyPart::Elbow, &["elbow", "肘"]),
                part(BodyPart::Foot, &["foot", "toe", "calcaneus", "足"]),
                part(BodyPart::Knee, &["knee", "patella", "膝"]),
                part(BodyPart::Wrist, &["wrist", "腕"]),
            ]),
        }
    }
}

impl Default for PaceRules {
    fn default() -> Self {
        Self {
            requests_per_second: 10.0,
            slowest_seconds: 60.0,
            attempts: 6,
            idle_seconds: 60,
            request_seconds: 600,
            give_up_after: 3,
        }
    }
}

impl Rules {
    /// Reads rules from a TOML file.
    ///
    /// # Errors
    /// [`CollectError::Rules`]: it cannot be read, has an unknown key, or a value out of range.
    pub fn read(path: &Path) -> Result<Self, CollectError> {
        let fault = |reason: String| CollectError::Rules { path: path.to_owned(), reason };
        let text = std::fs::read_to_string(path).map_err(|error| fault(error.to_string()))?;
        let rules: Self = toml::from_str(&text).map_err(|error| fault(error.message().to_owned()))?;
        rules.validate().map_err(fault)?;
        Ok(rules)
    }

    /// What is out of range, if something is.
    ///
    /// # Errors
    /// The key with its range.
    pub fn validate(&self) -> Result<(), String> {
        let days = [self.window.before, self.window.after, self.limbs.before, self.limbs.after];
        if days.iter().any(|days| *days > 3650) {
            return Err("`before` and `after` are 0 to 3650 days".into());
        }
        let pace = &self.pace;
        if !(0.01..=1000.0).contains(&pace.requests_per_second) {
            return Err("`pace.requests_per_second` is 0.01 to 1000".into());
        }
        if !(0.0..=3600.0).contains(&pace.slowest_seconds) {
            return Err("`pace.slowest_seconds` is 0 to 3600".into());
        }
        if !(1..=20).contains(&pace.attempts) || pace.give_up_after == 0 {
            return Err("`pace.attempts` is 1 to 20, `pace.give_up_after` 1 or more".into());
        }
        let seconds = 1..=24 * 3600;
        if !seconds.contains(&pace.idle_seconds) || !seconds.contains(&pace.request_seconds) {
            return Err("`pace.idle_seconds` and `pace.request_seconds` are 1 to 86400".into());
        }
        if !(1..=1000).contains(&self.films.most) {
            return Err("`films.most` is 1 to 1000".into());
        }
        let is_plain = |name: &String| !name.is_empty() && name.bytes().all(|b| b.is_ascii_lowercase() || b == b'_');
        if let Some(name) = self.limbs.parts.keys().find(|name| !is_plain(name)) {
            return Err(format!("`limbs.parts.{name}` is no name of a folder: use a-z and _"));
        }
        Ok(())
    }

    /// Every key with its value, as TOML.
    pub fn to_toml(&self) -> String {
        // Rules are texts, numbers and lists, all of which TOML has.
        toml::to_string_pretty(self).unwrap_or_default()
    }

    /// What decides on films, without the pace: an earlier run with the same is continued.
    pub(crate) fn fingerprint(&self) -> String {
        let decisive = Self { pace: PaceRules::default(), ..self.clone() };
        coxa_files::sha256(decisive.to_toml().as_bytes())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_key_has_a_default_and_unknown_ones_are_named() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("rules.toml");
        let read = |text: &str| {
            std::fs::write(&path, text).unwrap();
            Rules::read(&path)
        };
        assert_eq!(read("").unwrap(), Rules::default());
        assert_eq!(read(&Rules::default().to_toml()).unwrap(), Rules::default());
        let rules = read("[window]\nafter = 2\n[films]\nkeep = \"one\"\n").unwrap();
        assert_eq!((rules.window.after, rules.films.keep), (2, Keep::One));
        for (text, named) in [
            ("[window]\naftr = 2", "aftr"),
            ("[window]\nafter = 4000", "3650"),
            ("[films]\nunsure = \"maybe\"", "maybe"),
            ("[limbs.parts]\n\"../x\" = []", "../x"),
            ("[pace]\nattempts = 0", "attempts"),
        ] {
            let error = read(text).unwrap_err().to_string();
            assert!(error.contains(named) && error.contains("rules.toml"), "{error}");
        }
    }

    #[test]
    fn the_pace_may_change_between_runs() {
        let mut rules = Rules::default();
        let before = rules.fingerprint();
        rules.pace.attempts = 2;
        assert_eq!(rules.fingerprint(), before);
        rules.window.after = 1;
        assert_ne!(rules.fingerprint(), before);
    }
}
