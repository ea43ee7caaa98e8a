//! The simulated hospital: Table 1 of the paper within sampling error, and tables that `coxa_cohort` reads.

use std::fs;

use coxa_cohort::importers::{Files, no_look};
use coxa_cohort::registry;
use coxa_cohort::registry::diagnosis::{Code, judge};
use coxa_schema::{FractureType, Label, Sex};
use coxa_simulate::datasets::FilmFormat;
use coxa_simulate::datasets::hospital::{Flaw, HospitalSpec, SimulatedInjury, injuries, write};

fn moments(values: impl Iterator<Item = u32>) -> (f64, f64) {
    let values: Vec<f64> = values.map(f64::from).collect();
    let n = values.len() as f64;
    let mean = values.iter().sum::<f64>() / n;
    (mean, (values.iter().map(|x| (x - mean).powi(2)).sum::<f64>() / (n - 1.0)).sqrt())
}

#[test]
fn the_registry_follows_table_1() {
    let rows = injuries(&HospitalSpec { n: 6000, seed: 2, ..HospitalSpec::default() });
    let kept: Vec<&SimulatedInjury> =
        rows.iter().filter(|r| matches!(r.flaw, Flaw::None | Flaw::Questionable)).collect();
    let share = |part: usize, of: usize| part as f64 / of as f64;
    let (with, without): (Vec<&SimulatedInjury>, Vec<&SimulatedInjury>) =
        kept.iter().partition(|r| r.fracture.is_some());
    assert!((share(with.len(), kept.len()) - 1975.0 / 3605.0).abs() < 0.03);
    for (group, age, iss, male) in
        [(&with, (72.34, 16.73), (9.96, 4.21), 0.420), (&without, (44.88, 20.46), (14.01, 9.29), 0.682)]
    {
        let (mean, sd) = moments(group.iter().map(|r| r.age));
        assert!((mean - age.0).abs() < 1.5 && (sd - age.1).abs() < 1.0, "age {mean} ± {sd}");
        let (mean, sd) = moments(group.iter().map(|r| r.iss));
        assert!((mean - iss.0).abs() < 0.7 && (sd - iss.1).abs() < 0.6, "ISS {mean} ± {sd}");
        let men = group.iter().filter(|r| r.sex == Sex::Male).count();
        assert!((share(men, group.len()) - male).abs() < 0.04);
    }
    let neck = with.iter().filter(|r| r.fracture == Some(FractureType::FemoralNeck)).count();
    assert!((share(neck, with.len()) - 0.471).abs() < 0.04);
    let years: std::collections::BTreeSet<i64> = rows.iter().map(|r| r.day.ymd().0).collect();
    assert_eq!(years.into_iter().collect::<Vec<_>>(), (2008..=2017).collect::<Vec<_>>());
}

#[test]
fn no_code_of_the_registry_is_misjudged() {
    let rows = injuries(&HospitalSpec { n: 6000, seed: 2, ..HospitalSpec::default() });
    for row in &rows {
        let verdict = judge(&Code::parse_list(&row.diagnosis).unwrap(), &row.procedures);
        if row.flaw == Flaw::Questionable {
            assert_eq!((verdict.label, verdict.fracture_type), (Label::Unknown, None), "{row:?}");
            assert!(verdict.review.is_some(), "{row:?}");
        } else {
            assert_eq!(verdict.review, None, "{row:?}");
            assert_eq!(verdict.label, Label::from(row.fracture.is_some()), "{row:?}");
            assert_eq!(verdict.fracture_type, Some(row.fracture.unwrap_or(FractureType::None)), "{row:?}");
        }
        assert_eq!(verdict.other_fracture.is_some(), row.flaw == Flaw::OtherFracture, "{row:?}");
    }
    for code in ["820.8", "S72.001A", "S72.002A"] {
        assert!(rows.iter().any(|row| row.diagnosis.starts_with(code)), "{code} is never drawn");
    }
}

#[test]
fn remains_of_an_interrupted_run_are_removed() {
    let folder = tempfile::tempdir().unwrap();
    let images = folder.path().join("images");
    fs::create_dir(&images).unwrap();
    fs::write(images.join(".P000001.png.1-0.partial"), b"half").unwrap();
    let spec = HospitalSpec { n: 2, size: 64, format: FilmFormat::Png, ..HospitalSpec::default() };
    write(folder.path(), &spec, &|_| {}).unwrap();
    let hidden = |entry: &fs::DirEntry| entry.file_name().to_string_lossy().starts_with('.');
    assert_eq!(fs::read_dir(images).unwrap().map(Result::unwrap).filter(hidden).count(), 0);
}

#[test]
fn a_collection_from_the_hospital_keeps_what_has_no_flaw() {
    let folder = tempfile::tempdir().unwrap();
    let spec = HospitalSpec { n: 32, seed: 3, size: 64, format: FilmFormat::Png, ..HospitalSpec::default() };
    let hospital = folder.path().join("hospital");
    let rows = write(&hospital, &spec, &|_| {}).unwrap();
    assert_eq!(rows, injuries(&spec));
    assert!(write(&hospital, &spec, &|_| {}).is_err(), "nothing is overwritten");
    let (registry, films) = (hospital.join("registry.csv"), hospital.join("films.csv"));
    let sources = registry::Sources { registry: &registry, films: &films, reviewed: None };
    let (set, report) = registry::link(&sources, &folder.path().join("set"), Files::Copy, no_look).unwrap();
    assert!(report.refused.is_empty(), "{report:?}");
    let flawless: Vec<&SimulatedInjury> =
        rows.iter().filter(|r| matches!(r.flaw, Flaw::None | Flaw::Questionable)).collect();
    let included: Vec<_> = set.films.iter().filter(|f| !f.excluded).collect();
    assert_eq!(included.len(), flawless.len());
    for film in included {
        let row = flawless.iter().find(|r| r.patient == film.patient).unwrap();
        assert_eq!(film.source, "simulated");
        if row.flaw == Flaw::Questionable {
            assert!(film.reason.starts_with("review: "), "{film:?}");
            continue;
        }
        let boxes = set.truth.iter().filter(|truth| truth.image_id == film.image_id).count();
        assert_eq!(boxes, usize::from(row.fracture.is_some()));
        assert_eq!(film.fracture_type.filter(|f| *f != FractureType::None), row.fracture, "{row:?}");
        assert_eq!(film.age, Some(row.age as f32));
    }
}
