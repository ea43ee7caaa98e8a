//! The header of a DICOM file as it comes from a disk: the pixels are never read, large values are skipped, and nothing is inflated
//! that is not needed. What a file of any length costs is bounded.

use std::io::{self, Read};

use flate2::read::DeflateDecoder;

use super::DicomHeader;
use super::dataset::{encoding_of, error_of};
use super::part10::{EXPLICIT_LITTLE, is_deflated, is_dicom, shell};
use super::walk::{Encoding, First, Stop, first, header_end, open_end};
use crate::error::{FileFormat, ReadError};
use crate::limits::MAX_FILE_BYTES;

/// The file meta information ends within so many bytes.
const META: u64 = 64 << 10;
/// Bytes that are read at once.
const PIECE: usize = 64 << 10;
/// Values beyond this length are skipped.
const LARGE: usize = 64 << 10;
/// The most bytes of all others together.
const MOST: usize = 16 << 20;

/// The header of a DICOM file that is read from its beginning, without values of more than 64 KiB, and the byte at which its data set
/// begins; `file` is named in errors.
///
/// # Errors
/// As [`dicom_header`](super::dicom_header), a header of more than 16 MiB, or the system's reason where the file cannot be read.
pub fn dicom_header_from(mut reader: impl Read, file: &str) -> Result<(DicomHeader, u64), ReadError> {
    let io = |source| ReadError::Io { file: file.to_owned(), source };
    let mut start = Vec::new();
    reader.by_ref().take(META).read_to_end(&mut start).map_err(io)?;
    if !is_dicom(&start) {
        return Err(ReadError::UnknownFormat { file: file.to_owned(), hint: "a DICOM file is needed here" });
    }
    let shell = shell(&start, file)?;
    let data = start[shell.data_at..].chain(reader);
    let is_deflated = is_deflated(&shell.transfer_syntax);
    let encoding = if is_deflated { EXPLICIT_LITTLE.to_owned() } else { shell.transfer_syntax.clone() };
    let (result, passed) = if is_deflated {
        read(DeflateDecoder::new(data).take(MAX_FILE_BYTES), encoding_of(&encoding))
    } else {
        read(data, encoding_of(&encoding))
    };
    let too_large = |what: &str, most: u64| ReadError::TooLarge {
        file: file.to_owned(),
        what: what.into(),
        limit: format!("{} MiB", most >> 20),
    };
    let dataset = result.map_err(|failure| match failure {
        Failure::Io(error) if is_deflated && is_of_the_stream(&error) => ReadError::Truncated {
            file: file.to_owned(),
            format: FileFormat::Dicom,
            detail: format!("its deflated data set stops or breaks after {passed} bytes"),
        },
        Failure::Io(error) => io(error),
        Failure::Large => too_large("the header", MOST as u64),
        Failure::Stop(_) if is_deflated && passed as u64 >= MAX_FILE_BYTES => {
            too_large("the inflated data set", MAX_FILE_BYTES)
        }
        Failure::Stop(stop) => error_of(stop, file),
    })?;
    Ok((DicomHeader { transfer_syntax: shell.transfer_syntax, encoding, dataset }, shell.data_at as u64))
}

/// Why a header was not read.
enum Failure {
    Io(io::Error),
    Stop(Stop),
    /// It is too large.
    Large,
}

/// Whether an error is that of a deflated stream, and not of the disk below it.
fn is_of_the_stream(error: &io::Error) -> bool {
    use io::ErrorKind::{InvalidData, InvalidInput, UnexpectedEof};
    matches!(error.kind(), InvalidData | InvalidInput | UnexpectedEof)
}

/// The elements before the pixel data without large values, and how many bytes were passed.
fn read(reader: impl Read, encoding: Encoding) -> (Result<Vec<u8>, Failure>, usize) {
    let mut source = Source { reader, bytes: Vec::new(), at: 0, passed: 0, is_at_end: false };
    let result = source.header(encoding);
    (result, source.passed)
}

/// A stream with what was read of it and not taken yet.
struct Source<R> {
    reader: R,
    bytes: Vec<u8>,
    /// Where in `bytes` that begins.
    at: usize,
    /// Bytes that were taken or skipped.
    passed: usize,
    is_at_end: bool,
}

