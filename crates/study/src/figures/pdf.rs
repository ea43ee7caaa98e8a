//! The figures' second form: a page of PDF the size of the figure, for journals. Text is set in Helvetica, which every reader of PDF
//! has, so that nothing need be embedded.

use pdf_writer::{Content, Finish, Name, Pdf, Rect, Ref, Str};

use super::Anchor;

/// Widths of Helvetica's glyphs from space to tilde, in thousandths of the size (Adobe's font metrics).
const WIDTHS: [u16; 95] = [
    278, 278, 355, 556, 556, 889, 667, 191, 333, 333, 389, 584, 278, 333, 278, 278, 556, 556, 556, 556, 556, 556, 556,
    556, 556, 556, 278, 278, 584, 584, 584, 556, 1015, 667, 667, 722, 722, 667, 611, 778, 722, 278, 500, 667, 556, 833,
    722, 778, 667, 778, 722, 667, 611, 722, 667, 944, 667, 667, 611, 278, 278, 278, 469, 556, 333, 556, 556, 500, 556,
    556, 278, 556, 556, 222, 222, 500, 222, 833, 556, 556, 556, 556, 333, 500, 278, 556, 500, 722, 500, 500, 500, 334,
    260, 334, 584,
];
/// The handle of a circle's quarter as a cubic curve.
const QUARTER: f32 = 0.552_284_8;
const FONT: Name<'static> = Name(b"Helvetica");

/// A page under construction, in the figure's own units with y downwards.
pub(super) struct Page {
    size: (f32, f32),
    content: Content,
}

impl std::fmt::Debug for Page {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Page").field("size", &self.size).finish_non_exhaustive()
    }
}

impl Page {
    pub(super) fn new(width: f64, height: f64) -> Self {
        let size = (width as f32, height as f32);
        let mut content = Content::new();
        content.transform([1.0, 0.0, 0.0, -1.0, 0.0, size.1]);
        Page { size, content }
    }

    pub(super) fn line(&mut self, from: (f64, f64), to: (f64, f64), stroke: &str, width: f64, dash: Option<f32>) {
        self.stroked(stroke, width);
        self.content.set_dash_pattern(dash.map_or(vec![], |dash| vec![dash, dash]), 0.0);
        self.content.move_to(from.0 as f32, from.1 as f32).line_to(to.0 as f32, to.1 as f32).stroke();
        self.content.set_dash_pattern([], 0.0);
    }

    pub(super) fn polyline(&mut self, points: &[(f64, f64)], stroke: &str, width: f64) {
        if points.len() > 1 {
            self.stroked(stroke, width);
            self.path(points);
            self.content.stroke();
        }
    }

    pub(super) fn area(&mut self, points: &[(f64, f64)], fill: &str, opacity: f64) {
        if points.len() > 2 {
            // On white paper a see-through color is a paler one.
            let [r, g, b] = color(fill).unwrap_or_default().map(|c| 1.0 - opacity as f32 * (1.0 - c));
            self.content.set_fill_rgb(r, g, b);
            self.path(points);
            self.content.close_path().fill_nonzero();
        }
    }

    pub(super) fn disk(&mut self, at: (f64, f64), radius: f64, fill: &str) {
        let (x, y, r) = (at.0 as f32, at.1 as f32, radius as f32);
        let h = QUARTER * r;
        self.filled(fill);
        let page = self.content.move_to(x + r, y);
        page.cubic_to(x + r, y + h, x + h, y + r, x, y + r).cubic_to(x - h, y + r, x - r, y + h, x - r, y);
        page.cubic_to(x - r, y - h, x - h, y - r, x, y - r).cubic_to(x + h, y - r, x + r, y - h, x + r, y);
        page.fill_nonzero();
    }

    pub(super) fn rect(&mut self, at: (f64, f64), size: (f64, f64), fill: &str, stroke: &str) {
        let [x, y, width, height] = [at.0, at.1, size.0, size.1].map(|v| v as f32);
        if color(fill).is_some() {
            self.filled(fill);
            self.content.rect(x, y, width, height).fill_nonzero();
        }
        if color(stroke).is_some() {
            self.stroked(stroke, 1.0);
            self.content.rect(x, y, width, height).stroke();
        }
    }

