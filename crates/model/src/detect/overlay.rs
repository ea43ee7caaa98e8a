//! The one renderer of films with findings. A film that is not called positive shows neither heat map nor regions, and one that was
//! not read is not drawn at all.

use coxa_imaging::overlay::{Evidence, render};
use coxa_imaging::{RgbImage, encode};

use super::detection::Detection;
use crate::ModelError;

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
