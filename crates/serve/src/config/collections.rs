//! Collections that the pages show: output folders of `coxa collect` and `coxa deidentify`.

use std::path::PathBuf;

use serde::Deserialize;

use super::ConfigError;

/// A folder of films that are being collected or de-identified.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Collection {
    /// Its name on the pages and in their addresses.
    pub name: String,
    /// The output folder: `--out` of `coxa collect` or `coxa deidentify`.
    pub folder: PathBuf,
    /// The folder of `--keep-identified`: withheld films are shown from it. Unless given, their outlines are shown.
    pub identified: Option<PathBuf>,
}

impl Collection {
    /// Checks the names, which stand in addresses, each once.
    pub(super) fn validate(all: &[Self]) -> Result<(), ConfigError> {
        let is_name = |name: &str| {
            let is_allowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
            !name.is_empty() && !name.starts_with('.') && name.chars().all(is_allowed)
        };
        for (place, Collection { name, .. }) in all.iter().enumerate() {
            if !is_name(name) {
                return Err(ConfigError::value(
                    "collection.name",
                    name,
                    "letters, digits, `-`, `_` and `.`, no `.` first",
                ));
            }
            if all[..place].iter().any(|other| other.name == *name) {
                return Err(ConfigError::value("collection.name", name, "another name than the one before"));
            }
        }
        Ok(())
    }
}
