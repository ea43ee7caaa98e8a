//! Whether the entropy-coded data of a DCT-based JPEG are those of its pixels (ITU-T T.81, annexes F and G, Huffman coding).
//!
//! Decoders paint what is missing gray, as their users would rather see half a photograph than none. Half a film must not pass
//! for a film: here every code is followed, none decoded, and a stream whose data end before the last block, go on after it, or
//! meet a code that is not there is an error.

use super::CodecError;
use super::bits::{BitReader, Stuffing};
use super::huffman::HuffmanTables;
use super::jpeg_header::{next_marker, segment};
use super::jpeg_lossless::restart;

/// A component: its name, its blocks and what has been coded of them.
struct Component {
    name: u8,
    /// Blocks across and down in a scan of its own.
    own: [usize; 2],
    /// Blocks across and down in each unit of a scan of several.
    unit: [usize; 2],
    /// Blocks across, padded to whole units.
    stride: usize,
    /// For each block the coefficients that are not 0, as bits. Progressive mode alone needs them.
    nonzero: Vec<u64>,
    /// The lowest bit that has been coded of each coefficient; `u8::MAX` before any.
    lowest_bit: [u8; 64],
}

struct Frame {
    is_progressive: bool,
    /// Units across and down.
    units: [usize; 2],
    components: Vec<Component>,
}

/// What a scan header says, with the components by their place in the frame.
struct Scan {
    /// Place and table selectors.
    parts: Vec<(usize, u8)>,
    /// First and last coefficient.
    band: [usize; 2],
    /// Bits by which values were and are shifted.
    high: u8,
    low: u8,
}

/// Follows every scan of a stream.
pub(crate) fn check(bytes: &[u8]) -> Result<(), CodecError> {
    check_with_tables(&[], bytes)
}

/// Follows every scan of an abbreviated stream, whose Huffman tables may stand in another (T.81, B.5).
pub(crate) fn check_with_tables(others: &[u8], bytes: &[u8]) -> Result<(), CodecError> {
    let mut tables = HuffmanTables::default();
    let mut at = 2;
    while let Some((marker, start)) = next_marker(others, at)
        && marker != 0xD9
    {
        let content = segment(others, start)?;
        at = start + 2 + content.len();
        if marker == 0xC4 {
            tables.define(content)?;
        }
    }
    let (mut frame, mut restart_interval) = (None::<Frame>, 0);
    let mut at = 2;
    while let Some((marker, start)) = next_marker(bytes, at) {
        if marker == 0xD9 {
            break;
        }
        if matches!(marker, 0x01 | 0xD0..=0xD8) {
            at = start;
            continue;
        }
        let content = segment(bytes, start)?;
        at = start + 2 + content.len();
        match marker {
            0xC4 => tables.define(content)?,
            0xC0..=0xC2 if frame.is_some() => return Err("it has two frame headers"),
            0xC0..=0xC2 => frame = Some(frame_header(content, marker == 0xC2)?),
            0xC9..=0xCB | 0xCD..=0xCF => return Err("arithmetic coding is not supported"),
            0xC3 | 0xC5..=0xC7 => return Err("it is neither sequential nor progressive"),
            0xDD => {
                restart_interval = usize::from(u16::from_be_bytes(content.try_into().map_err(|_| "a bad segment")?))
            }
            0xDA => {
                let frame = frame.as_mut().ok_or("no frame header before the scan")?;
                let scan = scan_header(content, frame)?;
                at = follow(bytes, at, frame, &scan, &tables, restart_interval)?;
            }
            _ => {}
        }
    }
    let frame = frame.ok_or("no frame header")?;
    let first = frame.components.first().ok_or("no component")?;
    if frame.components.iter().any(|component| component.lowest_bit[0] == u8::MAX) {
        return Err("a component has no scan");
    }
    if first.lowest_bit.iter().any(|&bit| bit != 0) { Err("its last scans are missing") } else { Ok(()) }
}

