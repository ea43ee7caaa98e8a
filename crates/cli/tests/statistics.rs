//! The statistical commands as their user calls them: what is independent, how intervals are made, what is refused.

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Output;

use serde_json::Value;

use crate::{json_lines, run, succeed, text};

/// Forty patients with three films each, of which the network classifies two patients in five wrongly, all their films alike.
fn repeated(path: &Path, shift: f64) {
    let mut rows = "image_id,patient,label,probability,sex\n".to_owned();
    for film in 0..120 {
        let patient = film / 3;
        let label = patient % 2;
        let right = patient % 5 > 1;
        let drift = f64::from(film * 7 % 31) / 310.0;
        let probability = if (label == 1) == right { 0.55 + shift + drift } else { 0.25 - shift + drift };
        let sex = ["female", "male"][patient as usize / 2 % 2];
        writeln!(rows, "f{film},p{patient},{label},{probability:.4},{sex}").unwrap();
    }
    fs::write(path, rows).unwrap();
}

fn evaluate(table: &Path, more: &[&str]) -> Output {
    run(&[&["evaluate", "--predictions", text(table), "--json"][..], more].concat())
}

fn object(output: &Output) -> Value {
    succeed(output);
    json_lines(output).remove(0)
}

fn width(statistic: &Value) -> f64 {
    let limit = |name: &str| statistic[name].as_f64().unwrap_or_else(|| panic!("no interval: {statistic}"));
    limit("high") - limit("low")
}

fn message(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).unwrap()
}

#[test]
fn intervals_are_by_patient_where_patients_repeat() {
    let folder = tempfile::tempdir().unwrap();
    let table = folder.path().join("p.csv");
    repeated(&table, 0.0);
    let (default, patient, film) =
        (evaluate(&table, &[]), evaluate(&table, &["--by-patient"]), evaluate(&table, &["--by-film"]));
    assert_eq!(default.stdout, patient.stdout);
    assert!(message(&default).is_empty(), "{}", message(&default));
    let (patient, film) = (object(&patient), object(&film));
    assert_eq!((&patient["dependence"], &film["dependence"]), (&"patients".into(), &"films".into()));
    assert_eq!(patient["patients"], 40);
    for at in ["/accuracy", "/sensitivity", "/specificity", "/ppv", "/f1", "/auc", "/youden"] {
        let [patient, film] = [&patient, &film].map(|object| object.pointer(at).unwrap());
        assert_eq!(patient["value"], film["value"]);
        assert!(width(patient) > 1.2 * width(film), "{at}: {patient} {film}");
    }
    for at in ["brier", "slope", "intercept", "in_the_large"] {
        let [patient, film] = [&patient, &film].map(|object| &object["calibration"][at]);
        assert!(width(patient) > 1.1 * width(film), "{at}: {patient} {film}");
    }
    assert_eq!(film["notes"][0], "the 120 films are of 40 patients, but the intervals take every film as independent");
    let plain = run(&["evaluate", "--predictions", text(&table)]);
    succeed(&plain);
    assert!(String::from_utf8_lossy(&plain.stdout).starts_with("120 films of 40 patients, 60 with a fracture"));

    // Without a patient for every film, patients cannot be asked for.
    let bare = folder.path().join("bare.csv");
    fs::write(&bare, fs::read_to_string(&table).unwrap().replace("f7,p2,", "f7,,")).unwrap();
    let refused = evaluate(&bare, &["--by-patient"]);
    assert_eq!(refused.status.code(), Some(1));
    assert!(message(&refused).contains("bare.csv, line 9: film `f7` has no patient"), "{}", message(&refused));
    assert_eq!(object(&evaluate(&bare, &[]))["dependence"], "patients");
    assert_eq!(evaluate(&table, &["--by-patient", "--by-film"]).status.code(), Some(2));
}

