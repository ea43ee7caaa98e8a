//! A data set in memory, as the walk over it needs it: every element with its bytes, nothing interpreted, little endian.

use std::collections::BTreeMap;

use dicom_core::Tag;
use dicom_core::VR;
use dicom_core::dictionary::{DataDictionary as _, DataDictionaryEntry as _, VirtualVr};
use dicom_dictionary_std::StandardDataDictionary;

/// The elements of a data set or of an item, by tag.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct DataSet(pub(crate) BTreeMap<Tag, Element>);

/// An element without its tag.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Element {
    /// The value representation that the file states, or the dictionary's where it states none.
    pub(crate) vr: VR,
    pub(crate) value: Value,
}

/// What an element holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Value {
    /// A value in little endian, with its padding.
    Bytes(Vec<u8>),
    /// The items of a sequence.
    Items(Vec<DataSet>),
    /// The fragments of encapsulated pixels, without the basic offset table.
    Fragments(Vec<Vec<u8>>),
}

impl DataSet {
    /// The bytes of an element that has bytes.
    pub(crate) fn bytes(&self, tag: Tag) -> Option<&[u8]> {
        match &self.0.get(&tag)?.value {
            Value::Bytes(bytes) => Some(bytes),
            Value::Items(_) | Value::Fragments(_) => None,
        }
    }

    /// A value as ASCII text without its padding; other bytes become `?`. For values that are compared, never for names.
    pub(crate) fn ascii(&self, tag: Tag) -> Option<String> {
        self.bytes(tag).map(ascii)
    }

    /// The first number of an element of VR US.
    pub(crate) fn number(&self, tag: Tag) -> Option<u16> {
        let bytes = self.bytes(tag)?;
        Some(u16::from_le_bytes([*bytes.first()?, *bytes.get(1)?]))
    }

    /// Puts a value, padded to an even length as its VR demands.
    pub(crate) fn put(&mut self, tag: Tag, vr: VR, value: &[u8]) {
        self.0.insert(tag, Element { vr, value: Value::Bytes(padded(vr, value.to_vec())) });
    }

    /// Puts a sequence.
    pub(crate) fn put_items(&mut self, tag: Tag, items: Vec<DataSet>) {
        self.0.insert(tag, Element { vr: VR::SQ, value: Value::Items(items) });
    }
}

/// Bytes as ASCII text without padding; other bytes become `?`.
pub(crate) fn ascii(bytes: &[u8]) -> String {
    let text: String = bytes.iter().map(|&b| if b.is_ascii() { char::from(b) } else { '?' }).collect();
    text.trim_matches([' ', '\0']).to_owned()
}

/// A value padded to an even length: UIDs and bytes by a zero, texts by a space (PS3.5 6.2).
pub(crate) fn padded(vr: VR, mut value: Vec<u8>) -> Vec<u8> {
    if value.len() % 2 == 1 {
        value.push(if is_text(vr) && vr != VR::UI { b' ' } else { 0 });
    }
    value
}

/// Whether values of a VR are characters.
pub(crate) fn is_text(vr: VR) -> bool {
    matches!(
        vr,
        VR::AE
            | VR::AS
            | VR::CS
            | VR::DA
            | VR::DS
            | VR::DT
            | VR::IS
            | VR::LO
            | VR::LT
            | VR::PN
            | VR::SH
            | VR::ST
            | VR::TM
            | VR::UC
            | VR::UI
            | VR::UR
            | VR::UT
    )
}

/// Whether values of a VR are written in the data set's character set (PS3.5 6.1.2.3).
pub(crate) fn is_in_character_set(vr: VR) -> bool {
    matches!(vr, VR::LO | VR::LT | VR::PN | VR::SH | VR::ST | VR::UC | VR::UT)
}

/// The length in bytes of one number of a VR; 1 for everything else.
pub(crate) fn width(vr: VR) -> usize {
    match vr {
        VR::US | VR::SS | VR::OW => 2,
        VR::UL | VR::SL | VR::FL | VR::OF | VR::OL => 4,
        VR::FD | VR::OD | VR::OV | VR::SV | VR::UV => 8,
        _ => 1,
    }
}

/// What the dictionary knows of a standard element.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Known {
    /// Its keyword.
    pub(crate) keyword: &'static str,
    /// Its VR; where several are possible, the one that fits every value: US, or OW.
    pub(crate) vr: VR,
    /// Other VRs that it may have.
    pub(crate) others: &'static [VR],
}

/// What the dictionary knows of an element; `None` for private and unknown ones.
pub(crate) fn known(tag: Tag) -> Option<Known> {
    if tag.group() % 2 == 1 || tag.element() == 0 {
        return None;
    }
    let entry = StandardDataDictionary.by_tag(tag)?;
    let (vr, others): (VR, &'static [VR]) = match entry.vr() {
        VirtualVr::Exact(vr) => (vr, &[]),
        VirtualVr::Xs => (VR::US, &[VR::SS]),
        VirtualVr::Ox | VirtualVr::Px => (VR::OW, &[VR::OB]),
        VirtualVr::Lt => (VR::OW, &[VR::US, VR::SS]),
        _ => return None,
    };
    Some(Known { keyword: entry.alias, vr, others })
}

#[cfg(test)]
mod tests {
    use dicom_dictionary_std::tags;

    use super::*;

    #[test]
    fn the_dictionary_knows_standard_elements_alone() {
        assert_eq!(known(tags::PATIENT_NAME).unwrap().vr, VR::PN);
        assert_eq!(known(tags::PIXEL_DATA).unwrap().others, [VR::OB]);
        assert_eq!(known(Tag(0x0009, 0x0010)), None);
        assert_eq!(known(Tag(0x0010, 0x0000)), None);
    }

    #[test]
    fn values_are_padded_as_their_vr_demands() {
        let mut data = DataSet::default();
        data.put(tags::MODALITY, VR::CS, b"DXX");
        data.put(tags::SOP_INSTANCE_UID, VR::UI, b"1.2");
        assert_eq!(data.bytes(tags::MODALITY), Some(&b"DXX "[..]));
        assert_eq!(data.bytes(tags::SOP_INSTANCE_UID), Some(&b"1.2\0"[..]));
        assert_eq!(data.ascii(tags::SOP_INSTANCE_UID).as_deref(), Some("1.2"));
    }
}
