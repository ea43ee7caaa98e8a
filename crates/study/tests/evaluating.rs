//! The evaluation: the paper's own table, the JSON's form, what is undefined, subgroups and patients.

use std::fmt::Write as _;
use std::path::Path;

use coxa_stats::Plan;
use coxa_stats::calibration::ReliabilityBin;
use coxa_stats::roc::Part;
use coxa_study::curve::{OnCurve, on_curve};
use coxa_study::evaluate::evaluate_watched;
use coxa_study::{
    Clustering, Dependence, Evaluation, EvaluationOptions, Measures, Predictions, Statistic, StudyError, Subgroups,
    compare, evaluate,
};
use proptest::prelude::*;
use serde_json::Value;

fn parse(text: &str) -> Result<Predictions, StudyError> {
    Predictions::parse(text.as_bytes(), Path::new("p.csv"))
}

/// The paper's test set: TP 49, FN 1, FP 8, TN 42.
fn paper() -> Predictions {
    let mut text = "image_id,patient,label,probability\n".to_owned();
    for (label, probability, n) in [(1, 0.9, 49), (1, 0.2, 1), (0, 0.6, 8), (0, 0.1, 42)] {
        for i in 0..n {
            writeln!(text, "f{label}-{probability}-{i},p{label}-{probability}-{i},{label},{probability}").unwrap();
        }
    }
    parse(&text).unwrap()
}

fn quick() -> EvaluationOptions {
    EvaluationOptions { plan: Plan { replicates: 200, seed: 1 }, ..Default::default() }
}

fn near(statistic: &Statistic, [value, low, high]: [f64; 3]) {
    let estimate = statistic.estimate().unwrap();
    let limits = estimate.limits.unwrap();
    for (actual, expected) in [(estimate.value, value), (limits.low, low), (limits.high, high)] {
        assert!((actual - expected).abs() < 1e-6, "{estimate:?} is not {value} ({low}-{high})");
    }
}

#[test]
fn the_papers_numbers() {
    let Evaluation { measures, patients, notes, .. } = evaluate(&paper(), &quick()).unwrap();
    let counts = measures.confusion;
    assert_eq!((counts.tp, counts.fn_, counts.fp, counts.tn), (49, 1, 8, 42));
    assert_eq!((measures.n, measures.positives, measures.threshold, patients), (100, 50, 0.5, Some(100)));
    // epiR and R's binom.test; see the paper's numbers worked out exactly.
    near(&measures.accuracy, [0.91, 0.836018, 0.958016]);
    near(&measures.sensitivity, [0.98, 0.893530, 0.999494]);
    near(&measures.specificity, [0.84, 0.708874, 0.928299]);
    near(&measures.false_negative_rate, [0.02, 0.000506, 0.106470]);
    near(&measures.false_positive_rate, [0.16, 0.071701, 0.291126]);
    near(&measures.likelihood_ratio_positive, [6.125, 3.241527, 11.573441]);
    near(&measures.likelihood_ratio_negative, [1.0 / 42.0, 0.003408, 0.166354]);
    let (f1, limits) = (measures.f1.value().unwrap(), measures.f1.limits().unwrap());
    assert!(
        (f1 - 98.0 / 107.0).abs() < 1e-12 && (limits.low - 0.844).abs() < 2e-3 && (limits.high - 0.956).abs() < 2e-3
    );
    assert!((measures.youden.value().unwrap() - 0.82).abs() < 1e-12);
    // By counting pairs: 49 cases over all but the eight at 0.6 they also beat; the missed case beats only the 42.
    assert!((measures.auc.value().unwrap() - (49.0 * 50.0 + 42.0) / 2500.0).abs() < 1e-12);
    assert!(notes.is_empty(), "{notes:?}");
}