#[test]
fn comparisons_and_pilots_are_by_patient_where_patients_repeat() {
    let folder = tempfile::tempdir().unwrap();
    let [a, b] = ["a.csv", "b.csv"].map(|name| folder.path().join(name));
    repeated(&a, 0.0);
    repeated(&b, -0.12);
    let files = ["--a", text(&a), "--b", text(&b)];
    let compare = |more: &[&str]| object(&run(&[&["compare", "--json"][..], &files, more].concat()));
    let (patient, film) = (compare(&[]), compare(&["--by-film"]));
    assert_eq!((&patient["dependence"], &film["dependence"]), (&"patients".into(), &"films".into()));
    assert_eq!(patient["agreement"]["method"], "Wald, clustered");
    assert_eq!(patient["cases"]["method"], "exact test of clustered pairs (sign changes)");
    assert!(patient["method"].as_str().unwrap().contains("Obuchowski"));
    assert!(patient["notes"].is_null() && film["notes"].is_array());
    let power = |more: &[&str]| object(&run(&[&["power", "--json", "difference"][..], &files, more].concat()));
    let (patient, film) = (power(&[]), power(&["--by-film"]));
    assert_eq!((&patient["dependence"], &film["dependence"]), (&"patients".into(), &"films".into()));
    assert_ne!(patient["cases"], film["cases"]);
    assert!(patient["notes"][0].as_str().unwrap().contains("as in the pilot"), "{patient}");
}

#[test]
fn intervals_are_the_ones_asked_for() {
    let folder = tempfile::tempdir().unwrap();
    let table = folder.path().join("p.csv");
    repeated(&table, 0.0);
    let by_film = |more: &[&str]| object(&evaluate(&table, &[&["--by-film"][..], more].concat()));
    for (name, method) in [
        ("exact", "exact (Clopper-Pearson)"),
        ("wilson", "Wilson"),
        ("wilson-corrected", "Wilson with continuity correction"),
        ("jeffreys", "Jeffreys"),
        ("agresti-coull", "Agresti-Coull"),
    ] {
        assert_eq!(by_film(&["--interval", name])["sensitivity"]["method"], method);
    }
    // 36 of 60: R's binom.test and prop.test(correct = FALSE).
    let exact = by_film(&["--interval", "exact"]);
    assert!((exact["sensitivity"]["low"].as_f64().unwrap() - 0.465_405_4).abs() < 1e-6, "{}", exact["sensitivity"]);
    let wilson = by_film(&["--interval", "wilson"]);
    assert!((wilson["sensitivity"]["low"].as_f64().unwrap() - 0.473_660_5).abs() < 1e-6, "{}", wilson["sensitivity"]);
    for (name, method) in [("wald", "DeLong, Wald"), ("logit", "DeLong, logit"), ("newcombe", "Newcombe")] {
        let auc = &by_film(&["--auc-interval", name])["auc"];
        assert!(auc["method"].as_str().unwrap().contains(method), "{auc}");
    }
    let narrow = by_film(&["--level", "0.8"]);
    assert!(width(&narrow["auc"]) < width(&exact["auc"]));
    let at = by_film(&["--net-benefit", "0.5"]);
    // At one half, a false positive costs what a true positive gains: (36 − 24) / 120.
    assert!((at["curve"][0]["value"].as_f64().unwrap() - 0.1).abs() < 1e-12, "{}", at["curve"]);
}

#[test]
fn subgroups_are_the_columns_asked_for() {
    let folder = tempfile::tempdir().unwrap();
    let table = folder.path().join("p.csv");
    repeated(&table, 0.0);
    let named = object(&evaluate(&table, &["--subgroup", "sex"]));
    let groups = named["subgroups"].as_array().unwrap();
    let of = |group: &Value| (group["value"].as_str().unwrap().to_owned(), group["n"].as_u64().unwrap());
    assert_eq!(groups.iter().map(of).collect::<Vec<_>>(), [("female".to_owned(), 60), ("male".to_owned(), 60)]);
    assert!(groups[0]["sensitivity"]["method"].as_str().unwrap().contains("bootstrap"), "{}", groups[0]);
    assert!(object(&evaluate(&table, &["--no-subgroups"]))["subgroups"].is_null());
    let unknown = evaluate(&table, &["--subgroup", "zz"]);
    assert_eq!(unknown.status.code(), Some(2));
    assert!(message(&unknown).contains("no column `zz`") && message(&unknown).contains("sex"), "{}", message(&unknown));
}

