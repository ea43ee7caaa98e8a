//! What must be known of a DICOM file to send it: SOP class, instance, transfer syntax, and where its data set begins (PS3.10 section 7).

use std::fs::File;
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};

use crate::dataset::{Encoding, Reader, Tag};
use crate::{Object, Uid};

/// Bytes before the file meta information: preamble and prefix.
const PREAMBLE: usize = 132;
/// The most bytes that are read of a file to know it.
const HEAD: u64 = 64 * 1024;

const META_SOP_CLASS: Tag = 0x0002_0002;
const META_SOP_INSTANCE: Tag = 0x0002_0003;
const META_TRANSFER_SYNTAX: Tag = 0x0002_0010;
const SOP_CLASS: Tag = 0x0008_0016;
const SOP_INSTANCE: Tag = 0x0008_0018;
/// Media Storage Directory: a DICOMDIR, which no peer stores.
const DIRECTORY: &str = "1.2.840.10008.1.3.10";

/// A DICOM file that can be sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DicomFile {
    /// The file.
    pub path: PathBuf,
    /// Its object.
    pub object: Object,
    /// The byte at which its data set begins.
    pub data_at: u64,
}

/// Why a file cannot be sent.
#[derive(Debug, thiserror::Error)]
#[error("{}: {reason}", path.display())]
pub struct FileError {
    /// The file.
    pub path: PathBuf,
    /// Why.
    pub reason: FileReason,
}

