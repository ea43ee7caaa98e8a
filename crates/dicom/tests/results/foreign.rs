//! Result objects before foreign programs: dciodvfy, dsrdump, PixelMed's validator, pydicom and highdicom.

use std::path::{Path, PathBuf};
use std::process::Command;

use coxa_dicom::results::{ResultKind, ResultObject};
use dicom_dictionary_std::tags;
use serde_json::{Value, json};

use super::films::{self, Case, HEIGHT, NETWORK, SPACING, WIDTH};
use super::text;

fn write(folder: &Path, name: &str, result: &ResultObject) -> PathBuf {
    let path = folder.join(format!("{name}-{}.dcm", result.kind.name()));
    std::fs::write(&path, result.to_vec().unwrap()).unwrap();
    path
}

/// What a program prints, on both channels.
fn output(command: &mut Command) -> String {
    let output = command.output().unwrap();
    String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr)
}

#[test]
fn dciodvfy_finds_no_error() {
    let folder = tempfile::tempdir().unwrap();
    let films = [
        ("plain", films::film()),
        ("chinese", films::named("GB18030", "Wang^XiaoDong=王^小东")),
        ("sparse", films::sparse()),
        ("shutter", films::shuttered()),
        ("hip", films::left_hip()),
    ];
    for (name, film) in &films {
        for case in Case::ALL {
            for result in films::results(film, case) {
                let path = write(folder.path(), &format!("{name}-{case:?}"), &result);
                let Some(mut dciodvfy) = coxa_testing::tool("dciodvfy") else { return };
                let report = output(dciodvfy.arg(&path));
                let class = match result.kind {
                    ResultKind::StructuredReport => "Comprehensive3DSR",
                    ResultKind::PresentationState => "GrayscaleSoftcopyPresentationState",
                    ResultKind::SecondaryCapture => "SCImage",
                    ResultKind::ParametricMap => "ParametricMap",
                };
                assert!(report.contains(class), "{path:?}: {report}");
                assert!(!report.contains("Error"), "{path:?}: {report}");
            }
        }
    }
}

#[test]
fn results_of_real_films_have_no_error_that_the_film_has_not() {
    let Some(data) = coxa_testing::data("dicom") else { return };
    let folder = tempfile::tempdir().unwrap();
    for name in ["conformance/RG1_J2KI", "conformance/RG2_UNC", "conformance/RG3_UNC", "lut/mlut_18", "lut/vlut_04"] {
        let original = data.join(format!("{name}.dcm"));
        let film = dicom_object::OpenFileOptions::new().read_until(tags::PIXEL_DATA).open_file(&original).unwrap();
        let Some(mut dciodvfy) = coxa_testing::tool("dciodvfy") else { return };
        let known = output(dciodvfy.arg(&original));
        for case in [Case::Called, Case::NotRead] {
            for result in films::results(&film, case) {
                let path = write(folder.path(), &format!("{}-{case:?}", name.replace('/', "-")), &result);
                let Some(mut dciodvfy) = coxa_testing::tool("dciodvfy") else { return };
                let report = output(dciodvfy.arg(&path));
                let is_new = |line: &&str| line.starts_with("Error") && !known.contains(line);
                assert_eq!(report.lines().find(is_new), None, "{name} {case:?} {:?}", result.kind);
            }
        }
    }
}

/// dcmpschk knows neither UTF-8 nor an empty name, so the film that was not read, whose reason is not ASCII, is left out, and so is the
/// film without a name.
#[test]
fn dcmpschk_finds_no_error_in_presentation_states() {
    let folder = tempfile::tempdir().unwrap();
    for (name, film) in [("plain", films::film()), ("shutter", films::shuttered())] {
        for case in [Case::Called, Case::Between, Case::NotCalled] {
            let result = films::result(&film, case, ResultKind::PresentationState).unwrap();
            let path = write(folder.path(), &format!("{name}-{case:?}"), &result);
            let Some(mut dcmpschk) = coxa_testing::tool("dcmpschk") else { return };
            let report = output(dcmpschk.arg(&path));
            assert!(report.contains("Test passed."), "{name} {case:?}: {report}");
        }
    }
}

