//! One injury: its studies, series and instances are searched, those that the rules may want are retrieved and de-identified in memory, and
//! those that stay are written.
//!
//! Nothing is written before every film of the injury is judged; the record of the injury comes last. A kill before that repeats the
//! injury, under the same serial numbers.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use coxa_deidentify::{Deidentified, Deidentifier, IdentifiedFolder, Link, LinkTable, Review, Withheld};
use coxa_dimse::Uid;
use coxa_dimse::query::Identifier;
use coxa_files::write_whole;

use crate::attributes::Attributes;
use crate::choose::{Candidate, choose, rank};
use crate::error::CollectError;
use crate::fault::{Fault, Worth};
use crate::journal::{FilmRecord, Journal, RowOutcome, RowRecord};
use crate::judge::{Seen, Set, Verdict, Wanted, judge};
use crate::outputs::{IMAGES, LIMBS};
use crate::peer::{Order, Peer};
use crate::reason::Reason;
use crate::rules::{Patients, Rules};
use crate::search::{Case, Found, is_in_window, search};
use crate::summary::is_withheld;

/// What a run works with.
pub(crate) struct Collector<'a> {
    pub(crate) rules: &'a Rules,
    pub(crate) deidentifier: &'a Deidentifier,
    pub(crate) peer: Peer,
    pub(crate) journal: Journal,
    pub(crate) out: &'a Path,
    pub(crate) keep: Option<&'a IdentifiedFolder>,
    pub(crate) link: Option<LinkTable>,
}

/// A film that was retrieved.
struct Film {
    serial: u64,
    key: String,
    attributes: Attributes,
    outcome: Judged,
}

enum Judged {
    Wanted(Wanted, Box<Deidentified>, Vec<u8>),
    Left(Reason, Option<String>),
    /// Withheld for review, with the film as it came.
    ToReview(Review, Vec<u8>),
}

impl Judged {
    fn of_withheld(reason: Withheld, bytes: Vec<u8>) -> Self {
        match reason {
            Withheld::Review(review) => Self::ToReview(review, bytes),
            Withheld::Excluded => Self::Left(Reason::Excluded, None),
            other => Self::Left(Reason::Withheld, Some(other.to_string())),
        }
    }
}

