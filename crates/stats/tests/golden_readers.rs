//! What surrounds the analysis of a reader study, against base R: pseudovalues, a stand-alone reader, power, agreement, ranks.

use coxa_stats::agreement::fleiss_kappa;
use coxa_stats::distribution::noncentral_f_sf;
use coxa_stats::mrmc::{
    AnalysisOptions, CaseRating, CovarianceMethod, Endpoint, NextStudy, Random, ReaderStudy, StudySize,
};
use coxa_stats::{Clusters, Inference, Level, ranks};
use serde_json::Value;

use crate::fixture::{Row, close, close_to, expected, folder, number, rows};

fn ratings() -> Vec<CaseRating> {
    let rating = |row: &Row| CaseRating {
        reader: row.text("reader").to_owned(),
        treatment: row.text("treatment").to_owned(),
        case: row.text("case").to_owned(),
        truth: row.text("truth") == "1",
        rating: row.number("rating"),
    };
    rows(&folder("mrmc_designs").join("crossed.csv")).iter().map(rating).collect()
}

fn options(random: Random) -> AnalysisOptions {
    AnalysisOptions { random, covariance: CovarianceMethod::Jackknife, ..AnalysisOptions::default() }
}

const ALL: [(Random, &str); 3] =
    [(Random::ReadersAndCases, "both"), (Random::Readers, "readers"), (Random::Cases, "cases")];

#[test]
fn pseudovalues() {
    let expected = &expected("mrmc_more")["dbm"];
    let study = ReaderStudy::from_rows(&ratings()).unwrap();
    let dbm = study.analyze_pseudovalues(&options(Random::ReadersAndCases)).unwrap();
    let (of, theirs) = (dbm.mean_squares, &expected["squares"]);
    for (name, ours) in
        [("t", of.t), ("r", of.r), ("c", of.c), ("tr", of.tr), ("tc", of.tc), ("rc", of.rc), ("trc", of.trc)]
    {
        close(name, ours, &theirs[name]);
    }
    close("F", dbm.overall.statistic, &expected["f"]);
    close("df", dbm.overall.df.unwrap(), &expected["df"]);
    close("p", dbm.overall.p, &expected["p"]);
    close("p of cases", study.analyze_pseudovalues(&options(Random::Cases)).unwrap().overall.p, &expected["cases"]);
    // Hillis' equivalence: the same F as Obuchowski and Rockette's with the jackknife's covariances.
    for random in [Random::ReadersAndCases, Random::Readers] {
        let dbm = study.analyze_pseudovalues(&options(random)).unwrap().overall;
        let or = study.analyze(&options(random), Level::P95).unwrap().overall.unwrap();
        close_to("F", dbm.statistic, or.statistic, 1e-9);
        close_to("df", dbm.df.unwrap(), or.df.unwrap(), 1e-9);
    }
    for endpoint in [Endpoint::Sensitivity(3.0), Endpoint::Specificity(3.0)] {
        let of = AnalysisOptions { endpoint, ..options(Random::ReadersAndCases) };
        let or = study.analyze(&of, Level::P95).unwrap().overall.unwrap();
        close_to("F", study.analyze_pseudovalues(&of).unwrap().overall.statistic, or.statistic, 1e-9);
    }
    let mut missing = ratings();
    missing.pop();
    let partly = ReaderStudy::from_rows(&missing).unwrap();
    assert!(partly.analyze_pseudovalues(&options(Random::Cases)).unwrap_err().to_string().contains("fully crossed"));
}

#[test]
fn a_reader_alone_against_the_mean_of_the_others() {
    let expected = &expected("mrmc_more")["standalone"];
    let plain: Vec<CaseRating> = ratings().into_iter().filter(|row| row.treatment == "plain").collect();
    let study = ReaderStudy::from_rows(&plain).unwrap();
    for (random, name) in ALL {
        let found = study.against_standalone("R4", &options(random), Level::P95).unwrap();
        let limits = found.difference.limits.unwrap();
        for (what, ours) in [
            ("value", found.difference.value),
            ("se", found.se),
            ("low", limits.low),
            ("high", limits.high),
            ("p", found.test.p),
        ] {
            close(&format!("{name} {what}"), ours, &expected[name][what]);
        }
        close_to("readers", found.readers - found.alone, found.difference.value, 1e-12);
    }
    assert!(study.against_standalone("R9", &options(Random::Cases), Level::P95).is_err());
    let both = ReaderStudy::from_rows(&ratings()).unwrap();
    assert!(both.against_standalone("R4", &options(Random::Cases), Level::P95).is_err());
    let pair: Vec<CaseRating> = plain.into_iter().filter(|row| row.reader == "R4" || row.reader == "R1").collect();
    let pair = ReaderStudy::from_rows(&pair).unwrap();
    assert!(pair.against_standalone("R4", &options(Random::Readers), Level::P95).is_err());
    assert!(pair.against_standalone("R4", &options(Random::Cases), Level::P95).is_ok_and(|of| of.test.p < 1.0));
}

