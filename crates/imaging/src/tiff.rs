//! What a TIFF file's first directory says that its decoder does not heed (TIFF 6.0, section 2 and pages 32, 38 and 68).

use std::ops::Range;

use crate::codec::{CodecError, jpeg_check};
use crate::error::{FileFormat, ReadError};

const WIDTH: u16 = 256;
const HEIGHT: u16 = 257;
const COMPRESSION: u16 = 259;
const PHOTOMETRIC: u16 = 262;
const FILL_ORDER: u16 = 266;
const STRIP_OFFSETS: u16 = 273;
const SAMPLES: u16 = 277;
const STRIP_BYTES: u16 = 279;
const PLANAR: u16 = 284;
const TILE_WIDTH: u16 = 322;
const TILE_HEIGHT: u16 = 323;
const TILE_OFFSETS: u16 = 324;
const TILE_BYTES: u16 = 325;
const JPEG_TABLES: u16 = 347;

/// Value of Compression for JPEG streams (TIFF technical note 2).
const JPEG: u32 = 7;

/// Values of Compression whose data are bytes in the fill order: none, LZW and PackBits.
const BYTE_ORIENTED: [u32; 3] = [1, 5, 32_773];

/// What the directory says.
#[derive(Debug, Default)]
pub(crate) struct Checked {
    /// The lowest value is white. (The decoder turns such pixels round.)
    pub(crate) white_is_zero: bool,
    /// The file with the bits of its pixel data reversed, where the directory says that they are filled from the lowest up.
    pub(crate) reordered: Option<Vec<u8>>,
}

/// Checks the first directory: refuses several pages, tiles of separate planes that do not fill the image and damaged JPEG
/// streams; puts the bits of a file with FillOrder 2 in order.
pub(crate) fn check(bytes: &[u8], file: &str) -> Result<Checked, ReadError> {
    let truncated = || ReadError::Truncated {
        file: file.to_owned(),
        format: FileFormat::Tiff,
        detail: "its first directory is not all there".into(),
    };
    let unsupported = |what: &str, hint| ReadError::Unsupported { file: file.to_owned(), what: what.to_owned(), hint };
    let directory = Directory::parse(bytes).ok_or_else(truncated)?;
    if directory.has_next {
        return Err(ReadError::NotAFilm {
            file: file.to_owned(),
            what: "the TIFF file has several pages".into(),
            hint: "save the page to read as a file of its own",
        });
    }
    let first = |tag| directory.numbers(tag).next();
    let is_planar = first(PLANAR) == Some(2) && first(SAMPLES).unwrap_or(1) > 1;
    let overhangs = |side, tile| match (first(side), first(tile)) {
        (Some(side), Some(tile)) => tile == 0 || side % tile != 0,
        _ => false,
    };
    if is_planar && (overhangs(WIDTH, TILE_WIDTH) || overhangs(HEIGHT, TILE_HEIGHT)) {
        return Err(unsupported(
            "a TIFF file of tiles with separate color planes",
            "save it with its samples side by side (PlanarConfiguration 1), or as PNG",
        ));
    }
    let reordered = match first(FILL_ORDER) {
        None | Some(1) => None,
        Some(2) if BYTE_ORIENTED.contains(&first(COMPRESSION).unwrap_or(1)) => {
            Some(directory.reversed().ok_or_else(truncated)?)
        }
        Some(_) => return Err(unsupported("a TIFF file with FillOrder 2", "save it with FillOrder 1, or as PNG")),
    };
    if first(COMPRESSION) == Some(JPEG) {
        directory.check_jpeg().map_err(|detail| ReadError::Malformed {
            file: file.to_owned(),
            format: FileFormat::Tiff,
            detail: format!("one of its JPEG streams: {detail}"),
        })?;
    }
    Ok(Checked { white_is_zero: first(PHOTOMETRIC) == Some(0), reordered })
}

/// The first directory of a file.
struct Directory<'a> {
    bytes: &'a [u8],
    big_endian: bool,
    /// Where the first entry stands, and how many there are.
    start: usize,
    entries: usize,
    /// Another directory follows.
    has_next: bool,
}

