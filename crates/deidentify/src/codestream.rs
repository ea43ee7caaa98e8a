//! Compressed pixels hold texts too: comments and application segments. They are overwritten in place, so that no length changes and no
//! pixel is decoded.

use crate::parse::Codec;
use crate::withheld::Withheld;

const BROKEN: Withheld = Withheld::Pixels("the compressed pixels are malformed");

/// Overwrites what is no image in the codestream of a frame, and what follows its end.
///
/// # Errors
/// [`Withheld`] where the codestream is cut short, or has a segment that is not known.
pub(crate) fn scrub(bytes: &mut [u8], codec: Codec) -> Result<(), Withheld> {
    let end = match codec {
        Codec::Jpeg | Codec::JpegLs => jpeg(bytes, codec)?,
        Codec::Jpeg2000 => jpeg2000(bytes)?,
        // RLE is decoded instead.
        Codec::Rle => return Err(BROKEN),
    };
    bytes[end..].fill(0);
    Ok(())
}

fn u16_at(bytes: &[u8], at: usize) -> Result<usize, Withheld> {
    let two = bytes.get(at..at + 2).ok_or(Withheld::Truncated)?;
    Ok(usize::from(u16::from_be_bytes([two[0], two[1]])))
}

/// The segment that a marker at `at` begins: from after its length to its end.
fn segment(bytes: &[u8], at: usize) -> Result<std::ops::Range<usize>, Withheld> {
    let length = u16_at(bytes, at + 2)?;
    let range = at + 4..at + 2 + length;
    if length < 2 {
        return Err(BROKEN);
    }
    if range.end > bytes.len() { Err(Withheld::Truncated) } else { Ok(range) }
}

/// JPEG (ISO 10918-1 annex B) and JPEG-LS (ISO 14495-1 annex C); returns where the image ends.
fn jpeg(bytes: &mut [u8], codec: Codec) -> Result<usize, Withheld> {
    if !bytes.starts_with(&[0xFF, 0xD8]) {
        return Err(BROKEN);
    }
    let mut at = 2;
    loop {
        let marker = match bytes.get(at..at + 2).ok_or(Withheld::Truncated)? {
            [0xFF, 0xFF] => {
                at += 1;
                continue;
            }
            [0xFF, marker] => *marker,
            _ => return Err(BROKEN),
        };
        match marker {
            0xD9 => return Ok(at + 2),
            0x01 | 0xD0..=0xD7 => {
                at += 2;
                continue;
            }
            0xC0..=0xCF | 0xDA..=0xDF | 0xE0..=0xEF | 0xFE => {}
            0xF7 | 0xF8 if codec == Codec::JpegLs => {}
            _ => return Err(BROKEN),
        }
        let range = segment(bytes, at)?;
        at = range.end;
        if matches!(marker, 0xE0..=0xEF | 0xFE) && !is_needed(marker, &bytes[range.clone()]) {
            bytes[range].fill(0);
        } else if marker == 0xDA {
            at = scan_end(bytes, at, codec)?;
        }
    }
}

/// Application segments that change the image: JFIF without a thumbnail, Adobe's color transform, HP's of JPEG-LS.
fn is_needed(marker: u8, segment: &[u8]) -> bool {
    match marker {
        0xE0 => segment.len() == 14 && segment.starts_with(b"JFIF\0") && segment[12..] == [0, 0],
        0xE8 => segment.len() == 5 && segment.starts_with(b"mrfx"),
        0xEE => segment.len() == 12 && segment.starts_with(b"Adobe"),
        _ => false,
    }
}

/// Where the entropy-coded data that begin at `at` end: at a marker that is neither stuffed nor a restart.
fn scan_end(bytes: &[u8], at: usize, codec: Codec) -> Result<usize, Withheld> {
    let is_end = |next: u8| match codec {
        Codec::JpegLs => next >= 0x80 && !(0xD0..=0xD7).contains(&next),
        _ => next != 0 && !(0xD0..=0xD7).contains(&next),
    };
    let found = bytes[at..].windows(2).position(|pair| pair[0] == 0xFF && pair[1] != 0xFF && is_end(pair[1]));
    found.map(|n| at + n).ok_or(Withheld::Truncated)
}