#[test]
fn numbers_out_of_range_are_usage() {
    let folder = tempfile::tempdir().unwrap();
    let table = folder.path().join("p.csv");
    repeated(&table, 0.0);
    for asked in [
        ["--partial-auc", "1,0.9"],
        ["--partial-auc", "0.9,1.1"],
        ["--partial-auc", "0.9"],
        ["--at-sensitivity", "2"],
        ["--at-specificity", "nan"],
        ["--net-benefit", "1"],
        ["--threshold", "50"],
        ["--level", "95"],
        ["--level", "nan"],
    ] {
        let output = evaluate(&table, &asked);
        assert_eq!(output.status.code(), Some(2), "{asked:?}");
        assert!(message(&output).contains(asked[0]) && !message(&output).contains("index"), "{}", message(&output));
    }
    let power = run(&["power", "auc", "--auc", "0.4"]);
    assert_eq!(power.status.code(), Some(2));
    assert!(message(&power).contains("0.4 is not an area strictly between 0.5 and 1"), "{}", message(&power));
    assert_eq!(run(&["power", "auc", "--auc", "0.8", "--alpha", "2"]).status.code(), Some(2));
    // A value in a file is an input, named by its row and column.
    let bad = folder.path().join("bad.csv");
    fs::write(&bad, "image_id,label,probability\na,1,0.9\nb,0,1.4\n").unwrap();
    let output = evaluate(&bad, &[]);
    assert_eq!(output.status.code(), Some(1));
    assert!(message(&output).contains("bad.csv, line 3, column `probability`: `1.4`"), "{}", message(&output));
}

#[test]
fn constant_scores_have_a_corrected_partial_area_of_one_half() {
    let folder = tempfile::tempdir().unwrap();
    let table = folder.path().join("p.csv");
    let rows: String = (0..20).map(|film| format!("f{film},{},0.5\n", film % 2)).collect();
    fs::write(&table, format!("image_id,label,probability\n{rows}")).unwrap();
    for part in ["0.9,1", "0.8,1", "0.95,1", "0.5,0.8"] {
        let found = object(&evaluate(&table, &["--partial-auc", part, "--corrected"]));
        assert!((found["curve"][0]["value"].as_f64().unwrap() - 0.5).abs() < 1e-12, "{part}: {}", found["curve"]);
    }
}

#[test]
fn different_films_are_compared_unpaired() {
    let folder = tempfile::tempdir().unwrap();
    let [a, b] = ["a.csv", "b.csv"].map(|name| folder.path().join(name));
    repeated(&a, 0.0);
    fs::write(&b, "image_id,label,probability\nx,1,0.9\ny,1,0.4\nz,0,0.2\nw,0,0.6\nv,0,0.1\n").unwrap();
    let files = ["compare", "--a", text(&a), "--b", text(&b)];
    let unpaired = |more: &[&str]| run(&[&files[..], &["--unpaired"], more].concat());
    let found = object(&unpaired(&["--json"]));
    assert_eq!((&found["n"], &found["dependence"]), (&serde_json::json!([120, 5]), &"patients".into()));
    assert!(found["cases"]["p"]["undefined"].is_string() && found["p"].is_number());
    let by_film = object(&unpaired(&["--json", "--by-film"]));
    // R's fisher.test(matrix(c(36, 24, 1, 1), 2, byrow = TRUE)).
    assert!((by_film["cases"]["p"].as_f64().unwrap() - 1.0).abs() < 1e-9, "{}", by_film["cases"]);
    let plain = unpaired(&[]);
    succeed(&plain);
    assert!(String::from_utf8_lossy(&plain.stdout).contains("Fisher's exact test"));
    // The same films on both sides are paired.
    let same = run(&["compare", "--a", text(&a), "--b", text(&a), "--unpaired"]);
    assert_eq!(same.status.code(), Some(1));
    assert!(message(&same).contains("line 2: film `f0` is in"), "{}", message(&same));
    let mid_p =
        object(&run(&["compare", "--a", text(&a), "--b", text(&a), "--mcnemar", "mid-p", "--by-film", "--json"]));
    assert!(mid_p["cases"]["p"]["undefined"].is_string(), "no pair differs: {}", mid_p["cases"]);
}

