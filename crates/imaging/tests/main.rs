//! Integration tests: golden files of pydicom, the conformance and malformed files where they are at hand, and a fixed run of
//! mutated files.

#![expect(clippy::print_stdout, reason = "a test says what it skipped and what it measured")]

mod cases;
mod conformance;
mod golden;
mod malformed;
mod mutation;
mod raster;
mod variants;

use std::path::PathBuf;

/// The folder of the golden DICOM files.
fn golden_folder() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("testdata/dicom")
}

/// The bytes of a golden DICOM file.
fn golden_file(name: &str) -> Vec<u8> {
    std::fs::read(golden_folder().join(format!("{name}.dcm"))).unwrap()
}

/// A folder of real files outside the repository: `$COXA_DATA`, else `../shared/data` beside it. Says so where it is absent.
fn data(folder: &str) -> Option<PathBuf> {
    let root = match std::env::var_os("COXA_DATA") {
        Some(root) => PathBuf::from(root),
        None => PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../../shared/data"),
    };
    let folder = root.join(folder);
    if !folder.is_dir() {
        println!("skipped: {} is not there", folder.display());
        return None;
    }
    Some(folder)
}

/// The position of the value of the first element with this tag (as it lies in a little-endian file), explicit VR, and its length.
fn element(bytes: &[u8], group: u16, element: u16) -> (usize, usize) {
    let mut tag = group.to_le_bytes().to_vec();
    tag.extend(element.to_le_bytes());
    let at = bytes.windows(4).position(|w| w == tag).unwrap();
    let long = matches!(&bytes[at + 4..at + 6], b"OB" | b"OW" | b"SQ" | b"UN");
    if long {
        (at + 12, u32::from_le_bytes(bytes[at + 8..at + 12].try_into().unwrap()) as usize)
    } else {
        (at + 8, usize::from(u16::from_le_bytes(bytes[at + 6..at + 8].try_into().unwrap())))
    }
}

/// A copy with the value of an element replaced by one of the same length.
fn with(bytes: &[u8], group: u16, number: u16, value: &[u8]) -> Vec<u8> {
    let (at, length) = element(bytes, group, number);
    assert_eq!(length, value.len());
    let mut copy = bytes.to_vec();
    copy[at..at + length].copy_from_slice(value);
    copy
}

/// A copy without an element of a defined length.
fn without(bytes: &[u8], group: u16, number: u16) -> Vec<u8> {
    let (at, length) = element(bytes, group, number);
    let head = if matches!(&bytes[at - 8..at - 6], b"OB" | b"OW" | b"SQ" | b"UN") { 12 } else { 8 };
    let mut copy = bytes.to_vec();
    copy.drain(at - head..at + length);
    copy
}
