//! How a film is varied in training: zoom, flips, rotation and, if asked for, crops, gray levels, noise and holes.
//!
//! Every film's variation follows from the seed, the epoch and the film's place in the epoch alone, so that neither threads nor a
//! resumed run change it. Zoom and rotation are like those of Keras's `ImageDataGenerator`, which the paper used, and not the same:
//! Keras 2.1.4 divides by the zoom's factors (here they multiply), takes the nearest pixel (here bilinear), and repeats the film's
//! border outside it (here black).

use rand::{Rng, RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

use crate::recipe::Augment;

/// One film's variation.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Variation {
    /// Magnification of width and height.
    pub zoom: [f64; 2],
    /// Rotation, clockwise on the screen.
    pub degrees: f64,
    /// Mirrored left–right, top–bottom.
    pub flip: [bool; 2],
    /// The part that is kept: left, top and side, as fractions of the film's side.
    pub crop: [f64; 3],
    /// Factor on the distance from the mean.
    pub contrast: f64,
    /// Power of the gray levels.
    pub gamma: f64,
    /// Added to the gray levels.
    pub brightness: f64,
    /// Whether gray levels are inverted.
    pub invert: bool,
    /// Standard deviation of the blur in pixels, before the noise.
    pub blur: f64,
    /// Standard deviation of the noise.
    pub noise: f64,
    /// Seed of the noise.
    pub noise_seed: u64,
    /// A square that is blacked out: left, top and side, as fractions of the film's side.
    pub hole: [f64; 3],
}

impl Variation {
    /// The film as it is.
    pub(crate) const NONE: Variation = Variation {
        zoom: [1.0, 1.0],
        degrees: 0.0,
        flip: [false, false],
        crop: [0.0, 0.0, 1.0],
        contrast: 1.0,
        gamma: 1.0,
        brightness: 0.0,
        invert: false,
        blur: 0.0,
        noise: 0.0,
        noise_seed: 0,
        hole: [0.0, 0.0, 0.0],
    };

    /// Draws the variation of the film at place `position` of `epoch`.
    pub(crate) fn draw(augment: &Augment, seed: u64, epoch: usize, position: usize) -> Variation {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        // A stream of its own for every film of every epoch: an epoch has fewer than 2^32 films.
        rng.set_stream(((epoch as u64) << 32) | position as u64);
        // Each number is drawn whether it is used or not, so that turning one variation off leaves the others as they were.
        let mut spread = |range: f64| range * rng.random_range(-1.0..1.0);
        let zoom = [1.0 + spread(augment.zoom), 1.0 + spread(augment.zoom)];
        let degrees = spread(augment.rotation_degrees);
        let contrast = 1.0 + spread(augment.contrast);
        let gamma = (1.0 + augment.gamma).powf(spread(1.0));
        let brightness = spread(augment.brightness);
        let mut part = || -> f64 { rng.random_range(0.0..1.0) };
        let keep = 1.0 - augment.crop * part();
        let crop = [part() * (1.0 - keep), part() * (1.0 - keep), keep];
        let noise = augment.noise * part();
        let hole_side = augment.cutout * part();
        let hole = [part() * (1.0 - hole_side), part() * (1.0 - hole_side), hole_side];
        let coin = [part() < 0.5, part() < 0.5, part() < 0.5];
        let noise_seed = rng.next_u64();
        let blur = augment.blur * rng.random_range(-1.0..1.0f64).max(0.0);
        Variation {
            zoom,
            degrees,
            flip: [augment.horizontal_flip && coin[0], augment.vertical_flip && coin[1]],
            crop,
            contrast,
            gamma,
            brightness,
            invert: augment.invert && coin[2],
            blur,
            noise,
            noise_seed,
            hole,
        }
    }

