//! The page of a reader study: the comparison of treatments, Fig. 2 with the readers, and tables of readers.

use coxa_stats::Undefined;
use coxa_stats::mrmc::Components;

use super::analysis::ReaderAnalysis;
use super::performance::{GroupPerformance, ModelCurve, Performance};
use super::side_results::{TimeModel, TimeSpread};
use crate::figures::pairs::{self, PairPoint};
use crate::figures::roc::{self, ReaderPoint, RocCurve};
use crate::page::{Block, Page, PageTable, Section};
use crate::report::cell;
use crate::statistic::{Defined, Statistic};

/// Builds the page; `curve` is the network's, which Fig. 2 draws.
pub fn page(found: &ReaderAnalysis, curve: Option<&ModelCurve>, title: &str) -> Page {
    let mut sections = vec![comparison(found)];
    if !found.standalone.is_empty() {
        sections.push(standalone(found));
    }
    if let Some(performance) = &found.performance {
        sections.push(readers(performance));
        sections.push(points(performance, curve));
    }
    sections.extend(pairs_of_treatments(found));
    sections.extend(found.time_model.as_ref().map(times));
    if let Some(localization) = &found.localization {
        let text = match &localization.0 {
            Ok(of) => of
                .treatments
                .iter()
                .map(|m| format!("{}: {}", m.treatment, shown(Ok(m.mean))))
                .collect::<Vec<_>>()
                .join("; "),
            Err(undefined) => undefined.to_string(),
        };
        let text = format!("Area under the AFROC curve of marked lesions. {text}.");
        sections.push(Section { heading: "Localization".into(), blocks: vec![Block::Text(text)] });
    }
    if !found.agreement.is_empty() {
        let rows = found.agreement.iter().map(|of| vec![of.treatment.clone(), of.cases.to_string(), cell(&of.fleiss)]);
        let caption = "Fleiss' kappa of the readers' calls at the threshold, on the films that all of them rated.";
        let table = table("readers-agreement", caption, &["treatment", "films", "kappa"], rows.collect());
        sections.push(Section { heading: "Agreement".into(), blocks: vec![Block::Table(table)] });
    }
    sections.push(super::checklist::section(found, title));
    let subtitle =
        format!("{} films, {} with the finding; design: {}", found.cases, found.positive, found.analysis.design.name());
    Page { title: title.to_owned(), subtitle, simulated: false, sections }
}

fn table(name: &str, caption: &str, header: &[&str], rows: Vec<Vec<String>>) -> PageTable {
    let header = header.iter().map(|&name| name.to_owned()).collect();
    PageTable { name: name.to_owned(), caption: caption.to_owned(), header, rows, data: None }
}

fn shown(estimate: Result<coxa_stats::Estimate, Undefined>) -> String {
    cell(&Statistic(estimate))
}

fn comparison(found: &ReaderAnalysis) -> Section {
    let analysis = &found.analysis;
    let mut rows: Vec<Vec<String>> = Vec::new();
    for mean in &analysis.treatments {
        rows.push(vec![mean.treatment.clone(), shown(Ok(mean.mean)), String::new(), String::new()]);
    }
    for pair in &analysis.differences {
        let df = pair.test.df.map_or(String::new(), |df| format!("{df:.2}"));
        rows.push(vec![
            format!("{} − {}", pair.first, pair.second),
            shown(Ok(pair.difference)),
            df,
            format!("{:.4}", pair.test.p),
        ]);
    }
    let is_compared = !analysis.differences.is_empty();
    let and = if is_compared { ", and differences of treatments" } else { "" };
    let caption = format!("{} averaged over readers{and}.", analysis.endpoint);
    let means = table("readers-treatments", &caption, &["treatment", "value", "df", "p"], rows);
    let components = table(
        "readers-components",
        "Variance components and mean squares.",
        &["component", "value"],
        components(&analysis.components),
    );
    let mut blocks = vec![Block::Table(means), Block::Table(components), Block::Text(found.methods.clone())];
    blocks.extend(found.notes.iter().map(|note| Block::Text(note.clone())));
    let heading = if is_compared { "Comparison of treatments" } else { "The readers' mean" };
    Section { heading: heading.into(), blocks }
}

