//! A simulated film as the bytes of a DICOM file or a PNG.

use coxa_dicom::dx::{self, AnatomicRegion, DxOptions};
use coxa_imaging::{Laterality, encode};
use coxa_schema::{BodyPart, Sex, Side};

use super::spec::FilmFormat;
use crate::error::SimulateError;
use crate::film::truth::{SimulatedFilm, display8};

/// The extension of a format.
pub(super) fn extension(format: FilmFormat) -> &'static str {
    match format {
        FilmFormat::Dicom => "dcm",
        FilmFormat::Png => "png",
    }
}

/// The bytes of a film's file. A DICOM file has the patient's id, UIDs made of `seed_uid` and the study's date `YYYYMMDD`.
pub(super) fn encoded(
    film: &SimulatedFilm,
    format: FilmFormat,
    patient: &str,
    seed_uid: &str,
    study_date: &str,
) -> Result<Vec<u8>, SimulateError> {
    if format == FilmFormat::Png {
        return Ok(encode::png_gray8_to_vec(film.width, film.height, &display8(film))?);
    }
    let both = film.body_part == BodyPart::Pelvis;
    let laterality = match side_of(film) {
        _ if both => Laterality::Both,
        Side::Left => Laterality::Left,
        Side::Right => Laterality::Right,
    };
    let view_position = match (is_lateral(film), laterality) {
        (false, _) if film.body_part == BodyPart::Wrist => dx::Projection::PosteroAnterior,
        (false, _) => dx::Projection::AnteroPosterior,
        (true, Laterality::Right) => dx::Projection::RightLateral,
        (true, _) => dx::Projection::LeftLateral,
    };
    Ok(dx::to_vec(&DxOptions {
        rows: film.height,
        columns: film.width,
        bits_stored: film.bits_stored,
        monochrome1: film.monochrome1,
        pixels: &film.pixels,
        window: None,
        spacing_mm: film.spacing_mm,
        view_position,
        laterality,
        body_part: AnatomicRegion::from_name(film.body_part.as_str()).unwrap_or(AnatomicRegion::Pelvis),
        seed_uid,
        study_date,
        patient_id: patient,
        age: Some(film.truth.age.clamp(0.0, 120.0) as u16),
        sex: Some(film.truth.sex).filter(|sex| *sex != Sex::Other),
        burned_in_annotation: film.truth.burned_in_text,
    })?)
}

/// A covariate of a film by name.
fn covariate(film: &SimulatedFilm, name: &str) -> Option<f32> {
    film.truth.covariates.iter().find(|(n, _)| *n == name).map(|(_, value)| *value)
}

/// The side imaged, or in question.
pub(super) fn side_of(film: &SimulatedFilm) -> Side {
    if covariate(film, "left").is_some_and(|left| left > 0.5) { Side::Left } else { Side::Right }
}

fn is_lateral(film: &SimulatedFilm) -> bool {
    covariate(film, "lateral").is_some_and(|lateral| lateral > 0.5)
}
