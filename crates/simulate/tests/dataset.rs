//! The dataset writer: read back by `coxa_cohort`, safe to kill, valid DICOM.

use std::fs;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::sync::Mutex;

use coxa_cohort::{Dataset, Target, samples};
use coxa_schema::{BodyPart, FractureType, Label};
use coxa_simulate::datasets::{DatasetSpec, FilmFormat, FilmSet, FilmsPerPatient, Proportions, write};
use coxa_simulate::{Domain, FilmOptions, SimulateError, limb, pelvis};

fn small(what: FilmSet, format: FilmFormat, n: usize) -> DatasetSpec {
    DatasetSpec { what, format, n, size: 96, seed: 5, ..DatasetSpec::default() }
}

#[test]
fn a_pelvic_dataset_is_read_back_as_it_was_written() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path().join("set");
    let numbers = Mutex::new(Vec::new());
    let written =
        write(&folder, &small(FilmSet::Pelvis, FilmFormat::Png, 12), &|n| numbers.lock().unwrap().push(n)).unwrap();
    let mut numbers = numbers.into_inner().unwrap();
    numbers.sort_unstable();
    assert_eq!(numbers, (1..=12).collect::<Vec<_>>());
    let read = Dataset::load(&folder).unwrap();
    assert_eq!(read, written);
    read.verify().unwrap();
    let count = |kind| read.films.iter().filter(|f| f.fracture_type == Some(kind)).count();
    assert_eq!(
        [count(FractureType::None), count(FractureType::FemoralNeck), count(FractureType::Trochanteric)],
        [6, 3, 3]
    );
    assert!(!read.truth.is_empty());
    for truth in &read.truth {
        let film = read.film(&truth.image_id).unwrap();
        let image = coxa_imaging::read(&read.image_path(film)).unwrap();
        assert_eq!(film.label, Label::Present);
        assert!(truth.x >= 0.0 && truth.x + truth.width <= image.width() as f32 + 0.11, "{truth:?}");
        assert!(truth.y >= 0.0 && truth.y + truth.height <= image.height() as f32 + 0.11, "{truth:?}");
    }
    let (rows, classes) = samples(&read, &Target::Fracture).unwrap();
    assert_eq!((rows.len(), classes.len()), (12, 2));
}

#[test]
fn limbs_come_in_equal_numbers() {
    let folder = tempfile::tempdir().unwrap();
    let set = write(&folder.path().join("limbs"), &small(FilmSet::Limbs, FilmFormat::Png, 10), &|_| {}).unwrap();
    for part in BodyPart::PAPER_LIMBS {
        assert_eq!(set.films.iter().filter(|f| f.body_part == part).count(), 2, "{part}");
    }
    let (rows, classes) = samples(&set, &Target::BodyPart).unwrap();
    assert_eq!((rows.len(), classes.len()), (10, 5));
}

#[test]
fn an_interrupted_run_leaves_no_manifest_and_is_resumed() {
    let folder = tempfile::tempdir().unwrap();
    let (whole, broken) = (folder.path().join("whole"), folder.path().join("broken"));
    let spec = small(FilmSet::Limbs, FilmFormat::Png, 8);
    write(&whole, &spec, &|_| {}).unwrap();
    let interrupted = catch_unwind(AssertUnwindSafe(|| write(&broken, &spec, &|n| assert!(n < 4, "interrupted"))));
    assert!(interrupted.is_err());
    assert!(!broken.join("manifest.csv").exists());
    assert!(fs::read_dir(broken.join("images")).unwrap().count() >= 3);
    // The remains of a half-written film are removed.
    fs::write(broken.join("images/.S0000007.png.1-0.partial"), b"half").unwrap();
    let other = DatasetSpec { seed: 6, ..spec.clone() };
    assert!(matches!(write(&broken, &other, &|_| {}), Err(SimulateError::Occupied { .. })));
    write(&broken, &spec, &|_| {}).unwrap();
    for file in ["manifest.csv", "truth.csv"] {
        assert_eq!(fs::read(whole.join(file)).unwrap(), fs::read(broken.join(file)).unwrap(), "{file}");
    }
    assert_eq!(fs::read_dir(broken.join("images")).unwrap().count(), 8);
    Dataset::load(&broken).unwrap().verify().unwrap();
    assert!(matches!(write(&broken, &spec, &|_| {}), Err(SimulateError::Occupied { .. })), "finished sets stay");
}

#[test]
fn two_simulations_do_not_share_a_folder() {
    let folder = tempfile::tempdir().unwrap();
    let spec = small(FilmSet::Limbs, FilmFormat::Png, 6);
    let second = Mutex::new(None);
    write(folder.path(), &spec, &|done| {
        if done == 1 {
            *second.lock().unwrap() = Some(write(folder.path(), &spec, &|_| {}));
        }
    })
    .unwrap();
    let second = second.into_inner().unwrap().unwrap().unwrap_err();
    assert!(second.to_string().contains("another simulation is writing into it"), "{second}");
}

