//! Subgroups: the films of each value of a further column, each evaluated on its own.

use std::collections::BTreeSet;
use std::ops::RangeInclusive;

use serde::Serialize;

use crate::error::StudyError;
use crate::evaluate::{EvaluationOptions, Measures, measure};
use crate::predictions::Predictions;
use crate::statistic::Statistic;

/// Which further columns are evaluated as subgroups.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Subgroups {
    /// Every column of 2 to [`MOST_VALUES`] values; others are named in a note. Ages are put into bands.
    #[default]
    EveryColumn,
    /// These columns, however many values they have.
    Named(Vec<String>),
    /// None.
    None,
}

/// The most values that a column may have to be taken for subgroups without being named.
pub const MOST_VALUES: usize = 20;

/// The measures of a subgroup.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Subgroup {
    /// The column.
    pub column: String,
    /// The value, or the band of ages; `(empty)` where the column is empty.
    pub value: String,
    /// The measures; in JSON, these stand beside column and value.
    #[serde(flatten)]
    pub measures: Measures,
    /// The area under the curve of a subgroup that holds fractures alone (a kind, a side), told from all films without a fracture.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub auc_with_all_controls: Option<Statistic>,
}

/// Evaluates the subgroups, in the order of the columns and, within a column, of the values; also gives notes on columns that
/// were passed over.
///
/// # Errors
/// [`StudyError::NoSubgroup`] for a named column that is not there, and as [`measure`].
pub fn subgroups(
    predictions: &Predictions,
    options: &EvaluationOptions,
) -> Result<(Vec<Subgroup>, Vec<String>), StudyError> {
    let mut found = Vec::new();
    let mut notes = Vec::new();
    for (place, column) in chosen(predictions, &options.subgroups)? {
        let value_of = |i: usize| banded(column, &predictions.rows()[i].groups[place]);
        let values: BTreeSet<(u32, String)> = (0..predictions.len()).map(value_of).collect();
        if options.subgroups == Subgroups::EveryColumn && !(2..=MOST_VALUES).contains(&values.len()) {
            let values = if values.len() == 1 { "one value".to_owned() } else { format!("{} values", values.len()) };
            notes.push(format!("column `{column}` has {values} and was not taken for subgroups"));
            continue;
        }
        for (_, value) in values {
            let subset = predictions.subset(|row| banded(column, &row.groups[place]).1 == value);
            let measures = measure(&subset, options)?;
            let fractures_alone = measures.positives == measures.n && measures.n < predictions.len();
            let auc_with_all_controls = match fractures_alone {
                true => {
                    let with = predictions.subset(|row| !row.truth || banded(column, &row.groups[place]).1 == value);
                    Some(measure(&with, options)?.auc)
                }
                false => None,
            };
            found.push(Subgroup { column: column.to_owned(), value, measures, auc_with_all_controls });
        }
    }
    Ok((found, notes))
}

/// Columns that tell nothing of a patient.
const SIZES: [&str; 2] = ["film_width", "film_height"];

fn chosen<'a>(predictions: &'a Predictions, which: &Subgroups) -> Result<Vec<(usize, &'a str)>, StudyError> {
    let columns = || predictions.columns().iter().map(String::as_str).enumerate();
    match which {
        Subgroups::None => Ok(Vec::new()),
        // A film's size in pixels is there for those who ask for it by name.
        Subgroups::EveryColumn => Ok(columns().filter(|(_, column)| !SIZES.contains(column)).collect()),
        Subgroups::Named(names) => names
            .iter()
            .map(|name| {
                columns().find(|(_, column)| column == name).ok_or_else(|| StudyError::NoSubgroup {
                    path: predictions.path().to_owned(),
                    column: name.clone(),
                    found: predictions.columns().join(", "),
                })
            })
            .collect(),
    }
}

/// The ages of people, in years.
const AGES: RangeInclusive<f64> = 0.0..=130.0;

/// A value with its rank among its column's values. Ages are put into the bands of hip-fracture registries: under 50 (before
/// fragility fractures), 50–64, 65–79, 80 and over; what is no age of a person is a value of its own, after them.
fn banded(column: &str, value: &str) -> (u32, String) {
    if value.is_empty() {
        return (u32::MAX, "(empty)".to_owned());
    }
    if column != "age" {
        return (0, value.to_owned());
    }
    match value.parse::<f64>().ok().filter(|age| AGES.contains(age)) {
        Some(age) if age < 50.0 => (0, "under 50".to_owned()),
        Some(age) if age < 65.0 => (1, "50-64".to_owned()),
        Some(age) if age < 80.0 => (2, "65-79".to_owned()),
        Some(_) => (3, "80 and over".to_owned()),
        None => (u32::MAX, value.to_owned()),
    }
}
