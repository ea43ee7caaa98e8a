//! Smooth random fields: value noise on integer lattices, summed over octaves.

use std::sync::OnceLock;

/// Side of the noise tile in samples.
pub const TILE: usize = 512;

/// A repeatable noise function of a seed.
#[derive(Clone, Copy, Debug)]
pub struct Noise {
    seed: u32,
}

impl Noise {
    /// Noise of this seed.
    #[must_use]
    pub fn new(seed: u32) -> Self {
        Self { seed }
    }

    fn lattice(&self, x: i32, y: i32, z: i32) -> f32 {
        let mut h = self.seed
            ^ (x as u32).wrapping_mul(0x8DA6_B343)
            ^ (y as u32).wrapping_mul(0xD816_3841)
            ^ (z as u32).wrapping_mul(0xCB1A_B31F);
        h = (h ^ (h >> 15)).wrapping_mul(0x2C1B_3C6D);
        h = (h ^ (h >> 12)).wrapping_mul(0x297A_2D39);
        h ^= h >> 15;
        h as f32 * (2.0 / u32::MAX as f32) - 1.0
    }

    /// Value noise in the plane, within −1..=1, features about one unit wide.
    #[must_use]
    pub fn plane(&self, x: f32, y: f32) -> f32 {
        let (fx, fy) = (x.floor(), y.floor());
        let (ix, iy) = (fx as i32, fy as i32);
        let (u, w) = (fade(x - fx), fade(y - fy));
        let row = |j| mix(self.lattice(ix, j, 0), self.lattice(ix + 1, j, 0), u);
        mix(row(iy), row(iy + 1), w)
    }

    /// Value noise in the plane that repeats after `period` units along both axes; `layer` tells apart independent noises.
    #[must_use]
    pub fn periodic(&self, x: f32, y: f32, period: i32, layer: i32) -> f32 {
        let (fx, fy) = (x.floor(), y.floor());
        let (ix, iy) = (fx as i32, fy as i32);
        let (u, w) = (fade(x - fx), fade(y - fy));
        let at = |i: i32, j: i32| self.lattice(i.rem_euclid(period), j.rem_euclid(period), layer + 1);
        let row = |j| mix(at(ix, j), at(ix + 1, j), u);
        mix(row(iy), row(iy + 1), w)
    }

    /// Value noise in space, within −1..=1.
    #[must_use]
    pub fn space(&self, x: f32, y: f32, z: f32) -> f32 {
        let (fx, fy, fz) = (x.floor(), y.floor(), z.floor());
        let (ix, iy, iz) = (fx as i32, fy as i32, fz as i32);
        let (u, w, t) = (fade(x - fx), fade(y - fy), fade(z - fz));
        let row = |j, k| mix(self.lattice(ix, j, k), self.lattice(ix + 1, j, k), u);
        let sheet = |k| mix(row(iy, k), row(iy + 1, k), w);
        mix(sheet(iz), sheet(iz + 1), t)
    }

    /// Octaves of [`Noise::plane`], each twice as fine and `gain` times as strong.
    #[must_use]
    pub fn octaves(&self, x: f32, y: f32, octaves: u32, gain: f32) -> f32 {
        let (mut sum, mut amplitude, mut scale) = (0.0, 1.0, 1.0);
        for octave in 0..octaves {
            let one = Noise { seed: self.seed.wrapping_add(octave.wrapping_mul(0x9E37_79B9)) };
            sum += amplitude * one.plane(x * scale, y * scale);
            amplitude *= gain;
            scale *= 2.0;
        }
        sum
    }
}

fn fade(t: f32) -> f32 {
    t * t * (3.0 - 2.0 * t)
}

fn mix(a: f32, b: f32, t: f32) -> f32 {
    a + (b - a) * t
}

/// Isotropic noise of four octaves on a tile of [`TILE`] samples that repeats seamlessly: mean 0, standard deviation 1.
#[must_use]
pub fn tile() -> &'static [f32] {
    static BANK: OnceLock<Vec<f32>> = OnceLock::new();
    BANK.get_or_init(|| {
        let noise = Noise::new(0x7469_6c65);
        let mut values = vec![0.0_f32; TILE * TILE];
        for (octave, period) in [16_i32, 32, 64, 128].into_iter().enumerate() {
            let scale = period as f32 / TILE as f32;
            for y in 0..TILE {
                for x in 0..TILE {
                    let amplitude = 0.8_f32.powi(octave as i32);
                    values[y * TILE + x] +=
                        amplitude * noise.periodic(x as f32 * scale, y as f32 * scale, period, octave as i32);
                }
            }
        }
        let rms = (values.iter().map(|x| x * x).sum::<f32>() / values.len() as f32).sqrt();
        values.iter_mut().for_each(|x| *x /= rms);
        values
    })
}

/// The noise tile between its samples, anywhere in the plane (units of samples).
#[must_use]
pub fn tile_at(tile: &[f32], x: f32, y: f32) -> f32 {
    let (fx, fy) = (x.floor(), y.floor());
    let (u, v) = (x - fx, y - fy);
    let mask = TILE - 1;
    let (x0, y0) = (fx as i32 as usize & mask, fy as i32 as usize & mask);
    let (x1, y1) = ((x0 + 1) & mask, (y0 + 1) & mask);
    let top = tile[y0 * TILE + x0] * (1.0 - u) + tile[y0 * TILE + x1] * u;
    let bottom = tile[y1 * TILE + x0] * (1.0 - u) + tile[y1 * TILE + x1] * u;
    top * (1.0 - v) + bottom * v
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_tile_repeats_seamlessly_and_is_standardized() {
        let tile = tile();
        let n = tile.len() as f32;
        assert!((tile.iter().map(|x| x * x).sum::<f32>() / n - 1.0).abs() < 1e-3);
        assert!((tile.iter().sum::<f32>() / n).abs() < 0.2);
        let side = TILE as f32;
        for (x, y) in [(3.25, 7.5), (-0.5, 500.75)] {
            assert!((tile_at(tile, x, y) - tile_at(tile, x + side, y - side)).abs() < 1e-3);
        }
    }
}
