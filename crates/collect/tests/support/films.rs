//! The films of a simulated hospital as its PACS has them: two exposures, other days, laterals, copies, secondary captures, other parts; with
//! identities in texts, sequences, private elements and overlays.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use coxa_cohort::registry::{Injury, load_films, load_injuries};
use coxa_dimse::query::Identifier;
use coxa_dimse::{Object, Uid};
use coxa_simulate::datasets::hospital::{self, Flaw, HospitalSpec};

pub const DX: &str = "1.2.840.10008.5.1.4.1.1.1.1";
pub const CAPTURE: &str = "1.2.840.10008.5.1.4.1.1.7";
const STATE: &str = "1.2.840.10008.5.1.4.1.1.11.1";
pub const EXPLICIT: &str = "1.2.840.10008.1.2.1";

/// An object of the PACS.
#[derive(Clone)]
pub struct Stored {
    pub object: Object,
    pub data: Vec<u8>,
    pub head: Identifier,
}

/// A hospital.
pub struct Hospital {
    pub registry: PathBuf,
    pub objects: Vec<Stored>,
    /// SOP Instance UIDs of the films that a collection by the default rules brings.
    pub expected: BTreeSet<String>,
    /// Those that are withheld, as they declare burned-in text.
    pub withheld: BTreeSet<String>,
    /// Limb films, which the default rules leave.
    pub limbs: BTreeSet<String>,
    /// Outcome and code of each row of the registry, by its line.
    pub rows: BTreeMap<u64, (&'static str, &'static str)>,
    /// Texts that must be nowhere in the output.
    pub planted: Vec<String>,
}

/// An element of a data set: tag, VR and value.
type Element = (u32, [u8; 2], Vec<u8>);
/// Of the study, the series and the instance.
type Uids = (String, String, String);

/// A flat data set that can be changed.
#[derive(Clone)]
struct Data(BTreeMap<u32, ([u8; 2], Vec<u8>)>);

impl Data {
    /// The data set of a simulated film: Explicit VR Little Endian, lengths defined but for sequences, which are dropped.
    fn of_file(bytes: &[u8]) -> Self {
        let number = |bytes: &[u8]| bytes.iter().rev().fold(0usize, |sum, &byte| sum << 8 | usize::from(byte));
        let mut at = 132;
        let mut elements = BTreeMap::new();
        while at + 8 <= bytes.len() {
            let tag = (number(&bytes[at..at + 2]) << 16 | number(&bytes[at + 2..at + 4])) as u32;
            if tag >> 16 == 0xFFFE {
                // The end of an item or a sequence around one that was dropped.
                at += 8;
                continue;
            }
            let vr = [bytes[at + 4], bytes[at + 5]];
            let is_long = [b"OB", b"OW", b"SQ", b"UN", b"UT"].contains(&&vr);
            let (length, start) = match is_long {
                true => (number(&bytes[at + 8..at + 12]), at + 12),
                false => (number(&bytes[at + 6..at + 8]), at + 8),
            };
            if length == u32::MAX as usize {
                let end = b"\xfe\xff\xdd\xe0\0\0\0\0";
                let items = bytes[start..].windows(8).position(|window| window == end).unwrap();
                at = start + items + 8;
                continue;
            }
            if tag >> 16 != 2 && &vr != b"SQ" {
                elements.insert(tag, (vr, bytes[start..start + length].to_vec()));
            }
            at = start + length;
        }
        Self(elements)
    }

    fn set(&mut self, tag: u32, vr: &[u8; 2], value: &str) -> &mut Self {
        self.0.insert(tag, (*vr, value.as_bytes().to_vec()));
        self
    }

    fn text(&self, tag: u32) -> String {
        String::from_utf8_lossy(&self.0.get(&tag).map(|(_, value)| value.clone()).unwrap_or_default())
            .trim_matches([' ', '\0'])
            .to_owned()
    }

    fn bytes(&self) -> Vec<u8> {
        self.0.iter().flat_map(|(tag, (vr, value))| element(&(*tag, *vr, value.clone()))).collect()
    }

