//! The truth table: reading it, and whether it fits the films.

use std::collections::BTreeMap;
use std::path::Path;

use crate::error::CohortError;
use crate::film::{Film, TruthBox};
use coxa_files::table::{Row, Table, TableError};
use coxa_schema::{FractureType, Label};

/// The columns of the truth table.
pub(crate) const TRUTH_COLUMNS: [&str; 6] = ["image_id", "x", "y", "width", "height", "class"];

/// The boxes with the line of each.
pub(crate) fn truth_of(table: &Table) -> Result<(Vec<TruthBox>, Vec<u64>), CohortError> {
    for column in TRUTH_COLUMNS {
        table.require(column)?;
    }
    let truth = CohortError::gather(table.rows().map(truth_box))?;
    Ok((truth, table.rows().map(|row| row.line()).collect()))
}

fn truth_box(row: Row<'_>) -> Result<TruthBox, CohortError> {
    let pixels = |column: &str, least: f64, expected: &str| {
        let value = row.number(column, least..=1e6, expected)?;
        value.map(|value| value as f32).ok_or_else(|| row.value_error(column, expected))
    };
    Ok(TruthBox {
        image_id: row.required("image_id", "the film's name")?.to_owned(),
        x: pixels("x", 0.0, "a pixel coordinate of at least 0")?,
        y: pixels("y", 0.0, "a pixel coordinate of at least 0")?,
        width: pixels("width", f64::from(f32::MIN_POSITIVE), "a size in pixels of more than 0")?,
        height: pixels("height", f64::from(f32::MIN_POSITIVE), "a size in pixels of more than 0")?,
        class: class(row)?,
    })
}

/// The class of a box: a kind of fracture, or `fracture` where the kind is not known.
fn class(row: Row<'_>) -> Result<String, CohortError> {
    const EXPECTED: &str = "femoral_neck, trochanteric or fracture";
    let text = row.required("class", EXPECTED)?;
    if text != "fracture" && FractureType::parse(text).is_none() {
        return Err(row.value_error("class", EXPECTED).into());
    }
    Ok(text.to_owned())
}

/// Checks that every box is one, and belongs to a film that may have one.
pub(crate) fn check_truth(path: &Path, truth: &[TruthBox], lines: &[u64], films: &[Film]) -> Result<(), CohortError> {
    let labels: BTreeMap<&str, Label> = films.iter().map(|film| (film.image_id.as_str(), film.label)).collect();
    for (truth, &line) in truth.iter().zip(lines) {
        let sides = [truth.x, truth.y, truth.width, truth.height];
        if sides.iter().any(|side| !(0.0..=1e6).contains(side)) || truth.width == 0.0 || truth.height == 0.0 {
            return Err(TableError::Value {
                path: path.to_owned(),
                line,
                column: "x, y, width, height".to_owned(),
                value: format!("{}, {}, {}, {}", truth.x, truth.y, truth.width, truth.height),
                expected: "a box in the film's pixels".to_owned(),
            }
            .into());
        }
        match labels.get(truth.image_id.as_str()) {
            None => {
                return Err(CohortError::UnknownFilm { path: path.to_owned(), line, image_id: truth.image_id.clone() });
            }
            Some(Label::Absent) => {
                return Err(CohortError::Contradiction {
                    path: path.to_owned(),
                    line,
                    image_id: truth.image_id.clone(),
                    reason: "a fracture's box on a film with label 0 (no fracture)".to_owned(),
                });
            }
            Some(Label::Present | Label::Unknown) => {}
        }
    }
    Ok(())
}
