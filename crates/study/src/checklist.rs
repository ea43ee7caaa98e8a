//! STARD-AI and TRIPOD+AI: what the run knows is filled in, what only the study's authors know is left for them, and says so.

use crate::page::{Block, Section, Table};
use crate::report::Study;

/// An answer to an item: known from the run, or for the authors to give.
fn item(list: &str, topic: &str, answer: Option<String>) -> Vec<String> {
    let answer = answer.unwrap_or_else(|| "for the authors to say".to_owned());
    vec![list.to_owned(), topic.to_owned(), answer]
}

/// The section of the report.
pub fn section(study: &Study<'_>) -> Section {
    let measures = &study.evaluation.measures;
    let card = |name: &str| study.card.iter().find(|(known, _)| known == name).map(|(_, value)| value.clone());
    let source = study
        .simulated
        .then(|| "Simulated films: no patients, no ethics approval, no claim of clinical performance.".to_owned());
    let films = format!("{} films, {} with a fracture", measures.n, measures.positives);
    let patients = study.evaluation.patients.map(|n| format!("{films}, of {n} patients")).unwrap_or(films);
    let threshold = card("threshold").unwrap_or_else(|| measures.threshold.to_string());
    let intervals = measures.sensitivity.estimate().map(|e| format!("proportions: {}; AUC: DeLong", e.method));
    let rows = vec![
        item(
            "STARD-AI 1, TRIPOD+AI 1",
            "Identification as a study of diagnostic accuracy of a model",
            Some(study.title.clone()),
        ),
        item("STARD-AI 3, TRIPOD+AI 3", "Clinical background, intended use and role", card("intended use")),
        item("STARD-AI 5–9, TRIPOD+AI 5", "Source of the data, dates, setting, eligibility", source),
        item("STARD-AI 10a, TRIPOD+AI 12", "Index test: model, version, hash, input, preprocessing", card("model")),
        item(
            "STARD-AI 10b, TRIPOD+AI 9",
            "Reference standard",
            study.simulated.then(|| "The simulator's own truth".to_owned()),
        ),
        item("STARD-AI 12, TRIPOD+AI 14", "Threshold, and where it was chosen", Some(threshold)),
        item("STARD-AI 14, TRIPOD+AI 12e", "Methods for estimating accuracy, with intervals", intervals),
        item("STARD-AI 16, TRIPOD+AI 11", "Missing and indeterminate results", None),
        item("STARD-AI 18, TRIPOD+AI 8", "Sample size, and how it was arrived at", None),
        item("STARD-AI 19, TRIPOD+AI 20", "Flow of participants", study.flow.map(|_| "see the flow chart".to_owned())),
        item(
            "STARD-AI 20, TRIPOD+AI 20b",
            "Demographic and clinical characteristics",
            study.demographics.as_ref().map(|_| "see Table 1".to_owned()),
        ),
        item("STARD-AI 23, TRIPOD+AI 23", "Cross tabulation against the reference standard", Some(patients)),
        item("STARD-AI 24, TRIPOD+AI 23", "Estimates of accuracy and their precision", Some("see Results".to_owned())),
        item(
            "STARD-AI, fairness; TRIPOD+AI 3c, 14",
            "Performance in subgroups",
            (!study.evaluation.subgroups.is_empty()).then(|| "see Subgroups".to_owned()),
        ),
        item("TRIPOD+AI 23b", "Calibration", Some("see Calibration and use".to_owned())),
        item("TRIPOD+AI 10", "Training data and their separation from the test", card("trained on")),
        item("STARD-AI 28–30, TRIPOD+AI 18", "Registration, protocol, funding, conflicts of interest", None),
        item(
            "TRIPOD+AI 18e, 18f",
            "Availability of data, code and model",
            card("model").map(|model| format!("bundle {model}")),
        ),
    ];
    let header = ["items", "topic", "this study"].map(str::to_owned).to_vec();
    let caption = "Reporting items of STARD-AI and TRIPOD+AI that a run can answer for.".to_owned();
    let table = Table { name: "checklists".into(), caption, header, rows };
    Section { heading: "Reporting checklists".into(), blocks: vec![Block::Table(table)] }
}
