//! The calibration of 8-bit arithmetic: what values each channel takes on some images.
//!
//! A channel of a dense block is written once and read by every later layer through a normalization of its own, which is a
//! straight line. So the channel's own smallest and largest value say what any layer's normalized value can reach.

use crate::architecture::{Architecture, BLOCKS};
use crate::error::EngineError;

/// The smallest and largest value of each channel of each block.
#[derive(Debug, Clone, PartialEq)]
pub struct Ranges {
    blocks: Vec<Vec<(f32, f32)>>,
}

impl Ranges {
    /// Ranges that hold nothing yet.
    pub(super) fn empty() -> Self {
        let blocks = (0..BLOCKS.len())
            .map(|block| vec![(f32::INFINITY, f32::NEG_INFINITY); Architecture::block_output(block)])
            .collect();
        Ranges { blocks }
    }

    /// Every channel's smallest and largest value, block after block.
    pub fn values(&self) -> impl Iterator<Item = (f32, f32)> + '_ {
        self.blocks.iter().flatten().copied()
    }

    /// The ranges of [`Ranges::values`].
    ///
    /// # Errors
    /// [`EngineError::Ranges`] when their number is not that of the network's channels, or a range is not finite or ends before it
    /// begins.
    pub fn from_values(values: &[(f32, f32)]) -> Result<Self, EngineError> {
        let mut ranges = Self::empty();
        let channels: usize = ranges.blocks.iter().map(Vec::len).sum();
        if values.len() != channels {
            return Err(EngineError::Ranges { reason: format!("{} ranges for {channels} channels", values.len()) });
        }
        let is_range = |(low, high): &(f32, f32)| low.is_finite() && high.is_finite() && low <= high;
        if let Some(channel) = values.iter().position(|range| !is_range(range)) {
            let (low, high) = values[channel];
            return Err(EngineError::Ranges { reason: format!("channel {channel} ranges from {low} to {high}") });
        }
        ranges.blocks.iter_mut().flatten().zip(values).for_each(|(to, from)| *to = *from);
        Ok(ranges)
    }

    /// Takes in a block's values, [pixels × channels].
    pub(super) fn take_in(&mut self, block: usize, values: &[f32]) {
        let ranges = &mut self.blocks[block];
        for pixel in values.chunks_exact(ranges.len()) {
            for (range, &value) in ranges.iter_mut().zip(pixel) {
                *range = (range.0.min(value), range.1.max(value));
            }
        }
    }

    /// The largest value of max(0, x·scale + shift) for x in a channel's range.
    pub(super) fn largest(&self, block: usize, channel: usize, scale: f32, shift: f32) -> f32 {
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

    #[test]
    fn ranges_come_back_from_their_values_and_from_no_others() {
        let values: Vec<(f32, f32)> = (0..Ranges::empty().values().count()).map(|i| (-1.0, i as f32)).collect();
        let ranges = Ranges::from_values(&values).unwrap();
        assert_eq!(ranges.values().collect::<Vec<_>>(), values);
        assert_eq!(ranges.largest(1, 0, 1.0, 0.0), 256.0);
        assert!(Ranges::from_values(&values[1..]).is_err());
        for bad in [(1.0, 0.0), (f32::NAN, 0.0), (0.0, f32::INFINITY)] {
            let mut values = values.clone();
            values[7] = bad;
            assert!(Ranges::from_values(&values).unwrap_err().to_string().contains("channel 7"));
        }
    }
}
