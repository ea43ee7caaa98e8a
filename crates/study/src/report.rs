//! The report of a study: the paper's tables and figures for this study's films, on one page.

use coxa_cohort::flow::Flow;
use coxa_stats::roc::{Roc, sensitivity_at_specificity};
use coxa_stats::{Bootstrap, Confusion, Interval, Level, Metric, Plan, Resampling};

use crate::evaluate::{Dependence, Evaluation, EvaluationOptions, Measures};
use crate::figures::calibration::Bin;
use crate::figures::curves::{self, Series};
use crate::figures::flow::{self, Step};
use crate::figures::forest::{self, ForestRow};
use crate::figures::roc::{self, ReaderPoint, RocCurve};
use crate::figures::{Figure, calibration, decision, froc};
use crate::localize::LocalizationMeasures;
use crate::page::{Block, FilmCard, Page, Section, Table};
use crate::predictions::Predictions;
use crate::statistic::Statistic;
use crate::subgroups::Subgroup;

/// The paper's own figures (Cheng et al., European Radiology 2019: 100 films of 2017, positive from 0.5): name, value, low, high of the
/// 95 % interval, with the digits that it prints, its percentages as shares.
pub const PAPER: [(&str, &str, &str, &str); 6] = [
    ("accuracy", "0.91", "0.84", "0.96"),
    ("sensitivity", "0.98", "0.89", "1.00"),
    ("specificity", "0.84", "0.71", "0.93"),
    ("false-negative rate", "0.02", "0.003", "0.17"),
    ("F1", "0.916", "0.845", "0.956"),
    ("AUC", "0.98", "0.96", "1.00"),
];

/// The paper's proportion of called fractures with the heatmap on the right site: 47 of 49.
pub const PAPER_LOCALIZATION: f64 = 47.0 / 49.0;

/// The paper's table of its 100 films: what it does not tell follows from it.
const PAPER_TABLE: Confusion = Confusion { tp: 49, fn_: 1, fp: 8, tn: 42 };

/// The bootstrap behind the ROC curve's band: enough for a picture.
const BAND: Plan = Plan { replicates: 500, seed: 0 };

/// An epoch of a training, for the curves of Fig. 1.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Epoch {
    /// From 1.
    pub epoch: usize,
    /// Accuracy on the training films.
    pub train_accuracy: f64,
    /// Loss on the training films.
    pub train_loss: f64,
    /// Accuracy on the validation films.
    pub validation_accuracy: f64,
    /// Loss on the validation films.
    pub validation_loss: f64,
}

/// What a report is made of; what is not known is left empty, and its section out.
pub struct Study<'a> {
    /// The title.
    pub title: String,
    /// A line below it: which films, which model.
    pub subtitle: String,
    /// Whether the films are simulated.
    pub simulated: bool,
    /// The predictions.
    pub predictions: &'a Predictions,
    /// How they were evaluated.
    pub options: &'a EvaluationOptions,
    /// Files that could not be opened or decoded.
    pub failed: usize,
    /// Films that were refused as no frontal film of pelvis or hip.
    pub not_read: usize,
    /// Their evaluation.
    pub evaluation: &'a Evaluation,
    /// Whether the heatmaps are in the right place.
    pub localization: Option<&'a LocalizationMeasures>,
    /// The stages of the training with their epochs.
    pub training: Vec<(String, Vec<Epoch>)>,
    /// How the films were selected.
    pub flow: Option<&'a Flow>,
    /// Table 1.
    pub demographics: Option<Table>,
    /// Readers to draw beside the curve.
    pub readers: Vec<ReaderPoint>,
    /// Films to show.
    pub films: Vec<FilmCard>,
    /// Films that were classified wrongly or marked in the wrong place; the first of them, where they are many.
    pub wrong: Vec<FilmCard>,
    /// How many there are of these in all.
    pub n_wrong: usize,
    /// The model's card: name and value.
    pub card: Vec<(String, String)>,
    /// Commands to try next, each with what it does.
    pub next: Vec<(String, String)>,
}

