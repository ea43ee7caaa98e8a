//! `coxa simulate` as its user calls it: pairs of films, bones of the user's own, and what is refused.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Output;

use coxa_cohort::{Dataset, Film};

use crate::{run, succeed, text};

/// Simulates small PNGs of this kind into `out`.
fn simulate(kind: &str, out: &Path, more: &[&str]) -> Output {
    run(&[&["simulate", kind, "--size", "96", "--format", "png", "--out", text(out)][..], more].concat())
}

fn message(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).unwrap()
}

/// A cube of 40 mm around the origin, as an OBJ file.
fn cube(path: PathBuf) {
    let corners = (0..8).map(|i| {
        let side = |bit: i32| if i >> bit & 1 == 1 { 20 } else { -20 };
        format!("v {} {} {}\n", side(0), side(1), side(2))
    });
    let faces = "f 1 5 7 3\nf 2 4 8 6\nf 1 2 6 5\nf 3 7 8 4\nf 1 3 4 2\nf 5 6 8 7\n";
    fs::write(path, corners.collect::<String>() + faces).unwrap();
}

#[test]
fn pairs_are_known_by_their_patient_alone() {
    let folder = tempfile::tempdir().unwrap();
    let [first, again, odd] = ["first", "again", "odd"].map(|name| folder.path().join(name));
    let asked = ["--pairs", "--n", "24", "--seed", "5", "--shares", "0,0.5,0.5"];
    succeed(&simulate("pelvis", &first, &asked));
    succeed(&simulate("pelvis", &again, &asked));
    for table in ["manifest.csv", "truth.csv"] {
        assert_eq!(fs::read(first.join(table)).unwrap(), fs::read(again.join(table)).unwrap(), "{table}");
    }
    let set = Dataset::load(&first).unwrap();
    set.verify().unwrap();
    assert!(set.films.iter().map(|film| &film.image_id).is_sorted());
    let mut patients: BTreeMap<&str, Vec<(usize, &Film)>> = BTreeMap::new();
    for (i, film) in set.films.iter().enumerate() {
        patients.entry(&film.patient).or_default().push((i, film));
    }
    assert_eq!(patients.len(), 12);
    let fractured = |film: &Film| film.label == coxa_schema::Label::Present;
    let (mut parities, mut orders, mut neighbors) = (Vec::new(), Vec::new(), 0);
    for (patient, films) in &patients {
        let [(i, a), (j, b)] = films[..] else { panic!("{patient} has {} films", films.len()) };
        assert_ne!(fractured(a), fractured(b), "{patient}");
        assert_eq!((a.age, a.sex, &a.extra["hardware"]), (b.age, b.sex, &b.extra["hardware"]));
        parities.push(if fractured(a) { i } else { j } % 2);
        orders.push(fractured(a));
        neighbors += usize::from(j == i + 1);
    }
    assert!(parities.contains(&0) && parities.contains(&1), "an id's parity tells the class");
    assert!(orders.contains(&true) && orders.contains(&false), "the order of a pair tells the class");
    assert!(neighbors < 6, "{neighbors} of 12 pairs are neighbors");
    let refused = simulate("pelvis", &odd, &["--pairs", "--n", "7"]);
    assert_eq!(refused.status.code(), Some(2));
    assert!(message(&refused).contains("an even number of pelvic films") && !odd.exists(), "{}", message(&refused));
}

#[test]
fn bones_from_a_folder_replace_the_built_in_ones() {
    let folder = tempfile::tempdir().unwrap();
    let [bones, own, built_in] = ["bones", "own", "built in"].map(|name| folder.path().join(name));
    fs::create_dir(&bones).unwrap();
    cube(bones.join("talus.obj"));
    cube(bones.join("skull.obj"));
    let output = simulate("limbs", &own, &["--n", "10", "--anatomy", text(&bones)]);
    succeed(&output);
    let notes: Vec<String> =
        message(&output).lines().filter(|line| line.starts_with("note: ")).map(str::to_owned).collect();
    assert!(notes.len() == 1 && notes[0].ends_with("skull.obj") && !notes[0].contains("talus"), "{notes:?}");
    succeed(&simulate("limbs", &built_in, &["--n", "10"]));
    let [own, built_in] = [own, built_in].map(|folder| Dataset::load(&folder).unwrap());
    for (a, b) in own.films.iter().zip(&built_in.films) {
        let has_talus = ["ankle", "foot"].contains(&a.body_part.as_str());
        assert_eq!((&a.body_part, a.sha256 != b.sha256), (&b.body_part, has_talus));
    }
}

#[test]
fn bones_that_cannot_be_used_are_refused_before_anything_is_written() {
    let folder = tempfile::tempdir().unwrap();
    let [bones, out] = ["bones", "out"].map(|name| folder.path().join(name));
    fs::create_dir(&bones).unwrap();
    let refused = |expected: &[&str]| {
        let output = simulate("pelvis", &out, &["--n", "2", "--anatomy", text(&bones)]);
        assert_eq!(output.status.code(), Some(1));
        let lines = message(&output);
        let errors: Vec<&str> = lines.lines().filter(|line| !line.starts_with("note: ")).collect();
        assert_eq!(errors.len(), expected.len(), "{errors:?}");
        for (line, part) in errors.iter().zip(expected) {
            assert!(line.contains(part), "{line}");
        }
        assert!(!out.exists());
    };
    refused(&["no bone surface found", "hint: name files after bones"]);
    fs::write(bones.join("femur_l.obj"), "v 1 2 3\nv 1 2 x\n").unwrap();
    refused(&["femur_l.obj, line 2: "]);
    cube(bones.join("femur_l.obj"));
    refused(&["has no head, neck and shaft", "hint: give the whole proximal femur"]);
}

#[test]
fn a_dataset_is_never_overwritten() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("films");
    succeed(&simulate("pelvis", &out, &["--n", "2"]));
    let manifest = fs::read(out.join("manifest.csv")).unwrap();
    for kind in ["pelvis", "limbs", "cohort"] {
        let output = simulate(kind, &out, &["--n", "2"]);
        assert_eq!(output.status.code(), Some(1));
        let lines = message(&output);
        assert!(lines.starts_with("error: ") && lines.contains("\nhint: name a new folder"), "{lines}");
    }
    assert_eq!(fs::read(out.join("manifest.csv")).unwrap(), manifest);
}

#[test]
fn a_check_without_real_films_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let (real, out) = (folder.path().join("real"), folder.path().join("out"));
    fs::create_dir(&real).unwrap();
    let check =
        |more: &[&str]| run(&[&["simulate", "check", "--real", text(&real), "--out", text(&out)][..], more].concat());
    let none = check(&[]);
    assert_eq!(none.status.code(), Some(1));
    assert!(message(&none).contains("no frontal film of a hip without a fracture"), "{}", message(&none));
    assert_eq!(check(&["--variation", "2"]).status.code(), Some(2));
    assert!(!out.exists());
}