#[test]
fn dicom_films_are_valid_and_show_what_a_png_shows() {
    let folder = tempfile::tempdir().unwrap();
    let domain = Domain { variation: 0.5, ..Domain::default() };
    for what in [FilmSet::Pelvis, FilmSet::Limbs] {
        let dicom = folder.path().join(format!("{what:?} dicom"));
        let png = folder.path().join(format!("{what:?} png"));
        let spec = DatasetSpec { domain, ..small(what, FilmFormat::Dicom, 5) };
        let set = write(&dicom, &spec, &|_| {}).unwrap();
        let twin = write(&png, &DatasetSpec { format: FilmFormat::Png, ..spec }, &|_| {}).unwrap();
        for (film, other) in set.films.iter().zip(&twin.films) {
            let a = coxa_imaging::read(&set.image_path(film)).unwrap();
            let b = coxa_imaging::read(&twin.image_path(other)).unwrap();
            assert_eq!((a.width(), a.height()), (b.width(), b.height()));
            let worst = a.pixels().iter().zip(b.pixels()).map(|(x, y)| (x - y).abs()).fold(0.0, f32::max);
            assert!(worst <= 1.01, "{}: the two differ by {worst}", film.image_id);
            check_conformance(&set.image_path(film));
        }
    }
}

/// Checks a file with dciodvfy, where it is installed.
fn check_conformance(path: &Path) {
    let Some(mut dciodvfy) = coxa_testing::tool("dciodvfy") else { return };
    let output = dciodvfy.arg(path).output().unwrap();
    let text = String::from_utf8_lossy(&output.stderr).into_owned() + &String::from_utf8_lossy(&output.stdout);
    let errors: Vec<&str> = text.lines().filter(|line| line.starts_with("Error")).collect();
    assert!(errors.is_empty(), "{}: {errors:#?}", path.display());
}

#[test]
fn pairs_differ_in_the_fracture_alone() {
    let folder = tempfile::tempdir().unwrap();
    let spec = DatasetSpec { patients: FilmsPerPatient::Pairs, ..small(FilmSet::Pelvis, FilmFormat::Png, 6) };
    let dataset = write(&folder.path().join("pairs"), &spec, &|_| ()).unwrap();
    assert_eq!((dataset.films.len(), dataset.truth.len()), (6, 3));
    for without in dataset.films.iter().filter(|film| film.label == Label::Absent) {
        let others = dataset.films.iter().filter(|film| film.patient == without.patient && film.label != Label::Absent);
        let [with] = others.collect::<Vec<_>>()[..] else { panic!("a film with and one without a fracture") };
        assert_eq!((without.age, without.sex), (with.age, with.sex));
        let [a, b] = [without, with].map(|film| coxa_imaging::read(&dataset.image_path(film)).unwrap());
        assert_eq!((a.width(), a.height()), (b.width(), b.height()));
        // Most of the film is the same: the fracture moves a leg at most.
        let same = a.pixels().iter().zip(b.pixels()).filter(|(a, b)| (*a - *b).abs() < 24.0).count();
        assert!(same * 2 > a.pixels().len() && a.pixels() != b.pixels(), "{same} of {}", a.pixels().len());
    }
    let odd = DatasetSpec { n: 7, ..spec.clone() };
    assert!(write(&folder.path().join("odd"), &odd, &|_| ()).unwrap_err().to_string().contains("even number"));
    let limbs = DatasetSpec { what: FilmSet::Limbs, ..spec };
    assert!(write(&folder.path().join("limbs"), &limbs, &|_| ()).is_err());
}

/// Burned In Annotation (0028,0301) of a file.
fn burned_in_annotation(path: &Path) -> String {
    let bytes = fs::read(path).unwrap();
    let at = bytes.windows(6).position(|window| window == [0x28, 0, 1, 3, b'C', b'S']).unwrap();
    let length = usize::from(bytes[at + 6]);
    String::from_utf8(bytes[at + 8..at + 8 + length].to_vec()).unwrap().trim().to_owned()
}

#[test]
fn dicom_films_declare_burned_in_text_exactly_where_there_is_some() {
    let folder = tempfile::tempdir().unwrap();
    for (what, clutter) in [(FilmSet::Pelvis, 1.0), (FilmSet::Limbs, 1.0), (FilmSet::Pelvis, 0.0)] {
        let domain = Domain { clutter, ..Domain::default() };
        let spec = DatasetSpec { domain, ..small(what, FilmFormat::Dicom, 15) };
        let set = write(&folder.path().join(format!("{what:?} {clutter}")), &spec, &|_| {}).unwrap();
        let options = FilmOptions { size: spec.size, domain, ..FilmOptions::default() };
        let mut declared = 0;
        for (i, film) in (0..).zip(&set.films) {
            // Text is drawn independently of the class.
            let drawn = match what {
                FilmSet::Pelvis => pelvis(spec.seed, i, &options),
                FilmSet::Limbs => limb(spec.seed, i, &film.body_part, &options),
            };
            let expected = if drawn.truth.burned_in_text { "YES" } else { "NO" };
            assert_eq!(burned_in_annotation(&set.image_path(film)), expected, "{}", film.image_id);
            declared += usize::from(drawn.truth.burned_in_text);
        }
        assert_eq!(declared > 0, clutter > 0.0);
        assert!(declared < set.films.len());
    }
}

#[test]
fn proportions_are_kept() {
    let folder = tempfile::tempdir().unwrap();
    let proportions = Proportions { normal: 0.0, femoral_neck: 1.0, trochanteric: 0.0, subtrochanteric: 0.0 };
    let spec = DatasetSpec { proportions, ..small(FilmSet::Pelvis, FilmFormat::Png, 2) };
    let set = write(&folder.path().join("neck"), &spec, &|_| {}).unwrap();
    assert!(set.films.iter().all(|f| f.fracture_type == Some(FractureType::FemoralNeck)));
}
