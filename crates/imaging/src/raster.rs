//! PNG, JPEG and TIFF files.
//!
//! 8-bit samples are display values and pass unchanged. 16-bit samples get the percentile window of [`crate::window`]: a 16-bit
//! PNG or TIFF of a film is nearly always the detector's 10 to 14 bits without a window, and would be almost black otherwise.
//! An alpha channel is ignored. Orientation tags (EXIF's in JPEG and PNG, TIFF's own) are followed, as viewers and
//! annotators' tools do: a film that was turned upright by hand is read upright.

use std::io::{Cursor, ErrorKind};

use image::metadata::Orientation;
use image::{DynamicImage, ImageBuffer, ImageDecoder, ImageError, ImageFormat, ImageReader, Limits};

use crate::codec::{jpeg_check, jpeg_extended, jpeg_header, jpeg_lossless};
use crate::error::{FileFormat, ReadError};
use crate::limits::{MAX_SIDE, check_size};
use crate::radiograph::{Facing, Photometric, Radiograph};
use crate::read::guarded;
use crate::{tiff, window};

/// Most memory that a decoder may take for itself, in bytes.
const MAX_DECODER_BYTES: u64 = 1 << 30;

/// Reads the film of a PNG, JPEG or TIFF file.
pub(crate) fn read(bytes: &[u8], file: &str, format: FileFormat) -> Result<Radiograph, ReadError> {
    let mut tiff = tiff::Checked::default();
    match format {
        FileFormat::Jpeg => {
            if let Some(film) = check_jpeg(bytes, file)? {
                return Ok(film);
            }
        }
        FileFormat::Tiff => tiff = tiff::check(bytes, file)?,
        _ => {}
    }
    let image = guarded(|| decode(tiff.reordered.as_deref().unwrap_or(bytes), file, format)).unwrap_or_else(|| {
        Err(ReadError::Malformed {
            file: file.to_owned(),
            format,
            detail: "its decoder stopped at an impossible value".into(),
        })
    })?;
    let (width, height) = (image.width() as usize, image.height() as usize);
    let colored = colored(&image);
    let (pixels, bit_depth, photometric) = match image {
        DynamicImage::ImageLuma8(gray) => (gray.iter().map(|&v| f32::from(v)).collect(), 8, Photometric::Monochrome2),
        DynamicImage::ImageLumaA8(gray) => {
            (gray.pixels().map(|p| f32::from(p.0[0])).collect(), 8, Photometric::Monochrome2)
        }
        DynamicImage::ImageRgb8(rgb) => (rgb.pixels().map(|p| luma(p.0)).collect(), 8, Photometric::Rgb),
        DynamicImage::ImageRgba8(rgb) => {
            (rgb.pixels().map(|p| luma([p.0[0], p.0[1], p.0[2]])).collect(), 8, Photometric::Rgb)
        }
        DynamicImage::ImageLuma16(gray) => (window::display_of_raw(gray.as_raw(), width), 16, Photometric::Monochrome2),
        DynamicImage::ImageLumaA16(gray) => {
            let raw: Vec<u16> = gray.pixels().map(|p| p.0[0]).collect();
            (window::display_of_raw(&raw, width), 16, Photometric::Monochrome2)
        }
        DynamicImage::ImageRgb16(rgb) => {
            let raw: Vec<u16> = rgb.pixels().map(|p| luma16(p.0)).collect();
            (window::display_of_raw(&raw, width), 16, Photometric::Rgb)
        }
        DynamicImage::ImageRgba16(rgb) => {
            let raw: Vec<u16> = rgb.pixels().map(|p| luma16([p.0[0], p.0[1], p.0[2]])).collect();
            (window::display_of_raw(&raw, width), 16, Photometric::Rgb)
        }
        _ => {
            return Err(ReadError::Unsupported {
                file: file.to_owned(),
                what: format!("a {format} file of floating-point samples"),
                hint: "save it with 8 or 16 bits a sample",
            });
        }
    };
    let photometric = if tiff.white_is_zero && photometric == Photometric::Monochrome2 {
        Photometric::Monochrome1
    } else {
        photometric
    };
    Ok(Radiograph { colored, ..film(width, height, pixels, bit_depth, photometric, bytes) })
}

