//! A film at one scale, normalized: its local mean is 0 and its local deviation 1, so that neither the exposure, nor the bits, nor what is
//! white matters.

use crate::blanking::StoredPixels;

/// One value a pixel.
#[derive(Debug, Clone)]
pub(super) struct Plane {
    pub(super) rows: usize,
    pub(super) columns: usize,
    values: Vec<f32>,
}

/// Half the side of the square that is local, in pixels.
const REACH: usize = 16;
/// The part of the film's spread that is added to the local deviation: what varies less is noise.
const FLOOR: f64 = 0.02;
/// Normalized values are cut at this.
const LIMIT: f64 = 4.0;
/// The part of the film's spread below which the values of a square of [`SQUARE`] pixels are all one.
const FLAT: f32 = 0.04;
/// The side of the squares whose range is measured.
const SQUARE: usize = 8;
/// Squares around one that varies which the network must see: its field reaches 44 pixels.
const AROUND: usize = 6;

/// A normalized film, and which of its tiles need be judged.
pub(super) struct Scale {
    pub(super) rows: usize,
    pub(super) columns: usize,
    /// Normalized values, row after row.
    pub(super) values: Vec<f32>,
    /// Tiles of [`TILE`] × [`TILE`] pixels in which something varies, row after row.
    active: Vec<bool>,
    tiles_across: usize,
}

/// The side of a tile in pixels.
pub(super) const TILE: usize = 64;

impl Plane {
    /// The stored values of a film as numbers; colors become their mean.
    pub(super) fn of(film: StoredPixels<'_>) -> Self {
        let sign = 32 - film.bits as u32;
        let number = |raw: u32| if film.is_signed { ((raw << sign) as i32 >> sign) as f32 } else { raw as f32 };
        let sample = |bytes: &[u8]| match bytes {
            [low, high] => number(u32::from(u16::from_le_bytes([*low, *high]))),
            _ => number(u32::from(bytes[0])),
        };
        let pixel = |bytes: &[u8]| bytes.chunks_exact(film.width).map(sample).sum::<f32>() / film.samples as f32;
        let values = film.values.chunks_exact(film.samples * film.width).map(pixel).collect();
        Self { rows: film.rows, columns: film.columns, values }
    }

    /// How far the values of most pixels lie from each other: from the 2nd to the 98th percentile, or the range where these are one.
    pub(super) fn spread(&self) -> f32 {
        let rows = self.values.chunks_exact(self.columns).step_by(7);
        let mut sample: Vec<f32> = rows.flat_map(|row| row.iter().copied().step_by(7)).collect();
        sample.sort_unstable_by(f32::total_cmp);
        let at = |part: f64| sample[((sample.len() - 1) as f64 * part).round() as usize];
        let spread = at(0.98) - at(0.02);
        if spread > 0.0 {
            return spread;
        }
        let fold = |pick: fn(f32, f32) -> f32| self.values.iter().copied().reduce(pick).unwrap_or_default();
        fold(f32::max) - fold(f32::min)
    }

    /// Some columns of the film, turned about the diagonal: its columns become rows.
    pub(super) fn turned(&self, columns: std::ops::Range<usize>) -> Self {
        let column = |x: usize| self.values[x..].iter().step_by(self.columns).copied();
        let values = columns.clone().flat_map(column).collect();
        Self { rows: columns.len(), columns: self.rows, values }
    }

    /// The film in half its size: the mean of four pixels.
    pub(super) fn halved(&self) -> Self {
        let (rows, columns) = (self.rows / 2, self.columns / 2);
        let mut values = Vec::with_capacity(rows * columns);
        for pair in self.values.chunks_exact(2 * self.columns).take(rows) {
            let (upper, lower) = pair.split_at(self.columns);
            let means = upper.chunks_exact(2).zip(lower.chunks_exact(2));
            values.extend(means.map(|(a, b)| (a[0] + a[1] + b[0] + b[1]) * 0.25));
        }
        Self { rows, columns, values }
    }

    /// Whether the values of each square of [`SQUARE`] pixels differ, row after row.
    fn varied(&self, spread: f32) -> (Vec<bool>, usize) {
        let across = self.columns.div_ceil(SQUARE);
        let mut varied = Vec::with_capacity(across * self.rows.div_ceil(SQUARE));
        for band in self.values.chunks(SQUARE * self.columns) {
            let mut range = vec![(f32::MAX, f32::MIN); across];
            for row in band.chunks_exact(self.columns) {
                for (square, (low, high)) in row.chunks(SQUARE).zip(&mut range) {
                    for value in square {
                        *low = low.min(*value);
                        *high = high.max(*value);
                    }
                }
            }
            varied.extend(range.iter().map(|(low, high)| high - low > FLAT * spread));
        }
        (varied, across)
    }
}

impl Scale {
    /// Normalizes a film whose spread at full size is given.
    pub(super) fn of(plane: &Plane, spread: f32) -> Self {
        let (varied, across) = plane.varied(spread);
        let (tiles_across, tiles_down) = (plane.columns.div_ceil(TILE), plane.rows.div_ceil(TILE));
        let mut active = vec![false; tiles_across * tiles_down];
        let per_tile = TILE / SQUARE;
        for (at, _) in varied.iter().enumerate().filter(|(_, varied)| **varied) {
            let tiles = |square: usize, most: usize| {
                square.saturating_sub(AROUND) / per_tile..=((square + AROUND) / per_tile).min(most - 1)
            };
            for row in tiles(at / across, tiles_down) {
                for column in tiles(at % across, tiles_across) {
                    active[row * tiles_across + column] = true;
                }
            }
        }
        let values = normalized(plane, f64::from(spread));
        Self { rows: plane.rows, columns: plane.columns, values, active, tiles_across }
    }