impl Collector<'_> {
    /// Collects an injury's films.
    ///
    /// # Errors
    /// [`CollectError`]: the disk, or a PACS that no request can succeed at.
    pub(crate) async fn row(&mut self, case: &Case<'_>) -> Result<RowRecord, CollectError> {
        if self.rules.patients == Patients::Admitted && !case.injury.admitted {
            return Ok(record(case, RowOutcome::Missing, Reason::NotAdmitted));
        }
        let id = case.injury.patient.as_str();
        let is_wild = |c: char| matches!(c, '*' | '?' | '\\') || c.is_control();
        if id.chars().any(is_wild) || id.len() > 64 {
            return Ok(record(case, RowOutcome::Missing, Reason::UnsearchableId));
        }
        let found = match search(&mut self.peer, self.rules, self.deidentifier, case).await {
            Ok(found) => found,
            Err(fault) => return failed(case, fault),
        };
        let films = match self.retrieve(case, &found).await {
            Ok(films) => films?,
            Err(fault) => return failed(case, fault),
        };
        let mut row = self.write(case, films)?;
        row.left = found.left;
        if let Some(missing) = found.missing {
            row.reason = missing;
        }
        Ok(row)
    }

    /// Retrieves and judges the films that a search found.
    async fn retrieve(&mut self, case: &Case<'_>, found: &Found) -> Result<Result<Vec<Film>, CollectError>, Fault> {
        let mut films = Vec::new();
        for (study, instances) in &found.films {
            let (whole_study, whole_series) = found.whole.get(study).cloned().unwrap_or_default();
            let of = |film: &Attributes| film.series.clone().zip(film.instance.clone());
            let order = Order { instances: instances.iter().filter_map(of).collect(), whole_series, whole_study };
            let mut files = self.peer.fetch(&case.injury.patient, study, &order).await?;
            for searched in instances {
                let Some(instance) = &searched.instance else { continue };
                let key = self.deidentifier.key().uid(instance.as_str());
                let serial = match self.journal.serial(&key) {
                    Ok(serial) => serial,
                    Err(error) => return Ok(Err(error)),
                };
                let outcome = match files.remove(instance) {
                    Some(Ok(bytes)) => {
                        let (outcome, attributes) = self.judge_file(case, searched, serial, bytes);
                        films.push(Film { serial, key, attributes, outcome });
                        continue;
                    }
                    Some(Err(fault)) => Judged::Left(Reason::NotDelivered, Some(fault.text)),
                    None => Judged::Left(Reason::NotDelivered, None),
                };
                films.push(Film { serial, key, attributes: searched.clone(), outcome });
            }
        }
        Ok(Ok(films))
    }

    /// Judges a file by its own header, and de-identifies it.
    fn judge_file(&self, case: &Case<'_>, searched: &Attributes, serial: u64, bytes: Vec<u8>) -> (Judged, Attributes) {
        let header =
            |bytes: &[u8]| Identifier::of_file(bytes).map(|(_, head)| Attributes::of_identifier(&head).or(searched));
        let attributes = header(&bytes);
        // Of what the rules leave, nothing need be withheld.
        if let Some(attributes) = &attributes
            && let Verdict::Leave(reason) = self.verdict(case, attributes)
        {
            return (Judged::Left(reason, None), attributes.clone());
        }
        let searched_too = || attributes.clone().unwrap_or_else(|| searched.clone());
        let decisions = self.deidentifier.decisions().of(serial as usize);
        let film = match self.deidentifier.deidentify_reviewed(&bytes, decisions) {
            Ok(film) => film,
            Err(withheld) => return (Judged::of_withheld(withheld, bytes), searched_too()),
        };
        if searched.instance.as_ref().is_none_or(|instance| instance.as_str() != film.link.sop_instance_uid) {
            let detail = "another instance came than was asked for".to_owned();
            return (Judged::Left(Reason::NotDelivered, Some(detail)), searched_too());
        }
        if film.receipt.patient != case.pseudonym {
            return (Judged::Left(Reason::OtherPatient, None), searched_too());
        }
        // Big endian and deflated headers are judged as they were written again; dates are the searched ones then.
        let attributes = attributes.unwrap_or_else(|| {
            let mut again = header(&film.bytes).unwrap_or_else(|| searched.clone());
            (again.study_date, again.acquisition_date) = (searched.study_date, searched.acquisition_date);
            again.instance.clone_from(&searched.instance);
            again
        });
        match self.verdict(case, &attributes) {
            Verdict::Leave(reason) => (Judged::Left(reason, None), attributes),
            Verdict::Take(wanted) => (Judged::Wanted(wanted, Box::new(film), bytes), attributes),
        }
    }

    fn verdict(&self, case: &Case<'_>, film: &Attributes) -> Verdict {
        match judge(self.rules, film, Seen::File) {
            Verdict::Take(wanted) if !is_in_window(self.rules, wanted.set, case.injury.date, film) => {
                Verdict::Leave(Reason::OtherDay)
            }
            verdict => verdict,
        }
    }

    /// Chooses among the films, writes those that stay and returns the record.
    fn write(&mut self, case: &Case<'_>, films: Vec<Film>) -> Result<RowRecord, CollectError> {
        let (mut places, mut candidates) = (Vec::new(), Vec::new());
        for (place, film) in films.iter().enumerate() {
            if let Judged::Wanted(wanted, done, _) = &film.outcome {
                places.push(place);
                candidates.push(Candidate { attributes: &film.attributes, wanted, bytes: &done.bytes, key: &film.key });
            }
        }
        let left = choose(&self.rules.films, &candidates);
        let mut order: Vec<usize> = (0..candidates.len()).collect();
        order.sort_by_cached_key(|&at| rank(&self.rules.films, &candidates[at]));
        let mut records = Vec::new();
        for at in order {
            let film = &films[places[at]];
            let Judged::Wanted(wanted, done, original) = &film.outcome else { continue };
            records.push(match left[at] {
                Some((reason, other)) => {
                    FilmRecord { instead: Some(films[places[other]].serial), ..self.film_record(case, film, reason) }
                }
                None => {
                    let file = self.place(case, film.serial, wanted);
                    let path = self.out.join(&file);
                    if let Some(folder) = path.parent() {
                        fs::create_dir_all(folder).map_err(CollectError::io(folder))?;
                    }
                    write_whole(&path, &done.bytes).map_err(CollectError::io(&path))?;
                    if let Some(folder) = self.keep {
                        folder.keep(film.serial, original)?;
                    }
                    FilmRecord {
                        file: Some(file),
                        sha256: Some(coxa_files::sha256(&done.bytes)),
                        ..self.film_record(case, film, wanted.reason)
                    }
                }
            });
        }
        for film in &films {
            match &film.outcome {
                Judged::Wanted(..) => {}
                Judged::Left(reason, detail) => {
                    records.push(FilmRecord { detail: detail.clone(), ..self.film_record(case, film, *reason) });
                }
                Judged::ToReview(review, original) => {
                    if let Some(folder) = self.keep {
                        folder.keep(film.serial, original)?;
                    }
                    let record = self.film_record(case, film, Reason::ToReview);
                    records.push(FilmRecord { review: Some(review.clone()), ..record });
                }
            }
        }
        if let Some(link) = &mut self.link {
            note_links(link, case, &films, &records)?;
        }
        Ok(summarize(case, records))
    }

    fn film_record(&self, case: &Case<'_>, film: &Film, reason: Reason) -> FilmRecord {
        let (view, is_limb) = match &film.outcome {
            Judged::Wanted(wanted, ..) => (wanted.view.clone(), wanted.set == Set::Limbs),
            Judged::Left(..) | Judged::ToReview(..) => (String::new(), false),
        };
        let date = film.attributes.study_date.map(|date| case.shifted(date));
        FilmRecord {
            serial: film.serial,
            reason,
            instead: None,
            detail: None,
            review: None,
            decided: self.deidentifier.decisions().fingerprint(film.serial as usize),
            file: None,
            sha256: None,
            date,
            view,
            is_limb,
        }
    }

    /// Where a film lies below the output folder: of this program's words, the pseudonym and the serial number.
    fn place(&self, case: &Case<'_>, serial: u64, wanted: &Wanted) -> String {
        let name = format!("{}/S{serial:06}.dcm", case.pseudonym);
        match wanted.set {
            Set::Films => format!("{IMAGES}/{name}"),
            Set::Limbs => format!("{LIMBS}/{}/{name}", wanted.part.as_str()),
        }
    }
}

