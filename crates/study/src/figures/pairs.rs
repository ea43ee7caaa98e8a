//! Readers' paired values: one treatment across, the other up, with the diagonal on which they are equal.

use super::{Anchor, Axis, Figure, Svg, color, frame};

/// A reader's pair.
#[derive(Debug, Clone, PartialEq)]
pub struct PairPoint {
    /// The reader, for the tooltip; never a person's name.
    pub name: String,
    /// The value across, and the value up.
    pub at: (f64, f64),
}

/// Draws pairs; `names` are what the axes say. Both axes have one range.
pub fn draw(points: &[PairPoint], names: (&str, &str), title: &str) -> Figure {
    let mut svg = Svg::new(480.0, 470.0, title);
    let values = points.iter().flat_map(|point| [point.at.0, point.at.1]);
    let (low, high) = values.fold((f64::MAX, f64::MIN), |(low, high), v| (low.min(v), high.max(v)));
    let margin = (0.08 * (high - low)).max(1e-3 * high.abs()).max(1e-6);
    let range = if points.is_empty() { (0.0, 1.0) } else { (low - margin, high + margin) };
    let (x, y) = (Axis::linear(range, (64.0, 460.0)), Axis::linear(range, (416.0, 14.0)));
    frame(&mut svg, &x, &y, names.0, names.1);
    svg.dashed((x.place(range.0), y.place(range.0)), (x.place(range.1), y.place(range.1)), color::FAINT);
    for point in points {
        svg.disk((x.place(point.at.0), y.place(point.at.1)), 5.0, color::MODEL, &point.name);
    }
    svg.text((456.0, 408.0), Anchor::End, 11.0, color::FAINT, "on the line both are equal");
    svg.finish()
}
