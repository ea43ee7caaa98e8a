//! What a collection came to, in numbers.

use crate::journal::{FilmRecord, RowOutcome, RowRecord};
use crate::reason::Reason;

/// What a run came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Summary {
    /// Injuries in the registry.
    pub injuries: usize,
    /// Injuries with a film.
    pub found: usize,
    /// Injuries whose films a person must review.
    pub ambiguous: usize,
    /// Injuries without a film.
    pub missing: usize,
    /// Injuries that the PACS failed for.
    pub failed: usize,
    /// Films of the pelvis and the hip in the folder.
    pub films: usize,
    /// Limb films in the folder.
    pub limbs: usize,
    /// Films that were withheld.
    pub withheld: usize,
    /// Requests that had to be repeated in this run.
    pub repeated: usize,
}

/// Whether nothing of a film was written, as its identity stood against it.
pub(crate) fn is_withheld(film: &FilmRecord) -> bool {
    matches!(film.reason, Reason::Withheld | Reason::ToReview | Reason::OtherPatient)
}

/// Counts.
pub(crate) fn summarize(injuries: usize, rows: &[&RowRecord]) -> Summary {
    let with = |outcome| rows.iter().filter(|row| row.outcome == outcome).count();
    let films = || rows.iter().flat_map(|row| &row.films);
    Summary {
        injuries,
        found: with(RowOutcome::Found),
        ambiguous: with(RowOutcome::Ambiguous),
        missing: with(RowOutcome::Missing),
        failed: with(RowOutcome::Failed),
        films: films().filter(|film| film.file.is_some() && !film.is_limb).count(),
        limbs: films().filter(|film| film.file.is_some() && film.is_limb).count(),
        withheld: films().filter(|film| is_withheld(film)).count(),
        repeated: 0,
    }
}
