//! The two pictures of a film on the page: as it is, with its true boxes, and with its heat map.

use std::path::Path;

use coxa_cohort::TruthBox;
use coxa_files::whole::write_whole;
use coxa_imaging::{Fit, Radiograph, encode, preprocess};
use coxa_model::Detection;
use coxa_model::detect::overlay;
use coxa_study::page::FilmCard;

use crate::WorkflowError;

/// The side of a film on the page, in pixels.
const CARD_SIDE: usize = 384;

/// A film that is to be drawn.
pub(super) struct Pictures<'a> {
    /// Its card, which says where the pictures go.
    pub card: FilmCard,
    /// The film, read.
    pub detection: Box<Detection>,
    /// Its true boxes.
    pub boxes: Vec<&'a TruthBox>,
}

impl Pictures<'_> {
    /// Writes both pictures below the report's folder.
    ///
    /// # Errors
    /// When they cannot be encoded or written.
    pub fn write(&self, report: &Path) -> Result<(), WorkflowError> {
        let (picture, overlay) = (self.card.picture(report), self.card.overlay(report));
        let film = film_png(self.detection.film(), &self.boxes)?;
        write_whole(&picture, &film).map_err(WorkflowError::io(&picture))?;
        let drawn = overlay::png(&self.detection)?.unwrap_or_default();
        write_whole(&overlay, &drawn).map_err(WorkflowError::io(&overlay))
    }
}

/// The film as a PNG that fits on the page, its true boxes outlined in white.
fn film_png(film: &Radiograph, truth: &[&TruthBox]) -> Result<Vec<u8>, WorkflowError> {
    let mut input = preprocess(film, CARD_SIDE, Fit::Letterbox);
    for truth in truth {
        let corner = |x, y| input.geometry.to_input(x, y);
        let ends = [corner(truth.x, truth.y), corner(truth.x + truth.width, truth.y + truth.height)];
        outline(
            &mut input.pixels,
            ends.map(|(x, y)| [x, y].map(|at| (at.round().max(0.0) as usize).min(CARD_SIDE - 1))),
        );
    }
    let (left, top) = input.geometry.to_input(0.0, 0.0);
    let (right, bottom) = input.geometry.to_input(film.width() as f32, film.height() as f32);
    let columns = left.round() as usize..(right.round() as usize).min(CARD_SIDE);
    let rows = top.round() as usize..(bottom.round() as usize).min(CARD_SIDE);
    let pixels: Vec<u8> =
        rows.clone().flat_map(|row| input.pixels[row * CARD_SIDE..][columns.clone()].iter().copied()).collect();
    Ok(encode::png_gray8_to_vec(columns.len(), rows.len(), &pixels)?)
}

/// Draws the outline of a rectangle between two corners of a picture of [`CARD_SIDE`].
fn outline(pixels: &mut [u8], [[left, top], [right, bottom]]: [[usize; 2]; 2]) {
    for x in left..=right {
        pixels[top * CARD_SIDE + x] = 255;
        pixels[bottom * CARD_SIDE + x] = 255;
    }
    for y in top..=bottom {
        pixels[y * CARD_SIDE + left] = 255;
        pixels[y * CARD_SIDE + right] = 255;
    }
}