    /// The places of the tiles in which something varies: their row and column in pixels.
    pub(super) fn tiles(&self) -> impl Iterator<Item = (usize, usize)> + '_ {
        let place = |at: usize| (at / self.tiles_across * TILE, at % self.tiles_across * TILE);
        self.active.iter().enumerate().filter(|(_, active)| **active).map(move |(at, _)| place(at))
    }
}

/// Sums of a row's values and of their squares.
type Sums = [f64; 2];

/// Values less the local mean, over the local deviation and a part of the film's spread.
fn normalized(plane: &Plane, spread: f64) -> Vec<f32> {
    let (rows, columns) = (plane.rows, plane.columns);
    let row = |y: usize| &plane.values[y * columns..(y + 1) * columns];
    let mut below: Vec<Sums> = vec![[0.0; 2]; columns];
    let add = |below: &mut Vec<Sums>, y: usize, sign: f64| {
        for (sums, value) in below.iter_mut().zip(row(y)) {
            let value = f64::from(*value);
            sums[0] += sign * value;
            sums[1] += sign * value * value;
        }
    };
    (0..REACH.min(rows)).for_each(|y| add(&mut below, y, 1.0));
    let mut normalized = Vec::with_capacity(rows * columns);
    for y in 0..rows {
        if y + REACH < rows {
            add(&mut below, y + REACH, 1.0);
        }
        if y > REACH {
            add(&mut below, y - REACH - 1, -1.0);
        }
        let height = (y + REACH).min(rows - 1) + 1 - y.saturating_sub(REACH);
        let mut sums: Sums = below.iter().take(REACH).fold([0.0; 2], |sum, next| [sum[0] + next[0], sum[1] + next[1]]);
        for (x, value) in row(y).iter().enumerate() {
            if let Some(next) = below.get(x + REACH) {
                sums = [sums[0] + next[0], sums[1] + next[1]];
            }
            if x > REACH {
                let last = below[x - REACH - 1];
                sums = [sums[0] - last[0], sums[1] - last[1]];
            }
            let width = (x + REACH).min(columns - 1) + 1 - x.saturating_sub(REACH);
            let n = (height * width) as f64;
            let mean = sums[0] / n;
            let deviation = (sums[1] / n - mean * mean).max(0.0).sqrt();
            let scaled = (f64::from(*value) - mean) / (deviation + FLOOR * spread);
            normalized.push(if scaled.is_finite() { scaled.clamp(-LIMIT, LIMIT) as f32 } else { 0.0 });
        }
    }
    normalized
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::blanking::Witness;

    fn film(rows: usize, columns: usize, value: impl Fn(usize, usize) -> u8) -> Plane {
        let values: Vec<u8> = (0..rows * columns).map(|at| value(at / columns, at % columns)).collect();
        Plane::of(StoredPixels {
            rows,
            columns,
            samples: 1,
            width: 1,
            bits: 8,
            is_signed: false,
            values: &values,
            witness: Witness::default(),
        })
    }

    #[test]
    fn values_are_normalized_as_their_definition_says() {
        let plane = film(50, 70, |y, x| ((y * 31 + x * 17) % 251) as u8);
        let spread = f64::from(plane.spread());
        let normal = normalized(&plane, spread);
        for (y, x) in [(0, 0), (25, 35), (49, 69), (3, 60)] {
            let near = |at: usize, most: usize| at.saturating_sub(REACH)..(at + REACH + 1).min(most);
            let square: Vec<f64> = near(y, 50)
                .flat_map(|y| near(x, 70).map(move |x| (y, x)))
                .map(|(y, x)| f64::from(plane.values[y * 70 + x]))
                .collect();
            let n = square.len() as f64;
            let mean = square.iter().sum::<f64>() / n;
            let deviation = (square.iter().map(|v| (v - mean).powi(2)).sum::<f64>() / n).sqrt();
            let expected = (f64::from(plane.values[y * 70 + x]) - mean) / (deviation + FLOOR * spread);
            assert!((f64::from(normal[y * 70 + x]) - expected).abs() < 1e-4, "{y} {x}");
        }
    }

    #[test]
    fn columns_become_rows() {
        let turned = film(2, 3, |y, x| (10 * y + x) as u8).turned(1..3);
        assert_eq!((turned.rows, turned.columns, turned.values), (2, 2, vec![1.0, 11.0, 2.0, 12.0]));
    }

    #[test]
    fn flat_films_have_nothing_to_judge_and_signs_are_kept() {
        let flat = film(100, 200, |_, _| 9);
        assert_eq!(Scale::of(&flat, flat.spread()).tiles().count(), 0);
        let spot = film(300, 300, |y, x| if y == 150 && x == 150 { 200 } else { 9 });
        assert_eq!(Scale::of(&spot, spot.spread()).tiles().count(), 9);
        let values = [0xFF, 0x0F, 0x01, 0x00];
        let signed = StoredPixels {
            rows: 1,
            columns: 2,
            samples: 1,
            width: 2,
            bits: 12,
            is_signed: true,
            values: &values,
            witness: Witness::default(),
        };
        assert_eq!(Plane::of(signed).values, [-1.0, 1.0]);
    }
}
