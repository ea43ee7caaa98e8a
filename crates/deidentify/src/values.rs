//! Values that may stay only as what their VR and their attribute demand (PS3.5 6.2): numbers that are numbers, codes of known schemes.

use dicom_core::VR;
use dicom_dictionary_std::{tags, uids};

use crate::dataset::{DataSet, Known, is_text, padded, width};
use crate::dates::{is_offset, shift_date, shift_datetime, time_of_day};
use crate::identifiers::Identifiers;
use crate::words::Words;

/// What stands where a text must not be empty.
pub(crate) const REMOVED: &str = "REMOVED";

/// The VR that an element is written with, from the file's and the dictionary's; `None` where the file's value cannot be the dictionary's.
pub(crate) fn vr_of(stated: VR, entry: Known) -> Option<VR> {
    let is_other = entry.others.contains(&stated);
    if is_other {
        return Some(stated);
    }
    let fits = stated == entry.vr || stated == VR::UN || (is_text(stated) && is_text(entry.vr));
    fits.then_some(entry.vr)
}

/// The fixed value of an attribute that must have one.
pub(crate) fn dummy(vr: VR) -> Option<Vec<u8>> {
    let text = match vr {
        VR::DA => "19000101",
        VR::DT => "19000101000000",
        VR::TM => "000000",
        VR::AS => "000D",
        VR::DS | VR::IS => "0",
        _ if is_text(vr) => REMOVED,
        VR::US | VR::SS | VR::UL | VR::SL | VR::FL | VR::FD => return Some(vec![0; width(vr)]),
        _ => return None,
    };
    Some(padded(vr, text.as_bytes().to_vec()))
}

/// A date, a time of day or an offset, moved by days; empty where it is none.
pub(crate) fn shifted(vr: VR, text: &str, days: i64) -> String {
    let value = match vr {
        VR::DA => shift_date(text, days),
        VR::DT => shift_datetime(text, days),
        VR::TM => time_of_day(text),
        _ => is_offset(text).then(|| text.to_owned()),
    };
    value.unwrap_or_default()
}

/// UIDs that are UIDs.
pub(crate) fn uids(text: &str) -> Option<String> {
    let is_uid = |uid: &str| uid.len() <= 64 && uid.bytes().all(|b| b.is_ascii_digit() || b == b'.');
    text.split('\\').all(is_uid).then(|| text.to_owned())
}

/// Whether a UID is a SOP class that a radiograph is of or refers to. Another could hold a number of the hospital's.
pub(crate) fn is_class(uid: &str) -> bool {
    const CLASSES: [&str; 14] = [
        uids::COMPUTED_RADIOGRAPHY_IMAGE_STORAGE,
        uids::DIGITAL_X_RAY_IMAGE_STORAGE_FOR_PRESENTATION,
        uids::DIGITAL_X_RAY_IMAGE_STORAGE_FOR_PROCESSING,
        uids::SECONDARY_CAPTURE_IMAGE_STORAGE,
        uids::CT_IMAGE_STORAGE,
        uids::MR_IMAGE_STORAGE,
        uids::X_RAY_ANGIOGRAPHIC_IMAGE_STORAGE,
        uids::X_RAY_RADIOFLUOROSCOPIC_IMAGE_STORAGE,
        uids::GRAYSCALE_SOFTCOPY_PRESENTATION_STATE_STORAGE,
        uids::KEY_OBJECT_SELECTION_DOCUMENT_STORAGE,
        uids::X_RAY_RADIATION_DOSE_SR_STORAGE,
        uids::BASIC_TEXT_SR_STORAGE,
        uids::MODALITY_PERFORMED_PROCEDURE_STEP,
        // Detached Study Management (retired), which older devices still refer to.
        "1.2.840.10008.3.1.2.3.1",
    ];
    CLASSES.contains(&uid)
}

/// An age; above 89 years it becomes 90, as so few are so old that the age identifies.
pub(crate) fn age(text: &str) -> Option<String> {
    let (number, unit) = text.split_at_checked(3)?;
    let is_age = number.bytes().all(|b| b.is_ascii_digit()) && matches!(unit, "D" | "W" | "M" | "Y");
    is_age.then(|| if unit == "Y" && number > "089" { "090Y".to_owned() } else { text.to_owned() })
}

