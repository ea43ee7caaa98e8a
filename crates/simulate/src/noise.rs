//! Smooth random fields: value noise on integer lattices, summed over octaves.

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
