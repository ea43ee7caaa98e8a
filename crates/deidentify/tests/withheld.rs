//! Films whose identity cannot be removed for certain are withheld, and their reasons quote nothing.

use coxa_deidentify::{
    Deidentifier, Key, PixelCleaning, Rectangle, Settings, Withheld, WithheldList, deidentify_files, inputs,
};

use crate::film::*;

const CAPTURE: &str = "1.2.840.10008.5.1.4.1.1.7";

fn of_class(class: &str, more: &[Vec<u8>]) -> Vec<u8> {
    part10(&[0; 128], &meta(class, "1.2.752.99.3", EXPLICIT), &with(minimal(class, "1.2.752.99.3"), more))
}

#[test]
fn each_for_its_reason() {
    let good = film(&[]);
    assert!(deidentify(&good).is_ok());
    let no = element((0x28, 0x301), "CS", b"NO");
    let bad_meta = part10(&[0; 128], &meta(DX, "1.2.752.99.4", EXPLICIT), &minimal(DX, "1.2.752.99.3"));
    let syntax = part10(&[0; 128], &meta(DX, "1.2.752.99.3", "1.2.840.10008.1.2.4.102"), &minimal(DX, "1.2.752.99.3"));
    let jpeg = part10(&[0; 128], &meta(DX, "1.2.752.99.3", "1.2.840.10008.1.2.4.50"), &minimal(DX, "1.2.752.99.3"));
    let twice = [good.clone(), element((0x7fe0, 0x10), "OW", &[0; 32])].concat();
    for (name, bytes, expected) in [
        ("no DICOM", b"hello".to_vec(), "not a DICOM"),
        ("truncated", good[..good.len() - 8].to_vec(), "truncated"),
        ("short pixels", film(&[element((0x7fe0, 0x10), "OW", &[0; 8])]), "truncated"),
        ("twice", twice, "malformed"),
        ("unknown syntax", syntax, "transfer syntax"),
        ("not fragments", jpeg, "encoded otherwise"),
        ("PDF", of_class("1.2.840.10008.5.1.4.1.1.104.1", &[]), "document"),
        ("report", of_class("1.2.840.10008.5.1.4.1.1.88.11", &[]), "document"),
        ("CT", of_class("1.2.840.10008.5.1.4.1.1.2", &[]), "not a CR, DX"),
        ("embedded document", film(&[element((0x42, 0x11), "OB", b"%PDF")]), "document"),
        ("DICOMDIR", of_class("1.2.840.10008.1.3.10", &[]), "DICOMDIR"),
        ("capture", of_class(CAPTURE, &[]), "Secondary Capture without"),
        ("scanned", of_class(CAPTURE, &[no.clone(), element((8, 0x64), "CS", b"SD")]), "scanned"),
        ("burned in", film(&[element((0x28, 0x301), "CS", b"YES")]), "burned into"),
        ("contradiction", bad_meta, "contradictory"),
        ("no UID", film(&[element((0x20, 0xd), "UI", b"")]), "Instance UID"),
        ("frames", film(&[element((0x28, 8), "IS", b"2")]), "several frames"),
        (
            "an ID that is a time",
            film(&[element((0x10, 0x20), "LO", b"120000"), element((8, 0x30), "TM", b"120000")]),
            "would be left",
        ),
        ("palette", film(&[element((0x28, 4), "CS", b"PALETTE COLOR")]), "photometric"),
    ] {
        let reason = deidentify(&bytes).expect_err(name).to_string();
        assert!(reason.contains(expected), "{name}: {reason}");
    }
    assert!(deidentify(&of_class(CAPTURE, &[no])).is_ok());
}

#[test]
fn every_cut_and_no_reason_quotes_a_value() {
    let film = film(&[element((0x10, 0x10), "PN", b"Quisling^Zebedee"), element((8, 0x1030), "LO", b"Quisling hip")]);
    for end in 0..film.len() {
        let reason = deidentify(&film[..end]).expect_err("a film that is cut short");
        assert!(!format!("{reason} {reason:?}").contains("uisling"), "{reason}");
    }
}