/// Builds the page.
pub fn report(study: Study<'_>) -> Page {
    let mut sections = vec![results(&study), curve(&study)];
    if !study.films.is_empty() {
        sections.push(section("Films and heatmaps", vec![Block::Films(study.films.clone())]));
    }
    if let Some(localization) = study.localization {
        sections.push(localization_section(localization, &study));
    }
    if !study.wrong.is_empty() {
        sections.push(wrong_section(&study.wrong, study.n_wrong));
    }
    sections.extend(subgroups(study.evaluation));
    sections.push(calibration_section(study.predictions, study.evaluation));
    if study.flow.is_some() || study.demographics.is_some() {
        sections.push(films_section(study.flow, study.demographics.clone()));
    }
    if !study.training.is_empty() {
        sections.push(training_section(&study.training));
    }
    sections.push(crate::checklist::section(&study));
    if !study.card.is_empty() {
        let rows = study.card.iter().map(|(name, value)| vec![name.clone(), value.clone()]).collect();
        let table = Table {
            name: "model-card".into(),
            caption: "The bundle's own words.".into(),
            header: strings(["item", "value"]),
            rows,
            data: None,
        };
        sections.push(section("Model card", vec![Block::Table(table)]));
    }
    if !study.next.is_empty() {
        let next =
            study.next.iter().flat_map(|(what, command)| [Block::Text(what.clone()), Block::Command(command.clone())]);
        sections.push(section("What to try next", next.collect()));
    }
    Page { title: study.title, subtitle: study.subtitle, simulated: study.simulated, sections }
}

/// A page of the films that were classified wrongly or marked in the wrong place, with the true boxes.
pub fn wrong_page(study: &Study<'_>) -> Option<Page> {
    let text = format!("{} {BOXES}", which(study.wrong.len(), study.n_wrong));
    (!study.wrong.is_empty()).then(|| Page {
        title: format!("{}: wrong films", study.title),
        subtitle: format!(
            "{}: {} films with a wrong finding, or a right one in the wrong place",
            study.subtitle, study.n_wrong
        ),
        simulated: study.simulated,
        sections: vec![section("Wrong films", vec![Block::Text(text), Block::Films(study.wrong.clone())])],
    })
}

const BOXES: &str = "True boxes are drawn in white on the film at the left.";

/// Wrong films that the report's own page shows.
const WRONG_SHOWN: usize = 24;

fn which(shown: usize, of: usize) -> String {
    if shown == of { format!("All {of} of them.") } else { format!("The first {shown} of {of}.") }
}

fn wrong_section(wrong: &[FilmCard], n: usize) -> Section {
    let shown = wrong.len().min(WRONG_SHOWN);
    let more = if shown < wrong.len() { " wrong.html beside this page shows more." } else { "" };
    let text = format!(
        "Films with a wrong finding, or a right one in the wrong place. {}{more} {BOXES}",
        which(shown, n)
    );
    section("Wrong films", vec![Block::Text(text), Block::Films(wrong[..shown].to_vec())])
}

fn section(heading: &str, blocks: Vec<Block>) -> Section {
    Section { heading: heading.to_owned(), blocks }
}

fn strings<const N: usize>(texts: [&str; N]) -> Vec<String> {
    texts.map(str::to_owned).to_vec()
}

/// A statistic as fields of a CSV file: value, low, high, method, at full precision; empty where undefined, with the reason.
fn fields(statistic: &Statistic) -> [String; 4] {
    match &statistic.0 {
        Ok(e) => match e.limits {
            Ok(l) => [e.value.to_string(), l.low.to_string(), l.high.to_string(), l.method.to_owned()],
            Err(why) => [e.value.to_string(), String::new(), String::new(), why.to_string()],
        },
        Err(undefined) => [String::new(), String::new(), String::new(), undefined.reason.to_string()],
    }
}

