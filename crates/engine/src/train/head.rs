//! The end of the network: last normalization, ReLU, global average, linear layer and loss, forward and backward.

use super::{CellTargets, Loss};
use crate::architecture::FEATURES;
use crate::infer::Window;
use crate::kernels::planes::{PLANE, Pass, Planes, ops};
use crate::kernels::{Affine, Simd};
use crate::threads::SharedMut;

const FEATURE_PLANES: usize = FEATURES / PLANE;

/// features[image][channel] = the mean over pixels of relu(norm(input)).
pub(crate) struct HeadForward<'a> {
    pub input: Planes,
    pub affine: &'a Affine,
    pub images: usize,
    pub features: SharedMut<f32>,
}

impl Pass for HeadForward<'_> {
    fn tasks(&self) -> usize {
        FEATURE_PLANES
    }

    fn scratch(&self) -> usize {
        0
    }

    #[inline(always)]
    unsafe fn run<S: Simd>(&self, task: usize, _scratch: *mut f32) {
        let pixels = self.input.pixels / self.images;
        let channel = task * PLANE;
        // SAFETY: pixels are within the input; this task alone writes these channels.
        unsafe {
            let share = S::splat(1.0 / pixels as f32);
            for image in 0..self.images {
                let mut lane = 0;
                while lane < PLANE {
                    let scale = S::load(self.affine.scale.as_ptr().add(channel + lane));
                    let shift = S::load(self.affine.shift.as_ptr().add(channel + lane));
                    let mut sum = S::zero();
                    for pixel in 0..pixels {
                        let x = S::load(self.input.at(task, image * pixels + pixel).add(lane));
                        sum = S::add(sum, S::relu(S::fma(x, scale, shift)));
                    }
                    S::store(self.features.ptr().add(image * FEATURES + channel + lane), S::mul(sum, share));
                    lane += S::LANES;
                }
            }
        }
    }
}

/// The gradient at the last block's channels, before the normalization's own subtraction.
pub(crate) struct HeadBackward<'a> {
    pub input: Planes,
    pub affine: &'a Affine,
    pub mean: &'a [f32],
    pub images: usize,
    /// `[image][channel]`.
    pub feature_gradient: &'a [f32],
    pub input_gradient: Planes,
    /// `[channel][Σv, Σv·(x − mean)]`, zeroed.
    pub sums: SharedMut<f64>,
    /// What the class activation map's own loss adds.
    pub cells: Option<CellBackward<'a>>,
}

/// The gradient of the class activation map's own loss: at every cell, and where the classifier's share of it goes.
#[derive(Clone, Copy)]
pub(crate) struct CellBackward<'a> {
    /// dL/dM, `[image][cell]`.
    pub gradient: &'a [f32],
    /// The one output's weights.
    pub weight: &'a [f32],
    /// Σ over cells of dL/dM · A, added to.
    pub weight_gradient: SharedMut<f32>,
}

/// map[image][cell] = Σ over channels of weight · relu(norm(input)), for the one output.
pub(crate) struct HeadMaps<'a> {
    pub input: Planes,
    pub affine: &'a Affine,
    pub images: usize,
    pub weight: &'a [f32],
    pub maps: SharedMut<f32>,
}

impl Pass for HeadMaps<'_> {
    fn tasks(&self) -> usize {
        self.images
    }

    fn scratch(&self) -> usize {
        0
    }

    #[inline(always)]
    unsafe fn run<S: Simd>(&self, task: usize, _scratch: *mut f32) {
        let pixels = self.input.pixels / self.images;
        // SAFETY: pixels are within the input; this task alone writes this image's map.
        unsafe {
            for pixel in task * pixels..(task + 1) * pixels {
                let mut sum = S::zero();
                for channel in (0..FEATURES).step_by(S::LANES) {
                    let x = S::load(self.input.at(channel / PLANE, pixel).add(channel % PLANE));
                    let scale = S::load(self.affine.scale.as_ptr().add(channel));
                    let shift = S::load(self.affine.shift.as_ptr().add(channel));
                    let weight = S::load(self.weight.as_ptr().add(channel));
                    sum = S::fma(S::relu(S::fma(x, scale, shift)), weight, sum);
                }
                let mut lanes = [0f32; 16];
                S::store(lanes.as_mut_ptr(), sum);
                *self.maps.ptr().add(pixel) = lanes[..S::LANES].iter().sum();
            }
        }
    }
}

