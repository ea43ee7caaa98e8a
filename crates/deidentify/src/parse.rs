//! Part 10 files become data sets (PS3.5 section 7, PS3.10 section 7): strictly, so that what is not understood is not passed on.

use std::io::Read as _;

use coxa_imaging::MAX_FILE_BYTES;
use dicom_core::Tag;
use dicom_core::VR;
use dicom_dictionary_std::{tags, uids};

use crate::dataset::{DataSet, Element, Value, known, width};
use crate::withheld::Withheld;

/// Sequences may lie so deep in each other; real films have no more than five or six.
const MAX_DEPTH: usize = 32;
const UNDEFINED: u32 = u32::MAX;
const ITEM: Tag = Tag(0xFFFE, 0xE000);
const ITEM_END: Tag = Tag(0xFFFE, 0xE00D);
const SEQUENCE_END: Tag = Tag(0xFFFE, 0xE0DD);
const TRAILING_PADDING: Tag = Tag(0xFFFC, 0xFFFC);

/// A file taken apart.
#[derive(Debug)]
pub(crate) struct File {
    /// The file meta information (group 0002).
    pub(crate) meta: DataSet,
    /// The transfer syntax, of those that are known.
    pub(crate) syntax: Syntax,
    /// The data set.
    pub(crate) data: DataSet,
}

/// A transfer syntax that is understood.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Syntax {
    /// Pixels as they are: implicit, explicit, big endian or deflated.
    Native,
    /// Compressed pixels in fragments, explicit little endian around them.
    Encapsulated(&'static str, Codec),
}

/// How compressed pixels are coded, as far as their markers go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Codec {
    Rle,
    Jpeg,
    JpegLs,
    Jpeg2000,
}

#[derive(Debug, Clone, Copy)]
struct Encoding {
    explicit: bool,
    big: bool,
}

const EXPLICIT: Encoding = Encoding { explicit: true, big: false };
const IMPLICIT: Encoding = Encoding { explicit: false, big: false };

impl Syntax {
    fn of(uid: &str) -> Option<Self> {
        const COMPRESSED: [(&str, Codec); 11] = [
            (uids::RLE_LOSSLESS, Codec::Rle),
            (uids::JPEG_BASELINE8_BIT, Codec::Jpeg),
            (uids::JPEG_EXTENDED12_BIT, Codec::Jpeg),
            (uids::JPEG_LOSSLESS, Codec::Jpeg),
            (uids::JPEG_LOSSLESS_SV1, Codec::Jpeg),
            (uids::JPEGLS_LOSSLESS, Codec::JpegLs),
            (uids::JPEGLS_NEAR_LOSSLESS, Codec::JpegLs),
            (uids::JPEG2000_LOSSLESS, Codec::Jpeg2000),
            (uids::JPEG2000, Codec::Jpeg2000),
            (uids::HTJ2K_LOSSLESS, Codec::Jpeg2000),
            (uids::HTJ2K, Codec::Jpeg2000),
        ];
        match uid {
            uids::IMPLICIT_VR_LITTLE_ENDIAN | uids::EXPLICIT_VR_LITTLE_ENDIAN => Some(Self::Native),
            DEFLATED | BIG_ENDIAN => Some(Self::Native),
            _ => COMPRESSED.iter().find(|(known, _)| *known == uid).map(|&(uid, codec)| Self::Encapsulated(uid, codec)),
        }
    }

    /// The transfer syntax of what is written.
    pub(crate) fn uid(self) -> &'static str {
        match self {
            Self::Native => uids::EXPLICIT_VR_LITTLE_ENDIAN,
            Self::Encapsulated(uid, _) => uid,
        }
    }
}

const DEFLATED: &str = "1.2.840.10008.1.2.1.99";
const BIG_ENDIAN: &str = "1.2.840.10008.1.2.2";

