//! Identifiers of C-FIND, C-MOVE and C-GET (PS3.4 annex C): flat data sets of matching and return keys, and the head of a DICOM file.

use std::collections::BTreeMap;

use crate::dataset::{Encoding, Reader, Tag};
use crate::error::{DimseError, Malformed};

/// Study Root Query/Retrieve: FIND, MOVE and GET.
pub const STUDY_ROOT: [&str; 3] =
    ["1.2.840.10008.5.1.4.1.2.2.1", "1.2.840.10008.5.1.4.1.2.2.2", "1.2.840.10008.5.1.4.1.2.2.3"];
/// Patient Root Query/Retrieve: FIND, MOVE and GET.
pub const PATIENT_ROOT: [&str; 3] =
    ["1.2.840.10008.5.1.4.1.2.1.1", "1.2.840.10008.5.1.4.1.2.1.2", "1.2.840.10008.5.1.4.1.2.1.3"];

/// Whether a SOP class is a query/retrieve model, whatever its root.
pub(crate) fn is_model(sop_class: &str) -> bool {
    sop_class.starts_with("1.2.840.10008.5.1.4.1.2.")
}

/// Whether a SOP class is a GET model.
pub(crate) fn is_get(sop_class: &str) -> bool {
    is_model(sop_class) && sop_class.ends_with(".3")
}

/// Elements by tag (group in the upper, element in the lower 16 bits), without pixels. Its `Debug` shows no value.
#[derive(Clone, PartialEq, Eq)]
pub struct Identifier {
    elements: BTreeMap<Tag, ([u8; 2], Vec<u8>)>,
    encoding: Encoding,
}

impl std::fmt::Debug for Identifier {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Identifier({} elements)", self.elements.len())
    }
}

impl Default for Identifier {
    fn default() -> Self {
        Self { elements: BTreeMap::new(), encoding: Encoding::Implicit }
    }
}

impl Identifier {
    /// With an element of text; an empty value makes it a return key (universal matching).
    #[must_use]
    pub fn with(mut self, tag: u32, vr: &[u8; 2], value: &str) -> Self {
        self.elements.insert(tag, (*vr, value.as_bytes().to_vec()));
        self
    }

    /// The bytes in a transfer syntax.
    ///
    /// # Errors
    /// [`DimseError::Misuse`]: big endian or deflated.
    pub fn to_bytes(&self, transfer_syntax: &str) -> Result<Vec<u8>, DimseError> {
        let encoding = Encoding::of(transfer_syntax)
            .ok_or(DimseError::Misuse("an identifier is written in implicit or explicit little endian"))?;
        let mut bytes = Vec::new();
        for (&tag, (vr, value)) in &self.elements {
            encoding.write(&mut bytes, tag, *vr, value, if vr == b"UI" { 0 } else { b' ' });
        }
        Ok(bytes)
    }

    /// Reads an identifier.
    ///
    /// # Errors
    /// [`Malformed::DataSet`]: it is cut short, or in a transfer syntax that is not read.
    pub fn parse(bytes: &[u8], transfer_syntax: &str) -> Result<Self, Malformed> {
        let encoding =
            Encoding::of(transfer_syntax).ok_or(Malformed::DataSet("is in a transfer syntax that is not read"))?;
        Self::below(Reader::new(bytes, encoding), encoding, u32::MAX)
    }

    /// The elements before Pixel Data of a DICOM file, and its transfer syntax; `None` where it is no DICOM file, or a big endian or
    /// deflated one. What follows the elements that were asked for is not judged.
    pub fn of_file(bytes: &[u8]) -> Option<(String, Self)> {
        const PIXELS: Tag = 0x7FE0_0000;
        let meta = bytes.get(132..).filter(|_| bytes[128..132] == *b"DICM")?;
        let mut reader = Reader::new(meta, Encoding::Explicit);
        let mut syntax = None;
        while reader.peek().is_some_and(|tag| tag >> 16 == 2) {
            let (tag, value) = reader.next().ok()??;
            if tag == 0x0002_0010 {
                syntax = Some(std::str::from_utf8(value).ok()?.trim_end_matches(['\0', ' ']).to_owned());
            }
        }
        let syntax = syntax?;
        let encoding = Encoding::of(&syntax)?;
        let data = &meta[meta.len() - reader.left()..];
        Some((syntax, Self::below(Reader::new(data, encoding), encoding, PIXELS).ok()?))
    }

    fn below(mut reader: Reader<'_>, encoding: Encoding, end: Tag) -> Result<Self, Malformed> {
        let mut elements = BTreeMap::new();
        while reader.peek().is_some_and(|tag| tag < end) {
            if let Some((tag, value)) = reader.next()? {
                elements.insert(tag, (*b"UN", value.to_vec()));
            }
        }
        Ok(Self { elements, encoding })
    }

    /// The bytes of a value; `None` where the element is absent.
    pub fn value(&self, tag: u32) -> Option<&[u8]> {
        self.elements.get(&tag).map(|(_, value)| value.as_slice())
    }

    /// A value of printable ASCII characters, without padding; `None` where it is absent, empty or of other characters.
    pub fn ascii(&self, tag: u32) -> Option<&str> {
        let text = std::str::from_utf8(self.value(tag)?).ok()?.trim_matches([' ', '\0']);
        (!text.is_empty() && text.bytes().all(|byte| (0x20..0x7F).contains(&byte))).then_some(text)
    }

    /// The items of a sequence that was read; none where it is absent or malformed.
    pub fn items(&self, tag: u32) -> Vec<Self> {
        let Some(value) = self.value(tag) else { return Vec::new() };
        let items = Reader::items(value, self.encoding).unwrap_or_default();
        let read = |item| Self::below(Reader::new(item, self.encoding), self.encoding, u32::MAX);
        items.into_iter().filter_map(|item| read(item).ok()).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read_in_both_encodings() {
        let identifier = Identifier::default().with(0x0008_0052, b"CS", "STUDY").with(0x0020_000D, b"UI", "2.25.1");
        for syntax in [crate::IMPLICIT_VR, crate::EXPLICIT_VR] {
            let bytes = identifier.to_bytes(syntax).unwrap();
            let read = Identifier::parse(&bytes, syntax).unwrap();
            assert_eq!((read.ascii(0x0008_0052), read.ascii(0x0020_000D)), (Some("STUDY"), Some("2.25.1")));
            assert_eq!(read.ascii(0x0010_0020), None);
            assert!(Identifier::parse(&bytes[..bytes.len() - 1], syntax).is_err());
        }
        assert!(identifier.to_bytes("1.2.840.10008.1.2.2").is_err());
        assert_eq!(format!("{identifier:?}"), "Identifier(2 elements)");
        assert!(is_get(STUDY_ROOT[2]) && is_get(PATIENT_ROOT[2]) && !is_get(STUDY_ROOT[1]));
    }
}
