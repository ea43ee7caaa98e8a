//! Simulated films and predictions that the tests of result objects are about.

use coxa_dicom::dx::{self, AnatomicRegion, DxOptions, Projection};
use coxa_dicom::results::{
    Algorithm, FilmResult, MapPlace, Moment, ResultError, ResultKind, ResultObject, ResultSource,
};
use coxa_imaging::{Fit, Geometry, Laterality, RgbImage};
use coxa_schema::{FilmPrediction, Finding, HeatMap, NOTICE, Region, Sex, Side};
use dicom_core::value::DataSetSequence;
use dicom_core::{DataElement, PrimitiveValue, VR};
use dicom_dictionary_std::tags;
use dicom_object::{FileDicomObject, InMemDicomObject};

pub(super) const NETWORK: &str = "0123456789abcdef";
pub(super) const WIDTH: usize = 64;
pub(super) const HEIGHT: usize = 48;
pub(super) const SPACING: f64 = 0.143;

/// What a film is called.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Case {
    Called,
    Between,
    NotCalled,
    NotRead,
}

impl Case {
    pub(super) const ALL: [Self; 4] = [Self::Called, Self::Between, Self::NotCalled, Self::NotRead];

    pub(super) fn prediction(self) -> FilmPrediction {
        let region = |x, side, score| Region { x, y: 10.0, width: 20.0, height: 15.5, side, score };
        let (probability, regions) = match self {
            Self::Called => (0.975, vec![region(5.25, Some(Side::Right), 0.9), region(50.0, Some(Side::Left), 0.25)]),
            Self::Between => (0.6, vec![region(5.25, None, 0.4)]),
            Self::NotCalled => (0.0625, Vec::new()),
            Self::NotRead => return FilmPrediction::NotRead { not_read: "lateral view, 64×48 pixels".into() },
        };
        FilmPrediction::Read(Finding {
            probability,
            threshold: 0.5,
            is_positive: probability >= 0.5,
            regions,
            model: NETWORK.into(),
            width: WIDTH,
            height: HEIGHT,
            notice: NOTICE.into(),
            heat_map: None,
        })
    }
}

/// A simulated film's data set, before anything is changed in it.
pub(super) fn film() -> InMemDicomObject {
    let pixels: Vec<u16> = (0..WIDTH * HEIGHT).map(|i| (i * 53 % 4096) as u16).collect();
    let options = DxOptions {
        rows: HEIGHT,
        columns: WIDTH,
        bits_stored: 12,
        monochrome1: false,
        pixels: &pixels,
        window: Some((1800.0, 2400.0)),
        spacing_mm: SPACING as f32,
        view_position: Projection::AnteroPosterior,
        laterality: Laterality::Both,
        body_part: AnatomicRegion::Pelvis,
        seed_uid: "a film of the tests of results",
        study_date: "20170304",
        patient_id: "SIM-000012",
        age: Some(72),
        sex: Some(Sex::Female),
        burned_in_annotation: false,
    };
    read(&dx::to_vec(&options).unwrap())
}

/// A film with a name in a character set, written and read again in that set.
pub(super) fn named(character_set: &str, name: &str) -> InMemDicomObject {
    let mut film = film();
    film.put(DataElement::new(tags::SPECIFIC_CHARACTER_SET, VR::CS, PrimitiveValue::from(character_set)));
    film.put(DataElement::new(tags::PATIENT_NAME, VR::PN, PrimitiveValue::from(name)));
    written_and_read(film)
}

/// A film without what may be missing: the type 2 attributes are empty or absent, and there is neither window nor spacing.
pub(super) fn sparse() -> InMemDicomObject {
    let mut film = film();
    film.put(DataElement::new(tags::PATIENT_NAME, VR::PN, PrimitiveValue::Empty));
    for tag in [
        tags::PATIENT_ID,
        tags::PATIENT_BIRTH_DATE,
        tags::PATIENT_SEX,
        tags::PATIENT_AGE,
        tags::STUDY_DATE,
        tags::STUDY_TIME,
        tags::STUDY_ID,
        tags::STUDY_DESCRIPTION,
        tags::ACCESSION_NUMBER,
        tags::REFERRING_PHYSICIAN_NAME,
        tags::SPECIFIC_CHARACTER_SET,
        tags::IMAGER_PIXEL_SPACING,
        tags::WINDOW_CENTER,
        tags::WINDOW_WIDTH,
        tags::VOILUT_FUNCTION,
        tags::RESCALE_INTERCEPT,
        tags::RESCALE_SLOPE,
        tags::RESCALE_TYPE,
        tags::PATIENT_ORIENTATION,
        tags::PRESENTATION_LUT_SHAPE,
        tags::BURNED_IN_ANNOTATION,
        tags::LOSSY_IMAGE_COMPRESSION,
        tags::PIXEL_DATA,
    ] {
        film.remove_element(tag);
    }
    film
}

