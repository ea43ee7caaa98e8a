//! Workbooks in the layout of R's RJafroc: sheets TP, FP and TRUTH, of ROC studies and of studies with marks (FROC).

mod write;

use std::collections::{BTreeMap, BTreeSet};
use std::io::Cursor;
use std::path::Path;

use calamine::{Data, Range, Reader as _, Xlsx};
use coxa_stats::mrmc::CaseRating;

use super::table::{Lesion, Mark, Marks, RatedRow, Read, ReaderTable};
use crate::error::StudyError;

pub(super) use write::write;

/// Reads a workbook.
///
/// # Errors
/// [`StudyError::Rating`] with sheet, row and column: a sheet or column that is missing, an empty row or cell, an identifier that is no
/// whole number, a lesion listed twice, weights of a case that do not sum to one, lists of readers or modalities that are not text, a
/// rating of a case or lesion that TRUTH does not list for the reader, a rating given twice, or missing in an ROC study.
pub(super) fn read(bytes: &[u8], path: &Path) -> Result<ReaderTable, StudyError> {
    let bad = |reason: String| StudyError::Rating { path: path.to_owned(), place: String::new(), reason };
    let mut book: Xlsx<_> = Xlsx::new(Cursor::new(bytes)).map_err(|error| bad(format!("no workbook: {error}")))?;
    let names = book.sheet_names();
    let mut sheet = |wanted: &str| -> Result<Sheet, StudyError> {
        let name = names.iter().find(|name| name.trim().eq_ignore_ascii_case(wanted));
        let name = name.ok_or_else(|| bad(format!("sheet {wanted} is missing (found: {})", names.join(", "))))?;
        let range = book.worksheet_range(name).map_err(|error| bad(format!("sheet {name}: {error}")))?;
        Ok(Sheet { path: path.display().to_string(), name: wanted.to_owned(), range })
    };
    let truth = Truth::of(&sheet("TRUTH")?)?;
    let (tp, fp) = (sheet("TP")?, sheet("FP")?);
    let mut marks = Vec::new();
    let mut seen = BTreeSet::new();
    for (sheet, lesions) in [(&tp, true), (&fp, false)] {
        let [reader, modality, case] = ["ReaderID", "ModalityID", "CaseID"].map(|column| sheet.column(&[column]));
        let (reader, modality, case) = (reader?, modality?, case?);
        let lesion = if lesions { Some(sheet.column(&["LesionID"])?) } else { None };
        let rating = sheet.column(if lesions { &["TP_Rating", "LL_Rating"] } else { &["FP_Rating", "NL_Rating"] })?;
        for row in sheet.rows() {
            let row = row?;
            let mark = Mark {
                reader: sheet.name(row, reader)?,
                treatment: sheet.name(row, modality)?,
                case: sheet.whole(row, case)?,
                lesion: lesion.map(|lesion| sheet.whole(row, lesion)).transpose()?,
                rating: sheet.number(row, rating)?,
            };
            truth.check(sheet, row, &mark, (case, lesion.unwrap_or(case)))?;
            let once = mark.lesion.is_some() || !truth.marks;
            let key = (mark.reader.clone(), mark.treatment.clone(), mark.case.clone(), mark.lesion.clone());
            if !seen.insert(key) && once {
                return Err(sheet.error(row, case, "this reader rated it in a row before this one"));
            }
            marks.push((format!("sheet {}, row {}", sheet.name, row + 1), mark));
        }
    }
    truth.table(path, marks)
}

/// A sheet; rows and columns are counted from 0.
struct Sheet {
    path: String,
    name: String,
    range: Range<Data>,
}

impl Sheet {
    fn error(&self, row: u32, column: u32, reason: impl Into<String>) -> StudyError {
        let header = self.text(0, column);
        let column = if header.is_empty() { (column + 1).to_string() } else { header };
        let place = format!("sheet {}, row {}, column {column}", self.name, row + 1);
        StudyError::Rating { path: self.path.clone().into(), place, reason: reason.into() }
    }

    /// The text of a cell; empty where there is none.
    fn text(&self, row: u32, column: u32) -> String {
        self.range.get_value((row, column)).map_or(String::new(), |cell| cell.to_string().trim().to_owned())
    }

    /// The column with one of these names in the first row.
    fn column(&self, names: &[&str]) -> Result<u32, StudyError> {
        let is = |column: &u32| names.iter().any(|name| self.text(0, *column).eq_ignore_ascii_case(name));
        self.columns().find(is).ok_or_else(|| StudyError::Rating {
            path: self.path.clone().into(),
            place: format!("sheet {}, row 1", self.name),
            reason: format!("column {} is missing", names[0]),
        })
    }

    fn columns(&self) -> std::ops::RangeInclusive<u32> {
        0..=self.range.end().map_or(0, |end| end.1)
    }

