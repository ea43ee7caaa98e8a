//! Batch normalization: with batch statistics, sums taken where channels are produced, shared by all that read them; with running
//! statistics, which are constants, nothing but the affine map.
//!
//! The mean and variance of a channel over the batch are the same for every normalization that reads it, so a dense block
//! computes them once for each produced channel (Pleiss et al. 2017 share the memory likewise). Each normalization is then an
//! affine map u = scale · x + shift. Backward (Ioffe and Szegedy 2015, section 3): with v the gradient at u,
//! dx = scale · (v − mean(v) − x̂ · mean(v · x̂)). The first term is added to the block's gradient at once; the others are affine
//! in x for each channel, so they are kept as two numbers a channel, summed over all readers ([`Correction`]), and subtracted
//! when the channel's gradient is read.

use crate::architecture::BN_EPS;
use crate::kernels::planes::PLANE;
use crate::kernels::{Affine, Simd};

/// The statistics of channels over the batch.
#[derive(Clone, Default)]
pub(crate) struct Statistics {
    pub mean: Vec<f32>,
    /// 1 / √(variance + ε).
    pub rstd: Vec<f32>,
    /// The biased variance.
    pub variance: Vec<f32>,
}

impl Statistics {
    pub(crate) fn new(channels: usize) -> Self {
        Statistics { mean: vec![0.0; channels], rstd: vec![0.0; channels], variance: vec![0.0; channels] }
    }

    /// Statistics that were measured before.
    pub(crate) fn of(mean: &[f32], variance: &[f32]) -> Self {
        Statistics {
            mean: mean.to_vec(),
            rstd: variance.iter().map(|v| rstd(f64::from(*v))).collect(),
            variance: variance.to_vec(),
        }
    }

    /// The normalization of the first `weight.len()` channels.
    pub(crate) fn affine(&self, weight: &[f32], bias: &[f32]) -> Affine {
        let mut affine = Affine::zeroed(weight.len());
        for channel in 0..weight.len() {
            let scale = weight[channel] * self.rstd[channel];
            affine.scale[channel] = scale;
            affine.shift[channel] = bias[channel] - scale * self.mean[channel];
        }
        affine
    }

    /// Sets channels `first..first + channels` from partial sums `[part][channel][Σx, Σx²]` over `count` values, added in order.
    pub(crate) fn finish(&mut self, first: usize, channels: usize, sums: &[f64], parts: usize, count: usize) {
        for channel in 0..channels {
            let [sum, squares] = total(sums, parts, channels, channel);
            let mean = sum / count as f64;
            let variance = (squares / count as f64 - mean * mean).max(0.0);
            self.mean[first + channel] = mean as f32;
            self.variance[first + channel] = variance as f32;
            self.rstd[first + channel] = rstd(variance);
        }
    }
}

fn rstd(variance: f64) -> f32 {
    (1.0 / (variance + f64::from(BN_EPS)).sqrt()) as f32
}

/// The sums of one channel over all parts of `[part][channel][2]`, in order.
pub(crate) fn total(sums: &[f64], parts: usize, channels: usize, channel: usize) -> [f64; 2] {
    let mut sum = [0.0; 2];
    for part in 0..parts {
        let at = 2 * (part * channels + channel);
        sum[0] += sums[at];
        sum[1] += sums[at + 1];
    }
    sum
}

/// A gradient as g · gradient + x · value + constant, for each channel.
#[derive(Clone, Default)]
pub(crate) struct Correction {
    pub gradient: Vec<f32>,
    pub value: Vec<f32>,
    pub constant: Vec<f32>,
}

impl Correction {
    /// The gradient itself, nothing to subtract yet.
    pub(crate) fn identity(channels: usize) -> Self {
        Correction { gradient: vec![1.0; channels], value: vec![0.0; channels], constant: vec![0.0; channels] }
    }

    /// The same for channels `first..first + channels` alone.
    pub(crate) fn part(&self, first: usize, channels: usize) -> Self {
        Correction {
            gradient: self.gradient[first..first + channels].to_vec(),
            value: self.value[first..first + channels].to_vec(),
            constant: self.constant[first..first + channels].to_vec(),
        }
    }

