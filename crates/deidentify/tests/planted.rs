//! Identifiers planted in every kind of place are nowhere in the output or the receipt.

use coxa_deidentify::{Deidentified, ProfileOption, Settings};

use crate::film::*;

/// Names, numbers and dates that no word list holds; each is planted in many places.
const PLANTED: [&str; 12] = [
    "Quisling",
    "Zebedee",
    "ID778899",
    "ACC5544332",
    "19450312",
    "Dr Wolfenstein",
    "Saint Hubert",
    "Elmtree",
    "0255512345",
    "王小東",
    "山田",
    "quis@example.org",
];

fn assert_clean(name: &str, done: &Deidentified, planted: &[&str]) {
    let receipt = serde_json::to_string(&done.receipt).unwrap();
    for identifier in planted {
        assert!(!holds(&done.bytes, identifier), "{name}: `{identifier}` is in the output");
        assert!(!holds(receipt.as_bytes(), identifier), "{name}: `{identifier}` is in the receipt");
        assert!(!format!("{done:?}").contains(identifier) || holds(&done.bytes, identifier), "{name}: in Debug");
    }
    assert_eq!(deidentify(&done.bytes).unwrap().bytes, done.bytes, "{name}: a second time");
}

/// Plants each identifier as the value of an element.
fn plant(tag: (u16, u16), vr: &str) {
    for identifier in PLANTED {
        let film = film(&[element(tag, vr, identifier.as_bytes())]);
        if let Ok(done) = deidentify(&film) {
            assert_clean(&format!("{tag:04x?} {vr}"), &done, &PLANTED);
        }
    }
}

#[test]
fn in_elements_of_the_patient_study_and_equipment() {
    for (tag, vr) in [
        ((8, 0x50), "SH"),
        ((8, 0x80), "LO"),
        ((8, 0x81), "ST"),
        ((8, 0x90), "PN"),
        ((8, 0x1010), "SH"),
        ((8, 0x1030), "LO"),
        ((8, 0x103e), "LO"),
        ((8, 0x1048), "PN"),
        ((8, 0x1070), "PN"),
        ((8, 0x2111), "ST"),
        ((0x10, 0x10), "PN"),
        ((0x10, 0x20), "LO"),
        ((0x10, 0x21), "LO"),
        ((0x10, 0x30), "DA"),
        ((0x10, 0x1000), "LO"),
        ((0x10, 0x1010), "AS"),
        ((0x10, 0x1020), "DS"),
        ((0x10, 0x1040), "LO"),
        ((0x10, 0x2160), "SH"),
        ((0x10, 0x21b0), "LT"),
        ((0x10, 0x4000), "LT"),
        ((0x18, 0x15), "CS"),
        ((0x18, 0x1000), "LO"),
        ((0x18, 0x1030), "LO"),
        ((0x20, 0x10), "SH"),
        ((0x20, 0x4000), "LT"),
        ((0x28, 0x1055), "LO"),
        ((0x32, 0x1060), "LO"),
        ((0x38, 0x10), "LO"),
        ((0x40, 0x254), "LO"),
        ((0x40, 0x1002), "LO"),
        ((0x4008, 0x10b), "ST"),
        // Texts of unlimited length, private elements, curves and overlays.
        ((8, 0x120), "UR"),
        ((0x18, 0x9937), "UT"),
        ((0x18, 0x9937), "UC"),
        ((9, 0x10), "LO"),
        ((9, 0x1001), "UN"),
        ((9, 0x1002), "OB"),
        ((0x5000, 0x40), "LO"),
        ((0x6000, 0x22), "LO"),
        ((0x6000, 0x4000), "LT"),
        ((0x6000, 0x3000), "OW"),
    ] {
        plant(tag, vr);
    }
}

#[test]
fn in_elements_whose_vr_is_wrong() {
    // Numbers, codes, dates and UIDs that are names, and names that claim to be numbers.
    for tag in [
        (8, 8),
        (8, 0x20),
        (8, 0x30),
        (8, 0x2a),
        (0x18, 0x60),
        (0x18, 0x1164),
        (0x18, 0x5101),
        (0x20, 0x13),
        (0x20, 0x52),
        (0x28, 0x34),
    ] {
        for vr in ["CS", "DA", "TM", "DT", "DS", "IS", "UI", "LO", "SH", "UN", "OB", "US", "FD", "PN", "UT"] {
            plant(tag, vr);
        }
    }
    for tag in [(0x28, 0x106), (0x28, 0x120), (0x28, 0x1041), (0x28, 0x3002), (0x18, 0x1622)] {
        for vr in ["US", "SS", "LO", "UN", "OW"] {
            plant(tag, vr);
        }
    }
}

