//! Distributions, proportions and 2×2 tables against base R and epiR.

use coxa_stats::confusion::{F1Interval, YoudenInterval};
use coxa_stats::{Confusion, Estimate, Interval, Level, Metric, distribution};
use serde_json::Value;

use crate::fixture::{close, close_to, expected, folder, number, rows};

#[test]
fn distributions() {
    for row in expected("distribution").as_array().unwrap() {
        let args: Vec<f64> = row["args"].as_array().unwrap().iter().map(number).collect();
        let whole = |i: usize| args[i] as u64;
        let name = row["f"].as_str().unwrap();
        let actual = match name {
            "normal_quantile" => distribution::normal_quantile(args[0]),
            "normal_cdf" => distribution::normal_cdf(args[0]),
            "beta_quantile" => distribution::beta_quantile(args[0], args[1], args[2]),
            "beta_cdf" => distribution::beta_cdf(args[0], args[1], args[2]),
            "t_quantile" => distribution::t_quantile(args[0], args[1]),
            "t_cdf" => distribution::t_cdf(args[0], args[1]),
            "chi_square_sf" => distribution::chi_square_sf(args[0], args[1] as u32),
            "f_sf" => distribution::f_sf(args[0], args[1], args[2]),
            "binomial_cdf" => distribution::binomial_cdf(whole(0), whole(1), args[2]),
            "binomial_pmf" => distribution::binomial_pmf(whole(0), whole(1), args[2]),
            "hypergeometric_pmf" => distribution::hypergeometric_pmf(whole(0), whole(1), whole(2), whole(3)),
            other => panic!("no function {other}"),
        };
        close_to(&format!("{name}{args:?}"), actual, number(&row["value"]), 1e-12);
    }
}

#[test]
fn proportions() {
    let expected = expected("proportion");
    let cells = rows(&folder("proportion").join("cells.csv"));
    assert_eq!(cells.len(), expected.as_array().unwrap().len());
    for (cell, expected) in cells.iter().zip(expected.as_array().unwrap()) {
        let (k, n) = (cell.count("k"), cell.count("n"));
        let level = Level::new(cell.number("level")).unwrap();
        for (name, interval) in [
            ("clopper_pearson", Interval::ClopperPearson),
            ("clopper_pearson_epir", Interval::ClopperPearson),
            ("wilson", Interval::Wilson),
            ("wilson_corrected", Interval::WilsonCorrected),
            ("jeffreys", Interval::Jeffreys),
            ("agresti_coull", Interval::AgrestiCoull),
        ] {
            let what = format!("{name} {k}/{n}");
            let limits = &expected[name];
            if limits["low"].is_null() {
                continue;
            }
            let (low, high) = interval.bounds(k, n, level);
            // epiR neither clips Agresti-Coull nor ends Jeffreys at 0 and 1.
            let (mut wanted_low, mut wanted_high) = (number(&limits["low"]).max(0.0), number(&limits["high"]).min(1.0));
            if k == 0 {
                assert_eq!(low, 0.0, "{what}");
                wanted_low = 0.0;
            }
            if k == n {
                assert_eq!(high, 1.0, "{what}");
                wanted_high = 1.0;
            }
            close_to(&what, low, wanted_low, 1e-9);
            close_to(&what, high, wanted_high, 1e-9);
        }
    }
}

fn compare(what: &str, estimate: Estimate, expected: &Value) {
    close(what, estimate.value, &expected["value"]);
    close(what, estimate.low().unwrap(), &expected["low"]);
    close(what, estimate.high().unwrap(), &expected["high"]);
}

#[test]
fn tables() {
    let expected = expected("confusion");
    let tables = rows(&folder("confusion").join("tables.csv"));
    assert_eq!(tables.len(), expected.as_array().unwrap().len());
    for (row, expected) in tables.iter().zip(expected.as_array().unwrap()) {
        let table = Confusion { tp: row.count("tp"), fp: row.count("fp"), fn_: row.count("fn"), tn: row.count("tn") };
        let level = Level::P95;
        for (method, interval) in [("exact", Interval::ClopperPearson), ("wilson", Interval::Wilson)] {
            let expected = &expected[method];
            for (name, metric) in [
                ("se", Metric::Sensitivity),
                ("sp", Metric::Specificity),
                ("p.tndp", Metric::FalseNegativeRate),
                ("p.tpdn", Metric::FalsePositiveRate),
                ("pv.pos", Metric::Ppv),
                ("pv.neg", Metric::Npv),
                ("diag.ac", Metric::Accuracy),
                ("tp", Metric::Prevalence),
                ("lr.pos", Metric::LikelihoodRatioPositive),
                ("lr.neg", Metric::LikelihoodRatioNegative),
                ("diag.or", Metric::DiagnosticOddsRatio),
            ] {
                let what = format!("{table:?} {name} {method}");
                compare(&what, table.estimate(metric, level, interval).unwrap(), &expected[name]);
            }
            let youden = table.youden(level, YoudenInterval::SumOfLimits(interval)).unwrap();
            compare("youden", youden, &expected["youden"]);
        }
        for (estimate, name, least) in
            [(table.f1(level, F1Interval::DeltaMethod).unwrap(), "f1", 0.0), (table.mcc(level).unwrap(), "mcc", -1.0)]
        {
            let expected = &expected[name];
            close(name, estimate.value, &expected["value"]);
            close_to(name, estimate.low().unwrap(), number(&expected["low"]).max(least), 1e-9);
            close_to(name, estimate.high().unwrap(), number(&expected["high"]).min(1.0), 1e-9);
        }
    }
}
