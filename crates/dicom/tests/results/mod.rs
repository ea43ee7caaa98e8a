//! The writers of result objects: what foreign programs make of them, and what must hold of all of them.

mod films;
mod foreign;

use coxa_dicom::results::{Algorithm, FilmResult, ResultError, ResultKind, ResultSource};
use coxa_imaging::RgbImage;
use coxa_schema::{FilmPrediction, HeatMap};
use dicom_core::{DataElement, PrimitiveValue, Tag, VR};
use dicom_dictionary_std::tags;
use dicom_object::InMemDicomObject;

use films::{Case, NETWORK};

fn text(object: &InMemDicomObject, tag: Tag) -> String {
    object.element(tag).unwrap().to_str().unwrap().trim_end_matches(['\0', ' ']).to_owned()
}

#[test]
fn results_are_in_the_film_s_study_in_series_of_their_own() {
    let film = films::film();
    for case in Case::ALL {
        let mut series = vec![text(&film, tags::SERIES_INSTANCE_UID)];
        for result in films::results(&film, case) {
            let object = films::read(&result.to_vec().unwrap());
            for tag in [
                tags::STUDY_INSTANCE_UID,
                tags::PATIENT_NAME,
                tags::PATIENT_ID,
                tags::PATIENT_SEX,
                tags::PATIENT_AGE,
                tags::STUDY_DATE,
                tags::STUDY_TIME,
                tags::STUDY_ID,
                tags::STUDY_DESCRIPTION,
            ] {
                assert_eq!(text(&object, tag), text(&film, tag), "{case:?} {:?} {tag}", result.kind);
            }
            assert_eq!(text(&object, tags::SOP_INSTANCE_UID), result.sop_instance_uid);
            assert_eq!(text(&object, tags::SERIES_INSTANCE_UID), result.series_instance_uid);
            assert_eq!(text(&object, tags::SOP_CLASS_UID), result.kind.sop_class_uid());
            assert!(!series.contains(&result.series_instance_uid));
            series.push(result.series_instance_uid);
        }
    }
}

#[test]
fn the_same_film_and_network_make_the_same_bytes_and_others_other_uids() {
    let film = films::film();
    let mut other = film.clone();
    other.put(DataElement::new(tags::SOP_INSTANCE_UID, VR::UI, PrimitiveValue::from("1.2.3")));
    for kind in ResultKind::ALL {
        let made = |film| films::result(film, Case::Called, kind).unwrap();
        assert_eq!(made(&film).to_vec().unwrap(), made(&film).to_vec().unwrap());
        let uid = made(&film).sop_instance_uid;
        assert_ne!(uid, made(&other).sop_instance_uid);
        assert_ne!(uid, kind.instance_uid(&text(&film, tags::SOP_INSTANCE_UID), "fedcba9876543210"));
        assert_eq!(uid, kind.instance_uid(&text(&film, tags::SOP_INSTANCE_UID), NETWORK));
        assert_eq!(ResultKind::from_name(kind.name()), Some(kind));
    }
    assert_eq!(ResultKind::from_name("seg"), None);
}

#[test]
fn a_film_that_was_not_read_has_no_probability_and_no_map() {
    let film = films::film();
    for result in films::results(&film, Case::NotRead) {
        let bytes = result.to_vec().unwrap();
        let has = |words: &[u8]| bytes.windows(words.len()).any(|window| window == words);
        assert!(!has(b"robability") && !has(b"Certainty"), "{:?}", result.kind);
        if result.kind != ResultKind::SecondaryCapture {
            assert!(has("Not read: lateral view, 64×48 pixels".as_bytes()), "{:?}", result.kind);
        }
        assert!(has(b"research use only"));
    }
    let refused = films::result(&film, Case::NotRead, ResultKind::ParametricMap).unwrap_err();
    assert_eq!(
        refused.to_string(),
        "cannot make a result object: the film is not read, where a film that was read is needed"
    );
}