#[test]
fn dsrdump_prints_the_report() {
    let folder = tempfile::tempdir().unwrap();
    let film = films::film();
    for (case, expected, absent) in [
        (
            Case::Called,
            &["(52101004,SCT,\"Present\")", "=\"97.5\" (%,UCUM", "\"Right\"", "Image Region", "(123110,DCM"][..],
            "Not read",
        ),
        (Case::Between, &["\"Suspected\"", "=\"60\" (%,UCUM", "Image Region"], "Laterality"),
        (Case::NotCalled, &["\"Absent\"", "=\"6.25\" (%,UCUM", "inferred from SCOORD"], "Image Region"),
        (Case::NotRead, &["\"Test not done\"", "Not read: lateral view"], "Certainty"),
    ] {
        let result = films::result(&film, case, ResultKind::StructuredReport).unwrap();
        let path = write(folder.path(), &format!("{case:?}"), &result);
        let Some(mut dsrdump) = coxa_testing::tool("dsrdump") else { return };
        let tree = output(dsrdump.args(["+Pc", "+U8"]).arg(&path));
        for words in expected.iter().chain(&["Comprehensive 3D SR", "research use only", NETWORK]) {
            assert!(tree.contains(words), "{case:?} lacks {words}: {tree}");
        }
        let is_warning = |line: &&str| line.starts_with("W: ") && !line.contains("VR checker does not support");
        assert!(!tree.contains(absent) && !tree.contains("E: "), "{case:?}: {tree}");
        assert_eq!(tree.lines().find(is_warning), None);
    }
}

#[test]
fn pixelmed_finds_template_1500_and_no_error() {
    let jar = Path::new("/usr/share/java/pixelmed.jar");
    if !jar.exists() {
        assert!(!coxa_testing::tools_are_required(), "pixelmed-apps is not installed, and COXA_E2E=1 requires it");
        return coxa_testing::skip("pixelmed-apps is not installed");
    }
    let folder = tempfile::tempdir().unwrap();
    let film = films::film();
    for case in [Case::Called, Case::NotRead] {
        let result = films::result(&film, case, ResultKind::StructuredReport).unwrap();
        let path = write(folder.path(), &format!("{case:?}"), &result);
        let Some(mut java) = coxa_testing::tool("java") else { return };
        // Java refuses the validator's large style sheets without these.
        let limits = ["xpathTotalOpLimit", "xpathExprOpLimit", "xpathExprGrpLimit"];
        java.args(limits.map(|limit| format!("-Djdk.xml.{limit}=0"))).arg("-cp").arg(jar);
        let report = output(java.arg("com.pixelmed.validate.DicomSRValidator").arg(&path));
        assert!(report.contains("Found Root Template TID_1500 (MeasurementReport)"), "{case:?}: {report}");
        let ended = ["Root Template Validation Complete", "IOD validation complete"];
        assert!(ended.iter().all(|words| report.contains(words)), "{case:?}: {report}");
        assert!(!report.contains("Error") && !report.contains("Warning"), "{case:?}: {report}");
    }
}

/// What pydicom and highdicom read from files, or `None`, having reported it, where no Python has them.
fn facts(files: &[PathBuf]) -> Option<Vec<Value>> {
    let mut python = coxa_testing::python("highdicom")?;
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/results/facts.py");
    let output = python.arg("-W").arg("ignore").arg(script).args(files).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    Some(serde_json::from_slice(&output.stdout).unwrap())
}

