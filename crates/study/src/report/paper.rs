//! The paper's own figures, beside which those of a study stand.

use coxa_stats::{Confusion, Interval, Level, Metric};

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

/// The paper's proportion of called fractures with the heat map on the right site: 47 of 49.
pub const PAPER_LOCALIZATION: f64 = 47.0 / 49.0;

/// The paper's table of its 100 films: what it does not tell follows from it.
const PAPER_TABLE: Confusion = Confusion { tp: 49, fn_: 1, fp: 8, tn: 42 };

/// The paper's figure of a measure: as printed there, or, with a star, computed from its table of 100 films.
pub(super) fn paper_cell(name: &str) -> String {
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
