//! Figures as SVG text: drawn by this crate because a report's figures must follow the page's theme, print, and be read aloud, which a
//! stand-alone plotting picture does not. Every figure is a function from plain numbers to a [`Figure`]: a complete `<svg>` element, and
//! the same as a page of PDF.

pub mod calibration;
pub mod curves;
pub mod decision;
pub mod flow;
pub mod forest;
pub mod froc;
pub mod pairs;
mod pdf;
pub mod roc;

use std::fmt::Write;

/// A finished figure in its two forms.
#[derive(Debug, Clone, PartialEq)]
pub struct Figure {
    /// A complete `<svg>` element.
    pub svg: String,
    /// A PDF file of one page.
    pub pdf: Vec<u8>,
}

/// A figure under construction.
#[derive(Debug)]
pub struct Svg {
    width: f64,
    height: f64,
    title: String,
    body: String,
    page: pdf::Page,
}

/// Where a text is anchored horizontally.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Anchor {
    /// The text starts at the point.
    Start,
    /// The text is centered on the point.
    Middle,
    /// The text ends at the point.
    End,
}

impl Anchor {
    fn as_str(self) -> &'static str {
        match self {
            Self::Start => "start",
            Self::Middle => "middle",
            Self::End => "end",
        }
    }
}

/// The colors of a figure: CSS variables of the report's page, with values that stand where there is no page.
pub mod color {
    /// Text and axes.
    pub const INK: &str = "var(--ink, #1a1f24)";
    /// Grid lines and secondary text.
    pub const FAINT: &str = "var(--faint, #9aa4ad)";
    /// The model.
    pub const MODEL: &str = "var(--model, #0072b2)";
    /// Something set against the model.
    pub const OTHER: &str = "var(--other, #d55e00)";
    /// The categorical palette of Okabe and Ito, which readers with any color vision can distinguish.
    pub const GROUPS: [&str; 6] = ["#0072b2", "#009e73", "#e69f00", "#d55e00", "#cc79a7", "#56b4e9"];
}

/// Escapes text for XML and HTML.
pub fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            c => out.push(c),
        }
    }
    out
}

impl Svg {
    /// An empty figure of `width`×`height` user units; `title` is what a screen reader says.
    pub fn new(width: f64, height: f64, title: &str) -> Self {
        Self { width, height, title: escape(title), body: String::new(), page: pdf::Page::new(width, height) }
    }

    /// A straight line.
    pub fn line(&mut self, from: (f64, f64), to: (f64, f64), stroke: &str, width: f64) {
        self.page.line(from, to, stroke, width, None);
        let _ = write!(
            self.body,
            r#"<line x1="{:.2}" y1="{:.2}" x2="{:.2}" y2="{:.2}" stroke="{stroke}" stroke-width="{width}"/>"#,
            from.0, from.1, to.0, to.1
        );
    }

    /// A dashed line.
    pub fn dashed(&mut self, from: (f64, f64), to: (f64, f64), stroke: &str) {
        self.page.line(from, to, stroke, 1.0, Some(4.0));
        let _ = write!(
            self.body,
            r#"<line x1="{:.2}" y1="{:.2}" x2="{:.2}" y2="{:.2}" stroke="{stroke}" stroke-width="1" stroke-dasharray="4 4"/>"#,
            from.0, from.1, to.0, to.1
        );
    }

    /// A connected line through `points`.
    pub fn polyline(&mut self, points: &[(f64, f64)], stroke: &str, width: f64) {
        self.page.polyline(points, stroke, width);
        let _ = write!(
            self.body,
            r#"<polyline points="{}" fill="none" stroke="{stroke}" stroke-width="{width}" stroke-linejoin="round"/>"#,
            coordinates(points)
        );
    }

    /// A filled area without an outline.
    pub fn area(&mut self, points: &[(f64, f64)], fill: &str, opacity: f64) {
        self.page.area(points, fill, opacity);
        let _ =
            write!(self.body, r#"<polygon points="{}" fill="{fill}" fill-opacity="{opacity}"/>"#, coordinates(points));
    }

    /// A disk with a tooltip.
    pub fn disk(&mut self, at: (f64, f64), radius: f64, fill: &str, tooltip: &str) {
        self.page.disk(at, radius, fill);
        let _ = write!(
            self.body,
            r#"<circle cx="{:.2}" cy="{:.2}" r="{radius}" fill="{fill}"><title>{}</title></circle>"#,
            at.0,
            at.1,
            escape(tooltip)
        );
    }

    /// A rectangle with an outline.
    pub fn rect(&mut self, at: (f64, f64), size: (f64, f64), fill: &str, stroke: &str) {
        self.page.rect(at, size, fill, stroke);
        let _ = write!(
            self.body,
            r#"<rect x="{:.2}" y="{:.2}" width="{:.2}" height="{:.2}" fill="{fill}" stroke="{stroke}"/>"#,
            at.0, at.1, size.0, size.1
        );
    }

    /// A line of text of `size` units.
    pub fn text(&mut self, at: (f64, f64), anchor: Anchor, size: f64, fill: &str, text: &str) {
        self.page.text(at, anchor, size, fill, text);
        let _ = write!(
            self.body,
            r#"<text x="{:.2}" y="{:.2}" text-anchor="{}" font-size="{size}" fill="{fill}">{}</text>"#,
            at.0,
            at.1,
            anchor.as_str(),
            escape(text)
        );
    }

    /// A line of text turned by a quarter to read upwards.
    pub fn text_up(&mut self, at: (f64, f64), size: f64, fill: &str, text: &str) {
        self.page.text_up(at, size, fill, text);
        let _ = write!(
            self.body,
            r#"<text transform="translate({:.2} {:.2}) rotate(-90)" text-anchor="middle" font-size="{size}" fill="{fill}">{}</text>"#,
            at.0,
            at.1,
            escape(text)
        );
    }

    /// The complete figure.
    pub fn finish(self) -> Figure {
        let svg = format!(
            concat!(
                r#"<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {w} {h}" width="{w}" height="{h}" role="img" "#,
                r#"font-family="system-ui, 'DejaVu Sans', sans-serif"><title>{title}</title>{body}</svg>"#
            ),
            w = self.width,
            h = self.height,
            title = self.title,
            body = self.body
        );
        Figure { svg, pdf: self.page.finish() }
    }
}

fn coordinates(points: &[(f64, f64)]) -> String {
    let mut out = String::with_capacity(points.len() * 14);
    for (x, y) in points {
        let _ = write!(out, "{x:.2},{y:.2} ");
    }
    out
}

/// One axis: a range of values laid over a range of user units.
#[derive(Debug, Clone, Copy)]
pub struct Axis {
    /// First and last value.
    pub values: (f64, f64),
    /// Their positions in user units.
    pub places: (f64, f64),
    /// Whether values are laid out by their logarithm; both must then be positive.
    pub scale: Scale,
}

/// How an axis lays out its values.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scale {
    /// In proportion.
    Linear,
    /// By their logarithm.
    Logarithmic,
}

