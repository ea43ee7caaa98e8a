//! t, chi-square, Fisher's and McNemar's tests and kappa against base R and epiR.

use coxa_stats::agreement::{Weights, kappa};
use coxa_stats::contingency::{Continuity, McNemar, chi_square, fisher_exact, mcnemar};
use coxa_stats::means::{TTest, Variances, mean, paired_t_test, t_test};
use coxa_stats::{Level, Test};
use serde_json::Value;

use crate::fixture::{close, expected, folder, number, rows};

fn compare_t(what: &str, actual: TTest, expected: &Value) {
    close(what, actual.test.statistic, &expected["t"]);
    close(what, actual.test.df.unwrap(), &expected["df"]);
    close(what, actual.test.p, &expected["p"]);
    close(what, actual.difference.low().unwrap(), &expected["low"]);
    close(what, actual.difference.high().unwrap(), &expected["high"]);
}

#[test]
fn t_tests() {
    let expected = &expected("tests")["t_tests"];
    let samples = rows(&folder("tests").join("samples.csv"));
    for (set, expected) in expected.as_object().unwrap() {
        let group = |name: &str| -> Vec<f64> {
            samples
                .iter()
                .filter(|row| row.text("set") == set && row.text("group") == name)
                .map(|row| row.number("value"))
                .collect()
        };
        let (x, y) = (group("x"), group("y"));
        let level = Level::P95;
        let welch = t_test(&x, &y, Variances::Unequal, level).unwrap();
        compare_t(set, welch, &expected["welch"]);
        let student = t_test(&x, &y, Variances::Equal, level).unwrap();
        compare_t(set, student, &expected["student"]);
        let one = mean(&x, level).unwrap();
        close(set, one.low().unwrap(), &expected["one"]["low"]);
        close(set, one.high().unwrap(), &expected["one"]["high"]);
        if let Some(paired) = expected.get("paired") {
            compare_t(set, paired_t_test(&x, &y, level).unwrap(), paired);
        }
    }
}

fn compare(what: &str, actual: Test, expected: &Value) {
    close(what, actual.statistic, &expected["statistic"]);
    close(what, actual.p, &expected["p"]);
}

#[test]
fn two_by_two_tables() {
    let expected = &expected("tests")["two_by_two"];
    let tables = rows(&folder("tests").join("tables.csv"));
    assert_eq!(tables.len(), expected.as_array().unwrap().len());
    for (row, expected) in tables.iter().zip(expected.as_array().unwrap()) {
        let [a, b, c, d] = ["a", "b", "c", "d"].map(|column| row.count(column));
        let what = format!("{a} {b} {c} {d}");
        let table: [&[u64]; 2] = [&[a, b], &[c, d]];
        let yates = chi_square(&table, Continuity::Yates).unwrap();
        compare(&what, yates, &expected["yates"]);
        let plain = chi_square(&table, Continuity::None).unwrap();
        compare(&what, plain, &expected["plain"]);
        let corrected = mcnemar(b, c, McNemar::Corrected).unwrap();
        compare(&what, corrected, &expected["mcnemar_corrected"]);
        let plain = mcnemar(b, c, McNemar::Uncorrected).unwrap();
        compare(&what, plain, &expected["mcnemar"]);
        let exact = mcnemar(b, c, McNemar::Exact).unwrap();
        close(&what, exact.p, &expected["mcnemar_exact"]);
        let mid_p = mcnemar(b, c, McNemar::MidP).unwrap();
        close(&what, mid_p.p, &expected["mcnemar_midp"]);

        let fisher = fisher_exact([[a, b], [c, d]], Level::P95).unwrap();
        let reference = &expected["fisher"];
        close(&what, fisher.p, &reference["p"]);
        match fisher.odds_ratio {
            // R's own root finder stops at 1.2e-4 in the odds ratio, or in its inverse when that is smaller.
            Ok(odds) => {
                for (ours, name) in [(odds.value, "odds"), (odds.low().unwrap(), "low"), (odds.high().unwrap(), "high")]
                {
                    let theirs = number(&reference[name]);
                    let gap = if theirs > 1.0 { 1.0 / ours - 1.0 / theirs } else { ours - theirs };
                    assert!(gap.abs() < 1.3e-4, "{what} {name}: {ours} {theirs}");
                    close(&what, ours, &expected["exact"][name]);
                }
            }
            Err(_) => assert!(reference["odds"].is_null(), "{what}"),
        }
    }
}

#[test]
fn larger_tables() {
    for row in expected("tests")["larger"].as_array().unwrap() {
        let counts = counts(&row["rows"]);
        let table: Vec<&[u64]> = counts.iter().map(Vec::as_slice).collect();
        let test = chi_square(&table, Continuity::Yates).unwrap();
        compare("larger", test, row);
        close("larger", test.df.unwrap(), &row["df"]);
    }
}

#[test]
fn kappas() {
    for row in expected("agreement").as_array().unwrap() {
        let counts = counts(&row["rows"]);
        for (name, weights) in
            [("unweighted", Weights::Unweighted), ("linear", Weights::Linear), ("quadratic", Weights::Quadratic)]
        {
            let estimate = kappa(&counts, weights, Level::P95).unwrap();
            close(name, estimate.value, &row[name]["value"]);
            close(name, estimate.low().unwrap(), &row[name]["low"]);
            close(name, estimate.high().unwrap(), &row[name]["high"]);
        }
        let plain = kappa(&counts, Weights::Unweighted, Level::P95).unwrap();
        close("epiR", plain.value, &row["epir"]);
    }
}

fn counts(rows: &Value) -> Vec<Vec<u64>> {
    let list = |row: &Value| row.as_array().unwrap().iter().map(|v| number(v) as u64).collect();
    rows.as_array().unwrap().iter().map(list).collect()
}
