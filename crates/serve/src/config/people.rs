//! Settings of sign-in and of the audit log.

use std::path::PathBuf;

use serde::Deserialize;

use super::ConfigError;

const MINUTE: i64 = 60_000_000;

/// How people sign in.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct SignIn {
    /// A session ends after so many minutes without a request.
    pub idle_minutes: u32,
    /// A session ends after so many hours.
    pub session_hours: u32,
    /// The address by which browsers reach a node behind a proxy that encrypts: `https://coxa.hospital.example`.
    pub address: Option<String>,
    /// A file with the key that seals the second factors' secrets, 64 hexadecimal digits: the same for all nodes that share a database.
    /// Unless given, each node makes one in its data folder.
    pub key_file: Option<PathBuf>,
}

impl Default for SignIn {
    fn default() -> Self {
        Self { idle_minutes: 60, session_hours: 12, address: None, key_file: None }
    }
}

impl SignIn {
    /// The moments before which a session that was used or begun last has ended, by the moment now (microseconds since 1970).
    pub fn ends(&self, now: i64) -> (i64, i64) {
        (now - i64::from(self.idle_minutes) * MINUTE, now - i64::from(self.session_hours) * 60 * MINUTE)
    }

    pub(super) fn validate(&self) -> Result<(), ConfigError> {
        if self.idle_minutes == 0 || self.session_hours == 0 {
            return Err(ConfigError::value("people", 0, "at least 1"));
        }
        let host = self.address.as_deref().map(|address| address.strip_prefix("https://").unwrap_or_default());
        let is_host = |host: &str| {
            let host = host.trim_end_matches('/');
            !host.is_empty()
                && host.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | ':' | '[' | ']'))
        };
        if host.is_none_or(is_host) {
            return Ok(());
        }
        let address = self.address.clone().unwrap_or_default();
        Err(ConfigError::value("people.address", address, "https://HOST or https://HOST:PORT"))
    }
}

/// The audit log.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Audit {
    /// Public keys of the other nodes that share the database (`coxa audit key` prints a node's).
    pub keys: Vec<String>,
}

impl Audit {
    pub(super) fn validate(&self) -> Result<(), ConfigError> {
        let is_key = |key: &String| key.len() == 64 && key.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'));
        match self.keys.iter().find(|key| !is_key(key)) {
            Some(key) => {
                Err(ConfigError::value("audit.keys", key, "64 hexadecimal digits, as coxa audit key prints them"))
            }
            None => Ok(()),
        }
    }
}
