//! A node's signing key, and the head of the chain that lies apart from the database.
//!
//! Both are files of the data folder that nobody else may read: `audit.key` is an Ed25519 key (PKCS #8), made at the first start;
//! `audit.head` is the last entry that this node wrote, signed. Whoever can change the database alone can neither sign an entry nor cut
//! the chain's end unseen. Against whoever can change the folder too, a head that was copied elsewhere helps (`coxa audit head`).

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use ring::rand::SystemRandom;
use ring::signature::{ED25519, Ed25519KeyPair, KeyPair as _, UnparsedPublicKey};
use serde::{Deserialize, Serialize};

use crate::secret::write_secret;

const KEY: &str = "audit.key";
const HEAD: &str = "audit.head";

/// The last entry of a chain, signed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Head {
    /// Its number.
    pub seq: i64,
    /// Its hash.
    pub hash: String,
    /// The public key of the node that states it.
    pub key: String,
    /// The signature of both.
    pub signature: String,
}

impl Head {
    fn signed_text(seq: i64, hash: &str) -> String {
        format!("coxa audit head {seq} {hash}")
    }

    /// Whether its own key has signed it.
    pub fn is_signed(&self) -> bool {
        is_signed(&self.key, &Self::signed_text(self.seq, &self.hash), &self.signature)
    }
}

/// A node's signing key and the place of its head.
#[derive(Debug, Clone)]
pub struct Keys {
    pair: Arc<Ed25519KeyPair>,
    public: String,
    folder: PathBuf,
}

impl Keys {
    /// The key of a data folder, made where there is none.
    ///
    /// # Errors
    /// When the file can neither be read nor made, or holds no such key.
    pub fn open(folder: &Path) -> io::Result<Self> {
        let file = folder.join(KEY);
        let bytes = match std::fs::read(&file) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                let made = Ed25519KeyPair::generate_pkcs8(&SystemRandom::new())
                    .map_err(|_| io::Error::other("the system gives no random numbers"))?;
                write_secret(&file, made.as_ref())?;
                // Another process may have made it a moment before.
                std::fs::read(&file)?
            }
            Err(error) => return Err(error),
        };
        let pair = Ed25519KeyPair::from_pkcs8(&bytes)
            .map_err(|_| io::Error::new(io::ErrorKind::InvalidData, format!("{KEY} holds no Ed25519 key")))?;
        let public = hex(pair.public_key().as_ref());
        Ok(Self { pair: Arc::new(pair), public, folder: folder.to_owned() })
    }

    /// The public key, hexadecimal.
    pub fn public(&self) -> &str {
        &self.public
    }

    pub(super) fn sign(&self, text: &str) -> String {
        hex(self.pair.sign(text.as_bytes()).as_ref())
    }

    /// A head of this node.
    pub fn head(&self, seq: i64, hash: &str) -> Head {
        let signature = self.sign(&Head::signed_text(seq, hash));
        Head { seq, hash: hash.to_owned(), key: self.public.clone(), signature }
    }

    /// Writes the head down, apart from the database.
    ///
    /// # Errors
    /// When the disk does not take it.
    pub(super) fn keep_head(&self, seq: i64, hash: &str) -> io::Result<()> {
        let text = serde_json::to_string(&self.head(seq, hash)).map_err(io::Error::other)?;
        coxa_files::write_whole(&self.folder.join(HEAD), text.as_bytes())
    }

    /// The head that this node wrote down last; `None` where there is none, and an error where it cannot be read.
    ///
    /// # Errors
    /// When the file is there and is no head.
    pub fn kept_head(&self) -> io::Result<Option<Head>> {
        match std::fs::read(self.folder.join(HEAD)) {
            Ok(bytes) => serde_json::from_slice(&bytes).map(Some).map_err(io::Error::other),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }
}

/// Names of the files that a backup must hold for the chain to be verified after it.
pub(crate) const FILES: [&str; 2] = [HEAD, KEY];

/// Whether a public key (hexadecimal) has signed a text.
pub(super) fn is_signed(key: &str, text: &str, signature: &str) -> bool {
    let (Some(key), Some(signature)) = (from_hex(key), from_hex(signature)) else { return false };
    UnparsedPublicKey::new(&ED25519, key).verify(text.as_bytes(), &signature).is_ok()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn from_hex(text: &str) -> Option<Vec<u8>> {
    let digit = |c: u8| char::from(c).to_digit(16).map(|digit| digit as u8);
    if !text.len().is_multiple_of(2) {
        return None;
    }
    text.as_bytes().chunks(2).map(|pair| Some(digit(pair[0])? << 4 | digit(pair[1])?)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_made_once_and_read_by_nobody_else() {
        let folder = tempfile::tempdir().unwrap();
        let keys = Keys::open(folder.path()).unwrap();
        assert_eq!(keys.public(), Keys::open(folder.path()).unwrap().public());
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt as _;
            let mode = std::fs::metadata(folder.path().join(KEY)).unwrap().permissions().mode();
            assert_eq!(mode & 0o777, 0o600);
        }
        assert!(keys.kept_head().unwrap().is_none());
        keys.keep_head(7, "ab").unwrap();
        let head = keys.kept_head().unwrap().unwrap();
        assert!(head.is_signed() && !Head { seq: 8, ..head.clone() }.is_signed());
        assert!(!Head { signature: "x".into(), ..head }.is_signed());
        std::fs::write(folder.path().join(KEY), "no key").unwrap();
        assert!(Keys::open(folder.path()).is_err());
    }
}
