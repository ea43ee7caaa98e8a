//! Van Dyke's study, where it is at hand, against everything that R's MRMCaov prints of it, to the digits printed.

use std::collections::BTreeMap;
use std::fs;

use coxa_stats::Level;
use coxa_stats::mrmc::{
    Analysis, AnalysisOptions, CaseRating, CovarianceMethod, Design, Endpoint, Random, ReaderStudy,
};

use crate::fixture::rows;

/// A printed table: by label of row and name of column.
type Table = BTreeMap<String, BTreeMap<String, String>>;

/// An analysis as printed: its title, and its tables by the line above each.
struct Printed {
    title: String,
    tables: BTreeMap<String, Table>,
}

/// Reads the output. A wide table goes on below itself, under a header of its own.
fn parse(text: &str) -> Vec<Printed> {
    let mut all: Vec<Printed> = Vec::new();
    let (mut table, mut header) = (String::new(), Vec::new());
    for line in text.lines() {
        if let Some(title) = line.strip_prefix("#### ") {
            all.push(Printed { title: title.to_owned(), tables: BTreeMap::new() });
            continue;
        }
        let Some(printed) = all.last_mut() else { continue };
        let line = line.replace("1 - 2", "1-2");
        let words: Vec<String> = line.split_whitespace().map(str::to_owned).collect();
        if line.starts_with("specified reader):") || line.is_empty() {
            continue;
        }
        let heading =
            line.starts_with(|c: char| c.is_ascii_uppercase()) || line.starts_with("95%") && !words[0].ends_with("):");
        if heading && !line.starts_with("Error ") && !line.starts_with("Cov") {
            table = line.trim_end_matches(':').to_owned();
        } else if line.starts_with(' ') && words.iter().all(|word| word.parse::<f64>().is_err()) {
            header = words;
        } else {
            let row = printed.tables.entry(table.clone()).or_default().entry(words[0].clone()).or_default();
            row.extend(header.iter().cloned().zip(words.into_iter().skip(1)));
        }
    }
    all
}

/// Compares with a printed number, to its last digit, but no further than to 2e-13: the unbiased variance of a
/// nearly perfect reader is a difference of two numbers near one.
#[track_caller]
fn same(what: &str, actual: f64, printed: &str) {
    let expected: f64 = printed.parse().unwrap_or_else(|_| panic!("{what}: {printed}"));
    let (digits, exponent) = printed.split_once('e').unwrap_or((printed, "0"));
    let decimals = digits.split_once('.').map_or(0, |(_, decimals)| decimals.len()) as i32;
    let last = 10f64.powi(exponent.parse::<i32>().unwrap() - decimals);
    assert!((actual - expected).abs() <= 0.51 * last + 2e-13, "{what}: {actual:e} is not {printed}");
}

#[track_caller]
fn row<'p>(printed: &'p Printed, table: &str, label: &str) -> &'p BTreeMap<String, String> {
    let found = printed.tables.iter().find(|(name, _)| name.contains(table));
    let (_, rows) =
        found.unwrap_or_else(|| panic!("{}: no table {table} in {:?}", printed.title, printed.tables.keys()));
    rows.get(label).unwrap_or_else(|| panic!("{}: no row {label} in {table}", printed.title))
}

fn study(case_column: &str) -> Option<ReaderStudy> {
    let rows = rows(&coxa_testing::data("stats/mrmcaov/VanDyke.csv")?);
    let rating = |row: &crate::fixture::Row| CaseRating {
        reader: row.text("reader").to_owned(),
        treatment: row.text("treatment").to_owned(),
        case: row.text(case_column).to_owned(),
        truth: row.text("truth") == "1",
        rating: row.number("rating"),
    };
    Some(ReaderStudy::from_rows(&rows.iter().map(rating).collect::<Vec<_>>()).unwrap())
}

/// What a title asks for.
fn asked(title: &str) -> (AnalysisOptions, &'static str) {
    let covariance = if title.contains("jackknife") {
        CovarianceMethod::Jackknife
    } else if title.contains("unbiased") {
        CovarianceMethod::Unbiased
    } else {
        CovarianceMethod::Delong
    };
    let random = if title.contains("fixed cases") {
        Random::Readers
    } else if title.contains("fixed readers") {
        Random::Cases
    } else {
        Random::ReadersAndCases
    };
    let endpoint = if title.contains("binary_sens") {
        Endpoint::Sensitivity(3.0)
    } else if title.contains("binary_spec") {
        Endpoint::Specificity(3.0)
    } else {
        Endpoint::Area
    };
    let column = ["case2", "case3"].into_iter().find(|column| title.contains(column)).unwrap_or("case");
    (AnalysisOptions { endpoint, covariance, random }, column)
}

