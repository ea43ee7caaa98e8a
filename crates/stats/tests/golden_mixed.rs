//! The linear mixed model against R's lme4 and lmerTest.

use std::collections::BTreeMap;

use coxa_stats::Level;
use coxa_stats::mixed::{MixedModel, Reading};
use serde_json::Value;

use crate::fixture::{close_to, expected, folder, number, rows};

/// Both programs search for the variances, and differ in where they stop.
const TOLERANCE: f64 = 1e-6;

fn readings(name: &str) -> Vec<Reading> {
    let mut places: [BTreeMap<String, usize>; 3] = Default::default();
    let mut place = |of: usize, name: &str| {
        let next = places[of].len();
        *places[of].entry(name.to_owned()).or_insert(next)
    };
    rows(&folder("mixed").join(format!("{name}.csv")))
        .iter()
        .map(|row| Reading {
            treatment: place(0, row.text("arm")),
            reader: place(1, row.text("reader")),
            case: place(2, row.text("film")),
            value: row.number("seconds").ln(),
        })
        .collect()
}

#[test]
fn reading_times() {
    for (name, expected) in expected("mixed").as_object().unwrap() {
        let readings = readings(name);
        let model = MixedModel::fit(&readings, Level::P95).unwrap();
        assert_eq!(Some(model.readings as u64), expected["observations"].as_u64());
        for (what, ours) in
            [("reader", model.reader), ("film", model.case), ("error", model.error), ("criterion", model.criterion)]
        {
            close_to(&format!("{name}, {what}"), ours, number(&expected[what]), TOLERANCE);
        }
        for (of, ours) in [("means", &model.means), ("differences", &model.differences)] {
            let theirs: &Vec<Value> = expected[of].as_array().unwrap();
            assert_eq!(ours.len(), theirs.len());
            for (ours, theirs) in ours.iter().zip(theirs) {
                let limits = ours.estimate.limits.unwrap();
                for (what, ours) in [
                    ("value", ours.estimate.value),
                    ("se", ours.se),
                    ("low", limits.low),
                    ("high", limits.high),
                    ("t", ours.test.statistic),
                    ("df", ours.test.df.unwrap()),
                    ("p", ours.test.p),
                ] {
                    close_to(&format!("{name}, {of}, {what}"), ours, number(&theirs[what]), TOLERANCE * 10.0);
                }
            }
        }
        // More cases than readers or not: either factor may be eliminated.
        let swapped: Vec<Reading> =
            readings.iter().map(|of| Reading { reader: of.case, case: of.reader, ..*of }).collect();
        let other = MixedModel::fit(&swapped, Level::P95).unwrap();
        close_to("swapped", other.criterion, model.criterion, 1e-12);
        close_to("swapped", other.differences[0].se, model.differences[0].se, 1e-7);
    }
}
