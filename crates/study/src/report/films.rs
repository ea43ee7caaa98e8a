//! The films: their flow, those that went wrong, and the training's curves.

use coxa_cohort::flow::Flow;

use super::cells::{figure, section};
use super::{Epoch, Study};
use crate::figures::curves::{self, Series};
use crate::figures::flow::{self, Step};
use crate::page::{Block, FilmCard, Page, PageTable, Section};

const BOXES: &str = "True boxes are drawn in white on the film at the left.";

/// Wrong films that the report's own page shows.
const WRONG_SHOWN: usize = 24;

/// A page of the films that were classified wrongly or marked in the wrong place, with the true boxes.
pub fn wrong_page(study: &Study<'_>) -> Option<Page> {
    let text = format!("{} {BOXES}", which(study.wrong.len(), study.n_wrong));
    (!study.wrong.is_empty()).then(|| Page {
        title: format!("{}: wrong films", study.title),
        subtitle: format!(
            "{}: {} films with a wrong finding, or a right one in the wrong place",
            study.subtitle, study.n_wrong
        ),
        simulated: study.simulated,
        sections: vec![section("Wrong films", vec![Block::Text(text), Block::Films(study.wrong.clone())])],
    })
}

fn which(shown: usize, of: usize) -> String {
    if shown == of { format!("All {of} of them.") } else { format!("The first {shown} of {of}.") }
}

pub(super) fn wrong_section(wrong: &[FilmCard], n: usize) -> Section {
    let shown = wrong.len().min(WRONG_SHOWN);
    let more = if shown < wrong.len() { " wrong.html beside this page shows more." } else { "" };
    let text =
        format!("Films with a wrong finding, or a right one in the wrong place. {}{more} {BOXES}", which(shown, n));
    section("Wrong films", vec![Block::Text(text), Block::Films(wrong[..shown].to_vec())])
}

pub(super) fn films_section(selected: Option<&Flow>, demographics: Option<PageTable>) -> Section {
    let mut blocks = Vec::new();
    if let Some(selected) = selected {
        let mut steps: Vec<Step> = selected
            .steps
            .iter()
            .map(|s| Step {
                name: s.what.clone(),
                n: s.n,
                excluded: s.left_out.iter().map(|c| (c.what.clone(), c.n)).collect(),
            })
            .collect();
        steps.extend(selected.outcomes.iter().map(|c| Step { name: c.what.clone(), n: c.n, excluded: Vec::new() }));
        blocks.push(figure("flow", flow::draw(&steps, "Flow of films"), "Flow of films (STARD)."));
    }
    blocks.extend(demographics.map(Block::Table));
    section("Films", blocks)
}

pub(super) fn training_section(stages: &[(String, Vec<Epoch>)]) -> Section {
    let mut blocks = Vec::new();
    for (name, epochs) in stages {
        let series = |label: &str, value: fn(&Epoch) -> f64| Series {
            name: label.to_owned(),
            points: epochs.iter().map(|e| (e.epoch as f64, value(e))).collect(),
        };
        let accuracy = [series("training", |e| e.train_accuracy), series("validation", |e| e.validation_accuracy)];
        let loss = [series("training", |e| e.train_loss), series("validation", |e| e.validation_loss)];
        let title = format!("Accuracy, stage {name}");
        blocks.push(figure(&format!("fig1-{name}-accuracy"), curves::draw(&accuracy, "accuracy", &title), &title));
        let title = format!("Loss, stage {name}");
        blocks.push(figure(&format!("fig1-{name}-loss"), curves::draw(&loss, "loss", &title), &title));
    }
    section("Training", blocks)
}
