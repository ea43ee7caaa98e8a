//! The one renderer of films with findings. A film that is not called positive shows neither heat map nor regions, and one that was
//! not read is not drawn at all.

use coxa_imaging::overlay::{Evidence, heat_shares, render};
use coxa_imaging::{Geometry, RgbImage, encode};
use coxa_schema::{Finding, Region};

use super::detection::Detection;
use crate::{Card, ModelError};

/// Draws a film that was read: with its heat map and regions if it is called positive, and always with a bar that shows the probability
/// and the threshold. `None` for a film that was not read.
pub fn draw(detection: &Detection) -> Option<RgbImage> {
    let (finding, output) = (detection.finding()?, detection.output?);
    let evidence = finding.is_positive.then(|| Evidence {
        geometry: &output.geometry,
        map: finding.heat_map.as_ref(),
        reference: output.reference,
        regions: &finding.regions,
    });
    Some(render(&detection.film, evidence.as_ref(), finding.probability as f32, finding.threshold as f32))
}

/// The film as it is, and [`draw`] at its right. `None` for a film that was not read.
pub fn draw_beside(detection: &Detection) -> Option<RgbImage> {
    let (finding, drawn) = (detection.finding()?, draw(detection)?);
    let plain = render(&detection.film, None, finding.probability as f32, finding.threshold as f32);
    Some(plain.beside(&drawn))
}

/// The picture of [`draw`] as the bytes of a PNG.
///
/// # Errors
/// When it cannot be encoded.
pub fn png(detection: &Detection) -> Result<Option<Vec<u8>>, ModelError> {
    let Some(image) = draw(detection) else { return Ok(None) };
    let bytes = encode::png_rgb8_to_vec(image.width, image.height, &image.pixels);
    bytes.map(Some).map_err(|error| ModelError::Internal(format!("the overlay: {error}")))
}

/// What a viewer may draw on a film that was read before.
#[derive(Debug, Clone, PartialEq)]
pub struct Drawable<'a> {
    /// Where the finding is, in the film's pixels.
    pub regions: &'a [Region],
    /// The heat over the whole film, where the finding has a map.
    pub heat: Option<HeatLayer>,
}

/// Shares of full heat over a film, on the absolute scale of the network's card.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HeatLayer {
    /// Columns.
    pub width: usize,
    /// Rows.
    pub height: usize,
    /// Row by row, 0 (not drawn) to 255 (the card's reference or more).
    pub shares: Vec<u8>,
}

/// What a viewer may draw of a finding that was stored: `None` on a film that is not called positive. `card` is that of the network that
/// read the film, at the card's input size; without it there is no heat, as its scale is not known. The heat's longest side is `longest`.
pub fn drawable<'a>(
    finding: &'a Finding,
    card: Option<&Card>,
    pixel_aspect: f64,
    longest: usize,
) -> Option<Drawable<'a>> {
    if !finding.is_positive {
        return None;
    }
    let heat = card.and_then(|card| {
        let geometry =
            Geometry::of_pixels(finding.width, finding.height, pixel_aspect, card.input.size, card.input.fit);
        let most = finding.width.max(finding.height).max(1);
        let side = |length: usize| (length * longest.min(most)).div_ceil(most).max(1);
        let (width, height) = (side(finding.width), side(finding.height));
        let evidence = Evidence {
            geometry: &geometry,
            map: finding.heat_map.as_ref(),
            reference: card.cam.reference,
            regions: &finding.regions,
        };
        heat_shares(&evidence, width, height).map(|shares| HeatLayer { width, height, shares })
    });
    Some(Drawable { regions: &finding.regions, heat })
}

#[cfg(test)]
mod tests {
    use coxa_imaging::Fit;
    use coxa_schema::HeatMap;

    use super::*;

    fn finding(is_positive: bool) -> Finding {
        Finding {
            probability: 0.9,
            threshold: 0.5,
            is_positive,
            regions: Vec::new(),
            model: String::new(),
            width: 100,
            height: 200,
            notice: String::new(),
            heat_map: Some(HeatMap { rows: 2, columns: 2, values: vec![0.0, 9.0, 0.0, 0.0] }),
        }
    }

    #[test]
    fn a_stored_film_that_is_not_called_has_nothing_to_draw() {
        let mut card = Card::imported("x", vec!["a".into(), "b".into()], 512, "x");
        card.input.fit = Fit::Stretch;
        assert_eq!(drawable(&finding(false), Some(&card), 1.0, 50), None);
        let called = finding(true);
        let heat = drawable(&called, Some(&card), 1.0, 50).unwrap().heat.unwrap();
        assert_eq!((heat.width, heat.height, heat.shares.len()), (25, 50, 25 * 50));
        assert_eq!((heat.shares[24], heat.shares[49 * 25]), (255, 0));
        assert_eq!(drawable(&called, None, 1.0, 50).unwrap().heat, None);
    }
}
