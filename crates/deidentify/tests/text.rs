//! Text burned into the pixels: found and blanked at any depth and polarity, the side marker kept, every other pixel untouched; films of which
//! the detector is unsure.

use std::sync::Arc;

use coxa_deidentify::{
    Decision, Decisions, Deidentified, Deidentifier, Key, Outputs, PixelCleaning, PixelScript, REGIONS_TABLE,
    Rectangle, RegionVerdict, Review, Settings, StoredPixels, TextDetector, TextFinder, TextFound, Verifier, Withheld,
    WithheldList, Words, deidentify_files, inputs,
};

use crate::film::*;

const ROWS: usize = 420;
const COLUMNS: usize = 380;

/// Five columns of a character, the lowest bit uppermost.
fn glyph(c: char) -> [u8; 5] {
    match c {
        'Q' => [0x3E, 0x41, 0x51, 0x21, 0x5E],
        'U' => [0x3F, 0x40, 0x40, 0x40, 0x3F],
        'I' => [0x00, 0x41, 0x7F, 0x41, 0x00],
        'S' => [0x26, 0x49, 0x49, 0x49, 0x32],
        'L' => [0x7F, 0x40, 0x40, 0x40, 0x40],
        'N' => [0x7F, 0x04, 0x08, 0x10, 0x7F],
        'G' => [0x3E, 0x41, 0x41, 0x51, 0x73],
        'Z' => [0x61, 0x59, 0x49, 0x4D, 0x43],
        'E' => [0x7F, 0x49, 0x49, 0x49, 0x41],
        'B' => [0x7F, 0x49, 0x49, 0x49, 0x36],
        'D' => [0x7F, 0x41, 0x41, 0x41, 0x3E],
        '1' => [0x00, 0x42, 0x7F, 0x40, 0x00],
        '9' => [0x46, 0x49, 0x49, 0x29, 0x1E],
        '4' => [0x18, 0x14, 0x12, 0x7F, 0x10],
        '5' => [0x27, 0x45, 0x45, 0x45, 0x39],
        _ => [0; 5],
    }
}

/// Draws a text over gray values from 0 (black) to 1, and returns its box.
fn draw(film: &mut [f32], text: &str, at: (usize, usize), factor: usize, gray: f32) -> Rectangle {
    for (n, c) in text.chars().enumerate() {
        for (column, bits) in glyph(c).into_iter().enumerate() {
            for row in (0..7).filter(|row| bits >> row & 1 == 1) {
                for (dy, dx) in (0..factor * factor).map(|i| (i / factor, i % factor)) {
                    film[(at.1 + row * factor + dy) * COLUMNS + at.0 + (6 * n + column) * factor + dx] = gray;
                }
            }
        }
    }
    Rectangle { x: at.0, y: at.1, width: (6 * text.len() - 1) * factor, height: 7 * factor }
}

/// Something like a limb in front of air, with noise.
fn background() -> Vec<f32> {
    let mut noise = 1u32;
    let value = |i: usize| {
        noise = noise.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        let (y, x) = ((i / COLUMNS) as f32, (i % COLUMNS) as f32);
        let body = (1.0 - ((x - 190.0) / 120.0).powi(2)).max(0.0).sqrt();
        0.05 + 0.5 * body + 0.05 * (y / 60.0).sin() * body + (noise >> 16) as f32 / 65_536.0 * 0.01
    };
    (0..ROWS * COLUMNS).map(value).collect()
}

/// How a film stores its values.
#[derive(Clone, Copy, Debug)]
struct Depth {
    bits: u16,
    is_signed: bool,
    is_inverted: bool,
}

impl Depth {
    fn width(self) -> usize {
        if self.bits > 8 { 2 } else { 1 }
    }

