//! The importer on the real FracAtlas, where it is at hand: `$COXA_DATA/fracatlas` or `../shared/data/fracatlas`.

use coxa_cohort::importers::{Files, Films, FracAtlasOptions, fracatlas};
use coxa_cohort::{Dataset, Split, Target, samples};
use coxa_schema::Label;

#[test]
fn the_hip_films() {
    let Some(from) = coxa_testing::data("fracatlas") else { return };
    let folder = tempfile::tempdir().unwrap();
    let options =
        FracAtlasOptions { films: Films::Listed(from.join("hip_films.csv")), files: Files::Copy, ..Default::default() };
    let (dataset, report) = fracatlas(&from, &folder.path().join("hips"), &options).unwrap();
    assert_eq!(Dataset::load(&dataset.folder).unwrap(), dataset);
    let present = dataset.films.iter().filter(|film| film.label == Label::Present).count();
    assert_eq!(present, 15);
    assert_eq!(report.imported + report.refused.len(), 142, "{:?}", report.refused);
    assert!(report.flow.adds_up());
    let boxed = dataset.boxes();
    assert!(
        dataset
            .films
            .iter()
            .filter(|film| film.label == Label::Present)
            .all(|film| boxed.contains_key(film.image_id.as_str()))
    );
    let (films, _) = samples(&dataset, &Target::Fracture).unwrap();
    assert_eq!(Split::folds(&films, 5, 1).unwrap().len(), 5);
}

#[test]
fn the_whole_set() {
    let Some(from) = coxa_testing::data("fracatlas") else { return };
    let folder = tempfile::tempdir().unwrap();
    let options = FracAtlasOptions { files: Files::Reference, ..Default::default() };
    let (dataset, report) = fracatlas(&from, &folder.path().join("all"), &options).unwrap();
    let truncated = report.refused.iter().filter(|refused| refused.reason.starts_with("a truncated JPEG")).count();
    assert_eq!(truncated, 6);
    assert_eq!(report.imported + report.refused.len(), 3230);
    assert!(report.flow.adds_up());
    assert!(report.notes.iter().all(|note| !note.contains("annotated at")), "{:?}", report.notes);
    assert!(dataset.films.iter().all(|film| !film.patient.is_empty()));
    let fractured = dataset.films.iter().filter(|film| film.label == Label::Present).count();
    assert!((585..=591).contains(&fractured), "{fractured}");
}
