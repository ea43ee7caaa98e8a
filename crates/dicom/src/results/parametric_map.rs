//! The raw heat map as numbers: Parametric Map (PS3.3 A.75), 32-bit floats.
//!
//! The map's cells are larger than the film's pixels, and where the film was padded to a square some lie outside it. Their place is
//! given twice: in millimeters, in a frame of reference whose origin is the center of the film's upper left pixel and whose axes are the
//! film's rows and columns; and in the film's pixels, in words, as the film itself has no frame of reference.

use coxa_imaging::{Geometry, MAX_SIDE};
use coxa_schema::{HeatMap, NOTICE};
use dicom_core::header::VR;
use dicom_core::value::PrimitiveValue;
use dicom_dictionary_std::tags;
use dicom_object::InMemDicomObject;

use super::object::{self, ResultKind, ResultObject, part_uid};
use super::{FilmResult, ResultError, code};
use crate::element::{decimal, put, put_empty, put_items, texts};

const IMAGE_TYPE: [&str; 4] = ["DERIVED", "PRIMARY", "STATIC", "QUANTITY"];

/// Where a map's cells lie on the film, in the film's pixels.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct MapPlace {
    /// The upper left corner of the upper left cell: x and y. Below 0 where the film was padded.
    pub corner: [f64; 2],
    /// Width and height of a cell.
    pub cell: [f64; 2],
}

impl MapPlace {
    /// The place of a map whose cells tile the network's square input.
    pub fn of(map: &HeatMap, geometry: &Geometry) -> Self {
        let (scale_x, scale_y) = geometry.scale();
        let (x, y) = geometry.to_film(0.0, 0.0);
        let cell = |cells: usize, scale: f32| geometry.size as f64 / cells.max(1) as f64 / f64::from(scale);
        Self { corner: [f64::from(x), f64::from(y)], cell: [cell(map.columns, scale_x), cell(map.rows, scale_y)] }
    }
}

/// The parametric map of a heat map.
pub(super) fn write(
    result: &FilmResult<'_>,
    map: &HeatMap,
    place: MapPlace,
    reference: f32,
) -> Result<ResultObject, ResultError> {
    check(map, place, reference)?;
    let kind = ResultKind::ParametricMap;
    let mut object = object::begin(kind, result);
    object::put_moment(&mut object, [tags::CONTENT_DATE, tags::CONTENT_TIME], result);
    object::laterality(&mut object, result);
    image(&mut object, result, place);
    put(&mut object, tags::FRAME_OF_REFERENCE_UID, VR::UI, part_uid("frame of reference", result));
    put_empty(&mut object, tags::POSITION_REFERENCE_INDICATOR, VR::LO);
    dimensions(&mut object, result);
    put_items(&mut object, tags::SHARED_FUNCTIONAL_GROUPS_SEQUENCE, vec![shared(result, map, place, reference)]);
    put_items(&mut object, tags::PER_FRAME_FUNCTIONAL_GROUPS_SEQUENCE, vec![frame(result, place)]);
    let series = object::film_series(result, tags::REFERENCED_INSTANCE_SEQUENCE);
    put_items(&mut object, tags::REFERENCED_SERIES_SEQUENCE, vec![series]);
    // `check` keeps the sides to 16,384.
    put(&mut object, tags::ROWS, VR::US, map.rows as u16);
    put(&mut object, tags::COLUMNS, VR::US, map.columns as u16);
    put(&mut object, tags::FLOAT_PIXEL_DATA, VR::OF, PrimitiveValue::F32(map.values.as_slice().into()));
    object::finish(kind, object, result)
}

fn check(map: &HeatMap, place: MapPlace, reference: f32) -> Result<(), ResultError> {
    let sides = 1..=MAX_SIDE;
    if !sides.contains(&map.rows) || !sides.contains(&map.columns) || map.values.len() != map.rows * map.columns {
        let value = format!("{}×{} with {} values", map.columns, map.rows, map.values.len());
        return Err(ResultError::argument("the heat map", value, "columns * rows values, 1 to 16,384 a side"));
    }
    if let Some(value) = map.values.iter().find(|value| !value.is_finite()) {
        return Err(ResultError::argument("a value of the heat map", value, "a finite number"));
    }
    if !(reference.is_finite() && reference > 0.0) {
        return Err(ResultError::argument("the reference", reference, "a value above 0"));
    }
    let is_size = |cell: &f64| cell.is_finite() && *cell > 0.0;
    if !place.cell.iter().all(is_size) || !place.corner.iter().all(|at| at.is_finite()) {
        return Err(ResultError::argument("the map's place", format!("{place:?}"), "a finite corner, cells above 0"));
    }
    Ok(())
}

