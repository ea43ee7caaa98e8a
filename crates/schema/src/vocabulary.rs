//! The small vocabularies of a manifest, each with one spelling that is written and the spellings that are read.

use std::fmt;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error};

/// Whether a finding is there: the positive class is always explicit, and not knowing is not absence.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub enum Label {
    /// The finding is absent; written `0`.
    Absent,
    /// The finding is present; written `1`.
    Present,
    /// It is not known; written empty.
    #[default]
    Unknown,
}

impl Label {
    /// What [`Label::parse`] understands, for error messages.
    pub const EXPECTED: &'static str =
        "a label: 0, 1 or empty (also absent/present, negative/positive, no/yes, false/true, unknown)";

    /// Reads a label, without regard to case; `None` for a spelling that is not known.
    pub fn parse(text: &str) -> Option<Self> {
        Some(match text.trim().to_ascii_lowercase().as_str() {
            "0" | "0.0" | "absent" | "negative" | "neg" | "no" | "false" | "normal" | "no_fracture"
            | "no_hip_fracture" | "non_fractured" => Self::Absent,
            "1" | "1.0" | "present" | "positive" | "pos" | "yes" | "true" | "fracture" | "hip_fracture"
            | "fractured" => Self::Present,
            "" | "unknown" | "na" | "n/a" | "nan" | "?" => Self::Unknown,
            _ => return None,
        })
    }

    /// The spelling of the manifest: `0`, `1` or empty.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Absent => "0",
            Self::Present => "1",
            Self::Unknown => "",
        }
    }

    /// The class index, 0 absent and 1 present; `None` when unknown.
    pub fn index(self) -> Option<usize> {
        match self {
            Self::Absent => Some(0),
            Self::Present => Some(1),
            Self::Unknown => None,
        }
    }
}

impl From<bool> for Label {
    fn from(present: bool) -> Self {
        if present { Self::Present } else { Self::Absent }
    }
}

impl fmt::Display for Label {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// The body part in view, in lower case in the manifest.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum BodyPart {
    /// A frontal pelvis, both hips in view.
    Pelvis,
    /// One hip.
    Hip,
    /// An ankle.
    Ankle,
    /// A foot.
    Foot,
    /// A knee.
    Knee,
    /// A wrist.
    Wrist,
    /// An elbow.
    Elbow,
    /// A hand.
    Hand,
    /// A finger.
    Finger,
    /// A forearm.
    Forearm,
    /// An upper arm.
    Humerus,
    /// A leg (thigh or lower leg).
    Leg,
    /// A shoulder.
    Shoulder,
    /// A chest.
    Chest,
    /// Any other part, in lower case.
    Other(String),
}

impl BodyPart {
    /// The limbs that the paper pretrains on, in alphabetical order: ankles, elbows, feet, knees and wrists.
    pub const PAPER_LIMBS: [Self; 5] = [Self::Ankle, Self::Elbow, Self::Foot, Self::Knee, Self::Wrist];

    /// Reads a body part, without regard to case; text that names none of the variants becomes [`BodyPart::Other`].
    pub fn parse(text: &str) -> Self {
        let text = text.trim().to_lowercase();
        match text.as_str() {
            "pelvis" => Self::Pelvis,
            "hip" => Self::Hip,
            "ankle" => Self::Ankle,
            "foot" => Self::Foot,
            "knee" => Self::Knee,
            "wrist" => Self::Wrist,
            "elbow" => Self::Elbow,
            "hand" => Self::Hand,
            "finger" => Self::Finger,
            "forearm" => Self::Forearm,
            "humerus" => Self::Humerus,
            "leg" => Self::Leg,
            "shoulder" => Self::Shoulder,
            "chest" => Self::Chest,
            _ => Self::Other(text),
        }
    }

    /// The spelling of the manifest.
    pub fn as_str(&self) -> &str {
        match self {
            Self::Pelvis => "pelvis",
            Self::Hip => "hip",
            Self::Ankle => "ankle",
            Self::Foot => "foot",
            Self::Knee => "knee",
            Self::Wrist => "wrist",
            Self::Elbow => "elbow",
            Self::Hand => "hand",
            Self::Finger => "finger",
            Self::Forearm => "forearm",
            Self::Humerus => "humerus",
            Self::Leg => "leg",
            Self::Shoulder => "shoulder",
            Self::Chest => "chest",
            Self::Other(name) => name,
        }
    }

    /// Whether the part is not known: an empty field.
    pub fn is_unknown(&self) -> bool {
        self.as_str().is_empty()
    }
}

impl fmt::Display for BodyPart {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// The kind of hip fracture: the paper's Table 1 counts those of the neck and trochanteric ones.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum FractureType {
    /// No hip fracture.
    None,
    /// A fracture of the femoral neck.
    FemoralNeck,
    /// A trochanteric fracture.
    Trochanteric,
    /// A fracture that begins below the lesser trochanter.
    Subtrochanteric,
}

impl FractureType {
    /// Every kind, in the order of the class indices.
    pub const ALL: [Self; 4] = [Self::None, Self::FemoralNeck, Self::Trochanteric, Self::Subtrochanteric];
    /// What [`FractureType::parse`] understands, for error messages.
    pub const EXPECTED: &'static str = "a kind of fracture: none, femoral_neck, trochanteric, subtrochanteric or empty";

