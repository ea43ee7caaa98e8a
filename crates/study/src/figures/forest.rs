//! A forest plot: an estimate with its interval for each subgroup.

use super::{Anchor, Axis, Figure, Svg, color};

/// One row of a forest plot.
#[derive(Debug, Clone, PartialEq)]
pub struct ForestRow {
    /// The subgroup, or a heading where there is no estimate.
    pub name: String,
    /// Number of films, and of positive ones.
    pub counts: Option<(usize, usize)>,
    /// Value, low, high.
    pub estimate: Option<(f64, f64, f64)>,
    /// What stands where the estimate is undefined.
    pub note: String,
}

/// Draws rows; `reference` is a vertical line (the whole's value).
pub fn draw(rows: &[ForestRow], statistic: &str, reference: Option<f64>, title: &str) -> Figure {
    let height = 70.0 + 24.0 * rows.len() as f64;
    let mut svg = Svg::new(760.0, height, title);
    // From 0.9 at the highest, so that the axis has a length where every interval ends at 1.
    let lowest = rows.iter().filter_map(|r| r.estimate).map(|e| e.1).fold(0.9, f64::min);
    let x = Axis::linear(((lowest * 10.0).floor() / 10.0, 1.0), (330.0, 590.0));
    let bottom = height - 40.0;
    for tick in x.ticks() {
        svg.line((x.place(tick), 24.0), (x.place(tick), bottom), "var(--grid, #e3e7ea)", 1.0);
        svg.text((x.place(tick), bottom + 16.0), Anchor::Middle, 11.0, color::INK, &super::number(tick));
    }
    svg.text((460.0, bottom + 32.0), Anchor::Middle, 12.0, color::INK, statistic);
    svg.text((230.0, 16.0), Anchor::End, 11.0, color::FAINT, "films");
    svg.text((300.0, 16.0), Anchor::End, 11.0, color::FAINT, "fractures");
    if let Some(value) = reference {
        svg.dashed((x.place(value), 24.0), (x.place(value), bottom), color::MODEL);
    }
    for (i, row) in rows.iter().enumerate() {
        let y = 40.0 + 24.0 * i as f64;
        let indent = if row.counts.is_some() { 16.0 } else { 4.0 };
        svg.text((indent, y + 4.0), Anchor::Start, 12.0, color::INK, &row.name);
        if let Some((n, positive)) = row.counts {
            svg.text((230.0, y + 4.0), Anchor::End, 12.0, color::INK, &n.to_string());
            svg.text((300.0, y + 4.0), Anchor::End, 12.0, color::INK, &positive.to_string());
        }
        match row.estimate {
            Some((value, low, high)) => {
                svg.line((x.place(low), y), (x.place(high), y), color::INK, 1.5);
                svg.rect((x.place(value) - 4.0, y - 4.0), (8.0, 8.0), color::MODEL, "none");
                let text = format!("{value:.3} ({low:.3}–{high:.3})");
                svg.text((604.0, y + 4.0), Anchor::Start, 12.0, color::INK, &text);
            }
            None if row.counts.is_some() => svg.text((604.0, y + 4.0), Anchor::Start, 11.0, color::FAINT, &row.note),
            None => {}
        }
    }
    svg.finish()
}