fn image(object: &mut InMemDicomObject, result: &FilmResult<'_>, place: MapPlace) {
    object::derived_image(object, result, &IMAGE_TYPE);
    if object.get(tags::LOSSY_IMAGE_COMPRESSION).is_none() {
        put(object, tags::LOSSY_IMAGE_COMPRESSION, VR::CS, "00");
    }
    put(object, tags::CONTENT_LABEL, VR::CS, "COXA_GRADCAM");
    put(object, tags::CONTENT_DESCRIPTION, VR::LO, format!("Raw Grad-CAM; {NOTICE}"));
    put(object, tags::CONTENT_CREATOR_NAME, VR::PN, "Coxa^");
    put(object, tags::CONTENT_QUALIFICATION, VR::CS, "RESEARCH");
    put(object, tags::IMAGE_COMMENTS, VR::LT, where_it_lies(result, place));
    put(object, tags::SAMPLES_PER_PIXEL, VR::US, 1u16);
    put(object, tags::PHOTOMETRIC_INTERPRETATION, VR::CS, "MONOCHROME2");
    put(object, tags::BITS_ALLOCATED, VR::US, 32u16);
    put(object, tags::NUMBER_OF_FRAMES, VR::IS, "1");
    put(object, tags::PRESENTATION_LUT_SHAPE, VR::CS, "IDENTITY");
    put(object, tags::BURNED_IN_ANNOTATION, VR::CS, "NO");
    put(object, tags::RECOGNIZABLE_VISUAL_FEATURES, VR::CS, "NO");
    put(object, tags::PIXEL_PRESENTATION, VR::CS, "MONOCHROME");
    put_items(object, tags::ACQUISITION_CONTEXT_SEQUENCE, Vec::new());
}

/// The map's place in the film's pixels.
fn where_it_lies(result: &FilmResult<'_>, place: MapPlace) -> String {
    let [x, y, width, height] = [place.corner[0], place.corner[1], place.cell[0], place.cell[1]].map(decimal);
    let lengths = match result.source.spacing_mm {
        Some(_) => "",
        None => " The film states no pixel spacing: lengths given in mm are in its pixels.",
    };
    format!(
        "Upper left corner of cell (0,0) at column {x}, row {y} of the film (its upper left corner is 0, 0); a cell is {width} columns \
         wide and {height} rows high.{lengths} {NOTICE}"
    )
}

/// One dimension, the plane's position, with one value.
fn dimensions(object: &mut InMemDicomObject, result: &FilmResult<'_>) {
    let uid = part_uid("dimension organization", result);
    let mut organization = InMemDicomObject::new_empty();
    put(&mut organization, tags::DIMENSION_ORGANIZATION_UID, VR::UI, uid.as_str());
    put_items(object, tags::DIMENSION_ORGANIZATION_SEQUENCE, vec![organization.clone()]);
    let mut index = organization;
    put(&mut index, tags::DIMENSION_INDEX_POINTER, VR::AT, PrimitiveValue::from(tags::IMAGE_POSITION_PATIENT));
    put(&mut index, tags::FUNCTIONAL_GROUP_POINTER, VR::AT, PrimitiveValue::from(tags::PLANE_POSITION_SEQUENCE));
    put(&mut index, tags::DIMENSION_DESCRIPTION_LABEL, VR::LO, "Image Position Patient");
    put_items(object, tags::DIMENSION_INDEX_SEQUENCE, vec![index]);
}

/// Puts a functional group of one item.
fn put_group(groups: &mut InMemDicomObject, tag: dicom_core::Tag, fill: impl FnOnce(&mut InMemDicomObject)) {
    let mut item = InMemDicomObject::new_empty();
    fill(&mut item);
    put_items(groups, tag, vec![item]);
}

