//! Lossless JPEG with Huffman coding, of 2 to 16 bits a sample and up to four components (ITU-T T.81, annex H and process 14).

use super::CodecError;
use super::bits::{BitReader, Stuffing};
use super::huffman::{Huffman, HuffmanTables, extended};
use super::jpeg_header::{next_marker, segment};

/// What the frame header says: bits a sample and the names of the components.
struct Frame {
    precision: u8,
    components: Vec<u8>,
}

/// A component of a scan: its place in a pixel and its table.
struct Part<'t> {
    place: usize,
    table: &'t Huffman,
}

/// What a scan header says beside its components.
struct Scan {
    predictor: u8,
    point_transform: u8,
    restart_interval: usize,
}

/// Decodes a stream whose header is of `width`×`height` pixels to samples, row by row, the components of a pixel side by side.
pub(crate) fn decode(bytes: &[u8], width: usize, height: usize) -> Result<Vec<u16>, CodecError> {
    let mut tables = HuffmanTables::default();
    let (mut frame, mut restart_interval) = (None::<Frame>, 0);
    let (mut samples, mut done) = (Vec::new(), Vec::new());
    let mut at = 2;
    while let Some((marker, start)) = next_marker(bytes, at) {
        if marker == 0xD9 {
            break;
        }
        let content = segment(bytes, start)?;
        at = start + 2 + content.len();
        match marker {
            0xC4 => tables.define(content)?,
            0xC3 => {
                let header = frame_header(content)?;
                samples = vec![0; width * height * header.components.len()];
                done = vec![false; header.components.len()];
                frame = Some(header);
            }
            0xC0..=0xC2 | 0xC5..=0xCF => return Err("it is not a lossless Huffman-coded JPEG"),
            0xDD => {
                restart_interval = usize::from(u16::from_be_bytes(content.try_into().map_err(|_| "a bad segment")?))
            }
            0xDA => {
                let frame = frame.as_ref().ok_or("no frame header before the scan")?;
                let (parts, scan) = scan_header(content, frame, &tables, restart_interval)?;
                parts.iter().for_each(|part| done[part.place] = true);
                at = decode_scan(bytes, at, frame, &parts, &scan, width, &mut samples)?;
            }
            _ => {}
        }
    }
    if done.is_empty() || done.contains(&false) { Err("a component has no scan") } else { Ok(samples) }
}

fn frame_header(content: &[u8]) -> Result<Frame, CodecError> {
    let &[precision @ 2..=16, _, _, _, _, count @ 1..=4, ref rest @ ..] = content else {
        return Err("its frame header is impossible");
    };
    let components = rest.get(..3 * usize::from(count)).ok_or("a segment is cut short")?;
    let sampling = components.chunks_exact(3).map(|component| component[1]);
    if count > 1 && sampling.into_iter().any(|sampling| sampling != components[1]) {
        return Err("its components are subsampled");
    }
    Ok(Frame { precision, components: components.chunks_exact(3).map(|component| component[0]).collect() })
}

fn scan_header<'t>(
    content: &[u8],
    frame: &Frame,
    tables: &'t HuffmanTables,
    restart_interval: usize,
) -> Result<(Vec<Part<'t>>, Scan), CodecError> {
    let (&count, rest) = content.split_first().ok_or("a segment is cut short")?;
    let (pairs, rest) = rest.split_at_checked(2 * usize::from(count)).ok_or("a segment is cut short")?;
    let &[predictor @ 1..=7, _, approximation, ..] = rest else {
        return Err("its predictor is impossible");
    };
    let point_transform = approximation & 15;
    if count == 0 || point_transform >= frame.precision {
        return Err("its scan header is impossible");
    }
    let part = |pair: &[u8]| {
        let place = frame.components.iter().position(|&name| name == pair[0]).ok_or("a scan of no component")?;
        Ok(Part { place, table: tables.dc(pair[1])? })
    };
    let parts = pairs.chunks_exact(2).map(part).collect::<Result<_, CodecError>>()?;
    Ok((parts, Scan { predictor, point_transform, restart_interval }))
}