impl Pass for HeadBackward<'_> {
    fn tasks(&self) -> usize {
        FEATURE_PLANES
    }

    fn scratch(&self) -> usize {
        0
    }

    #[inline(always)]
    unsafe fn run<S: Simd>(&self, task: usize, _scratch: *mut f32) {
        let pixels = self.input.pixels / self.images;
        let channel = task * PLANE;
        // SAFETY: pixels are within the planes; this task alone writes this plane and its sums.
        unsafe {
            let zero = S::zero();
            let share = S::splat(1.0 / pixels as f32);
            for image in 0..self.images {
                let mut lane = 0;
                while lane < PLANE {
                    let scale = S::load(self.affine.scale.as_ptr().add(channel + lane));
                    let shift = S::load(self.affine.shift.as_ptr().add(channel + lane));
                    let mean = S::load(self.mean.as_ptr().add(channel + lane));
                    let feature = S::load(self.feature_gradient.as_ptr().add(image * FEATURES + channel + lane));
                    let film = S::mul(feature, share);
                    let (mut sum, mut product) = (zero, zero);
                    let weight = self.cells.map(|cells| S::load(cells.weight.as_ptr().add(channel + lane)));
                    let mut of_weight = zero;
                    for pixel in image * pixels..(image + 1) * pixels {
                        let x = S::load(self.input.at(task, pixel).add(lane));
                        let normalized = S::fma(x, scale, shift);
                        let mut above = film;
                        if let (Some(cells), Some(weight)) = (&self.cells, weight) {
                            let gradient = S::splat(cells.gradient[pixel]);
                            above = S::fma(gradient, weight, film);
                            of_weight = S::fma(gradient, S::relu(normalized), of_weight);
                        }
                        let v = S::select_gt(normalized, zero, above, zero);
                        sum = S::add(sum, v);
                        product = S::fma(v, S::sub(x, mean), product);
                        S::store(self.input_gradient.at(task, pixel).add(lane), S::mul(v, scale));
                    }
                    ops::add_pairs::<S>(sum, product, self.sums.ptr().add(2 * (channel + lane)));
                    if let Some(cells) = &self.cells {
                        let to = cells.weight_gradient.ptr().add(channel + lane);
                        S::store(to, S::add(S::load(to), of_weight));
                    }
                    lane += S::LANES;
                }
            }
        }
    }
}

/// logits[image][class] = features · weightᵀ + bias.
pub(crate) fn logits(features: &[f32], weight: &[f32], bias: &[f32]) -> Vec<f32> {
    let mut logits = Vec::with_capacity(features.len() / FEATURES * bias.len());
    for features in features.chunks_exact(FEATURES) {
        for (row, bias) in weight.chunks_exact(FEATURES).zip(bias) {
            let sum: f64 = row.iter().zip(features).map(|(w, f)| f64::from(*w) * f64::from(*f)).sum();
            logits.push((sum + f64::from(*bias)) as f32);
        }
    }
    logits
}

