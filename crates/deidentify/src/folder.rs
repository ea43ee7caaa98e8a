//! Many films, from files into a folder: in parallel, each written whole or not at all, under names that carry nothing of the input.

use std::collections::BTreeSet;
use std::fs;
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::mpsc::sync_channel;
use std::thread;

use coxa_files::find::films_below;
use coxa_files::whole::sweep;
use coxa_imaging::MAX_FILE_BYTES;
use serde::{Deserialize, Serialize};

use crate::deidentifier::{Deidentified, Deidentifier};
use crate::error::DeidentifyError;
use crate::identified::IdentifiedFolder;
use crate::link::LinkTable;
use crate::origins::Origins;
use crate::receipt::Receipt;
use crate::review::{Review, WithheldFilm, WithheldList};
use crate::rules::ProfileOption;
use crate::withheld::Withheld;

/// The file in an output folder that says how its films were made.
pub(crate) const MARK: &str = "deidentified.json";

/// What became of an input. Its path is not stated, as it may identify: the serial number is its place in the sorted list of inputs.
#[derive(Debug, Clone, Serialize)]
pub struct Line {
    /// The input's place in the list, counted from 1.
    pub serial: usize,
    /// What became of it.
    #[serde(flatten)]
    pub outcome: FilmOutcome,
}

/// What became of an input.
#[derive(Debug, Clone, Serialize)]
#[serde(tag = "status", rename_all = "snake_case")]
pub enum FilmOutcome {
    /// It was written.
    Deidentified {
        /// Where, below the output folder.
        file: String,
        /// What was done.
        #[serde(flatten)]
        receipt: Box<Receipt>,
    },
    /// It was there already, from an earlier run or of the same film under another name.
    Unchanged {
        /// Where, below the output folder.
        file: String,
        /// What was done.
        #[serde(flatten)]
        receipt: Box<Receipt>,
    },
    /// Nothing of it was written.
    Withheld {
        /// Why.
        reason: String,
        /// What a person must review.
        #[serde(flatten)]
        review: Option<Review>,
    },
}

/// Where films are written.
#[derive(Debug, Clone, Copy)]
pub struct Outputs<'a> {
    /// The folder of de-identified films.
    pub films: &'a Path,
    /// A folder for the films that are withheld for review, as they came, with every identity. Outside of `films`.
    pub identified: Option<&'a Path>,
}

/// How an output folder's films were made.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Mark {
    coxa_deidentified: u32,
    key_check: String,
    options: Vec<String>,
}

impl Mark {
    fn of(deidentifier: &Deidentifier) -> Self {
        let options = deidentifier.options().iter().map(|option| option.name().to_owned()).collect();
        Self { coxa_deidentified: 1, key_check: deidentifier.key().check(), options }
    }

