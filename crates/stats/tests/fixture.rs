//! Reads the golden trios of `testdata` and compares numbers.

use std::path::{Path, PathBuf};

use serde_json::Value;

/// Relative tolerance for reference values.
pub const TOLERANCE: f64 = 1e-9;

pub fn folder(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata").join(name)
}

pub fn expected(name: &str) -> Value {
    let path = folder(name).join("expected.json");
    let text = std::fs::read_to_string(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
    serde_json::from_str(&text).unwrap()
}

/// The rows of a CSV file, each a list of (column, text).
pub fn rows(path: &Path) -> Vec<Row> {
    let mut reader = csv::Reader::from_path(path).unwrap();
    let columns = reader.headers().unwrap().clone();
    reader.records().map(|record| Row { columns: columns.clone(), record: record.unwrap() }).collect()
}

pub struct Row {
    columns: csv::StringRecord,
    record: csv::StringRecord,
}

impl Row {
    pub fn text(&self, column: &str) -> &str {
        let index = self.columns.iter().position(|c| c == column).unwrap_or_else(|| panic!("no column {column}"));
        &self.record[index]
    }

    pub fn number(&self, column: &str) -> f64 {
        self.text(column).parse().unwrap_or_else(|e| panic!("{column}: {e}"))
    }

    pub fn count(&self, column: &str) -> u64 {
        self.text(column).parse().unwrap_or_else(|e| panic!("{column}: {e}"))
    }
}

/// A number of the expected values; panics where it is null.
pub fn number(value: &Value) -> f64 {
    value.as_f64().unwrap_or_else(|| panic!("{value} is no number"))
}

/// Compares with a relative tolerance; an expected zero is compared absolutely.
#[track_caller]
pub fn close_to(what: &str, actual: f64, expected: f64, tolerance: f64) {
    let scale = if expected == 0.0 { 1.0 } else { expected.abs() };
    assert!(
        (actual - expected).abs() <= tolerance * scale,
        "{what}: {actual:e} is not {expected:e} (relative {:e})",
        (actual - expected).abs() / scale
    );
}

#[track_caller]
pub fn close(what: &str, actual: f64, expected: &Value) {
    close_to(what, actual, number(expected), TOLERANCE);
}
