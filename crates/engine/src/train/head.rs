//! The end of the network: last normalization, ReLU, global average, linear layer and loss, forward and backward.

use super::Loss;
use super::PLANE;
use super::machine::Pass;
use super::memory::Planes;
use super::norm::Affine;
use super::ops;
use super::simd::Simd;
use crate::architecture::FEATURES;
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
                    let mut sum = S::splat(0.0);
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
            let zero = S::splat(0.0);
            let share = S::splat(1.0 / pixels as f32);
            for image in 0..self.images {
                let mut lane = 0;
                while lane < PLANE {
                    let scale = S::load(self.affine.scale.as_ptr().add(channel + lane));
                    let shift = S::load(self.affine.shift.as_ptr().add(channel + lane));
                    let mean = S::load(self.mean.as_ptr().add(channel + lane));
                    let feature = S::load(self.feature_gradient.as_ptr().add(image * FEATURES + channel + lane));
                    let above = S::mul(feature, share);
                    let (mut sum, mut product) = (zero, zero);
                    for pixel in image * pixels..(image + 1) * pixels {
                        let x = S::load(self.input.at(task, pixel).add(lane));
                        let v = S::select_gt(S::fma(x, scale, shift), zero, above, zero);
                        sum = S::add(sum, v);
                        product = S::fma(v, S::sub(x, mean), product);
                        S::store(self.input_gradient.at(task, pixel).add(lane), S::mul(v, scale));
                    }
                    ops::add_pairs::<S>(sum, product, self.sums.ptr().add(2 * (channel + lane)));
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
