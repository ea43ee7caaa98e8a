//! Reader studies as they are read and analyzed: foreign layouts, marks, the paper's figures.

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

use coxa_stats::mrmc::{AnalysisOptions, CovarianceMethod, Design};
use coxa_stats::roc::Roc;
use coxa_stats::{Level, Scored};
use coxa_study::page::Block;
use coxa_study::readers::{ModelCurve, ReaderAnalysis, ReaderOptions, ReaderTable, analyze, page};

fn load(path: &Path) -> ReaderTable {
    ReaderTable::load(path, None).unwrap()
}

fn analyzed(table: &ReaderTable) -> ReaderAnalysis {
    analyze(table, &ReaderOptions::default()).unwrap()
}

fn sheets(name: &str) -> Option<PathBuf> {
    coxa_testing::data(&format!("stats/rjafroc/{name}.xlsx"))
}

#[test]
fn van_dykes_workbook_is_van_dykes_table() {
    let (Some(book), Some(table)) = (sheets("VanDyke"), coxa_testing::data("stats/VanDyke.csv")) else { return };
    let (book, table) = (analyzed(&load(&book)), analyzed(&load(&table)));
    assert_eq!((book.cases, book.positive), (114, 45));
    let f = |of: &ReaderAnalysis| of.analysis.overall.as_ref().unwrap().statistic;
    assert!((f(&book) - f(&table)).abs() < 1e-12 && (f(&table) - 4.484854).abs() < 5e-7);
}

#[test]
fn rjafrocs_designs() {
    let Some(crossed) = sheets("rocCr") else { return };
    let crossed = load(&crossed);
    assert_eq!((crossed.rows.len(), crossed.study(None).unwrap().design()), (80, Ok(Design::Crossed)));
    for (name, design) in [("rocSpA", Design::ReadersInTreatments), ("rocSpC", Design::CasesInReaders)] {
        let table = load(&sheets(name).unwrap());
        assert_eq!(table.study(None).unwrap().design(), Ok(design), "{name}");
    }
    let marks = load(&sheets("frocCr").unwrap());
    assert_eq!(marks.rows.len(), 3 * 2 * marks.study(None).unwrap().cases().len());
    let found = analyze(
        &marks,
        &ReaderOptions {
            analysis: AnalysisOptions { covariance: CovarianceMethod::Jackknife, ..AnalysisOptions::default() },
            ..ReaderOptions::default()
        },
    )
    .unwrap();
    let localization = found.localization.unwrap().0.unwrap();
    assert!(localization.treatments.iter().all(|mean| mean.mean.value > 0.5 && mean.mean.value <= 1.0));
}

#[test]
fn malformed_workbooks_are_refused_by_sheet_row_and_column() {
    for (name, message) in [
        ("duplicatedRow", "sheet TRUTH, row 7, column LesionID: lesion 1 of case 71 is in a row before"),
        ("frocCr2BlankRows", "sheet TRUTH, row 6, column CaseID: the row is empty"),
        ("frocCrNonCharInModalityID", "column ModalityID: `"),
        ("frocCrNonCharInReaderID", "sheet TRUTH, row 7, column ReaderID: `1` is a number"),
        ("incorrectCaseIDsInTP", "sheet TP, row 7, column CaseID: case 0 is not in sheet TRUTH"),
        ("incorrectSheetName", "sheet TRUTH is missing (found: FP, TRUTH1, TP)"),
        ("incorrectWeights", "sheet TRUTH, row 5, column Weight: the weights of case 70 sum to 0.5"),
        ("missing1CellRow5", "sheet TRUTH, row 5, column Weight: the cell is empty"),
        ("missing2CellsRow5and7", "sheet TRUTH, row 3, column CaseID: the cell is empty"),
        ("missingCells", "sheet TRUTH, row 3, column CaseID: the cell is empty"),
        ("missingEntireRow5", "sheet TRUTH, row 5, column CaseID: "),
        ("non-integerCaseID", "sheet TRUTH, row 2, column LesionID: `0.1` is not a whole number"),
        ("non-integerCellsRows5and7", "sheet TRUTH, row 5, column Weight: `b` is not a number"),
        ("non-integerLesionID", "sheet TRUTH, row 2, column LesionID: `0.1` is not a whole number"),
    ] {
        let Some(path) = sheets(name) else { return };
        let error = ReaderTable::load(&path, None).unwrap_err().to_string();
        assert!(error.contains(message), "{name}: {error}");
    }
}

