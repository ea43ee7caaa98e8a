//! Two models on the same films.

use std::path::Path;

use coxa_stats::contingency::fisher_exact;
use coxa_stats::{Level, auc};
use coxa_study::{Dependence, EvaluationOptions, Predictions, StudyError, compare, compare_unpaired};

use crate::evaluating::asah;

fn parse(name: &str, text: &str) -> Predictions {
    let text = format!("image_id,patient,label,probability\n{text}");
    Predictions::parse(text.as_bytes(), Path::new(name)).unwrap()
}

const A: &str = "a,p1,1,0.9\nb,p2,1,0.8\nc,p3,1,0.3\nd,p4,0,0.4\ne,p5,0,0.2\nf,p6,0,0.1\n";

#[test]
fn the_order_of_the_rows_does_not_matter() {
    let a = parse("a.csv", A);
    let b = parse("b.csv", "f,p6,0,0.7\ne,,0,0.2\nd,p4,0,0.1\nc,p3,1,0.6\nb,p2,1,0.4\na,p1,1,0.9\n");
    let comparison = compare(&a, &b, [0.5; 2], &EvaluationOptions::default()).unwrap();
    let json = serde_json::to_value(&comparison).unwrap();
    let close = |key: &str, expected: f64| {
        let actual = json[key].as_f64().unwrap();
        assert!((actual - expected).abs() < 1e-12, "{key}: {actual} is not {expected}");
    };
    // A: of nine pairs only (c, d) is wrong. B: f beats b and c.
    close("auc_a", 8.0 / 9.0);
    close("auc_b", 7.0 / 9.0);
    assert!((json["difference"]["value"].as_f64().unwrap() - 1.0 / 9.0).abs() < 1e-12);
    assert!(json["difference"]["low"].as_f64() < json["difference"]["high"].as_f64());
    // V10 differences (1−⅔, 1−⅔…): cases +0 +⅓ +0, controls −⅓ +0 +⅔; variance (1/27 + 7/27)/3 over n−1 and n, by hand below.
    let cases: [f64; 3] = [0.0, 1.0 / 3.0, 0.0];
    let controls: [f64; 3] = [-1.0 / 3.0, 0.0, 2.0 / 3.0];
    let part = |d: [f64; 3]| d.iter().map(|v| (v - 1.0 / 9.0).powi(2)).sum::<f64>() / 6.0;
    close("z", (1.0 / 9.0) / (part(cases) + part(controls)).sqrt());
    assert_eq!((json["cases"]["only_a_right"].as_u64(), json["cases"]["only_b_right"].as_u64()), (Some(1), Some(1)));
    assert_eq!((json["controls"]["only_a_right"].as_u64(), json["controls"]["p"].as_f64()), (Some(1), Some(1.0)));
}

#[test]
fn a_model_does_not_differ_from_itself() {
    let a = parse("a.csv", A);
    let json = serde_json::to_value(compare(&a, &a, [0.5; 2], &EvaluationOptions::default()).unwrap()).unwrap();
    assert_eq!((json["z"].as_f64(), json["p"].as_f64()), (Some(0.0), Some(1.0)));
    assert!(json["cases"]["p"]["undefined"].is_string(), "{}", json["cases"]);
}

#[test]
fn films_that_do_not_match_are_named() {
    let a = parse("a.csv", A);
    let error = |b: &str| compare(&a, &parse("b.csv", b), [0.5; 2], &EvaluationOptions::default()).unwrap_err();
    let less = error("a,p1,1,0.9\nb,p2,1,0.8\nc,p3,1,0.3\nd,p4,0,0.4\n").to_string();
    assert!(less.starts_with("2 film(s) are in a.csv but not in b.csv: e, f"), "{less}");
    let more = error(&format!("{A}g,p7,1,0.5\n")).to_string();
    assert!(more.starts_with("1 film(s) are in b.csv but not in a.csv: g"), "{more}");
    let label = error(&A.replace("c,p3,1", "c,p3,0"));
    assert!(matches!(&label, StudyError::Mismatch(mismatch) if mismatch.a_line == 4));
    assert_eq!(label.to_string(), "film `c`: label `1` in a.csv (line 4), but `0` in b.csv (line 4)");
    let patient = error(&A.replace("d,p4", "d,p9")).to_string();
    assert_eq!(patient, "film `d`: patient `p4` in a.csv (line 5), but `p9` in b.csv (line 5)");
}

