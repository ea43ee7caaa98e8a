//! Public data that this repository does not hold: pROC's aSAH and Van Dyke's MRMC study, where they are at hand.

use coxa_stats::auc::{self, AucInterval};
use coxa_stats::mrmc::{CaseRating, CrossedDesign, Random};
use coxa_stats::{Level, Scored};

use crate::fixture::{Row, close_to, rows};

fn data(name: &str) -> Option<Vec<Row>> {
    coxa_testing::data(&format!("stats/{name}")).map(|path| rows(&path))
}

#[test]
fn asah() {
    let Some(rows) = data("aSAH.csv") else { return };
    let truth: Vec<bool> = rows.iter().map(|r| r.text("outcome") == "Poor").collect();
    assert_eq!(truth.len(), 113);
    let column = |name: &str| -> Vec<f64> { rows.iter().map(|r| r.number(name)).collect() };
    let (s100b, wfns, ndka) = (column("s100b"), column("wfns"), column("ndka"));
    for (name, scores, area, variance, low, high) in [
        ("s100b", &s100b, 0.7313685636856369, 0.00266868245717244, 0.6301182117616226, 0.8326189156096511),
        ("wfns", &wfns, 0.8236788617886179, 0.00146991470882363, 0.7485348878194529, 0.898822835757783),
        ("ndka", &ndka, 0.611957994579946, 0.0031908105493913, 0.501244999271703, 0.722670989888189),
    ] {
        let sample = Scored::new(scores, &truth).unwrap();
        let estimate = auc::delong(sample, Level::P95, AucInterval::Wald).unwrap();
        close_to(name, estimate.value, area, 1e-12);
        close_to(name, auc::variance(sample).unwrap(), variance, 1e-12);
        close_to(name, estimate.low().unwrap(), low, 1e-12);
        close_to(name, estimate.high().unwrap(), high, 1e-12);
    }
    for (name, a, b, z, p) in [
        ("wfns-s100b", &wfns, &s100b, 2.20898359144091, 0.0271757822291882),
        ("wfns-ndka", &wfns, &ndka, 2.79777591868904, 0.00514557970691098),
        ("ndka-s100b", &ndka, &s100b, -1.39077002573558, 0.164295175223054),
    ] {
        let (a, b) = (Scored::new(a, &truth).unwrap(), Scored::new(b, &truth).unwrap());
        let test = auc::paired_delong(a, b, Level::P95).unwrap();
        close_to(name, test.statistic, z, 1e-12);
        close_to(name, test.p, p, 1e-12);
    }
}

#[test]
fn van_dyke() {
    let Some(rows) = data("VanDyke.csv") else {
        return;
    };
    let ratings: Vec<CaseRating> = rows
        .iter()
        .map(|row| CaseRating {
            reader: row.text("reader").to_owned(),
            treatment: row.text("treatment").to_owned(),
            case: row.text("case").to_owned(),
            truth: row.text("truth") == "1",
            rating: row.number("rating"),
        })
        .collect();
    let study = CrossedDesign::from_rows(&ratings).unwrap();
    assert_eq!(study.readers().len(), 5);
    assert_eq!(study.truth().len(), 114);
    let analysis = study.analyze(Random::ReadersAndCases, Level::P95).unwrap();
    // Reference values of MRMCaov, to the digits it prints.
    let check = |what: &str, actual: f64, expected: f64| close_to(what, actual, expected, 5e-7);
    let components = analysis.components;
    check("error", components.error, 0.0007921325);
    check("cov1", components.cov1.unwrap(), 0.0003420090);
    check("cov2", components.cov2.unwrap(), 0.0003395265);
    check("cov3", components.cov3.unwrap(), 0.0002358497);
    check("MS(T)", components.ms_treatment, 0.004796171);
    check("MS(T:R)", components.ms_interaction, 0.0005510306);
    check("F", analysis.overall.statistic, 4.484854);
    check("df2", analysis.overall.df.unwrap(), 15.06611);
    check("p", analysis.overall.p, 0.05123303);
    let difference = &analysis.differences[0];
    check("difference", difference.difference.value, -0.04380032);
    check("SE", difference.se, 0.0206825);
    check("low", difference.difference.low().unwrap(), -0.0878671960);
    check("high", difference.difference.high().unwrap(), 0.0002665519);
    check("t² = F", difference.test.statistic.powi(2), analysis.overall.statistic);
    check("p of t", difference.test.p, analysis.overall.p);
    for (mean, value, low, high) in [
        (&analysis.treatments[0], 0.8970370, 0.8253461, 0.9687280),
        (&analysis.treatments[1], 0.9408374, 0.8942155, 0.9874592),
    ] {
        check("mean", mean.auc.value, value);
        check("mean low", mean.auc.low().unwrap(), low);
        check("mean high", mean.auc.high().unwrap(), high);
    }
    // Statistic, p, standard error and limits of the difference, and limits of the first treatment's mean.
    for (random, expected) in [
        (
            Random::Readers,
            [
                8.704,
                0.0419587524946,
                0.0148462873708,
                -0.08502022396233,
                -0.00258042016006,
                0.828098082168,
                0.965975991906,
            ],
        ),
        (
            Random::Cases,
            [
                5.54578928886,
                0.0185252004375,
                0.0185992581179,
                -0.08025419811152,
                -0.00734644601087,
                0.849741531114,
                0.944332542961,
            ],
        ),
    ] {
        let other = study.analyze(random, Level::P95).unwrap();
        let (pair, mean) = (&other.differences[0], &other.treatments[0].auc);
        let (limits, own) = (pair.difference.limits.unwrap(), mean.limits.unwrap());
        let found = [other.overall.statistic, other.overall.p, pair.se, limits.low, limits.high, own.low, own.high];
        for (found, expected) in found.into_iter().zip(expected) {
            // MRMCaov prints the first F to four digits.
            close_to("other factors", found, expected, if expected == 8.704 { 5e-5 } else { 5e-10 });
        }
        assert!(pair.se < difference.se);
    }
}
