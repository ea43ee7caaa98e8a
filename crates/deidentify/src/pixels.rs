//! The pixels of a film: exactly as many as the header states, nothing in their unused bits, nothing beside the image in compressed ones,
//! and given rectangles blanked.

use coxa_imaging::stored_values;
use dicom_core::VR;
use dicom_dictionary_std::tags;

use crate::blanking::{Cleaning, PixelCleaning, Rectangle, Search, StoredPixels, Witness};
use crate::codestream::scrub;
use crate::dataset::{DataSet, Element, Value, padded};
use crate::layout::{Layout, Photometric};
use crate::parse::{Codec, Syntax, parse};
use crate::review::Review;
use crate::rle;
use crate::withheld::Withheld;

/// Pixels as they are written.
pub(crate) struct Cleaned {
    pub(crate) element: Element,
    /// The syntax that they are in: RLE is unpacked, and so is every other compression if something is blanked.
    pub(crate) syntax: Syntax,
    pub(crate) blanked: Vec<Rectangle>,
    pub(crate) unused_bits_cleared: usize,
}

const UNSUPPORTED: fn(&'static str) -> Withheld = Withheld::Pixels;

/// Takes the pixels of a film out of its data set and cleans them; `file` is the whole file, for decoders.
///
/// # Errors
/// [`Withheld`]: no pixels, fewer than stated, an encoding or a layout that is not checked, text that may be there.
pub(crate) fn take(
    data: &mut DataSet,
    syntax: Syntax,
    file: &[u8],
    cleaning: &Cleaning<'_>,
) -> Result<Cleaned, Withheld> {
    let layout = Layout::of(data)?;
    let has_embedded_overlay = has_overlay_in_pixels(data);
    let element = data.0.remove(&tags::PIXEL_DATA).ok_or(UNSUPPORTED("there are none"))?;
    let (mut values, syntax) = match (element.value, syntax) {
        (Value::Bytes(bytes), Syntax::Native) => (exact(bytes, native_bytes(layout, data))?, Syntax::Native),
        (Value::Fragments(fragments), Syntax::Encapsulated(_, Codec::Rle)) => {
            let planar = rle::unpack(&fragments.concat(), layout)?;
            data.put(tags::PLANAR_CONFIGURATION, VR::US, &0u16.to_le_bytes());
            if layout.samples == 1 {
                data.0.remove(&tags::PLANAR_CONFIGURATION);
            }
            (planar, Syntax::Native)
        }
        (Value::Fragments(fragments), Syntax::Encapsulated(_, codec)) => {
            if has_embedded_overlay {
                return Err(UNSUPPORTED("an overlay lies in compressed ones"));
            }
            if cleaning.is_on() {
                let mut values = decoded(file, layout)?;
                let blanked = blank_all(&mut values, layout, data, cleaning)?;
                if !blanked.is_empty() {
                    let element = native(layout, VR::OW, values);
                    return Ok(Cleaned { element, syntax: Syntax::Native, blanked, unused_bits_cleared: 0 });
                }
            }
            let element = Element { vr: VR::OB, value: Value::Fragments(scrubbed(fragments, codec)?) };
            return Ok(Cleaned { element, syntax, blanked: Vec::new(), unused_bits_cleared: 0 });
        }
        _ => return Err(UNSUPPORTED("the transfer syntax says that they are encoded otherwise")),
    };
    let unused_bits_cleared = clear_unused_bits(&mut values, layout);
    let blanked = if cleaning.is_on() { blank_all(&mut values, layout, data, cleaning)? } else { Vec::new() };
    Ok(Cleaned { element: native(layout, element.vr, values), syntax, blanked, unused_bits_cleared })
}

/// Where a detector finds text, or may; nowhere in a film that cannot be read, which is withheld for that.
pub(crate) fn text_in(file: &[u8], settings: &PixelCleaning) -> Vec<Rectangle> {
    let Ok(mut parsed) = parse(file) else { return Vec::new() };
    parsed.data.0.remove(&tags::BURNED_IN_ANNOTATION);
    let cleaning = Cleaning { settings, decisions: &[], search: Search::Detector, witness: Witness::default() };
    match take(&mut parsed.data, parsed.syntax, file, &cleaning) {
        Ok(cleaned) => cleaned.blanked,
        Err(Withheld::Review(review)) => review.regions,
        Err(_) => Vec::new(),
    }
}

fn native(layout: Layout, stated: VR, values: Vec<u8>) -> Element {
    let vr = if layout.width == 2 || stated == VR::OW { VR::OW } else { VR::OB };
    Element { vr, value: Value::Bytes(padded(vr, values)) }
}

/// The values of compressed pixels.
fn decoded(file: &[u8], layout: Layout) -> Result<Vec<u8>, Withheld> {
    if layout.samples != 1 {
        return Err(UNSUPPORTED("colors are compressed, and are not searched for text: decompress the film first"));
    }
    // The error's text names what the header holds, so it is not passed on.
    let values = stored_values(file, "").map_err(|_| UNSUPPORTED("the compressed ones cannot be decoded"))?;
    // Many encoders state as many bits as are allocated. What lies above those that are stored must be empty.
    let has_spare_bits = usize::from(values.bits) > layout.stored && !layout.is_signed;
    let fits = has_spare_bits && values.codes.iter().all(|code| code >> layout.stored == 0);
    if values.codes.len() != layout.rows * layout.columns || !(fits || usize::from(values.bits) == layout.stored) {
        return Err(UNSUPPORTED("the compressed ones have other bits than the header states"));
    }
    Ok(layout.native(&values.codes))
}

fn blank_all(
    values: &mut [u8],
    layout: Layout,
    data: &DataSet,
    cleaning: &Cleaning<'_>,
) -> Result<Vec<Rectangle>, Withheld> {
    let is_interleaved = layout.samples == 1 || data.number(tags::PLANAR_CONFIGURATION) == Some(0);
    if !is_interleaved || layout.photometric == Photometric::Other {
        return Err(UNSUPPORTED("colors in planes, or luminance and chrominance, cannot be blanked"));
    }
    let mut blanked = cleaning.fixed(data, layout.rows, layout.columns);
    blanked.iter().for_each(|rectangle| layout.blank(values, *rectangle));
    let found = cleaning.found(StoredPixels { witness: cleaning.witness, ..layout.film(values) })?;
    found.iter().for_each(|rectangle| layout.blank(values, *rectangle));
    blanked.extend(found);
    let states_text = data.ascii(tags::BURNED_IN_ANNOTATION).as_deref() == Some("YES");
    if blanked.is_empty() && states_text && cleaning.must_find() {
        Err(Withheld::Review(Review { columns: layout.columns, rows: layout.rows, regions: Vec::new() }))
    } else {
        Ok(blanked)
    }
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

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::blanking::{TextDetector, TextFound};

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

    fn cleaned(mut data: DataSet, settings: &PixelCleaning) -> Result<(Vec<u8>, usize, usize), Withheld> {
        let cleaning = Cleaning { settings, decisions: &[], search: Search::Detector, witness: Witness::default() };
        let cleaned = take(&mut data, Syntax::Native, &[], &cleaning)?;
        let Value::Bytes(bytes) = cleaned.element.value else { panic!("fragments") };
        Ok((bytes, cleaned.unused_bits_cleared, cleaned.blanked.len()))
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
        let cleaning = PixelCleaning { rectangles: vec![rectangle, outside], ..PixelCleaning::default() };
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
        let with = |text: &[Rectangle], unsure: &[Rectangle]| PixelCleaning {
            detector: Some(Arc::new(Marks(TextFound { text: text.into(), unsure: unsure.into() }))),
            ..PixelCleaning::default()
        };
        let data = || film([8, 8, 7], 0, "MONOCHROME2", &[5, 6, 7, 8]);
        let stating = || {
            let mut data = data();
            data.put(tags::BURNED_IN_ANNOTATION, VR::CS, b"YES");
            data
        };
        let whole = Rectangle { x: 0, y: 0, width: 2, height: 2 };
        let review = |regions| Err(Withheld::Review(Review { columns: 2, rows: 2, regions }));
        assert_eq!(cleaned(data(), &with(&[whole], &[])), Ok((vec![0; 4], 0, 1)));
        assert_eq!(cleaned(data(), &with(&[], &[])), Ok((vec![5, 6, 7, 8], 0, 0)));
        assert_eq!(cleaned(data(), &with(&[whole], &[whole])), review(vec![whole]));
        assert_eq!(cleaned(stating(), &with(&[whole], &[])), Ok((vec![0; 4], 0, 1)));
        assert_eq!(cleaned(stating(), &with(&[], &[])), review(Vec::new()));
    }

    #[test]
    fn compressed_colors_are_withheld_where_pixels_are_searched() {
        let mut data = film([8, 8, 7], 0, "YBR_FULL_422", &[]);
        data.put(tags::SAMPLES_PER_PIXEL, VR::US, &3u16.to_le_bytes());
        data.0.insert(tags::PIXEL_DATA, Element { vr: VR::OB, value: Value::Fragments(vec![vec![0xFF, 0xD8]]) });
        let rectangles = vec![Rectangle { x: 0, y: 0, width: 1, height: 1 }];
        let settings = PixelCleaning { rectangles, ..PixelCleaning::default() };
        let syntax = Syntax::Encapsulated("1.2.840.10008.1.2.4.50", Codec::Jpeg);
        let cleaning =
            Cleaning { settings: &settings, decisions: &[], search: Search::Nothing, witness: Witness::default() };
        let refused = take(&mut data, syntax, &[], &cleaning).map(drop).unwrap_err();
        assert!(refused.to_string().contains("colors are compressed"), "{refused}");
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
        let settings = PixelCleaning::default();
        let syntax = Syntax::Encapsulated("1.2.840.10008.1.2.5", Codec::Rle);
        let cleaned = take(
            &mut data,
            syntax,
            &[],
            &Cleaning { settings: &settings, decisions: &[], search: Search::Nothing, witness: Witness::default() },
        )
        .unwrap();
        assert_eq!(cleaned.element.value, Value::Bytes(vec![10, 1, 20, 1, 30, 1, 40, 1]));
        assert_eq!(cleaned.syntax, Syntax::Native);
    }
}
