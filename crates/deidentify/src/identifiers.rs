//! What a header knows about its patient, physicians and hospital: found again in the texts that stay, and looked for in the output before
//! it is written.

use std::collections::HashSet;

use dicom_core::Tag;
use dicom_core::VR;
use dicom_dictionary_std::tags;

use crate::charset::{Charset, guesses, written_forms};
use crate::dataset::{DataSet, Value, ascii, is_in_character_set, known};
use crate::key::{is_derived_uid, is_pseudonym};
use crate::rules::Rules;
use crate::words::{Words, is_ideograph, tokens};

/// The names and numbers that a header knows.
#[derive(Debug, Clone, Default)]
pub(crate) struct Identifiers {
    /// Words of names, in lower case.
    tokens: HashSet<String>,
    /// Whole values: names, their components, numbers, addresses.
    values: HashSet<String>,
    /// UIDs that are not the standard's.
    uids: HashSet<String>,
    /// Whether a family name, a given name or a middle name has two or three characters.
    has_short_name: bool,
}

impl Identifiers {
    /// Those of a data set and all its sequences.
    pub(crate) fn of(data: &DataSet) -> Self {
        let mut identifiers = Self::default();
        identifiers.gather(data, Charset::UNSTATED);
        identifiers
    }

    #[cfg(test)]
    pub(crate) fn of_names(names: &[&str]) -> Self {
        let mut identifiers = Self::default();
        names.iter().for_each(|name| identifiers.add_name(name));
        identifiers
    }

    /// Whether a word is part of a name.
    pub(crate) fn has_token(&self, word: &str) -> bool {
        self.tokens.contains(&word.to_lowercase())
    }

    /// Whether a whole name of the header, a family name say, has two or three characters. Prefixes and suffixes are no names.
    pub(crate) fn has_short_name(&self) -> bool {
        self.has_short_name
    }

    /// Whether a value is one that identifies, as a whole.
    pub(crate) fn has_value(&self, value: &str) -> bool {
        value.len() > 4 && self.values.contains(value)
    }

    fn gather(&mut self, data: &DataSet, inherited: Charset) {
        let charset = data.ascii(tags::SPECIFIC_CHARACTER_SET).map_or(inherited, |value| Charset::of(&value));
        for (&tag, element) in &data.0 {
            match &element.value {
                Value::Items(items) => items.iter().for_each(|item| self.gather(item, charset)),
                Value::Bytes(bytes) => self.add(tag, element.vr, bytes, charset),
                Value::Fragments(_) => {}
            }
        }
    }

    fn add(&mut self, tag: Tag, stated: VR, bytes: &[u8], charset: Charset) {
        let vr = known(tag).map_or(stated, |known| known.vr);
        // A method or a mark of an earlier run is no identity.
        if bytes.is_empty() || bytes.len() > 10_240 {
            return;
        }
        if vr == VR::PN || stated == VR::PN {
            for text in guesses(bytes).into_iter().chain([charset.decode(bytes)]) {
                text.split(['\\', '=']).for_each(|name| self.add_name(name));
            }
        } else if vr == VR::UI {
            self.uids.extend(ascii(bytes).split('\\').filter(|uid| !is_public_uid(uid)).map(str::to_owned));
        } else if tag == tags::PATIENT_BIRTH_DATE {
            self.add_value(&ascii(bytes));
        } else if Rules::always_identifies(tag) && (is_in_character_set(vr) || vr == VR::AE) {
            charset.decode(bytes).split('\\').for_each(|value| self.add_value(value));
        }
    }

