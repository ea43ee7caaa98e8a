//! What persons decide about parts of films: a table with a line for each part.

use std::collections::BTreeMap;
use std::path::Path;

use serde::Deserialize;

use crate::blanking::{Decision, Rectangle, RegionVerdict};
use crate::error::DeidentifyError;

/// Decisions by the films' serial numbers.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Decisions(BTreeMap<usize, Vec<Decision>>);

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Row {
    serial: usize,
    x: usize,
    y: usize,
    width: usize,
    height: usize,
    verdict: Verdict,
}

#[derive(Deserialize)]
#[serde(rename_all = "snake_case")]
enum Verdict {
    Blank,
    Keep,
}

impl Decisions {
    /// Reads a CSV table with the columns `serial`, `x`, `y`, `width`, `height` and `verdict` (`blank` or `keep`), in any order.
    ///
    /// # Errors
    /// [`DeidentifyError::Io`], or [`DeidentifyError::Table`] with the line.
    pub fn read(path: &Path) -> Result<Self, DeidentifyError> {
        let text =
            std::fs::read_to_string(path).map_err(|source| DeidentifyError::Io { path: path.to_owned(), source })?;
        let mut decisions: BTreeMap<usize, Vec<Decision>> = BTreeMap::new();
        let mut reader = csv::ReaderBuilder::new().trim(csv::Trim::All).from_reader(text.as_bytes());
        for row in reader.deserialize::<Row>() {
            let row = row.map_err(|error| {
                let line = error.position().map_or(1, csv::Position::line);
                let reason = "a line is serial,x,y,width,height,verdict; a verdict is `blank` or `keep`".to_owned();
                DeidentifyError::Table { path: path.to_owned(), line, reason }
            })?;
            let Row { serial, x, y, width, height, verdict } = row;
            let verdict = match verdict {
                Verdict::Blank => RegionVerdict::Blank,
                Verdict::Keep => RegionVerdict::Keep,
            };
            decisions.entry(serial).or_default().push(Decision { region: Rectangle { x, y, width, height }, verdict });
        }
        Ok(Self(decisions))
    }

    /// Those about a film.
    #[must_use]
    pub fn of(&self, serial: usize) -> &[Decision] {
        self.0.get(&serial).map_or(&[], Vec::as_slice)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tables_are_read_and_errors_name_the_line() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("regions.csv");
        std::fs::write(&path, "serial,x,y,width,height,verdict\n3, 1,2,30,4,blank\n3,0,0,9,9,keep\n").unwrap();
        let decisions = Decisions::read(&path).unwrap();
        let region = Rectangle { x: 1, y: 2, width: 30, height: 4 };
        assert_eq!(decisions.of(3)[0], Decision { region, verdict: RegionVerdict::Blank });
        assert_eq!((decisions.of(3).len(), decisions.of(1).len()), (2, 0));
        for (table, line) in [
            ("serial,x,y,width,height,verdict\n1,1,1,1,1,keep\n2,1,1,1,1,maybe\n", 3),
            ("serial,x,y,width,height,verdict\n1,-1,1,1,1,keep\n", 2),
            ("serial,x,y\n1,1,1\n", 2),
        ] {
            std::fs::write(&path, table).unwrap();
            let error = Decisions::read(&path).unwrap_err();
            assert!(matches!(error, DeidentifyError::Table { line: at, .. } if at == line), "{table}: {error}");
        }
    }
}