    /// to = g · gradient + x · value + constant for `pixels` pixels of one plane, whose channels here start at `channel`.
    ///
    /// # Safety
    /// The instruction set, and pointers to `pixels` pixels.
    #[inline(always)]
    pub(crate) unsafe fn apply<S: Simd>(
        &self,
        gradient: *const f32,
        value: *const f32,
        to: *mut f32,
        pixels: usize,
        channel: usize,
    ) {
        debug_assert!(channel + PLANE <= self.gradient.len());
        // SAFETY: the caller's.
        unsafe {
            let mut lane = 0;
            while lane < PLANE {
                let g = S::load(self.gradient.as_ptr().add(channel + lane));
                let x = S::load(self.value.as_ptr().add(channel + lane));
                let c = S::load(self.constant.as_ptr().add(channel + lane));
                for pixel in 0..pixels {
                    let at = pixel * PLANE + lane;
                    S::store(to.add(at), S::fma(S::load(gradient.add(at)), g, S::fma(S::load(value.add(at)), x, c)));
                }
                lane += S::LANES;
            }
        }
    }

    /// Subtracts what one normalization's backward pass subtracts: scale · (d_bias + x̂ · d_weight) / count for each channel.
    pub(crate) fn subtract(
        &mut self,
        scale: &[f32],
        d_weight: &[f32],
        d_bias: &[f32],
        from: &Statistics,
        count: usize,
    ) {
        let over = 1.0 / count as f64;
        for channel in 0..scale.len() {
            let scale = f64::from(scale[channel]) * over;
            let slope = scale * f64::from(from.rstd[channel]) * f64::from(d_weight[channel]);
            self.value[channel] -= slope as f32;
            self.constant[channel] -=
                (scale * f64::from(d_bias[channel]) - slope * f64::from(from.mean[channel])) as f32;
        }
    }
}

/// The gradients of a normalization's weight and bias from partial sums `[part][channel][Σv, Σv·(x − mean)]`.
pub(crate) fn norm_gradients(sums: &[f64], parts: usize, rstd: &[f32], d_weight: &mut [f32], d_bias: &mut [f32]) {
    let channels = d_bias.len();
    for channel in 0..channels {
        let [sum, product] = total(sums, parts, channels, channel);
        d_bias[channel] = sum as f32;
        d_weight[channel] = (product * f64::from(rstd[channel])) as f32;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn statistics_of_two_parts() {
        let mut statistics = Statistics::new(2);
        // Channel 1 of values 1, 2 (part 0) and 3, 6 (part 1): mean 3, variance (4 + 1 + 0 + 9) / 4.
        statistics.finish(1, 1, &[3.0, 5.0, 9.0, 45.0], 2, 4);
        assert_eq!(statistics.mean, [0.0, 3.0]);
        assert_eq!(statistics.variance[1], 3.5);
        assert!((statistics.rstd[1] - 1.0 / 3.50001f32.sqrt()).abs() < 1e-7);
    }

    #[test]
    fn correction_is_the_normalizations_backward_pass() {
        // Four values of one channel, u = 2 x̂ + 1, gradients v at u; dx computed from the definition.
        let x = [0.5f64, -1.0, 2.0, 4.5];
        let v = [1.0f64, -0.5, 0.25, 2.0];
        let mean = x.iter().sum::<f64>() / 4.0;
        let variance = x.iter().map(|x| (x - mean).powi(2)).sum::<f64>() / 4.0;
        let rstd = 1.0 / (variance + f64::from(BN_EPS)).sqrt();
        let hat: Vec<f64> = x.iter().map(|x| (x - mean) * rstd).collect();
        let d_bias: f64 = v.iter().sum();
        let d_weight: f64 = v.iter().zip(&hat).map(|(v, h)| v * h).sum();
        let from = Statistics { mean: vec![mean as f32], rstd: vec![rstd as f32], variance: vec![variance as f32] };
        let scale = [(2.0 * rstd) as f32];
        let mut correction = Correction { gradient: scale.to_vec(), value: vec![0.0], constant: vec![0.0] };
        correction.subtract(&scale, &[d_weight as f32], &[d_bias as f32], &from, 4);
        for i in 0..4 {
            let wanted = 2.0 * rstd * (v[i] - d_bias / 4.0 - hat[i] * d_weight / 4.0);
            let found =
                correction.gradient[0] * v[i] as f32 + correction.value[0] * x[i] as f32 + correction.constant[0];
            assert!((f64::from(found) - wanted).abs() < 1e-6, "{found} {wanted}");
        }
    }
}
