//! `coxa deidentify`: films without identity, a receipt a line; and the check of what was written.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::Context as _;
use clap::{Args, Subcommand};
use coxa_deidentify::{
    Decisions, Deidentifier, FilmOutcome, Key, LinkTable, Opener, Outputs, Settings, TextFinder, Verifier,
    deidentify_files, deidentify_registry, identifiers_in, inputs, patients_in,
};

use super::profile::{Linking, Profile, first_line, leave_no_dump, read, words};
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
    #[command(flatten)]
    profile: Profile,
    /// Apply the decisions in this table (serial,x,y,width,height,verdict) to films that were withheld for review.
    ///
    /// A verdict is `blank`, `keep` or `exclude`. Serial numbers are those of the receipts, so the inputs must be the same.
    #[arg(long, value_name = "CSV")]
    regions: Option<PathBuf>,
    /// De-identify this registry with the same key.
    #[arg(long, value_name = "CSV", requires = "registry_out")]
    registry: Option<PathBuf>,
    /// Write the registry here.
    #[arg(long, value_name = "CSV", requires = "registry")]
    registry_out: Option<PathBuf>,
    #[command(flatten)]
    linking: Linking,
    /// Write the films that are withheld for review, as they came, to this folder too: the pages of coxa serve show them.
    #[arg(long, value_name = "DIR", requires = "out")]
    keep_identified: Option<PathBuf>,
    /// Use this many threads, by default all.
    #[arg(long, value_parser = threads_in_range)]
    threads: Option<usize>,
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
        leave_no_dump()?;
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
        let decisions = self.regions.as_deref().map(Decisions::read).transpose()?.unwrap_or_default();
        Ok(Settings { decisions, ..self.profile.settings()? })
    }

    fn films(&self, deidentifier: &Deidentifier, out: &Path) -> anyhow::Result<Outcome> {
        let files = inputs(&self.inputs, out)?;
        let mut link = match self.linking.place()? {
            Some((place, seal)) => Some((place, LinkTable::new(place, seal)?)),
            None => None,
        };
        let threads = self.threads.unwrap_or_else(|| std::thread::available_parallelism().map_or(1, usize::from));
        let mut closed = None;
        let table = link.as_mut().map(|(_, table)| table);
        let outputs = Outputs { films: out, identified: self.keep_identified.as_deref() };
        let withheld = deidentify_files(deidentifier, &files, outputs, threads, table, |line| {
            if let FilmOutcome::Withheld { reason, .. } = &line.outcome {
                eprintln!("withheld: film {}: {reason}", line.serial);
            }
            // A closed pipe ends the receipts, not the work: the linking table must hold every film.
            if closed.is_none() {
                closed = write_json_line(&line).err();
            }
            Ok(())
        })?;
        if let Some((place, mut table)) = link {
            table.write(place)?;
        }
        eprintln!("{} films de-identified, {withheld} withheld", files.len() - withheld);
        closed.map_or(Ok(Outcome::of_failures(withheld)), |error| Err(error.into()))
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
