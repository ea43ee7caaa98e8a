//! Obuchowski & Rockette's analysis against its formulas written out in base R.

use coxa_stats::Level;
use coxa_stats::mrmc::{
    AnalysisOptions, CaseRating, CovarianceMethod, Design, DesignError, Endpoint, Random, ReaderStudy,
};
use serde_json::Value;

use crate::fixture::{Row, close, expected, folder, rows};

fn rating(row: &Row) -> CaseRating {
    CaseRating {
        reader: row.text("reader").to_owned(),
        treatment: row.text("treatment").to_owned(),
        case: row.text("case").to_owned(),
        truth: row.text("truth") == "1",
        rating: row.number("rating"),
    }
}

fn ratings() -> Vec<CaseRating> {
    rows(&folder("mrmc").join("ratings.csv")).iter().map(rating).collect()
}

#[test]
fn a_crossed_design() {
    let expected = expected("mrmc");
    let design = ReaderStudy::from_rows(&ratings()).unwrap();
    for (random, name) in [(Random::ReadersAndCases, "both"), (Random::Readers, "readers"), (Random::Cases, "cases")] {
        let analysis = design.analyze(&AnalysisOptions { random, ..AnalysisOptions::default() }, Level::P95).unwrap();
        let c = analysis.components;
        let components = &expected["components"];
        for (what, actual) in [
            ("error", c.error),
            ("cov1", c.cov1.unwrap()),
            ("cov2", c.cov2.unwrap()),
            ("cov3", c.cov3.unwrap()),
            ("ms_treatment", c.ms_treatment.unwrap()),
            ("ms_reader", c.ms_reader.unwrap()),
            ("ms_interaction", c.ms_interaction.unwrap()),
        ] {
            close(what, actual, &components[what]);
        }
        let of: &Value = &expected[name];
        let overall = analysis.overall.as_ref().unwrap();
        close(name, overall.statistic, &of["statistic"]);
        close(name, overall.df.unwrap(), &of["df"]);
        close(name, overall.p, &of["p"]);
        let tests = of["tests"].as_array().unwrap();
        assert_eq!(analysis.differences.len(), tests.len());
        for (ours, theirs) in analysis.differences.iter().zip(tests) {
            assert_eq!(
                (Some(&*ours.first), Some(&*ours.second)),
                (theirs["first"].as_str(), theirs["second"].as_str())
            );
            let limits = ours.difference.limits.unwrap();
            close(name, ours.difference.value, &theirs["value"]);
            close(name, ours.se, &theirs["se"]);
            close(name, ours.test.statistic, &theirs["statistic"]);
            close(name, ours.test.p, &theirs["p"]);
            close(name, limits.low, &theirs["low"]);
            close(name, limits.high, &theirs["high"]);
        }
        for (ours, theirs) in analysis.treatments.iter().zip(of["means"].as_array().unwrap()) {
            let limits = ours.mean.limits.unwrap();
            close(name, ours.mean.value, &theirs["value"]);
            close(name, limits.low, &theirs["low"]);
            close(name, limits.high, &theirs["high"]);
            for (area, theirs) in ours.by_reader.iter().zip(theirs["by_reader"].as_array().unwrap()) {
                close(name, *area, theirs);
            }
        }
    }
}

#[test]
fn a_case_that_one_reader_left_out_is_named() {
    let mut ratings = ratings();
    let gone = ratings.remove(40);
    let error = ReaderStudy::from_rows(&ratings).unwrap().require_crossed().unwrap_err();
    assert_eq!(error, DesignError::Missing { reader: gone.reader, treatment: gone.treatment, case: gone.case });
}

/// A study of `mrmc_designs`, its cases in patients where `unit` says so.
fn designed(set: &str, unit: &str) -> ReaderStudy {
    let rows = rows(&folder("mrmc_designs").join(format!("{set}.csv")));
    let ratings: Vec<CaseRating> = rows.iter().map(rating).collect();
    let study = ReaderStudy::from_rows(&ratings).unwrap();
    if unit == "case" {
        return study;
    }
    let patient_of = |case: &str| rows.iter().find(|row| row.text("case") == case).unwrap().text("patient");
    study.with_patients(patient_of)
}

#[test]
fn designs_endpoints_and_patients() {
    for of in expected("mrmc_designs")["analyses"].as_array().unwrap() {
        let text = |key: &str| of[key].as_str().unwrap();
        let what = format!("{} {} {} by {}", text("set"), text("endpoint"), text("method"), text("unit"));
        let study = designed(text("set"), text("unit"));
        let design = match text("set") {
            "crossed" => Design::Crossed,
            "split" | "uneven" => Design::ReadersInTreatments,
            _ => Design::PartlyCrossed,
        };
        assert_eq!(study.design(), Ok(design));
        let endpoint = match text("endpoint") {
            "sensitivity" => Endpoint::Sensitivity(3.0),
            "specificity" => Endpoint::Specificity(3.0),
            _ => Endpoint::Area,
        };
        let covariance = match text("method") {
            "jackknife" => CovarianceMethod::Jackknife,
            "unbiased" => CovarianceMethod::Unbiased,
            _ => CovarianceMethod::Delong,
        };
        for (random, name) in
            [(Random::ReadersAndCases, "both"), (Random::Readers, "readers"), (Random::Cases, "cases")]
        {
            let analysis = study.analyze(&AnalysisOptions { endpoint, covariance, random }, Level::P95).unwrap();
            let c = analysis.components;
            close(&what, c.error, &of["error"]);
            // Where covariances cancel, their rounding is that of the error.
            for (ours, theirs) in [(c.cov2, "cov2"), (c.cov3, "cov3")] {
                assert!((ours.unwrap() - of[theirs].as_f64().unwrap()).abs() < 1e-9 * c.error, "{what}: {theirs}");
            }
            let (pair, test) = (&analysis.differences[0], &of[name]);
            close(&what, pair.difference.value, &test["value"]);
            close(&what, pair.se, &test["se"]);
            close(&what, pair.test.p, &test["p"]);
            assert_eq!(pair.test.df.is_some(), name != "cases");
            if let Some(df) = pair.test.df {
                close(&what, df, &test["df"]);
            }
        }
    }
}

#[test]
fn the_bootstrap_is_near_the_unbiased_covariances() {
    for set in ["crossed", "missing", "split"] {
        let study = designed(set, "case");
        let components = |covariance| {
            let options = AnalysisOptions { covariance, ..AnalysisOptions::default() };
            study.analyze(&options, Level::P95).unwrap().components
        };
        let plan = coxa_stats::bootstrap::Plan { replicates: 4000, seed: 5 };
        let (drawn, unbiased) = (components(CovarianceMethod::Bootstrap(plan)), components(CovarianceMethod::Unbiased));
        // The bootstrap of n cases estimates (n − 1)/n of a variance, here 11/12 and less where cases are missing.
        let ratio = drawn.error / unbiased.error;
        assert!((0.85..1.08).contains(&ratio), "{set}: {ratio}");
        let difference = drawn.cov2.unwrap() - unbiased.cov2.unwrap();
        assert!(difference.abs() < 0.25 * unbiased.error, "{set}: {difference}");
        assert_eq!(drawn, components(CovarianceMethod::Bootstrap(plan)));
    }
}
