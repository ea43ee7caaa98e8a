//! The presentation state: outlines and text over the film (Grayscale Softcopy Presentation State, PS3.3 A.33.1).
//!
//! The two styles of outlines are drawn with solid lines and with dashes that are line segments themselves: viewers
//! ignore Line Style Sequence more often than not.

use coxa_schema::{FilmPrediction, Finding, NOTICE, Region};
use dicom_core::dicom_value;
use dicom_core::header::VR;
use dicom_core::value::PrimitiveValue;
use dicom_dictionary_std::tags;
use dicom_object::InMemDicomObject;

use super::object::{self, ResultKind, ResultObject};
use super::{Call, FilmResult, ResultError};
use crate::element::{decimal, put, put_items, texts};

/// Dashes and gaps of one side of a suspected region's outline: an odd number, so that each side begins and ends with a dash.
const DASHES: usize = 13;

/// A graphic layer: its name, what is on it, and its color in CIELab as PCS values (PS3.3 C.10.7.1.1).
struct Layer {
    name: &'static str,
    description: &'static str,
    gray: u16,
    cielab: [u16; 3],
}

/// Amber.
const FRACTURE: Layer = Layer {
    name: "COXA_FRACTURE",
    description: "Film at or above the highest operating point",
    gray: 0xFFFF,
    cielab: [0xCCCC, 0x9999, 0xC8C8],
};
/// Cyan.
const SUSPECTED: Layer = Layer {
    name: "COXA_SUSPECTED",
    description: "Film between the two operating points",
    gray: 0xC000,
    cielab: [0xD6D6, 0x5A5A, 0x6E6E],
};
/// White.
const TEXT: Layer =
    Layer { name: "COXA_TEXT", description: "Result in words", gray: 0xFFFF, cielab: [0xFFFF, 0x8080, 0x8080] };

/// The presentation state of a film that was read, or was not.
pub(super) fn write(result: &FilmResult<'_>) -> Result<ResultObject, ResultError> {
    if !result.source.display.is_grayscale {
        return Err(ResultError::Color);
    }
    let kind = ResultKind::PresentationState;
    let mut object = object::begin(kind, result);
    object::laterality(&mut object, result);
    identification(&mut object, result);
    let series = object::film_series(result, tags::REFERENCED_IMAGE_SEQUENCE);
    put_items(&mut object, tags::REFERENCED_SERIES_SEQUENCE, vec![series]);
    display(&mut object, result);
    let outlines = if result.call() == Call::Suspected { &SUSPECTED } else { &FRACTURE };
    let mut annotations = vec![annotation(&TEXT, result)];
    put_items(&mut annotations[0], tags::TEXT_OBJECT_SEQUENCE, vec![summary(result)]);
    let mut layers = vec![layer(&TEXT, 1)];
    if !result.regions().is_empty() {
        annotations.push(regions(outlines, result));
        layers.push(layer(outlines, 2));
    }
    put_items(&mut object, tags::GRAPHIC_ANNOTATION_SEQUENCE, annotations);
    put_items(&mut object, tags::GRAPHIC_LAYER_SEQUENCE, layers);
    object::finish(kind, object, result)
}

fn identification(object: &mut InMemDicomObject, result: &FilmResult<'_>) {
    put(object, tags::CONTENT_LABEL, VR::CS, "COXA");
    let description = match result.call() {
        Call::NotRead => "Film not read",
        Call::Negative => "No fracture called",
        Call::Suspected => "Fracture suspected",
        Call::Positive => "Fracture",
    };
    put(object, tags::CONTENT_DESCRIPTION, VR::LO, format!("{description}; {NOTICE}"));
    put(object, tags::CONTENT_CREATOR_NAME, VR::PN, "Coxa^");
    object::put_moment(object, [tags::PRESENTATION_CREATION_DATE, tags::PRESENTATION_CREATION_TIME], result);
}

/// The way from stored values to the screen, and the displayed area: the whole film.
fn display(object: &mut InMemDicomObject, result: &FilmResult<'_>) {
    let source = result.source;
    source.display.put(object);
    let mut area = InMemDicomObject::new_empty();
    put_items(&mut area, tags::REFERENCED_IMAGE_SEQUENCE, vec![object::film_reference(result)]);
    put(&mut area, tags::DISPLAYED_AREA_TOP_LEFT_HAND_CORNER, VR::SL, dicom_value!(I32, [1, 1]));
    let corner = dicom_value!(I32, [i32::from(source.columns), i32::from(source.rows)]);
    put(&mut area, tags::DISPLAYED_AREA_BOTTOM_RIGHT_HAND_CORNER, VR::SL, corner);
    put(&mut area, tags::PRESENTATION_SIZE_MODE, VR::CS, "SCALE TO FIT");
    match source.spacing_mm {
        Some([down, across]) => {
            let spacing = [down, across].map(decimal);
            put(&mut area, tags::PRESENTATION_PIXEL_SPACING, VR::DS, texts(&spacing));
        }
        None => {
            let aspect = source.aspect_ratio.clone().unwrap_or_else(|| ["1", "1"].map(str::to_owned));
            put(&mut area, tags::PRESENTATION_PIXEL_ASPECT_RATIO, VR::IS, texts(&aspect));
        }
    }
    put_items(object, tags::DISPLAYED_AREA_SELECTION_SEQUENCE, vec![area]);
}

