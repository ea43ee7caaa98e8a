//! A 1×1 convolution with the normalization before it, in f32, bfloat16 or 8 bits, and normalizations folded into what comes before.

use super::network::Arithmetic;
use crate::architecture::BN_EPS;
use crate::cpu::Isa;
use crate::error::EngineError;
use crate::kernels::{Affine, Buffer, Epilogue, Format, PackedB};
use crate::parameters::Parameters;

/// relu(x·scale + shift), times the weights, times a factor and plus a bias for each output, rectified if asked.
#[derive(Debug)]
pub(super) struct Convolution {
    pub norm: Affine,
    pub weights: PackedB,
    factors: Option<Buffer>,
    bias: Option<Buffer>,
    relu: bool,
}

/// The normalization `prefix` in evaluation mode: (x − mean) / √(variance + ε) · weight + bias.
pub(super) fn running_affine(parameters: &Parameters, prefix: &str) -> Result<Affine, EngineError> {
    let [weight, bias, mean, variance] =
        ["weight", "bias", "running_mean", "running_var"].map(|part| parameters.values(&format!("{prefix}.{part}")));
    let mut affine = Affine::zeroed(weight.len());
    for channel in 0..weight.len() {
        let scale = f64::from(weight[channel]) / (f64::from(variance[channel]) + f64::from(BN_EPS)).sqrt();
        affine.scale[channel] = scale as f32;
        affine.shift[channel] = (f64::from(bias[channel]) - f64::from(mean[channel]) * scale) as f32;
    }
    finite(&affine.scale, prefix)?;
    finite(&affine.shift, prefix)?;
    Ok(affine)
}

/// The weights [outputs, …] of the convolution `name`, times the factors of the normalization after it.
pub(super) fn folded(
    parameters: &Parameters,
    name: &str,
    outputs: usize,
    norm: &Affine,
) -> Result<Vec<f32>, EngineError> {
    let weights = parameters.values(&format!("{name}.weight"));
    let each = weights.len() / outputs;
    let folded: Vec<f32> = weights.iter().enumerate().map(|(i, w)| w * norm.scale[i / each]).collect();
    finite(&folded, name)?;
    Ok(folded)
}

impl Convolution {
    /// The convolution of weights [outputs, inputs] that reads a block's first channels.
    pub fn new(
        isa: Isa,
        arithmetic: Arithmetic<'_>,
        block: usize,
        mut norm: Affine,
        weights: &[f32],
        outputs: usize,
    ) -> Result<Self, EngineError> {
        let inputs = norm.scale.len();
        let format = arithmetic.format(isa);
        let (weights, factors) = match arithmetic {
            Arithmetic::F32 | Arithmetic::Bf16 => {
                (PackedB::pack_as(format, isa, inputs, outputs, weights, 1, inputs), None)
            }
            Arithmetic::Int8(ranges) => {
                let mut weights = weights.to_vec();
                let largest: Vec<f32> = (0..inputs)
                    .map(|channel| ranges.largest(block, channel, norm.scale[channel], norm.shift[channel]))
                    .collect();
                if let Some(channel) = largest.iter().position(|largest| !largest.is_finite()) {
                    let reason =
                        format!("with its normalization, channel {channel} of block {} is not finite", block + 1);
                    return Err(EngineError::Ranges { reason });
                }
                let factors = quantize(&mut norm, &mut weights, &largest, isa.adds_int8_in_pairs());
                (PackedB::pack_as(Format::Int8, isa, inputs, outputs, &weights, 1, inputs), Some(factors))
            }
        };
        Ok(Convolution { norm, weights, factors, bias: None, relu: false })
    }

    pub fn with_bias_and_relu(self, bias: Buffer) -> Self {
        Convolution { bias: Some(bias), relu: true, ..self }
    }

    pub fn epilogue(&self) -> Epilogue<'_> {
        Epilogue { accumulate: false, scale: self.factors.as_deref(), bias: self.bias.as_deref(), relu: self.relu }
    }
}

fn finite(values: &[f32], name: &str) -> Result<(), EngineError> {
    if values.iter().all(|value| value.is_finite()) {
        Ok(())
    } else {
        Err(EngineError::TooLarge { name: name.to_owned() })
    }
}

/// Scales the normalization so that each channel's `largest` value becomes 255, and the weights [outputs, inputs] by the inverse;
/// then each output's weights to whole numbers within ±127, whose neighbors sum to no more than ±128 if they are added in pairs.
/// Returns each output's factor.
fn quantize(norm: &mut Affine, weights: &mut [f32], largest: &[f32], in_pairs: bool) -> Buffer {
    let inputs = largest.len();
    for (channel, &largest) in largest.iter().enumerate() {
        let factor = if largest > f32::MIN_POSITIVE { 255.0 / largest } else { 0.0 };
        norm.scale[channel] *= factor;
        norm.shift[channel] *= factor;
    }
    let mut factors = Buffer::zeroed(weights.len() / inputs);
    for (row, factor) in weights.chunks_exact_mut(inputs).zip(factors.iter_mut()) {
        for (weight, largest) in row.iter_mut().zip(largest) {
            *weight *= largest / 255.0;
        }
        let mut peak = row.iter().fold(0.0f32, |peak, w| peak.max(w.abs()));
        if in_pairs {
            // Rounding may add a half twice: sums stay within 127 before it.
            peak = row.chunks(2).fold(peak, |peak, pair| peak.max(pair.iter().sum::<f32>().abs()));
        }
        if peak > 0.0 {
            *factor = peak / 127.0;
            row.iter_mut().for_each(|w| *w = (*w * (127.0 / peak)).round_ties_even());
        }
    }
    factors
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantized_products_are_near_the_real_ones() {
        let affine =
            |scale: f32| Affine { scale: Buffer::from_slice(&[scale; 3]), shift: Buffer::from_slice(&[0.5; 3]) };
        let weights = [0.3, -0.7, 0.2, 0.0, 0.0, 0.0];
        let largest = [2.0, 8.0, 0.0];
        let (mut norm, mut whole) = (affine(1.5), weights.to_vec());
        let factors = quantize(&mut norm, &mut whole, &largest, false);
        assert!(whole.iter().all(|w| w.fract() == 0.0 && w.abs() <= 127.0), "{whole:?}");
        assert_eq!(whole[1], -127.0);
        assert_eq!(factors[1], 0.0);
        let x = [0.6, 3.1, -2.0];
        let real: f32 = (0..3).map(|c| (x[c] * 1.5 + 0.5f32).max(0.0) * weights[c]).sum();
        let quantized: f32 =
            (0..3).map(|c| (x[c] * norm.scale[c] + norm.shift[c]).clamp(0.0, 255.0).round_ties_even() * whole[c]).sum();
        assert!((real - quantized * factors[0]).abs() < 0.03, "{real} {}", quantized * factors[0]);
    }

    #[test]
    fn neighbors_fit_sixteen_bits_where_they_are_added() {
        let channels = 64;
        let ones = || Affine { scale: Buffer::from_slice(&[1.0; 64]), shift: Buffer::zeroed(channels) };
        let mut weights: Vec<f32> = (0..channels).map(|i| ((i * 29) % 31) as f32 / 15.0 - 1.0).collect();
        weights[..4].copy_from_slice(&[0.9, 1.1, 1.1, -1.1]);
        quantize(&mut ones(), &mut weights, &vec![1.0; channels], true);
        assert!(weights.chunks(2).all(|pair| 255.0 * (pair[0] + pair[1]).abs() < 32768.0));
        assert!(weights.iter().any(|w| w.abs() > 63.0), "opposite neighbors may be large");
    }
}