fn compare_components(printed: &Printed, analysis: &Analysis) {
    let c = &analysis.components;
    let cov = |covariance: Option<f64>| covariance.unwrap();
    for (label, value) in [
        ("reader", c.reader.unwrap()),
        ("treatment:reader", c.treatment_reader.unwrap()),
        ("Error", c.error),
        ("Cov1", cov(c.cov1)),
        ("Cov2", cov(c.cov2)),
        ("Cov3", cov(c.cov3)),
    ] {
        let row = row(printed, "variance component", label);
        same(label, value, &row["Estimate"]);
        if label.starts_with("Cov") {
            same(label, value / c.error, &row["Correlation"]);
        }
    }
}

fn compare_overall(printed: &Printed, analysis: &Analysis) {
    let (c, of) = (&analysis.components, row(printed, "ANOVA global test", "1"));
    let overall = analysis.overall.as_ref().unwrap();
    same("MS(T)", c.ms_treatment.unwrap(), &of["MS(T)"]);
    same("p", overall.p, &of["p-value"]);
    if analysis.random == Random::Cases {
        same("X2", overall.statistic, &of["X2"]);
        same("df", overall.df.unwrap(), &of["df"]);
        same("Denominator", c.ms_treatment.unwrap() / overall.statistic, &of["Denominator"]);
    } else {
        same("MS(T:R)", c.ms_interaction.unwrap(), &of["MS(T:R)"]);
        same("F", overall.statistic, &of["F"]);
        same("df2", overall.df.unwrap(), &of["df2"]);
    }
}

fn compare_treatments(printed: &Printed, analysis: &Analysis) {
    let pair = &analysis.differences[0];
    let of = row(printed, "pairwise differences", "1");
    let limits = pair.difference.limits.unwrap();
    same("difference", pair.difference.value, &of["Estimate"]);
    same("SE", pair.se, &of["StdErr"]);
    same("low", limits.low, &of["CI.Lower"]);
    same("high", limits.high, &of["CI.Upper"]);
    same("statistic", pair.test.statistic, of.get("t").or(of.get("z")).unwrap());
    same("p", pair.test.p, &of["p-value"]);
    for (mean, label) in analysis.treatments.iter().zip(["1", "2"]) {
        let of = row(printed, "each analysis based only on data for the specified treatment", label);
        let limits = mean.mean.limits.unwrap();
        same("mean", mean.mean.value, &of["Estimate"]);
        same("mean's SE", mean.se.unwrap(), &of["StdErr"]);
        same("mean's low", limits.low, &of["CI.Lower"]);
        same("mean's high", limits.high, &of["CI.Upper"]);
    }
}

fn compare_readers(printed: &Printed, analysis: &Analysis) {
    for (k, of_reader) in analysis.reader_differences.iter().enumerate() {
        let of = row(printed, "Reader-specific", &(k + 1).to_string());
        let (limits, test) = (of_reader.difference.limits.unwrap(), of_reader.test.as_ref().unwrap());
        same("difference", of_reader.difference.value, &of["Estimate"]);
        same("SE", of_reader.se.unwrap(), &of["StdErr"]);
        same("low", limits.low, &of["CI.Lower"]);
        same("high", limits.high, &of["CI.Upper"]);
        same("z", test.statistic, &of["z"]);
        same("p", test.p, &of["p-value"]);
    }
    for (k, reader) in analysis.readers.iter().enumerate() {
        let of = row(printed, "Single reader", &(k + 1).to_string());
        let limits = reader.estimate.limits.unwrap();
        assert_eq!((&reader.treatment, &reader.reader), (&of["treatment"], &of["reader"]));
        same("area", reader.estimate.value, &of["empirical_auc"]);
        same("SE", reader.se.unwrap(), &of["StdErr"]);
        same("low", limits.low, &of["CI.Lower"]);
        same("high", limits.high, &of["CI.Upper"]);
    }
}

#[test]
fn everything_that_mrmcaov_prints() {
    let Some(path) = coxa_testing::data("stats/mrmcaov/VanDyke.txt") else { return };
    let printed = parse(&fs::read_to_string(path).unwrap());
    assert_eq!(printed.len(), 13);
    for printed in printed {
        let (options, column) = asked(&printed.title);
        let Some(study) = study(column) else { return };
        let design = match column {
            "case2" => Design::CasesInReaders,
            "case3" => Design::CasesInTreatments,
            _ => Design::Crossed,
        };
        assert_eq!(study.design(), Ok(design));
        let analysis = study.analyze(&options, Level::P95).unwrap();
        if options.random != Random::Readers {
            compare_components(&printed, &analysis);
        }
        compare_overall(&printed, &analysis);
        compare_treatments(&printed, &analysis);
        if options.random == Random::Cases {
            compare_readers(&printed, &analysis);
        }
    }
}
