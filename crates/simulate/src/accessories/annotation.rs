//! Writing on a film: lead letters, boxes with letters, lines of text, and the dark boxes that removed text leaves behind.

use coxa_schema::Side;

use crate::random::{FilmRng, chance, choose, normal, uniform};

use super::font;

/// Writes markers and labels on display values 0..=1 (bone bright). The marker's letter names `side` and lies on that side of
/// a frontal film (the patient's right at the image's left). Each kind has a probability in proportion to `clutter`.
///
/// Returns whether text is in the picture: initials or a line of print. A side letter alone is none.
#[must_use]
pub fn draw(rng: &mut FilmRng, value: &mut [f32], width: usize, height: usize, side: Side, clutter: f32) -> bool {
    let mut page = Page { value, width, height };
    let mut has_text = false;
    if chance(rng, (1.6 * clutter).min(0.9)) {
        has_text |= marker(rng, &mut page, side);
    }
    if chance(rng, 0.5 * clutter) {
        lines(rng, &mut page);
        has_text = true;
    }
    if chance(rng, 0.25 * clutter) {
        redaction(rng, &mut page);
    }
    has_text
}

struct Page<'a> {
    value: &'a mut [f32],
    width: usize,
    height: usize,
}

impl Page<'_> {
    /// Blends `shade(u, w)` (value and opacity; `u, w` in pixels in the turned frame around `center`) over a square of `reach`.
    fn paint(&mut self, center: [f32; 2], turn: f32, reach: f32, shade: impl Fn(f32, f32) -> Option<(f32, f32)>) {
        let (sin, cos) = turn.to_radians().sin_cos();
        let span = |c: f32, n: usize| {
            (((c - reach).floor().max(0.0) as usize).min(n), ((c + reach).ceil().max(0.0) as usize).min(n))
        };
        let ((x0, x1), (y0, y1)) = (span(center[0], self.width), span(center[1], self.height));
        for y in y0..y1 {
            for x in x0..x1 {
                let pixel = &mut self.value[y * self.width + x];
                // Four samples a pixel keep letters smooth.
                for (ox, oy) in [(0.25, 0.25), (0.75, 0.25), (0.25, 0.75), (0.75, 0.75)] {
                    let (dx, dy) = (x as f32 + ox - center[0], y as f32 + oy - center[1]);
                    if let Some((ink, opacity)) = shade(dx * cos + dy * sin, dy * cos - dx * sin) {
                        *pixel += 0.25 * opacity * (ink - *pixel);
                    }
                }
            }
        }
    }

    fn shortest(&self) -> f32 {
        self.width.min(self.height) as f32
    }
}

#[derive(Clone, Copy)]
enum Style {
    Letter,
    Boxed,
    Inverse,
    Round,
}

/// The side's letter, with or without a frame and the radiographer's initials. Returns whether the initials are there.
fn marker(rng: &mut FilmRng, page: &mut Page<'_>, side: Side) -> bool {
    let letter = if side == Side::Right { 'R' } else { 'L' };
    let style = choose(rng, &[(Style::Letter, 0.5), (Style::Boxed, 0.15), (Style::Inverse, 0.2), (Style::Round, 0.15)]);
    let mut text = vec![letter];
    let has_initials = chance(rng, 0.25);
    if has_initials {
        text.push(' ');
        for _ in 0..2 {
            text.push(char::from(b'A' + uniform(rng, 0.0, 25.99) as u8));
        }
    }
    let dot = page.shortest() * uniform(rng, 0.0035, 0.0075);
    let ink = uniform(rng, 0.75, 1.0);
    let near = uniform(rng, 0.05, 0.2);
    let x = if side == Side::Right { near } else { 1.0 - near };
    let center = [x * page.width as f32, uniform(rng, 0.06, 0.94) * page.height as f32];
    let turn = choose(rng, &[(0.0_f32, 0.8), (90.0, 0.08), (-90.0, 0.08), (180.0, 0.04)]) + normal(rng, 0.0, 6.0);
    let flipped = chance(rng, 0.03);
    let (half_u, half_w) = (text.len() as f32 * 3.0 * dot, 3.5 * dot);
    let opacity = uniform(rng, 0.75, 1.0);
    page.paint(center, turn, half_u + half_w + 6.0 * dot, |u, w| {
        let u = if flipped { -u } else { u };
        let inked = font::ink(&text, (u + half_u) / dot, (w + half_w) / dot);
        let (inside, rim) = match style {
            Style::Round => {
                let r = u.hypot(w) / (half_u.hypot(half_w) + 1.5 * dot);
                (r < 1.0, (0.86..1.0).contains(&r))
            }
            _ => {
                let (a, b) = (u.abs() - half_u - 1.5 * dot, w.abs() - half_w - 1.5 * dot);
                let d = a.max(b);
                (d < 0.0, d < 0.0 && d > -dot)
            }
        };
        match style {
            Style::Letter => inked.then_some((ink, opacity)),
            Style::Inverse => inside.then_some((if inked { 0.05 } else { ink }, opacity)),
            Style::Boxed | Style::Round => (inked || rim).then_some((ink, opacity)),
        }
    });
    has_initials
}

