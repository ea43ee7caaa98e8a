//! Films that are decoded and prepared once: a file of n × size × size bytes, read at any place without being held in memory.
//!
//! Beside the pixels stands an index with a line for every film that is done, so that building goes on where it was interrupted. A
//! cache's name is a fingerprint of its films (path, length and time of change of each) and of how they are prepared: when any of
//! these changes, another cache is built.

use std::fs::{File, OpenOptions};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::UNIX_EPOCH;

use coxa_cohort::Sample;
use coxa_files::hash::Sha256;
use coxa_imaging::{Fit, preprocess};
use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use crate::{ModelError, files};

/// Changes when the same film would be prepared differently.
const PREPARATION: &str = "coxa-films-2";
/// Films that are decoded between two reports of progress.
const CHUNK: usize = 32;

/// What the index says of a film.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Entry {
    /// The film's place in the cache.
    pub slot: usize,
    /// The film's name.
    pub image_id: String,
    /// SHA-256 of the film's file.
    pub sha256: String,
    /// Checksum of the prepared pixels.
    pub crc32: u32,
    /// Columns of the film.
    pub film_width: usize,
    /// Rows of the film.
    pub film_height: usize,
}

/// A film that could not be prepared.
#[derive(Debug)]
pub struct Unreadable {
    /// The film's name.
    pub image_id: String,
    /// Why not.
    pub reason: String,
}

/// Prepared films, ready to be read in any order and from any thread.
#[derive(Debug)]
pub struct FilmCache {
    path: PathBuf,
    file: File,
    size: usize,
    entries: Vec<Entry>,
}

impl FilmCache {
    /// Opens the cache of these samples in `folder`, building what is missing on all the processor's threads. `progress` is given how
    /// many of how many films are done and may stop the work by returning `false`.
    ///
    /// # Errors
    /// When the cache cannot be written. Films that cannot be read, and a stop by `progress`, are in [`Built`].
    pub fn build(
        folder: &Path,
        samples: &[Sample],
        size: usize,
        fit: Fit,
        mut progress: impl FnMut(usize, usize) -> bool,
    ) -> Result<Built, ModelError> {
        files::create_folder(folder)?;
        let key = fingerprint(samples, size, fit)?;
        let path = folder.join(format!("films-{size}-{key}.u8"));
        let index_path = folder.join(format!("films-{size}-{key}.jsonl"));
        let open = |path: &Path, append: bool| {
            let mut options = OpenOptions::new();
            options.read(true).write(true).create(true).truncate(false).append(append);
            options.open(path).map_err(ModelError::io(path))
        };
        let file = open(&path, false)?;
        file.set_len((samples.len() * size * size) as u64).map_err(ModelError::io(&path))?;
        let mut entries = read_index(&index_path, samples)?;
        let mut index = open(&index_path, true)?;
        let missing: Vec<usize> = (0..samples.len()).filter(|slot| entries[*slot].is_none()).collect();
        let mut done = samples.len() - missing.len();
        let mut unreadable = Vec::new();
        if !progress(done, samples.len()) {
            return Ok(Built::Stopped);
        }
        for chunk in missing.chunks(CHUNK) {
            let prepared: Vec<_> =
                chunk.par_iter().map(|&slot| prepare(&file, &path, slot, &samples[slot], size, fit)).collect();
            let mut lines = String::new();
            for result in prepared {
                match result? {
                    Ok(entry) => {
                        lines.push_str(&serde_json::to_string(&entry).map_err(|e| ModelError::format(&index_path, e))?);
                        lines.push('\n');
                        let slot = entry.slot;
                        entries[slot] = Some(entry);
                    }
                    Err(film) => unreadable.push(film),
                }
            }
            index.write_all(lines.as_bytes()).map_err(ModelError::io(&index_path))?;
            done += chunk.len();
            if !progress(done, samples.len()) {
                return Ok(Built::Stopped);
            }
        }
        if !unreadable.is_empty() {
            return Ok(Built::Unreadable(unreadable));
        }
        // Every slot is done, or its film would be among the unreadable.
        let entries = entries.into_iter().flatten().collect();
        Ok(Built::Whole(FilmCache { path, file, size, entries }))
    }

    /// Number of films.
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether there are no films.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// What is known of each film, in the samples' order.
    pub fn entries(&self) -> &[Entry] {
        &self.entries
    }

    /// Pixels on each side of a prepared film.
    pub fn size(&self) -> usize {
        self.size
    }

