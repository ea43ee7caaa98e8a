//! Subgroups: the films of each value of a further column, each evaluated on its own.

use std::collections::BTreeMap;
use std::ops::RangeInclusive;

use serde::Serialize;

use crate::error::StudyError;
use crate::evaluate::{EvaluationOptions, Measures, Progress, Sample};
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
    /// The area under the curve of a subgroup that holds fractures alone (a kind, a side), against all films without a fracture.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub auc_with_all_controls: Option<Statistic>,
}

/// Evaluates the subgroups, in the order of the columns and, within a column, of the values; also gives notes on columns of too few
/// or too many values.
///
/// # Errors
/// [`StudyError::NoSubgroup`] for a named column that is not there, and as [`measure`](crate::evaluate::measure).
pub fn subgroups(
    predictions: &Predictions,
    options: &EvaluationOptions,
    progress: Progress<'_>,
) -> Result<(Vec<Subgroup>, Vec<String>), StudyError> {
    let mut found = Vec::new();
    let mut notes = Vec::new();
    for (place, column) in chosen(predictions, &options.subgroups)? {
        let coded = predictions.group(place);
        let bands: Vec<(u32, String)> = coded.values.iter().map(|value| banded(column, value)).collect();
        let mut rows: BTreeMap<&(u32, String), Vec<usize>> = BTreeMap::new();
        for (row, &value) in coded.of.iter().enumerate() {
            rows.entry(&bands[value as usize]).or_default().push(row);
        }
        if options.subgroups == Subgroups::EveryColumn && !(2..=MOST_VALUES).contains(&rows.len()) {
            let values = if rows.len() == 1 { "one value".to_owned() } else { format!("{} values", rows.len()) };
            notes.push(format!("column `{column}` has {values} and was not taken for subgroups"));
            continue;
        }
        for ((_, value), rows) in rows {
            let subset = predictions.subset(&rows);
            let label = format!("{column} {value}");
            let measures = Sample::new(&subset, options)?.measures(&|done, of| progress(&label, done, of));
            let fractures_alone = measures.positives == measures.n && measures.n < predictions.len();
            let auc_with_all_controls = match fractures_alone {
                true => {
                    let controls = (0..predictions.len()).filter(|&row| !predictions.truth()[row]);
                    let mut with: Vec<usize> = rows.iter().copied().chain(controls).collect();
                    with.sort_unstable();
                    Some(Statistic(Sample::new(&predictions.subset(&with), options)?.auc()))
                }
                false => None,
            };
            found.push(Subgroup { column: column.to_owned(), value: value.clone(), measures, auc_with_all_controls });
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
                    found: match predictions.columns() {
                        [] => "none".to_owned(),
                        columns => columns.join(", "),
                    },
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
