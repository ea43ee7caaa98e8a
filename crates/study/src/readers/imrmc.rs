//! The text that FDA's iMRMC reads: a head with the numbers of readers and cases, then lines of reader, case, modality and score.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::path::Path;

use coxa_stats::mrmc::{CaseRating, ReaderStudy};

use super::layout::Layout;
use super::table::{RatedRow, ReaderTable};
use crate::error::StudyError;

const BEGIN: &str = "BEGIN DATA:";

/// The text, where bytes are in this layout.
pub(super) fn text(bytes: &[u8]) -> Option<&str> {
    let text = std::str::from_utf8(bytes).ok()?;
    text.lines().any(|line| line.trim().eq_ignore_ascii_case(BEGIN)).then_some(text)
}

/// A line of data.
struct Line<'t> {
    number: usize,
    fields: [&'t str; 4],
}

/// Whether lines of this reader hold the truth: `-1` in iMRMC's program, `truth` in its R package.
fn is_truth(reader: &str) -> bool {
    reader == "-1" || reader == "truth"
}

/// Reads the ratings. Lines of reader `-1`, or `truth`, hold the truth: 0 or 1.
///
/// # Errors
/// [`StudyError::Rating`], naming the line: another number of fields, a truth that is not 0 or 1 or is given twice, a score that is no
/// number, a case without truth, and numbers in the head that are not those of the data.
pub(super) fn read(text: &str, path: &Path) -> Result<Vec<RatedRow>, StudyError> {
    let bad = |number: usize, reason: String| StudyError::Rating {
        path: path.to_owned(),
        place: format!("line {number}"),
        reason,
    };
    let mut head: Vec<(usize, &str, usize)> = Vec::new();
    let mut data: Vec<Line<'_>> = Vec::new();
    let mut begun = false;
    for (number, line) in text.lines().enumerate().map(|(i, line)| (i + 1, line.trim().trim_end_matches(','))) {
        if line.is_empty() {
            continue;
        }
        if !begun {
            begun = line.eq_ignore_ascii_case(BEGIN);
            if let Some((name, count)) = line.split_once(':')
                && ["NR", "N0", "N1", "NM"].contains(&name.trim())
            {
                let count = count.trim().parse().map_err(|_| bad(number, format!("`{line}` gives no number")))?;
                head.push((number, name.trim(), count));
            }
            continue;
        }
        let fields: Vec<&str> = line.split(',').map(str::trim).collect();
        let fields: [&str; 4] =
            fields.try_into().map_err(|_| bad(number, format!("`{line}` is not reader, case, modality and score")))?;
        // A line of names may follow.
        if !(data.is_empty() && fields[3].eq_ignore_ascii_case("score")) {
            data.push(Line { number, fields });
        }
    }
    let mut truth: BTreeMap<&str, bool> = BTreeMap::new();
    for &Line { number, fields: [reader, case, _, score] } in &data {
        if !is_truth(reader) {
            continue;
        }
        let of_case = match score.parse::<f64>() {
            Ok(0.0) => false,
            Ok(1.0) => true,
            _ => return Err(bad(number, format!("the truth of case {case} is `{score}`, not 0 or 1"))),
        };
        if truth.insert(case, of_case).is_some() {
            return Err(bad(number, format!("the truth of case {case} is given twice")));
        }
    }
    let mut rows = Vec::new();
    for &Line { number, fields: [reader, case, treatment, score] } in &data {
        if is_truth(reader) {
            continue;
        }
        let truth =
            *truth.get(case).ok_or_else(|| bad(number, format!("case {case} has no line of truth (reader -1)")))?;
        let rating = score.parse::<f64>().ok().filter(|score| score.is_finite());
        let rating = rating.ok_or_else(|| bad(number, format!("the score `{score}` is not a number")))?;
        let [reader, treatment, case] = [reader, treatment, case].map(str::to_owned);
        rows.push(RatedRow::new(format!("line {number}"), CaseRating { reader, treatment, case, truth, rating }));
    }
    let distinct =
        |of: fn(&CaseRating) -> &String| rows.iter().map(|row| of(&row.rating)).collect::<BTreeSet<_>>().len();
    for (number, name, count) in head {
        let found = match name {
            "NR" => distinct(|row| &row.reader),
            "NM" => distinct(|row| &row.treatment),
            _ => truth.values().filter(|&&positive| positive == (name == "N1")).count(),
        };
        if found != count {
            return Err(bad(number, format!("{name} is {count}, but the data have {found}")));
        }
    }
    Ok(rows)
}

