//! What the header states about the pixels, and how a part of them becomes black.

use dicom_dictionary_std::tags;

use crate::blanking::{Rectangle, StoredPixels, Witness};
use crate::dataset::DataSet;
use crate::withheld::Withheld;

/// What the header states about the pixels.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Layout {
    pub(crate) rows: usize,
    pub(crate) columns: usize,
    pub(crate) samples: usize,
    pub(crate) width: usize,
    pub(crate) stored: usize,
    pub(crate) is_signed: bool,
    pub(crate) photometric: Photometric,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Photometric {
    Monochrome1,
    Monochrome2,
    Rgb,
    /// Any that is allowed in compressed pixels, or luminance and chrominance.
    Other,
}

impl Layout {
    pub(crate) fn of(data: &DataSet) -> Result<Self, Withheld> {
        let number =
            |tag| data.number(tag).map(usize::from).ok_or(Withheld::Pixels("an attribute of the pixels is missing"));
        let [rows, columns, samples] = [number(tags::ROWS)?, number(tags::COLUMNS)?, number(tags::SAMPLES_PER_PIXEL)?];
        let [allocated, stored, high] =
            [number(tags::BITS_ALLOCATED)?, number(tags::BITS_STORED)?, number(tags::HIGH_BIT)?];
        if rows == 0 || columns == 0 || !matches!(samples, 1 | 3) || !matches!(allocated, 8 | 16) {
            return Err(Withheld::Pixels("their size or the bits allocated"));
        }
        if stored == 0 || stored > allocated || high + 1 != stored {
            return Err(Withheld::Pixels("the bits stored or the high bit"));
        }
        let frames = data.ascii(tags::NUMBER_OF_FRAMES).unwrap_or_default();
        if !matches!(frames.as_str(), "" | "1") {
            return Err(Withheld::Pixels("several frames"));
        }
        let photometric = match data.ascii(tags::PHOTOMETRIC_INTERPRETATION).unwrap_or_default().as_str() {
            "MONOCHROME1" => Photometric::Monochrome1,
            "MONOCHROME2" => Photometric::Monochrome2,
            "RGB" => Photometric::Rgb,
            "YBR_FULL" | "YBR_FULL_422" | "YBR_ICT" | "YBR_RCT" => Photometric::Other,
            _ => return Err(Withheld::Pixels("the photometric interpretation")),
        };
        let is_signed = number(tags::PIXEL_REPRESENTATION)? == 1;
        Ok(Self { rows, columns, samples, width: allocated / 8, stored, is_signed, photometric })
    }

    /// The bytes of all values.
    pub(crate) fn bytes(self) -> usize {
        self.rows * self.columns * self.samples * self.width
    }

    /// Values of this layout, for a detector of text.
    pub(crate) fn film(self, values: &[u8]) -> StoredPixels<'_> {
        let Self { rows, columns, samples, width, stored, is_signed, .. } = self;
        StoredPixels { rows, columns, samples, width, bits: stored, is_signed, values, witness: Witness::default() }
    }

    /// Blanks a rectangle that lies on the film: with black, so that nobody takes it for anatomy, as a fill by the neighborhood might be.
    pub(crate) fn blank(self, values: &mut [u8], rectangle: Rectangle) {
        let black = self.black().to_le_bytes();
        let pixel = self.samples * self.width;
        for row in rectangle.y..rectangle.y + rectangle.height {
            let start = (row * self.columns + rectangle.x) * pixel;
            let part = &mut values[start..start + rectangle.width * pixel];
            part.chunks_exact_mut(self.width).for_each(|value| value.copy_from_slice(&black[..self.width]));
        }
    }

    /// The value that is shown darkest.
    fn black(self) -> u16 {
        let (lowest, highest) = match self.is_signed {
            true => {
                (1u16.wrapping_shl(self.stored as u32 - 1).wrapping_neg(), ((1u32 << (self.stored - 1)) - 1) as u16)
            }
            false => (0, ((1u32 << self.stored) - 1) as u16),
        };
        if self.photometric == Photometric::Monochrome1 { highest } else { lowest }
    }

    /// Bit patterns of compressed values as native ones: negative values fill the bits above them with their sign.
    pub(crate) fn native(self, codes: &[u16]) -> Vec<u8> {
        let sign = 16 - self.stored as u32;
        let whole = |code: u16| if self.is_signed { ((code << sign) as i16 >> sign) as u16 } else { code };
        codes.iter().flat_map(|code| whole(*code).to_le_bytes().into_iter().take(self.width)).collect()
    }
}
