//! The STARD flow chart: boxes from the films that were found to the films that were judged, with what left beside them.

use super::{Anchor, Figure, Svg, color};

/// One step of the flow.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Step {
    /// What the films are at this step.
    pub name: String,
    /// How many there are.
    pub n: usize,
    /// What left after this step: reason and count.
    pub excluded: Vec<(String, usize)>,
}

/// Draws the steps from top to bottom.
pub fn draw(steps: &[Step], title: &str) -> Figure {
    let heights: Vec<f64> = steps.iter().map(|s| 78.0_f64.max(44.0 + 16.0 * s.excluded.len() as f64)).collect();
    let mut svg = Svg::new(720.0, heights.iter().sum::<f64>() + 10.0, title);
    let mut top = 4.0;
    for (i, (step, height)) in steps.iter().zip(&heights).enumerate() {
        svg.rect((4.0, top), (330.0, 44.0), "none", color::INK);
        svg.text((169.0, top + 19.0), Anchor::Middle, 12.0, color::INK, &step.name);
        svg.text((169.0, top + 36.0), Anchor::Middle, 12.0, color::INK, &format!("n = {}", step.n));
        if !step.excluded.is_empty() {
            let box_height = 12.0 + 16.0 * step.excluded.len() as f64;
            svg.rect((390.0, top + 22.0), (326.0, box_height), "none", color::FAINT);
            svg.line((169.0, top + 52.0), (390.0, top + 52.0), color::INK, 1.0);
            for (line, (reason, n)) in step.excluded.iter().enumerate() {
                let y = top + 38.0 + 16.0 * line as f64;
                svg.text((400.0, y), Anchor::Start, 12.0, color::INK, &format!("{reason}: {n}"));
            }
        }
        if i + 1 < steps.len() {
            svg.line((169.0, top + 44.0), (169.0, top + height), color::INK, 1.0);
            svg.area(
                &[(165.0, top + height - 6.0), (173.0, top + height - 6.0), (169.0, top + height)],
                color::INK,
                1.0,
            );
        }
        top += height;
    }
    svg.finish()
}
