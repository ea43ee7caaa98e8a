//! Secrets of second factors as the database has them: sealed with a key that is not in it (AES-256-GCM), each for its account alone.
//!
//! The key is 64 hexadecimal digits: in `secrets.key` of the data folder, made at the first start for its owner alone, or in the file that
//! `[people] key_file` names, which all nodes that share a database must have. A secret that was copied to another account's row, changed,
//! or sealed with another key does not open.

use std::io;
use std::path::{Path, PathBuf};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD_NO_PAD;
use ring::aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use ring::rand::{SecureRandom as _, SystemRandom};

use crate::db::{Database, DbError, Dialect};
use crate::secret::write_secret;

/// The key's file in the data folder.
pub(crate) const FILE: &str = "secrets.key";
/// What a sealed text begins with: Base32 never has a colon.
const SEALED: &str = "v1:";

/// Why secrets cannot be kept.
#[derive(Debug, thiserror::Error)]
pub enum VaultError {
    /// The key's file.
    #[error("{}: {source}", file.display())]
    File {
        /// The file.
        file: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// Other secrets there were sealed with another key.
    #[error("{}: the second factors in the database are sealed with another key", .0.display())]
    AnotherKey(PathBuf),
    /// The database.
    #[error(transparent)]
    Db(#[from] DbError),
}

/// A text that does not open.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a second factor's secret does not open: it was sealed with another key, or changed")]
pub struct Unopened;

/// Seals and opens secrets.
#[derive(Clone)]
pub struct Vault {
    key: LessSafeKey,
    /// What the key is known again by; nothing of it follows from that.
    mark: String,
    file: PathBuf,
}

impl std::fmt::Debug for Vault {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Vault").field("mark", &self.mark).finish_non_exhaustive()
    }
}

impl Vault {
    /// The key in a file; in the data folder it is made where there is none.
    ///
    /// # Errors
    /// When the file can neither be read nor made, or holds no such key.
    pub fn open(data: &Path, configured: Option<&Path>) -> Result<Self, VaultError> {
        let file = configured.map_or_else(|| data.join(FILE), Path::to_owned);
        let failed = |source| VaultError::File { file: file.clone(), source };
        if configured.is_none() {
            write_secret(&file, format!("{}\n", crate::secret()).as_bytes()).map_err(failed)?;
        }
        Self::read(&file)
    }

    /// The key in a file that is there.
    ///
    /// # Errors
    /// When the file cannot be read, or holds no such key.
    pub(crate) fn read(file: &Path) -> Result<Self, VaultError> {
        let failed = |source| VaultError::File { file: file.to_owned(), source };
        let text = std::fs::read_to_string(file).map_err(failed)?;
        Self::of(text.trim(), file)
            .ok_or_else(|| failed(io::Error::new(io::ErrorKind::InvalidData, "64 hexadecimal digits are needed")))
    }

    fn of(text: &str, file: &Path) -> Option<Self> {
        if text.len() != 64 {
            return None;
        }
        let digits = text.bytes().map(|c| char::from(c).to_digit(16)).collect::<Option<Vec<u32>>>()?;
        let bytes: Vec<u8> = digits.chunks(2).map(|pair| (pair[0] << 4 | pair[1]) as u8).collect();
        let key = UnboundKey::new(&AES_256_GCM, &bytes).ok()?;
        let mark = coxa_files::sha256(&[b"coxa sealing key ".as_slice(), &bytes].concat())[..16].to_owned();
        Some(Self { key: LessSafeKey::new(key), mark, file: file.to_owned() })
    }

    fn of_account(person: i64) -> Aad<String> {
        Aad::from(format!("coxa totp {person}"))
    }

    /// A secret as an account's row has it; an empty one stays empty.
    pub fn seal(&self, person: i64, secret: &str) -> String {
        if secret.is_empty() {
            return String::new();
        }
        let mut nonce = [0; NONCE_LEN];
        // As in `secret`: no random numbers, nothing sealed.
        assert!(SystemRandom::new().fill(&mut nonce).is_ok(), "the system gives no random numbers");
        let mut text = secret.as_bytes().to_vec();
        let sealed =
            self.key.seal_in_place_append_tag(Nonce::assume_unique_for_key(nonce), Self::of_account(person), &mut text);
        // It fails for texts of many gigabytes alone.
        assert!(sealed.is_ok(), "a secret of {} bytes cannot be sealed", secret.len());
        format!("{SEALED}{}:{}", self.mark, STANDARD_NO_PAD.encode([nonce.as_slice(), &text].concat()))
    }

