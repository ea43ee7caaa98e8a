//! JPEG-LS of one component, lossless and near-lossless (ITU-T T.87 | ISO/IEC 14495-1). The names are the standard's own.

use super::CodecError;
use super::bits::{BitReader, Stuffing};
use super::jpeg_header::next_marker;

/// Order of the run-length codes (T.87, A.2.1).
const J: [u32; 32] =
    [0, 0, 0, 0, 1, 1, 1, 1, 2, 2, 2, 2, 3, 3, 3, 3, 4, 4, 5, 5, 6, 6, 7, 7, 8, 9, 10, 11, 12, 13, 14, 15];

/// Contexts of the regular mode, then the two of run interruption.
const REGULAR_CONTEXTS: usize = 365;

/// What the segments before the scan say: frame and preset coding parameters (T.87, C.2.2 and C.2.4.1).
#[derive(Default)]
struct Presets {
    precision: u8,
    maxval: i32,
    thresholds: [i32; 3],
    reset: i32,
}

/// Decodes a stream whose header is of `width`×`height` pixels to samples, row by row.
pub(crate) fn decode(bytes: &[u8], width: usize, height: usize) -> Result<Vec<u16>, CodecError> {
    let mut presets = Presets::default();
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
            0xF7 => match *segment {
                [precision @ 2..=16, _, _, _, _, 1, ..] => presets.precision = precision,
                [2..=16, ..] => return Err("it has more than one component"),
                _ => return Err("its samples have an impossible number of bits"),
            },
            0xF8 => preset(segment, &mut presets)?,
            0xDD if segment.iter().any(|&b| b != 0) => return Err("it uses restart intervals"),
            0xDA => {
                let &[1, _, mapping, near, _, point_transform, ..] = segment else {
                    return Err("its scan does not have one component");
                };
                if presets.precision == 0 {
                    return Err("no frame header before the scan");
                }
                if mapping != 0 || point_transform & 15 != 0 {
                    return Err("it uses a mapping table or a point transform");
                }
                let mut decoder = Decoder::new(&presets, i32::from(near), BitReader::new(bytes, at, Stuffing::Bit))?;
                return decoder.image(width, height);
            }
            0xD9 => return Err("no scan"),
            _ => {}
        }
    }
}

fn preset(segment: &[u8], presets: &mut Presets) -> Result<(), CodecError> {
    match segment {
        [1, values @ ..] if values.len() >= 10 => {
            let value = |i: usize| i32::from(u16::from_be_bytes([values[2 * i], values[2 * i + 1]]));
            presets.maxval = value(0);
            presets.thresholds = [value(1), value(2), value(3)];
            presets.reset = value(4);
            Ok(())
        }
        _ => Err("it uses a mapping table or an oversize image"),
    }
}

/// Statistics of one context (T.87, A.2.1).
#[derive(Clone)]
struct Context {
    a: i32,
    b: i32,
    c: i32,
    n: i32,
}

struct Decoder<'a> {
    bits: BitReader<'a>,
    near: i32,
    maxval: i32,
    range: i32,
    qbpp: u32,
    limit: u32,
    reset: i32,
    /// Quantized gradient of each difference, from `-maxval` up.
    quantized: Vec<i8>,
    contexts: Vec<Context>,
    /// Negative errors of the two run-interruption contexts.
    nn: [i32; 2],
    run_index: usize,
}

impl<'a> Decoder<'a> {
    fn new(presets: &Presets, near: i32, bits: BitReader<'a>) -> Result<Self, CodecError> {
        let maxval = if presets.maxval > 0 { presets.maxval } else { (1 << presets.precision) - 1 };
        if maxval >= 1 << presets.precision || near > 255.min(maxval / 2) {
            return Err("its coding parameters are impossible");
        }
        let range = (maxval + 2 * near) / (2 * near + 1) + 1;
        let log2 = |v: i32| u32::BITS - (v as u32 - 1).leading_zeros();
        let bpp = log2(maxval + 1).max(2);
        let thresholds = thresholds(presets, maxval, near)?;
        let first = Context { a: ((range + 32) / 64).max(2), b: 0, c: 0, n: 1 };
        let quantize = |d: i32| {
            let [t1, t2, t3] = thresholds;
            let level = match d.abs() {
                m if m <= near => 0,
                m if m < t1 => 1,
                m if m < t2 => 2,
                m if m < t3 => 3,
                _ => 4,
            };
            if d < 0 { -level } else { level }
        };
        Ok(Self {
            bits,
            near,
            maxval,
            range,
            qbpp: log2(range),
            limit: 2 * (bpp + bpp.max(8)),
            reset: if presets.reset > 0 { presets.reset.max(3) } else { 64 },
            quantized: (-maxval..=maxval).map(quantize).collect(),
            contexts: vec![first; REGULAR_CONTEXTS + 2],
            nn: [0; 2],
            run_index: 0,
        })
    }