fn shared(result: &FilmResult<'_>, map: &HeatMap, place: MapPlace, reference: f32) -> InMemDicomObject {
    let mut groups = InMemDicomObject::new_empty();
    let [down, across] = spacing(result);
    put_group(&mut groups, tags::PIXEL_MEASURES_SEQUENCE, |item| {
        let cell = [place.cell[1] * down, place.cell[0] * across].map(decimal);
        put(item, tags::PIXEL_SPACING, VR::DS, texts(&cell));
        put(item, tags::SLICE_THICKNESS, VR::DS, "1");
    });
    put_group(&mut groups, tags::PLANE_ORIENTATION_SEQUENCE, |item| {
        put(item, tags::IMAGE_ORIENTATION_PATIENT, VR::DS, texts(&result.source.orientation.map(decimal)));
    });
    put_group(&mut groups, tags::PARAMETRIC_MAP_FRAME_TYPE_SEQUENCE, |item| {
        put(item, tags::FRAME_TYPE, VR::CS, texts(&IMAGE_TYPE));
    });
    put_group(&mut groups, tags::PIXEL_VALUE_TRANSFORMATION_SEQUENCE, |item| {
        put(item, tags::RESCALE_INTERCEPT, VR::DS, "0");
        put(item, tags::RESCALE_SLOPE, VR::DS, "1");
        put(item, tags::RESCALE_TYPE, VR::LO, "US");
    });
    put_group(&mut groups, tags::DERIVATION_IMAGE_SEQUENCE, |item| {
        put(item, tags::DERIVATION_DESCRIPTION, VR::ST, format!("Grad-CAM of network {}", result.algorithm.network()));
        put_items(item, tags::DERIVATION_CODE_SEQUENCE, vec![code::RAW_GRAD_CAM.item()]);
        let mut film = object::film_reference(result);
        put_items(&mut film, tags::PURPOSE_OF_REFERENCE_CODE_SEQUENCE, vec![code::SOURCE_IMAGE.item()]);
        put(&mut film, tags::SPATIAL_LOCATIONS_PRESERVED, VR::CS, "NO");
        put_items(item, tags::SOURCE_IMAGE_SEQUENCE, vec![film]);
    });
    put_group(&mut groups, tags::FRAME_VOILUT_SEQUENCE, |item| {
        put(item, tags::WINDOW_CENTER, VR::DS, decimal(f64::from(reference) / 2.0));
        put(item, tags::WINDOW_WIDTH, VR::DS, decimal(f64::from(reference)));
        // LINEAR has no widths below 1 (PS3.3 C.11.2.1.2).
        put(item, tags::VOILUT_FUNCTION, VR::CS, "LINEAR_EXACT");
    });
    put_items(&mut groups, tags::REAL_WORLD_VALUE_MAPPING_SEQUENCE, vec![real_world(map)]);
    groups
}

/// The stored values are the quantity itself.
fn real_world(map: &HeatMap) -> InMemDicomObject {
    let mut item = InMemDicomObject::new_empty();
    let bound = |pick: fn(f32, f32) -> f32, from: f32| f64::from(map.values.iter().copied().fold(from, pick));
    put(&mut item, tags::DOUBLE_FLOAT_REAL_WORLD_VALUE_FIRST_VALUE_MAPPED, VR::FD, bound(f32::min, f32::INFINITY));
    put(&mut item, tags::DOUBLE_FLOAT_REAL_WORLD_VALUE_LAST_VALUE_MAPPED, VR::FD, bound(f32::max, f32::NEG_INFINITY));
    put(&mut item, tags::REAL_WORLD_VALUE_INTERCEPT, VR::FD, 0.0f64);
    put(&mut item, tags::REAL_WORLD_VALUE_SLOPE, VR::FD, 1.0f64);
    put(&mut item, tags::LUT_LABEL, VR::SH, "GRADCAM");
    put(&mut item, tags::LUT_EXPLANATION, VR::LO, "Raw Grad-CAM, on an absolute scale");
    put_items(&mut item, tags::MEASUREMENT_UNITS_CODE_SEQUENCE, vec![code::NO_UNITS.item()]);
    let mut quantity = InMemDicomObject::new_empty();
    put(&mut quantity, tags::VALUE_TYPE, VR::CS, "CODE");
    put_items(&mut quantity, tags::CONCEPT_NAME_CODE_SEQUENCE, vec![code::QUANTITY.item()]);
    put_items(&mut quantity, tags::CONCEPT_CODE_SEQUENCE, vec![code::RAW_GRAD_CAM.item()]);
    put_items(&mut item, tags::QUANTITY_DEFINITION_SEQUENCE, vec![quantity]);
    item
}

fn frame(result: &FilmResult<'_>, place: MapPlace) -> InMemDicomObject {
    let mut groups = InMemDicomObject::new_empty();
    put_group(&mut groups, tags::FRAME_CONTENT_SEQUENCE, |item| {
        put(item, tags::DIMENSION_INDEX_VALUES, VR::UL, 1u32);
    });
    put_group(&mut groups, tags::PLANE_POSITION_SEQUENCE, |item| {
        put(item, tags::IMAGE_POSITION_PATIENT, VR::DS, texts(&position(result, place).map(decimal)));
    });
    groups
}

/// The center of the upper left cell in millimeters from the center of the film's upper left pixel.
fn position(result: &FilmResult<'_>, place: MapPlace) -> [f64; 3] {
    let [down, across] = spacing(result);
    let x = (place.corner[0] + place.cell[0] / 2.0 - 0.5) * across;
    let y = (place.corner[1] + place.cell[1] / 2.0 - 0.5) * down;
    let [ax, ay, az, dx, dy, dz] = result.source.orientation;
    [ax * x + dx * y, ay * x + dy * y, az * x + dz * y]
}

/// The film's spacing, down and across; 1 where the film states none, so that a millimeter of the map's frame of reference is a pixel.
fn spacing(result: &FilmResult<'_>) -> [f64; 2] {
    result.source.spacing_mm.unwrap_or([1.0, 1.0])
}
