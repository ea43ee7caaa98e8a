//! Films in bytes, made element by element: independent of the writer under test, and able to write what is wrong on purpose.

use coxa_deidentify::{Deidentified, Deidentifier, Key, Outputs, Settings, Withheld};
use coxa_dicom::dx::{self, AnatomicRegion, DxOptions, Projection};
use coxa_imaging::Laterality;
use coxa_schema::Sex;

/// An element in explicit VR little endian; odd values are padded.
pub fn element(tag: (u16, u16), vr: &str, value: &[u8]) -> Vec<u8> {
    let mut value = value.to_vec();
    if value.len() % 2 == 1 {
        value.push(if vr == "UI" { 0 } else { b' ' });
    }
    let mut bytes = [tag.0.to_le_bytes(), tag.1.to_le_bytes()].concat();
    bytes.extend_from_slice(vr.as_bytes());
    if ["OB", "OW", "SQ", "UN", "UT", "UC", "UR", "OF"].contains(&vr) {
        bytes.extend_from_slice(&[0, 0]);
        bytes.extend_from_slice(&(value.len() as u32).to_le_bytes());
    } else {
        bytes.extend_from_slice(&(value.len() as u16).to_le_bytes());
    }
    bytes.extend(value);
    bytes
}

/// An element in implicit VR little endian.
pub fn implicit(tag: (u16, u16), value: &[u8]) -> Vec<u8> {
    let mut value = value.to_vec();
    if value.len() % 2 == 1 {
        value.push(b' ');
    }
    [&tag.0.to_le_bytes()[..], &tag.1.to_le_bytes(), &(value.len() as u32).to_le_bytes(), &value].concat()
}

/// An item of a sequence.
pub fn item(elements: &[Vec<u8>]) -> Vec<u8> {
    let body = elements.concat();
    [b"\xfe\xff\0\xe0", &(body.len() as u32).to_le_bytes()[..], &body].concat()
}

/// A Part 10 file of elements, which are sorted by tag.
pub fn part10(preamble: &[u8; 128], meta: &[Vec<u8>], elements: &[Vec<u8>]) -> Vec<u8> {
    let tag = |element: &Vec<u8>| {
        (u16::from_le_bytes([element[0], element[1]]), u16::from_le_bytes([element[2], element[3]]))
    };
    let mut sorted = elements.to_vec();
    sorted.sort_by_key(tag);
    let group = meta.concat();
    let length = element((2, 0), "UL", &(group.len() as u32).to_le_bytes());
    [&preamble[..], b"DICM", &length, &group, &sorted.concat()].concat()
}

pub const DX: &str = "1.2.840.10008.5.1.4.1.1.1.1";
pub const EXPLICIT: &str = "1.2.840.10008.1.2.1";

/// File meta information of a film with an instance UID.
pub fn meta(class: &str, instance: &str, syntax: &str) -> Vec<Vec<u8>> {
    vec![
        element((2, 1), "OB", &[0, 1]),
        element((2, 2), "UI", class.as_bytes()),
        element((2, 3), "UI", instance.as_bytes()),
        element((2, 0x10), "UI", syntax.as_bytes()),
    ]
}

/// The elements that a film must have, with 4×4 pixels of 12 bits.
pub fn minimal(class: &str, instance: &str) -> Vec<Vec<u8>> {
    let us = |tag, n: u16| element(tag, "US", &n.to_le_bytes());
    vec![
        element((8, 0x16), "UI", class.as_bytes()),
        element((8, 0x18), "UI", instance.as_bytes()),
        element((8, 0x60), "CS", b"DX"),
        element((0x20, 0xd), "UI", b"1.2.752.99.1"),
        element((0x20, 0xe), "UI", b"1.2.752.99.2"),
        us((0x28, 2), 1),
        element((0x28, 4), "CS", b"MONOCHROME2"),
        us((0x28, 0x10), 4),
        us((0x28, 0x11), 4),
        us((0x28, 0x100), 16),
        us((0x28, 0x101), 12),
        us((0x28, 0x102), 11),
        us((0x28, 0x103), 0),
        element((0x7fe0, 0x10), "OW", &[7, 1].repeat(16)),
    ]
}

