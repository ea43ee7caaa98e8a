//! Writes a workbook as RJafroc's `DfReadDataFile` expects one with `newExcelFileFormat`: names as text, lists of readers and modalities in
//! TRUTH, and the paradigm and the design in the first two rows of its last column.

use std::collections::{BTreeMap, BTreeSet};

use coxa_stats::mrmc::{Design, ReaderStudy};
use rust_xlsxwriter::{Workbook, Worksheet, XlsxError};

use crate::error::StudyError;
use crate::readers::layout::Layout;
use crate::readers::table::{Lesion, Marks, ReaderTable};

/// Writes a workbook. `study` is the table's.
///
/// # Errors
/// [`StudyError::Unfit`] for a design that RJafroc does not have, a case whose name is no whole number, a name that its lists cannot hold,
/// lesions that are not counted from 1 or differ between readers, and a reader without any mark under a modality.
pub(in crate::readers) fn write(table: &ReaderTable, study: &ReaderStudy) -> Result<Vec<u8>, StudyError> {
    let plan = Plan::of(table, study)?;
    check_names(table)?;
    let cases = cases(table)?;
    let ratings = ratings(table, study)?;
    let paradigm = [if table.marks.is_some() { "FROC" } else { "ROC" }, plan.design];
    let file = || {
        let mut book = Workbook::new();
        write_fp(book.add_worksheet(), &ratings)?;
        write_tp(book.add_worksheet(), &ratings)?;
        write_truth(book.add_worksheet(), &plan, &cases, paradigm)?;
        book.save_to_buffer()
    };
    file().map_err(|error: XlsxError| Layout::Rjafroc.refuse(table, "", error.to_string()))
}

/// A study's design in RJafroc's terms.
struct Plan {
    design: &'static str,
    blocks: Vec<Block>,
}

/// Cases that the same readers read under the same modalities.
struct Block {
    readers: String,
    modalities: String,
    /// The cases; `None` for all.
    cases: Option<BTreeSet<String>>,
}

impl Plan {
    /// RJafroc has crossed studies, two groups of readers who read all cases under one modality each, and cases nested in readers
    /// (Hillis 2014, Table VII, parts a and c).
    fn of(table: &ReaderTable, study: &ReaderStudy) -> Result<Self, StudyError> {
        let refuse = |reason: String| Err(Layout::Rjafroc.refuse(table, "", reason));
        let (readers, modalities) = (study.readers(), study.treatments());
        let cases_of = |reader: &String| -> BTreeSet<String> {
            let rows = table.rows.iter().filter(|row| row.rating.reader == *reader);
            rows.map(|row| row.rating.case.clone()).collect()
        };
        match study.design() {
            Ok(Design::Crossed) => {
                let block = Block { readers: readers.join(","), modalities: modalities.join(","), cases: None };
                Ok(Self { design: "FCTRL", blocks: vec![block] })
            }
            Ok(Design::CasesInReaders) => {
                let block = |reader: &String| Block {
                    readers: format!("({reader})"),
                    modalities: modalities.join(","),
                    cases: Some(cases_of(reader)),
                };
                Ok(Self { design: "SPLIT-PLOT-C", blocks: readers.iter().map(block).collect() })
            }
            Ok(Design::ReadersInTreatments) => {
                if modalities.len() != 2 || readers.iter().any(|reader| cases_of(reader).len() != study.cases().len()) {
                    return refuse(
                        "its split-plot design has two modalities, and every reader reads every case".into(),
                    );
                }
                let block = |modality: &String| {
                    let of = |reader: &&String| {
                        table.rows.iter().any(|row| row.rating.reader == **reader && row.rating.treatment == *modality)
                    };
                    let readers: Vec<&str> = readers.iter().filter(of).map(String::as_str).collect();
                    let readers = if readers.len() == 1 { format!("({})", readers[0]) } else { readers.join(",") };
                    Block { readers, modalities: format!("({modality})"), cases: None }
                };
                Ok(Self { design: "SPLIT-PLOT-A", blocks: modalities.iter().map(block).collect() })
            }
            Ok(other) => refuse(format!(
                "its design is {}; RJafroc has crossed designs, readers nested in treatments, and cases nested in readers",
                other.name()
            )),
            Err(undefined) => refuse(undefined.to_string()),
        }
    }
}

/// Refuses names that a list in TRUTH would cut: they stand between commas and, where one stands alone, in parentheses.
fn check_names(table: &ReaderTable) -> Result<(), StudyError> {
    for row in &table.rows {
        for (what, name) in [("reader", &row.rating.reader), ("treatment", &row.rating.treatment)] {
            if name.contains([',', '(', ')']) {
                let reason =
                    format!("the name of {what} `{name}` has a comma or a parenthesis, which separate names there");
                return Err(Layout::Rjafroc.refuse(table, &row.place, reason));
            }
        }
    }
    Ok(())
}

/// The number that is a case's name; R's whole numbers end at 2^31 − 1.
fn number(table: &ReaderTable, place: &str, case: &str) -> Result<u32, StudyError> {
    let number = case.parse::<u32>().ok().filter(|number| number.to_string() == case && *number <= i32::MAX as u32);
    number.ok_or_else(|| {
        let hint = "add --number-cases FILE.csv: cases are numbered, and the file states which is which";
        let reason = format!("case `{case}` is not a whole number, as its cases are");
        Layout::Rjafroc.refuse_with(table, place, reason, Some(hint))
    })
}

