//! Finds text that is burned into the pixels of a radiograph; side markers (a letter or two, an arrow) are none.
//!
//! A small convolutional network judges each cell of 4 × 4 pixels of the film at several scales (`scale.rs`, `network.rs`); cells become
//! rectangles (`regions.rs`). It knows no header, no font and no language: what it finds are rows of characters. Its weights and their
//! training are described in `docs/burned-in-text.md`.

mod network;
mod regions;
mod scale;

use crate::blanking::{Rectangle, StoredPixels, TextDetector, TextFound};
use network::Network;
use regions::{Thresholds, is_within, merged, regions};
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

/// The columns beside the film's left and right edge in which upright text is searched for, as the network knows rows of characters better.
const EDGE: usize = 192;

impl TextDetector for TextFinder {
    fn find(&self, film: StoredPixels<'_>) -> TextFound {
        let thresholds = self.thresholds.with(film.witness);
        let plane = Plane::of(film);
        let spread = plane.spread();
        let mut text = Vec::new();
        for first in edges(film) {
            let last = if film.witness.expects_text { film.columns } else { film.columns.min(first + EDGE) };
            let found = self.search(plane.turned(first..last), spread, &thresholds).text;
            let rows = found.into_iter().filter(|row| row.width > row.height);
            text.extend(rows.map(|Rectangle { x, y, width, height }| Rectangle {
                x: first + y,
                y: x,
                width: height,
                height: width,
            }));
        }
        let found = self.search(plane, spread, &thresholds);
        text.extend(found.text);
        let text = merged(text);
        let mut unsure = found.unsure;
        unsure.retain(|one| !text.iter().any(|sure| sure.covers(*one)));
        TextFound { text, unsure: merged(unsure) }
    }
}

/// The first columns of what is searched for upright text: both edges, or all where the header speaks for text.
fn edges(film: StoredPixels<'_>) -> Vec<usize> {
    if film.witness.expects_text { vec![0] } else { vec![0, film.columns.saturating_sub(EDGE)] }
}

impl TextFinder {
    /// Goes over a film at each scale.
    fn search(&self, mut plane: Plane, spread: f32, thresholds: &Thresholds) -> TextFound {
        let (rows, columns) = (plane.rows, plane.columns);
        let mut found = TextFound::default();
        let mut factor = 1;
        while factor * LARGEST_AT_A_SCALE <= LARGEST_TEXT && plane.rows.min(plane.columns) >= 8 {
            let cells = self.network.cells(&Scale::of(&plane, spread));
            for region in regions(&cells, factor, thresholds) {
                if is_within(region, 80, &found.text) {
                    continue;
                }
                let clipped = region.rectangle.within(rows, columns);
                // What goes on from a text that was found is the rest of it.
                let is_text = region.is_sure || is_within(region, 30, &found.text);
                if is_text { found.text.extend(clipped) } else { found.unsure.extend(clipped) }
            }
            plane = plane.halved();
            factor *= 2;
        }
        found
    }
}
