//! A dataset on disk: `manifest.csv`, `truth.csv` and `images/`, read strictly and written whole.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Component, Path, PathBuf};

use coxa_files::sha256_of_file;
use coxa_files::table::{Row, Table, TableError, Unique, to_csv, write_atomically};
use coxa_schema::{BodyPart, FractureType, Label, Sex, Side};

use crate::error::CohortError;
use crate::film::{Film, TruthBox};
use crate::truth::{TRUTH_COLUMNS, check_truth, truth_of};

/// The manifest's file name.
pub const MANIFEST: &str = "manifest.csv";
/// The truth table's file name.
pub const TRUTH: &str = "truth.csv";

/// The columns of the manifest, in the order in which they are written; further columns follow by name.
pub const MANIFEST_COLUMNS: [&str; 14] = [
    "image_id",
    "path",
    "sha256",
    "patient",
    "body_part",
    "label",
    "fracture_type",
    "side",
    "age",
    "sex",
    "quality",
    "excluded",
    "reason",
    "source",
];

/// The manifest's columns that must be there; the others may be left out.
const REQUIRED: [&str; 5] = ["image_id", "path", "patient", "body_part", "label"];

/// Films with their labels and truth boxes.
#[derive(Debug, Clone, PartialEq)]
pub struct Dataset {
    /// The folder.
    pub folder: PathBuf,
    /// The films, in the manifest's order.
    pub films: Vec<Film>,
    /// The fracture boxes.
    pub truth: Vec<TruthBox>,
}

impl Dataset {
    /// An empty dataset of a folder that need not exist yet.
    pub fn new(folder: impl Into<PathBuf>) -> Self {
        Self { folder: folder.into(), films: Vec::new(), truth: Vec::new() }
    }

    /// Reads a dataset and checks it: every value is of a known spelling, no film is there twice (by name or by content),
    /// every film's file exists, every box belongs to a film with a fracture. A dataset without `truth.csv` has no boxes.
    ///
    /// The files' hashes are not recomputed: see [`Dataset::verify`].
    ///
    /// # Errors
    /// [`CohortError`], naming file, row and value.
    pub fn load(folder: &Path) -> Result<Self, CohortError> {
        let truth = folder.join(TRUTH);
        let truth = truth.exists().then(|| Table::read(&truth)).transpose()?;
        let (dataset, lines) = Self::of_tables(folder, &Table::read(&folder.join(MANIFEST))?, truth.as_ref())?;
        dataset.check_files(&lines)?;
        Ok(dataset)
    }

    /// The dataset of a manifest and a truth table that are in memory, with the checks of [`Dataset::load`] but for the files' existence;
    /// `folder` stands for its place in error messages. The inverse of [`Dataset::manifest_csv`] and [`Dataset::truth_csv`].
    ///
    /// # Errors
    /// [`CohortError`], naming row and value.
    pub fn parse(folder: &Path, manifest: &[u8], truth: &[u8]) -> Result<Self, CohortError> {
        let (manifest, truth) =
            (Table::parse(manifest, &folder.join(MANIFEST))?, Table::parse(truth, &folder.join(TRUTH))?);
        Ok(Self::of_tables(folder, &manifest, Some(&truth))?.0)
    }

    /// A dataset of its tables, with the line of each film.
    fn of_tables(folder: &Path, manifest: &Table, truth: Option<&Table>) -> Result<(Self, Vec<u64>), CohortError> {
        for column in REQUIRED {
            manifest.require(column)?;
        }
        let films = CohortError::gather(manifest.rows().map(|row| film(manifest, row)))?;
        let lines: Vec<u64> = manifest.rows().map(|row| row.line()).collect();
        check_films(manifest.path(), &films, &lines)?;
        let (boxes, box_lines) = truth.map(truth_of).transpose()?.unwrap_or_default();
        check_truth(&folder.join(TRUTH), &boxes, &box_lines, &films)?;
        Ok((Self { folder: folder.to_owned(), films, truth: boxes }, lines))
    }

