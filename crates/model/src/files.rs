//! Files with this crate's errors.

use std::fs;
use std::path::Path;

use coxa_files::whole;

use crate::ModelError;

/// Reads a whole file.
pub(crate) fn read(path: &Path) -> Result<Vec<u8>, ModelError> {
    fs::read(path).map_err(ModelError::io(path))
}

/// Reads a whole file of UTF-8 text.
pub(crate) fn read_text(path: &Path) -> Result<String, ModelError> {
    fs::read_to_string(path).map_err(ModelError::io(path))
}

/// Creates a folder and those above it.
pub(crate) fn create_folder(path: &Path) -> Result<(), ModelError> {
    fs::create_dir_all(path).map_err(ModelError::io(path))
}

/// Writes a file whole or not at all.
pub(crate) fn write_whole(path: &Path, bytes: &[u8]) -> Result<(), ModelError> {
    whole::write_whole(path, bytes).map_err(ModelError::io(path))
}

/// Writes a file where it stands and waits until it has reached the disk.
pub(crate) fn write_synced(path: &Path, bytes: &[u8]) -> Result<(), ModelError> {
    whole::write_synced(path, bytes).map_err(ModelError::io(path))
}
