//! The attributes of a film, read once and checked: what follows cannot meet an impossible value.

use std::ops::RangeInclusive;

use dicom_core::header::{Tag, VR};
use dicom_dictionary_std::tags;

use super::dataset::{Dataset, Level};
use super::lut::{Lut, Modality};
use super::shutter::Shutter;
use super::voi::{Function, Voi, Window};
use crate::error::ReadError;
use crate::exam::{Exam, Field, Text};
use crate::radiograph::{Facing, Laterality};

/// Photometric Interpretation (0028,0004).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Interpretation {
    Monochrome1,
    Monochrome2,
    Rgb,
    /// YBR_FULL: the first sample is the luma.
    YbrFull,
    /// YBR_FULL_422: only inside JPEG.
    YbrFull422,
    /// YBR_RCT or YBR_ICT: inside JPEG 2000, whose decoder gives RGB.
    YbrTransform,
}

/// Windows that are offered of those of a file.
const MOST_WINDOWS: usize = 8;

/// The checked attributes.
#[derive(Debug)]
pub(super) struct Header {
    pub(super) rows: usize,
    pub(super) columns: usize,
    pub(super) samples: usize,
    pub(super) photometric: Interpretation,
    pub(super) planar: bool,
    pub(super) bits_allocated: u8,
    pub(super) bits_stored: u8,
    /// Bits of a bit pattern: Bits Stored, or the more that a compressed stream has.
    pub(super) code_bits: u8,
    pub(super) high_bit: u8,
    pub(super) signed: bool,
    /// Stored values that are padding.
    pub(super) padding: Option<RangeInclusive<i32>>,
    pub(super) modality: Modality,
    pub(super) voi: Option<Voi>,
    /// The windows that can be chosen beside it, each with its place in the file: none where the only one is the VOI.
    pub(super) windows: Vec<(usize, Window)>,
    /// High values are dark.
    pub(super) inverted: bool,
    pub(super) spacing_mm: Option<[f32; 2]>,
    pub(super) exam: Exam,
    /// What lies outside it is no film.
    pub(super) shutter: Option<Shutter>,
    /// Height of a pixel over its width.
    pub(super) pixel_aspect: f64,
    pub(super) laterality: Option<Laterality>,
    pub(super) facing: Facing,
}

/// A text as an error may show it: a defined term, or nothing of it.
pub(super) fn term(text: &str) -> String {
    let is_term = text.len() <= 16
        && text.bytes().all(|b| b.is_ascii_uppercase() || b.is_ascii_digit() || b == b'_' || b == b' ');
    if is_term { text.to_owned() } else { "not a defined term".to_owned() }
}

/// A tag as errors show it.
fn shown(tag: Tag) -> String {
    format!("({:04X},{:04X})", tag.group(), tag.element())
}

/// Looks attributes up and says what is wrong with them.
pub(super) struct Fields<'d, 'a> {
    pub(super) dataset: &'d Dataset<'a>,
    pub(super) file: &'d str,
}

impl Fields<'_, '_> {
    fn required(&self, tag: Tag, name: &'static str) -> Result<u16, ReadError> {
        self.dataset.unsigned(tag).ok_or_else(|| ReadError::MissingAttribute {
            file: self.file.to_owned(),
            name,
            tag: shown(tag),
            hint: "an image cannot be read without it; export the film again",
        })
    }

    pub(super) fn wrong(
        &self,
        tag: Tag,
        name: &'static str,
        value: impl ToString,
        expected: &'static str,
    ) -> ReadError {
        ReadError::Attribute { file: self.file.to_owned(), name, tag: shown(tag), value: value.to_string(), expected }
    }

    /// First value of a decimal string, where there is one.
    fn number(&self, tag: Tag, name: &'static str) -> Result<Option<f64>, ReadError> {
        let Some(text) = self.dataset.text(tag) else {
            return Ok(None);
        };
        match text.parse::<f64>() {
            Ok(number) if number.is_finite() => Ok(Some(number)),
            _ => Err(self.wrong(tag, name, "not a number", "a decimal number")),
        }
    }
}