/// The mean loss over the batch, and its gradient at the logits.
///
/// Binary cross-entropy with logits: max(z, 0) − z·y + ln(1 + e^−|z|). Softmax cross-entropy: ln Σ e^z − z_target.
pub(crate) fn loss(loss: Loss, logits: &[f32], targets: &[usize]) -> (f32, Vec<f32>) {
    let classes = logits.len() / targets.len();
    let share = 1.0 / targets.len() as f64;
    let mut total = 0.0;
    let mut gradient = Vec::with_capacity(logits.len());
    for (row, &target) in logits.chunks_exact(classes).zip(targets) {
        match loss {
            Loss::Binary => {
                let (z, y) = (f64::from(row[0]), target as f64);
                total += z.max(0.0) - z * y + (-z.abs()).exp().ln_1p();
                gradient.push(((1.0 / (1.0 + (-z).exp()) - y) * share) as f32);
                if z.is_nan() {
                    // `max` would hide it.
                    total = f64::NAN;
                }
            }
            Loss::Softmax => {
                let largest = f64::from(row.iter().copied().fold(f32::NEG_INFINITY, f32::max));
                let sum: f64 = row.iter().map(|z| (f64::from(*z) - largest).exp()).sum();
                total += sum.ln() + largest - f64::from(row[target]);
                gradient.extend(row.iter().enumerate().map(|(class, z)| {
                    let probability = (f64::from(*z) - largest).exp() / sum;
                    ((probability - f64::from(u8::from(class == target))) * share) as f32
                }));
            }
        }
    }
    ((total * share) as f32, gradient)
}

/// The loss of the class activation map, its gradient dL/dM at every cell, and that at the classifier's bias.
///
/// A cell's logit is u = b + extent · M / averaged, M = Σ w·A: the film's logit, which is a mean over `averaged` cells, if `extent` cells
/// were like this one and all others gave nothing. The loss is focal (Lin et al. 2017, γ = 2), summed over cells and divided by `extent`, a
/// mean over images. Where there is no finding M counts as max(M, 0), as in Grad-CAM's map: a cell that speaks against a fracture is no error.
pub(crate) fn cell_loss(
    targets: &CellTargets<'_>,
    maps: &[f32],
    images: usize,
    averaged: usize,
    bias: f32,
) -> (f32, Vec<f32>, f32) {
    let scale = f64::from(targets.extent) / averaged as f64;
    let share = f64::from(targets.weight) / (f64::from(targets.extent) * images as f64);
    let (mut total, mut bias_gradient) = (0.0, 0.0);
    let mut gradient = Vec::with_capacity(maps.len());
    for (&truth, &map) in targets.truth.iter().zip(maps) {
        if truth.is_nan() {
            gradient.push(0.0);
            continue;
        }
        let present = truth > 0.5;
        let silent = !present && map <= 0.0;
        let u = f64::from(bias) + scale * if silent { 0.0 } else { f64::from(map) };
        // The logit for the truth: p is the probability given to what is so.
        let toward = if present { 1.0 } else { -1.0 };
        let log_p = -softplus(-toward * u);
        let (p, q) = (log_p.exp(), 1.0 / (1.0 + (toward * u).exp()));
        total -= share * q * q * log_p;
        let slope = toward * share * (2.0 * p * q * q * log_p - q * q * q);
        bias_gradient += slope;
        gradient.push(if silent { 0.0 } else { (slope * scale) as f32 });
    }
    (total as f32, gradient, bias_gradient as f32)
}

/// The gradient at the cells of each image's window, from that at its logit, added to.
pub(crate) fn window_backward(windows: &[Window], logit_gradient: &[f32], side: usize, cells: &mut [f32]) {
    for ((window, above), cells) in windows.iter().zip(logit_gradient).zip(cells.chunks_exact_mut(side * side)) {
        for cell in window.cells(side) {
            cells[cell] += above / window.area() as f32;
        }
    }
}

/// ln(1 + e^x), which does not overflow.
fn softplus(x: f64) -> f64 {
    x.max(0.0) + (-x.abs()).exp().ln_1p()
}

