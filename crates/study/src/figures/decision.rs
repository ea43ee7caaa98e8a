//! The decision curve (Vickers & Elkin 2006): net benefit against the threshold probability.

use coxa_stats::{Scored, decision};

use super::curves::Series;
use super::{Anchor, Axis, Figure, Svg, color, frame};

/// Draws the model's curve beside those of treating all and none; `None` where net benefit is undefined.
pub fn draw(sample: Scored<'_>, title: &str) -> Option<Figure> {
    let thresholds: Vec<f64> = (1..=95).map(|i| f64::from(i) / 100.0).collect();
    let points = decision::curve(sample, &thresholds).ok()?;
    let model = Series { name: "model".into(), points: points.iter().map(|p| (p.threshold, p.model)).collect() };
    let all = Series { name: "all".into(), points: points.iter().map(|p| (p.threshold, p.treat_all)).collect() };
    let high = points.iter().map(|p| p.model.max(p.treat_all)).fold(0.05, f64::max);
    let mut svg = Svg::new(520.0, 500.0, title);
    let x = Axis::linear((0.0, 1.0), (64.0, 500.0));
    let y = Axis::linear((-0.1 * high, high), (446.0, 14.0));
    frame(&mut svg, &x, &y, "threshold probability", "net benefit");
    svg.line((x.place(0.0), y.place(0.0)), (x.place(1.0), y.place(0.0)), color::FAINT, 1.5);
    for (i, line) in [model, all].iter().enumerate() {
        let stroke = [color::MODEL, color::OTHER][i];
        let places: Vec<_> = line.points.iter().map(|&(t, b)| (x.place(t), y.place(b))).collect();
        svg.polyline(&places, stroke, 2.0);
        svg.text((492.0, 30.0 + 16.0 * i as f64), Anchor::End, 12.0, stroke, &line.name);
    }
    svg.text((492.0, 62.0), Anchor::End, 12.0, color::FAINT, "none");
    Some(svg.finish())
}
