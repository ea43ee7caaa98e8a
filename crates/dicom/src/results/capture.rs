//! The picture of a result: Secondary Capture Image (PS3.3 A.8.1) of an RGB picture that the caller drew.

use coxa_imaging::{MAX_SIDE, RgbImage};
use coxa_schema::NOTICE;
use dicom_core::header::VR;
use dicom_core::value::PrimitiveValue;
use dicom_dictionary_std::tags;

use super::object::{self, ResultKind, ResultObject};
use super::{FilmResult, ResultError, code};
use crate::element::{put, put_empty, put_items};

/// The Secondary Capture of a picture.
pub(super) fn write(result: &FilmResult<'_>, picture: &RgbImage) -> Result<ResultObject, ResultError> {
    check(picture)?;
    let kind = ResultKind::SecondaryCapture;
    let mut object = object::begin(kind, result);
    object::put_moment(&mut object, [tags::CONTENT_DATE, tags::CONTENT_TIME], result);
    object::put_moment(&mut object, [tags::DATE_OF_SECONDARY_CAPTURE, tags::TIME_OF_SECONDARY_CAPTURE], result);
    put(&mut object, tags::CONVERSION_TYPE, VR::CS, "WSD");
    put_empty(&mut object, tags::PATIENT_ORIENTATION, VR::CS);
    object::laterality(&mut object, result);
    object::derived_image(&mut object, result, &["DERIVED", "SECONDARY"]);
    // The picture adds no identity to what is burned into the film; whether the film has any is known only where it states so.
    if let Some(burned_in) = &result.source.burned_in_annotation {
        put(&mut object, tags::BURNED_IN_ANNOTATION, VR::CS, burned_in.as_str());
    }
    let algorithm = result.algorithm;
    let description = format!(
        "Film beside the film with the result drawn on it, by {} {}, network {}; {NOTICE}",
        algorithm.name(),
        algorithm.version(),
        algorithm.network()
    );
    put(&mut object, tags::DERIVATION_DESCRIPTION, VR::ST, description);
    put(&mut object, tags::IMAGE_COMMENTS, VR::LT, NOTICE);
    let mut source = object::film_reference(result);
    put_items(&mut source, tags::PURPOSE_OF_REFERENCE_CODE_SEQUENCE, vec![code::SOURCE_IMAGE.item()]);
    put_items(&mut object, tags::SOURCE_IMAGE_SEQUENCE, vec![source]);
    put(&mut object, tags::SAMPLES_PER_PIXEL, VR::US, 3u16);
    put(&mut object, tags::PHOTOMETRIC_INTERPRETATION, VR::CS, "RGB");
    put(&mut object, tags::PLANAR_CONFIGURATION, VR::US, 0u16);
    // `check` keeps the sides to 16,384.
    put(&mut object, tags::ROWS, VR::US, picture.height as u16);
    put(&mut object, tags::COLUMNS, VR::US, picture.width as u16);
    put(&mut object, tags::BITS_ALLOCATED, VR::US, 8u16);
    put(&mut object, tags::BITS_STORED, VR::US, 8u16);
    put(&mut object, tags::HIGH_BIT, VR::US, 7u16);
    put(&mut object, tags::PIXEL_REPRESENTATION, VR::US, 0u16);
    put(&mut object, tags::PIXEL_DATA, VR::OB, PrimitiveValue::U8(picture.pixels.as_slice().into()));
    object::finish(kind, object, result)
}

fn check(picture: &RgbImage) -> Result<(), ResultError> {
    let sides = 1..=MAX_SIDE;
    if !sides.contains(&picture.width) || !sides.contains(&picture.height) {
        let value = format!("of {}×{} pixels", picture.width, picture.height);
        return Err(ResultError::argument("the picture", value, "a picture of 1 to 16,384 pixels a side"));
    }
    if picture.pixels.len() != 3 * picture.width * picture.height {
        let value = format!("of {} samples", picture.pixels.len());
        return Err(ResultError::argument("the picture", value, "3 * width * height samples"));
    }
    Ok(())
}