/// Defined terms: those whose words are in the list. Others leave their place empty.
pub(crate) fn codes(text: &str, words: &Words, most: usize) -> Option<String> {
    let is_code = |value: &str| {
        value.len() <= 16
            && value.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_' || b == b' ')
            && value.split([' ', '_']).filter(|word| !word.is_empty()).all(|word| is_term(word, words))
    };
    let kept = |value: &str| if is_code(value.trim()) { value.trim().to_owned() } else { String::new() };
    let values: Vec<String> = text.split('\\').take(most).map(kept).collect();
    let joined = values.join("\\").trim_end_matches('\\').to_owned();
    (!joined.is_empty()).then_some(joined)
}

fn is_term(word: &str, words: &Words) -> bool {
    words.has(word) || (word.len() <= 2 && word.bytes().all(|b| b.is_ascii_digit()))
}

/// Decimal or integer strings that are numbers, and neither a number of the header nor as long as one.
pub(crate) fn decimals(vr: VR, text: &str, most: usize, identifiers: &Identifiers) -> Option<String> {
    let is_number = |value: &str| {
        let digits = value.trim_start_matches(['+', '-']).bytes().take_while(u8::is_ascii_digit).count();
        let is_value = match vr {
            VR::IS => value.parse::<i32>().is_ok(),
            _ => value.bytes().all(|b| b.is_ascii_digit() || b"+-.eE".contains(&b)) && value.parse::<f64>().is_ok(),
        };
        is_value && value.len() <= 16 && digits <= 7 && !identifiers.has_value(value)
    };
    let values: Vec<&str> = text.split('\\').map(str::trim).collect();
    let is_fine = values.len() <= most && values.iter().all(|value| is_number(value));
    is_fine.then(|| values.join("\\"))
}

/// Binary numbers, no more than an attribute may have.
pub(crate) fn numbers(vr: VR, bytes: &[u8], most: usize) -> Option<Vec<u8>> {
    let width = width(vr);
    let is_fine = width > 1 && bytes.len().is_multiple_of(width) && bytes.len() / width <= most;
    is_fine.then(|| bytes.to_vec())
}

/// The first bytes, as many as there must be.
pub(crate) fn cut(bytes: &[u8], length: usize) -> Option<Vec<u8>> {
    bytes.get(..length).map(|bytes| padded(VR::OW, bytes.to_vec()))
}

/// The bytes of LUT Data by the descriptor of its data set (PS3.3 C.11.1.1.1): entries of one or two bytes each. `None` where there is no
/// table, or no such table.
pub(crate) fn lut_bytes(data: &DataSet) -> Option<usize> {
    let descriptor = data.bytes(tags::LUT_DESCRIPTOR)?;
    let number = |at: usize| Some(usize::from(u16::from_le_bytes([*descriptor.get(at)?, *descriptor.get(at + 1)?])));
    let entries = if number(0)? == 0 { 65536 } else { number(0)? };
    let stated = data.bytes(tags::LUT_DATA)?.len();
    if !(8..=16).contains(&number(4)?) {
        return None;
    }
    // Entries of 8 bits stand in one byte or, more often, in two.
    let length = if number(4)? <= 8 && stated < 2 * entries { entries } else { 2 * entries };
    Some(length)
}

/// A scheme whose codes mean the same everywhere.
pub(crate) fn scheme(text: &str) -> Option<String> {
    ["SCT", "SRT", "SNM3", "DCM", "LN"].contains(&text).then(|| text.to_owned())
}