/// Decodes a scan that begins at `at`; the position of the marker after it.
fn decode_scan(
    bytes: &[u8],
    at: usize,
    frame: &Frame,
    parts: &[Part],
    scan: &Scan,
    width: usize,
    samples: &mut [u16],
) -> Result<usize, CodecError> {
    let stride = frame.components.len();
    let mut bits = BitReader::new(bytes, at, Stuffing::Byte);
    let start = 1i32 << (frame.precision - scan.point_transform - 1);
    let (mut until_restart, mut restarts, mut first_line) = (scan.restart_interval, 0u8, 0);
    // Samples as they are predicted, before the point transform is undone.
    let (mut previous, mut current) = (vec![0i32; width * stride], vec![0i32; width * stride]);
    for (y, row) in samples.chunks_exact_mut(width * stride).enumerate() {
        for x in 0..width {
            if scan.restart_interval > 0 && until_restart == 0 {
                if x != 0 {
                    return Err("a restart inside a line");
                }
                bits = restart(&mut bits, bytes, restarts)?;
                (until_restart, restarts, first_line) = (scan.restart_interval, (restarts + 1) % 8, y);
            }
            until_restart = until_restart.wrapping_sub(1);
            for part in parts {
                let i = x * stride + part.place;
                let prediction = match (x, y == first_line) {
                    (0, true) => start,
                    (_, true) => current[i - stride],
                    (0, false) => previous[i],
                    _ => predict(scan.predictor, current[i - stride], previous[i], previous[i - stride]),
                };
                current[i] = (prediction + difference(&mut bits, part.table)?) & 0xFFFF;
                row[i] = (current[i] << scan.point_transform) as u16;
            }
        }
        std::mem::swap(&mut previous, &mut current);
    }
    bits.finish()?;
    Ok(bits.position())
}

/// Goes on after the restart marker number `expected`.
pub(super) fn restart<'a>(
    bits: &mut BitReader<'a>,
    bytes: &'a [u8],
    expected: u8,
) -> Result<BitReader<'a>, CodecError> {
    bits.finish()?;
    match next_marker(bytes, bits.position()) {
        Some((marker, after)) if marker == 0xD0 + expected => Ok(BitReader::new(bytes, after, Stuffing::Byte)),
        _ => Err("a restart marker is missing"),
    }
}

/// A difference, modulo 65,536 (T.81, H.1.2.2).
fn difference(bits: &mut BitReader, table: &Huffman) -> Result<i32, CodecError> {
    match table.decode(bits)? {
        16 => Ok(32_768),
        size => extended(bits, size),
    }
}

/// The predictors of T.81, table H.1.
fn predict(predictor: u8, ra: i32, rb: i32, rc: i32) -> i32 {
    match predictor {
        1 => ra,
        2 => rb,
        3 => rc,
        4 => ra + rb - rc,
        5 => ra + ((rb - rc) >> 1),
        6 => rb + ((ra - rc) >> 1),
        _ => (ra + rb) >> 1,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Two lines of three pixels of 8 bits: the difference of each is coded with the one-bit code of size 1 (`0`) and its sign.
    fn stream(predictor: u8, point_transform: u8, restart: bool, data: &[u8]) -> Vec<u8> {
        let mut bytes = vec![0xFF, 0xD8, 0xFF, 0xC3, 0, 11, 8, 0, 2, 0, 3, 1, 1, 0x11, 0];
        bytes.extend([0xFF, 0xC4, 0, 20, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1]);
        if restart {
            bytes.extend([0xFF, 0xDD, 0, 4, 0, 3]);
        }
        bytes.extend([0xFF, 0xDA, 0, 8, 1, 1, 0, predictor, 0, point_transform]);
        bytes.extend(data);
        bytes.extend([0xFF, 0xD9]);
        bytes
    }

    #[test]
    fn differences_add_up() {
        // Signs + + - | + - +, as bit pairs 01 01 00 01 00 01 and padding.
        let data = [0b0101_0001, 0b0001_1111];
        assert_eq!(decode(&stream(1, 0, false, &data), 3, 2).unwrap(), [129, 130, 129, 130, 129, 130]);
        assert_eq!(decode(&stream(2, 0, false, &data), 3, 2).unwrap(), [129, 130, 129, 130, 129, 130]);
        assert_eq!(decode(&stream(4, 0, false, &data), 3, 2).unwrap(), [129, 130, 129, 130, 130, 130]);
        // One bit less is predicted, and comes back as zero.
        assert_eq!(decode(&stream(1, 1, false, &data), 3, 2).unwrap(), [130, 132, 130, 132, 130, 132]);
    }

    #[test]
    fn a_restart_begins_anew() {
        let data = [0b0101_0011, 0xFF, 0xD0, 0b0100_0111];
        assert_eq!(decode(&stream(1, 0, true, &data), 3, 2).unwrap(), [129, 130, 129, 129, 128, 129]);
        assert!(decode(&stream(1, 0, true, &[0b0101_0011, 0xFF, 0xD1, 0b0100_0111]), 3, 2).is_err());
    }

    #[test]
    fn missing_and_surplus_data_are_errors() {
        assert!(decode(&stream(1, 0, false, &[0b0101_0001]), 3, 2).is_err());
        assert!(decode(&stream(1, 0, false, &[0b0101_0001, 0b0001_1111, 0, 0, 0, 0]), 3, 2).is_err());
        assert!(decode(&stream(8, 0, false, &[0b0101_0001, 0b0001_1111]), 3, 2).is_err());
    }
}
