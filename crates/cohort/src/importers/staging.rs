//! A new dataset folder is built beside its place and renamed when it is whole.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::path::{Path, PathBuf};

use serde::Serialize;

use crate::dataset::Dataset;
use crate::error::CohortError;
use crate::film::{Film, TruthBox};
use crate::flow::Flow;
use coxa_files::whole::{Partial, left_of, write_synced};

/// What becomes of the films' files.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Files {
    /// They are copied to `images/`.
    #[default]
    Copy,
    /// They are hard-linked to `images/`, or copied where a link cannot be made.
    HardLink,
    /// They stay where they are; the manifest names them by their absolute path.
    Reference,
}

/// Looks into a file that is about to be taken, which the importers do not: an error refuses it.
pub type Look = fn(&[u8]) -> Result<Seen, String>;

/// What a [`Look`] saw.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Seen {
    /// Nothing that a person should know.
    Nothing,
    /// The name or the birth date of a patient.
    Patient,
}

/// Looks at nothing.
///
/// # Errors
/// None.
pub fn no_look(_: &[u8]) -> Result<Seen, String> {
    Ok(Seen::Nothing)
}

/// A file that was not taken.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Refused {
    /// The file.
    pub file: String,
    /// Why.
    pub reason: String,
}

/// A file that was taken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stored {
    /// The manifest's path.
    pub path: String,
    /// The SHA-256 of the bytes.
    pub sha256: String,
    /// Width and height in pixels as the film is read, upright, where the file's head says so (JPEG only).
    pub size: Option<(u32, u32)>,
}

/// The file in a folder in the making that its import holds locked.
const LOCK: &str = ".lock";

/// Removes what killed imports of the same name left: their lock is free. What cannot be removed stays.
fn clear_abandoned(to: &Path) {
    for left in left_of(to) {
        if File::open(left.join(LOCK)).is_ok_and(|lock| lock.try_lock().is_ok()) {
            let _ = fs::remove_dir_all(left);
        }
    }
}

/// A dataset folder in the making. If it is dropped before [`Staging::commit`], nothing stays behind.
#[derive(Debug)]
pub struct Staging {
    to: PathBuf,
    partial: Partial,
    files: Files,
    look: Look,
    n_named: usize,
    // Held as long as the folder is being made.
    _lock: File,
    hashes: BTreeMap<String, PathBuf>,
    refused: Vec<Refused>,
}

impl Staging {
    /// Begins a dataset whose folder must not exist or be empty.
    ///
    /// # Errors
    /// [`CohortError::NotEmpty`] or [`CohortError::Io`].
    pub fn begin(to: &Path, files: Files) -> Result<Self, CohortError> {
        match fs::read_dir(to) {
            Ok(mut entries) => {
                if entries.next().is_some() {
                    return Err(CohortError::NotEmpty { folder: to.to_owned() });
                }
            }
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
            Err(error) => return Err(CohortError::io(to)(error)),
        }
        clear_abandoned(to);
        let partial = Partial::folder(to).map_err(CohortError::io(to))?;
        let images = partial.path().join("images");
        fs::create_dir(&images).map_err(CohortError::io(&images))?;
        let lock = partial.path().join(LOCK);
        let held = File::create(&lock).and_then(|file| file.lock().map(|()| file)).map_err(CohortError::io(&lock))?;
        Ok(Self {
            to: to.to_owned(),
            partial,
            files,
            look: no_look,
            n_named: 0,
            _lock: held,
            hashes: BTreeMap::new(),
            refused: Vec::new(),
        })
    }

    /// Has every file looked into before it is taken.
    #[must_use]
    pub fn looking(mut self, look: Look) -> Self {
        self.look = look;
        self
    }

    /// What a person should know of the files that were taken.
    pub fn note(&self) -> Option<String> {
        (self.n_named > 0).then(|| {
            let verb = if self.n_named == 1 { "holds its" } else { "hold their" };
            format!(
                "{} of the files {verb} patient's name or birth date, and what is taken is as it came: de-identify it before the \
                 folder is given to anybody",
                self.n_named
            )
        })
    }