/// Two readers, two treatments, six cases of which three have the finding, one of them two lesions.
fn ratings(folder: &Path) -> PathBuf {
    let mut text = "reader,treatment,case,truth,rating,lesions\n".to_owned();
    for (k, (reader, treatment)) in [("a", "x"), ("a", "y"), ("b", "x"), ("b", "y")].into_iter().enumerate() {
        for case in 0..6 {
            let lesions = ["", "2", "", "", "", "1"][case];
            writeln!(
                text,
                "{reader},{treatment},{case},{},{},{lesions}",
                case % 2,
                (case * 5 + k * case * case + 2 * k) % 4
            )
            .unwrap();
        }
    }
    let path = folder.join("ratings.csv");
    fs::write(&path, text).unwrap();
    path
}

#[test]
fn marks_become_lesions() {
    let folder = tempfile::tempdir().unwrap();
    let (ratings, marks) = (ratings(folder.path()), folder.path().join("marks.csv"));
    let text = "reader,treatment,case,lesion,rating\na,x,1,1,5\na,x,1,2,3\na,x,1,,9\na,x,3,1,2\na,x,0,,1\na,x,2,,4\na,x,0,,2\n";
    fs::write(&marks, text).unwrap();
    let table = ReaderTable::load(&ratings, Some(&marks)).unwrap();
    let of: Vec<(&str, bool, f64)> = table.marks.as_ref().unwrap().rows[..7]
        .iter()
        .map(|row| (row.rating.case.as_str(), row.rating.truth, row.rating.rating))
        .collect();
    let expected = [
        ("0", false, 2.0),
        ("1/1", true, 5.0),
        ("1/2", true, 3.0),
        ("2", false, 4.0),
        ("3/1", true, 2.0),
        ("4", false, 0.0),
        ("5/1", true, 0.0),
    ];
    assert_eq!(of, expected);
    // By hand: of 4 × 3 pairs of lesion and case without any, 3 + 2 + 1.5 + 0.5 are won.
    let found = analyze(&table, &ReaderOptions::default());
    let localization = found.unwrap().localization.unwrap().0.unwrap();
    assert_eq!(localization.treatments[0].by_reader[0], 7.0 / 12.0);
    for (bad, message) in [
        ("a,x,1,3,1", "line 9, column `lesion`: `3` is not one of the case's lesions"),
        ("a,x,1,1,1", "line 9, column `lesion`: `1` is not a lesion that this reader has not marked already"),
        ("a,z,1,1,1", "line 9, column `case`: `1` is not a case that the reader rated"),
    ] {
        fs::write(&marks, format!("{text}{bad}\n")).unwrap();
        let error = ReaderTable::load(&ratings, Some(&marks)).unwrap_err().to_string();
        assert!(error.contains(message), "{error}");
    }
}

/// Readings of 50 cases with the finding and 50 without, to sensitivities and specificities in hundredths that are even.
fn paper(groups: &[(&str, &[(u32, u32)])], treatments: &[&str]) -> String {
    let mut text = "reader,treatment,case,truth,rating,group\n".to_owned();
    for (group, readers) in groups {
        for (reader, (sensitivity, specificity)) in readers.iter().enumerate() {
            for case in 0..100_u32 {
                let truth = case < 50;
                let called = if truth { 2 * case < *sensitivity } else { 2 * (case - 50) >= *specificity };
                for treatment in treatments {
                    let (truth, called) = (u8::from(truth), u8::from(called));
                    writeln!(text, "{group}{reader},{treatment},{case},{truth},{called},{group}").unwrap();
                }
            }
        }
    }
    text
}

