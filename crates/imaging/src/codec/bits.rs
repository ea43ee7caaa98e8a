//! Bits of an entropy-coded segment, without the stuffing that keeps markers apart from data.

use super::CodecError;

/// How a byte of 0xFF inside the data is distinguished from a marker.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Stuffing {
    /// JPEG: a byte of 0 follows and is dropped (T.81, F.1.2.3).
    Byte,
    /// JPEG-LS: the next byte starts with a 0 bit, which is dropped (T.87, A.1).
    Bit,
}

/// Most bytes that may be left over at the end of an entropy-coded segment.
const MAX_SURPLUS: usize = 2;

const ENDS: CodecError = "its data end before the last pixel";

/// Reads bits, most significant first, up to the next marker.
pub(crate) struct BitReader<'a> {
    bytes: &'a [u8],
    at: usize,
    stuffing: Stuffing,
    buffer: u64,
    count: u32,
    after_ff: bool,
}

impl<'a> BitReader<'a> {
    /// Starts at byte `at`.
    pub(crate) fn new(bytes: &'a [u8], at: usize, stuffing: Stuffing) -> Self {
        Self { bytes, at, stuffing, buffer: 0, count: 0, after_ff: false }
    }

    /// The byte that is read next, or the marker that stopped the reading.
    pub(crate) fn position(&self) -> usize {
        self.at
    }

    fn fill(&mut self) {
        while self.count <= 48 {
            let Some(&byte) = self.bytes.get(self.at) else {
                return;
            };
            let mut width = 8;
            match self.stuffing {
                Stuffing::Byte if byte == 0xFF => {
                    if self.bytes.get(self.at + 1) != Some(&0) {
                        return;
                    }
                    self.at += 1;
                }
                Stuffing::Bit if self.after_ff => {
                    if byte >= 0x80 {
                        return;
                    }
                    width = 7;
                }
                _ => {}
            }
            self.after_ff = byte == 0xFF;
            self.buffer = self.buffer << width | u64::from(byte);
            self.count += width;
            self.at += 1;
        }
    }

    /// The next `n` bits, up to 32 of them.
    pub(crate) fn bits(&mut self, n: u32) -> Result<u32, CodecError> {
        if self.count < n {
            self.fill();
            if self.count < n {
                return Err(ENDS);
            }
        }
        self.count -= n;
        Ok((self.buffer >> self.count) as u32 & ((1u64 << n) - 1) as u32)
    }

    /// Checks that the segment ends here: less than a byte of padding is left before a marker, besides up to
    /// [`MAX_SURPLUS`] bytes that some encoders leave.
    pub(crate) fn finish(&mut self) -> Result<(), CodecError> {
        self.count -= self.count % 8;
        for _ in 0..=MAX_SURPLUS {
            if self.bits(8).is_err() {
                return Ok(());
            }
        }
        Err("it has more data than pixels")
    }

    /// The next 16 bits without taking them; zeros after the end.
    pub(crate) fn peek16(&mut self) -> u32 {
        if self.count < 16 {
            self.fill();
        }
        let value = if self.count >= 16 { self.buffer >> (self.count - 16) } else { self.buffer << (16 - self.count) };
        value as u32 & 0xFFFF
    }

    /// Number of 0 bits before the next 1 bit, which is taken too; an error where there are more than `most`.
    pub(crate) fn zeros(&mut self, most: u32) -> Result<u32, CodecError> {
        let mut zeros = 0;
        loop {
            if self.count == 0 {
                self.fill();
                if self.count == 0 {
                    return Err(ENDS);
                }
            }
            let run = (self.buffer << (64 - self.count)).leading_zeros().min(self.count);
            zeros += run;
            if zeros > most {
                return Err("a code word of impossible length");
            }
            if run < self.count {
                self.count -= run + 1;
                return Ok(zeros);
            }
            self.count = 0;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stuffing_is_dropped() {
        let mut bits = BitReader::new(&[0xFF, 0x00, 0xA5, 0xFF, 0xD9], 0, Stuffing::Byte);
        assert_eq!(bits.bits(16), Ok(0xFFA5));
        assert!(bits.bits(1).is_err());
        assert_eq!(bits.position(), 3);
        let mut bits = BitReader::new(&[0xFF, 0x7F, 0x80, 0xFF, 0xD9], 0, Stuffing::Bit);
        assert_eq!(bits.bits(15), Ok(0x7FFF));
        assert_eq!(bits.bits(16), Ok(0x80FF));
        assert!(bits.bits(1).is_err());
    }

    #[test]
    fn a_segment_ends_where_its_pixels_do() {
        for (bytes, taken, fine) in [
            ([0x12, 0x7F, 0xFF, 0xD9, 0, 0, 0, 0], 9, true),
            ([0x12, 0x34, 0x56, 0xFF, 0xD9, 0, 0, 0], 8, true),
            ([0x12, 0x34, 0x56, 0x78, 0xFF, 0xD9, 0, 0], 8, false),
        ] {
            let mut bits = BitReader::new(&bytes, 0, Stuffing::Byte);
            bits.bits(taken).unwrap();
            assert_eq!(bits.finish().is_ok(), fine, "{bytes:?}");
        }
    }

    #[test]
    fn zeros_are_counted_over_refills() {
        let mut bytes = [0u8; 20];
        bytes[18] = 0x10;
        let mut bits = BitReader::new(&bytes, 0, Stuffing::Byte);
        assert_eq!(bits.zeros(200), Ok(147));
        assert_eq!(bits.peek16(), 0);
        assert!(bits.zeros(200).is_err());
        assert!(BitReader::new(&bytes, 0, Stuffing::Byte).zeros(100).is_err());
    }
}
