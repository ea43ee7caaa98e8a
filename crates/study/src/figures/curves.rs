//! Fig. 1 of the paper: accuracy and loss over the epochs, for the training and the validation films.

use super::{Anchor, Axis, Figure, Svg, color, frame};

/// One line of a chart over epochs.
#[derive(Debug, Clone, PartialEq)]
pub struct Series {
    /// What the legend says.
    pub name: String,
    /// (epoch, value); values that are not finite are left out.
    pub points: Vec<(f64, f64)>,
}

/// Draws series over epochs; `y_name` names the value.
pub fn draw(series: &[Series], y_name: &str, title: &str) -> Figure {
    let mut svg = Svg::new(520.0, 320.0, title);
    let finite = || series.iter().flat_map(|s| s.points.iter()).filter(|(_, v)| v.is_finite());
    let last = finite().map(|p| p.0).fold(1.0, f64::max);
    let first = finite().map(|p| p.0).fold(last, f64::min);
    let high = finite().map(|p| p.1).fold(f64::NEG_INFINITY, f64::max);
    let low = finite().map(|p| p.1).fold(f64::INFINITY, f64::min);
    let (low, high) = if low.is_finite() { (low.min(high - 1e-3), high) } else { (0.0, 1.0) };
    let margin = (high - low) * 0.05;
    // Four epochs at least, so that ticks stand at whole ones.
    let x = Axis::linear((first.min(last - 4.0).max(0.0), last.max(4.0)), (64.0, 500.0));
    let y = Axis::linear((low - margin, high + margin), (266.0, 14.0));
    frame(&mut svg, &x, &y, "epoch", y_name);
    for (i, line) in series.iter().enumerate() {
        let stroke = color::GROUPS[(i * 3) % color::GROUPS.len()];
        let points: Vec<_> =
            line.points.iter().filter(|(_, v)| v.is_finite()).map(|&(e, v)| (x.place(e), y.place(v))).collect();
        svg.polyline(&points, stroke, 2.0);
        for (at, (epoch, value)) in points.iter().zip(line.points.iter().filter(|(_, v)| v.is_finite())) {
            svg.disk(*at, 2.5, stroke, &format!("{}, epoch {epoch}: {value:.4}", line.name));
        }
        svg.text((492.0, 30.0 + 16.0 * i as f64), Anchor::End, 12.0, stroke, &line.name);
    }
    svg.finish()
}