#[test]
fn groups_have_means_over_readers_and_lie_under_the_curve_or_not() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("paper.csv");
    let primary: &[(u32, u32)] = &[(96, 82), (94, 80), (98, 86), (94, 80)];
    let specialists: &[(u32, u32)] = &[(100, 88), (98, 92), (100, 82), (98, 94), (100, 90), (100, 80)];
    let groups = [("primary", primary), ("specialist", specialists)];
    fs::write(&path, paper(&groups, &["unaided", "again"])).unwrap();
    // A network with one step: sensitivity 0.98 at a specificity of 0.84.
    let scores: Vec<f64> = (0..100).map(|case| f64::from(u8::from(case < 49 || (50..58).contains(&case)))).collect();
    let truth: Vec<bool> = (0..100).map(|case| case < 50).collect();
    let curve = ModelCurve::of(&Roc::new(Scored::new(&scores, &truth).unwrap()).unwrap());
    let options = ReaderOptions { threshold: Some(1.0), curve: Some(curve), ..ReaderOptions::default() };
    // Both treatments are one reading: there is nothing to compare, but the endpoint has readers that differ.
    let error = analyze(&load(&path), &options).unwrap_err().to_string();
    assert!(error.contains("undefined: the variance is zero"), "{error}");
    let text = fs::read_to_string(&path).unwrap().replacen("primary0,again,3,1,1", "primary0,again,3,1,0", 1);
    fs::write(&path, text).unwrap();
    let found = analyze(&load(&path), &options).unwrap();
    let performance = found.performance.unwrap();
    let group = |name: &str| {
        performance.groups.iter().find(|group| group.group == name && group.treatment == "unaided").unwrap()
    };
    let primary = group("primary");
    let sensitivity = &primary.rates["sensitivity"];
    // R: t.test(c(.96, .94, .98, .94))$conf.int.
    let limits = sensitivity.mean.limits().unwrap();
    assert!((sensitivity.mean.value().unwrap() - 0.955).abs() < 1e-12);
    assert!((limits.low - 0.924_530_4).abs() < 1e-6 && (limits.high - 0.985_469_6).abs() < 1e-6, "{limits:?}");
    assert_eq!((sensitivity.lowest, sensitivity.highest, primary.readers), (0.94, 0.98, 4));
    assert_eq!((primary.mean_under_curve, primary.interval_under_curve), (Some(true), Some(false)));
    assert_eq!(group("specialist").mean_under_curve, Some(false));
    assert_eq!(group("").readers, 10);
    let reader = performance.readers.iter().find(|of| of.reader == "primary1" && of.treatment == "unaided").unwrap();
    assert_eq!(reader.under_curve, Some(true));
    let exact = reader.sensitivity.limits().unwrap();
    // R: binom.test(47, 50)$conf.int.
    assert!((exact.low - 0.834_518_1).abs() < 1e-6 && (exact.high - 0.987_451_4).abs() < 1e-6, "{exact:?}");
    assert!((reader.fnr.value().unwrap() - 0.06).abs() < 1e-12);
    assert!(found.agreement.iter().all(|of| of.cases == 100 && of.fleiss.value().unwrap() > 0.5));
    assert_eq!(Level::default(), options.level);
}

