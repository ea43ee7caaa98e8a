//! Writes a Digital X-Ray Image for presentation (PS3.3 A.26) of pixels that belong to no patient: simulated films.
//!
//! The patient's name is always `SIMULATED^FILM`; every UID is `2.25.` and an integer made of the SHA-256 of the caller's seed
//! (PS3.5 B.2), so the same film always gets the same UIDs, and the same bytes.

mod terms;

use std::io;
use std::path::{Path, PathBuf};

use coxa_imaging::{Laterality, MAX_PIXELS, MAX_SIDE, SIMULATED_NAME};
use coxa_schema::Sex;
use dicom_core::dicom_value;
use dicom_core::header::VR;
use dicom_core::value::PrimitiveValue;
use dicom_dictionary_std::{tags, uids};
use dicom_object::{FileMetaTableBuilder, InMemDicomObject};

use crate::element::{decimal, put, put_empty, put_items, snomed};
use crate::uid::{IMPLEMENTATION_CLASS_UID, IMPLEMENTATION_VERSION_NAME};

pub use terms::{AnatomicRegion, Projection};

/// What goes into the file.
#[derive(Debug, Clone)]
pub struct DxOptions<'a> {
    /// Rows of the film.
    pub rows: usize,
    /// Columns of the film.
    pub columns: usize,
    /// Bits of a stored value, 8 to 16; 16 are allocated.
    pub bits_stored: u8,
    /// The lowest stored value is white.
    pub monochrome1: bool,
    /// Stored values, `rows * columns`, row by row, each below `2^bits_stored`.
    pub pixels: &'a [u16],
    /// Window center and width (LINEAR); the full range of stored values where it is `None`.
    pub window: Option<(f64, f64)>,
    /// Millimeters between pixel centers at the detector.
    pub spacing_mm: f32,
    /// The projection.
    pub view_position: Projection,
    /// The side imaged; [`Laterality::Both`] for a pelvis.
    pub laterality: Laterality,
    /// The part of the body.
    pub body_part: AnatomicRegion,
    /// What the study, series and instance UIDs are made of; a text that no other film has.
    pub seed_uid: &'a str,
    /// The day of the study, `YYYYMMDD`: [`NO_DATE`] where there is none.
    pub study_date: &'a str,
    /// Patient ID (0010,0020): a made-up one, up to 64 of `A-Z a-z 0-9 - _ .`.
    pub patient_id: &'a str,
    /// Age in whole years, 0 to 999.
    pub age: Option<u16>,
    /// Sex.
    pub sex: Option<Sex>,
    /// Whether text is burned into the pixels: Burned In Annotation (0028,0301).
    pub burned_in_annotation: bool,
}

/// The study date of a film that was taken on no day.
pub const NO_DATE: &str = "20000101";

/// Why a film could not be written.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DxError {
    /// An option is out of range.
    #[error("cannot write a DX image: {option} is {value}, where {expected} is needed")]
    Option {
        /// The field of [`DxOptions`].
        option: &'static str,
        /// Its value.
        value: String,
        /// What would be right.
        expected: &'static str,
    },
    /// The data set could not be encoded.
    #[error("cannot encode a DX image: {0}")]
    Encode(String),
    /// The file could not be written.
    #[error("{}: {source}", path.display())]
    Io {
        /// Where it was to be.
        path: PathBuf,
        /// The operating system's reason.
        source: io::Error,
    },
}

/// Writes the film as a DICOM file, Explicit VR Little Endian.
///
/// # Errors
/// [`DxError`] where an option is out of range or the file cannot be written.
pub fn write(path: &Path, options: &DxOptions) -> Result<(), DxError> {
    let bytes = to_vec(options)?;
    std::fs::write(path, bytes).map_err(|source| DxError::Io { path: path.to_owned(), source })
}

/// [`write`](fn@write) into memory.
///
/// # Errors
/// [`DxError::Option`] where an option is out of range.
pub fn to_vec(options: &DxOptions) -> Result<Vec<u8>, DxError> {
    check(options)?;
    let mut object = InMemDicomObject::new_empty();
    patient_and_study(&mut object, options);
    series_and_equipment(&mut object, options);
    image(&mut object, options);
    positioning(&mut object, options);
    pixels(&mut object, options);
    let meta = FileMetaTableBuilder::new()
        .media_storage_sop_class_uid(uids::DIGITAL_X_RAY_IMAGE_STORAGE_FOR_PRESENTATION)
        .media_storage_sop_instance_uid(uid(options, "instance"))
        .transfer_syntax(uids::EXPLICIT_VR_LITTLE_ENDIAN)
        .implementation_class_uid(IMPLEMENTATION_CLASS_UID)
        .implementation_version_name(IMPLEMENTATION_VERSION_NAME);
    let encode = |error: &dyn std::fmt::Display| DxError::Encode(error.to_string());
    let file = object.with_meta(meta).map_err(|e| encode(&e))?;
    let mut bytes = Vec::with_capacity(2 * options.pixels.len() + 4096);
    file.write_all(&mut bytes).map_err(|e| encode(&e))?;
    Ok(bytes)
}

