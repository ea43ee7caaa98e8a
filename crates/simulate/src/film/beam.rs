//! From path lengths to the detector's signal: Beer–Lambert over three energy bins, scatter, blur and quantum noise.
//!
//! Mass attenuation coefficients from the NIST XCOM tables (Hubbell & Seltzer, NISTIR 5632), read at 45, 58 and 75 keV; densities
//! of ICRU report 44. Every material but [`Material::Soft`] is taken *in place of* soft tissue: its coefficient here is the
//! difference from soft tissue, so that a body is drawn as one soft envelope and bones, fat and metal within it.

use rand::RngExt;

use super::scene::{Material, Scene};
use crate::random::{FilmRng, normal, uniform};

/// Linear attenuation in 1/mm at 45, 58 and 75 keV.
const SOFT: [f32; 3] = [0.0257, 0.0220, 0.0197];
const FAT: [f32; 3] = [0.0214, 0.0190, 0.0175];
const BONE: [f32; 3] = [0.1008, 0.0639, 0.0467];
const TITANIUM: [f32; 3] = [0.72, 0.37, 0.21];
const STEEL: [f32; 3] = [2.05, 1.04, 0.56];
const COBALT_CHROME: [f32; 3] = [2.40, 1.25, 0.67];
const CEMENT: [f32; 3] = [0.166, 0.097, 0.060];
const PLASTIC: [f32; 3] = [0.0207, 0.0185, 0.0170];

/// Attenuation of a material beyond that of the soft tissue it replaces, 1/mm in the three bins.
#[must_use]
pub fn coefficients(material: Material) -> [f32; 3] {
    let beyond = |of: [f32; 3]| [of[0] - SOFT[0], of[1] - SOFT[1], of[2] - SOFT[2]];
    match material {
        Material::Soft => SOFT,
        Material::Fat => beyond(FAT),
        Material::Cortex | Material::Spongy => beyond(BONE),
        Material::Titanium => beyond(TITANIUM),
        Material::Steel => beyond(STEEL),
        Material::CobaltChrome => beyond(COBALT_CHROME),
        Material::Cement => beyond(CEMENT),
        Material::Plastic => beyond(PLASTIC),
    }
}

/// How a film is exposed.
#[derive(Clone, Copy, Debug)]
pub struct Exposure {
    /// Share of detected energy in each bin; sums to one.
    pub spectrum: [f32; 3],
    /// Photons per mm² at the detector in the open field.
    pub photons: f32,
    /// Scattered over primary signal behind 200 mm of soft tissue (with the grid's help).
    pub scatter: f32,
    /// Standard deviation of the detector's and the focal spot's blur, millimeters at the detector.
    pub blur_mm: f32,
    /// Relative change of intensity from the raster's middle to its edges, along x and y (heel effect, grid cut-off).
    pub slope: [f32; 2],
}

impl Exposure {
    /// A department's exposure: 65 to 90 kVp, with and without grid, over- and underexposed films in it by `variation`.
    #[must_use]
    pub fn draw(rng: &mut FilmRng, variation: f32) -> Self {
        let hard = uniform(rng, 0.0, 1.0);
        let low = 0.45 - 0.3 * hard;
        let high = 0.15 + 0.35 * hard;
        Self {
            spectrum: [low, 1.0 - low - high, high],
            photons: 2.5e6 * (variation * normal(rng, 0.0, 0.9)).exp(),
            scatter: uniform(rng, 0.15, 0.35 + 0.7 * variation),
            blur_mm: uniform(rng, 0.08, 0.2 + 0.25 * variation),
            slope: [normal(rng, 0.0, 0.06 * variation), normal(rng, 0.0, 0.06 * variation)],
        }
    }
}

