//! Finds text that is burned into the pixels of a radiograph; side markers (a letter or two, an arrow) are none.
//!
//! A small convolutional network judges each cell of 4 × 4 pixels of the film at several scales (`scale.rs`, `network.rs`); cells become
//! rectangles (`regions.rs`). It knows no header, no font and no language: what it finds are rows of characters. Its weights and their
//! training are described in `docs/burned-in-text.md`.

mod network;
mod regions;
mod scale;

use crate::blanking::{StoredPixels, TextDetector, TextFound};
use network::Network;
use regions::{Thresholds, is_known, merged, regions};
use scale::{Plane, Scale};

/// The detector of burned-in text that comes with the program.
#[derive(Debug, Clone)]
pub struct TextFinder {
    network: Network,
    thresholds: Thresholds,
}

impl Default for TextFinder {
    fn default() -> Self {
        Self { network: Network::shipped(), thresholds: Thresholds::default() }
    }
}

/// A film is halved until text of this many pixels is no higher than the network expects.
const LARGEST_TEXT: usize = 104;
const LARGEST_AT_A_SCALE: usize = 26;

impl TextDetector for TextFinder {
    fn find(&self, film: StoredPixels<'_>) -> TextFound {
        let thresholds = self.thresholds.with(film.witness);
        let mut plane = Plane::of(film);
        let spread = plane.spread();
        let (mut text, mut unsure) = (Vec::new(), Vec::new());
        let mut factor = 1;
        while factor * LARGEST_AT_A_SCALE <= LARGEST_TEXT && plane.rows.min(plane.columns) >= 8 {
            let scale = Scale::of(&plane, spread);
            let cells = self.network.cells(&scale);
            for region in regions(&cells, factor, &thresholds) {
                if is_known(region, &text) {
                    continue;
                }
                let clipped = region.rectangle.within(film.rows, film.columns);
                if region.is_sure { text.extend(clipped) } else { unsure.extend(clipped) }
            }
            plane = plane.halved();
            factor *= 2;
        }
        let text = merged(text);
        unsure.retain(|one| !text.iter().any(|sure| sure.covers(*one)));
        TextFound { text, unsure: merged(unsure) }
    }
}