fn film(
    width: usize,
    height: usize,
    pixels: Vec<f32>,
    bit_depth: u8,
    photometric: Photometric,
    bytes: &[u8],
) -> Radiograph {
    Radiograph {
        width,
        height,
        pixels,
        colored: 0.0,
        bit_depth,
        photometric,
        spacing_mm: None,
        pixel_aspect: 1.0,
        exam: None,
        laterality: None,
        facing: Facing::Usual,
        sha256: coxa_files::sha256(bytes),
    }
}

/// Channels that differ by so much of 255 are a color: what compression adds to gray is less.
const CHANNEL_DIFFERENCE: u8 = 32;

pub(crate) fn is_colored(channels: [u8; 3]) -> bool {
    let [least, most] = channels.iter().fold([255, 0], |[least, most], &c| [c.min(least), c.max(most)]);
    most - least > CHANNEL_DIFFERENCE
}

/// The share of those that are true; 0 of none.
pub(crate) fn share(all: impl ExactSizeIterator<Item = bool>) -> f32 {
    let of = all.len().max(1);
    all.filter(|is| *is).count() as f32 / of as f32
}

/// The share of an image's pixels that have a color.
fn colored(image: &DynamicImage) -> f32 {
    let high = |v: u16| (v >> 8) as u8;
    match image {
        DynamicImage::ImageRgb8(rgb) => share(rgb.pixels().map(|p| is_colored(p.0))),
        DynamicImage::ImageRgba8(rgb) => share(rgb.pixels().map(|p| is_colored([p.0[0], p.0[1], p.0[2]]))),
        DynamicImage::ImageRgb16(rgb) => share(rgb.pixels().map(|p| is_colored(p.0.map(high)))),
        DynamicImage::ImageRgba16(rgb) => share(rgb.pixels().map(|p| is_colored([p.0[0], p.0[1], p.0[2]].map(high)))),
        _ => 0.0,
    }
}

/// ITU-R BT.601 luma (as PIL's mode "L"); equal channels give exactly that value.
pub(crate) fn luma([r, g, b]: [u8; 3]) -> f32 {
    (299 * u32::from(r) + 587 * u32::from(g) + 114 * u32::from(b)) as f32 / 1000.0
}

fn luma16([r, g, b]: [u16; 3]) -> u16 {
    ((299 * u64::from(r) + 587 * u64::from(g) + 114 * u64::from(b) + 500) / 1000) as u16
}

fn decode(bytes: &[u8], file: &str, format: FileFormat) -> Result<DynamicImage, ReadError> {
    let image_format = match format {
        FileFormat::Jpeg => ImageFormat::Jpeg,
        FileFormat::Tiff => ImageFormat::Tiff,
        _ => ImageFormat::Png,
    };
    let explain = |error| explain(error, file, format);
    let mut reader = ImageReader::with_format(Cursor::new(bytes), image_format);
    let mut limits = Limits::default();
    limits.max_alloc = Some(MAX_DECODER_BYTES);
    // Twice the limit, so that it is `check_size` that refuses, in our words.
    limits.max_image_width = Some(1 << 20);
    limits.max_image_height = Some(1 << 20);
    reader.limits(limits);
    let mut decoder = reader.into_decoder().map_err(explain)?;
    let (width, height) = decoder.dimensions();
    check_size(file, width as usize, height as usize)?;
    // Metadata that cannot be read turn nothing; what is wrong with the pixels shows in their decoding.
    let orientation = decoder.orientation().unwrap_or(Orientation::NoTransforms);
    let mut image = DynamicImage::from_decoder(decoder).map_err(explain)?;
    image.apply_orientation(orientation);
    Ok(image)
}