/// Takes a Part 10 file apart.
///
/// # Errors
/// [`Withheld`]: no DICOM file, a transfer syntax that is not known, a file that is cut short or malformed.
pub(crate) fn parse(bytes: &[u8]) -> Result<File, Withheld> {
    if bytes.get(128..132) != Some(b"DICM") {
        return Err(Withheld::NotDicom);
    }
    let mut reader = Reader { bytes, at: 132 };
    let mut meta = DataSet::default();
    while reader.peek_group() == Some(2) {
        let (tag, element) = reader.element(EXPLICIT, 0)?;
        meta.0.insert(tag, element);
    }
    let uid = meta.ascii(tags::TRANSFER_SYNTAX_UID).ok_or(Withheld::TransferSyntax)?;
    let syntax = Syntax::of(&uid).ok_or(Withheld::TransferSyntax)?;
    let rest = &bytes[reader.at..];
    let (inflated, encoding) = match uid.as_str() {
        DEFLATED => (Some(inflate(rest)?), EXPLICIT),
        BIG_ENDIAN => (None, Encoding { explicit: true, big: true }),
        uids::IMPLICIT_VR_LITTLE_ENDIAN => (None, IMPLICIT),
        _ => (None, EXPLICIT),
    };
    let mut reader = Reader { bytes: inflated.as_deref().unwrap_or(rest), at: 0 };
    let data = reader.data_set(encoding, 0, Until::End)?;
    Ok(File { meta, syntax, data })
}

fn inflate(bytes: &[u8]) -> Result<Vec<u8>, Withheld> {
    let mut inflated = Vec::new();
    let read = flate2::read::DeflateDecoder::new(bytes).take(MAX_FILE_BYTES + 1).read_to_end(&mut inflated);
    match read {
        Ok(_) if inflated.len() as u64 > MAX_FILE_BYTES => Err(Withheld::Malformed("it inflates to more than is read")),
        Ok(_) => Ok(inflated),
        Err(_) => Err(Withheld::Truncated),
    }
}

/// Where a data set ends.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Until {
    /// At the end of the bytes.
    End,
    /// At the delimiter of its item.
    Delimiter,
}