    pub(super) fn text(&mut self, at: (f64, f64), anchor: Anchor, size: f64, fill: &str, text: &str) {
        let (bytes, width) = encode(text, size as f32);
        let shift = match anchor {
            Anchor::Start => 0.0,
            Anchor::Middle => width / 2.0,
            Anchor::End => width,
        };
        self.set([1.0, 0.0, 0.0, -1.0, at.0 as f32 - shift, at.1 as f32], size, fill, &bytes);
    }

    pub(super) fn text_up(&mut self, at: (f64, f64), size: f64, fill: &str, text: &str) {
        let (bytes, width) = encode(text, size as f32);
        self.set([0.0, -1.0, -1.0, 0.0, at.0 as f32, at.1 as f32 + width / 2.0], size, fill, &bytes);
    }

    fn set(&mut self, matrix: [f32; 6], size: f64, fill: &str, bytes: &[u8]) {
        self.filled(fill);
        self.content.begin_text().set_font(FONT, size as f32).set_text_matrix(matrix).show(Str(bytes)).end_text();
    }

    /// The file.
    pub(super) fn finish(self) -> Vec<u8> {
        let [catalog, pages, page, font, content] = [1, 2, 3, 4, 5].map(Ref::new);
        let mut pdf = Pdf::new();
        pdf.catalog(catalog).pages(pages);
        pdf.pages(pages).kids([page]).count(1);
        let mut only = pdf.page(page);
        only.media_box(Rect::new(0.0, 0.0, self.size.0, self.size.1)).parent(pages).contents(content);
        only.resources().fonts().pair(FONT, font);
        only.finish();
        pdf.type1_font(font).base_font(FONT).encoding_predefined(Name(b"WinAnsiEncoding"));
        pdf.stream(content, &self.content.finish());
        pdf.finish()
    }

    fn path(&mut self, points: &[(f64, f64)]) {
        for (i, (x, y)) in points.iter().map(|(x, y)| (*x as f32, *y as f32)).enumerate() {
            if i == 0 {
                self.content.move_to(x, y)
            } else {
                self.content.line_to(x, y)
            };
        }
    }

    fn stroked(&mut self, stroke: &str, width: f64) {
        let [r, g, b] = color(stroke).unwrap_or_default();
        self.content.set_stroke_rgb(r, g, b).set_line_width(width as f32);
    }

    fn filled(&mut self, fill: &str) {
        let [r, g, b] = color(fill).unwrap_or_default();
        self.content.set_fill_rgb(r, g, b);
    }
}

/// The color that stands in a figure's text, as it is or as a CSS variable's fallback: `#rrggbb`; `None` for none.
fn color(text: &str) -> Option<[f32; 3]> {
    let hex = text.split_once('#')?.1.get(..6)?;
    let value = u32::from_str_radix(hex, 16).ok()?;
    Some([16, 8, 0].map(|shift| (value >> shift & 0xFF) as f32 / 255.0))
}

/// A text in the encoding of Windows' Latin 1 and its width; signs that it lacks become their like.
fn encode(text: &str, size: f32) -> (Vec<u8>, f32) {
    let mut bytes = Vec::with_capacity(text.len());
    for c in text.chars() {
        match c {
            ' '..='~' | '\u{a0}'..='\u{ff}' => bytes.push(c as u8),
            '–' | '−' => bytes.push(0x96),
            '—' => bytes.push(0x97),
            '’' => bytes.push(0x92),
            '≥' => bytes.extend(b">="),
            '≤' => bytes.extend(b"<="),
            _ => bytes.push(b'?'),
        }
    }
    let width = |b: &u8| f32::from(WIDTHS.get(usize::from(*b).wrapping_sub(32)).copied().unwrap_or(556));
    let width = bytes.iter().map(width).sum::<f32>() * size / 1000.0;
    (bytes, width)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn colors_are_found_in_variables_too() {
        assert_eq!(color("var(--ink, #ff0080)"), Some([1.0, 0.0, 128.0 / 255.0]));
        assert_eq!((color("#000000"), color("none")), (Some([0.0; 3]), None));
    }

    #[test]
    fn text_is_measured_by_the_fonts_own_widths() {
        let (bytes, width) = encode("AUC ≥ 0.9", 10.0);
        assert_eq!(bytes, b"AUC >= 0.9");
        let thousandths = 667 + 722 + 722 + 278 + 584 + 584 + 278 + 556 + 278 + 556;
        assert!((width - thousandths as f32 / 100.0).abs() < 1e-3, "{width}");
    }
}