impl Header {
    /// Reads and checks the attributes.
    pub(super) fn parse(dataset: &Dataset, file: &str) -> Result<Self, ReadError> {
        let fields = Fields { dataset, file };
        let rows = usize::from(fields.required(tags::ROWS, "Rows")?);
        let columns = usize::from(fields.required(tags::COLUMNS, "Columns")?);
        let (samples, photometric) = interpretation(&fields)?;
        let (bits_allocated, bits_stored, high_bit) = bits(&fields)?;
        if samples == 3 && (bits_allocated, bits_stored) != (8, 8) {
            return Err(ReadError::Unsupported {
                file: file.to_owned(),
                what: format!("color of {bits_stored} bits a sample (BitsStored (0028,0101))"),
                hint: "export the film as MONOCHROME2, or as color of 8 bits a sample",
            });
        }
        let signed = match dataset.unsigned(tags::PIXEL_REPRESENTATION) {
            None | Some(0) => false,
            Some(1) => true,
            Some(other) => {
                return Err(fields.wrong(tags::PIXEL_REPRESENTATION, "PixelRepresentation", other, "0 or 1"));
            }
        };
        let modality = modality(&fields, signed)?;
        let voi = voi(&fields, signed, &modality)?;
        let shape = dataset.text(tags::PRESENTATION_LUT_SHAPE);
        let pixel_aspect = pixel_aspect(&fields)?;
        Ok(Self {
            rows,
            columns,
            samples,
            photometric,
            planar: dataset.unsigned(tags::PLANAR_CONFIGURATION) == Some(1),
            bits_allocated,
            bits_stored,
            code_bits: bits_stored,
            high_bit,
            signed,
            padding: padding(dataset, signed),
            modality,
            windows: windows(&fields, voi.as_ref()),
            voi,
            // MONOCHROME1 goes with INVERSE (PS3.3 C.8.11.3.1.2): the two say the same, once.
            inverted: photometric == Interpretation::Monochrome1 || shape.as_deref() == Some("INVERSE"),
            spacing_mm: spacing(dataset),
            exam: exam(dataset),
            shutter: Shutter::parse(&fields, pixel_aspect)?,
            pixel_aspect,
            laterality: laterality(dataset),
            facing: facing(dataset),
        })
    }

    /// The stored value of a bit pattern.
    pub(super) fn stored_value(&self, code: u32) -> i32 {
        if self.signed { sign_extended(code, self.code_bits) } else { code as i32 }
    }

    /// Without a VOI: the stored values are what is shown.
    pub(super) fn is_display_already(&self) -> bool {
        self.bits_stored <= 8 && !self.signed && self.modality.is_identity()
    }

    /// Whether native 8-bit samples lie in 16-bit words of the data set's byte order.
    pub(super) fn is_byte_in_word(&self, vr: VR) -> bool {
        self.bits_allocated == 8 && vr == VR::OW
    }
}

fn sign_extended(code: u32, bits: u8) -> i32 {
    let shift = 32 - u32::from(bits);
    (code << shift).cast_signed() >> shift
}

fn interpretation(fields: &Fields) -> Result<(usize, Interpretation), ReadError> {
    let samples = fields.dataset.unsigned(tags::SAMPLES_PER_PIXEL);
    let text = fields.dataset.text(tags::PHOTOMETRIC_INTERPRETATION).ok_or_else(|| ReadError::MissingAttribute {
        file: fields.file.to_owned(),
        name: "PhotometricInterpretation",
        tag: "(0028,0004)".into(),
        hint: "without it black and white are not defined; export the film again",
    })?;
    let photometric = match text.as_str() {
        "MONOCHROME1" => Interpretation::Monochrome1,
        "MONOCHROME2" => Interpretation::Monochrome2,
        "RGB" => Interpretation::Rgb,
        "YBR_FULL" => Interpretation::YbrFull,
        "YBR_FULL_422" => Interpretation::YbrFull422,
        "YBR_RCT" | "YBR_ICT" => Interpretation::YbrTransform,
        other => {
            return Err(ReadError::Unsupported {
                file: fields.file.to_owned(),
                what: format!("PhotometricInterpretation (0028,0004) {}", term(other)),
                hint: "export the film as MONOCHROME1 or MONOCHROME2",
            });
        }
    };
    let expected = match photometric {
        Interpretation::Monochrome1 | Interpretation::Monochrome2 => 1,
        _ => 3,
    };
    match samples {
        Some(samples) if samples != expected => {
            let words = if expected == 1 {
                "1 for this photometric interpretation"
            } else {
                "3 for this photometric interpretation"
            };
            Err(fields.wrong(tags::SAMPLES_PER_PIXEL, "SamplesPerPixel", samples, words))
        }
        _ => Ok((usize::from(expected), photometric)),
    }
}