    /// The rows below the header, without the empty ones at the end; the others have to be filled.
    fn rows(&self) -> impl Iterator<Item = Result<u32, StudyError>> + '_ {
        let last = (1..=self.range.end().map_or(0, |end| end.0)).rfind(|&row| !self.is_empty(row)).unwrap_or(0);
        (1..=last).map(|row| match self.is_empty(row) {
            true => Err(self.error(row, 0, "the row is empty, but others follow")),
            false => Ok(row),
        })
    }

    fn is_empty(&self, row: u32) -> bool {
        self.columns().all(|column| self.text(row, column).is_empty())
    }

    fn name(&self, row: u32, column: u32) -> Result<String, StudyError> {
        Some(self.text(row, column))
            .filter(|text| !text.is_empty())
            .ok_or_else(|| self.error(row, column, "the cell is empty"))
    }

    fn number(&self, row: u32, column: u32) -> Result<f64, StudyError> {
        let text = self.name(row, column)?;
        let number = text.parse::<f64>().ok().filter(|number| number.is_finite());
        number.ok_or_else(|| self.error(row, column, format!("`{text}` is not a number")))
    }

    /// A whole number from 0 as its text.
    fn whole(&self, row: u32, column: u32) -> Result<String, StudyError> {
        let text = self.name(row, column)?;
        let number = text.parse::<f64>().ok().filter(|number| *number >= 0.0 && number.fract() == 0.0);
        number
            .map(|number| number.to_string())
            .ok_or_else(|| self.error(row, column, format!("`{text}` is not a whole number")))
    }

    /// A list such as `0,1,2` or `(1)`.
    fn list(&self, row: u32, column: u32) -> Result<Vec<String>, StudyError> {
        let text = self.name(row, column)?;
        if !matches!(self.range.get_value((row, column)), Some(Data::String(_))) {
            let reason = format!("`{text}` is a number; a list is text, as `0,1,2`, or of one as `({text})`");
            return Err(self.error(row, column, reason));
        }
        let inner = text.trim_matches(|c| c == '(' || c == ')');
        Ok(inner.split(',').map(|name| name.trim().to_owned()).collect())
    }
}

/// A cell's list of names; `None` where the sheet has no such column.
type List = Option<Vec<String>>;

/// A case of TRUTH.
#[derive(Default)]
struct Case {
    /// Row and weight of each lesion.
    lesions: Vec<(String, u32, f64)>,
    row: u32,
    /// Who read it under which modalities: lists of both, or `None` where the sheet has no lists. In split-plot studies several.
    read: Vec<(List, List)>,
}

/// The sheet TRUTH.
struct Truth {
    /// Whether readers placed marks (FROC) instead of rating cases.
    marks: bool,
    cases: BTreeMap<String, Case>,
}

impl Truth {
    fn of(sheet: &Sheet) -> Result<Self, StudyError> {
        let [case_at, lesion_at, weight_at] = ["CaseID", "LesionID", "Weight"].map(|column| sheet.column(&[column]));
        let (case_at, lesion_at, weight_at) = (case_at?, lesion_at?, weight_at?);
        let [readers_at, modalities_at, paradigm_at] =
            ["ReaderID", "ModalityID", "Paradigm"].map(|column| sheet.column(&[column]).ok());
        let marks = paradigm_at.is_some_and(|column| sheet.text(1, column).eq_ignore_ascii_case("FROC"));
        let mut cases: BTreeMap<String, Case> = BTreeMap::new();
        let mut listed = BTreeSet::new();
        for row in sheet.rows() {
            let row = row?;
            let (id, lesion) = (sheet.whole(row, case_at)?, sheet.whole(row, lesion_at)?);
            let weight = sheet.number(row, weight_at)?;
            let list = |column: Option<u32>| column.map(|column| sheet.list(row, column)).transpose();
            let (readers, modalities) = (list(readers_at)?, list(modalities_at)?);
            let read = (readers, modalities);
            if !listed.insert((id.clone(), lesion.clone(), read.clone())) {
                return Err(sheet.error(
                    row,
                    lesion_at,
                    format!("lesion {lesion} of case {id} is in a row before this one"),
                ));
            }
            let known = cases.contains_key(&id);
            let case = cases.entry(id.clone()).or_default();
            if known && case.lesions.is_empty() != (lesion == "0") {
                return Err(sheet.error(row, lesion_at, format!("case {id} is with and without lesion")));
            }
            if lesion != "0" && !case.lesions.iter().any(|(known, ..)| *known == lesion) {
                case.lesions.push((lesion, row, weight));
            }
            if !case.read.contains(&read) {
                case.read.push(read);
            }
            case.row = row;
        }
        for (id, case) in &cases {
            let sum: f64 = case.lesions.iter().map(|(_, _, weight)| weight).sum();
            // All zero stands for equal weights.
            if case.lesions.iter().any(|(_, _, weight)| *weight != 0.0) && (sum - 1.0).abs() > 1e-3 {
                let reason = format!("the weights of case {id} sum to {sum}, not to 1");
                return Err(sheet.error(case.lesions[0].1, weight_at, reason));
            }
        }
        Ok(Self { marks, cases })
    }

