//! The linking table: who each film was of. It is encrypted with age before it touches the disk, for a recipient or by a passphrase, and is
//! meant to be kept apart from the films and from the key.

use std::io::Read as _;
use std::path::Path;

use age::secrecy::SecretString;

use crate::deidentifier::Link;
use crate::error::DeidentifyError;

/// What the linking table is encrypted for.
#[derive(Clone)]
pub enum Seal {
    /// A recipient's public key, `age1…`.
    Recipient(age::x25519::Recipient),
    /// A passphrase.
    Passphrase(SecretString),
}

/// What opens a linking table.
pub enum Opener {
    /// The recipient's secret key, `AGE-SECRET-KEY-1…`.
    Identity(Box<age::x25519::Identity>),
    /// The passphrase.
    Passphrase(SecretString),
}

fn fault(reason: impl std::fmt::Display) -> DeidentifyError {
    DeidentifyError::Encryption(reason.to_string())
}

impl Seal {
    /// For a recipient, `age1…`.
    ///
    /// # Errors
    /// [`DeidentifyError::Encryption`]: it is none.
    pub fn recipient(text: &str) -> Result<Self, DeidentifyError> {
        text.trim()
            .parse()
            .map(Self::Recipient)
            .map_err(|reason: &str| fault(format!("the recipient is not valid ({reason})")))
    }

    /// By a passphrase of at least 12 characters.
    ///
    /// # Errors
    /// [`DeidentifyError::Encryption`]: it is shorter.
    pub fn passphrase(text: &str) -> Result<Self, DeidentifyError> {
        match text.chars().count() {
            0..12 => Err(fault("the passphrase has fewer than 12 characters")),
            _ => Ok(Self::Passphrase(SecretString::from(text.to_owned()))),
        }
    }

    fn encrypt(&self, bytes: &[u8]) -> Result<Vec<u8>, DeidentifyError> {
        match self {
            Self::Recipient(recipient) => age::encrypt(recipient, bytes),
            Self::Passphrase(phrase) => age::encrypt(&age::scrypt::Recipient::new(phrase.clone()), bytes),
        }
        .map_err(fault)
    }
}

impl Opener {
    /// By the secret key in an age identity file: the line that begins with `AGE-SECRET-KEY-1`.
    ///
    /// # Errors
    /// [`DeidentifyError::Encryption`]: there is none.
    pub fn identity(text: &str) -> Result<Self, DeidentifyError> {
        let line = text.lines().map(str::trim).find(|line| line.starts_with("AGE-SECRET-KEY-1"));
        let identity = line.ok_or_else(|| fault("the identity file holds no AGE-SECRET-KEY-1"))?.parse();
        identity.map(|identity| Self::Identity(Box::new(identity))).map_err(|reason: &str| fault(reason))
    }

    /// By the passphrase.
    pub fn passphrase(text: &str) -> Self {
        Self::Passphrase(SecretString::from(text.to_owned()))
    }

    fn decrypt(&self, bytes: &[u8]) -> Result<Vec<u8>, DeidentifyError> {
        match self {
            Self::Identity(identity) => age::decrypt(identity.as_ref(), bytes),
            Self::Passphrase(phrase) => age::decrypt(&age::scrypt::Identity::new(phrase.clone()), bytes),
        }
        .map_err(fault)
    }
}

const HEADER: [&str; 10] = [
    "serial",
    "input",
    "output",
    "pseudonym",
    "days",
    "patient_id",
    "patient_name",
    "accession_number",
    "study_instance_uid",
    "sop_instance_uid",
];

/// The linking table in the making, in memory.
pub struct LinkTable {
    seal: Seal,
    writer: csv::Writer<Vec<u8>>,
}

impl LinkTable {
    /// An empty table that [`LinkTable::write`] will encrypt.
    ///
    /// # Errors
    /// [`DeidentifyError::Exists`] where something lies at its place already.
    pub fn new(place: &Path, seal: Seal) -> Result<Self, DeidentifyError> {
        if place.exists() {
            return Err(DeidentifyError::Exists { path: place.to_owned() });
        }
        let mut writer = csv::Writer::from_writer(Vec::new());
        writer.write_record(HEADER).map_err(fault)?;
        Ok(Self { seal, writer })
    }