    fn add_name(&mut self, name: &str) {
        let name = name.trim_matches([' ', '\0', '^']);
        if name.is_empty() || is_pseudonym(name) || name.contains('\u{FFFD}') {
            return;
        }
        let is_long_enough = |token: &String| token.chars().count() > 1 || token.chars().any(is_ideograph);
        self.tokens.extend(tokens(name).filter(is_long_enough));
        for (place, component) in name.split('^').enumerate() {
            let word = component.trim();
            let is_short = (2..=3).contains(&word.chars().count()) && word.chars().all(char::is_alphabetic);
            self.has_short_name |= is_short && place < 3;
            self.add_value(component);
            component.split_whitespace().for_each(|word| self.add_value(word));
        }
        self.add_value(name);
    }

    fn add_value(&mut self, value: &str) {
        let value = value.trim_matches([' ', '\0', '^', '\r', '\n']);
        if !value.is_empty() && !is_pseudonym(value) {
            self.values.insert(value.to_owned());
        }
    }

    /// Whether one of the values is among bytes, in any of the encodings that it may be written in. Short values and those that are made
    /// of words that may stay are not looked for: they would be found everywhere.
    pub(crate) fn are_in(&self, bytes: &[u8], words: &Words, uids: Uids) -> bool {
        let haystack = bytes.to_ascii_lowercase();
        let is_telling = |value: &&String| is_telling(value) && !words.cover(value);
        let uids = self.uids.iter().filter(|uid| uids == Uids::Replaced && is_telling(uid));
        let forms = self.values.iter().filter(is_telling).chain(uids).flat_map(|value| written_forms(value));
        forms.into_iter().any(|form| (0..haystack.len()).any(|at| form.is_at(at, &haystack)))
    }
}

/// What becomes of UIDs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Uids {
    Replaced,
    Retained,
}

/// Whether a value is long enough to be looked for as bytes: three letters or four digits may be part of anything.
pub(crate) fn is_telling(value: &str) -> bool {
    let is_number = value.bytes().all(|b| b.is_ascii_digit());
    let least = if value.chars().any(is_ideograph) { 2 } else { 4 + usize::from(is_number) };
    value.chars().count() >= least
}

/// UIDs of the standard, and those that a key made.
fn is_public_uid(uid: &str) -> bool {
    uid.is_empty() || uid.starts_with("1.2.840.10008.") || is_derived_uid(uid)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_header_s_names_and_numbers_are_gathered_from_its_sequences() {
        let mut item = DataSet::default();
        item.put(tags::REQUESTING_PHYSICIAN, VR::PN, b"Quincy^Jack^^Dr");
        let mut data = DataSet::default();
        data.put(tags::SPECIFIC_CHARACTER_SET, VR::CS, b"GB18030");
        data.put(tags::PATIENT_NAME, VR::PN, b"Wang^XiaoDong=\xcd\xf5^\xd0\xa1\xb6\xab");
        data.put(tags::PATIENT_ID, VR::LO, b"ID-778899");
        data.put(tags::STUDY_INSTANCE_UID, VR::UI, b"1.2.999.4");
        data.put(tags::SOP_CLASS_UID, VR::UI, b"1.2.840.10008.5.1.4.1.1.1");
        data.put_items(tags::REQUEST_ATTRIBUTES_SEQUENCE, vec![item]);
        let identifiers = Identifiers::of(&data);
        assert!(["wang", "Quincy", "jack", "王", "小东"].iter().all(|word| identifiers.has_token(word)));
        assert!(identifiers.has_value("ID-778899") && identifiers.uids.len() == 1);
        let words = Words::default();
        for (bytes, expected) in [
            (&b"by quincy,"[..], true),
            (b"XQUINCYX", false),
            (b"Q\0u\0i\0n\0c\0y\0", true),
            ("x王".as_bytes(), false),
            ("x小东".as_bytes(), true),
            (b"\x90\xd0\xa1\xb6\xab", true),
            (b"1.2.999.4", true),
            (b"1.2.999.45", false),
        ] {
            assert_eq!(identifiers.are_in(bytes, &words, Uids::Replaced), expected, "{bytes:?}");
        }
        assert!(!identifiers.are_in(b"1.2.999.4", &words, Uids::Retained));
    }
}
