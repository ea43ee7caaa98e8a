//! Encryption of the linking table with age, for a recipient or by a passphrase.

use age::secrecy::SecretString;

use crate::error::DeidentifyError;

/// What the linking table is encrypted for.
#[derive(Clone)]
pub struct Seal(Recipient);

#[derive(Clone)]
enum Recipient {
    Key(age::x25519::Recipient),
    Passphrase(SecretString),
}

/// What opens a linking table.
pub struct Opener(Secret);

enum Secret {
    Key(Box<age::x25519::Identity>),
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
            .map(|key| Self(Recipient::Key(key)))
            .map_err(|reason: &str| fault(format!("the recipient is not valid ({reason})")))
    }

    /// By a passphrase of at least 12 characters.
    ///
    /// # Errors
    /// [`DeidentifyError::Encryption`]: it is shorter.
    pub fn passphrase(text: &str) -> Result<Self, DeidentifyError> {
        match text.chars().count() {
            0..12 => Err(fault("the passphrase has fewer than 12 characters")),
            _ => Ok(Self(Recipient::Passphrase(SecretString::from(text.to_owned())))),
        }
    }

    pub(crate) fn encrypt(&self, bytes: &[u8]) -> Result<Vec<u8>, DeidentifyError> {
        match &self.0 {
            Recipient::Key(key) => age::encrypt(key, bytes),
            Recipient::Passphrase(phrase) => age::encrypt(&age::scrypt::Recipient::new(phrase.clone()), bytes),
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
        identity.map(|key| Self(Secret::Key(Box::new(key)))).map_err(|reason: &str| fault(reason))
    }

    /// By the passphrase.
    pub fn passphrase(text: &str) -> Self {
        Self(Secret::Passphrase(SecretString::from(text.to_owned())))
    }

    pub(crate) fn decrypt(&self, bytes: &[u8]) -> Result<Vec<u8>, DeidentifyError> {
        match &self.0 {
            Secret::Key(key) => age::decrypt(key.as_ref(), bytes),
            Secret::Passphrase(phrase) => age::decrypt(&age::scrypt::Identity::new(phrase.clone()), bytes),
        }
        .map_err(fault)
    }
}
