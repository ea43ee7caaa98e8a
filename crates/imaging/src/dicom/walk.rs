//! The elements of a data set one after the other, nested ones included (PS3.5, 7.1 to 7.5 and 6.2.2).
//!
//! Only the top level and the first item of the two LUT sequences reach the [`Visit`]or; everything else is skipped by its length,
//! or to its delimiter where its length is undefined. Every length is checked against the bytes that are left.
//!
//! A value of VR UN and undefined length holds items in Implicit VR Little Endian whatever the encoding around it (PS3.5, 6.2.2
//! note 2): archives make such values of private sequences. Some writers keep the encoding around it, which is tried second.

use dicom_core::DataDictionary as _;
use dicom_core::dictionary::{DataDictionaryEntry as _, VirtualVr};
use dicom_core::header::{Tag, VR};
use dicom_dictionary_std::{StandardDataDictionary, tags};

use super::dataset::Level;

/// Deepest nesting of sequences that is followed.
const MAX_DEPTH: usize = 32;

const ITEM: Tag = Tag(0xFFFE, 0xE000);
const ITEM_END: Tag = Tag(0xFFFE, 0xE00D);
const SEQUENCE_END: Tag = Tag(0xFFFE, 0xE0DD);

/// How elements are encoded, whatever the encoding of the pixels.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Encoding {
    ImplicitLittle,
    ExplicitLittle,
    ExplicitBig,
}

/// Why a walk stopped before the end; `at` is the byte of the data set.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Stop {
    /// A value goes on after the end of the bytes.
    Truncated { what: &'static str, at: usize },
    /// No element or item can be there.
    Malformed { at: usize },
}

/// Whether the walk goes on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Flow {
    On,
    Done,
}

/// Takes the elements of a walk.
pub(super) trait Visit<'a> {
    /// A value of defined length.
    fn value(&mut self, level: Level, tag: Tag, vr: VR, bytes: &'a [u8]) -> Flow;
    /// The fragments of the film's pixel data, the basic offset table first.
    fn fragments(&mut self, fragments: Vec<&'a [u8]>) -> Flow;
    /// A sequence is walked a second time, in another encoding: what was taken of it is void.
    fn again(&mut self, level: Level);
}

/// Walks a data set until the visitor has what it wants.
pub(super) fn walk<'a>(bytes: &'a [u8], encoding: Encoding, visitor: &mut dyn Visit<'a>) -> Result<(), Stop> {
    let mut walk = Walk { bytes, visitor, done: false, depth: Depth::Needed };
    walk.elements(0, Some(bytes.len()), encoding, 0, Some(Level::Top)).map(|_| ())
}

/// Where the pixel data (group 7FE0) begin, or the end of the bytes, having checked the length of every element before it, at any
/// depth: what a parser that trusts lengths may be given.
pub(super) fn header_end(bytes: &[u8], encoding: Encoding) -> Result<usize, Stop> {
    let mut walk = Walk { bytes, visitor: &mut Nothing, done: false, depth: Depth::All };
    walk.elements(0, Some(bytes.len()), encoding, 0, Some(Level::Top))
}

/// Takes nothing.
struct Nothing;

impl<'a> Visit<'a> for Nothing {
    fn value(&mut self, _: Level, _: Tag, _: VR, _: &'a [u8]) -> Flow {
        Flow::On
    }
    fn fragments(&mut self, _: Vec<&'a [u8]>) -> Flow {
        Flow::On
    }
    fn again(&mut self, _: Level) {}
}

/// What a data set goes on with, by the head of its first element, as [`header_end`] would see it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum First {
    /// The pixel data.
    Pixels,
    /// A delimiter that was left over, of so many bytes.
    Nothing(usize),
    /// An element of so many bytes in all.
    Value(usize),
    /// A sequence of so many bytes in all.
    Sequence(usize),
    /// An element whose end is marked: [`open_end`] finds it.
    Open,
}