    fn stored(&self) -> Stored {
        let data = self.bytes();
        let uid = |tag| Uid::parse(&self.text(tag)).unwrap();
        let object =
            Object { sop_class: uid(0x0008_0016), sop_instance: uid(0x0008_0018), transfer_syntax: EXPLICIT.into() };
        let head = Identifier::of_file(&coxa_dimse::file::of_object(&object, ("2.25.1", "TEST"), &data)).unwrap().1;
        Stored { object, data, head }
    }
}

fn element((tag, vr, value): &Element) -> Vec<u8> {
    let mut value = value.clone();
    if value.len() % 2 == 1 {
        value.push(if vr == b"UI" { 0 } else { b' ' });
    }
    let mut bytes = [((tag >> 16) as u16).to_le_bytes(), (*tag as u16).to_le_bytes()].concat();
    bytes.extend(vr);
    if [b"OB", b"OW", b"SQ", b"UN", b"UT"].contains(&vr) {
        bytes.extend([0, 0]);
        bytes.extend((value.len() as u32).to_le_bytes());
    } else {
        bytes.extend((value.len() as u16).to_le_bytes());
    }
    bytes.extend(value);
    bytes
}

/// The identities of a patient, none of which a word list holds.
struct Identity {
    name: String,
    words: Vec<String>,
    accession: String,
}

const SURNAMES: [&str; 6] = ["Quisling", "Zebedee", "Wolfenstein", "Oyelaran", "Przybylski", "Xiaodongx"];

impl Identity {
    fn of(n: usize) -> Self {
        let surname = format!("{}{}", SURNAMES[n % SURNAMES.len()], (b'a' + (n / 6 % 26) as u8) as char);
        let given = format!("Marquetta{}", (b'a' + (n % 26) as u8) as char);
        let words = vec![
            surname.clone(),
            given.clone(),
            format!("ACC77{n:05}"),
            format!("Elmtreeway {n}7"),
            format!("02555{n:05}"),
            "王小東".to_owned(),
            "Hubertushospital".to_owned(),
            "Dr Bramblewick".to_owned(),
        ];
        Self { name: format!("{surname}^{given}=王^小東"), words, accession: format!("ACC77{n:05}") }
    }

    /// Plants it in a film.
    fn plant(&self, data: &mut Data) {
        let free = self.words.join(", ");
        data.set(0x0008_0005, b"CS", "ISO_IR 192")
            .set(0x0010_0010, b"PN", &self.name)
            .set(0x0008_0050, b"SH", &self.accession)
            .set(0x0008_0080, b"LO", "Hubertushospital")
            .set(0x0008_0090, b"PN", "Bramblewick^Theodosia")
            .set(0x0010_0030, b"DA", "19450312")
            .set(0x0010_1040, b"LO", &self.words[3])
            .set(0x0010_2154, b"SH", &self.words[4])
            .set(0x0010_4000, b"LT", &free)
            .set(0x0018_1000, b"LO", &self.accession)
            .set(0x0020_4000, b"LT", &free)
            .set(0x0009_0010, b"LO", &self.words[0])
            .set(0x0009_1001, b"LO", &free)
            .set(0x6000_0022, b"LO", &self.words[0])
            .set(0x6000_4000, b"LT", &free);
        let item: Vec<u8> =
            [(0x0010_0010, *b"PN", self.name.clone()), (0x0032_1060, *b"LO", format!("Pelvis for {}", self.words[0]))]
                .into_iter()
                .flat_map(|(tag, vr, text)| element(&(tag, vr, text.into_bytes())))
                .collect();
        let mut items = vec![0xFE, 0xFF, 0x00, 0xE0];
        items.extend((item.len() as u32).to_le_bytes());
        items.extend(item);
        data.0.insert(0x0040_0275, (*b"SQ", items));
        let description = format!("{} for {}", data.text(0x0008_1030), self.words[1]);
        data.set(0x0008_1030, b"LO", &description);
    }
}