fn bits(fields: &Fields) -> Result<(u8, u8, u8), ReadError> {
    let allocated = fields.required(tags::BITS_ALLOCATED, "BitsAllocated")?;
    if allocated != 8 && allocated != 16 {
        return Err(ReadError::Unsupported {
            file: fields.file.to_owned(),
            what: format!("BitsAllocated (0028,0100) of {allocated}"),
            hint: "export the film with 8 or 16 bits allocated",
        });
    }
    let stored = fields.dataset.unsigned(tags::BITS_STORED).unwrap_or(allocated);
    if !(2..=allocated).contains(&stored) {
        return Err(fields.wrong(tags::BITS_STORED, "BitsStored", stored, "2 up to BitsAllocated"));
    }
    let high = fields.dataset.unsigned(tags::HIGH_BIT).unwrap_or(stored - 1);
    if !(stored - 1..allocated).contains(&high) {
        return Err(fields.wrong(tags::HIGH_BIT, "HighBit", high, "from BitsStored - 1 to BitsAllocated - 1"));
    }
    // All three are at most 16.
    Ok((allocated as u8, stored as u8, high as u8))
}

fn padding(dataset: &Dataset, signed: bool) -> Option<RangeInclusive<i32>> {
    let value = |tag| {
        let word = dataset.unsigned(tag)?;
        Some(if signed { i32::from(word.cast_signed()) } else { i32::from(word) })
    };
    let first = value(tags::PIXEL_PADDING_VALUE)?;
    let last = value(tags::PIXEL_PADDING_RANGE_LIMIT).unwrap_or(first);
    Some(first.min(last)..=first.max(last))
}

fn modality(fields: &Fields, signed: bool) -> Result<Modality, ReadError> {
    if fields.dataset.has(Level::ModalityLut) {
        return Lut::parse(fields.dataset, Level::ModalityLut, signed, fields.file).map(Modality::Lut);
    }
    let slope = fields.number(tags::RESCALE_SLOPE, "RescaleSlope")?.unwrap_or(1.0);
    let intercept = fields.number(tags::RESCALE_INTERCEPT, "RescaleIntercept")?.unwrap_or(0.0);
    if slope == 0.0 {
        return Err(fields.wrong(tags::RESCALE_SLOPE, "RescaleSlope", 0, "a number other than 0"));
    }
    Ok(Modality::Rescale { slope, intercept })
}

/// VOI LUT Sequence before window, as pydicom's `apply_voi_lut`; the first of several each. A file may have neither.
fn voi(fields: &Fields, signed: bool, modality: &Modality) -> Result<Option<Voi>, ReadError> {
    if fields.dataset.has(Level::VoiLut) {
        // What goes in is the modality value: after a modality LUT never negative, after a rescale perhaps.
        let may_be_negative = match modality {
            Modality::Lut(_) => false,
            Modality::Rescale { slope, intercept } => signed || *intercept < 0.0 || *slope < 0.0,
        };
        return Lut::parse(fields.dataset, Level::VoiLut, may_be_negative, fields.file).map(|lut| Some(Voi::Lut(lut)));
    }
    let center = fields.number(tags::WINDOW_CENTER, "WindowCenter")?;
    let width = fields.number(tags::WINDOW_WIDTH, "WindowWidth")?;
    let (Some(center), Some(width)) = (center, width) else {
        return Ok(None);
    };
    let function = function(fields)?;
    let window = Window { center, width, function };
    if !window.is_defined() {
        return Err(fields.wrong(
            tags::WINDOW_WIDTH,
            "WindowWidth",
            width,
            "1 or more (above 0 for LINEAR_EXACT and SIGMOID)",
        ));
    }
    Ok(Some(Voi::Window(window)))
}

/// VOI LUT Function, LINEAR where there is none.
fn function(fields: &Fields) -> Result<Function, ReadError> {
    match fields.dataset.text(tags::VOILUT_FUNCTION).as_deref() {
        None | Some("LINEAR") => Ok(Function::Linear),
        Some("LINEAR_EXACT") => Ok(Function::LinearExact),
        Some("SIGMOID") => Ok(Function::Sigmoid),
        Some(other) => {
            Err(fields.wrong(tags::VOILUT_FUNCTION, "VOILUTFunction", term(other), "LINEAR, LINEAR_EXACT or SIGMOID"))
        }
    }
}

/// The windows beside the VOI that a person may choose: all that have a meaning, and none where the only one is the VOI itself.
fn windows(fields: &Fields, voi: Option<&Voi>) -> Vec<(usize, Window)> {
    let numbers = |tag| fields.dataset.texts(tag).into_iter().map(|text| text.parse::<f64>().unwrap_or(f64::NAN));
    let (Some(voi), Ok(function)) = (voi, function(fields)) else { return Vec::new() };
    let all = numbers(tags::WINDOW_CENTER).zip(numbers(tags::WINDOW_WIDTH)).enumerate();
    let windows = all.map(|(place, (center, width))| (place, Window { center, width, function }));
    let defined: Vec<_> = windows.filter(|(_, window)| window.is_defined()).take(MOST_WINDOWS).collect();
    if matches!(voi, Voi::Window(_)) && defined.len() < 2 { Vec::new() } else { defined }
}