    fn read(out: &Path) -> Result<Option<Self>, DeidentifyError> {
        let path = out.join(MARK);
        match fs::read(&path) {
            Ok(bytes) => serde_json::from_slice(&bytes).map(Some).map_err(|_| foreign(out)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(source) => Err(DeidentifyError::Io { path, source }),
        }
    }
}

fn foreign(out: &Path) -> DeidentifyError {
    DeidentifyError::ForeignFolder { path: out.to_owned() }
}

/// The options that an output folder's films were made with, and the check of their key.
///
/// # Errors
/// [`DeidentifyError::ForeignFolder`]: this program did not make it.
pub(crate) fn mark_of(out: &Path) -> Result<(BTreeSet<ProfileOption>, String), DeidentifyError> {
    let mark = Mark::read(out)?.ok_or_else(|| foreign(out))?;
    let named = |name: &String| ProfileOption::ALL.into_iter().find(|option| option.name() == name);
    let options = mark.options.iter().map(named).collect::<Option<_>>().ok_or_else(|| foreign(out))?;
    Ok((options, mark.key_check))
}

/// The files that inputs name, folders searched, sorted and each once; those below `out` are left out. Files that are no films are among
/// them, so that each is named as withheld.
///
/// # Errors
/// [`DeidentifyError::Io`]: an input that is not there, or a folder that cannot be searched.
pub fn inputs(named: &[PathBuf], out: &Path) -> Result<Vec<PathBuf>, DeidentifyError> {
    let mut files = BTreeSet::new();
    for path in named {
        let metadata = fs::metadata(path).map_err(|source| DeidentifyError::Io { path: path.clone(), source })?;
        if !metadata.is_dir() {
            files.insert(path.clone());
            continue;
        }
        let found = films_below(path);
        if let Some((path, reason)) = found.unreadable.into_iter().next() {
            return Err(DeidentifyError::Io { path, source: io::Error::other(reason) });
        }
        files.extend(found.films.into_iter().chain(found.others));
    }
    let out = out.canonicalize().ok();
    let is_output =
        |file: &PathBuf| out.as_ref().is_some_and(|out| file.canonicalize().is_ok_and(|file| file.starts_with(out)));
    files.retain(|file| !is_output(file));
    Ok(files.into_iter().collect())
}

/// De-identifies files into a folder, and reports each in the order of the list; returns how many were withheld.
///
/// The folder is new, empty, or of an earlier run with the same key and options: what is there already stays, so an interrupted run is
/// finished by running it again. What an earlier run made of the same file is replaced where a person decided something else since, and
/// removed where the file is withheld now.
///
/// # Errors
/// [`DeidentifyError`]: the folder is another key's or another program's, or cannot be written; or the observer's.
pub fn deidentify_files(
    deidentifier: &Deidentifier,
    files: &[PathBuf],
    outputs: Outputs<'_>,
    threads: usize,
    mut link: Option<&mut LinkTable>,
    mut report: impl FnMut(Line) -> io::Result<()>,
) -> Result<usize, DeidentifyError> {
    let Outputs { films: out, identified } = outputs;
    open_folder(deidentifier, out)?;
    let identified = identified.map(|folder| IdentifiedFolder::create(folder, out)).transpose()?;
    let mut origins = Origins::open(out)?;
    let mut list = WithheldList { films: files.len(), withheld: Vec::new() };
    in_order(deidentifier, files, threads, |serial, path, Judged { origin, film }| {
        if film.is_err() && !origin.is_empty() {
            origins.remove_films_of(&origin, out)?;
        }
        let placed = film.and_then(|film| place_film(out, film, &origin, &mut origins));
        if let Some(link) = link.as_deref_mut() {
            let film =
                placed.as_ref().ok().map(|(file, _, film)| (file.as_str(), film.receipt.patient.as_str(), &film.link));
            link.add(serial, path, film)?;
        }
        let outcome = match placed {
            Ok((file, Placed::New, film)) => FilmOutcome::Deidentified { file, receipt: Box::new(film.receipt) },
            Ok((file, Placed::Same, film)) => FilmOutcome::Unchanged { file, receipt: Box::new(film.receipt) },
            Err(reason) => {
                let text = reason.to_string();
                let review = if let Withheld::Review(review) = reason { Some(review) } else { None };
                if let (Some(_), Some(folder)) = (&review, &identified)
                    && let Ok(bytes) = read(path)
                {
                    folder.keep(serial as u64, &bytes)?;
                }
                list.withheld.push(WithheldFilm { serial, reason: text.clone(), review: review.clone() });
                FilmOutcome::Withheld { reason: text, review }
            }
        };
        report(Line { serial, outcome })
            .map_err(|source| DeidentifyError::Io { path: "standard output".into(), source })
    })?;
    list.write(out)?;
    origins.finish()?;
    Ok(list.withheld.len())
}

/// Checks or makes a folder of de-identified films and its mark, and removes what a killed run had begun. A folder without a mark must be
/// empty.
///
/// # Errors
/// [`DeidentifyError`]: the folder is another key's, has other options or is another program's, or cannot be written.
pub fn open_folder(deidentifier: &Deidentifier, out: &Path) -> Result<(), DeidentifyError> {
    let io = |source| DeidentifyError::Io { path: out.to_owned(), source };
    let mark = Mark::of(deidentifier);
    match Mark::read(out)? {
        Some(earlier) if earlier.key_check != mark.key_check => Err(DeidentifyError::OtherKey { path: out.to_owned() }),
        Some(earlier) if earlier != mark => {
            Err(DeidentifyError::OtherOptions { path: out.to_owned(), options: earlier.options.join(", ") })
        }
        Some(_) => {
            let folders = fs::read_dir(out).map_err(io)?.flatten().map(|entry| entry.path());
            folders.filter(|path| path.is_dir()).for_each(|path| sweep(&path));
            Ok(())
        }
        None => {
            if out.exists() && fs::read_dir(out).map_err(io)?.next().is_some() {
                return Err(foreign(out));
            }
            fs::create_dir_all(out).map_err(io)?;
            let text = serde_json::to_string(&mark).map_err(|error| io(error.into()))?;
            coxa_files::write_whole(&out.join(MARK), format!("{text}\n").as_bytes()).map_err(io)
        }
    }
}

/// An input and what it becomes.
struct Judged {
    /// The keyed hash of its bytes; empty where they could not be read.
    origin: String,
    film: Result<Deidentified, Withheld>,
}

/// De-identifies films in parallel and hands them on in their order, with their serial numbers.
fn in_order(
    deidentifier: &Deidentifier,
    files: &[PathBuf],
    threads: usize,
    mut take: impl FnMut(usize, &Path, Judged) -> Result<(), DeidentifyError>,
) -> Result<(), DeidentifyError> {
    let threads = threads.clamp(1, files.len().max(1));
    let failed = || Withheld::Malformed("it cannot be processed");
    let judge = |place: usize| match read(&files[place]) {
        Err(reason) => Judged { origin: String::new(), film: Err(reason) },
        Ok(bytes) => {
            let decisions = deidentifier.decisions().of(place + 1);
            // A film that makes the program panic is withheld, and the others go on.
            let film = catch_unwind(AssertUnwindSafe(|| deidentifier.deidentify_reviewed(&bytes, decisions)));
            Judged { origin: deidentifier.key().origin(&bytes), film: film.unwrap_or_else(|_| Err(failed())) }
        }
    };
    thread::scope(|scope| {
        // Each thread is at most two films ahead of what was taken, so that memory holds few.
        let judged: Vec<_> = (0..threads)
            .map(|first| {
                let (sender, receiver) = sync_channel(1);
                let mut places = (first..files.len()).step_by(threads);
                scope.spawn(move || places.all(|place| sender.send(judge(place)).is_ok()));
                receiver
            })
            .collect();
        let mut films = files.iter().zip(1..).zip(judged.iter().cycle());
        films.try_for_each(|((file, serial), judged)| {
            let lost = |_| Judged { origin: String::new(), film: Err(failed()) };
            take(serial, file, judged.recv().unwrap_or_else(lost))
        })
    })
}

fn read(file: &Path) -> Result<Vec<u8>, Withheld> {
    let unreadable = |error: io::Error| Withheld::Unreadable(error.kind());
    let metadata = fs::metadata(file).map_err(unreadable)?;
    if metadata.len() > MAX_FILE_BYTES {
        return Err(Withheld::TooLarge);
    }
    fs::read(file).map_err(unreadable)
}

enum Placed {
    New,
    Same,
}

/// Writes a film at `PSEUDONYM/UID.dcm`, unless it is there. One that an earlier run made of the same input is replaced: a person decided
/// something else since.
fn place_film(
    out: &Path,
    film: Deidentified,
    origin: &str,
    origins: &mut Origins,
) -> Result<(String, Placed, Deidentified), Withheld> {
    let file = format!("{}/{}.dcm", film.receipt.patient, film.sop_instance_uid);
    let path = out.join(&film.receipt.patient).join(format!("{}.dcm", film.sop_instance_uid));
    let unwritable = |error: io::Error| Withheld::Unwritable(error.kind());
    match fs::read(&path) {
        Ok(bytes) if bytes == film.bytes => {
            origins.note(&file, origin).map_err(unwritable)?;
            return Ok((file, Placed::Same, film));
        }
        Ok(_) if origins.may_replace(&file, origin) => {}
        Ok(_) => return Err(Withheld::Collision),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        Err(error) => return Err(unwritable(error)),
    }
    origins.note(&file, origin).map_err(unwritable)?;
    fs::create_dir_all(out.join(&film.receipt.patient)).map_err(unwritable)?;
    coxa_files::write_whole(&path, &film.bytes).map_err(unwritable)?;
    Ok((file, Placed::New, film))
}