/// Puts a decoder's error in our words. These decoders know of no patient, so their own words may follow.
fn explain(error: ImageError, file: &str, format: FileFormat) -> ReadError {
    let file = file.to_owned();
    if let ImageError::IoError(io) = &error
        && io.kind() == ErrorKind::UnexpectedEof
    {
        return ReadError::Truncated { file, format, detail: "it stops before its last pixel".into() };
    }
    let message: String = error.to_string().chars().map(|c| if c.is_control() { ' ' } else { c }).take(160).collect();
    if message.to_ascii_lowercase().contains("unexpected end") {
        return ReadError::Truncated { file, format, detail: "it stops before its last pixel".into() };
    }
    match error {
        ImageError::Limits(_) => ReadError::TooLarge {
            file,
            what: format!("the {format} image"),
            limit: format!("{MAX_SIDE} pixels a side and {} MiB to decode", MAX_DECODER_BYTES >> 20),
        },
        ImageError::Unsupported(_) => ReadError::Unsupported {
            file,
            what: format!("this kind of {format} file ({message})"),
            hint: "save it as gray with 8 or 16 bits a sample",
        },
        _ => ReadError::Malformed { file, format, detail: message },
    }
}

/// Refuses a JPEG file whose data do not make up its pixels (the decoder would paint the missing part gray), and reads one of 12
/// bits or lossless, which the decoder does not know.
fn check_jpeg(bytes: &[u8], file: &str) -> Result<Option<Radiograph>, ReadError> {
    let malformed = |detail: &str| ReadError::Malformed {
        file: file.to_owned(),
        format: FileFormat::Jpeg,
        detail: detail.to_owned(),
    };
    let header = jpeg_header::scan(bytes).map_err(malformed)?;
    if !header.complete {
        return Err(ReadError::Truncated {
            file: file.to_owned(),
            format: FileFormat::Jpeg,
            detail: "its end-of-image marker is missing".into(),
        });
    }
    check_size(file, header.width, header.height)?;
    let is_lossless = header.frame == 0xC3;
    let unsupported = |what: String| ReadError::Unsupported {
        file: file.to_owned(),
        what,
        hint: "save it as gray with 8 or 16 bits a sample",
    };
    match header.components {
        1 => {}
        3 if !is_lossless && header.precision == 8 => {}
        3 => return Err(unsupported(format!("a color JPEG file that is lossless or of {} bits", header.precision))),
        count => return Err(unsupported(format!("a JPEG file of {count} components (CMYK)"))),
    }
    let raw = if is_lossless {
        jpeg_lossless::decode(bytes, header.width, header.height)
    } else {
        jpeg_check::check(bytes).map_err(malformed)?;
        if header.precision != 12 {
            return Ok(None);
        }
        jpeg_extended::decode(bytes, header.width, header.height)
    };
    let raw = raw.map_err(malformed)?;
    let stored = ImageBuffer::from_raw(header.width as u32, header.height as u32, raw).expect("a sample a pixel");
    let mut image = DynamicImage::ImageLuma16(stored);
    let orientation = jpeg_header::exif(bytes).and_then(Orientation::from_exif_chunk);
    image.apply_orientation(orientation.unwrap_or(Orientation::NoTransforms));
    let upright = image.into_luma16();
    let (width, height) = (upright.width() as usize, upright.height() as usize);
    let pixels = if header.precision == 8 {
        upright.iter().map(|&v| f32::from(v)).collect()
    } else {
        window::display_of_raw(upright.as_raw(), width)
    };
    Ok(Some(film(width, height, pixels, header.precision, Photometric::Monochrome2, bytes)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gray_in_color_is_kept_exactly() {
        for v in 0..=255u8 {
            assert_eq!(luma([v; 3]), f32::from(v));
            assert_eq!(luma16([u16::from(v) * 257; 3]), u16::from(v) * 257);
        }
        assert_eq!(luma([255, 0, 0]), 76.245);
    }
}
