//! Splits: never a patient on both sides, the classes' proportions kept, the same seed the same split.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::PathBuf;

use coxa_cohort::split::number_in;
use coxa_cohort::{CohortError, Dataset, Film, Sample, Split};
use coxa_files::TableError;
use coxa_schema::{BodyPart, Label};
use proptest::prelude::*;

fn sample(image_id: &str, patient: &str, target: usize) -> Sample {
    Sample { image: PathBuf::from(image_id), image_id: image_id.to_owned(), patient: patient.to_owned(), target }
}

/// One film a patient; the first `present` have a fracture.
fn singles(present: usize, absent: usize) -> Vec<Sample> {
    (0..present + absent).map(|i| sample(&format!("f{i}"), &format!("p{i}"), usize::from(i < present))).collect()
}

fn count(samples: &[Sample], target: usize) -> usize {
    samples.iter().filter(|sample| sample.target == target).count()
}

fn patients(samples: &[Sample]) -> BTreeSet<&str> {
    samples.iter().map(|sample| sample.patient.as_str()).collect()
}

#[test]
fn the_papers_proportions() {
    // 1,975 films with and 1,630 without a fracture, 80/20: stratified to the film.
    let split = Split::by_patient(singles(1975, 1630), 0.2, 7).unwrap();
    assert_eq!((count(split.validation(), 1), count(split.validation(), 0)), (395, 326));
    assert_eq!(split.train().len(), 2884);
    let limbs = Split::by_patient(singles(100, 200), 0.1, 7).unwrap();
    assert_eq!((count(limbs.validation(), 1), count(limbs.validation(), 0)), (10, 20));
}

#[test]
fn patients_with_many_films_are_neither_favored_nor_avoided() {
    let films: Vec<Sample> = (0..200)
        .flat_map(|p| (0..1 + p % 4).map(move |i| sample(&format!("{p}-{i}"), &format!("p{p}"), p % 2)))
        .collect();
    let split = Split::by_patient(films.clone(), 0.25, 3).unwrap();
    let of_size = |samples: &[Sample], size: usize| {
        patients(samples).iter().filter(|p| films.iter().filter(|film| film.patient == **p).count() == size).count()
    };
    for size in 1..=4 {
        let chosen = of_size(split.validation(), size);
        assert!((11..=14).contains(&chosen), "{chosen} of 50 patients with {size} films");
    }
}

#[test]
fn the_seed_decides() {
    let films = singles(30, 70);
    let chosen = |seed| Split::by_patient(films.clone(), 0.2, seed).unwrap();
    assert_eq!(chosen(1), chosen(1));
    assert_ne!(chosen(1), chosen(2));
    let in_order = |samples: &[Sample]| {
        let numbers: Vec<u64> = samples.iter().filter_map(|sample| number_in(&sample.image_id)).collect();
        numbers.is_sorted()
    };
    assert!(in_order(chosen(1).train()) && in_order(chosen(1).validation()));
}

#[test]
fn what_cannot_be_split() {
    let nobody = vec![sample("a", "p1", 0), sample("b", "", 1)];
    let error = Split::by_patient(nobody, 0.5, 0).unwrap_err();
    assert!(matches!(error, CohortError::NoPatient { image_id } if image_id == "b"));
    let twice = vec![sample("a", "p1", 0), sample("a", "p2", 1)];
    assert!(matches!(Split::by_patient(twice, 0.5, 0), Err(CohortError::SharedFilm { .. })));
    let one = vec![sample("a", "p1", 0), sample("b", "p1", 1)];
    assert!(matches!(Split::by_patient(one, 0.5, 0), Err(CohortError::Split { .. })));
    for fraction in [0.0, 1.0, -0.1, f64::NAN] {
        assert!(matches!(Split::by_patient(singles(5, 5), fraction, 0), Err(CohortError::Split { .. })));
    }
    let two = vec![sample("a", "p1", 0), sample("b", "p2", 1)];
    let split = Split::by_patient(two, 0.01, 0).unwrap();
    assert_eq!((split.train().len(), split.validation().len()), (1, 1));
}

#[test]
fn by_year_later_films_of_earlier_patients_are_left_out() {
    let mut dataset = Dataset::new("somewhere");
    for (id, patient, year) in
        [("a", "p1", "2008-08-01"), ("b", "p2", "2016"), ("c", "p2", "2017"), ("d", "p3", "2017-03-04")]
    {
        let mut film = Film::new(id, id, patient, BodyPart::Pelvis, Label::Present);
        film.extra.insert("year".to_owned(), year.to_owned());
        dataset.films.push(film);
    }
    let ids = |dataset: &Dataset| dataset.films.iter().map(|film| film.image_id.clone()).collect::<String>();
    let (mut train, mut test) = (dataset.clone(), dataset.clone());
    train.keep_until_year(2016).unwrap();
    assert_eq!((ids(&train), test.keep_from_year(2017).unwrap(), ids(&test)), ("ab".into(), 1, "d".into()));
    dataset.films[1].extra.insert("year".to_owned(), "spring".to_owned());
    let error = dataset.keep_until_year(2016).unwrap_err().to_string();
    assert!(error.contains("line 3, column `year`: `spring` is not a year"), "{error}");
    dataset.films[1].extra.remove("year");
    let error = dataset.keep_until_year(2016).unwrap_err().to_string();
    assert!(error.contains("line 3, column `year`: `` is not a year, which"), "{error}");
    dataset.films.iter_mut().for_each(|film| film.extra.clear());
    assert!(matches!(dataset.keep_from_year(2017), Err(CohortError::Table(TableError::MissingColumn { .. }))));
}

