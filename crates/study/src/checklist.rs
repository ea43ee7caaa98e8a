//! STARD-AI and TRIPOD+AI: what the run knows is filled in, what only the study's authors know is left for them, and says so.

use crate::page::{Block, PageTable, Section};
use crate::report::{Study, percent};

/// An item: its number, what it asks for, and the answer where the run knows it.
pub(crate) type Item = (&'static str, &'static str, Option<String>);

/// An item's number, and the answer where it is known.
pub(crate) type Answer = (&'static str, Option<String>);

pub(crate) const STARD_AI_CAPTION: &str = "STARD-AI (2025); in short, for the statement's own words see there.";

/// How films become input.
const PREPARATION: &str = "VOI window of the file, 8 bits, brought to the input's size, value/255";

/// The numbers and topics of STARD-AI (Sounderajah et al., *Nature Medicine* 2025; 31: 3283–3289, Table 2): 40 items, of which 15, 16, 17, 26
/// and 40 have parts. The numbers are its own. STARD 2015, which it extends, has 30 items with other numbers from item 6 on.
///
/// Numbers and meaning were compared with public transcriptions of both tables, not with the journals' own pages.
pub(crate) const STARD_AI: [(&str, &str); 48] = [
    ("1", "Identification as a study of an AI's diagnostic accuracy"),
    ("2", "Structured summary"),
    ("3", "Background, intended use of the index test, and its place in the workflow"),
    ("4", "Objectives and hypotheses"),
    ("5", "Whether data collection was planned before or after the tests"),
    ("6", "Approval by an ethics committee"),
    ("7", "Eligibility criteria, of participants and of data"),
    ("8", "On what basis participants were identified"),
    ("9", "Where and when participants were identified"),
    ("10", "Consecutive, random or convenience series"),
    ("11", "Source of the data"),
    ("12", "Who annotated the data, and how"),
    ("13", "Devices that captured the data, software of the index test"),
    ("14", "Acquisition and preprocessing of the data"),
    ("15a", "Index test"),
    ("15b", "How the index test was developed"),
    ("15c", "Cut-offs of the index test, and why"),
    ("15d", "End users of the index test, and their expertise"),
    ("16a", "Reference standard"),
    ("16b", "Why this reference standard"),
    ("16c", "Cut-offs of the reference standard, and why"),
    ("17a", "What the readers of the index test knew"),
    ("17b", "What the assessors of the reference standard knew"),
    ("18", "Methods for estimating or comparing accuracy"),
    ("19", "Indeterminate results"),
    ("20", "Missing data"),
    ("21", "Analyses of variability"),
    ("22", "Intended sample size, and how it was arrived at"),
    ("23", "Analysis of errors, bias and fairness"),
    ("24", "Flow of participants"),
    ("25", "Baseline characteristics of training, validation and test sets"),
    ("26a", "Severity of the condition in those with it"),
    ("26b", "Other diagnoses in those without it"),
    ("27", "Time and interventions between index test and reference standard"),
    ("28", "Whether the data represent the intended population"),
    ("29", "How external data differ from training, validation and test sets"),
    ("30", "Cross tabulation"),
    ("31", "Accuracy and its precision"),
    ("32", "Adverse events"),
    ("33", "Limitations"),
    ("34", "Implications for practice"),
    ("35", "Ethics and fairness of the index test's use"),
    ("36", "Registration"),
    ("37", "Where the protocol is"),
    ("38", "Funding"),
    ("39", "Commercial interests"),
    ("40a", "Availability of data and code"),
    ("40b", "Whether outputs are stored and can be audited"),
];

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

    /// What the run knows of the items of [`STARD_AI`].
    fn stard(&self) -> Vec<Answer> {
        let said = |text: &str| Some(text.to_owned());
        let index_test = self.model.clone().zip(self.network.clone()).map(|(a, b)| format!("{a}; {b}"));
        let development = self.origin.clone().zip(self.trained_on.clone()).map(|(a, b)| format!("{a}; trained on {b}"));
        vec![
            ("1", Some(self.title.clone())),
            ("3", self.intended_use.clone()),
            ("5", self.data.clone()),
            ("6", self.approval.clone()),
            ("7", self.flow.clone()),
            ("8", self.data.clone()),
            ("9", self.data.clone()),
            ("10", self.data.clone()),
            ("11", self.data.clone()),
            ("12", self.reference.clone()),
            ("14", said(PREPARATION)),
            ("15a", index_test),
            ("15b", development),
            ("15c", Some(self.threshold.clone())),
            ("16a", self.reference.clone()),
            ("16b", self.reference.clone()),
            ("16c", self.reference.clone()),
            ("17a", said("the model gets the film's pixels alone")),
            ("17b", self.reference.clone()),
            ("18", self.intervals.clone()),
            ("19", Some(self.missing.clone())),
            ("20", Some(self.missing.clone())),
            ("21", self.subgroups.clone()),
            ("23", self.subgroups.clone()),
            ("24", self.flow.clone()),
            ("25", self.demographics.clone()),
            ("26a", self.severity.clone()),
            ("27", self.data.clone()),
            ("30", Some(format!("{}; see Results", self.n))),
            ("31", said("see Results")),
            ("32", self.data.clone()),
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
            ("7", "Data preparation", see(PREPARATION)),
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

/// The topics of a checklist, each with its answer.
pub(crate) fn filled(topics: &[(&'static str, &'static str)], answers: &[Answer]) -> Vec<Item> {
    let answer = |number: &str| answers.iter().find(|(of, _)| *of == number).and_then(|(_, answer)| answer.clone());
    topics.iter().map(|&(number, topic)| (number, topic, answer(number))).collect()
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
        table("stard-ai", STARD_AI_CAPTION, filled(&STARD_AI, &known.stard())),
        table("tripod-ai", "TRIPOD+AI, likewise.", known.tripod()),
    ];
    Section { heading: "Reporting checklists".into(), blocks }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn every_answer_has_its_item() {
        let items: BTreeSet<&str> = STARD_AI.iter().map(|(number, _)| *number).collect();
        assert_eq!(items.len(), STARD_AI.len());
        let whole = |number: &str| number.trim_end_matches(char::is_alphabetic).parse::<u32>().unwrap();
        assert_eq!(STARD_AI.iter().map(|(number, _)| whole(number)).collect::<BTreeSet<_>>(), (1..=40).collect());
        for (number, _) in Known::default().stard() {
            assert!(items.contains(number), "{number}");
        }
    }
}
