//! Folders: the same bytes whatever the threads, resumed, refused with another key; the linking table; verification.

use std::fs;
use std::path::{Path, PathBuf};

use coxa_deidentify::{
    Deidentifier, DeidentifyError, FilmOutcome, Key, Line, LinkTable, Opener, ProfileOption, Seal, Settings, Verifier,
    Words, deidentify_files, identifiers_in, inputs,
};

use crate::film::*;

fn films(folder: &Path) -> Vec<PathBuf> {
    fs::create_dir_all(folder.join("Quisling Zebedee")).unwrap();
    for n in 0..5 {
        let film = simulated(&format!("ID77889{}", n / 2), &format!("seed {n}"));
        fs::write(folder.join("Quisling Zebedee").join(format!("Quisling {n}.dcm")), film).unwrap();
    }
    fs::write(folder.join("again.dcm"), simulated("ID778890", "seed 0")).unwrap();
    fs::write(folder.join("cut.dcm"), &simulated("ID778890", "seed 9")[..5000]).unwrap();
    fs::write(folder.join("letter.txt"), "Dear colleague").unwrap();
    inputs(&[folder.to_owned()], &folder.join("out")).unwrap()
}

fn run(files: &[PathBuf], out: &Path, threads: usize) -> (Vec<Line>, usize) {
    let mut lines = Vec::new();
    let withheld = deidentify_files(&deidentifier(), files, into(out), threads, None, |line| {
        lines.push(line);
        Ok(())
    });
    (lines, withheld.unwrap())
}

fn contents(folder: &Path) -> Vec<(String, Vec<u8>)> {
    let mut found = coxa_files::find::films_below(folder).films;
    found.sort();
    found
        .iter()
        .map(|file| (file.strip_prefix(folder).unwrap().display().to_string(), fs::read(file).unwrap()))
        .collect()
}

