//! Sequential DCT-based JPEG of one component with 8 or 12 bits a sample (ITU-T T.81, processes 1, 2 and 4, Huffman coding):
//! DICOM's JPEG Extended, which the JPEG library at hand decodes to 8 bits only.

use super::CodecError;
use super::bits::{BitReader, Stuffing};
use super::huffman::{Huffman, HuffmanTables, extended};
use super::jpeg_header::next_marker;

/// Natural position of each coefficient in zigzag order (T.81, figure A.6).
const ZIGZAG: [usize; 64] = [
    0, 1, 8, 16, 9, 2, 3, 10, 17, 24, 32, 25, 18, 11, 4, 5, 12, 19, 26, 33, 40, 48, 41, 34, 27, 20, 13, 6, 7, 14, 21,
    28, 35, 42, 49, 56, 57, 50, 43, 36, 29, 22, 15, 23, 30, 37, 44, 51, 58, 59, 52, 45, 38, 31, 39, 46, 53, 60, 61, 54,
    47, 55, 62, 63,
];

/// What the segments before the scan set up.
#[derive(Default)]
struct Tables {
    quantization: [Option<[f32; 64]>; 4],
    huffman: HuffmanTables,
    restart_interval: usize,
    /// Bits a sample and the quantization table of the component.
    frame: Option<(u8, usize)>,
}

/// Decodes a stream whose header is of `width`×`height` pixels to samples, row by row.
pub(crate) fn decode(bytes: &[u8], width: usize, height: usize) -> Result<Vec<u16>, CodecError> {
    let mut tables = Tables::default();
    let mut at = 2;
    loop {
        let (marker, start) = next_marker(bytes, at).ok_or("no scan")?;
        let length = match bytes.get(start..start + 2) {
            Some(&[high, low]) => usize::from(u16::from_be_bytes([high, low])),
            _ => return Err("a segment is cut short"),
        };
        let segment = bytes.get(start + 2..start + length).ok_or("a segment is cut short")?;
        at = start + length;
        match marker {
            0xDB => quantization_tables(segment, &mut tables)?,
            0xC4 => tables.huffman.define(segment)?,
            0xC0 | 0xC1 => tables.frame = Some(frame(segment)?),
            0xC2..=0xCF => return Err("it is not a sequential Huffman-coded JPEG"),
            0xDD => tables.restart_interval = restart_interval(segment)?,
            0xDA => return scan(bytes, at, segment, &tables, width, height),
            0xD9 => return Err("no scan"),
            _ => {}
        }
    }
}

fn frame(segment: &[u8]) -> Result<(u8, usize), CodecError> {
    match segment {
        &[precision @ (8 | 12), _, _, _, _, 1, _, _, table, ..] => Ok((precision, usize::from(table & 3))),
        [_, _, _, _, _, 1, ..] => Err("its samples have neither 8 nor 12 bits"),
        _ => Err("it has more than one component"),
    }
}

fn restart_interval(segment: &[u8]) -> Result<usize, CodecError> {
    match *segment {
        [high, low, ..] => Ok(usize::from(u16::from_be_bytes([high, low]))),
        _ => Err("a segment is cut short"),
    }
}

fn quantization_tables(mut segment: &[u8], tables: &mut Tables) -> Result<(), CodecError> {
    while let Some((&head, rest)) = segment.split_first() {
        let wide = head >> 4 != 0;
        let size = if wide { 128 } else { 64 };
        let values = rest.get(..size).ok_or("a quantization table is cut short")?;
        let mut table = [0.0; 64];
        for (i, &natural) in ZIGZAG.iter().enumerate() {
            table[natural] = if wide {
                f32::from(u16::from_be_bytes([values[2 * i], values[2 * i + 1]]))
            } else {
                f32::from(values[i])
            };
        }
        tables.quantization[usize::from(head & 3)] = Some(table);
        segment = &rest[size..];
    }
    Ok(())
}

