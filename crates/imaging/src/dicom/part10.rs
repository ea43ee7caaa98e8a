//! The outer shell of a DICOM file (PS3.10, 7.1): preamble, prefix and file meta information; and the data set inside.

use std::borrow::Cow;
use std::io::Read;

use crate::error::{FileFormat, ReadError};
use crate::limits::MAX_FILE_BYTES;

/// Implicit VR Little Endian.
pub(super) const IMPLICIT_LITTLE: &str = "1.2.840.10008.1.2";
/// Explicit VR Little Endian.
pub(super) const EXPLICIT_LITTLE: &str = "1.2.840.10008.1.2.1";
/// Explicit VR Big Endian (retired).
pub(super) const EXPLICIT_BIG: &str = "1.2.840.10008.1.2.2";
/// Deflated Explicit VR Little Endian.
const DEFLATED: &str = "1.2.840.10008.1.2.1.99";

/// A file taken apart.
pub(super) struct Part10<'a> {
    /// Transfer Syntax UID; of a deflated file, that of its inflated data set.
    pub(super) transfer_syntax: String,
    /// Transfer Syntax UID as the file names it.
    pub(super) named_syntax: String,
    /// Media Storage SOP Class UID, where the file meta information has it.
    pub(super) media_class: Option<String>,
    /// The data set.
    pub(super) dataset: Cow<'a, [u8]>,
}

/// The bytes are a DICOM file: by the prefix after the preamble or in its place, or a data set that can be nothing else.
pub(crate) fn is_dicom(bytes: &[u8]) -> bool {
    bytes.get(128..132) == Some(b"DICM") || bytes.starts_with(b"DICM") || bare_syntax(bytes).is_some()
}

/// The syntax of a data set without preamble and file meta information: it begins with an element of group 0008 whose VR and
/// length, or length alone, are those of the dictionary.
fn bare_syntax(bytes: &[u8]) -> Option<&'static str> {
    let start: [u8; 8] = bytes.get(..8)?.try_into().ok()?;
    let vr: &[u8] = match start[..4] {
        [8, 0, 0, 0] => b"UL",
        [8, 0, 5, 0] | [8, 0, 8, 0] => b"CS",
        [8, 0, 0x12, 0] => b"DA",
        [8, 0, 0x16, 0] => b"UI",
        _ => return None,
    };
    if start[4..6] == *vr {
        return Some(EXPLICIT_LITTLE);
    }
    let length = u32::from_le_bytes([start[4], start[5], start[6], start[7]]);
    // The values of these elements are short, and padded to an even length.
    (length <= 256 && length.is_multiple_of(2)).then_some(IMPLICIT_LITTLE)
}

/// What stands before a data set.
pub(super) struct Shell {
    /// Transfer Syntax UID as the file names it.
    pub(super) transfer_syntax: String,
    media_class: Option<String>,
    /// Where the data set begins.
    pub(super) data_at: usize,
}

/// Whether the data set is deflated.
pub(super) fn is_deflated(transfer_syntax: &str) -> bool {
    transfer_syntax == DEFLATED
}

/// Reads what stands before the data set; `bytes` may end within that.
pub(super) fn shell(bytes: &[u8], file: &str) -> Result<Shell, ReadError> {
    let start = if bytes.get(128..132) == Some(b"DICM") {
        132
    } else if bytes.starts_with(b"DICM") {
        4
    } else {
        let transfer_syntax = bare_syntax(bytes).unwrap_or(IMPLICIT_LITTLE).to_owned();
        return Ok(Shell { transfer_syntax, media_class: None, data_at: 0 });
    };
    let meta = FileMeta::parse(bytes, start, file)?;
    let transfer_syntax = meta.transfer_syntax.ok_or_else(|| ReadError::MissingAttribute {
        file: file.to_owned(),
        name: "TransferSyntaxUID",
        tag: "(0002,0010)".into(),
        hint: "without it the elements cannot be decoded; export the film again",
    })?;
    Ok(Shell { transfer_syntax, media_class: meta.media_class, data_at: meta.end })
}

/// Takes a DICOM file apart.
pub(super) fn split<'a>(bytes: &'a [u8], file: &str) -> Result<Part10<'a>, ReadError> {
    let Shell { transfer_syntax: named_syntax, media_class, data_at } = shell(bytes, file)?;
    let dataset = &bytes[data_at..];
    if !is_deflated(&named_syntax) {
        let (transfer_syntax, dataset) = (named_syntax.clone(), Cow::Borrowed(dataset));
        return Ok(Part10 { transfer_syntax, named_syntax, media_class, dataset });
    }
    let dataset = Cow::Owned(inflate(dataset, file)?);
    Ok(Part10 { transfer_syntax: EXPLICIT_LITTLE.into(), named_syntax, media_class, dataset })
}