#[test]
fn in_names_of_five_forms_found_again_in_texts() {
    for (name, others) in [
        ("Foot^Handley", vec!["Foot", "Handley"]),
        ("HANDLEY FOOT", vec!["Foot", "Handley"]),
        ("Handley^Foot^^Dr^MD", vec!["Foot", "Handley"]),
        ("Foot^Handley=王^小東=", vec!["Handley", "王小東", "小東"]),
        ("Foot-Handley^", vec!["Foot", "Handley"]),
    ] {
        let film = film(&[
            element((8, 5), "CS", b"ISO_IR 192"),
            element((0x10, 0x10), "PN", name.as_bytes()),
            element((8, 0x1030), "LO", "FOOT Handley: left hip, 王小東骨盆, foot".as_bytes()),
            element((9, 0x10), "LO", b"Handley Foot tools"),
        ]);
        let done = deidentify(&film).unwrap();
        assert_clean(name, &done, &others);
        assert_eq!(value(&done.bytes, (8, 0x1030), "LO").as_deref(), Some("left hip, 骨盆"));
    }
}

#[test]
fn in_sequences_however_deep_and_however_written() {
    let names = || vec![element((0x10, 0x10), "PN", b"Quisling^Zebedee"), element((0x40, 7), "LO", b"hip Elmtree")];
    let deep = |head: (u16, u16), inner: Vec<Vec<u8>>| element(head, "SQ", &item(&inner));
    let request = deep(
        (0x40, 0x275),
        [names(), vec![deep((8, 0x1140), [names(), vec![deep((8, 0x1140), names())]].concat())]].concat(),
    );
    let open = [
        &element((0x40, 0x275), "SQ", b"")[..8],
        b"\xff\xff\xff\xff\xfe\xff\0\xe0\xff\xff\xff\xff",
        &names().concat(),
        b"\xfe\xff\x0d\xe0\0\0\0\0\xfe\xff\xdd\xe0\0\0\0\0",
    ]
    .concat();
    let unknown_body = item(&[implicit((0x40, 7), b"hip Elmtree"), implicit((0x10, 0x10), b"Quisling^Zebedee")]);
    let unknown = element((0x40, 0x275), "UN", &unknown_body);
    let unknown_open =
        [&element((0x40, 0x275), "UN", b"")[..8], b"\xff\xff\xff\xff", &unknown_body, b"\xfe\xff\xdd\xe0\0\0\0\0"]
            .concat();
    let private = element((9, 0x1010), "SQ", &item(&names()));
    for (name, sequence) in [
        ("deep", request),
        ("open", open),
        ("unknown", unknown),
        ("unknown and open", unknown_open),
        ("private", private),
    ] {
        let done = deidentify(&film(&[sequence])).unwrap();
        assert_clean(name, &done, &["Quisling", "Zebedee", "Elmtree"]);
        assert_eq!(value(&done.bytes, (0x40, 7), "LO").is_some_and(|text| text == "hip"), name != "private", "{name}");
    }
}

#[test]
fn in_the_preamble_the_file_meta_information_and_after_the_pixels() {
    let mut preamble = [0; 128];
    preamble[..16].copy_from_slice(b"Quisling^Zebedee");
    let mut head = meta(DX, "1.2.752.99.3", EXPLICIT);
    head.push(element((2, 0x12), "UI", b"1.2.752.99.778899"));
    head.push(element((2, 0x13), "SH", b"Elmtree"));
    head.push(element((2, 0x16), "AE", b"ELMTREE"));
    head.push(element((2, 0x100), "UI", b"1.2.752.99.778899"));
    head.push(element((2, 0x102), "OB", b"Quisling"));
    let pixels = element((0x7fe0, 0x10), "OW", &[&[7, 1].repeat(16)[..], b"Quisling^Zebedee"].concat());
    let after = element((0xfffc, 0xfffc), "OB", b"Quisling");
    let elements = with(minimal(DX, "1.2.752.99.3"), &[pixels, after]);
    let done = deidentify(&part10(&preamble, &head, &elements)).unwrap();
    assert_clean("shell", &done, &["Quisling", "Zebedee", "Elmtree", "1.2.752.99"]);
    assert!(done.bytes[..128].iter().all(|&b| b == 0));
    assert!(done.bytes.ends_with(&[7, 1].repeat(16)));
}

#[test]
fn in_other_character_sets() {
    for (charset, name, planted) in [
        ("GB18030", &b"Wang^XiaoDong=\xcd\xf5^\xd0\xa1\xb6\xab"[..], vec!["XiaoDong", "王小东", "小东"]),
        (
            "\\ISO 2022 IR 87",
            b"Yamada^Tarou=\x1b$B;3ED\x1b(B^\x1b$BB@O:\x1b(B",
            vec!["Yamada", "Tarou", "山田", "太郎"],
        ),
        ("\\ISO 2022 IR 149", b"Hong^Gildong=\x1b$)C\xfb\xf3^\x1b$)C\xd1\xce\xd4\xd7", vec!["Gildong", "吉洞"]),
        ("ISO_IR 100", b"M\xfcllerich^J\xf6rgen", vec!["Müllerich", "Jörgen"]),
        ("", b"\xa4\xfd\xa4p\xaaF", vec!["王小東"]),
    ] {
        let mut text = b"hip ".to_vec();
        text.extend_from_slice(name);
        let film = film(&[
            element((8, 5), "CS", charset.as_bytes()),
            element((0x10, 0x10), "PN", name),
            element((8, 0x103e), "LO", &text),
            element((0x20, 0x4000), "LT", &text),
            element((0x10, 0x20), "LO", name),
        ]);
        let done = deidentify(&film).unwrap();
        assert_clean(charset, &done, &planted);
        assert_eq!(value(&done.bytes, (8, 0x103e), "LO").as_deref(), Some("hip"), "{charset}");
    }
}