struct Reader<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Reader<'a> {
    fn take(&mut self, n: usize) -> Result<&'a [u8], Withheld> {
        let end = self.at.checked_add(n).ok_or(Withheld::Truncated)?;
        let taken = self.bytes.get(self.at..end).ok_or(Withheld::Truncated)?;
        self.at = end;
        Ok(taken)
    }

    fn u16(&mut self, encoding: Encoding) -> Result<u16, Withheld> {
        let bytes = self.take(2)?;
        let bytes = [bytes[0], bytes[1]];
        Ok(if encoding.big { u16::from_be_bytes(bytes) } else { u16::from_le_bytes(bytes) })
    }

    fn u32(&mut self, encoding: Encoding) -> Result<u32, Withheld> {
        let bytes = self.take(4)?;
        let bytes = [bytes[0], bytes[1], bytes[2], bytes[3]];
        Ok(if encoding.big { u32::from_be_bytes(bytes) } else { u32::from_le_bytes(bytes) })
    }

    fn tag(&mut self, encoding: Encoding) -> Result<Tag, Withheld> {
        Ok(Tag(self.u16(encoding)?, self.u16(encoding)?))
    }

    /// The group of the next element in little endian.
    fn peek_group(&self) -> Option<u16> {
        let bytes = self.bytes.get(self.at..self.at + 2)?;
        Some(u16::from_le_bytes([bytes[0], bytes[1]]))
    }

    /// Zeros after the last element are padding of a medium's blocks.
    fn is_at_end(&self) -> bool {
        self.bytes[self.at..].iter().take(4).all(|&b| b == 0) && self.bytes[self.at..].iter().all(|&b| b == 0)
    }

    fn data_set(&mut self, encoding: Encoding, depth: usize, until: Until) -> Result<DataSet, Withheld> {
        let mut data = DataSet::default();
        loop {
            if until == Until::End && self.is_at_end() {
                return Ok(data);
            }
            let start = self.at;
            let tag = self.tag(encoding)?;
            if until == Until::Delimiter && tag == ITEM_END {
                self.take(4)?;
                return Ok(data);
            }
            self.at = start;
            let (tag, element) = self.element(encoding, depth)?;
            if tag == TRAILING_PADDING {
                continue;
            }
            if data.0.insert(tag, element).is_some() {
                return Err(Withheld::Malformed("an element is there twice"));
            }
        }
    }

    fn element(&mut self, encoding: Encoding, depth: usize) -> Result<(Tag, Element), Withheld> {
        let tag = self.tag(encoding)?;
        if tag.group() == 0xFFFE || tag.group() == 0 {
            return Err(Withheld::Malformed("a delimiter or a command stands among the elements"));
        }
        let (vr, length) = self.vr_and_length(tag, encoding)?;
        let value = if tag == tags::PIXEL_DATA && length == UNDEFINED {
            self.fragments(encoding)?
        } else if vr == VR::SQ {
            self.items(encoding, depth, length)?
        } else if length == UNDEFINED {
            // PS3.5 6.2.2, note 2: a sequence whose VR is not known is in implicit VR little endian.
            self.items(IMPLICIT, depth, length)?
        } else {
            let bytes = self.take(length as usize)?;
            as_sequence(tag, vr, bytes, depth).unwrap_or_else(|| Value::Bytes(in_little_endian(bytes, vr, encoding)))
        };
        let vr = if matches!(value, Value::Items(_)) { VR::SQ } else { vr };
        Ok((tag, Element { vr, value }))
    }

    fn vr_and_length(&mut self, tag: Tag, encoding: Encoding) -> Result<(VR, u32), Withheld> {
        if !encoding.explicit {
            let vr = known(tag).map_or(VR::UN, |known| known.vr);
            return Ok((vr, self.u32(encoding)?));
        }
        let letters = self.take(2)?;
        let vr = VR::from_binary([letters[0], letters[1]])
            .ok_or(Withheld::Malformed("an element has a value representation that does not exist"))?;
        if is_long(vr) {
            self.take(2)?;
            Ok((vr, self.u32(encoding)?))
        } else {
            Ok((vr, u32::from(self.u16(encoding)?)))
        }
    }

    fn items(&mut self, encoding: Encoding, depth: usize, length: u32) -> Result<Value, Withheld> {
        if depth >= MAX_DEPTH {
            return Err(Withheld::Malformed("sequences lie too deep in each other"));
        }
        let end = match length {
            UNDEFINED => None,
            length => Some(self.end_of(length)?),
        };
        let mut items = Vec::new();
        while end.is_none_or(|end| self.at < end) {
            let tag = self.tag(encoding)?;
            let length = self.u32(encoding)?;
            match tag {
                SEQUENCE_END if end.is_none() => return Ok(Value::Items(items)),
                ITEM if length == UNDEFINED => items.push(self.data_set(encoding, depth + 1, Until::Delimiter)?),
                ITEM => {
                    let bytes = self.take(length as usize)?;
                    items.push(Reader { bytes, at: 0 }.data_set(encoding, depth + 1, Until::End)?);
                }
                _ => return Err(Withheld::Malformed("a sequence holds something else than items")),
            }
        }
        if end.is_some_and(|end| self.at != end) {
            return Err(Withheld::Malformed("an item is longer than its sequence"));
        }
        Ok(Value::Items(items))
    }

    fn end_of(&self, length: u32) -> Result<usize, Withheld> {
        let end = self.at.checked_add(length as usize).filter(|&end| end <= self.bytes.len());
        end.ok_or(Withheld::Truncated)
    }

    /// The fragments after the basic offset table, which is left out: a film has one frame, and what the table holds need be no offset.
    fn fragments(&mut self, encoding: Encoding) -> Result<Value, Withheld> {
        let mut fragments = Vec::new();
        loop {
            let tag = self.tag(encoding)?;
            let length = self.u32(encoding)?;
            match tag {
                ITEM if length != UNDEFINED => fragments.push(self.take(length as usize)?.to_vec()),
                SEQUENCE_END if !fragments.is_empty() => {
                    fragments.remove(0);
                    return Ok(Value::Fragments(fragments));
                }
                _ => return Err(Withheld::Malformed("the pixels hold something else than fragments")),
            }
        }
    }
}

/// A sequence of defined length that stands as bytes of VR UN: in implicit VR little endian by the rule, in explicit by practice.
fn as_sequence(tag: Tag, vr: VR, bytes: &[u8], depth: usize) -> Option<Value> {
    if vr != VR::UN || known(tag)?.vr != VR::SQ {
        return None;
    }
    let read = |encoding| Reader { bytes, at: 0 }.items(encoding, depth, u32::try_from(bytes.len()).ok()?).ok();
    read(IMPLICIT).or_else(|| read(EXPLICIT))
}

/// VRs whose length has four bytes (PS3.5 7.1.2).
pub(crate) fn is_long(vr: VR) -> bool {
    matches!(
        vr,
        VR::OB
            | VR::OD
            | VR::OF
            | VR::OL
            | VR::OV
            | VR::OW
            | VR::SQ
            | VR::SV
            | VR::UC
            | VR::UN
            | VR::UR
            | VR::UT
            | VR::UV
    )
}

