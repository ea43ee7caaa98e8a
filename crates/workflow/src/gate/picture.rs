//! Pictures that are changed on their way to the network: other copies of a film, films that lie on their side, films of poor quality.

use coxa_imaging::Radiograph;
use coxa_simulate::random::{FilmRng, chance, normal, uniform};

use crate::WorkflowError;

/// Changed pictures have no longer side than this: the network's input has 512 pixels a side.
const LONGEST: usize = 640;

/// Gray values of 0 to 255, row by row, bone bright.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Picture {
    pub width: usize,
    pub height: usize,
    pub values: Vec<f32>,
}

impl Picture {
    /// The value of each pixel from its place: 0 to 1 from left to right and from top to bottom.
    pub fn drawn(width: usize, height: usize, value: impl Fn(f32, f32) -> f32) -> Self {
        let place = |i: usize, n: usize| (i as f32 + 0.5) / n as f32;
        let values = (0..width * height).map(|i| value(place(i % width, width), place(i / width, height))).collect();
        Picture { width, height, values }
    }

    /// A film's own pixels.
    pub fn of(film: &Radiograph) -> Self {
        Picture { width: film.width(), height: film.height(), values: film.pixels().to_vec() }
    }

    /// As a film, its values held within 0 to 255.
    ///
    /// # Errors
    /// A side of 0, or one too large.
    pub fn film(mut self) -> Result<Radiograph, WorkflowError> {
        self.values.iter_mut().for_each(|value| *value = value.clamp(0.0, 255.0));
        Ok(Radiograph::from_display(self.width, self.height, self.values)?)
    }

    /// The value between the pixels around a place, in pixels; 0 outside.
    fn at(&self, x: f32, y: f32) -> f32 {
        let (x, y) = (x - 0.5, y - 0.5);
        let (column, row) = (x.floor(), y.floor());
        let pixel = |dx: f32, dy: f32| {
            let (column, row) = (column + dx, row + dy);
            let inside = column >= 0.0 && row >= 0.0 && (column as usize) < self.width && (row as usize) < self.height;
            if inside { self.values[row as usize * self.width + column as usize] } else { 0.0 }
        };
        let (u, v) = (x - column, y - row);
        (pixel(0.0, 0.0) * (1.0 - u) + pixel(1.0, 0.0) * u) * (1.0 - v)
            + (pixel(0.0, 1.0) * (1.0 - u) + pixel(1.0, 1.0) * u) * v
    }

    /// The part from `left` to `right` and `top` to `bottom`, each a share of the side.
    pub fn part(&self, [left, right]: [f32; 2], [top, bottom]: [f32; 2]) -> Self {
        let cut = |from: f32, to: f32, n: usize| {
            let first = ((from * n as f32) as usize).min(n - 1);
            first..((to * n as f32) as usize).clamp(first + 1, n)
        };
        let (columns, rows) = (cut(left, right, self.width), cut(top, bottom, self.height));
        let (width, height) = (columns.len(), rows.len());
        let values = rows.flat_map(|row| self.values[row * self.width..][columns.clone()].iter().copied()).collect();
        Picture { width, height, values }
    }

    /// The left or the right part of a pelvis with its hip, without the iliac crest.
    pub fn one_side(&self, rng: &mut FilmRng) -> Self {
        let width = uniform(rng, 0.42, 0.58);
        let columns = if chance(rng, 0.5) { [0.0, width] } else { [1.0 - width, 1.0] };
        self.part(columns, [uniform(rng, 0.12, 0.36), uniform(rng, 0.92, 1.0)])
    }

    /// Turned clockwise by so many right angles.
    pub fn turned(&self, right_angles: usize) -> Self {
        (0..right_angles % 4).fold(self.clone(), |picture, _| {
            let (width, height) = (picture.height, picture.width);
            let value = |i: usize| picture.values[(picture.height - 1 - i % width) * picture.width + i / width];
            Picture { width, height, values: (0..width * height).map(value).collect() }
        })
    }

    /// Mirrored from left to right.
    pub fn mirrored(&self) -> Self {
        let values = self.values.chunks_exact(self.width).flat_map(|row| row.iter().rev().copied()).collect();
        Picture { values, ..*self }
    }

    /// Another film of the same patient, so to speak: mirrored or not, turned a little, nearer or farther, with another exposure and
    /// processing.
    pub fn varied(&self, rng: &mut FilmRng) -> Self {
        let source = if chance(rng, 0.5) { self.mirrored() } else { self.clone() };
        let (sin, cos) = normal(rng, 0.0, 3.5).to_radians().sin_cos();
        let zoom = uniform(rng, 0.86, 1.2);
        let aspect = uniform(rng, 0.96, 1.04);
        let scale = uniform(rng, 0.6, 1.0) * (LONGEST as f32 / source.width.max(source.height) as f32).min(1.0);
        let shift = [0, 1].map(|_| uniform(rng, -0.05, 0.05));
        let (width, height) = ((source.width as f32 * scale) as usize, (source.height as f32 * scale) as usize);
        let (width, height) = (width.max(64), height.max(64));
        let gamma = uniform(rng, -0.5, 0.5).exp();
        let (gain, offset) = (uniform(rng, 0.65, 1.15), uniform(rng, -8.0, 12.0));
        let grain = uniform(rng, -4.0, 6.0).max(0.0);
        let mut values = Vec::with_capacity(width * height);
        for row in 0..height {
            for column in 0..width {
                let u = ((column as f32 + 0.5) / width as f32 - 0.5 + shift[0]) * source.width as f32 / (zoom * aspect);
                let v = ((row as f32 + 0.5) / height as f32 - 0.5 + shift[1]) * source.height as f32 / zoom;
                let (x, y) = (u * cos - v * sin, u * sin + v * cos);
                let value = source.at(x + source.width as f32 / 2.0, y + source.height as f32 / 2.0);
                let value = 255.0 * (value / 255.0).powf(gamma) * gain + offset;
                values.push(if grain > 0.0 { value + normal(rng, 0.0, grain) } else { value }.clamp(0.0, 255.0));
            }
        }
        Picture { width, height, values }
    }