    /// Reads the film of a slot (its place among the samples) into `pixels`, of length size².
    ///
    /// # Errors
    /// When the file cannot be read or the pixels are not those that were written.
    ///
    /// # Panics
    /// When there is no such slot or `pixels` has another length.
    pub fn read(&self, slot: usize, pixels: &mut [u8]) -> Result<(), ModelError> {
        let entry = &self.entries[slot];
        assert_eq!(pixels.len(), self.size * self.size, "a film of another size");
        read_at(&self.file, pixels, (slot * pixels.len()) as u64).map_err(ModelError::io(&self.path))?;
        if crc32fast::hash(pixels) != entry.crc32 {
            return Err(ModelError::format(
                &self.path,
                format!("the pixels of film {} are damaged; remove this cache and it is built again", entry.image_id),
            ));
        }
        Ok(())
    }
}

/// How building a cache ended.
#[derive(Debug)]
pub enum Built {
    /// Every film is there.
    Whole(FilmCache),
    /// Some films cannot be read; the others are kept for the next time.
    Unreadable(Vec<Unreadable>),
    /// The work was stopped; what was done is kept.
    Stopped,
}

fn prepare(
    file: &File,
    path: &Path,
    slot: usize,
    sample: &Sample,
    size: usize,
    fit: Fit,
) -> Result<Result<Entry, Unreadable>, ModelError> {
    let film = match coxa_imaging::read(&sample.image) {
        Ok(film) => film,
        Err(error) => {
            return Ok(Err(Unreadable { image_id: sample.image_id.clone(), reason: error.to_string() }));
        }
    };
    let input = preprocess(&film, size, fit);
    write_at(file, &input.pixels, (slot * size * size) as u64).map_err(ModelError::io(path))?;
    Ok(Ok(Entry {
        slot,
        image_id: sample.image_id.clone(),
        sha256: film.sha256().to_string(),
        crc32: crc32fast::hash(&input.pixels),
        film_width: film.width(),
        film_height: film.height(),
    }))
}

/// Names a cache by everything that its pixels depend on.
fn fingerprint(samples: &[Sample], size: usize, fit: Fit) -> Result<String, ModelError> {
    let mut hash = Sha256::new();
    hash.update(format!("{PREPARATION}\n{size}\n{fit:?}\n"));
    for sample in samples {
        // A film that is not there counts as empty here and is named when it cannot be read.
        let metadata = std::fs::metadata(&sample.image).ok();
        let changed = metadata.as_ref().and_then(|m| m.modified().ok()?.duration_since(UNIX_EPOCH).ok());
        let nanoseconds = changed.map_or(0, |time| time.as_nanos());
        let length = metadata.map_or(0, |m| m.len());
        let path = std::path::absolute(&sample.image).map_err(ModelError::io(&sample.image))?;
        hash.update(format!("{}\t{}\t{}\t{nanoseconds}\n", sample.image_id, path.display(), length));
    }
    Ok(hash.finish()[..16].to_string())
}

/// The index's entries by slot. A last line that was cut off, and lines that do not fit the samples, count as not done.
fn read_index(path: &Path, samples: &[Sample]) -> Result<Vec<Option<Entry>>, ModelError> {
    let mut entries = vec![None; samples.len()];
    if !path.exists() {
        return Ok(entries);
    }
    let text = files::read_text(path)?;
    for line in text.lines() {
        if let Ok(entry) = serde_json::from_str::<Entry>(line)
            && samples.get(entry.slot).is_some_and(|sample| sample.image_id == entry.image_id)
        {
            let slot = entry.slot;
            entries[slot] = Some(entry);
        }
    }
    // After a line that was cut off, the next one must not continue it.
    if !text.is_empty() && !text.ends_with('\n') {
        let mut file = OpenOptions::new().append(true).open(path).map_err(ModelError::io(path))?;
        file.write_all(b"\n").map_err(ModelError::io(path))?;
    }
    Ok(entries)
}

#[cfg(unix)]
fn read_at(file: &File, bytes: &mut [u8], offset: u64) -> std::io::Result<()> {
    std::os::unix::fs::FileExt::read_exact_at(file, bytes, offset)
}

#[cfg(unix)]
fn write_at(file: &File, bytes: &[u8], offset: u64) -> std::io::Result<()> {
    std::os::unix::fs::FileExt::write_all_at(file, bytes, offset)
}

#[cfg(windows)]
fn read_at(file: &File, mut bytes: &mut [u8], mut offset: u64) -> std::io::Result<()> {
    while !bytes.is_empty() {
        let n = std::os::windows::fs::FileExt::seek_read(file, bytes, offset)?;
        if n == 0 {
            return Err(std::io::ErrorKind::UnexpectedEof.into());
        }
        bytes = &mut bytes[n..];
        offset += n as u64;
    }
    Ok(())
}

#[cfg(windows)]
fn write_at(file: &File, mut bytes: &[u8], mut offset: u64) -> std::io::Result<()> {
    while !bytes.is_empty() {
        let n = std::os::windows::fs::FileExt::seek_write(file, bytes, offset)?;
        bytes = &bytes[n..];
        offset += n as u64;
    }
    Ok(())
}
