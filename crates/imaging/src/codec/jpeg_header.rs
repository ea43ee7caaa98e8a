//! The frame header of a JPEG or JPEG-LS stream, and whether the stream has an end (ITU-T T.81 annex B, T.87 annex C).

use super::CodecError;

/// What the frame header says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct JpegHeader {
    /// Second byte of the start-of-frame marker: 0xC0 baseline, 0xC1 extended, 0xC3 lossless, 0xF7 JPEG-LS.
    pub(crate) frame: u8,
    /// Bits a sample.
    pub(crate) precision: u8,
    /// Columns.
    pub(crate) width: usize,
    /// Rows.
    pub(crate) height: usize,
    /// Samples a pixel.
    pub(crate) components: u8,
    /// What three components are, as the stream itself says.
    pub(crate) color: StreamColor,
    /// An end-of-image marker was found.
    pub(crate) complete: bool,
}

/// What a stream says of its three components.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum StreamColor {
    /// Red, green, blue: Adobe's marker with transform 0, or components named `R`, `G`, `B`.
    Rgb,
    /// Luma and color differences: a JFIF marker, or Adobe's with transform 1.
    Ybr,
    /// Nothing, or two markers that contradict each other.
    Unsaid,
}

/// The segments that speak of color.
#[derive(Default)]
struct ColorMarkers {
    jfif: bool,
    adobe: Option<u8>,
    named_rgb: bool,
}

impl ColorMarkers {
    fn take(&mut self, marker: u8, segment: &[u8]) {
        match marker {
            0xE0 if segment.starts_with(b"JFIF\0") => self.jfif = true,
            0xEE if segment.starts_with(b"Adobe") => self.adobe = segment.get(11).copied(),
            _ => {}
        }
    }

    fn verdict(&self) -> StreamColor {
        match (self.jfif, self.adobe) {
            (false, Some(0)) => StreamColor::Rgb,
            (true, Some(0)) => StreamColor::Unsaid,
            (true, _) | (_, Some(1)) => StreamColor::Ybr,
            _ if self.named_rgb => StreamColor::Rgb,
            _ => StreamColor::Unsaid,
        }
    }
}

/// Walks the markers from start to end of image.
pub(crate) fn scan(bytes: &[u8]) -> Result<JpegHeader, CodecError> {
    if !bytes.starts_with(&[0xFF, 0xD8]) {
        return Err("no start-of-image marker");
    }
    let mut at = 2;
    let mut header: Option<JpegHeader> = None;
    let mut colors = ColorMarkers::default();
    while let Some((marker, after)) = next_marker(bytes, at) {
        at = after;
        match marker {
            0xD9 => {
                if let Some(header) = &mut header {
                    header.complete = true;
                }
                break;
            }
            0x01 | 0xD0..=0xD8 => continue,
            _ => {}
        }
        let Some(&[high, low]) = bytes.get(at..at + 2) else {
            break;
        };
        let length = usize::from(u16::from_be_bytes([high, low]));
        if length < 2 {
            return Err("a segment of impossible length");
        }
        let is_frame = matches!(marker, 0xC0..=0xC3 | 0xC5..=0xC7 | 0xC9..=0xCB | 0xCD..=0xCF | 0xF7);
        if is_frame && header.is_none() {
            let Some(&[precision, h1, h0, w1, w0, components]) = bytes.get(at + 2..at + 8) else {
                break;
            };
            header = Some(JpegHeader {
                frame: marker,
                precision,
                width: usize::from(u16::from_be_bytes([w1, w0])),
                height: usize::from(u16::from_be_bytes([h1, h0])),
                components,
                color: StreamColor::Unsaid,
                complete: false,
            });
            // A component is its name, its sampling factors and its quantization table.
            let names = bytes.get(at + 8..at + 17).map(|three| [three[0], three[3], three[6]]);
            colors.named_rgb = components == 3 && names == Some(*b"RGB");
        }
        colors.take(marker, bytes.get(at + 2..at + length).unwrap_or_default());
        at += length;
    }
    let header = header.ok_or("no frame header")?;
    Ok(JpegHeader { color: colors.verdict(), ..header })
}

/// The content of the segment whose length stands at `start`.
pub(crate) fn segment(bytes: &[u8], start: usize) -> Result<&[u8], CodecError> {
    let Some(&[high, low]) = bytes.get(start..start + 2) else {
        return Err("a segment is cut short");
    };
    let length = usize::from(u16::from_be_bytes([high, low]));
    bytes.get(start + 2..start + length).ok_or("a segment is cut short")
}

