//! Fixed rectangles by device, in the form of CTP's `DicomPixelAnonymizer.script`.
//!
//! A section is a signature in braces and rectangles in parentheses, `{ Modality.equals("CR") * Rows.equals("480") } (0,0,100,20)`; what lies
//! outside of both is a comment. Signatures are made of conditions on attributes, `*` (and), `+` (or), `!` (not) and parentheses. The first
//! section whose signature a film matches applies. An attribute is named by its keyword or as `[0008,0060]`.

use dicom_core::Tag;
use dicom_core::VR;
use dicom_core::dictionary::{DataDictionary as _, DataDictionaryEntry as _};
use dicom_dictionary_std::StandardDataDictionary;

use crate::blanking::Rectangle;
use crate::dataset::DataSet;
use crate::error::DeidentifyError;

/// Rectangles by device.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PixelScript {
    sections: Vec<Section>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Section {
    signature: Signature,
    regions: Vec<Rectangle>,
}

/// What a film must be like.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Signature {
    Always(Truth),
    Not(Box<Self>),
    All(Vec<Self>),
    Any(Vec<Self>),
    Is(Tag, Comparison, String),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Truth {
    True,
    False,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Comparison {
    Equals,
    EqualsIgnoreCase,
    Contains,
    ContainsIgnoreCase,
    StartsWith,
    StartsWithIgnoreCase,
    EndsWith,
    EndsWithIgnoreCase,
    IsLessThan,
    IsGreaterThan,
}

const COMPARISONS: [(&str, Comparison); 10] = [
    ("equals", Comparison::Equals),
    ("equalsIgnoreCase", Comparison::EqualsIgnoreCase),
    ("contains", Comparison::Contains),
    ("containsIgnoreCase", Comparison::ContainsIgnoreCase),
    ("startsWith", Comparison::StartsWith),
    ("startsWithIgnoreCase", Comparison::StartsWithIgnoreCase),
    ("endsWith", Comparison::EndsWith),
    ("endsWithIgnoreCase", Comparison::EndsWithIgnoreCase),
    ("isLessThan", Comparison::IsLessThan),
    ("isGreaterThan", Comparison::IsGreaterThan),
];

impl PixelScript {
    /// Reads a script; `name` stands for its file in errors.
    ///
    /// # Errors
    /// [`DeidentifyError::Script`], with the line and the column.
    pub fn parse(text: &str, name: &str) -> Result<Self, DeidentifyError> {
        let mut reader = Reader { text, at: 0 };
        let mut sections: Vec<Section> = Vec::new();
        reader.script(&mut sections).map_err(|reason| {
            let before = &text[..reader.at];
            let line = before.matches('\n').count() + 1;
            let column = before.chars().rev().take_while(|c| *c != '\n').count() + 1;
            DeidentifyError::Script { path: name.into(), line, column, reason }
        })?;
        Ok(Self { sections })
    }

    /// Whether it has no section.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.sections.is_empty()
    }

    /// The rectangles of the first section that a film matches.
    pub(crate) fn regions(&self, data: &DataSet) -> &[Rectangle] {
        let section = self.sections.iter().find(|section| section.signature.matches(data));
        section.map_or(&[], |section| &section.regions)
    }
}

impl Signature {
    fn matches(&self, data: &DataSet) -> bool {
        match self {
            Self::Always(truth) => *truth == Truth::True,
            Self::Not(inner) => !inner.matches(data),
            Self::All(parts) => parts.iter().all(|part| part.matches(data)),
            Self::Any(parts) => parts.iter().any(|part| part.matches(data)),
            Self::Is(tag, comparison, expected) => comparison.holds(&value(data, *tag), expected),
        }
    }
}

/// A value as text; a missing one is empty, as in CTP.
fn value(data: &DataSet, tag: Tag) -> String {
    let vr = data.0.get(&tag).map(|element| element.vr);
    match vr {
        Some(VR::US) => data.number(tag).map(|number| number.to_string()).unwrap_or_default(),
        _ => data.ascii(tag).unwrap_or_default(),
    }
}

impl Comparison {
    fn holds(self, value: &str, expected: &str) -> bool {
        let (lower, lower_expected) = (value.to_lowercase(), expected.to_lowercase());
        let numbers = || Some((value.trim().parse::<f64>().ok()?, expected.trim().parse::<f64>().ok()?));
        match self {
            Self::Equals => value == expected,
            Self::EqualsIgnoreCase => lower == lower_expected,
            Self::Contains => value.contains(expected),
            Self::ContainsIgnoreCase => lower.contains(&lower_expected),
            Self::StartsWith => value.starts_with(expected),
            Self::StartsWithIgnoreCase => lower.starts_with(&lower_expected),
            Self::EndsWith => value.ends_with(expected),
            Self::EndsWithIgnoreCase => lower.ends_with(&lower_expected),
            Self::IsLessThan => numbers().is_some_and(|(value, expected)| value < expected),
            Self::IsGreaterThan => numbers().is_some_and(|(value, expected)| value > expected),
        }
    }
}