impl<'a> Directory<'a> {
    fn parse(bytes: &'a [u8]) -> Option<Self> {
        let big_endian = bytes.starts_with(b"MM");
        let mut directory = Self { bytes, big_endian, start: 0, entries: 0, has_next: false };
        let at = directory.u32_at(4)? as usize;
        directory.entries = usize::from(directory.u16_at(at)?);
        directory.start = at.checked_add(2)?;
        directory.has_next = directory.u32_at(directory.start + 12 * directory.entries)? != 0;
        Some(directory)
    }

    fn u16_at(&self, at: usize) -> Option<u16> {
        let pair = self.bytes.get(at..at.checked_add(2)?)?.try_into().ok()?;
        Some(if self.big_endian { u16::from_be_bytes(pair) } else { u16::from_le_bytes(pair) })
    }

    fn u32_at(&self, at: usize) -> Option<u32> {
        let four = self.bytes.get(at..at.checked_add(4)?)?.try_into().ok()?;
        Some(if self.big_endian { u32::from_be_bytes(four) } else { u32::from_le_bytes(four) })
    }

    /// The values of a tag of type BYTE, UNDEFINED, SHORT or LONG, as far as the file has them.
    fn numbers(&self, tag: u16) -> impl Iterator<Item = u32> {
        let entry = (0..self.entries).map(|i| self.start + 12 * i).find(|&at| self.u16_at(at) == Some(tag));
        let (at, size, count) = entry.and_then(|at| self.values(at)).unwrap_or((0, 1, 0));
        (0..count).map_while(move |i| {
            let at = at.checked_add(i.checked_mul(size)?)?;
            match size {
                1 => self.bytes.get(at).map(|&byte| u32::from(byte)),
                2 => self.u16_at(at).map(u32::from),
                _ => self.u32_at(at),
            }
        })
    }

    /// Where the values of the entry at `at` stand, their size in bytes and their number.
    fn values(&self, at: usize) -> Option<(usize, usize, usize)> {
        let size = match self.u16_at(at + 2)? {
            1 | 7 => 1,
            3 => 2,
            4 => 4,
            _ => return None,
        };
        let count = self.u32_at(at + 4)? as usize;
        let fits = count.checked_mul(size)? <= 4;
        Some((if fits { at + 8 } else { self.u32_at(at + 8)? as usize }, size, count))
    }

    /// Where the strips or tiles lie.
    fn pieces(&self) -> Vec<Range<usize>> {
        let places = [(STRIP_OFFSETS, STRIP_BYTES), (TILE_OFFSETS, TILE_BYTES)];
        let range = |(offset, count): (u32, u32)| offset as usize..(offset as usize).saturating_add(count as usize);
        places
            .into_iter()
            .flat_map(|(offsets, counts)| self.numbers(offsets).zip(self.numbers(counts)).map(range))
            .collect()
    }

    /// Follows the JPEG stream of each strip or tile.
    fn check_jpeg(&self) -> Result<(), CodecError> {
        let tables: Vec<u8> = self.numbers(JPEG_TABLES).map(|byte| byte as u8).collect();
        for piece in self.pieces() {
            let stream = self.bytes.get(piece).ok_or("it goes past the end of the file")?;
            jpeg_check::check_with_tables(&tables, stream)?;
        }
        Ok(())
    }

    /// The file with the bits of each byte of pixel data reversed; `None` where the data are not all there.
    fn reversed(&self) -> Option<Vec<u8>> {
        let mut copy = self.bytes.to_vec();
        let mut ranges = self.pieces();
        // Two strips may share their bytes, which are reversed once.
        ranges.sort_unstable_by_key(|range| range.start);
        let mut done = 0;
        for range in &ranges {
            let begin = range.start.max(done).min(range.end);
            copy.get_mut(begin..range.end)?.iter_mut().for_each(|byte| *byte = byte.reverse_bits());
            done = done.max(range.end);
        }
        (!ranges.is_empty()).then_some(copy)
    }
}