fn ratings() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../stats/testdata/mrmc/ratings.csv")
}

#[test]
fn a_reader_study_is_analyzed() {
    let folder = tempfile::tempdir().unwrap();
    let whole = ratings();
    let expected = fs::read_to_string(whole.with_file_name("expected.json")).unwrap();
    let expected: Value = serde_json::from_str(&expected).unwrap();
    let analyze =
        |file: &Path, more: &[&str]| run(&[&["readers", "analyze", "--ratings", text(file)][..], more].concat());
    for random in ["both", "readers", "cases"] {
        let found = object(&analyze(&whole, &["--random", random, "--json"]));
        let p = |of: &Value| of["p"].as_f64().unwrap();
        assert!((p(&found["overall"]) / p(&expected[random]) - 1.0).abs() < 1e-9, "{random}");
        assert_eq!(found["differences"].as_array().unwrap().len(), 3);
        assert!(found["differences"][0]["difference"]["low"].is_number());
    }
    let plain = analyze(&whole, &[]);
    succeed(&plain);
    assert!(String::from_utf8_lossy(&plain.stdout).starts_with("4 readers, 36 cases, 12 with the finding"));
    let error = |covariance: &str| {
        let found = object(&analyze(&whole, &["--covariance", covariance, "--json"]));
        assert_eq!((&found["design"], &found["dependence"]), (&"crossed".into(), &"films".into()));
        found["components"]["error"].as_f64().unwrap()
    };
    let delong = error("delong");
    for other in ["jackknife", "unbiased", "bootstrap"] {
        let ratio = error(other) / delong;
        assert!(ratio != 1.0 && (0.8..1.2).contains(&ratio), "{other}: {ratio}");
    }
    let rows = fs::read_to_string(&whole).unwrap();
    let lines: Vec<&str> = rows.lines().collect();
    let part = folder.path().join("part.csv");
    for (changed, expected) in [
        (lines[..lines.len() - 1].join("\n"), "part.csv: reader R4 did not rate case 36 under treatment second"),
        (format!("{rows}{}\n", lines[1]), "part.csv, line 434: reader R1 rated case 1 twice under treatment aided"),
        (rows.replacen("R1,aided,1,1,", "R1,aided,1,2,", 1), "line 2, column `truth`: `2` is not 0 or 1"),
        (rows.replacen("R2,aided,1,1,", "R2,aided,1,0,", 1), "case 1 has another truth in an earlier row"),
        (rows.replace("reader,", "physician,"), "column `reader` is missing"),
    ] {
        fs::write(&part, changed).unwrap();
        let output = analyze(&part, &["--design", "crossed"]);
        assert_eq!(output.status.code(), Some(1));
        assert!(message(&output).contains(expected), "{} does not say {expected}", message(&output));
    }
    // Without that design, a missing rating is a note.
    fs::write(&part, lines[..lines.len() - 1].join("\n")).unwrap();
    let partly = analyze(&part, &["--json"]);
    assert_eq!(object(&partly)["design"], "partly_crossed");
    assert!(message(&partly).contains("not fully crossed: reader R4 did not rate case 36"), "{}", message(&partly));
}

