//! STARD-AI and CLAIM for a reader study: what its ratings show is filled in, what only the study's authors know is left for them.

use coxa_stats::mrmc::Design;

use super::analysis::ReaderAnalysis;
use crate::checklist::{Answer, STARD_AI, STARD_AI_CAPTION, filled, table};
use crate::evaluate::Dependence;
use crate::page::Section;

/// The numbers and topics of CLAIM's update of 2024 (Tejani et al., *Radiology: Artificial Intelligence* 6: e240300). Its first version
/// (Mongan et al. 2020) has 42 items with other numbers from item 11 on.
///
/// Numbers and meaning were compared with public transcriptions of both lists, not with the journal's own page.
const CLAIM: [(&str, &str); 44] = [
    ("1", "Identification as a study of AI, and of which technology"),
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
    ("13", "Image acquisition protocol"),
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
    ("26", "How the final model was selected"),
    ("27", "Ensembling"),
    ("28", "Metrics of performance"),
    ("29", "Statistical measures of significance and uncertainty"),
    ("30", "Robustness or sensitivity analysis"),
    ("31", "Explainability or interpretability"),
    ("32", "Evaluation on internal data"),
    ("33", "Testing on external data"),
    ("34", "Registration of a clinical trial"),
    ("35", "Patients or exams included and excluded"),
    ("36", "Demographic and clinical characteristics in each partition"),
    ("37", "Performance with its uncertainty"),
    ("38", "Estimates of diagnostic performance and their precision"),
    ("39", "Failure analysis of incorrectly classified cases"),
    ("40", "Limitations"),
    ("41", "Implications for practice"),
    ("42", "Full protocol"),
    ("43", "Availability of software, model and data"),
    ("44", "Funding"),
];

/// The section of the page.
pub(super) fn section(found: &ReaderAnalysis, title: &str) -> Section {
    let blocks = vec![
        table("readers-stard-ai", STARD_AI_CAPTION, filled(&STARD_AI, &stard(found, title))),
        table("readers-claim", "CLAIM, update of 2024, likewise.", filled(&CLAIM, &claim(found))),
    ];
    Section { heading: "Reporting checklists".into(), blocks }
}

fn stard(found: &ReaderAnalysis, title: &str) -> Vec<Answer> {
    let mut known = vec![
        ("1", Some(title.to_owned())),
        ("15a", Some(format!("readings under: {}", treatments(found)))),
        ("18", Some(found.methods.clone())),
        ("20", Some(missing(found))),
        ("31", Some("see the tables of treatments and readers".to_owned())),
    ];
    if let Some(performance) = &found.performance {
        known.push(("15c", Some(format!("a rating of {} or more", performance.threshold))));
        known.push(("21", Some("between readers and their groups: see Readers".to_owned())));
        known.push(("30", Some(format!("{}; each reader's rates: see Readers", films(found)))));
    }
    known
}

fn claim(found: &ReaderAnalysis) -> Vec<Answer> {
    let known = [
        ("6", format!("to compare readings under: {}", treatments(found))),
        ("12", missing(found)),
        ("28", found.analysis.endpoint.to_owned()),
        ("29", format!("{} Computed by coxa {}.", found.methods, env!("CARGO_PKG_VERSION"))),
        ("35", films(found)),
        ("37", "see the tables of treatments and readers".to_owned()),
        ("38", "see the tables of treatments and readers".to_owned()),
    ];
    known.map(|(number, answer)| (number, Some(answer))).to_vec()
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
