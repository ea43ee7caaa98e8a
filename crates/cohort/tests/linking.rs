//! From a registry and a table of films to a dataset, by the paper's rules.

use std::fs;
use std::path::Path;

use coxa_cohort::importers::{Files, no_look};
use coxa_cohort::registry::{Sources, link};
use coxa_cohort::{CohortError, Dataset, registry};
use coxa_schema::{FractureType, Label, Side};

const REGISTRY: &str = "\
patient,injury_date,age,sex,iss,diagnosis,admitted,procedures
P01,2012-01-05,81,F,9,S72.031A,1,hemiarthroplasty
P02,2012-02-01,77,M,9,820.21; 850.0,yes,
P03,2013-03-03,40,M,17,850.0,1,
P04,2013-04-04,35,M,22,821.01,1,
P05,2014-05-05,64,F,10,820.8,1,
P06,2014-06-06,70,F,9,820.02,0,
P07,2015-07-07,71,F,9,820.02,1,
P08,2015-08-08,72,F,9,820.02,1,
P09,2016-09-09,50,M,13,808.2,1,
P10,2016-10-10,83,F,9,S72.142A,1,
P11,2016-11-11,59,M,5,,1,
P12,2016-12-12,44,F,4,,1,Dynamic hip screw left
P13,2016-12-13,44,F,4,,1,
";

const FILMS: &str = "\
patient,film_date,view,path,quality
P01,2012-01-05,AP pelvis,p01.png,
P01,2012-01-05,lateral,p01-lateral.png,
P02,2012-02-01,frontal,p02-a.png,positioning error
P02,2012-02-01,frontal,p02-b.png,right hip replacement
P03,2013-03-03,AP,p03.png,ok
P04,2013-04-04,AP,p04.png,
P05,2014-05-05,AP,p05.png,
P07,2015-07-09,AP,p07.png,
P08,2015-08-08,lateral,p08.png,
P09,2016-09-09,AP,p09.png,foreign body
P10,2016-10-10,AP,p10.png,poor contrast; rotated
P11,2016-11-11,AP,p11.png,
P12,2016-12-12,AP,p12.png,
P13,2016-12-13,AP,missing.png,
";

/// What passes for a film as far as an import looks, with a text of its own.
fn film(text: &str) -> String {
    format!("II*\0{text}")
}

fn tables(folder: &Path) {
    fs::write(folder.join("registry.csv"), REGISTRY).unwrap();
    fs::write(folder.join("films.csv"), FILMS).unwrap();
    for line in FILMS.lines().skip(1) {
        let name = line.split(',').nth(3).unwrap();
        if name != "missing.png" {
            fs::write(folder.join(name), film(name)).unwrap();
        }
    }
}

#[test]
fn the_papers_rules() {
    let folder = tempfile::tempdir().unwrap();
    tables(folder.path());
    let to = folder.path().join("set");
    let (registry, films) = (folder.path().join("registry.csv"), folder.path().join("films.csv"));
    let (dataset, report) =
        link(&Sources { registry: &registry, films: &films, reviewed: None }, &to, Files::Copy, no_look).unwrap();
    assert_eq!(Dataset::load(&to).unwrap(), dataset);
    dataset.verify().unwrap();

    let rows: Vec<(&str, Label, bool, &str)> = dataset
        .films
        .iter()
        .map(|film| (film.patient.as_str(), film.label, film.excluded, film.reason.as_str()))
        .collect();
    use Label::{Absent, Present, Unknown};
    assert_eq!(
        rows,
        [
            ("P01", Present, false, ""),
            ("P02", Present, false, ""),
            ("P03", Absent, false, ""),
            ("P04", Absent, true, "other fracture: femoral shaft (821.01)"),
            ("P05", Unknown, false, "review: a hip fracture of unspecified kind (820.8)"),
            ("P09", Absent, true, "foreign body; other fracture: pelvis (808.2)"),
            ("P10", Present, true, "poor contrast; positioning"),
            ("P11", Absent, false, ""),
            ("P12", Unknown, false, "review: no diagnosis of a hip fracture, but the procedure Dynamic hip screw left"),
        ]
    );
    let first = &dataset.films[0];
    assert_eq!((first.fracture_type, first.side), (Some(FractureType::FemoralNeck), Some(Side::Right)));
    assert_eq!(fs::read_to_string(dataset.image_path(first)).unwrap(), film("p01.png"));
    assert_eq!(
        (first.image_id.as_str(), first.extra["year"].as_str(), first.extra["iss"].as_str()),
        ("F000001", "2012", "9")
    );
    assert_eq!(
        fs::read_to_string(dataset.image_path(&dataset.films[1])).unwrap(),
        film("p02-b.png"),
        "the film without a defect"
    );

    assert!(report.flow.adds_up(), "{:#?}", report.flow);
    let steps: Vec<(&str, usize)> = report.flow.steps.iter().map(|step| (step.what.as_str(), step.n)).collect();
    assert_eq!(
        steps,
        [
            ("injuries in the registry", 13),
            ("injuries of admitted patients", 12),
            ("injuries with a frontal film of the pelvis on the day", 10),
            ("films in the manifest", 9),
            ("films not excluded", 6),
            ("films with a label", 4),
        ]
    );
    let left_out: Vec<(&str, usize)> = report
        .flow
        .steps
        .iter()
        .flat_map(|step| &step.left_out)
        .map(|reason| (reason.what.as_str(), reason.n))
        .collect();
    assert_eq!(
        left_out,
        [
            ("not admitted", 1),
            ("no film on the day of the injury", 1),
            ("no frontal film of the pelvis on the day of the injury", 1),
            ("film could not be taken", 1),
            ("other fracture: femoral shaft", 1),
            ("foreign body", 1),
            ("poor contrast", 1),
            ("label to be reviewed", 2),
        ]
    );
    assert_eq!(report.refused.len(), 1);
    assert!(report.refused[0].file.ends_with("missing.png"));
    assert_eq!(report.notes, ["line 5: right hip replacement"]);
    assert!(report.refused[0].reason.starts_with("line 15 of the table of films: "), "{:?}", report.refused);
    let unused: Vec<(u64, &str)> = report.unused.iter().map(|film| (film.line, film.reason.as_str())).collect();
    assert_eq!(
        unused,
        [
            (3, "its view `lateral` is no frontal pelvis"),
            (4, "another film of the same injury was taken"),
            (9, "it is of another day than its patient's injury"),
            (10, "its view `lateral` is no frontal pelvis"),
        ]
    );
    assert_eq!(coxa_cohort::flow::Flow::of_dataset(&Dataset::load(&to).unwrap()).unwrap(), report.flow);
    // Names, dates and paths of the hospital stay behind.
    let manifest = fs::read_to_string(to.join("manifest.csv")).unwrap();
    assert!(!manifest.contains("2012-01-05") && !manifest.contains("p01.png"), "{manifest}");
}