fn layer(layer: &Layer, order: usize) -> InMemDicomObject {
    let mut item = InMemDicomObject::new_empty();
    put(&mut item, tags::GRAPHIC_LAYER, VR::CS, layer.name);
    put(&mut item, tags::GRAPHIC_LAYER_ORDER, VR::IS, order.to_string());
    put(&mut item, tags::GRAPHIC_LAYER_RECOMMENDED_DISPLAY_GRAYSCALE_VALUE, VR::US, layer.gray);
    let color = PrimitiveValue::U16(layer.cielab.as_slice().into());
    put(&mut item, tags::GRAPHIC_LAYER_RECOMMENDED_DISPLAY_CIE_LAB_VALUE, VR::US, color);
    put(&mut item, tags::GRAPHIC_LAYER_DESCRIPTION, VR::LO, layer.description);
    item
}

/// An item of the annotations: a layer over the film.
fn annotation(layer: &Layer, result: &FilmResult<'_>) -> InMemDicomObject {
    let mut item = InMemDicomObject::new_empty();
    put_items(&mut item, tags::REFERENCED_IMAGE_SEQUENCE, vec![object::film_reference(result)]);
    put(&mut item, tags::GRAPHIC_LAYER, VR::CS, layer.name);
    item
}

/// The outlines and, beside each, its side.
fn regions(layer: &Layer, result: &FilmResult<'_>) -> InMemDicomObject {
    let mut item = annotation(layer, result);
    let mut lines = Vec::new();
    let mut labels = Vec::new();
    for region in result.regions() {
        let corners = super::corners(region, result.source);
        match result.call() {
            Call::Suspected => lines.extend(dashes(corners).into_iter().map(|dash| line(&dash))),
            _ => lines.push(line(&[corners[0], corners[1], corners[2], corners[3], corners[0]])),
        }
        labels.push(label(region, corners[0], result.call()));
    }
    put_items(&mut item, tags::TEXT_OBJECT_SEQUENCE, labels);
    put_items(&mut item, tags::GRAPHIC_OBJECT_SEQUENCE, lines);
    item
}

/// The dashes of a closed outline, each a line from point to point.
fn dashes(corners: [[f32; 2]; 4]) -> Vec<[[f32; 2]; 2]> {
    let mut dashes = Vec::new();
    for (index, from) in corners.into_iter().enumerate() {
        let to = corners[(index + 1) % corners.len()];
        let at = |step: usize| {
            let share = step as f32 / DASHES as f32;
            [from[0] + share * (to[0] - from[0]), from[1] + share * (to[1] - from[1])]
        };
        dashes.extend((0..DASHES).step_by(2).map(|step| [at(step), at(step + 1)]));
    }
    dashes
}

fn line(points: &[[f32; 2]]) -> InMemDicomObject {
    let mut item = InMemDicomObject::new_empty();
    put(&mut item, tags::GRAPHIC_ANNOTATION_UNITS, VR::CS, "PIXEL");
    put(&mut item, tags::GRAPHIC_DIMENSIONS, VR::US, 2u16);
    // A film has at most 16,384 pixels a side and an outline five points.
    put(&mut item, tags::NUMBER_OF_GRAPHIC_POINTS, VR::US, points.len() as u16);
    put(&mut item, tags::GRAPHIC_DATA, VR::FL, PrimitiveValue::F32(points.iter().flatten().copied().collect()));
    put(&mut item, tags::GRAPHIC_TYPE, VR::CS, "POLYLINE");
    put(&mut item, tags::GRAPHIC_FILLED, VR::CS, "N");
    item
}

/// The words at a region's upper left corner.
fn label(region: &Region, anchor: [f32; 2], call: Call) -> InMemDicomObject {
    let finding = if call == Call::Suspected { "Fracture?" } else { "Fracture" };
    let text = region.side.map_or_else(|| finding.to_owned(), |side| format!("{finding}, {side}"));
    let mut item = InMemDicomObject::new_empty();
    put(&mut item, tags::ANCHOR_POINT_ANNOTATION_UNITS, VR::CS, "PIXEL");
    put(&mut item, tags::UNFORMATTED_TEXT_VALUE, VR::ST, text);
    put(&mut item, tags::ANCHOR_POINT, VR::FL, PrimitiveValue::F32(anchor.as_slice().into()));
    put(&mut item, tags::ANCHOR_POINT_VISIBILITY, VR::CS, "N");
    item
}

/// The result in words, in the upper left of the screen.
fn summary(result: &FilmResult<'_>) -> InMemDicomObject {
    let mut item = InMemDicomObject::new_empty();
    put(&mut item, tags::BOUNDING_BOX_ANNOTATION_UNITS, VR::CS, "DISPLAY");
    put(&mut item, tags::UNFORMATTED_TEXT_VALUE, VR::ST, words(result));
    let corner = |x: f32, y: f32| PrimitiveValue::F32([x, y].as_slice().into());
    put(&mut item, tags::BOUNDING_BOX_TOP_LEFT_HAND_CORNER, VR::FL, corner(0.02, 0.02));
    put(&mut item, tags::BOUNDING_BOX_BOTTOM_RIGHT_HAND_CORNER, VR::FL, corner(0.6, 0.14));
    put(&mut item, tags::BOUNDING_BOX_TEXT_HORIZONTAL_JUSTIFICATION, VR::CS, "LEFT");
    item
}

fn words(result: &FilmResult<'_>) -> String {
    let percent = |finding: &Finding| format!("probability {:.1}%", 100.0 * finding.probability);
    let call = match (result.prediction, result.call()) {
        (FilmPrediction::NotRead { not_read }, _) => format!("Not read: {}", result.own_text(not_read)),
        (FilmPrediction::Read(finding), Call::Positive) => format!("Fracture, {}", percent(finding)),
        (FilmPrediction::Read(finding), Call::Suspected) => format!("Fracture suspected, {}", percent(finding)),
        (FilmPrediction::Read(finding), _) => format!("No fracture called, {}", percent(finding)),
    };
    let algorithm = result.algorithm;
    format!("{call}\r\n{} {}, network {}\r\n{NOTICE}", algorithm.name(), algorithm.version(), algorithm.network())
}
