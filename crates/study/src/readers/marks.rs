//! Marks: where a reader placed the finding. They become ratings of lesions, so that the area under the AFROC curve of lesions
//! (the JAFROC figure of merit: Chakraborty & Berbaum 2004) is the area of a study whose positive "cases" are lesions, clustered in cases.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use coxa_files::table::Table;
use coxa_stats::mrmc::CaseRating;

use super::table::{Lesion, Mark, Marks, RatedRow, Read};
use crate::error::StudyError;

impl Marks {
    pub(super) fn new(reads: Vec<Read>, marks: Vec<Mark>) -> Self {
        Self { rows: rate(&reads, &marks), reads, marks }
    }

    /// The rating of each case that was read: its highest mark, or one below all marks where there is none.
    pub(super) fn highest(&self) -> Vec<f64> {
        let mut highest: BTreeMap<(&str, &str, &str), f64> = BTreeMap::new();
        for mark in &self.marks {
            let rating = highest.entry((&mark.reader, &mark.treatment, &mark.case)).or_insert(mark.rating);
            *rating = rating.max(mark.rating);
        }
        let floor = floor(&self.marks);
        let of = |read: &Read| highest.get(&(&*read.reader, &*read.treatment, &*read.case)).copied().unwrap_or(floor);
        self.reads.iter().map(of).collect()
    }
}

impl Read {
    /// Which lesion is not named by its number from 1, where one is not.
    pub(super) fn misnumbered(&self) -> Option<String> {
        let (at, lesion) = (1..).zip(&self.lesions).find(|(at, lesion)| at.to_string() != lesion.name)?;
        Some(format!("lesion {} of case {} is not lesion {at}", lesion.name, self.case))
    }
}

/// One below all marks.
fn floor(marks: &[Mark]) -> f64 {
    let lowest = marks.iter().map(|mark| mark.rating).fold(f64::INFINITY, f64::min);
    if lowest.is_finite() { lowest - 1.0 } else { 0.0 }
}

/// One rating for each lesion, and one for each case without any: the highest of its marks, or one below all ratings where there
/// is none. Marks beside the lesions of a case with some have no part in it.
fn rate(reads: &[Read], marks: &[Mark]) -> Vec<RatedRow> {
    let floor = floor(marks);
    let mut highest: BTreeMap<(&str, &str, &str, Option<&str>), f64> = BTreeMap::new();
    for mark in marks {
        let rating =
            highest.entry((&mark.reader, &mark.treatment, &mark.case, mark.lesion.as_deref())).or_insert(floor);
        *rating = rating.max(mark.rating);
    }
    let mut rows = Vec::new();
    for read in reads {
        let mut add = |lesion: Option<&str>, name: String| {
            let rating = highest.get(&(&*read.reader, &*read.treatment, &*read.case, lesion)).copied().unwrap_or(floor);
            let (reader, treatment) = (read.reader.clone(), read.treatment.clone());
            let rating = CaseRating { reader, treatment, case: name, truth: lesion.is_some(), rating };
            rows.push(RatedRow { patient: read.case.clone(), ..RatedRow::new(read.place.clone(), rating) });
        };
        if read.lesions.is_empty() {
            add(None, read.case.clone());
        }
        for lesion in &read.lesions {
            add(Some(&lesion.name), format!("{}/{}", read.case, lesion.name));
        }
    }
    rows
}

/// Reads a CSV of marks (`reader, treatment, case, lesion, rating`; `lesion` is empty of a mark beside the lesions, else 1 and so on)
/// for a table of ratings, whose column `lesions` says how many a positive case has (one where it is empty).
///
/// # Errors
/// A mark of a case that the reader did not rate under the treatment, or of a lesion that the case has not; a lesion marked twice.
pub(super) fn read(ratings: &Table, rows: &[RatedRow], path: &Path) -> Result<Marks, StudyError> {
    let mut reads = Vec::with_capacity(rows.len());
    for (line, row) in ratings.rows().zip(rows) {
        const LESIONS: &str = "a number of lesions, from 1 for a positive case";
        let lesions = line.number("lesions", 0.0..=1000.0, LESIONS)?;
        let count = match (row.rating.truth, lesions) {
            (true, None) => 1,
            (true, Some(lesions)) if lesions >= 1.0 && lesions.fract() == 0.0 => lesions as usize,
            (false, None | Some(0.0)) => 0,
            _ => return Err(line.value_error("lesions", LESIONS).into()),
        };
        let CaseRating { reader, treatment, case, .. } = row.rating.clone();
        let lesions = (1..=count).map(|lesion| Lesion { name: lesion.to_string(), weight: 0.0 }).collect();
        reads.push(Read { place: row.place.clone(), reader, treatment, case, lesions });
    }
    let known: BTreeMap<(&str, &str, &str), &Read> =
        reads.iter().map(|read| ((&*read.reader, &*read.treatment, &*read.case), read)).collect();
    let table = Table::read(path)?;
    for column in ["reader", "treatment", "case", "lesion", "rating"] {
        table.require(column)?;
    }
    let (mut marks, mut seen) = (Vec::new(), BTreeSet::new());
    for row in table.rows() {
        const RATING: &str = "a number";
        let rating =
            row.number("rating", f64::MIN..=f64::MAX, RATING)?.ok_or_else(|| row.value_error("rating", RATING))?;
        let [reader, treatment, case] = ["reader", "treatment", "case"].map(|column| row.text(column));
        let read = known.get(&(reader, treatment, case));
        let read = read.ok_or_else(|| row.value_error("case", "a case that the reader rated under the treatment"))?;
        let lesion = Some(row.text("lesion")).filter(|lesion| !lesion.is_empty());
        if let Some(lesion) = lesion {
            if !read.lesions.iter().any(|known| known.name == lesion) {
                return Err(row.value_error("lesion", "one of the case's lesions, or empty").into());
            }
            if !seen.insert((reader, treatment, case, lesion)) {
                return Err(row.value_error("lesion", "a lesion that this reader has not marked already").into());
            }
        }
        let lesion = lesion.map(str::to_owned);
        let [reader, treatment, case] = [reader, treatment, case].map(str::to_owned);
        marks.push(Mark { reader, treatment, case, lesion, rating });
    }
    Ok(Marks::new(reads, marks))
}