#[test]
fn the_noncentral_f_distribution() {
    for of in expected("mrmc_more")["noncentral"].as_array().unwrap() {
        let [x, df1, df2, lambda] = ["x", "df1", "df2", "lambda"].map(|name| number(&of[name]));
        let (found, sf) = (noncentral_f_sf(x, df1, df2, lambda), number(&of["sf"]));
        // R's pf is exact to 1e-9 (`errmax` of its pnbeta).
        assert!((found - sf).abs() < 1e-9, "{x} {df1} {df2} {lambda}: {found} {sf}");
    }
}

#[test]
fn power_of_the_next_study() {
    let study = ReaderStudy::from_rows(&ratings()).unwrap();
    let analysis = study.analyze(&options(Random::ReadersAndCases), Level::P95).unwrap();
    let next = NextStudy::of(&analysis, 24).unwrap();
    for of in expected("mrmc_more")["powers"].as_array().unwrap() {
        let [readers, cases] = ["readers", "cases"].map(|name| of[name].as_u64().unwrap() as u32);
        let difference = number(&of["difference"]);
        let power = next.power(difference, StudySize { readers, cases }, 0.05).unwrap();
        close_to("power", power, number(&of["power"]), 1e-8);
    }
    let size = next.cases(0.1, 8, 0.8, 0.05).unwrap();
    let one_less = StudySize { cases: size.cases - 1, ..size };
    assert!(next.power(0.1, size, 0.05).unwrap() >= 0.8 && next.power(0.1, one_less, 0.05).unwrap() < 0.8);
    assert!(next.cases(1e-6, 2, 0.9, 0.05).unwrap_err().to_string().contains("so few readers"));
    for random in [Random::Readers, Random::Cases] {
        let analysis = study.analyze(&options(random), Level::P95).unwrap();
        let next = NextStudy::of(&analysis, 24).unwrap();
        let powers = [20, 200, 2000].map(|cases| next.power(0.1, StudySize { readers: 6, cases }, 0.05).unwrap());
        assert!(powers.is_sorted() && powers[0] > 0.04 && powers[2] <= 1.0, "{powers:?}");
    }
}

#[test]
fn noninferiority_is_one_sided() {
    let study = ReaderStudy::from_rows(&ratings()).unwrap();
    for (random, _) in ALL {
        let analysis = study.analyze(&options(random), Level::new(0.9).unwrap()).unwrap();
        let pair = &analysis.differences[0];
        // The margin at which the lower limit of the two-sided 90% interval lies is shown at exactly 5%.
        let margin = -pair.difference.low().unwrap();
        close_to("p", pair.noninferiority(margin).unwrap().p, 0.05, 1e-9);
        assert!(pair.noninferiority(margin * 2.0).unwrap().p < 0.05);
        assert!(pair.noninferiority(0.0).is_err() && pair.noninferiority(f64::NAN).is_err());
    }
}

#[test]
fn fleiss() {
    let expected = &expected("mrmc_more")["kappa"];
    let row = |row: &Value| row.as_array().unwrap().iter().map(|count| count.as_u64().unwrap()).collect();
    let counts: Vec<Vec<u64>> = expected["counts"].as_array().unwrap().iter().map(row).collect();
    let pairs = Clusters::new(&(0..counts.len()).map(|case| case / 2).collect::<Vec<_>>());
    let clustered = Inference { level: Level::P95, clusters: Some(&pairs) };
    for (estimate, se) in [(fleiss_kappa(&counts, Level::P95), "se"), (fleiss_kappa(&counts, clustered), "se_pairs")] {
        let estimate = estimate.unwrap();
        let limits = estimate.limits.unwrap();
        close("kappa", estimate.value, &expected["value"]);
        close(se, (limits.high - limits.low) / 2.0 / Level::P95.z(), &expected[se]);
    }
}

#[test]
fn signed_ranks() {
    for of in expected("mrmc_more")["rank"].as_array().unwrap() {
        let x: Vec<f64> = of["x"].as_array().unwrap().iter().map(number).collect();
        let found = ranks::signed_rank(&x, Level::P95).unwrap();
        close("V", found.test.statistic, &of["v"]);
        close("p", found.test.p, &of["p"]);
        close("center", found.center.value, &of["center"]);
        assert_eq!(found.center.limits.is_ok(), of["exact"] == 1);
    }
}
