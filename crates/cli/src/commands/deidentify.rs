//! `coxa deidentify`: films without identity, a receipt a line; and the check of what was written.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::Context as _;
use clap::{Args, Subcommand, ValueEnum};
use coxa_deidentify::{
    Decisions, Deidentifier, FilmOutcome, Key, LinkTable, Opener, PixelCleaning, PixelScript, ProfileOption, Rectangle,
    Seal, Settings, TextDetector, TextFinder, Verifier, Words, deidentify_files, deidentify_registry, identifiers_in,
    inputs, patients_in,
};

use crate::output::{Outcome, usage, write_json_line};
use crate::values::threads_in_range;

/// Remove identities from DICOM films (PS3.15 Annex E): pseudonyms, shifted dates, derived UIDs, cleaned texts.
///
/// Print a receipt for each film as a line of JSON: what was done to which element, never what it held. A film is named by its serial
/// number, its place in the sorted list of inputs. A film whose identity cannot be removed for certain is withheld, with the reason.
#[derive(Args)]
#[command(args_conflicts_with_subcommands = true, subcommand_negates_reqs = true)]
#[command(after_help = "Examples:
  coxa deidentify --create-key --key KEY
  coxa deidentify FOLDER --out FILMS --key KEY --link-table LINK.age --link-recipient age1…
  coxa deidentify verify FILMS --key KEY --registry REGISTRY.csv")]
pub struct Deidentify {
    #[command(subcommand)]
    verify: Option<What>,
    /// Films, and folders to search.
    #[arg(value_name = "IN", required_unless_present_any = ["create_key", "registry"])]
    inputs: Vec<PathBuf>,
    /// The output folder: new, or of an earlier run with the same key and options.
    #[arg(long, value_name = "DIR", required_unless_present_any = ["create_key", "registry"])]
    out: Option<PathBuf>,
    /// The file of the key that pseudonyms, UIDs and shifts are made with.
    #[arg(long, value_name = "FILE", required = true)]
    key: Option<PathBuf>,
    /// Make the key's file first; it must not exist.
    #[arg(long)]
    create_key: bool,
    /// Retain what the profile removes.
    #[arg(long, value_enum, value_delimiter = ',')]
    retain: Vec<Retain>,
    /// Remove what is kept by default.
    #[arg(long, value_enum, value_delimiter = ',')]
    remove: Vec<Remove>,
    /// Let the words of this file stay in texts too.
    #[arg(long, value_name = "FILE")]
    words: Option<PathBuf>,
    /// Assume this issuer for patient IDs that state none.
    #[arg(long, value_name = "TEXT", default_value = "")]
    issuer: String,
    /// What to do about text that is burned into the pixels.
    #[arg(long, value_enum, default_value_t)]
    burned_in_text: BurnedInText,
    /// Blank this rectangle of every film, and admit films with burned-in text.
    #[arg(long, value_name = "X,Y,WIDTH,HEIGHT", value_parser = rectangle)]
    blank: Vec<Rectangle>,
    /// Blank rectangles by device, as this script in the form of CTP's DicomPixelAnonymizer says.
    #[arg(long, value_name = "FILE")]
    pixel_script: Option<PathBuf>,
    /// Apply the decisions in this table (serial,x,y,width,height,verdict) to films that were withheld for review.
    ///
    /// A verdict is `blank` or `keep`. Serial numbers are those of the receipts, so the inputs must be the same.
    #[arg(long, value_name = "CSV")]
    regions: Option<PathBuf>,
    /// De-identify this registry with the same key.
    #[arg(long, value_name = "CSV", requires = "registry_out")]
    registry: Option<PathBuf>,
    /// Write the registry here.
    #[arg(long, value_name = "CSV", requires = "registry")]
    registry_out: Option<PathBuf>,
    /// Write the encrypted table of who each film is of.
    #[arg(long, value_name = "FILE", requires = "seal")]
    link_table: Option<PathBuf>,
    #[command(flatten)]
    seal: SealArgs,
    /// Use this many threads, by default all.
    #[arg(long, value_parser = threads_in_range)]
    threads: Option<usize>,
}

#[derive(Args)]
#[group(id = "seal", multiple = false)]
struct SealArgs {
    /// Encrypt the linking table for this age recipient.
    #[arg(long, value_name = "age1…", requires = "link_table")]
    link_recipient: Option<String>,
    /// Encrypt the linking table by the passphrase in the first line of this file.
    #[arg(long, value_name = "FILE", requires = "link_table")]
    link_passphrase_file: Option<PathBuf>,
}

