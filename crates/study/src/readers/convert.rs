//! Writes a study's ratings in one of the layouts that [`ReaderTable::load`] reads.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::path::Path;

use coxa_files::table::to_csv;
use coxa_files::write_whole;

use super::layout::Layout;
use super::table::{Mark, Marks, RatedRow, Read, ReaderTable};
use super::{imrmc, rjafroc};
use crate::error::StudyError;

/// The files to write.
#[derive(Debug, Clone, Copy)]
pub struct Converted<'p> {
    /// The ratings.
    pub ratings: &'p Path,
    /// Their layout.
    pub layout: Layout,
    /// The marks, as a CSV beside a CSV of ratings.
    pub marks: Option<&'p Path>,
    /// Where cases are numbered from 1, in the order of the ratings: a CSV `case, number`.
    pub numbers: Option<&'p Path>,
}

/// Writes a study; each file is whole or not there, and none takes the place of another. Returns notes: what of the study the layout
/// has no place for.
///
/// # Errors
/// [`StudyError::Exists`] for a file that is there already; the errors of [`ReaderTable::study`]; [`StudyError::Unfit`] for a study that
/// the layout cannot hold; the disk's.
pub fn convert(table: &ReaderTable, to: Converted<'_>) -> Result<Vec<String>, StudyError> {
    [Some(to.ratings), to.marks, to.numbers].into_iter().flatten().try_for_each(refuse_existing)?;
    let (numbered, numbers) = match to.numbers {
        Some(_) => {
            // Judged with the study's own names of cases.
            table.study(None)?;
            let (numbered, numbers) = number_cases(table);
            (Cow::Owned(numbered), numbers)
        }
        None => (Cow::Borrowed(table), Vec::new()),
    };
    let study = numbered.study(None)?;
    let bytes = match to.layout {
        Layout::Csv => csv(&numbered),
        Layout::Imrmc => imrmc::write(&numbered, &study)?,
        Layout::Rjafroc => rjafroc::write(&numbered, &study)?,
    };
    let marks = marks(&numbered, to)?;
    let numbers = to.numbers.map(|path| (path, to_csv(&["case", "number"], &numbers)));
    for (path, bytes) in [(to.ratings, bytes)].into_iter().chain(marks).chain(numbers) {
        refuse_existing(path)?;
        write_whole(path, &bytes).map_err(StudyError::io(path))?;
    }
    Ok(notes(table, to.layout))
}

fn refuse_existing(path: &Path) -> Result<(), StudyError> {
    match path.symlink_metadata() {
        Ok(_) => Err(StudyError::Exists { path: path.to_owned() }),
        Err(_) => Ok(()),
    }
}

/// The study with its cases numbered from 1 in the order of the ratings, and each case's name and number.
fn number_cases(table: &ReaderTable) -> (ReaderTable, Vec<[String; 2]>) {
    let mut numbers: BTreeMap<&str, String> = BTreeMap::new();
    let mut key = Vec::new();
    for RatedRow { rating, .. } in &table.rows {
        if !numbers.contains_key(rating.case.as_str()) {
            let number = (numbers.len() + 1).to_string();
            key.push([rating.case.clone(), number.clone()]);
            numbers.insert(&rating.case, number);
        }
    }
    let mut numbered = table.clone();
    numbered.rows.iter_mut().for_each(|row| row.rating.case.clone_from(&numbers[row.rating.case.as_str()]));
    if let Some(Marks { mut reads, mut marks, .. }) = numbered.marks.take() {
        // A mark is of a case that was read, and a read case was rated.
        reads.iter_mut().for_each(|read| read.case.clone_from(&numbers[read.case.as_str()]));
        marks.iter_mut().for_each(|mark| mark.case.clone_from(&numbers[mark.case.as_str()]));
        numbered.marks = Some(Marks::new(reads, marks));
    }
    (numbered, key)
}

/// A column of a CSV beyond those that every study has.
type Column<'t> = (&'static str, Box<dyn Fn(usize) -> String + 't>);

