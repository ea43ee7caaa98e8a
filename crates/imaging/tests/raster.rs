//! PNG, JPEG and TIFF.

use std::io::Cursor;

use coxa_imaging::{Photometric, ReadError, encode, read_bytes};
use image::{DynamicImage, GrayImage, ImageBuffer, ImageFormat, Luma, RgbImage, RgbaImage};

use crate::golden_file;

fn encoded(image: &DynamicImage, format: ImageFormat) -> Vec<u8> {
    let mut bytes = Cursor::new(Vec::new());
    image.write_to(&mut bytes, format).unwrap();
    bytes.into_inner()
}

fn gray() -> Vec<u8> {
    (0..20 * 18).map(|i| (i * 37 % 256) as u8).collect()
}

#[test]
fn eight_bits_pass_unchanged() {
    let image = DynamicImage::ImageLuma8(GrayImage::from_raw(20, 18, gray()).unwrap());
    for format in [ImageFormat::Png, ImageFormat::Tiff] {
        let film = read_bytes(&encoded(&image, format), "film").unwrap();
        assert!(film.pixels().iter().zip(gray()).all(|(&a, b)| a == f32::from(b)), "{format:?}");
        assert_eq!((film.width(), film.height(), film.bit_depth()), (20, 18, 8));
        assert_eq!((film.photometric(), film.spacing_mm()), (Photometric::Monochrome2, None));
    }
}

#[test]
fn a_jpeg_is_what_another_decoder_makes_of_it() {
    let smooth: Vec<u8> = (0..64 * 48).map(|i| (i % 64 * 3 + i / 64) as u8).collect();
    let image = DynamicImage::ImageLuma8(GrayImage::from_raw(64, 48, smooth.clone()).unwrap());
    let film = read_bytes(&encoded(&image, ImageFormat::Jpeg), "film").unwrap();
    assert!(film.pixels().iter().zip(smooth).all(|(&a, b)| (a - f32::from(b)).abs() <= 8.0));
    assert!(film.pixels().iter().all(|v| v.fract() == 0.0));
}

#[test]
fn color_becomes_luma_and_alpha_is_left_out() {
    let rgb: Vec<u8> = (0..20 * 18).flat_map(|i| [i as u8, (i * 3) as u8, (i * 7) as u8]).collect();
    let rgba: Vec<u8> = rgb.chunks(3).flat_map(|p| [p[0], p[1], p[2], 9]).collect();
    let expected = |i: usize| {
        0.299 * f32::from(rgb[3 * i]) + 0.587 * f32::from(rgb[3 * i + 1]) + 0.114 * f32::from(rgb[3 * i + 2])
    };
    let plain = DynamicImage::ImageRgb8(RgbImage::from_raw(20, 18, rgb.clone()).unwrap());
    let clear = DynamicImage::ImageRgba8(RgbaImage::from_raw(20, 18, rgba).unwrap());
    for image in [plain, clear] {
        let film = read_bytes(&encoded(&image, ImageFormat::Png), "film").unwrap();
        assert_eq!(film.photometric(), Photometric::Rgb);
        assert!(film.pixels().iter().enumerate().all(|(i, v)| (v - expected(i)).abs() < 1e-2));
    }
}

#[test]
fn sixteen_bits_get_the_percentile_window() {
    // Twelve bits in sixteen, as detectors give them.
    let raw: Vec<u16> = (0..10_000u32).map(|i| (i * 7919 % 4096) as u16).collect();
    let bytes = encode::png_gray16_to_vec(100, 100, &raw).unwrap();
    let film = read_bytes(&bytes, "film").unwrap();
    assert_eq!(film.bit_depth(), 16);
    let mut sorted = raw.clone();
    sorted.sort_unstable();
    let (low, high) = (f32::from(sorted[50]), f32::from(sorted[9949]));
    for (&value, &shown) in raw.iter().zip(film.pixels()) {
        let expected = 255.0 * ((f32::from(value) - low) / (high - low)).clamp(0.0, 1.0);
        assert!((shown - expected).abs() < 0.2, "{value}: {shown} is not {expected}");
    }
    let image = DynamicImage::ImageLuma16(ImageBuffer::<Luma<u16>, _>::from_raw(100, 100, raw).unwrap());
    assert_eq!(read_bytes(&encoded(&image, ImageFormat::Tiff), "film").unwrap().pixels(), film.pixels());
}

/// A TIFF file whose lowest value is white, made by hand.
fn white_is_zero(pages: u32) -> Vec<u8> {
    let pixels: Vec<u8> = (0..=255).collect();
    let mut bytes = b"II*\0\x08\0\0\0".to_vec();
    let entries: [(u16, u16, u32); 9] = [
        (256, 3, 16),
        (257, 3, 16),
        (258, 3, 8),
        (259, 3, 1),
        (262, 3, 0),
        (273, 4, 8 + 2 + 9 * 12 + 4),
        (277, 3, 1),
        (278, 3, 16),
        (279, 4, 256),
    ];
    bytes.extend((entries.len() as u16).to_le_bytes());
    for (tag, kind, value) in entries {
        bytes.extend(tag.to_le_bytes());
        bytes.extend(kind.to_le_bytes());
        bytes.extend(1u32.to_le_bytes());
        bytes.extend(value.to_le_bytes());
    }
    bytes.extend(if pages > 1 { 8u32 } else { 0 }.to_le_bytes());
    bytes.extend(pixels);
    bytes
}