#[test]
fn threads_change_nothing_and_nothing_names_the_input() {
    let folder = tempfile::tempdir().unwrap();
    let files = films(folder.path());
    let outs = ["one", "two"].map(|name| folder.path().join("out").join(name));
    let (lines, withheld) = run(&files, &outs[0], 1);
    let (reversed, _) = run(&files.iter().rev().cloned().collect::<Vec<_>>(), &outs[1], 4);
    assert_eq!((lines.len(), withheld, reversed.len()), (8, 2, 8));
    assert_eq!(contents(&outs[0]), contents(&outs[1]));
    assert_eq!(contents(&outs[0]).len(), 5);
    let receipts = lines.iter().map(|line| serde_json::to_string(line).unwrap()).collect::<Vec<_>>().join("\n");
    for identifier in ["Quisling", "ID77889", "again", "letter"] {
        assert!(!receipts.contains(identifier), "{identifier}");
        assert!(contents(&outs[0]).iter().all(|(name, bytes)| !name.contains(identifier) && !holds(bytes, identifier)));
    }
    assert!(receipts.contains(r#"{"serial":8,"status":"withheld","reason":"it is not a DICOM file"#), "{receipts}");
    let again = run(&files, &outs[0], 2).0;
    let is_new = |line: &&Line| matches!(line.outcome, FilmOutcome::Deidentified { .. });
    assert_eq!((lines.iter().filter(is_new).count(), again.iter().filter(is_new).count()), (5, 0));
}

#[test]
fn a_report_that_cannot_be_written_ends_the_run() {
    let folder = tempfile::tempdir().unwrap();
    let files = films(folder.path());
    let out = folder.path().join("out");
    let full = |_: Line| Err(std::io::Error::other("no room"));
    let error = deidentify_files(&deidentifier(), &files, into(&out), 3, None, full).unwrap_err();
    assert!(matches!(error, DeidentifyError::Io { .. }), "{error}");
    // What the threads were ahead is not written, and the next run does it.
    assert!(contents(&out).len() <= 1);
    assert_eq!(run(&files, &out, 64).0.len(), files.len());
    assert_eq!(contents(&out).len(), 5);
}

#[test]
fn another_key_other_options_and_foreign_folders_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let files = films(folder.path());
    let out = folder.path().join("out");
    run(&files, &out, 2);
    let tried = |key: u8, options: &[ProfileOption], out: &Path| {
        let settings = Settings { options: options.iter().copied().collect(), ..Settings::default() };
        let deidentifier = Deidentifier::new(Key::from_bytes([key; 32]), settings);
        deidentify_files(&deidentifier, &files, into(out), 1, None, |_| Ok(())).unwrap_err()
    };
    assert!(matches!(tried(43, &ProfileOption::DEFAULT, &out), DeidentifyError::OtherKey { .. }));
    assert!(matches!(tried(42, &[], &out), DeidentifyError::OtherOptions { .. }));
    assert!(matches!(tried(42, &[], folder.path()), DeidentifyError::ForeignFolder { .. }));
}

#[test]
fn two_films_with_one_uid_and_other_contents_are_not_both_written() {
    let folder = tempfile::tempdir().unwrap();
    for (name, view) in [("a.dcm", &b"AP"[..]), ("b.dcm", b"PA")] {
        fs::write(folder.path().join(name), film(&[element((0x18, 0x5101), "CS", view)])).unwrap();
    }
    let files = inputs(&[folder.path().to_owned()], &folder.path().join("out")).unwrap();
    let (lines, withheld) = run(&files, &folder.path().join("out"), 2);
    assert_eq!(withheld, 1);
    assert!(
        matches!(&lines[1].outcome, FilmOutcome::Withheld { reason, .. } if reason.contains("same SOP Instance UID"))
    );
}

#[test]
fn the_linking_table_knows_what_verification_looks_for() {
    let folder = tempfile::tempdir().unwrap();
    let files = films(folder.path());
    let (out, link) = (folder.path().join("out"), folder.path().join("link.age"));
    let phrase = "correct horse battery";
    let mut table = LinkTable::new(&link, Seal::passphrase(phrase).unwrap()).unwrap();
    deidentify_files(&deidentifier(), &files, into(&out), 2, Some(&mut table), |_| Ok(())).unwrap();
    table.write(&link).unwrap();
    let known = identifiers_in(&link, &Opener::passphrase(phrase)).unwrap();
    assert!(known.iter().any(|value| value == "ID778891"));
    let key = || Some(Key::from_bytes([42; 32]));
    for key in [None, key()] {
        let verifier = Verifier::new(&out, key, Words::default(), &known).unwrap();
        assert_eq!(verifier.folder(&out, |_| Ok(())).unwrap(), 0);
    }
    let other = Some(Key::from_bytes([43; 32]));
    assert!(matches!(Verifier::new(&out, other, Words::default(), &[]), Err(DeidentifyError::OtherKey { .. })));
    assert!(matches!(
        Verifier::new(folder.path(), None, Words::default(), &[]),
        Err(DeidentifyError::ForeignFolder { .. })
    ));
    // What a person might put there by mistake.
    fs::write(out.join("ID778891.dcm"), simulated("ID778891", "seed 3")).unwrap();
    let verifier = Verifier::new(&out, key(), Words::default(), &known).unwrap();
    let mut findings = Vec::new();
    let wrong = verifier.folder(&out, |verdict| {
        findings.extend(verdict.findings);
        Ok(())
    });
    assert_eq!(wrong.unwrap(), 1);
    let findings = findings.join("\n");
    for expected in ["PatientName", "known identifiers are in its bytes", "in its name"] {
        assert!(findings.contains(expected), "{findings}");
    }
    assert!(!findings.contains("778891"));
}

#[test]
fn verification_finds_what_is_added_to_a_film() {
    let folder = tempfile::tempdir().unwrap();
    let files = films(folder.path());
    let out = folder.path().join("out");
    run(&files, &out, 2);
    let verifier = Verifier::new(&out, None, Words::default(), &[]).unwrap();
    let good = contents(&out).swap_remove(0).1;
    assert_eq!(verifier.film(&good), Vec::<String>::new());
    let mut preamble = good.clone();
    preamble[..4].copy_from_slice(b"DOE^");
    let inserted = |new: Vec<u8>, before: &[u8]| {
        let at = good.windows(before.len()).position(|window| window == before).unwrap();
        [&good[..at], &new, &good[at..]].concat()
    };
    for (name, bytes, expected) in [
        ("preamble", preamble, "preamble"),
        ("private", inserted(element((9, 0x10), "LO", b"Quisling"), b"\x10\0\x10\0PN"), "private"),
        ("address", inserted(element((0x10, 0x1040), "LO", b"12 Elmtree"), b"\x12\0\x62\0CS"), "PatientAddress"),
        ("comment", inserted(element((0x10, 0x4000), "LT", b"hip Elmtree"), b"\x12\0\x62\0CS"), "PatientComments"),
        ("padding", [good.clone(), vec![0; 8]].concat(), "padding"),
        ("cut", good[..good.len() - 9].to_vec(), "truncated"),
    ] {
        let findings = verifier.film(&bytes).join("\n");
        assert!(findings.contains(expected), "{name}: {findings}");
    }
}
