//! A film becomes the network's input: 8-bit pixels, brought to a square by area averaging.
//!
//! Area averaging is exact: an input pixel is the mean of the film over the rectangle that it covers, partial pixels counted by
//! the part covered. It needs no prefilter at any reduction, and at enlargement repeats pixels.

use crate::geometry::{Fit, Geometry};
use crate::radiograph::{Radiograph, round_to_u8};

/// What the network is given.
#[derive(Debug, Clone, PartialEq)]
pub struct ModelInput {
    /// Side of the square.
    pub size: usize,
    /// `size * size` values from 0 to 255, row by row; the padding is 0. Divide by 255 for the network.
    pub pixels: Vec<u8>,
    /// Maps points and boxes between film and input.
    pub geometry: Geometry,
}

/// Brings a film to `size`×`size` 8-bit pixels by area averaging. A `size` of 0 counts as 1.
///
/// [`Fit::Letterbox`] keeps the aspect ratio, that of pixels which are not square included, and pads with 0; [`Fit::Stretch`] is the paper's plain stretch.
pub fn preprocess(film: &Radiograph, size: usize, fit: Fit) -> ModelInput {
    let geometry = Geometry::of_pixels(film.width, film.height, film.pixel_aspect, size, fit);
    let (left, top, columns, rows) = geometry.covered();
    let size = geometry.size;
    let mut pixels = vec![0u8; size * size];
    let mut output_rows = pixels.chunks_exact_mut(size).skip(top);
    resample(film, columns, rows, |values| {
        if let Some(row) = output_rows.next() {
            for (pixel, &value) in row[left..left + columns].iter_mut().zip(values) {
                *pixel = round_to_u8(value);
            }
        }
    });
    ModelInput { size, pixels, geometry }
}

/// Area averaging to `columns`×`rows`, the rows handed over from the top down.
pub(crate) fn resample(film: &Radiograph, columns: usize, rows: usize, mut emit: impl FnMut(&[f32])) {
    let across = Boxes::new(film.width, columns);
    let down = Boxes::new(film.height, rows);
    let mut sums = vec![0f32; film.width];
    let mut output = vec![0f32; columns];
    for row in 0..rows {
        let span = down.span(row);
        sums.fill(0.0);
        for (i, y) in (span.first..=span.last).enumerate() {
            let weight = span.weight(i);
            let source = &film.pixels[y * film.width..(y + 1) * film.width];
            // Rows first: this inner loop runs over neighbors in memory and vectorizes.
            for (sum, value) in sums.iter_mut().zip(source) {
                *sum += weight * value;
            }
        }
        for (column, value) in output.iter_mut().enumerate() {
            let span = across.span(column);
            let source = &sums[span.first..=span.last];
            *value = match source {
                [only] => *only * span.head,
                [first, inner @ .., last] => {
                    first * span.head + last * span.tail + span.inner * inner.iter().sum::<f32>()
                }
                // A span holds one pixel at least.
                [] => 0.0,
            };
        }
        emit(&output);
    }
}

/// The intervals that `target` equal parts of a line of `source` pixels cover.
struct Boxes {
    source: usize,
    target: usize,
}

/// The pixels that one interval covers; the weights sum to 1.
struct Span {
    first: usize,
    last: usize,
    /// Weight of the first pixel.
    head: f32,
    /// Weight of each pixel between.
    inner: f32,
    /// Weight of the last pixel where it is not the first.
    tail: f32,
}

impl Span {
    fn weight(&self, i: usize) -> f32 {
        if i == 0 {
            self.head
        } else if self.first + i == self.last {
            self.tail
        } else {
            self.inner
        }
    }
}

impl Boxes {
    fn new(source: usize, target: usize) -> Self {
        Self { source, target }
    }