    /// Writes the varied film, values 0..=1, to `out`: from `from` × `from` pixels to `size` × `size`, row after row.
    ///
    /// # Panics
    /// When `film` or `out` has another length.
    pub(crate) fn apply(&self, film: &[u8], from: usize, out: &mut [f32], size: usize) {
        assert!(film.len() == from * from && out.len() == size * size, "a film of another size");
        let tone = self.tone_curve(film);
        if from == size
            && self.zoom == [1.0, 1.0]
            && self.degrees == 0.0
            && self.flip == [false, false]
            && self.crop == [0.0, 0.0, 1.0]
        {
            for (value, &pixel) in out.iter_mut().zip(film) {
                *value = tone[usize::from(pixel)];
            }
        } else {
            self.resample(film, from, &tone, out, size);
        }
        if self.blur > 0.05 {
            blur(out, size, self.blur);
        }
        if self.noise > 0.0 {
            self.add_noise(out);
        }
        if self.hole[2] > 0.0 {
            let edge = |fraction: f64| ((fraction * size as f64).round() as usize).min(size);
            let [left, top, side] = self.hole;
            for row in edge(top)..edge(top + side) {
                out[row * size..][edge(left)..edge(left + side)].fill(0.0);
            }
        }
    }

    /// The new value, 0..=1, of each of the 256 gray levels.
    fn tone_curve(&self, film: &[u8]) -> [f32; 256] {
        let mean = if self.contrast == 1.0 {
            0.0
        } else {
            film.iter().map(|&p| u64::from(p)).sum::<u64>() as f64 / (255 * film.len()) as f64
        };
        std::array::from_fn(|level| {
            let mut value = level as f64 / 255.0;
            if self.invert {
                value = 1.0 - value;
            }
            if self.gamma != 1.0 {
                value = value.powf(self.gamma);
            }
            if self.contrast != 1.0 {
                value = mean + self.contrast * (value - mean);
            }
            (value + self.brightness).clamp(0.0, 1.0) as f32
        })
    }

    /// Film coordinates of an output pixel at (x, y), as `[a, b, c, d, e, f]`: x' = a·x + b·y + c, y' = d·x + e·y + f. Pixel i
    /// spans [i, i+1).
    fn inverse(&self, from: usize, size: usize) -> [f64; 6] {
        let side = from as f64;
        let (center, shrunk) = (size as f64 / 2.0, side / size as f64);
        let (sin, cos) = self.degrees.to_radians().sin_cos();
        // Undo rotation about the center, then the magnification, then the flips, then the crop.
        let mirror = self.flip.map(|flip| if flip { -1.0 } else { 1.0 });
        let [left, top, keep] = self.crop;
        let scale = keep * shrunk;
        let (kx, ky) = (scale * mirror[0] / self.zoom[0], scale * mirror[1] / self.zoom[1]);
        let (a, b) = (kx * cos, kx * sin);
        let (d, e) = (-ky * sin, ky * cos);
        let (origin_x, origin_y) = (left * side + scale * center, top * side + scale * center);
        [a, b, origin_x - (a + b) * center, d, e, origin_y - (d + e) * center]
    }

    /// Where a box of the film of `from` × `from` pixels (x, y, width, height in them) lies in the varied film of `size` × `size`: the
    /// smallest upright box around it.
    pub(crate) fn forward(&self, [x, y, width, height]: [f32; 4], from: usize, size: usize) -> [f32; 4] {
        let [a, b, c, d, e, f] = self.inverse(from, size);
        let determinant = a * e - b * d;
        let (mut low, mut high) = ([f64::INFINITY; 2], [f64::NEG_INFINITY; 2]);
        for (u, v) in [(x, y), (x + width, y), (x, y + height), (x + width, y + height)] {
            let (u, v) = (f64::from(u) - c, f64::from(v) - f);
            let point = [(e * u - b * v) / determinant, (a * v - d * u) / determinant];
            low = [low[0].min(point[0]), low[1].min(point[1])];
            high = [high[0].max(point[0]), high[1].max(point[1])];
        }
        [low[0], low[1], high[0] - low[0], high[1] - low[1]].map(|value| value as f32)
    }

