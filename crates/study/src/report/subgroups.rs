//! The subgroups: a forest plot and a table.

use super::cells::{cell, field_names, figure, section, strings, with_fields};
use crate::evaluate::Evaluation;
use crate::figures::forest::{self, ForestRow};
use crate::page::{Block, PageTable, Section};
use crate::statistic::Statistic;
use crate::subgroups::Subgroup;

pub(super) fn subgroups(evaluation: &Evaluation) -> Option<Section> {
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
    let table = PageTable {
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
