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
        for piece in above(&line.points, y.values.0) {
            let places: Vec<_> = piece.iter().map(|&(t, b)| (x.place(t), y.place(b))).collect();
            svg.polyline(&places, stroke, 2.0);
        }
        svg.text((492.0, 30.0 + 16.0 * i as f64), Anchor::End, 12.0, stroke, &line.name);
    }
    svg.text((492.0, 62.0), Anchor::End, 12.0, color::FAINT, "none");
    Some(svg.finish())
}

/// The pieces of a line that lie at `floor` or above it, each cut where the line crosses the floor: net benefit falls without bound.
fn above(line: &[(f64, f64)], floor: f64) -> Vec<Vec<(f64, f64)>> {
    let mut pieces = Vec::new();
    let mut piece = Vec::new();
    for (i, &point) in line.iter().enumerate() {
        let is_above = point.1 >= floor;
        if let Some(before) = i.checked_sub(1).map(|i| line[i]).filter(|before| (before.1 >= floor) != is_above) {
            let share = (floor - before.1) / (point.1 - before.1);
            piece.push((before.0 + share * (point.0 - before.0), floor));
        }
        if is_above {
            piece.push(point);
        } else if !piece.is_empty() {
            pieces.push(std::mem::take(&mut piece));
        }
    }
    pieces.extend((!piece.is_empty()).then_some(piece));
    pieces
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_below_the_floor_is_cut() {
        let line = [(0.0, 0.5), (0.2, 0.1), (0.4, -0.3), (0.6, -0.5), (0.8, 0.3), (1.0, 0.3)];
        let pieces = above(&line, -0.1);
        let near = |a: (f64, f64), b: (f64, f64)| (a.0 - b.0).abs() < 1e-12 && (a.1 - b.1).abs() < 1e-12;
        let expected: [&[(f64, f64)]; 2] =
            [&[(0.0, 0.5), (0.2, 0.1), (0.3, -0.1)], &[(0.7, -0.1), (0.8, 0.3), (1.0, 0.3)]];
        assert_eq!(pieces.len(), 2);
        for (piece, expected) in pieces.iter().zip(expected) {
            assert!(piece.len() == 3 && piece.iter().zip(expected).all(|(&a, &b)| near(a, b)), "{piece:?}");
        }
        assert!(above(&[(0.0, -1.0), (1.0, -2.0)], -0.1).is_empty());
    }

    #[test]
    fn treating_all_is_not_drawn_along_the_floor() {
        // Half of the films are fractured: treating all is worth less than nothing from a threshold of ½ on.
        let truth: Vec<bool> = (0..40).map(|i| i % 2 == 0).collect();
        let scores: Vec<f64> = (0..40).map(|i| f64::from(i % 4) / 4.0 + 0.1).collect();
        let figure = draw(Scored::new(&scores, &truth).unwrap(), "t").unwrap();
        for line in figure.svg.split("<polyline").skip(1) {
            assert!(line.matches(",446.00 ").count() <= 1, "{line}");
        }
    }
}
