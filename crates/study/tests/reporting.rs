//! What the report says of its numbers: subgroups of fractures alone, the paper's column, the checklists.

use std::fmt::Write as _;
use std::path::Path;

use coxa_cohort::{Dataset, Film};
use coxa_schema::{BodyPart, Finding, Label};
use coxa_stats::{Level, Plan};
use coxa_study::page::{Block, Page, PageTable};
use coxa_study::report::{Study, report};
use coxa_study::{Clustering, EvaluationOptions, LocalizationOptions, Predictions, Subgroups, evaluate, localize};

/// Twenty patients with two films each, every other one with a fracture, classified correctly but for two; the fractures are of two kinds.
fn films() -> Predictions {
    let mut text = "image_id,patient,label,probability,fracture_type,sex\n".to_owned();
    for i in 0..40 {
        let (patient, fractured) = (i / 2, (i / 2) % 2 == 1);
        let drift = i as f64 / 100.0;
        let probability = if (i < 2) != fractured { 0.9 - drift } else { 0.1 + drift };
        let kind = ["none", ["neck", "trochanteric"][patient / 2 % 2]][usize::from(fractured)];
        let sex = if patient < 2 { "unknown" } else { "female" };
        writeln!(text, "f{i},p{patient},{},{probability},{kind},{sex}", u8::from(fractured)).unwrap();
    }
    Predictions::parse(text.as_bytes(), Path::new("p.csv")).unwrap()
}

fn page(options: &EvaluationOptions) -> Page {
    // Two normal films of one patient.
    let mut dataset = Dataset::new("set");
    for id in ["a", "b"] {
        dataset.films.push(Film::new(id, format!("{id}.png"), "p", BodyPart::Pelvis, Label::Absent));
    }
    let finding = Finding {
        probability: 0.1,
        threshold: 0.5,
        is_positive: false,
        regions: Vec::new(),
        model: "m".into(),
        width: 1,
        height: 1,
        notice: String::new(),
        heat_map: None,
    };
    let how = LocalizationOptions { clustering: options.clustering, ..LocalizationOptions::default() };
    let nowhere = localize(&dataset, dataset.films.iter().map(|film| (film, &finding)), &how).unwrap();
    let predictions = films();
    let evaluation = evaluate(&predictions, options).unwrap();
    report(Study {
        title: "t".into(),
        subtitle: String::new(),
        simulated: true,
        predictions: &predictions,
        options,
        failed: 0,
        not_read: 0,
        evaluation: &evaluation,
        localization: Some(&nowhere),
        judged: None,
        training: Vec::new(),
        flow: None,
        demographics: None,
        readers: Vec::new(),
        films: Vec::new(),
        wrong: Vec::new(),
        n_wrong: 0,
        card: Vec::new(),
        next: Vec::new(),
    })
}

fn options() -> EvaluationOptions {
    EvaluationOptions {
        clustering: Clustering::ByFilm,
        plan: Plan { replicates: 100, seed: 1 },
        ..EvaluationOptions::default()
    }
}

fn table<'a>(page: &'a Page, name: &str) -> &'a PageTable {
    let blocks = page.sections.iter().flat_map(|section| &section.blocks);
    let tables = blocks.filter_map(|block| if let Block::Table(table) = block { Some(table) } else { None });
    tables.into_iter().find(|table| table.name == name).unwrap()
}

fn answer<'a>(page: &'a Page, checklist: &str, item: &str) -> &'a str {
    &table(page, checklist).rows.iter().find(|row| row[0] == item).unwrap()[2]
}

#[test]
fn an_area_against_all_controls_is_marked() {
    let page = page(&options());
    let table = table(&page, "subgroups");
    let (header, data) = table.data.as_ref().unwrap();
    assert_eq!(header[4], "AUC controls");
    let groups = table.rows.iter().zip(data);
    let marks: Vec<(&str, bool, &str)> =
        groups.map(|(row, data)| (row[1].as_str(), row[4].ends_with('*'), data[4].as_str())).collect();
    assert_eq!(
        marks,
        [
            ("neck", true, "all"),
            ("none", false, "own"),
            ("trochanteric", true, "all"),
            ("female", false, "own"),
            ("unknown", false, "own")
        ]
    );
    assert!(table.caption.contains("against all films without one"), "{}", table.caption);
    assert!(data.iter().all(|row| row.len() == header.len()));
    // Two films against two: DeLong's variance of an area of 0 is zero, and the page says so.
    assert_eq!(table.rows[4][4], "0.000 (no width: DeLong, Wald (zero variance))");
}

#[test]
fn the_forest_plot_says_why_there_is_no_area() {
    let page = page(&EvaluationOptions { clustering: Clustering::ByPatient, ..options() });
    let blocks = page.sections.iter().flat_map(|section| &section.blocks);
    let forest = blocks.into_iter().find_map(|block| match block {
        Block::Figure { name, figure, .. } if name == "subgroups" => Some(&figure.svg),
        _ => None,
    });
    let svg = forest.unwrap();
    // The patients of unknown sex are one with a fracture and one without: an area, and no variance of it.
    assert!(svg.contains("0.000, no interval"), "{svg}");
    assert!(svg.contains("no positive case") && !svg.contains("no fracture in it"), "{svg}");
}

#[test]
fn the_papers_column_has_the_papers_digits() {
    let page = page(&EvaluationOptions { level: Level::P90, ..options() });
    let table = table(&page, "measures");
    let paper = |name: &str| table.rows.iter().find(|row| row[0] == name).unwrap()[2].as_str();
    assert_eq!(paper("false-negative rate"), "0.02 (0.003–0.17)");
    assert_eq!(paper("F1"), "0.916 (0.845–0.956)");
    assert_eq!(paper("AUC"), "0.98 (0.96–1.00)");
    assert!(table.caption.contains("90% interval; the paper's column has 95%"), "{}", table.caption);
}

#[test]
fn intervals_of_films_are_told_from_those_of_patients() {
    let caption = |clustering| {
        let page = page(&EvaluationOptions { clustering, ..options() });
        table(&page, "localization").caption.clone()
    };
    assert!(caption(Clustering::ByPatient).contains("95% intervals by patient."));
    assert!(caption(Clustering::ByFilm).contains("95% intervals by film."));
}

#[test]
fn the_checklists_say_what_was_done() {
    let films = page(&options());
    let methods = answer(&films, "stard-ai", "18");
    assert!(methods.contains("95% intervals; exact (Clopper-Pearson): accuracy, sensitivity"), "{methods}");
    assert!(methods.contains("DeLong, Wald: AUC"), "{methods}");
    let patients = page(&EvaluationOptions { clustering: Clustering::ByPatient, ..options() });
    let methods = answer(&patients, "tripod-ai", "12e");
    assert!(
        methods.contains("Obuchowski") && methods.contains("bootstrap") && !methods.contains("DeLong: AUC"),
        "{methods}"
    );
    assert!(!answer(&films, "tripod-ai", "7").contains("letterbox"), "the report does not know how films were fitted");

    assert!(answer(&films, "stard-ai", "26a").contains("see Subgroups"));
    let sexes = page(&EvaluationOptions { subgroups: Subgroups::Named(vec!["sex".into()]), ..options() });
    assert_eq!(answer(&sexes, "stard-ai", "26a"), "for the authors to say");
    assert_eq!(answer(&sexes, "stard-ai", "21"), "see Subgroups");
}