/// The linear layer's backward pass: adds nothing, overwrites the gradients of weight and bias; returns the features' gradient.
pub(crate) fn linear_backward(
    features: &[f32],
    weight: &[f32],
    above: &[f32],
    d_weight: &mut [f32],
    d_bias: &mut [f32],
) -> Vec<f32> {
    let classes = d_bias.len();
    d_weight.fill(0.0);
    d_bias.fill(0.0);
    let mut below = vec![0.0; features.len()];
    for (image, above) in above.chunks_exact(classes).enumerate() {
        let range = image * FEATURES..(image + 1) * FEATURES;
        for (class, &above) in above.iter().enumerate() {
            d_bias[class] += above;
            let row = class * FEATURES..(class + 1) * FEATURES;
            for (to, f) in d_weight[row.clone()].iter_mut().zip(&features[range.clone()]) {
                *to += above * f;
            }
            for (to, w) in below[range.clone()].iter_mut().zip(&weight[row]) {
                *to += above * w;
            }
        }
    }
    below
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cells_are_taught_by_the_focal_loss() {
        let truth = [1.0, 0.0, f32::NAN, 0.0];
        let targets = CellTargets { truth: &truth, weight: 2.0, extent: 2.0 };
        let maps = [3.0, 1.0, 5.0, -4.0];
        // Scale 2 / 4; logits −1 + 1.5, −1 + 0.5, none, −1; share 2 / 2.
        let (loss, gradient, bias) = cell_loss(&targets, &maps, 1, 4, -1.0);
        let sigmoid = |u: f64| 1.0 / (1.0 + (-u).exp());
        let focal = |p: f64| -(1.0 - p).powi(2) * p.ln();
        let wanted = focal(sigmoid(0.5)) + focal(sigmoid(0.5)) + focal(sigmoid(1.0));
        assert!((f64::from(loss) - wanted).abs() < 1e-6, "{loss} {wanted}");
        assert!(gradient[0] < 0.0 && gradient[1] > 0.0 && gradient[2] == 0.0 && gradient[3] == 0.0);
        let numeric = |bump: &dyn Fn(&mut [f32; 4], &mut f32, f32)| {
            let at = |h: f32| {
                let (mut maps, mut bias) = (maps, -1.0);
                bump(&mut maps, &mut bias, h);
                f64::from(cell_loss(&targets, &maps, 1, 4, bias).0)
            };
            (at(0.05) - at(-0.05)) / 0.1
        };
        for (i, gradient) in gradient.iter().enumerate() {
            assert!((numeric(&|maps, _, h| maps[i] += h) - f64::from(*gradient)).abs() < 1e-4, "{i}");
        }
        assert!((numeric(&|_, bias, h| *bias += h) - f64::from(bias)).abs() < 1e-3);
        let far = CellTargets { truth: &[1.0, 0.0], ..targets };
        let (loss, gradient, _) = cell_loss(&far, &[-1e6, 1e6], 1, 2, 0.0);
        assert!(loss.is_finite() && gradient.iter().all(|g| g.is_finite()), "{loss} {gradient:?}");
    }

    #[test]
    fn losses_and_gradients_by_hand() {
        let (value, gradient) = loss(Loss::Binary, &[0.0, 2.0], &[1, 0]);
        assert!((value - (2f32.ln() + 2.126_928) / 2.0).abs() < 1e-6, "{value}");
        assert!((gradient[0] + 0.25).abs() < 1e-7 && (gradient[1] - 0.880_797 / 2.0).abs() < 1e-6);
        let (value, gradient) = loss(Loss::Softmax, &[0.0, 3f32.ln()], &[0]);
        assert!((value - 4f32.ln()).abs() < 1e-6, "{value}");
        assert!((gradient[0] + 0.75).abs() < 1e-6 && (gradient[1] - 0.75).abs() < 1e-6);
        assert!(loss(Loss::Binary, &[f32::NAN], &[1]).0.is_nan());
        assert!(loss(Loss::Softmax, &[f32::INFINITY, 0.0], &[1]).0.is_nan());
    }
}