/// The detector's signal, 1 in the open field: primary and scattered radiation, blurred and with quantum noise.
///
/// The scene's raster is `oversampling` times finer than the film along each axis; the signal returned has the film's size.
#[must_use]
pub fn expose(scene: &Scene, exposure: &Exposure, oversampling: usize, rng: &mut FilmRng) -> Vec<f32> {
    let camera = &scene.camera;
    let (width, height) = (camera.width / oversampling, camera.height / oversampling);
    let spacing = camera.spacing * oversampling as f32;
    let used: Vec<([f32; 3], &[f32])> =
        Material::ALL.iter().filter_map(|m| Some((coefficients(*m), scene.plane(*m)?))).collect();
    let share = 1.0 / (oversampling * oversampling) as f32;
    let mut signal = vec![0.0_f32; width * height];
    let mut line = vec![[0.0_f32; 3]; camera.width];
    for y in 0..height * oversampling {
        line.fill([0.0; 3]);
        for (mu, plane) in &used {
            let row = &plane[y * camera.width..(y + 1) * camera.width];
            for (sum, length) in line.iter_mut().zip(row) {
                for k in 0..3 {
                    sum[k] += mu[k] * length;
                }
            }
        }
        let out = &mut signal[y / oversampling * width..][..width];
        for (x, sum) in line.iter().enumerate().take(width * oversampling) {
            let primary: f32 = (0..3).map(|k| exposure.spectrum[k] * fast_exp(-sum[k])).sum();
            out[x / oversampling] += share * primary;
        }
    }
    slope(&mut signal, width, height, exposure.slope);
    add_scatter(&mut signal, scene, oversampling, spacing, exposure.scatter);
    gaussian_blur(&mut signal, width, height, exposure.blur_mm / spacing);
    let photons = exposure.photons * spacing * spacing;
    for value in &mut signal {
        // Poisson noise as a normal of the same variance; Irwin–Hall of four uniforms is normal enough.
        let z = ((0..4).map(|_| rng.random::<f32>()).sum::<f32>() - 2.0) * 1.732;
        *value = (*value + (value.max(0.0) / photons).sqrt() * z).max(1e-5);
    }
    signal
}

fn slope(signal: &mut [f32], width: usize, height: usize, slope: [f32; 2]) {
    for (y, row) in signal.chunks_mut(width).enumerate() {
        let down = slope[1] * (2.0 * y as f32 / height as f32 - 1.0);
        for (x, value) in row.iter_mut().enumerate() {
            *value *= 1.0 + down + slope[0] * (2.0 * x as f32 / width as f32 - 1.0);
        }
    }
}

/// Scatter comes from where there is tissue and spreads over several centimeters.
fn add_scatter(signal: &mut [f32], scene: &Scene, oversampling: usize, spacing: f32, ratio: f32) {
    let Some(soft) = scene.plane(Material::Soft) else {
        return;
    };
    let camera = &scene.camera;
    let (width, height) = (camera.width / oversampling, camera.height / oversampling);
    let cell = ((6.0 / spacing) as usize).max(1);
    let (w, h) = (width.div_ceil(cell), height.div_ceil(cell));
    let mut source = vec![0.0_f32; w * h];
    for cy in 0..h {
        for cx in 0..w {
            let (x0, y0) = (cx * cell, cy * cell);
            let (x1, y1) = ((x0 + cell).min(width), (y0 + cell).min(height));
            let mut sum = 0.0;
            for y in y0..y1 {
                sum += signal[y * width + x0..y * width + x1].iter().sum::<f32>();
            }
            let middle = ((y0 + y1) / 2 * oversampling).min(camera.height - 1) * camera.width
                + ((x0 + x1) / 2 * oversampling).min(camera.width - 1);
            let mean = sum / ((x1 - x0) * (y1 - y0)) as f32;
            source[cy * w + cx] = ratio * mean * (soft[middle] / 200.0).clamp(0.0, 2.0);
        }
    }
    gaussian_blur(&mut source, w, h, 45.0 / (cell as f32 * spacing));
    for y in 0..height {
        for x in 0..width {
            signal[y * width + x] +=
                bilinear(&source, w, h, x as f32 / cell as f32 - 0.5, y as f32 / cell as f32 - 0.5);
        }
    }
}

/// The value between samples of a row-major plane, held at its border.
#[must_use]
pub fn bilinear(plane: &[f32], width: usize, height: usize, x: f32, y: f32) -> f32 {
    let (x, y) = (x.clamp(0.0, (width - 1) as f32), y.clamp(0.0, (height - 1) as f32));
    let (x0, y0) = (x as usize, y as usize);
    let (x1, y1) = ((x0 + 1).min(width - 1), (y0 + 1).min(height - 1));
    let (u, v) = (x - x0 as f32, y - y0 as f32);
    let top = plane[y0 * width + x0] * (1.0 - u) + plane[y0 * width + x1] * u;
    let bottom = plane[y1 * width + x0] * (1.0 - u) + plane[y1 * width + x1] * u;
    top * (1.0 - v) + bottom * v
}