#[test]
fn a_review_decides_what_the_codes_leave_open_and_nothing_else() {
    let folder = tempfile::tempdir().unwrap();
    tables(folder.path());
    // The table of films also says where a film is from and where the fracture is.
    let films = FILMS.replacen("quality\n", "quality,source,box_x,box_y,box_width,box_height\n", 1);
    let films = films.lines().enumerate().map(|(i, line)| match i {
        0 => format!("{line}\n"),
        1 => format!("{line},scanner 2,10,20,30,40\n"),
        _ => format!("{line},,,,,\n"),
    });
    fs::write(folder.path().join("films.csv"), films.collect::<String>()).unwrap();
    let review = folder.path().join("review.csv");
    fs::write(
        &review,
        "patient,injury_date,label,fracture_type,side\nP05,2014-05-05,1,trochanteric,left\nP03,2013-03-03,1,femoral_neck,\n",
    )
    .unwrap();
    let tables = [folder.path().join("registry.csv"), folder.path().join("films.csv")];
    let set = folder.path().join("set");
    let (dataset, report) =
        link(&Sources { registry: &tables[0], films: &tables[1], reviewed: Some(&review) }, &set, Files::Copy, no_look)
            .unwrap();
    let of = |patient: &str| dataset.films.iter().find(|film| film.patient == patient).unwrap();
    let film = of("P05");
    assert_eq!((film.label, film.side, film.reason.as_str()), (Label::Present, Some(Side::Left), ""));
    assert_eq!(of("P03").label, Label::Absent, "its diagnosis was clear");
    assert!(report.flow.adds_up());
    assert_eq!((of("P01").source.as_str(), film.source.as_str()), ("scanner 2", "registry"));
    let truth = &dataset.truth[0];
    assert_eq!(
        (truth.image_id.as_str(), truth.x, truth.height, truth.class.as_str()),
        ("F000001", 10.0, 40.0, "femoral_neck")
    );

    fs::write(&review, "patient,injury_date,label\nP05,2014-05-06,1\nP06,2014-06-06,perhaps\n").unwrap();
    let error = link(
        &Sources { registry: &tables[0], films: &tables[1], reviewed: Some(&review) },
        &folder.path().join("bad"),
        Files::Copy,
        no_look,
    )
    .unwrap_err();
    let lines: Vec<String> = error.to_string().lines().map(str::to_owned).collect();
    assert_eq!(lines.len(), 2, "{lines:?}");
    assert!(
        lines[0]
            .contains("review.csv, line 2, column `patient`: `(patient not shown)` is not a patient of the registry"),
        "{lines:?}"
    );
    assert!(!lines[0].contains("P05"), "{lines:?}");
    assert!(lines[1].contains("review.csv, line 3, column `label`: `perhaps`"), "{lines:?}");
    assert!(!folder.path().join("bad").exists());

    fs::write(&review, "patient,injury_date,label\nP05,2014-05-05,1\nP12,2016-12-12,0\nP05,2014-05-05,0\n").unwrap();
    let error = link(
        &Sources { registry: &tables[0], films: &tables[1], reviewed: Some(&review) },
        &folder.path().join("bad"),
        Files::Copy,
        no_look,
    )
    .unwrap_err();
    let expected = "review.csv, line 4: patient, injury_date `(patient not shown), 2014-05-05` is already on line 2";
    assert!(error.to_string().ends_with(expected), "{error}");
    assert!(!folder.path().join("bad").exists());
}

