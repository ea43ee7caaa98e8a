//! Obuchowski & Rockette's analysis against its formulas written out in base R.

use coxa_stats::Level;
use coxa_stats::mrmc::{CaseRating, CrossedDesign, DesignError, Random};
use serde_json::Value;

use crate::fixture::{close, expected, folder, rows};

fn ratings() -> Vec<CaseRating> {
    let rows = rows(&folder("mrmc").join("ratings.csv"));
    let rating = |row: &crate::fixture::Row| CaseRating {
        reader: row.text("reader").to_owned(),
        treatment: row.text("treatment").to_owned(),
        case: row.text("case").to_owned(),
        truth: row.text("truth") == "1",
        rating: row.number("rating"),
    };
    rows.iter().map(rating).collect()
}

#[test]
fn a_crossed_design() {
    let expected = expected("mrmc");
    let design = CrossedDesign::from_rows(&ratings()).unwrap();
    for (random, name) in [(Random::ReadersAndCases, "both"), (Random::Readers, "readers"), (Random::Cases, "cases")] {
        let analysis = design.analyze(random, Level::P95).unwrap();
        let c = analysis.components;
        let components = &expected["components"];
        for (what, actual) in [
            ("error", c.error),
            ("cov1", c.cov1.unwrap()),
            ("cov2", c.cov2.unwrap()),
            ("cov3", c.cov3.unwrap()),
            ("ms_treatment", c.ms_treatment),
            ("ms_reader", c.ms_reader),
            ("ms_interaction", c.ms_interaction),
        ] {
            close(what, actual, &components[what]);
        }
        let of: &Value = &expected[name];
        close(name, analysis.overall.statistic, &of["statistic"]);
        close(name, analysis.overall.df.unwrap(), &of["df"]);
        close(name, analysis.overall.p, &of["p"]);
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
            let limits = ours.auc.limits.unwrap();
            close(name, ours.auc.value, &theirs["value"]);
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
    let error = CrossedDesign::from_rows(&ratings).unwrap_err();
    assert_eq!(error, DesignError::Missing { reader: gone.reader, treatment: gone.treatment, case: gone.case });
}
