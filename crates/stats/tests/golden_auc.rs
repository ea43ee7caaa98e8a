//! ROC curves, areas, their tests and sample sizes against pROC.

use coxa_stats::auc::{self, AucInterval};
use coxa_stats::power::{self, Pilot, Sides, Significance};
use coxa_stats::roc::{self, Part};
use coxa_stats::{Bootstrap, Clusters, Level, Plan, Resampling, Roc, Rule, Scored, operating};
use serde_json::Value;

use crate::fixture::{close, close_to, expected, folder, number, rows};

struct Set {
    name: String,
    a: Vec<f64>,
    b: Vec<f64>,
    truth: Vec<bool>,
    cluster: Vec<u64>,
}

impl Set {
    fn a(&self) -> Scored<'_> {
        Scored::new(&self.a, &self.truth).unwrap()
    }

    fn b(&self) -> Scored<'_> {
        Scored::new(&self.b, &self.truth).unwrap()
    }
}

fn sets() -> Vec<Set> {
    let mut sets: Vec<Set> = Vec::new();
    for row in rows(&folder("auc").join("scores.csv")) {
        let name = row.text("set");
        if sets.last().is_none_or(|set| set.name != name) {
            sets.push(Set { name: name.to_owned(), a: vec![], b: vec![], truth: vec![], cluster: vec![] });
        }
        let set = sets.last_mut().unwrap();
        set.a.push(row.number("a"));
        set.b.push(row.number("b"));
        set.truth.push(row.text("truth") == "1");
        set.cluster.push(row.count("cluster"));
    }
    sets
}

fn set(name: &str) -> Set {
    sets().into_iter().find(|set| set.name == name).unwrap()
}

/// Thirty thousand cases and seventy thousand controls would be two billion comparisons and 17 GB: this ends only in O(n log n)
/// time and linear memory.
#[test]
fn a_hundred_thousand_films() {
    let expected = &expected("auc_large");
    let truth: Vec<bool> = (0..100_000).map(|i| i % 10 < 3).collect();
    // The scores of make.R: exact in both languages.
    let scores = |step: u64| -> Vec<f64> {
        (0..truth.len()).map(|i| (i as u64 * step % 1009 + if truth[i] { 300 } else { 0 }) as f64).collect()
    };
    let (a, b) = (scores(7_919), scores(104_729));
    let (a, b) = (Scored::new(&a, &truth).unwrap(), Scored::new(&b, &truth).unwrap());
    close("variance", auc::variance(a).unwrap(), &expected["variance"]);
    let estimate = auc::delong(a, Level::P95, AucInterval::Wald).unwrap();
    close("low", estimate.low().unwrap(), &expected["low"]);
    close("high", estimate.high().unwrap(), &expected["high"]);
    let test = auc::paired_delong(a, b, Level::P95).unwrap();
    close("auc_a", test.auc_a, &expected["auc_a"]);
    close("auc_b", test.auc_b, &expected["auc_b"]);
    // z and p are of a difference that is small beside the areas: some digits are lost in both programs.
    close_to("z", test.statistic, number(&expected["z"]), 1e-7);
    close_to("p", test.p, number(&expected["p"]), 1e-7);
}