fn frame_header(content: &[u8], is_progressive: bool) -> Result<Frame, CodecError> {
    let &[_, h1, h0, w1, w0, count @ 1..=4, ref rest @ ..] = content else {
        return Err("its frame header is impossible");
    };
    let parts = rest.get(..3 * usize::from(count)).ok_or("a segment is cut short")?;
    let factors = |part: &[u8]| [usize::from(part[1] >> 4), usize::from(part[1] & 15)];
    if parts.chunks_exact(3).any(|part| factors(part).iter().any(|factor| !(1..=4).contains(factor))) {
        return Err("its sampling factors are impossible");
    }
    let most = |axis: usize| parts.chunks_exact(3).map(|part| factors(part)[axis]).max().unwrap_or(1);
    let most = [most(0), most(1)];
    let size = [u16::from_be_bytes([w1, w0]), u16::from_be_bytes([h1, h0])].map(usize::from);
    let units = [0, 1].map(|axis| size[axis].div_ceil(8 * most[axis]));
    let component = |part: &[u8]| {
        let unit = factors(part);
        let own = [0, 1].map(|axis| (size[axis] * unit[axis]).div_ceil(most[axis]).div_ceil(8));
        let blocks = if is_progressive { units[0] * unit[0] * units[1] * unit[1] } else { 0 };
        let (stride, nonzero) = (units[0] * unit[0], vec![0; blocks]);
        Component { name: part[0], own, unit, stride, nonzero, lowest_bit: [u8::MAX; 64] }
    };
    Ok(Frame { is_progressive, units, components: parts.chunks_exact(3).map(component).collect() })
}

fn scan_header(content: &[u8], frame: &mut Frame) -> Result<Scan, CodecError> {
    let (&count, rest) = content.split_first().ok_or("a segment is cut short")?;
    let (pairs, rest) = rest.split_at_checked(2 * usize::from(count)).ok_or("a segment is cut short")?;
    let &[first, last, approximation, ..] = rest else {
        return Err("a segment is cut short");
    };
    let place = |name| frame.components.iter().position(|component| component.name == name);
    let parts: Option<Vec<_>> = pairs.chunks_exact(2).map(|pair| Some((place(pair[0])?, pair[1]))).collect();
    let parts = parts.filter(|parts| !parts.is_empty()).ok_or("a scan of no component")?;
    let scan = if frame.is_progressive {
        Scan { parts, band: [first, last].map(usize::from), high: approximation >> 4, low: approximation & 15 }
    } else {
        Scan { parts, band: [0, 63], high: 0, low: 0 }
    };
    let is_band = if scan.band[0] == 0 {
        scan.band[1] == 0 || !frame.is_progressive
    } else {
        scan.band[0] <= scan.band[1] && scan.band[1] < 64 && scan.parts.len() == 1
    };
    if !is_band || scan.low > 13 {
        return Err("its scan header is impossible");
    }
    for &(place, _) in &scan.parts {
        frame.components[place].lowest_bit[scan.band[0]..=scan.band[1]].fill(scan.low);
    }
    Ok(scan)
}

/// Follows a scan that begins at `at`; the position of the marker after it.
fn follow(
    bytes: &[u8],
    at: usize,
    frame: &mut Frame,
    scan: &Scan,
    tables: &HuffmanTables,
    restart_interval: usize,
) -> Result<usize, CodecError> {
    let mut bits = BitReader::new(bytes, at, Stuffing::Byte);
    let units = match scan.parts[..] {
        [(place, _)] => frame.components[place].own,
        _ => frame.units,
    };
    let (mut end_of_band, mut restarts) = (0, 0u8);
    for unit in 0..units[0] * units[1] {
        if restart_interval > 0 && unit > 0 && unit % restart_interval == 0 {
            bits = restart(&mut bits, bytes, restarts)?;
            (end_of_band, restarts) = (0, (restarts + 1) % 8);
        }
        let (column, row) = (unit % units[0], unit / units[0]);
        for &(place, selectors) in &scan.parts {
            let component = &mut frame.components[place];
            let per_unit = if scan.parts.len() == 1 { [1, 1] } else { component.unit };
            for block in 0..per_unit[0] * per_unit[1] {
                let x = column * per_unit[0] + block % per_unit[0];
                let y = row * per_unit[1] + block / per_unit[0];
                if frame.is_progressive {
                    let nonzero = &mut component.nonzero[y * component.stride + x];
                    progressive(&mut bits, scan, selectors, tables, &mut end_of_band, nonzero)?;
                } else {
                    sequential(&mut bits, selectors, tables)?;
                }
            }
        }
    }
    if end_of_band > 0 {
        return Err("a run goes past the last block");
    }
    bits.finish()?;
    Ok(bits.position())
}

