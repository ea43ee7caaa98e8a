//! The layouts of a study's file, and the refusal of a study that one of them cannot hold.

use std::path::Path;

use super::table::ReaderTable;
use crate::error::{StudyError, Unfit};

/// How a file of ratings is laid out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Layout {
    /// Coxa's CSV: `reader, treatment, case, truth, rating`; marks stand in a file of their own.
    Csv,
    /// iMRMC's text.
    Imrmc,
    /// RJafroc's workbook.
    Rjafroc,
}

impl Layout {
    /// The layout that a file's ending stands for: `.csv`, `.imrmc` or `.xlsx`.
    pub fn of(path: &Path) -> Option<Self> {
        let ending = path.extension()?.to_str()?.to_ascii_lowercase();
        Some(match ending.as_str() {
            "csv" => Self::Csv,
            "imrmc" => Self::Imrmc,
            "xlsx" => Self::Rjafroc,
            _ => return None,
        })
    }

    /// What errors and notes call it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Csv => "a CSV",
            Self::Imrmc => "iMRMC's layout",
            Self::Rjafroc => "RJafroc's layout",
        }
    }

    /// The error that this layout cannot hold the study; `place` is where the study's file has the reason, empty of the file as a whole.
    pub(super) fn refuse(self, table: &ReaderTable, place: &str, reason: String) -> StudyError {
        self.refuse_with(table, place, reason, None)
    }

    /// As [`Layout::refuse`], with a way out.
    pub(super) fn refuse_with(
        self,
        table: &ReaderTable,
        place: &str,
        reason: String,
        hint: Option<&'static str>,
    ) -> StudyError {
        let (path, place) = (table.path.clone(), place.to_owned());
        StudyError::Unfit(Box::new(Unfit { path, place, layout: self.name(), reason, hint }))
    }
}