fn check(options: &DxOptions) -> Result<(), DxError> {
    let wrong = |option, value: String, expected| Err(DxError::Option { option, value, expected });
    let sides = 1..=MAX_SIDE;
    if !sides.contains(&options.rows)
        || !sides.contains(&options.columns)
        || options.rows * options.columns > MAX_PIXELS
    {
        let value = format!("{}×{}", options.columns, options.rows);
        return wrong("columns×rows", value, "1 to 16,384 a side and 100 million in all");
    }
    if options.pixels.len() != options.rows * options.columns {
        return wrong("pixels", format!("of length {}", options.pixels.len()), "rows * columns");
    }
    if !(8..=16).contains(&options.bits_stored) {
        return wrong("bits_stored", options.bits_stored.to_string(), "8 to 16");
    }
    let largest = u16::MAX >> (16 - options.bits_stored);
    if let Some(&value) = options.pixels.iter().find(|&&v| v > largest) {
        return wrong("a pixel", value.to_string(), "a value below 2^bits_stored");
    }
    if !(options.spacing_mm.is_finite() && options.spacing_mm > 0.0) {
        return wrong("spacing_mm", options.spacing_mm.to_string(), "a length above 0");
    }
    if let Some((center, width)) = options.window
        && !(center.is_finite() && width.is_finite() && width >= 1.0)
    {
        return wrong("window", format!("({center}, {width})"), "a center, and a width of 1 or more");
    }
    if options.age.is_some_and(|age| age > 999) {
        return wrong("age", options.age.unwrap_or_default().to_string(), "0 to 999");
    }
    if options.study_date.len() != 8 || !options.study_date.bytes().all(|b| b.is_ascii_digit()) {
        return wrong("study_date", "something else".into(), "eight digits, YYYYMMDD");
    }
    let is_plain = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.');
    if options.patient_id.is_empty() || options.patient_id.len() > 64 || !options.patient_id.bytes().all(is_plain) {
        return wrong("patient_id", "something else".into(), "1 to 64 of A-Z a-z 0-9 - _ .");
    }
    Ok(())
}

/// A UID made of the seed and what it is for.
fn uid(options: &DxOptions, role: &str) -> String {
    crate::uid::derived(role, options.seed_uid)
}

fn patient_and_study(object: &mut InMemDicomObject, options: &DxOptions) {
    put(object, tags::PATIENT_NAME, VR::PN, SIMULATED_NAME);
    put(object, tags::PATIENT_ID, VR::LO, options.patient_id);
    put_empty(object, tags::PATIENT_BIRTH_DATE, VR::DA);
    match options.sex {
        Some(Sex::Male) => put(object, tags::PATIENT_SEX, VR::CS, "M"),
        Some(Sex::Female) => put(object, tags::PATIENT_SEX, VR::CS, "F"),
        Some(Sex::Other) => put(object, tags::PATIENT_SEX, VR::CS, "O"),
        None => put_empty(object, tags::PATIENT_SEX, VR::CS),
    }
    if let Some(age) = options.age {
        put(object, tags::PATIENT_AGE, VR::AS, format!("{age:03}Y"));
    }
    put(object, tags::STUDY_INSTANCE_UID, VR::UI, uid(options, "study"));
    put(object, tags::STUDY_DATE, VR::DA, options.study_date);
    put(object, tags::STUDY_TIME, VR::TM, "120000");
    put_empty(object, tags::REFERRING_PHYSICIAN_NAME, VR::PN);
    put(object, tags::STUDY_ID, VR::SH, "1");
    put_empty(object, tags::ACCESSION_NUMBER, VR::SH);
    put(object, tags::STUDY_DESCRIPTION, VR::LO, "Simulated film, research use only");
}

fn series_and_equipment(object: &mut InMemDicomObject, options: &DxOptions) {
    put(object, tags::MODALITY, VR::CS, "DX");
    put(object, tags::SERIES_INSTANCE_UID, VR::UI, uid(options, "series"));
    put(object, tags::SERIES_NUMBER, VR::IS, "1");
    put(object, tags::PRESENTATION_INTENT_TYPE, VR::CS, "FOR PRESENTATION");
    put(object, tags::MANUFACTURER, VR::LO, "Coxa");
    put(object, tags::MANUFACTURER_MODEL_NAME, VR::LO, "Coxa film simulator");
    put(object, tags::SOFTWARE_VERSIONS, VR::LO, env!("CARGO_PKG_VERSION"));
    put(object, tags::SOP_CLASS_UID, VR::UI, uids::DIGITAL_X_RAY_IMAGE_STORAGE_FOR_PRESENTATION);
    put(object, tags::SOP_INSTANCE_UID, VR::UI, uid(options, "instance"));
    put(object, tags::SPECIFIC_CHARACTER_SET, VR::CS, "ISO_IR 100");
}

