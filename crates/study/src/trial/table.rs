//! The rows of a trial: a CSV without identity, that a node writes when the trial is closed.

use std::path::Path;

use coxa_files::TableError;
use coxa_files::table::{Row, Table, to_csv};

use super::Arm;

/// The columns of the CSV, in their order.
pub const COLUMNS: [&str; 17] = [
    "subject",
    "stratum",
    "place",
    "arm",
    "status",
    "reason",
    "network",
    "probability",
    "reader",
    "decision",
    "hours",
    "seconds",
    "follow_up_hours",
    "fracture",
    "kind",
    "source",
    "diagnosis_days",
];

/// What became of a patient in the trial.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Status {
    /// Not randomized, for the row's reason.
    Excluded,
    /// Randomized, and left in the arm.
    Randomized,
    /// Randomized to withheld results, which were shown before the trial's end.
    Unblinded,
    /// Randomized, and withdrawn: nothing of the patient but the arm is used.
    Withdrawn,
}

impl Status {
    const ALL: [Self; 4] = [Self::Excluded, Self::Randomized, Self::Unblinded, Self::Withdrawn];

    /// As it is written.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Excluded => "excluded",
            Self::Randomized => "randomized",
            Self::Unblinded => "unblinded",
            Self::Withdrawn => "withdrawn",
        }
    }
}

/// What a physician decided on a patient's film.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Decision {
    /// There is a fracture.
    Fracture,
    /// There is none.
    NoFracture,
    /// The film does not decide it.
    Unsure,
}

impl Decision {
    const ALL: [Self; 3] = [Self::Fracture, Self::NoFracture, Self::Unsure];

    /// As it is written.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Fracture => "fracture",
            Self::NoFracture => "no_fracture",
            Self::Unsure => "unsure",
        }
    }

    /// Parses `fracture`, `no_fracture` or `unsure`.
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|decision| decision.as_str() == text)
    }
}

/// A decision of a physician on a patient; a patient without a decision has one row that has none.
#[derive(Debug, Clone, PartialEq)]
pub struct TrialRow {
    /// The patient's number in the trial.
    pub subject: String,
    /// The stratum of the allocation; empty where there are none.
    pub stratum: String,
    /// The patient's place in the stratum's sequence, from 0; `None` where not randomized.
    pub place: Option<u64>,
    /// The arm; `None` where not randomized.
    pub arm: Option<Arm>,
    /// What became of the patient.
    pub status: Status,
    /// Why excluded, unblinded or withdrawn.
    pub reason: String,
    /// Whether the network called the patient's first film positive.
    pub network: Option<bool>,
    /// The network's probability for that film, 0 to 1.
    pub probability: Option<f64>,
    /// The physician's number in the trial; empty without a decision.
    pub reader: String,
    /// The decision.
    pub decision: Option<Decision>,
    /// Hours from the arrival of the patient's first film to the decision.
    pub hours: Option<f64>,
    /// Seconds from opening the film to the decision.
    pub seconds: Option<f64>,
    /// Hours from the arrival of the patient's first film to the trial's end.
    pub follow_up_hours: Option<f64>,
    /// The final diagnosis: whether there was a fracture.
    pub fracture: Option<bool>,
    /// What kind of fracture.
    pub kind: String,
    /// Where the diagnosis is from: CT, operation, follow-up.
    pub source: String,
    /// Days from the arrival of the first film to the final diagnosis.
    pub diagnosis_days: Option<f64>,
}

/// All rows of a trial.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct TrialTable {
    /// In the order of the export.
    pub rows: Vec<TrialRow>,
}

impl TrialTable {
    /// Reads a CSV from bytes; `path` is for error messages.
    ///
    /// # Errors
    /// A file that is no such table, or a value in it, with line and column.
    pub fn parse(bytes: &[u8], path: &Path) -> Result<Self, TableError> {
        let table = Table::parse(bytes, path)?;
        for column in COLUMNS {
            table.require(column)?;
        }
        Ok(Self { rows: table.rows().map(|row| row_of(&row)).collect::<Result<_, _>>()? })
    }

    /// The CSV.
    pub fn csv(&self) -> Vec<u8> {
        to_csv(&COLUMNS, self.rows.iter().map(fields))
    }
}

fn row_of(row: &Row<'_>) -> Result<TrialRow, TableError> {
    const TIME: &str = "a number of at least 0";
    let text = |column: &str| row.text(column).to_owned();
    let time = |column: &str| row.number(column, 0.0..=f64::MAX, TIME);
    let statuses = "excluded, randomized, unblinded or withdrawn";
    let status = Status::ALL.into_iter().find(|status| status.as_str() == row.text("status"));
    let status = status.ok_or_else(|| row.value_error("status", statuses))?;
    let arm = row.parsed("arm", Arm::parse, "shown or withheld")?;
    if arm.is_some() == (status == Status::Excluded) {
        return Err(row.value_error("arm", "empty for excluded patients, and shown or withheld for all others"));
    }
    Ok(TrialRow {
        subject: row.required("subject", "a number of a patient")?.to_owned(),
        stratum: text("stratum"),
        place: row.parsed("place", |text| text.parse().ok(), "a whole number")?,
        arm,
        status,
        reason: text("reason"),
        network: row.flag("network")?,
        probability: row.number("probability", 0.0..=1.0, "a number from 0 to 1")?,
        reader: text("reader"),
        decision: row.parsed("decision", Decision::parse, "fracture, no_fracture or unsure")?,
        hours: time("hours")?,
        seconds: time("seconds")?,
        follow_up_hours: time("follow_up_hours")?,
        fracture: row.flag("fracture")?,
        kind: text("kind"),
        source: text("source"),
        diagnosis_days: row.number("diagnosis_days", f64::MIN..=f64::MAX, "a number of days")?,
    })
}