#[test]
fn what_is_missing_or_out_of_range_is_named() {
    for (tag, name) in [
        (tags::STUDY_INSTANCE_UID, "Study Instance UID (0020,000D)"),
        (tags::SERIES_INSTANCE_UID, "Series Instance UID (0020,000E)"),
        (tags::SOP_CLASS_UID, "SOP Class UID (0008,0016)"),
        (tags::SOP_INSTANCE_UID, "SOP Instance UID (0008,0018)"),
        (tags::ROWS, "Rows (0028,0010)"),
        (tags::COLUMNS, "Columns (0028,0011)"),
    ] {
        let mut film = films::film();
        film.remove_element(tag);
        let error = ResultSource::of(&film).unwrap_err().to_string();
        assert_eq!(error, format!("the film has no usable {name}: a result cannot refer to it"));
    }
    let mut film = films::film();
    film.put(DataElement::new(tags::STUDY_INSTANCE_UID, VR::UI, PrimitiveValue::from("../../etc")));
    assert!(matches!(ResultSource::of(&film), Err(ResultError::Film { tag: tags::STUDY_INSTANCE_UID, .. })));

    let film = films::film();
    let (source, algorithm) = (ResultSource::of(&film).unwrap(), Algorithm::coxa(NETWORK).unwrap());
    let FilmPrediction::Read(finding) = Case::Called.prediction() else { panic!("a film that was read") };
    let of = |prediction: &FilmPrediction, point| {
        FilmResult::new(&source, prediction, &algorithm, point, films::moment()).map(|_| ()).unwrap_err().to_string()
    };
    let wide = FilmPrediction::Read(coxa_schema::Finding { width: 65, ..finding.clone() });
    assert!(of(&wide, None).starts_with("the finding is of a film of 65×48 pixels and the data set of one of 64×48"));
    let certain = FilmPrediction::Read(coxa_schema::Finding { probability: f64::NAN, ..finding.clone() });
    assert!(of(&certain, None).contains("the probability is NaN"));
    let foreign = FilmPrediction::Read(coxa_schema::Finding { model: "fedcba98".into(), ..finding.clone() });
    assert!(of(&foreign, None).contains("the finding's network is fedcba98"));
    let read = FilmPrediction::Read(finding);
    assert!(of(&read, Some(1.5)).contains("the high-specificity point is 1.5"));

    let result = FilmResult::new(&source, &read, &algorithm, None, films::moment()).unwrap();
    let short = RgbImage { width: 2, height: 2, pixels: vec![0; 11] };
    assert!(result.secondary_capture(&short).unwrap_err().to_string().contains("the picture is of 11 samples"));
    let map = HeatMap { values: vec![f32::NAN; 16], ..films::heat_map() };
    assert!(
        result.parametric_map(&map, films::place(), 2.0).unwrap_err().to_string().contains("of the heat map is NaN")
    );
    let map = HeatMap { rows: 5, ..films::heat_map() };
    assert!(result.parametric_map(&map, films::place(), 2.0).unwrap_err().to_string().contains("4×5 with 16 values"));
    let unscaled = result.parametric_map(&films::heat_map(), films::place(), 0.0).unwrap_err().to_string();
    assert!(unscaled.contains("the reference is 0"), "{unscaled}");
}

#[test]
fn a_film_of_one_hip_names_its_side_and_unusual_attributes_keep_their_text() {
    let film = films::left_hip();
    for result in films::results(&film, Case::Called) {
        let object = films::read(&result.to_vec().unwrap());
        assert_eq!((text(&object, tags::STUDY_ID), text(&object, tags::ACCESSION_NUMBER)), ("77".into(), "A-1".into()));
        if result.kind != ResultKind::StructuredReport {
            assert_eq!(
                (text(&object, tags::BODY_PART_EXAMINED), text(&object, tags::LATERALITY)),
                ("HIP".into(), "L".into())
            );
        }
    }
}

#[test]
fn a_presentation_state_repeats_the_way_to_the_screen() {
    let state = films::result(&films::shuttered(), Case::Called, ResultKind::PresentationState).unwrap().object;
    assert_eq!(
        (text(&state, tags::PRESENTATION_LUT_SHAPE), text(&state, tags::RESCALE_TYPE)),
        ("INVERSE".into(), "US".into())
    );
    assert_eq!(
        (text(&state, tags::SHUTTER_SHAPE), text(&state, tags::SHUTTER_RIGHT_VERTICAL_EDGE)),
        ("RECTANGULAR".into(), "60".into())
    );
    let item = |tag| state.element(tag).unwrap().items().unwrap()[0].clone();
    assert!(item(tags::SOFTCOPY_VOILUT_SEQUENCE).get(tags::VOILUT_SEQUENCE).is_some());
    let area = item(tags::DISPLAYED_AREA_SELECTION_SEQUENCE);
    assert_eq!(text(&area, tags::PRESENTATION_PIXEL_ASPECT_RATIO), "2\\1");
    assert!(area.get(tags::PRESENTATION_PIXEL_SPACING).is_none());
}

#[test]
fn without_a_high_specificity_point_a_called_film_is_definite() {
    let film = films::film();
    let (source, algorithm) = (ResultSource::of(&film).unwrap(), Algorithm::coxa(NETWORK).unwrap());
    let prediction = Case::Between.prediction();
    for (point, description) in [(None, "Fracture; "), (Some(0.6), "Fracture; "), (Some(0.61), "Fracture suspected; ")]
    {
        let result = FilmResult::new(&source, &prediction, &algorithm, point, films::moment()).unwrap();
        let state = result.presentation_state().unwrap().object;
        assert_eq!(text(&state, tags::CONTENT_DESCRIPTION), format!("{description}research use only"));
    }
}

#[test]
fn a_color_film_has_no_grayscale_presentation_state() {
    let mut film = films::film();
    film.put(DataElement::new(tags::PHOTOMETRIC_INTERPRETATION, VR::CS, PrimitiveValue::from("RGB")));
    let refused = films::result(&film, Case::Called, ResultKind::PresentationState);
    assert!(matches!(refused, Err(ResultError::Color)));
    assert!(films::result(&film, Case::Called, ResultKind::SecondaryCapture).is_ok());
}

#[test]
fn nothing_of_the_patient_is_in_a_source_s_debug_form() {
    let source = ResultSource::of(&films::film()).unwrap();
    assert_eq!(format!("{source:?}"), "ResultSource(64×48)");
}