#[test]
fn what_a_study_needs_stays() {
    let done = deidentify(&simulated("SIM-000012", "seed 7")).unwrap();
    let text = |tag, vr| value(&done.bytes, tag, vr).unwrap_or_default();
    assert_eq!(text((0x10, 0x10), "PN"), done.receipt.patient);
    assert_eq!(text((0x10, 0x20), "LO"), done.receipt.patient);
    assert_eq!((text((0x10, 0x40), "CS").as_str(), text((0x10, 0x1010), "AS").as_str()), ("F", "072Y"));
    assert_eq!(text((0x18, 0x15), "CS"), "PELVIS");
    assert!(holds(&done.bytes, "816092008") && holds(&done.bytes, "antero-posterior"));
    // "Simulated film" is the name of the patient of simulated films.
    assert_eq!(text((8, 0x1030), "LO"), "research use only");
    assert_eq!(text((0x18, 0x1164), "DS"), "0.143\\0.143");
    assert_eq!(text((0x12, 0x62), "CS"), "YES");
    assert_eq!(text((0x28, 0x303), "CS"), "MODIFIED");
    assert_ne!(text((8, 0x20), "DA"), "20170304");
    assert_eq!(text((8, 0x20), "DA"), text((8, 0x22), "DA"));
    assert_eq!(text((8, 0x30), "TM"), "120000");
    for code in ["113100", "113103", "113105", "113107", "113108"] {
        assert!(holds(&done.bytes, code), "{code}");
    }
    let film = coxa_imaging::read_bytes(&done.bytes, "film").unwrap();
    let before = coxa_imaging::read_bytes(&simulated("SIM-000012", "seed 7"), "film").unwrap();
    assert_eq!(film.pixels(), before.pixels());
    assert!(!coxa_imaging::names_patient(&done.bytes, "film").unwrap() || done.receipt.patient.starts_with('P'));
}

#[test]
fn uids_and_patients_agree_across_files() {
    let (one, two) = (deidentify(&simulated("A1", "x")).unwrap(), deidentify(&simulated("a1 ".trim(), "y")).unwrap());
    assert_eq!(one.receipt.patient, two.receipt.patient);
    assert_eq!(one.link.days, two.link.days);
    let reference = item(&[
        element((8, 0x1150), "UI", DX.as_bytes()),
        element((8, 0x1155), "UI", one.link.sop_instance_uid.as_bytes()),
    ]);
    let third = deidentify(&film(&[element((8, 0x2112), "SQ", &reference)])).unwrap();
    assert_eq!(value(&third.bytes, (8, 0x1155), "UI"), Some(one.sop_instance_uid));
    let named = |name: &[u8]| deidentify(&film(&[element((0x10, 0x10), "PN", name)])).unwrap().receipt.patient;
    assert_eq!(named(b"Quisling^Zebedee"), named(b"QUISLING^Zebedee^"));
    assert_ne!(named(b"Quisling^Zebedee"), named(b"Quisling^Zoe"));
}

#[test]
fn options_remove_and_retain() {
    let with = |options: &[ProfileOption]| {
        let settings = Settings { options: options.iter().copied().collect(), ..Settings::default() };
        let deidentifier = coxa_deidentify::Deidentifier::new(coxa_deidentify::Key::from_bytes([42; 32]), settings);
        let film = film(&[
            element((0x10, 0x10), "PN", b"Quisling^Zebedee"),
            element((8, 0x20), "DA", b"20170304"),
            element((8, 0x1030), "LO", b"Hip"),
            element((8, 0x1010), "SH", b"ROOM7 Quisling"),
            element((0x10, 0x40), "CS", b"F"),
        ]);
        deidentifier.deidentify(&film).unwrap().bytes
    };
    let none = with(&[]);
    assert_eq!(value(&none, (8, 0x20), "DA").as_deref(), Some(""));
    assert_eq!(value(&none, (8, 0x1030), "LO"), None);
    assert_eq!(value(&none, (0x10, 0x40), "CS").as_deref(), Some(""));
    assert_eq!(value(&none, (0x28, 0x303), "CS").as_deref(), Some("REMOVED"));
    let device = with(&[ProfileOption::DeviceIdentity, ProfileOption::Uids]);
    assert_eq!(value(&device, (8, 0x1010), "SH").as_deref(), Some("ROOM7"));
    assert_eq!(value(&device, (8, 0x18), "UI").as_deref(), Some("1.2.752.99.3"));
    assert!(!holds(&device, "Quisling"));
}