    /// The secret of an account's row; an empty one is empty.
    ///
    /// # Errors
    /// When it was sealed for another account or with another key, was changed, or is not sealed.
    pub fn unseal(&self, person: i64, text: &str) -> Result<String, Unopened> {
        if text.is_empty() {
            return Ok(String::new());
        }
        let (mark, rest) = text.strip_prefix(SEALED).and_then(|rest| rest.split_once(':')).ok_or(Unopened)?;
        let bytes = STANDARD_NO_PAD.decode(rest).map_err(|_| Unopened)?;
        let (nonce, sealed) = bytes.split_at_checked(NONCE_LEN).ok_or(Unopened)?;
        if mark != self.mark {
            return Err(Unopened);
        }
        let (nonce, mut sealed) = (Nonce::try_assume_unique_for_key(nonce).map_err(|_| Unopened)?, sealed.to_vec());
        let opened = self.key.open_in_place(nonce, Self::of_account(person), &mut sealed).map_err(|_| Unopened)?;
        String::from_utf8(opened.to_vec()).map_err(|_| Unopened)
    }

    /// Makes sure that the database's secrets are sealed with this key, and seals those that an earlier version left as they are.
    ///
    /// # Errors
    /// When there are secrets of another key, or the database fails.
    pub async fn begin(&self, db: &Database) -> Result<(), VaultError> {
        let another = || VaultError::AnotherKey(self.file.clone());
        let people = db.people().await?;
        let own = format!("{SEALED}{}:", self.mark);
        if people.iter().any(|one| one.totp_secret.starts_with(SEALED) && !one.totp_secret.starts_with(&own)) {
            return Err(another());
        }
        if db.sealing_mark(&self.mark).await? != self.mark {
            // Of several nodes, the first one's key counts. One node alone may begin anew where nothing is sealed.
            if db.dialect() == Dialect::Postgres {
                return Err(another());
            }
            db.set_sealing_mark(&self.mark).await?;
        }
        let plain: Vec<(i64, String, String)> = people
            .into_iter()
            .filter(|one| !one.totp_secret.is_empty() && !one.totp_secret.starts_with(SEALED))
            .map(|one| (one.person.id, self.seal(one.person.id, &one.totp_secret), one.totp_secret))
            .collect();
        Ok(db.seal_secrets(&plain).await?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_opens_for_its_account_and_with_its_key_alone() {
        let folder = tempfile::tempdir().unwrap();
        let vault = Vault::open(folder.path(), None).unwrap();
        let sealed = vault.seal(7, "GEZDGNBVGY3TQOJQ");
        assert!(!sealed.contains("GEZDGNBVGY3TQOJQ") && sealed != vault.seal(7, "GEZDGNBVGY3TQOJQ"));
        assert_eq!(Vault::open(folder.path(), None).unwrap().unseal(7, &sealed).unwrap(), "GEZDGNBVGY3TQOJQ");
        assert_eq!((vault.seal(7, "").as_str(), vault.unseal(7, "").unwrap().as_str()), ("", ""));
        assert_eq!(vault.unseal(8, &sealed), Err(Unopened), "of another account");
        for at in sealed.rfind(':').unwrap() + 1..sealed.len() {
            let mut changed = sealed.clone().into_bytes();
            changed[at] = if changed[at] == b'A' { b'B' } else { b'A' };
            assert_eq!(vault.unseal(7, &String::from_utf8(changed).unwrap()), Err(Unopened), "{at}");
        }
        for text in ["GEZDGNBVGY3TQOJQ", "v1:", "v1::", "v1:x:AAAA", &sealed[..sealed.len() - 4]] {
            assert_eq!(vault.unseal(7, text), Err(Unopened), "{text}");
        }
        let other = tempfile::tempdir().unwrap();
        assert_eq!(Vault::open(other.path(), None).unwrap().unseal(7, &sealed), Err(Unopened), "with another key");
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt as _;
            let mode = std::fs::metadata(folder.path().join(FILE)).unwrap().permissions().mode();
            assert_eq!(mode & 0o777, 0o600);
        }
        std::fs::write(folder.path().join(FILE), "too short").unwrap();
        assert!(Vault::open(folder.path(), None).is_err());
        assert!(Vault::open(folder.path(), Some(&folder.path().join("none"))).is_err());
    }
}
