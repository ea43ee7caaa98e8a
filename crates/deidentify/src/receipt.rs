//! The receipt of a film: what was done to which element and how often, never what it was.

use std::collections::BTreeMap;

use dicom_core::Tag;
use serde::Serialize;
use serde::ser::{SerializeMap as _, Serializer};

use crate::blanking::Rectangle;
use crate::dataset::known;

/// What was done to an element. Elements that stay as they are have no entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Done {
    /// The element was removed.
    Removed,
    /// Its value was removed.
    Emptied,
    /// Another value took its place: a pseudonym, a derived UID, a dummy.
    Replaced,
    /// A part of its text was removed, or an unusual form was made the usual one.
    Cleaned,
    /// Its date was moved.
    Shifted,
}

/// What the pseudonym was made of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum IdentifiedBy {
    /// Patient ID and its issuer.
    PatientId,
    /// Patient's Name and birth date, as there is no Patient ID.
    NameAndBirthDate,
    /// Study Instance UID, as there is neither: each study is a patient of its own.
    Study,
    /// The film had been de-identified with this key before.
    EarlierRun,
}

/// What was done to a film.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Receipt {
    /// The patient's pseudonym.
    pub patient: String,
    /// What it was made of.
    pub identified_by: IdentifiedBy,
    /// How often each was done, sequences included.
    pub counts: BTreeMap<Done, usize>,
    /// How many rectangles of the pixels were blanked.
    pub blanked: usize,
    /// These rectangles.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub regions: Vec<Rectangle>,
    /// Pixels whose unused bits held something, which was cleared.
    pub unused_bits_cleared: usize,
    /// How often each was done to which element.
    pub elements: Elements,
}

/// How often what was done to which element; as JSON, `{"(0010,0010) PatientName": {"replaced": 1}, …}`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Elements(pub(crate) BTreeMap<Tag, BTreeMap<Done, usize>>);

impl Elements {
    /// Notes that something was done to an element.
    pub(crate) fn note(&mut self, tag: Tag, done: Done) {
        *self.0.entry(tag).or_default().entry(done).or_default() += 1;
    }

    /// How often each was done.
    pub(crate) fn counts(&self) -> BTreeMap<Done, usize> {
        let mut counts = BTreeMap::new();
        self.0.values().flatten().for_each(|(&done, n)| *counts.entry(done).or_default() += n);
        counts
    }

    /// The elements with their names, and what was done to each.
    pub fn iter(&self) -> impl Iterator<Item = (String, Done, usize)> {
        self.0.iter().flat_map(|(&tag, done)| done.iter().map(move |(&done, &n)| (name(tag), done, n)))
    }
}

/// A tag with its keyword. The number of a private element is the file's own, so only its group is named.
fn name(tag: Tag) -> String {
    if tag.group() % 2 == 1 {
        return format!("({:04X},xxxx) private", tag.group());
    }
    let Tag(group, element) = tag;
    let keyword = known(tag).map_or("", |known| known.keyword);
    format!("({group:04X},{element:04X}) {keyword}").trim_end().to_owned()
}

impl Serialize for Elements {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut named: BTreeMap<String, BTreeMap<Done, usize>> = BTreeMap::new();
        for (tag, done, n) in self.iter() {
            *named.entry(tag).or_default().entry(done).or_default() += n;
        }
        let mut map = serializer.serialize_map(Some(named.len()))?;
        named.iter().try_for_each(|(tag, done)| map.serialize_entry(tag, done))?;
        map.end()
    }
}

#[cfg(test)]
mod tests {
    use dicom_dictionary_std::tags;

    use super::*;

    #[test]
    fn elements_are_named_and_counted() {
        let mut elements = Elements::default();
        elements.note(tags::PATIENT_NAME, Done::Replaced);
        elements.note(Tag(0x0009, 0x1001), Done::Removed);
        elements.note(Tag(0x0009, 0x1002), Done::Removed);
        assert_eq!(
            serde_json::to_string(&elements).unwrap(),
            r#"{"(0009,xxxx) private":{"removed":2},"(0010,0010) PatientName":{"replaced":1}}"#
        );
        assert_eq!(elements.counts(), BTreeMap::from([(Done::Removed, 2), (Done::Replaced, 1)]));
    }
}
