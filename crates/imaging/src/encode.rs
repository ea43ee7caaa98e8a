//! PNG files of gray and color pixels. Color ones carry a mark, by which an earlier output is known.

use std::io;
use std::path::{Path, PathBuf};

use image::codecs::png::{CompressionType, FilterType, PngEncoder};
use image::{ExtendedColorType, ImageEncoder};

/// Why an image could not be written.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum EncodeError {
    /// The number of samples is not what width and height ask for.
    #[error("{width}×{height} pixels need {expected} samples, {found} were given")]
    Length {
        /// Columns.
        width: usize,
        /// Rows.
        height: usize,
        /// Samples that they need.
        expected: usize,
        /// Samples given.
        found: usize,
    },
    /// A side is 0 or over [`crate::MAX_SIDE`].
    #[error("{width}×{height} pixels cannot be encoded; a side is from 1 to {}", crate::MAX_SIDE)]
    Size {
        /// Columns.
        width: usize,
        /// Rows.
        height: usize,
    },
    /// The PNG encoder gave up.
    #[error("the PNG encoder failed: {0}")]
    Png(#[from] image::ImageError),
    /// The file could not be written.
    #[error("{}: {source}", path.display())]
    Io {
        /// Where it was to be.
        path: PathBuf,
        /// The operating system's reason.
        source: io::Error,
    },
}

/// Writes 8-bit gray pixels, `width * height` of them, row by row.
///
/// # Errors
/// [`EncodeError`] where the number of pixels is wrong or the file cannot be written.
pub fn png_gray8(path: &Path, width: usize, height: usize, pixels: &[u8]) -> Result<(), EncodeError> {
    save(path, &png_gray8_to_vec(width, height, pixels)?)
}

/// Writes 16-bit gray pixels, `width * height` of them, row by row.
///
/// # Errors
/// As [`png_gray8`].
pub fn png_gray16(path: &Path, width: usize, height: usize, pixels: &[u16]) -> Result<(), EncodeError> {
    save(path, &png_gray16_to_vec(width, height, pixels)?)
}

/// Writes 8-bit color pixels, `3 * width * height` samples (red, green, blue), row by row, with the mark of [`is_marked`].
///
/// # Errors
/// As [`png_gray8`].
pub fn png_rgb8(path: &Path, width: usize, height: usize, pixels: &[u8]) -> Result<(), EncodeError> {
    save(path, &png_rgb8_to_vec(width, height, pixels)?)
}

/// A text chunk of PNG (ISO/IEC 15948, 11.3.4.3) with the keyword Software and the text Coxa: length, type, data, CRC.
const MARK: &[u8; 25] = b"\0\0\0\x0dtEXtSoftware\0Coxa\x2d\xd6\x7e\x75";

/// Where a PNG's second chunk begins: behind the signature and the header.
const SECOND_CHUNK: usize = 8 + 25;

/// Whether a file that begins with these bytes is a PNG that [`png_rgb8`] made.
pub fn is_marked(head: &[u8]) -> bool {
    head.starts_with(b"\x89PNG\r\n\x1a\n") && head.get(SECOND_CHUNK..).is_some_and(|rest| rest.starts_with(MARK))
}

/// [`png_gray8`] into memory.
///
/// # Errors
/// [`EncodeError`] where the number of pixels is wrong.
pub fn png_gray8_to_vec(width: usize, height: usize, pixels: &[u8]) -> Result<Vec<u8>, EncodeError> {
    check(width, height, 1, pixels.len())?;
    encode(width, height, pixels, ExtendedColorType::L8)
}

/// [`png_gray16`] into memory.
///
/// # Errors
/// [`EncodeError`] where the number of pixels is wrong.
pub fn png_gray16_to_vec(width: usize, height: usize, pixels: &[u16]) -> Result<Vec<u8>, EncodeError> {
    check(width, height, 1, pixels.len())?;
    // The encoder takes native byte order and writes big endian itself.
    let bytes: Vec<u8> = pixels.iter().flat_map(|v| v.to_ne_bytes()).collect();
    encode(width, height, &bytes, ExtendedColorType::L16)
}

/// [`png_rgb8`] into memory.
///
/// # Errors
/// [`EncodeError`] where the number of samples is wrong.
pub fn png_rgb8_to_vec(width: usize, height: usize, pixels: &[u8]) -> Result<Vec<u8>, EncodeError> {
    check(width, height, 3, pixels.len())?;
    let mut bytes = encode(width, height, pixels, ExtendedColorType::Rgb8)?;
    bytes.splice(SECOND_CHUNK..SECOND_CHUNK, *MARK);
    Ok(bytes)
}

fn check(width: usize, height: usize, samples: usize, found: usize) -> Result<(), EncodeError> {
    let sides = 1..=crate::MAX_SIDE;
    if !sides.contains(&width) || !sides.contains(&height) {
        return Err(EncodeError::Size { width, height });
    }
    let expected = width * height * samples;
    if expected != found {
        return Err(EncodeError::Length { width, height, expected, found });
    }
    Ok(())
}

fn encode(width: usize, height: usize, bytes: &[u8], color: ExtendedColorType) -> Result<Vec<u8>, EncodeError> {
    let mut output = Vec::new();
    PngEncoder::new_with_quality(&mut output, CompressionType::Fast, FilterType::Adaptive).write_image(
        bytes,
        width as u32,
        height as u32,
        color,
    )?;
    Ok(output)
}

fn save(path: &Path, bytes: &[u8]) -> Result<(), EncodeError> {
    std::fs::write(path, bytes).map_err(|source| EncodeError::Io { path: path.to_owned(), source })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_are_checked() {
        assert!(matches!(png_gray8_to_vec(4, 4, &[0; 15]), Err(EncodeError::Length { expected: 16, found: 15, .. })));
        assert!(matches!(png_rgb8_to_vec(4, 4, &[0; 16]), Err(EncodeError::Length { expected: 48, .. })));
        assert!(matches!(png_gray8_to_vec(0, 4, &[]), Err(EncodeError::Size { .. })));
    }

    #[test]
    fn what_is_written_is_read_back() {
        let gray: Vec<u16> = (0..64).map(|i| i * 1031 % 65_536u32).map(|v| v as u16).collect();
        let bytes = png_gray16_to_vec(8, 8, &gray).unwrap();
        assert_eq!(image::load_from_memory(&bytes).unwrap().into_luma16().into_raw(), gray);
        let color: Vec<u8> = (0..192).collect();
        let bytes = png_rgb8_to_vec(8, 8, &color).unwrap();
        assert_eq!(image::load_from_memory(&bytes).unwrap().into_rgb8().into_raw(), color);
    }

    #[test]
    fn color_is_marked_and_gray_is_not() {
        let color = png_rgb8_to_vec(2, 1, &[0, 1, 2, 3, 4, 5]).unwrap();
        assert!(is_marked(&color) && !is_marked(&color[..SECOND_CHUNK + 24]));
        assert!(!is_marked(&png_gray8_to_vec(2, 1, &[0, 1]).unwrap()) && !is_marked(b""));
        // CRC-32 of the chunk's type and data (ISO/IEC 15948, annex D).
        let crc = MARK[4..21].iter().fold(u32::MAX, |crc, &byte| {
            (0..8).fold(crc ^ u32::from(byte), |crc, _| (crc >> 1) ^ if crc & 1 == 1 { 0xedb8_8320 } else { 0 })
        });
        assert_eq!(MARK[21..], (!crc).to_be_bytes());
    }
}