    fn film(self, values: &[f32], more: &[Vec<u8>]) -> (Vec<u8>, Vec<u8>) {
        let most = (1u32 << self.bits) as f32 - 1.0;
        let shift = if self.is_signed { 1i32 << (self.bits - 1) } else { 0 };
        let code = |v: &f32| ((if self.is_inverted { 1.0 - v } else { *v }) * most).round() as i32 - shift;
        let pixels: Vec<u8> =
            values.iter().flat_map(|v| code(v).to_le_bytes().into_iter().take(self.width())).collect();
        let us = |tag, n: u16| element(tag, "US", &n.to_le_bytes());
        let photometric = if self.is_inverted { "MONOCHROME1" } else { "MONOCHROME2" };
        let mut own = vec![
            element((0x28, 4), "CS", photometric.as_bytes()),
            us((0x28, 0x10), ROWS as u16),
            us((0x28, 0x11), COLUMNS as u16),
            us((0x28, 0x100), 8 * self.width() as u16),
            us((0x28, 0x101), self.bits),
            us((0x28, 0x102), self.bits - 1),
            us((0x28, 0x103), u16::from(self.is_signed)),
            element((0x7fe0, 0x10), if self.bits > 8 { "OW" } else { "OB" }, &pixels),
        ];
        own.extend_from_slice(more);
        (film(&own), pixels)
    }
}

fn with(detector: Arc<dyn TextDetector>) -> Deidentifier {
    let pixels = PixelCleaning { detector: Some(detector), ..PixelCleaning::default() };
    Deidentifier::new(Key::from_bytes([42; 32]), Settings { pixels, ..Settings::default() })
}

fn finder() -> Deidentifier {
    with(Arc::new(TextFinder::default()))
}

fn is_in(regions: &[Rectangle], x: usize, y: usize) -> bool {
    regions.iter().any(|region| region.covers(Rectangle { x, y, width: 1, height: 1 }))
}

/// A film with two texts and a marker; its bytes, its pixels, and the boxes of the texts and of the marker.
fn burned(depth: Depth) -> (Vec<u8>, Vec<u8>, [Rectangle; 2], Rectangle) {
    let mut values = background();
    let name = draw(&mut values, "QUISLING ZEBEDEE", (8, 10), 2, 1.0);
    let number = draw(&mut values, "19455491", (120, 200), 3, 0.05);
    let marker = draw(&mut values, "L", (20, 300), 6, 0.95);
    let (bytes, pixels) = depth.film(&values, &[element((0x28, 0x301), "CS", b"YES")]);
    (bytes, pixels, [name, number], marker)
}

#[test]
fn text_is_blanked_at_every_depth_and_nothing_else_changes() {
    for (bits, is_signed, is_inverted) in
        [(8, false, false), (12, false, true), (16, false, false), (16, true, true), (12, true, false)]
    {
        let depth = Depth { bits, is_signed, is_inverted };
        let (bytes, pixels, texts, marker) = burned(depth);
        let done = finder().deidentify(&bytes).unwrap_or_else(|reason| panic!("{depth:?}: {reason:?}"));
        let regions = &done.receipt.regions;
        let after = &done.bytes[done.bytes.len() - pixels.len()..];
        let black = depth.film(&[0.0], &[]).1;
        for (place, (was, is)) in pixels.chunks(depth.width()).zip(after.chunks(depth.width())).enumerate() {
            let expected = if is_in(regions, place % COLUMNS, place / COLUMNS) { &black } else { was };
            assert_eq!(is, expected, "{depth:?}, pixel {place}");
        }
        for text in texts {
            let covered = (0..text.width * text.height)
                .filter(|i| is_in(regions, text.x + i % text.width, text.y + i / text.width));
            let share = covered.count() as f64 / (text.width * text.height) as f64;
            assert!(share > 0.95, "{depth:?}: {share} of {text:?} lies in {regions:?}");
        }
        assert!(!regions.iter().any(|region| region.touches(marker)), "{depth:?}: {regions:?}");
        assert_eq!(value(&done.bytes, (0x28, 0x301), "CS").as_deref(), Some("NO"));
        assert_eq!(finder().deidentify(&done.bytes).unwrap().bytes, done.bytes);
    }
}

#[test]
fn compressed_films_are_decoded_and_stay_compressed_where_nothing_is_found() {
    let Some(_) = coxa_testing::tool("dcmcjpeg") else { return };
    let folder = tempfile::tempdir().unwrap();
    let depth = Depth { bits: 12, is_signed: false, is_inverted: false };
    let (with_text, _, _, _) = burned(depth);
    let (without, _) = depth.film(&background(), &[]);
    for (bytes, is_plain) in [(with_text, true), (without, false)] {
        let (plain, packed) = (folder.path().join("plain.dcm"), folder.path().join("packed.dcm"));
        std::fs::write(&plain, &bytes).unwrap();
        let mut tool = coxa_testing::tool("dcmcjpeg").expect("it was there before");
        assert!(tool.arg("+e1").arg(&plain).arg(&packed).status().unwrap().success());
        let done = finder().deidentify(&std::fs::read(&packed).unwrap()).unwrap();
        assert_eq!(holds(&done.bytes, "1.2.840.10008.1.2.1\0"), is_plain);
        let expected = finder().deidentify(&bytes).unwrap();
        let pixels = |done: &Deidentified| coxa_imaging::read_bytes(&done.bytes, "film").unwrap().pixels().to_vec();
        assert_eq!(pixels(&done), pixels(&expected));
        assert_eq!(done.receipt.regions, expected.receipt.regions);
    }
}

