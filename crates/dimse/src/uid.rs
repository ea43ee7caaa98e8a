//! UIDs (PS3.5 section 9), checked before anything is done with one: a peer's text is never trusted.

use std::fmt;

/// A UID: 1 to 64 characters, digits in components that are separated by points.
///
/// `Debug` and `Display` show UIDs of the standard (`1.2.840.10008.…`) alone; any other could identify a patient's study.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Uid(String);

impl Uid {
    /// Checks a text; trailing NUL and space, with which values are padded, are left out. `None` where it is no UID.
    ///
    /// A component that begins with 0 is let through, as devices write such.
    pub fn parse(text: &str) -> Option<Self> {
        let text = text.trim_end_matches(['\0', ' ']);
        let is_component = |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
        (text.len() <= 64 && text.split('.').all(is_component)).then(|| Self(text.to_owned()))
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether the standard defines it.
    pub fn is_standard(&self) -> bool {
        self.0.starts_with("1.2.840.10008.")
    }
}

impl fmt::Display for Uid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.is_standard() { &self.0 } else { "(a UID)" })
    }
}

impl fmt::Debug for Uid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Uid({self})")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_uid_is_one() {
        for text in ["1.2.840.10008.1.1", "2.25.1", "1.2.840.10008.1.1\0", "1"] {
            assert!(Uid::parse(text).is_some(), "{text}");
        }
        let long = "1.".repeat(32) + "1";
        for text in ["", ".", "1.", "../../x", "/etc/passwd", "1.2\x001.3", "1..2", "1.2 .3", "a", &long, "１.2"] {
            assert!(Uid::parse(text).is_none(), "{text}");
        }
    }

    #[test]
    fn a_study_s_uid_is_not_shown() {
        assert_eq!(format!("{:?}", Uid::parse("1.2.3").unwrap()), "Uid((a UID))");
        assert_eq!(Uid::parse("1.2.840.10008.1.1").unwrap().to_string(), "1.2.840.10008.1.1");
    }
}
