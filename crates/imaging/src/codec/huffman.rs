//! Huffman tables of JPEG (ITU-T T.81, annex C and B.2.4.2).

use super::CodecError;
use super::bits::BitReader;

/// For each 16-bit prefix the code's length and value, length 0 where no code matches.
pub(super) struct Huffman(Vec<(u8, u8)>);

impl Huffman {
    /// From the number of codes of each length and their values (T.81, annex C).
    pub(super) fn new(counts: &[u8], values: &[u8]) -> Result<Self, CodecError> {
        let mut table = vec![(0, 0); 1 << 16];
        let (mut code, mut value) = (0usize, values.iter());
        for (length, &count) in (1u8..=16).zip(counts) {
            for _ in 0..count {
                let first = code << (16 - length);
                let last = (code + 1) << (16 - length);
                let value = *value.next().ok_or("a Huffman table is cut short")?;
                table.get_mut(first..last).ok_or("a Huffman table with too many codes")?.fill((length, value));
                code += 1;
            }
            code <<= 1;
        }
        Ok(Self(table))
    }

    /// The value of the next code.
    pub(super) fn decode(&self, bits: &mut BitReader) -> Result<u8, CodecError> {
        let (length, value) = self.0[bits.peek16() as usize];
        if length == 0 {
            return Err("a code that is not in its Huffman table");
        }
        bits.bits(u32::from(length))?;
        Ok(value)
    }
}

/// The tables of a stream, by their destination.
#[derive(Default)]
pub(super) struct HuffmanTables {
    dc: [Option<Huffman>; 4],
    ac: [Option<Huffman>; 4],
}

impl HuffmanTables {
    /// Takes the tables of a DHT segment.
    pub(super) fn define(&mut self, mut segment: &[u8]) -> Result<(), CodecError> {
        while let Some((&head, rest)) = segment.split_first() {
            let counts = rest.get(..16).ok_or("a Huffman table is cut short")?;
            let size: usize = counts.iter().map(|&c| usize::from(c)).sum();
            let values = rest.get(16..16 + size).ok_or("a Huffman table is cut short")?;
            let kind = if head >> 4 == 0 { &mut self.dc } else { &mut self.ac };
            kind[usize::from(head & 3)] = Some(Huffman::new(counts, values)?);
            segment = &rest[16 + size..];
        }
        Ok(())
    }

    /// The DC (or lossless) table that a scan's selector byte names.
    pub(super) fn dc(&self, selectors: u8) -> Result<&Huffman, CodecError> {
        self.dc[usize::from(selectors >> 4 & 3)].as_ref().ok_or("its Huffman table is missing")
    }

    /// The AC table that a scan's selector byte names.
    pub(super) fn ac(&self, selectors: u8) -> Result<&Huffman, CodecError> {
        self.ac[usize::from(selectors & 3)].as_ref().ok_or("its Huffman table is missing")
    }
}

/// A signed value of `size` bits, up to 15 (T.81, F.2.2.1, RECEIVE and EXTEND).
pub(super) fn extended(bits: &mut BitReader, size: u8) -> Result<i32, CodecError> {
    if size == 0 {
        return Ok(0);
    }
    if size > 15 {
        return Err("a coefficient of impossible size");
    }
    let value = bits.bits(u32::from(size))? as i32;
    Ok(if value < 1 << (size - 1) { value - (1 << size) + 1 } else { value })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::codec::bits::Stuffing;

    #[test]
    fn signed_values_extend() {
        let mut bits = BitReader::new(&[0b0000_0111, 0b1000_0000], 0, Stuffing::Byte);
        // Size 3: 000 is −7, 001 is −6, 111 is 7.
        assert_eq!(extended(&mut bits, 3), Ok(-7));
        assert_eq!(extended(&mut bits, 3), Ok(-6));
        assert_eq!(extended(&mut bits, 3), Ok(7));
    }

    #[test]
    fn an_overfull_table_is_refused() {
        assert!(Huffman::new(&[3], &[0, 1, 2]).is_err());
        assert!(Huffman::new(&[1, 1], &[0]).is_err());
    }
}