    /// Takes a file as `images/<image_id>.<its ending>`, or refuses it, with the reason noted: it cannot be read, it is
    /// truncated, or another film has the same content.
    pub fn add(&mut self, source: &Path, image_id: &str) -> Option<Stored> {
        self.add_or_refuse(source, image_id, |reason| reason)
    }

    /// As [`Staging::add`], with the table's line that names the file in the reason.
    pub fn add_of_line(&mut self, source: &Path, image_id: &str, line: u64) -> Option<Stored> {
        self.add_or_refuse(source, image_id, |reason| format!("line {line} of the table of films: {reason}"))
    }

    fn add_or_refuse(&mut self, source: &Path, image_id: &str, said: impl FnOnce(String) -> String) -> Option<Stored> {
        let taken = self.take(source, image_id);
        taken.map_err(|reason| self.refuse(source, said(reason))).ok()
    }

    /// Notes a file that is not taken.
    pub fn refuse(&mut self, source: &Path, reason: impl Into<String>) {
        self.refused.push(Refused { file: source.display().to_string(), reason: reason.into() });
    }

    /// The files refused so far.
    pub fn refused(&self) -> &[Refused] {
        &self.refused
    }

    /// Writes the tables and the flow that led to them, moves the folder to its place and returns the dataset and the files that
    /// were refused.
    ///
    /// # Errors
    /// As [`Dataset::save`], or the disk; nothing stays behind then.
    pub fn commit(
        self,
        films: Vec<Film>,
        truth: Vec<TruthBox>,
        upstream: &Flow,
    ) -> Result<(Dataset, Vec<Refused>), CohortError> {
        let mut dataset = Dataset { folder: self.partial.path().to_owned(), films, truth };
        dataset.save()?;
        upstream.save(self.partial.path())?;
        let lock = self.partial.path().join(LOCK);
        fs::remove_file(&lock).map_err(CohortError::io(&lock))?;
        self.partial.keep().map_err(CohortError::io(&self.to))?;
        dataset.folder = self.to;
        Ok((dataset, self.refused))
    }

    fn take(&mut self, source: &Path, image_id: &str) -> Result<Stored, String> {
        let bytes = fs::read(source).map_err(|error| error.to_string())?;
        let size = check_ends(&bytes)?;
        let sha256 = coxa_files::sha256(&bytes);
        if let Some(first) = self.hashes.get(&sha256) {
            return Err(format!("the same content as {}", first.display()));
        }
        let seen = (self.look)(&bytes)?;
        let ending = source.extension().map_or_else(|| "dcm".to_owned(), |e| e.to_string_lossy().to_ascii_lowercase());
        let path = match self.files {
            Files::Reference => {
                let absolute = fs::canonicalize(source).map_err(|error| error.to_string())?;
                absolute.into_os_string().into_string().map_err(|_| "its path is not UTF-8".to_owned())?
            }
            Files::Copy | Files::HardLink => {
                let name = format!("images/{image_id}.{ending}");
                let place = self.partial.path().join(&name);
                // A link to a symbolic link would lead astray from here.
                let link = || fs::canonicalize(source).and_then(|source| fs::hard_link(source, &place));
                let linked = self.files == Files::HardLink && link().is_ok();
                if !linked {
                    write_synced(&place, &bytes).map_err(|error| format!("it cannot be copied: {error}"))?;
                }
                name
            }
        };
        self.hashes.insert(sha256.clone(), source.to_owned());
        self.n_named += usize::from(seen == Seen::Patient);
        Ok(Stored { path, sha256, size })
    }
}

