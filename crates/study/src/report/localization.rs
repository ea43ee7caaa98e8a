//! Whether the heat maps are in the right place.

use super::Study;
use super::cells::{cell, field_names, figure, percent, section, strings, with_fields};
use super::paper::PAPER_LOCALIZATION;
use crate::evaluate::Dependence;
use crate::figures::froc;
use crate::judged::Judged;
use crate::localize::{LocalizationMeasures, Sites};
use crate::page::{Block, PageTable, Section};

/// The section of what was measured, what was judged, or both.
pub(super) fn localization(study: &Study<'_>) -> Option<Section> {
    match (study.localization, study.judged) {
        (None, None) => None,
        (Some(measured), _) => Some(measured_section(measured, study)),
        (None, Some(judged)) => {
            let (rows, data) = judged_rows(judged);
            let table = PageTable {
                name: "localization".into(),
                caption: caption(study, "Heatmaps as a physician judged them"),
                header: strings(["measure", "value"]),
                rows,
                data: Some((data_header(), vec![data])),
            };
            Some(section("Localization", vec![Block::Table(table)]))
        }
    }
}

fn caption(study: &Study<'_>, what: &str) -> String {
    let level = percent(study.options.level);
    format!(
        "{what}, with {level} intervals. The paper's radiologist found {:.1}% of 49 right.",
        PAPER_LOCALIZATION * 100.0
    )
}

fn data_header() -> Vec<String> {
    ["measure".to_owned()].into_iter().chain(field_names("")).collect()
}

fn counts(sites: &Sites) -> String {
    format!(
        "right {}, opposite side {}, elsewhere {}, none {}",
        sites.right, sites.opposite_side, sites.elsewhere, sites.none
    )
}

/// The rows of what a physician judged, and the score's fields.
fn judged_rows(judged: &Judged) -> (Vec<Vec<String>>, Vec<String>) {
    let name =
        format!("heat map on the right site, judged by a physician ({} called fractures)", judged.true_positives);
    let rows = vec![
        vec![name.clone(), cell(&judged.right_site)],
        vec!["sites as judged".into(), counts(&judged.sites)],
        vec!["other judged films, not counted".into(), judged.others.to_string()],
    ];
    (rows, with_fields(vec![name], &[&judged.right_site]))
}

fn measured_section(l: &LocalizationMeasures, study: &Study<'_>) -> Section {
    let statistics = [
        ("heat map's peak on the right site (the paper's score)", &l.right_site),
        ("peak inside the true box, grown by the margin (pointing game)", &l.pointing_game),
        ("peak inside the true box itself", &l.pointing_game_strict),
        ("peak on the opposite hip", &l.side_confused),
        ("mean overlap of region and box (IoU)", &l.mean_iou),
        ("mean share of the box that is covered", &l.mean_covered),
        ("mean share of the heat map in the grown box", &l.mean_activation_inside),
        ("normal films without a heat map", &l.no_heatmap_on_normal),
        ("the same among those called normal", &l.no_heatmap_on_true_negative),
    ];
    let mut data = statistics.map(|(name, statistic)| with_fields(vec![name.to_owned()], &[statistic])).to_vec();
    let mut rows: Vec<Vec<String>> = statistics.map(|(name, value)| vec![name.to_owned(), cell(value)]).to_vec();
    rows.push(vec!["sites of the peak in called fractures".into(), counts(&l.sites)]);
    rows.push(vec!["margin, share of the film's width".into(), l.margin.to_string()]);
    if let Some(judged) = study.judged {
        let (judged, score) = judged_rows(judged);
        // Next to the automatic score, which is the first.
        rows.splice(1..1, judged);
        data.insert(1, score);
    }
    let table = PageTable {
        name: "localization".into(),
        caption: format!(
            "Heatmaps against the true boxes, with {} intervals by {}. The paper's radiologist found {:.1}% of 49 right.",
            percent(study.options.level),
            if l.dependence == Dependence::Patients { "patient" } else { "film" },
            PAPER_LOCALIZATION * 100.0
        ),
        header: strings(["measure", "value"]),
        rows,
        data: Some((data_header(), data)),
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
