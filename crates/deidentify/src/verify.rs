//! Goes over de-identified films again and looks for what should not be there.
//!
//! A film is right if de-identifying it changes nothing: the same walk decides every element again, without a key by the form of UIDs and
//! pseudonyms, with a key by their checks. Known identifiers are then looked for as bytes, pixels included.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use coxa_files::find::films_below;
use serde::Serialize;

use crate::blanking::{PixelCleaning, Rectangle, TextDetector};
use crate::charset::{Form, written_forms};
use crate::deidentifier::{Deidentifier, Settings};
use crate::error::DeidentifyError;
use crate::folder::{MARK, mark_of};
use crate::identifiers::is_telling;
use crate::key::Key;
use crate::origins::ORIGINS;
use crate::pixels;
use crate::receipt::Done;
use crate::review::{REGIONS_TABLE, WITHHELD_LIST};
use crate::walk::Mapping;
use crate::words::Words;

/// What is wrong with a film, without any value of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Verdict {
    /// The file, below the folder.
    pub file: String,
    /// What was found; empty where all is well.
    pub findings: Vec<String>,
}

/// Checks films.
pub struct Verifier {
    deidentifier: Deidentifier,
    has_key: bool,
    known: KnownIdentifiers,
    text: Option<PixelCleaning>,
}

impl Verifier {
    /// For the films of an output folder, made with the words given; with a key, UIDs and pseudonyms are checked to be the key's.
    /// Settings other than the options and the words do not matter.
    ///
    /// # Errors
    /// [`DeidentifyError::ForeignFolder`], or [`DeidentifyError::OtherKey`] where the key is not the folder's.
    pub fn new(folder: &Path, key: Option<Key>, words: Words, known: &[String]) -> Result<Self, DeidentifyError> {
        let (options, check) = mark_of(folder)?;
        if key.as_ref().is_some_and(|key| key.check() != check) {
            return Err(DeidentifyError::OtherKey { path: folder.to_owned() });
        }
        let known = KnownIdentifiers::new(known, &words);
        let has_key = key.is_some();
        let settings = Settings { options, words, ..Settings::default() };
        let deidentifier = Deidentifier::new(key.unwrap_or(Key::from_bytes([0; 32])), settings);
        Ok(Self { deidentifier, has_key, known, text: None })
    }

    /// Searches the pixels too. Regions that a person kept are found again.
    #[must_use]
    pub fn with_detector(self, detector: Arc<dyn TextDetector>) -> Self {
        Self { text: Some(PixelCleaning { detector: Some(detector), ..PixelCleaning::default() }), ..self }
    }

    /// What is wrong with a film.
    pub fn film(&self, bytes: &[u8]) -> Vec<String> {
        let mapping = if self.has_key { Mapping::Keyed(self.deidentifier.key()) } else { Mapping::Shapes };
        let mut findings = Vec::new();
        match self.deidentifier.with(bytes, mapping, &[]) {
            Err(reason) => findings.push(format!("the film would be withheld: {reason}")),
            Ok(again) => {
                let elements = again.receipt.elements.iter();
                findings.extend(elements.map(|(name, done, _)| format!("{name}: {}", would_be(done))));
                if findings.is_empty() && again.bytes != bytes {
                    findings.push("bytes outside of the elements: preamble, file meta information, pixels' unused bits or padding".into());
                }
            }
        }
        let found = self.text.as_ref().map(|cleaning| pixels::text_in(bytes, cleaning)).unwrap_or_default();
        findings.extend(found.iter().map(|Rectangle { x, y, width, height }| {
            format!("text may be burned into its pixels at {x},{y},{width},{height}")
        }));
        let n = self.known.count_in(bytes);
        if n > 0 {
            findings.push(format!("{n} known identifiers are in its bytes"));
        }
        findings
    }