/// A block of sequential mode (T.81, F.2.2).
fn sequential(bits: &mut BitReader, selectors: u8, tables: &HuffmanTables) -> Result<(), CodecError> {
    dc_difference(bits, selectors, tables)?;
    let ac = tables.ac(selectors)?;
    let mut k = 1;
    while k < 64 {
        let symbol = ac.decode(bits)?;
        let (run, size) = (usize::from(symbol >> 4), symbol & 15);
        if size == 0 && run != 15 {
            break;
        }
        k += run;
        if k > 63 {
            return Err("a block with too many coefficients");
        }
        bits.bits(u32::from(size))?;
        k += 1;
    }
    Ok(())
}

fn dc_difference(bits: &mut BitReader, selectors: u8, tables: &HuffmanTables) -> Result<(), CodecError> {
    let size = tables.dc(selectors)?.decode(bits)?;
    if size > 15 {
        return Err("a coefficient of impossible size");
    }
    bits.bits(u32::from(size)).map(|_| ())
}

/// A block of a progressive scan (T.81, G.1.2 and G.2).
fn progressive(
    bits: &mut BitReader,
    scan: &Scan,
    selectors: u8,
    tables: &HuffmanTables,
    end_of_band: &mut u32,
    nonzero: &mut u64,
) -> Result<(), CodecError> {
    match (scan.band[0], scan.high) {
        (0, 0) => dc_difference(bits, selectors, tables),
        (0, _) => bits.bits(1).map(|_| ()),
        (_, 0) => first_band(bits, scan, selectors, tables, end_of_band, nonzero),
        _ => refined_band(bits, scan, selectors, tables, end_of_band, nonzero),
    }
}

fn first_band(
    bits: &mut BitReader,
    scan: &Scan,
    selectors: u8,
    tables: &HuffmanTables,
    end_of_band: &mut u32,
    nonzero: &mut u64,
) -> Result<(), CodecError> {
    if *end_of_band > 0 {
        *end_of_band -= 1;
        return Ok(());
    }
    let ac = tables.ac(selectors)?;
    let mut k = scan.band[0];
    while k <= scan.band[1] {
        let symbol = ac.decode(bits)?;
        let (run, size) = (symbol >> 4, symbol & 15);
        if size == 0 && run != 15 {
            *end_of_band = (1 << run) - 1 + bits.bits(u32::from(run))?;
            break;
        }
        k += usize::from(run);
        if k > scan.band[1] {
            return Err("a block with too many coefficients");
        }
        if size > 0 {
            bits.bits(u32::from(size))?;
            *nonzero |= 1 << k;
        }
        k += 1;
    }
    Ok(())
}

fn refined_band(
    bits: &mut BitReader,
    scan: &Scan,
    selectors: u8,
    tables: &HuffmanTables,
    end_of_band: &mut u32,
    nonzero: &mut u64,
) -> Result<(), CodecError> {
    let [mut k, last] = scan.band;
    if *end_of_band == 0 {
        let ac = tables.ac(selectors)?;
        while k <= last {
            let symbol = ac.decode(bits)?;
            let (mut run, size) = (symbol >> 4, symbol & 15);
            match size {
                0 if run != 15 => {
                    *end_of_band = (1 << run) + bits.bits(u32::from(run))?;
                    break;
                }
                0 => {}
                1 => bits.bits(1).map(|_| ())?,
                _ => return Err("a coefficient of impossible size"),
            }
            // A correction bit for each coefficient that is not 0, up to the end of the run of those that are.
            while k <= last {
                if *nonzero >> k & 1 == 1 {
                    bits.bits(1)?;
                } else if run == 0 {
                    break;
                } else {
                    run -= 1;
                }
                k += 1;
            }
            if size == 1 {
                if k > last {
                    return Err("a block with too many coefficients");
                }
                *nonzero |= 1 << k;
            }
            k += 1;
        }
    }
    if *end_of_band > 0 {
        let rest = (*nonzero >> k.min(63) << k.min(63)) & (u64::MAX >> (63 - last));
        let corrections = if k > last { 0 } else { rest.count_ones() };
        for _ in 0..corrections {
            bits.bits(1)?;
        }
        *end_of_band -= 1;
    }
    Ok(())
}