#[test]
fn areas_variances_and_tests() {
    let expected = &expected("auc")["sets"];
    let sets = sets();
    assert_eq!(sets.len(), expected.as_object().unwrap().len());
    for set in &sets {
        let name = set.name.as_str();
        let expected = &expected[name];
        close(name, auc::auc(set.a()).unwrap(), &expected["auc_a"]);
        close(name, auc::auc(set.b()).unwrap(), &expected["auc_b"]);
        if expected["variance"].is_null() {
            assert!(auc::delong(set.a(), Level::P95, AucInterval::Wald).unwrap().limits.is_err());
            continue;
        }
        close(name, auc::variance(set.a()).unwrap(), &expected["variance"]);
        let interval = auc::delong(set.a(), Level::P95, AucInterval::Wald).unwrap();
        close(name, interval.low().unwrap(), &expected["low"]);
        close(name, interval.high().unwrap(), &expected["high"]);

        let paired = auc::paired_delong(set.a(), set.b(), Level::P95);
        let reference = &expected["paired"];
        let paired = paired.unwrap();
        close(name, paired.statistic, &reference["z"]);
        close(name, paired.p, &reference["p"]);
        close(name, paired.difference.low().unwrap(), &reference["low"]);
        close(name, paired.difference.high().unwrap(), &reference["high"]);

        let reference = &expected["unpaired"];
        let unpaired = auc::unpaired_delong(set.a(), set.b(), Level::P95).unwrap();
        close(name, unpaired.statistic, &reference["t"]);
        close(name, unpaired.df.unwrap(), &reference["df"]);
        close(name, unpaired.p, &reference["p"]);
    }
    let (large, ties) = (set("large"), set("ties"));
    let reference = &crate::fixture::expected("auc")["large_against_ties"];
    let test = auc::unpaired_delong(large.a(), ties.a(), Level::P95).unwrap();
    close("large against ties", test.statistic, &reference["t"]);
    close("large against ties", test.df.unwrap(), &reference["df"]);
    close("large against ties", test.p, &reference["p"]);
}

#[test]
fn clustered_variance() {
    let expected = &expected("auc")["sets"];
    for set in sets() {
        let reference = &expected[&set.name]["clustered"];
        let clusters = Clusters::new(&set.cluster);
        let level = Level::P95;
        let estimate = auc::clustered_delong(set.a(), &clusters, level, AucInterval::Wald);
        if reference.is_null() {
            assert!(estimate.unwrap().limits.is_err(), "{}", set.name);
            continue;
        }
        if number(reference) == 0.0 {
            let estimate = estimate.unwrap();
            assert!(estimate.limits.is_err() && Ok(estimate.value) == auc::auc(set.a()), "{}", set.name);
            continue;
        }
        let estimate = estimate.unwrap();
        let half = level.z() * number(reference).sqrt();
        close_to(&set.name, estimate.low().unwrap(), (estimate.value - half).max(0.0), 1e-9);
        close_to(&set.name, estimate.high().unwrap(), (estimate.value + half).min(1.0), 1e-9);
    }
}

#[test]
fn partial_areas() {
    let expected = &expected("auc")["sets"];
    for set in sets() {
        let roc = Roc::new(set.a()).unwrap();
        for reference in expected[&set.name]["partial"].as_array().unwrap() {
            let (from, to) = (number(&reference["from"]), number(&reference["to"]));
            for (axis, part) in
                [("specificity", Part::of_specificities(from, to)), ("sensitivity", Part::of_sensitivities(from, to))]
            {
                let what = format!("{} {axis} {from}-{to}", set.name);
                close(&what, roc.partial_auc(part).unwrap(), &reference[axis]);
                let corrected = &reference[format!("{axis}_corrected")];
                match roc.partial_auc(part.corrected_by_mcclish()) {
                    Ok(value) => close(&what, value, corrected),
                    // Below the diagonal pROC says NA. On it, rounding decides on which side pROC sees the curve.
                    Err(_) => assert!(corrected.as_f64().is_none_or(|v| (v - 0.5).abs() < 1e-9), "{what}: {corrected}"),
                }
            }
        }
    }
}

