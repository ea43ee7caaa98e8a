//! What a landmark finder sees: edges by direction, their strength relative to what surrounds them.

use super::hip::Plane;

/// Directions by which edges differ, over half a turn: the sign of an edge depends on processing, not its direction.
pub(super) const DIRECTIONS: usize = 8;

/// Half the width, in pixels, of the square within which edges are alike.
const POOL: usize = 2;
/// Half the width of the square by whose mean edge an edge's strength is measured.
const SURROUND: usize = 10;
/// A gradient, gray levels a pixel, that is noise.
const NOISE: f32 = 0.6;
/// The most that one edge counts.
const MOST: f32 = 2.0;

/// Pooled edges of a plane, one image for each direction, pixel by pixel.
pub(super) struct Edges {
    pub width: usize,
    pub height: usize,
    /// [`DIRECTIONS`] values for each pixel.
    pub values: Vec<f32>,
}

impl Edges {
    pub(super) fn of(plane: &Plane) -> Self {
        let (w, h) = (plane.width, plane.height);
        let at = |x: usize, y: usize| plane.values[y * w + x];
        let mut gradient = Vec::with_capacity(w * h);
        for y in 0..h {
            let (above, below) = (y.saturating_sub(1), (y + 1).min(h - 1));
            for x in 0..w {
                let (left, right) = (x.saturating_sub(1), (x + 1).min(w - 1));
                gradient.push([0.5 * (at(right, y) - at(left, y)), 0.5 * (at(x, below) - at(x, above))]);
            }
        }
        let energy: Vec<f32> = gradient.iter().map(|[x, y]| x * x + y * y).collect();
        let around = blurred(&energy, w, h, SURROUND);
        let mut planes = vec![vec![0.0; w * h]; DIRECTIONS];
        for (i, (&[x, y], around)) in gradient.iter().zip(&around).enumerate() {
            let strength = (energy[i].sqrt() / (around.max(0.0).sqrt() + NOISE)).min(MOST);
            let turn = y.atan2(x).rem_euclid(std::f32::consts::PI) / std::f32::consts::PI * DIRECTIONS as f32;
            let (low, part) = (turn as usize % DIRECTIONS, turn.fract());
            planes[low][i] += strength * (1.0 - part);
            planes[(low + 1) % DIRECTIONS][i] += strength * part;
        }
        let mut values = vec![0.0; w * h * DIRECTIONS];
        for (d, plane) in planes.iter().enumerate() {
            for (i, value) in blurred(plane, w, h, POOL).into_iter().enumerate() {
                values[i * DIRECTIONS + d] = value;
            }
        }
        Self { width: w, height: h, values }
    }

    /// The edges at a pixel, or at the nearest one inside.
    pub(super) fn at(&self, x: isize, y: isize) -> &[f32] {
        let inside = |q: isize, n: usize| q.clamp(0, n as isize - 1) as usize;
        let i = inside(y, self.height) * self.width + inside(x, self.width);
        &self.values[i * DIRECTIONS..(i + 1) * DIRECTIONS]
    }

    /// The mean of each direction.
    pub(super) fn mean(&self) -> [f32; DIRECTIONS] {
        let mut sum = [0.0; DIRECTIONS];
        for pixel in self.values.chunks_exact(DIRECTIONS) {
            sum.iter_mut().zip(pixel).for_each(|(s, q)| *s += q);
        }
        sum.map(|s| s * DIRECTIONS as f32 / self.values.len() as f32)
    }
}

/// Two means over squares of `2 half + 1` pixels: a tent.
fn blurred(values: &[f32], width: usize, height: usize, half: usize) -> Vec<f32> {
    let mut plane = values.to_vec();
    let mut column = vec![0.0; height];
    for _ in 0..2 {
        plane.chunks_exact_mut(width).for_each(|row| mean(row, half));
        for x in 0..width {
            column.iter_mut().enumerate().for_each(|(y, q)| *q = plane[y * width + x]);
            mean(&mut column, half);
            column.iter().enumerate().for_each(|(y, q)| plane[y * width + x] = *q);
        }
    }
    plane
}

/// The running mean of a line in place, its ends repeated.
fn mean(line: &mut [f32], half: usize) {
    let (from, n) = (line.to_vec(), line.len() as isize);
    let at = |i: isize| from[i.clamp(0, n - 1) as usize];
    let half = half as isize;
    let mut sum: f32 = (-half..=half).map(at).sum();
    for (i, out) in line.iter_mut().enumerate() {
        *out = sum / (2 * half + 1) as f32;
        sum += at(i as isize + half + 1) - at(i as isize - half);
    }
}
