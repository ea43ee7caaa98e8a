//! What every result object has: patient and study of the film, a series of its own, the equipment, the references to the film.

use dicom_core::Tag;
use dicom_core::header::VR;
use dicom_dictionary_std::{tags, uids};
use dicom_object::{FileDicomObject, FileMetaTableBuilder, InMemDicomObject};

use super::code::{OWN_SCHEME, PROCESSING_EQUIPMENT};
use super::{FilmResult, ResultError};
use crate::element::{put, put_empty, put_items, texts};
use crate::uid::{self, IMPLEMENTATION_CLASS_UID, IMPLEMENTATION_VERSION_NAME};

/// The kinds of result objects.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ResultKind {
    /// Comprehensive 3D SR by TID 1500.
    StructuredReport,
    /// Grayscale Softcopy Presentation State.
    PresentationState,
    /// Secondary Capture Image.
    SecondaryCapture,
    /// Parametric Map.
    ParametricMap,
}

impl ResultKind {
    /// Every kind.
    pub const ALL: [Self; 4] =
        [Self::StructuredReport, Self::PresentationState, Self::SecondaryCapture, Self::ParametricMap];

    /// By the name of a destination's setting.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.name() == name)
    }

    /// The name in a destination's setting: `sr`, `gsps`, `sc` or `parametric_map`.
    pub fn name(self) -> &'static str {
        match self {
            Self::StructuredReport => "sr",
            Self::PresentationState => "gsps",
            Self::SecondaryCapture => "sc",
            Self::ParametricMap => "parametric_map",
        }
    }

    /// The SOP Class UID.
    pub fn sop_class_uid(self) -> &'static str {
        match self {
            Self::StructuredReport => uids::COMPREHENSIVE3_DSR_STORAGE,
            Self::PresentationState => uids::GRAYSCALE_SOFTCOPY_PRESENTATION_STATE_STORAGE,
            Self::SecondaryCapture => uids::SECONDARY_CAPTURE_IMAGE_STORAGE,
            Self::ParametricMap => uids::PARAMETRIC_MAP_STORAGE,
        }
    }

    /// Modality, Series Number and Series Description. Numbers from 9901 keep clear of a modality's own.
    fn series(self) -> (&'static str, &'static str, &'static str) {
        match self {
            Self::StructuredReport => ("SR", "9901", "Coxa report, research use only"),
            Self::PresentationState => ("PR", "9902", "Coxa outlines, research use only"),
            Self::SecondaryCapture => ("OT", "9903", "Coxa picture, research use only"),
            Self::ParametricMap => ("OT", "9904", "Coxa heat map, research use only"),
        }
    }

    /// The SOP Instance UID of this kind of result for a film (by its SOP Instance UID) and a network (by its hash). The same three
    /// always have the same UID, so that a retried job sends no second result.
    pub fn instance_uid(self, film: &str, network: &str) -> String {
        self.uid("instance", film, network)
    }

    fn uid(self, role: &str, film: &str, network: &str) -> String {
        uid::derived(&format!("result {} {role}", self.name()), &format!("{film} {network}"))
    }
}

/// A result object, ready to be stored or sent.
#[derive(Debug, Clone)]
pub struct ResultObject {
    /// The kind.
    pub kind: ResultKind,
    /// Its SOP Instance UID.
    pub sop_instance_uid: String,
    /// Its Series Instance UID.
    pub series_instance_uid: String,
    /// The data set with its file meta information, Explicit VR Little Endian.
    pub object: FileDicomObject<InMemDicomObject>,
}

impl ResultObject {
    /// The bytes of a DICOM file.
    ///
    /// # Errors
    /// [`ResultError::Encode`].
    pub fn to_vec(&self) -> Result<Vec<u8>, ResultError> {
        let mut bytes = Vec::new();
        self.object.write_all(&mut bytes).map_err(|error| ResultError::Encode(error.to_string()))?;
        Ok(bytes)
    }
}

/// The UID of something in a result, such as a tracked region, that has no kind of its own.
pub(super) fn part_uid(role: &str, result: &FilmResult<'_>) -> String {
    uid::derived(
        &format!("result {role}"),
        &format!("{} {}", result.source.sop_instance_uid, result.algorithm.network()),
    )
}

/// The modules that every object has.
pub(super) fn begin(kind: ResultKind, result: &FilmResult<'_>) -> InMemDicomObject {
    let mut object = result.source.patient_and_study.clone();
    let film = &result.source.sop_instance_uid;
    let network = result.algorithm.network();
    match &result.source.character_set {
        Some(kept) => _ = object.put(kept.clone()),
        None => put(&mut object, tags::SPECIFIC_CHARACTER_SET, VR::CS, "ISO_IR 192"),
    }
    put(&mut object, tags::SOP_CLASS_UID, VR::UI, kind.sop_class_uid());
    put(&mut object, tags::SOP_INSTANCE_UID, VR::UI, kind.instance_uid(film, network));
    put_moment(&mut object, [tags::INSTANCE_CREATION_DATE, tags::INSTANCE_CREATION_TIME], result);
    put_items(&mut object, tags::CODING_SCHEME_IDENTIFICATION_SEQUENCE, vec![own_scheme()]);
    let (modality, number, description) = kind.series();
    put(&mut object, tags::MODALITY, VR::CS, modality);
    put(&mut object, tags::SERIES_INSTANCE_UID, VR::UI, kind.uid("series", film, network));
    put(&mut object, tags::SERIES_NUMBER, VR::IS, number);
    put(&mut object, tags::SERIES_DESCRIPTION, VR::LO, description);
    put_moment(&mut object, [tags::SERIES_DATE, tags::SERIES_TIME], result);
    put(&mut object, tags::INSTANCE_NUMBER, VR::IS, "1");
    equipment(&mut object, result);
    let mut contributing = InMemDicomObject::new_empty();
    put_items(&mut contributing, tags::PURPOSE_OF_REFERENCE_CODE_SEQUENCE, vec![PROCESSING_EQUIPMENT.item()]);
    equipment(&mut contributing, result);
    let description = format!("Film classified by network {network}; {}", coxa_schema::NOTICE);
    put(&mut contributing, tags::CONTRIBUTION_DESCRIPTION, VR::ST, description);
    put_items(&mut object, tags::CONTRIBUTING_EQUIPMENT_SEQUENCE, vec![contributing]);
    object
}