fn scan(
    bytes: &[u8],
    start: usize,
    segment: &[u8],
    tables: &Tables,
    width: usize,
    height: usize,
) -> Result<Vec<u16>, CodecError> {
    let &[1, _, selectors, ..] = segment else {
        return Err("its scan does not have one component");
    };
    let (precision, quantization) = tables.frame.ok_or("no frame header before the scan")?;
    let quantization = tables.quantization[quantization].as_ref().ok_or("its quantization table is missing")?;
    let (dc, ac) = (tables.huffman.dc(selectors)?, tables.huffman.ac(selectors)?);
    let basis = basis();
    let (center, most) = (f32::from(1u16 << (precision - 1)), f32::from((1u16 << precision) - 1));
    let mut bits = BitReader::new(bytes, start, Stuffing::Byte);
    let mut pixels = vec![0u16; width * height];
    let (mut predicted, mut until_restart) = (0i32, tables.restart_interval);
    for top in (0..height).step_by(8) {
        for left in (0..width).step_by(8) {
            if tables.restart_interval > 0 {
                if until_restart == 0 {
                    let (marker, after) = next_marker(bytes, bits.position()).ok_or("a restart marker is missing")?;
                    if !(0xD0..=0xD7).contains(&marker) {
                        return Err("a restart marker is missing");
                    }
                    bits = BitReader::new(bytes, after, Stuffing::Byte);
                    (predicted, until_restart) = (0, tables.restart_interval);
                }
                until_restart -= 1;
            }
            let block = block(&mut bits, dc, ac, quantization, &mut predicted)?;
            let samples = inverse_dct(&block, &basis);
            for (y, row) in samples.chunks_exact(8).enumerate().take(height - top) {
                let target = &mut pixels[(top + y) * width + left..][..8.min(width - left)];
                for (pixel, &sample) in target.iter_mut().zip(row) {
                    *pixel = (sample + center).round().clamp(0.0, most) as u16;
                }
            }
        }
    }
    bits.finish()?;
    Ok(pixels)
}

/// One block's coefficients, dequantized, in natural order (T.81, F.2.2).
fn block(
    bits: &mut BitReader,
    dc: &Huffman,
    ac: &Huffman,
    quantization: &[f32; 64],
    predicted: &mut i32,
) -> Result<[f32; 64], CodecError> {
    let mut block = [0.0; 64];
    let size = dc.decode(bits)?;
    *predicted = predicted.wrapping_add(extended(bits, size)?);
    block[0] = *predicted as f32 * quantization[0];
    let mut k = 1;
    while k < 64 {
        let symbol = ac.decode(bits)?;
        let (run, size) = (usize::from(symbol >> 4), symbol & 15);
        if size == 0 {
            if run != 15 {
                break;
            }
            k += 16;
            continue;
        }
        k += run;
        let &natural = ZIGZAG.get(k).ok_or("a block with too many coefficients")?;
        block[natural] = extended(bits, size)? as f32 * quantization[natural];
        k += 1;
    }
    Ok(block)
}

/// `basis[x][u]`: the value at sample `x` of the cosine of frequency `u`, with its normalization (T.81, A.3.3).
fn basis() -> [[f32; 8]; 8] {
    std::array::from_fn(|x| {
        std::array::from_fn(|u| {
            let norm = if u == 0 { std::f64::consts::FRAC_1_SQRT_2 } else { 1.0 };
            (0.5 * norm * ((2 * x + 1) as f64 * u as f64 * std::f64::consts::PI / 16.0).cos()) as f32
        })
    })
}

fn inverse_dct(block: &[f32; 64], basis: &[[f32; 8]; 8]) -> [f32; 64] {
    let mut columns = [0.0; 64];
    for v in 0..8 {
        let row = &block[8 * v..8 * v + 8];
        if row.iter().all(|&c| c == 0.0) {
            continue;
        }
        for x in 0..8 {
            columns[8 * v + x] = row.iter().zip(&basis[x]).map(|(c, b)| c * b).sum();
        }
    }
    let mut samples = [0.0; 64];
    for y in 0..8 {
        for v in 0..8 {
            let weight = basis[y][v];
            for x in 0..8 {
                samples[8 * y + x] += weight * columns[8 * v + x];
            }
        }
    }
    samples
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_flat_block_is_flat() {
        let mut block = [0.0; 64];
        block[0] = 80.0;
        assert!(inverse_dct(&block, &basis()).iter().all(|s| (s - 10.0).abs() < 1e-4));
    }
}
