//! From bytes to a film: the first bytes say which format it is, the file name never does.

use std::cell::Cell;
use std::panic::{self, AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::sync::Once;

use crate::error::{FileFormat, ReadError};
use crate::grades::Grades;
use crate::limits::check_file;
use crate::radiograph::Radiograph;
use crate::{dicom, raster};

/// Reads a film from a file.
///
/// # Errors
/// [`ReadError`], naming the file as `path` does.
pub fn read(path: &Path) -> Result<Radiograph, ReadError> {
    let name = path.display().to_string();
    let refuse = |source| ReadError::Io { file: name.clone(), source };
    let size = std::fs::metadata(path).map_err(refuse)?.len();
    check_file(&name, size)?;
    let bytes = std::fs::read(path).map_err(refuse)?;
    read_bytes(&bytes, &name)
}

/// Reads a film from the bytes of a file; `name` stands for the file in errors.
///
/// # Errors
/// [`ReadError`], naming the file as `name`.
pub fn read_bytes(bytes: &[u8], name: &str) -> Result<Radiograph, ReadError> {
    check_file(name, bytes.len() as u64)?;
    match sniff(bytes, name)? {
        FileFormat::Dicom => dicom::read(bytes, name),
        format => raster::read(bytes, name, format),
    }
}

/// As [`read_bytes`], with the values before the window, for a viewer that windows by itself.
///
/// # Errors
/// As [`read_bytes`].
pub fn read_graded(bytes: &[u8], name: &str) -> Result<(Radiograph, Grades), ReadError> {
    check_file(name, bytes.len() as u64)?;
    match sniff(bytes, name)? {
        FileFormat::Dicom => dicom::read_graded(bytes, name),
        format => {
            let film = raster::read(bytes, name, format)?;
            let grades = Grades::of_display(film.pixels());
            Ok((film, grades))
        }
    }
}

/// Bytes of a file that [`file_format`] needs to see.
pub const FORMAT_BYTES: usize = 132;

/// The format of a file by its first [`FORMAT_BYTES`] bytes, whatever its name is; `None` where it is none that [`read`] reads.
/// DICOM goes first: its preamble may be the header of a TIFF file (PS3.10, 7.1).
#[must_use]
pub fn file_format(start: &[u8]) -> Option<FileFormat> {
    if dicom::is_dicom(start) {
        return Some(FileFormat::Dicom);
    }
    let formats = [
        (b"\x89PNG\r\n\x1a\n".as_slice(), FileFormat::Png),
        (b"\xff\xd8\xff".as_slice(), FileFormat::Jpeg),
        (b"II*\0".as_slice(), FileFormat::Tiff),
        (b"MM\0*".as_slice(), FileFormat::Tiff),
    ];
    formats.into_iter().find(|(magic, _)| start.starts_with(magic)).map(|(_, format)| format)
}

/// Whether the bytes of a file are a DICOM file, by their start.
#[must_use]
pub fn is_dicom(bytes: &[u8]) -> bool {
    dicom::is_dicom(bytes)
}

/// Reads a DICOM file to the end of its pixels and says whether it names its patient: whether Patient's Name (0010,0010) or
/// Patient's Birth Date (0010,0030) has a value other than that of simulated films.
///
/// # Errors
/// As [`read_bytes`].
pub fn names_patient(bytes: &[u8], name: &str) -> Result<bool, ReadError> {
    check_file(name, bytes.len() as u64)?;
    dicom::read_and_inspect(bytes, name).map(|(_, names_patient)| names_patient)
}

/// The format of a file, or why it is none.
fn sniff(bytes: &[u8], name: &str) -> Result<FileFormat, ReadError> {
    if bytes.is_empty() {
        return Err(ReadError::Empty { file: name.to_owned() });
    }
    if let Some(format) = file_format(bytes) {
        return Ok(format);
    }
    if bytes.starts_with(b"II+\0") || bytes.starts_with(b"MM\0+") {
        let hint = "save the film as plain TIFF, which holds up to 4 GB";
        return Err(ReadError::Unsupported { file: name.to_owned(), what: "BigTIFF".to_owned(), hint });
    }
    let start = &bytes[..bytes.len().min(512)];
    let is_text = start.iter().all(|&b| b >= 0x20 || matches!(b, b'\t' | b'\n' | b'\r'));
    let hint =
        if is_text { "it looks like text; give the film itself" } else { "give the film in one of these formats" };
    Err(ReadError::UnknownFormat { file: name.to_owned(), hint })
}

thread_local! {
    /// Whether a foreign decoder runs on this thread.
    static GUARDED: Cell<bool> = const { Cell::new(false) };
}

/// Runs a foreign decoder; a panic of it becomes `None`, without a trace on standard error.
///
/// The last line of defense: headers are checked before a decoder is called, but the decoders of JPEG, JPEG 2000, PNG and TIFF
/// are large, meet bytes from anywhere, and index slices. One bad file must not end a run over thousands.
pub(crate) fn guarded<T>(decode: impl FnOnce() -> T) -> Option<T> {
    static SILENCER: Once = Once::new();
    SILENCER.call_once(|| {
        let previous = panic::take_hook();
        panic::set_hook(Box::new(move |info| {
            if !GUARDED.get() {
                previous(info);
            }
        }));
    });
    let was_guarded = GUARDED.replace(true);
    let result = catch_unwind(AssertUnwindSafe(decode)).ok();
    GUARDED.set(was_guarded);
    result
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn formats_are_told_by_their_bytes() {
        let mut dual = vec![0u8; 140];
        dual[..4].copy_from_slice(b"II*\0");
        dual[128..132].copy_from_slice(b"DICM");
        assert_eq!(sniff(&dual, "x").unwrap(), FileFormat::Dicom);
        assert_eq!(sniff(b"\xff\xd8\xff\xe0", "x").unwrap(), FileFormat::Jpeg);
        assert!(matches!(sniff(b"", "x"), Err(ReadError::Empty { .. })));
        let big = sniff(b"II+\0\x08\0", "x.tif").unwrap_err();
        assert_eq!(big.to_string(), "x.tif: BigTIFF is not supported");
        assert_eq!(big.hint(), "save the film as plain TIFF, which holds up to 4 GB");
        let text = sniff(b"Dear colleague,\n", "letter.dcm").unwrap_err();
        assert_eq!(text.to_string(), "letter.dcm: not a DICOM, PNG, JPEG or TIFF file");
        assert_eq!(text.hint(), "it looks like text; give the film itself");
        assert_eq!(file_format(b"MM\0*"), Some(FileFormat::Tiff));
    }

    #[test]
    fn a_panic_is_caught() {
        assert_eq!(guarded(|| 1), Some(1));
        assert_eq!(guarded(|| -> i32 { panic::resume_unwind(Box::new(())) }), None);
    }
}