/// The lesions of every case.
fn cases(table: &ReaderTable) -> Result<BTreeMap<u32, Vec<Lesion>>, StudyError> {
    let mut cases: BTreeMap<u32, Vec<Lesion>> = BTreeMap::new();
    let Some(Marks { reads, .. }) = &table.marks else {
        for row in &table.rows {
            let lesion = row.rating.truth.then(|| Lesion { name: "1".into(), weight: 1.0 });
            cases.insert(number(table, &row.place, &row.rating.case)?, lesion.into_iter().collect());
        }
        return Ok(cases);
    };
    for read in reads {
        let refuse = |reason: String| Err(Layout::Rjafroc.refuse(table, &read.place, reason));
        if let Some(reason) = read.misnumbered() {
            return refuse(format!("{reason}; they are counted from 1"));
        }
        let known = cases.entry(number(table, &read.place, &read.case)?).or_insert_with(|| read.lesions.clone());
        if *known != read.lesions {
            return refuse(format!("case {} has other lesions for another reader", read.case));
        }
    }
    Ok(cases)
}

/// A row of TP (with a lesion) or FP.
struct Rated<'t> {
    reader: &'t str,
    modality: &'t str,
    case: u32,
    lesion: Option<u32>,
    rating: f64,
}

/// The rows of TP and FP, by modality, reader and case: RJafroc takes marks of one case as one run.
fn ratings<'t>(table: &'t ReaderTable, study: &ReaderStudy) -> Result<Vec<Rated<'t>>, StudyError> {
    let mut rated = Vec::new();
    match &table.marks {
        None => {
            for row in &table.rows {
                let of = &row.rating;
                let case = number(table, &row.place, &of.case)?;
                let lesion = of.truth.then_some(1);
                rated.push(Rated { reader: &of.reader, modality: &of.treatment, case, lesion, rating: of.rating });
            }
        }
        Some(Marks { reads, marks, .. }) => {
            let marked: BTreeSet<(&str, &str)> = marks.iter().map(|mark| (&*mark.reader, &*mark.treatment)).collect();
            if let Some(read) = reads.iter().find(|read| !marked.contains(&(&*read.reader, &*read.treatment))) {
                let reason =
                    format!("reader {} placed no mark under {}, as if nothing was read", read.reader, read.treatment);
                return Err(Layout::Rjafroc.refuse(table, &read.place, reason));
            }
            for of in marks {
                let case = number(table, "", &of.case)?;
                // Lesions are counted from 1, as `cases` has seen.
                let lesion = of.lesion.as_ref().and_then(|lesion| lesion.parse().ok());
                rated.push(Rated { reader: &of.reader, modality: &of.treatment, case, lesion, rating: of.rating });
            }
        }
    }
    let place = |all: &[String], name: &str| all.iter().position(|known| known == name);
    rated.sort_by_cached_key(|of| {
        (place(study.treatments(), of.modality), place(study.readers(), of.reader), of.case, of.lesion)
    });
    Ok(rated)
}

fn write_fp(sheet: &mut Worksheet, ratings: &[Rated<'_>]) -> Result<(), XlsxError> {
    sheet.set_name("FP")?.write_row(0, 0, ["ReaderID", "ModalityID", "CaseID", "FP_Rating"])?;
    for (row, of) in (1..).zip(ratings.iter().filter(|of| of.lesion.is_none())) {
        sheet.write_string(row, 0, of.reader)?.write_string(row, 1, of.modality)?;
        sheet.write_number(row, 2, of.case)?.write_number(row, 3, of.rating)?;
    }
    Ok(())
}

fn write_tp(sheet: &mut Worksheet, ratings: &[Rated<'_>]) -> Result<(), XlsxError> {
    sheet.set_name("TP")?.write_row(0, 0, ["ReaderID", "ModalityID", "CaseID", "LesionID", "TP_Rating"])?;
    let hits = ratings.iter().filter_map(|of| of.lesion.map(|lesion| (of, lesion)));
    for (row, (of, lesion)) in (1..).zip(hits) {
        sheet.write_string(row, 0, of.reader)?.write_string(row, 1, of.modality)?;
        sheet.write_number(row, 2, of.case)?.write_number(row, 3, lesion)?.write_number(row, 4, of.rating)?;
    }
    Ok(())
}

fn write_truth(
    sheet: &mut Worksheet,
    plan: &Plan,
    cases: &BTreeMap<u32, Vec<Lesion>>,
    paradigm: [&str; 2],
) -> Result<(), XlsxError> {
    let header = ["CaseID", "LesionID", "Weight", "ReaderID", "ModalityID", "Paradigm"];
    sheet.set_name("TRUTH")?.write_row(0, 0, header)?;
    let mut row = 1;
    for Block { readers, modalities, cases: of_block } in &plan.blocks {
        let is_here = |case: &u32| of_block.as_ref().is_none_or(|cases| cases.contains(&case.to_string()));
        // Cases without a lesion first, as in RJafroc's own files.
        let (with, without): (Vec<_>, Vec<_>) =
            cases.iter().filter(|(case, _)| is_here(case)).partition(|(_, lesions)| !lesions.is_empty());
        for (case, lesions) in without.into_iter().chain(with) {
            let weights: Vec<f64> = lesions.iter().map(|lesion| lesion.weight).collect();
            let lines = if weights.is_empty() { vec![(0, 0.0)] } else { (1..).zip(weights).collect() };
            for (lesion, weight) in lines {
                sheet.write_number(row, 0, *case)?.write_number(row, 1, lesion)?.write_number(row, 2, weight)?;
                sheet.write_string(row, 3, readers)?.write_string(row, 4, modalities)?;
                row += 1;
            }
        }
    }
    for (row, text) in (1..).zip(paradigm) {
        sheet.write_string(row, 5, text)?;
    }
    Ok(())
}