#[test]
fn the_number_of_a_film_is_in_its_name() {
    assert_eq!(number_in("IMG0002337.v2"), Some(2));
    assert_eq!(number_in("IMG0002337"), Some(2337));
    assert_eq!(number_in("股7é"), Some(7));
    assert_eq!(number_in("none"), None);
}

#[test]
fn a_saved_split_is_the_same_and_is_checked() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("split.csv");
    let films = singles(5, 15);
    let split = Split::by_patient(films.clone(), 0.2, 11).unwrap();
    split.save(&path).unwrap();
    assert_eq!(Split::load(&path, films.clone()).unwrap(), split);

    let load = |text: &str, films: Vec<Sample>| {
        fs::write(&path, text).unwrap();
        Split::load(&path, films).unwrap_err()
    };
    let both = load("image_id,part\na,train\na,validation\n", vec![sample("a", "p1", 0)]);
    assert!(matches!(both, CohortError::SharedFilm { image_id } if image_id == "a"));
    let two = || vec![sample("a", "p1", 0), sample("b", "p1", 1)];
    let shared = load("image_id,part\na,train\nb,validation\n", two());
    assert!(matches!(&shared, CohortError::SharedPatient { patient, .. } if patient == "p1"));
    assert!(!shared.to_string().contains("p1"), "a pseudonym may be a name: {shared}");
    let unnamed = load("image_id,part\na,train\n", two()).to_string();
    assert!(unnamed.contains("does not name film `b`"), "{unnamed}");
    let spelled = load("image_id,part\na,test\n", two()).to_string();
    assert!(spelled.contains("line 2, column `part`: `test` is not train or validation"), "{spelled}");
}

fn films() -> impl Strategy<Value = Vec<Sample>> {
    prop::collection::vec((0_usize..40, 0_usize..3), 2..150).prop_map(|rows| {
        rows.into_iter()
            .enumerate()
            .map(|(i, (patient, target))| sample(&format!("f{i}"), &format!("p{patient}"), target))
            .collect()
    })
}

fn check(split: &Split, all: &[Sample]) -> Result<(), TestCaseError> {
    prop_assert!(patients(split.train()).is_disjoint(&patients(split.validation())));
    prop_assert!(!split.train().is_empty() && !split.validation().is_empty());
    let mut ids: Vec<&str> = split.train().iter().chain(split.validation()).map(|s| s.image_id.as_str()).collect();
    ids.sort_unstable();
    let mut expected: Vec<&str> = all.iter().map(|s| s.image_id.as_str()).collect();
    expected.sort_unstable();
    prop_assert_eq!(ids, expected);
    Ok(())
}

proptest! {
    #[test]
    fn no_split_shares_a_patient(films in films(), fraction in 0.05_f64..0.95, seed: u64) {
        prop_assume!(patients(&films).len() >= 2);
        check(&Split::by_patient(films.clone(), fraction, seed).unwrap(), &films)?;
    }

    #[test]
    fn single_films_are_stratified_to_the_film(present in 3_usize..60, absent in 3_usize..60, fraction in 0.2_f64..0.8, seed: u64) {
        let split = Split::by_patient(singles(present, absent), fraction, seed).unwrap();
        for (target, n) in [(1, present), (0, absent)] {
            let owed = fraction * n as f64;
            let chosen = count(split.validation(), target) as f64;
            prop_assert!((chosen - owed).abs() <= 0.5 + 1e-9, "{} of {}", chosen, owed);
        }
    }

    #[test]
    fn folds_cover_every_film_once(films in films(), k in 2_usize..6, seed: u64) {
        prop_assume!(patients(&films).len() >= k);
        let folds = Split::folds(&films, k, seed).unwrap();
        let mut seen: BTreeMap<&str, usize> = BTreeMap::new();
        for fold in &folds {
            check(fold, &films)?;
            fold.validation().iter().for_each(|film| *seen.entry(&film.image_id).or_default() += 1);
        }
        prop_assert_eq!(seen.len(), films.len());
        prop_assert!(seen.values().all(|&n| n == 1));
    }

    #[test]
    fn folds_of_single_films_are_even(present in 5_usize..50, absent in 5_usize..50, seed: u64) {
        let folds = Split::folds(&singles(present, absent), 5, seed).unwrap();
        for target in [0, 1] {
            let counts: Vec<usize> = folds.iter().map(|fold| count(fold.validation(), target)).collect();
            prop_assert!(counts.iter().max().unwrap() - counts.iter().min().unwrap() <= 1, "{:?}", counts);
        }
    }
}