/// The header of [`fields`], each name after `before`.
fn field_names(before: &str) -> [String; 4] {
    ["value", "low", "high", "method"]
        .map(|name| if before.is_empty() { name.into() } else { format!("{before} {name}") })
}

/// A level as people say it: 95%.
pub(crate) fn percent(level: Level) -> String {
    format!("{}%", crate::figures::number(100.0 * level.get()))
}

/// The paper's figure of a measure: as printed there, or, with a star, computed from its table of 100 films.
fn paper_cell(name: &str) -> String {
    if let Some((_, value, low, high)) = PAPER.iter().find(|(known, ..)| *known == name) {
        return format!("{value} ({low}–{high})");
    }
    let metric = match name {
        "false-positive rate" => Metric::FalsePositiveRate,
        "positive predictive value" => Metric::Ppv,
        "negative predictive value" => Metric::Npv,
        "likelihood ratio +" => Metric::LikelihoodRatioPositive,
        "likelihood ratio −" => Metric::LikelihoodRatioNegative,
        "Youden's index" => Metric::Youden,
        _ => return String::new(),
    };
    let Ok(e) = PAPER_TABLE.estimate(metric, Level::P95, Interval::ClopperPearson) else { return String::new() };
    e.limits.map_or_else(|_| String::new(), |l| format!("{:.2} ({:.2}–{:.2}) *", e.value, l.low, l.high))
}

/// A statistic as a cell of a table. An interval without a width, as DeLong's at an area of 1, does not stand there as certainty.
pub fn cell(statistic: &Statistic) -> String {
    match &statistic.0 {
        Ok(e) => match e.limits {
            Ok(l) if l.low == l.high => format!("{:.3} (no width: {})", e.value, l.method),
            Ok(l) => format!("{:.3} ({:.3}–{:.3})", e.value, l.low, l.high),
            Err(why) => format!("{:.3} (no interval: {why})", e.value),
        },
        Err(undefined) => format!("undefined: {}", undefined.reason),
    }
}

