//! Whether the heat maps are in the right place.

use super::Study;
use super::cells::{cell, field_names, figure, percent, section, strings, with_fields};
use super::paper::PAPER_LOCALIZATION;
use crate::evaluate::Dependence;
use crate::figures::froc;
use crate::localize::LocalizationMeasures;
use crate::page::{Block, PageTable, Section};

pub(super) fn localization_section(l: &LocalizationMeasures, study: &Study<'_>) -> Section {
    let sites = &l.sites;
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
    let data = statistics.map(|(name, statistic)| with_fields(vec![name.to_owned()], &[statistic]));
    let mut rows: Vec<Vec<String>> = statistics.map(|(name, value)| vec![name.to_owned(), cell(value)]).to_vec();
    let counts = format!(
        "right {}, opposite side {}, elsewhere {}, none {}",
        sites.right, sites.opposite_side, sites.elsewhere, sites.none
    );
    rows.push(vec!["sites of the peak in called fractures".into(), counts]);
    rows.push(vec!["margin, share of the film's width".into(), l.margin.to_string()]);
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
