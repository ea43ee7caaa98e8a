//! A film as a plane of gray values, and a hip's own frame on it: head radii to the side and down from the head's center.

use coxa_imaging::Radiograph;
use coxa_schema::Side;
use coxa_simulate::HipOnFilm;

/// A film's display values, 0 (black) to 255.
#[derive(Debug, Clone, PartialEq)]
pub struct Plane {
    /// Columns.
    pub width: usize,
    /// Rows.
    pub height: usize,
    /// Values, row by row.
    pub values: Vec<f32>,
}

impl Plane {
    /// The plane of a film.
    pub fn of(film: &Radiograph) -> Self {
        Self { width: film.width(), height: film.height(), values: film.pixels().to_vec() }
    }

    /// A plane of a constant value.
    pub fn filled(width: usize, height: usize, value: f32) -> Self {
        Self { width, height, values: vec![value; width * height] }
    }

    /// The value at a point (pixel `i` spans `[i, i+1)`), between the four pixels around it; `None` outside the film.
    pub fn at(&self, [x, y]: [f32; 2]) -> Option<f32> {
        let (x, y) = (x - 0.5, y - 0.5);
        let inside = |q: f32, n: usize| (-0.5..=n as f32 - 0.5).contains(&q);
        if !inside(x, self.width) || !inside(y, self.height) {
            return None;
        }
        let split = |q: f32, n: usize| {
            let q = q.clamp(0.0, (n - 1) as f32);
            let low = q as usize;
            (low, (low + 1).min(n - 1), q - low as f32)
        };
        let ((x0, x1, u), (y0, y1, v)) = (split(x, self.width), split(y, self.height));
        let at = |x: usize, y: usize| self.values[y * self.width + x];
        let top = at(x0, y0) * (1.0 - u) + at(x1, y0) * u;
        Some(top * (1.0 - v) + (at(x0, y1) * (1.0 - u) + at(x1, y1) * u) * v)
    }

    /// The mean of the film over a square of `side` pixels around a point; `None` where part of it is outside.
    pub fn mean_at(&self, [x, y]: [f32; 2], side: f32) -> Option<f32> {
        let n = side.ceil().clamp(1.0, 8.0) as usize;
        let offset = |i: usize| side * ((i as f32 + 0.5) / n as f32 - 0.5);
        let mut sum = 0.0;
        for i in 0..n * n {
            sum += self.at([x + offset(i % n), y + offset(i / n)])?;
        }
        Some(sum / (n * n) as f32)
    }
}

/// A point of a hip's frame: `u` to the side (away from the body's middle) and `v` down, in head radii from the head's center.
pub type Local = [f32; 2];

/// What the frame of a hip needs, whichever way the patient faces.
pub trait HipFrame {
    /// The film's pixels per unit of the frame, and the direction of `u` along the film's columns (1 or -1).
    fn axes(&self) -> (f32, f32);
    /// Center of the head on the film.
    fn center(&self) -> [f32; 2];

    /// A point of the frame on the film.
    fn on_film(&self, [u, v]: Local) -> [f32; 2] {
        let ((radius, outward), [x, y]) = (self.axes(), self.center());
        [x + outward * u * radius, y + v * radius]
    }

    /// A point of the film in the frame.
    fn local(&self, [x, y]: [f32; 2]) -> Local {
        let ((radius, outward), [cx, cy]) = (self.axes(), self.center());
        [outward * (x - cx) / radius, (y - cy) / radius]
    }
}

impl HipFrame for HipOnFilm {
    fn axes(&self) -> (f32, f32) {
        (self.radius, if self.side == Side::Right { -1.0 } else { 1.0 })
    }

    fn center(&self) -> [f32; 2] {
        self.head
    }
}
