//! The few data elements that this crate reads and writes itself (PS3.5 section 7): flat elements and sequences, little endian.
//!
//! The bytes are a peer's. Nothing is copied before it is asked for, sequences nest [`MAX_DEPTH`] deep at most, and every length is
//! compared with what is there, so that no data set takes more room or stack than its own bytes.

use crate::error::Malformed;

/// How deep sequences may nest; the deepest of the standard's templates nest about half as deep.
const MAX_DEPTH: usize = 16;
/// The length that stands for "until the delimiter".
const UNDEFINED: u32 = u32::MAX;

/// A tag: group in the upper, element in the lower 16 bits.
pub(crate) type Tag = u32;

const ITEM: Tag = 0xFFFE_E000;
const ITEM_END: Tag = 0xFFFE_E00D;
const SEQUENCE_END: Tag = 0xFFFE_E0DD;

/// How elements are encoded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Encoding {
    /// Implicit VR Little Endian.
    Implicit,
    /// Explicit VR Little Endian, and the encapsulated syntaxes, whose data sets are encoded likewise.
    Explicit,
}

impl Encoding {
    /// The encoding of a transfer syntax; `None` for big endian and deflated data sets.
    pub(crate) fn of(transfer_syntax: &str) -> Option<Self> {
        match transfer_syntax {
            crate::IMPLICIT_VR => Some(Self::Implicit),
            "1.2.840.10008.1.2.2" | "1.2.840.10008.1.2.1.99" => None,
            syntax if syntax.starts_with("1.2.840.10008.1.2.4.95") => None,
            syntax if syntax.starts_with("1.2.840.10008.1.2.8.") => None,
            _ => Some(Self::Explicit),
        }
    }

    /// Appends an element; `vr` is written in explicit encoding only. An odd value is padded by `padding`.
    pub(crate) fn write(self, out: &mut Vec<u8>, tag: Tag, vr: [u8; 2], value: &[u8], padding: u8) {
        let is_odd = value.len() % 2 == 1;
        // Values are UIDs, numbers, or sequences that were themselves read from a data set of 1 MiB at most.
        let length = value.len() as u32 + u32::from(is_odd);
        write_tag(out, tag);
        match self {
            Self::Implicit => out.extend(length.to_le_bytes()),
            Self::Explicit if is_long(vr) => {
                out.extend(vr);
                out.extend([0, 0]);
                out.extend(length.to_le_bytes());
            }
            Self::Explicit => {
                out.extend(vr);
                out.extend((length as u16).to_le_bytes());
            }
        }
        out.extend_from_slice(value);
        out.extend(is_odd.then_some(padding));
    }
}

/// Appends an item of a sequence.
pub(crate) fn write_item(out: &mut Vec<u8>, content: &[u8]) {
    write_tag(out, ITEM);
    out.extend((content.len() as u32).to_le_bytes());
    out.extend_from_slice(content);
}

fn write_tag(out: &mut Vec<u8>, tag: Tag) {
    out.extend(((tag >> 16) as u16).to_le_bytes());
    out.extend((tag as u16).to_le_bytes());
}

/// Whether a VR has a length of 32 bits in explicit encoding (PS3.5 table 7.1-1).
fn is_long(vr: [u8; 2]) -> bool {
    matches!(&vr, b"OB" | b"OD" | b"OF" | b"OL" | b"OV" | b"OW" | b"SQ" | b"SV" | b"UC" | b"UN" | b"UR" | b"UT" | b"UV")
}

/// A reader of elements.
#[derive(Clone, Copy)]
pub(crate) struct Reader<'a> {
    rest: &'a [u8],
    encoding: Encoding,
}

impl<'a> Reader<'a> {
    pub(crate) fn new(bytes: &'a [u8], encoding: Encoding) -> Self {
        Self { rest: bytes, encoding }
    }

    /// Bytes that were not read yet.
    pub(crate) fn left(&self) -> usize {
        self.rest.len()
    }

    /// The tag of the next element, which stays unread.
    pub(crate) fn peek(&self) -> Option<Tag> {
        let [g0, g1, e0, e1] = *self.rest.first_chunk::<4>()?;
        Some(u32::from(u16::from_le_bytes([g0, g1])) << 16 | u32::from(u16::from_le_bytes([e0, e1])))
    }

    /// The next element; `None` at the end. Of a sequence, the value is its items, without a delimiter.
    pub(crate) fn next(&mut self) -> Result<Option<(Tag, &'a [u8])>, Malformed> {
        if self.rest.is_empty() { Ok(None) } else { self.element(0).map(Some) }
    }

