//! Files with this crate's errors, folders that never replace another, and hashes.

use std::fs;
use std::path::{Path, PathBuf};

use coxa_files::whole;
use sha2::{Digest, Sha256};

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

/// Creates `parent/<name>-<n>` with the least `n` ≥ 1 that is free, and returns it.
///
/// Two processes that ask at once get two folders, as creating a folder either succeeds for one of them or fails.
pub(crate) fn create_numbered(parent: &Path, name: &str) -> Result<PathBuf, ModelError> {
    create_folder(parent)?;
    let mut n = 1usize;
    loop {
        let folder = parent.join(format!("{name}-{n}"));
        match fs::create_dir(&folder) {
            Ok(()) => return Ok(folder),
            Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => n += 1,
            Err(source) => return Err(ModelError::Io { path: folder, source }),
        }
    }
}

/// Lower-case hexadecimal digits of bytes.
pub(crate) fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write as _;
    bytes.iter().fold(String::with_capacity(2 * bytes.len()), |mut text, byte| {
        // Writing to a String cannot fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}

/// SHA-256 in hexadecimal digits.
pub(crate) fn sha256(bytes: &[u8]) -> String {
    hex(&Sha256::digest(bytes))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sha256_of_the_standards_example() {
        // FIPS 180-4's one-block example.
        assert_eq!(sha256(b"abc"), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    }

    #[test]
    fn numbered_folders_never_meet() {
        let folder = tempfile::tempdir().unwrap();
        let first = create_numbered(folder.path(), "run").unwrap();
        let second = create_numbered(folder.path(), "run").unwrap();
        assert_eq!((first.file_name().unwrap(), second.file_name().unwrap()), ("run-1".as_ref(), "run-2".as_ref()));
    }
}
