//! CSV tables that are written row by row and appear whole: for those that are longer than one wants to hold in memory.

use std::fs::File;
use std::io::{self, BufWriter, Write as _};
use std::path::{Path, PathBuf};

use crate::table::TableError;
use crate::whole::Partial;

/// A CSV table in the making, under another name until [`TableWriter::finish`]. Dropped before, it leaves nothing behind.
#[derive(Debug)]
pub struct TableWriter {
    path: PathBuf,
    columns: usize,
    partial: Partial,
    writer: csv::Writer<BufWriter<File>>,
}

impl TableWriter {
    /// Begins the table that [`TableWriter::finish`] puts at `path`, and writes its header. A file that lies there is replaced if
    /// `is_ours` says so of its first bytes (up to [`crate::whole::HEAD`]), and refused otherwise.
    ///
    /// # Errors
    /// [`TableError::Io`]: a file that is not ours lies there, or the disk refuses.
    pub fn replacing(path: &Path, header: &[&str], is_ours: impl FnOnce(&[u8]) -> bool) -> Result<Self, TableError> {
        let io = |source| TableError::Io { path: path.to_owned(), source };
        let partial = Partial::replacing(path, is_ours).map_err(io)?;
        let file = File::create(partial.path()).map_err(io)?;
        let writer = csv::Writer::from_writer(BufWriter::new(file));
        let mut table = Self { path: path.to_owned(), columns: header.len(), partial, writer };
        table.row(header)?;
        Ok(table)
    }

    /// Adds a row, which has as many fields as the header.
    ///
    /// # Errors
    /// [`TableError::Io`]: a row of another length, or the disk refuses.
    pub fn row<F: AsRef<[u8]>>(&mut self, fields: impl IntoIterator<Item = F>) -> Result<(), TableError> {
        let fields: Vec<F> = fields.into_iter().collect();
        let written = if fields.len() == self.columns {
            self.writer.write_record(fields).map_err(io::Error::other)
        } else {
            // The CSV writer would have put half of it down before it refuses.
            Err(io::Error::other(format!("a row of {} fields under a header of {}", fields.len(), self.columns)))
        };
        written.map_err(|source| TableError::Io { path: self.path.clone(), source })
    }

    /// Puts the table in its place.
    ///
    /// # Errors
    /// [`TableError::Io`]: the disk refuses.
    pub fn finish(self) -> Result<(), TableError> {
        let Self { path, partial, writer, .. } = self;
        let finish = || -> io::Result<()> {
            let mut file = writer.into_inner().map_err(|error| error.into_error())?;
            file.flush()?;
            // Closed before it is renamed: not every system renames an open file.
            drop(file);
            partial.keep()
        };
        finish().map_err(|source| TableError::Io { path, source })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_table_appears_at_its_end_and_replaces_its_like_only() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.csv");
        let begin = || TableWriter::replacing(&path, &["a", "b"], |head| head.starts_with(b"a,b\n"));
        let mut table = begin().unwrap();
        table.row(["1", "x, y"]).unwrap();
        assert!(!path.exists());
        table.finish().unwrap();
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "a,b\n1,\"x, y\"\n");
        drop(begin().unwrap());
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
        assert!(begin().unwrap().row(["1"]).is_err());
        std::fs::write(&path, "name,date\n").unwrap();
        assert!(begin().unwrap_err().to_string().contains("a.csv"));
    }
}