/// Manufacturer, model, version and, in place of a serial number, the network's hash.
fn equipment(object: &mut InMemDicomObject, result: &FilmResult<'_>) {
    let algorithm = result.algorithm;
    put(object, tags::MANUFACTURER, VR::LO, algorithm.name());
    put(object, tags::MANUFACTURER_MODEL_NAME, VR::LO, "Coxa hip fracture detection");
    put(object, tags::DEVICE_SERIAL_NUMBER, VR::LO, algorithm.network());
    put(object, tags::SOFTWARE_VERSIONS, VR::LO, algorithm.version());
}

fn own_scheme() -> InMemDicomObject {
    let mut item = InMemDicomObject::new_empty();
    put(&mut item, tags::CODING_SCHEME_DESIGNATOR, VR::SH, OWN_SCHEME);
    put(&mut item, tags::CODING_SCHEME_NAME, VR::ST, "Coxa's own terms");
    put(&mut item, tags::CODING_SCHEME_RESPONSIBLE_ORGANIZATION, VR::ST, "Coxa");
    item
}

/// A date and a time of the result's moment.
pub(super) fn put_moment(object: &mut InMemDicomObject, [date, time]: [Tag; 2], result: &FilmResult<'_>) {
    put(object, date, VR::DA, result.created.date.as_str());
    put(object, time, VR::TM, result.created.time.as_str());
}

/// The film by class and instance.
pub(super) fn film_reference(result: &FilmResult<'_>) -> InMemDicomObject {
    let mut item = InMemDicomObject::new_empty();
    put(&mut item, tags::REFERENCED_SOP_CLASS_UID, VR::UI, result.source.sop_class_uid.as_str());
    put(&mut item, tags::REFERENCED_SOP_INSTANCE_UID, VR::UI, result.source.sop_instance_uid.as_str());
    item
}

/// An item of a Referenced Series Sequence: the film's series with the film as the one instance under `list`.
pub(super) fn film_series(result: &FilmResult<'_>, list: Tag) -> InMemDicomObject {
    let mut series = InMemDicomObject::new_empty();
    put(&mut series, tags::SERIES_INSTANCE_UID, VR::UI, result.source.series_uid.as_str());
    put_items(&mut series, list, vec![film_reference(result)]);
    series
}

/// Body part and side of the series, as the film has them (PS3.3 C.7.3.1): the side is empty where a part may be paired and the film
/// does not tell which it is, or shows both.
pub(super) fn laterality(object: &mut InMemDicomObject, result: &FilmResult<'_>) {
    let source = result.source;
    if let Some(part) = &source.body_part {
        put(object, tags::BODY_PART_EXAMINED, VR::CS, part.as_str());
    }
    match source.laterality.as_deref() {
        Some(side @ ("L" | "R")) => put(object, tags::LATERALITY, VR::CS, side),
        Some("U") => {}
        _ if source.body_part.as_deref().is_some_and(|part| UNPAIRED.contains(&part)) => {}
        _ => put_empty(object, tags::LATERALITY, VR::CS),
    }
}

/// Body parts that have no side, of those that are seen on radiographs.
const UNPAIRED: [&str; 12] =
    ["PELVIS", "ABDOMEN", "CHEST", "COCCYX", "CSPINE", "HEAD", "LSPINE", "NECK", "SACRUM", "SKULL", "SPINE", "TSPINE"];

/// Image Type, and compression with loss as the film states it.
pub(super) fn derived_image(object: &mut InMemDicomObject, result: &FilmResult<'_>, image_type: &[&str]) {
    put(object, tags::IMAGE_TYPE, VR::CS, texts(image_type));
    for element in &result.source.lossy {
        object.put(element.clone());
    }
}

/// Closes an object.
pub(super) fn finish(
    kind: ResultKind,
    object: InMemDicomObject,
    result: &FilmResult<'_>,
) -> Result<ResultObject, ResultError> {
    let (film, network) = (&result.source.sop_instance_uid, result.algorithm.network());
    let sop_instance_uid = kind.instance_uid(film, network);
    let meta = FileMetaTableBuilder::new()
        .media_storage_sop_class_uid(kind.sop_class_uid())
        .media_storage_sop_instance_uid(sop_instance_uid.as_str())
        .transfer_syntax(uids::EXPLICIT_VR_LITTLE_ENDIAN)
        .implementation_class_uid(IMPLEMENTATION_CLASS_UID)
        .implementation_version_name(IMPLEMENTATION_VERSION_NAME);
    let object = object.with_meta(meta).map_err(|error| ResultError::Encode(error.to_string()))?;
    Ok(ResultObject { kind, sop_instance_uid, series_instance_uid: kind.uid("series", film, network), object })
}
