//! The files of `testdata/dicom/make.py` against the display values that pydicom gives for them.

use coxa_imaging::{Laterality, Photometric, read, read_bytes};

use crate::{golden_file, golden_folder};

#[test]
fn display_values_are_those_of_pydicom() {
    let expected = std::fs::read_to_string(golden_folder().join("expected.csv")).unwrap();
    let mut seen = 0;
    for line in expected.lines() {
        let cells: Vec<&str> = line.split(',').collect();
        let &[name, bits, tolerance, values] = &cells[..] else { panic!("{line}") };
        let film = read(&golden_folder().join(format!("{name}.dcm"))).unwrap();
        assert_eq!((film.width(), film.height()), (20, 18), "{name}");
        assert_eq!(film.bit_depth().to_string(), bits, "{name}");
        let tolerance: f32 = tolerance.parse().unwrap();
        let values: Vec<f32> = values.split(' ').map(|v| v.parse().unwrap()).collect();
        assert_eq!(values.len(), film.pixels().len(), "{name}");
        for (i, (&a, &b)) in film.pixels().iter().zip(&values).enumerate() {
            assert!((a - b).abs() <= tolerance, "{name}: {a} is not {b} at row {}, column {}", i / 20, i % 20);
        }
        seen += 1;
    }
    assert_eq!(seen, 36);
}

#[test]
fn what_the_file_says_about_itself_is_kept() {
    let film = read_bytes(&golden_file("monochrome1"), "film").unwrap();
    assert_eq!(film.photometric(), Photometric::Monochrome1);
    assert_eq!(film.spacing_mm(), Some([0.2, 0.1]));
    assert_eq!(film.view(), Some("AP"));
    assert_eq!(film.laterality(), Some(Laterality::Both));
    assert_eq!(film.sha256().len(), 64);
    assert_eq!(read_bytes(&golden_file("rgb"), "film").unwrap().photometric(), Photometric::Rgb);
    assert_eq!(read_bytes(&golden_file("ybr_full"), "film").unwrap().photometric(), Photometric::Other);
    let shown = format!("{film:?}");
    assert!(!shown.contains("SECRET"), "{shown}");
}

/// A LUT of 65,536 entries, whose number is written as 0.
#[test]
fn a_full_table_is_written_as_zero_entries() {
    let small = golden_file("modality_lut");
    // The sequence is replaced by one with a table of 65,536 entries: 65535 − i.
    let (at, length) = crate::element(&small, 0x0028, 0x3000);
    let mut item = Vec::new();
    item.extend(b"\x28\0\x02\x30US\x06\0\0\0\0\0\x10\0");
    item.extend(b"\x28\0\x06\x30OW\0\0");
    item.extend((2u32 * 65_536).to_le_bytes());
    item.extend((0..=u16::MAX).flat_map(|i| (u16::MAX - i).to_le_bytes()));
    let mut sequence = b"\xfe\xff\x00\xe0".to_vec();
    sequence.extend((item.len() as u32).to_le_bytes());
    sequence.extend(item);
    let mut bytes = small[..at - 4].to_vec();
    bytes.extend((sequence.len() as u32).to_le_bytes());
    bytes.extend(sequence);
    bytes.extend(if length == 0xFFFF_FFFF { panic!("make.py writes defined lengths") } else { &small[at + length..] });
    let film = read_bytes(&bytes, "film").unwrap();
    // Stored 0 to 1023 become 65535 to 64512, all above the window of 30000 ± 20000.
    assert!(film.pixels().iter().all(|&v| v == 255.0));
}