#[test]
fn one_class_has_no_difference() {
    let cases = parse("a.csv", "a,p1,1,0.9\nb,p2,1,0.8\n");
    let json = serde_json::to_value(compare(&cases, &cases, [0.5; 2], &EvaluationOptions::default()).unwrap()).unwrap();
    for key in ["auc_a", "auc_b", "difference", "z", "p"] {
        assert!(json[key]["undefined"].is_string(), "{key}: {}", json[key]);
    }
}

#[test]
fn r_proc_on_asah() {
    let (Some(wfns), Some(s100b), Some(ndka)) = (asah("wfns", 5.0), asah("s100b", 3.0), asah("ndka", 500.0)) else {
        return;
    };
    for (a, b, z, p) in [
        (&wfns, &s100b, 2.20898359144091, 0.0271757822291882),
        (&wfns, &ndka, 2.79777591868904, 0.00514557970691098),
        (&ndka, &s100b, -1.39077002573558, 0.164295175223054),
    ] {
        let comparison = compare(a, b, [0.5; 2], &EvaluationOptions::default()).unwrap();
        assert!((comparison.z.0.unwrap() - z).abs() < 1e-10);
        assert!((comparison.p.0.unwrap() - p).abs() < 1e-10);
    }
}

#[test]
fn different_films_are_compared_by_the_unpaired_tests() {
    let a = parse("a.csv", A);
    let b = parse("b.csv", "g,q1,1,0.9\nh,q2,1,0.2\ni,q3,0,0.7\nj,q4,0,0.4\nk,q5,0,0.1\n");
    let found = compare_unpaired(&a, &b, [0.5; 2], &EvaluationOptions::default()).unwrap();
    let area = |p: &Predictions| auc::placements(p.scored().unwrap()).unwrap().auc;
    assert_eq!((found.auc_a.0.unwrap(), found.auc_b.0.unwrap()), (area(&a), area(&b)));
    let test = auc::unpaired_delong(a.scored().unwrap(), b.scored().unwrap(), Level::P95).unwrap();
    assert_eq!((found.t.0.unwrap(), found.p.0.unwrap()), (test.statistic, test.p));
    assert_eq!((found.cases.right, found.cases.n), ([2, 1], [3, 2]));
    let fisher = fisher_exact([[2, 1], [1, 1]], Level::P95).unwrap();
    assert_eq!(found.cases.p.0.unwrap(), fisher.p);
    assert_eq!(found.dependence, Dependence::Films);

    let film = parse("b.csv", "g,q1,1,0.9\na,q2,0,0.2\n");
    let error = compare_unpaired(&a, &film, [0.5; 2], &EvaluationOptions::default()).unwrap_err().to_string();
    assert!(error.starts_with("b.csv, line 3: film `a` is in a.csv too"), "{error}");
    let patient = parse("b.csv", "g,q1,1,0.9\nh,p2,0,0.2\n");
    let error = compare_unpaired(&a, &patient, [0.5; 2], &EvaluationOptions::default()).unwrap_err().to_string();
    assert!(error.starts_with("b.csv, line 3: film `h` is of a patient who is in a.csv too"), "{error}");

    let twice = parse("b.csv", "g,q1,1,0.9\nh,q1,1,0.2\ni,q3,0,0.7\nj,q4,0,0.4\nk,q5,1,0.1\nl,q6,1,0.8\n");
    let found = compare_unpaired(&a, &twice, [0.5; 2], &EvaluationOptions::default()).unwrap();
    assert_eq!(found.dependence, Dependence::Patients);
    assert!(found.method.contains("Obuchowski") && found.cases.p.0.is_err());
}

#[test]
fn the_second_table_names_the_patients_that_the_first_does_not() {
    let rows = "a,p1,1,0.9\nb,p1,1,0.8\nc,p2,1,0.3\nd,p3,0,0.4\ne,p4,0,0.2\nf,p5,0,0.1\n";
    let named = parse("b.csv", rows);
    let bare: String = rows
        .lines()
        .map(|row| {
            let fields: Vec<&str> = row.split(',').collect();
            format!("{},,{},{}\n", fields[0], fields[2], 1.0 - fields[3].parse::<f64>().unwrap())
        })
        .collect();
    let bare = parse("a.csv", &bare);
    let options = EvaluationOptions::default();
    assert_eq!(compare(&bare, &named, [0.5; 2], &options).unwrap().dependence, Dependence::Patients);
    assert_eq!(compare(&bare, &bare, [0.5; 2], &options).unwrap().dependence, Dependence::Films);
}
