//! Look-up tables: their descriptor and data (PS3.3 C.11.1.1.1 and C.11.2.1.1), and the modality transform (C.11.1).

use dicom_core::header::VR;
use dicom_dictionary_std::tags;

use super::dataset::{Dataset, Level};
use crate::error::ReadError;

/// A table from values to unsigned values.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Lut {
    /// The value that the first entry is for; values below it get that entry too, values above the last the last.
    first: i64,
    /// Bits of an entry, as the entries themselves need them.
    bits: u32,
    entries: Vec<u16>,
}

impl Lut {
    /// The table of a LUT sequence's first item.
    ///
    /// The descriptor's bits an entry are not believed: CR systems write 16, the size of the storage, for entries of 12 bits, or 12
    /// for entries of 16, and their films would be black or white by the letter. The range is that of the bits which the largest entry
    /// needs, as in other viewers. `signed` says whether the values that go in may be negative, for files that write
    /// the descriptor as unsigned all the same.
    pub(super) fn parse(dataset: &Dataset, level: Level, signed: bool, file: &str) -> Result<Self, ReadError> {
        let missing = |name, tag: &str| ReadError::MissingAttribute {
            file: file.to_owned(),
            name,
            tag: tag.into(),
            hint: "the file's look-up table is incomplete; remove its sequence or export the film again",
        };
        let wrong = |name, tag: &str, value: String, expected| ReadError::Attribute {
            file: file.to_owned(),
            name,
            tag: tag.into(),
            value,
            expected,
        };
        let descriptor =
            dataset.get(level, tags::LUT_DESCRIPTOR).ok_or_else(|| missing("LUTDescriptor", "(0028,3002)"))?;
        let data = dataset.get(level, tags::LUT_DATA).ok_or_else(|| missing("LUTData", "(0028,3006)"))?;
        let numbers: Vec<u16> = dataset.words(descriptor).collect();
        let &[count, first, bits] = &numbers[..] else {
            return Err(wrong("LUTDescriptor", "(0028,3002)", format!("of {} values", numbers.len()), "a triple"));
        };
        // 65,536 entries do not fit the descriptor and are written as 0.
        let count = if count == 0 { 1 << 16 } else { usize::from(count) };
        if !(8..=16).contains(&bits) {
            return Err(wrong("LUTDescriptor", "(0028,3002)", format!("of {bits} bits an entry"), "8 to 16"));
        }
        let first = if signed || descriptor.vr == VR::SS { i64::from(first.cast_signed()) } else { i64::from(first) };
        // Entries of 8 bits may lie two to a word (PS3.3 C.11.1.1.1).
        let entries: Vec<u16> = if data.bytes.len() >= 2 * count {
            dataset.words(data).take(count).collect()
        } else if bits == 8 && data.bytes.len() >= count {
            let swap = usize::from(dataset.big_endian && data.vr == VR::OW);
            (0..count).filter_map(|i| data.bytes.get(i ^ swap)).map(|&b| u16::from(b)).collect()
        } else {
            let value = format!("of {} bytes", data.bytes.len());
            return Err(wrong("LUTData", "(0028,3006)", value, "as many entries as the descriptor says"));
        };
        match entries.iter().max() {
            None | Some(0) => {
                Err(wrong("LUTData", "(0028,3006)", "0 in every entry".into(), "a table with values above 0"))
            }
            Some(&most) => Ok(Self { first, bits: (u16::BITS - most.leading_zeros()).max(8), entries }),
        }
    }

    /// The entry for a value.
    pub(super) fn value(&self, x: i64) -> u16 {
        let last = self.entries.len() as i64 - 1;
        let i = x.saturating_sub(self.first).clamp(0, last.max(0));
        self.entries.get(i as usize).copied().unwrap_or(0)
    }

    /// The largest value of entries of that many bits: full brightness.
    pub(super) fn largest(&self) -> u16 {
        u16::MAX >> (16 - self.bits)
    }
}

/// From stored values to modality values (PS3.3 C.11.1).
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Modality {
    /// Rescale Slope (0028,1053) and Rescale Intercept (0028,1052).
    Rescale { slope: f64, intercept: f64 },
    /// Modality LUT Sequence (0028,3000).
    Lut(Lut),
}

impl Modality {
    /// The modality value of a stored value.
    pub(super) fn apply(&self, stored: i32) -> f64 {
        match self {
            Self::Rescale { slope, intercept } => f64::from(stored) * slope + intercept,
            Self::Lut(lut) => f64::from(lut.value(i64::from(stored))),
        }
    }

    /// Whether the modality values are the stored values.
    pub(super) fn is_identity(&self) -> bool {
        *self == Self::Rescale { slope: 1.0, intercept: 0.0 }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_outside_the_table_get_its_ends() {
        let lut = Lut { first: -2, bits: 13, entries: vec![10, 20, 30, 5000] };
        assert_eq!([-100, -2, -1, 0, 1, 100].map(|x| lut.value(x)), [10, 10, 20, 30, 5000, 5000]);
        assert_eq!(lut.largest(), 8191);
        assert_eq!(Modality::Lut(lut).apply(-1), 20.0);
    }

    #[test]
    fn rescale_is_a_line() {
        let rescale = Modality::Rescale { slope: -2.0, intercept: 5.0 };
        assert_eq!(rescale.apply(3), -1.0);
        assert!(!rescale.is_identity() && Modality::Rescale { slope: 1.0, intercept: 0.0 }.is_identity());
    }
}
