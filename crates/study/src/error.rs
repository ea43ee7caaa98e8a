//! What can be wrong with the files that a study reads; every error names the file and the row or the film.

use std::path::PathBuf;

use coxa_cohort::CohortError;
use coxa_files::TableError;
use coxa_schema::{ErrorKind, Hint};
use coxa_stats::Undefined;

/// An error of the evaluation.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StudyError {
    /// A table that cannot be read, or a value in one.
    #[error(transparent)]
    Table(#[from] TableError),
    /// A dataset that cannot be read.
    #[error(transparent)]
    Cohort(#[from] CohortError),
    /// The operating system refused.
    #[error("{path}: {source}", path = path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// The error of the system.
        source: std::io::Error,
    },
    /// A line of JSON that is not a reading.
    #[error("{path}, line {line}: {reason}", path = path.display())]
    Reading {
        /// The file of readings.
        path: PathBuf,
        /// The line, counted from 1.
        line: usize,
        /// What is wrong with it.
        reason: String,
    },
    /// A rating of a reader study that cannot be used.
    #[error("{path}{}{place}: {reason}", if place.is_empty() { "" } else { ", " }, path = path.display())]
    Rating {
        /// The file.
        path: PathBuf,
        /// The line, or the sheet with row and column; empty where the file as a whole is meant.
        place: String,
        /// What is wrong.
        reason: String,
    },
    /// A study that the layout to be written cannot hold.
    #[error(transparent)]
    Unfit(Box<Unfit>),
    /// A file that is in the place of one to be written.
    #[error("{path} exists already; nothing is overwritten", path = path.display())]
    Exists {
        /// The file.
        path: PathBuf,
    },
    /// A statistic that a file's rows do not define.
    #[error("{path}: {undefined}", path = path.display())]
    Undefined {
        /// The file.
        path: PathBuf,
        /// What is undefined, and why.
        undefined: Undefined,
    },
    /// Films that only one of two prediction files has.
    #[error("{n} film(s) are in {path} but not in {other}: {films}", path = path.display(), other = other.display())]
    OnlyInOne {
        /// The file that has them.
        path: PathBuf,
        /// The file that has not.
        other: PathBuf,
        /// How many.
        n: usize,
        /// The first of them.
        films: String,
    },
    /// A film whose truth or patient differs between two prediction files.
    #[error(transparent)]
    Mismatch(Box<Mismatch>),
    /// A film, or a film's patient, in both of two files of different films.
    #[error("{b}, line {line}: film `{image_id}` {what} in {a} too", a = a.display(), b = b.display())]
    InBoth {
        /// What of the film is in both: the film itself, or its patient.
        what: &'static str,
        /// The first file.
        a: PathBuf,
        /// The second file.
        b: PathBuf,
        /// The line in the second file.
        line: u64,
        /// The film.
        image_id: String,
    },
    /// Films without a patient where the patients matter.
    #[error("{path}, line {line}: film `{image_id}` has no patient", path = path.display())]
    NoPatient {
        /// The predictions.
        path: PathBuf,
        /// The line, counted from 1.
        line: u64,
        /// The film.
        image_id: String,
    },
    /// A column that was named as a subgroup and is not there.
    #[error("{path}: no column `{column}` to make subgroups of (found: {found})", path = path.display())]
    NoSubgroup {
        /// The predictions.
        path: PathBuf,
        /// The missing column.
        column: String,
        /// The columns that are there.
        found: String,
    },
    /// A setting outside its range.
    #[error("{setting} of {value} is not {expected}")]
    Setting {
        /// The setting.
        setting: &'static str,
        /// Its value.
        value: f64,
        /// What would be right.
        expected: &'static str,
    },
    /// A film that cannot be opened to learn its size.
    #[error("film `{image_id}`: {reason}")]
    Film {
        /// The film.
        image_id: String,
        /// Why.
        reason: String,
    },
}

/// A film whose truth or patient differs between two prediction files.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "film `{image_id}`: {column} `{a_value}` in {a} (line {a_line}), but `{b_value}` in {b} (line {b_line})",
    a = a.display(), b = b.display()
)]
pub struct Mismatch {
    /// The film.
    pub image_id: String,
    /// `label` or `patient`.
    pub column: &'static str,
    /// The first file.
    pub a: PathBuf,
    /// The line in the first file.
    pub a_line: u64,
    /// The value in the first file.
    pub a_value: String,
    /// The second file.
    pub b: PathBuf,
    /// The line in the second file.
    pub b_line: u64,
    /// The value in the second file.
    pub b_value: String,
}

/// A study that the layout to be written cannot hold.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{path}{}{place}: {layout} cannot hold this study: {reason}", if place.is_empty() { "" } else { ", " }, path = path.display())]
pub struct Unfit {
    /// The study's file.
    pub path: PathBuf,
    /// The line, or the sheet with row and column; empty where the file as a whole is meant.
    pub place: String,
    /// The layout.
    pub layout: &'static str,
    /// What it has no place for.
    pub reason: String,
    /// The way out, where there is one.
    pub hint: Option<&'static str>,
}

impl Hint for StudyError {
    fn kind(&self) -> ErrorKind {
        match self {
            Self::Setting { .. } | Self::NoSubgroup { .. } => ErrorKind::Usage,
            Self::Cohort(error) => error.kind(),
            _ => ErrorKind::Input,
        }
    }

    fn hint(&self) -> Option<String> {
        let hint = match self {
            Self::OnlyInOne { .. } => "compare two networks on the same films, or on different ones by --unpaired",
            Self::InBoth { .. } => "leave --unpaired out where both files are of the same films",
            Self::NoPatient { .. } => "fill the column `patient`, or take films as independent (--by-film)",
            Self::Exists { .. } => "name a new file",
            Self::Unfit(unfit) => return unfit.hint.map(str::to_owned),
            Self::Cohort(error) => return error.hint(),
            _ => return None,
        };
        Some(hint.to_owned())
    }
}

impl StudyError {
    /// Wraps an operating system's error with the path it is about.
    pub(crate) fn io(path: impl Into<PathBuf>) -> impl FnOnce(std::io::Error) -> Self {
        let path = path.into();
        move |source| Self::Io { path, source }
    }
}