impl Axis {
    /// A linear axis.
    pub fn linear(values: (f64, f64), places: (f64, f64)) -> Self {
        Self { values, places, scale: Scale::Linear }
    }

    /// Where `value` lies, clipped to the axis.
    pub fn place(&self, value: f64) -> f64 {
        let (low, high) = self.values;
        let share = match self.scale {
            Scale::Linear => (value - low) / (high - low),
            Scale::Logarithmic => (value / low).ln() / (high / low).ln(),
        };
        self.places.0 + share.clamp(0.0, 1.0) * (self.places.1 - self.places.0)
    }

    /// Round values for ticks: 4 to 8 of them within the range.
    pub fn ticks(&self) -> Vec<f64> {
        let (low, high) = self.values;
        if self.scale == Scale::Logarithmic {
            let first = low.log10().floor() as i32;
            let last = high.log10().ceil() as i32;
            return (first..=last)
                .flat_map(|power| [1.0, 3.0].map(|digit| digit * 10f64.powi(power)))
                .filter(|value| (low..=high).contains(value))
                .collect();
        }
        let raw = (high - low) / 5.0;
        if raw <= 0.0 || !raw.is_finite() {
            return vec![low];
        }
        let power = 10f64.powf(raw.log10().floor());
        let step = [1.0, 2.0, 2.5, 5.0, 10.0].map(|m| m * power).into_iter().find(|s| *s >= raw * 0.99).unwrap_or(raw);
        let first = (low / step).ceil() as i64;
        let last = ((high / step) + 1e-9).floor() as i64;
        (first..=last).map(|i| i as f64 * step).collect()
    }
}

/// A number with no more digits than it needs.
pub fn number(value: f64) -> String {
    let text = format!("{value:.3}");
    let trimmed = text.trim_end_matches('0').trim_end_matches('.');
    if trimmed == "-0" { "0".to_owned() } else { trimmed.to_owned() }
}

/// The frame of a chart: grid, ticks and the names of the axes.
pub fn frame(svg: &mut Svg, x: &Axis, y: &Axis, x_name: &str, y_name: &str) {
    for tick in x.ticks() {
        let place = x.place(tick);
        svg.line((place, y.places.0), (place, y.places.1), "var(--grid, #e3e7ea)", 1.0);
        svg.text((place, y.places.0 + 16.0), Anchor::Middle, 11.0, color::INK, &number(tick));
    }
    for tick in y.ticks() {
        let place = y.place(tick);
        svg.line((x.places.0, place), (x.places.1, place), "var(--grid, #e3e7ea)", 1.0);
        svg.text((x.places.0 - 6.0, place + 4.0), Anchor::End, 11.0, color::INK, &number(tick));
    }
    svg.line((x.places.0, y.places.0), (x.places.1, y.places.0), color::INK, 1.0);
    svg.line((x.places.0, y.places.0), (x.places.0, y.places.1), color::INK, 1.0);
    svg.text(((x.places.0 + x.places.1) / 2.0, y.places.0 + 36.0), Anchor::Middle, 12.0, color::INK, x_name);
    svg.text_up((x.places.0 - 42.0, (y.places.0 + y.places.1) / 2.0), 12.0, color::INK, y_name);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ticks_are_round_and_inside() {
        let axis = Axis::linear((0.0, 1.0), (0.0, 100.0));
        assert_eq!(axis.ticks().len(), 6);
        assert!((axis.place(0.25) - 25.0).abs() < 1e-12);
        let log = Axis { values: (0.01, 10.0), places: (0.0, 3.0), scale: Scale::Logarithmic };
        assert!((log.place(0.1) - 1.0).abs() < 1e-9);
        assert!(log.ticks().iter().all(|t| (0.01..=10.0).contains(t)));
    }

    #[test]
    fn text_from_outside_is_escaped() {
        let mut svg = Svg::new(10.0, 10.0, "<t>");
        svg.text((0.0, 0.0), Anchor::Start, 10.0, color::INK, "a<b & \"c\"");
        let text = svg.finish().svg;
        assert!(text.contains("a&lt;b &amp; &quot;c&quot;") && text.contains("<title>&lt;t&gt;</title>"));
    }
}
