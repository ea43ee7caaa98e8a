//! Every kernel, on every instruction set that can run here (AVX-512 in emulation where the processor has none), against the plainest
//! form of the same computation in f64.

use super::gemm::{Ahead, gemm};
use super::tile::{MatrixA, Segments};
use super::*;
use crate::cpu::Isa;

/// Values in −1..1 that look random and are exact in bfloat16 (multiples of 1/64).
fn values(count: usize, seed: u64) -> Vec<f32> {
    let mut state = seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1;
    (0..count)
        .map(|_| {
            state = state.wrapping_mul(0xD134_2543_DE82_EF95).wrapping_add(0x1234_5677);
            ((state >> 40) % 127) as f32 / 64.0 - 63.0 / 64.0
        })
        .collect()
}

fn assert_near(found: f32, expected: f64, what: &str) {
    assert!((f64::from(found) - expected).abs() < 1e-4 * expected.abs().max(1.0), "{what}: {found}, not {expected}");
}

#[test]
fn products_of_every_shape_and_epilogue() {
    for isa in Isa::testable() {
        for (m, k, n, columns) in [(1, 5, 32, 32), (7, 49, 64, 64), (97, 128, 96, 100), (13, 33, 5, 9), (30, 8, 33, 40)]
        {
            let (a, b) = (values(m * k, 1), values(k * n, 2));
            let (bias, before) = (values(n, 3), values(m * columns, 4));
            let packed = PackedB::pack(isa, k, n, &b, n, 1);
            for (accumulate, with_bias, relu) in [(false, false, false), (true, true, false), (false, true, true)] {
                let mut c = before.clone();
                let epilogue = Epilogue { accumulate, scale: None, bias: with_bias.then_some(&bias[..]), relu };
                let left = MatrixA { ptr: a.as_ptr(), row_stride: k };
                let right = MatrixC { ptr: c.as_mut_ptr(), row_stride: columns };
                let depth = Segments { count: 1, stride: 0, length: k };
                // SAFETY: the buffers hold the matrices.
                unsafe { gemm(m, left, 0, depth, &packed, right, epilogue, Ahead::NOTHING) };
                for (i, (row, before)) in c.chunks_exact(columns).zip(before.chunks_exact(columns)).enumerate() {
                    for j in 0..n {
                        let product: f64 = (0..k).map(|l| f64::from(a[i * k + l]) * f64::from(b[l * n + j])).sum();
                        let sum = product
                            + if accumulate { f64::from(before[j]) } else { 0.0 }
                            + if with_bias { f64::from(bias[j]) } else { 0.0 };
                        let expected = if relu { sum.max(0.0) } else { sum };
                        assert_near(row[j], expected, &format!("{} {m}×{k}×{n} ({i}, {j})", isa.name()));
                    }
                    assert_eq!(row[n..], before[n..], "{}: columns beyond n stay", isa.name());
                }
            }
        }
    }
}

#[test]
fn pointwise_normalizes_pools_and_multiplies_in_every_format() {
    let (channels, stride, side) = (320, 352, 6);
    let input = values(4 * side * side * stride, 5);
    // Powers of two and multiples of 1/4 keep the normalized values exact in bfloat16.
    let scale: Vec<f32> = (0..channels).map(|c| [0.5, 1.0, -1.0, 2.0][c % 4]).collect();
    let shift = vec![0.25; channels];
    for isa in Isa::testable() {
        for format in [Format::F32, Format::RoundedF32, Format::Bf16, Format::Int8] {
            if format == Format::Bf16 && isa != Isa::Avx512Bf16 {
                continue;
            }
            for pooled in [false, true] {
                check_pointwise(isa, format, pooled, (channels, stride, side), &input, &scale, &shift);
            }
        }
    }
}

fn check_pointwise(
    isa: Isa,
    format: Format,
    pooled: bool,
    (channels, stride, side): (usize, usize, usize),
    input: &[f32],
    scale: &[f32],
    shift: &[f32],
) {
    let (n, rows, first) = (64, 17, 3);
    let whole = format == Format::Int8;
    let weights: Vec<f32> =
        values(channels * n, 6).into_iter().map(|w| if whole { (w * 60.0).round() } else { w }).collect();
    let packed = PackedB::pack_as(format, isa, channels, n, &weights, n, 1);
    let factor = vec![if whole { 1.0 / 64.0 } else { 1.0 }; n];
    // 8-bit values are whole numbers up to 255.
    let grow = if whole { 96.0 } else { 1.0 };
    let [scale, shift] = [scale, shift].map(|v| v.iter().map(|x| x * grow).collect::<Vec<f32>>());
    let mut output = vec![0.0; rows * n];
    let mut scratch = Buffer::<f32>::zeroed(POINTWISE_SCRATCH);
    let gather = if pooled { Gather::Pooled { first, side } } else { Gather::Pixels { first } };
    // SAFETY: the buffers hold the images, the output and the scratch memory.
    unsafe {
        pointwise(Pointwise {
            rows,
            input: input.as_ptr(),
            input_stride: stride,
            gather,
            ahead: 2,
            scale: &scale,
            shift: &shift,
            weights: &packed,
            output: MatrixC { ptr: output.as_mut_ptr(), row_stride: n },
            epilogue: Epilogue { scale: whole.then_some(&factor[..]), ..Epilogue::default() },
            scratch: scratch.as_mut_ptr(),
        });
    }
    let pixel = |row: usize, square: usize| {
        let index = first + row;
        if pooled { (2 * (index / side) + square / 2) * 2 * side + 2 * (index % side) + square % 2 } else { index }
    };
    for row in 0..rows {
        let squares = if pooled { 4 } else { 1 };
        let normalized: Vec<f32> = (0..channels)
            .map(|c| {
                let sum: f32 =
                    (0..squares).map(|s| (input[pixel(row, s) * stride + c] * scale[c] + shift[c]).max(0.0)).sum();
                let mean = sum / squares as f32;
                match format {
                    Format::F32 => mean,
                    Format::RoundedF32 | Format::Bf16 => half::bf16::from_f32(mean).to_f32(),
                    Format::Int8 => mean.min(255.0).round_ties_even(),
                }
            })
            .collect();
        for j in 0..n {
            let product: f64 = (0..channels).map(|c| f64::from(normalized[c]) * f64::from(weights[c * n + j])).sum();
            let what = format!("{} {format:?} pooled {pooled} ({row}, {j})", isa.name());
            assert_near(output[row * n + j], product * f64::from(factor[j]), &what);
        }
    }
}

