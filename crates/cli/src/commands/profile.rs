//! What `coxa deidentify` and `coxa collect` share: the options of the profile, of burned-in text and of the linking table.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::Context as _;
use clap::{Args, ValueEnum};
use coxa_deidentify::{
    PixelCleaning, PixelScript, ProfileOption, Rectangle, Seal, Settings, TextDetector, TextFinder, Words,
};

/// How films are de-identified.
#[derive(Args)]
pub(super) struct Profile {
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
}

impl Profile {
    /// The settings that these options make; nobody has decided about a film yet.
    pub(super) fn settings(&self) -> anyhow::Result<Settings> {
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
        Ok(settings)
    }
}

/// Has a crash leave no dump of the memory, in which identified films and the key lie.
///
/// # Errors
/// The system refuses; nothing identified should be read then.
#[cfg(unix)]
pub(super) fn leave_no_dump() -> anyhow::Result<()> {
    use rustix::process::{Resource, Rlimit, setrlimit};
    setrlimit(Resource::Core, Rlimit { current: Some(0), maximum: Some(0) }).context("forbidding dumps of memory")?;
    // A dump that goes to a program, as systemd's, knows no limit.
    #[cfg(target_os = "linux")]
    rustix::process::set_dumpable_behavior(rustix::process::DumpableBehavior::NotDumpable)
        .context("forbidding dumps of memory")?;
    Ok(())
}

/// Has a crash leave no dump of the memory: such a system writes none by itself.
#[cfg(not(unix))]
pub(super) fn leave_no_dump() -> anyhow::Result<()> {
    Ok(())
}

/// The linking table and what it is encrypted for.
#[derive(Args)]
pub(super) struct Linking {
    /// Write the encrypted table of who each film is of.
    #[arg(long, value_name = "FILE", requires = "seal")]
    pub(super) link_table: Option<PathBuf>,
    #[command(flatten)]
    seal: SealArgs,
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

impl Linking {
    /// Where the table is written and what it is encrypted for; `None` where none is asked for.
    pub(super) fn place(&self) -> anyhow::Result<Option<(&Path, Seal)>> {
        let Some(place) = &self.link_table else { return Ok(None) };
        Ok(match (&self.seal.link_recipient, &self.seal.link_passphrase_file) {
            (Some(recipient), _) => Some((place, Seal::recipient(recipient)?)),
            (None, Some(file)) => Some((place, Seal::passphrase(&first_line(file)?)?)),
            (None, None) => None,
        })
    }
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
enum BurnedInText {
    /// Find it and blank it; withhold films that may have some for review.
    #[default]
    Blank,
    /// Do not search for it; withhold films whose header states it.
    Withhold,
}

impl BurnedInText {
    /// What searches the pixels.
    fn detector(self) -> Option<Arc<dyn TextDetector>> {
        match self {
            Self::Blank => Some(Arc::new(TextFinder::default())),
            Self::Withhold => None,
        }
    }
}

pub(super) fn words(file: Option<&Path>) -> anyhow::Result<Words> {
    let mut words = Words::default();
    if let Some(file) = file {
        words.add(&read(file)?);
    }
    Ok(words)
}

pub(super) fn read(file: &Path) -> anyhow::Result<String> {
    fs::read_to_string(file).with_context(|| file.display().to_string())
}

pub(super) fn first_line(file: &Path) -> anyhow::Result<String> {
    Ok(read(file)?.lines().next().unwrap_or_default().to_owned())
}

/// Reads `X,Y,WIDTH,HEIGHT`.
fn rectangle(text: &str) -> Result<Rectangle, String> {
    let numbers: Option<Vec<usize>> = text.split(',').map(|number| number.trim().parse().ok()).collect();
    match numbers.as_deref() {
        Some(&[x, y, width, height]) if width > 0 && height > 0 => Ok(Rectangle { x, y, width, height }),
        _ => Err("a rectangle is X,Y,WIDTH,HEIGHT in pixels from the upper left corner".to_owned()),
    }
}
