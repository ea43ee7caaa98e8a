//! A collection from its request to its report: each injury of the registry that no earlier run has finished.

use std::fs;
use std::path::Path;

use coxa_cohort::registry::load_injuries;
use coxa_deidentify::{Deidentifier, IdentifiedFolder, LinkTable, Seal, open_folder};
use coxa_files::whole::sweep;
use coxa_files::write_whole;

use crate::archive::{Archive, Source};
use crate::error::CollectError;
use crate::journal::{FilmRecord, Journal, RowOutcome, RowRecord};
use crate::outputs::{IMAGES, JOURNAL, LIMBS, RULES, remove_orphans, write_films, write_registry};
use crate::peer::Peer;
use crate::report;
use crate::row::Collector;
use crate::rules::Rules;
use crate::search::Case;
use crate::summary::{Summary, is_withheld, summarize};

/// What is to be collected.
pub struct Request<'a> {
    /// The trauma registry, a row an injury.
    pub registry: &'a Path,
    /// Where films come from.
    pub source: &'a Source,
    /// The output folder: new, empty, or of an earlier run with the same key and rules.
    pub out: &'a Path,
    /// The rules.
    pub rules: &'a Rules,
    /// What films are de-identified by.
    pub deidentifier: &'a Deidentifier,
    /// A folder for the films as they came, those that are withheld for review among them, with every identity. Outside of `out`.
    pub keep_identified: Option<&'a Path>,
    /// The linking table.
    pub link: Option<LinkRequest<'a>>,
}

/// A linking table of the films of a run: who each is of, encrypted.
pub struct LinkRequest<'a> {
    /// Where it is written. An earlier table is never replaced: the run ends by an error where there is one.
    pub place: &'a Path,
    /// What it is encrypted for.
    pub seal: Seal,
}

