//! Color to gray: which color the samples of a pixel are, where header and stream may contradict each other.

use super::header::Interpretation;
use crate::error::ReadError;
use crate::raster::{is_colored, luma, share};

/// What is known of decoded samples beside the Photometric Interpretation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Claim {
    /// Nothing.
    Silent,
    /// Red, green and blue, by the stream's own word.
    Rgb,
    /// Luma and color differences, by the stream's own word.
    Ybr,
    /// Red, green and blue beyond doubt: converted by a decoder as header and stream agree to.
    Converted,
    /// The header names a transform that the stream does not have.
    Unclear,
}

/// What samples are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Space {
    Rgb,
    Ybr,
    /// Header and stream contradict each other.
    Either,
}

/// What samples are, by the claim and the header.
///
/// The header decides where the claim is silent. YBR_RCT and YBR_ICT are transforms of JPEG 2000, which its decoder undoes; they
/// name no uncompressed pixels, so there the header is in doubt.
pub(super) fn verdict(claim: Claim, photometric: Interpretation) -> Space {
    use Interpretation::{YbrFull, YbrFull422, YbrTransform};
    match (claim, photometric) {
        (Claim::Converted, _) => Space::Rgb,
        (Claim::Rgb, YbrFull | YbrFull422) | (Claim::Ybr, Interpretation::Rgb) => Space::Either,
        (Claim::Silent, YbrTransform) | (Claim::Unclear, _) => Space::Either,
        (Claim::Rgb, _) => Space::Rgb,
        (Claim::Ybr, _) => Space::Ybr,
        (Claim::Silent, YbrFull | YbrFull422) => Space::Ybr,
        (Claim::Silent, _) => Space::Rgb,
    }
}

/// A color image turned to gray.
pub(super) struct Gray {
    /// The luma of each pixel, 0 to 255.
    pub(super) pixels: Vec<f32>,
    /// The share of pixels that have a color.
    pub(super) colored: f32,
}

/// Color differences of so much are a color: what compression adds to gray is less.
const COLOR_DIFFERENCE: u8 = 16;

/// The grays of three samples a pixel, side by side or plane by plane.
pub(super) fn gray_of(bytes: &[u8], is_planar: bool, space: Space) -> Gray {
    let pixels = bytes.len() / 3;
    let sample = |i: usize| {
        if is_planar {
            [bytes[i], bytes[pixels + i], bytes[2 * pixels + i]]
        } else {
            [bytes[3 * i], bytes[3 * i + 1], bytes[3 * i + 2]]
        }
    };
    let is_ybr = match space {
        Space::Rgb => false,
        Space::Ybr => true,
        Space::Either => is_grayer_as_ybr((0..pixels).map(sample)),
    };
    let gray = |[a, b, c]: [u8; 3]| if is_ybr { f32::from(a) } else { luma([a, b, c]) };
    let has_color = |[a, b, c]: [u8; 3]| if is_ybr { is_colored_ybr([b, c]) } else { is_colored([a, b, c]) };
    Gray {
        pixels: (0..pixels).map(|i| gray(sample(i))).collect(),
        colored: share((0..pixels).map(|i| has_color(sample(i)))),
    }
}

fn is_colored_ybr(differences: [u8; 2]) -> bool {
    differences.iter().any(|difference| difference.abs_diff(128) > COLOR_DIFFERENCE)
}

/// Whether the samples have less color when they are taken for luma and color differences than for red, green and blue. Films are
/// gray, so where two statements contradict each other, the one that makes the film grayer is right.
pub(super) fn is_grayer_as_ybr(samples: impl Iterator<Item = [u8; 3]>) -> bool {
    let (mut as_rgb, mut as_ybr) = (0f64, 0f64);
    for [a, b, c] in samples {
        let y = luma([a, b, c]);
        // Cb and Cr of RGB (ITU-R BT.601), without their offset.
        as_rgb += f64::from(((f32::from(c) - y) / 1.772).abs() + ((f32::from(a) - y) / 1.402).abs());
        as_ybr += f64::from((f32::from(b) - 128.0).abs() + (f32::from(c) - 128.0).abs());
    }
    as_ybr < as_rgb
}