#[test]
fn verification_searches_the_pixels() {
    let folder = tempfile::tempdir().unwrap();
    let (film, out) = (folder.path().join("film.dcm"), folder.path().join("out"));
    let (bytes, ..) = burned(Depth { bits: 12, is_signed: false, is_inverted: false });
    std::fs::write(&film, bytes).unwrap();
    let blind =
        PixelCleaning { rectangles: vec![Rectangle { x: 0, y: 0, width: 1, height: 1 }], ..PixelCleaning::default() };
    for (pixels, expected) in [
        (blind, true),
        (PixelCleaning { detector: Some(Arc::new(TextFinder::default())), ..PixelCleaning::default() }, false),
    ] {
        let deidentifier = Deidentifier::new(Key::from_bytes([42; 32]), Settings { pixels, ..Settings::default() });
        let out = out.join(expected.to_string());
        assert_eq!(
            deidentify_files(&deidentifier, std::slice::from_ref(&film), into(&out), 1, None, |_| Ok(())).unwrap(),
            0
        );
        let verifier =
            Verifier::new(&out, None, Words::default(), &[]).unwrap().with_detector(Arc::new(TextFinder::default()));
        assert_eq!(verifier.folder(&out, |_| Ok(())).unwrap() > 0, expected);
    }
}

struct Marks(TextFound);

impl TextDetector for Marks {
    fn find(&self, _: StoredPixels<'_>) -> TextFound {
        self.0.clone()
    }
}

#[test]
fn unsure_films_are_withheld_with_their_regions_until_a_person_decides() {
    let region = Rectangle { x: 0, y: 1, width: 4, height: 1 };
    let deidentifier = with(Arc::new(Marks(TextFound { text: Vec::new(), unsure: vec![region] })));
    let film = film(&[]);
    let review = Review { columns: 4, rows: 4, regions: vec![region] };
    assert_eq!(deidentifier.deidentify(&film).map(|done| done.bytes), Err(Withheld::Review(review)));
    let excluded =
        [Decision { region, verdict: RegionVerdict::Blank }, Decision { region, verdict: RegionVerdict::Exclude }];
    let excluded = deidentifier.deidentify_reviewed(&film, &excluded);
    assert_eq!(excluded.map(|done| done.bytes), Err(Withheld::Excluded));
    let decide = |verdict| deidentifier.deidentify_reviewed(&film, &[Decision { region, verdict }]).unwrap();
    let (kept, blanked) = (decide(RegionVerdict::Keep), decide(RegionVerdict::Blank));
    assert!(kept.bytes.ends_with(&[7, 1].repeat(16)) && kept.receipt.regions.is_empty());
    assert!(blanked.bytes.ends_with(&[&[7, 1].repeat(4)[..], &[0; 8], &[7, 1].repeat(8)].concat()));
    assert_eq!(blanked.receipt.regions, [region]);
}

#[test]
fn scripts_blank_by_device() {
    let script = PixelScript::parse("{ Modality.equals(\"DX\") * Rows.equals(\"4\") } (0,0,4,1)", "script").unwrap();
    let pixels = PixelCleaning { script, ..PixelCleaning::default() };
    let deidentifier = Deidentifier::new(Key::from_bytes([42; 32]), Settings { pixels, ..Settings::default() });
    let done = deidentifier.deidentify(&film(&[])).unwrap();
    assert_eq!(done.receipt.blanked, 1);
    let other = deidentifier.deidentify(&film(&[element((8, 0x60), "CS", b"CR")])).unwrap();
    assert_eq!(other.receipt.blanked, 0);
}

