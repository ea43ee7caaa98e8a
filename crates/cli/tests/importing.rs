//! `import`, and a simulated hospital on the way through it.

use std::fs;

use crate::*;

#[test]
fn a_hospital_is_simulated_and_collected() {
    let folder = tempfile::tempdir().unwrap();
    let (hospital, cohort) = (folder.path().join("hospital"), folder.path().join("cohort"));
    succeed(&run(&["simulate", "cohort", "--n", "40", "--size", "256", "--format", "png", "--out", text(&hospital)]));
    let registry = hospital.join("registry.csv");
    let films = hospital.join("films.csv");
    succeed(&run(&["import", "registry", text(&registry), "--films", text(&films), "--out", text(&cohort)]));
    assert!(fs::read_to_string(cohort.join("manifest.csv")).unwrap().lines().count() > 10);
    // What is simulated stays called so on the way through registry and import, and the flow begins at the registry.
    let (bundle, out) = (untrained_bundle(folder.path()), folder.path().join("report"));
    let of_2012 = ["--from-year", "2012", "--no-subgroups"];
    let report = ["report", "--data", text(&cohort), "--model", text(&bundle), "--out", text(&out)];
    succeed(&run(&[&report[..], &of_2012[..]].concat()));
    let page = fs::read_to_string(out.join("index.html")).unwrap();
    assert!(page.contains("All figures on this page come from simulated films."));
    let late = fs::read_to_string(out.join("predictions.csv")).unwrap();
    assert!(
        late.lines().skip(1).all(|line| line.rsplit(',').nth(2).unwrap().parse::<u32>().unwrap() >= 2012),
        "{late}"
    );
    assert!(out.join("localization.json").is_file(), "the hospital's films have boxes");
    // Another bundle's report of all years begins at the registry.
    let whole = folder.path().join("whole");
    succeed(&run(&["report", "--data", text(&cohort), "--model", text(&bundle), "--out", text(&whole)]));
    assert!(fs::read_to_string(whole.join("index.html")).unwrap().contains("injuries in the registry"));
}

#[test]
fn an_import_refuses_what_cannot_be_read_and_notes_names() {
    let folder = tempfile::tempdir().unwrap();
    let films = folder.path().join("films");
    succeed(&run(&["simulate", "pelvis", "--n", "3", "--size", "256", "--out", text(&films)]));
    let from = folder.path().join("from/normal");
    fs::create_dir_all(&from).unwrap();
    let mut files: Vec<Vec<u8>> =
        fs::read_dir(films.join("images")).unwrap().map(|f| fs::read(f.unwrap().path()).unwrap()).collect();
    let n = files[0].len();
    files[0].truncate(n - 100);
    let at = files[1].windows(14).position(|bytes| bytes == b"SIMULATED^FILM").unwrap();
    files[1][at..at + 14].copy_from_slice(b"Someone^Anyone");
    for (i, bytes) in files.iter().enumerate() {
        fs::write(from.join(format!("{i}.dcm")), bytes).unwrap();
    }
    let set = folder.path().join("set");
    let from = folder.path().join("from");
    let output = run(&["import", "folders", text(&from), "--names", "labels", "--each-film", "--out", text(&set)]);
    assert_eq!(output.status.code(), Some(1));
    let message = errors(&output);
    assert!(message.contains("0.dcm: ") && message.contains("truncated"), "{message}");
    assert!(
        message.contains("note: 1 of the files holds its patient's name") && !message.contains("Someone"),
        "{message}"
    );
    assert!(String::from_utf8(output.stdout).unwrap().contains("2 films"));
}

#[test]
fn a_review_labels_what_the_codes_leave_open() {
    let folder = tempfile::tempdir().unwrap();
    let films = folder.path().join("films");
    simulate("pelvis", 2, &films);
    let at = |name: &str| folder.path().join(name);
    // 820.8: a hip fracture of unspecified kind, which a person must review.
    fs::write(
        at("registry.csv"),
        "patient,injury_date,diagnosis,admitted\nP1,2014-05-05,820.8,1\nP2,2014-05-06,820.21,1\n",
    )
    .unwrap();
    let path = |i: usize| films.join(format!("images/S000000{i}.png"));
    let rows = [("P1", "2014-05-05", path(0)), ("P2", "2014-05-06", path(1))]
        .map(|(patient, day, path)| format!("{patient},{day},AP,{}\n", path.display()));
    fs::write(at("films.csv"), format!("patient,film_date,view,path\n{}", rows.concat())).unwrap();
    let import = |out: &str, more: &[&str]| {
        let (registry, films, out) = (at("registry.csv"), at("films.csv"), at(out));
        let arguments = ["import", "registry", text(&registry), "--films", text(&films), "--out", text(&out)];
        let output = run(&[&arguments[..], more].concat());
        succeed(&output);
        (errors(&output), fs::read_to_string(out.join("manifest.csv")).unwrap())
    };
    let (open, manifest) = import("open", &[]);
    assert!(open.contains("1 films have no label yet") && manifest.contains("review:"), "{open}{manifest}");
    fs::write(at("reviewed.csv"), "patient,injury_date,label\nP1,2014-05-05,0\n").unwrap();
    let (closed, manifest) = import("closed", &["--reviewed", text(&at("reviewed.csv"))]);
    assert!(!closed.contains("no label yet") && !manifest.contains("review:"), "{closed}{manifest}");
}
