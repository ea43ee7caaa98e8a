//! Manifests and truth tables: what is written is read back, and every mistake is named with its file, row and value.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use coxa_cohort::{CohortError, Dataset, Film, Target, TruthBox, samples};
use coxa_files::TableError;
use coxa_schema::{BodyPart, FractureType, Label, Sex, Side};
use proptest::prelude::*;

pub(crate) fn manifest(folder: &Path, rows: &str) {
    fs::create_dir_all(folder.join("images")).unwrap();
    for name in ["a.png", "b.png", "c.png"] {
        fs::write(folder.join("images").join(name), name).unwrap();
    }
    let header = "image_id,path,sha256,patient,body_part,label,fracture_type,side,age,sex,excluded,reason,scanner\n";
    fs::write(folder.join("manifest.csv"), format!("{header}{rows}")).unwrap();
}

fn error_of(rows: &str) -> String {
    let folder = tempfile::tempdir().unwrap();
    manifest(folder.path(), rows);
    let error = Dataset::load(folder.path()).unwrap_err().to_string();
    error.replace(&folder.path().display().to_string(), "DIR")
}

#[test]
fn a_manifest_is_read() {
    let folder = tempfile::tempdir().unwrap();
    manifest(
        folder.path(),
        "a,images/a.png,,p1,Pelvis,1,femoral_neck,left,81.5,F,0,,X1\n\
         b,images/b.png,,p2,pelvis,absent,,,,,,,X2\n\
         c,images/c.png,,p3,knee,,,,,,1,poor contrast,\n",
    );
    let dataset = Dataset::load(folder.path()).unwrap();
    let a = &dataset.films[0];
    assert_eq!((a.label, a.fracture_type, a.side), (Label::Present, Some(FractureType::FemoralNeck), Some(Side::Left)));
    assert_eq!((a.age, a.sex, a.body_part.clone()), (Some(81.5), Some(Sex::Female), BodyPart::Pelvis));
    assert_eq!(a.extra, BTreeMap::from([("scanner".to_owned(), "X1".to_owned())]));
    assert_eq!(dataset.films[1].label, Label::Absent);
    assert!(dataset.films[2].excluded);
    assert!(dataset.image_path(a).ends_with("images/a.png"));
    assert!(dataset.truth.is_empty());
}

#[test]
fn every_mistake_names_its_row_and_value() {
    let good = "a,images/a.png,,p1,pelvis,1,,,,,,,\n";
    let hash = "0".repeat(64);
    let cases = [
        (
            format!("{good}b,images/b.png,,p2,pelvis,maybe,,,,,,,\n"),
            "DIR/manifest.csv, line 3, column `label`: `maybe` is not a label",
        ),
        (
            format!("{good}a,images/b.png,,p2,pelvis,0,,,,,,,\n"),
            "DIR/manifest.csv, line 3: image_id `a` is already on line 2",
        ),
        (
            format!("a,images/a.png,{hash},p1,pelvis,1,,,,,,,\n\nb,images/b.png,{hash},p2,pelvis,0,,,,,,,\n"),
            "line 4: sha256 `0000",
        ),
        (
            format!("{good}b,images/a.png,,p2,pelvis,0,,,,,,,\n"),
            "DIR/manifest.csv, line 3: path `images/a.png` is already on line 2",
        ),
        (
            format!("{good}b,images/no.png,,p2,pelvis,0,,,,,,,\n"),
            "DIR/manifest.csv, line 3: the file `images/no.png` does not exist",
        ),
        ("a,images/a.png,abc,p1,pelvis,1,,,,,,,\n".to_owned(), "column `sha256`: `abc` is not 64 hexadecimal digits"),
        ("a,images/a.png,,p1,pelvis,1,shaft,,,,,,\n".to_owned(), "column `fracture_type`: `shaft` is not a kind"),
        ("a,images/a.png,,p1,pelvis,1,,both,,,,,\n".to_owned(), "column `side`: `both` is not a side"),
        ("a,images/a.png,,p1,pelvis,1,,,131,,,,\n".to_owned(), "column `age`: `131` is not an age"),
        ("a,images/a.png,,p1,pelvis,1,,,NaN,,,,\n".to_owned(), "column `age`: `NaN` is not an age"),
        ("a,images/a.png,,p1,pelvis,1,,,,X,,,\n".to_owned(), "column `sex`: `X` is not a sex"),
        ("a,images/a.png,,p1,pelvis,1,,,,,2,,\n".to_owned(), "column `excluded`: `2` is not 0 or 1"),
        (",images/a.png,,p1,pelvis,1,,,,,,,\n".to_owned(), "line 2, column `image_id`: `` is not the film's name"),
        ("a,../a.png,,p1,pelvis,1,,,,,,,\n".to_owned(), "column `path`: `../a.png` is not a path without `..`"),
        (
            "a,images/a.png,,p1,pelvis,0,trochanteric,,,,,,\n".to_owned(),
            "`a`: label 0 (no fracture) but fracture_type trochanteric",
        ),
        ("a,images/a.png,,p1,pelvis,1,none,,,,,,\n".to_owned(), "`a`: label 1 (a fracture) but fracture_type none"),
        ("a,images/a.png,,p1\n".to_owned(), "DIR/manifest.csv, line 2: 4 fields where the header has 13"),
    ];
    for (rows, expected) in cases {
        let error = error_of(&rows);
        assert!(error.contains(expected), "`{error}` does not say `{expected}`");
    }
}

