//! Which input each film of an output folder was made of, so that another decision of a person replaces that film and no other's.
//!
//! Inputs are known by keyed hashes of their bytes, which say nothing to anyone without the key and the film.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File, OpenOptions};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use crate::error::DeidentifyError;

/// The table in an output folder: a line for each film, the last one counts.
pub(crate) const ORIGINS: &str = "origins.csv";
const HEADER: &str = "file,origin";

/// The table, open to be continued.
pub(crate) struct Origins {
    path: PathBuf,
    file: File,
    by_film: BTreeMap<String, String>,
    /// The films of this run.
    placed: BTreeSet<String>,
    /// The last line may lack its end, as the disk was full.
    is_torn: bool,
}

impl Origins {
    /// Opens the table of an output folder, or begins it. What a killed run left of a line is dropped.
    ///
    /// # Errors
    /// [`DeidentifyError::Io`].
    pub(crate) fn open(out: &Path) -> Result<Self, DeidentifyError> {
        let path = out.join(ORIGINS);
        let fault = |source| DeidentifyError::Io { path: path.clone(), source };
        let text = match fs::read_to_string(&path) {
            Ok(text) => text,
            Err(error) if error.kind() == io::ErrorKind::NotFound => String::new(),
            Err(error) => return Err(fault(error)),
        };
        let whole = text.rfind('\n').map_or("", |end| &text[..=end]);
        if whole.len() < text.len() || whole.is_empty() {
            let begun = if whole.is_empty() { format!("{HEADER}\n") } else { whole.to_owned() };
            coxa_files::write_whole(&path, begun.as_bytes()).map_err(fault)?;
        }
        let lines = whole.lines().skip(1).filter_map(|line| line.split_once(','));
        let by_film = lines.map(|(film, origin)| (film.to_owned(), origin.to_owned())).collect();
        let file = OpenOptions::new().append(true).open(&path).map_err(fault)?;
        Ok(Self { path, file, by_film, placed: BTreeSet::new(), is_torn: false })
    }

    /// Whether an earlier run made a film of this input.
    pub(crate) fn may_replace(&self, film: &str, origin: &str) -> bool {
        !self.placed.contains(film) && self.by_film.get(film).is_some_and(|known| known == origin)
    }

    /// Notes what a film is made of, before it is written.
    ///
    /// # Errors
    /// The disk's.
    pub(crate) fn note(&mut self, film: &str, origin: &str) -> io::Result<()> {
        if self.by_film.get(film).is_none_or(|known| known != origin) {
            let begin = if self.is_torn { "\n" } else { "" };
            let written = self.file.write_all(format!("{begin}{film},{origin}\n").as_bytes());
            self.is_torn = written.is_err();
            written?;
            self.by_film.insert(film.to_owned(), origin.to_owned());
        }
        self.placed.insert(film.to_owned());
        Ok(())
    }

    /// Removes the films that earlier runs made of an input which is withheld now, and their folders where nothing else is in them.
    ///
    /// # Errors
    /// [`DeidentifyError::Io`]: a film that should not be there cannot be removed.
    pub(crate) fn remove_films_of(&self, origin: &str, out: &Path) -> Result<(), DeidentifyError> {
        for (film, _) in self.by_film.iter().filter(|(film, _)| self.may_replace(film, origin)) {
            let path = out.join(film);
            match fs::remove_file(&path) {
                Ok(()) => {
                    // It stays where another film of the patient is in it.
                    let _ = path.parent().map(fs::remove_dir);
                }
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                Err(source) => return Err(DeidentifyError::Io { path, source }),
            }
        }
        Ok(())
    }

    /// Waits until the table has reached the disk.
    ///
    /// # Errors
    /// [`DeidentifyError::Io`].
    pub(crate) fn finish(self) -> Result<(), DeidentifyError> {
        self.file.sync_all().map_err(|source| DeidentifyError::Io { path: self.path, source })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_whole_line_of_a_film_counts() {
        let folder = tempfile::tempdir().unwrap();
        let mut origins = Origins::open(folder.path()).unwrap();
        origins.note("P/1.dcm", "aa").unwrap();
        assert!(!origins.may_replace("P/1.dcm", "aa"), "a film of this run");
        origins.note("P/2.dcm", "bb").unwrap();
        origins.note("P/1.dcm", "cc").unwrap();
        origins.finish().unwrap();
        let path = folder.path().join(ORIGINS);
        let text = fs::read_to_string(&path).unwrap();
        fs::write(&path, format!("{text}P/2.dcm,d")).unwrap();
        let origins = Origins::open(folder.path()).unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), text);
        let may = |film, origin| origins.may_replace(film, origin);
        assert!(may("P/1.dcm", "cc") && may("P/2.dcm", "bb") && !may("P/1.dcm", "aa") && !may("P/3.dcm", "aa"));
        fs::create_dir(folder.path().join("P")).unwrap();
        fs::write(folder.path().join("P/1.dcm"), "film").unwrap();
        origins.remove_films_of("aa", folder.path()).unwrap();
        assert!(folder.path().join("P/1.dcm").exists());
        origins.remove_films_of("cc", folder.path()).unwrap();
        assert!(!folder.path().join("P").exists());
    }
}
