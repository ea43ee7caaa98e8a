//! Files that are broken, or are something else: one line each, and the way out.

use coxa_imaging::{ReadError, read, read_bytes};

use crate::{data, element, golden_file, with, without};

/// The message of a file that must not be read: one line, naming the file, hiding the patient.
fn refusal(bytes: &[u8]) -> String {
    let error = read_bytes(bytes, "film.dcm").unwrap_err();
    let message = error.to_string();
    assert!(message.starts_with("film.dcm: "), "{message}");
    assert_eq!(message.lines().count(), 1, "{message}");
    assert!(!error.hint().is_empty() && !message.contains(error.hint()), "{message}");
    assert!(!message.contains("SECRET"), "{message}");
    assert!(message.len() < 300, "{message}");
    message
}

fn us(value: u16) -> [u8; 2] {
    value.to_le_bytes()
}

#[test]
fn every_known_malformed_file_is_refused_in_one_line() {
    let Some(folder) = data("dicom/malformed") else {
        return;
    };
    let mut seen = 0;
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let message = read(&path).unwrap_err().to_string();
        println!("{}", message.rsplit('/').next().unwrap());
        assert!(message.starts_with(&path.display().to_string()) && message.lines().count() == 1, "{message}");
        seen += 1;
    }
    assert!(seen >= 9);
}

#[test]
fn what_is_no_image_is_told() {
    assert_eq!(refusal(b""), "film.dcm: the file is empty");
    let letter = read_bytes(b"This is a letter about a film.\n", "letter").unwrap_err();
    assert!(letter.hint().contains("it looks like text"));
    assert!(refusal(&[0x7F, b'E', b'L', b'F', 1, 2, 3]).contains("not a DICOM, PNG, JPEG or TIFF file"));
    let mut preamble = vec![0u8; 128];
    preamble.extend(b"DICM");
    assert!(refusal(&preamble).contains("truncated"));
    assert!(matches!(read(std::path::Path::new("/no/such/film.dcm")), Err(ReadError::Io { .. })));
}

#[test]
fn a_huge_header_without_pixels_costs_nothing() {
    let bytes = golden_file("linear");
    let bytes = with(&with(&bytes, 0x28, 0x10, &us(20_000)), 0x28, 0x11, &us(20_000));
    let (pixels, _) = element(&bytes, 0x7FE0, 0x10);
    let message = refusal(&bytes[..pixels - 12]);
    assert!(message.contains("20000×20000 pixels is over the limit"), "{message}");
    // Within the limit, but the pixels are not there.
    let bytes = with(&with(&bytes, 0x28, 0x10, &us(9000)), 0x28, 0x11, &us(9000));
    assert!(refusal(&bytes).contains("9000 rows of 9000 columns need 162000000"));
    assert!(refusal(&bytes[..pixels - 12]).contains("PixelData (7FE0,0010) is missing"));
    // So too where they are compressed.
    for name in ["jpeg_ls", "j2k_lossless", "jpeg_12", "jpeg_lossless", "jpeg_8", "htj2k"] {
        let bytes = with(&with(&golden_file(name), 0x28, 0x10, &us(9000)), 0x28, 0x11, &us(9000));
        let message = refusal(&bytes);
        assert!(message.contains("the stream is of 20×18 pixels, Columns and Rows say 9000×9000"), "{message}");
    }
}

#[test]
fn a_claimed_length_is_not_believed() {
    let mut bytes = golden_file("linear");
    let (at, _) = element(&bytes, 0x7FE0, 0x10);
    bytes[at - 4..at].copy_from_slice(&0xFFFF_FFF0u32.to_le_bytes());
    assert!(refusal(&bytes).contains("truncated"));
}

#[test]
fn small_images_are_no_films() {
    let bytes = golden_file("linear");
    let message = refusal(&with(&with(&bytes, 0x28, 0x10, &us(1)), 0x28, 0x11, &us(1)));
    assert!(message.contains("1×1 pixels are too few for a film"), "{message}");
}