    fn resample(&self, film: &[u8], from: usize, tone: &[f32; 256], out: &mut [f32], size: usize) {
        let [a, b, c, d, e, f] = self.inverse(from, size);
        let last = from as isize - 1;
        let at = |x: isize, y: isize| {
            if (0..=last).contains(&x) && (0..=last).contains(&y) {
                tone[usize::from(film[y as usize * from + x as usize])]
            } else {
                0.0
            }
        };
        for (row, line) in out.chunks_exact_mut(size).enumerate() {
            let y = row as f64 + 0.5;
            // Coordinates of pixel centers, hence the halves.
            let (start_x, start_y) = (b * y + c - 0.5, e * y + f - 0.5);
            for (column, value) in line.iter_mut().enumerate() {
                let x = column as f64 + 0.5;
                let (u, v) = (a * x + start_x, d * x + start_y);
                let (left, top) = (u.floor(), v.floor());
                let (wx, wy) = ((u - left) as f32, (v - top) as f32);
                let (x0, y0) = (left as isize, top as isize);
                let corners = if x0 >= 0 && y0 >= 0 && x0 < last && y0 < last {
                    let first = y0 as usize * from + x0 as usize;
                    let below = first + from;
                    [film[first], film[first + 1], film[below], film[below + 1]].map(|p| tone[usize::from(p)])
                } else if x0 < -1 || y0 < -1 || x0 > last || y0 > last {
                    *value = 0.0;
                    continue;
                } else {
                    [at(x0, y0), at(x0 + 1, y0), at(x0, y0 + 1), at(x0 + 1, y0 + 1)]
                };
                let upper = corners[0] + wx * (corners[1] - corners[0]);
                let lower = corners[2] + wx * (corners[3] - corners[2]);
                *value = upper + wy * (lower - upper);
            }
        }
    }

    /// Adds nearly normal noise: the sum of a word's four bytes has mean 510 and variance 4·(256² − 1)/12.
    fn add_noise(&self, out: &mut [f32]) {
        let mut rng = ChaCha8Rng::seed_from_u64(self.noise_seed);
        let scale = (self.noise / (4.0 * 65535.0 / 12.0f64).sqrt()) as f32;
        for value in out {
            let sum: u32 = rng.next_u32().to_le_bytes().iter().map(|&b| u32::from(b)).sum();
            *value = (*value + scale * (sum as f32 - 510.0)).clamp(0.0, 1.0);
        }
    }
}

