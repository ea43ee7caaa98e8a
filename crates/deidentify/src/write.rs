//! Data sets become Part 10 files: an empty preamble, explicit VR little endian, defined lengths. The same data set always has the same
//! bytes.

use dicom_core::Tag;
use dicom_core::VR;

use crate::dataset::{DataSet, Element, Value};
use crate::parse::is_long;
use crate::withheld::Withheld;

/// Writes a file with the given file meta information, whose group length is computed.
///
/// # Errors
/// [`Withheld::Malformed`] where a value is longer than its VR can be.
pub(crate) fn write(meta: &DataSet, data: &DataSet) -> Result<Vec<u8>, Withheld> {
    let mut group = Vec::new();
    write_elements(meta, &mut group)?;
    let mut bytes = vec![0; 128];
    bytes.extend_from_slice(b"DICM\x02\0\0\0UL\x04\0");
    bytes.extend_from_slice(&length(group.len())?.to_le_bytes());
    bytes.append(&mut group);
    write_elements(data, &mut bytes)?;
    Ok(bytes)
}

fn length(n: usize) -> Result<u32, Withheld> {
    u32::try_from(n).ok().filter(|&n| n != u32::MAX).ok_or(TOO_LONG)
}

const TOO_LONG: Withheld = Withheld::Malformed("a value is longer than its value representation can be");

/// Writes the elements of a data set one after the other.
pub(crate) fn write_elements(data: &DataSet, out: &mut Vec<u8>) -> Result<(), Withheld> {
    data.0.iter().try_for_each(|(&tag, element)| write_element(tag, element, out))
}

fn write_element(tag: Tag, element: &Element, out: &mut Vec<u8>) -> Result<(), Withheld> {
    match &element.value {
        Value::Bytes(bytes) => {
            head(tag, element.vr, bytes.len(), out)?;
            out.extend_from_slice(bytes);
        }
        Value::Items(items) => {
            let mut body = Vec::new();
            for item in items {
                let mut elements = Vec::new();
                write_elements(item, &mut elements)?;
                body.extend_from_slice(b"\xfe\xff\0\xe0");
                body.extend_from_slice(&length(elements.len())?.to_le_bytes());
                body.append(&mut elements);
            }
            head(tag, VR::SQ, body.len(), out)?;
            out.append(&mut body);
        }
        Value::Fragments(fragments) => {
            tag_bytes(tag, out);
            out.extend_from_slice(b"OB\0\0\xff\xff\xff\xff\xfe\xff\0\xe0\0\0\0\0");
            for fragment in fragments {
                out.extend_from_slice(b"\xfe\xff\0\xe0");
                out.extend_from_slice(&length(fragment.len())?.to_le_bytes());
                out.extend_from_slice(fragment);
            }
            out.extend_from_slice(b"\xfe\xff\xdd\xe0\0\0\0\0");
        }
    }
    Ok(())
}

fn tag_bytes(tag: Tag, out: &mut Vec<u8>) {
    out.extend_from_slice(&tag.group().to_le_bytes());
    out.extend_from_slice(&tag.element().to_le_bytes());
}

fn head(tag: Tag, vr: VR, n: usize, out: &mut Vec<u8>) -> Result<(), Withheld> {
    tag_bytes(tag, out);
    out.extend_from_slice(&vr.to_bytes());
    if is_long(vr) {
        out.extend_from_slice(&[0, 0]);
        out.extend_from_slice(&length(n)?.to_le_bytes());
    } else {
        out.extend_from_slice(&u16::try_from(n).map_err(|_| TOO_LONG)?.to_le_bytes());
    }
    Ok(())
}