/// The grays of uncompressed YBR_FULL_422, where two pixels are two lumas and the color differences that they share (PS3.3
/// C.7.6.3.1.2).
pub(super) fn gray_of_shared(bytes: &[u8], columns: usize, file: &str) -> Result<Gray, ReadError> {
    if !columns.is_multiple_of(2) {
        return Err(ReadError::Attribute {
            file: file.to_owned(),
            name: "Columns",
            tag: "(0028,0011)".into(),
            value: columns.to_string(),
            expected: "an even number for YBR_FULL_422",
        });
    }
    Ok(Gray {
        pixels: bytes.chunks_exact(4).flat_map(|four| [f32::from(four[0]), f32::from(four[1])]).collect(),
        colored: share(bytes.chunks_exact(4).map(|four| is_colored_ybr([four[2], four[3]]))),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_grayer_reading_wins() {
        let rgb: Vec<u8> = (0..=255).flat_map(|v| [v, v, v]).collect();
        let ybr: Vec<u8> = (0..=255).flat_map(|v| [v, 128, 128]).collect();
        let expected: Vec<f32> = (0..=255u8).map(f32::from).collect();
        assert_eq!(gray_of(&rgb, false, Space::Either).pixels, expected);
        assert_eq!(gray_of(&ybr, false, Space::Either).pixels, expected);
        assert_eq!(gray_of(&ybr, false, Space::Ybr).pixels, expected);
        assert_ne!(gray_of(&ybr, false, Space::Rgb).pixels, expected);
    }

    #[test]
    fn a_photograph_has_colors_and_a_film_has_none() {
        let film: Vec<u8> = (0..=255).flat_map(|v: u8| [v, v.saturating_add(3), v.saturating_sub(4)]).collect();
        assert_eq!(gray_of(&film, false, Space::Rgb).colored, 0.0);
        let skin: Vec<u8> = (0..100).flat_map(|v: u8| [120 + v, 80 + v, 60 + v]).collect();
        assert_eq!(gray_of(&skin, false, Space::Rgb).colored, 1.0);
        let half: Vec<u8> = (0..100).flat_map(|v: u8| [v, 128, if v < 50 { 128 } else { 160 }]).collect();
        assert_eq!(gray_of(&half, false, Space::Ybr).colored, 0.5);
        assert_eq!(gray_of_shared(&[1, 2, 128, 128, 3, 4, 128, 90], 2, "film").unwrap().colored, 0.5);
    }

    #[test]
    fn planes_and_shared_differences() {
        assert_eq!(gray_of(&[1, 2, 9, 9, 9, 9], true, Space::Ybr).pixels, [1.0, 2.0]);
        assert_eq!(gray_of_shared(&[1, 2, 9, 9, 3, 4, 9, 9], 2, "film").unwrap().pixels, [1.0, 2.0, 3.0, 4.0]);
        assert!(gray_of_shared(&[1, 2, 9, 9], 1, "film").is_err());
    }

    #[test]
    fn header_and_stream_agree_or_are_compared() {
        assert_eq!(verdict(Claim::Silent, Interpretation::Rgb), Space::Rgb);
        assert_eq!(verdict(Claim::Silent, Interpretation::YbrFull), Space::Ybr);
        assert_eq!(verdict(Claim::Silent, Interpretation::YbrTransform), Space::Either);
        assert_eq!(verdict(Claim::Rgb, Interpretation::YbrTransform), Space::Rgb);
        assert_eq!(verdict(Claim::Rgb, Interpretation::YbrFull), Space::Either);
        assert_eq!(verdict(Claim::Ybr, Interpretation::Rgb), Space::Either);
    }
}