fn components(c: &Components) -> Vec<Vec<String>> {
    let some = [
        ("reader", c.reader),
        ("treatment by reader", c.treatment_reader),
        ("error", Some(c.error)),
        ("Cov1", c.cov1),
        ("Cov2", c.cov2),
        ("Cov3", c.cov3),
        ("MS(T)", c.ms_treatment),
        ("MS(R)", c.ms_reader),
        ("MS(T:R)", c.ms_interaction),
    ];
    some.into_iter()
        .filter_map(|(name, value)| value.map(|value| vec![name.to_owned(), format!("{value:.8}")]))
        .collect()
}

fn standalone(found: &ReaderAnalysis) -> Section {
    let row = |of: &Defined<coxa_stats::mrmc::Standalone>| match &of.0 {
        Ok(of) => vec![
            of.treatment.clone(),
            format!("{:.3}", of.readers),
            format!("{:.3}", of.alone),
            shown(Ok(of.difference)),
            format!("{:.4}", of.test.p),
        ],
        Err(undefined) => vec![String::new(), String::new(), String::new(), undefined.to_string(), String::new()],
    };
    let header = ["treatment", "readers' mean", "stand-alone", "difference", "p"];
    let caption = format!("{} of the readers and of the stand-alone reader.", found.analysis.endpoint);
    let rows = found.standalone.iter().map(row).collect();
    let table = table("readers-standalone", &caption, &header, rows);
    Section { heading: "Readers and the stand-alone reader".into(), blocks: vec![Block::Table(table)] }
}

/// Yes, no or unknown.
fn yes(answer: Option<bool>) -> String {
    answer.map_or("", |yes| if yes { "yes" } else { "no" }).to_owned()
}

fn readers(performance: &Performance) -> Section {
    let rows = performance.readers.iter().map(|of| {
        let rates = [&of.sensitivity, &of.specificity, &of.accuracy, &of.f1, &of.fnr].map(cell);
        let names = [of.reader.clone(), of.group.clone(), of.treatment.clone()];
        names.into_iter().chain(rates).chain([yes(of.under_curve)]).collect()
    });
    let header =
        ["reader", "group", "treatment", "sensitivity", "specificity", "accuracy", "F1", "FNR", "under the curve"];
    let caption =
        format!("Each reader's calls at a rating of {} or more, with exact intervals.", performance.threshold);
    let each = table("readers", &caption, &header, rows.collect());
    let rate = |of: &GroupPerformance, name: &str| {
        let found = of.rates.get(name);
        found.map_or(String::new(), |of| format!("{}, range {:.3}–{:.3}", cell(&of.mean), of.lowest, of.highest))
    };
    let rows = performance.groups.iter().map(|of| {
        let group = if of.group.is_empty() { "all".to_owned() } else { of.group.clone() };
        let names = [group, of.treatment.clone(), of.readers.to_string()];
        let rates = ["sensitivity", "specificity", "accuracy", "f1", "fnr"].map(|name| rate(of, name));
        let under = [yes(of.mean_under_curve), yes(of.interval_under_curve)];
        names.into_iter().chain(rates).chain(under).collect()
    });
    let header = [
        "group",
        "treatment",
        "readers",
        "sensitivity",
        "specificity",
        "accuracy",
        "F1",
        "FNR",
        "mean under the curve",
        "interval under the curve",
    ];
    let caption = "Means over readers with Student's interval and range, by group.";
    let groups = table("readers-groups", caption, &header, rows.collect());
    Section { heading: "Readers".into(), blocks: vec![Block::Table(groups), Block::Table(each)] }
}

