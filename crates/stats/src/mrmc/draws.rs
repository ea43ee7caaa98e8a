//! Normal effects for simulated studies: the same for one seed and number, whatever was drawn before.

use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

use crate::distribution::normal_quantile;

pub(super) struct Draws(ChaCha8Rng);

impl Draws {
    /// The effects of study number `number`.
    pub fn of(seed: u64, number: u64) -> Self {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        rng.set_stream(number);
        Self(rng)
    }

    /// A normal effect of this variance, from a uniform number in (0, 1) by its quantile.
    pub fn normal(&mut self, variance: f64) -> f64 {
        let uniform = (self.0.random_range(0..1u64 << 53) as f64 + 0.5) / (1u64 << 53) as f64;
        variance.sqrt() * normal_quantile(uniform)
    }
}
