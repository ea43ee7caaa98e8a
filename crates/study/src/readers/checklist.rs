//! STARD-AI and CLAIM for a reader study: what its ratings show is filled in, what only the study's authors know is left for them.

use coxa_stats::mrmc::Design;

use super::analysis::ReaderAnalysis;
use crate::checklist::{Item, stard_topics, table};
use crate::evaluate::Dependence;
use crate::page::Section;

/// The numbers and topics of CLAIM's update of 2024 (Tejani et al., *Radiology: Artificial Intelligence* 6: e240300).
const CLAIM: [(&str, &str); 44] = [
    ("1", "Identification as a study of AI methodology"),
    ("2", "Structured summary"),
    ("3", "Background, intended use and clinical role"),
    ("4", "Aims, objectives, hypotheses"),
    ("5", "Prospective or retrospective"),
    ("6", "Goal of the study"),
    ("7", "Sources of data"),
    ("8", "Inclusion and exclusion criteria"),
    ("9", "Preprocessing of data"),
    ("10", "Selection of subsets of data"),
    ("11", "De-identification"),
    ("12", "Missing data"),
    ("13", "Image acquisition"),
    ("14", "How the reference standard was obtained"),
    ("15", "Why this reference standard"),
    ("16", "Source of the reference standard's annotations"),
    ("17", "Annotation of the test set"),
    ("18", "Variability between and within annotators"),
    ("19", "How data were assigned to partitions"),
    ("20", "Level at which partitions are disjoint"),
    ("21", "Intended sample size"),
    ("22", "Description of the model"),
    ("23", "Software"),
    ("24", "Initialization of the model's parameters"),
    ("25", "Training"),
    ("26", "Selection of the final model"),
    ("27", "Ensembling"),
    ("28", "Metrics of performance"),
    ("29", "Statistical measures of significance and uncertainty"),
    ("30", "Robustness or sensitivity analysis"),
    ("31", "Explainability or interpretability"),
    ("32", "Evaluation on internal data"),
    ("33", "Testing on external data"),
    ("34", "Registration of the trial"),
    ("35", "Patients or exams included and excluded"),
    ("36", "Demographic and clinical characteristics"),
    ("37", "Performance with its uncertainty"),
    ("38", "Estimates of diagnostic performance and their precision"),
    ("39", "Failure analysis of incorrect cases"),
    ("40", "Limitations"),
    ("41", "Implications for practice"),
    ("42", "Full protocol"),
    ("43", "Availability of software, model and data"),
    ("44", "Funding"),
];

/// The section of the page.
pub(super) fn section(found: &ReaderAnalysis, title: &str) -> Section {
    let filled = |topics: &mut dyn Iterator<Item = (&'static str, &'static str)>, known: Vec<(&str, String)>| {
        let answer = |number: &str| known.iter().find(|(of, _)| *of == number).map(|(_, answer)| answer.clone());
        topics.map(|(number, topic)| (number, topic, answer(number))).collect::<Vec<Item>>()
    };
    let blocks = vec![
        table(
            "readers-stard-ai",
            "STARD 2015, with what STARD-AI asks of a model; in short, for the statement's own words see there.",
            filled(&mut stard_topics(), stard(found, title)),
        ),
        table("readers-claim", "CLAIM, update of 2024, likewise.", filled(&mut CLAIM.into_iter(), claim(found))),
    ];
    Section { heading: "Reporting checklists".into(), blocks }
}

fn stard(found: &ReaderAnalysis, title: &str) -> Vec<(&'static str, String)> {
    let mut known = vec![
        ("1", title.to_owned()),
        ("10a", format!("readings under: {}", treatments(found))),
        ("14", found.methods.clone()),
        ("16", missing(found)),
        ("23", films(found)),
        ("24", "see the tables of treatments and readers".to_owned()),
    ];
    if let Some(performance) = &found.performance {
        known.push(("12a", format!("a rating of {} or more", performance.threshold)));
        known.push(("17", "between readers and their groups: see Readers".to_owned()));
    }
    known
}

fn claim(found: &ReaderAnalysis) -> Vec<(&'static str, String)> {
    vec![
        ("6", format!("to compare readings under: {}", treatments(found))),
        ("12", missing(found)),
        ("23", format!("coxa {}", env!("CARGO_PKG_VERSION"))),
        ("28", found.analysis.endpoint.to_owned()),
        ("29", found.methods.clone()),
        ("35", films(found)),
        ("37", "see the tables of treatments and readers".to_owned()),
        ("38", "see the tables of treatments and readers".to_owned()),
    ]
}

fn treatments(found: &ReaderAnalysis) -> String {
    let names: Vec<&str> = found.analysis.treatments.iter().map(|of| of.treatment.as_str()).collect();
    format!("{} (design: {})", names.join(", "), found.analysis.design.name())
}

fn films(found: &ReaderAnalysis) -> String {
    let patients = match found.dependence {
        Dependence::Patients => ", several of some patients",
        Dependence::Films => "",
    };
    format!("{} films{patients}, {} with the finding", found.cases, found.positive)
}

fn missing(found: &ReaderAnalysis) -> String {
    match found.analysis.design {
        Design::Crossed => "none: every reader rated every film under every treatment".to_owned(),
        Design::PartlyCrossed => {
            found.notes.first().cloned().unwrap_or_else(|| found.analysis.design.name().to_owned())
        }
        planned => format!("by design: {}", planned.name()),
    }
}
