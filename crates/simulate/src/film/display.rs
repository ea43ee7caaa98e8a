//! From the detector's signal to the film as displayed: logarithm, range, processing, curve, collimation, storage.

use coxa_schema::BodyPart;

use super::beam::{bilinear, gaussian_blur};
use super::truth::{FilmTruth, SimulatedFilm};
use crate::geometry::smoothstep;
use crate::noise;
use crate::random::{FilmRng, Stream, chance, normal, stream, uniform};

/// How a film is processed for display.
#[derive(Clone, Copy, Debug)]
pub struct Development {
    /// Quantiles of the body's optical depth that become black and white.
    pub range: [f32; 2],
    /// Optical depth beyond which a pixel counts as body for `range`.
    pub body_from: f32,
    /// Display value of the open field, 0..=1.
    pub base: f32,
    /// Display value of white, 0..=1.
    pub ceiling: f32,
    /// Gamma of the curve: more than 1 darkens the middle.
    pub gamma: f32,
    /// Weight of a sigmoid in the curve, 0..=1.
    pub sigmoid: f32,
    /// Gain of fine detail (unsharp masking) and its radius in millimeters.
    pub fine: [f32; 2],
    /// Gain of medium detail and its radius in millimeters.
    pub medium: [f32; 2],
    /// How much of the large-scale range is pressed together, 0..=1.
    pub equalize: f32,
    /// What large-scale means for that, millimeters.
    pub equalize_radius: f32,
    /// Room that is then left at the dark and at the bright end, as shares of the range.
    pub margins: [f32; 2],
    /// Distances of the collimator's edges from left, top, right and bottom, as fractions of the film; 0 is none.
    pub collimation: [f32; 4],
    /// Turn of the collimator against the film, degrees.
    pub collimator_turn: f32,
    /// Display value of the collimated border: 0 where the workstation blackened it, white or gray where it is shown as it is, not
    /// exposed but for scatter.
    pub surround: f32,
    /// Width of a bright line at the film's left, top, right and bottom edge in fractions of the film, as scanned cassettes have.
    pub frame: [f32; 4],
    /// Strength of faint streaks along the travel of a scanned plate, in display values.
    pub streaks: f32,
    /// Dust and scratches of a scanned film or a dirty plate: how many, and the seed of where.
    pub dirt: (usize, u32),
    /// Bits stored.
    pub bits: u8,
    /// Stored inverted.
    pub monochrome1: bool,
}