    /// Adds a film; one that is withheld has an input alone.
    pub(crate) fn add(
        &mut self,
        serial: usize,
        input: &Path,
        film: Option<(&str, &str, &Link)>,
    ) -> Result<(), DeidentifyError> {
        let (serial, input) = (serial.to_string(), input.to_string_lossy());
        let record: [&str; 10] = match film {
            None => [&serial, &input, "", "", "", "", "", "", "", ""],
            Some((output, pseudonym, link)) => [
                &serial,
                &input,
                output,
                pseudonym,
                &link.days.to_string(),
                &link.patient_id,
                &link.patient_name,
                &link.accession_number,
                &link.study_instance_uid,
                &link.sop_instance_uid,
            ],
        };
        self.writer.write_record(record).map_err(fault)
    }

    /// Encrypts the table and writes it whole.
    ///
    /// # Errors
    /// [`DeidentifyError::Encryption`], or [`DeidentifyError::Io`] of the disk.
    pub fn write(self, place: &Path) -> Result<(), DeidentifyError> {
        let plain = self.writer.into_inner().map_err(|error| fault(error.error()))?;
        let sealed = self.seal.encrypt(&plain)?;
        coxa_files::write_whole(place, &sealed).map_err(|source| DeidentifyError::Io { path: place.to_owned(), source })
    }
}

/// The identifiers in a linking table: IDs, names, accession numbers and UIDs.
///
/// # Errors
/// [`DeidentifyError::Encryption`] where it cannot be opened, or [`DeidentifyError::Io`].
pub fn identifiers_in(place: &Path, opener: &Opener) -> Result<Vec<String>, DeidentifyError> {
    let io = |source| DeidentifyError::Io { path: place.to_owned(), source };
    let mut sealed = Vec::new();
    std::fs::File::open(place).and_then(|mut file| file.read_to_end(&mut sealed)).map_err(io)?;
    let plain = opener.decrypt(&sealed)?;
    let mut reader = csv::Reader::from_reader(&plain[..]);
    let mut identifiers = Vec::new();
    for record in reader.records() {
        let record = record.map_err(|_| fault("it is not a table of this program"))?;
        identifiers.extend(record.iter().skip(5).filter(|value| !value.is_empty()).map(str::to_owned));
    }
    Ok(identifiers)
}

#[cfg(test)]
mod tests {
    use age::secrecy::ExposeSecret as _;

    use super::*;

    #[test]
    fn a_table_is_opened_by_its_recipient_alone() {
        let folder = tempfile::tempdir().unwrap();
        let place = folder.path().join("link.age");
        let identity = age::x25519::Identity::generate();
        let seal = Seal::recipient(&identity.to_public().to_string()).unwrap();
        let link = Link {
            patient_id: "ID-778899".into(),
            patient_name: "Doe^Jane".into(),
            study_instance_uid: "1.2.3".into(),
            sop_instance_uid: "1.2.3.4".into(),
            accession_number: String::new(),
            days: -7,
        };
        let mut table = LinkTable::new(&place, seal.clone()).unwrap();
        table.add(1, Path::new("a.dcm"), Some(("P/1.dcm", "P", &link))).unwrap();
        table.add(2, Path::new("b.dcm"), None).unwrap();
        table.write(&place).unwrap();
        assert!(matches!(LinkTable::new(&place, seal), Err(DeidentifyError::Exists { .. })));
        let bytes = std::fs::read(&place).unwrap();
        assert!(bytes.starts_with(b"age-encryption.org/v1") && !bytes.windows(6).any(|w| w == b"778899"));
        let opener = Opener::identity(&format!("# key\n{}\n", identity.to_string().expose_secret())).unwrap();
        assert_eq!(identifiers_in(&place, &opener).unwrap(), ["ID-778899", "Doe^Jane", "1.2.3", "1.2.3.4"]);
        let other = Opener::Identity(Box::new(age::x25519::Identity::generate()));
        assert!(matches!(identifiers_in(&place, &other), Err(DeidentifyError::Encryption(_))));
        assert!(Seal::recipient("age1nonsense").is_err() && Seal::passphrase("short").is_err());
    }
}
