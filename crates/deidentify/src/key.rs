//! The key, and what is derived from it: UIDs, pseudonyms and the days that a patient's dates are shifted by.
//!
//! Everything is HMAC-SHA-256 (RFC 2104) over a role and a normalized value, so it is the same in every file, run and machine, and cannot
//! be traced back or recomputed without the key. UIDs and pseudonyms carry a check that only the key makes: what was derived before is
//! recognized and stays, and de-identifying twice changes nothing.

use std::fs::{self, File};
use std::io::{self, Write as _};
use std::path::Path;

use hmac::{Hmac, KeyInit as _, Mac as _};
use rand::TryRng as _;
use sha2::Sha256;

use crate::error::DeidentifyError;

const HEADER: &str = "coxa de-identification key 1";

/// Digits of pseudonyms: Crockford's base 32, without letters that are mistaken for digits.
const DIGITS: &[u8; 32] = b"0123456789ABCDEFGHJKMNPQRSTVWXYZ";
/// Digits of a pseudonym after its `P` that identify, and those that check.
const IDENTIFYING: usize = 10;
const CHECKING: usize = 6;

/// A patient's dates are moved back by 1 to this many days.
const MAX_SHIFT: u64 = 3650;

/// A key of 256 bits. Its `Debug` shows nothing.
#[derive(Clone, PartialEq, Eq)]
pub struct Key([u8; 32]);

impl std::fmt::Debug for Key {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Key(…)")
    }
}

impl Key {
    /// A key of 32 bytes.
    pub fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// Makes a new random key and its file, which only its owner may read (mode 0600).
    ///
    /// # Errors
    /// [`DeidentifyError::Key`] where something lies at `path` already, or the system refuses.
    pub fn create(path: &Path) -> Result<Self, DeidentifyError> {
        let fault = |reason: String| DeidentifyError::Key { path: path.to_owned(), reason };
        let mut bytes = [0; 32];
        rand::rngs::SysRng.try_fill_bytes(&mut bytes).map_err(|error| fault(error.to_string()))?;
        let key = Self(bytes);
        let mut file = create_private(path).map_err(|error| match error.kind() {
            io::ErrorKind::AlreadyExists => fault("it exists already, and a key is never replaced".into()),
            _ => fault(error.to_string()),
        })?;
        let text = format!("{HEADER}\n{}\n", coxa_files::hash::hex(&key.0));
        file.write_all(text.as_bytes()).and_then(|()| file.sync_all()).map_err(|error| fault(error.to_string()))?;
        Ok(key)
    }

    /// Reads a key from its file.
    ///
    /// # Errors
    /// [`DeidentifyError::Key`]: it is absent, has another format, or others may read it.
    pub fn read(path: &Path) -> Result<Self, DeidentifyError> {
        let fault = |reason: String| DeidentifyError::Key { path: path.to_owned(), reason };
        let text = fs::read_to_string(path).map_err(|error| fault(error.to_string()))?;
        refuse_public(path).map_err(fault)?;
        let mut lines = text.lines();
        let (header, digits) = (lines.next(), lines.next());
        let bytes = digits.filter(|_| header == Some(HEADER) && lines.next().is_none()).and_then(from_hex);
        bytes.map(Self).ok_or_else(|| fault("it is not a key that --create-key made".into()))
    }

    /// A check of the key: the same for the same key, and it says nothing about it. Marks the folders that were made with it.
    pub fn check(&self) -> String {
        coxa_files::hash::hex(&self.mac("check", &[])[..8])
    }

    /// The UID that takes the place of one: `2.25.` and a UUID of version 8 (PS3.5 B.2, RFC 9562 5.8). One that this key made stays.
    pub fn uid(&self, original: &str) -> String {
        if self.made_uid(original) {
            return original.to_owned();
        }
        let mut uuid = [0; 16];
        uuid.copy_from_slice(&self.mac("uid", &[original.as_bytes()])[..16]);
        uuid[6] = 0x80 | (uuid[6] & 0x0F);
        uuid[8] = 0x80 | (uuid[8] & 0x3F);
        let check = self.mac("uid check", &[&uuid[..11]]);
        uuid[11..].copy_from_slice(&check[..5]);
        format!("2.25.{}", u128::from_be_bytes(uuid))
    }

    /// Whether this key made a UID: its last 40 bits check the others.
    pub fn made_uid(&self, uid: &str) -> bool {
        let Some(uuid) = uuid_of(uid) else { return false };
        uuid[11..] == self.mac("uid check", &[&uuid[..11]])[..5]
    }

    /// The pseudonym of an identity: `P` and 16 characters.
    pub(crate) fn pseudonym(&self, kind: &str, parts: &[&str]) -> String {
        let parts: Vec<&[u8]> = [kind].iter().chain(parts).map(|part| part.as_bytes()).collect();
        let identifying = base32(&self.mac("pseudonym", &parts), IDENTIFYING);
        let check = base32(&self.mac("pseudonym check", &[identifying.as_bytes()]), CHECKING);
        format!("P{identifying}{check}")
    }

    /// Whether this key made a pseudonym: its last 30 bits check the others.
    pub fn made_pseudonym(&self, text: &str) -> bool {
        is_pseudonym(text) && {
            let (identifying, check) = text[1..].split_at(IDENTIFYING);
            check == base32(&self.mac("pseudonym check", &[identifying.as_bytes()]), CHECKING)
        }
    }

