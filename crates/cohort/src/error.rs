//! What can be wrong with a cohort: every error names the file, the row (the line of the file, the header being line 1)
//! and the value.

use std::path::PathBuf;

use coxa_files::TableError;
use coxa_schema::Hint;

/// An error of this crate.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CohortError {
    /// The operating system refused.
    #[error("{path}: {source}", path = path.display())]
    Io {
        /// The file or folder.
        path: PathBuf,
        /// The system's reason.
        source: std::io::Error,
    },
    /// A table that cannot be read, or a value in one.
    #[error(transparent)]
    Table(#[from] TableError),
    /// Several rows that cannot be read, each with its own error.
    #[error("{}", several(.0))]
    Rows(Vec<CohortError>),
    /// A fracture's box that does not lie on its film.
    #[error(
        "truth.csv, film `{image_id}`: the box at {},{} of {}×{} does not lie on the film of {}×{} pixels",
        .drawn[0], .drawn[1], .drawn[2], .drawn[3], .film[0], .film[1]
    )]
    BoxOutside {
        /// The film.
        image_id: String,
        /// The box: left, top, width, height.
        drawn: [f32; 4],
        /// The film's width and height.
        film: [usize; 2],
    },
    /// A film whose file is not there.
    #[error("{path}, line {line}: the file `{file}` does not exist", path = path.display())]
    MissingFile {
        /// The manifest.
        path: PathBuf,
        /// The line, counted from 1.
        line: u64,
        /// The file that the row names.
        file: String,
    },
    /// A film whose file is not the one that the manifest describes.
    #[error("{path}, line {line}: `{file}` has the SHA-256 {found}, not {expected}", path = path.display())]
    ChangedFile {
        /// The manifest.
        path: PathBuf,
        /// The line, counted from 1.
        line: u64,
        /// The file that the row names.
        file: String,
        /// The hash in the manifest.
        expected: String,
        /// The hash of the file.
        found: String,
    },
    /// Two statements that cannot both hold.
    #[error("{path}, line {line}: `{image_id}`: {reason}", path = path.display())]
    Contradiction {
        /// The table.
        path: PathBuf,
        /// The line, counted from 1.
        line: u64,
        /// The film.
        image_id: String,
        /// The two statements.
        reason: String,
    },
    /// A row about a film that the manifest does not have.
    #[error("{path}, line {line}: film `{image_id}` is not in the manifest", path = path.display())]
    UnknownFilm {
        /// The table.
        path: PathBuf,
        /// The line, counted from 1.
        line: u64,
        /// The film.
        image_id: String,
    },
    /// A film on both sides of a split.
    #[error("film `{image_id}` is in both parts of the split")]
    SharedFilm {
        /// The film.
        image_id: String,
    },
    /// A patient on both sides of a split.
    #[error("films `{first}` and `{second}` are of one patient, who is in both parts of the split")]
    SharedPatient {
        /// The patient; not shown, as a pseudonym may be a name all the same and errors go to logs.
        patient: String,
        /// A film of the patient in the first part.
        first: String,
        /// A film of the patient in the second part.
        second: String,
    },
    /// A film without a patient, which cannot be split by patient.
    #[error("film `{image_id}` has no patient, so the films cannot be split by patient")]
    NoPatient {
        /// The film.
        image_id: String,
    },
    /// A split that cannot be made.
    #[error("the films cannot be split: {reason}")]
    Split {
        /// Why.
        reason: String,
    },
    /// No film is left.
    #[error("{folder}: no film has a known {target}", folder = folder.display())]
    NoSamples {
        /// The dataset.
        folder: PathBuf,
        /// What was asked of the films.
        target: String,
    },
    /// A folder that must be new or empty.
    #[error("{folder} is not empty; nothing is ever overwritten", folder = folder.display())]
    NotEmpty {
        /// The folder.
        folder: PathBuf,
    },
    /// A public set whose layout is not the one expected.
    #[error("{path}: {reason}", path = path.display())]
    Layout {
        /// The file or folder.
        path: PathBuf,
        /// What was expected.
        reason: String,
    },
}

/// The most rows that an error names.
const NAMED: usize = 20;

fn several(errors: &[CohortError]) -> String {
    let mut lines: Vec<String> = errors.iter().take(NAMED).map(ToString::to_string).collect();
    if errors.len() > NAMED {
        lines.push(format!("and {} more rows", errors.len() - NAMED));
    }
    lines.join("\n")
}

impl Hint for CohortError {
    fn hint(&self) -> Option<String> {
        let hint = match self {
            Self::BoxOutside { .. } => {
                "boxes are in the pixels of the film as it is read, upright by its orientation tag, not of a copy of another size"
            }
            Self::NoPatient { .. } => {
                "fill the manifest's column `patient` (blocks of consecutive numbers are better than nothing)"
            }
            Self::NotEmpty { .. } => "name a new folder",
            Self::ChangedFile { .. } => "import the films again",
            _ => return None,
        };
        Some(hint.to_owned())
    }
}

impl CohortError {
    /// All values, or all errors: the one itself, or several as [`CohortError::Rows`].
    ///
    /// # Errors
    /// Those among the results.
    pub fn gather<T>(results: impl Iterator<Item = Result<T, Self>>) -> Result<Vec<T>, Self> {
        let (mut values, mut errors) = (Vec::new(), Vec::new());
        for result in results {
            match result {
                Ok(value) => values.push(value),
                Err(error) => errors.push(error),
            }
        }
        match errors.len() {
            0 => Ok(values),
            1 => Err(errors.remove(0)),
            _ => Err(Self::Rows(errors)),
        }
    }

    /// Wraps an operating system's error with the path it is about.
    pub(crate) fn io(path: impl Into<PathBuf>) -> impl FnOnce(std::io::Error) -> Self {
        let path = path.into();
        move |source| Self::Io { path, source }
    }
}
