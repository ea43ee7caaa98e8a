//! Fig. 2 of the paper: the ROC curve with its pointwise interval band, and readers as points by specialty.

use super::{Anchor, Axis, Figure, Svg, color, frame};

/// A reader drawn beside the curve.
#[derive(Debug, Clone, PartialEq)]
pub struct ReaderPoint {
    /// The group that gives the color, for example a specialty.
    pub group: String,
    /// Who, as the legend and the tooltip say it; never a person's name.
    pub name: String,
    /// Proportion of the positive films called positive.
    pub sensitivity: f64,
    /// Proportion of the negative films called negative.
    pub specificity: f64,
}

/// One ROC curve.
#[derive(Debug, Clone, PartialEq)]
pub struct RocCurve {
    /// What the legend says.
    pub name: String,
    /// (1 − specificity, sensitivity), from (0, 0) to (1, 1).
    pub points: Vec<(f64, f64)>,
    /// Band: (1 − specificity, low, high) of the sensitivity; may be empty.
    pub band: Vec<(f64, f64, f64)>,
    /// The operating point, (1 − specificity, sensitivity).
    pub operating: Option<(f64, f64)>,
}

/// Draws curves and readers into a square chart.
pub fn draw(curves: &[RocCurve], readers: &[ReaderPoint], title: &str) -> Figure {
    let mut svg = Svg::new(520.0, 500.0, title);
    let x = Axis::linear((0.0, 1.0), (64.0, 500.0));
    let y = Axis::linear((0.0, 1.0), (446.0, 14.0));
    frame(&mut svg, &x, &y, "1 − specificity", "sensitivity");
    svg.dashed((x.place(0.0), y.place(0.0)), (x.place(1.0), y.place(1.0)), color::FAINT);
    for (i, curve) in curves.iter().enumerate() {
        let stroke = color::GROUPS[i % color::GROUPS.len()];
        if !curve.band.is_empty() {
            let upper = curve.band.iter().map(|&(fpr, _, high)| (x.place(fpr), y.place(high)));
            let lower = curve.band.iter().rev().map(|&(fpr, low, _)| (x.place(fpr), y.place(low)));
            svg.area(&upper.chain(lower).collect::<Vec<_>>(), stroke, 0.15);
        }
        let points: Vec<_> = curve.points.iter().map(|&(fpr, tpr)| (x.place(fpr), y.place(tpr))).collect();
        svg.polyline(&points, stroke, 2.0);
        if let Some((fpr, tpr)) = curve.operating {
            svg.disk((x.place(fpr), y.place(tpr)), 5.0, stroke, "operating point");
        }
        svg.text((492.0, 436.0 - 18.0 * i as f64), Anchor::End, 12.0, stroke, &curve.name);
    }
    let mut groups: Vec<&str> = readers.iter().map(|r| r.group.as_str()).collect();
    groups.sort_unstable();
    groups.dedup();
    for reader in readers {
        let group = groups.iter().position(|g| *g == reader.group).unwrap_or(0);
        let fill = color::GROUPS[(group + curves.len()) % color::GROUPS.len()];
        svg.disk((x.place(1.0 - reader.specificity), y.place(reader.sensitivity)), 4.0, fill, &reader.name);
    }
    for (i, group) in groups.iter().enumerate() {
        let place = (300.0, 436.0 - 18.0 * (i + curves.len()) as f64);
        svg.disk((place.0, place.1 - 4.0), 4.0, color::GROUPS[(i + curves.len()) % color::GROUPS.len()], group);
        svg.text((place.0 + 10.0, place.1), Anchor::Start, 12.0, color::INK, group);
    }
    svg.finish()
}