    /// In units of 1/target of a source pixel all edges are whole numbers, so the weights are exact ratios.
    fn span(&self, i: usize) -> Span {
        let (begin, end) = (i * self.source, (i + 1) * self.source);
        let (first, last) = (begin / self.target, (end - 1) / self.target);
        let part = |length: usize| (length as f64 / self.source as f64) as f32;
        if first == last {
            return Span { first, last, head: 1.0, inner: 0.0, tail: 0.0 };
        }
        Span {
            first,
            last,
            head: part((first + 1) * self.target - begin),
            inner: part(self.target),
            tail: part(end - last * self.target),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn film(width: usize, height: usize, value: impl Fn(usize, usize) -> f32) -> Radiograph {
        let pixels = (0..width * height).map(|i| value(i % width, i / width)).collect();
        Radiograph::from_display(width, height, pixels).unwrap()
    }

    /// The mean over a rectangle, pixel by pixel in f64.
    fn naive(film: &Radiograph, columns: usize, rows: usize) -> Vec<f64> {
        let overlap = |i: usize, parts: usize, source: usize, pixel: usize| {
            let (begin, end) = (i as f64 * source as f64 / parts as f64, (i + 1) as f64 * source as f64 / parts as f64);
            (end.min(pixel as f64 + 1.0) - begin.max(pixel as f64)).max(0.0)
        };
        let mut output = Vec::new();
        for row in 0..rows {
            for column in 0..columns {
                let (mut sum, mut area) = (0.0, 0.0);
                for y in 0..film.height {
                    for x in 0..film.width {
                        let part = overlap(row, rows, film.height, y) * overlap(column, columns, film.width, x);
                        sum += part * f64::from(film.pixels[y * film.width + x]);
                        area += part;
                    }
                }
                output.push(sum / area);
            }
        }
        output
    }

    #[test]
    fn same_size_passes_unchanged() {
        let film = film(32, 32, |x, y| ((x * 7 + y * 13) % 256) as f32);
        let input = preprocess(&film, 32, Fit::Letterbox);
        assert!(input.pixels.iter().zip(film.pixels()).all(|(&a, &b)| f32::from(a) == b));
    }

    #[test]
    fn two_by_two_means_round_half_up() {
        let film = film(4, 2, |x, y| [[0.0, 1.0, 10.0, 20.0], [1.0, 0.0, 30.0, 41.0]][y][x]);
        let input = preprocess(&film, 2, Fit::Letterbox);
        // Means 0.5 and 25.25; the film is twice as wide as high, so one row of it and one of padding.
        assert_eq!(input.pixels, [1, 25, 0, 0]);
    }

    #[test]
    fn padding_is_black_and_even() {
        let film = film(100, 50, |_, _| 255.0);
        let input = preprocess(&film, 64, Fit::Letterbox);
        let bright: Vec<bool> = input.pixels.chunks(64).map(|row| row.iter().all(|&v| v == 255)).collect();
        let dark = input.pixels.chunks(64).filter(|row| row.iter().all(|&v| v == 0)).count();
        assert_eq!((bright.iter().filter(|&&b| b).count(), dark), (32, 32));
        assert_eq!(bright.iter().position(|&b| b), Some(16));
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]
        #[test]
        fn equals_the_definition(width in 1usize..40, height in 1usize..40, columns in 1usize..20, rows in 1usize..20, seed in 0usize..1000) {
            let film = film(width, height, |x, y| ((x * 31 + y * 17 + seed * 7) % 256) as f32);
            let mut output = Vec::new();
            resample(&film, columns, rows, |row| output.extend_from_slice(row));
            for (a, b) in output.iter().zip(naive(&film, columns, rows)) {
                prop_assert!((f64::from(*a) - b).abs() < 1e-3, "{a} {b}");
            }
        }

        #[test]
        fn the_mean_is_kept(width in 8usize..300, height in 8usize..300, seed in 0usize..1000) {
            let film = film(width, height, |x, y| ((x * 31 + y * 17 + seed * 7) % 256) as f32);
            let mut sum = 0.0;
            resample(&film, 16, 16, |row| sum += row.iter().map(|&v| f64::from(v)).sum::<f64>());
            let mean = film.pixels.iter().map(|&v| f64::from(v)).sum::<f64>() / (width * height) as f64;
            prop_assert!((sum / 256.0 - mean).abs() < 1e-2);
        }
    }
}