fn in_little_endian(bytes: &[u8], vr: VR, encoding: Encoding) -> Vec<u8> {
    let mut bytes = bytes.to_vec();
    let width = if vr == VR::AT { 2 } else { width(vr) };
    if encoding.big && width > 1 {
        bytes.chunks_exact_mut(width).for_each(<[u8]>::reverse);
    }
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::write::write;

    fn explicit(elements: &[u8]) -> Result<DataSet, Withheld> {
        Reader { bytes: elements, at: 0 }.data_set(EXPLICIT, 0, Until::End)
    }

    #[test]
    fn a_sequence_is_read_in_each_of_its_forms() {
        let name = b"\x10\0\x10\0PN\x04\0A^B ";
        let item = [b"\xfe\xff\0\xe0\x0c\0\0\0", &name[..]].concat();
        let open_item = [b"\xfe\xff\0\xe0\xff\xff\xff\xff", &name[..], b"\xfe\xff\x0d\xe0\0\0\0\0"].concat();
        let implicit_name = b"\x10\0\x10\0\x04\0\0\0A^B ";
        let implicit_item = [b"\xfe\xff\0\xe0\x0c\0\0\0", &implicit_name[..]].concat();
        let end = b"\xfe\xff\xdd\xe0\0\0\0\0";
        let head = b"\x08\0\x40\x11";
        for bytes in [
            [head, &b"SQ\0\0\x14\0\0\0"[..], &item].concat(),
            [head, &b"SQ\0\0\xff\xff\xff\xff"[..], &item, end].concat(),
            [head, &b"SQ\0\0\xff\xff\xff\xff"[..], &open_item, end].concat(),
            [head, &b"UN\0\0\xff\xff\xff\xff"[..], &implicit_item, end].concat(),
            [head, &b"UN\0\0\x14\0\0\0"[..], &implicit_item].concat(),
            [head, &b"UN\0\0\x14\0\0\0"[..], &item].concat(),
        ] {
            let data = explicit(&bytes).unwrap();
            let Value::Items(items) = &data.0[&Tag(0x0008, 0x1140)].value else { panic!("{bytes:?}") };
            assert_eq!(items[0].ascii(tags::PATIENT_NAME).as_deref(), Some("A^B"));
        }
    }

    #[test]
    fn what_is_cut_short_doubled_or_too_deep_is_refused() {
        assert_eq!(explicit(b"\x10\0\x10\0PN\x08\0A^B "), Err(Withheld::Truncated));
        let twice = [&b"\x10\0\x10\0PN\x04\0A^B "[..]; 2].concat();
        assert!(matches!(explicit(&twice), Err(Withheld::Malformed(_))));
        let deep = b"\x08\0\x40\x11SQ\0\0\xff\xff\xff\xff\xfe\xff\0\xe0\xff\xff\xff\xff".repeat(4000);
        assert!(matches!(explicit(&deep), Err(Withheld::Malformed(_))));
        assert!(matches!(explicit(b"\x10\0\x10\0??\x04\0A^B "), Err(Withheld::Malformed(_))));
    }

    #[test]
    fn big_endian_and_deflated_files_become_the_same_data_set() {
        let mut data = DataSet::default();
        data.put(tags::ROWS, VR::US, &[1, 2]);
        let plain = write(&DataSet::default(), &data).unwrap();
        let with = |syntax: &str, body: &[u8]| {
            let mut meta = DataSet::default();
            meta.put(tags::TRANSFER_SYNTAX_UID, VR::UI, syntax.as_bytes());
            let mut bytes = write(&meta, &DataSet::default()).unwrap();
            bytes.extend_from_slice(body);
            parse(&bytes).unwrap().data
        };
        let body = &plain[plain.len() - 10..];
        assert_eq!(with("1.2.840.10008.1.2.1", body), data);
        assert_eq!(with("1.2.840.10008.1.2.2", b"\0\x28\0\x10US\0\x02\x02\x01"), data);
        assert_eq!(with("1.2.840.10008.1.2", b"\x28\0\x10\0\x02\0\0\0\x01\x02"), data);
        use std::io::Write as _;
        let mut deflate = flate2::write::DeflateEncoder::new(Vec::new(), flate2::Compression::default());
        deflate.write_all(body).unwrap();
        assert_eq!(with("1.2.840.10008.1.2.1.99", &deflate.finish().unwrap()), data);
    }
}
