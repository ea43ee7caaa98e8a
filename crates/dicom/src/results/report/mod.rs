//! The structured report: Comprehensive 3D SR (PS3.3 A.35.13) by TID 1500 "Measurement Report" (PS3.16).
//!
//! One measurement group (TID 1501) is about the film: how certain a fracture is, inferred from the whole film. Each region is a group of
//! its own with its outline (TID 1410). Whether there is a fracture, or why the film was not read, is in the qualitative evaluations
//! (TID 1500 row 12); a film that was not read has nothing measured. Viewers that draw what a report measures (OHIF) end with an error at
//! a group without coordinates.

mod content;

use coxa_schema::{FilmPrediction, Finding, NOTICE, Region, Side};
use dicom_core::header::VR;
use dicom_dictionary_std::tags;
use dicom_object::InMemDicomObject;

use self::content::{Item, Relation};
use super::object::{self, ResultKind, ResultObject};
use super::{Call, FilmResult, ResultError, code};
use crate::element::{decimal, put, put_items};

/// The report of a film that was read, or was not.
pub(super) fn write(result: &FilmResult<'_>) -> Result<ResultObject, ResultError> {
    let kind = ResultKind::StructuredReport;
    let mut object = object::begin(kind, result);
    object::put_moment(&mut object, [tags::CONTENT_DATE, tags::CONTENT_TIME], result);
    put_items(&mut object, tags::REFERENCED_PERFORMED_PROCEDURE_STEP_SEQUENCE, Vec::new());
    put_items(&mut object, tags::PERFORMED_PROCEDURE_CODE_SEQUENCE, Vec::new());
    put(&mut object, tags::COMPLETION_FLAG, VR::CS, "COMPLETE");
    put(&mut object, tags::VERIFICATION_FLAG, VR::CS, "UNVERIFIED");
    put_items(&mut object, tags::CURRENT_REQUESTED_PROCEDURE_EVIDENCE_SEQUENCE, vec![evidence(result)]);
    for element in root(result).into_object() {
        object.put(element);
    }
    object::finish(kind, object, result)
}

fn evidence(result: &FilmResult<'_>) -> InMemDicomObject {
    let mut study = InMemDicomObject::new_empty();
    put(&mut study, tags::STUDY_INSTANCE_UID, VR::UI, result.source.study_uid.as_str());
    let series = object::film_series(result, tags::REFERENCED_SOP_SEQUENCE);
    put_items(&mut study, tags::REFERENCED_SERIES_SEQUENCE, vec![series]);
    study
}

fn root(result: &FilmResult<'_>) -> Item {
    let root = Item::container(code::IMAGING_MEASUREMENT_REPORT, Some("1500"))
        .with(Relation::HasConceptModifier, Item::code(code::LANGUAGE, code::ENGLISH));
    let mut root = observer(root, result)
        .with(Relation::HasConceptModifier, Item::code(code::PROCEDURE_REPORTED, code::IMAGING_PROCEDURE));
    if let Some(finding) = result.prediction.finding() {
        root = root.with(Relation::Contains, measurements(result, finding));
    }
    root.with(Relation::Contains, evaluations(result))
}

fn measurements(result: &FilmResult<'_>, finding: &Finding) -> Item {
    let film = Item::container(code::IMAGING_MEASUREMENTS, None).with(Relation::Contains, film_group(result, finding));
    result
        .regions()
        .iter()
        .enumerate()
        .fold(film, |all, (index, region)| all.with(Relation::Contains, region_group(result, region, index + 1)))
}

/// The observer is a device (TID 1004).
fn observer(root: Item, result: &FilmResult<'_>) -> Item {
    let algorithm = result.algorithm;
    let device = crate::uid::derived("device", algorithm.network());
    let context = Relation::HasObservationContext;
    root.with(context, Item::code(code::OBSERVER_TYPE, code::DEVICE))
        .with(context, Item::uid(code::DEVICE_OBSERVER_UID, &device))
        .with(context, Item::text(code::DEVICE_OBSERVER_NAME, algorithm.name()))
        .with(context, Item::text(code::DEVICE_OBSERVER_MANUFACTURER, algorithm.name()))
        .with(context, Item::text(code::DEVICE_OBSERVER_MODEL_NAME, "Coxa hip fracture detection"))
        .with(context, Item::text(code::DEVICE_OBSERVER_SERIAL_NUMBER, algorithm.network()))
}

