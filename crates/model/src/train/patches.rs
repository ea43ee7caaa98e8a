//! Patches in place of whole films: where they are cut, and what they show.

use coxa_engine::architecture::STRIDE;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

/// Patches in place of whole films.
#[derive(Clone, Copy)]
pub(crate) struct Patches<'a> {
    /// Where a patch's middle is, as fractions of the film's side, by slot; anywhere, if `None`.
    pub anchors: &'a [Option<[f64; 2]>],
    /// How far off at most, as a fraction of the patch's side.
    pub jitter: f64,
    /// Probability that a drawn patch is cut anywhere in the film.
    pub elsewhere: f64,
    /// The findings' boxes by slot, in the prepared film; they say what a patch from anywhere shows.
    pub boxes: &'a [Vec<[f32; 4]>],
}

impl Patches<'_> {
    /// The crop of a film's patch that is `keep` of the film's side: left, top and side; and whether it is from anywhere in the film.
    /// Without a draw it is centered.
    pub(super) fn crop(&self, slot: usize, keep: f64, draw: Option<(u64, usize, usize)>) -> ([f64; 3], bool) {
        let mut shift = [0.5; 2];
        let mut elsewhere = false;
        if let Some((seed, epoch, place)) = draw {
            // Streams above the orders'.
            let mut rng = ChaCha8Rng::seed_from_u64(seed);
            rng.set_stream((0b11 << 62) | ((epoch as u64) << 32) | place as u64);
            shift = [0; 2].map(|_| rng.random_range(0.0..1.0));
            elsewhere = rng.random_range(0.0..1.0) < self.elsewhere;
        }
        let [left, top] = [0, 1].map(|axis| match self.anchors[slot] {
            Some(anchor) if !elsewhere => anchor[axis] + keep * (2.0 * self.jitter * (shift[axis] - 0.5) - 0.5),
            _ => shift[axis] * (1.0 - keep),
        });
        ([left.clamp(0.0, 1.0 - keep), top.clamp(0.0, 1.0 - keep), keep], elsewhere)
    }
}

/// What each cell of the last feature map, a square of [`STRIDE`] pixels, shows: 1 where a box covers half of it (or it holds a
/// box's center), 0 where no box touches it, not a number between, and everywhere if the finding is there but its place is not known.
pub(crate) fn cell_truth(boxes: &[[f32; 4]], present: bool, size: usize) -> Vec<f32> {
    let side = size / STRIDE;
    if present && boxes.is_empty() {
        return vec![f32::NAN; side * side];
    }
    let stride = STRIDE as f32;
    let mut truth = vec![0.0; side * side];
    for &[x, y, width, height] in boxes {
        let overlap = |cell: usize, from: f32, length: f32| {
            let begin = cell as f32 * stride;
            ((from + length).min(begin + stride) - from.max(begin)).max(0.0) / stride
        };
        for (index, cell) in truth.iter_mut().enumerate() {
            let (column, row) = (index % side, index / side);
            let covered = overlap(column, x, width) * overlap(row, y, height);
            let holds = |cell: usize, middle: f32| (middle / stride).floor() == cell as f32;
            if covered >= 0.5 || holds(column, x + 0.5 * width) && holds(row, y + 0.5 * height) {
                *cell = 1.0;
            } else if covered > 0.0 && *cell == 0.0 {
                *cell = f32::NAN;
            }
        }
    }
    truth
}

/// The class of a patch from anywhere in a film of class `target`: present only if a cell shows it, or if its place in the film is not
/// known.
pub(super) fn shown(target: usize, cells: &[f32]) -> usize {
    let unknown = cells.iter().all(|cell| cell.is_nan());
    usize::from(target == 1 && (unknown || cells.contains(&1.0)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patches_stay_in_the_film_and_about_their_box() {
        let anchors = [Some([0.5, 0.4]), Some([0.02, 0.99]), None];
        let patches = Patches { anchors: &anchors, jitter: 0.25, elsewhere: 0.0, boxes: &[] };
        assert_eq!(patches.crop(0, 0.5, None), ([0.25, 0.4 - 0.25, 0.5], false));
        assert_eq!(patches.crop(1, 0.5, None), ([0.0, 0.5, 0.5], false));
        for place in 0..200 {
            for (slot, anchor) in anchors.iter().enumerate() {
                let ([left, top, keep], elsewhere) = patches.crop(slot, 0.5, Some((3, 1, place)));
                assert!(left >= 0.0 && top >= 0.0 && left + keep <= 1.0 && top + keep <= 1.0 && !elsewhere);
                if let Some([x, y]) = anchor {
                    assert!((left..=left + keep).contains(x) && (top..=top + keep).contains(y));
                }
            }
        }
        // A share of them anywhere; the others as they were.
        let wider = Patches { elsewhere: 0.3, ..patches };
        let mut n_elsewhere = 0;
        for place in 0..400 {
            let draw = Some((3, 1, place));
            let (crop, elsewhere) = wider.crop(0, 0.5, draw);
            n_elsewhere += usize::from(elsewhere);
            assert!(elsewhere || crop == patches.crop(0, 0.5, draw).0);
            assert!(crop[..2].iter().all(|edge| (0.0..=0.5).contains(edge)));
        }
        assert!((80..160).contains(&n_elsewhere), "{n_elsewhere} of 400");
        assert_eq!(wider.crop(0, 0.5, None), patches.crop(0, 0.5, None));
    }

    #[test]
    fn cells_are_told_by_what_covers_them() {
        let nan = f32::NAN;
        let same = |found: &[f32], wanted: &[f32]| {
            assert!(found.iter().zip(wanted).all(|(a, b)| a == b || a.is_nan() && b.is_nan()), "{found:?}");
        };
        // The upper left cell whole, half of the one on its right, a sliver of the two below.
        same(&cell_truth(&[[0.0, 0.0, 48.0, 36.0]], true, 96), &[1.0, 1.0, 0.0, nan, nan, 0.0, 0.0, 0.0, 0.0]);
        // A box smaller than a cell is where its center is.
        same(&cell_truth(&[[30.0, 70.0, 8.0, 8.0]], true, 96), &[0.0, 0.0, 0.0, 0.0, 0.0, 0.0, nan, 1.0, 0.0]);
        same(&cell_truth(&[], false, 64), &[0.0; 4]);
        same(&cell_truth(&[], true, 64), &[nan; 4]);
    }

    #[test]
    fn a_patch_from_anywhere_is_labeled_by_what_it_holds() {
        let broken = [[10.0, 10.0, 40.0, 40.0]];
        assert_eq!(shown(1, &cell_truth(&broken, true, 96)), 1);
        assert_eq!(shown(1, &cell_truth(&[[-60.0, 10.0, 40.0, 40.0]], true, 96)), 0);
        // A sliver of the box is neither.
        assert_eq!(shown(1, &cell_truth(&[[-36.0, 10.0, 40.0, 40.0]], true, 96)), 0);
        assert_eq!(shown(1, &cell_truth(&[], true, 96)), 1);
        assert_eq!(shown(0, &cell_truth(&[], false, 96)), 0);
    }
}
