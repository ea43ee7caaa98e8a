//! From the pixel data element to one bit pattern, or one gray, a pixel.

use std::borrow::Cow;

use dicom_dictionary_std::{tags, uids};

use super::color::{self, Claim, Gray};
use super::dataset::{Dataset, Level, PixelData, syntax};
use super::header::{Header, Interpretation};
use super::{dct, part10, registry};
use crate::codec::jpeg_header::{JpegHeader, StreamColor};
use crate::codec::{j2k_header, jpeg_check, jpeg_extended, jpeg_header, jpeg_lossless, jpeg_ls, rle};
use crate::error::{FileFormat, ReadError};

/// A compressed frame of this many bytes is never taken for too large.
const SMALL_FRAME: usize = 1 << 16;

/// Decoded pixels, row by row.
pub(super) enum Samples {
    /// Bit patterns of the header's `code_bits`.
    Codes(Vec<u16>),
    /// Color turned to gray.
    Gray(Gray),
}

/// Samples as bytes: little endian, interleaved, the significant bits lowest unless the file is uncompressed.
struct Decoded<'a> {
    bytes: Cow<'a, [u8]>,
    bytes_per_sample: usize,
    planar: bool,
    big_endian: bool,
    /// What is known of three samples a pixel beside the Photometric Interpretation.
    claim: Claim,
    /// Bits of a sample lie from the lowest bit up, whatever High Bit says.
    aligned: bool,
}

/// Decodes the pixels. A compressed stream of more bits than Bits Stored raises the header's `code_bits`.
pub(super) fn decode(dataset: &Dataset, header: &mut Header, uid: &str, file: &str) -> Result<Samples, ReadError> {
    let decoded = match &dataset.pixel_data {
        Some(PixelData::Native(element)) => {
            let mut decoded = Decoded {
                bytes: Cow::Borrowed(element.bytes),
                bytes_per_sample: usize::from(header.bits_allocated / 8),
                planar: header.planar,
                big_endian: dataset.big_endian,
                claim: Claim::Silent,
                aligned: false,
            };
            if dataset.big_endian && header.is_byte_in_word(element.vr) {
                decoded.bytes = element.bytes.chunks_exact(2).flat_map(|pair| [pair[1], pair[0]]).collect();
            }
            decoded
        }
        Some(PixelData::Encapsulated(fragments)) => encapsulated(fragments, header, uid, file)?,
        None => return Err(no_pixels(dataset, file)),
    };
    let pixels = header.rows * header.columns;
    let mut needed = pixels * header.samples * decoded.bytes_per_sample;
    // Two pixels share their color differences (PS3.3 C.7.6.3.1.2); some writers repeat them for each.
    let shared = header.photometric == Interpretation::YbrFull422 && !decoded.aligned && decoded.bytes.len() < needed;
    if shared {
        needed = 2 * pixels;
    }
    let Some(bytes) = decoded.bytes.get(..needed) else {
        return Err(ReadError::Truncated {
            file: file.to_owned(),
            format: FileFormat::Dicom,
            detail: format!(
                "PixelData (7FE0,0010) has {} bytes where {} rows of {} columns need {needed}",
                decoded.bytes.len(),
                header.rows,
                header.columns
            ),
        });
    };
    if shared {
        return color::gray_of_shared(bytes, header.columns, file).map(Samples::Gray);
    }
    if header.samples == 3 {
        let space = color::verdict(decoded.claim, header.photometric);
        return Ok(Samples::Gray(color::gray_of(bytes, decoded.planar, space)));
    }
    let mask = u16::MAX >> (16 - header.code_bits);
    let shift = if decoded.aligned { 0 } else { header.high_bit + 1 - header.bits_stored };
    let code = |raw: u16| raw >> shift & mask;
    Ok(Samples::Codes(match (decoded.bytes_per_sample, decoded.big_endian) {
        (1, _) => bytes.iter().map(|&b| code(u16::from(b))).collect(),
        (_, false) => bytes.chunks_exact(2).map(|p| code(u16::from_le_bytes([p[0], p[1]]))).collect(),
        (_, true) => bytes.chunks_exact(2).map(|p| code(u16::from_be_bytes([p[0], p[1]]))).collect(),
    }))
}

fn no_pixels(dataset: &Dataset, file: &str) -> ReadError {
    let has = |tag| dataset.get(Level::Top, tag).is_some();
    if has(tags::FLOAT_PIXEL_DATA) || has(tags::DOUBLE_FLOAT_PIXEL_DATA) {
        return ReadError::Unsupported {
            file: file.to_owned(),
            what: "floating-point pixel data".into(),
            hint: "export the film with 8 or 16 bits allocated",
        };
    }
    ReadError::MissingAttribute {
        file: file.to_owned(),
        name: "PixelData",
        tag: "(7FE0,0010)".into(),
        hint: "the file has no pixels; export the film itself",
    }
}

/// What went wrong in a decoder, for one encoding.
struct Blame<'f> {
    file: &'f str,
    encoding: &'static str,
}