/// Simulates a hospital of `n` injuries in a folder.
pub fn hospital(folder: &Path, n: usize, size: usize) -> Hospital {
    let spec = HospitalSpec { n, size, seed: 11, ..HospitalSpec::default() };
    let simulated = hospital::write(&folder.join("hospital"), &spec, &|_| {}).unwrap();
    let registry = folder.join("hospital/registry.csv");
    let injuries = load_injuries(&registry).unwrap();
    let records = load_films(&folder.join("hospital/films.csv")).unwrap();
    let mut made = Hospital {
        registry,
        objects: Vec::new(),
        expected: BTreeSet::new(),
        withheld: BTreeSet::new(),
        limbs: BTreeSet::new(),
        rows: BTreeMap::new(),
        planted: Vec::new(),
    };
    for (place, (injury, row)) in injuries.iter().zip(&simulated).enumerate() {
        let film = records.iter().find(|record| record.patient == injury.patient);
        let base = film.map(|record| (std::fs::read(&record.path).unwrap(), record.date.to_string().replace('-', "")));
        made.patient(place, injury, row.flaw, base);
    }
    made.planted.extend(["19450312", "1945-03-12", "1.2.752.99."].map(str::to_owned));
    made
}

impl Hospital {
    /// The objects of the first patients, so many of them, and those of the others.
    pub fn halves(&self, first: usize) -> [Vec<&Stored>; 2] {
        let is_first = |stored: &&Stored| {
            let mut parts = stored.object.sop_instance.as_str().trim_start_matches("1.2.752.99.").split('.');
            parts.next().and_then(|patient| patient.parse::<usize>().ok()).is_some_and(|patient| patient <= first)
        };
        let (first, others) = self.objects.iter().partition(is_first);
        [first, others]
    }

    fn patient(&mut self, n: usize, injury: &Injury, flaw: Flaw, base: Option<(Vec<u8>, String)>) {
        let identity = Identity::of(n);
        self.planted.extend(identity.words.iter().cloned());
        self.planted.push(injury.patient.clone());
        let Some((bytes, date)) = base else {
            self.rows.insert(injury.line, ("missing", "patient_unknown"));
            return;
        };
        let uid = |study: usize, series: usize, instance: usize| {
            let study = format!("1.2.752.99.{}.{study}", n + 1);
            (study.clone(), format!("{study}.{series}"), format!("{study}.{series}.{instance}"))
        };
        let mut film = Data::of_file(&bytes);
        let ids = |film: &mut Data, (study, series, instance): (String, String, String)| {
            film.set(0x0020_000D, b"UI", &study).set(0x0020_000E, b"UI", &series).set(0x0008_0018, b"UI", &instance);
        };
        film.set(0x0010_0020, b"LO", &injury.patient)
            .set(0x0008_1030, b"LO", "Trauma series")
            .set(0x0008_103E, b"LO", "Pelvis")
            .set(0x0008_0020, b"DA", &date)
            .set(0x0008_0022, b"DA", &date)
            .set(0x0008_0023, b"DA", &date)
            .set(0x0008_0032, b"TM", "101500");
        ids(&mut film, uid(1, 1, 1));
        identity.plant(&mut film);
        let burned = film.text(0x0028_0301) == "YES";
        let is_day = flaw != Flaw::OtherDay;
        let keeps = is_day && flaw != Flaw::OtherView;
        if flaw == Flaw::OtherView {
            film.set(0x0018_0015, b"CS", "HIP").set(0x0018_5101, b"CS", "LL").set(0x0008_103E, b"LO", "Hip lateral");
        }
        let take = |made: &mut Self, film: &Data, is_wanted: bool| {
            let stored = film.stored();
            let instance = stored.object.sop_instance.as_str().to_owned();
            if is_wanted {
                let set = if burned { &mut made.withheld } else { &mut made.expected };
                set.insert(instance);
            }
            made.objects.push(stored);
        };
        take(self, &film, keeps);
        if n.is_multiple_of(5) {
            // A second exposure, ten minutes later, without a view position.
            let mut second = film.clone();
            ids(&mut second, uid(1, 1, 2));
            second.set(0x0008_0032, b"TM", "102500").set(0x0020_0013, b"IS", "2");
            invert_some(&mut second);
            take(self, &second, keeps);
        }
        self.others(n, &film, &uid, &ids);
        if n % 3 == 2 && is_day && !burned {
            let mut knee = film.clone();
            ids(&mut knee, uid(4, 1, 1));
            knee.set(0x0018_0015, b"CS", "").set(0x0008_103E, b"LO", "Knee AP").set(0x0008_0032, b"TM", "110000");
            invert_some(&mut knee);
            let stored = knee.stored();
            self.limbs.insert(stored.object.sop_instance.as_str().to_owned());
            self.objects.push(stored);
        }
        let row = match (is_day, keeps, burned) {
            (false, ..) => ("missing", "no_study_in_window"),
            (_, false, _) => ("missing", "no_wanted_film"),
            (.., true) => ("missing", "all_withheld"),
            _ => ("found", "taken"),
        };
        self.rows.insert(injury.line, row);
    }