pub(crate) fn measures_by_name(measures: &Measures) -> [(&'static str, &Statistic); 12] {
    [
        ("accuracy", &measures.accuracy),
        ("sensitivity", &measures.sensitivity),
        ("specificity", &measures.specificity),
        ("false-negative rate", &measures.false_negative_rate),
        ("false-positive rate", &measures.false_positive_rate),
        ("positive predictive value", &measures.ppv),
        ("negative predictive value", &measures.npv),
        ("F1", &measures.f1),
        ("AUC", &measures.auc),
        ("likelihood ratio +", &measures.likelihood_ratio_positive),
        ("likelihood ratio −", &measures.likelihood_ratio_negative),
        ("Youden's index", &measures.youden),
    ]
}

fn results(study: &Study<'_>) -> Section {
    let measures = &study.evaluation.measures;
    let c = &measures.confusion;
    let confusion = Table {
        name: "confusion".into(),
        caption: format!(
            "{} films; called positive at a probability of {:.4} or more.",
            measures.n, measures.threshold
        ),
        header: strings(["truth", "called fracture", "called none"]),
        rows: vec![
            vec!["fracture".into(), c.tp.to_string(), c.fn_.to_string()],
            vec!["no fracture".into(), c.fp.to_string(), c.tn.to_string()],
        ],
        data: None,
    };
    let kind = if study.simulated { "simulated films" } else { "these films" };
    let rows = measures_by_name(measures).map(|(name, statistic)| {
        let method = statistic.limits().map_or(String::new(), |limits| limits.method.to_owned());
        vec![name.to_owned(), cell(statistic), paper_cell(name), method]
    });
    let data = measures_by_name(measures).map(|(name, statistic)| with_fields(vec![name.to_owned()], &[statistic]));
    let table = Table {
        name: "measures".into(),
        caption: format!(
            "Value and {} interval; the paper's column has 95% intervals throughout. * Computed from the paper's table: 49 fractures \
             called, 1 missed, 8 false calls, 42 rightly called normal. Its interval of the false-negative rate is that of its negative \
             likelihood ratio, a slip.",
            percent(study.options.level)
        ),
        header: vec!["measure".into(), kind.to_owned(), "paper, 100 real films".into(), "interval".into()],
        rows: rows.to_vec(),
        data: Some((["measure".to_owned()].into_iter().chain(field_names("")).collect(), data.to_vec())),
    };
    let notes = study.evaluation.notes.iter().map(|note| Block::Text(note.clone()));
    section("Results", [Block::Table(confusion), Block::Table(table)].into_iter().chain(notes).collect())
}

/// Cells followed by the fields of statistics.
fn with_fields(cells: Vec<String>, statistics: &[&Statistic]) -> Vec<String> {
    cells.into_iter().chain(statistics.iter().flat_map(|statistic| fields(statistic))).collect()
}

fn curve(study: &Study<'_>) -> Section {
    let Ok(sample) = study.predictions.scored() else {
        return section(
            "ROC curve",
            vec![Block::Text("Undefined: the predictions are not scores of two classes.".into())],
        );
    };
    let Ok(curve) = Roc::new(sample) else {
        return section("ROC curve", vec![Block::Text("Undefined: there are films of one class only.".into())]);
    };
    let mut points: Vec<_> = curve.points().iter().map(|p| (1.0 - p.specificity, p.sensitivity)).collect();
    points.sort_by(|a, b| a.0.total_cmp(&b.0).then(a.1.total_cmp(&b.1)));
    let clusters = study.predictions.dependent(study.options.clustering).ok().flatten();
    let (resampling, how) = match &clusters {
        Some(clusters) => (Resampling::Clustered(clusters), "bootstrap of patients"),
        None => (Resampling::Stratified, "stratified bootstrap"),
    };
    let bootstrap = Bootstrap::new(resampling).level(study.options.level).plan(BAND);
    let band = (0..20).filter_map(|i| {
        let specificity = 1.0 - f64::from(i) / 20.0;
        let limits = sensitivity_at_specificity(sample, specificity, &bootstrap).ok()?.limits.ok()?;
        Some((1.0 - specificity, limits.low, limits.high))
    });
    // Every curve ends here: a point without an interval.
    let band = band.chain([(1.0, 1.0, 1.0)]);
    let measures = &study.evaluation.measures;
    let operating = measures.specificity.value().zip(measures.sensitivity.value()).map(|(sp, se)| (1.0 - sp, se));
    let auc = measures.auc.value().map_or("AUC undefined".to_owned(), |auc| format!("model, AUC {auc:.3}"));
    let drawn = RocCurve { name: auc, points, band: band.collect(), operating };
    let drawing = roc::draw(&[drawn], &study.readers, "ROC curve");
    let caption = format!(
        "The ROC curve (Fig. 2 of the paper), the pointwise {} band of its sensitivity ({how}) and the operating point.",
        percent(study.options.level)
    );
    section("ROC curve", vec![figure("fig2-roc", drawing, &caption)])
}

fn figure(name: &str, figure: Figure, caption: &str) -> Block {
    Block::Figure { name: name.to_owned(), figure, caption: caption.to_owned() }
}

fn localization_section(l: &LocalizationMeasures, study: &Study<'_>) -> Section {
    let sites = &l.sites;
    let statistics = [
        ("heatmap's peak on the right site (the paper's score)", &l.right_site),
        ("peak inside the true box, grown by the margin (pointing game)", &l.pointing_game),
        ("peak inside the true box itself", &l.pointing_game_strict),
        ("peak on the opposite hip", &l.side_confused),
        ("mean overlap of region and box (IoU)", &l.mean_iou),
        ("mean share of the box that is covered", &l.mean_covered),
        ("mean share of the heatmap in the grown box", &l.mean_activation_inside),
        ("normal films without a heatmap", &l.no_heatmap_on_normal),
        ("the same among those called normal", &l.no_heatmap_on_true_negative),
    ];
    let data = statistics.map(|(name, statistic)| with_fields(vec![name.to_owned()], &[statistic]));
    let mut rows: Vec<Vec<String>> = statistics.map(|(name, value)| vec![name.to_owned(), cell(value)]).to_vec();
    let counts = format!(
        "right {}, opposite side {}, elsewhere {}, none {}",
        sites.right, sites.opposite_side, sites.elsewhere, sites.none
    );
    rows.push(vec!["sites of the peak in called fractures".into(), counts]);
    rows.push(vec!["margin, share of the film's width".into(), l.margin.to_string()]);
    let table = Table {
        name: "localization".into(),
        caption: format!(
            "Heatmaps against the true boxes, with {} intervals by {}. The paper's radiologist found {:.1}% of 49 right.",
            percent(study.options.level),
            if l.dependence == Dependence::Patients { "patient" } else { "film" },
            PAPER_LOCALIZATION * 100.0
        ),
        header: strings(["measure", "value"]),
        rows,
        data: Some((["measure".to_owned()].into_iter().chain(field_names("")).collect(), data.to_vec())),
    };
    let drawing = froc::draw(
        &l.froc.points.iter().map(|p| (p.false_marks_per_film, p.marked)).collect::<Vec<_>>(),
        "Free-response curve",
    );
    let mut blocks = vec![
        Block::Table(table),
        figure(
            "froc",
            drawing,
            "Fractures marked (a region's center in the true box, grown by the margin) against false marks per film, as the score of a \
             region falls.",
        ),
    ];
    if !l.without_box.is_empty() {
        blocks
            .push(Block::Text(format!("{} fractured films have no true box and are not judged.", l.without_box.len())));
    }
    section("Localization", blocks)
}

fn subgroups(evaluation: &Evaluation) -> Option<Section> {
    if evaluation.subgroups.is_empty() {
        return None;
    }
    let mut rows = Vec::new();
    let mut column = "";
    for group in &evaluation.subgroups {
        if group.column != column {
            column = &group.column;
            rows.push(ForestRow { name: column.to_owned(), counts: None, estimate: None, note: String::new() });
        }
        let measures = &group.measures;
        let statistic = auc_of(group);
        rows.push(ForestRow {
            name: starred(group, group.value.clone()),
            counts: Some((measures.n, measures.positives)),
            estimate: statistic
                .value()
                .zip(statistic.limits())
                .filter(|(_, l)| l.low < l.high)
                .map(|(v, l)| (v, l.low, l.high)),
            note: match &statistic.0 {
                Err(undefined) => undefined.reason.to_string(),
                Ok(estimate) => format!("{:.3}, no interval", estimate.value),
            },
        });
    }
    let drawing = forest::draw(&rows, "AUC", evaluation.measures.auc.value(), "AUC of subgroups");
    let table_rows = evaluation.subgroups.iter().map(|group| {
        let m = &group.measures;
        let counts = [m.n.to_string(), m.positives.to_string()];
        let auc = starred(group, cell(auc_of(group)));
        let values = [&m.sensitivity, &m.specificity, &m.accuracy].map(cell);
        [group.column.clone(), group.value.clone()].into_iter().chain(counts).chain([auc]).chain(values).collect()
    });
    let named = ["AUC", "sensitivity", "specificity", "accuracy"];
    let header = strings(["column", "value", "films", "fractures", "AUC controls"])
        .into_iter()
        .chain(named.iter().flat_map(|n| field_names(n)))
        .collect();
    let data = evaluation.subgroups.iter().map(|group| {
        let m = &group.measures;
        let controls = if group.auc_with_all_controls.is_some() { "all" } else { "own" };
        let counts = [m.n.to_string(), m.positives.to_string()];
        let cells = [group.column.clone(), group.value.clone()].into_iter().chain(counts).chain([controls.to_owned()]);
        with_fields(cells.collect(), &[auc_of(group), &m.sensitivity, &m.specificity, &m.accuracy])
    });
    let table = Table {
        name: "subgroups".into(),
        caption: format!("Each subgroup on its own, but for AUCs with a star; no correction for their number. {STAR}"),
        header: strings(["column", "value", "films", "fractures", "AUC", "sensitivity", "specificity", "accuracy"]),
        rows: table_rows.collect(),
        data: Some((header, data.collect())),
    };
    let blocks = vec![
        figure("subgroups", drawing, &format!("AUC with its interval; the dashed line is all films. {STAR}")),
        Block::Table(table),
    ];
    Some(section("Subgroups", blocks))
}

const STAR: &str = "* A subgroup of fractures alone, against all films without one.";

/// A text of a subgroup's area, with a star where it is that against all films without a fracture.
fn starred(group: &Subgroup, text: String) -> String {
    match group.auc_with_all_controls {
        Some(_) => format!("{text} *"),
        None => text,
    }
}

/// The area of a subgroup; of one that holds fractures alone, that against all films without one.
fn auc_of(group: &Subgroup) -> &Statistic {
    group.auc_with_all_controls.as_ref().unwrap_or(&group.measures.auc)
}

fn calibration_section(predictions: &Predictions, evaluation: &Evaluation) -> Section {
    let c = &evaluation.calibration;
    let bins: Vec<Bin> = c
        .bins
        .iter()
        .map(|bin| Bin {
            predicted: bin.predicted,
            observed: bin.observed.value,
            interval: bin.observed.limits.map_or((bin.observed.value, bin.observed.value), |l| (l.low, l.high)),
            n: bin.observed.n,
        })
        .collect();
    let captions =
        [("Brier", &c.brier), ("ECE", &c.expected_calibration_error), ("slope", &c.slope), ("intercept", &c.intercept)];
    let lines: Vec<String> = captions.iter().map(|(name, value)| format!("{name} {}", cell(value))).collect();
    let mut blocks = vec![figure(
        "calibration",
        calibration::draw(&bins, &lines, "Reliability"),
        "Observed proportion of fractures in ten bins of predicted probability, with Wilson's intervals.",
    )];
    if let Some(drawing) = predictions.scored().ok().and_then(|sample| decision::draw(sample, "Decision curve")) {
        blocks.push(figure(
            "decision",
            drawing,
            "Net benefit of reading by the model, of treating all films as fractured, and of treating none.",
        ));
    }
    section("Calibration and use", blocks)
}

fn films_section(selected: Option<&Flow>, demographics: Option<Table>) -> Section {
    let mut blocks = Vec::new();
    if let Some(selected) = selected {
        let mut steps: Vec<Step> = selected
            .steps
            .iter()
            .map(|s| Step {
                name: s.what.clone(),
                n: s.n,
                excluded: s.left_out.iter().map(|c| (c.what.clone(), c.n)).collect(),
            })
            .collect();
        steps.extend(selected.outcomes.iter().map(|c| Step { name: c.what.clone(), n: c.n, excluded: Vec::new() }));
        blocks.push(figure("flow", flow::draw(&steps, "Flow of films"), "Flow of films (STARD)."));
    }
    blocks.extend(demographics.map(Block::Table));
    section("Films", blocks)
}

fn training_section(stages: &[(String, Vec<Epoch>)]) -> Section {
    let mut blocks = Vec::new();
    for (name, epochs) in stages {
        let series = |label: &str, value: fn(&Epoch) -> f64| Series {
            name: label.to_owned(),
            points: epochs.iter().map(|e| (e.epoch as f64, value(e))).collect(),
        };
        let accuracy = [series("training", |e| e.train_accuracy), series("validation", |e| e.validation_accuracy)];
        let loss = [series("training", |e| e.train_loss), series("validation", |e| e.validation_loss)];
        let title = format!("Accuracy, stage {name}");
        blocks.push(figure(&format!("fig1-{name}-accuracy"), curves::draw(&accuracy, "accuracy", &title), &title));
        let title = format!("Loss, stage {name}");
        blocks.push(figure(&format!("fig1-{name}-loss"), curves::draw(&loss, "loss", &title), &title));
    }
    section("Training", blocks)
}
