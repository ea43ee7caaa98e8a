//! `evaluate`, `compare` and `power` against the paper and against pROC.

use std::fs;
use std::path::Path;

use serde_json::Value;

use crate::*;

#[test]
fn the_papers_confusion_gives_the_papers_intervals() {
    let folder = tempfile::tempdir().unwrap();
    let table = folder.path().join("p.csv");
    let mut rows = "image_id,patient,label,probability\n".to_owned();
    for (label, probability, n) in [(1, 0.9, 49), (1, 0.1, 1), (0, 0.8, 8), (0, 0.2, 42)] {
        for i in 0..n {
            rows.push_str(&format!("f{label}{probability}{i},p{label}{probability}{i},{label},{probability}\n"));
        }
    }
    fs::write(&table, rows).unwrap();
    let output = run(&["evaluate", "--predictions", text(&table), "--json"]);
    succeed(&output);
    let line = &json_lines(&output)[0];
    assert_eq!(line["confusion"], serde_json::json!({"tp": 49, "fp": 8, "fn": 1, "tn": 42}));
    for (name, low, high) in
        [("accuracy", 0.836018, 0.958016), ("sensitivity", 0.893530, 0.999494), ("specificity", 0.708874, 0.928299)]
    {
        assert!((line[name]["low"].as_f64().unwrap() - low).abs() < 1e-6, "{name}");
        assert!((line[name]["high"].as_f64().unwrap() - high).abs() < 1e-6, "{name}");
    }
    let same = run(&["compare", "--a", text(&table), "--b", text(&table), "--json"]);
    succeed(&same);
    assert_eq!(json_lines(&same)[0]["difference"]["value"].as_f64(), Some(0.0));
}

/// Forty films, made of formulas that R can repeat: `y <- rep(c(0, 1), 20)`, `(((1:40) * 7) %% 41) / 41 * 0.6 + 0.35 * y` and
/// `(((1:40) * 11) %% 41) / 41 * 0.7 + 0.2 * y`.
fn forty_films(path: &Path, step: u32, spread: f64, shift: f64) {
    let mut rows = "image_id,patient,label,probability\n".to_owned();
    for i in 1..=40_u32 {
        let label = 1 - i % 2;
        let probability = f64::from(i * step % 41) / 41.0 * spread + shift * f64::from(label);
        rows.push_str(&format!("F{i},P{i},{label},{probability}\n"));
    }
    fs::write(path, rows).unwrap();
}

#[test]
fn the_curve_and_the_power_of_a_study_are_those_of_proc() {
    let folder = tempfile::tempdir().unwrap();
    let [a, b] = ["a.csv", "b.csv"].map(|name| folder.path().join(name));
    forty_films(&a, 7, 0.6, 0.35);
    forty_films(&b, 11, 0.7, 0.2);
    let number = |output: &Output, at: &str| {
        succeed(output);
        json_lines(output)[0].pointer(at).and_then(Value::as_f64).unwrap_or_else(|| panic!("no {at}"))
    };
    let near =
        |found: f64, expected: f64, within: f64| assert!((found - expected).abs() < within, "{found} {expected}");
    let mut asked = vec!["evaluate", "--predictions", text(&a), "--json", "--no-subgroups", "--at-sensitivity", "0.9"];
    asked.extend(["--at-specificity", "0.8", "--partial-auc", "0.8,1"]);
    let raw = run(&asked);
    asked.extend(["--over-sensitivities", "--corrected"]);
    let corrected = run(&asked);
    // roc(y, x); coords(r, x = 0.9, input = "sensitivity"), …; auc(r, partial.auc = c(0.8, 1)), … of pROC 1.18.
    near(number(&raw, "/auc/value"), 0.88, 1e-12);
    near(number(&raw, "/curve/0/value"), 0.65, 1e-12);
    near(number(&raw, "/curve/1/value"), 0.7, 1e-12);
    near(number(&raw, "/curve/2/value"), 0.125, 1e-12);
    near(number(&corrected, "/curve/2/value"), 0.791_666_666_666_667, 1e-12);
    let low = number(&raw, "/curve/0/low");
    assert!((0.0..0.65).contains(&low), "{low}");
    // power.roc.test(auc = 0.8, power = 0.9), with ncases = 20, ncontrols = 40, and of the two curves; rounded up.
    let power = |arguments: &[&str]| run(&[&["power", "--json"], arguments].concat());
    near(number(&power(&["auc", "--auc", "0.8", "--power", "0.9"]), "/cases"), 17.0, 0.1);
    near(number(&power(&["auc", "--auc", "0.8", "--cases", "20", "--controls", "40"]), "/power"), 0.983_991_9, 1e-6);
    let difference = ["difference", "--a", text(&a), "--b", text(&b)];
    near(number(&power(&difference), "/cases"), 49.0, 0.1);
    near(number(&power(&[&difference[..], &["--cases", "20"]].concat()), "/power"), 0.497_096_5, 1e-6);
    near(number(&power(&["proportion", "--expected", "0.9", "--half-width", "0.05"]), "/films"), 139.0, 0.1);
    let kappa = number(&run(&["compare", "--a", text(&a), "--b", text(&b), "--json"]), "/agreement/value");
    assert!((-1.0..=1.0).contains(&kappa));
    assert_eq!(power(&["auc", "--auc", "1.5"]).status.code(), Some(2));
}
