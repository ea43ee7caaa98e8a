//! The decoder of dicom-rs's transfer syntax registry for JPEG 2000 and HTJ2K.

use std::borrow::Cow;

use dicom_encoding::adapters::{PixelDataObject, RawPixelData};
use dicom_encoding::transfer_syntax::Codec;

use super::dataset::syntax;
use super::header::Header;
use crate::codec::CodecError;
use crate::read::guarded;

/// Decodes a frame whose header has been checked to samples of `bytes_per_sample` bytes, little endian, interleaved.
pub(super) fn decode(frame: &[u8], header: &Header, bytes_per_sample: usize, uid: &str) -> Result<Vec<u8>, CodecError> {
    let Some(Codec::EncapsulatedPixelData(Some(reader), _)) = syntax(uid).map(|ts| ts.codec()) else {
        return Err("this build has no decoder for it");
    };
    let needed = header.rows * header.columns * header.samples * bytes_per_sample;
    // The registry takes a large frame of few bytes for an attack. Its size has been checked by now, so zeros after the end
    // marker bring it over that bar; a film that is mostly black does compress so well.
    let mut padded = frame.to_vec();
    padded.resize(frame.len().max(needed / REGISTRY_RATIO + 1), 0);
    let source = Frame { header, bytes: padded, bytes_per_sample, uid };
    let mut bytes = Vec::new();
    match guarded(|| reader.decode_frame(&source, 0, &mut bytes).is_ok()) {
        Some(true) if bytes.len() == needed => Ok(bytes),
        _ => Err("the decoder met data that break its rules"),
    }
}

/// The compression ratio above which the registry refuses a large frame.
const REGISTRY_RATIO: usize = 64;

/// One frame, as the registry's decoder takes it.
struct Frame<'h> {
    header: &'h Header,
    bytes: Vec<u8>,
    bytes_per_sample: usize,
    uid: &'h str,
}

impl PixelDataObject for Frame<'_> {
    fn transfer_syntax_uid(&self) -> &str {
        self.uid
    }

    fn rows(&self) -> Option<u16> {
        u16::try_from(self.header.rows).ok()
    }

    fn cols(&self) -> Option<u16> {
        u16::try_from(self.header.columns).ok()
    }

    fn samples_per_pixel(&self) -> Option<u16> {
        u16::try_from(self.header.samples).ok()
    }

    fn bits_allocated(&self) -> Option<u16> {
        u16::try_from(8 * self.bytes_per_sample).ok()
    }

    fn bits_stored(&self) -> Option<u16> {
        Some(u16::from(self.header.bits_stored))
    }

    fn photometric_interpretation(&self) -> Option<&str> {
        Some(if self.header.samples == 3 { "RGB" } else { "MONOCHROME2" })
    }

    fn number_of_frames(&self) -> Option<u32> {
        Some(1)
    }

    fn number_of_fragments(&self) -> Option<u32> {
        Some(1)
    }

    fn fragment(&self, fragment: usize) -> Option<Cow<'_, [u8]>> {
        (fragment == 0).then_some(Cow::Borrowed(&self.bytes))
    }

    fn offset_table(&self) -> Option<Cow<'_, [u32]>> {
        Some(Cow::Borrowed(&[]))
    }

    fn raw_pixel_data(&self) -> Option<RawPixelData> {
        let fragments = [self.bytes.clone()].into_iter().collect();
        Some(RawPixelData { fragments, offset_table: Default::default() })
    }
}