fn points(performance: &Performance, curve: Option<&ModelCurve>) -> Section {
    let points: Vec<ReaderPoint> = performance
        .readers
        .iter()
        .filter_map(|of| {
            let (sensitivity, specificity) = of.sensitivity.value().zip(of.specificity.value())?;
            let group =
                if of.group.is_empty() { of.treatment.clone() } else { format!("{}, {}", of.group, of.treatment) };
            Some(ReaderPoint { group, name: of.reader.clone(), sensitivity, specificity })
        })
        .collect();
    let curves: Vec<RocCurve> = curve
        .map(|curve| RocCurve {
            name: "model".into(),
            points: curve.points().to_vec(),
            band: Vec::new(),
            operating: None,
        })
        .into_iter()
        .collect();
    let caption =
        "Readers by group and treatment, beside the network's ROC curve where it is known (Fig. 2 of the paper).";
    let figure = roc::draw(&curves, &points, "Readers and ROC curve");
    let figure = Block::Figure { name: "fig2-readers".into(), figure, caption: caption.into() };
    Section { heading: "Readers and ROC curve".into(), blocks: vec![figure] }
}

fn times(model: &Defined<TimeModel>) -> Section {
    let block = match &model.0 {
        Err(undefined) => Block::Text(undefined.to_string()),
        Ok(model) => {
            let empty = String::new;
            let means = model.means.iter().map(|(name, mean)| vec![name.clone(), shown(Ok(*mean)), empty(), empty()]);
            let ratios = model.ratios.iter().map(|of| {
                let df = of.test.df.map_or(empty(), |df| format!("{df:.2}"));
                vec![format!("{} / {}", of.first, of.second), shown(Ok(of.ratio)), df, format!("{:.4}", of.test.p)]
            });
            let TimeSpread { reader, case, error } = model.sd;
            let caption = format!(
                "Geometric mean time in seconds, and ratios, of {} ratings: linear mixed model of log seconds with random readers and films, \
                 by REML with Satterthwaite's degrees of freedom. Standard deviations of log seconds: readers {reader:.3}, films {case:.3}, \
                 error {error:.3}.",
                model.ratings
            );
            let rows = means.chain(ratios).collect();
            Block::Table(table("readers-time-model", &caption, &["treatment", "value", "df", "p"], rows))
        }
    };
    Section { heading: "Reading times".into(), blocks: vec![block] }
}

/// Each reader's endpoint, and reading time, under the first two treatments.
fn pairs_of_treatments(found: &ReaderAnalysis) -> Option<Section> {
    let mut blocks = Vec::new();
    if let [first, second, ..] = found.analysis.treatments.as_slice()
        && !found.analysis.reader_differences.is_empty()
    {
        let all = &found.analysis.readers;
        let points = all.iter().filter(|a| a.treatment == first.treatment).filter_map(|a| {
            let b = all.iter().find(|b| b.treatment == second.treatment && b.reader == a.reader)?;
            Some(PairPoint { name: a.reader.clone(), at: (b.estimate.value, a.estimate.value) })
        });
        let endpoint = found.analysis.endpoint;
        let names = (format!("{endpoint}, {}", second.treatment), format!("{endpoint}, {}", first.treatment));
        let figure = pairs::draw(&points.collect::<Vec<_>>(), (&names.0, &names.1), "Readers under both treatments");
        let caption = "Each reader under two treatments.".to_owned();
        blocks.push(Block::Figure { name: "readers-pairs".into(), figure, caption });
    }
    if let Some(times) = found.times.first().filter(|times| !times.medians.is_empty()) {
        let points: Vec<PairPoint> =
            times.medians.iter().map(|(name, a, b)| PairPoint { name: name.clone(), at: (*b, *a) }).collect();
        let names = (format!("seconds, {}", times.second), format!("seconds, {}", times.first));
        let figure = pairs::draw(&points, (&names.0, &names.1), "Reading times");
        let p = match &times.test.0 {
            Ok(test) => format!("signed-rank test p {:.4}", test.test.p),
            Err(undefined) => undefined.to_string(),
        };
        let caption = format!("Each reader's median reading time under two treatments; {p}.");
        blocks.push(Block::Figure { name: "readers-times".into(), figure, caption });
    }
    (!blocks.is_empty()).then(|| Section { heading: "Treatments by reader".into(), blocks })
}
