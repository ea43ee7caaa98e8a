//! The files of `testdata/variants/make.py`: one film in many unusual encodings, which is read the same or refused, and damaged
//! streams, which are refused.

use std::path::PathBuf;

use coxa_imaging::exam::{ExamPart, ExamView};
use coxa_imaging::{Fit, Radiograph, preprocess, read, read_bytes};

use crate::{element, golden_file, with};

fn folder() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("testdata/variants")
}

fn bytes_of(name: &str) -> Vec<u8> {
    std::fs::read(folder().join(name)).unwrap()
}

/// The largest difference of the display values of two films.
fn difference(a: &Radiograph, b: &Radiograph) -> f32 {
    assert_eq!((a.width(), a.height()), (b.width(), b.height()));
    a.pixels().iter().zip(b.pixels()).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max)
}

#[test]
fn variants_are_the_same_film_or_are_refused() {
    let expected = std::fs::read_to_string(folder().join("expected.csv")).unwrap();
    let mut wrong = Vec::new();
    for line in expected.lines() {
        let cells: Vec<&str> = line.split(',').collect();
        let &[name, reference, bound] = &cells[..] else { panic!("{line}") };
        match (read(&folder().join(name)), reference) {
            (Err(error), "refused") => {
                let message = error.to_string();
                if !message.contains(&bound.replace(';', ",")) || message.contains("SECRET") {
                    wrong.push(format!("{name}: {message}"));
                }
            }
            (Ok(_), "refused") => wrong.push(format!("{name}: read")),
            (Err(error), _) => wrong.push(error.to_string()),
            (Ok(film), _) => {
                let difference = difference(&film, &read(&folder().join(reference)).unwrap());
                if difference > bound.parse().unwrap() {
                    wrong.push(format!("{name}: differs by {difference}"));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(expected.lines().count() > 80);
}

/// The position and the length of the pixel data's only fragment.
fn fragment(bytes: &[u8]) -> (usize, usize) {
    let (pixels, _) = element(bytes, 0x7FE0, 0x10);
    let length = |at: usize| u32::from_le_bytes(bytes[at + 4..at + 8].try_into().unwrap()) as usize;
    let first = pixels + 8 + length(pixels);
    (first + 8, length(first))
}

/// A copy of an encapsulated film with other bytes as its only fragment.
fn with_stream(bytes: &[u8], mut stream: Vec<u8>) -> Vec<u8> {
    let (at, length) = fragment(bytes);
    if stream.len() % 2 == 1 {
        stream.push(0);
    }
    let size = (stream.len() as u32).to_le_bytes();
    [&bytes[..at - 4], &size, &stream, &bytes[at + length..]].concat()
}

/// Where the entropy-coded data of a JPEG stream begin.
fn scan_data(stream: &[u8]) -> usize {
    let scan = stream.windows(2).rposition(|pair| pair == [0xFF, 0xDA]).unwrap();
    scan + 2 + usize::from(u16::from_be_bytes([stream[scan + 2], stream[scan + 3]]))
}

/// A stream cut anywhere and closed with an end marker holds less than its pixels; so does one that lost bytes from its middle.
#[test]
fn damaged_streams_with_an_end_marker_are_refused() {
    for name in ["jpeg_8", "jpeg_12", "jpeg_lossless", "jpeg_ls", "jpeg_color"] {
        let file = golden_file(name);
        let (at, length) = fragment(&file);
        let stream = &file[at..at + length];
        let begin = scan_data(stream);
        let end = stream.windows(2).rposition(|pair| pair == [0xFF, 0xD9]).unwrap();
        // The last code words may hold what remains in padding.
        for cut in (begin..end - 3).step_by(3) {
            let damaged = [&stream[..cut], &[0xFF, 0xD9]].concat();
            assert!(read_bytes(&with_stream(&file, damaged), "film").is_err(), "{name} cut at {cut} of {end}");
        }
        // Bytes of 0xFF before a marker are fill in JPEG (T.81, B.1.1.2), and may be data in JPEG-LS.
        let data_end = match name {
            "jpeg_ls" => end,
            _ => stream[..end].iter().rposition(|&byte| byte != 0xFF).unwrap() + 1,
        };
        let surplus = [&stream[..data_end], &[0x12; 9], &stream[end..]].concat();
        assert!(read_bytes(&with_stream(&file, surplus), "film").is_err(), "{name} with too much");
    }
    for name in ["rgb_named.jpg", "ybr_plain.jpg", "ybr_progressive.jpg", "ybr_restarts.jpg", "lossless_12.jpg"] {
        let stream = bytes_of(name);
        let end = stream.len() - 2;
        for cut in (scan_data(&stream)..end - 3).step_by(5) {
            let damaged = [&stream[..cut], &[0xFF, 0xD9]].concat();
            assert!(read_bytes(&damaged, "film").is_err(), "{name} cut at {cut} of {end}");
        }
    }
    let restarts = bytes_of("ybr_restarts.jpg");
    let second = restarts.windows(2).position(|pair| pair == [0xFF, 0xD0]).unwrap();
    let lost = [&restarts[..second], &[0xFF, 0xD9]].concat();
    assert!(read_bytes(&lost, "film").is_err(), "a restart interval is lost");
}

/// Codestreams of JPEG 2000 and RLE that lost their second half.
#[test]
fn halved_codestreams_are_refused() {
    for name in ["j2k_lossless", "htj2k", "rle"] {
        let file = golden_file(name);
        let (at, length) = fragment(&file);
        let half = file[at..at + length / 2].to_vec();
        assert!(read_bytes(&with_stream(&file, half.clone()), "film").is_err(), "{name}");
        let closed = [half, vec![0xFF, 0xD9]].concat();
        assert!(read_bytes(&with_stream(&file, closed), "film").is_err(), "{name}, closed");
    }
}

#[test]
fn damaged_jpeg_inside_tiff_is_refused() {
    let mut file = bytes_of("jpeg_inside.tif");
    assert!(read_bytes(&file, "film").is_ok());
    let begin = scan_data(&file);
    // An end marker in the middle of the entropy-coded data.
    file[begin + 20..begin + 22].copy_from_slice(&[0xFF, 0xD9]);
    let message = read_bytes(&file, "film").unwrap_err().to_string();
    assert!(message.contains("one of its JPEG streams"), "{message}");
}

/// A copy with an element of explicit VR put before Rows.
fn inserted(bytes: &[u8], group: u16, number: u16, vr: &[u8; 2], value: &[u8]) -> Vec<u8> {
    let (rows, _) = element(bytes, 0x28, 0x10);
    let mut addition = [group.to_le_bytes(), number.to_le_bytes()].concat();
    addition.extend(vr);
    addition.extend((value.len() as u16).to_le_bytes());
    addition.extend(value);
    [&bytes[..rows - 8], &addition, &bytes[rows - 8..]].concat()
}

#[test]
fn what_a_film_shows_is_read_from_its_words() {
    let plain = golden_file("linear");
    let part = |text: &[u8]| read_bytes(&inserted(&plain, 0x18, 0x15, b"CS", text), "film").unwrap();
    assert_eq!(part(b"CHEST AP").not_a_frontal_pelvis().unwrap(), "Body Part Examined (0018,0015) is CHEST");
    assert_eq!(part(b"HIP ").not_a_frontal_pelvis(), None);
    assert_eq!(part(b"HIP ").concern(), None);
    assert_eq!(part(b"EXTREMITY ").concern().unwrap(), "Body Part Examined (0018,0015) is EXTREMITY");
    let secret = part(b"SECRET^NAME ");
    assert_eq!((secret.body_part(), secret.exam().unwrap().body_part), (None, ExamPart::Absent));
    assert!(!format!("{secret:?}").contains("SECRET"));
    let series = inserted(&plain, 0x08, 0x103E, b"LO", b"Knee standing ");
    let film = read_bytes(&series, "film").unwrap();
    assert_eq!(film.not_a_frontal_pelvis().unwrap(), "Series Description (0008,103E) names KNEE");
    assert!(matches!(film.exam().unwrap().view, ExamView::Frontal(_)));
    let lateral = with(&plain, 0x18, 0x5101, b"LL");
    assert_eq!(read_bytes(&lateral, "film").unwrap().view(), Some("LL"));
    assert!(read(&folder().join("gray.tif")).unwrap().exam().is_none());
}

#[test]
fn pixels_that_are_not_square_keep_their_shape() {
    // Rows are 0.2 mm apart, columns 0.1 mm: 20 columns and 18 rows are 2.0 by 3.6 mm.
    let film = read_bytes(&golden_file("linear"), "film").unwrap();
    assert_eq!((film.width(), film.height(), film.pixel_aspect()), (20, 18, 2.0));
    let input = preprocess(&film, 36, Fit::Letterbox);
    assert_eq!(input.geometry.covered(), (8, 0, 20, 36));
    assert_eq!(input.geometry.to_film(18.0, 18.0), (10.0, 9.0));
    let ratio = inserted(&bytes_of("plain.dcm"), 0x28, 0x34, b"IS", b"1\\2 ");
    assert_eq!(read_bytes(&ratio, "film").unwrap().pixel_aspect(), 0.5);
    let square = inserted(&bytes_of("plain.dcm"), 0x28, 0x30, b"DS", b"0.139\\0.1391");
    assert_eq!(read_bytes(&square, "film").unwrap().pixel_aspect(), 1.0);
}