#[test]
fn winograd_is_a_convolution() {
    let (inputs, outputs, images) = (64, 32, 2);
    let weights = values(outputs * inputs * 9, 7);
    for isa in Isa::testable() {
        let packed = WinogradWeights::new(isa, &weights, outputs, inputs);
        let mut scratch = Buffer::<f32>::zeroed(packed.scratch());
        for side in [1, 2, 4, 5, 8] {
            let input = values(images * side * side * inputs, 8);
            let stride = outputs + 8;
            let mut output = vec![9.0; images * side * side * stride];
            let tiles = images * tiles_per_side(side).pow(2);
            for first in (0..tiles).step_by(TILES) {
                let count = TILES.min(tiles - first);
                // SAFETY: the buffers hold the images, the output and the scratch memory.
                unsafe {
                    winograd(Winograd {
                        input: input.as_ptr(),
                        rows: Rows::All,
                        side,
                        first,
                        tiles: count,
                        weights: &packed,
                        output: output.as_mut_ptr(),
                        output_stride: stride,
                        scratch: scratch.as_mut_ptr(),
                    });
                }
            }
            for (pixel, values) in output.chunks_exact(stride).enumerate() {
                for o in [0, 7, outputs - 1] {
                    let expected = convolve(&input, &weights, side, inputs, pixel, o);
                    assert_near(values[o], expected, &format!("{} side {side} pixel {pixel}", isa.name()));
                }
                assert!(values[outputs..].iter().all(|v| *v == 9.0), "only the output's channels are written");
            }
        }
    }
}

/// One value of a 3×3 convolution with padding 1.
fn convolve(input: &[f32], weights: &[f32], side: usize, inputs: usize, pixel: usize, output: usize) -> f64 {
    let (image, y, x) = (pixel / (side * side), pixel / side % side, pixel % side);
    let mut sum = 0.0;
    for tap in 0..9 {
        let (v, u) = ((y + tap / 3).wrapping_sub(1), (x + tap % 3).wrapping_sub(1));
        if v < side && u < side {
            let source = &input[((image * side + v) * side + u) * inputs..][..inputs];
            for (i, value) in source.iter().enumerate() {
                sum += f64::from(*value) * f64::from(weights[(output * inputs + i) * 9 + tap]);
            }
        }
    }
    sum
}

#[test]
fn stem_convolves_rectifies_and_pools() {
    let (size, channels) = (24, 64);
    let (image, weights, bias) = (values(size * size, 9), values(64 * 49, 10), values(64, 11));
    let width = padded_side(size);
    let mut padded = vec![0.0f32; width * width];
    pad_images(&image, size, &mut padded);
    let half = size / 2;
    let convolved = |y: usize, x: usize, c: usize| {
        let taps = (0..49)
            .map(|t| f64::from(padded[(2 * y + t / 7) * width + 2 * x + t % 7]) * f64::from(weights[c * 49 + t]));
        (taps.sum::<f64>() + f64::from(bias[c])).max(0.0)
    };
    for isa in Isa::testable() {
        let packed = PackedB::pack(isa, 49, 64, &weights, 1, 49);
        let quarter = size / 4;
        let mut output = vec![0.0f32; quarter * quarter * channels];
        let mut scratch = Buffer::<f32>::zeroed(stem_scratch(size));
        for (first, rows) in [(0, 4), (4, quarter - 4)] {
            // SAFETY: the buffers hold the images, the output and the scratch memory.
            unsafe {
                stem(Stem {
                    image: padded.as_ptr(),
                    size,
                    first,
                    rows,
                    weights: &packed,
                    bias: &bias,
                    output: output.as_mut_ptr(),
                    output_stride: channels,
                    scratch: scratch.as_mut_ptr(),
                });
            }
        }
        for (pixel, values) in output.chunks_exact(channels).enumerate() {
            let (y, x) = (pixel / quarter, pixel % quarter);
            for c in [0, 31, 63] {
                let mut largest = 0.0f64;
                for v in (2 * y).saturating_sub(1)..(2 * y + 2).min(half) {
                    for u in (2 * x).saturating_sub(1)..(2 * x + 2).min(half) {
                        largest = largest.max(convolved(v, u, c));
                    }
                }
                assert_near(values[c], largest, &format!("{} ({y}, {x}, {c})", isa.name()));
            }
        }
    }
}

#[test]
fn bfloat16_rounds_to_nearest_even() {
    for bits in
        [0x3F80_0000u32, 0x3F80_7FFF, 0x3F80_8000, 0x3F80_8001, 0x3F81_8000, 0xBF81_8000, 0x0000_0001, 0x7F7F_0000]
    {
        let value = f32::from_bits(bits);
        assert_eq!(super::simd::bf16_bits(value), half::bf16::from_f32(value).to_bits(), "{value}");
    }
}
