//! `model` and `bench`: bundles made of others, and what is measured on them.

use std::fs;
use std::path::Path;

use crate::*;

#[test]
fn every_work_is_measured_as_it_says() {
    for work in ["detect", "localize", "train"] {
        let output =
            run(&["bench", "--only", work, "--size", "64", "--batch", "2", "--runs", "2", "--threads", "1", "--json"]);
        succeed(&output);
        let lines = json_lines(&output);
        assert_eq!(lines.len(), if work == "train" { 2 } else { 3 });
        for line in lines {
            assert_eq!((&line["work"], &line["batch"]), (&work.into(), &2.into()));
            assert_eq!(line["times_ms"].as_array().unwrap().len(), 2);
            assert_eq!(line["share_of_peak"].is_number(), work == "detect");
        }
    }
    assert_eq!(run(&["bench", "--batch", "100000000000"]).status.code(), Some(2));
    let unknown = coxa(&["bench", "--runs", "1"]).env("COXA_ISA", "mmx").output().unwrap();
    assert_eq!(unknown.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&unknown.stderr).contains("COXA_ISA is `mmx`, but this processor has kernels for"));
    let plain = ["bench", "--only", "detect", "--size", "64", "--batch", "1", "--runs", "1", "--threads", "1"];
    let portable = coxa(&plain).env("COXA_ISA", "portable").output().unwrap();
    succeed(&portable);
    assert!(String::from_utf8_lossy(&portable.stdout).contains("kernels: portable"));
}

#[test]
fn a_calibrated_bundle_reads_in_8_bits_without_measuring_again() {
    let folder = tempfile::tempdir().unwrap();
    let bundle = untrained_bundle(folder.path());
    let films = folder.path().join("films");
    simulate("pelvis", 3, &films);
    let calibrated = folder.path().join("calibrated");
    succeed(&run(&["model", "calibrate", text(&bundle), "--data", text(&films), "--out", text(&calibrated)]));
    let read =
        |bundle: &Path| run(&["predict", text(&films), "--model", text(bundle), "--precision", "int8", "--json"]);
    let said = |output: &Output| String::from_utf8_lossy(&output.stderr).contains("has no ranges for 8 bits");
    let (without, with) = (read(&bundle), read(&calibrated));
    succeed(&with);
    assert!(said(&without) && !said(&with));
    assert_eq!(json_lines(&with).len(), 3);
    let card = run(&["model", "info", text(&calibrated)]);
    assert!(String::from_utf8_lossy(&card.stdout).contains("ranges measured on 3 simulated films"));
    // Ranges of other weights are refused.
    let int8 = calibrated.join("int8.json");
    let changed = fs::read_to_string(&int8).unwrap().replacen("\"weights\":\"", "\"weights\":\"0", 1);
    fs::write(&int8, changed).unwrap();
    assert_eq!(read(&calibrated).status.code(), Some(1));
}

#[test]
fn the_mean_of_two_bundles_takes_the_statistics_of_other_films() {
    let folder = tempfile::tempdir().unwrap();
    let bundle = untrained_bundle(folder.path());
    let films = folder.path().join("films");
    simulate("pelvis", 5, &films);
    let [mean, adapted] = ["mean", "adapted"].map(|name| folder.path().join(name));
    succeed(&run(&["model", "average", text(&bundle), text(&bundle), "--out", text(&mean)]));
    let read = |bundle: &Path| {
        let output = run(&["predict", text(&films), "--model", text(bundle), "--json"]);
        succeed(&output);
        json_lines(&output).iter().map(|line| line["probability"].as_f64().unwrap()).collect::<Vec<_>>()
    };
    // A bundle is its own mean.
    assert_eq!(read(&bundle), read(&mean));
    let adapt = |films: &Path, out: &Path| {
        run(&["model", "adapt", text(&mean), "--data", text(films), "--batch", "2", "--out", text(out)])
    };
    let done = adapt(&films, &adapted);
    succeed(&done);
    assert!(String::from_utf8_lossy(&done.stderr).contains("threshold"));
    assert_ne!(read(&mean), read(&adapted));
    let card = run(&["model", "info", text(&adapted)]);
    assert!(String::from_utf8_lossy(&card.stdout).contains("normalization statistics of 5 simulated films"));
    let few = folder.path().join("few");
    simulate("pelvis", 1, &few);
    let refused = adapt(&few, &folder.path().join("none"));
    assert!(!refused.status.success() && String::from_utf8_lossy(&refused.stderr).contains("two films"));
    assert!(!folder.path().join("none").exists());
    assert_eq!(run(&["model", "average", text(&bundle), "--out", text(&adapted)]).status.code(), Some(2));
}

#[test]
fn a_threshold_and_a_window_are_settled_on_labeled_films() {
    let folder = tempfile::tempdir().unwrap();
    let bundle = untrained_bundle(folder.path());
    let films = folder.path().join("films");
    simulate("pelvis", 8, &films);
    let settle = |bundle: &Path, out: &Path, more: &[&str]| {
        let mut args = vec!["model", "settle", text(bundle), "--data", text(&films), "--out", text(out)];
        args.extend(more);
        run(&args)
    };
    let read = |bundle: &Path| {
        let output = run(&["predict", text(&films), "--model", text(bundle), "--any-film", "--json"]);
        succeed(&output);
        json_lines(&output)
    };
    let probabilities =
        |lines: &[Value]| -> Vec<f64> { lines.iter().map(|line| line["probability"].as_f64().unwrap()).collect() };
    let [windows, whole] = ["windows", "whole"].map(|name| folder.path().join(name));
    succeed(&settle(&bundle, &windows, &["--window", "1", "--sensitivity", "1"]));
    let (before, after) = (probabilities(&read(&bundle)), read(&windows));
    // The greatest of the cells is above their mean.
    assert!(before.iter().zip(probabilities(&after)).all(|(mean, greatest)| greatest > *mean));
    let truth = fs::read_to_string(films.join("manifest.csv")).unwrap();
    let is_positive = |line: &Value| {
        let id = Path::new(line["file"].as_str().unwrap()).file_stem().unwrap().to_string_lossy().into_owned();
        truth.lines().find(|row| row.starts_with(&id)).unwrap().split(',').nth(5) == Some("1")
    };
    let called = |line: &&Value| line["finding"] == true;
    let fractures: Vec<_> = after.iter().filter(|line| is_positive(line)).collect();
    assert!(!fractures.is_empty() && fractures.iter().all(called), "a sensitivity of 1");
    let card = run(&["model", "info", text(&windows)]);
    let card = String::from_utf8_lossy(&card.stdout);
    assert!(card.contains("window of 1×1 cells") && card.contains("chosen on 8 simulated films"), "{card}");
    // The window stays where none is given, and so do mirror images; 0 is the whole film again.
    let mirror = folder.path().join("mirror");
    succeed(&settle(&windows, &mirror, &["--mirror"]));
    let card = run(&["model", "info", text(&mirror)]);
    let card = String::from_utf8_lossy(&card.stdout);
    assert!(card.contains("window of 1×1 cells of 32 pixels, with the mirror image"), "{card}");
    assert_ne!(probabilities(&read(&mirror)), probabilities(&after));
    succeed(&settle(&mirror, &whole, &["--window", "0", "--mirror=false"]));
    assert_eq!(probabilities(&read(&whole)), before);
    assert!(settle(&bundle, &whole, &[]).status.code() == Some(1), "it exists");
    let none = folder.path().join("none");
    assert_eq!(settle(&bundle, &none, &["--sensitivity", "1.5"]).status.code(), Some(2));
    assert!(!none.exists());
}