impl Development {
    /// A department's processing; `variation` from one department's to the whole world's.
    #[must_use]
    pub fn draw(rng: &mut FilmRng, variation: f32) -> Self {
        let modern = chance(rng, 0.7);
        let s = variation;
        let fine = if modern { uniform(rng, 0.2, 0.5 + 0.6 * s) } else { uniform(rng, 0.0, 0.5) };
        let medium = if modern { uniform(rng, 0.2, 0.6 + 0.6 * s) } else { uniform(rng, 0.0, 0.25) };
        let equalize = if modern { uniform(rng, 0.75, 0.95 + 0.05 * s) } else { uniform(rng, 0.5 - 0.25 * s, 0.8) };
        let mut collimation = [0.0; 4];
        for edge in &mut collimation {
            if chance(rng, 0.15) {
                *edge = uniform(rng, 0.005, 0.02 + 0.06 * s);
            }
        }
        // A field much shorter than the cassette.
        if chance(rng, 0.1 * s) {
            collimation[if chance(rng, 0.3) { 1 } else { 3 }] = uniform(rng, 0.04, 0.24);
        }
        Self {
            range: [uniform(rng, 0.01, 0.04 + 0.05 * s), uniform(rng, 0.99 - 0.01 * s, 0.9999)],
            body_from: 0.5,
            base: if chance(rng, 0.2) { uniform(rng, 0.0, 0.1) } else { 0.0 },
            ceiling: if chance(rng, 0.3) { 1.0 } else { uniform(rng, 0.85 - 0.2 * s, 1.0) },
            gamma: (normal(rng, 0.62, 0.18 * s)).exp(),
            sigmoid: uniform(rng, 0.0, 0.3 + 0.6 * s),
            fine: [fine, uniform(rng, 1.0, 4.0)],
            medium: [medium, uniform(rng, 6.0, 20.0)],
            equalize,
            equalize_radius: uniform(rng, 26.0 - 8.0 * s, 36.0 + 16.0 * s),
            margins: [uniform(rng, 0.05, 0.35), uniform(rng, 0.1, 0.6)],
            collimation,
            collimator_turn: normal(rng, 0.0, 0.8 * s),
            surround: if chance(rng, 0.35) { uniform(rng, 0.55, 0.97) } else { 0.0 },
            frame: if chance(rng, 0.3) {
                let width = uniform(rng, 0.001, 0.006);
                [(); 4].map(|()| if chance(rng, 0.6) { width * uniform(rng, 0.5, 1.3) } else { 0.0 })
            } else {
                [0.0; 4]
            },
            streaks: if chance(rng, 0.4) { uniform(rng, 0.001, 0.003 + 0.006 * s) } else { 0.0 },
            dirt: (if chance(rng, 0.12) { uniform(rng, 1.0, 14.0) as usize } else { 0 }, uniform(rng, 0.0, 4e9) as u32),
            bits: [8, 10, 12, 12, 12, 14][(uniform(rng, 0.0, 6.0) as usize).min(5)],
            monochrome1: chance(rng, 0.15),
        }
    }
}

/// Display values 0..=1, bone bright, of a signal (1 in the open field) on a film of `width * height` pixels of `spacing` mm.
#[must_use]
pub fn develop(signal: &[f32], width: usize, height: usize, spacing: f32, d: &Development) -> Vec<f32> {
    let mut depth: Vec<f32> = signal.iter().map(|s| -s.ln()).collect();
    if d.equalize > 0.0 {
        equalize(&mut depth, width, height, d.equalize_radius / spacing, d.equalize);
    }
    let (low, high) = range(&depth, d.range, d.body_from);
    // Where thick and thin are pressed together, neither is the thinnest tissue black nor common bone white.
    let spare = d.equalize * (high - low);
    let (low, high) = (low - d.margins[0] * spare, high + d.margins[1] * spare);
    let mut value: Vec<f32> = depth.iter().map(|x| ((x - low) / (high - low)).clamp(-0.6, 1.5)).collect();
    for [gain, radius] in [d.medium, d.fine] {
        if gain > 0.02 {
            let mut smooth = value.clone();
            gaussian_blur(&mut smooth, width, height, radius / spacing);
            for (x, s) in value.iter_mut().zip(&smooth) {
                // Strong edges (skin, metal) are amplified less, as in multi-frequency processing.
                let detail = *x - s;
                *x += gain * detail / (1.0 + 6.0 * detail.abs());
            }
        }
    }
    for x in &mut value {
        *x = d.base + (d.ceiling - d.base) * curve(x.clamp(0.0, 1.0), d);
    }
    collimate(&mut value, width, height, d);
    if d.streaks > 0.0 {
        streak(&mut value, width, d.streaks, d.dirt.1);
    }
    soil(&mut value, width, height, d.dirt);
    value
}