    /// Refuses what TRUTH does not list.
    fn check(&self, sheet: &Sheet, row: u32, mark: &Mark, (case_at, lesion_at): (u32, u32)) -> Result<(), StudyError> {
        let Some(case) = self.cases.get(&mark.case) else {
            return Err(sheet.error(row, case_at, format!("case {} is not in sheet TRUTH", mark.case)));
        };
        match &mark.lesion {
            Some(lesion) if !case.lesions.iter().any(|(known, ..)| known == lesion) => {
                let reason = format!("case {} has no lesion {lesion} in sheet TRUTH", mark.case);
                return Err(sheet.error(row, lesion_at, reason));
            }
            None if !self.marks && !case.lesions.is_empty() => {
                return Err(sheet.error(row, case_at, format!("case {} has a lesion in sheet TRUTH", mark.case)));
            }
            _ => {}
        }
        let in_list = |list: &List, name: &String| list.as_ref().is_none_or(|list| list.contains(name));
        let mut read = case.read.iter();
        if !read.any(|(readers, modalities)| in_list(readers, &mark.reader) && in_list(modalities, &mark.treatment)) {
            let reason = format!(
                "sheet TRUTH, row {}, does not list reader {} under modality {} for case {}",
                case.row + 1,
                mark.reader,
                mark.treatment,
                mark.case
            );
            return Err(sheet.error(row, case_at, reason));
        }
        Ok(())
    }

    /// What every reader read: as TRUTH lists it, or else every case by every reader and modality of the ratings.
    fn reads(&self, marks: &[(String, Mark)]) -> Vec<Read> {
        let all = |of: fn(&Mark) -> &String| -> Vec<String> {
            marks.iter().map(|(_, mark)| of(mark)).collect::<BTreeSet<_>>().into_iter().cloned().collect()
        };
        let pairs: BTreeSet<(&String, &String)> =
            marks.iter().map(|(_, mark)| (&mark.reader, &mark.treatment)).collect();
        let (readers, modalities) = (all(|mark| &mark.reader), all(|mark| &mark.treatment));
        let mut reads = Vec::new();
        for (id, case) in &self.cases {
            let mut of_case = BTreeSet::new();
            for (in_readers, in_modalities) in &case.read {
                for reader in in_readers.as_deref().unwrap_or(&readers) {
                    for treatment in in_modalities.as_deref().unwrap_or(&modalities) {
                        // A reader listed without any rating under a modality did not read under it.
                        if pairs.contains(&(reader, treatment)) {
                            of_case.insert((reader, treatment));
                        }
                    }
                }
            }
            reads.extend(of_case.into_iter().map(|(reader, treatment)| {
                Read {
                    place: format!("sheet TRUTH, row {}", case.row + 1),
                    reader: reader.clone(),
                    treatment: treatment.clone(),
                    case: id.clone(),
                    lesions: case
                        .lesions
                        .iter()
                        .map(|(name, _, weight)| Lesion { name: name.clone(), weight: *weight })
                        .collect(),
                }
            }));
        }
        reads
    }

    fn table(&self, path: &Path, marks: Vec<(String, Mark)>) -> Result<ReaderTable, StudyError> {
        let reads = self.reads(&marks);
        let mut highest: BTreeMap<(&str, &str, &str), (f64, &str)> = BTreeMap::new();
        for (place, mark) in &marks {
            let entry = highest.entry((&mark.reader, &mark.treatment, &mark.case)).or_insert((mark.rating, place));
            entry.0 = entry.0.max(mark.rating);
        }
        let floor = marks.iter().map(|(_, mark)| mark.rating).fold(f64::INFINITY, f64::min) - 1.0;
        let mut rows = Vec::new();
        for read in &reads {
            let found = highest.get(&(&*read.reader, &*read.treatment, &*read.case));
            let (rating, place) = match found {
                Some(&(rating, place)) => (rating, place.to_owned()),
                None if self.marks => (floor, read.place.clone()),
                None => {
                    let reason = format!(
                        "reader {} did not rate case {} under modality {}",
                        read.reader, read.case, read.treatment
                    );
                    return Err(StudyError::Rating { path: path.to_owned(), place: read.place.clone(), reason });
                }
            };
            let (reader, treatment, case) = (read.reader.clone(), read.treatment.clone(), read.case.clone());
            let rating = CaseRating { reader, treatment, case, truth: !read.lesions.is_empty(), rating };
            rows.push(RatedRow::new(place, rating));
        }
        let marks: Vec<Mark> = marks.into_iter().map(|(_, mark)| mark).collect();
        let marks = self.marks.then(|| Marks::new(reads, marks));
        Ok(ReaderTable { path: path.to_owned(), rows, marks })
    }
}
