//! `coxa audit`: verifies and exports a node's audit log.

use std::collections::HashMap;
use std::io::Write as _;

use clap::{Args, Subcommand};
use coxa_serve::audit::dicom::{FilmOf, message};
use coxa_serve::audit::{Deed, Head, csv, verify};
use coxa_serve::db::{AuditQuery, AuditRow, Database};

use super::place::Place;
use crate::output::{Outcome, usage};

/// Rows that are fetched at once.
const BATCH: i64 = 1000;

/// Verify that a node's audit log is as it was written, or export it.
#[derive(Args)]
pub struct Audit {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Subcommand)]
enum Verb {
    /// Find any entry that was changed, cut out, exchanged or added by another hand.
    ///
    /// Checks every entry's number, hash, signature and columns, and the last entry against the head that the node keeps apart from
    /// the database. Exit 0 where nothing is wrong, 1 where something is.
    Verify {
        /// Trust this public key too: that of another node that shares the database (coxa audit key prints it).
        #[arg(long, value_name = "HEX")]
        key: Vec<String>,
        /// Check this head too: a line that coxa audit head printed earlier.
        #[arg(long, value_name = "JSON")]
        head: Vec<String>,
        #[command(flatten)]
        place: Place,
    },
    /// Print the whole log.
    Export {
        /// As a table.
        #[arg(long, conflicts_with = "dicom", required_unless_present = "dicom")]
        csv: bool,
        /// As DICOM audit messages (PS3.15, A.5), an XML document a line; they name studies and patients' numbers.
        #[arg(long)]
        dicom: bool,
        #[command(flatten)]
        place: Place,
    },
    /// Print the last entry's number and hash, signed: kept elsewhere, it shows later that nothing before it was changed.
    Head {
        #[command(flatten)]
        place: Place,
    },
    /// Print the node's public key.
    Key {
        #[command(flatten)]
        place: Place,
    },
}

impl Audit {
    /// Verifies or exports.
    pub fn run(self) -> anyhow::Result<Outcome> {
        let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
        runtime.block_on(async {
            match self.verb {
                Verb::Verify { key, head, place } => check(&place, &key, &head).await,
                Verb::Export { dicom, place, .. } => export(&place, if dicom { Form::Dicom } else { Form::Csv }).await,
                Verb::Head { place } => {
                    let node = place.open().await?;
                    let (seq, hash) = node.db.audit_head().await?;
                    println!("{}", serde_json::to_string(&node.keys.head(seq, &hash))?);
                    Ok(Outcome::Done)
                }
                Verb::Key { place } => {
                    println!("{}", place.open().await?.keys.public());
                    Ok(Outcome::Done)
                }
            }
        })
    }
}

async fn check(place: &Place, keys: &[String], heads: &[String]) -> anyhow::Result<Outcome> {
    let node = place.open().await?;
    let trusted: Vec<String> = keys.iter().cloned().chain([node.keys.public().to_owned()]).collect();
    let read = |text: &String| {
        serde_json::from_str::<Head>(text)
            .map_err(|_| usage(format!("`{text}` is no head"), "--head wants the line that coxa audit head printed"))
    };
    let mut known: Vec<Head> = heads.iter().map(read).collect::<anyhow::Result<_>>()?;
    let kept = node.keys.kept_head()?;
    let is_kept = kept.is_some();
    known.extend(kept);
    let report = verify(&node.db, &trusted, &known).await?;
    for fault in &report.faults {
        println!("{fault}");
    }
    if !is_kept && report.entries > 0 {
        println!("the head that the node keeps apart is missing: whether the end was cut cannot be seen");
    }
    let wrong = report.faults.len() + usize::from(!is_kept && report.entries > 0);
    if wrong == 0 {
        println!("{} entries, whole; the last one is {} {}", report.entries, report.head.0, report.head.1);
        return Ok(Outcome::Done);
    }
    Ok(Outcome::SomeFailed(wrong))
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Form {
    Csv,
    Dicom,
}

async fn export(place: &Place, form: Form) -> anyhow::Result<Outcome> {
    let node = place.open().await?;
    node.record(Deed::AuditExported, &[("as", if form == Form::Csv { "csv" } else { "dicom" })]).await?;
    let mut out = std::io::stdout().lock();
    if form == Form::Csv {
        out.write_all(csv::HEADER.as_bytes())?;
    }
    let (mut after, mut films) = (0, HashMap::new());
    loop {
        let rows = node.db.audit_after(&AuditQuery::default(), after, BATCH).await?;
        for row in &rows {
            after = row.seq;
            match form {
                Form::Csv => out.write_all(csv::line(row).as_bytes())?,
                Form::Dicom => {
                    let film = film_of(&node.db, row, &mut films).await?;
                    out.write_all(message(row, film).unwrap_or_default().as_bytes())?;
                }
            }
        }
        if (rows.len() as i64) < BATCH {
            return Ok(Outcome::Done);
        }
    }
}

async fn film_of<'a>(
    db: &Database,
    row: &AuditRow,
    films: &'a mut HashMap<i64, Option<FilmOf>>,
) -> anyhow::Result<Option<&'a FilmOf>> {
    if row.film != 0 && !films.contains_key(&row.film) {
        let film = db.film(row.film).await?.map(|film| FilmOf {
            study_uid: film.attributes.study_uid,
            sop_class_uid: film.attributes.sop_class_uid,
            patient_id: film.attributes.patient_id,
        });
        films.insert(row.film, film);
    }
    Ok(films.get(&row.film).and_then(Option::as_ref))
}
