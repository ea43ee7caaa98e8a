//! DICOM's RLE compression (PS3.5 annex G): byte planes, most significant first, each packed by PackBits.

use super::CodecError;

/// Unpacks one frame to `pixels * samples * bytes_per_sample` bytes, samples interleaved, little endian.
pub(crate) fn decode(
    frame: &[u8],
    pixels: usize,
    samples: usize,
    bytes_per_sample: usize,
) -> Result<Vec<u8>, CodecError> {
    let word = |i: usize| -> Option<usize> {
        let four = frame.get(4 * i..4 * i + 4)?.try_into().ok()?;
        Some(u32::from_le_bytes(four) as usize)
    };
    let planes = samples * bytes_per_sample;
    if frame.len() < 64 || word(0) != Some(planes) {
        return Err("its header does not have one segment a byte plane");
    }
    let mut output = vec![0u8; pixels * planes];
    for plane in 0..planes {
        let begin = word(1 + plane).ok_or("its header is cut short")?;
        let end = if plane + 1 < planes { word(2 + plane).ok_or("its header is cut short")? } else { frame.len() };
        let segment = frame.get(begin..end).filter(|_| begin >= 64).ok_or("a segment lies outside the frame")?;
        let (sample, byte) = (plane / bytes_per_sample, plane % bytes_per_sample);
        // Planes run from the most significant byte down; the output is little endian.
        let offset = sample * bytes_per_sample + (bytes_per_sample - 1 - byte);
        unpack(segment, &mut output, offset, planes)?;
    }
    Ok(output)
}

/// PackBits into every `stride`-th byte from `at`.
fn unpack(segment: &[u8], output: &mut [u8], mut at: usize, stride: usize) -> Result<(), CodecError> {
    let mut input = segment.iter().copied();
    while at < output.len() {
        let control = input.next().ok_or("a segment ends before its last pixel")? as i8;
        if control == -128 {
            continue;
        }
        // 0 and up: so many literal bytes and one more; below: one byte, repeated.
        let count = usize::from(control.unsigned_abs()) + 1;
        let repeated =
            if control < 0 { Some(input.next().ok_or("a segment ends before its last pixel")?) } else { None };
        for _ in 0..count {
            let value = match repeated {
                Some(value) => value,
                None => input.next().ok_or("a segment ends before its last pixel")?,
            };
            // A run may go past the last pixel by the padding of an odd length.
            if let Some(byte) = output.get_mut(at) {
                *byte = value;
            }
            at += stride;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frame(segments: &[&[u8]]) -> Vec<u8> {
        let mut bytes = vec![0u8; 64];
        bytes[0] = segments.len() as u8;
        for (i, segment) in segments.iter().enumerate() {
            let at = bytes.len() as u32;
            bytes[4 + 4 * i..8 + 4 * i].copy_from_slice(&at.to_le_bytes());
            bytes.extend_from_slice(segment);
        }
        bytes
    }

    #[test]
    fn the_example_of_packbits() {
        let packed = [0xFE, 0xAA, 0x02, 0x80, 0x00, 0x2A, 0xFD, 0xAA, 0x03, 0x80, 0x00, 0x2A, 0x22, 0xF7, 0xAA];
        let unpacked = [
            0xAA, 0xAA, 0xAA, 0x80, 0x00, 0x2A, 0xAA, 0xAA, 0xAA, 0xAA, 0x80, 0x00, 0x2A, 0x22, 0xAA, 0xAA, 0xAA, 0xAA,
            0xAA, 0xAA, 0xAA, 0xAA, 0xAA, 0xAA,
        ];
        assert_eq!(decode(&frame(&[&packed]), 24, 1, 1).unwrap(), unpacked);
    }

    #[test]
    fn two_planes_interleave_little_endian() {
        assert_eq!(decode(&frame(&[&[1, 0x12, 0x34], &[0xFF, 0x56]]), 2, 1, 2).unwrap(), [0x56, 0x12, 0x56, 0x34]);
    }

    #[test]
    fn short_and_odd_frames_are_refused() {
        assert!(decode(&[], 4, 1, 1).is_err());
        assert!(decode(&frame(&[&[3, 1, 2]]), 4, 1, 1).is_err());
        assert!(decode(&frame(&[&[0x80, 0x80]]), 4, 1, 1).is_err());
        assert!(decode(&frame(&[&[0xFF, 1]]), 2, 1, 2).is_err());
    }
}