/// Inflates a deflated stream of at most [`MAX_FILE_BYTES`].
pub(super) fn inflate(bytes: &[u8], file: &str) -> Result<Vec<u8>, ReadError> {
    let mut inflated = Vec::new();
    let read = flate2::read::DeflateDecoder::new(bytes).take(MAX_FILE_BYTES + 1).read_to_end(&mut inflated);
    if inflated.len() as u64 > MAX_FILE_BYTES {
        return Err(ReadError::TooLarge {
            file: file.to_owned(),
            what: "the inflated data set".into(),
            limit: format!("{} MiB", MAX_FILE_BYTES >> 20),
        });
    }
    match read {
        Ok(_) => Ok(inflated),
        Err(_) => Err(ReadError::Truncated {
            file: file.to_owned(),
            format: FileFormat::Dicom,
            detail: format!("its deflated data set stops or breaks after {} bytes", inflated.len()),
        }),
    }
}

/// The two elements of the file meta information that reading needs. It is always Explicit VR Little Endian, and its group
/// length is often wrong or absent, so the elements are walked until the group ends.
struct FileMeta {
    transfer_syntax: Option<String>,
    media_class: Option<String>,
    end: usize,
}

impl FileMeta {
    fn parse(bytes: &[u8], start: usize, file: &str) -> Result<Self, ReadError> {
        let mut meta = Self { transfer_syntax: None, media_class: None, end: start };
        let truncated = || ReadError::Truncated {
            file: file.to_owned(),
            format: FileFormat::Dicom,
            detail: "inside the file meta information".into(),
        };
        while let Some(&[2, 0, e0, e1]) = bytes.get(meta.end..meta.end + 4) {
            let head: [u8; 4] =
                bytes.get(meta.end + 4..meta.end + 8).and_then(|h| h.try_into().ok()).ok_or_else(truncated)?;
            let long =
                matches!(&head[..2], b"OB" | b"OW" | b"OF" | b"OD" | b"OL" | b"SQ" | b"UN" | b"UT" | b"UC" | b"UR");
            let (value, length) = if long {
                let four: [u8; 4] =
                    bytes.get(meta.end + 8..meta.end + 12).and_then(|l| l.try_into().ok()).ok_or_else(truncated)?;
                (meta.end + 12, u32::from_le_bytes(four) as usize)
            } else {
                (meta.end + 8, usize::from(u16::from_le_bytes([head[2], head[3]])))
            };
            let value = bytes.get(value..value.saturating_add(length)).ok_or_else(truncated)?;
            match u16::from_le_bytes([e0, e1]) {
                0x0002 => meta.media_class = uid(value),
                0x0010 => meta.transfer_syntax = uid(value),
                _ => {}
            }
            meta.end = value.as_ptr() as usize - bytes.as_ptr() as usize + length;
        }
        if meta.end >= bytes.len() {
            return Err(truncated());
        }
        Ok(meta)
    }
}

/// A UID without its padding; `None` where it is empty or not made of digits and dots.
pub(super) fn uid(value: &[u8]) -> Option<String> {
    let end = value.iter().rposition(|&b| b != 0 && b != b' ')? + 1;
    let text = &value[..end];
    let is_uid = text.len() <= 64 && text.iter().all(|b| b.is_ascii_digit() || *b == b'.');
    is_uid.then(|| text.iter().map(|&b| char::from(b)).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bare_data_sets_are_recognized() {
        assert_eq!(bare_syntax(b"\x08\0\x05\0CS\x0a\0ISO_IR 100"), Some(EXPLICIT_LITTLE));
        assert_eq!(bare_syntax(b"\x08\0\x16\0\x1a\0\0\x001.2.840"), Some(IMPLICIT_LITTLE));
        assert_eq!(bare_syntax(b"\x08\0\x16\0\xff\xff\xff\xff"), None);
        assert_eq!(bare_syntax(b"\x20\x08\0\x05\0CS\x0a"), None);
        assert!(!is_dicom(b"short"));
    }

    #[test]
    fn uids_lose_their_padding() {
        assert_eq!(uid(b"1.2.840.10008.1.2\0").as_deref(), Some("1.2.840.10008.1.2"));
        assert_eq!(uid(b""), None);
        assert_eq!(uid(b"1.2.x"), None);
    }
}
