//! The designs of reader studies, recognized from who rated what.

use super::study::ReaderStudy;
use crate::estimate::{Reason, Undefined};

/// How readers, treatments and cases are combined.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "snake_case"))]
pub enum Design {
    /// Every reader rated every case under every treatment.
    Crossed,
    /// Every reader has cases of their own, rated under every treatment.
    CasesInReaders,
    /// Every treatment has cases of its own, rated by every reader.
    CasesInTreatments,
    /// Every reader has cases of their own under every treatment.
    CasesInCells,
    /// Split-plot: every reader read under one treatment only.
    ReadersInTreatments,
    /// Every reader read under every treatment, but not always the same cases: blocks of cases for groups of readers, or missing
    /// ratings.
    PartlyCrossed,
}

impl Design {
    /// The name, as a table's caption has it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Crossed => "fully crossed",
            Self::CasesInReaders => "cases nested in readers",
            Self::CasesInTreatments => "cases nested in treatments",
            Self::CasesInCells => "cases nested in readers and treatments",
            Self::ReadersInTreatments => "readers nested in treatments (split-plot)",
            Self::PartlyCrossed => "partly crossed",
        }
    }
}

impl ReaderStudy {
    /// The study's design.
    ///
    /// # Errors
    /// Undefined where some readers read under some treatments only, and others under other numbers of them.
    pub fn design(&self) -> Result<Design, Undefined> {
        let (t, r) = (self.treatments().len(), self.readers().len());
        let read = |i: usize, j: usize| !self.cell(i, j).cases.is_empty();
        let treatments_of = |j: usize| (0..t).filter(|&i| read(i, j)).count();
        if t > 1 && (0..r).all(|j| treatments_of(j) == 1) {
            return Ok(Design::ReadersInTreatments);
        }
        if !(0..r).all(|j| treatments_of(j) == t) {
            let why = "some readers read under some of the treatments only; each must read under one, or under all";
            return Err(Undefined::new("design of the study", Reason::Other(why)));
        }
        if self.require_crossed().is_ok() {
            return Ok(Design::Crossed);
        }
        let mut cells_of = vec![Vec::new(); self.cases().len()];
        for i in 0..t {
            for j in 0..r {
                self.cell(i, j).cases.iter().for_each(|&case| cells_of[case].push((i, j)));
            }
        }
        let once = cells_of.iter().all(|cells| cells.len() == 1);
        let of_one_reader =
            |cells: &Vec<(usize, usize)>| cells.len() == t && cells.iter().all(|cell| cell.1 == cells[0].1);
        let of_one_treatment =
            |cells: &Vec<(usize, usize)>| cells.len() == r && cells.iter().all(|cell| cell.0 == cells[0].0);
        Ok(if once {
            Design::CasesInCells
        } else if cells_of.iter().all(of_one_reader) {
            Design::CasesInReaders
        } else if cells_of.iter().all(of_one_treatment) {
            Design::CasesInTreatments
        } else {
            Design::PartlyCrossed
        })
    }
}

#[cfg(test)]
mod tests {
    use super::super::study::tests::rows;
    use super::*;
    use crate::mrmc::CaseRating;

    fn design(change: impl Fn(&mut CaseRating)) -> Result<Design, Undefined> {
        let mut rows = rows();
        rows.iter_mut().for_each(change);
        ReaderStudy::from_rows(&rows).unwrap().design()
    }

    #[test]
    fn designs_are_recognized() {
        assert_eq!(design(|_| ()), Ok(Design::Crossed));
        assert_eq!(design(|row| row.case += &row.reader), Ok(Design::CasesInReaders));
        assert_eq!(design(|row| row.case += &row.treatment), Ok(Design::CasesInTreatments));
        assert_eq!(design(|row| row.case += &(row.treatment.clone() + &row.reader)), Ok(Design::CasesInCells));
        assert_eq!(design(|row| row.reader += &row.treatment), Ok(Design::ReadersInTreatments));
        let block = |row: &mut CaseRating| row.case += if row.reader == "r2" { "b" } else { "a" };
        assert_eq!(design(block), Ok(Design::PartlyCrossed));
        let one_apart = |row: &mut CaseRating| row.reader += if row.reader == "r2" { &row.treatment } else { "" };
        assert!(design(one_apart).unwrap_err().to_string().contains("some readers"));
    }
}