/// How deep parentheses may lie in each other.
const MAX_DEPTH: usize = 64;

/// What is wrong at the place where the reader stands.
type Problem = String;

struct Reader<'t> {
    text: &'t str,
    at: usize,
}

impl Reader<'_> {
    fn script(&mut self, sections: &mut Vec<Section>) -> Result<(), Problem> {
        while let Some(found) = self.text[self.at..].find(['{', '}', '(', ')']) {
            self.at += found;
            match self.text.as_bytes()[self.at] {
                b'{' => {
                    if sections.last().is_some_and(|section| section.regions.is_empty()) {
                        return Err("the signature before this one has no rectangle".to_owned());
                    }
                    self.at += 1;
                    let signature = self.any(0)?;
                    self.expect('}')?;
                    sections.push(Section { signature, regions: Vec::new() });
                }
                b'(' => {
                    let region = self.rectangle()?;
                    let section = sections.last_mut().ok_or("a rectangle needs a signature in braces before it")?;
                    section.regions.push(region);
                }
                _ => return Err("a parenthesis or brace is closed that was not opened".to_owned()),
            }
        }
        if sections.last().is_some_and(|section| section.regions.is_empty()) {
            self.at = self.text.len();
            return Err("the last signature has no rectangle".to_owned());
        }
        Ok(())
    }

    fn rectangle(&mut self) -> Result<Rectangle, Problem> {
        self.expect('(')?;
        let mut numbers = [0; 4];
        for (n, number) in numbers.iter_mut().enumerate() {
            if n > 0 {
                self.expect(',')?;
            }
            self.skip_space();
            let digits = self.take_while(|c| c.is_ascii_digit());
            *number = digits.parse().map_err(|_| "a rectangle is (left,top,width,height) in pixels".to_owned())?;
        }
        self.expect(')')?;
        let [x, y, width, height] = numbers;
        Ok(Rectangle { x, y, width, height })
    }

    fn any(&mut self, depth: usize) -> Result<Signature, Problem> {
        let mut parts = vec![self.all(depth)?];
        while self.accept('+') {
            parts.push(self.all(depth)?);
        }
        Ok(if parts.len() == 1 { parts.swap_remove(0) } else { Signature::Any(parts) })
    }

    fn all(&mut self, depth: usize) -> Result<Signature, Problem> {
        let mut parts = vec![self.one(depth)?];
        while self.accept('*') {
            parts.push(self.one(depth)?);
        }
        Ok(if parts.len() == 1 { parts.swap_remove(0) } else { Signature::All(parts) })
    }

    fn one(&mut self, depth: usize) -> Result<Signature, Problem> {
        if depth >= MAX_DEPTH {
            return Err("parentheses lie too deep in each other".to_owned());
        }
        if self.accept('!') {
            return Ok(Signature::Not(Box::new(self.one(depth + 1)?)));
        }
        if self.accept('(') {
            let inner = self.any(depth + 1)?;
            self.expect(')')?;
            return Ok(inner);
        }
        self.condition()
    }

    fn condition(&mut self) -> Result<Signature, Problem> {
        self.skip_space();
        let start = self.at;
        let name = match self.accept('[') {
            true => {
                let name = self.take_while(|c| c != ']' && c != '\n').to_owned();
                self.expect(']')?;
                name
            }
            false => self.take_while(char::is_alphanumeric).to_owned(),
        };
        if let Some((_, truth)) =
            [("true", Truth::True), ("false", Truth::False)].into_iter().find(|(word, _)| *word == name)
        {
            self.accept('.');
            return Ok(Signature::Always(truth));
        }
        let Some(tag) = tag_of(&name) else {
            self.at = start;
            return Err("an attribute is needed here: its keyword, or [gggg,eeee]".to_owned());
        };
        self.expect('.')?;
        self.skip_space();
        let start = self.at;
        let method = self.take_while(char::is_alphanumeric);
        let Some(comparison) = COMPARISONS.iter().find(|(name, _)| *name == method).map(|(_, comparison)| *comparison)
        else {
            self.at = start;
            let names: Vec<_> = COMPARISONS.iter().map(|(name, _)| *name).collect();
            return Err(format!("a comparison is needed here: {}", names.join(", ")));
        };
        self.expect('(')?;
        self.expect('"')?;
        let expected = self.take_while(|c| c != '"' && c != '\n').to_owned();
        self.expect('"')?;
        self.expect(')')?;
        Ok(Signature::Is(tag, comparison, expected))
    }

    fn skip_space(&mut self) {
        self.take_while(char::is_whitespace);
    }

    fn take_while(&mut self, mut wanted: impl FnMut(char) -> bool) -> &str {
        let rest = &self.text[self.at..];
        let end = rest.find(|c: char| !wanted(c)).unwrap_or(rest.len());
        self.at += end;
        &rest[..end]
    }

    fn accept(&mut self, c: char) -> bool {
        self.skip_space();
        let is_there = self.text[self.at..].starts_with(c);
        if is_there {
            self.at += c.len_utf8();
        }
        is_there
    }

    fn expect(&mut self, c: char) -> Result<(), Problem> {
        if self.accept(c) { Ok(()) } else { Err(format!("`{c}` is needed here")) }
    }
}

