//! Elements of a data set in the making.

use dicom_core::DataElement;
use dicom_core::header::{Tag, VR};
use dicom_core::value::{DataSetSequence, PrimitiveValue};
use dicom_dictionary_std::tags;
use dicom_object::InMemDicomObject;

/// Puts an element with a value.
pub(crate) fn put(object: &mut InMemDicomObject, tag: Tag, vr: VR, value: impl Into<PrimitiveValue>) {
    object.put(DataElement::new(tag, vr, value.into()));
}

/// A value of several texts.
pub(crate) fn texts<T: AsRef<str>>(values: &[T]) -> PrimitiveValue {
    PrimitiveValue::Strs(values.iter().map(|value| value.as_ref().to_owned()).collect())
}

/// Puts an element without a value (type 2).
pub(crate) fn put_empty(object: &mut InMemDicomObject, tag: Tag, vr: VR) {
    object.put(DataElement::new(tag, vr, PrimitiveValue::Empty));
}

/// Puts a sequence of items, or of none.
pub(crate) fn put_items(object: &mut InMemDicomObject, tag: Tag, items: Vec<InMemDicomObject>) {
    object.put(DataElement::new(tag, VR::SQ, DataSetSequence::from(items)));
}

/// A code of SNOMED CT.
pub(crate) fn snomed(value: &str, meaning: &str) -> InMemDicomObject {
    let mut item = InMemDicomObject::new_empty();
    put(&mut item, tags::CODE_VALUE, VR::SH, value);
    put(&mut item, tags::CODING_SCHEME_DESIGNATOR, VR::SH, "SCT");
    put(&mut item, tags::CODE_MEANING, VR::LO, meaning);
    item
}

/// A number as a decimal string: at most 16 characters (PS3.5 6.2).
pub(crate) fn decimal(value: f64) -> String {
    if value != 0.0 && value.abs() < 1e-3 {
        return format!("{value:.7e}");
    }
    let text = format!("{value:.6}");
    let text = text.trim_end_matches('0').trim_end_matches('.').to_owned();
    if text.len() <= 16 { text } else { format!("{value:.7e}") }
}

#[cfg(test)]
mod tests {
    use super::decimal;

    #[test]
    fn a_decimal_string_has_at_most_16_characters_and_small_numbers_keep_their_digits() {
        for (value, text) in [
            (0.0, "0"),
            (0.143, "0.143"),
            (-2048.0, "-2048"),
            (0.000_012_345_678, "1.2345678e-5"),
            (-1.0 / 3.0, "-0.333333"),
            (1e12 / 3.0, "3.3333333e11"),
        ] {
            assert_eq!(decimal(value), text);
            assert!(text.len() <= 16);
        }
    }
}