#[test]
fn coordinates_and_thresholds() {
    let expected = &expected("auc")["sets"];
    let mut curves = 0;
    for set in sets() {
        let roc = Roc::new(set.a()).unwrap();
        let expected = &expected[&set.name];
        for at in expected["at"].as_array().unwrap() {
            let x = number(&at["x"]);
            let what = format!("{} at {x}", set.name);
            close(&what, roc.sensitivity_at(x).unwrap(), &at["sensitivity"]);
            close(&what, roc.specificity_at(x).unwrap(), &at["specificity"]);
        }
        let Some(curve) = expected.get("curve") else {
            continue;
        };
        curves += 1;
        let list = |name: &str| -> Vec<f64> { curve[name].as_array().unwrap().iter().map(number).collect() };
        let points = roc.points();
        let inner: Vec<f64> = points[1..points.len() - 1].iter().map(|p| p.threshold).collect();
        assert_eq!(inner.len(), list("thresholds").len());
        for (&ours, theirs) in inner.iter().zip(list("thresholds")) {
            close_to(&set.name, ours, theirs, 1e-15);
        }
        let pairs = points.iter().zip(list("sensitivities").into_iter().zip(list("specificities")));
        for (point, (sensitivity, specificity)) in pairs {
            close_to(&set.name, point.sensitivity, sensitivity, 1e-12);
            close_to(&set.name, point.specificity, specificity, 1e-12);
        }
        assert_eq!(points.len(), list("sensitivities").len());
        if let Some(youden) = expected.get("youden") {
            let point = operating::choose(set.a(), Rule::Youden, "test").unwrap();
            close(&set.name, point.threshold, &youden["threshold"]);
        }
    }
    assert!(curves >= 6);
}

#[test]
fn bootstrap_within_monte_carlo_error() {
    let expected = &expected("auc")["bootstrap"];
    let set = set("continuous");
    let how = Bootstrap::new(Resampling::Stratified).plan(Plan { replicates: 20_000, seed: 42 });
    let check = |name: &str, estimate: coxa_stats::Estimate, tolerance: f64| {
        let reference: &Value = &expected[name];
        for (limit, key) in [(estimate.low().unwrap(), "low"), (estimate.high().unwrap(), "high")] {
            let reference = number(&reference[key]);
            assert!((limit - reference).abs() < tolerance, "{name}: {limit} {reference}");
        }
    };
    let area = auc::bootstrap(set.a(), &how).unwrap();
    check("auc", area, 0.005);
    let sensitivity = roc::sensitivity_at_specificity(set.a(), 0.85, &how).unwrap();
    // Both lie on a grid: one step of it is 1/40 or 1/60 here.
    check("sensitivity", sensitivity, 0.0251);
    let specificity = roc::specificity_at_sensitivity(set.a(), 0.85, &how).unwrap();
    check("specificity", specificity, 0.0167);
    let part = Part::of_specificities(0.8, 1.0);
    let partial = roc::partial_auc(set.a(), part, &how).unwrap();
    check("partial", partial, 0.004);
}

#[test]
fn sample_sizes() {
    let expected = expected("power");
    for row in expected["one"].as_array().unwrap() {
        let (area, kappa) = (number(&row["auc"]), number(&row["kappa"]));
        let sides = match row["sides"].as_str().unwrap() {
            "two.sided" => Sides::Two,
            _ => Sides::One,
        };
        let significance = |alpha| Significance { alpha, sides };
        let what = format!("power {area} {kappa}");
        let size = power::auc_sample_size(area, 0.9, kappa, significance(0.05)).unwrap();
        close(&what, size.cases, &row["cases"]);
        close(&what, size.controls, &row["controls"]);
        let power = power::auc_power(area, 20.0, 20.0 * kappa, significance(0.01)).unwrap();
        close(&what, power, &row["power_of_20"]);
    }
    for (name, row) in expected["two"].as_object().unwrap() {
        let set = set(name);
        let pilot = Pilot::new(set.a(), set.b()).unwrap();
        let significance = Significance::default();
        let size = pilot.sample_size(0.8, significance).unwrap();
        close(name, size.cases, &row["cases"]);
        close(name, size.controls, &row["controls"]);
        let power = pilot.power(pilot.cases, significance).unwrap();
        close(name, power, &row["power"]);
    }
}