/// Something that happened in a run. None holds an identity.
#[derive(Debug)]
#[non_exhaustive]
pub enum Event<'a> {
    /// So many injuries are done.
    Injuries {
        /// Injuries done, those of earlier runs among them.
        done: usize,
        /// Injuries in all.
        total: usize,
        /// Films collected so far.
        films: usize,
    },
    /// Something to know, in one line.
    Note(&'a str),
    /// An injury that the PACS failed for.
    Failed(&'a RowRecord),
    /// A film that was withheld.
    Withheld(&'a FilmRecord),
}

/// Collects the films of a registry. Injuries that an earlier run finished are not searched again; those that failed are.
///
/// # Errors
/// [`CollectError`]. What was done stays; the next run goes on from there.
pub async fn collect(
    request: &Request<'_>,
    observe: &mut (dyn FnMut(&Event<'_>) + Send),
) -> Result<Summary, CollectError> {
    let Request { registry, out, rules, deidentifier, .. } = *request;
    rules.validate().map_err(|reason| CollectError::Rules { path: out.join(RULES), reason })?;
    let injuries = load_injuries(registry)?;
    let keep = request.keep_identified.map(|folder| IdentifiedFolder::create(folder, out)).transpose()?;
    let journal = open(request)?;
    let link = request.link.as_ref().map(|link| LinkTable::new(link.place, link.seal.clone())).transpose()?;
    let notes = write_registry(deidentifier, registry, out)?;
    if notes.emptied > 0 {
        observe(&Event::Note(&format!(
            "{} fields of the registry did not hold what their column holds, and were emptied",
            notes.emptied
        )));
    }
    let peer = Peer::new(Archive::new(request.source).await?, &rules.pace);
    let mut collector = Collector { rules, deidentifier, peer, journal, out, keep: keep.as_ref(), link };
    let mut records = Records { place: request.link.as_ref().map(|link| link.place), held: Vec::new() };
    let result = each(&mut collector, &mut records, &injuries, observe).await;
    let result = result.and(records.flush(&mut collector));
    collector.peer.close().await;
    let repeated = collector.peer.repeated;
    // The report shows how far a run came that ends by an error, too.
    let summary = finish(out, &collector.journal, &injuries, deidentifier, rules, result.is_ok());
    result?;
    Ok(Summary { repeated, ..summary? })
}

/// Injuries that are done and not in the journal yet. With a linking table, an injury is recorded after the table that has its films is
/// written: no film of the journal is in no table, wherever a run is killed.
struct Records<'a> {
    place: Option<&'a Path>,
    held: Vec<RowRecord>,
}

impl Records<'_> {
    /// So many injuries at most are held back.
    const MOST: usize = 5;

    fn add(&mut self, collector: &mut Collector<'_>, row: RowRecord) -> Result<(), CollectError> {
        self.held.push(row);
        if self.place.is_none() || self.held.len() >= Self::MOST { self.flush(collector) } else { Ok(()) }
    }

    fn flush(&mut self, collector: &mut Collector<'_>) -> Result<(), CollectError> {
        if self.held.is_empty() {
            return Ok(());
        }
        if let (Some(place), Some(link)) = (self.place, &mut collector.link) {
            link.write(place)?;
        }
        self.held.drain(..).try_for_each(|row| collector.journal.record(row))
    }
}

async fn each(
    collector: &mut Collector<'_>,
    records: &mut Records<'_>,
    injuries: &[coxa_cohort::registry::Injury],
    observe: &mut (dyn FnMut(&Event<'_>) + Send),
) -> Result<(), CollectError> {
    let total = injuries.len();
    let (mut films, mut failed_in_a_row) = (0, 0);
    for (place, injury) in injuries.iter().enumerate() {
        let case = Case::of(injury, collector.deidentifier);
        let earlier = collector.journal.row(&case.pseudonym, &case.shifted(injury.date));
        let decisions = collector.deidentifier.decisions();
        let is_as_decided = |film: &FilmRecord| film.decided == decisions.fingerprint(film.serial as usize);
        let is_done = |row: &&RowRecord| {
            row.outcome != RowOutcome::Failed && row.row == injury.line && row.films.iter().all(is_as_decided)
        };
        if let Some(row) = earlier.filter(is_done) {
            films += taken(row);
        } else {
            let row = collector.row(&case).await?;
            films += taken(&row);
            row.films.iter().filter(|film| is_withheld(film)).for_each(|film| observe(&Event::Withheld(film)));
            let has_failed = row.outcome == RowOutcome::Failed;
            if has_failed {
                observe(&Event::Failed(&row));
            }
            failed_in_a_row = if has_failed { failed_in_a_row + 1 } else { 0 };
            let detail = row.detail.clone().or_else(|| row.films.iter().find_map(|film| film.detail.clone()));
            records.add(collector, row)?;
            if failed_in_a_row >= collector.rules.pace.give_up_after {
                let text = detail.unwrap_or_else(|| "it does not deliver films".to_owned());
                return Err(CollectError::Archive {
                    text: format!("it failed for {failed_in_a_row} injuries in a row, the last time: {text}"),
                    hint: Some("try it by --check; the same command goes on where it stopped".to_owned()),
                });
            }
        }
        observe(&Event::Injuries { done: place + 1, total, films });
    }
    Ok(())
}

fn taken(row: &RowRecord) -> usize {
    row.films.iter().filter(|film| film.file.is_some()).count()
}

/// Checks or makes the output folder.
fn open(request: &Request<'_>) -> Result<Journal, CollectError> {
    let Request { out, rules, deidentifier, .. } = *request;
    let entries = |path: &Path| fs::read_dir(path).map(|entries| entries.flatten().collect::<Vec<_>>());
    let is_new = out.exists() && !out.join(JOURNAL).exists();
    if is_new && !entries(out).map_err(CollectError::io(out))?.is_empty() {
        return Err(CollectError::ForeignFolder { path: out.to_owned() });
    }
    fs::create_dir_all(out).map_err(CollectError::io(out))?;
    let journal = Journal::open(&out.join(JOURNAL), &deidentifier.key().check(), &rules.fingerprint())?;
    open_folder(deidentifier, &out.join(IMAGES))?;
    if rules.limbs.collect {
        open_folder(deidentifier, &out.join(LIMBS))?;
        for part in rules.limbs.parts.keys() {
            let patients = entries(&out.join(LIMBS).join(part)).unwrap_or_default();
            patients.iter().for_each(|patient| sweep(&patient.path()));
        }
    }
    let place = out.join(RULES);
    write_whole(&place, rules.to_toml().as_bytes()).map_err(CollectError::io(&place))?;
    Ok(journal)
}

/// Writes the tables and the report.
fn finish(
    out: &Path,
    journal: &Journal,
    injuries: &[coxa_cohort::registry::Injury],
    deidentifier: &Deidentifier,
    rules: &Rules,
    is_whole: bool,
) -> Result<Summary, CollectError> {
    let of = |injury| {
        let case = Case::of(injury, deidentifier);
        journal.row(&case.pseudonym, &case.shifted(injury.date))
    };
    let rows: Vec<&RowRecord> = injuries.iter().filter_map(of).collect();
    if is_whole {
        remove_orphans(out, journal.rows());
    }
    write_films(out, rows.iter().copied())?;
    let summary = summarize(injuries.len(), &rows);
    report::write(out, &rows, &summary, rules, is_whole)?;
    Ok(summary)
}