    /// Writes `manifest.csv` and `truth.csv`, each whole or not at all, after the checks that [`Dataset::load`] makes (but
    /// for the files' existence). The folder is made if it does not exist.
    ///
    /// # Errors
    /// [`CohortError`]: a contradiction or duplicate (the line is the one that the row would have), or the disk.
    pub fn save(&self) -> Result<(), CohortError> {
        let path = self.folder.join(MANIFEST);
        let lines: Vec<u64> = (2..).take(self.films.len()).collect();
        check_films(&path, &self.films, &lines)?;
        let truth_lines: Vec<u64> = (2..).take(self.truth.len()).collect();
        check_truth(&self.folder.join(TRUTH), &self.truth, &truth_lines, &self.films)?;
        fs::create_dir_all(&self.folder).map_err(CohortError::io(&self.folder))?;
        Ok(write_atomically(&self.folder, &[(TRUTH, self.truth_csv()), (MANIFEST, self.manifest_csv())])?)
    }

    /// The place of a film's file.
    pub fn image_path(&self, film: &Film) -> PathBuf {
        self.folder.join(&film.path)
    }

    /// Whether any film is simulated, as its source says: then no figure from the set may pass for one of real films.
    pub fn is_simulated(&self) -> bool {
        self.films.iter().any(|film| film.source.to_lowercase().contains("simulat"))
    }

    /// The film of that name.
    pub fn film(&self, image_id: &str) -> Option<&Film> {
        self.films.iter().find(|film| film.image_id == image_id)
    }

    /// The films that a test counts: not excluded, and of a known label.
    pub fn labeled(&self) -> impl Iterator<Item = &Film> {
        self.films.iter().filter(|film| !film.excluded && film.label != Label::Unknown)
    }

    /// The boxes of each film that has one, by image_id.
    pub fn boxes(&self) -> BTreeMap<&str, Vec<&TruthBox>> {
        let mut boxes: BTreeMap<&str, Vec<&TruthBox>> = BTreeMap::new();
        for truth in &self.truth {
            boxes.entry(&truth.image_id).or_default().push(truth);
        }
        boxes
    }

    /// The year of each film, by image_id: a column that holds a year (`2016`) or a date that begins with one. Films where
    /// it is empty are left out.
    ///
    /// # Errors
    /// [`TableError::MissingColumn`] when no film has the column, [`TableError::Value`] for another spelling.
    fn years(&self, column: &str) -> Result<BTreeMap<String, i32>, CohortError> {
        let mut years = BTreeMap::new();
        for (i, film) in self.films.iter().enumerate() {
            let Some(text) = film.column(column).filter(|text| !text.is_empty()) else {
                continue;
            };
            let head = text.split('-').next().unwrap_or_default();
            let year = head.parse().ok().filter(|year| (1895..=2200).contains(year));
            let value_error = || TableError::Value {
                path: self.folder.join(MANIFEST),
                line: i as u64 + 2,
                column: column.to_owned(),
                value: text.clone(),
                expected: "a year (2016) or a date (2016-05-31)".to_owned(),
            };
            years.insert(film.image_id.clone(), year.ok_or_else(value_error)?);
        }
        if years.is_empty() {
            return Err(TableError::MissingColumn {
                path: self.folder.join(MANIFEST),
                column: column.to_owned(),
                found: MANIFEST_COLUMNS.join(", "),
            }
            .into());
        }
        Ok(years)
    }

    /// Keeps the films of this year (column `year`) and earlier, and their boxes: the earlier part of a split in time, to train on.
    ///
    /// # Errors
    /// [`TableError::MissingColumn`] or [`TableError::Value`] where a film's year is not known.
    pub fn keep_until_year(&mut self, last: i32) -> Result<(), CohortError> {
        let years = self.known_years()?;
        self.keep(|film| years[&film.image_id] <= last);
        Ok(())
    }