fn tag_of(name: &str) -> Option<Tag> {
    let hex: String = name.chars().filter(|c| !c.is_whitespace() && *c != ',').collect();
    if hex.len() == 8 && hex.bytes().all(|b| b.is_ascii_hexdigit()) {
        let number = u32::from_str_radix(&hex, 16).ok()?;
        return Some(Tag((number >> 16) as u16, number as u16));
    }
    StandardDataDictionary.by_name(name).map(|entry| entry.tag())
}

#[cfg(test)]
mod tests {
    use dicom_dictionary_std::tags;

    use super::*;

    fn film() -> DataSet {
        let mut data = DataSet::default();
        data.put(tags::MODALITY, VR::CS, b"CR");
        data.put(tags::MANUFACTURER, VR::LO, b"Acme Imaging");
        data.put(tags::ROWS, VR::US, &480u16.to_le_bytes());
        data
    }

    fn matches(signature: &str) -> bool {
        let script = PixelScript::parse(&format!("comment {{ {signature} }} (1, 2,3,4)"), "script").expect(signature);
        script.regions(&film()) == [Rectangle { x: 1, y: 2, width: 3, height: 4 }]
    }

    #[test]
    fn signatures_are_matched() {
        for (signature, expected) in [
            (r#"Modality.equals("CR")"#, true),
            (r#"Modality.equals("cr")"#, false),
            (r#"[0008,0060].equalsIgnoreCase("cr") * Rows.equals("480")"#, true),
            (r#"Manufacturer.containsIgnoreCase("acme")*!Modality.equals("CT")"#, true),
            (r#"Manufacturer.contains("acme") + Modality.startsWith("C")"#, true),
            (r#"Modality.equals("CT") * (Rows.isLessThan("500") + true.)"#, false),
            (r#"Rows.isGreaterThan("479") * Manufacturer.endsWith("ing")"#, true),
            (r#"StationName.equals("")"#, true),
            ("false", false),
        ] {
            assert_eq!(matches(signature), expected, "{signature}");
        }
    }

    #[test]
    fn the_first_section_that_matches_applies() {
        let text = "Rooms\n{ Modality.equals(\"CT\") }\n(0,0,1,1)\n{ Modality.equals(\"CR\") }\n(0,0,2,2) (5,5,3,3)\n{ true }\n(0,0,4,4)";
        let script = PixelScript::parse(text, "script").unwrap();
        assert_eq!(script.regions(&film()).len(), 2);
        assert!(PixelScript::parse("no section", "script").unwrap().is_empty());
    }

    #[test]
    fn errors_name_the_line_and_the_column() {
        for (text, line, column, reason) in [
            ("{ Modality.equals(\"CR\") }\n", 2, 1, "no rectangle"),
            ("x\n  { Modalities.equals(\"CR\") } (0,0,1,1)", 2, 5, "an attribute"),
            ("{ Modality.matches(\"CR\") } (0,0,1,1)", 1, 12, "a comparison"),
            ("{ Modality.equals(\"CR) }", 1, 25, "`\"` is needed"),
            ("{ true } (0,0,1)", 1, 16, "`,` is needed"),
            ("{ true } (0,0,1,x)", 1, 17, "a rectangle is"),
            ("(0,0,1,1)", 1, 10, "a signature"),
            ("{ true } (0,0,1,1) }", 1, 20, "not opened"),
            ("{ true } { true } (0,0,1,1)", 1, 10, "no rectangle"),
        ] {
            let error = PixelScript::parse(text, "script").expect_err(text).to_string();
            assert!(error.starts_with(&format!("script, line {line}, column {column}: ")), "{text}: {error}");
            assert!(error.contains(reason), "{text}: {error}");
        }
    }
}