/// TID 1501 about the whole film.
fn film_group(result: &FilmResult<'_>, finding: &Finding) -> Item {
    let [right, bottom] = [result.source.columns, result.source.rows].map(f32::from);
    let film = Item::outline(code::SOURCE_OF_MEASUREMENT, &[[0.0, 0.0], [right, 0.0], [right, bottom], [0.0, bottom]])
        .with(Relation::SelectedFrom, Item::image(code::SOURCE, object::film_reference(result)));
    let certainty = Item::number(code::CERTAINTY_OF_FINDING, 100.0 * finding.probability, code::PERCENT)
        .with(Relation::InferredFrom, film);
    algorithm(group("1501", "Film", "tracking film", result), result)
        .with(Relation::Contains, certainty)
        .with(Relation::Contains, Item::image(code::SOURCE_OF_MEASUREMENT, object::film_reference(result)))
}

/// Whether there is a fracture, and the notice. They stand outside the film's group: TID 1501 has no row for either.
fn evaluations(result: &FilmResult<'_>) -> Item {
    let presence = match result.call() {
        Call::NotRead => code::TEST_NOT_DONE,
        Call::Negative => code::ABSENT,
        Call::Suspected => code::SUSPECTED,
        Call::Positive => code::PRESENT,
    };
    let comment = match result.prediction {
        FilmPrediction::Read(_) => NOTICE.to_owned(),
        FilmPrediction::NotRead { not_read } => format!("Not read: {}; {NOTICE}", result.own_text(not_read)),
    };
    Item::container(code::QUALITATIVE_EVALUATIONS, None)
        .with(Relation::Contains, Item::code(code::FRACTURE, presence))
        .with(Relation::Contains, Item::text(code::COMMENT, &comment))
}

/// TID 1410 about a region.
fn region_group(result: &FilmResult<'_>, region: &Region, number: usize) -> Item {
    let mut site = Item::code(code::FINDING_SITE, code::HIP_JOINT);
    if let Some(side) = region.side {
        let side = match side {
            Side::Left => code::LEFT,
            Side::Right => code::RIGHT,
        };
        site = site.with(Relation::HasConceptModifier, Item::code(code::LATERALITY, side));
    }
    let outline = Item::outline(code::IMAGE_REGION, &super::corners(region, result.source))
        .with(Relation::SelectedFrom, Item::image(code::SOURCE, object::film_reference(result)));
    let score = Item::number(code::REGION_SCORE, f64::from(region.score), code::NO_UNITS);
    let group = group("1410", &format!("Region {number}"), &format!("tracking region {number}"), result);
    algorithm(group, result)
        .with(Relation::HasConceptModifier, site)
        .with(Relation::Contains, outline)
        .with(Relation::Contains, score)
}

/// A measurement group with its tracking identifiers and what it is about: a fracture.
fn group(template: &str, name: &str, role: &str, result: &FilmResult<'_>) -> Item {
    let context = Relation::HasObservationContext;
    Item::container(code::MEASUREMENT_GROUP, Some(template))
        .with(context, Item::text(code::TRACKING_IDENTIFIER, name))
        .with(context, Item::uid(code::TRACKING_UNIQUE_IDENTIFIER, &object::part_uid(role, result)))
        .with(Relation::Contains, Item::code(code::FINDING, code::FRACTURE))
}

/// TID 4019.
fn algorithm(group: Item, result: &FilmResult<'_>) -> Item {
    let relation = Relation::HasConceptModifier;
    let mut group = group
        .with(relation, Item::text(code::ALGORITHM_NAME, result.algorithm.name()))
        .with(relation, Item::text(code::ALGORITHM_VERSION, result.algorithm.version()));
    for parameter in parameters(result) {
        group = group.with(relation, Item::text(code::ALGORITHM_PARAMETERS, &parameter));
    }
    group.with(relation, Item::code(code::ALGORITHM_FAMILY, code::ARTIFICIAL_INTELLIGENCE))
}

/// The network and the operating points.
fn parameters(result: &FilmResult<'_>) -> Vec<String> {
    let mut parameters = vec![format!("network={}", result.algorithm.network())];
    parameters.extend(result.prediction.finding().map(|f: &Finding| format!("threshold={}", decimal(f.threshold))));
    parameters.extend(result.high_specificity.map(|point| format!("high-specificity threshold={}", decimal(point))));
    parameters
}
