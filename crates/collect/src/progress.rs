//! How far a collection is, read from its folder while a run may be writing into it: for the pages of a node. Nothing in it identifies a patient.

use std::io;
use std::path::Path;
use std::time::SystemTime;

use coxa_files::Table;

use crate::error::CollectError;
use crate::journal::{FilmRecord, RowRecord, read_rows};
use crate::outputs::{JOURNAL, REGISTRY_TABLE};
use crate::summary::{Summary, summarize};

/// A collection as its folder has it.
#[derive(Debug, Clone)]
pub struct Progress {
    /// Injuries that are done, each with its films.
    pub rows: Vec<RowRecord>,
    /// What they come to; `injuries` is how many the registry has.
    pub summary: Summary,
    /// When the journal was written last.
    pub changed: SystemTime,
}

impl Progress {
    /// Reads the folder of a collection; `None` where no collection has begun in it.
    ///
    /// # Errors
    /// [`CollectError::Io`].
    pub fn read(out: &Path) -> Result<Option<Self>, CollectError> {
        let journal = out.join(JOURNAL);
        let (rows, changed) = match (read_rows(&journal), journal.metadata().and_then(|file| file.modified())) {
            (Ok(rows), Ok(changed)) => (rows, changed),
            (Err(error), _) | (_, Err(error)) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            (Err(error), _) | (_, Err(error)) => return Err(CollectError::io(&journal)(error)),
        };
        // The table takes the place of an earlier one in a moment, and is not there before the first run has made it.
        let injuries = Table::read(&out.join(REGISTRY_TABLE)).map_or(0, |table| table.len()).max(rows.len());
        let summary = summarize(injuries, &rows.iter().collect::<Vec<_>>());
        Ok(Some(Self { rows, summary, changed }))
    }

    /// The films with the lines of their injuries in the registry.
    pub fn films(&self) -> impl Iterator<Item = (u64, &FilmRecord)> {
        self.rows.iter().flat_map(|row| row.films.iter().map(move |film| (row.row, film)))
    }
}
