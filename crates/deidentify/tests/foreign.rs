//! Foreign programs and real files.

use std::path::Path;
use std::process::Command;

use crate::film::*;

/// What dciodvfy reports as errors.
fn errors(mut dciodvfy: Command, path: &Path) -> Vec<String> {
    let output = dciodvfy.arg(path).output().unwrap();
    let report = String::from_utf8_lossy(&output.stderr).into_owned() + &String::from_utf8_lossy(&output.stdout);
    report.lines().filter(|line| line.starts_with("Error")).map(str::to_owned).collect()
}

#[test]
fn dciodvfy_finds_no_more_errors_than_before() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("film.dcm");
    let mut films = vec![simulated("SIM-000012", "seed 7"), film(&[])];
    if let Some(data) = coxa_testing::data("dicom/conformance") {
        films.extend(
            ["RG2_UNC.dcm", "RG3_J2KR.dcm", "RG3_JPLL.dcm"].map(|name| std::fs::read(data.join(name)).unwrap()),
        );
    }
    for before in films {
        let Ok(after) = deidentify(&before) else { continue };
        let count = |bytes: &[u8]| {
            std::fs::write(&path, bytes).unwrap();
            coxa_testing::tool("dciodvfy").map(|tool| errors(tool, &path))
        };
        let (Some(before), Some(after)) = (count(&before), count(&after.bytes)) else { return };
        assert!(after.len() <= before.len(), "before: {before:#?}, after: {after:#?}");
    }
}

#[test]
fn real_and_broken_files_leak_nothing() {
    let Some(data) = coxa_testing::data("dicom") else { return };
    let (mut done, mut withheld) = (0, 0);
    for file in coxa_files::find::films_below(&data).films {
        let bytes = std::fs::read(&file).unwrap();
        let Ok(film) = deidentify(&bytes) else {
            withheld += 1;
            continue;
        };
        done += 1;
        let link = &film.link;
        for identifier in [
            &link.patient_id,
            &link.patient_name,
            &link.study_instance_uid,
            &link.sop_instance_uid,
            &link.accession_number,
        ] {
            let is_long = identifier.len() > 3;
            assert!(!is_long || !holds(&film.bytes, identifier), "{}", file.display());
        }
        assert_eq!(deidentify(&film.bytes).unwrap().bytes, film.bytes);
        let (before, after) = (coxa_imaging::read_bytes(&bytes, "film"), coxa_imaging::read_bytes(&film.bytes, "film"));
        if let (Ok(before), Ok(after)) = (before, after) {
            assert_eq!(before.pixels(), after.pixels(), "{}", file.display());
        }
    }
    assert!(done >= 15, "{done} done, {withheld} withheld");
    assert!(withheld > 0);
}