fn fields(row: &TrialRow) -> [String; COLUMNS.len()] {
    let number = |value: Option<f64>, digits: usize| value.map(|value| format!("{value:.digits$}")).unwrap_or_default();
    let flag = |flag: Option<bool>| flag.map_or("", |flag| if flag { "1" } else { "0" }).to_owned();
    [
        plain(&row.subject),
        plain(&row.stratum),
        row.place.map(|place| place.to_string()).unwrap_or_default(),
        row.arm.map_or("", Arm::as_str).to_owned(),
        row.status.as_str().to_owned(),
        plain(&row.reason),
        flag(row.network),
        number(row.probability, 6),
        plain(&row.reader),
        row.decision.map_or("", Decision::as_str).to_owned(),
        number(row.hours, 6),
        number(row.seconds, 3),
        number(row.follow_up_hours, 6),
        flag(row.fracture),
        plain(&row.kind),
        plain(&row.source),
        number(row.diagnosis_days, 3),
    ]
}

/// A text in one line that no spreadsheet takes for a formula.
fn plain(text: &str) -> String {
    let text: String = text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
    guarded(text.trim())
}

/// A text with an apostrophe before what a spreadsheet would take for a formula; [`unguarded`] gives the text again.
pub fn guarded(text: &str) -> String {
    if is_formula(text) { format!("'{text}") } else { text.to_owned() }
}

/// The text that was [`guarded`].
pub fn unguarded(cell: &str) -> &str {
    cell.strip_prefix('\'').filter(|text| is_formula(text)).unwrap_or(cell)
}

/// Whether a text begins as formulas do; apostrophes before it do not count, so that guarding one that has them can be undone.
fn is_formula(text: &str) -> bool {
    const BEGINS: [char; 10] = ['=', '+', '-', '@', '\t', '\r', '＝', '＋', '－', '＠'];
    text.trim_start_matches('\'').starts_with(BEGINS)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row() -> TrialRow {
        TrialRow {
            subject: "S1".into(),
            stratum: "F".into(),
            place: Some(0),
            arm: Some(Arm::Withheld),
            status: Status::Randomized,
            reason: String::new(),
            network: Some(true),
            probability: Some(0.75),
            reader: "R1".into(),
            decision: Some(Decision::NoFracture),
            hours: Some(1.5),
            seconds: Some(40.25),
            follow_up_hours: Some(100.0),
            fracture: Some(true),
            kind: "femoral neck, \"Garden 2\"".into(),
            source: "CT".into(),
            diagnosis_days: Some(2.0),
        }
    }

    #[test]
    fn what_is_written_is_read() {
        let table = TrialTable { rows: vec![row(), TrialRow { decision: None, fracture: None, ..row() }] };
        assert_eq!(TrialTable::parse(&table.csv(), Path::new("rows.csv")).unwrap(), table);
        let formula = || "=cmd|' /C calc'!A0".to_owned();
        let wrong = TrialRow { kind: formula(), stratum: formula(), reader: formula(), source: formula(), ..row() };
        let read = TrialTable::parse(&TrialTable { rows: vec![wrong] }.csv(), Path::new("rows.csv")).unwrap();
        let row = &read.rows[0];
        for text in [&row.kind, &row.stratum, &row.reader, &row.source] {
            assert_eq!(*text, format!("'{}", formula()));
        }
    }

    #[test]
    fn a_guarded_text_is_no_formula_and_comes_back() {
        for text in ["=1", "'=1", "''=1", "+1", "-1", "@A", "\t=1", "＝1", "", "'", "'a", "STATION 3", "a=b"] {
            let cell = guarded(text);
            assert!(!cell.starts_with(['=', '+', '-', '@', '\t', '\r', '＝']), "{cell}");
            assert_eq!(unguarded(&cell), text);
        }
    }

    #[test]
    fn what_is_wrong_is_named_by_line_and_column() {
        let good = String::from_utf8(TrialTable { rows: vec![row(), row()] }.csv()).unwrap();
        let error = |text: &str| TrialTable::parse(text.as_bytes(), Path::new("rows.csv")).unwrap_err().to_string();
        assert!(error(&good.replacen("no_fracture", "perhaps", 1)).contains("line 2, column `decision`: `perhaps`"));
        assert!(error(&good.replacen("withheld", "", 1)).contains("column `arm`"));
        assert!(error(&good.replacen("subject", "patient", 1)).contains("column `subject` is missing"));
    }
}
