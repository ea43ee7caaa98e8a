//! JPEG of 8 bits: the color transform is chosen here, as the decoder's own choice knows nothing of the DICOM header.

use jpeg_decoder::{ColorTransform, Decoder};

use super::color::{Claim, Space, is_grayer_as_ybr, verdict};
use super::header::Header;
use crate::codec::CodecError;
use crate::codec::jpeg_header::{JpegHeader, StreamColor};
use crate::read::guarded;

/// Decodes a stream that has been checked to 8-bit samples, interleaved; three a pixel are red, green and blue.
pub(super) fn decode(frame: &[u8], stream: &JpegHeader, header: &Header) -> Result<(Vec<u8>, Claim), CodecError> {
    if stream.components == 1 {
        return Ok((transformed(frame, stream, ColorTransform::Grayscale)?, Claim::Silent));
    }
    let claim = match stream.color {
        StreamColor::Rgb => Claim::Rgb,
        StreamColor::Ybr => Claim::Ybr,
        StreamColor::Unsaid => Claim::Silent,
    };
    let raw = match verdict(claim, header.photometric) {
        Space::Ybr => None,
        Space::Rgb => Some(transformed(frame, stream, ColorTransform::RGB)?),
        Space::Either => {
            let raw = transformed(frame, stream, ColorTransform::RGB)?;
            let is_ybr = is_grayer_as_ybr(raw.chunks_exact(3).map(|pixel| [pixel[0], pixel[1], pixel[2]]));
            (!is_ybr).then_some(raw)
        }
    };
    let rgb = match raw {
        Some(rgb) => rgb,
        None => transformed(frame, stream, ColorTransform::YCbCr)?,
    };
    Ok((rgb, Claim::Converted))
}

fn transformed(frame: &[u8], stream: &JpegHeader, transform: ColorTransform) -> Result<Vec<u8>, CodecError> {
    let needed = stream.width * stream.height * usize::from(stream.components);
    let decode = || {
        let mut decoder = Decoder::new(frame);
        decoder.set_color_transform(transform);
        decoder.decode().ok()
    };
    guarded(decode).flatten().filter(|bytes| bytes.len() == needed).ok_or("the decoder met data that break its rules")
}