    /// Keeps the films of this year and later, to test on, without those of patients who have an earlier one: they may have been trained
    /// on. Says how many these are.
    ///
    /// # Errors
    /// As [`Dataset::keep_until_year`].
    pub fn keep_from_year(&mut self, first: i32) -> Result<usize, CohortError> {
        let years = self.known_years()?;
        let is_late = |film: &Film| years[&film.image_id] >= first;
        let earlier = self.films.iter().filter(|film| !is_late(film) && !film.patient.is_empty());
        let earlier: BTreeSet<String> = earlier.map(|film| film.patient.clone()).collect();
        let left_out = self.films.iter().filter(|film| is_late(film) && earlier.contains(&film.patient)).count();
        self.keep(|film| is_late(film) && !earlier.contains(&film.patient));
        Ok(left_out)
    }

    fn keep(&mut self, wanted: impl Fn(&Film) -> bool) {
        self.films.retain(wanted);
        let kept: BTreeSet<&str> = self.films.iter().map(|film| film.image_id.as_str()).collect();
        self.truth.retain(|truth| kept.contains(truth.image_id.as_str()));
    }

    /// The year of every film.
    fn known_years(&self) -> Result<BTreeMap<String, i32>, CohortError> {
        let years = self.years("year")?;
        match self.films.iter().position(|film| !years.contains_key(&film.image_id)) {
            None => Ok(years),
            Some(place) => Err(TableError::Value {
                path: self.folder.join(MANIFEST),
                line: place as u64 + 2,
                column: "year".to_owned(),
                value: String::new(),
                expected: "a year, which choosing films by year needs".to_owned(),
            }
            .into()),
        }
    }

    /// Reads every file and compares its SHA-256 with the manifest's; rows without a hash are not compared.
    ///
    /// # Errors
    /// [`CohortError::ChangedFile`] for the first file that differs, or [`CohortError::Io`].
    pub fn verify(&self) -> Result<(), CohortError> {
        for (i, film) in self.films.iter().enumerate().filter(|(_, film)| !film.sha256.is_empty()) {
            let found = hash_of_file(&self.image_path(film))?;
            if found != film.sha256 {
                return Err(CohortError::ChangedFile {
                    path: self.folder.join(MANIFEST),
                    line: i as u64 + 2,
                    file: film.path.clone(),
                    expected: film.sha256.clone(),
                    found,
                });
            }
        }
        Ok(())
    }

    /// The SHA-256 of a film's file: the manifest's, or where it has none the file's own.
    ///
    /// # Errors
    /// A file that cannot be read.
    pub fn content_of(&self, film: &Film) -> Result<String, CohortError> {
        if film.sha256.is_empty() { hash_of_file(&self.image_path(film)) } else { Ok(film.sha256.clone()) }
    }

    /// Checks that another dataset (a test set kept apart) shares no film, by content, and no patient with this one. The patients of
    /// two simulated sets are not compared, as every simulation numbers its own from 0; neither are the films' names.
    ///
    /// # Errors
    /// [`CohortError::SharedFilm`] or [`CohortError::SharedPatient`], and a file that cannot be read.
    pub fn check_disjoint(&self, other: &Self) -> Result<(), CohortError> {
        let mut contents = BTreeSet::new();
        let mut patients = BTreeMap::new();
        for film in self.films.iter().filter(|film| !film.excluded) {
            contents.insert(self.content_of(film)?);
            patients.entry(&film.patient).or_insert(&film.image_id);
        }
        let numbered = self.is_simulated() && other.is_simulated();
        for film in other.films.iter().filter(|film| !film.excluded) {
            if contents.contains(&other.content_of(film)?) {
                return Err(CohortError::SharedFilm { image_id: film.image_id.clone() });
            }
            if let Some(first) = patients.get(&film.patient).filter(|_| !film.patient.is_empty() && !numbered) {
                return Err(CohortError::SharedPatient {
                    patient: film.patient.clone(),
                    first: (*first).clone(),
                    second: film.image_id.clone(),
                });
            }
        }
        Ok(())
    }

    fn check_files(&self, lines: &[u64]) -> Result<(), CohortError> {
        for (film, &line) in self.films.iter().zip(lines) {
            if !self.image_path(film).is_file() {
                return Err(CohortError::MissingFile {
                    path: self.folder.join(MANIFEST),
                    line,
                    file: film.path.clone(),
                });
            }
        }
        Ok(())
    }