#[test]
fn impossible_attributes_are_named() {
    let linear = golden_file("linear");
    for (group, number, value, expected) in [
        (0x28, 0x100, us(32).to_vec(), "BitsAllocated (0028,0100) of 32 is not supported"),
        (0x28, 0x100, us(1).to_vec(), "BitsAllocated (0028,0100) of 1 is not supported"),
        (0x28, 0x101, us(17).to_vec(), "BitsStored (0028,0101) is 17"),
        (0x28, 0x101, us(0).to_vec(), "BitsStored (0028,0101) is 0"),
        (0x28, 0x102, us(16).to_vec(), "HighBit (0028,0102) is 16"),
        (0x28, 0x102, us(3).to_vec(), "HighBit (0028,0102) is 3"),
        (0x28, 0x103, us(7).to_vec(), "PixelRepresentation (0028,0103) is 7"),
        (0x28, 0x002, us(3).to_vec(), "SamplesPerPixel (0028,0002) is 3"),
        (0x28, 0x004, b"PALETTE COL ".to_vec(), "PhotometricInterpretation (0028,0004) PALETTE COL is not supported"),
        (0x28, 0x004, b"Doe^Jane    ".to_vec(), "PhotometricInterpretation (0028,0004) not a defined term"),
        (0x28, 0x1051, b"0   ".to_vec(), "WindowWidth (0028,1051) is 0"),
        (0x28, 0x1051, b"abcd".to_vec(), "WindowWidth (0028,1051) is not a number"),
        (0x08, 0x016, b"1.2.840.10008.5.1.4.1.1.2\0".to_vec(), "a CT image, not a plain film"),
        (0x08, 0x016, b"1.2.840.10008.5.1.4.1.1.66".to_vec(), "1.2.840.10008.5.1.4.1.1.66, not that of a plain film"),
    ] {
        let (_, length) = element(&linear, group, number);
        let mut padded = value;
        padded.resize(length, if length == 26 { 0 } else { b' ' });
        let message = refusal(&with(&linear, group, number, &padded));
        assert!(message.contains(expected), "{message} lacks {expected}");
    }
}

#[test]
fn missing_attributes_are_named() {
    let linear = golden_file("linear");
    for (group, number, expected) in [
        (0x28, 0x10, "Rows (0028,0010) is missing"),
        (0x28, 0x11, "Columns (0028,0011) is missing"),
        (0x28, 0x04, "PhotometricInterpretation (0028,0004) is missing"),
        (0x28, 0x100, "BitsAllocated (0028,0100) is missing"),
        (0x02, 0x10, "TransferSyntaxUID (0002,0010) is missing"),
        (0x7FE0, 0x10, "PixelData (7FE0,0010) is missing"),
    ] {
        let message = refusal(&without(&linear, group, number));
        assert!(message.contains(expected), "{message} lacks {expected}");
    }
}

#[test]
fn a_multi_frame_image_is_refused() {
    let linear = golden_file("linear");
    // Number of Frames takes the place of Planar Configuration's neighbor: put before Rows.
    let (rows, _) = element(&linear, 0x28, 0x10);
    let mut bytes = linear[..rows - 8].to_vec();
    bytes.extend(b"\x28\0\x08\0IS\x02\0");
    bytes.extend(b"50");
    bytes.extend(&linear[rows - 8..]);
    let message = refusal(&bytes);
    assert!(message.contains("NumberOfFrames (0028,0008) is 50, a multi-frame image"), "{message}");
}

#[test]
fn encodings_that_are_not_read_are_named() {
    for (uid, expected) in [
        (b"1.2.840.10008.1.2.4.102\0".as_slice(), "MPEG-4"),
        (b"1.2.840.10008.1.2.4.110\0", "JPEG XL Lossless"),
        (b"1.2.840.99999.1.2.4.102\0", "a private one"),
    ] {
        let bytes = golden_file("jpeg_ls");
        let (at, length) = element(&bytes, 2, 0x10);
        let mut changed = bytes[..at - 2].to_vec();
        changed.extend((uid.len() as u16).to_le_bytes());
        changed.extend(uid);
        changed.extend(&bytes[at + length..]);
        let message = refusal(&changed);
        assert!(message.contains("TransferSyntaxUID (0002,0010)") && message.contains(expected), "{message}");
    }
}

/// Cut anywhere, a file is an error and never a panic. Only padding at the very end may be lost.
#[test]
fn truncated_files_are_refused_wherever_they_stop() {
    for name in [
        "linear",
        "implicit",
        "deflated",
        "rle",
        "jpeg_ls",
        "j2k_lossless",
        "htj2k",
        "jpeg_12",
        "jpeg_lossless",
        "jpeg_8",
    ] {
        let bytes = golden_file(name);
        for end in (0..bytes.len() - 12).step_by(if bytes.len() > 2000 { 7 } else { 3 }) {
            assert!(read_bytes(&bytes[..end], "film.dcm").is_err(), "{name} cut to {end} of {}", bytes.len());
        }
    }
}

#[test]
fn hints_stand_alone() {
    let error = read_bytes(b"", "film.dcm").unwrap_err();
    assert_eq!(error.hint(), "export or copy it again");
}