/// Looks at the head of the first element.
pub(super) fn first(bytes: &[u8], encoding: Encoding) -> Result<First, Stop> {
    let head = Walk { bytes, visitor: &mut Nothing, done: false, depth: Depth::All }.head(0, bytes.len(), encoding)?;
    let whole = |length: usize| head.value.checked_add(length).ok_or(Stop::Truncated { what: "an element", at: 0 });
    match (head.tag, head.length) {
        (tag, _) if matches!(tag.group(), 0x7FE0..0xFFFC) => Ok(First::Pixels),
        (ITEM_END | SEQUENCE_END, Some(0)) => Ok(First::Nothing(head.value)),
        (ITEM | ITEM_END | SEQUENCE_END, _) => Err(Stop::Malformed { at: 0 }),
        (_, Some(length)) if is_sequence(&head, encoding) => Ok(First::Sequence(whole(length)?)),
        (_, Some(length)) => Ok(First::Value(whole(length)?)),
        (_, None) => Ok(First::Open),
    }
}

/// Where a first element ends whose end is marked.
pub(super) fn open_end(bytes: &[u8], encoding: Encoding) -> Result<usize, Stop> {
    let mut walk = Walk { bytes, visitor: &mut Nothing, done: false, depth: Depth::All };
    let head = walk.head(0, bytes.len(), encoding)?;
    walk.undefined(&head, bytes.len(), encoding, 0, Some(Level::Top))
}

/// How deep a walk looks into sequences of defined length.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Depth {
    /// Into those whose elements are taken.
    Needed,
    /// Into all, up to the pixel data; elements without a VR among those that have one are an error.
    All,
}

/// The tag, VR and length of an element or item.
struct Head {
    tag: Tag,
    vr: VR,
    /// `None` where it is undefined.
    length: Option<usize>,
    /// Where the value begins.
    value: usize,
}

struct Walk<'v, 'a> {
    bytes: &'a [u8],
    visitor: &'v mut dyn Visit<'a>,
    done: bool,
    depth: Depth,
}