/// Blurs a square picture by a Gaussian of this standard deviation, cut at three of them; the border's pixels go on outside it.
fn blur(picture: &mut [f32], size: usize, deviation: f64) {
    let radius = (3.0 * deviation).ceil() as usize;
    let bell = |i: usize| (-0.5 * (i as f64 / deviation).powi(2)).exp();
    let sum = bell(0) + 2.0 * (1..=radius).map(bell).sum::<f64>();
    let taps: Vec<f32> = (0..=radius).map(|i| (bell(i) / sum) as f32).collect();
    let mut padded = vec![0.0; size + 2 * radius];
    for line in picture.chunks_exact_mut(size) {
        padded[..radius].fill(line[0]);
        padded[radius..][..size].copy_from_slice(line);
        padded[radius + size..].fill(line[size - 1]);
        for (x, value) in line.iter_mut().enumerate() {
            let middle = x + radius;
            *value = taps[0] * padded[middle];
            for (i, tap) in taps.iter().enumerate().skip(1) {
                *value += tap * (padded[middle - i] + padded[middle + i]);
            }
        }
    }
    // Down the columns, whole rows at a time.
    let across = picture.to_vec();
    let row = |y: usize| &across[y * size..][..size];
    for (y, line) in picture.chunks_exact_mut(size).enumerate() {
        line.iter_mut().zip(row(y)).for_each(|(value, here)| *value = taps[0] * here);
        for (i, tap) in taps.iter().enumerate().skip(1) {
            let (above, below) = (row(y.saturating_sub(i)), row((y + i).min(size - 1)));
            for (value, (a, b)) in line.iter_mut().zip(above.iter().zip(below)) {
                *value += tap * (a + b);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SIZE: usize = 4;

    fn film() -> Vec<u8> {
        (0..16).map(|i| i * 17).collect()
    }

    fn applied(variation: Variation) -> Vec<u8> {
        let mut out = vec![f32::NAN; SIZE * SIZE];
        variation.apply(&film(), SIZE, &mut out, SIZE);
        out.iter().map(|v| (v * 255.0).round() as u8).collect()
    }

    fn from_levels(levels: [u8; 16]) -> Vec<u8> {
        levels.iter().map(|l| l * 17).collect()
    }

    #[test]
    fn flips_and_quarter_turns_move_pixels_exactly() {
        assert_eq!(applied(Variation::NONE), film());
        let flip = |x, y| Variation { flip: [x, y], ..Variation::NONE };
        assert_eq!(applied(flip(true, false)), from_levels([3, 2, 1, 0, 7, 6, 5, 4, 11, 10, 9, 8, 15, 14, 13, 12]));
        assert_eq!(applied(flip(false, true)), from_levels([12, 13, 14, 15, 8, 9, 10, 11, 4, 5, 6, 7, 0, 1, 2, 3]));
        // Clockwise: the left column, read upwards, becomes the top row.
        let turn = Variation { degrees: 90.0, ..Variation::NONE };
        assert_eq!(applied(turn), from_levels([12, 8, 4, 0, 13, 9, 5, 1, 14, 10, 6, 2, 15, 11, 7, 3]));
    }

    #[test]
    fn zoom_and_crop_interpolate_as_worked_out_by_hand() {
        // Doubling about the center: output centers 0.5, 1.5, 2.5, 3.5 come from 1.25, 1.75, 2.25, 2.75, which lie 0.75, 1.25,
        // 1.75, 2.25 pixel centers from the first; the film is linear, so its values are 4·y + x there.
        let zoomed = applied(Variation { zoom: [2.0, 2.0], ..Variation::NONE });
        let places = [0.75f64, 1.25, 1.75, 2.25];
        for (row, y) in places.iter().enumerate() {
            for (column, x) in places.iter().enumerate() {
                assert_eq!(zoomed[row * 4 + column], ((4.0 * y + x) * 17.0).round() as u8);
            }
        }
        // The same window, named as a crop.
        assert_eq!(applied(Variation { crop: [0.25, 0.25, 0.5], ..Variation::NONE }), zoomed);
    }

    #[test]
    fn boxes_move_with_the_pixels() {
        let size = 64;
        let mut film = vec![0; size * size];
        let (x, y, width, height) = (10, 20, 16, 8);
        for row in y..y + height {
            film[row * size + x..][..width].fill(255);
        }
        let turned = Variation { degrees: 12.0, flip: [true, true], zoom: [1.1, 0.9], ..Variation::NONE };
        let patch = Variation { crop: [0.05, 0.2, 0.5], ..Variation::NONE };
        for (variation, side) in [
            (turned, 64),
            (Variation { crop: [0.1, 0.2, 0.7], ..Variation::NONE }, 64),
            (Variation::NONE, 64),
            (patch, 32),
        ] {
            let mut out = vec![0.0; side * side];
            variation.apply(&film, size, &mut out, side);
            let bright = (0..side * side).filter(|i| out[*i] > 0.5);
            let (mut low, mut high) = ([f32::INFINITY; 2], [0f32; 2]);
            for i in bright {
                let at = [(i % side) as f32, (i / side) as f32];
                low = [low[0].min(at[0]), low[1].min(at[1])];
                high = [high[0].max(at[0] + 1.0), high[1].max(at[1] + 1.0)];
            }
            let found = variation.forward([x, y, width, height].map(|v| v as f32), size, side);
            let wanted = [low[0], low[1], high[0] - low[0], high[1] - low[1]];
            assert!(found.iter().zip(wanted).all(|(a, b)| (a - b).abs() < 2.5), "{found:?} {wanted:?}");
        }
    }

    #[test]
    fn outside_the_film_is_black() {
        let shrunk = applied(Variation { zoom: [0.5, 0.5], ..Variation::NONE });
        assert_eq!(shrunk[0], 0);
        // The output's inner pixel (1, 1) comes from the middle of the film's first four, of levels 0, 1, 4 and 5.
        assert_eq!(shrunk[5], (f64::from(1 + 4 + 5) / 4.0 * 17.0).round() as u8);
    }

    #[test]
    fn gray_levels_follow_their_formulas() {
        let level = |variation: Variation| applied(variation)[3];
        assert_eq!(level(Variation { invert: true, ..Variation::NONE }), 204);
        assert_eq!(level(Variation { brightness: 0.1, ..Variation::NONE }), 77);
        assert_eq!(level(Variation { gamma: 2.0, ..Variation::NONE }), 10);
        // The film's mean is 127.5: 127.5 + 0.5·(51 − 127.5).
        assert_eq!(level(Variation { contrast: 0.5, ..Variation::NONE }), 89);
        let holed = applied(Variation { hole: [0.5, 0.0, 0.5], ..Variation::NONE });
        assert_eq!(holed, from_levels([0, 1, 0, 0, 4, 5, 0, 0, 8, 9, 10, 11, 12, 13, 14, 15]));
    }

    #[test]
    fn noise_has_the_spread_asked_for() {
        let size = 64;
        let mut out = vec![0.0; size * size];
        let gray = vec![128; size * size];
        Variation { noise: 0.05, noise_seed: 7, ..Variation::NONE }.apply(&gray, size, &mut out, size);
        let n = out.len() as f64;
        let mean = out.iter().map(|&v| f64::from(v)).sum::<f64>() / n;
        let spread = (out.iter().map(|&v| (f64::from(v) - mean).powi(2)).sum::<f64>() / n).sqrt();
        assert!((mean - 128.0 / 255.0).abs() < 0.003 && (spread - 0.05).abs() < 0.002, "{mean} {spread}");
    }

    #[test]
    fn a_blurred_point_is_a_bell_and_an_even_picture_stays_as_it_is() {
        let size = 33;
        let mut film = vec![0; size * size];
        film[16 * size + 16] = 255;
        let mut out = vec![0.0; size * size];
        let soft = Variation { blur: 1.5, ..Variation::NONE };
        soft.apply(&film, size, &mut out, size);
        let variance = |moment: &dyn Fn(usize) -> f64| -> f64 {
            out.iter().enumerate().map(|(i, v)| f64::from(*v) * moment(i).powi(2)).sum()
        };
        assert!((out.iter().sum::<f32>() - 1.0).abs() < 1e-5);
        // 1.5² but for the tails that are cut off.
        assert!((variance(&|i| (i % size) as f64 - 16.0) - 2.25).abs() < 0.06);
        assert!((variance(&|i| (i / size) as f64 - 16.0) - 2.25).abs() < 0.06);
        soft.apply(&vec![51; size * size], size, &mut out, size);
        assert!(out.iter().all(|v| (v - 0.2).abs() < 1e-5));
    }

    #[test]
    fn draws_depend_on_seed_epoch_and_place_only_and_stay_in_range() {
        let augment = Augment {
            zoom: 0.1,
            horizontal_flip: true,
            rotation_degrees: 10.0,
            crop: 0.2,
            noise: 0.1,
            ..Augment::default()
        };
        assert_eq!(Variation::draw(&augment, 1, 2, 3), Variation::draw(&augment, 1, 2, 3));
        for other in
            [Variation::draw(&augment, 2, 2, 3), Variation::draw(&augment, 1, 3, 3), Variation::draw(&augment, 1, 2, 4)]
        {
            assert_ne!(Variation::draw(&augment, 1, 2, 3), other);
        }
        let draws: Vec<_> = (0..2000).map(|i| Variation::draw(&augment, 5, 0, i)).collect();
        for draw in &draws {
            assert!(draw.zoom.iter().all(|z| (0.9..=1.1).contains(z)) && draw.degrees.abs() <= 10.0);
            assert!(draw.crop[2] >= 0.8 && draw.crop[0] + draw.crop[2] <= 1.0 && !draw.flip[1] && !draw.invert);
        }
        let flipped = draws.iter().filter(|draw| draw.flip[0]).count();
        assert!((900..1100).contains(&flipped), "{flipped} of 2000");
        // Turning a variation off leaves the others as they were.
        let without = Augment { zoom: 0.0, ..augment };
        assert_eq!(Variation::draw(&without, 1, 2, 3).degrees, Variation::draw(&augment, 1, 2, 3).degrees);
    }
}