/// The paper's 21 readers (Cheng et al. 2019, Results): it prints means, intervals and ranges of two groups, not the readings. These are readings
/// that have all of them: 15 primary physicians and 6 radiologists and orthopedic surgeons, each with 50 films of either kind. No readings
/// of 15 have a mean specificity of 82.2% to the nearest tenth; 617 of 750 are 82.27%, with the interval that the paper prints.
#[test]
fn the_papers_readers_have_its_means_intervals_and_places_beside_the_curve() {
    let hundredths = |sensitivity: &[u32], specificity: &[u32]| -> Vec<(u32, u32)> {
        sensitivity.iter().zip(specificity).map(|(a, b)| (2 * a, 2 * b)).collect()
    };
    let primary = hundredths(
        &[42, 47, 47, 47, 48, 48, 48, 48, 48, 48, 49, 49, 49, 49, 50],
        &[23, 39, 40, 40, 40, 41, 42, 42, 42, 44, 44, 44, 44, 45, 47],
    );
    let specialists = hundredths(&[49, 49, 50, 50, 50, 50], &[38, 44, 45, 45, 45, 46]);
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("paper.csv");
    fs::write(&path, paper(&[("primary", &primary), ("specialist", &specialists)], &["unaided"])).unwrap();
    // The network's 49 of 50 at a specificity of 42 of 50, and an area of 0.98: five films without a fracture lie among the 49.
    let scores: Vec<f64> = (0..100_u32)
        .map(|case| match case {
            0..=47 => 0.9,
            48 => 0.6,
            49 => 0.2,
            50..=52 => 0.8,
            53..=57 => 0.55,
            58..=60 => 0.3,
            _ => 0.1,
        })
        .collect();
    let truth: Vec<bool> = (0..100).map(|case| case < 50).collect();
    let roc = Roc::new(Scored::new(&scores, &truth).unwrap()).unwrap();
    let options = ReaderOptions { threshold: Some(1.0), curve: Some(ModelCurve::of(&roc)), ..ReaderOptions::default() };
    let found = analyze(&load(&path), &options).unwrap();
    let performance = found.performance.as_ref().unwrap();
    for (name, readers, rate, mean, low, high, range) in [
        ("primary", 15, "sensitivity", 0.956, 0.936, 0.976, (0.84, 1.0)),
        ("primary", 15, "specificity", 0.8227, 0.762, 0.883, (0.46, 0.94)),
        ("specialist", 6, "sensitivity", 0.9933, 0.982, 1.0, (0.98, 1.0)),
        ("specialist", 6, "specificity", 0.8767, 0.815, 0.938, (0.76, 0.92)),
    ] {
        let group = performance.groups.iter().find(|group| group.group == name).unwrap();
        let of = &group.rates[rate];
        let limits = of.mean.limits().unwrap();
        assert_eq!((group.readers, of.lowest, of.highest), (readers, range.0, range.1), "{name}, {rate}");
        assert!((of.mean.value().unwrap() - mean).abs() < 5e-5, "{name}, {rate}: {of:?}");
        assert!((limits.low - low).abs() < 5e-4 && (limits.high - high).abs() < 5e-4, "{name}, {rate}: {limits:?}");
    }
    // "The 95% CI of both mean sensitivity and mean specificity of the primary physicians were below the ROC curve of the model, and the mean
    // performance of radiologists and orthopedic surgeons was still slightly better than that of the model."
    let group = |name: &str| performance.groups.iter().find(|group| group.group == name).unwrap();
    assert_eq!((group("primary").mean_under_curve, group("primary").interval_under_curve), (Some(true), Some(true)));
    assert_eq!(group("specialist").mean_under_curve, Some(false));
    // One treatment: the readers' mean area, and nothing to compare it with.
    let analysis = &found.analysis;
    assert!(analysis.overall.is_none() && found.pseudovalues.is_none() && analysis.treatments.len() == 1);
    assert_eq!(analysis.treatments[0].by_reader.len(), 21);
    assert!(found.methods.contains("under one treatment. The readers'"), "{}", found.methods);
    let html = page(&found, options.curve.as_ref(), "Readers");
    let headings: Vec<&str> = html.sections.iter().map(|section| section.heading.as_str()).collect();
    assert_eq!(
        headings,
        ["The readers' mean", "Readers", "Readers and ROC curve", "Agreement", "Reporting checklists"]
    );
    let tables: Vec<(&str, usize, usize)> = html.sections[4]
        .blocks
        .iter()
        .filter_map(|block| match block {
            Block::Table(table) => {
                let open = table.rows.iter().filter(|row| row[2] == "for the authors to say").count();
                Some((table.name.as_str(), table.rows.len(), open))
            }
            _ => None,
        })
        .collect();
    assert_eq!(tables, [("readers-stard-ai", 48, 40), ("readers-claim", 44, 37)]);
}