impl<'a> Walk<'_, 'a> {
    /// Walks elements to `end`, or to the delimiter of an item of undefined length; the position after them.
    fn elements(
        &mut self,
        mut at: usize,
        end: Option<usize>,
        encoding: Encoding,
        depth: usize,
        level: Option<Level>,
    ) -> Result<usize, Stop> {
        let limit = end.unwrap_or(self.bytes.len());
        while end.is_none_or(|end| at < end) {
            let head = self.head(at, limit, encoding)?;
            if self.depth == Depth::All && depth == 0 && matches!(head.tag.group(), 0x7FE0..0xFFFC) {
                return Ok(at);
            }
            match (head.tag, head.length) {
                (ITEM_END, _) if end.is_none() => return Ok(head.value),
                // Left over after a sequence of defined length.
                (ITEM_END | SEQUENCE_END, Some(0)) if depth == 0 => at = head.value,
                (ITEM | ITEM_END | SEQUENCE_END, _) => return Err(Stop::Malformed { at }),
                (_, Some(length)) => at = self.defined(&head, length, limit, encoding, depth, level)?,
                (_, None) => at = self.undefined(&head, limit, encoding, depth, level)?,
            }
            if self.done {
                return Ok(at);
            }
        }
        Ok(at)
    }

    fn defined(
        &mut self,
        head: &Head,
        length: usize,
        limit: usize,
        encoding: Encoding,
        depth: usize,
        level: Option<Level>,
    ) -> Result<usize, Stop> {
        let end = head.value.checked_add(length).filter(|&end| end <= limit);
        let end = end.ok_or(Stop::Truncated { what: "an element", at: head.value })?;
        match level {
            _ if self.depth == Depth::All && is_sequence(head, encoding) => {
                self.sequence(head.value, Some(end), encoding, depth + 1, None)?;
            }
            _ if self.depth == Depth::All => {}
            Some(Level::Top) if lut_level(head.tag).is_some() => {
                let inside = if head.vr == VR::UN { Encoding::ImplicitLittle } else { encoding };
                self.sequence(head.value, Some(end), inside, depth + 1, lut_level(head.tag))?;
            }
            Some(level) => {
                self.done = self.visitor.value(level, head.tag, head.vr, &self.bytes[head.value..end]) == Flow::Done;
            }
            None => {}
        }
        Ok(end)
    }

    fn undefined(
        &mut self,
        head: &Head,
        limit: usize,
        encoding: Encoding,
        depth: usize,
        level: Option<Level>,
    ) -> Result<usize, Stop> {
        let is_film = level == Some(Level::Top) && head.tag == tags::PIXEL_DATA;
        if head.tag == tags::PIXEL_DATA || !matches!(head.vr, VR::SQ | VR::UN) {
            let (fragments, end) = self.fragments(head.value, limit, encoding)?;
            self.done = is_film && self.visitor.fragments(fragments) == Flow::Done;
            return Ok(end);
        }
        let inner = if level == Some(Level::Top) { lut_level(head.tag) } else { None };
        if head.vr == VR::SQ || encoding == Encoding::ImplicitLittle {
            return self.sequence(head.value, None, encoding, depth + 1, inner);
        }
        match self.sequence(head.value, None, Encoding::ImplicitLittle, depth + 1, inner) {
            // Tried at the top level alone, so that nesting cannot multiply the tries; a parser of the standard tries the first alone.
            Err(first) if depth == 0 && self.is_lenient() => {
                if let Some(inner) = inner {
                    self.visitor.again(inner);
                }
                self.sequence(head.value, None, encoding, depth + 1, inner).map_err(|_| first)
            }
            result => result,
        }
    }

    /// Walks the items of a sequence to `end`, or to its delimiter; the position after it. The first item's elements are taken
    /// at `level`.
    fn sequence(
        &mut self,
        mut at: usize,
        end: Option<usize>,
        encoding: Encoding,
        depth: usize,
        mut level: Option<Level>,
    ) -> Result<usize, Stop> {
        if depth > MAX_DEPTH {
            return Err(Stop::Malformed { at });
        }
        let limit = end.unwrap_or(self.bytes.len());
        while end.is_none_or(|end| at < end) {
            let item = self.item(at, limit, encoding, "a sequence")?;
            at = match (item.tag, item.length) {
                (SEQUENCE_END, _) => return Ok(end.unwrap_or(item.value)),
                (ITEM, Some(length)) => {
                    let end = item.value.checked_add(length).filter(|&end| end <= limit);
                    let end = end.ok_or(Stop::Truncated { what: "a sequence", at: item.value })?;
                    if level.is_some() || self.depth == Depth::All {
                        self.elements(item.value, Some(end), encoding, depth, level)?;
                    }
                    end
                }
                (ITEM, None) => self.elements(item.value, None, encoding, depth, level)?,
                _ => return Err(Stop::Malformed { at }),
            };
            level = None;
        }
        Ok(at)
    }

    /// The fragments of an encapsulated value, and the position after its delimiter (PS3.5, A.4).
    fn fragments(&self, mut at: usize, limit: usize, encoding: Encoding) -> Result<(Vec<&'a [u8]>, usize), Stop> {
        let mut fragments = Vec::new();
        loop {
            let item = self.item(at, limit, encoding, "the pixel data")?;
            match (item.tag, item.length) {
                (SEQUENCE_END, _) => return Ok((fragments, item.value)),
                (ITEM, Some(length)) => {
                    at = item
                        .value
                        .checked_add(length)
                        .filter(|&end| end <= limit)
                        .ok_or(Stop::Truncated { what: "a fragment of the pixel data", at: item.value })?;
                    fragments.push(&self.bytes[item.value..at]);
                }
                _ => return Err(Stop::Malformed { at }),
            }
        }
    }

    fn item(&self, at: usize, limit: usize, encoding: Encoding, what: &'static str) -> Result<Head, Stop> {
        match self.bytes[..limit].get(at..) {
            Some(rest) if rest.len() >= 8 => {}
            _ => return Err(Stop::Truncated { what, at }),
        }
        let head = self.head(at, limit, encoding)?;
        if head.tag.group() == 0xFFFE { Ok(head) } else { Err(Stop::Malformed { at }) }
    }

    fn is_lenient(&self) -> bool {
        self.depth == Depth::Needed
    }

    fn head(&self, at: usize, limit: usize, encoding: Encoding) -> Result<Head, Stop> {
        let truncated = Stop::Truncated { what: "an element", at };
        let rest = self.bytes[..limit].get(at..).ok_or(truncated)?;
        let &[g0, g1, e0, e1, v0, v1, l0, l1, ..] = rest else {
            return Err(truncated);
        };
        let is_big = encoding == Encoding::ExplicitBig;
        let short = |pair: [u8; 2]| if is_big { u16::from_be_bytes(pair) } else { u16::from_le_bytes(pair) };
        let long = |four: [u8; 4]| if is_big { u32::from_be_bytes(four) } else { u32::from_le_bytes(four) };
        let tag = Tag(short([g0, g1]), short([e0, e1]));
        let is_vr = v0.is_ascii_uppercase() && v1.is_ascii_uppercase();
        // Items have no VR; and some writers leave single elements implicit among explicit ones.
        let (vr, length, value) = if encoding == Encoding::ImplicitLittle
            || tag.group() == 0xFFFE
            || (!is_big && !is_vr && self.is_lenient())
        {
            (VR::UN, long([v0, v1, l0, l1]), at + 8)
        } else if !is_vr {
            return Err(Stop::Malformed { at });
        } else if is_short([v0, v1]) {
            (VR::from_binary([v0, v1]).unwrap_or(VR::UN), u32::from(short([l0, l1])), at + 8)
        } else {
            let &[_, _, _, _, _, _, _, _, a, b, c, d, ..] = rest else {
                return Err(truncated);
            };
            (VR::from_binary([v0, v1]).unwrap_or(VR::UN), long([a, b, c, d]), at + 12)
        };
        Ok(Head { tag, vr, length: (length != u32::MAX).then_some(length as usize), value })
    }
}