#[derive(Clone, Copy, ValueEnum)]
enum Retain {
    /// The original UIDs.
    Uids,
    /// Serial number, station, model and the like.
    Device,
}

#[derive(Clone, Copy, ValueEnum)]
enum Remove {
    /// Dates and times, which are otherwise shifted by patient.
    Dates,
    /// Sex, age, size, weight and the like.
    Patient,
    /// Descriptions and comments, of which the listed words otherwise stay.
    Descriptors,
}

#[derive(Clone, Copy, Default, ValueEnum)]
pub(super) enum BurnedInText {
    /// Find it and blank it; withhold films that may have some for review.
    #[default]
    Blank,
    /// Do not search for it; withhold films whose header states it.
    Withhold,
}

impl BurnedInText {
    /// What searches the pixels.
    pub(super) fn detector(self) -> Option<Arc<dyn TextDetector>> {
        match self {
            Self::Blank => Some(Arc::new(TextFinder::default())),
            Self::Withhold => None,
        }
    }
}

#[derive(Subcommand)]
enum What {
    /// Check de-identified films again, element by element, and report what should not be there.
    Verify(Verify),
}

/// Check de-identified films again, element by element, and report what should not be there.
///
/// Print a line of JSON for each film with findings. Exit with 1 if there is one.
#[derive(Args)]
struct Verify {
    /// The output folder of `coxa deidentify`.
    folder: PathBuf,
    /// Check that UIDs and pseudonyms are this key's.
    #[arg(long, value_name = "FILE")]
    key: Option<PathBuf>,
    /// The words that were allowed beside the list's.
    #[arg(long, value_name = "FILE")]
    words: Option<PathBuf>,
    /// Search the pixels for text too; regions that a person kept are found again.
    #[arg(long)]
    find_text: bool,
    /// Look for the patients of this registry.
    #[arg(long, value_name = "CSV")]
    registry: Option<PathBuf>,
    /// Look for the identifiers in this linking table.
    #[arg(long, value_name = "FILE", requires = "opener")]
    link_table: Option<PathBuf>,
    #[command(flatten)]
    opener: OpenerArgs,
}

#[derive(Args)]
#[group(id = "opener", multiple = false)]
struct OpenerArgs {
    /// Open the linking table by the secret key in this age identity file.
    #[arg(long, value_name = "FILE", requires = "link_table")]
    link_identity: Option<PathBuf>,
    /// Open the linking table by the passphrase in the first line of this file.
    #[arg(long, value_name = "FILE", requires = "link_table")]
    link_passphrase_file: Option<PathBuf>,
}

impl Deidentify {
    /// De-identifies films and the registry, or verifies.
    pub fn run(self) -> anyhow::Result<Outcome> {
        if let Some(What::Verify(verify)) = self.verify {
            return verify.run();
        }
        let path = self.key.as_deref().context("--key is missing")?;
        let key = if self.create_key { Key::create(path)? } else { Key::read(path)? };
        let settings = self.settings()?;
        let deidentifier = Deidentifier::new(key, settings);
        if let (Some(registry), Some(out)) = (&self.registry, &self.registry_out) {
            let report = deidentify_registry(&deidentifier, registry, out)?;
            eprintln!("{} rows of the registry de-identified", report.rows);
            if !report.left_out.is_empty() {
                eprintln!("note: columns that are not known were left out: {}", report.left_out.len());
            }
            if report.emptied > 0 {
                eprintln!(
                    "note: {} fields of the registry did not hold what their column holds, and were emptied",
                    report.emptied
                );
            }
        }
        match &self.out {
            Some(out) if !self.inputs.is_empty() => self.films(&deidentifier, out),
            None if self.inputs.is_empty() => Ok(Outcome::Done),
            _ => Err(usage("films need --out, and --out needs films", "coxa deidentify IN… --out DIR --key FILE")),
        }
    }

    fn settings(&self) -> anyhow::Result<Settings> {
        let mut settings =
            Settings { issuer: self.issuer.clone(), words: words(self.words.as_deref())?, ..Settings::default() };
        for retain in &self.retain {
            settings.options.insert(match retain {
                Retain::Uids => ProfileOption::Uids,
                Retain::Device => ProfileOption::DeviceIdentity,
            });
        }
        for remove in &self.remove {
            settings.options.remove(&match remove {
                Remove::Dates => ProfileOption::ModifiedDates,
                Remove::Patient => ProfileOption::PatientCharacteristics,
                Remove::Descriptors => ProfileOption::CleanDescriptors,
            });
        }
        let script = match &self.pixel_script {
            Some(file) => PixelScript::parse(&read(file)?, &file.display().to_string())?,
            None => PixelScript::default(),
        };
        let detector = self.burned_in_text.detector();
        settings.pixels = PixelCleaning { rectangles: self.blank.clone(), script, detector };
        if let Some(file) = &self.regions {
            settings.decisions = Decisions::read(file)?;
        }
        Ok(settings)
    }