/// The EXIF block of a JPEG file, from its byte order on, where there is one before the first scan (CIPA DC-008, 4.5.4).
pub(crate) fn exif(bytes: &[u8]) -> Option<&[u8]> {
    let mut at = 2;
    while let Some((marker, after)) = next_marker(bytes, at)
        && marker != 0xDA
    {
        let length = usize::from(u16::from_be_bytes(bytes.get(after..after + 2)?.try_into().ok()?));
        let segment = bytes.get(after + 2..after + length)?;
        match segment.strip_prefix(b"Exif\0\0") {
            Some(block) if marker == 0xE1 => return Some(block),
            _ => at = after + length,
        }
    }
    None
}

/// The next marker at or after `at`, and the position after it. Entropy-coded bytes are skipped: in them 0xFF is followed by 0
/// (in JPEG-LS by anything below 0x80) or by a restart marker.
pub(crate) fn next_marker(bytes: &[u8], mut at: usize) -> Option<(u8, usize)> {
    loop {
        let found = bytes.get(at..)?.iter().position(|&b| b == 0xFF)?;
        at += found + 1;
        match *bytes.get(at)? {
            0xFF => {}
            code if code < 0x80 && code != 0x01 => at += 1,
            code => return Some((code, at + 1)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn header_and_end_are_found() {
        let mut stream = vec![0xFF, 0xD8, 0xFF, 0xC1, 0, 11, 12, 1, 2, 3, 4, 1, 1, 0x11, 0];
        stream.extend([0xFF, 0xDA, 0, 8, 1, 1, 0, 0, 63, 0, 0x12, 0xFF, 0x00, 0xFF, 0xD0, 0x44]);
        let header = scan(&stream).unwrap();
        assert_eq!((header.frame, header.precision, header.width, header.height), (0xC1, 12, 0x304, 0x102));
        assert!(!header.complete);
        stream.extend([0xFF, 0xD9]);
        assert!(scan(&stream).unwrap().complete);
        assert!(scan(b"\xff\xd8\xff\xd9").is_err());
        assert!(scan(b"nothing").is_err());
    }

    #[test]
    fn colors_are_what_the_markers_say() {
        let jfif = [&[0xFF, 0xE0, 0, 7], b"JFIF\0".as_slice()].concat();
        let adobe = |transform| [&[0xFF, 0xEE, 0, 14], b"Adobe\0d\0\0\0\0".as_slice(), &[transform]].concat();
        let frame = |names: &[u8; 3]| {
            let mut frame = vec![0xFF, 0xC0, 0, 17, 8, 0, 16, 0, 16, 3];
            names.iter().for_each(|&name| frame.extend([name, 0x11, 0]));
            frame
        };
        let color = |segments: &[&[u8]]| {
            let stream = [&[0xFF, 0xD8], segments.concat().as_slice(), &[0xFF, 0xD9]].concat();
            scan(&stream).unwrap().color
        };
        let (numbered, named) = (frame(&[1, 2, 3]), frame(b"RGB"));
        assert_eq!(color(&[&numbered]), StreamColor::Unsaid);
        assert_eq!(color(&[&named]), StreamColor::Rgb);
        assert_eq!(color(&[&jfif, &numbered]), StreamColor::Ybr);
        assert_eq!(color(&[&adobe(0), &numbered]), StreamColor::Rgb);
        assert_eq!(color(&[&adobe(1), &named]), StreamColor::Ybr);
        assert_eq!(color(&[&jfif, &adobe(0), &numbered]), StreamColor::Unsaid);
    }

    #[test]
    fn exif_is_found_before_the_scan_only() {
        let other = [0xFF, 0xE0, 0, 4, 1, 2];
        let block = [0xFF, 0xE1, 0, 10, b'E', b'x', b'i', b'f', 0, 0, b'I', b'I'];
        let scan = [0xFF, 0xDA, 0, 2, 7];
        let stream = |segments: &[&[u8]]| [&[0xFF, 0xD8], segments.concat().as_slice()].concat();
        assert_eq!(exif(&stream(&[&other, &block, &scan])), Some(&b"II"[..]));
        assert_eq!(exif(&stream(&[&other, &scan, &block])), None);
        assert_eq!(exif(&stream(&[&block[..6]])), None);
        assert_eq!(exif(&stream(&[&[0xFF, 0xE1, 0, 0]])), None);
    }
}