#[test]
fn the_truth_must_fit_the_films() {
    let cases = [
        ("x,1,2,3,4,fracture", "DIR/truth.csv, line 2: film `x` is not in the manifest"),
        ("b,1,2,3,4,fracture", "DIR/truth.csv, line 2: `b`: a fracture's box on a film with label 0"),
        ("a,1,2,0,4,fracture", "DIR/truth.csv, line 2, column `width`: `0` is not a size in pixels"),
        ("a,-1,2,3,4,fracture", "column `x`: `-1` is not a pixel coordinate"),
        ("a,1,inf,3,4,fracture", "column `y`: `inf`"),
        ("a,1,2,3,4,", "column `class`: `` is not femoral_neck"),
        ("a,1,2,,4,fracture", "column `width`: ``"),
    ];
    for (row, expected) in cases {
        let folder = tempfile::tempdir().unwrap();
        manifest(folder.path(), "a,images/a.png,,p1,pelvis,1,,,,,,,\nb,images/b.png,,p2,pelvis,0,,,,,,,\n");
        fs::write(folder.path().join("truth.csv"), format!("image_id,x,y,width,height,class\n{row}\n")).unwrap();
        let error = Dataset::load(folder.path()).unwrap_err().to_string();
        let error = error.replace(&folder.path().display().to_string(), "DIR");
        assert!(error.contains(expected), "`{error}` does not say `{expected}`");
    }
}

#[test]
fn a_dataset_that_cannot_be_saved_leaves_the_old_one() {
    let folder = tempfile::tempdir().unwrap();
    manifest(folder.path(), "a,images/a.png,,p1,pelvis,1,,,,,,,\n");
    let before = fs::read(folder.path().join("manifest.csv")).unwrap();
    let mut dataset = Dataset::load(folder.path()).unwrap();
    dataset.films.push(dataset.films[0].clone());
    assert!(matches!(dataset.save(), Err(CohortError::Table(TableError::Duplicate { line: 3, first_line: 2, .. }))));
    assert_eq!(fs::read(folder.path().join("manifest.csv")).unwrap(), before);
    assert!(!folder.path().join("truth.csv").exists());
    let hidden = fs::read_dir(folder.path())
        .unwrap()
        .filter(|entry| entry.as_ref().unwrap().file_name().to_string_lossy().starts_with('.'));
    assert_eq!(hidden.count(), 0);
}

#[test]
fn a_changed_file_is_noticed() {
    let folder = tempfile::tempdir().unwrap();
    manifest(folder.path(), "a,images/a.png,,p1,pelvis,1,,,,,,,\n");
    let mut dataset = Dataset::load(folder.path()).unwrap();
    // NIST's published digest of the three letters "abc".
    fs::write(folder.path().join("images/a.png"), "abc").unwrap();
    let abc = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
    assert_eq!(coxa_files::sha256_of_file(&folder.path().join("images/a.png")).unwrap(), abc);
    dataset.films[0].sha256 = abc.to_owned();
    dataset.verify().unwrap();
    fs::write(folder.path().join("images/a.png"), "abd").unwrap();
    assert!(matches!(dataset.verify(), Err(CohortError::ChangedFile { line: 2, .. })));
}

#[test]
fn training_and_test_sets_share_nothing() {
    let film = |id: &str, patient: &str, content: char| {
        let film = Film::new(id, format!("images/{id}"), patient, BodyPart::Pelvis, Label::Absent);
        Film { sha256: content.to_string().repeat(64), ..film }
    };
    let set = |films: Vec<Film>| Dataset { films, ..Dataset::new("somewhere") };
    let train = set(vec![film("a", "p1", '1'), film("b", "p2", '2')]);
    // Names are a set's own.
    train.check_disjoint(&set(vec![film("b", "p3", '3')])).unwrap();
    assert!(matches!(
        train.check_disjoint(&set(vec![film("c", "p9", '2')])),
        Err(CohortError::SharedFilm { image_id }) if image_id == "c"
    ));
    assert!(matches!(train.check_disjoint(&set(vec![film("c", "p2", '4')])), Err(CohortError::SharedPatient { .. })));
    let unknown = Film { sha256: String::new(), ..film("c", "p3", '5') };
    assert!(matches!(train.check_disjoint(&set(vec![unknown])), Err(CohortError::Io { .. })), "its file is asked");
    let simulated = |content| Film { source: "simulated".to_owned(), ..film("a", "SIM0000000", content) };
    set(vec![simulated('6')]).check_disjoint(&set(vec![simulated('7')])).unwrap();
    assert!(set(vec![simulated('6')]).check_disjoint(&set(vec![simulated('6')])).is_err());
}