    fn films(&self, deidentifier: &Deidentifier, out: &Path) -> anyhow::Result<Outcome> {
        let files = inputs(&self.inputs, out)?;
        let mut link = match (&self.link_table, self.seal()?) {
            (Some(place), Some(seal)) => Some((place, LinkTable::new(place, seal)?)),
            _ => None,
        };
        let threads = self.threads.unwrap_or_else(|| std::thread::available_parallelism().map_or(1, usize::from));
        let mut closed = None;
        let table = link.as_mut().map(|(_, table)| table);
        let withheld = deidentify_files(deidentifier, &files, out, threads, table, |line| {
            if let FilmOutcome::Withheld { reason, .. } = &line.outcome {
                eprintln!("withheld: film {}: {reason}", line.serial);
            }
            // A closed pipe ends the receipts, not the work: the linking table must hold every film.
            if closed.is_none() {
                closed = write_json_line(&line).err();
            }
            Ok(())
        })?;
        if let Some((place, table)) = link {
            table.write(place)?;
        }
        eprintln!("{} films de-identified, {withheld} withheld", files.len() - withheld);
        closed.map_or(Ok(Outcome::of_failures(withheld)), |error| Err(error.into()))
    }

    fn seal(&self) -> anyhow::Result<Option<Seal>> {
        let SealArgs { link_recipient, link_passphrase_file } = &self.seal;
        Ok(match (link_recipient, link_passphrase_file) {
            (Some(recipient), _) => Some(Seal::recipient(recipient)?),
            (None, Some(file)) => Some(Seal::passphrase(&first_line(file)?)?),
            (None, None) => None,
        })
    }
}

impl Verify {
    fn run(self) -> anyhow::Result<Outcome> {
        let key = self.key.as_deref().map(Key::read).transpose()?;
        let mut known = self.registry.as_deref().map(patients_in).transpose()?.unwrap_or_default();
        if let Some(table) = &self.link_table {
            let opener = match (&self.opener.link_identity, &self.opener.link_passphrase_file) {
                (Some(file), _) => Opener::identity(&read(file)?)?,
                (None, Some(file)) => Opener::passphrase(&first_line(file)?),
                (None, None) => {
                    return Err(usage("--link-table is encrypted", "name --link-identity or --link-passphrase-file"));
                }
            };
            known.extend(identifiers_in(table, &opener)?);
        }
        let mut verifier = Verifier::new(&self.folder, key, words(self.words.as_deref())?, &known)?;
        if self.find_text {
            verifier = verifier.with_detector(Arc::new(TextFinder::default()));
        }
        let mut films = 0;
        let wrong = verifier.folder(&self.folder, |verdict| {
            films += 1;
            if verdict.findings.is_empty() { Ok(()) } else { write_json_line(&verdict) }
        })?;
        eprintln!("{films} files checked, {wrong} with findings");
        Ok(Outcome::of_failures(wrong))
    }
}

pub(super) fn words(file: Option<&Path>) -> anyhow::Result<Words> {
    let mut words = Words::default();
    if let Some(file) = file {
        words.add(&read(file)?);
    }
    Ok(words)
}

fn read(file: &Path) -> anyhow::Result<String> {
    fs::read_to_string(file).with_context(|| file.display().to_string())
}

pub(super) fn first_line(file: &Path) -> anyhow::Result<String> {
    Ok(read(file)?.lines().next().unwrap_or_default().to_owned())
}

/// Reads `X,Y,WIDTH,HEIGHT`.
pub(super) fn rectangle(text: &str) -> Result<Rectangle, String> {
    let numbers: Option<Vec<usize>> = text.split(',').map(|number| number.trim().parse().ok()).collect();
    match numbers.as_deref() {
        Some(&[x, y, width, height]) if width > 0 && height > 0 => Ok(Rectangle { x, y, width, height }),
        _ => Err("a rectangle is X,Y,WIDTH,HEIGHT in pixels from the upper left corner".to_owned()),
    }
}
