//! What persons decide about withheld films: a table with a line for each part of a film.

use std::collections::BTreeMap;
use std::path::Path;

use coxa_files::table::to_csv;
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
    verdict: RegionVerdict,
}

impl Decisions {
    /// Reads a CSV table with the columns `serial`, `x`, `y`, `width`, `height` and `verdict` (`blank`, `keep` or `exclude`), in any order.
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
                let reason =
                    "a line is serial,x,y,width,height,verdict; a verdict is `blank`, `keep` or `exclude`".to_owned();
                DeidentifyError::Table { path: path.to_owned(), line, reason }
            })?;
            let Row { serial, x, y, width, height, verdict } = row;
            decisions.entry(serial).or_default().push(Decision { region: Rectangle { x, y, width, height }, verdict });
        }
        Ok(Self(decisions))
    }

    /// Reads a table where there is one; none is no decision.
    ///
    /// # Errors
    /// As [`Decisions::read`].
    pub fn read_if_there(path: &Path) -> Result<Self, DeidentifyError> {
        if path.exists() { Self::read(path) } else { Ok(Self::default()) }
    }

    /// Writes the table whole, in the order of serial numbers.
    ///
    /// # Errors
    /// [`DeidentifyError::Io`]; the earlier table stays then.
    pub fn write(&self, path: &Path) -> Result<(), DeidentifyError> {
        let line = |(serial, decision): (usize, &Decision)| {
            let Rectangle { x, y, width, height } = decision.region;
            let [x, y, width, height] = [x, y, width, height].map(|n| n.to_string());
            [serial.to_string(), x, y, width, height, decision.verdict.as_str().to_owned()]
        };
        let lines = self.0.iter().flat_map(|(serial, all)| all.iter().map(|one| (*serial, one))).map(line);
        let table = to_csv(&["serial", "x", "y", "width", "height", "verdict"], lines.collect::<Vec<_>>());
        coxa_files::write_whole(path, &table).map_err(|source| DeidentifyError::Io { path: path.to_owned(), source })
    }

    /// Those about a film.
    #[must_use]
    pub fn of(&self, serial: usize) -> &[Decision] {
        self.0.get(&serial).map_or(&[], Vec::as_slice)
    }

    /// Replaces those about a film; none is no decision.
    pub fn set(&mut self, serial: usize, decisions: Vec<Decision>) {
        if decisions.is_empty() {
            self.0.remove(&serial);
        } else {
            self.0.insert(serial, decisions);
        }
    }

    /// How many films they are about.
    #[must_use]
    pub fn films(&self) -> usize {
        self.0.len()
    }

    /// The decisions about a film as one word, by which a changed decision is known; `None` where there is none.
    #[must_use]
    pub fn fingerprint(&self, serial: usize) -> Option<String> {
        let all = self.0.get(&serial)?;
        let part = |decision: &Decision| {
            let Rectangle { x, y, width, height } = decision.region;
            format!("{}:{x},{y},{width},{height}", decision.verdict.as_str())
        };
        Some(all.iter().map(part).collect::<Vec<_>>().join(";"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tables_are_read_and_errors_name_the_line() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("regions.csv");
        assert_eq!(Decisions::read_if_there(&path).unwrap(), Decisions::default());
        std::fs::write(&path, "serial,x,y,width,height,verdict\n3, 1,2,30,4,blank\n3,0,0,9,9,keep\n").unwrap();
        let decisions = Decisions::read_if_there(&path).unwrap();
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

    #[test]
    fn decisions_are_read_as_they_were_written() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("regions.csv");
        let one = |x, verdict| Decision { region: Rectangle { x, y: 2, width: 3, height: 4 }, verdict };
        let mut decisions = Decisions::default();
        decisions.set(12, vec![one(1, RegionVerdict::Blank), one(9, RegionVerdict::Keep)]);
        decisions.set(4, vec![one(0, RegionVerdict::Exclude)]);
        decisions.set(5, vec![one(0, RegionVerdict::Keep)]);
        decisions.set(5, Vec::new());
        decisions.write(&path).unwrap();
        let text = std::fs::read_to_string(&path).unwrap();
        assert_eq!(text.lines().nth(1), Some("4,0,2,3,4,exclude"));
        let read = Decisions::read(&path).unwrap();
        assert_eq!((&read, read.films()), (&decisions, 2));
        assert_eq!(read.fingerprint(12).as_deref(), Some("blank:1,2,3,4;keep:9,2,3,4"));
        assert_eq!(read.fingerprint(5), None);
    }
}
