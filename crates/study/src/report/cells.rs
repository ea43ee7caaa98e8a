//! Statistics as cells of tables, for readers and for programs.

use coxa_stats::Level;

use crate::figures::Figure;
use crate::page::{Block, Section};
use crate::statistic::Statistic;

pub(super) fn section(heading: &str, blocks: Vec<Block>) -> Section {
    Section { heading: heading.to_owned(), blocks }
}

pub(super) fn strings<const N: usize>(texts: [&str; N]) -> Vec<String> {
    texts.map(str::to_owned).to_vec()
}

/// A statistic as fields of a CSV file: value, low, high, method, at full precision; empty where undefined, with the reason.
pub(super) fn fields(statistic: &Statistic) -> [String; 4] {
    match &statistic.0 {
        Ok(e) => match e.limits {
            Ok(l) => [e.value.to_string(), l.low.to_string(), l.high.to_string(), l.method.to_owned()],
            Err(why) => [e.value.to_string(), String::new(), String::new(), why.to_string()],
        },
        Err(undefined) => [String::new(), String::new(), String::new(), undefined.reason.to_string()],
    }
}

/// The header of [`fields`], each name after `before`.
pub(super) fn field_names(before: &str) -> [String; 4] {
    ["value", "low", "high", "method"]
        .map(|name| if before.is_empty() { name.into() } else { format!("{before} {name}") })
}

/// Cells followed by the fields of statistics.
pub(super) fn with_fields(cells: Vec<String>, statistics: &[&Statistic]) -> Vec<String> {
    cells.into_iter().chain(statistics.iter().flat_map(|statistic| fields(statistic))).collect()
}

/// A level as people say it: 95%.
pub(crate) fn percent(level: Level) -> String {
    format!("{}%", crate::figures::number(100.0 * level.get()))
}

/// A statistic as a cell of a table. An interval without a width, as DeLong's at an area of 1, does not stand there as certainty.
pub fn cell(statistic: &Statistic) -> String {
    match &statistic.0 {
        Ok(e) => match e.limits {
            Ok(l) if l.low == l.high => format!("{:.3} (no width: {})", e.value, l.method),
            Ok(l) => format!("{:.3} ({:.3}–{:.3})", e.value, l.low, l.high),
            Err(why) => format!("{:.3} (no interval: {why})", e.value),
        },
        Err(undefined) => format!("undefined: {}", undefined.reason),
    }
}

pub(super) fn figure(name: &str, figure: Figure, caption: &str) -> Block {
    Block::Figure { name: name.to_owned(), figure, caption: caption.to_owned() }
}
