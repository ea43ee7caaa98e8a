//! The pixels of a film: exactly as many as the header states, nothing in their unused bits, nothing beside the image in compressed ones,
//! and given rectangles blanked.

use std::fmt;
use std::sync::Arc;

use dicom_core::VR;
use dicom_dictionary_std::tags;

use crate::codestream::scrub;
use crate::dataset::{DataSet, Element, Value, padded};
use crate::parse::{Codec, Syntax};
use crate::withheld::Withheld;

/// A part of a film in its own pixels, counted from the upper left corner.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rectangle {
    /// Columns before it.
    pub x: usize,
    /// Rows above it.
    pub y: usize,
    /// Columns of it.
    pub width: usize,
    /// Rows of it.
    pub height: usize,
}

/// A film's stored values, for a detector of text.
#[derive(Debug, Clone, Copy)]
pub struct StoredPixels<'a> {
    /// Rows.
    pub rows: usize,
    /// Columns.
    pub columns: usize,
    /// Values of a pixel: 1, or 3 for colors, pixel after pixel.
    pub samples: usize,
    /// Bytes of a value: 1, or 2 in little endian.
    pub width: usize,
    /// Bits of a value that are used.
    pub bits: usize,
    /// The lowest value is white (MONOCHROME1).
    pub is_inverted: bool,
    /// The values, row after row.
    pub values: &'a [u8],
}

/// What a detector of text finds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TextFound {
    /// Text lies in these rectangles, and nowhere else; side markers are none of it.
    In(Vec<Rectangle>),
    /// Text may be there: a person must review the film, and it is withheld until then.
    Unsure,
}

/// Finds text that is burned into pixels. The seat of a detector: none is built in yet.
pub trait TextDetector: Send + Sync {
    /// Where text is.
    fn find(&self, film: StoredPixels<'_>) -> TextFound;
}

/// How burned-in text is removed. By default it is not, and films that state or may have some are withheld.
#[derive(Clone, Default)]
pub struct PixelCleaning {
    /// Blanked on every film; parts that lie outside a film are left out.
    pub rectangles: Vec<Rectangle>,
    /// Asked about every film, after the rectangles are blanked.
    pub detector: Option<Arc<dyn TextDetector>>,
}

impl PixelCleaning {
    /// Whether anything is cleaned.
    pub(crate) fn is_on(&self) -> bool {
        self.detector.is_some() || !self.rectangles.is_empty()
    }
}

impl fmt::Debug for PixelCleaning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let detector = self.detector.as_ref().map(|_| "…");
        f.debug_struct("PixelCleaning").field("rectangles", &self.rectangles).field("detector", &detector).finish()
    }
}

/// Pixels as they are written.
pub(crate) struct Cleaned {
    pub(crate) element: Element,
    /// The syntax that they are in: RLE is unpacked.
    pub(crate) syntax: Syntax,
    pub(crate) blanked: usize,
    pub(crate) unused_bits_cleared: usize,
}