    /// Reads a kind of fracture, without regard to case; `None` for a spelling that is not known (an empty field is not
    /// a spelling: it means that the kind is not known).
    pub fn parse(text: &str) -> Option<Self> {
        Some(match text.trim().to_ascii_lowercase().replace([' ', '-'], "_").as_str() {
            "none" => Self::None,
            "femoral_neck" | "neck" => Self::FemoralNeck,
            "trochanteric" | "intertrochanteric" | "pertrochanteric" => Self::Trochanteric,
            "subtrochanteric" => Self::Subtrochanteric,
            _ => return None,
        })
    }

    /// The spelling of the manifest.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::FemoralNeck => "femoral_neck",
            Self::Trochanteric => "trochanteric",
            Self::Subtrochanteric => "subtrochanteric",
        }
    }
}

impl fmt::Display for FractureType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// The patient's side, which on a frontal film is the opposite side of the image.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Side {
    /// The patient's left.
    Left,
    /// The patient's right.
    Right,
}

impl Side {
    /// What [`Side::parse`] understands, for error messages.
    pub const EXPECTED: &'static str = "a side: left, right or empty";

    /// Reads a side, without regard to case; `None` for a spelling that is not known.
    pub fn parse(text: &str) -> Option<Self> {
        Some(match text.trim().to_ascii_lowercase().as_str() {
            "left" | "l" => Self::Left,
            "right" | "r" => Self::Right,
            _ => return None,
        })
    }

    /// The spelling of the manifest.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Left => "left",
            Self::Right => "right",
        }
    }

    /// The other side.
    pub fn opposite(self) -> Self {
        match self {
            Self::Left => Self::Right,
            Self::Right => Self::Left,
        }
    }
}

impl fmt::Display for Side {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// The patient's sex as the registry records it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Sex {
    /// Written `female`.
    Female,
    /// Written `male`.
    Male,
    /// Written `other`.
    Other,
}

impl Sex {
    /// What [`Sex::parse`] understands, for error messages.
    pub const EXPECTED: &'static str = "a sex: female, male, other (also F, M, O) or empty";

    /// Reads a sex, without regard to case (DICOM's F, M and O too); `None` for a spelling that is not known.
    pub fn parse(text: &str) -> Option<Self> {
        Some(match text.trim().to_ascii_lowercase().as_str() {
            "female" | "f" | "woman" => Self::Female,
            "male" | "m" | "man" => Self::Male,
            "other" | "o" => Self::Other,
            _ => return None,
        })
    }

    /// The spelling of the manifest.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Female => "female",
            Self::Male => "male",
            Self::Other => "other",
        }
    }
}

impl fmt::Display for Sex {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Serde by the spelling that is written and the spellings that are read.
macro_rules! serde_by_spelling {
    ($name:ident, $parse:expr, $expected:expr) => {
        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_str(self.as_str())
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let text = std::borrow::Cow::<str>::deserialize(deserializer)?;
                $parse(&text).ok_or_else(|| D::Error::custom(format!("`{text}` is not {}", $expected)))
            }
        }
    };
}

serde_by_spelling!(Label, Label::parse, Label::EXPECTED);
serde_by_spelling!(FractureType, FractureType::parse, FractureType::EXPECTED);
serde_by_spelling!(Side, Side::parse, Side::EXPECTED);
serde_by_spelling!(Sex, Sex::parse, Sex::EXPECTED);
serde_by_spelling!(BodyPart, |text: &str| Some(BodyPart::parse(text)), "a body part");

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read_back() {
        for label in [Label::Absent, Label::Present, Label::Unknown] {
            assert_eq!(Label::parse(label.as_str()), Some(label));
        }
        for kind in FractureType::ALL {
            assert_eq!(FractureType::parse(kind.as_str()), Some(kind));
        }
        for side in [Side::Left, Side::Right] {
            assert_eq!(Side::parse(side.as_str()), Some(side));
            assert_eq!(side.opposite().opposite(), side);
        }
        for sex in [Sex::Female, Sex::Male, Sex::Other] {
            assert_eq!(Sex::parse(sex.as_str()), Some(sex));
        }
        for part in ["pelvis", "ankle", "forearm", "clavicle", ""] {
            assert_eq!(BodyPart::parse(part).as_str(), part);
        }
    }

    #[test]
    fn serde_writes_and_reads_the_manifest_s_spellings() {
        assert_eq!(
            serde_json::to_string(&(Label::Present, Side::Left, Sex::Female)).unwrap(),
            r#"["1","left","female"]"#
        );
        let read: (Label, Side, BodyPart) = serde_json::from_str(r#"["positive","R","Pelvis"]"#).unwrap();
        assert_eq!(read, (Label::Present, Side::Right, BodyPart::Pelvis));
        let error = serde_json::from_str::<Side>(r#""up""#).unwrap_err().to_string();
        assert!(error.starts_with("`up` is not a side: left, right or empty"), "{error}");
    }

    #[test]
    fn another_spelling_is_no_label() {
        for text in ["maybe", "2", "-1", "0.5", "positve"] {
            assert_eq!(Label::parse(text), None, "{text}");
        }
        assert_eq!(Label::parse(" Positive "), Some(Label::Present));
        assert_eq!(Label::parse("No_Hip_Fracture"), Some(Label::Absent));
    }
}