#[test]
fn a_film_that_cannot_be_taken_gives_way_to_the_next_of_the_day() {
    let folder = tempfile::tempdir().unwrap();
    let registry = folder.path().join("registry.csv");
    fs::write(&registry, "patient,injury_date,diagnosis,admitted\nP01,2012-01-05,820.21,1\n").unwrap();
    let films = folder.path().join("films.csv");
    fs::write(&films, "patient,film_date,view,path\nP01,2012-01-05,AP,text.png\nP01,2012-01-05,AP,film.png\n").unwrap();
    fs::write(folder.path().join("text.png"), "a letter").unwrap();
    fs::write(folder.path().join("film.png"), film("film")).unwrap();
    let (dataset, report) = link(
        &Sources { registry: &registry, films: &films, reviewed: None },
        &folder.path().join("set"),
        Files::Copy,
        no_look,
    )
    .unwrap();
    assert_eq!(fs::read_to_string(dataset.image_path(&dataset.films[0])).unwrap(), film("film"));
    assert!(report.refused[0].reason.starts_with("line 2 of the table of films: not a DICOM"), "{:?}", report.refused);
    assert!(report.unused.is_empty() && report.flow.adds_up(), "{report:?}");
}

#[test]
fn a_full_folder_is_never_touched() {
    let folder = tempfile::tempdir().unwrap();
    tables(folder.path());
    let to = folder.path().join("set");
    fs::create_dir(&to).unwrap();
    fs::write(to.join("notes.txt"), "mine").unwrap();
    let result = link(
        &Sources {
            registry: &folder.path().join("registry.csv"),
            films: &folder.path().join("films.csv"),
            reviewed: None,
        },
        &to,
        Files::Copy,
        no_look,
    );
    assert!(matches!(result, Err(CohortError::NotEmpty { .. })));
    assert_eq!(fs::read_dir(&to).unwrap().count(), 1);
}

#[test]
fn bad_registry_rows_are_named() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("registry.csv");
    let header = "patient,injury_date,age,sex,iss,diagnosis,admitted,procedures\n";
    let good = "P01,2012-01-05,81,F,9,820.21,1,\n";
    for (row, expected) in [
        (
            "P02,2012-02-30,81,F,9,820.21,1,",
            "line 3, column `injury_date`: `2012-02-30` is not a date of the form YYYY-MM-DD",
        ),
        ("P02,05.01.2012,81,F,9,820.21,1,", "column `injury_date`: `05.01.2012`"),
        ("P02,2012-01-05,-3,F,9,820.21,1,", "column `age`: `-3` is not an age of 0 to 130 years"),
        ("P02,2012-01-05,81,W?,9,820.21,1,", "column `sex`: `W?` is not a sex"),
        ("P02,2012-01-05,81,F,99,820.21,1,", "column `iss`: `99` is not an injury severity score of 0 to 75"),
        ("P02,2012-01-05,81,F,9,hip fracture,1,", "column `diagnosis`: `hip fracture` is not ICD-9 or ICD-10 codes"),
        ("P02,2012-01-05,81,F,9,820.21,,", "column `admitted`: `` is not 0 or 1"),
        ("P02,2012-01-05,81,F,9,820.21,maybe,", "column `admitted`: `maybe` is not 0 or 1"),
        (",2012-01-05,81,F,9,820.21,1,", "column `patient`: `` is not the patient's pseudonym"),
        (
            "P01,2012-01-05,81,F,9,808.0,1,",
            "line 3: patient, injury_date `(patient not shown), 2012-01-05` is already on line 2",
        ),
    ] {
        fs::write(&path, format!("{header}{good}{row}\n")).unwrap();
        let error = registry::load_injuries(&path).unwrap_err().to_string();
        assert!(error.contains(expected), "`{error}` does not say `{expected}`");
    }
    fs::write(&path, format!("{header}P01,2012-01-05,200,F,9,,1,\n{good}P03,2012-01-05,50,F,9,,perhaps,\n")).unwrap();
    let error = registry::load_injuries(&path).unwrap_err().to_string();
    assert!(
        error.lines().count() == 2 && error.contains("line 2,") && error.contains("line 4,"),
        "every bad row: {error}"
    );
    fs::write(&path, "patient;injury_date;diagnosis;admitted\n").unwrap();
    let error = registry::load_injuries(&path).unwrap_err().to_string();
    assert!(error.contains("separated by commas"), "{error}");
    fs::write(&path, "patient,injury_date,diagnosis\n").unwrap();
    let error = registry::load_injuries(&path).unwrap_err().to_string();
    assert!(error.ends_with("column `admitted` is missing (found: patient, injury_date, diagnosis)"), "{error}");
}