    /// The value of one element of this level, the last of its tag.
    pub(crate) fn find(self, wanted: Tag) -> Result<Option<&'a [u8]>, Malformed> {
        let (mut reader, mut found) = (self, None);
        while let Some((tag, value)) = reader.next()? {
            if tag == wanted {
                found = Some(value);
            }
        }
        Ok(found)
    }

    /// The contents of the items of a sequence's value.
    pub(crate) fn items(value: &'a [u8], encoding: Encoding) -> Result<Vec<&'a [u8]>, Malformed> {
        let (mut reader, mut items) = (Self::new(value, encoding), Vec::new());
        while !reader.rest.is_empty() {
            let (tag, length) = (reader.tag()?, reader.u32()?);
            if tag != ITEM {
                return Err(Malformed::DataSet("has a sequence without items"));
            }
            items.push(reader.item(length, 0)?);
        }
        Ok(items)
    }

    fn take(&mut self, n: usize) -> Result<&'a [u8], Malformed> {
        let (taken, rest) = self.rest.split_at_checked(n).ok_or(Malformed::DataSet("is cut short"))?;
        self.rest = rest;
        Ok(taken)
    }

    fn u32(&mut self) -> Result<u32, Malformed> {
        let bytes = self.take(4)?;
        Ok(u32::from_le_bytes([bytes[0], bytes[1], bytes[2], bytes[3]]))
    }

    fn tag(&mut self) -> Result<Tag, Malformed> {
        let tag = self.peek().ok_or(Malformed::DataSet("is cut short"))?;
        self.take(4)?;
        Ok(tag)
    }

    fn element(&mut self, depth: usize) -> Result<(Tag, &'a [u8]), Malformed> {
        let tag = self.tag()?;
        if tag >> 16 == 0xFFFE {
            return Err(Malformed::DataSet("has an item outside of a sequence"));
        }
        let (length, encoding) = match self.encoding {
            Encoding::Implicit => (self.u32()?, Encoding::Implicit),
            Encoding::Explicit => {
                let vr = self.take(2)?;
                let vr = [vr[0], vr[1]];
                if !vr.iter().all(u8::is_ascii_uppercase) {
                    return Err(Malformed::DataSet("has an element without a value representation"));
                }
                if is_long(vr) {
                    self.take(2)?;
                    // An unknown sequence is implicit (PS3.5 6.2.2).
                    (self.u32()?, if &vr == b"UN" { Encoding::Implicit } else { Encoding::Explicit })
                } else {
                    let bytes = self.take(2)?;
                    (u32::from(u16::from_le_bytes([bytes[0], bytes[1]])), Encoding::Explicit)
                }
            }
        };
        if length != UNDEFINED {
            return Ok((tag, self.take(length as usize)?));
        }
        let mut inner = Self { rest: self.rest, encoding };
        let start = self.rest;
        loop {
            let before = inner.rest.len();
            let (tag_of_item, length) = (inner.tag()?, inner.u32()?);
            match tag_of_item {
                SEQUENCE_END => {
                    self.rest = inner.rest;
                    return Ok((tag, &start[..start.len() - before]));
                }
                ITEM => drop(inner.item(length, depth + 1)?),
                _ => return Err(Malformed::DataSet("has a sequence without items")),
            }
        }
    }

    /// The content of an item whose header was read.
    fn item(&mut self, length: u32, depth: usize) -> Result<&'a [u8], Malformed> {
        if depth > MAX_DEPTH {
            return Err(Malformed::DataSet("nests too deep"));
        }
        if length != UNDEFINED {
            return self.take(length as usize);
        }
        let start = self.rest;
        while self.peek() != Some(ITEM_END) {
            self.element(depth)?;
        }
        let content = &start[..start.len() - self.rest.len()];
        self.take(8)?;
        Ok(content)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sequences_of_both_kinds_of_length_are_read() {
        for encoding in [Encoding::Implicit, Encoding::Explicit] {
            let mut content = Vec::new();
            encoding.write(&mut content, 0x0008_1150, *b"UI", b"1.2.3", 0);
            let mut items = Vec::new();
            write_item(&mut items, &content);
            // An item of undefined length, with a nested sequence of undefined length.
            items.extend([0xFE, 0xFF, 0x00, 0xE0, 0xFF, 0xFF, 0xFF, 0xFF]);
            items.extend(&content);
            items.extend([0x08, 0x00, 0x99, 0x11]);
            if encoding == Encoding::Explicit {
                items.extend(b"SQ\0\0");
            }
            items.extend([0xFF; 4]);
            write_item(&mut items, &content);
            items.extend([0xFE, 0xFF, 0xDD, 0xE0, 0, 0, 0, 0]);
            items.extend([0xFE, 0xFF, 0x0D, 0xE0, 0, 0, 0, 0]);
            let mut bytes = Vec::new();
            encoding.write(&mut bytes, 0x0008_1199, *b"SQ", &items, 0);
            encoding.write(&mut bytes, 0x0008_1195, *b"UI", b"2.25.1", 0);
            let reader = Reader::new(&bytes, encoding);
            assert_eq!(reader.find(0x0008_1195).unwrap(), Some(&b"2.25.1"[..]));
            let read = Reader::items(reader.find(0x0008_1199).unwrap().unwrap(), encoding).unwrap();
            assert_eq!(read.len(), 2);
            for item in &read {
                assert_eq!(Reader::new(item, encoding).find(0x0008_1150).unwrap(), Some(&b"1.2.3\0"[..]));
            }
            for cut in 0..bytes.len() {
                // Never a panic; a cut at an element's end is a data set too.
                let _ = Reader::new(&bytes[..cut], encoding).find(0x0008_1195);
            }
        }
    }

    #[test]
    fn depth_is_bounded() {
        let level =
            [[0x08, 0x00, 0x99, 0x11, 0xFF, 0xFF, 0xFF, 0xFF], [0xFE, 0xFF, 0x00, 0xE0, 0xFF, 0xFF, 0xFF, 0xFF]];
        let bytes = level.concat().repeat(60_000);
        let result = Reader::new(&bytes, Encoding::Implicit).find(0);
        assert_eq!(result, Err(Malformed::DataSet("nests too deep")));
    }
}
