//! Collections of films whose identities are removed: how far each is, which films a person must review, and what persons decide about them.
//!
//! Everything here is read from the folder of a collection, where nothing identifies a patient, but for the films in the folder that the
//! configuration names as `identified`. Decisions go into the table that `coxa collect` and `coxa deidentify` read.

use std::path::PathBuf;
use std::time::SystemTime;

use coxa_collect::Progress;
use coxa_deidentify::{
    Decision, Decisions, DeidentifyError, IdentifiedFolder, REGIONS_TABLE, Rectangle, Review, WITHHELD_LIST,
    WithheldList,
};

use crate::config::Collection;

/// What a collection's folder holds.
#[derive(Debug)]
pub(crate) enum Content {
    /// A collection from a PACS.
    Collected(Progress),
    /// Films that were de-identified, and when.
    Deidentified(WithheldList, SystemTime),
    /// Nothing yet.
    Nothing,
}

/// A film that a person must review.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ToReview {
    /// Its serial number.
    pub(crate) serial: usize,
    /// The line of its injury in the registry, where it was collected.
    pub(crate) row: Option<u64>,
    /// Its size, and where text may lie.
    pub(crate) review: Review,
}

/// Why a collection cannot be shown or changed. No message names a film or a patient.
#[derive(Debug, thiserror::Error)]
pub(crate) enum CollectionError {
    /// The folder cannot be read.
    #[error(transparent)]
    Collect(#[from] coxa_collect::CollectError),
    /// The lists cannot be read or written.
    #[error(transparent)]
    Deidentify(#[from] DeidentifyError),
}

impl Collection {
    /// What the folder holds now.
    pub(crate) fn content(&self) -> Result<Content, CollectionError> {
        if let Some(progress) = Progress::read(&self.folder)? {
            return Ok(Content::Collected(progress));
        }
        let Some(list) = WithheldList::read(&self.folder)? else { return Ok(Content::Nothing) };
        let changed = self.folder.join(WITHHELD_LIST).metadata().and_then(|file| file.modified());
        Ok(Content::Deidentified(list, changed.unwrap_or(SystemTime::UNIX_EPOCH)))
    }

    fn regions(&self) -> PathBuf {
        self.folder.join(REGIONS_TABLE)
    }

    /// What persons decided so far.
    pub(crate) fn decisions(&self) -> Result<Decisions, CollectionError> {
        Ok(Decisions::read_if_there(&self.regions())?)
    }

    /// Replaces what persons decided about a film; nothing takes an earlier decision back. One call at a time.
    pub(crate) fn decide(&self, serial: usize, decided: Vec<Decision>) -> Result<(), CollectionError> {
        let mut decisions = self.decisions()?;
        decisions.set(serial, decided);
        Ok(decisions.write(&self.regions())?)
    }

    /// The file of a film as it came, where the configuration names their folder and it is there.
    pub(crate) fn identified_film(&self, serial: usize) -> Option<PathBuf> {
        let path = self.identified.as_ref()?.join(IdentifiedFolder::name(serial as u64));
        path.is_file().then_some(path)
    }
}

impl Content {
    /// The films that a person must review, by their serial numbers.
    pub(crate) fn to_review(&self) -> Vec<ToReview> {
        let mut all: Vec<ToReview> = match self {
            Self::Collected(progress) => progress
                .films()
                .filter_map(|(row, film)| {
                    let review = film.review.clone()?;
                    Some(ToReview { serial: usize::try_from(film.serial).ok()?, row: Some(row), review })
                })
                .collect(),
            Self::Deidentified(list, _) => list
                .withheld
                .iter()
                .filter_map(|film| Some(ToReview { serial: film.serial, row: None, review: film.review.clone()? }))
                .collect(),
            Self::Nothing => Vec::new(),
        };
        all.sort_by_key(|film| film.serial);
        // A film in the windows of two injuries is one film.
        all.dedup_by_key(|film| film.serial);
        all
    }

    /// A film that a person must review.
    pub(crate) fn film(&self, serial: usize) -> Option<ToReview> {
        self.to_review().into_iter().find(|film| film.serial == serial)
    }
}

impl ToReview {
    /// The whole film as a rectangle.
    pub(crate) fn whole(&self) -> Rectangle {
        Rectangle { x: 0, y: 0, width: self.review.columns, height: self.review.rows }
    }

    /// Whether decisions admit the film: each region that was found is touched, or one is made where none was found.
    pub(crate) fn is_answered_by(&self, decided: &[Decision]) -> bool {
        let touched = |region: &Rectangle| decided.iter().any(|decision| decision.region.touches(*region));
        !decided.is_empty() && self.review.regions.iter().all(touched)
    }
}

#[cfg(test)]
mod tests {
    use coxa_deidentify::RegionVerdict;

    use super::*;

    #[test]
    fn decisions_are_kept_by_film_and_taken_back() {
        let folder = tempfile::tempdir().unwrap();
        let collection = Collection { name: "hips".into(), folder: folder.path().to_owned(), identified: None };
        assert!(matches!(collection.content().unwrap(), Content::Nothing));
        let region = Rectangle { x: 1, y: 2, width: 3, height: 4 };
        let blank = vec![Decision { region, verdict: RegionVerdict::Blank }];
        collection.decide(4, blank.clone()).unwrap();
        collection.decide(2, blank.clone()).unwrap();
        assert_eq!(collection.decisions().unwrap().of(4), blank);
        collection.decide(4, Vec::new()).unwrap();
        assert_eq!((collection.decisions().unwrap().of(4).len(), collection.decisions().unwrap().films()), (0, 1));
        let other = Rectangle { x: 90, y: 90, width: 3, height: 4 };
        let review = Review { columns: 100, rows: 100, regions: vec![region, other] };
        let film = ToReview { serial: 4, row: None, review };
        assert!(!film.is_answered_by(&blank) && !film.is_answered_by(&[]));
        assert!(film.is_answered_by(&[Decision { region: film.whole(), verdict: RegionVerdict::Keep }]));
    }
}