#[test]
fn a_reader_study_is_converted_and_analyzed_the_same() {
    let folder = tempfile::tempdir().unwrap();
    let place = |name: &str| folder.path().join(name);
    let convert = |from: &Path, to: &Path, more: &[&str]| {
        run(&[&["readers", "convert", text(from), text(to)][..], more].concat())
    };
    let analyzed = |file: &Path| object(&run(&["readers", "analyze", "--ratings", text(file), "--json"]));
    let whole = analyzed(&ratings());
    for name in ["study.imrmc", "study.xlsx", "study.csv"] {
        let output = convert(&ratings(), &place(name), &[]);
        succeed(&output);
        assert_eq!(String::from_utf8_lossy(&output.stdout).trim_end(), text(&place(name)));
        assert_eq!(analyzed(&place(name)), whole, "{name}");
    }
    // From a workbook to a text whose name does not say so.
    succeed(&convert(&place("study.xlsx"), &place("study.txt"), &["--format", "imrmc"]));
    assert!(
        fs::read_to_string(place("study.txt")).unwrap().starts_with("Reader study\n\nNR: 4\nN0: 24\nN1: 12\nNM: 3\n")
    );
    let again = convert(&ratings(), &place("study.csv"), &[]);
    assert!(
        again.status.code() == Some(1) && message(&again).contains("study.csv exists already; nothing is overwritten")
    );
    let unknown = convert(&ratings(), &place("study.dat"), &[]);
    assert!(unknown.status.code() == Some(2) && message(&unknown).contains("--format"), "{}", message(&unknown));
    // Patients and times have no place in a workbook, and its cases are numbers.
    study_with_a_network(&place("network.csv"));
    let rows = fs::read_to_string(place("network.csv")).unwrap();
    let readers: Vec<&str> = rows.lines().filter(|line| !line.starts_with("model,")).collect();
    fs::write(place("readers.csv"), readers.join("\n")).unwrap();
    let named = convert(&place("readers.csv"), &place("readers.xlsx"), &[]);
    assert!(
        message(&named).contains("line 2: RJafroc's layout cannot hold this study: case `c0` is not a whole number")
    );
    assert!(message(&named).contains("--number-cases"), "{}", message(&named));
    let key = place("cases.csv");
    let numbered = convert(&place("readers.csv"), &place("readers.xlsx"), &["--number-cases", text(&key)]);
    succeed(&numbered);
    assert!(message(&numbered).contains("note: patients are not written"), "{}", message(&numbered));
    assert!(fs::read_to_string(key).unwrap().starts_with("case,number\nc0,1\nc1,2\n"));
}

/// A study of two groups of readers and a network, whose cases are of patients.
fn study_with_a_network(path: &Path) {
    let mut rows = "reader,treatment,case,truth,rating,patient,group,seconds\n".to_owned();
    for reader in 0..7 {
        for treatment in ["aided", "unaided"] {
            for case in 0..40 {
                let truth = case % 2;
                let network = reader == 6;
                if network && treatment == "aided" {
                    continue;
                }
                let skill = if network { 4 } else { 2 + reader % 2 } + i32::from(treatment == "aided");
                let noise = (case * 7 + reader * 11 + case * case % (3 + reader)) % 5;
                let rating = noise + skill * truth;
                let (name, group) = match network {
                    true => ("model".to_owned(), ""),
                    false => (format!("r{reader}"), ["resident", "specialist"][reader as usize % 2]),
                };
                let seconds = 20 + reader + case % 3 - 4 * i32::from(treatment == "aided") - reader % 3;
                writeln!(rows, "{name},{treatment},c{case},{truth},{rating},p{},{group},{seconds}", case / 2).unwrap();
            }
        }
    }
    fs::write(path, rows).unwrap();
}

