//! The window for pixels that come without one: percentiles of what is anatomy, not of collimator and border.

use crate::limits::MAX_SIDE;

/// Shares of the pixels that the window clips at the dark and at the bright end.
const CLIPPED: (f64, f64) = (0.005, 0.995);

/// Most of a side that may be taken for a border, at each end.
const MAX_BORDER: f64 = 0.4;

/// A line is border where the middle 90% of its pixels span less than this share of the film's own span.
const BORDER_SPAN: f32 = 0.02;

/// Pixels sampled along a line when borders are sought.
const PROBES: usize = 256;

/// The window `(low, high)`: the 0.5th and the 99.5th percentile of the film without uniform borders (collimator, direct
/// exposure, scanner margins) and without padding.
///
/// `codes` are row by row, `width` to a row; `levels[code]` is a code's value, NaN for one that is padding. `mask` is true for the
/// pixels that count; without it all do. `None` where no pixel counts.
pub(crate) fn robust_range(codes: &[u16], width: usize, levels: &[f32], mask: Option<&[bool]>) -> Option<(f32, f32)> {
    let height = codes.len() / width.max(1);
    let film = Film { codes, width, levels, mask };
    let (low, high) = film.percentiles(0, 0, width, height)?;
    let (left, top, right, bottom) = film.content((high - low) * BORDER_SPAN, width, height);
    film.percentiles(left, top, right, bottom).filter(|(low, high)| high > low).or(Some((low, high)))
}

/// Display values, 0 to 255, of raw 16-bit values whose low end is black, through [`robust_range`].
pub(crate) fn display_of_raw(codes: &[u16], width: usize) -> Vec<f32> {
    let levels: Vec<f32> = (0..=u16::MAX).map(f32::from).collect();
    let Some(range) = robust_range(codes, width, &levels, None) else {
        return vec![0.0; codes.len()];
    };
    let table: Vec<f32> = levels.iter().map(|&v| 255.0 * fraction(v, range)).collect();
    codes.iter().map(|&code| table[usize::from(code)]).collect()
}

/// Where a value lies in a window, from 0 to 1. In a window without width nothing is bright.
pub(crate) fn fraction(value: f32, (low, high): (f32, f32)) -> f32 {
    if high > low { ((value - low) / (high - low)).clamp(0.0, 1.0) } else { 0.0 }
}

struct Film<'a> {
    codes: &'a [u16],
    width: usize,
    levels: &'a [f32],
    mask: Option<&'a [bool]>,
}

impl Film<'_> {
    fn counts(&self, i: usize) -> bool {
        self.mask.is_none_or(|mask| mask[i])
    }

    fn level(&self, x: usize, y: usize) -> f32 {
        let i = y * self.width + x;
        if self.counts(i) { self.levels[usize::from(self.codes[i])] } else { f32::NAN }
    }

    /// The clipping percentiles of the pixels in a rectangle; exact, by a histogram of codes.
    fn percentiles(&self, left: usize, top: usize, right: usize, bottom: usize) -> Option<(f32, f32)> {
        let mut counts = vec![0u32; self.levels.len()];
        for y in top..bottom {
            for i in y * self.width + left..y * self.width + right {
                counts[usize::from(self.codes[i])] += u32::from(self.counts(i));
            }
        }
        let mut present: Vec<usize> =
            (0..counts.len()).filter(|&c| counts[c] > 0 && !self.levels[c].is_nan()).collect();
        present.sort_by(|&a, &b| self.levels[a].total_cmp(&self.levels[b]));
        let total: u64 = present.iter().map(|&c| u64::from(counts[c])).sum();
        let at = |share: f64| {
            let rank = (share * total.saturating_sub(1) as f64).round() as u64;
            let mut seen = 0;
            present.iter().find(|&&c| {
                seen += u64::from(counts[c]);
                seen > rank
            })
        };
        Some((self.levels[*at(CLIPPED.0)?], self.levels[*at(CLIPPED.1)?]))
    }

    /// The rectangle (left, top, right, bottom) that is left when uniform lines are taken off each side.
    fn content(&self, span: f32, width: usize, height: usize) -> (usize, usize, usize, usize) {
        let row = |y: usize| self.is_uniform(span, (0..width).step_by(step(width)).map(|x| self.level(x, y)));
        let top_most = (height as f64 * MAX_BORDER) as usize;
        let top = (0..top_most).take_while(|&y| row(y)).count();
        let bottom = height - (0..top_most).take_while(|&y| row(height - 1 - y)).count();
        let rows = bottom - top;
        let column = |x: usize| self.is_uniform(span, (top..bottom).step_by(step(rows)).map(|y| self.level(x, y)));
        let left_most = (width as f64 * MAX_BORDER) as usize;
        let left = (0..left_most).take_while(|&x| column(x)).count();
        let right = width - (0..left_most).take_while(|&x| column(width - 1 - x)).count();
        (left, top, right, bottom)
    }

    fn is_uniform(&self, span: f32, line: impl Iterator<Item = f32>) -> bool {
        let mut values: Vec<f32> = line.filter(|v| !v.is_nan()).collect();
        values.sort_by(f32::total_cmp);
        let Some(last) = values.len().checked_sub(1) else {
            return true;
        };
        values[last - last / 20] - values[last / 20] < span
    }
}

fn step(length: usize) -> usize {
    const { assert!(MAX_SIDE >= PROBES) };
    length.div_ceil(PROBES).max(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn identity() -> Vec<f32> {
        (0..=u16::MAX).map(f32::from).collect()
    }

    #[test]
    fn percentiles_of_a_ramp() {
        let codes: Vec<u16> = (0..10_000).map(|i| (i * 7919 % 10_000) as u16).collect();
        assert_eq!(robust_range(&codes, 100, &identity(), None), Some((50.0, 9949.0)));
    }

    #[test]
    fn a_collimated_border_does_not_count() {
        let codes: Vec<u16> = (0..200 * 200)
            .map(|i| {
                let (x, y) = (i % 200, i / 200);
                if (40..160).contains(&x) && (60..190).contains(&y) {
                    1000 + (x * 13 + y * 29) as u16 % 500
                } else {
                    4095
                }
            })
            .collect();
        let (low, high) = robust_range(&codes, 200, &identity(), None).unwrap();
        assert!((1000.0..1010.0).contains(&low) && (1490.0..1500.0).contains(&high), "{low} {high}");
    }

    #[test]
    fn padding_does_not_count_and_a_blank_film_is_dark() {
        let mut levels = identity();
        levels[0] = f32::NAN;
        let codes: Vec<u16> = (0..400).map(|i| if i < 200 { 0 } else { 100 + (i % 10) as u16 }).collect();
        let (low, high) = robust_range(&codes, 20, &levels, None).unwrap();
        assert_eq!((low, high), (100.0, 109.0));
        assert_eq!(robust_range(&[0; 400], 20, &levels, None), None);
        assert!(display_of_raw(&[77; 400], 20).iter().all(|&v| v == 0.0));
    }

    #[test]
    fn fraction_is_clipped() {
        assert_eq!([-1.0, 10.0, 15.0, 20.0, 30.0].map(|v| fraction(v, (10.0, 20.0))), [0.0, 0.0, 0.5, 1.0, 1.0]);
    }
}