    /// The days that a patient's dates are moved by, −1 to −3650.
    pub(crate) fn shift(&self, pseudonym: &str) -> i64 {
        let mac = self.mac("days", &[pseudonym.as_bytes()]);
        let mut eight = [0; 8];
        eight.copy_from_slice(&mac[..8]);
        -1 - (u64::from_be_bytes(eight) % MAX_SHIFT) as i64
    }

    /// What a file is known by in its output folder: the same for the same bytes.
    pub(crate) fn origin(&self, bytes: &[u8]) -> String {
        coxa_files::hash::hex(&self.mac("origin", &[bytes])[..16])
    }

    /// HMAC-SHA-256 over a role and parts, each with its length before it, so that no two lists have the same bytes.
    fn mac(&self, role: &str, parts: &[&[u8]]) -> [u8; 32] {
        let mut mac = Hmac::<Sha256>::new_from_slice(&self.0).expect("HMAC takes keys of any length");
        for part in [role.as_bytes()].iter().chain(parts) {
            mac.update(&(part.len() as u64).to_be_bytes());
            mac.update(part);
        }
        mac.finalize().into_bytes().into()
    }
}

/// Whether a text has the form of a pseudonym, of whatever key.
pub fn is_pseudonym(text: &str) -> bool {
    let digits = text.strip_prefix('P').unwrap_or_default().as_bytes();
    digits.len() == IDENTIFYING + CHECKING && digits.iter().all(|digit| DIGITS.contains(digit))
}

/// Whether a UID has the form of those that a key makes.
pub fn is_derived_uid(uid: &str) -> bool {
    uuid_of(uid).is_some_and(|uuid| uuid[6] >> 4 == 8 && uuid[8] >> 6 == 2)
}

fn uuid_of(uid: &str) -> Option<[u8; 16]> {
    let digits = uid.strip_prefix("2.25.")?;
    let is_canonical = digits.bytes().all(|b| b.is_ascii_digit()) && (digits == "0" || !digits.starts_with('0'));
    is_canonical.then(|| digits.parse::<u128>().ok()).flatten().map(u128::to_be_bytes)
}

/// The first digits of bytes in base 32.
fn base32(bytes: &[u8], digits: usize) -> String {
    let bit = |n: usize| usize::from(bytes[n / 8] >> (7 - n % 8) & 1);
    let digit = |n: usize| (0..5).fold(0, |value, k| value << 1 | bit(5 * n + k));
    (0..digits).map(|n| char::from(DIGITS[digit(n)])).collect()
}

fn from_hex(text: &str) -> Option<[u8; 32]> {
    let mut bytes = [0; 32];
    if text.len() != 64 || !text.bytes().all(|b| b.is_ascii_hexdigit()) {
        return None;
    }
    for (n, byte) in bytes.iter_mut().enumerate() {
        *byte = u8::from_str_radix(&text[2 * n..2 * n + 2], 16).ok()?;
    }
    Some(bytes)
}

/// Creates a file that is not there yet and that only its owner may read.
pub(crate) fn create_private(path: &Path) -> io::Result<File> {
    let mut options = File::options();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path)
}

#[cfg(unix)]
fn refuse_public(path: &Path) -> Result<(), String> {
    use std::os::unix::fs::PermissionsExt as _;
    let mode = fs::metadata(path).map_err(|error| error.to_string())?.permissions().mode();
    if mode & 0o077 == 0 { Ok(()) } else { Err("others may read it; run chmod 600 on it".into()) }
}

#[cfg(not(unix))]
fn refuse_public(_: &Path) -> Result<(), String> {
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn uids_are_the_same_each_time_and_recognized() {
        let (key, other) = (Key([7; 32]), Key([8; 32]));
        let uid = key.uid("1.2.840.113619.2.5");
        assert_eq!(uid, key.uid("1.2.840.113619.2.5"));
        assert_eq!(uid, key.uid(&uid));
        assert_ne!(uid, other.uid("1.2.840.113619.2.5"));
        assert_ne!(uid, other.uid(&uid));
        assert!(is_derived_uid(&uid) && uid.len() <= 44 && key.made_uid(&uid) && !other.made_uid(&uid));
        assert!(!is_derived_uid("2.25.1") && !is_derived_uid("1.2.3") && !is_derived_uid("2.25.x"));
    }

    #[test]
    fn pseudonyms_are_recognized_and_parts_do_not_run_together() {
        let key = Key([7; 32]);
        let pseudonym = key.pseudonym("id", &["123", "4"]);
        assert!(is_pseudonym(&pseudonym) && key.made_pseudonym(&pseudonym));
        assert!(!Key([8; 32]).made_pseudonym(&pseudonym));
        assert_ne!(pseudonym, key.pseudonym("id", &["12", "34"]));
        assert!((-3650..=-1).contains(&key.shift(&pseudonym)));
        assert!(!is_pseudonym("PELVIS") && !is_pseudonym("P0123456789ABCDEU"));
    }

    #[test]
    fn a_key_file_is_private_and_never_replaced() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("key");
        assert!(Key::read(&path).is_err());
        let key = Key::create(&path).unwrap();
        assert_eq!(Key::read(&path).unwrap(), key);
        assert!(Key::create(&path).unwrap_err().to_string().contains("never replaced"));
        assert_ne!(Key::create(&folder.path().join("other")).unwrap(), key);
        assert_eq!(format!("{key:?}"), "Key(…)");
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt as _;
            assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
            fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).unwrap();
            assert!(Key::read(&path).unwrap_err().to_string().contains("chmod 600"));
            fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
        }
        fs::write(&path, "0123").unwrap();
        assert!(Key::read(&path).unwrap_err().to_string().contains("not a key"));
    }
}
