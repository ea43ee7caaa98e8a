//! The calibration of 8-bit arithmetic: what values each channel takes on some images.
//!
//! A channel of a dense block is written once and read by every later layer through a normalization of its own, which is a
//! straight line. So the channel's own smallest and largest value say what any layer's normalized value can reach.

use crate::architecture::{Architecture, BLOCKS};

/// The smallest and largest value of each channel of each block.
#[derive(Debug, Clone)]
pub(super) struct Ranges {
    blocks: Vec<Vec<(f32, f32)>>,
}

impl Ranges {
    /// Ranges that hold nothing yet.
    pub fn empty() -> Self {
        let blocks = (0..BLOCKS.len())
            .map(|block| vec![(f32::INFINITY, f32::NEG_INFINITY); Architecture::block_output(block)])
            .collect();
        Ranges { blocks }
    }

    /// Takes in a block's values, [pixels × channels].
    pub fn take_in(&mut self, block: usize, values: &[f32]) {
        let ranges = &mut self.blocks[block];
        for pixel in values.chunks_exact(ranges.len()) {
            for (range, &value) in ranges.iter_mut().zip(pixel) {
                *range = (range.0.min(value), range.1.max(value));
            }
        }
    }

    /// The largest value of max(0, x·scale + shift) for x in a channel's range.
    pub fn largest(&self, block: usize, channel: usize, scale: f32, shift: f32) -> f32 {
        let (low, high) = self.blocks[block][channel];
        (low * scale + shift).max(high * scale + shift).max(0.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_largest_value_follows_the_sign_of_the_scale() {
        let mut ranges = Ranges::empty();
        let mut values = vec![0.0; 2 * 256];
        values[3] = -2.0;
        values[256 + 3] = 5.0;
        ranges.take_in(0, &values);
        assert_eq!(ranges.largest(0, 3, 2.0, 1.0), 11.0);
        assert_eq!(ranges.largest(0, 3, -2.0, 1.0), 5.0);
        assert_eq!(ranges.largest(0, 3, 1.0, -9.0), 0.0);
        assert_eq!(ranges.largest(0, 0, 1.0, 0.25), 0.25);
    }
}