#[test]
fn a_white_is_zero_tiff_comes_out_bone_bright() {
    let film = read_bytes(&white_is_zero(1), "film").unwrap();
    assert_eq!(film.photometric(), Photometric::Monochrome1);
    assert!(film.pixels().iter().enumerate().all(|(i, &v)| v == (255 - i) as f32));
    let error = read_bytes(&white_is_zero(2), "film.tif").unwrap_err();
    assert_eq!(error.to_string(), "film.tif: the TIFF file has several pages");
    assert_eq!(error.hint(), "save the page to read as a file of its own");
}

/// An EXIF block that holds an orientation and nothing else.
fn exif(orientation: u8) -> Vec<u8> {
    let mut block = b"Exif\0\0II*\0\x08\0\0\0\x01\0\x12\x01\x03\0\x01\0\0\0".to_vec();
    block.extend([orientation, 0, 0, 0, 0, 0, 0, 0]);
    block
}

/// A JPEG file with an orientation.
fn turned(jpeg: &[u8], orientation: u8) -> Vec<u8> {
    let block = exif(orientation);
    let length = (block.len() as u16 + 2).to_be_bytes();
    [&jpeg[..2], &[0xFF, 0xE1], &length, &block, &jpeg[2..]].concat()
}

#[test]
fn a_jpeg_of_twelve_bits_is_turned_too() {
    let dicom = golden_file("jpeg_12");
    let start = dicom.windows(3).position(|three| three == [0xFF, 0xD8, 0xFF]).unwrap();
    let stored = read_bytes(&dicom[start..], "film").unwrap();
    let half_turn = read_bytes(&turned(&dicom[start..], 3), "film").unwrap();
    assert_eq!((stored.width(), stored.height(), stored.bit_depth()), (20, 18, 12));
    assert!(half_turn.pixels().iter().zip(stored.pixels().iter().rev()).all(|(a, b)| (a - b).abs() < 0.01));
    let quarter = read_bytes(&turned(&dicom[start..], 6), "film").unwrap();
    assert_eq!((quarter.width(), quarter.height()), (18, 20));
    // What is stored first in the last row stands in the upper left corner.
    assert!((quarter.pixels()[0] - stored.pixels()[17 * 20]).abs() < 0.01);
}

#[test]
fn orientation_tags_are_followed() {
    // Dark to the left, bright to the right.
    let across: Vec<u8> = (0..64 * 48).map(|i| (i % 64 * 4) as u8).collect();
    let image = DynamicImage::ImageLuma8(GrayImage::from_raw(64, 48, across).unwrap());
    let plain = encoded(&image, ImageFormat::Jpeg);
    // Where the bright side is, as (x, y), for each of EXIF's eight orientations.
    let sides = [(1, 0), (-1, 0), (-1, 0), (1, 0), (0, 1), (0, 1), (0, -1), (0, -1)];
    for (orientation, (x, y)) in (1..).zip(sides) {
        let film = read_bytes(&turned(&plain, orientation), "film").unwrap();
        assert_eq!(film.width() > film.height(), y == 0, "{orientation}");
        let at = |column: usize, row: usize| film.pixels()[row * film.width() + column];
        let (right, bottom) = (film.width() - 1, film.height() - 1);
        assert_eq!((at(right, 5) - at(0, 5)) > 100.0, x == 1, "{orientation}");
        assert_eq!((at(0, 5) - at(right, 5)) > 100.0, x == -1, "{orientation}");
        assert_eq!((at(5, bottom) - at(5, 0)) > 100.0, y == 1, "{orientation}");
        assert_eq!((at(5, 0) - at(5, bottom)) > 100.0, y == -1, "{orientation}");
    }
}

#[test]
fn truncated_files_are_errors() {
    let image = DynamicImage::ImageLuma8(GrayImage::from_raw(20, 18, gray()).unwrap());
    for format in [ImageFormat::Png, ImageFormat::Jpeg, ImageFormat::Tiff] {
        let bytes = encoded(&image, format);
        // The last bytes of a PNG file are the end chunk, which holds no pixel.
        for end in 12..bytes.len() - 16 {
            let error = read_bytes(&bytes[..end], "film").unwrap_err();
            assert_eq!(error.to_string().lines().count(), 1);
        }
        let error = read_bytes(&bytes[..bytes.len() * 2 / 3], "film").unwrap_err();
        println!("{error}");
    }
    let jpeg = encoded(&image, ImageFormat::Jpeg);
    assert!(matches!(read_bytes(&jpeg[..jpeg.len() - 2], "film"), Err(ReadError::Truncated { .. })));
}

#[test]
fn sizes_are_checked_before_decoding() {
    let icon = encode::png_gray8_to_vec(1, 1, &[7]).unwrap();
    assert!(matches!(read_bytes(&icon, "icon.png"), Err(ReadError::TooSmall { width: 1, height: 1, .. })));
    // A header that claims 20,000×20,000 pixels, its checksum right.
    let mut huge = encode::png_gray8_to_vec(16, 16, &[0; 256]).unwrap();
    huge[16..20].copy_from_slice(&20_000u32.to_be_bytes());
    huge[20..24].copy_from_slice(&20_000u32.to_be_bytes());
    let checksum = crc32(&huge[12..29]);
    huge[29..33].copy_from_slice(&checksum.to_be_bytes());
    let error = read_bytes(&huge, "huge.png").unwrap_err();
    assert!(matches!(error, ReadError::TooLarge { .. }), "{error}");
}

fn crc32(bytes: &[u8]) -> u32 {
    !bytes.iter().fold(u32::MAX, |crc, &byte| {
        (0..8).fold(crc ^ u32::from(byte), |crc, _| if crc & 1 == 1 { crc >> 1 ^ 0xEDB8_8320 } else { crc >> 1 })
    })
}
