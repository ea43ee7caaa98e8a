//! RLE pixels become plain ones.

use crate::layout::Layout;
use crate::withheld::Withheld;

/// Unpacks RLE (PS3.5 annex G): a segment for each byte of each sample, the highest byte first. What lies between and after the segments
/// is left out.
pub(crate) fn unpack(bytes: &[u8], layout: Layout) -> Result<Vec<u8>, Withheld> {
    let word = |n: usize| {
        let four = bytes.get(4 * n..4 * n + 4).ok_or(Withheld::Truncated)?;
        Ok(u32::from_le_bytes([four[0], four[1], four[2], four[3]]) as usize)
    };
    let planes = layout.samples * layout.width;
    if word(0)? != planes {
        return Err(Withheld::Pixels("the number of RLE segments"));
    }
    let pixels = layout.rows * layout.columns;
    let mut values = vec![0; layout.bytes()];
    for plane in 0..planes {
        let segment = bytes.get(word(1 + plane)?..).ok_or(Withheld::Truncated)?;
        let (sample, byte) = (plane / layout.width, layout.width - 1 - plane % layout.width);
        let unpacked = unpack_segment(segment, pixels)?;
        let places = values.iter_mut().skip(sample * layout.width + byte).step_by(planes);
        places.zip(unpacked).for_each(|(place, value)| *place = value);
    }
    Ok(values)
}

/// PackBits until there are as many bytes as there are pixels.
fn unpack_segment(mut packed: &[u8], pixels: usize) -> Result<Vec<u8>, Withheld> {
    let mut unpacked = Vec::with_capacity(pixels);
    while unpacked.len() < pixels {
        let (&head, rest) = packed.split_first().ok_or(Withheld::Truncated)?;
        packed = match head {
            0..=127 => {
                let (taken, after) = rest.split_at_checked(usize::from(head) + 1).ok_or(Withheld::Truncated)?;
                unpacked.extend_from_slice(taken);
                after
            }
            128 => rest,
            129..=255 => {
                let (&value, after) = rest.split_first().ok_or(Withheld::Truncated)?;
                unpacked.resize(unpacked.len() + 257 - usize::from(head), value);
                after
            }
        };
    }
    unpacked.truncate(pixels);
    Ok(unpacked)
}
