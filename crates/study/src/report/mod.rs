//! The report of a study: the paper's tables and figures for this study's films, on one page.

mod cells;
mod films;
mod localization;
mod paper;
mod results;
mod study;
mod subgroups;

use crate::page::{Block, Page, PageTable};
use cells::{section, strings};
use films::{films_section, training_section, wrong_section};
use localization::localization;
use results::{calibration_section, curve, results};
use subgroups::subgroups;

pub use cells::cell;
pub(crate) use cells::percent;
pub use films::wrong_page;
pub use paper::{PAPER, PAPER_LOCALIZATION};
pub use study::{Epoch, Study};

/// Builds the page.
pub fn report(study: Study<'_>) -> Page {
    let mut sections = vec![results(&study), curve(&study)];
    if !study.films.is_empty() {
        sections.push(section("Films and heat maps", vec![Block::Films(study.films.clone())]));
    }
    sections.extend(localization(&study));
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
        let table = PageTable {
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
