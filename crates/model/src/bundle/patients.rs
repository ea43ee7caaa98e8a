//! Patients that a bundle was trained on, as hashes under a key that stays with the run: a bundle that is passed on does not let
//! anybody find out by trying pseudonyms who was among them.

use std::path::Path;

use coxa_files::hash::{Sha256, hex};
use rand::TryRng as _;
use rand::rngs::SysRng;

use crate::{ModelError, files};

/// Bytes of a key.
const KEY_BYTES: usize = 32;
/// Digits of a patient's hash, and of a key's, that a bundle keeps.
const DIGITS: usize = 32;

/// A run's secret key, under which its bundles know their patients.
#[derive(Clone, PartialEq, Eq)]
pub struct PatientKey {
    /// 2 · [`KEY_BYTES`] hexadecimal digits.
    digits: String,
}

impl PatientKey {
    /// A key of the system's random numbers. It changes no weights and no bundle's hash.
    ///
    /// # Errors
    /// When the system has none.
    pub(crate) fn random() -> Result<Self, ModelError> {
        let mut bytes = [0; KEY_BYTES];
        let failed = |error| ModelError::Internal(format!("the system gives no random numbers: {error}"));
        SysRng.try_fill_bytes(&mut bytes).map_err(failed)?;
        Ok(PatientKey { digits: hex(&bytes) })
    }

    /// Reads a key's file.
    ///
    /// # Errors
    /// When it cannot be read or holds no key.
    pub fn load(path: &Path) -> Result<Self, ModelError> {
        let text = files::read_text(path)?;
        let digits = text.trim();
        if digits.len() != 2 * KEY_BYTES || !digits.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            return Err(ModelError::format(path, format!("a key has {} hexadecimal digits", 2 * KEY_BYTES)));
        }
        Ok(PatientKey { digits: digits.to_owned() })
    }

    /// Writes the key's file.
    pub(crate) fn save(&self, path: &Path) -> Result<(), ModelError> {
        files::write_whole(path, format!("{}\n", self.digits).as_bytes())
    }

    /// A bundle's line for a patient: which key, and the patient's hash under it.
    pub(crate) fn line_of(&self, patient: &str) -> String {
        format!("{} {}", self.name(), self.digest(patient))
    }

    /// What a bundle calls the key.
    pub(crate) fn name(&self) -> String {
        self.digest("")
    }

    /// SHA-256 under the key: the key has a fixed length and stands first, and only a part of the digest is kept.
    fn digest(&self, text: &str) -> String {
        let mut hash = Sha256::new();
        hash.update(&self.digits);
        hash.update(text.trim());
        let mut digest = hash.finish();
        digest.truncate(DIGITS);
        digest
    }
}

/// The key itself is never shown.
impl std::fmt::Debug for PatientKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "PatientKey({})", self.name())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_patient_is_known_under_its_key_alone() {
        let (key, other) = (PatientKey::random().unwrap(), PatientKey::random().unwrap());
        assert_eq!(key.line_of("P1"), key.line_of(" P1 "));
        assert_ne!(key.line_of("P1"), key.line_of("P2"));
        assert_ne!(key.line_of("P1"), other.line_of("P1"));
        assert!(!format!("{key:?}").contains(&key.digits) && !key.line_of("P1").contains("P1"));
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("patient.key");
        key.save(&path).unwrap();
        assert_eq!(PatientKey::load(&path).unwrap(), key);
        std::fs::write(&path, "no key").unwrap();
        assert!(PatientKey::load(&path).is_err());
    }
}
