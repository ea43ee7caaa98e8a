//! Arbitrary bytes, alone and among the elements of a film whose patient has a name: no panic, nothing of the name in what comes out, and the
//! same bytes when it is de-identified again.
#![no_main]

use std::sync::Arc;

use coxa_deidentify::{Deidentifier, Key, PixelCleaning, Settings, TextFinder};
use libfuzzer_sys::fuzz_target;

const NAME: &[u8] = b"Zwolquisling";

fn element(tag: (u16, u16), vr: &[u8; 2], value: &[u8]) -> Vec<u8> {
    let mut bytes = [tag.0.to_le_bytes(), tag.1.to_le_bytes()].concat();
    bytes.extend_from_slice(vr);
    if vr == b"OW" || vr == b"OB" {
        bytes.extend_from_slice(&[0, 0]);
        bytes.extend_from_slice(&(value.len() as u32).to_le_bytes());
    } else {
        bytes.extend_from_slice(&(value.len() as u16).to_le_bytes());
    }
    bytes.extend_from_slice(value);
    bytes
}

/// A film with elements of arbitrary bytes; the byte 0x7E among them stands for the name.
fn film(data: &[u8]) -> Vec<u8> {
    let us = |tag, n: u16| element(tag, b"US", &n.to_le_bytes());
    let class = b"1.2.840.10008.5.1.4.1.1.1.1\0";
    let meta = [
        element((2, 2), b"UI", class),
        element((2, 3), b"UI", b"1.2.752.99.3"),
        element((2, 0x10), b"UI", b"1.2.840.10008.1.2.1\0"),
    ]
    .concat();
    let more = data.iter().flat_map(|b| if *b == 0x7E { NAME.to_vec() } else { vec![*b] });
    let more: Vec<u8> = more.collect();
    let elements = [
        element((8, 0x16), b"UI", class),
        element((8, 0x18), b"UI", b"1.2.752.99.3"),
        element((8, 0x60), b"CS", b"DX"),
        element((0x10, 0x10), b"PN", NAME),
        element((0x20, 0xd), b"UI", b"1.2.752.99.1"),
        element((0x20, 0xe), b"UI", b"1.2.752.99.2"),
        us((0x28, 2), 1),
        element((0x28, 4), b"CS", b"MONOCHROME2 "),
        us((0x28, 0x10), 4),
        us((0x28, 0x11), 4),
        us((0x28, 0x100), 16),
        us((0x28, 0x101), 12),
        us((0x28, 0x102), 11),
        us((0x28, 0x103), 0),
        more,
        element((0x7fe0, 0x10), b"OW", &[7, 1].repeat(16)),
    ]
    .concat();
    let length = element((2, 0), b"UL", &(meta.len() as u32).to_le_bytes());
    [&[0; 128][..], b"DICM", &length, &meta, &elements].concat()
}

fn holds(bytes: &[u8], name: &[u8]) -> bool {
    let lower = bytes.to_ascii_lowercase();
    lower.windows(name.len()).any(|window| window == name.to_ascii_lowercase())
}

fuzz_target!(|data: &[u8]| {
    let pixels = PixelCleaning { detector: Some(Arc::new(TextFinder::default())), ..PixelCleaning::default() };
    let settings = Settings { pixels, ..Settings::default() };
    let deidentifier = Deidentifier::new(Key::from_bytes([42; 32]), settings);
    for bytes in [data.to_vec(), film(data)] {
        let Ok(done) = deidentifier.deidentify(&bytes) else { continue };
        let wide: Vec<u8> = NAME.iter().flat_map(|b| [*b, 0]).collect();
        if bytes.len() > data.len() {
            assert!(!holds(&done.bytes, NAME) && !holds(&done.bytes, &wide), "the name is left");
        }
        let again = deidentifier.deidentify(&done.bytes).expect("what was written is read again");
        assert!(again.bytes == done.bytes, "a second time changes something");
    }
});