impl Blame<'_> {
    fn decode(&self, detail: impl Into<String>) -> ReadError {
        ReadError::Decode { file: self.file.to_owned(), encoding: self.encoding.to_owned(), detail: detail.into() }
    }

    fn truncated(&self) -> ReadError {
        ReadError::Truncated {
            file: self.file.to_owned(),
            format: FileFormat::Dicom,
            detail: format!("its {} stream has no end marker", self.encoding),
        }
    }

    fn size(&self, width: usize, height: usize, header: &Header) -> Result<(), ReadError> {
        if (width, height) == (header.columns, header.rows) {
            return Ok(());
        }
        Err(self.decode(format!(
            "the stream is of {width}×{height} pixels, Columns and Rows say {}×{}",
            header.columns, header.rows
        )))
    }
}

fn encapsulated<'a>(
    fragments: &[&'a [u8]],
    header: &mut Header,
    uid: &str,
    file: &str,
) -> Result<Decoded<'a>, ReadError> {
    let name = syntax(uid).map(|ts| ts.name());
    let blame = Blame { file, encoding: name.unwrap_or("an unknown encoding") };
    // One frame: all fragments are parts of it.
    let frame: Cow<'a, [u8]> = match fragments {
        [] => return Err(blame.decode("there is no fragment")),
        [only] => Cow::Borrowed(*only),
        several => Cow::Owned(several.concat()),
    };
    let (pixels, allocated) = (header.rows * header.columns, usize::from(header.bits_allocated / 8));
    let largest = pixels * header.samples * allocated / 4 * 5 + SMALL_FRAME;
    if frame.len() > largest {
        return Err(blame.decode(format!("{} compressed bytes are more than the pixels themselves", frame.len())));
    }
    let bytes = match uid {
        uids::ENCAPSULATED_UNCOMPRESSED_EXPLICIT_VR_LITTLE_ENDIAN => {
            return Ok(native(frame, allocated, header.planar));
        }
        uids::DEFLATED_IMAGE_FRAME_COMPRESSION => {
            let bytes = part10::inflate(&frame, file)?;
            return Ok(native(Cow::Owned(bytes), allocated, header.planar));
        }
        uids::RLE_LOSSLESS => {
            let bytes = rle::decode(&frame, pixels, header.samples, allocated).map_err(|e| blame.decode(e))?;
            return Ok(native(Cow::Owned(bytes), allocated, false));
        }
        uids::JPEG_BASELINE8_BIT | uids::JPEG_EXTENDED12_BIT | uids::JPEG_LOSSLESS | uids::JPEG_LOSSLESS_SV1 => {
            jpeg(&frame, header, &blame)?
        }
        uids::JPEGLS_LOSSLESS | uids::JPEGLS_NEAR_LOSSLESS => jpeg_ls(&frame, header, &blame)?,
        _ if is_jpeg_2000(uid) => jpeg_2000(&frame, header, uid, &blame)?,
        _ => {
            return Err(ReadError::Unsupported {
                file: file.to_owned(),
                // The data set would not have been read in a syntax without a name.
                what: format!("TransferSyntaxUID (0002,0010) {}", name.unwrap_or_default()),
                hint: "export the film uncompressed or as JPEG 2000, JPEG-LS, JPEG or RLE",
            });
        }
    };
    Ok(Decoded { aligned: true, ..bytes })
}

fn native(bytes: Cow<'_, [u8]>, bytes_per_sample: usize, planar: bool) -> Decoded<'_> {
    Decoded { bytes, bytes_per_sample, planar, big_endian: false, claim: Claim::Silent, aligned: false }
}

fn words(samples: &[u16]) -> Decoded<'static> {
    native(Cow::Owned(samples.iter().flat_map(|v| v.to_le_bytes()).collect()), 2, false)
}

/// JPEG with Huffman coding: DCT of 8 bits by jpeg-decoder, DCT of 12 bits and lossless by our own decoders.
fn jpeg<'a>(frame: &[u8], header: &mut Header, blame: &Blame) -> Result<Decoded<'a>, ReadError> {
    let stream = jpeg_header::scan(frame).map_err(|e| blame.decode(e))?;
    blame.size(stream.width, stream.height, header)?;
    check_stream(header, u16::from(stream.components), stream.precision, Sign::Unsigned, blame)?;
    if !stream.complete {
        return Err(blame.truncated());
    }
    if stream.frame == 0xC3 {
        return lossless(frame, &stream, blame);
    }
    jpeg_check::check(frame).map_err(|e| blame.decode(e))?;
    if stream.precision == 12 {
        let samples = jpeg_extended::decode(frame, stream.width, stream.height).map_err(|e| blame.decode(e))?;
        return Ok(words(&samples));
    }
    let (bytes, claim) = dct::decode(frame, &stream, header).map_err(|e| blame.decode(e))?;
    Ok(Decoded { claim, ..native(Cow::Owned(bytes), 1, false) })
}