    /// With so little contrast that nothing can be seen: less than a tenth of its own, around an even gray, under noise.
    pub fn washed_out(&self, rng: &mut FilmRng) -> Self {
        let (contrast, level, grain) = (uniform(rng, 0.02, 0.08), uniform(rng, 20.0, 200.0), uniform(rng, 1.0, 8.0));
        let values = self.values.iter().map(|value| level + contrast * (value - 128.0) + normal(rng, 0.0, grain));
        Picture { values: values.collect(), ..*self }
    }

    /// As if the patient had moved by a sixteenth to an eighth of the film while it was exposed.
    pub fn moved(&self, rng: &mut FilmRng) -> Self {
        const STEPS: usize = 24;
        let length = uniform(rng, 0.06, 0.12) * self.width.max(self.height) as f32;
        let (sin, cos) = uniform(rng, 0.0, std::f32::consts::PI).sin_cos();
        let mut values = Vec::with_capacity(self.values.len());
        for i in 0..self.values.len() {
            let (x, y) = ((i % self.width) as f32 + 0.5, (i / self.width) as f32 + 0.5);
            let sum: f32 = (0..STEPS)
                .map(|step| {
                    let along = length * (step as f32 / (STEPS - 1) as f32 - 0.5);
                    self.at(x + along * cos, y + along * sin)
                })
                .sum();
            values.push(sum / STEPS as f32);
        }
        Picture { values, ..*self }
    }

    /// Two pictures side by side or one above the other, as several views on one film.
    pub fn beside(&self, other: &Self, below: bool) -> Self {
        if below {
            return self.turned(1).beside(&other.turned(1), false).turned(3);
        }
        let height = self.height.max(other.height);
        let width = self.width + other.width;
        let mut values = vec![0.0; width * height];
        for (picture, left) in [(self, 0), (other, self.width)] {
            let top = (height - picture.height) / 2;
            for (row, line) in picture.values.chunks_exact(picture.width).enumerate() {
                values[(top + row) * width + left..][..picture.width].copy_from_slice(line);
            }
        }
        Picture { width, height, values }
    }
}

#[cfg(test)]
mod tests {
    use coxa_simulate::random::{Stream, stream};

    use super::*;

    fn picture() -> Picture {
        Picture::drawn(60, 40, |u, v| 255.0 * ((7.0 * u).sin() * (9.0 * v).cos()).abs())
    }

    fn spread(values: &[f32]) -> f32 {
        let mean = values.iter().sum::<f32>() / values.len() as f32;
        (values.iter().map(|value| (value - mean).powi(2)).sum::<f32>() / values.len() as f32).sqrt()
    }

    #[test]
    fn a_right_angle_is_clockwise_and_four_are_none() {
        let row = Picture { width: 3, height: 1, values: vec![1.0, 2.0, 3.0] };
        assert_eq!(row.turned(1), Picture { width: 1, height: 3, values: vec![1.0, 2.0, 3.0] });
        assert_eq!(row.turned(2).values, [3.0, 2.0, 1.0]);
        let column = Picture { width: 1, height: 3, values: vec![1.0, 2.0, 3.0] };
        assert_eq!(column.turned(1).values, [3.0, 2.0, 1.0]);
        assert_eq!(picture().turned(4), picture());
    }

    #[test]
    fn pictures_are_cut_and_put_together() {
        let (left, right) = (picture().part([0.0, 0.5], [0.0, 1.0]), picture().part([0.5, 1.0], [0.0, 1.0]));
        assert_eq!(left.beside(&right, false), picture());
        let (top, bottom) = (picture().part([0.0, 1.0], [0.0, 0.25]), picture().part([0.0, 1.0], [0.25, 1.0]));
        assert_eq!(bottom.beside(&top, true).width, 60);
        assert_eq!(bottom.beside(&top, true).values.len(), 60 * 40);
    }

    #[test]
    fn what_cannot_be_read_has_less_in_it() {
        let rng = &mut stream(1, 2, Stream::View);
        let (own, moved, washed) = (picture(), picture().moved(rng), picture().washed_out(rng));
        assert!(spread(&moved.values) < spread(&own.values));
        assert!(spread(&washed.values) < 0.3 * spread(&own.values));
        let varied = own.varied(rng);
        assert!(varied != own && varied.values.iter().all(|value| (0.0..=255.0).contains(value)));
    }
}
