//! Reader studies as they are written: each layout holds what was read, and refuses what it cannot hold.

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

use coxa_schema::Hint as _;
use coxa_stats::mrmc::Design;
use coxa_study::StudyError;
use coxa_study::readers::{Converted, Layout, RatedRow, ReaderTable, convert};
use tempfile::TempDir;

/// A study in a new folder.
struct Study {
    folder: TempDir,
    table: ReaderTable,
}

impl Study {
    fn of(text: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("study.csv");
        fs::write(&path, text).unwrap();
        Self { table: ReaderTable::load(&path, None).unwrap(), folder }
    }

    fn with_marks(text: &str, marks: &str) -> Self {
        let Self { folder, .. } = Self::of(text);
        let path = folder.path().join("study-marks.csv");
        fs::write(&path, marks).unwrap();
        Self { table: ReaderTable::load(&folder.path().join("study.csv"), Some(&path)).unwrap(), folder }
    }

    fn place(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn write(&self, name: &str) -> Result<Vec<String>, StudyError> {
        let ratings = self.place(name);
        convert(
            &self.table,
            Converted { ratings: &ratings, layout: Layout::of(&ratings).unwrap(), marks: None, numbers: None },
        )
    }

    fn written(&self, name: &str) -> ReaderTable {
        assert_eq!(self.write(name).unwrap(), Vec::<String>::new(), "{name}");
        ReaderTable::load(&self.place(name), None).unwrap()
    }

    fn refused(&self, name: &str) -> StudyError {
        let error = self.write(name).unwrap_err();
        assert!(!self.place(name).exists(), "{name} is there");
        error
    }
}

/// Reader, treatment, case, truth and rating of every row, in an order of their own.
fn sorted(rows: &[RatedRow]) -> Vec<String> {
    let mut all: Vec<String> = rows.iter().map(|row| format!("{:?}, {}", row.rating, row.patient)).collect();
    all.sort();
    all
}

fn rows(table: &ReaderTable) -> Vec<String> {
    sorted(&table.rows)
}

/// A study of readers, treatments and cases for which `reads` holds; even cases are without the finding.
fn study(reads: impl Fn(&str, &str, u32) -> bool) -> Study {
    let mut text = "reader,treatment,case,truth,rating\n".to_owned();
    for (k, (reader, treatment)) in [("a", "x"), ("a", "y"), ("b 2", "x"), ("b 2", "y")].into_iter().enumerate() {
        for case in (1..9).filter(|&case| reads(reader, treatment, case)) {
            let rating = f64::from(case * 37 % 11) / 3.0 - k as f64 * 0.1;
            writeln!(text, "{reader},{treatment},{case},{},{rating}", case % 2).unwrap();
        }
    }
    Study::of(&text)
}

#[test]
fn every_layout_holds_what_was_read() {
    let crossed = study(|_, _, _| true);
    for name in ["written.csv", "written.imrmc", "written.xlsx"] {
        let read = crossed.written(name);
        assert_eq!(rows(&read), rows(&crossed.table), "{name}");
        assert_eq!(read.study(None).unwrap().design(), Ok(Design::Crossed));
    }
    // In a text, the ratings keep their order.
    let again = ReaderTable::load(&crossed.place("written.imrmc"), None).unwrap();
    assert!(again.rows.iter().map(|row| &row.rating).eq(crossed.table.rows.iter().map(|row| &row.rating)));
    let by_reader = study(|reader, _, case| (reader == "a") == (case < 5));
    let by_treatment = study(|reader, treatment, _| (reader == "a") == (treatment == "x"));
    for (study, design) in [(by_reader, Design::CasesInReaders), (by_treatment, Design::ReadersInTreatments)] {
        for name in ["written.imrmc", "written.xlsx"] {
            let read = study.written(name);
            assert_eq!(rows(&read), rows(&study.table), "{name}, {design:?}");
            assert_eq!(read.study(None).unwrap().design(), Ok(design), "{name}");
        }
    }
}

#[test]
fn the_text_of_imrmc_is_that_of_its_own_files() {
    let study = Study::of(
        "reader,treatment,case,truth,rating\nr1,m,b,1,4.5\nr1,m,a,0,1\nr2,m,b,1,1e-7\nr2,m,a,0,-2\nr2,m,c,0,2.25\n",
    );
    study.written("study.imrmc");
    let text = fs::read_to_string(study.place("study.imrmc")).unwrap();
    let expected = "Reader study\n\nNR: 2\nN0: 2\nN1: 1\nNM: 1\n\nBEGIN DATA:\n-1,a,0,0\n-1,c,0,0\n-1,b,0,1\n\
                    r1,b,m,4.5\nr1,a,m,1\nr2,b,m,0.0000001\nr2,a,m,-2\nr2,c,m,2.25\n";
    assert_eq!(text, expected);
}

#[test]
fn what_a_layout_cannot_hold_is_refused_with_its_place() {
    let rated = |rows: &str| Study::of(&format!("reader,treatment,case,truth,rating\n{rows}"));
    let pair = "r,m,1,0,1\nr,m,2,1,2\n";
    for (rows, name, message) in [
        (
            "\"r,1\",m,1,0,1\n".to_owned(),
            "s.imrmc",
            "line 2: iMRMC's layout cannot hold this study: the name of reader `r,1` has a comma",
        ),
        (
            "r 1,m,1,0,1\nr1,m,1,0,1\n".to_owned(),
            "s.imrmc",
            "line 3: iMRMC's layout cannot hold this study: reader `r1` and reader `r 1` differ in blanks alone",
        ),
        ("-1,m,1,0,1\n".to_owned(), "s.imrmc", "reader `-1` has the name that stands for the truth"),
        ("r,m,1,0,1\nr,m,1,0,2\n".to_owned(), "s.imrmc", "line 3: reader r rated case 1 twice under treatment m"),
        ("r,m,1,0,1\nq,m,1,1,2\n".to_owned(), "s.imrmc", "line 3: case 1 has another truth"),
        (
            "r,m,1,0,1\nr,m,c2,1,2\n".to_owned(),
            "s.xlsx",
            "line 3: RJafroc's layout cannot hold this study: case `c2` is not a whole number",
        ),
        ("r,m,07,0,1\nr,m,8,1,2\n".to_owned(), "s.xlsx", "case `07` is not a whole number"),
        ("r,m,1,0,1\nr,m,2147483648,1,2\n".to_owned(), "s.xlsx", "case `2147483648` is not a whole number"),
        ("r(1),m,1,0,1\nr(1),m,2,1,2\n".to_owned(), "s.xlsx", "the name of reader `r(1)` has a comma or a parenthesis"),
        (
            format!("{pair}q,m,1,0,1\nq,n,2,1,3\nr,n,1,0,2\n"),
            "s.xlsx",
            "its design is partly crossed; RJafroc has crossed designs",
        ),
        (
            format!("{pair}q,n,1,0,1\n"),
            "s.xlsx",
            "its split-plot design has two modalities, and every reader reads every case",
        ),
        (
            format!("{pair}q,m,1,0,1\nq,m,2,1,3\nr,n,1,0,2\n"),
            "s.xlsx",
            "some readers read under some of the treatments only",
        ),
    ] {
        let error = rated(&rows).refused(name).to_string();
        assert!(error.contains(message), "{error}");
    }
    let hint = rated("r,m,a,0,1\nr,m,b,1,2\n").refused("s.xlsx").hint().unwrap();
    assert!(hint.contains("--number-cases"), "{hint}");
}

#[test]
fn cases_are_numbered_with_a_key() {
    let study = Study::of(
        "reader,treatment,case,truth,rating\nr,m,film b,1,3\nr,m,film a,0,1\nq,m,film b,1,2\nq,m,film a,0,2\n",
    );
    let (ratings, key) = (study.place("s.xlsx"), study.place("key.csv"));
    let to = Converted { ratings: &ratings, layout: Layout::Rjafroc, marks: None, numbers: Some(&key) };
    convert(&study.table, to).unwrap();
    assert_eq!(fs::read_to_string(&key).unwrap(), "case,number\nfilm b,1\nfilm a,2\n");
    let read = ReaderTable::load(&ratings, None).unwrap();
    let of: Vec<(&str, &str, bool, f64)> = read
        .rows
        .iter()
        .map(|row| (row.rating.reader.as_str(), row.rating.case.as_str(), row.rating.truth, row.rating.rating))
        .collect();
    assert_eq!(of, [("q", "1", true, 2.0), ("r", "1", true, 3.0), ("q", "2", false, 2.0), ("r", "2", false, 1.0)]);
}

#[test]
fn nothing_is_overwritten_and_what_is_lost_is_noted() {
    let study = Study::of(
        "reader,treatment,case,truth,rating,patient,group,seconds\nr,m,1,0,1,p,surgeon,7.5\nr,m,2,1,2,p,surgeon,\nq,m,1,0,1,p,,3\nq,m,2,1,2,p,,4\n",
    );
    let read = study.written("written.csv");
    let bare = |table: &ReaderTable| {
        table.rows.iter().map(|row| RatedRow { place: String::new(), ..row.clone() }).collect::<Vec<_>>()
    };
    assert_eq!(bare(&read), bare(&study.table), "a CSV holds all of it");
    let notes = study.write("written.imrmc").unwrap();
    assert_eq!(
        notes,
        ["patients", "groups of readers", "reading times"]
            .map(|what| format!("{what} are not written: iMRMC's layout has no place for them"))
    );
    let before = fs::read(study.place("written.imrmc")).unwrap();
    let error = study.write("written.imrmc").unwrap_err();
    assert!(error.to_string().ends_with("written.imrmc exists already; nothing is overwritten"), "{error}");
    assert_eq!(
        (error.hint().as_deref(), fs::read(study.place("written.imrmc")).unwrap()),
        (Some("name a new file"), before)
    );
    // A key that is there keeps the ratings from being written.
    let (ratings, key) = (study.place("new.imrmc"), study.place("written.csv"));
    let to = Converted { ratings: &ratings, layout: Layout::Imrmc, marks: None, numbers: Some(&key) };
    assert!(matches!(convert(&study.table, to), Err(StudyError::Exists { .. })) && !ratings.exists());
}

/// Two readers, two treatments, four cases, of which two have the finding, one of them two lesions.
fn marked(marks: &str) -> Study {
    let mut text = "reader,treatment,case,truth,rating,lesions\n".to_owned();
    for (reader, treatment) in [("a", "x"), ("a", "y"), ("b", "x"), ("b", "y")] {
        for (case, lesions) in [(1, ""), (2, "2"), (3, ""), (4, "1")] {
            writeln!(text, "{reader},{treatment},{case},{},{},{lesions}", u8::from(case % 2 == 0), case).unwrap();
        }
    }
    Study::with_marks(&text, &format!("reader,treatment,case,lesion,rating\n{marks}"))
}

const MARKS: &str = "a,x,2,1,5\na,x,2,2,3\na,x,2,,9\na,y,4,1,2\nb,x,1,,1\na,x,3,,4\nb,x,1,,2\nb,y,2,2,2.5\na,y,2,,1\n";

#[test]
fn marks_are_held_by_a_second_csv_and_by_a_workbook() {
    let study = marked(MARKS);
    let of = |table: &ReaderTable| sorted(&table.marks.as_ref().unwrap().rows);
    let (ratings, marks, book) = (study.place("r.csv"), study.place("m.csv"), study.place("s.xlsx"));
    let csv = Converted { ratings: &ratings, layout: Layout::Csv, marks: Some(&marks), numbers: None };
    assert!(convert(&study.table, csv).unwrap().is_empty());
    assert_eq!(fs::read_to_string(&marks).unwrap(), format!("reader,treatment,case,lesion,rating\n{MARKS}"));
    let read = ReaderTable::load(&ratings, Some(&marks)).unwrap();
    assert_eq!((rows(&read), of(&read)), (rows(&study.table), of(&study.table)));
    // A workbook has marks alone: the ratings of cases are the highest of them.
    let notes = study.write("s.xlsx").unwrap();
    assert_eq!(notes, ["ratings of cases beside their marks are not written: RJafroc's layout has no place for them"]);
    let read = ReaderTable::load(&book, None).unwrap();
    assert_eq!(of(&read), of(&study.table));
    let ratings: Vec<f64> = read.rows[..4].iter().map(|row| row.rating.rating).collect();
    assert_eq!((read.rows.len(), ratings), (16, vec![0.0, 0.0, 2.0, 0.0]), "case 1, by reader and treatment");
    // And there and back again.
    let again = Study { folder: tempfile::tempdir().unwrap(), table: read };
    assert_eq!((again.write("s.xlsx").unwrap(), of(&again.table)), (vec![], of(&study.table)));
    let read = ReaderTable::load(&again.place("s.xlsx"), None).unwrap();
    assert_eq!((rows(&read), of(&read)), (rows(&again.table), of(&again.table)));
}

#[test]
fn marks_without_a_place_are_refused() {
    let study = marked(MARKS);
    for (name, message, hint) in [
        ("s.imrmc", "iMRMC's layout cannot hold this study: it has one rating of a case, and no marks", "--marks-out"),
        ("s.csv", "a CSV cannot hold this study: its marks stand in a file of their own", "add --marks-out FILE.csv"),
    ] {
        let error = study.refused(name);
        assert!(error.to_string().contains(message) && error.hint().unwrap().contains(hint), "{error}");
    }
    let (ratings, marks) = (study.place("s.xlsx"), study.place("m.csv"));
    let to = Converted { ratings: &ratings, layout: Layout::Rjafroc, marks: Some(&marks), numbers: None };
    assert!(convert(&study.table, to).unwrap_err().to_string().contains("no file of marks belongs to it"));
    let plain = Study::of("reader,treatment,case,truth,rating\nr,m,1,0,1\nr,m,2,1,2\n");
    let to = Converted { layout: Layout::Csv, ..to };
    assert!(convert(&plain.table, to).unwrap_err().to_string().contains("the study has none") && !ratings.exists());
    // Reader b placed no mark under y, which a workbook shows as not having read.
    let silent = marked(&MARKS.replace("b,y,2,2,2.5\n", ""));
    let error = silent.refused("s.xlsx").to_string();
    assert!(
        error.contains("line 14: RJafroc's layout cannot hold this study: reader b placed no mark under y"),
        "{error}"
    );
    let marks = "r,m,1,,1\nr,m,2,1,2\nq,m,2,1,3\n";
    let differing = Study::with_marks(
        "reader,treatment,case,truth,rating,lesions\nr,m,1,0,1,\nr,m,2,1,1,2\nq,m,1,0,1,\nq,m,2,1,1,1\n",
        &format!("reader,treatment,case,lesion,rating\n{marks}"),
    );
    let error = differing.refused("s.xlsx").to_string();
    assert!(error.contains("line 5: RJafroc's layout cannot hold this study: case 2 has other lesions"), "{error}");
}

#[test]
fn rjafrocs_own_workbooks_are_written_as_they_were_read() {
    for name in ["VanDyke", "rocCr", "rocSpA", "rocSpC", "frocCr"] {
        let Some(path) = coxa_testing::data(&format!("stats/rjafroc/{name}.xlsx")) else { return };
        let study = Study { folder: tempfile::tempdir().unwrap(), table: ReaderTable::load(&path, None).unwrap() };
        let read = study.written("s.xlsx");
        assert_eq!(rows(&read), rows(&study.table), "{name}");
        let marks = |table: &ReaderTable| table.marks.as_ref().map(|marks| sorted(&marks.rows));
        assert_eq!(marks(&read), marks(&study.table), "{name}");
        if name == "frocCr" {
            weights_stay(&study, &read);
        } else {
            assert_eq!(rows(&study.written("s.imrmc")), rows(&study.table), "{name}");
        }
    }
}

/// A CSV has no place for the weights that a workbook has.
fn weights_stay(study: &Study, again: &ReaderTable) {
    for (at, table) in [&study.table, again].into_iter().enumerate() {
        let [ratings, marks]: [&Path; 2] = [&study.place(&format!("r{at}.csv")), &study.place(&format!("m{at}.csv"))];
        let to = Converted { ratings, layout: Layout::Csv, marks: Some(marks), numbers: None };
        let notes = convert(table, to).unwrap();
        assert_eq!(notes, ["weights of lesions are not written: a CSV has no place for them"]);
        let read = ReaderTable::load(ratings, Some(marks)).unwrap();
        assert_eq!(rows(&read), rows(table));
    }
}