fn lossless<'a>(frame: &[u8], stream: &JpegHeader, blame: &Blame) -> Result<Decoded<'a>, ReadError> {
    let samples = jpeg_lossless::decode(frame, stream.width, stream.height).map_err(|e| blame.decode(e))?;
    if stream.components == 1 {
        return Ok(words(&samples));
    }
    let claim = match stream.color {
        StreamColor::Rgb => Claim::Rgb,
        StreamColor::Ybr => Claim::Ybr,
        StreamColor::Unsaid => Claim::Silent,
    };
    // Color has 8 bits a sample.
    let bytes = samples.iter().map(|&sample| sample as u8).collect();
    Ok(Decoded { claim, ..native(Cow::Owned(bytes), 1, false) })
}

fn jpeg_ls<'a>(frame: &[u8], header: &mut Header, blame: &Blame) -> Result<Decoded<'a>, ReadError> {
    let stream = jpeg_header::scan(frame).map_err(|e| blame.decode(e))?;
    blame.size(stream.width, stream.height, header)?;
    check_stream(header, u16::from(stream.components), stream.precision, Sign::Unsigned, blame)?;
    if stream.components == 3 {
        return Err(ReadError::Unsupported {
            file: blame.file.to_owned(),
            what: "JPEG-LS of color".into(),
            hint: "export the film uncompressed or as MONOCHROME2",
        });
    }
    if !stream.complete {
        return Err(blame.truncated());
    }
    let samples = jpeg_ls::decode(frame, stream.width, stream.height).map_err(|e| blame.decode(e))?;
    Ok(words(&samples))
}

fn is_jpeg_2000(uid: &str) -> bool {
    matches!(
        uid,
        uids::JPEG2000_LOSSLESS | uids::JPEG2000 | uids::HTJ2K_LOSSLESS | uids::HTJ2K_LOSSLESS_RPCL | uids::HTJ2K
    )
}

fn jpeg_2000<'a>(frame: &[u8], header: &mut Header, uid: &str, blame: &Blame) -> Result<Decoded<'a>, ReadError> {
    let stream = j2k_header::scan(frame).map_err(|e| blame.decode(e))?;
    blame.size(stream.width, stream.height, header)?;
    let sign = if stream.signed { Sign::Signed } else { Sign::Unsigned };
    check_stream(header, stream.components, stream.precision, sign, blame)?;
    if !stream.full_size || !stream.sane_tiles {
        return Err(blame.decode("its components are subsampled or its tiles too many"));
    }
    if !stream.complete {
        return Err(blame.truncated());
    }
    let decoded = by_registry(frame, header, stream.precision, uid, blame)?;
    if stream.signed && !header.signed && has_negative(&decoded, stream.precision) {
        return Err(blame.decode("its values are signed, PixelRepresentation (0028,0103) says unsigned"));
    }
    let claim = match (stream.color_transform, header.photometric) {
        (true, _) => Claim::Rgb,
        (false, Interpretation::YbrTransform) => Claim::Unclear,
        (false, _) => Claim::Silent,
    };
    Ok(Decoded { claim, ..decoded })
}

/// Whether a sample of a signed stream is below 0.
fn has_negative(decoded: &Decoded, precision: u8) -> bool {
    let top = (precision - 1) % 8;
    let of_sample = decoded.bytes_per_sample;
    decoded.bytes.chunks_exact(of_sample).any(|sample| sample[of_sample - 1] >> top & 1 == 1)
}

/// Whether the values of a stream are signed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Sign {
    Signed,
    Unsigned,
}

/// The stream's samples must be those of the header.
///
/// Unsigned values: a stream of more bits than Bits Stored is believed (lossy ones overshoot). Signed values: the sign is the
/// stream's own where it is signed. An unsigned stream holds bit patterns, whose sign is the highest bit that both Bits Stored and
/// the stream have.
fn check_stream(
    header: &mut Header,
    components: u16,
    precision: u8,
    sign: Sign,
    blame: &Blame,
) -> Result<(), ReadError> {
    if usize::from(components) != header.samples {
        return Err(blame.decode(format!(
            "the stream has {components} samples a pixel, SamplesPerPixel (0028,0002) is {}",
            header.samples
        )));
    }
    if !(2..=16).contains(&precision) || (header.samples == 3 && precision != 8) {
        return Err(blame.decode(format!("the stream has {precision} bits a sample")));
    }
    header.code_bits = match (header.signed, sign) {
        (true, Sign::Signed) => precision,
        (true, Sign::Unsigned) => precision.min(header.bits_stored),
        (false, _) => precision.max(header.bits_stored),
    };
    Ok(())
}

fn by_registry<'a>(
    frame: &[u8],
    header: &Header,
    precision: u8,
    uid: &str,
    blame: &Blame,
) -> Result<Decoded<'a>, ReadError> {
    let bytes_per_sample = if precision > 8 { 2 } else { 1 };
    let bytes = registry::decode(frame, header, bytes_per_sample, uid).map_err(|e| blame.decode(e))?;
    Ok(native(Cow::Owned(bytes), bytes_per_sample, false))
}