/// A film with a shutter, MONOCHROME1, a LUT in place of a window, and pixels that are not square.
pub(super) fn shuttered() -> InMemDicomObject {
    let mut film = film();
    let mut put = |tag, vr, value: PrimitiveValue| _ = film.put(DataElement::new(tag, vr, value));
    put(tags::PHOTOMETRIC_INTERPRETATION, VR::CS, "MONOCHROME1".into());
    put(tags::SHUTTER_SHAPE, VR::CS, "RECTANGULAR".into());
    put(tags::SHUTTER_LEFT_VERTICAL_EDGE, VR::IS, "2".into());
    put(tags::SHUTTER_RIGHT_VERTICAL_EDGE, VR::IS, "60".into());
    put(tags::SHUTTER_UPPER_HORIZONTAL_EDGE, VR::IS, "3".into());
    put(tags::SHUTTER_LOWER_HORIZONTAL_EDGE, VR::IS, "40".into());
    put(tags::PIXEL_ASPECT_RATIO, VR::IS, dicom_core::dicom_value!(Strs, ["2", "1"]));
    let lut = InMemDicomObject::from_element_iter([
        DataElement::new(tags::LUT_DESCRIPTOR, VR::US, dicom_core::dicom_value!(U16, [4, 0, 16])),
        DataElement::new(tags::LUT_DATA, VR::OW, dicom_core::dicom_value!(U16, [0, 10000, 30000, 65535])),
    ]);
    film.put(DataElement::new(tags::VOILUT_SEQUENCE, VR::SQ, DataSetSequence::from(vec![lut])));
    for tag in [tags::WINDOW_CENTER, tags::WINDOW_WIDTH, tags::VOILUT_FUNCTION, tags::IMAGER_PIXEL_SPACING] {
        film.remove_element(tag);
    }
    film.remove_element(tags::RESCALE_TYPE);
    film
}

/// A film of a left hip, with study attributes of unusual VRs as after a node that did not know them.
pub(super) fn left_hip() -> InMemDicomObject {
    let mut film = film();
    film.put(DataElement::new(tags::BODY_PART_EXAMINED, VR::CS, PrimitiveValue::from("HIP")));
    film.put(DataElement::new(tags::IMAGE_LATERALITY, VR::CS, PrimitiveValue::from("L")));
    film.put(DataElement::new(tags::STUDY_ID, VR::UN, PrimitiveValue::U8(b"77 ".as_slice().into())));
    film.put(DataElement::new(tags::ACCESSION_NUMBER, VR::LO, PrimitiveValue::from("A-1")));
    film
}

/// A film whose name is in Japanese by code extensions (PS3.5 H.3.2), which are held as bytes.
pub(super) fn code_extensions() -> InMemDicomObject {
    let name = "Yamada^Tarou=\u{1b}$B;3ED\u{1b}(B^\u{1b}$BB@O:\u{1b}(B=\u{1b}$B$d$^$@\u{1b}(B^\u{1b}$B$?$m$&\u{1b}(B";
    let mut film = film();
    let set = dicom_core::dicom_value!(Strs, ["", "ISO 2022 IR 87"]);
    film.put(DataElement::new(tags::SPECIFIC_CHARACTER_SET, VR::CS, set));
    film.put(DataElement::new(tags::PATIENT_NAME, VR::PN, PrimitiveValue::from(name)));
    written_and_read(film)
}

fn written_and_read(film: InMemDicomObject) -> InMemDicomObject {
    let mut bytes = Vec::new();
    let meta = dicom_object::FileMetaTableBuilder::new().transfer_syntax("1.2.840.10008.1.2.1");
    film.with_meta(meta).unwrap().write_all(&mut bytes).unwrap();
    read(&bytes)
}

pub(super) fn read(bytes: &[u8]) -> InMemDicomObject {
    let file: FileDicomObject<InMemDicomObject> = dicom_object::from_reader(bytes).unwrap();
    file.into_inner()
}

pub(super) fn picture() -> RgbImage {
    let (width, height) = (2 * WIDTH, HEIGHT + 1);
    RgbImage { width, height, pixels: (0..3 * width * height).map(|i| (i % 251) as u8).collect() }
}

pub(super) fn heat_map() -> HeatMap {
    HeatMap { rows: 4, columns: 4, values: (0..16).map(|i| 0.1 * i as f32).collect() }
}

pub(super) fn place() -> MapPlace {
    MapPlace::of(&heat_map(), &Geometry::new(WIDTH, HEIGHT, 128, Fit::Letterbox))
}

pub(super) fn moment() -> Moment {
    Moment::new("20261128", "101500").unwrap()
}

/// One kind of result of a film.
pub(super) fn result(film: &InMemDicomObject, case: Case, kind: ResultKind) -> Result<ResultObject, ResultError> {
    let source = ResultSource::of(film)?;
    let (mut prediction, algorithm) = (case.prediction(), Algorithm::coxa(NETWORK)?);
    if let FilmPrediction::Read(finding) = &mut prediction {
        let (columns, rows) = source.size();
        (finding.width, finding.height) = (columns.into(), rows.into());
    }
    let result = FilmResult::new(&source, &prediction, &algorithm, Some(0.9), moment())?;
    match kind {
        ResultKind::StructuredReport => result.structured_report(),
        ResultKind::PresentationState => result.presentation_state(),
        ResultKind::SecondaryCapture => result.secondary_capture(&picture()),
        ResultKind::ParametricMap => result.parametric_map(&heat_map(), place(), 2.0),
    }
}

/// Every result of a film: four kinds, and no map of a film that was not read.
pub(super) fn results(film: &InMemDicomObject, case: Case) -> Vec<ResultObject> {
    let has = |kind: &ResultKind| case != Case::NotRead || *kind != ResultKind::ParametricMap;
    ResultKind::ALL.into_iter().filter(has).map(|kind| result(film, case, kind).unwrap()).collect()
}