#[test]
fn the_json_is_the_designs() {
    let json: Value = serde_json::to_value(evaluate(&paper(), &quick()).unwrap()).unwrap();
    let keys: Vec<&str> = json.as_object().unwrap().keys().map(String::as_str).collect();
    assert_eq!(
        keys[..16],
        [
            "n",
            "positives",
            "threshold",
            "confusion",
            "accuracy",
            "sensitivity",
            "specificity",
            "false_negative_rate",
            "false_positive_rate",
            "ppv",
            "npv",
            "f1",
            "auc",
            "likelihood_ratio_positive",
            "likelihood_ratio_negative",
            "youden"
        ]
    );
    assert_eq!(json["confusion"].to_string(), r#"{"tp":49,"fp":8,"fn":1,"tn":42}"#);
    for key in &keys[4..16] {
        let form: Vec<&str> = json[key].as_object().unwrap().keys().map(String::as_str).collect();
        assert_eq!(form, ["value", "low", "high", "method"], "{key}");
    }
    assert_eq!(json["sensitivity"]["method"], "exact (Clopper-Pearson)");
}

#[test]
fn what_is_undefined_says_so() {
    let only_cases = parse("image_id,label,probability\na,1,0.9\nb,1,0.2\n").unwrap();
    let json = serde_json::to_value(evaluate(&only_cases, &quick()).unwrap()).unwrap();
    assert_eq!(json["specificity"].to_string(), r#"{"undefined":"no negative case"}"#);
    assert_eq!(json["auc"].to_string(), r#"{"undefined":"no negative case"}"#);
    assert_eq!(json["sensitivity"]["value"], 0.5);
    assert_eq!(json["patients"], Value::Null);

    let nothing = parse("image_id,label,probability\n").unwrap();
    let json = serde_json::to_value(evaluate(&nothing, &quick()).unwrap()).unwrap();
    for key in ["accuracy", "sensitivity", "f1", "auc", "youden"] {
        assert!(json[key]["undefined"].is_string(), "{key}: {}", json[key]);
    }
    assert!(json["calibration"]["brier"]["undefined"].is_string());

    // One case, one control: the area is known, its interval is not; no miss: LR− is 0 without an interval.
    let two = parse("image_id,label,probability\na,1,0.9\nb,0,0.2\n").unwrap();
    let json = serde_json::to_value(evaluate(&two, &quick()).unwrap()).unwrap();
    assert_eq!((&json["auc"]["value"], &json["auc"]["low"]), (&Value::from(1.0), &Value::Null));
    assert_eq!(json["likelihood_ratio_negative"]["value"], 0.0);
    assert!(json["likelihood_ratio_positive"]["undefined"].is_string());
}

#[test]
fn a_film_at_the_threshold_is_positive() {
    let films = parse("image_id,label,probability\na,1,0.5\nb,0,0.4999999\n").unwrap();
    let counts = evaluate(&films, &quick()).unwrap().measures.confusion;
    assert_eq!((counts.tp, counts.tn), (1, 1));
    let options = EvaluationOptions { threshold: 0.2, ..quick() };
    assert_eq!(evaluate(&films, &options).unwrap().measures.confusion.fp, 1);
    let options = EvaluationOptions { threshold: f64::NAN, ..quick() };
    assert!(matches!(evaluate(&films, &options), Err(StudyError::Setting { .. })));
}

#[test]
fn bad_rows_are_named() {
    let header = "image_id,patient,label,probability\n";
    let good = "a,p1,1,0.9\n";
    for (text, expected) in [
        (format!("{header}{good}b,p2,2,0.1\n"), "p.csv, line 3, column `label`: `2` is not 0 or 1"),
        (format!("{header}{good}b,p2,,0.1\n"), "line 3, column `label`: `` is not 0 or 1"),
        (format!("{header}{good}b,p2,0,1.5\n"), "line 3, column `probability`: `1.5` is not a probability"),
        (format!("{header}{good}b,p2,0,\n"), "line 3, column `probability`: `` is not a probability"),
        (format!("{header}{good}b,p2,0,NaN\n"), "line 3, column `probability`: `NaN` is not a probability"),
        (format!("{header}{good}a,p2,0,0.1\n"), "p.csv, line 3: image_id `a` is already on line 2"),
        (format!("{header}{good}b,p2,0\n"), "p.csv, line 3: 3 fields where the header has 4"),
        ("image_id,probability\na,0.1\n".to_owned(), "column `label` is missing (found: image_id, probability)"),
    ] {
        let error = parse(&text).unwrap_err().to_string();
        assert!(error.contains(expected), "`{error}` does not say `{expected}`");
    }
}

#[test]
fn subgroups_by_column_and_age_band() {
    let mut text = "image_id,patient,label,probability,sex,age,file,film_width\n".to_owned();
    for i in 0..40 {
        let sex = if i % 4 < 2 { "female" } else { "male" };
        writeln!(text, "f{i},p{i},{},0.{}5,{sex},{},x{i}.png,{}", i % 2, i % 10, 40 + i, 400 + i % 2).unwrap();
    }
    let films = parse(&text).unwrap();
    let evaluation = evaluate(&films, &quick()).unwrap();
    let groups: Vec<(&str, &str, usize)> =
        evaluation.subgroups.iter().map(|g| (g.column.as_str(), g.value.as_str(), g.measures.n)).collect();
    assert_eq!(
        groups,
        [
            ("sex", "female", 20),
            ("sex", "male", 20),
            ("age", "under 50", 10),
            ("age", "50-64", 15),
            ("age", "65-79", 15)
        ]
    );
    assert_eq!(evaluation.notes, ["column `file` has 40 values and was not taken for subgroups"]);
    let json = serde_json::to_value(&evaluation.subgroups[0]).unwrap();
    assert_eq!((json["column"].as_str(), json["n"].as_u64()), (Some("sex"), Some(20)));
    let options = EvaluationOptions { subgroups: Subgroups::Named(vec!["weight".to_owned()]), ..quick() };
    let error = evaluate(&films, &options).unwrap_err().to_string();
    assert!(error.contains("no column `weight`"), "{error}");
    let options = EvaluationOptions { subgroups: Subgroups::None, ..quick() };
    assert!(evaluate(&films, &options).unwrap().subgroups.is_empty());
}

#[test]
fn only_ages_of_people_are_in_bands() {
    let mut text = "image_id,label,probability,age\n".to_owned();
    for (i, age) in ["80", "inf", "nan", "-1", "131", "130", "", "0", "unknown"].iter().enumerate() {
        writeln!(text, "f{i},{},0.5,{age}", i % 2).unwrap();
    }
    let evaluation = evaluate(&parse(&text).unwrap(), &quick()).unwrap();
    let groups: Vec<(&str, usize)> = evaluation.subgroups.iter().map(|g| (g.value.as_str(), g.measures.n)).collect();
    let others = ["(empty)", "-1", "131", "inf", "nan", "unknown"].map(|value| (value, 1));
    assert_eq!(groups[..2], [("under 50", 1), ("80 and over", 2)]);
    assert_eq!(groups[2..], others);
}

#[test]
fn films_of_a_patient_are_not_independent() {
    // 40 patients with five films each, all read alike: 200 films hold the information of 40.
    let mut text = "image_id,patient,label,probability\n".to_owned();
    for patient in 0..40 {
        for film in 0..5 {
            let probability = if patient % 5 == 0 { 0.4 } else { 0.6 };
            writeln!(text, "{patient}-{film},p{patient},{},{probability}", patient % 2).unwrap();
        }
    }
    let films = parse(&text).unwrap();
    let by = |clustering| evaluate(&films, &EvaluationOptions { clustering, ..quick() }).unwrap();
    let (film, patient) = (by(Clustering::ByFilm), by(Clustering::ByPatient));
    let width = |statistic: &Statistic| statistic.limits().map(|limits| limits.high - limits.low).unwrap();
    let wider = |of: fn(&Evaluation) -> &Statistic| width(of(&patient)) / width(of(&film));
    assert!(wider(|e| &e.measures.sensitivity) > 1.5);
    // √5 wider, but for the corrections of small samples.
    for (name, ratio) in [
        ("AUC", wider(|e| &e.measures.auc)),
        ("Brier score", wider(|e| &e.calibration.brier)),
        ("calibration in the large", wider(|e| &e.calibration.in_the_large)),
    ] {
        assert!((ratio - 5.0_f64.sqrt()).abs() < 0.2, "{name}: {ratio}");
    }
    assert!(wider(|e| &e.calibration.slope) > 1.5 && wider(|e| &e.calibration.intercept) > 1.5);
    assert!(wider(|e| &e.calibration.expected_calibration_error) > 1.3);
    for (of_film, of_patient) in film.calibration.bins.iter().zip(&patient.calibration.bins) {
        let width = |bin: &ReliabilityBin| bin.observed.limits.map(|limits| limits.high - limits.low).unwrap();
        assert!(width(of_patient) > 1.5 * width(of_film), "{of_patient:?}");
    }
    assert_eq!(film.notes, ["the 200 films are of 40 patients, but the intervals take every film as independent"]);
    assert_eq!((film.dependence, patient.dependence), (Dependence::Films, Dependence::Patients));
    assert!(patient.notes.is_empty(), "{:?}", patient.notes);
    // By patient is the default, as patients repeat.
    assert_eq!(by(Clustering::default()), patient);
    let of_files =
        |clustering| compare(&films, &films, [0.5, 0.7], &EvaluationOptions { clustering, ..quick() }).unwrap();
    let (film, patient) = (of_files(Clustering::ByFilm), of_files(Clustering::default()));
    assert_eq!((film.dependence, patient.dependence), (Dependence::Films, Dependence::Patients));
    assert_eq!((film.notes.len(), patient.notes.len()), (1, 0));
    // Patients, not films, change sides: 2 · ½^16 and 2 · ½^80.
    assert_eq!((film.cases.only_a_right, patient.cases.only_a_right), (80, 80));
    assert!((patient.cases.p.0.clone().unwrap() - 0.5_f64.powi(15)).abs() < 1e-12);
    assert!(film.cases.p.0.unwrap() < 1e-20);

    // With one film a patient it is the same thing.
    let once = EvaluationOptions { clustering: Clustering::ByPatient, ..quick() };
    assert_eq!(evaluate(&paper(), &once).unwrap().measures, evaluate(&paper(), &quick()).unwrap().measures);

    let error = evaluate(&parse("image_id,label,probability\na,1,0.9\n").unwrap(), &once).unwrap_err();
    assert!(matches!(error, StudyError::NoPatient { line: 2, .. }), "{error}");
}

#[test]
fn a_perfect_sensitivity_of_few_patients_is_not_certain() {
    let mut text = "image_id,patient,label,probability\n".to_owned();
    for i in 0..20 {
        writeln!(text, "f{i},p{},{},0.{}", i / 2, (i / 2) % 2, 1 + 7 * ((i / 2) % 2)).unwrap();
    }
    let options = EvaluationOptions { clustering: Clustering::ByPatient, ..quick() };
    let measures = evaluate(&parse(&text).unwrap(), &options).unwrap().measures;
    // Five patients of five: 0.025^(1/5).
    near(&measures.sensitivity, [1.0, 0.025_f64.powf(0.2), 1.0]);
    assert_eq!(measures.sensitivity.estimate().unwrap().n, 10);
    // What is no proportion has its value, and no interval of no width.
    let Measures { auc, f1, youden, likelihood_ratio_negative, .. } = measures;
    for (statistic, value) in [(auc, 1.0), (f1, 1.0), (youden, 1.0), (likelihood_ratio_negative, 0.0)] {
        assert!(statistic.limits().is_none() && statistic.value() == Some(value), "{statistic:?}");
    }
}

#[test]
fn one_patient_is_no_sample() {
    let mut text = "image_id,patient,label,probability\n".to_owned();
    for i in 0..10 {
        writeln!(text, "f{i},p,{},0.{}", i % 2, if i < 3 { 8 - 7 * (i % 2) } else { 1 + 7 * (i % 2) }).unwrap();
    }
    let options = EvaluationOptions { clustering: Clustering::ByPatient, ..quick() };
    let Evaluation { measures, calibration, .. } = evaluate(&parse(&text).unwrap(), &options).unwrap();
    for (statistic, value) in [(&measures.accuracy, 0.7), (&measures.sensitivity, 0.8)] {
        assert!(statistic.limits().is_none() && statistic.value() == Some(value), "{statistic:?}");
    }
    assert!(calibration.expected_calibration_error.limits().is_none());
    assert!(measures.auc.value().is_some() && measures.auc.limits().is_none());

    // One film, and one of either class: resampling them changes nothing.
    let one = parse("image_id,label,probability\na,1,0.7\n").unwrap();
    let error = evaluate(&one, &quick()).unwrap().calibration.expected_calibration_error;
    assert!(error.limits().is_none() && error.value().is_some(), "{error:?}");
    let two = parse("image_id,label,probability\na,1,0.9\nb,0,0.2\n").unwrap();
    let at = &on_curve(&two, &[OnCurve::SensitivityAt(0.9)], &quick(), &|_, _, _| {}).unwrap()[0].statistic;
    assert!(at.limits().is_none() && at.value() == Some(1.0), "{at:?}");
}

#[test]
fn a_film_without_a_patient_is_on_its_own() {
    let text =
        "image_id,patient,label,probability\na,p1,1,0.9\nb,p1,1,0.8\nc,,0,0.3\nd,,0,0.6\ne,p2,0,0.1\nf,p3,1,0.4\n";
    let films = parse(text).unwrap();
    let evaluation = evaluate(&films, &quick()).unwrap();
    assert_eq!((evaluation.dependence, evaluation.patients), (Dependence::Patients, None));
    assert_eq!(evaluation.notes, ["2 of the 6 films have no patient; each counts as a patient of its own"]);
    assert_eq!(films.dependent(Clustering::default()).unwrap().unwrap().count(), 5);
    let asked = EvaluationOptions { clustering: Clustering::ByPatient, ..quick() };
    assert!(matches!(evaluate(&films, &asked).unwrap_err(), StudyError::NoPatient { line: 4, .. }));
    // Without a patient twice, films are what is independent.
    let single = parse(&text.replace("b,p1", "b,p4")).unwrap();
    assert_eq!(evaluate(&single, &quick()).unwrap().dependence, Dependence::Films);
}

#[test]
fn places_off_the_curve_are_settings() {
    let films = paper();
    for (asked, expected) in [
        (OnCurve::SensitivityAt(2.0), "a specificity of 2 is not a number of 0 to 1"),
        (OnCurve::NetBenefit(1.0), "a threshold probability of 1 is not below 1"),
        (
            OnCurve::PartialAuc(Part::of_specificities(1.0, 0.9)),
            "an upper end of a partial area of 0.9 is not above the lower end",
        ),
    ] {
        let error = on_curve(&films, &[asked], &quick(), &|_, _, _| {}).unwrap_err();
        assert!(matches!(error, StudyError::Setting { .. }) && error.to_string() == expected, "{error}");
    }
}

#[test]
fn replicates_are_reported() {
    let text =
        "image_id,patient,label,probability,sex\na,p,1,0.9,f\nb,p,0,0.4,f\nc,q,1,0.4,f\nd,r,0,0.5,m\ne,r,1,0.8,m\n";
    let seen = std::cell::RefCell::new(Vec::new());
    let note = |what: &str, done: usize, of: usize| {
        if done == of {
            seen.borrow_mut().push(what.to_owned());
        }
    };
    evaluate_watched(&parse(text).unwrap(), &quick(), &note).unwrap();
    assert_eq!(seen.into_inner(), ["all films", "sex f", "sex m"]);
}

#[test]
fn what_is_saved_is_loaded() {
    let folder = tempfile::tempdir().unwrap();
    let films = parse("image_id,patient,label,probability,sex\na,p1,1,0.123456789,\"x, y\"\nb,,0,1,male\n").unwrap();
    let path = folder.path().join("out.csv");
    films.save(&path).unwrap();
    let again = Predictions::load(&path).unwrap();
    assert!(again.rows().eq(films.rows()));
    assert_eq!(again.columns(), films.columns());
}

#[test]
fn r_proc_on_asah() {
    let Some(films) = asah("s100b", 3.0) else {
        return;
    };
    let auc = evaluate(&films, &quick()).unwrap().measures.auc;
    let limits = auc.limits().unwrap();
    let proc = [0.7313685636856369, 0.6301182117616226, 0.8326189156096511];
    for (actual, expected) in [auc.value().unwrap(), limits.low, limits.high].into_iter().zip(proc) {
        assert!((actual - expected).abs() < 1e-12, "{actual} is not {expected}");
    }
}

/// pROC's aSAH as predictions, where it is at hand: a column divided by `scale`, which changes no area.
pub(crate) fn asah(column: &str, scale: f64) -> Option<Predictions> {
    let path = coxa_testing::data("stats/aSAH.csv")?;
    let table = coxa_files::table::Table::read(&path).unwrap();
    let mut text = "image_id,label,probability\n".to_owned();
    for row in table.rows() {
        let score: f64 = row.text(column).parse().unwrap();
        writeln!(text, "{},{},{}", row.line(), u8::from(row.text("outcome") == "Poor"), score / scale).unwrap();
    }
    Some(parse(&text).unwrap())
}

proptest! {
    #[test]
    fn every_interval_holds_its_value(rows in prop::collection::vec((any::<bool>(), 0.0_f64..=1.0, 0_usize..6), 0..40), by_patient: bool) {
        let mut text = "image_id,patient,label,probability\n".to_owned();
        for (i, (label, probability, patient)) in rows.iter().enumerate() {
            writeln!(text, "f{i},p{patient},{},{probability}", u8::from(*label)).unwrap();
        }
        let clustering = if by_patient { Clustering::ByPatient } else { Clustering::ByFilm };
        let options = EvaluationOptions { clustering, plan: Plan { replicates: 50, seed: 3 }, ..Default::default() };
        let evaluation = evaluate(&parse(&text).unwrap(), &options).unwrap();
        let json = serde_json::to_value(&evaluation).unwrap();
        for (key, statistic) in json.as_object().unwrap() {
            if let Some([value, low, high]) = ["value", "low", "high"].map(|part| statistic[part].as_f64()).into_iter().collect::<Option<Vec<_>>>().and_then(|v| <[f64; 3]>::try_from(v).ok()) {
                prop_assert!(low <= value && value <= high, "{}: {} ({}-{})", key, value, low, high);
            }
        }
        prop_assert_eq!(json["n"].as_u64(), Some(rows.len() as u64));
    }
}
