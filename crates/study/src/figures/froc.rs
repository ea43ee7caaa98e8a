//! The free-response curve: proportion of fractures marked against false marks per film.

use super::{Axis, Figure, Svg, color, frame};

/// Draws (false marks per film, proportion of fractures marked), in rising order of the first.
pub fn draw(points: &[(f64, f64)], title: &str) -> Figure {
    let mut svg = Svg::new(520.0, 400.0, title);
    let most = points.iter().map(|p| p.0).fold(0.1, f64::max);
    let x = Axis::linear((0.0, most), (64.0, 500.0));
    let y = Axis::linear((0.0, 1.0), (346.0, 14.0));
    frame(&mut svg, &x, &y, "false marks per film", "fractures marked");
    let places: Vec<_> = points.iter().map(|p| (x.place(p.0), y.place(p.1))).collect();
    svg.polyline(&places, color::MODEL, 2.0);
    svg.finish()
}
