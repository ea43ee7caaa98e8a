//! The few drawing operations that an overlay needs.

use super::RgbImage;
use super::font;

/// A black picture to draw on. Whatever lies outside is not drawn.
pub(super) struct Canvas(RgbImage);

impl Canvas {
    pub(super) fn new(width: usize, height: usize) -> Self {
        Self(RgbImage { width, height, pixels: vec![0; 3 * width * height] })
    }

    pub(super) fn width(&self) -> usize {
        self.0.width
    }

    pub(super) fn into_image(self) -> RgbImage {
        self.0
    }

    pub(super) fn set(&mut self, x: usize, y: usize, color: [u8; 3]) {
        if x < self.0.width && y < self.0.height {
            let at = 3 * (y * self.0.width + x);
            self.0.pixels[at..at + 3].copy_from_slice(&color);
        }
    }

    /// Mixes a color in; `alpha` from 0 (none of it) to 1.
    pub(super) fn blend(&mut self, x: usize, y: usize, color: [u8; 3], alpha: f32) {
        if x < self.0.width && y < self.0.height {
            let at = 3 * (y * self.0.width + x);
            for (sample, color) in self.0.pixels[at..at + 3].iter_mut().zip(color) {
                let mixed = f32::from(*sample) * (1.0 - alpha) + f32::from(color) * alpha;
                *sample = mixed.round() as u8;
            }
        }
    }

    pub(super) fn rectangle(&mut self, left: usize, top: usize, width: usize, height: usize, color: [u8; 3]) {
        for y in top..top + height {
            for x in left..left + width {
                self.set(x, y, color);
            }
        }
    }

    pub(super) fn text(&mut self, left: usize, top: usize, zoom: usize, text: &str, color: [u8; 3]) {
        for (i, character) in text.chars().enumerate() {
            for (column, bits) in font::glyph(character).into_iter().enumerate() {
                for row in (0..8).filter(|row| bits >> row & 1 == 1) {
                    self.rectangle(left + (i * font::ADVANCE + column) * zoom, top + row * zoom, zoom, zoom, color);
                }
            }
        }
    }

    /// The outline of a rectangle `[x, y, width, height]` with corners of `radius`, `line` pixels wide, with smooth edges. `dash` is
    /// the length of dashes and gaps. Nothing is drawn outside `clip` (left, width, height; its top is 0).
    pub(super) fn rounded_rectangle(
        &mut self,
        [x, y, width, height]: [f32; 4],
        radius: f32,
        line: f32,
        dash: Option<f32>,
        color: [u8; 3],
        clip: (usize, usize, usize),
    ) {
        if ![x, y, width, height].iter().all(|v| v.is_finite()) || width <= 0.0 || height <= 0.0 {
            return;
        }
        let radius = radius.min(width / 2.0).min(height / 2.0);
        let (center_x, center_y) = (x + width / 2.0, y + height / 2.0);
        // Casts saturate: a region far outside gives an empty range.
        let first = |v: f32, least: usize| ((v - line).max(0.0) as usize).max(least);
        let last = |v: f32, most: usize| ((v + line + 1.0).max(0.0) as usize).min(most);
        for pixel_y in first(y, 0)..last(y + height, clip.2) {
            for pixel_x in first(x, clip.0)..last(x + width, clip.0 + clip.1) {
                let (dx, dy) = (pixel_x as f32 + 0.5 - center_x, pixel_y as f32 + 0.5 - center_y);
                // Signed distance to the edge of a rounded rectangle.
                let (ox, oy) = (dx.abs() - width / 2.0 + radius, dy.abs() - height / 2.0 + radius);
                let distance = ox.max(0.0).hypot(oy.max(0.0)) + ox.max(oy).min(0.0) - radius;
                let alpha = (line / 2.0 - distance.abs() + 0.5).clamp(0.0, 1.0);
                // Dashes run from the middle of each edge, so that opposite edges match.
                let along = if ox > oy { dy } else { dx };
                let in_gap = dash.is_some_and(|dash| (along.abs() / dash + 0.5) as u64 % 2 == 1);
                if alpha > 0.0 && !in_gap {
                    self.blend(pixel_x, pixel_y, color, alpha);
                }
            }
        }
    }
}