    /// What no rule wants, beside a film.
    fn others(
        &mut self,
        n: usize,
        film: &Data,
        uid: &dyn Fn(usize, usize, usize) -> Uids,
        ids: &dyn Fn(&mut Data, Uids),
    ) {
        let mut add = |at: (usize, usize, usize), change: &dyn Fn(&mut Data)| {
            let mut other = film.clone();
            ids(&mut other, uid(at.0, at.1, at.2));
            change(&mut other);
            self.objects.push(other.stored());
        };
        if n % 4 == 1 {
            add((1, 2, 1), &|film| {
                film.set(0x0018_0015, b"CS", "HIP").set(0x0018_5101, b"CS", "RL").set(
                    0x0008_103E,
                    b"LO",
                    "Hip lateral",
                );
            });
        }
        if n.is_multiple_of(3) {
            add((1, 3, 1), &|film| {
                film.set(0x0008_103E, b"LO", "Pelvis, edge enhanced").set(0x0020_0011, b"IS", "3");
                invert_some(film);
            });
        }
        if n % 6 == 1 {
            // Turned by half, with a time of its own.
            add((1, 4, 1), &|film| {
                film.set(0x0008_0032, b"TM", "235959").set(0x0020_0011, b"IS", "4");
                let (_, pixels) = film.0.get_mut(&0x7FE0_0010).unwrap();
                let turned: Vec<u8> = pixels.chunks_exact(2).rev().flatten().copied().collect();
                *pixels = turned;
            });
        }
        if n % 8 == 2 {
            add((1, 5, 1), &|film| {
                film.set(0x0008_0016, b"UI", CAPTURE).set(0x0008_0064, b"CS", "WSD").set(0x0020_0011, b"IS", "5");
            });
        }
        if n.is_multiple_of(2) {
            add((2, 1, 1), &|film| {
                film.set(0x0018_0015, b"CS", "CHEST").set(0x0008_103E, b"LO", "Chest").set(0x0018_5101, b"CS", "PA");
            });
            add((1, 6, 1), &|film| {
                film.set(0x0008_0016, b"UI", STATE).set(0x0008_0060, b"CS", "PR");
                film.0.remove(&0x7FE0_0010);
            });
        }
        if n % 7 == 3 {
            add((3, 1, 1), &|film| {
                for tag in [0x0008_0020, 0x0008_0022, 0x0008_0023] {
                    film.set(tag, b"DA", "20050101");
                }
            });
        }
    }
}

/// Other pixels: another exposure or another processing.
fn invert_some(film: &mut Data) {
    let Some((_, pixels)) = film.0.get_mut(&0x7FE0_0010) else { return };
    for pair in pixels.chunks_exact_mut(2).step_by(3) {
        pair[0] ^= 0x3C;
    }
}

/// Whether bytes hold a text in UTF-8 or UTF-16, whatever its case.
pub fn holds(bytes: &[u8], text: &str) -> bool {
    let utf16: Vec<u8> = text.encode_utf16().flat_map(u16::to_le_bytes).collect();
    [text.as_bytes().to_vec(), utf16].iter().any(|form| {
        let first = form[0].to_ascii_lowercase();
        bytes
            .windows(form.len())
            .any(|window| window[0].to_ascii_lowercase() == first && window.eq_ignore_ascii_case(form))
    })
}

/// Asserts that no planted identity is in any file or name below a folder.
pub fn assert_clean(folder: &Path, planted: &[String]) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path.strip_prefix(folder).unwrap().to_string_lossy().into_owned();
        if path.is_dir() {
            assert_clean(&path, planted);
            continue;
        }
        let bytes = std::fs::read(&path).unwrap();
        // Pixels hold short texts by chance.
        let pixels = bytes.windows(4).position(|tag| tag == b"\xe0\x7f\x10\0").unwrap_or(bytes.len());
        for text in planted {
            assert!(!holds(&bytes[..pixels], text) && !name.contains(text.as_str()), "{name} holds `{text}`");
        }
    }
}
