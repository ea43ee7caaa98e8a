//! `report` and `demo`: the page, its files, and films that are no test.

use std::fs;
use std::path::Path;

use serde_json::Value;

use crate::*;

#[test]
fn the_report_is_one_page_that_asks_no_host() {
    let folder = tempfile::tempdir().unwrap();
    let bundle = untrained_bundle(folder.path());
    let films = folder.path().join("films");
    simulate("pelvis", 12, &films);
    let out = folder.path().join("report");
    let judged = folder.path().join("judged.csv");
    let ids =
        coxa_cohort::Dataset::load(&films).unwrap().films.into_iter().map(|film| format!("{},right\n", film.image_id));
    fs::write(&judged, format!("image_id,site\n{}", ids.collect::<String>())).unwrap();
    let arguments = ["report", "--data", text(&films), "--model", text(&bundle), "--judged", text(&judged), "--out"];
    succeed(&coxa(&arguments).arg(&out).output().unwrap());
    let page = fs::read_to_string(out.join("index.html")).unwrap();
    let judged: Value = serde_json::from_slice(&fs::read(out.join("judged.json")).unwrap()).unwrap();
    let called = judged["true_positives"].as_u64().unwrap();
    assert_eq!((judged["sites"]["right"].as_u64(), judged["others"].as_u64()), (Some(called), Some(12 - called)));
    let row = format!("heat map on the right site, judged by a physician ({called} called fractures)");
    assert!(page.contains(&row) && fs::read_to_string(out.join("tables/localization.csv")).unwrap().contains(&row));
    assert!(page.contains("Research use only") && page.contains("simulated films"));
    assert!(!page.contains("src=\"http") && !page.contains("url("));
    for file in [
        "predictions.csv",
        "readings.jsonl",
        "evaluation.json",
        "localization.json",
        "wrong.html",
        "figures/fig2-roc.svg",
        "figures/films/S0000000-film.png",
        "figures/films/S0000000-heatmap.png",
        "tables/measures.csv",
        "tables/table1.csv",
    ] {
        assert!(out.join(file).is_file(), "{file}");
    }
    assert!(fs::read_dir(folder.path()).unwrap().all(|entry| !text(&entry.unwrap().path()).contains("partial")));
    // The predictions carry the bundle's threshold: evaluated alone they give the page's figures to the last digit.
    let predictions = out.join("predictions.csv");
    let evaluated = run(&["evaluate", "--predictions", text(&predictions), "--json"]);
    succeed(&evaluated);
    let written: Value = serde_json::from_slice(&fs::read(out.join("evaluation.json")).unwrap()).unwrap();
    assert_eq!(json_lines(&evaluated)[0]["sensitivity"], written["sensitivity"]);
    assert_eq!(json_lines(&evaluated)[0]["threshold"], written["threshold"]);
    let measures = fs::read_to_string(out.join("tables/measures.csv")).unwrap();
    assert!(measures.starts_with("measure,value,low,high,method\naccuracy,"), "{measures}");
    assert!(fs::read(out.join("figures/fig2-roc.pdf")).unwrap().starts_with(b"%PDF-"));
    let again = run(&["report", "--data", text(&films), "--model", text(&bundle), "--out", text(&out)]);
    assert_eq!(again.status.code(), Some(1), "a report is never overwritten");
}

#[test]
fn a_report_on_films_of_the_training_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let films = folder.path().join("films");
    simulate("pelvis", 16, &films);
    let (recipe, runs) = (folder.path().join("one.toml"), folder.path().join("runs"));
    fs::write(&recipe, RECIPE.replace("epochs = 4", "epochs = 1")).unwrap();
    succeed(&training(&recipe, &films, &runs).output().unwrap());
    let bundle = runs.join("tiny-1/bundle");
    let (out, nowhere) = (folder.path().join("report"), folder.path().join("nowhere"));
    let report = ["report", "--data", text(&films), "--model", text(&bundle), "--out", text(&out)];
    let refused = run(&report);
    assert_eq!(refused.status.code(), Some(1));
    let message = errors(&refused);
    assert!(
        message.contains("16 of the films were trained or validated on") && message.contains("S0000000"),
        "{message}"
    );
    assert!(!out.exists());
    let no_run = run(&[&report[..], &["--seen-films", "--run", text(&nowhere)][..]].concat());
    assert_eq!(no_run.status.code(), Some(1));
    assert!(!out.exists(), "nothing is half-written");
    succeed(&run(&[&report[..], &["--seen-films"][..]].concat()));
}