#[test]
fn samples_of_each_target() {
    let folder = tempfile::tempdir().unwrap();
    manifest(
        folder.path(),
        "a,images/a.png,,p1,wrist,1,trochanteric,,,,,,X2\nb,images/b.png,,p2,ankle,0,,,,,,,X1\nc,images/c.png,,p3,,,,,,,,,\n",
    );
    let dataset = Dataset::load(folder.path()).unwrap();
    let targets = |target: &Target| {
        let (samples, classes) = samples(&dataset, target).unwrap();
        (samples.iter().map(|sample| sample.target).collect::<Vec<_>>(), classes.join(" "))
    };
    assert_eq!(targets(&Target::Fracture), (vec![1, 0], "absent present".to_owned()));
    assert_eq!(targets(&Target::BodyPart), (vec![1, 0], "ankle wrist".to_owned()));
    assert_eq!(
        targets(&Target::FractureType),
        (vec![2, 0], "none femoral_neck trochanteric subtrochanteric".to_owned())
    );
    assert_eq!(targets(&Target::Column("scanner".to_owned())), (vec![1, 0], "X1 X2".to_owned()));
    let missing = samples(&dataset, &Target::Column("weight".to_owned()));
    assert!(matches!(missing, Err(CohortError::NoSamples { .. })));
}

fn text() -> impl Strategy<Value = String> {
    // Anything that survives trimming: commas, quotes, line breaks inside, other scripts.
    "[a-zA-Z0-9é髖,;\"' \n=+-]{0,12}".prop_map(|text| text.trim().to_owned())
}

prop_compose! {
    fn film(i: usize)(
        patient in text(),
        part in prop::sample::select(vec!["pelvis", "hip", "knee", "clavicle", ""]),
        label in prop::sample::select(vec![Label::Absent, Label::Present, Label::Unknown]),
        neck in any::<bool>(),
        known in any::<bool>(),
        side in prop::option::of(prop::sample::select(vec![Side::Left, Side::Right])),
        age in prop::option::of(0.0_f32..=130.0),
        sex in prop::option::of(prop::sample::select(vec![Sex::Female, Sex::Male, Sex::Other])),
        quality in text(),
        excluded in any::<bool>(),
        reason in text(),
        scanner in text(),
        number in 0_u64..1_000_000,
    ) -> Film {
        let mut film = Film::new(format!("film-{i}"), format!("images/{i}.png"), patient, BodyPart::parse(part), label);
        let kind = match (label, neck) {
            (Label::Absent, _) => FractureType::None,
            (_, true) => FractureType::FemoralNeck,
            (_, false) => FractureType::Trochanteric,
        };
        film.sha256 = format!("{:064x}", i as u64 * 1_000_000 + number);
        film.fracture_type = known.then_some(kind);
        film.side = side;
        film.age = age;
        film.sex = sex;
        film.quality = quality;
        film.excluded = excluded;
        film.reason = reason;
        film.extra = BTreeMap::from([("scanner".to_owned(), scanner)]);
        film
    }
}

fn films() -> impl Strategy<Value = Vec<Film>> {
    (0_usize..12).prop_flat_map(|n| (0..n).map(film).collect::<Vec<_>>())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn what_is_saved_is_loaded(films in films(), edges in prop::collection::vec(0.0_f32..4000.0, 4)) {
        let folder = tempfile::tempdir().unwrap();
        let truth = films
            .iter()
            .filter(|film| film.label == Label::Present)
            .map(|film| TruthBox {
                image_id: film.image_id.clone(),
                x: edges[0],
                y: edges[1],
                width: edges[2] + 0.125,
                height: edges[3] + 0.125,
                class: "fracture".to_owned(),
            })
            .collect();
        let dataset = Dataset { folder: folder.path().join("set"), films, truth };
        dataset.save().unwrap();
        fs::create_dir_all(dataset.folder.join("images")).unwrap();
        for film in &dataset.films {
            fs::write(dataset.image_path(film), "").unwrap();
        }
        let loaded = Dataset::load(&dataset.folder).unwrap();
        prop_assert_eq!(&loaded, &dataset);
        let bytes = fs::read(dataset.folder.join("manifest.csv")).unwrap();
        loaded.save().unwrap();
        prop_assert_eq!(fs::read(dataset.folder.join("manifest.csv")).unwrap(), bytes);
    }
}

#[test]
fn a_box_must_lie_on_its_film() {
    let on = |x: f32, y: f32, width: f32, height: f32| {
        let truth = TruthBox { image_id: "F7".to_owned(), x, y, width, height, class: "fracture".to_owned() };
        truth.check_inside(200, 100)
    };
    assert!(on(0.0, 0.0, 200.0, 100.0).is_ok() && on(-0.4, 10.0, 20.0, 90.9).is_ok());
    let error = on(150.0, 10.0, 90.0, 20.0).unwrap_err().to_string();
    assert!(error.contains("film `F7`: the box at 150,10 of 90×20 does not lie on the film of 200×100"), "{error}");
    assert!(on(10.0, 10.0, 20.0, 95.0).is_err() && on(-5.0, 10.0, 20.0, 20.0).is_err());
}