impl<R: Read> Source<R> {
    fn header(&mut self, encoding: Encoding) -> Result<Vec<u8>, Failure> {
        let mut kept = Vec::new();
        loop {
            // The longest head of an element.
            self.fill(12)?;
            if self.rest().is_empty() {
                break;
            }
            match first(self.rest(), encoding).map_err(|stop| self.stopped(stop))? {
                First::Pixels => break,
                First::Nothing(length) => self.pass(length)?,
                First::Value(length) if length > LARGE => self.pass(length)?,
                First::Value(length) | First::Sequence(length) => self.keep(length, &mut kept)?,
                First::Open => {
                    let length = self.open_sequence(encoding)?;
                    self.keep(length, &mut kept)?;
                }
            }
        }
        // What lies within sequences was not checked yet.
        header_end(&kept, encoding).map_err(Failure::Stop)?;
        Ok(kept)
    }

    /// The length of a sequence whose end is marked: more and more of it is read until the end is in it.
    fn open_sequence(&mut self, encoding: Encoding) -> Result<usize, Failure> {
        let mut wanted = PIECE;
        loop {
            let is_all = !self.fill(wanted)?;
            match open_end(self.rest(), encoding) {
                Ok(length) => return Ok(length),
                Err(Stop::Truncated { .. }) if !is_all && wanted < MOST => wanted *= 2,
                Err(Stop::Truncated { .. }) if !is_all => return Err(Failure::Large),
                Err(stop) => return Err(self.stopped(stop)),
            }
        }
    }

    fn rest(&self) -> &[u8] {
        &self.bytes[self.at..]
    }

    /// Reads until so many bytes are there, if there are so many.
    fn fill(&mut self, wanted: usize) -> Result<bool, Failure> {
        if self.rest().len() < wanted && !self.is_at_end {
            self.bytes.drain(..self.at);
            self.at = 0;
            let missing = (wanted - self.bytes.len()).max(PIECE);
            let read = self.reader.by_ref().take(missing as u64).read_to_end(&mut self.bytes).map_err(Failure::Io)?;
            self.is_at_end = read < missing;
        }
        Ok(self.rest().len() >= wanted)
    }

    fn keep(&mut self, length: usize, kept: &mut Vec<u8>) -> Result<(), Failure> {
        if length > MOST - kept.len() {
            return Err(Failure::Large);
        }
        if !self.fill(length)? {
            return Err(self.truncated());
        }
        kept.extend_from_slice(&self.rest()[..length]);
        self.at += length;
        self.passed += length;
        Ok(())
    }

    fn pass(&mut self, length: usize) -> Result<(), Failure> {
        let here = length.min(self.rest().len());
        self.at += here;
        let far = (length - here) as u64;
        let passed = io::copy(&mut self.reader.by_ref().take(far), &mut io::sink()).map_err(Failure::Io)?;
        self.passed += here + passed as usize;
        if passed < far { Err(self.truncated()) } else { Ok(()) }
    }

    fn truncated(&self) -> Failure {
        self.stopped(Stop::Truncated { what: "an element", at: 0 })
    }