/// Whether a parser takes the value for a sequence: by its VR, or, where there is none, by the dictionary.
fn is_sequence(head: &Head, encoding: Encoding) -> bool {
    let by_dictionary = || {
        encoding == Encoding::ImplicitLittle
            && StandardDataDictionary.by_tag(head.tag).is_some_and(|entry| entry.vr() == VirtualVr::Exact(VR::SQ))
    };
    head.vr == VR::SQ || by_dictionary()
}

/// The level of a LUT sequence's first item.
fn lut_level(tag: Tag) -> Option<Level> {
    match tag {
        tags::MODALITY_LUT_SEQUENCE => Some(Level::ModalityLut),
        tags::VOILUT_SEQUENCE => Some(Level::VoiLut),
        _ => None,
    }
}

/// Whether the length of a VR has two bytes (PS3.5, table 7.1-2); VRs yet unknown have four.
fn is_short(vr: [u8; 2]) -> bool {
    const SHORT: &[u8] = b"AEASATCSDADSDTFDFLISLOLTPNSHSLSSSTTMUIULUS";
    SHORT.chunks_exact(2).any(|known| known == vr)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Default)]
    struct Seen(Vec<(Level, Tag, usize)>);

    impl<'a> Visit<'a> for Seen {
        fn value(&mut self, level: Level, tag: Tag, _: VR, bytes: &'a [u8]) -> Flow {
            self.0.push((level, tag, bytes.len()));
            if tag == tags::PIXEL_DATA { Flow::Done } else { Flow::On }
        }
        fn fragments(&mut self, fragments: Vec<&'a [u8]>) -> Flow {
            self.0.push((Level::Top, tags::PIXEL_DATA, fragments.len()));
            Flow::Done
        }
        fn again(&mut self, level: Level) {
            self.0.retain(|seen| seen.0 != level);
        }
    }

    fn seen(parts: &[&[u8]], encoding: Encoding) -> Result<Vec<(Level, Tag, usize)>, Stop> {
        let bytes = parts.concat();
        let mut seen = Seen::default();
        walk(&bytes, encoding, &mut seen).map(|()| seen.0)
    }

    const ROWS: &[u8] = b"\x28\0\x10\0US\x02\0\x12\0";
    const UNKNOWN: &[u8] = b"\x09\0\x10\x10UN\0\0\xff\xff\xff\xff";
    const OPEN: &[u8] = b"\xfe\xff\x00\xe0\xff\xff\xff\xff";
    const ITEM_CLOSE: &[u8] = b"\xfe\xff\x0d\xe0\0\0\0\0";
    const CLOSE: &[u8] = b"\xfe\xff\xdd\xe0\0\0\0\0";
    const IMPLICIT: &[u8] = b"\x09\0\x11\x10\x04\0\0\0CODE";
    const EXPLICIT: &[u8] = b"\x09\0\x11\x10LO\x04\0CODE";
    const NESTED: &[u8] = b"\x09\0\x12\x10\xff\xff\xff\xff";

    #[test]
    fn unknown_values_of_undefined_length_are_skipped() {
        let rows = vec![(Level::Top, tags::ROWS, 2)];
        for (name, inside) in [
            ("implicit", vec![OPEN, IMPLICIT, ITEM_CLOSE, CLOSE]),
            ("defined item", vec![b"\xfe\xff\x00\xe0\x0c\0\0\0".as_slice(), IMPLICIT, CLOSE]),
            ("nested", vec![OPEN, NESTED, OPEN, IMPLICIT, ITEM_CLOSE, CLOSE, ITEM_CLOSE, CLOSE]),
            ("explicit", vec![OPEN, EXPLICIT, ITEM_CLOSE, CLOSE]),
            ("empty", vec![CLOSE]),
        ] {
            let parts = [vec![UNKNOWN], inside, vec![ROWS]].concat();
            assert_eq!(seen(&parts, Encoding::ExplicitLittle).as_ref(), Ok(&rows), "{name}");
        }
        assert!(seen(&[UNKNOWN, OPEN, IMPLICIT, ROWS], Encoding::ExplicitLittle).is_err());
    }

    #[test]
    fn only_the_films_own_pixels_are_taken() {
        let pixels = b"\xe0\x7f\x10\0OB\0\0\xff\xff\xff\xff".as_slice();
        let fragments = [b"\xfe\xff\x00\xe0\0\0\0\0".as_slice(), b"\xfe\xff\x00\xe0\x02\0\0\0ab", CLOSE].concat();
        let icon = b"\x88\0\x00\x02SQ\0\0\xff\xff\xff\xff".as_slice();
        let parts = [icon, OPEN, pixels, &fragments, ITEM_CLOSE, CLOSE, ROWS, pixels, &fragments];
        let expected = vec![(Level::Top, tags::ROWS, 2), (Level::Top, tags::PIXEL_DATA, 2)];
        assert_eq!(seen(&parts, Encoding::ExplicitLittle), Ok(expected));
        let implicit_pixels = b"\xe0\x7f\x10\0\xff\xff\xff\xff".as_slice();
        let parts = [UNKNOWN, OPEN, implicit_pixels, &fragments, ITEM_CLOSE, CLOSE, ROWS];
        assert_eq!(seen(&parts, Encoding::ExplicitLittle), Ok(vec![(Level::Top, tags::ROWS, 2)]));
    }

    #[test]
    fn tables_are_found_in_sequences_of_vr_unknown() {
        let descriptor = b"\x28\0\x02\x30\x06\0\0\0\0\0\0\0\x10\0".as_slice();
        let expected = vec![(Level::VoiLut, tags::LUT_DESCRIPTOR, 6)];
        let undefined = b"\x28\0\x10\x30UN\0\0\xff\xff\xff\xff".as_slice();
        let parts = [undefined, OPEN, descriptor, ITEM_CLOSE, OPEN, descriptor, ITEM_CLOSE, CLOSE];
        assert_eq!(seen(&parts, Encoding::ExplicitLittle).as_ref(), Ok(&expected));
        let defined = b"\x28\0\x10\x30UN\0\0\x16\0\0\0\xfe\xff\x00\xe0\x0e\0\0\0".as_slice();
        assert_eq!(seen(&[defined, descriptor], Encoding::ExplicitLittle), Ok(expected));
    }

    #[test]
    fn nesting_and_lengths_have_limits() {
        let deep = [NESTED, OPEN].concat().repeat(40);
        assert!(matches!(seen(&[&deep], Encoding::ImplicitLittle), Err(Stop::Malformed { .. })));
        let long = b"\x28\0\x10\0OB\0\0\xf0\xff\xff\xff".as_slice();
        assert_eq!(seen(&[long], Encoding::ExplicitLittle), Err(Stop::Truncated { what: "an element", at: 12 }));
        assert!(matches!(seen(&[ROWS, b"\x28\0"], Encoding::ExplicitLittle), Err(Stop::Truncated { .. })));
    }
}
