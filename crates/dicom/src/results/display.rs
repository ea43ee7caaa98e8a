//! How a film comes to the screen. A presentation state replaces all of it (PS3.4 N.2), so it repeats what the film states: Modality
//! LUT, the first VOI window or LUT, polarity and shutter.

use dicom_core::Tag;
use dicom_core::header::VR;
use dicom_dictionary_std::tags;
use dicom_object::InMemDicomObject;

use super::source::{copied, text};
use crate::element::{put, put_items};

/// Display Shutter (PS3.3 C.7.6.11).
const SHUTTER: [Tag; 8] = [
    tags::SHUTTER_SHAPE,
    tags::SHUTTER_LEFT_VERTICAL_EDGE,
    tags::SHUTTER_RIGHT_VERTICAL_EDGE,
    tags::SHUTTER_UPPER_HORIZONTAL_EDGE,
    tags::SHUTTER_LOWER_HORIZONTAL_EDGE,
    tags::CENTER_OF_CIRCULAR_SHUTTER,
    tags::RADIUS_OF_CIRCULAR_SHUTTER,
    tags::VERTICES_OF_THE_POLYGONAL_SHUTTER,
];

/// The way of a film's stored values to the screen.
#[derive(Clone)]
pub(super) struct Display {
    pub(super) is_grayscale: bool,
    is_inverse: bool,
    modality_lut: InMemDicomObject,
    voi: Option<InMemDicomObject>,
    shutter: InMemDicomObject,
}

impl Display {
    pub(super) fn of(film: &InMemDicomObject) -> Self {
        let photometric = text(film, tags::PHOTOMETRIC_INTERPRETATION).unwrap_or_default();
        Self {
            is_grayscale: photometric.starts_with("MONOCHROME"),
            is_inverse: photometric == "MONOCHROME1",
            modality_lut: modality_lut(film),
            voi: window(film).or_else(|| lut(film)),
            shutter: shutter(film),
        }
    }

    /// Puts the modules of a presentation state.
    pub(super) fn put(&self, object: &mut InMemDicomObject) {
        for element in self.modality_lut.iter().chain(&self.shutter) {
            object.put(element.clone());
        }
        if let Some(voi) = &self.voi {
            put_items(object, tags::SOFTCOPY_VOILUT_SEQUENCE, vec![voi.clone()]);
        }
        let shape = if self.is_inverse { "INVERSE" } else { "IDENTITY" };
        put(object, tags::PRESENTATION_LUT_SHAPE, VR::CS, shape);
    }
}

/// A LUT, or slope and intercept with their type, which films of older classes leave out.
fn modality_lut(film: &InMemDicomObject) -> InMemDicomObject {
    let lut = copied(film, &[tags::MODALITY_LUT_SEQUENCE]);
    if lut.iter().next().is_some() {
        return lut;
    }
    let mut rescale = InMemDicomObject::new_empty();
    if let (Some(intercept), Some(slope)) = (text(film, tags::RESCALE_INTERCEPT), text(film, tags::RESCALE_SLOPE)) {
        put(&mut rescale, tags::RESCALE_INTERCEPT, VR::DS, intercept);
        put(&mut rescale, tags::RESCALE_SLOPE, VR::DS, slope);
        let unspecified = || "US".to_owned();
        put(&mut rescale, tags::RESCALE_TYPE, VR::LO, text(film, tags::RESCALE_TYPE).unwrap_or_else(unspecified));
    }
    rescale
}

/// The first window: a presentation state has one for each image (PS3.3 C.11.8).
fn window(film: &InMemDicomObject) -> Option<InMemDicomObject> {
    let mut item = InMemDicomObject::new_empty();
    put(&mut item, tags::WINDOW_CENTER, VR::DS, text(film, tags::WINDOW_CENTER)?);
    put(&mut item, tags::WINDOW_WIDTH, VR::DS, text(film, tags::WINDOW_WIDTH)?);
    for (tag, vr) in [(tags::WINDOW_CENTER_WIDTH_EXPLANATION, VR::LO), (tags::VOILUT_FUNCTION, VR::CS)] {
        if let Some(value) = text(film, tag) {
            put(&mut item, tag, vr, value);
        }
    }
    Some(item)
}

fn lut(film: &InMemDicomObject) -> Option<InMemDicomObject> {
    let lut = film.get(tags::VOILUT_SEQUENCE)?.items()?.first()?.clone();
    let mut item = InMemDicomObject::new_empty();
    put_items(&mut item, tags::VOILUT_SEQUENCE, vec![lut]);
    Some(item)
}

/// The shutter, black outside, which the film leaves to the viewer and a presentation state must state.
fn shutter(film: &InMemDicomObject) -> InMemDicomObject {
    let mut shutter = copied(film, &SHUTTER);
    if shutter.get(tags::SHUTTER_SHAPE).is_some() {
        put(&mut shutter, tags::SHUTTER_PRESENTATION_VALUE, VR::US, 0u16);
    }
    shutter
}
