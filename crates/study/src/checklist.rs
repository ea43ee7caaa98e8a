//! STARD-AI and TRIPOD+AI: what the run knows is filled in, what only the study's authors know is left for them, and says so.

use crate::page::{Block, PageTable, Section};
use crate::report::{Study, percent};

/// An item: its number, what it asks for, and the answer where the run knows it.
pub(crate) type Item = (&'static str, &'static str, Option<String>);

/// What the run knows that items ask for.
#[derive(Default)]
struct Known {
    title: String,
    intended_use: Option<String>,
    data: Option<String>,
    model: Option<String>,
    network: Option<String>,
    origin: Option<String>,
    trained_on: Option<String>,
    reference: Option<String>,
    threshold: String,
    intervals: Option<String>,
    missing: String,
    n: String,
    flow: Option<String>,
    demographics: Option<String>,
    subgroups: Option<String>,
    severity: Option<String>,
    approval: Option<String>,
}

impl Known {
    fn of(study: &Study<'_>) -> Self {
        let measures = &study.evaluation.measures;
        let card = |name: &str| study.card.iter().find(|(known, _)| known == name).map(|(_, value)| value.clone());
        let simulated = |text: &str| study.simulated.then(|| text.to_owned());
        let films = format!("{} films, {} with a fracture", measures.n, measures.positives);
        Self {
            title: study.title.clone(),
            intended_use: card("intended use"),
            data: simulated("simulated films: no patients, no dates, no setting"),
            model: card("model"),
            network: card("network"),
            origin: card("origin"),
            trained_on: card("trained on"),
            reference: simulated("the simulator's own truth"),
            threshold: card("threshold").unwrap_or_else(|| measures.threshold.to_string()),
            intervals: intervals(study),
            missing: format!(
                "{} files could not be opened and {} films were refused as no frontal film of pelvis or hip, and these are left out; \
                 every film that was read has a finding",
                study.failed, study.not_read
            ),
            n: study.evaluation.patients.map(|n| format!("{films}, of {n} patients")).unwrap_or(films),
            flow: study.flow.map(|_| "see the flow chart".to_owned()),
            demographics: study.demographics.as_ref().map(|_| "see Table 1".to_owned()),
            subgroups: (!study.evaluation.subgroups.is_empty()).then(|| "see Subgroups".to_owned()),
            severity: study
                .evaluation
                .subgroups
                .iter()
                .any(|group| group.column == KIND)
                .then(|| "kinds of fracture: see Subgroups".to_owned()),
            approval: simulated("none needed: no patients"),
        }
    }

    /// STARD 2015 (Bossuyt et al., BMJ 2015), which STARD-AI extends by what an index test by a model must say.
    fn stard(&self) -> Vec<Item> {
        let see = |text: &str| Some(text.to_owned());
        vec![
            ("1", "Identification as a study of diagnostic accuracy", Some(self.title.clone())),
            ("2", "Structured summary", None),
            ("3", "Background, intended use and role of the index test", self.intended_use.clone()),
            ("4", "Objectives and hypotheses", None),
            ("5", "Whether data were collected before or after the tests", self.data.clone()),
            ("6", "Eligibility criteria", self.flow.clone()),
            ("7", "On what basis participants were identified", self.data.clone()),
            ("8", "Where and when participants were identified", self.data.clone()),
            ("9", "Consecutive, random or convenience series", self.data.clone()),
            (
                "10a",
                "Index test (STARD-AI: model, version, input)",
                self.model.clone().zip(self.network.clone()).map(|(a, b)| format!("{a}; {b}")),
            ),
            ("10b", "Reference standard", self.reference.clone()),
            ("11", "Why this reference standard", self.reference.clone()),
            ("12a", "Cut-off of the index test, and where it was chosen", Some(self.threshold.clone())),
            ("12b", "Cut-off of the reference standard", self.reference.clone()),
            ("13a", "What the readers of the index test knew", see("the model gets the film's pixels alone")),
            ("13b", "What the assessors of the reference knew", self.reference.clone()),
            ("14", "Methods for estimating accuracy", self.intervals.clone()),
            ("15", "Indeterminate results", Some(self.missing.clone())),
            ("16", "Missing data", Some(self.missing.clone())),
            ("17", "Analyses of variability (STARD-AI: fairness)", self.subgroups.clone()),
            ("18", "Sample size, and how it was arrived at", None),
            ("19", "Flow of participants", self.flow.clone()),
            ("20", "Baseline characteristics", self.demographics.clone()),
            ("21a", "Severity of the condition in those with it", self.severity.clone()),
            ("21b", "Other diagnoses in those without it", None),
            ("22", "Time between index test and reference", self.data.clone()),
            ("23", "Cross tabulation", Some(format!("{}; see Results", self.n))),
            ("24", "Accuracy and its precision", see("see Results")),
            ("25", "Adverse events", self.data.clone()),
            ("26", "Limitations", None),
            ("27", "Implications for practice", None),
            ("28", "Registration", None),
            ("29", "Where the protocol is", None),
            ("30", "Funding", None),
        ]
    }

