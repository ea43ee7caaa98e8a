//! The linking table: who each film was of. It is encrypted with age before it touches the disk, for a recipient or by a passphrase, and is
//! meant to be kept apart from the films and from the key.

use std::io::Read as _;
use std::path::Path;

use crate::deidentifier::Link;
use crate::error::DeidentifyError;
use crate::seal::{Opener, Seal};

fn fault(reason: impl std::fmt::Display) -> DeidentifyError {
    DeidentifyError::Encryption(reason.to_string())
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

    /// Adds a film: its output, its pseudonym and what it was; one that is withheld has an empty output, or is known by its input alone.
    ///
    /// # Errors
    /// [`DeidentifyError::Encryption`]: the record cannot be written.
    pub fn add(
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

    /// Encrypts the table as it is now, and writes it whole.
    ///
    /// # Errors
    /// [`DeidentifyError::Encryption`], or [`DeidentifyError::Io`] of the disk.
    pub fn write(&mut self, place: &Path) -> Result<(), DeidentifyError> {
        self.writer.flush().map_err(fault)?;
        let sealed = self.seal.encrypt(self.writer.get_ref())?;
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

#[cfg(all(test, feature = "age"))]
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
        let other = age::x25519::Identity::generate().to_string();
        let other = Opener::identity(other.expose_secret()).unwrap();
        assert!(matches!(identifiers_in(&place, &other), Err(DeidentifyError::Encryption(_))));
        assert!(Seal::recipient("age1nonsense").is_err() && Seal::passphrase("short").is_err());
    }
}