/// Looks at a file's two ends: it must begin as a film does, a JPEG must have its end-of-image marker after the last scan (ITU T.81,
/// B.1.1.3), a PNG its IEND chunk. Gives a JPEG's width and height; other formats pass unseen.
///
/// # Errors
/// What is wrong, in words.
pub fn check_ends(bytes: &[u8]) -> Result<Option<(u32, u32)>, String> {
    if bytes.is_empty() {
        return Err("the file is empty".to_owned());
    }
    if bytes.starts_with(&[0xFF, 0xD8]) {
        return jpeg_size(bytes).map(Some);
    }
    if bytes.starts_with(b"\x89PNG\r\n\x1a\n") {
        return match bytes[bytes.len().saturating_sub(64)..].windows(4).any(|w| w == b"IEND") {
            true => Ok(None),
            false => Err("a truncated PNG: no IEND chunk at its end".to_owned()),
        };
    }
    let is_tiff = bytes.starts_with(b"II*\0") || bytes.starts_with(b"MM\0*");
    // A DICOM file has its mark behind a preamble; one without begins with a tag of group 2 or 8.
    let is_dicom = bytes.get(128..132) == Some(b"DICM") || matches!(bytes, [2 | 8, 0, ..] | [0, 2 | 8, ..]);
    if !is_tiff && !is_dicom {
        return Err("not a DICOM, PNG, JPEG or TIFF file, whatever its name says".to_owned());
    }
    Ok(None)
}

/// The size upright, by the orientation tag. Walks the marker segments up to the first scan, then looks for the end of the image behind
/// it. Inside a scan a byte FF is always followed by 00 or a restart marker, so FF D9 can only be the end.
fn jpeg_size(bytes: &[u8]) -> Result<(u32, u32), String> {
    let truncated = |what: &str| format!("a truncated JPEG: {what}");
    let mut at = 2;
    let mut size = None;
    let mut turned = None;
    loop {
        let marker = match bytes.get(at..at + 2) {
            Some([0xFF, 0xFF]) => {
                at += 1;
                continue;
            }
            Some([0xFF, marker]) => *marker,
            Some(_) => return Err("a damaged JPEG: no marker where one must be".to_owned()),
            None => return Err(truncated("it ends within its head")),
        };
        let length = match bytes.get(at + 2..at + 4) {
            Some(length) => usize::from(u16::from_be_bytes([length[0], length[1]])),
            None => return Err(truncated("it ends within its head")),
        };
        let segment = bytes.get(at + 4..at + 2 + length).ok_or_else(|| truncated("it ends within its head"))?;
        match marker {
            // Every start of frame: T.81 Table B.1, without DHT (C4), JPG (C8) and DAC (CC).
            0xC0..=0xCF if ![0xC4, 0xC8, 0xCC].contains(&marker) => {
                let frame = segment.get(1..5).ok_or_else(|| truncated("a short frame header"))?;
                let side = |i: usize| u32::from(u16::from_be_bytes([frame[i], frame[i + 1]]));
                size = Some((side(2), side(0)));
            }
            0xE1 if turned.is_none() => turned = segment.strip_prefix(b"Exif\0\0").and_then(is_turned),
            0xDA => break,
            _ => {}
        }
        at += 2 + length;
    }
    if !bytes[at..].windows(2).any(|pair| pair == [0xFF, 0xD9]) {
        return Err(truncated("no end-of-image marker"));
    }
    let (width, height) = size.ok_or_else(|| "a damaged JPEG: no frame header".to_owned())?;
    Ok(if turned == Some(true) { (height, width) } else { (width, height) })
}

/// Whether a JPEG is read turned by a quarter, as the orientation in its EXIF block says (5 to 8; CIPA DC-008, 4.6.4); `None` without
/// one.
fn is_turned(block: &[u8]) -> Option<bool> {
    let little = block.starts_with(b"II");
    let number = |at: usize, length: usize| {
        let push = |number: usize, byte: &u8| number << 8 | usize::from(*byte);
        let bytes = block.get(at..at + length)?.iter();
        Some(if little { bytes.rfold(0, push) } else { bytes.fold(0, push) })
    };
    let list = number(4, 4)?;
    let mut entries = (0..number(list, 2)?).map(|i| list + 2 + 12 * i);
    let entry = entries.find(|&entry| number(entry, 2) == Some(0x0112))?;
    Some((5..=8).contains(&number(entry + 8, 2)?))
}
