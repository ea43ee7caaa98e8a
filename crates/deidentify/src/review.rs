//! What a person must review of a withheld film, and the table of an output folder that lists the withheld films for the pages of a node.

use std::io;
use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::blanking::Rectangle;
use crate::error::DeidentifyError;

/// The table of regions that persons decided about, as the pages of a node write it into an output folder.
pub const REGIONS_TABLE: &str = "regions.csv";
/// The list of withheld films in an output folder of films.
pub const WITHHELD_LIST: &str = "withheld.json";

/// A film in whose pixels text may lie. It identifies nobody: sizes and places alone.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Review {
    /// Columns of the film.
    pub columns: usize,
    /// Rows of the film.
    pub rows: usize,
    /// Where text may lie; empty where the header states text and none is found.
    pub regions: Vec<Rectangle>,
}

/// A film that was withheld.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct WithheldFilm {
    /// Its serial number.
    pub serial: usize,
    /// Why.
    pub reason: String,
    /// What a person must review, where that admits it.
    #[serde(flatten)]
    pub review: Option<Review>,
}

/// What the last run into a folder came to.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct WithheldList {
    /// Films in all.
    pub films: usize,
    /// Those that were withheld.
    pub withheld: Vec<WithheldFilm>,
}

impl WithheldList {
    /// Reads the list of an output folder; `None` before the end of its first run.
    ///
    /// # Errors
    /// [`DeidentifyError::Io`]: it cannot be read, or is no such list.
    pub fn read(out: &Path) -> Result<Option<Self>, DeidentifyError> {
        let path = out.join(WITHHELD_LIST);
        let fault = |source| DeidentifyError::Io { path: path.clone(), source };
        match std::fs::read(&path) {
            Ok(bytes) => serde_json::from_slice(&bytes).map(Some).map_err(|error| fault(error.into())),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(fault(error)),
        }
    }

    /// Writes the list whole.
    pub(crate) fn write(&self, out: &Path) -> Result<(), DeidentifyError> {
        let path = out.join(WITHHELD_LIST);
        let fault = |source| DeidentifyError::Io { path: path.clone(), source };
        let mut text = serde_json::to_vec(self).map_err(|error| fault(error.into()))?;
        text.push(b'\n');
        coxa_files::write_whole(&path, &text).map_err(fault)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_is_read_as_it_was_written() {
        let folder = tempfile::tempdir().unwrap();
        assert_eq!(WithheldList::read(folder.path()).unwrap(), None);
        let region = Rectangle { x: 1, y: 2, width: 3, height: 4 };
        let review = Review { columns: 30, rows: 40, regions: vec![region] };
        let list = WithheldList {
            films: 9,
            withheld: vec![
                WithheldFilm { serial: 2, reason: "it is truncated".into(), review: None },
                WithheldFilm { serial: 7, reason: "text".into(), review: Some(review) },
            ],
        };
        list.write(folder.path()).unwrap();
        assert_eq!(WithheldList::read(folder.path()).unwrap(), Some(list));
        std::fs::write(folder.path().join(WITHHELD_LIST), "[").unwrap();
        assert!(WithheldList::read(folder.path()).unwrap_err().to_string().contains("withheld.json"));
    }
}