/// Pixel Spacing, else that at the detector, else that of the film scanner; `None` where it is not two positive numbers.
fn spacing(dataset: &Dataset) -> Option<[f32; 2]> {
    [tags::PIXEL_SPACING, tags::IMAGER_PIXEL_SPACING, tags::NOMINAL_SCANNED_PIXEL_SPACING].into_iter().find_map(|tag| {
        let texts = dataset.texts(tag);
        let [row, column] = &texts[..] else {
            return None;
        };
        let (row, column) = (row.parse::<f32>().ok()?, column.parse::<f32>().ok()?);
        let is_length = |v: f32| v.is_finite() && v > 0.0;
        (is_length(row) && is_length(column)).then_some([row, column])
    })
}

/// Ratios of a pixel's sides that are taken for measuring errors of square pixels.
const SQUARE: RangeInclusive<f64> = 0.99..=1.01;
/// Ratios of a pixel's sides that a film can have.
const PLAUSIBLE: RangeInclusive<f64> = 0.25..=4.0;

/// Height of a pixel over its width, by the spacing, else by Pixel Aspect Ratio (PS3.3 C.7.6.3.1.7).
fn pixel_aspect(fields: &Fields) -> Result<f64, ReadError> {
    let ratio = match spacing(fields.dataset) {
        Some([row, column]) => f64::from(row) / f64::from(column),
        None => match &fields.dataset.texts(tags::PIXEL_ASPECT_RATIO)[..] {
            [high, wide] => {
                let number = |text: &str| text.parse::<f64>().ok().filter(|side| side.is_finite() && *side > 0.0);
                number(high).zip(number(wide)).map_or(1.0, |(high, wide)| high / wide)
            }
            _ => 1.0,
        },
    };
    if !PLAUSIBLE.contains(&ratio) {
        return Err(ReadError::Unsupported {
            file: fields.file.to_owned(),
            what: format!(
                "a pixel {ratio:.2} times as high as wide (PixelSpacing (0028,0030) or PixelAspectRatio (0028,0034))"
            ),
            hint: "correct the attribute, or export the film with square pixels",
        });
    }
    Ok(if SQUARE.contains(&ratio) { 1.0 } else { ratio })
}

/// The words of the attributes that name body part and view.
fn exam(dataset: &Dataset) -> Exam {
    Exam::of(|field| {
        let tag = match field {
            Field::BodyPartExamined => tags::BODY_PART_EXAMINED,
            Field::ViewPosition => tags::VIEW_POSITION,
            Field::SeriesDescription => tags::SERIES_DESCRIPTION,
            Field::ProtocolName => tags::PROTOCOL_NAME,
            Field::StudyDescription => tags::STUDY_DESCRIPTION,
        };
        dataset.get(Level::Top, tag).map(|element| Text::new(element.bytes))
    })
}

/// The first value of Patient Orientation is the direction in which columns count (PS3.3 C.7.6.1.1.1).
fn facing(dataset: &Dataset) -> Facing {
    match dataset.texts(tags::PATIENT_ORIENTATION).first().map(String::as_str) {
        None | Some("") => Facing::Usual,
        Some(row) if row.starts_with('L') => Facing::Usual,
        Some(row) if row.starts_with('R') => Facing::Mirrored,
        Some(_) => Facing::Turned,
    }
}

fn laterality(dataset: &Dataset) -> Option<Laterality> {
    let text = dataset.text(tags::IMAGE_LATERALITY).or_else(|| dataset.text(tags::LATERALITY))?;
    match text.as_str() {
        "L" => Some(Laterality::Left),
        "R" => Some(Laterality::Right),
        "B" => Some(Laterality::Both),
        "U" => Some(Laterality::Unpaired),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn signs_extend_from_the_stored_bits() {
        assert_eq!([0x000, 0x7FF, 0x800, 0xFFF].map(|c| sign_extended(c, 12)), [0, 2047, -2048, -1]);
        assert_eq!(sign_extended(0xFFFF, 16), -1);
    }

    #[test]
    fn only_terms_are_shown() {
        assert_eq!(term("PALETTE COLOR"), "PALETTE COLOR");
        assert_eq!(term("Doe^Jane"), "not a defined term");
        assert_eq!(shown(tags::ROWS), "(0028,0010)");
    }
}