#[test]
fn rectangles_admit_films_with_burned_in_text() {
    let rectangle = Rectangle { x: 0, y: 0, width: 4, height: 1 };
    let pixels = PixelCleaning { rectangles: vec![rectangle], ..PixelCleaning::default() };
    let deidentifier = Deidentifier::new(Key::from_bytes([42; 32]), Settings { pixels, ..Settings::default() });
    let done = deidentifier.deidentify(&film(&[element((0x28, 0x301), "CS", b"YES")])).unwrap();
    assert_eq!(done.receipt.blanked, 1);
    assert!(done.bytes.ends_with(&[&[0; 8][..], &[7, 1].repeat(12)].concat()));
    assert_eq!(value(&done.bytes, (0x28, 0x301), "CS").as_deref(), Some("NO"));
    assert!(holds(&done.bytes, "113101"));
    assert_eq!(deidentifier.deidentify(&done.bytes).unwrap().bytes, done.bytes);
    assert!(matches!(deidentify(&film(&[element((0x28, 0x301), "CS", b"YES")])), Err(Withheld::BurnedIn)));
}

#[test]
fn each_is_named_by_its_serial_number_and_nothing_of_it_is_written() {
    let folder = tempfile::tempdir().unwrap();
    let (inputs_at, out) = (folder.path().join("in"), folder.path().join("out"));
    std::fs::create_dir(&inputs_at).unwrap();
    let good = film(&[]);
    let syntax = part10(&[0; 128], &meta(DX, "1.2.752.99.3", "1.2.840.10008.1.2.4.102"), &minimal(DX, "1.2.752.99.3"));
    let scanned = of_class(CAPTURE, &[element((0x28, 0x301), "CS", b"NO"), element((8, 0x64), "CS", b"SD")]);
    // Their names say who they are of, and give the order.
    let files = [
        ("Quisling 1.dcm", good.clone(), None),
        ("Quisling 2.dcm", good[..good.len() - 8].to_vec(), Some("it is truncated")),
        ("Quisling 3.dcm", syntax, Some("its transfer syntax is missing or not supported")),
        ("Quisling 4.dcm", scanned, Some("it is a scanned document (Conversion Type)")),
        ("Quisling 5.dcm", of_class("1.2.840.10008.5.1.4.1.1.104.1", &[]), Some("it is a document")),
    ];
    for (name, bytes, _) in &files {
        std::fs::write(inputs_at.join(name), bytes).unwrap();
    }
    let named = inputs(&[inputs_at], &out).unwrap();
    let mut lines = Vec::new();
    let withheld = deidentify_files(&deidentifier(), &named, into(&out), 2, None, |line| {
        lines.push(serde_json::to_value(&line)?);
        Ok(())
    });
    assert_eq!(withheld.unwrap(), 4);
    for (place, (name, _, reason)) in files.iter().enumerate() {
        let line = &lines[place];
        assert_eq!((line["serial"].as_u64(), line["reason"].as_str()), (Some(place as u64 + 1), *reason), "{name}");
        assert!(!line.to_string().contains("Quisling"), "{line}");
    }
    let listed = WithheldList::read(&out).unwrap().unwrap();
    let numbers: Vec<_> = listed.withheld.iter().map(|film| (film.serial, Some(film.reason.as_str()))).collect();
    assert_eq!(numbers, files.iter().enumerate().skip(1).map(|(place, file)| (place + 1, file.2)).collect::<Vec<_>>());
    let written = coxa_files::find::films_below(&out);
    assert_eq!(written.films.len(), 1, "{written:?}");
    assert_eq!(written.others.len(), 3, "the mark, the list and the table of origins alone: {written:?}");
}