    /// A stop at its place in the data set.
    fn stopped(&self, stop: Stop) -> Failure {
        Failure::Stop(match stop {
            Stop::Truncated { what, at } => Stop::Truncated { what, at: at + self.passed },
            Stop::Malformed { at } => Stop::Malformed { at: at + self.passed },
        })
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use super::super::dicom_header;
    use super::*;

    fn element(group: u16, element: u16, vr: &[u8; 2], value: &[u8]) -> Vec<u8> {
        let mut bytes = [group.to_le_bytes(), element.to_le_bytes()].concat();
        bytes.extend(vr);
        if matches!(vr, b"OB" | b"OW" | b"SQ" | b"UN" | b"UT") {
            bytes.extend([0, 0]);
            bytes.extend((value.len() as u32).to_le_bytes());
        } else {
            bytes.extend((value.len() as u16).to_le_bytes());
        }
        bytes.extend(value);
        bytes
    }

    fn open(group: u16, number: u16, vr: &[u8; 2], items: &[u8]) -> Vec<u8> {
        let mut bytes = element(group, number, vr, b"");
        let length = bytes.len() - 4;
        bytes[length..].copy_from_slice(&[0xFF; 4]);
        bytes.extend(items);
        bytes.extend([0xFE, 0xFF, 0xDD, 0xE0, 0, 0, 0, 0]);
        bytes
    }

    fn item(content: &[u8]) -> Vec<u8> {
        [&[0xFE, 0xFF, 0, 0xE0], &(content.len() as u32).to_le_bytes()[..], content].concat()
    }

    fn file(syntax: &str, data: &[u8]) -> Vec<u8> {
        let mut bytes = vec![0; 128];
        bytes.extend(b"DICM");
        bytes.extend(element(2, 0x10, b"UI", syntax.as_bytes()));
        bytes.extend(data);
        bytes
    }

    fn deflated(data: &[u8]) -> Vec<u8> {
        let mut encoder = flate2::write::DeflateEncoder::new(Vec::new(), flate2::Compression::fast());
        encoder.write_all(data).unwrap();
        file("1.2.840.10008.1.2.1.99\0", &encoder.finish().unwrap())
    }

    const EXPLICIT: &str = "1.2.840.10008.1.2.1\0";

    #[test]
    fn it_is_the_header_of_the_whole_file() {
        let inner = element(8, 0x100, b"SH", b"1234");
        let mut data = element(8, 0x60, b"CS", b"DX");
        data.extend(element(8, 0x1140, b"SQ", &item(&inner)));
        data.extend(open(0x28, 0x3010, b"SQ", &item(&inner).repeat(9000)));
        data.extend(open(0x29, 0x1010, b"UN", b""));
        data.extend(element(0x28, 0x10, b"US", &[1, 0]));
        let header = data.len();
        data.extend(element(0x7FE0, 0x10, b"OW", &[7; 300_000]));
        for bytes in [file(EXPLICIT, &data), deflated(&data)] {
            let whole = dicom_header(&bytes, "a").unwrap();
            let (streamed, data_at) = dicom_header_from(&bytes[..], "a").unwrap();
            assert_eq!(streamed, whole);
            assert_eq!((whole.dataset.len(), bytes[..data_at as usize].ends_with(b"\0")), (header, true));
        }
        // Wherever a file is cut off, the judgment is that of the whole, and nothing crashes.
        let bytes = file(EXPLICIT, &data);
        for cut in (0..500).chain((500..header).step_by(997)) {
            let bytes = &bytes[..cut];
            let (whole, streamed) = (dicom_header(bytes, "a"), dicom_header_from(bytes, "a"));
            assert_eq!(whole.map_err(drop), streamed.map(|(header, _)| header).map_err(drop), "{cut}");
        }
    }

    #[test]
    fn large_values_are_skipped_and_pixels_are_not_read() {
        // A document of 20 MiB before the last attribute.
        let mut data = element(8, 0x60, b"CS", b"DOC ");
        let document = element(0x42, 0x11, b"OB", &vec![1; 20 << 20]);
        data.extend(&document);
        data.extend(element(0x50, 0x20, b"LO", b"ab"));
        let (header, _) = dicom_header_from(&file(EXPLICIT, &data)[..], "a").unwrap();
        assert_eq!(header.dataset.len(), data.len() - document.len());
        let cut = file(EXPLICIT, &data[..data.len() - 100]);
        assert!(matches!(dicom_header_from(&cut[..1 << 20], "a"), Err(ReadError::Truncated { .. })));
        // The disk fails within the pixels, which nobody asks for, and before them.
        struct Broken;
        impl Read for Broken {
            fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
                Err(io::Error::other("worn out"))
            }
        }
        let head = file(EXPLICIT, &element(8, 0x60, b"CS", b"DX"));
        let failed = dicom_header_from(head.as_slice().chain(Broken), "a");
        assert!(matches!(failed, Err(ReadError::Io { .. })), "{failed:?}");
    }

    #[test]
    fn a_bomb_costs_no_memory() {
        // 300 MiB of nothing, in a few hundred kilobytes: in the pixels, and as a value before them.
        let zeros = vec![0; 1 << 20];
        let bomb = |group: u16, vr: &[u8; 2]| {
            let mut head = element(group, 0x10, vr, b"");
            let length = head.len() - 4;
            head[length..].copy_from_slice(&(300u32 << 20).to_le_bytes());
            let mut encoder = flate2::write::DeflateEncoder::new(Vec::new(), flate2::Compression::fast());
            encoder.write_all(&element(8, 0x60, b"CS", b"DX")).unwrap();
            encoder.write_all(&head).unwrap();
            (0..300).for_each(|_| encoder.write_all(&zeros).unwrap());
            file("1.2.840.10008.1.2.1.99\0", &encoder.finish().unwrap())
        };
        for bytes in [bomb(0x7FE0, b"OW"), bomb(0x29, b"UN")] {
            let (header, _) = dicom_header_from(&bytes[..], "a").unwrap();
            assert_eq!(header.dataset, element(8, 0x60, b"CS", b"DX"));
        }
        // As a sequence it would have to be kept.
        assert!(matches!(dicom_header_from(&bomb(0x29, b"SQ")[..], "a"), Err(ReadError::TooLarge { .. })));
    }
}
