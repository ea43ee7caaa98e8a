//! In place of the linking table's encryption, in a program that was built without the feature `age`: nothing can be sealed or opened, so no
//! linking table is ever written.

use std::convert::Infallible;

use crate::error::DeidentifyError;

fn none<T>() -> Result<T, DeidentifyError> {
    let reason = "this program was built without encryption: build it with `--features age` (releases have it)";
    Err(DeidentifyError::Encryption(reason.into()))
}

/// What the linking table is encrypted for: nothing.
#[derive(Clone)]
pub struct Seal(Infallible);

/// What opens a linking table: nothing.
pub struct Opener(());

impl Seal {
    /// For a recipient.
    ///
    /// # Errors
    /// Always.
    pub fn recipient(_: &str) -> Result<Self, DeidentifyError> {
        none()
    }

    /// By a passphrase.
    ///
    /// # Errors
    /// Always.
    pub fn passphrase(_: &str) -> Result<Self, DeidentifyError> {
        none()
    }

    pub(crate) fn encrypt(&self, _: &[u8]) -> Result<Vec<u8>, DeidentifyError> {
        match self.0 {}
    }
}

impl Opener {
    /// By the secret key in an age identity file.
    ///
    /// # Errors
    /// Always.
    pub fn identity(_: &str) -> Result<Self, DeidentifyError> {
        none()
    }

    /// By the passphrase.
    pub fn passphrase(_: &str) -> Self {
        Self(())
    }

    pub(crate) fn decrypt(&self, _: &[u8]) -> Result<Vec<u8>, DeidentifyError> {
        none()
    }
}