/// Takes a share of the body's local mean off its optical depth, so that thick and thin parts come to lie at one level. The mean is
/// that of the body alone: up to the skin nothing of the open field is in it, and the skin stays a crisp line.
fn equalize(depth: &mut [f32], width: usize, height: usize, radius: f32, share: f32) {
    let within = |x: f32| smoothstep(0.1, 0.6, x);
    let cell = ((radius / 8.0) as usize).max(1);
    let (w, h) = (width.div_ceil(cell), height.div_ceil(cell));
    let (mut sum, mut weight) = (vec![0.0_f32; w * h], vec![0.0_f32; w * h]);
    for (y, row) in depth.chunks(width).enumerate() {
        let line = y / cell * w;
        for (x, value) in row.iter().enumerate() {
            let i = line + x / cell;
            let m = within(*value);
            sum[i] += m * value;
            weight[i] += m;
        }
    }
    let mean = sum.iter().sum::<f32>() / weight.iter().sum::<f32>().max(1.0);
    let sigma = radius / cell as f32;
    gaussian_blur(&mut sum, w, h, sigma);
    gaussian_blur(&mut weight, w, h, sigma);
    let scale = 1.0 / cell as f32;
    sum.iter_mut().zip(&weight).for_each(|(sum, weight)| *sum = share * 0.95 * (*sum / weight.max(1e-3) - mean));
    for (y, row) in depth.chunks_mut(width).enumerate() {
        let v = (y as f32 + 0.5) * scale - 0.5;
        for (x, value) in row.iter_mut().enumerate() {
            *value -= within(*value) * bilinear(&sum, w, h, (x as f32 + 0.5) * scale - 0.5, v);
        }
    }
}

/// Black and white points: quantiles of the optical depth over the area that is not open field.
fn range(depth: &[f32], quantiles: [f32; 2], body_from: f32) -> (f32, f32) {
    let step = (depth.len() / 20_000).max(1);
    let mut body: Vec<f32> = depth.iter().step_by(step).copied().filter(|x| *x > body_from).collect();
    if body.len() < 100 {
        body = depth.iter().step_by(step).copied().collect();
    }
    body.sort_by(f32::total_cmp);
    let at = |q: f32| body[((body.len() - 1) as f32 * q) as usize];
    let (low, high) = (at(quantiles[0]), at(quantiles[1]));
    (low, high.max(low + 0.3))
}

fn curve(x: f32, d: &Development) -> f32 {
    let bent = x.powf(d.gamma);
    let logistic = |t: f32| 1.0 / (1.0 + (-7.0 * (t - 0.5)).exp());
    let (bottom, top) = (logistic(0.0), logistic(1.0));
    let s = (logistic(bent) - bottom) / (top - bottom);
    bent + d.sigmoid * (s - bent)
}

/// Columns a little lighter or darker than their neighbors where there is a picture.
fn streak(value: &mut [f32], width: usize, strength: f32, seed: u32) {
    let tile = noise::tile();
    let line = (seed % noise::TILE as u32) as f32;
    let columns: Vec<f32> = (0..width).map(|x| strength * noise::tile_at(tile, x as f32 * 1.9, line)).collect();
    for row in value.chunks_mut(width) {
        for (x, add) in row.iter_mut().zip(&columns) {
            *x = (*x + add * (4.0 * *x).min(1.0)).max(0.0);
        }
    }
}

/// Specks and, rarely, thin straight scratches along the plate's travel.
fn soil(value: &mut [f32], width: usize, height: usize, (count, seed): (usize, u32)) {
    let mut rng = stream(u64::from(seed), 0, Stream::Display);
    for _ in 0..count {
        let (x, y) = (uniform(&mut rng, 0.0, width as f32 - 1.0), uniform(&mut rng, 0.0, height as f32 - 1.0));
        let shade = if chance(&mut rng, 0.7) { uniform(&mut rng, 0.05, 0.5) } else { uniform(&mut rng, -0.3, -0.05) };
        let length = if chance(&mut rng, 0.04) { uniform(&mut rng, 0.01, 0.06) * width as f32 } else { 1.0 };
        let row = y as usize * width;
        for i in x as usize..((x + length) as usize + 1).min(width) {
            value[row + i] = (value[row + i] + shade).clamp(0.0, 1.0);
        }
    }
}

