//! The table of hips: which films, and where on them the heads lie.

use std::collections::BTreeMap;
use std::path::Path;

use coxa_files::table::Table;
use coxa_schema::Side;
use coxa_simulate::HipOnFilm;

use crate::WorkflowError;

/// Reads a table with the columns `file`, `side` (the patient's), `x`, `y` and `radius` (of the femoral head, in the film's pixels): the
/// hips of each file.
///
/// # Errors
/// A table that cannot be read, lacks a column or holds another value.
pub fn hip_table(path: &Path) -> Result<BTreeMap<String, Vec<HipOnFilm>>, WorkflowError> {
    let wrap = |error| WorkflowError::Cohort(coxa_cohort::CohortError::from(error));
    let table = Table::read(path).map_err(wrap)?;
    for column in ["file", "side", "x", "y", "radius"] {
        table.require(column).map_err(wrap)?;
    }
    let mut hips: BTreeMap<String, Vec<HipOnFilm>> = BTreeMap::new();
    for row in table.rows() {
        let number = |column: &str, range| {
            let found = row.number(column, range, "a number of pixels").map_err(wrap)?;
            let value = found.ok_or_else(|| wrap(row.value_error(column, "a number of pixels")))?;
            Ok::<f32, WorkflowError>(value as f32)
        };
        let side = row.parsed("side", Side::parse, Side::EXPECTED).map_err(wrap)?;
        let side = side.ok_or_else(|| wrap(row.value_error("side", Side::EXPECTED)))?;
        let head = [number("x", -1e5..=1e5)?, number("y", -1e5..=1e5)?];
        let hip = HipOnFilm { side, head, radius: number("radius", 1.0..=1e4)? };
        hips.entry(row.required("file", "the film's file").map_err(wrap)?.to_owned()).or_default().push(hip);
    }
    Ok(hips)
}