/// JPEG 2000 and its High-Throughput form (ISO 15444-1 annex A); returns where the image ends.
fn jpeg2000(bytes: &mut [u8]) -> Result<usize, Withheld> {
    if !bytes.starts_with(&[0xFF, 0x4F]) {
        return Err(BROKEN);
    }
    let mut at = header(bytes, 2)?;
    loop {
        match u16_at(bytes, at)? {
            0xFFD9 => return Ok(at + 2),
            0xFF90 => {}
            _ => return Err(BROKEN),
        }
        let head = segment(bytes, at)?;
        let length = bytes.get(head.start + 2..head.start + 6).ok_or(Withheld::Truncated)?;
        let length = u32::from_be_bytes([length[0], length[1], length[2], length[3]]) as usize;
        let data = header(bytes, head.end)?;
        at = match length {
            // The last tile part may leave its length open.
            0 => bytes.windows(2).rposition(|pair| pair == [0xFF, 0xD9]).ok_or(Withheld::Truncated)?,
            length => at.checked_add(length).filter(|&end| end <= bytes.len()).ok_or(Withheld::Truncated)?,
        };
        if at < data {
            return Err(BROKEN);
        }
    }
}

/// Walks the segments of a main or tile-part header and overwrites its comments; returns where the next tile part begins (SOT), or, of a
/// tile part, its data.
fn header(bytes: &mut [u8], mut at: usize) -> Result<usize, Withheld> {
    loop {
        match u16_at(bytes, at)? {
            0xFF90 => return Ok(at),
            0xFF93 => return Ok(at + 2),
            0xFF64 => {
                let range = segment(bytes, at)?;
                at = range.end;
                // Two bytes state the kind of comment: 0 is binary.
                bytes[range].fill(0);
            }
            0xFF50..=0xFF63 => at = segment(bytes, at)?.end,
            _ => return Err(BROKEN),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn comments_and_what_follows_the_image_are_overwritten() {
        let jfif = b"\xff\xe0\x00\x10JFIF\0\x01\x01\0\0\x01\0\x01\0\0";
        let scan = b"\xff\xda\0\x04\x01\x02\x12\xff\0\x34\xff\xd0\x56";
        let mut bytes = [b"\xff\xd8", &jfif[..], b"\xff\xfe\0\x09DOE^JOE", scan, b"\xff\xd9DOE^JANE"].concat();
        scrub(&mut bytes, Codec::Jpeg).unwrap();
        let expected =
            [b"\xff\xd8", &jfif[..], b"\xff\xfe\0\x09\0\0\0\0\0\0\0", scan, b"\xff\xd9\0\0\0\0\0\0\0\0"].concat();
        assert_eq!(bytes, expected);
        let tile = b"\xff\x90\0\x0a\0\0\0\0\0\x1a\0\x01\xff\x64\0\x06\0\x01DO\xff\x93\x01\x02\x03\x04";
        let mut bytes = [b"\xff\x4f\xff\x51\0\x04\x01\x02\xff\x64\0\x07\0\x01DOE", &tile[..], b"\xff\xd9J"].concat();
        scrub(&mut bytes, Codec::Jpeg2000).unwrap();
        assert!(!bytes.windows(2).any(|pair| pair == b"DO") && bytes.ends_with(b"\x03\x04\xff\xd9\0"));
    }

    #[test]
    fn what_is_cut_short_or_unknown_is_refused() {
        for (bytes, codec) in [
            (&b"\xff\xd8\xff\xda\0\x02\x12\x34"[..], Codec::Jpeg),
            (b"\xff\xd8\xff\xfe\0\x20DOE", Codec::Jpeg),
            (b"\xff\x4f\xff\x90\0\x0a\0\0\0\0\xff\xff\0\x01\xff\x93", Codec::Jpeg2000),
        ] {
            assert_eq!(scrub(&mut bytes.to_vec(), codec), Err(Withheld::Truncated));
        }
        for (bytes, codec) in
            [(&b"DOE^JOHN"[..], Codec::Jpeg), (b"\xff\xd8\xff\xf0\0\x02", Codec::Jpeg), (b"", Codec::Jpeg2000)]
        {
            assert_eq!(scrub(&mut bytes.to_vec(), codec), Err(BROKEN));
        }
    }
}