fn collimate(value: &mut [f32], width: usize, height: usize, d: &Development) {
    let (w, h) = (width as f32, height as f32);
    let outside = d.surround;
    let (sin, cos) = d.collimator_turn.to_radians().sin_cos();
    let [left, top, right, bottom] = d.collimation;
    let none = d.collimation == [0.0; 4];
    let soft = 0.003 * w;
    for y in 0..height {
        for x in 0..width {
            let pixel = &mut value[y * width + x];
            let (dx, dy) = (x as f32 + 0.5 - w / 2.0, y as f32 + 0.5 - h / 2.0);
            if !none {
                let (u, t) = (w / 2.0 + dx * cos - dy * sin, h / 2.0 + dx * sin + dy * cos);
                let far = |inset: f32, distance: f32| if inset > 0.0 { distance } else { f32::MAX };
                let inside = far(left, u - left * w)
                    .min(far(right, w - right * w - u))
                    .min(far(top, t - top * h))
                    .min(far(bottom, h - bottom * h - t));
                let field = (inside / soft + 0.5).clamp(0.0, 1.0);
                *pixel = outside + field * (*pixel - outside);
            }
            let edges = [x as f32, y as f32, w - 1.0 - x as f32, h - 1.0 - y as f32];
            if edges.iter().zip(&d.frame).any(|(far, line)| *far + 0.5 < line * w) {
                *pixel = 0.9;
            }
        }
    }
}

/// Makes the stored film of display values 0..=1.
#[must_use]
pub fn store(
    value: &[f32],
    size: [usize; 2],
    spacing_mm: f32,
    d: &Development,
    body_part: BodyPart,
    truth: FilmTruth,
) -> SimulatedFilm {
    let top = ((1_u32 << d.bits) - 1) as f32;
    let pixels = value
        .iter()
        .map(|x| {
            let x = x.clamp(0.0, 1.0);
            (if d.monochrome1 { 1.0 - x } else { x } * top).round() as u16
        })
        .collect();
    SimulatedFilm {
        width: size[0],
        height: size[1],
        pixels,
        bits_stored: d.bits,
        monochrome1: d.monochrome1,
        spacing_mm,
        body_part,
        truth,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random::{Stream, stream};

    #[test]
    fn the_open_field_is_black_and_bone_brighter_than_soft_tissue() {
        let mut d = Development::draw(&mut stream(5, 0, Stream::Display), 0.0);
        (d.collimation, d.frame, d.base, d.dirt) = ([0.0; 4], [0.0; 4], 0.0, (0, 0));
        let signal: Vec<f32> = (0..120 * 90).map(|i| [1.0, 0.2, 0.03, 0.008][i % 120 / 30]).collect();
        let film = develop(&signal, 120, 90, 2.0, &d);
        let at = |x: usize| film[45 * 120 + x];
        assert!(at(15) < 0.1 && at(75) > at(15) && at(105) > at(75), "{} {} {}", at(15), at(75), at(105));
    }

    #[test]
    fn an_inverted_film_displays_alike() {
        let mut d = Development::draw(&mut stream(6, 0, Stream::Display), 1.0);
        d.bits = 12;
        let value: Vec<f32> = (0..64).map(|i| i as f32 / 63.0).collect();
        let truth = || FilmTruth {
            label: false,
            fracture: None,
            age: 60.0,
            sex: coxa_schema::Sex::Female,
            burned_in_text: false,
            hardware: None,
            hips: Vec::new(),
            covariates: Vec::new(),
        };
        let films = [false, true].map(|inverted| {
            d.monochrome1 = inverted;
            store(&value, [8, 8], 1.0, &d, BodyPart::Pelvis, truth())
        });
        assert_ne!(films[0].pixels, films[1].pixels);
        let pictures = films.each_ref().map(crate::film::truth::display8);
        assert!(pictures[0].iter().zip(&pictures[1]).all(|(a, b)| a.abs_diff(*b) <= 1));
    }
}