    /// Goes over all files below a folder; each verdict is passed on. Returns how many files have findings.
    ///
    /// # Errors
    /// The observer's, or the system's for a folder.
    pub fn folder(
        &self,
        folder: &Path,
        mut report: impl FnMut(Verdict) -> std::io::Result<()>,
    ) -> Result<usize, DeidentifyError> {
        let found = films_below(folder);
        let mut files: Vec<PathBuf> = found.films.into_iter().chain(found.others).collect();
        files.sort();
        let own = [MARK, WITHHELD_LIST, REGIONS_TABLE, ORIGINS].map(|name| folder.join(name));
        files.retain(|file| !own.contains(file));
        let mut wrong = 0;
        for file in files {
            let name = file.strip_prefix(folder).unwrap_or(&file).to_string_lossy().replace('\\', "/");
            let mut findings =
                std::fs::read(&file).map(|bytes| self.film(&bytes)).map_err(|source| io(&file, source))?;
            if self.known.count_in(name.as_bytes()) > 0 {
                findings.push("a known identifier is in its name".into());
            }
            wrong += usize::from(!findings.is_empty());
            report(Verdict { file: name, findings }).map_err(|source| io(Path::new("standard output"), source))?;
        }
        Ok(wrong)
    }
}

fn io(path: &Path, source: std::io::Error) -> DeidentifyError {
    DeidentifyError::Io { path: path.to_owned(), source }
}

fn would_be(done: Done) -> &'static str {
    match done {
        Done::Removed => "it should not be there",
        Done::Emptied => "it should have no value",
        Done::Replaced => "its value is not a pseudonym, a derived UID or a dummy",
        Done::Cleaned => "its value holds something that should not be there",
        Done::Shifted => "it is not a whole date or time",
    }
}

/// Identifiers that must be nowhere, in all the ways that they may be written, by their first bytes.
struct KnownIdentifiers {
    forms: HashMap<[u8; PREFIX], Vec<Form>>,
}

const PREFIX: usize = 4;
/// Shorter forms are found in pixels by chance.
const LEAST_IN_PIXELS: usize = 8;

impl KnownIdentifiers {
    fn new(identifiers: &[String], words: &Words) -> Self {
        let parts = identifiers
            .iter()
            .flat_map(|identifier| identifier.split(['\\', '=', '^', ' ']).chain([identifier.as_str()]));
        let is_number = |part: &str| part.len() < 6 && part.bytes().all(|b| b.is_ascii_digit());
        let telling = parts.filter(|part| is_telling(part) && !is_number(part) && !words.cover(part));
        let mut forms: HashMap<[u8; PREFIX], Vec<Form>> = HashMap::new();
        for form in telling.flat_map(written_forms) {
            if let Some(prefix) = form.bytes.first_chunk() {
                let with_prefix = forms.entry(*prefix).or_default();
                if !with_prefix.contains(&form) {
                    with_prefix.push(form);
                }
            }
        }
        Self { forms }
    }

    /// How many places of the bytes hold one.
    fn count_in(&self, bytes: &[u8]) -> usize {
        if self.forms.is_empty() {
            return 0;
        }
        let haystack = bytes.to_ascii_lowercase();
        let pixels = haystack.windows(4).position(|tag| tag == b"\xe0\x7f\x10\0").unwrap_or(haystack.len());
        let is_found =
            |at: usize, form: &Form| (at < pixels || form.bytes.len() >= LEAST_IN_PIXELS) && form.is_at(at, &haystack);
        let at_place = |(at, window): (usize, &[u8])| {
            let prefix: &[u8; PREFIX] = window.first_chunk()?;
            self.forms.get(prefix)?.iter().any(|form| is_found(at, form)).then_some(())
        };
        haystack.windows(PREFIX).enumerate().filter_map(at_place).count()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_identifiers_are_found_in_every_encoding() {
        let known = ["ID-778899", "Quincy^Jack", "王小東", "1234", "Hip"].map(str::to_owned);
        let known = KnownIdentifiers::new(&known, &Words::default());
        for (bytes, n) in [
            (&b"x ID-778899 y"[..], 1),
            (b"QUINCY", 1),
            (b"\0j\0a\0c\0k", 1),
            (b"Hip 1234", 0),
            (b"jackson", 0),
            ("王小東".as_bytes(), 1),
            (b"\xcd\xf5\xd0\xa1\x96|", 1),
            (b"\x1b$B2&>.El\x1b(B", 1),
        ] {
            assert_eq!(known.count_in(bytes), n, "{bytes:?}");
        }
    }
}