    /// The bytes of `manifest.csv`.
    pub fn manifest_csv(&self) -> Vec<u8> {
        let extra: BTreeSet<&str> = self.films.iter().flat_map(|film| film.extra.keys().map(String::as_str)).collect();
        let header: Vec<&str> = MANIFEST_COLUMNS.iter().copied().chain(extra).collect();
        let rows = self
            .films
            .iter()
            .map(|film| header.iter().map(|column| film.column(column).unwrap_or_default()).collect::<Vec<_>>());
        to_csv(&header, rows)
    }

    /// The bytes of `truth.csv`.
    pub fn truth_csv(&self) -> Vec<u8> {
        let rows = self.truth.iter().map(|truth| {
            [
                truth.image_id.clone(),
                truth.x.to_string(),
                truth.y.to_string(),
                truth.width.to_string(),
                truth.height.to_string(),
                truth.class.clone(),
            ]
        });
        to_csv(&TRUTH_COLUMNS, rows)
    }
}

/// The SHA-256 of a film's file.
fn hash_of_file(path: &Path) -> Result<String, CohortError> {
    sha256_of_file(path).map_err(CohortError::io(path))
}

fn film(table: &Table, row: Row<'_>) -> Result<Film, CohortError> {
    let mut film = Film::new(
        row.required("image_id", "the film's name")?,
        row.required("path", "the film's file")?,
        row.text("patient"),
        BodyPart::parse(row.text("body_part")),
        Label::parse(row.text("label")).ok_or_else(|| row.value_error("label", Label::EXPECTED))?,
    );
    if Path::new(&film.path).components().any(|part| part == Component::ParentDir) {
        return Err(row.value_error("path", "a path without `..`").into());
    }
    film.sha256 = row.text("sha256").to_ascii_lowercase();
    if !film.sha256.is_empty() && !is_sha256(&film.sha256) {
        return Err(row.value_error("sha256", "64 hexadecimal digits or empty").into());
    }
    film.fracture_type = row.parsed("fracture_type", FractureType::parse, FractureType::EXPECTED)?;
    film.side = row.parsed("side", Side::parse, Side::EXPECTED)?;
    film.age = row.number("age", 0.0..=130.0, "an age of 0 to 130 years or empty")?.map(|age| age as f32);
    film.sex = row.parsed("sex", Sex::parse, Sex::EXPECTED)?;
    film.excluded = row.flag("excluded")?.unwrap_or(false);
    film.quality = row.text("quality").to_owned();
    film.reason = row.text("reason").to_owned();
    film.source = row.text("source").to_owned();
    film.extra = table
        .columns()
        .iter()
        .filter(|column| !MANIFEST_COLUMNS.contains(&column.as_str()))
        .map(|column| (column.clone(), row.text(column).to_owned()))
        .collect();
    Ok(film)
}

fn is_sha256(text: &str) -> bool {
    text.len() == 64 && text.bytes().all(|byte| byte.is_ascii_hexdigit())
}

fn check_films(path: &Path, films: &[Film], lines: &[u64]) -> Result<(), CohortError> {
    let (mut ids, mut hashes, mut paths) = (Unique::default(), Unique::default(), Unique::default());
    for (film, &line) in films.iter().zip(lines) {
        let empty = [("image_id", &film.image_id), ("path", &film.path)].into_iter().find(|(_, text)| text.is_empty());
        if let Some((column, _)) = empty {
            return Err(TableError::Value {
                path: path.to_owned(),
                line,
                column: column.to_owned(),
                value: String::new(),
                expected: "a film's name and file".to_owned(),
            }
            .into());
        }
        ids.note(path, line, "image_id", &film.image_id)?;
        hashes.note(path, line, "sha256", &film.sha256)?;
        paths.note(path, line, "path", &film.path)?;
        if let Some(reason) = film.contradiction() {
            return Err(CohortError::Contradiction {
                path: path.to_owned(),
                line,
                image_id: film.image_id.clone(),
                reason,
            });
        }
    }
    Ok(())
}