#[test]
fn withheld_films_are_listed_and_kept_apart_where_a_folder_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    std::fs::create_dir(at("in")).unwrap();
    let name = element((0x10, 0x10), "PN", b"Quisling^Zebedee");
    let identified = film(std::slice::from_ref(&name));
    std::fs::write(at("in/a.dcm"), &identified).unwrap();
    std::fs::write(at("in/b.dcm"), b"a letter").unwrap();
    let region = Rectangle { x: 0, y: 1, width: 4, height: 1 };
    let unsure = || Arc::new(Marks(TextFound { text: Vec::new(), unsure: vec![region] }));
    let files = inputs(&[at("in")], &at("out")).unwrap();
    let run = |deidentifier: &Deidentifier, kept: Option<&std::path::Path>| {
        let outputs = Outputs { films: &at("out"), identified: kept };
        deidentify_files(deidentifier, &files, outputs, 2, None, |_| Ok(())).unwrap()
    };
    assert_eq!(run(&with(unsure()), None), 2);
    let list = WithheldList::read(&at("out")).unwrap().unwrap();
    assert_eq!((list.films, list.withheld.len()), (2, 2));
    assert_eq!(list.withheld[0].review, Some(Review { columns: 4, rows: 4, regions: vec![region] }));
    assert_eq!((list.withheld[1].serial, &list.withheld[1].review), (2, &None));
    assert!(!at("kept").exists());
    // With a folder for them, the film that a person must see is there, and no other.
    run(&with(unsure()), Some(&at("kept")));
    let kept: Vec<_> = std::fs::read_dir(at("kept")).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(kept, ["S000001.dcm"]);
    assert_eq!(std::fs::read(at("kept/S000001.dcm")).unwrap(), identified);
    let inside = Outputs { films: &at("out"), identified: Some(&at("out/kept")) };
    assert!(
        deidentify_files(&with(unsure()), &files, inside, 1, None, |_| Ok(())).is_err() && !at("out/kept").exists()
    );
    let decided = |table: &std::path::Path| {
        let pixels = PixelCleaning { detector: Some(unsure()), ..PixelCleaning::default() };
        let settings = Settings { pixels, decisions: Decisions::read(table).unwrap(), ..Settings::default() };
        Deidentifier::new(Key::from_bytes([42; 32]), settings)
    };
    for (name, expected) in [("exclude", 2), ("blank", 1)] {
        let table = at("out").join(REGIONS_TABLE);
        std::fs::write(&table, format!("serial,x,y,width,height,verdict\n1,0,1,4,1,{name}\n")).unwrap();
        assert_eq!(run(&decided(&table), None), expected, "{name}");
        assert_eq!(WithheldList::read(&at("out")).unwrap().unwrap().withheld.len(), expected);
    }
    // Another decision about a film that was written: it is written anew, and removed where it is excluded.
    let written = || coxa_files::find::films_below(&at("out")).films;
    let before = std::fs::read(&written()[0]).unwrap();
    for (name, expected) in [("keep", 1), ("exclude", 2), ("blank", 1)] {
        let table = at("out").join(REGIONS_TABLE);
        std::fs::write(&table, format!("serial,x,y,width,height,verdict\n1,0,1,4,1,{name}\n")).unwrap();
        assert_eq!(run(&decided(&table), None), expected, "{name}");
        match name {
            "keep" => assert!(std::fs::read(&written()[0]).unwrap().ends_with(&[7, 1].repeat(16))),
            "exclude" => assert_eq!(written(), Vec::<std::path::PathBuf>::new()),
            _ => assert_eq!(std::fs::read(&written()[0]).unwrap(), before),
        }
    }
    // Another film with its UID does not take its place, whatever is decided.
    std::fs::write(at("in/a.dcm"), film(&[name, element((0x18, 0x5101), "CS", b"AP")])).unwrap();
    assert_eq!(run(&decided(&at("out").join(REGIONS_TABLE)), None), 2);
    assert_eq!(std::fs::read(&written()[0]).unwrap(), before);
    std::fs::write(at("in/a.dcm"), &identified).unwrap();
    assert_eq!(run(&decided(&at("out").join(REGIONS_TABLE)), None), 1);
    // The lists beside the films are no findings.
    assert_eq!(
        Verifier::new(&at("out"), None, Words::default(), &[]).unwrap().folder(&at("out"), |_| Ok(())).unwrap(),
        0
    );
}