    fn image(&mut self, width: usize, height: usize) -> Result<Vec<u16>, CodecError> {
        let mut pixels = Vec::with_capacity(width * height);
        // One sample before the line and one after it, as the causal template needs (T.87, A.2.1, figure 3).
        let (mut previous, mut current) = (vec![0i32; width + 2], vec![0i32; width + 2]);
        for _ in 0..height {
            previous[width + 1] = previous[width];
            current[0] = previous[1];
            self.line(&previous, &mut current)?;
            pixels.extend(current[1..=width].iter().map(|&v| v as u16));
            std::mem::swap(&mut previous, &mut current);
        }
        self.bits.finish()?;
        Ok(pixels)
    }

    fn line(&mut self, previous: &[i32], current: &mut [i32]) -> Result<(), CodecError> {
        let width = current.len() - 2;
        let mut x = 1;
        while x <= width {
            let (ra, rb, rc, rd) = (current[x - 1], previous[x], previous[x - 1], previous[x + 1]);
            let q = (self.quantize(rd - rb) * 9 + self.quantize(rb - rc)) * 9 + self.quantize(rc - ra);
            if q != 0 {
                current[x] = self.regular(q, ra, rb, rc)?;
                x += 1;
                continue;
            }
            let run = self.run_length(width + 1 - x)?;
            current[x..x + run].fill(ra);
            x += run;
            if x <= width {
                current[x] = self.interruption(ra, previous[x])?;
                self.run_index = self.run_index.saturating_sub(1);
                x += 1;
            }
        }
        Ok(())
    }

    fn quantize(&self, difference: i32) -> i32 {
        i32::from(self.quantized[(difference + self.maxval) as usize])
    }

    /// A sample outside runs (T.87, A.4 to A.6). The sign of `q` is the sign of its context.
    fn regular(&mut self, q: i32, ra: i32, rb: i32, rc: i32) -> Result<i32, CodecError> {
        let sign = q.signum();
        let context = &self.contexts[q.unsigned_abs() as usize];
        let k = golomb_parameter(context.n, context.a)?;
        let swapped = self.near == 0 && k == 0 && 2 * context.b <= -context.n;
        let prediction = (median(ra, rb, rc) + sign * context.c).clamp(0, self.maxval);
        let mapped = self.golomb(k, self.limit)?;
        // Inverse of the error mapping (A.5.2).
        let error = match (swapped, mapped & 1 == 0) {
            (false, true) => mapped >> 1,
            (false, false) => -((mapped + 1) >> 1),
            (true, true) => -(mapped >> 1) - 1,
            (true, false) => mapped >> 1,
        };
        self.update(q.unsigned_abs() as usize, error);
        Ok(self.reconstruct(prediction, sign * error))
    }

    /// Updates a context's statistics and bias (T.87, A.6).
    fn update(&mut self, q: usize, error: i32) {
        let context = &mut self.contexts[q];
        context.b += error * (2 * self.near + 1);
        context.a = context.a.saturating_add(error.abs());
        if context.n == self.reset {
            context.a >>= 1;
            context.b >>= 1;
            context.n >>= 1;
        }
        context.n += 1;
        if context.b <= -context.n {
            context.b = (context.b + context.n).max(1 - context.n);
            context.c = (context.c - 1).max(-128);
        } else if context.b > 0 {
            context.b = (context.b - context.n).min(0);
            context.c = (context.c + 1).min(127);
        }
    }

    /// Length of a run, at most `rest` (T.87, A.7.1).
    fn run_length(&mut self, rest: usize) -> Result<usize, CodecError> {
        let mut run = 0;
        while self.bits.bits(1)? == 1 {
            let segment = 1usize << J[self.run_index];
            let taken = segment.min(rest - run);
            run += taken;
            if taken == segment {
                self.run_index = (self.run_index + 1).min(J.len() - 1);
            }
            if run == rest {
                return Ok(run);
            }
        }
        run += self.bits.bits(J[self.run_index])? as usize;
        if run < rest { Ok(run) } else { Err("a run goes past the end of its line") }
    }

    /// The sample that ends a run (T.87, A.7.2).
    fn interruption(&mut self, ra: i32, rb: i32) -> Result<i32, CodecError> {
        let ri_type = usize::from((ra - rb).abs() <= self.near);
        let context = &self.contexts[REGULAR_CONTEXTS + ri_type];
        let n = context.n;
        let k = golomb_parameter(n, context.a + if ri_type == 1 { n >> 1 } else { 0 })?;
        let mapped = self.golomb(k, self.limit - J[self.run_index] - 1)?;
        let sum = mapped + ri_type as i32;
        let (map, magnitude) = (sum & 1, (sum + 1) >> 1);
        let negative = (k != 0 || 2 * self.nn[ri_type] >= n) == (map == 1);
        let error = if negative { -magnitude } else { magnitude };
        let context = &mut self.contexts[REGULAR_CONTEXTS + ri_type];
        if error < 0 {
            self.nn[ri_type] += 1;
        }
        context.a = context.a.saturating_add((mapped + 1 - ri_type as i32) >> 1);
        if context.n == self.reset {
            context.a >>= 1;
            context.n >>= 1;
            self.nn[ri_type] >>= 1;
        }
        context.n += 1;
        Ok(match ri_type {
            1 => self.reconstruct(ra, error),
            _ => self.reconstruct(rb, if ra > rb { -error } else { error }),
        })
    }

