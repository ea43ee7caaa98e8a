//! The DX writer: what it writes is read back, and passes dciodvfy where that is installed.

use coxa_dicom::dx::{self, AnatomicRegion, DxError, DxOptions, Projection};
use coxa_imaging::{Laterality, Photometric, read};
use coxa_schema::Sex;

fn pixels() -> Vec<u16> {
    (0..64 * 48).map(|i| (i * 53 % 4096) as u16).collect()
}

fn options(pixels: &[u16]) -> DxOptions<'_> {
    DxOptions {
        rows: 48,
        columns: 64,
        bits_stored: 12,
        monochrome1: false,
        pixels,
        window: None,
        spacing_mm: 0.143,
        view_position: Projection::AnteroPosterior,
        laterality: Laterality::Both,
        body_part: AnatomicRegion::Pelvis,
        seed_uid: "seed 7, film 12",
        study_date: "20170304",
        patient_id: "SIM-000012",
        age: Some(72),
        sex: Some(Sex::Female),
        burned_in_annotation: false,
    }
}

#[test]
fn what_is_written_is_read_back() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("film.dcm");
    let pixels = pixels();
    for monochrome1 in [false, true] {
        dx::write(&path, &DxOptions { monochrome1, ..options(&pixels) }).unwrap();
        let film = read(&path).unwrap();
        assert_eq!((film.width(), film.height(), film.bit_depth()), (64, 48, 12));
        assert_eq!(film.photometric(), if monochrome1 { Photometric::Monochrome1 } else { Photometric::Monochrome2 });
        assert_eq!(film.spacing_mm(), Some([0.143, 0.143]));
        assert_eq!((film.view(), film.laterality()), (Some("AP"), Some(Laterality::Both)));
        for (&shown, &stored) in film.pixels().iter().zip(&pixels) {
            let fraction = f32::from(stored) / 4095.0;
            let expected = 255.0 * if monochrome1 { 1.0 - fraction } else { fraction };
            assert!((shown - expected).abs() < 1e-3);
        }
    }
}

#[test]
fn the_same_options_give_the_same_bytes_and_other_seeds_other_uids() {
    let pixels = pixels();
    let first = dx::to_vec(&options(&pixels)).unwrap();
    assert_eq!(first, dx::to_vec(&options(&pixels)).unwrap());
    assert_ne!(first, dx::to_vec(&DxOptions { seed_uid: "seed 7, film 13", ..options(&pixels) }).unwrap());
}

#[test]
fn burned_in_text_is_declared() {
    let pixels = pixels();
    // (0028,0301) CS, two bytes long or three and a space.
    let declared = |bytes: Vec<u8>, value: &[u8]| {
        let element = [&[0x28, 0, 1, 3, b'C', b'S', value.len() as u8, 0], value].concat();
        bytes.windows(element.len()).any(|window| window == element)
    };
    for (burned_in_annotation, value) in [(false, &b"NO"[..]), (true, &b"YES "[..])] {
        let written = dx::to_vec(&DxOptions { burned_in_annotation, ..options(&pixels) }).unwrap();
        assert!(declared(written, value), "{burned_in_annotation}");
    }
}

#[test]
fn options_out_of_range_are_named() {
    let pixels = pixels();
    let good = || options(&pixels);
    for (bad, name) in [
        (DxOptions { rows: 47, ..good() }, "pixels"),
        (DxOptions { bits_stored: 11, ..good() }, "a pixel"),
        (DxOptions { bits_stored: 17, ..good() }, "bits_stored"),
        (DxOptions { spacing_mm: 0.0, ..good() }, "spacing_mm"),
        (DxOptions { window: Some((1.0, 0.5)), ..good() }, "window"),
        (DxOptions { age: Some(1000), ..good() }, "age"),
        (DxOptions { patient_id: "Doe^Jane", ..good() }, "patient_id"),
        (DxOptions { study_date: "2017-3-4", ..good() }, "study_date"),
        (DxOptions { rows: 0, ..good() }, "columns×rows"),
    ] {
        match dx::to_vec(&bad) {
            Err(DxError::Option { option, .. }) => assert_eq!(option, name),
            other => panic!("{name}: {other:?}"),
        }
    }
    assert_eq!(AnatomicRegion::from_name("shoulder"), Some(AnatomicRegion::Shoulder));
    assert_eq!(AnatomicRegion::from_name("skull"), None);
}

#[test]
fn dciodvfy_finds_no_error() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("film.dcm");
    let pixels = pixels();
    let parts = [
        ("pelvis", Projection::AnteroPosterior, Laterality::Both, false),
        ("hip", Projection::AnteroPosterior, Laterality::Left, true),
        ("hand", Projection::PosteroAnterior, Laterality::Right, false),
        ("knee", Projection::LeftLateral, Laterality::Left, false),
        ("ankle", Projection::RightLateral, Laterality::Right, true),
    ];
    for (name, view_position, laterality, monochrome1) in parts {
        let body_part = AnatomicRegion::from_name(name).unwrap();
        let sex = if monochrome1 { None } else { Some(Sex::Male) };
        let written = DxOptions { view_position, laterality, body_part, monochrome1, sex, ..options(&pixels) };
        dx::write(&path, &written).unwrap();
        let Some(mut dciodvfy) = coxa_testing::tool("dciodvfy") else { return };
        let output = dciodvfy.arg(&path).output().unwrap();
        let report = String::from_utf8_lossy(&output.stderr).into_owned() + &String::from_utf8_lossy(&output.stdout);
        assert!(report.contains("DXImageForPresentation"), "{name}: {report}");
        assert!(!report.contains("Error"), "{name}: {report}");
    }
}