#[test]
fn pydicom_and_highdicom_read_what_was_written() {
    let folder = tempfile::tempdir().unwrap();
    let film = films::film();
    let uid = text(&film, tags::SOP_INSTANCE_UID);
    let mut files = Vec::new();
    for case in Case::ALL {
        files.extend(films::results(&film, case).iter().map(|r| write(folder.path(), &format!("{case:?}"), r)));
    }
    let Some(facts) = facts(&files) else { return };
    for (file, facts) in files.iter().zip(&facts) {
        assert_eq!(facts["film"], uid.as_str(), "{file:?}");
        assert_eq!(facts["created"], json!(["20261128", "101500"]));
        assert_eq!(facts["maker"], json!(["Coxa", env!("CARGO_PKG_VERSION"), NETWORK]));
        assert!(facts["series"][1].as_str().unwrap().ends_with("research use only"));
        assert_eq!(facts["identity"][1], "SIM-000012");
    }
    let [called, between, not_called, not_read] = [&facts[0..4], &facts[4..8], &facts[8..12], &facts[12..15]];
    reports([&called[0], &between[0], &not_called[0], &not_read[0]]);
    states([&called[1], &between[1], &not_called[1], &not_read[1]]);
    assert_eq!(called[2]["shape"], json!([HEIGHT + 1, 2 * WIDTH, 3]));
    assert_eq!(called[2]["pixels"], json!((0..12).collect::<Vec<u8>>()));
    assert_eq!(called[2]["burned_in"], "NO");
    map(&called[3]);
}

fn reports([called, between, not_called, not_read]: [&Value; 4]) {
    let presence = [called, between, not_called, not_read].map(|report| report["presence"].as_str().unwrap());
    assert_eq!(presence, ["Present", "Suspected", "Absent", "Test not done"]);
    assert_eq!(called["certainty"], json!([97.5]));
    assert_eq!(not_read["certainty"], json!([]));
    assert_eq!(called["texts"]["Comment"], json!(["research use only"]));
    assert_eq!(not_read["texts"]["Comment"], json!(["Not read: lateral view, 64×48 pixels; research use only"]));
    let parameters = json!([format!("network={NETWORK}"), "threshold=0.5", "high-specificity threshold=0.9"]);
    assert_eq!(called["texts"]["Algorithm Parameters"], parameters);
    let regions = called["regions"].as_array().unwrap();
    assert_eq!((regions.len(), &regions[0]["side"], &regions[1]["side"]), (2, &json!("Right"), &json!("Left")));
    let corners = json!([[5.25, 10.0], [25.25, 10.0], [25.25, 25.5], [5.25, 25.5], [5.25, 10.0]]);
    assert_eq!(regions[0]["points"], corners);
    // The second one reaches over the film's edge.
    assert_eq!(regions[1]["points"][1], json!([64.0, 10.0]));
    assert_eq!(regions[1]["score"], 0.25);
    assert_eq!(regions[0]["site"], "24136001");
    assert_ne!(regions[0]["tracking_uid"], regions[1]["tracking_uid"]);
    assert_eq!(between["regions"][0]["side"], Value::Null);
    assert_eq!(not_called["regions"], json!([]));
}

fn states([called, between, not_called, not_read]: [&Value; 4]) {
    assert_eq!(called["layers"], json!(["COXA_FRACTURE", "COXA_TEXT"]));
    assert_eq!(between["layers"], json!(["COXA_SUSPECTED", "COXA_TEXT"]));
    let lines = |state: &Value| state["lines"].as_array().unwrap().clone();
    assert_eq!(lines(called)[0], json!([5.25, 10.0, 25.25, 10.0, 25.25, 25.5, 5.25, 25.5, 5.25, 10.0]));
    assert_eq!((lines(called).len(), lines(not_called).len(), lines(not_read).len()), (2, 0, 0));
    // Dashes: the first begins and the seventh ends at a corner.
    let dashes = lines(between);
    assert_eq!((dashes.len(), &dashes[0][0], &dashes[6][2]), (28, &json!(5.25), &json!(25.25)));
    assert_eq!(called["labels"], json!(["Fracture, right", "Fracture, left"]));
    assert_eq!(between["labels"], json!(["Fracture?"]));
    for (state, words) in [
        (called, "Fracture, probability 97.5%\r\n"),
        (between, "Fracture suspected, probability 60.0%\r\n"),
        (not_called, "No fracture called, probability 6.2%\r\n"),
        (not_read, "Not read: lateral view, 64×48 pixels\r\n"),
    ] {
        let text = state["texts"][0].as_str().unwrap();
        assert!(text.starts_with(words) && text.ends_with("research use only"), "{text}");
        assert_eq!(state["window"], json!([1800.0, 2400.0]));
        assert_eq!((&state["lut"], &state["rescale"]), (&json!("IDENTITY"), &json!(1.0)));
        assert_eq!(state["area"], json!([WIDTH, HEIGHT]));
    }
}