/// Position, time or projection in small print near an edge. Never a name.
fn lines(rng: &mut FilmRng, page: &mut Page<'_>) {
    const WORDS: [&str; 10] =
        ["SUPINE", "PORTABLE", "AP", "MOBILE", "XR", "TABLE", "NON WB", "ROOM 2", "ER", "KV 70 MAS 8"];
    let dot = (page.shortest() * uniform(rng, 0.0018, 0.0035)).max(0.7);
    let n = 1 + uniform(rng, 0.0, 2.9) as usize;
    let (left, top) = (chance(rng, 0.5), chance(rng, 0.5));
    let ink = if chance(rng, 0.9) { uniform(rng, 0.7, 1.0) } else { 0.02 };
    for line in 0..n {
        let text: Vec<char> = match choose(rng, &[(0_u8, 0.5), (1, 0.25), (2, 0.25)]) {
            0 => WORDS[(uniform(rng, 0.0, WORDS.len() as f32) as usize).min(WORDS.len() - 1)].chars().collect(),
            1 => {
                format!("{:02}:{:02}", uniform(rng, 0.0, 23.9) as u32, uniform(rng, 0.0, 59.9) as u32).chars().collect()
            }
            _ => format!("{:06}", uniform(rng, 0.0, 999_999.0) as u32).chars().collect(),
        };
        let half_u = text.len() as f32 * 3.0 * dot;
        let margin = 0.02 * page.shortest();
        let down = margin + (line as f32 * 9.5 + 4.0) * dot;
        let x = if left { margin + half_u } else { page.width as f32 - margin - half_u };
        let y = if top { down } else { page.height as f32 - down };
        page.paint([x, y], 0.0, half_u + 8.0 * dot, |u, w| {
            font::ink(&text, (u + half_u) / dot, (w + 3.5 * dot) / dot).then_some((ink, 1.0))
        });
    }
}

/// A box painted over a label when the film was de-identified.
fn redaction(rng: &mut FilmRng, page: &mut Page<'_>) {
    let half = [page.shortest() * uniform(rng, 0.02, 0.09), page.shortest() * uniform(rng, 0.01, 0.035)];
    let x = if chance(rng, 0.5) { uniform(rng, 0.03, 0.2) } else { uniform(rng, 0.8, 0.97) };
    let y = if chance(rng, 0.5) { uniform(rng, 0.03, 0.15) } else { uniform(rng, 0.85, 0.97) };
    let shade = if chance(rng, 0.85) { 0.0 } else { uniform(rng, 0.3, 1.0) };
    page.paint([x * page.width as f32, y * page.height as f32], 0.0, half[0] + half[1], |u, w| {
        (u.abs() < half[0] && w.abs() < half[1]).then_some((shade, 1.0))
    });
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random::{Stream, stream};

    #[test]
    fn text_is_reported_as_often_as_it_is_drawn_and_never_on_a_blank_film() {
        let gray = vec![0.5_f32; 256 * 256];
        let mut with_text = 0;
        for index in 0..1000 {
            let mut value = gray.clone();
            let has_text = draw(&mut stream(3, index, Stream::Annotation), &mut value, 256, 256, Side::Left, 1.0);
            assert!(!has_text || value != gray, "{index}");
            with_text += usize::from(has_text);
        }
        // Initials beside nine letters in ten times one in four, lines on half the films: 1 − (1 − 0.225)·(1 − 0.5) = 0.61 ± 0.015.
        assert!((550..675).contains(&with_text), "{with_text}");
        let mut value = gray.clone();
        assert!(!draw(&mut stream(3, 0, Stream::Annotation), &mut value, 256, 256, Side::Left, 0.0));
        assert_eq!(value, gray);
    }
}
