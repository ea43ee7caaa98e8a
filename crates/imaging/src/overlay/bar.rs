//! The strip under the film: probability, threshold, the scale of heat, and what the picture is not for.

use super::canvas::Canvas;
use super::{color, font};

/// The strip under the film: probability bar, threshold tick, numbers, and what the picture is not for.
pub(super) struct BarLayout {
    zoom: usize,
}

const INK: [u8; 3] = [230, 230, 230];
const DIM: [u8; 3] = [140, 140, 140];
const ABOVE: [u8; 3] = [255, 160, 64];
const BELOW: [u8; 3] = [96, 160, 224];
const NOTE: &str = "Research use only";
const LEGEND: &str = "Heat 0";
const LEGEND_END: &str = "1";

impl BarLayout {
    pub(super) fn new(width: usize) -> Self {
        Self { zoom: if width >= 480 { 2 } else { 1 } }
    }

    pub(super) fn height(&self) -> usize {
        48 * self.zoom
    }

    pub(super) fn least_width(&self) -> usize {
        (font::width("Probability 0.000, threshold 0.000") + 24) * self.zoom
    }

    pub(super) fn draw(&self, canvas: &mut Canvas, top: usize, probability: f32, threshold: f32) {
        let zoom = self.zoom;
        let probability = if probability.is_nan() { 0.0 } else { probability.clamp(0.0, 1.0) };
        let threshold = if threshold.is_nan() { 1.0 } else { threshold.clamp(0.0, 1.0) };
        let (margin, right) = (12 * zoom, canvas.width() - 12 * zoom);
        // A low threshold must not look like the probability that stays below it.
        let digits = if threshold < 0.1 { 3 } else { 2 };
        let text = format!("Probability {probability:.digits$}, threshold {threshold:.digits$}");
        canvas.text(margin, top + 6 * zoom, zoom, &text, INK);
        let (bar_top, bar_height, length) = (top + 18 * zoom, 8 * zoom, right - margin);
        canvas.rectangle(margin, bar_top, length, bar_height, [48; 3]);
        let filled = (length as f32 * probability).round() as usize;
        canvas.rectangle(margin, bar_top, filled, bar_height, if probability >= threshold { ABOVE } else { BELOW });
        let tick = margin + (length as f32 * threshold).round() as usize;
        canvas.rectangle(tick.saturating_sub(zoom / 2), bar_top - 2 * zoom, zoom, bar_height + 4 * zoom, [255; 3]);
        canvas.text(margin, top + 33 * zoom, zoom, NOTE, DIM);
    }

    /// The colors of heat from none to the reference, at the right of the note where there is room.
    pub(super) fn legend(&self, canvas: &mut Canvas, top: usize) {
        let (zoom, ramp) = (self.zoom, 64 * self.zoom);
        let needed = (font::width(NOTE) + font::width(LEGEND) + font::width(LEGEND_END) + 48) * zoom + ramp;
        if canvas.width() < needed {
            return;
        }
        let end = canvas.width() - (12 + font::width(LEGEND_END)) * zoom;
        let start = end - ramp - 4 * zoom;
        let y = top + 33 * zoom;
        canvas.text(start - (font::width(LEGEND) + 2) * zoom, y, zoom, LEGEND, DIM);
        for x in 0..ramp {
            canvas.rectangle(start + x, y, 1, 7 * zoom, color(x as f32 / (ramp - 1) as f32));
        }
        canvas.text(end, y, zoom, LEGEND_END, DIM);
    }
}