fn record(case: &Case<'_>, outcome: RowOutcome, reason: Reason) -> RowRecord {
    RowRecord {
        row: case.injury.line,
        patient: case.pseudonym.clone(),
        day: case.shifted(case.injury.date),
        outcome,
        reason,
        detail: None,
        films: Vec::new(),
        left: BTreeMap::new(),
    }
}

/// An injury that the PACS failed for, which ends the run only where nothing can succeed.
fn failed(case: &Case<'_>, fault: Fault) -> Result<RowRecord, CollectError> {
    if fault.worth == Worth::Never {
        return Err(fault.into());
    }
    let detail = match fault.hint {
        Some(hint) => format!("{} ({hint})", fault.text),
        None => fault.text,
    };
    Ok(RowRecord { detail: Some(detail), ..record(case, RowOutcome::Failed, Reason::ArchiveFailed) })
}

/// Adds the films that were written or withheld to the linking table.
fn note_links(
    table: &mut LinkTable,
    case: &Case<'_>,
    films: &[Film],
    records: &[FilmRecord],
) -> Result<(), CollectError> {
    for record in records.iter().filter(|record| record.file.is_some() || is_withheld(record)) {
        let Some(film) = films.iter().find(|film| film.serial == record.serial) else { continue };
        let uid = |uid: &Option<Uid>| uid.as_ref().map(|uid| uid.as_str().to_owned()).unwrap_or_default();
        // Of a film that is withheld, what was searched for.
        let searched = || Link {
            patient_id: case.injury.patient.clone(),
            patient_name: String::new(),
            study_instance_uid: uid(&film.attributes.study),
            sop_instance_uid: uid(&film.attributes.instance),
            accession_number: String::new(),
            days: case.days,
        };
        let link = match &film.outcome {
            Judged::Wanted(_, done, _) => done.link.clone(),
            Judged::Left(..) | Judged::ToReview(..) => searched(),
        };
        let output = record.file.as_deref().unwrap_or_default();
        table.add(film.serial as usize, Path::new(""), Some((output, &case.pseudonym, &link)))?;
    }
    Ok(())
}

/// What became of an injury by what became of its films.
fn summarize(case: &Case<'_>, films: Vec<FilmRecord>) -> RowRecord {
    let taken = || films.iter().filter(|film| film.file.is_some() && !film.is_limb);
    let has = |reason: Reason| films.iter().any(|film| film.reason == reason);
    let (outcome, reason) = if has(Reason::NotDelivered) {
        (RowOutcome::Failed, Reason::NotDelivered)
    } else if let Some(best) = taken().next() {
        let outcome = if best.reason == Reason::Taken { RowOutcome::Found } else { RowOutcome::Ambiguous };
        (outcome, best.reason)
    } else if films.iter().any(is_withheld) || has(Reason::Excluded) {
        (RowOutcome::Missing, Reason::AllWithheld)
    } else {
        (RowOutcome::Missing, Reason::NoWantedFilm)
    };
    RowRecord { films, ..record(case, outcome, reason) }
}