/// A code that has the form of its scheme's: a number in the place of a code would be a place for identities.
pub(crate) fn code(text: &str, scheme: &str) -> Option<String> {
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    let is_code = match scheme {
        "SCT" => digits(text) && (6..=18).contains(&text.len()) && is_verhoeff(text),
        "DCM" => digits(text) && text.len() == 6 && text.starts_with('1'),
        "SRT" | "SNM3" => {
            text.len() == 7
                && text.as_bytes()[1] == b'-'
                && text.starts_with(|c: char| "CDFGJLMPRSTAX".contains(c))
                && text[2..].bytes().all(|b| b.is_ascii_digit() || (b'A'..=b'F').contains(&b))
        }
        "LN" => text
            .split_once('-')
            .is_some_and(|(n, check)| digits(n) && n.len() <= 5 && digits(check) && check.len() == 1),
        _ => false,
    };
    is_code.then(|| text.to_owned())
}

/// Verhoeff's check digit, which SNOMED CT's identifiers end in (SNOMED CT Release File Specification, 5.5).
fn is_verhoeff(digits: &str) -> bool {
    // The dihedral group of order ten: rotations 0 to 4, reflections 5 to 9.
    let multiply = |a: u8, b: u8| match (a < 5, b < 5) {
        (true, true) => (a + b) % 5,
        (true, false) => 5 + (a + b - 5) % 5,
        (false, true) => 5 + (a - 5 + 5 - b) % 5,
        (false, false) => (a + 5 - b) % 5,
    };
    const PERMUTATION: [u8; 10] = [1, 5, 7, 6, 2, 8, 3, 0, 9, 4];
    let permuted = |digit: u8, times: usize| (0..times % 8).fold(digit, |d, _| PERMUTATION[usize::from(d)]);
    digits.bytes().rev().enumerate().fold(0, |check, (n, b)| multiply(check, permuted(b - b'0', n))) == 0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_have_the_form_of_their_scheme() {
        for (good, scheme) in [
            ("816092008", "SCT"),
            ("29836001", "SCT"),
            ("399348003", "SCT"),
            ("272479007", "SCT"),
            ("113100", "DCM"),
            ("T-15770", "SRT"),
            ("36554-4", "LN"),
        ] {
            assert!(code(good, scheme).is_some(), "{good}");
        }
        for (bad, scheme) in [
            ("816092009", "SCT"),
            ("12345678", "SCT"),
            ("DOE", "SCT"),
            ("T-DOEJJ", "SRT"),
            ("113100", "99LOCAL"),
            ("813100", "DCM"),
            ("é-15770", "SRT"),
        ] {
            assert!(code(bad, scheme).is_none(), "{bad}");
        }
        assert!(scheme("SCT").is_some() && scheme("99SDM").is_none());
    }

    #[test]
    fn numbers_are_numbers() {
        let identifiers = Identifiers::of_names(&["55512"]);
        for (text, vr, kept) in [
            ("0.143\\0.143", VR::DS, true),
            ("1e-3", VR::DS, true),
            ("DOE", VR::DS, false),
            ("inf", VR::DS, false),
            ("19450312", VR::DS, false),
            ("55512", VR::IS, false),
            ("1.5", VR::IS, false),
            ("1\\2\\3", VR::IS, false),
        ] {
            assert_eq!(decimals(vr, text, 2, &identifiers).is_some(), kept, "{text}");
        }
        assert_eq!(numbers(VR::US, b"DOE^JOHN", 1), None);
        assert_eq!(numbers(VR::US, &[1, 0], 1), Some(vec![1, 0]));
    }

    #[test]
    fn ages_and_terms() {
        assert_eq!(age("072Y").as_deref(), Some("072Y"));
        assert_eq!(age("101Y").as_deref(), Some("090Y"));
        assert_eq!(age("101M").as_deref(), Some("101M"));
        assert_eq!(age("DOEY"), None);
        let words = Words::default();
        assert_eq!(codes("ORIGINAL\\PRIMARY\\DOE", &words, 8).as_deref(), Some("ORIGINAL\\PRIMARY"));
        assert_eq!(codes("ORIGINAL\\DOE\\AP", &words, 8).as_deref(), Some("ORIGINAL\\\\AP"));
        assert_eq!(codes("ISO_10918_1", &words, 1).as_deref(), Some("ISO_10918_1"));
        assert_eq!(codes("DOE", &words, 8), None);
    }
}