    /// TRIPOD+AI (Collins et al., BMJ 2024).
    fn tripod(&self) -> Vec<Item> {
        let see = |text: &str| Some(text.to_owned());
        vec![
            ("1", "Title", Some(self.title.clone())),
            ("2", "Abstract", None),
            ("3a–c", "Context, target population, known inequalities; intended use", self.intended_use.clone()),
            ("4", "Objectives", None),
            ("5a–b", "Sources of data, dates", self.data.clone()),
            ("6a–c", "Setting, eligibility, treatments", self.data.clone()),
            ("7", "Data preparation", see("VOI window of the file, 8 bits, brought to the input's size, value/255")),
            ("8a–c", "Outcome and its assessment", self.reference.clone()),
            ("9a–c", "Predictors", see("the film's pixels")),
            ("10", "Sample size", Some(self.n.clone())),
            ("11", "Missing data", Some(self.missing.clone())),
            ("12a–b", "How data were used and predictors handled", self.trained_on.clone()),
            (
                "12c",
                "Type of model and how it was built",
                self.network.clone().zip(self.origin.clone()).map(|(a, b)| format!("{a}; {b}")),
            ),
            ("12d", "Heterogeneity between clusters", None),
            ("12e", "Measures of performance", self.intervals.clone()),
            ("12f", "Model updating", None),
            ("12g", "How predictions were made", self.model.clone().map(|model| format!("bundle {model}"))),
            ("13", "Class imbalance", None),
            ("14", "Fairness", self.subgroups.clone()),
            ("15", "Output of the model, classes and thresholds", Some(self.threshold.clone())),
            ("16", "Differences between training and evaluation data", self.trained_on.clone()),
            ("17", "Ethical approval", self.approval.clone()),
            ("18a–f", "Funding, conflicts, protocol, registration, data, code", None),
            ("19", "Patient and public involvement", None),
            ("20a", "Flow of participants", self.flow.clone()),
            ("20b", "Characteristics of participants", self.demographics.clone()),
            ("20c", "Comparison with the development data", None),
            ("21", "Participants and events in each analysis", Some(self.n.clone())),
            ("22", "Full specification of the model", self.model.clone().map(|model| format!("bundle {model}"))),
            ("23a", "Performance with intervals", see("see Results, Calibration and use")),
            ("23b", "Heterogeneity of performance", self.subgroups.clone()),
            ("24", "Results of updating", None),
            ("25", "Interpretation, fairness", None),
            ("26", "Limitations", None),
            ("27a–c", "Usability in current care", None),
        ]
    }
}

/// The column that says how severe a fracture is, as far as its kind does.
const KIND: &str = "fracture_type";

/// How the intervals were made, each method with its measures; `None` where no measure has an interval.
fn intervals(study: &Study<'_>) -> Option<String> {
    let mut methods: Vec<(&str, Vec<&str>)> = Vec::new();
    for (name, statistic) in study.evaluation.measures.by_name() {
        let Some(limits) = statistic.limits() else {
            continue;
        };
        match methods.iter_mut().find(|(method, _)| *method == limits.method) {
            Some((_, names)) => names.push(name),
            None => methods.push((limits.method, vec![name])),
        }
    }
    let said: Vec<String> = methods.iter().map(|(method, names)| format!("{method}: {}", names.join(", "))).collect();
    (!said.is_empty()).then(|| format!("{} intervals; {}", percent(study.options.level), said.join("; ")))
}

/// The numbers and topics of STARD-AI.
pub(crate) fn stard_topics() -> impl Iterator<Item = (&'static str, &'static str)> {
    Known::default().stard().into_iter().map(|(number, topic, _)| (number, topic))
}

/// A checklist as a table.
pub(crate) fn table(name: &str, caption: &str, items: Vec<Item>) -> Block {
    let said = |answer: Option<String>| answer.unwrap_or_else(|| "for the authors to say".to_owned());
    let rows = items.into_iter().map(|(item, topic, answer)| vec![item.to_owned(), topic.to_owned(), said(answer)]);
    Block::Table(PageTable {
        name: name.to_owned(),
        caption: caption.to_owned(),
        header: ["item", "topic", "this study"].map(str::to_owned).to_vec(),
        rows: rows.collect(),
        data: None,
    })
}

/// The section of the report.
pub fn section(study: &Study<'_>) -> Section {
    let known = Known::of(study);
    let blocks = vec![
        table(
            "stard-ai",
            "STARD 2015, with what STARD-AI asks of a model; in short, for the statement's own words see there.",
            known.stard(),
        ),
        table("tripod-ai", "TRIPOD+AI, likewise.", known.tripod()),
    ];
    Section { heading: "Reporting checklists".into(), blocks }
}
