//! The reliability diagram: observed frequency against predicted probability, with the number of films in each bin.

use super::{Anchor, Axis, Figure, Svg, color, frame};

/// One bin of predicted probabilities.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Bin {
    /// Mean predicted probability.
    pub predicted: f64,
    /// Observed proportion of positive films.
    pub observed: f64,
    /// Interval of the observed proportion.
    pub interval: (f64, f64),
    /// Number of films.
    pub n: usize,
}

/// Draws bins; `caption` stands in the corner (slope, intercept, Brier).
pub fn draw(bins: &[Bin], caption: &[String], title: &str) -> Figure {
    let mut svg = Svg::new(520.0, 500.0, title);
    let x = Axis::linear((0.0, 1.0), (64.0, 500.0));
    let y = Axis::linear((0.0, 1.0), (446.0, 14.0));
    frame(&mut svg, &x, &y, "predicted probability", "observed proportion");
    svg.dashed((x.place(0.0), y.place(0.0)), (x.place(1.0), y.place(1.0)), color::FAINT);
    let points: Vec<_> = bins.iter().map(|b| (x.place(b.predicted), y.place(b.observed))).collect();
    svg.polyline(&points, color::MODEL, 1.5);
    for (bin, at) in bins.iter().zip(&points) {
        svg.line((at.0, y.place(bin.interval.0)), (at.0, y.place(bin.interval.1)), color::MODEL, 1.0);
        svg.disk(*at, 4.0, color::MODEL, &format!("{} films", bin.n));
    }
    for (i, line) in caption.iter().flat_map(|line| broken(line)).enumerate() {
        svg.text((76.0, 32.0 + 16.0 * i as f64), Anchor::Start, 12.0, color::INK, &line);
    }
    svg.finish()
}

/// A text in lines that fit the diagram's width, broken at spaces.
fn broken(text: &str) -> Vec<String> {
    const LONGEST: usize = 64;
    let mut lines = vec![String::new()];
    for word in text.split(' ') {
        let line = lines.last_mut().expect("never empty");
        if !line.is_empty() && line.chars().count() + 1 + word.chars().count() > LONGEST {
            lines.push(word.to_owned());
        } else {
            line.push_str(if line.is_empty() { "" } else { " " });
            line.push_str(word);
        }
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_captions_are_broken_at_spaces() {
        assert_eq!(broken("Brier 0.1 (0.0–0.2)"), ["Brier 0.1 (0.0–0.2)"]);
        let text = "slope undefined: ".repeat(9);
        let lines = broken(text.trim_end());
        assert!(lines.len() == 3 && lines.iter().all(|line| line.chars().count() <= 64), "{lines:?}");
        assert_eq!(lines.join(" "), text.trim_end());
    }
}
