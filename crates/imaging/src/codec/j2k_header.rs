//! The image size of a JPEG 2000 or HTJ2K codestream (ITU-T T.800 annex A.5.1), bare as DICOM wants it (PS3.5, 8.2.4).

use super::CodecError;

/// What the SIZ marker segment says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct J2kHeader {
    /// Columns of the image on the reference grid.
    pub(crate) width: usize,
    /// Rows of the image on the reference grid.
    pub(crate) height: usize,
    /// Components.
    pub(crate) components: u16,
    /// Bits a sample, of the component that has most.
    pub(crate) precision: u8,
    /// A component holds signed values.
    pub(crate) signed: bool,
    /// The first three components are turned into luma and color differences, which the decoder undoes.
    pub(crate) color_transform: bool,
    /// Every component has the full size.
    pub(crate) full_size: bool,
    /// The tiles are not needlessly many, as they are in streams made to exhaust a decoder.
    pub(crate) sane_tiles: bool,
    /// An end-of-codestream marker closes the stream, padding aside.
    pub(crate) complete: bool,
}

/// Most tiles that a film is cut into.
const MAX_TILES: u64 = 4096;

/// Reads the SIZ marker segment. A JP2 file is refused: its other boxes could hold a size that is not the one decoded.
pub(crate) fn scan(bytes: &[u8]) -> Result<J2kHeader, CodecError> {
    let siz = bytes.strip_prefix(&[0xFF, 0x4F]).ok_or("no JPEG 2000 codestream at its beginning")?;
    if !siz.starts_with(&[0xFF, 0x51]) || siz.len() < 40 {
        return Err("no size segment");
    }
    let u32_at = |at: usize| u32::from_be_bytes([siz[at], siz[at + 1], siz[at + 2], siz[at + 3]]);
    let side = |end: usize, offset: usize| u32_at(end).checked_sub(u32_at(offset)).ok_or("an image of negative size");
    let (width, height) = (side(6, 14)?, side(10, 18)?);
    let (tile_width, tile_height) = (u32_at(22), u32_at(26));
    if tile_width == 0 || tile_height == 0 {
        return Err("tiles of size 0");
    }
    let tiles = u64::from(u32_at(6).div_ceil(tile_width)) * u64::from(u32_at(10).div_ceil(tile_height));
    let components = u16::from_be_bytes([siz[38], siz[39]]);
    let parts = siz.get(40..40 + 3 * usize::from(components)).ok_or("a size segment cut short")?;
    let precision = parts.chunks_exact(3).map(|c| (c[0] & 0x7F) + 1).max().ok_or("no components")?;
    let tail = &bytes[bytes.len().saturating_sub(8)..];
    Ok(J2kHeader {
        width: width as usize,
        height: height as usize,
        components,
        precision,
        signed: parts.chunks_exact(3).any(|c| c[0] & 0x80 != 0),
        color_transform: color_transform(bytes),
        full_size: parts.chunks_exact(3).all(|c| c[1] == 1 && c[2] == 1),
        sane_tiles: tiles <= MAX_TILES,
        complete: tail.windows(2).any(|w| w == [0xFF, 0xD9]),
    })
}

/// The multiple component transformation of the main header's COD segment (T.800, A.6.1).
fn color_transform(bytes: &[u8]) -> bool {
    let mut at = 2;
    while let Some(&[0xFF, marker, high, low]) = bytes.get(at..at + 4) {
        match marker {
            0x52 => return bytes.get(at + 8) == Some(&1),
            // The first tile-part ends the main header.
            0x90 => return false,
            _ => at += 2 + usize::from(u16::from_be_bytes([high, low])),
        }
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    fn codestream(side: u32) -> Vec<u8> {
        let numbers = [side, side, 0, 0, side, side, 0, 0];
        let mut bytes = vec![0xFF, 0x4F, 0xFF, 0x51, 0, 41, 0, 0];
        bytes.extend(numbers.iter().flat_map(|number| number.to_be_bytes()));
        bytes.extend([0, 1, 7, 1, 1, 0xFF, 0x52, 0, 12, 0, 0, 0, 1, 1, 0, 4, 4, 0, 1, 0xFF, 0xD9]);
        bytes
    }

    fn jp2_box(kind: &[u8; 4], content: &[u8]) -> Vec<u8> {
        [&(8 + content.len() as u32).to_be_bytes(), &kind[..], content].concat()
    }

    #[test]
    fn sizes_of_bare_streams() {
        let header = scan(&codestream(20)).unwrap();
        assert_eq!((header.width, header.height, header.components, header.precision), (20, 20, 1, 8));
        assert!(header.full_size && header.sane_tiles && header.complete);
        assert!(header.color_transform && !header.signed);
    }

    #[test]
    fn a_decoy_in_a_box_is_not_believed() {
        let signature = jp2_box(b"jP  ", &[0x0D, 0x0A, 0x87, 0x0A]);
        let film = jp2_box(b"jp2c", &codestream(60_000));
        assert!(scan(&[signature.clone(), jp2_box(b"uuid", &codestream(20)), film.clone()].concat()).is_err());
        assert!(scan(&[signature, film].concat()).is_err());
    }
}