    /// A limited-length Golomb code word (T.87, A.5.3).
    fn golomb(&mut self, k: u32, limit: u32) -> Result<i32, CodecError> {
        let escape = limit - self.qbpp - 1;
        let zeros = self.bits.zeros(escape)?;
        let value = if zeros < escape {
            u64::from(zeros) << k | u64::from(self.bits.bits(k)?)
        } else {
            u64::from(self.bits.bits(self.qbpp)?) + 1
        };
        // A mapped error is below twice the range; anything else would not fit the modulo reduction.
        if value > 2 * self.range as u64 { Err("an error out of range") } else { Ok(value as i32) }
    }

    /// Prediction and error to a sample, modulo the range (T.87, A.4.5 and A.8).
    fn reconstruct(&self, prediction: i32, error: i32) -> i32 {
        let step = 2 * self.near + 1;
        let mut value = prediction + error * step;
        if value < -self.near {
            value += self.range * step;
        } else if value > self.maxval + self.near {
            value -= self.range * step;
        }
        value.clamp(0, self.maxval)
    }
}

/// Gradient thresholds: those of the stream, or the defaults (T.87, C.2.4.1.1.1).
fn thresholds(presets: &Presets, maxval: i32, near: i32) -> Result<[i32; 3], CodecError> {
    let clamp = |value: i32, low: i32| {
        if value > maxval || value < low { low } else { value }
    };
    let [basic1, basic2, basic3] = if maxval >= 128 {
        let factor = (maxval.min(4095) + 128) / 256;
        [factor + 2 + 3 * near, factor * 4 + 3 + 5 * near, factor * 17 + 4 + 7 * near]
    } else {
        let factor = 256 / (maxval + 1);
        [(3 / factor + 3 * near).max(2), (7 / factor + 5 * near).max(3), (21 / factor + 7 * near).max(4)]
    };
    let chosen = |given: i32, default: i32| if given > 0 { given } else { default };
    let t1 = chosen(presets.thresholds[0], clamp(basic1, near + 1));
    let t2 = chosen(presets.thresholds[1], clamp(basic2, t1));
    let t3 = chosen(presets.thresholds[2], clamp(basic3, t2));
    if near < t1 && t1 <= t2 && t2 <= t3 && t3 <= maxval {
        Ok([t1, t2, t3])
    } else {
        Err("its coding parameters are impossible")
    }
}

/// The edge-detecting predictor (T.87, A.4.1).
fn median(ra: i32, rb: i32, rc: i32) -> i32 {
    let (low, high) = (ra.min(rb), ra.max(rb));
    if rc >= high {
        low
    } else if rc <= low {
        high
    } else {
        ra + rb - rc
    }
}

/// The smallest `k` with `n·2^k ≥ a` (T.87, A.5.1).
fn golomb_parameter(n: i32, a: i32) -> Result<u32, CodecError> {
    (0..24).find(|&k| i64::from(n) << k >= i64::from(a)).ok_or("an error out of range")
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The worked example of T.87, H.3: 4×4 pixels of 8 bits.
    #[test]
    fn the_example_of_the_standard() {
        let stream = [
            0xFF, 0xD8, 0xFF, 0xF7, 0x00, 0x0B, 0x08, 0x00, 0x04, 0x00, 0x04, 0x01, 0x01, 0x11, 0x00, 0xFF, 0xDA, 0x00,
            0x08, 0x01, 0x01, 0x00, 0x00, 0x00, 0x00, 0xC0, 0x00, 0x00, 0x6C, 0x80, 0x20, 0x8E, 0x01, 0xC0, 0x00, 0x00,
            0x57, 0x40, 0x00, 0x00, 0x6E, 0xE6, 0x00, 0x00, 0x01, 0xBC, 0x18, 0x00, 0x00, 0x05, 0xD8, 0x00, 0x00, 0x91,
            0x60, 0xFF, 0xD9,
        ];
        let pixels = [0, 0, 90, 74, 68, 50, 43, 205, 64, 145, 145, 145, 100, 145, 145, 145];
        assert_eq!(decode(&stream, 4, 4).unwrap(), pixels);
    }

    #[test]
    fn default_thresholds_are_those_of_the_standard() {
        let at = |maxval, near| thresholds(&Presets::default(), maxval, near).unwrap();
        assert_eq!(at(255, 0), [3, 7, 21]);
        assert_eq!(at(4095, 0), [18, 67, 276]);
        assert_eq!(at(1023, 0), [6, 19, 72]);
    }

    #[test]
    fn median_predicts_edges() {
        assert_eq!([median(5, 9, 10), median(5, 9, 4), median(5, 9, 6)], [5, 9, 8]);
    }
}