fn image(object: &mut InMemDicomObject, options: &DxOptions) {
    put(object, tags::IMAGE_TYPE, VR::CS, dicom_value!(Strs, ["DERIVED", "PRIMARY"]));
    put(object, tags::INSTANCE_NUMBER, VR::IS, "1");
    put(object, tags::CONTENT_DATE, VR::DA, options.study_date);
    put(object, tags::CONTENT_TIME, VR::TM, "120000");
    put(object, tags::ACQUISITION_DATE, VR::DA, options.study_date);
    put(object, tags::ACQUISITION_TIME, VR::TM, "120000");
    put(object, tags::DERIVATION_DESCRIPTION, VR::ST, "Simulated; not an image of a person");
    put(object, tags::PIXEL_INTENSITY_RELATIONSHIP, VR::CS, "LOG");
    // Higher stored values mean less X-ray intensity where bone is bright, the other way round in MONOCHROME1.
    put(object, tags::PIXEL_INTENSITY_RELATIONSHIP_SIGN, VR::SS, if options.monochrome1 { 1i16 } else { -1i16 });
    put(object, tags::RESCALE_INTERCEPT, VR::DS, "0");
    put(object, tags::RESCALE_SLOPE, VR::DS, "1");
    put(object, tags::RESCALE_TYPE, VR::LO, "US");
    put(object, tags::PRESENTATION_LUT_SHAPE, VR::CS, if options.monochrome1 { "INVERSE" } else { "IDENTITY" });
    put(object, tags::LOSSY_IMAGE_COMPRESSION, VR::CS, "00");
    put(object, tags::BURNED_IN_ANNOTATION, VR::CS, if options.burned_in_annotation { "YES" } else { "NO" });
    let range = f64::from(1u32 << options.bits_stored);
    let (center, width) = options.window.unwrap_or((range / 2.0, range));
    put(object, tags::WINDOW_CENTER, VR::DS, decimal(center));
    put(object, tags::WINDOW_WIDTH, VR::DS, decimal(width));
    put(object, tags::VOILUT_FUNCTION, VR::CS, "LINEAR");
    put(object, tags::DETECTOR_TYPE, VR::CS, "DIRECT");
    let spacing = decimal(f64::from(options.spacing_mm));
    put(object, tags::IMAGER_PIXEL_SPACING, VR::DS, dicom_value!(Strs, [spacing.as_str(), spacing.as_str()]));
    put_items(object, tags::ACQUISITION_CONTEXT_SEQUENCE, Vec::new());
}

fn positioning(object: &mut InMemDicomObject, options: &DxOptions) {
    let laterality = match options.laterality {
        Laterality::Left => "L",
        Laterality::Right => "R",
        Laterality::Both => "B",
        Laterality::Unpaired => "U",
    };
    put(object, tags::IMAGE_LATERALITY, VR::CS, laterality);
    put(object, tags::BODY_PART_EXAMINED, VR::CS, options.body_part.term());
    let (value, meaning) = options.body_part.code();
    put_items(object, tags::ANATOMIC_REGION_SEQUENCE, vec![snomed(value, meaning)]);
    let (position, value, meaning, orientation) = options.view_position.terms();
    put(object, tags::VIEW_POSITION, VR::CS, position);
    put(object, tags::PATIENT_ORIENTATION, VR::CS, dicom_value!(Strs, [orientation[0], orientation[1]]));
    let mut view = snomed(value, meaning);
    put_items(&mut view, tags::VIEW_MODIFIER_CODE_SEQUENCE, Vec::new());
    put_items(object, tags::VIEW_CODE_SEQUENCE, vec![view]);
    put(object, tags::POSITIONER_TYPE, VR::CS, "NONE");
}

fn pixels(object: &mut InMemDicomObject, options: &DxOptions) {
    put(object, tags::SAMPLES_PER_PIXEL, VR::US, 1u16);
    let photometric = if options.monochrome1 { "MONOCHROME1" } else { "MONOCHROME2" };
    put(object, tags::PHOTOMETRIC_INTERPRETATION, VR::CS, photometric);
    // `check` keeps the sides to 16,384.
    put(object, tags::ROWS, VR::US, options.rows as u16);
    put(object, tags::COLUMNS, VR::US, options.columns as u16);
    put(object, tags::BITS_ALLOCATED, VR::US, 16u16);
    put(object, tags::BITS_STORED, VR::US, u16::from(options.bits_stored));
    put(object, tags::HIGH_BIT, VR::US, u16::from(options.bits_stored) - 1);
    put(object, tags::PIXEL_REPRESENTATION, VR::US, 0u16);
    put(object, tags::PIXEL_DATA, VR::OW, PrimitiveValue::U16(options.pixels.into()));
}