/// Blurs in place by a Gaussian of `sigma` pixels: exactly up to 2 pixels, by three box filters beyond.
pub fn gaussian_blur(plane: &mut [f32], width: usize, height: usize, sigma: f32) {
    if sigma < 0.15 {
        return;
    }
    if sigma <= 2.0 {
        let radius = (3.0 * sigma).ceil() as i32;
        let weights: Vec<f32> = (-radius..=radius).map(|i| (-0.5 * (i as f32 / sigma).powi(2)).exp()).collect();
        let total: f32 = weights.iter().sum();
        lines(plane, width, height, |from, to| {
            let n = from.len() as i32;
            for (i, out) in to.iter_mut().enumerate() {
                let at = |k: usize| from[(i as i32 + k as i32 - radius).clamp(0, n - 1) as usize];
                *out = weights.iter().enumerate().map(|(k, w)| w * at(k)).sum::<f32>() / total;
            }
        });
    } else {
        // Kovesi, "Fast almost-Gaussian filtering" (DICTA 2010): three boxes of two neighboring widths.
        let low = (((4.0 * sigma * sigma + 1.0).sqrt() - 1.0) / 2.0).floor().max(1.0) as i32;
        let variance = |half: i32| ((2 * half + 1).pow(2) - 1) as f32 / 12.0;
        let wider = (sigma * sigma - 3.0 * variance(low)) / (variance(low + 1) - variance(low));
        let wider = wider.round().clamp(0.0, 3.0) as i32;
        for pass in 0..3 {
            let half = low + i32::from(pass < wider);
            lines(plane, width, height, |from, to| {
                let n = from.len() as i32;
                let at = |i: i32| from[i.clamp(0, n - 1) as usize];
                let mut sum: f32 = (-half..=half).map(at).sum();
                let scale = 1.0 / (2 * half + 1) as f32;
                for i in 0..n {
                    to[i as usize] = sum * scale;
                    sum += at(i + half + 1) - at(i - half);
                }
            });
        }
    }
}

/// Runs a one-dimensional filter over all rows, then over all columns.
fn lines(plane: &mut [f32], width: usize, height: usize, filter: impl Fn(&[f32], &mut [f32])) {
    let mut out = vec![0.0; width.max(height)];
    for row in plane.chunks_mut(width) {
        filter(row, &mut out[..width]);
        row.copy_from_slice(&out[..width]);
    }
    // Columns in bundles: a bundle of 16 columns is transposed to rows, which keeps to the cache.
    let mut bundle = vec![0.0; height * 16];
    for x0 in (0..width).step_by(16) {
        let n = 16.min(width - x0);
        for y in 0..height {
            for k in 0..n {
                bundle[k * height + y] = plane[y * width + x0 + k];
            }
        }
        for k in 0..n {
            let column = &mut bundle[k * height..(k + 1) * height];
            filter(column, &mut out[..height]);
            column.copy_from_slice(&out[..height]);
        }
        for y in 0..height {
            for k in 0..n {
                plane[y * width + x0 + k] = bundle[k * height + y];
            }
        }
    }
}

/// `exp(x)` for `x` in −80..=10 to about 2e-6 relative, in arithmetic that compilers vectorize.
#[must_use]
pub fn fast_exp(x: f32) -> f32 {
    let t = x.clamp(-80.0, 10.0) * std::f32::consts::LOG2_E;
    let whole = t.floor();
    let f = t - whole;
    let p = 1.0
        + f * (std::f32::consts::LN_2
            + f * (0.240_226_46 + f * (0.055_502_93 + f * (0.009_630_93 + f * (0.001_264_2 + f * 0.000_228_2)))));
    p * f32::from_bits(((whole as i32 + 127) as u32) << 23)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_fast_exponential_is_the_exponential() {
        for i in -800..=50 {
            let x = i as f32 * 0.1;
            assert!((fast_exp(x) / x.exp() - 1.0).abs() < 2e-4, "exp({x})");
        }
    }

    #[test]
    fn a_blur_keeps_the_sum_of_a_point_in_the_middle() {
        for sigma in [0.8, 5.0] {
            let mut plane = vec![0.0; 101 * 81];
            plane[40 * 101 + 50] = 1.0;
            gaussian_blur(&mut plane, 101, 81, sigma);
            let variance: f32 = (0..101 * 81).map(|i| plane[i] * ((i % 101) as f32 - 50.0).powi(2)).sum();
            assert!((plane.iter().sum::<f32>() - 1.0).abs() < 1e-4);
            assert!((variance.sqrt() / sigma - 1.0).abs() < 0.06, "{variance}");
        }
    }
}