/// A minimal film with more elements; one with a tag that is there already takes its place.
pub fn film(more: &[Vec<u8>]) -> Vec<u8> {
    part10(&[0; 128], &meta(DX, "1.2.752.99.3", EXPLICIT), &with(minimal(DX, "1.2.752.99.3"), more))
}

pub fn with(mut elements: Vec<Vec<u8>>, more: &[Vec<u8>]) -> Vec<Vec<u8>> {
    elements.retain(|old| !more.iter().any(|new| new[..4] == old[..4]));
    elements.extend_from_slice(more);
    elements
}

/// A simulated film of a patient.
pub fn simulated(patient_id: &str, seed: &str) -> Vec<u8> {
    let pixels: Vec<u16> = (0..64 * 48).map(|i| (i * 53 % 4096) as u16).collect();
    dx::to_vec(&DxOptions {
        rows: 48,
        columns: 64,
        bits_stored: 12,
        monochrome1: false,
        pixels: &pixels,
        window: None,
        spacing_mm: 0.143,
        view_position: Projection::AnteroPosterior,
        laterality: Laterality::Both,
        body_part: AnatomicRegion::Pelvis,
        seed_uid: seed,
        study_date: "20170304",
        patient_id,
        age: Some(72),
        sex: Some(Sex::Female),
        burned_in_annotation: false,
    })
    .unwrap()
}

pub fn deidentifier() -> Deidentifier {
    Deidentifier::new(Key::from_bytes([42; 32]), Settings::default())
}

pub fn deidentify(bytes: &[u8]) -> Result<Deidentified, Withheld> {
    deidentifier().deidentify(bytes)
}

/// The value of an explicit element at any depth, found by its head.
pub fn value(bytes: &[u8], tag: (u16, u16), vr: &str) -> Option<String> {
    let head = element(tag, vr, b"");
    let at = bytes.windows(6).position(|window| window == &head[..6])?;
    let length = usize::from(u16::from_le_bytes([bytes[at + 6], bytes[at + 7]]));
    Some(String::from_utf8_lossy(&bytes[at + 8..at + 8 + length]).trim_end_matches([' ', '\0']).to_owned())
}

/// Whether bytes hold a text in UTF-8, Latin-1, UTF-16, GB18030 or ISO 2022, whatever its case. The encodings that Rust has no word for
/// are given by their bytes where a test needs them.
pub fn holds(bytes: &[u8], text: &str) -> bool {
    let lower = bytes.to_ascii_lowercase();
    let latin: Option<Vec<u8>> = text.chars().map(|c| u8::try_from(u32::from(c)).ok()).collect();
    let utf16 = |bytes: fn(u16) -> [u8; 2]| text.encode_utf16().flat_map(bytes).collect::<Vec<u8>>();
    let (gb18030, _, gb_fails) = encoding_rs::GB18030.encode(text);
    let (iso2022, _, iso_fails) = encoding_rs::ISO_2022_JP.encode(text);
    let mut forms = vec![text.as_bytes().to_vec(), utf16(u16::to_le_bytes), utf16(u16::to_be_bytes)];
    forms.extend(latin);
    forms.extend((!gb_fails).then(|| gb18030.into_owned()));
    forms.extend((!iso_fails).then(|| {
        let bare = iso2022.strip_prefix(b"\x1b$B").unwrap_or(&iso2022);
        bare.strip_suffix(b"\x1b(B").unwrap_or(bare).to_vec()
    }));
    forms.iter_mut().for_each(|form| form.make_ascii_lowercase());
    let found = |form: &Vec<u8>| (0..lower.len()).any(|at| lower[at] == form[0] && lower[at..].starts_with(form));
    forms.iter().any(found)
}

/// An output folder, and none for identified films.
pub fn into(films: &std::path::Path) -> Outputs<'_> {
    Outputs { films, identified: None }
}