/// Readings of 12 films by 6 readers, with the time that each took; `keeps` says which.
fn timed(
    folder: &Path,
    keeps: impl Fn(usize, &str) -> bool,
    seconds: impl Fn(usize, &str, usize) -> f64,
) -> ReaderTable {
    let mut text = "reader,treatment,case,truth,rating,seconds\n".to_owned();
    for (reader, treatment) in (0..6).flat_map(|reader| ["aided", "plain"].map(|treatment| (reader, treatment))) {
        for case in (0..12).filter(|_| keeps(reader, treatment)) {
            let again = usize::from(treatment == "plain");
            let rating = (case * 7 + reader * 5 + (1 + again) * reader * case) % 7 + (2 + again) * (case % 2);
            writeln!(text, "r{reader},{treatment},{case},{},{rating},{}", case % 2, seconds(reader, treatment, case))
                .unwrap();
        }
    }
    let path = folder.join("timed.csv");
    fs::write(&path, text).unwrap();
    load(&path)
}

#[test]
fn reading_times_have_a_mixed_model_beside_paired_ranks() {
    let folder = tempfile::tempdir().unwrap();
    let seconds = |reader: usize, treatment: &str, case: usize| {
        let noise = (reader * 31 + case * 17 + usize::from(treatment == "plain") * reader * case) % 13;
        let log = 2.5 + 0.2 * reader as f64 + 0.05 * case as f64 + 0.03 * noise as f64;
        (log + if treatment == "plain" { 0.25 } else { 0.0 }).exp()
    };
    let found = analyzed(&timed(folder.path(), |_, _| true, seconds));
    let model = found.time_model.as_ref().unwrap().0.as_ref().unwrap();
    assert_eq!((model.ratings, model.means.len(), model.ratios.len()), (144, 2, 1));
    // Balanced: the ratio is that of the geometric means of all readings.
    let log = |treatment| (0..72).map(|of| seconds(of / 12, treatment, of % 12).ln()).sum::<f64>() / 72.0;
    let ratio = &model.ratios[0];
    assert_eq!((ratio.first.as_str(), ratio.second.as_str()), ("aided", "plain"));
    assert!((ratio.ratio.value / (log("aided") - log("plain")).exp() - 1.0).abs() < 1e-9);
    let limits = ratio.ratio.limits.unwrap();
    assert!(limits.high < 1.0 && ratio.test.p < 0.001 && limits.low > 0.0);
    assert!((model.means[0].1.value / log("aided").exp() - 1.0).abs() < 1e-9);
    assert!(found.times[0].test.0.is_ok() && found.methods.ends_with("degrees of freedom)."), "{}", found.methods);
    let html = page(&found, None, "Readers");
    assert!(html.sections.iter().any(|section| section.heading == "Reading times"));
    // In parallel arms no reader read under both, and the model alone compares them: between readers, with few degrees of freedom.
    let parallel =
        analyzed(&timed(folder.path(), |reader, treatment| (treatment == "plain") == (reader % 2 == 0), seconds));
    assert!(parallel.times[0].test.0.is_err());
    let model = parallel.time_model.unwrap().0.unwrap();
    assert!(model.ratios[0].test.df.unwrap() < 6.0, "{:?}", model.ratios[0].test);
    // A time of nothing has no logarithm.
    let stopped = analyzed(&timed(
        folder.path(),
        |_, _| true,
        |reader, treatment, case| {
            if (reader, treatment, case) == (0, "aided", 3) { 0.0 } else { seconds(reader, treatment, case) }
        },
    ));
    let undefined = stopped.time_model.unwrap().0.unwrap_err().to_string();
    assert!(undefined.contains("index 3 is 0, not a time above zero"), "{undefined}");
}

#[test]
fn the_next_study_has_its_size_by_the_formula_and_its_power_by_simulation_too() {
    let folder = tempfile::tempdir().unwrap();
    let options = ReaderOptions { next: Some((0.08, 8, 0.8)), ..ReaderOptions::default() };
    let found = analyze(&timed(folder.path(), |_, _| true, |_, _, _| 1.0), &options).unwrap();
    let next = found.next.unwrap().0.unwrap();
    assert!(next.size.readers == 8 && next.power.0.unwrap() >= 0.8);
    let simulated = next.simulated.value().unwrap();
    assert!(simulated > 0.7 && simulated < 1.0, "{simulated}");
}