/// What the header states about the pixels.
#[derive(Debug, Clone, Copy)]
struct Layout {
    rows: usize,
    columns: usize,
    samples: usize,
    width: usize,
    stored: usize,
    is_signed: bool,
    photometric: Photometric,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Photometric {
    Monochrome1,
    Monochrome2,
    Rgb,
    /// Any that is allowed in compressed pixels, or luminance and chrominance.
    Other,
}

const UNSUPPORTED: fn(&'static str) -> Withheld = Withheld::Pixels;

impl Layout {
    fn of(data: &DataSet) -> Result<Self, Withheld> {
        let number =
            |tag| data.number(tag).map(usize::from).ok_or(UNSUPPORTED("an attribute of the pixels is missing"));
        let [rows, columns, samples] = [number(tags::ROWS)?, number(tags::COLUMNS)?, number(tags::SAMPLES_PER_PIXEL)?];
        let [allocated, stored, high] =
            [number(tags::BITS_ALLOCATED)?, number(tags::BITS_STORED)?, number(tags::HIGH_BIT)?];
        if rows == 0 || columns == 0 || !matches!(samples, 1 | 3) || !matches!(allocated, 8 | 16) {
            return Err(UNSUPPORTED("their size or the bits allocated"));
        }
        if stored == 0 || stored > allocated || high + 1 != stored {
            return Err(UNSUPPORTED("the bits stored or the high bit"));
        }
        let frames = data.ascii(tags::NUMBER_OF_FRAMES).unwrap_or_default();
        if !matches!(frames.as_str(), "" | "1") {
            return Err(UNSUPPORTED("several frames"));
        }
        let photometric = match data.ascii(tags::PHOTOMETRIC_INTERPRETATION).unwrap_or_default().as_str() {
            "MONOCHROME1" => Photometric::Monochrome1,
            "MONOCHROME2" => Photometric::Monochrome2,
            "RGB" => Photometric::Rgb,
            "YBR_FULL" | "YBR_FULL_422" | "YBR_ICT" | "YBR_RCT" => Photometric::Other,
            _ => return Err(UNSUPPORTED("the photometric interpretation")),
        };
        let is_signed = number(tags::PIXEL_REPRESENTATION)? == 1;
        Ok(Self { rows, columns, samples, width: allocated / 8, stored, is_signed, photometric })
    }

    fn bytes(self) -> usize {
        self.rows * self.columns * self.samples * self.width
    }
}

/// Takes the pixels of a film out of its data set and cleans them.
///
/// # Errors
/// [`Withheld`]: no pixels, fewer than stated, an encoding or a layout that is not checked, text that may be there.
pub(crate) fn take(data: &mut DataSet, syntax: Syntax, cleaning: &PixelCleaning) -> Result<Cleaned, Withheld> {
    let layout = Layout::of(data)?;
    let has_embedded_overlay = has_overlay_in_pixels(data);
    let element = data.0.remove(&tags::PIXEL_DATA).ok_or(UNSUPPORTED("there are none"))?;
    let (mut values, syntax) = match (element.value, syntax) {
        (Value::Bytes(bytes), Syntax::Native) => (exact(bytes, native_bytes(layout, data))?, Syntax::Native),
        (Value::Fragments(fragments), Syntax::Encapsulated(_, Codec::Rle)) => {
            let planar = unpack_rle(&fragments.concat(), layout)?;
            data.put(tags::PLANAR_CONFIGURATION, VR::US, &0u16.to_le_bytes());
            if layout.samples == 1 {
                data.0.remove(&tags::PLANAR_CONFIGURATION);
            }
            (planar, Syntax::Native)
        }
        (Value::Fragments(fragments), Syntax::Encapsulated(_, codec)) => {
            if cleaning.is_on() {
                return Err(UNSUPPORTED("compressed ones cannot be blanked: decompress the film first"));
            }
            if has_embedded_overlay {
                return Err(UNSUPPORTED("an overlay lies in compressed ones"));
            }
            let element = Element { vr: VR::OB, value: Value::Fragments(scrubbed(fragments, codec)?) };
            return Ok(Cleaned { element, syntax, blanked: 0, unused_bits_cleared: 0 });
        }
        _ => return Err(UNSUPPORTED("the transfer syntax says that they are encoded otherwise")),
    };
    let unused_bits_cleared = clear_unused_bits(&mut values, layout);
    let blanked = if cleaning.is_on() { blank_all(&mut values, layout, data, cleaning)? } else { 0 };
    let vr = if layout.width == 2 || element.vr == VR::OW { VR::OW } else { VR::OB };
    let element = Element { vr, value: Value::Bytes(padded(vr, values)) };
    Ok(Cleaned { element, syntax, blanked, unused_bits_cleared })
}

/// An overlay without data of its own lies in the unused bits of the pixels (retired in 2004, and still met).
fn has_overlay_in_pixels(data: &DataSet) -> bool {
    data.0.keys().any(|tag| {
        let is_position = tag.group() >> 8 == 0x60 && tag.element() == 0x0102;
        is_position && data.number(*tag).is_some_and(|bit| bit != 0)
    })
}

/// The bytes of native pixels; chrominance of every second pixel is missing in YBR_FULL_422.
fn native_bytes(layout: Layout, data: &DataSet) -> usize {
    let is_halved = data.ascii(tags::PHOTOMETRIC_INTERPRETATION).as_deref() == Some("YBR_FULL_422");
    if is_halved { layout.rows * layout.columns * 2 * layout.width } else { layout.bytes() }
}

/// What follows the pixels is no part of the film.
fn exact(mut bytes: Vec<u8>, length: usize) -> Result<Vec<u8>, Withheld> {
    if bytes.len() < length {
        return Err(Withheld::Truncated);
    }
    bytes.truncate(length);
    Ok(bytes)
}

/// Clears the bits above those that are stored, unless they continue the sign; returns the number of pixels that had some.
fn clear_unused_bits(values: &mut [u8], layout: Layout) -> usize {
    let mut cleared = 0;
    let bits = 8 * layout.width;
    let mask = ((1u32 << layout.stored) - 1) as u16;
    if layout.stored == bits {
        return 0;
    }
    for value in values.chunks_exact_mut(layout.width) {
        let raw = if value.len() == 2 { u16::from_le_bytes([value[0], value[1]]) } else { u16::from(value[0]) };
        let used = raw & mask;
        let is_negative = layout.is_signed && used >> (layout.stored - 1) == 1;
        let extended = used | (!mask & ((1u32 << bits) - 1) as u16);
        if raw == used || (is_negative && raw == extended) {
            continue;
        }
        cleared += 1;
        let whole = if is_negative { extended } else { used };
        value.copy_from_slice(&whole.to_le_bytes()[..layout.width]);
    }
    cleared
}

fn blank_all(values: &mut [u8], layout: Layout, data: &DataSet, cleaning: &PixelCleaning) -> Result<usize, Withheld> {
    let is_interleaved = layout.samples == 1 || data.number(tags::PLANAR_CONFIGURATION) == Some(0);
    if !is_interleaved || layout.photometric == Photometric::Other {
        return Err(UNSUPPORTED("colors in planes, or luminance and chrominance, cannot be blanked"));
    }
    let mut blanked = cleaning.rectangles.iter().filter(|rectangle| blank(values, layout, **rectangle)).count();
    if let Some(detector) = &cleaning.detector {
        let film = StoredPixels {
            rows: layout.rows,
            columns: layout.columns,
            samples: layout.samples,
            width: layout.width,
            bits: layout.stored,
            is_inverted: layout.photometric == Photometric::Monochrome1,
            values,
        };
        match detector.find(film) {
            TextFound::In(found) => {
                blanked += found.iter().filter(|rectangle| blank(values, layout, **rectangle)).count()
            }
            TextFound::Unsure => return Err(Withheld::Review),
        }
    }
    Ok(blanked)
}

/// Blanks a rectangle with black; whether any of it lies on the film.
fn blank(values: &mut [u8], layout: Layout, rectangle: Rectangle) -> bool {
    let right = rectangle.x.saturating_add(rectangle.width).min(layout.columns);
    let bottom = rectangle.y.saturating_add(rectangle.height).min(layout.rows);
    let (lowest, highest) = match layout.is_signed {
        true => {
            (1u16.wrapping_shl(layout.stored as u32 - 1).wrapping_neg(), ((1u32 << (layout.stored - 1)) - 1) as u16)
        }
        false => (0, ((1u32 << layout.stored) - 1) as u16),
    };
    let black = if layout.photometric == Photometric::Monochrome1 { highest } else { lowest };
    let pixel = layout.samples * layout.width;
    for row in rectangle.y..bottom {
        let start = (row * layout.columns + rectangle.x.min(right)) * pixel;
        let end = (row * layout.columns + right) * pixel;
        values[start..end]
            .chunks_exact_mut(layout.width)
            .for_each(|v| v.copy_from_slice(&black.to_le_bytes()[..layout.width]));
    }
    rectangle.x < right && rectangle.y < bottom
}

/// Overwrites what is no image in the fragments of the one frame; their lengths stay.
fn scrubbed(fragments: Vec<Vec<u8>>, codec: Codec) -> Result<Vec<Vec<u8>>, Withheld> {
    let mut frame = fragments.concat();
    scrub(&mut frame, codec)?;
    let mut rest = &frame[..];
    let cut = |fragment: &Vec<u8>| {
        let (taken, after) = rest.split_at(fragment.len());
        rest = after;
        taken.to_vec()
    };
    Ok(fragments.iter().map(cut).collect())
}

/// Unpacks RLE (PS3.5 annex G): a segment for each byte of each sample, the highest byte first. What lies between and after the segments
/// is left out.
fn unpack_rle(bytes: &[u8], layout: Layout) -> Result<Vec<u8>, Withheld> {
    let word = |n: usize| {
        let four = bytes.get(4 * n..4 * n + 4).ok_or(Withheld::Truncated)?;
        Ok(u32::from_le_bytes([four[0], four[1], four[2], four[3]]) as usize)
    };
    let planes = layout.samples * layout.width;
    if word(0)? != planes {
        return Err(UNSUPPORTED("the number of RLE segments"));
    }
    let pixels = layout.rows * layout.columns;
    let mut values = vec![0; layout.bytes()];
    for plane in 0..planes {
        let segment = bytes.get(word(1 + plane)?..).ok_or(Withheld::Truncated)?;
        let (sample, byte) = (plane / layout.width, layout.width - 1 - plane % layout.width);
        let unpacked = unpack_segment(segment, pixels)?;
        let places = values.iter_mut().skip(sample * layout.width + byte).step_by(planes);
        places.zip(unpacked).for_each(|(place, value)| *place = value);
    }
    Ok(values)
}

/// PackBits until there are as many bytes as there are pixels.
fn unpack_segment(mut packed: &[u8], pixels: usize) -> Result<Vec<u8>, Withheld> {
    let mut unpacked = Vec::with_capacity(pixels);
    while unpacked.len() < pixels {
        let (&head, rest) = packed.split_first().ok_or(Withheld::Truncated)?;
        packed = match head {
            0..=127 => {
                let (taken, after) = rest.split_at_checked(usize::from(head) + 1).ok_or(Withheld::Truncated)?;
                unpacked.extend_from_slice(taken);
                after
            }
            128 => rest,
            129..=255 => {
                let (&value, after) = rest.split_first().ok_or(Withheld::Truncated)?;
                unpacked.resize(unpacked.len() + 257 - usize::from(head), value);
                after
            }
        };
    }
    unpacked.truncate(pixels);
    Ok(unpacked)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn film(bits: [u16; 3], is_signed: u16, photometric: &str, pixels: &[u8]) -> DataSet {
        let mut data = DataSet::default();
        let numbers = [
            (tags::ROWS, 2),
            (tags::COLUMNS, 2),
            (tags::SAMPLES_PER_PIXEL, 1),
            (tags::BITS_ALLOCATED, bits[0]),
            (tags::BITS_STORED, bits[1]),
            (tags::HIGH_BIT, bits[2]),
            (tags::PIXEL_REPRESENTATION, is_signed),
        ];
        numbers.iter().for_each(|(tag, n)| data.put(*tag, VR::US, &n.to_le_bytes()));
        data.put(tags::PHOTOMETRIC_INTERPRETATION, VR::CS, photometric.as_bytes());
        data.put(tags::PIXEL_DATA, VR::OW, pixels);
        data
    }

    fn cleaned(mut data: DataSet, cleaning: &PixelCleaning) -> Result<(Vec<u8>, usize, usize), Withheld> {
        let cleaned = take(&mut data, Syntax::Native, cleaning)?;
        let Value::Bytes(bytes) = cleaned.element.value else { panic!("fragments") };
        Ok((bytes, cleaned.unused_bits_cleared, cleaned.blanked))
    }

    #[test]
    fn unused_bits_and_what_follows_the_pixels_go() {
        let none = PixelCleaning::default();
        let pixels = [0xFF, 0x0F, 0x01, 0xF0, 0x02, 0x00, 0x03, 0x10, b'D', b'O'];
        let expected = vec![0xFF, 0x0F, 0x01, 0x00, 0x02, 0x00, 0x03, 0x00];
        assert_eq!(cleaned(film([16, 12, 11], 0, "MONOCHROME2", &pixels), &none), Ok((expected, 2, 0)));
        let signed = [0xFF, 0xFF, 0x01, 0x00, 0x00, 0xF8, 0x00, 0x18];
        let expected = vec![0xFF, 0xFF, 0x01, 0x00, 0x00, 0xF8, 0x00, 0xF8];
        assert_eq!(cleaned(film([16, 12, 11], 1, "MONOCHROME2", &signed), &none), Ok((expected, 1, 0)));
        assert_eq!(cleaned(film([16, 12, 11], 0, "MONOCHROME2", &[0; 6]), &none), Err(Withheld::Truncated));
        for (bits, photometric) in
            [([16, 12, 12], "MONOCHROME2"), ([32, 32, 31], "MONOCHROME2"), ([8, 8, 7], "PALETTE COLOR")]
        {
            let refused = cleaned(film(bits, 0, photometric, &[0; 16]), &none);
            assert!(matches!(refused, Err(Withheld::Pixels(_))), "{photometric}");
        }
    }

    #[test]
    fn rectangles_become_black_and_nothing_else_changes() {
        let rectangle = Rectangle { x: 1, y: 0, width: 9, height: 1 };
        let outside = Rectangle { x: 2, y: 7, width: 9, height: 1 };
        let cleaning = PixelCleaning { rectangles: vec![rectangle, outside], detector: None };
        for (signed, photometric, black) in
            [(0, "MONOCHROME2", 0), (0, "MONOCHROME1", 255), (1, "MONOCHROME2", 128), (1, "MONOCHROME1", 127)]
        {
            let data = film([8, 8, 7], signed, photometric, &[5, 6, 7, 8]);
            assert_eq!(cleaned(data, &cleaning), Ok((vec![5, black, 7, 8], 0, 1)), "{photometric} {signed}");
        }
    }

    #[test]
    fn a_detector_blanks_or_withholds() {
        struct Marks(TextFound);
        impl TextDetector for Marks {
            fn find(&self, film: StoredPixels<'_>) -> TextFound {
                assert_eq!((film.rows, film.columns, film.values.len()), (2, 2, 4));
                self.0.clone()
            }
        }
        let with = |found| PixelCleaning { rectangles: Vec::new(), detector: Some(Arc::new(Marks(found))) };
        let data = || film([8, 8, 7], 0, "MONOCHROME2", &[5, 6, 7, 8]);
        let whole = Rectangle { x: 0, y: 0, width: 2, height: 2 };
        assert_eq!(cleaned(data(), &with(TextFound::In(vec![whole]))), Ok((vec![0; 4], 0, 1)));
        assert_eq!(cleaned(data(), &with(TextFound::Unsure)), Err(Withheld::Review));
    }

    #[test]
    fn rle_is_unpacked() {
        let mut data = film([16, 16, 15], 0, "MONOCHROME2", &[]);
        let mut packed = vec![0; 64];
        for (n, word) in [2u32, 64, 66].iter().enumerate() {
            packed[4 * n..4 * n + 4].copy_from_slice(&word.to_le_bytes());
        }
        packed.extend_from_slice(&[0xFD, 1, 3, 10, 20, 30, 40, b'D', b'O', b'E']);
        data.0.insert(tags::PIXEL_DATA, Element { vr: VR::OB, value: Value::Fragments(vec![packed]) });
        let syntax = Syntax::Encapsulated("1.2.840.10008.1.2.5", Codec::Rle);
        let cleaned = take(&mut data, syntax, &PixelCleaning::default()).unwrap();
        assert_eq!(cleaned.element.value, Value::Bytes(vec![10, 1, 20, 1, 30, 1, 40, 1]));
        assert_eq!(cleaned.syntax, Syntax::Native);
    }
}
