//! A folder for identified films, which exists only where the caller names one: for its owner alone, and apart from what is de-identified.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use crate::error::DeidentifyError;

/// A folder of films as they came, with every identity, named by their serial numbers.
#[derive(Debug, Clone)]
pub struct IdentifiedFolder(PathBuf);

impl IdentifiedFolder {
    /// Makes the folder where it is not there, readable by its owner alone. It lies outside of the output folder.
    ///
    /// # Errors
    /// [`DeidentifyError::KeepInside`] where one of the two lies in the other; nothing is made then. [`DeidentifyError::Io`].
    pub fn create(path: &Path, out: &Path) -> Result<Self, DeidentifyError> {
        let io = |source| DeidentifyError::Io { path: path.to_owned(), source };
        apart(&std::path::absolute(path).map_err(io)?, &std::path::absolute(out).map_err(io)?)?;
        fs::create_dir_all(path).map_err(io)?;
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt as _;
            fs::set_permissions(path, fs::Permissions::from_mode(0o700)).map_err(io)?;
        }
        let path = path.canonicalize().map_err(io)?;
        // Once more, links followed.
        if let Ok(out) = out.canonicalize() {
            apart(&path, &out)?;
        }
        Ok(Self(path))
    }

    /// The name of a film in such a folder.
    pub fn name(serial: u64) -> String {
        format!("S{serial:06}.dcm")
    }

    /// Writes a film whole; an earlier one of the same serial number is replaced.
    ///
    /// # Errors
    /// [`DeidentifyError::Io`].
    pub fn keep(&self, serial: u64, bytes: &[u8]) -> Result<(), DeidentifyError> {
        let path = self.0.join(Self::name(serial));
        coxa_files::write_whole(&path, bytes).map_err(|source: io::Error| DeidentifyError::Io { path, source })
    }
}

/// Neither of two folders may lie in the other.
fn apart(keep: &Path, out: &Path) -> Result<(), DeidentifyError> {
    if keep.starts_with(out) || out.starts_with(keep) {
        return Err(DeidentifyError::KeepInside { path: keep.to_owned() });
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn identified_films_lie_apart() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        fs::create_dir(at("out")).unwrap();
        for inside in ["out", "out/kept", "."] {
            let error = IdentifiedFolder::create(&at(inside), &at("out")).unwrap_err();
            assert!(matches!(error, DeidentifyError::KeepInside { .. }), "{inside}");
        }
        assert!(!at("out/kept").exists());
        let kept = IdentifiedFolder::create(&at("kept"), &at("out")).unwrap();
        kept.keep(7, b"film").unwrap();
        assert_eq!(fs::read(at("kept").join("S000007.dcm")).unwrap(), b"film");
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt as _;
            assert_eq!(fs::metadata(at("kept")).unwrap().permissions().mode() & 0o777, 0o700);
            std::os::unix::fs::symlink(at("out"), at("link")).unwrap();
            assert!(IdentifiedFolder::create(&at("link"), &at("out")).is_err());
        }
    }
}