fn map(facts: &Value) {
    let values: Vec<f32> = serde_json::from_value(facts["values"].clone()).unwrap();
    assert_eq!(values, films::heat_map().values);
    assert_eq!((&facts["quantity"], &facts["qualification"]), (&json!("GRADCAM"), &json!("RESEARCH")));
    // 64×48 pixels in the middle of 64×64, in cells of 16: the upper left cell's center is at (8, 0), in pixels' centers (7.5, -0.5).
    let close = |value: &Value, expected: &[f64]| {
        let found: Vec<f64> = serde_json::from_value(value.clone()).unwrap();
        assert_eq!(found.len(), expected.len());
        assert!(found.iter().zip(expected).all(|(a, b)| (a - b).abs() < 1e-6), "{found:?} is not {expected:?}");
    };
    close(&facts["spacing"], &[16.0 * SPACING, 16.0 * SPACING]);
    close(&facts["position"], &[7.5 * SPACING, 0.0, 0.5 * SPACING]);
    // Of the reference, not of the map's own largest value, 1.5.
    assert_eq!(facts["window"], json!([1.0, 2.0, "LINEAR_EXACT"]));
    let comments = facts["comments"].as_str().unwrap();
    assert!(comments.starts_with("Upper left corner of cell (0,0) at column 0, row -8 of the film"), "{comments}");
}

#[test]
fn names_in_any_character_set_survive() {
    let folder = tempfile::tempdir().unwrap();
    let names = [
        ("GB18030", "Wang^XiaoDong=王^小东"),
        ("ISO_IR 192", "Wang^XiaoDong=王^小東"),
        ("ISO_IR 100", "Müller^Jürgen"),
        ("ISO_IR 144", "Люкceмбypг"),
    ];
    let mut files = Vec::new();
    for (set, name) in names {
        for result in films::results(&films::named(set, name), Case::Called) {
            let object = films::read(&result.to_vec().unwrap());
            assert_eq!(text(&object, tags::PATIENT_NAME), name, "{set}");
            files.push(write(folder.path(), &set.replace(' ', "_"), &result));
        }
    }
    let japanese = films::code_extensions();
    for case in Case::ALL {
        for result in films::results(&japanese, case) {
            let object = films::read(&result.to_vec().unwrap());
            assert_eq!(text(&object, tags::SPECIFIC_CHARACTER_SET), "\\ISO 2022 IR 87");
            files.push(write(folder.path(), &format!("japanese-{case:?}"), &result));
        }
    }
    let Some(facts) = facts(&files) else { return };
    for (index, facts) in facts.iter().enumerate() {
        let name = names.get(index / 4).map_or("Yamada^Tarou=山田^太郎=やまだ^たろう", |(_, name)| name);
        assert_eq!(facts["identity"][0], name);
    }
    let not_read = facts.last().unwrap();
    assert_eq!((&not_read["class"], facts.len()), (&json!("SecondaryCaptureImageStorage"), 31));
    let comment = &facts[facts.len() - 3]["texts"]["Comment"][0];
    assert_eq!(comment, "Not read: lateral view, 64x48 pixels; research use only");
}