#[test]
fn a_reader_study_beside_a_network() {
    let folder = tempfile::tempdir().unwrap();
    let [ratings, predictions] = ["ratings.csv", "p.csv"].map(|name| folder.path().join(name));
    study_with_a_network(&ratings);
    repeated(&predictions, 0.0);
    let analyze = |more: &[&str]| run(&[&["readers", "analyze", "--ratings", text(&ratings)][..], more].concat());
    // The network reads under one treatment, the readers under both.
    let mixed = analyze(&[]);
    assert_eq!(mixed.status.code(), Some(1));
    assert!(message(&mixed).contains("some readers read under some of the treatments only"), "{}", message(&mixed));
    let more = ["--alone", "model", "--threshold", "4", "--margin", "0.05", "--predictions", text(&predictions)];
    let found = object(&analyze(&[&more[..], &["--json"]].concat()));
    assert_eq!((&found["dependence"], &found["design"]), (&"patients".into(), &"crossed".into()));
    assert_eq!(found["standalone"].as_array().unwrap().len(), 2);
    let alone = &found["standalone"][0];
    let [readers, its] = ["readers", "alone"].map(|key| alone[key].as_f64().unwrap());
    assert!((readers - its - alone["difference"]["value"].as_f64().unwrap()).abs() < 1e-12);
    assert!(found["noninferiority"][0]["p"].as_f64().unwrap() < 0.05);
    // Pseudovalues are of cases, not of patients.
    assert!(found["pseudovalues"]["undefined"].as_str().unwrap().contains("patient"), "{}", found["pseudovalues"]);
    let groups = found["performance"]["groups"].as_array().unwrap();
    assert_eq!(groups.iter().filter(|group| group["treatment"] == "unaided").count(), 3);
    assert!(groups.iter().all(|group| group["mean_under_curve"].is_boolean()));
    let kappa = &found["agreement"][0]["fleiss"];
    assert!(kappa["low"].as_f64() < kappa["value"].as_f64(), "{kappa}");
    let times = &found["times"][0];
    assert_eq!((&times["first"], times["medians"].as_array().unwrap().len()), (&"aided".into(), 6));
    assert!(times["test"]["center"]["value"].as_f64().unwrap() < 0.0);
    assert!(found["methods"].as_str().unwrap().contains("6 readers rated 40 cases, 20 of them with the finding"));
    let out = folder.path().join("report");
    let report = [&more[..], &["--out", text(&out)]].concat();
    let plain = analyze(&report);
    succeed(&plain);
    assert!(String::from_utf8_lossy(&plain.stdout).contains("specialist: sensitivity"));
    let html = fs::read_to_string(out.join("index.html")).unwrap();
    assert!(html.contains("method of Obuchowski and Rockette") && html.to_lowercase().contains("research use only"));
    for file in
        ["figures/fig2-readers.pdf", "figures/readers-pairs.svg", "figures/readers-times.svg", "tables/readers.csv"]
    {
        assert!(out.join(file).is_file(), "{file}");
    }
    assert!(!analyze(&report).status.success(), "no report is overwritten");

    let endpoint = object(&analyze(&["--alone", "model", "--endpoint", "sensitivity", "--threshold", "4", "--json"]));
    assert_eq!(endpoint["endpoint"], "sensitivity");
    assert!(endpoint["treatments"][0]["sensitivity"]["value"].is_number());
    assert_eq!(analyze(&["--endpoint", "specificity"]).status.code(), Some(2));
    let unknown = analyze(&["--alone", "nobody"]);
    assert_eq!(unknown.status.code(), Some(1));
    let next = ["--alone", "model", "--next-difference", "0.05", "--next-readers", "8", "--json"];
    let next = &object(&analyze(&next))["next"];
    assert!(next["readers"] == 8 && next["power"].as_f64().unwrap() >= 0.8, "{next}");
}