/// Why a file cannot be sent.
#[derive(Debug, thiserror::Error)]
pub enum FileReason {
    /// The system's reason.
    #[error("{0}")]
    Io(#[from] io::Error),
    /// It has no DICM at byte 128.
    #[error("not a DICOM file: it has no DICM at byte 128")]
    NotDicom,
    /// A DICOMDIR.
    #[error("a DICOMDIR, which cannot be stored at a peer")]
    Directory,
    /// Its file meta information cannot be read, or does not fit the data set.
    #[error("its file meta information {0}")]
    Meta(&'static str),
}

impl DicomFile {
    /// Reads the first 64 KiB of a file.
    ///
    /// # Errors
    /// [`FileError`]: the file cannot be read, is not a DICOM file, names no valid UIDs, or names other UIDs than its data set.
    pub fn read(path: &Path) -> Result<Self, FileError> {
        let read = || {
            let mut head = Vec::new();
            File::open(path)?.take(HEAD).read_to_end(&mut head)?;
            Self::of_head(path, &head)
        };
        read().map_err(|reason| FileError { path: path.to_owned(), reason })
    }

    fn of_head(path: &Path, head: &[u8]) -> Result<Self, FileReason> {
        let meta = head.get(PREAMBLE..).filter(|_| head[128..PREAMBLE] == *b"DICM").ok_or(FileReason::NotDicom)?;
        let mut reader = Reader::new(meta, Encoding::Explicit);
        let (mut sop_class, mut sop_instance, mut transfer_syntax) = (None, None, None);
        // The group's length is not trusted: the group ends where another begins.
        while reader.peek().is_some_and(|tag| tag >> 16 == 2) {
            let (tag, value) =
                reader.next().map_err(|_| FileReason::Meta("is cut short, or longer than 64 KiB"))?.unwrap_or_default();
            let uid = std::str::from_utf8(value).ok().and_then(Uid::parse);
            match tag {
                META_SOP_CLASS => sop_class = uid,
                META_SOP_INSTANCE => sop_instance = uid,
                META_TRANSFER_SYNTAX => transfer_syntax = uid,
                _ => {}
            }
        }
        let sop_class = sop_class.ok_or(FileReason::Meta("has no valid SOP class UID (0002,0002)"))?;
        let sop_instance = sop_instance.ok_or(FileReason::Meta("has no valid SOP instance UID (0002,0003)"))?;
        let transfer_syntax =
            transfer_syntax.ok_or(FileReason::Meta("has no valid transfer syntax UID (0002,0010)"))?;
        if sop_class.as_str() == DIRECTORY {
            return Err(FileReason::Directory);
        }
        let data = &meta[meta.len() - reader.left()..];
        if let Some(encoding) = Encoding::of(transfer_syntax.as_str()) {
            agree(Reader::new(data, encoding), &sop_class, &sop_instance)?;
        }
        let object = Object { sop_class, sop_instance, transfer_syntax: transfer_syntax.as_str().to_owned() };
        Ok(Self { path: path.to_owned(), object, data_at: (head.len() - data.len()) as u64 })
    }
}

/// Compares a data set's own UIDs with those of the file meta information: a peer would store one and file it under the other.
fn agree(mut data: Reader<'_>, sop_class: &Uid, sop_instance: &Uid) -> Result<(), FileReason> {
    while data.peek().is_some_and(|tag| tag <= SOP_INSTANCE) {
        // The head may end within an element, and the peer judges the data set.
        let Ok(Some((tag, value))) = data.next() else { return Ok(()) };
        let wanted = match tag {
            SOP_CLASS => sop_class,
            SOP_INSTANCE => sop_instance,
            _ => continue,
        };
        if std::str::from_utf8(value).ok().and_then(Uid::parse).as_ref() != Some(wanted) {
            return Err(FileReason::Meta("names another SOP class or instance than its data set"));
        }
    }
    Ok(())
}

/// A DICOM file of an object that came over the network: an empty preamble and file meta information (PS3.10 section 7.1) that names
/// the object and the implementation (class UID and version name), then the data set.
pub fn of_object(object: &Object, implementation: (&str, &str), data_set: &[u8]) -> Vec<u8> {
    let mut meta = Vec::new();
    let mut put =
        |tag, vr: &[u8; 2], value: &[u8], padding| Encoding::Explicit.write(&mut meta, tag, *vr, value, padding);
    put(0x0002_0001, b"OB", &[0, 1], 0);
    put(META_SOP_CLASS, b"UI", object.sop_class.as_str().as_bytes(), 0);
    put(META_SOP_INSTANCE, b"UI", object.sop_instance.as_str().as_bytes(), 0);
    put(META_TRANSFER_SYNTAX, b"UI", object.transfer_syntax.as_bytes(), 0);
    put(0x0002_0012, b"UI", implementation.0.as_bytes(), 0);
    put(0x0002_0013, b"SH", implementation.1.as_bytes(), b' ');
    let mut file = Vec::with_capacity(PREAMBLE + 12 + meta.len() + data_set.len());
    file.resize(128, 0);
    file.extend_from_slice(b"DICM");
    // Titles and UIDs have 64 characters at most.
    Encoding::Explicit.write(&mut file, 0x0002_0000, *b"UL", &(meta.len() as u32).to_le_bytes(), 0);
    file.extend(meta);
    file.extend_from_slice(data_set);
    file
}

/// The name of a transfer syntax with its UID, for messages.
pub fn syntax_name(uid: &str) -> String {
    let name = match uid {
        "1.2.840.10008.1.2" => "Implicit VR Little Endian",
        "1.2.840.10008.1.2.1" => "Explicit VR Little Endian",
        "1.2.840.10008.1.2.1.99" => "Deflated Explicit VR Little Endian",
        "1.2.840.10008.1.2.2" => "Explicit VR Big Endian",
        "1.2.840.10008.1.2.4.50" => "JPEG Baseline",
        "1.2.840.10008.1.2.4.51" => "JPEG Extended",
        "1.2.840.10008.1.2.4.57" => "JPEG Lossless",
        "1.2.840.10008.1.2.4.70" => "JPEG Lossless, first-order prediction",
        "1.2.840.10008.1.2.4.80" => "JPEG-LS Lossless",
        "1.2.840.10008.1.2.4.81" => "JPEG-LS Near-Lossless",
        "1.2.840.10008.1.2.4.90" => "JPEG 2000 Lossless",
        "1.2.840.10008.1.2.4.91" => "JPEG 2000",
        "1.2.840.10008.1.2.4.201" => "High-Throughput JPEG 2000 Lossless",
        "1.2.840.10008.1.2.4.203" => "High-Throughput JPEG 2000",
        "1.2.840.10008.1.2.5" => "RLE Lossless",
        _ => "a transfer syntax",
    };
    format!("{name} ({})", Uid::parse(uid).map_or_else(|| "not a UID".to_owned(), |uid| uid.to_string()))
}

/// The name of a SOP class with its UID, for messages.
pub fn class_name(uid: &Uid) -> String {
    let name = match uid.as_str() {
        "1.2.840.10008.5.1.4.1.1.1" => "Computed Radiography Image Storage",
        "1.2.840.10008.5.1.4.1.1.1.1" => "Digital X-Ray Image Storage - For Presentation",
        "1.2.840.10008.5.1.4.1.1.1.1.1" => "Digital X-Ray Image Storage - For Processing",
        "1.2.840.10008.5.1.4.1.1.7" => "Secondary Capture Image Storage",
        "1.2.840.10008.5.1.4.1.1.11.1" => "Grayscale Softcopy Presentation State Storage",
        "1.2.840.10008.5.1.4.1.1.30" => "Parametric Map Storage",
        "1.2.840.10008.5.1.4.1.1.88.33" => "Comprehensive SR Storage",
        "1.2.840.10008.5.1.4.1.1.88.34" => "Comprehensive 3D SR Storage",
        _ => "the SOP class",
    };
    format!("{name} ({uid})")
}

#[cfg(test)]
mod tests {
    use super::*;

    const CAPTURE: &[u8] = b"1.2.840.10008.5.1.4.1.1.7";

    /// A file with UIDs in its meta information and in its data set.
    fn file(meta: &[u8], data: &[u8], syntax: &[u8]) -> Vec<u8> {
        let mut bytes = vec![0; 128];
        bytes.extend(b"DICM");
        // A group length that is wrong.
        Encoding::Explicit.write(&mut bytes, 0x0002_0000, *b"UL", &7u32.to_le_bytes(), 0);
        Encoding::Explicit.write(&mut bytes, META_SOP_CLASS, *b"UI", CAPTURE, 0);
        Encoding::Explicit.write(&mut bytes, META_SOP_INSTANCE, *b"UI", meta, 0);
        Encoding::Explicit.write(&mut bytes, META_TRANSFER_SYNTAX, *b"UI", syntax, 0);
        Encoding::Explicit.write(&mut bytes, SOP_CLASS, *b"UI", CAPTURE, 0);
        Encoding::Explicit.write(&mut bytes, SOP_INSTANCE, *b"UI", data, 0);
        bytes
    }

    #[test]
    fn a_file_is_known_by_its_head() {
        let explicit = crate::EXPLICIT_VR.as_bytes();
        let bytes = file(b"2.25.1", b"2.25.1", explicit);
        let read = DicomFile::of_head(Path::new("a"), &bytes).unwrap();
        assert_eq!(
            (read.object.sop_instance.as_str(), read.object.transfer_syntax.as_str()),
            ("2.25.1", crate::EXPLICIT_VR)
        );
        assert_eq!(bytes[read.data_at as usize..][..4], [8, 0, 0x16, 0]);
        for cut in 0..bytes.len() {
            // Never a panic.
            let _ = DicomFile::of_head(Path::new("a"), &bytes[..cut]);
        }
        let whole = of_object(&read.object, ("2.25.1", "TEST"), &bytes[read.data_at as usize..]);
        assert_eq!(DicomFile::of_head(Path::new("a"), &whole).unwrap().object, read.object);
        let (syntax, head) = crate::query::Identifier::of_file(&whole).unwrap();
        assert_eq!((syntax.as_str(), head.ascii(SOP_INSTANCE)), (crate::EXPLICIT_VR, Some("2.25.1")));
        for (bytes, reason) in [
            (file(b"../../x", b"2.25.1", explicit), "no valid SOP instance UID"),
            (file(b"2.25.1", b"2.25.2", explicit), "another SOP class or instance"),
            (file(b"2.25.1", b"../../x", explicit), "another SOP class or instance"),
            (file(b"2.25.1", b"2.25.1", b"/x"), "no valid transfer syntax"),
            (vec![0; 500], "no DICM at byte 128"),
            (Vec::new(), "no DICM at byte 128"),
        ] {
            let error = DicomFile::of_head(Path::new("a"), &bytes).unwrap_err();
            assert!(error.to_string().contains(reason), "{error}");
        }
    }
}