/// The ratings as Coxa's CSV: patients, groups, times and numbers of lesions stand in it where some are known.
fn csv(table: &ReaderTable) -> Vec<u8> {
    let rows = &table.rows;
    let mut more: Vec<Column<'_>> = Vec::new();
    if rows.iter().any(|row| !row.patient.is_empty()) {
        more.push(("patient", Box::new(|at| rows[at].patient.clone())));
    }
    if rows.iter().any(|row| !row.group.is_empty()) {
        more.push(("group", Box::new(|at| rows[at].group.clone())));
    }
    if rows.iter().any(|row| row.seconds.is_some()) {
        more.push(("seconds", Box::new(|at| rows[at].seconds.map_or(String::new(), |seconds| seconds.to_string()))));
    }
    if let Some(Marks { reads, .. }) = &table.marks {
        more.push(("lesions", Box::new(|at| reads[at].lesions.len().to_string())));
    }
    let header: Vec<&str> = ["reader", "treatment", "case", "truth", "rating"]
        .into_iter()
        .chain(more.iter().map(|(name, _)| *name))
        .collect();
    let line = |(at, RatedRow { rating: of, .. }): (usize, &RatedRow)| {
        let truth = u8::from(of.truth).to_string();
        let fields = [of.reader.clone(), of.treatment.clone(), of.case.clone(), truth, of.rating.to_string()];
        fields.into_iter().chain(more.iter().map(|(_, of)| of(at))).collect::<Vec<String>>()
    };
    to_csv(&header, rows.iter().enumerate().map(line))
}

/// The file of marks, of a study that has some and is written as CSV.
fn marks<'p>(table: &ReaderTable, to: Converted<'p>) -> Result<Option<(&'p Path, Vec<u8>)>, StudyError> {
    let refuse = |reason: &str, hint| Err(to.layout.refuse_with(table, "", reason.into(), hint));
    let (path, Marks { reads, marks, .. }) = match (to.layout, to.marks, &table.marks) {
        (_, None, None) | (Layout::Imrmc | Layout::Rjafroc, None, Some(_)) => return Ok(None),
        (Layout::Csv, Some(path), Some(marks)) => (path, marks),
        (Layout::Csv, None, Some(_)) => {
            return refuse("its marks stand in a file of their own", Some("add --marks-out FILE.csv"));
        }
        (_, Some(_), None) => {
            return refuse("there is a file for marks, and the study has none", Some("leave --marks-out out"));
        }
        (Layout::Imrmc | Layout::Rjafroc, Some(_), Some(_)) => {
            return refuse("no file of marks belongs to it", Some("leave --marks-out out"));
        }
    };
    for read in reads {
        if let Some(reason) = read.misnumbered() {
            return Err(to.layout.refuse(table, &read.place, format!("{reason}; a CSV counts them from 1")));
        }
    }
    let line = |mark: &Mark| {
        let lesion = mark.lesion.clone().unwrap_or_default();
        [mark.reader.clone(), mark.treatment.clone(), mark.case.clone(), lesion, mark.rating.to_string()]
    };
    let bytes = to_csv(&["reader", "treatment", "case", "lesion", "rating"], marks.iter().map(line));
    Ok(Some((path, bytes)))
}

/// What the study has and the layout does not.
fn notes(table: &ReaderTable, layout: Layout) -> Vec<String> {
    let any = |has: fn(&RatedRow) -> bool| table.rows.iter().any(has);
    let weighed = table.marks.as_ref().is_some_and(|marks| {
        let lesions = |of: &Read| of.lesions.windows(2).any(|pair| pair[0].weight != pair[1].weight);
        marks.reads.iter().any(lesions)
    });
    let foreign = layout != Layout::Csv;
    let lost = [
        ("patients", foreign && any(|row| !row.patient.is_empty())),
        ("groups of readers", foreign && any(|row| !row.group.is_empty())),
        ("reading times", foreign && any(|row| row.seconds.is_some())),
        ("weights of lesions", layout == Layout::Csv && weighed),
        ("ratings of cases beside their marks", layout == Layout::Rjafroc && has_other_ratings(table)),
    ];
    let lost = lost.into_iter().filter(|(_, is_lost)| *is_lost);
    lost.map(|(what, _)| format!("{what} are not written: {} has no place for them", layout.name())).collect()
}

/// Whether cases have ratings that do not follow from their marks.
fn has_other_ratings(table: &ReaderTable) -> bool {
    table.marks.as_ref().is_some_and(|marks| {
        let ratings = table.rows.iter().map(|row| row.rating.rating);
        ratings.ne(marks.highest())
    })
}