/// Writes the text: the head, the truth of every case, cases without the finding first, and the ratings in the table's order. `study` is
/// the table's.
///
/// # Errors
/// [`StudyError::Unfit`] for marks, for a name with a comma or a line's end, names that differ in blanks alone, and a reader with the
/// name of the truth.
pub(super) fn write(table: &ReaderTable, study: &ReaderStudy) -> Result<Vec<u8>, StudyError> {
    if table.marks.is_some() {
        let hint = "convert it to a CSV with --marks-out, and that CSV alone: its ratings are each case's highest mark";
        return Err(Layout::Imrmc.refuse_with(
            table,
            "",
            "it has one rating of a case, and no marks".into(),
            Some(hint),
        ));
    }
    check_names(table)?;
    let positive = study.truth().iter().filter(|&&truth| truth).count();
    let mut text = format!(
        "Reader study\n\nNR: {}\nN0: {}\nN1: {positive}\nNM: {}\n\n{BEGIN}\n",
        study.readers().len(),
        study.cases().len() - positive,
        study.treatments().len()
    );
    let line = |text: &mut String, line: std::fmt::Arguments<'_>| writeln!(text, "{line}").expect("a text in memory");
    for with in [false, true] {
        for (case, _) in study.cases().iter().zip(study.truth()).filter(|(_, truth)| **truth == with) {
            line(&mut text, format_args!("-1,{case},0,{}", u8::from(with)));
        }
    }
    for RatedRow { rating: of, .. } in &table.rows {
        line(&mut text, format_args!("{},{},{},{}", of.reader, of.case, of.treatment, of.rating));
    }
    Ok(text.into_bytes())
}

/// Refuses names that iMRMC would read as others: it splits lines at commas, without quotes, and removes every blank.
fn check_names(table: &ReaderTable) -> Result<(), StudyError> {
    let mut known: BTreeMap<(&str, String), &str> = BTreeMap::new();
    for row in &table.rows {
        let refuse = |reason: String| Err(Layout::Imrmc.refuse(table, &row.place, reason));
        let CaseRating { reader, treatment, case, .. } = &row.rating;
        for (what, name) in [("reader", reader), ("treatment", treatment), ("case", case)] {
            if name.contains([',', '\n', '\r']) {
                return refuse(format!("the name of {what} `{}` has a comma or a line's end", name.escape_debug()));
            }
            let without = name.chars().filter(|c| !c.is_whitespace()).collect::<String>();
            let first = *known.entry((what, without)).or_insert(name);
            if first != name {
                return refuse(format!("{what} `{name}` and {what} `{first}` differ in blanks alone"));
            }
        }
        if is_truth(reader) {
            return refuse(format!("reader `{reader}` has the name that stands for the truth"));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "A study\nNR: 2\nN0: 1\nN1: 1\nNM: 1\nBEGIN DATA:\nreaderID,caseID,modalityID,score\n-1,a,truth,0\n-1,b,truth,1\n\
                        r1,a,m,1\nr1,b,m,4.5\nr2,a,m,2\nr2,b,m,3\n";

    #[test]
    fn a_text_is_read() {
        let rows = read(text(TEXT.as_bytes()).unwrap(), Path::new("s.imrmc")).unwrap();
        assert_eq!(rows.len(), 4);
        assert_eq!((rows[1].place.as_str(), rows[1].rating.rating, rows[1].rating.truth), ("line 11", 4.5, true));
        assert_eq!(text(b"reader,treatment,case,truth,rating\n"), None);
        // iMRMC's R package names the reader of the truth by a word.
        let worded = read(&TEXT.replace("-1,", "truth,"), Path::new("s.imrmc")).unwrap();
        assert_eq!(worded, rows);
    }

    #[test]
    fn faults_are_named_by_line() {
        for (from, to, message) in [
            ("N1: 1", "N1: 2", "s.imrmc, line 4: N1 is 2, but the data have 1"),
            ("NR: 2", "NR: x", "line 2: `NR: x` gives no number"),
            ("r1,b,m,4.5", "r1,b,m,high", "line 11: the score `high` is not a number"),
            ("r1,b,m,4.5", "r1,b,m,NaN", "line 11: the score `NaN` is not a number"),
            ("r1,b,m,4.5", "r1,c,m,4.5", "line 11: case c has no line of truth"),
            ("r1,b,m,4.5", "r1,b,4.5", "line 11: `r1,b,4.5` is not reader, case"),
            ("-1,b,truth,1", "-1,b,truth,2", "line 9: the truth of case b is `2`"),
            ("-1,b,truth,1", "-1,a,truth,1", "line 9: the truth of case a is given twice"),
        ] {
            let error = read(&TEXT.replace(from, to), Path::new("s.imrmc")).unwrap_err().to_string();
            assert!(error.contains(message), "{error}");
        }
    }
}