#[test]
fn a_report_on_another_film_of_a_training_patient_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let (films, others) = (folder.path().join("films"), folder.path().join("others"));
    simulate("pelvis", 16, &films);
    let more = ["--n", "8", "--seed", "2", "--size", "256", "--format", "png", "--out", text(&others)];
    succeed(&run(&[&["simulate", "pelvis"][..], &more].concat()));
    let (recipe, runs) = (folder.path().join("one.toml"), folder.path().join("runs"));
    fs::write(&recipe, RECIPE.replace("epochs = 4", "epochs = 1")).unwrap();
    let report = |runs: &Path, out: &str| {
        let (bundle, out) = (runs.join("tiny-1/bundle"), folder.path().join(out));
        let output = run(&["report", "--data", text(&others), "--model", text(&bundle), "--out", text(&out)]);
        (output.status.code(), errors(&output), out.exists())
    };
    // Every simulation numbers its patients from 0: those of two are not the same ones.
    succeed(&training(&recipe, &films, &runs).output().unwrap());
    let (status, message, _) = report(&runs, "simulated");
    assert_eq!(status, Some(0), "{message}");
    for set in [&films, &others] {
        let manifest = set.join("manifest.csv");
        let text = fs::read_to_string(&manifest).unwrap();
        assert!(text.contains("simulat"));
        fs::write(&manifest, text.replace("simulat", "scann")).unwrap();
    }
    let scanned = folder.path().join("scanned");
    succeed(&training(&recipe, &films, &scanned).output().unwrap());
    let (status, message, is_there) = report(&scanned, "scanned-report");
    assert_eq!((status, is_there), (Some(1), false), "{message}");
    assert!(message.contains("8 of them as other films of a patient"), "{message}");
    // Without the run's key, films are compared by their files alone, and that is noted.
    fs::remove_file(scanned.join("tiny-1/patient.key")).unwrap();
    let (status, message, _) = report(&scanned, "no-key");
    assert!(status == Some(0) && message.contains("patient.key"), "{message}");
}

#[test]
fn readers_are_drawn_beside_the_curve() {
    let folder = tempfile::tempdir().unwrap();
    let (bundle, films) = (untrained_bundle(folder.path()), folder.path().join("films"));
    simulate("pelvis", 8, &films);
    let (readers, out) = (folder.path().join("readers.csv"), folder.path().join("report"));
    let report = || {
        run(&[
            "report",
            "--data",
            text(&films),
            "--model",
            text(&bundle),
            "--readers",
            text(&readers),
            "--out",
            text(&out),
        ])
    };
    fs::write(&readers, "name,group,sensitivity,specificity\nreader 1,orthopedist,0.9,1.2\n").unwrap();
    let refused = report();
    assert_eq!(refused.status.code(), Some(1));
    let message = errors(&refused);
    assert!(message.contains("readers.csv, line 2, column `specificity`") && !out.exists(), "{message}");
    fs::write(&readers, "name,group,sensitivity,specificity\nreader 1,orthopedist,0.9,0.8\n").unwrap();
    succeed(&report());
    let figure = fs::read_to_string(out.join("figures/fig2-roc.svg")).unwrap();
    assert!(figure.contains("reader 1") && figure.contains("orthopedist"), "{figure}");
}

#[test]
fn films_that_are_not_read_stand_in_the_flow_with_their_reason() {
    let folder = tempfile::tempdir().unwrap();
    let bundle = untrained_bundle(folder.path());
    let from = folder.path().join("from");
    for (what, n) in [("pelvis", "6"), ("limbs", "5")] {
        let set = folder.path().join(what);
        succeed(&run(&["simulate", what, "--n", n, "--size", "256", "--out", text(&set)]));
    }
    for class in ["fractured", "normal"] {
        fs::create_dir_all(from.join(class)).unwrap();
    }
    for i in 0..6 {
        let class = if i < 3 { "fractured" } else { "normal" };
        let film = folder.path().join(format!("pelvis/images/S000000{i}.dcm"));
        fs::copy(film, from.join(class).join(format!("P{i}.dcm"))).unwrap();
    }
    fs::copy(folder.path().join("limbs/images/S0000000.dcm"), from.join("normal/limb.dcm")).unwrap();
    let (set, out) = (folder.path().join("set"), folder.path().join("report"));
    let import = ["import", "folders", text(&from), "--names", "labels", "--each-film", "--out", text(&set)];
    succeed(&run(&import));
    let report = run(&["report", "--data", text(&set), "--model", text(&bundle), "--out", text(&out)]);
    succeed(&report);
    assert!(errors(&report).contains("1 films were not read"), "{}", errors(&report));
    assert_eq!(fs::read_to_string(out.join("predictions.csv")).unwrap().lines().count(), 7);
    let lines = fs::read_to_string(out.join("readings.jsonl")).unwrap();
    assert_eq!((lines.lines().count(), lines.matches("\"not_read\"").count()), (7, 1));
    let page = fs::read_to_string(out.join("index.html")).unwrap();
    assert!(page.contains("not read: ") && page.contains("1 films were refused"));
}

#[test]
fn a_demo_makes_a_page_and_keeps_the_page_before() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("demo");
    let demo = || run(&["demo", "--films", "8", "--out", text(&out)]);
    let first = demo();
    succeed(&first);
    let printed = String::from_utf8_lossy(&first.stdout).into_owned();
    let page = out.join("report/index.html");
    assert!(printed.contains("8 unseen simulated films") && printed.contains("Research use only"), "{printed}");
    assert!(printed.contains(text(&page)) && printed.contains("evaluate --predictions"), "{printed}");
    let before = fs::read(&page).unwrap();
    let second = demo();
    succeed(&second);
    assert!(errors(&second).contains("is there already and is used again"), "{}", errors(&second));
    assert!(String::from_utf8_lossy(&second.stdout).contains("report-2"));
    assert_eq!(fs::read(&page).unwrap(), before);
    let predictions = |report: &str| fs::read(out.join(report).join("predictions.csv")).unwrap();
    assert_eq!(predictions("report"), predictions("report-2"));
}
