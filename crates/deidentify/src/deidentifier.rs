//! One film, from bytes to bytes.

use std::collections::BTreeSet;

use coxa_dicom::uid::{IMPLEMENTATION_CLASS_UID, IMPLEMENTATION_VERSION_NAME};
use coxa_imaging::MAX_FILE_BYTES;
use dicom_core::VR;
use dicom_dictionary_std::tags;

use crate::admit::{Ids, admit};
use crate::blanking::{Cleaning, Decision, PixelCleaning, RegionVerdict, Search, Witness};
use crate::charset::Charset;
use crate::dataset::{DataSet, Value};
use crate::decisions::Decisions;
use crate::identifiers::{Identifiers, Uids};
use crate::key::{Key, is_pseudonym};
use crate::parse::parse;
use crate::pixels;
use crate::receipt::{IdentifiedBy, Receipt};
use crate::rules::{ProfileOption, Rules};
use crate::walk::{Mapping, Patient, Walk};
use crate::withheld::Withheld;
use crate::words::Words;
use crate::write::{write, write_elements};

/// How films are de-identified.
#[derive(Debug, Clone)]
pub struct Settings {
    /// The options of the profile.
    pub options: BTreeSet<ProfileOption>,
    /// The words that may stay in texts.
    pub words: Words,
    /// The issuer of the patient IDs that have none: a film with it and a registry without it are of one patient.
    pub issuer: String,
    /// What is done to burned-in text.
    pub pixels: PixelCleaning,
    /// What persons decided about parts of films that were withheld for review.
    pub decisions: Decisions,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            options: ProfileOption::DEFAULT.into(),
            words: Words::default(),
            issuer: String::new(),
            pixels: PixelCleaning::default(),
            decisions: Decisions::default(),
        }
    }
}

/// De-identifies films with one key and one set of rules. It holds no state: films may come in any order and on any thread.
#[derive(Debug, Clone)]
pub struct Deidentifier {
    key: Key,
    rules: Rules,
    words: Words,
    issuer: String,
    pixels: PixelCleaning,
    decisions: Decisions,
}

/// A film without identity.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Deidentified {
    /// The Part 10 file.
    pub bytes: Vec<u8>,
    /// Its SOP Instance UID.
    pub sop_instance_uid: String,
    /// What was done.
    pub receipt: Receipt,
    /// What the film was: for the linking table alone.
    pub link: Link,
}

/// What a film was, and how far its dates moved. Its `Debug` shows nothing.
#[derive(Clone, PartialEq, Eq)]
pub struct Link {
    /// Patient ID.
    pub patient_id: String,
    /// Patient's Name.
    pub patient_name: String,
    /// Study Instance UID.
    pub study_instance_uid: String,
    /// SOP Instance UID.
    pub sop_instance_uid: String,
    /// Accession Number.
    pub accession_number: String,
    /// Days that the dates moved by.
    pub days: i64,
}

impl std::fmt::Debug for Link {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Link(…)")
    }
}

impl Deidentifier {
    /// With a key and settings.
    pub fn new(key: Key, settings: Settings) -> Self {
        let Settings { options, words, issuer, pixels, decisions } = settings;
        Self { key, rules: Rules::new(options), words, issuer, pixels, decisions }
    }

    /// De-identifies a film.
    ///
    /// # Errors
    /// [`Withheld`]: nothing of the film may be passed on.
    pub fn deidentify(&self, bytes: &[u8]) -> Result<Deidentified, Withheld> {
        self.with(bytes, Mapping::Keyed(&self.key), &[])
    }

    /// De-identifies a film about whose parts a person decided.
    ///
    /// # Errors
    /// [`Withheld`]: nothing of the film may be passed on; [`Withheld::Review`] while a part is undecided, [`Withheld::Excluded`] by a
    /// person's decision.
    pub fn deidentify_reviewed(&self, bytes: &[u8], decisions: &[Decision]) -> Result<Deidentified, Withheld> {
        if decisions.iter().any(|decision| decision.verdict == RegionVerdict::Exclude) {
            return Err(Withheld::Excluded);
        }
        self.with(bytes, Mapping::Keyed(&self.key), decisions)
    }

    /// The pseudonym of a patient ID, as films and the registry have it, and the days that the patient's dates move by.
    pub fn patient(&self, patient_id: &str) -> (String, i64) {
        let patient = self.of_id(patient_id, "");
        (patient.pseudonym, patient.shift)
    }

    /// The key.
    pub fn key(&self) -> &Key {
        &self.key
    }

    /// The options in effect.
    pub fn options(&self) -> &BTreeSet<ProfileOption> {
        self.rules.options()
    }

    /// What persons decided.
    pub fn decisions(&self) -> &Decisions {
        &self.decisions
    }

    /// The words that may stay.
    pub(crate) fn words(&self) -> &Words {
        &self.words
    }

    /// De-identifies a film, or goes through the same steps without a key.
    pub(crate) fn with(
        &self,
        bytes: &[u8],
        mapping: Mapping<'_>,
        decisions: &[Decision],
    ) -> Result<Deidentified, Withheld> {
        if bytes.len() as u64 > MAX_FILE_BYTES {
            return Err(Withheld::TooLarge);
        }
        let file = parse(bytes)?;
        let cleans_pixels = self.pixels.is_on() || !decisions.is_empty();
        let ids = admit(&file, cleans_pixels)?;
        let mut data = file.data;
        let was_cleaned = states_clean_pixels(&data);
        let is_cleaned = cleans_pixels || was_cleaned;
        let burned_in = if is_cleaned { Pixels::Cleaned } else { Pixels::Untouched };
        let link = Person::of(&data);
        let (patient, identified_by) = match mapping {
            Mapping::Keyed(_) => self.identify(&data, &link, &ids),
            Mapping::Shapes => (shape_of(&link.id), IdentifiedBy::EarlierRun),
        };
        let identifiers = Identifiers::of(&data);
        let was_searched = was_cleaned && identified_by == IdentifiedBy::EarlierRun;
        let search = if was_searched { Search::Nothing } else { Search::Detector };
        let witness = Witness::of(&data, &identifiers, &self.pixels);
        let cleaning = Cleaning { settings: &self.pixels, decisions, search, witness };
        let pixels = pixels::take(&mut data, file.syntax, bytes, &cleaning)?;
        let (rules, words) = (&self.rules, &self.words);
        let mut walk =
            Walk { rules, mapping, words, identifiers: &identifiers, patient: &patient, elements: Default::default() };
        let mut out = walk.film(data);
        let elements = walk.elements;
        let mut check = Vec::new();
        write_elements(&out, &mut check)?;
        let uids = if self.rules.has(ProfileOption::Uids) { Uids::Retained } else { Uids::Replaced };
        if identifiers.are_in(&check, words, uids) {
            return Err(Withheld::Residue);
        }
        out.0.insert(tags::PIXEL_DATA, pixels.element);
        self.state(&mut out, &patient, burned_in);
        if !check.is_ascii() {
            out.put(tags::SPECIFIC_CHARACTER_SET, VR::CS, b"ISO_IR 192");
        }
        let sop_instance_uid = out.ascii(tags::SOP_INSTANCE_UID).unwrap_or_default();
        let bytes = write(&meta(&ids.class, &sop_instance_uid, pixels.syntax.uid()), &out)?;
        let receipt = Receipt {
            patient: patient.pseudonym.clone(),
            identified_by,
            counts: elements.counts(),
            blanked: pixels.blanked.len(),
            regions: pixels.blanked,
            unused_bits_cleared: pixels.unused_bits_cleared,
            elements,
        };
        let link = Link {
            patient_id: link.id,
            patient_name: link.name,
            study_instance_uid: ids.study,
            sop_instance_uid: ids.instance,
            accession_number: link.accession,
            days: patient.shift,
        };
        Ok(Deidentified { bytes, sop_instance_uid, receipt, link })
    }

    /// Who a film is of: by ID and issuer, else by name and birth date, else nobody but its study's patient.
    fn identify(&self, data: &DataSet, person: &Person, ids: &Ids) -> (Patient, IdentifiedBy) {
        let was_done = data.ascii(tags::PATIENT_IDENTITY_REMOVED).as_deref() == Some("YES");
        if was_done && self.key.made_pseudonym(&person.id) {
            return (Patient { pseudonym: person.id.clone(), shift: 0 }, IdentifiedBy::EarlierRun);
        }
        if !normal_id(&person.id).is_empty() {
            return (self.of_id(&person.id, &person.issuer), IdentifiedBy::PatientId);
        }
        let name = normal_name(&person.name);
        if !name.is_empty() {
            let birth_date = data.ascii(tags::PATIENT_BIRTH_DATE).unwrap_or_default();
            return (self.of("name", &[&name, &birth_date]), IdentifiedBy::NameAndBirthDate);
        }
        (self.of("study", &[&ids.study]), IdentifiedBy::Study)
    }

    fn of_id(&self, id: &str, issuer: &str) -> Patient {
        let issuer = if normal_id(issuer).is_empty() { &self.issuer } else { issuer };
        self.of("id", &[&normal_id(id), &normal_id(issuer)])
    }

    fn of(&self, kind: &str, parts: &[&str]) -> Patient {
        let pseudonym = self.key.pseudonym(kind, parts);
        let shift = self.key.shift(&pseudonym);
        Patient { pseudonym, shift }
    }

    /// States what was done (PS3.3 C.7.1.1, C.12.1.1.3; PS3.15 E.1.1), and the pseudonym.
    fn state(&self, out: &mut DataSet, patient: &Patient, pixels: Pixels) {
        let pseudonym = patient.pseudonym.as_bytes();
        out.put(tags::PATIENT_NAME, VR::PN, pseudonym);
        out.put(tags::PATIENT_ID, VR::LO, pseudonym);
        out.put(tags::PATIENT_IDENTITY_REMOVED, VR::CS, b"YES");
        out.put(tags::DEIDENTIFICATION_METHOD, VR::LO, b"Coxa: PS3.15 Annex E Basic Profile");
        let mut codes =
            vec![code("113100", "Basic Application Confidentiality Profile"), code("113103", "Clean Graphics Option")];
        if pixels == Pixels::Cleaned {
            codes.push(code(CLEAN_PIXELS, "Clean Pixel Data Option"));
            out.put(tags::BURNED_IN_ANNOTATION, VR::CS, b"NO");
        }
        codes.extend(
            self.rules.options().iter().map(|option| option.code()).map(|(value, meaning)| code(value, meaning)),
        );
        out.put_items(tags::DEIDENTIFICATION_METHOD_CODE_SEQUENCE, codes);
        let dates: &[u8] = if self.rules.has(ProfileOption::ModifiedDates) { b"MODIFIED" } else { b"REMOVED" };
        out.put(tags::LONGITUDINAL_TEMPORAL_INFORMATION_MODIFIED, VR::CS, dates);
    }
}

/// What was done about burned-in text.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Pixels {
    Cleaned,
    Untouched,
}

/// Whether a film was de-identified with cleaned pixels before.
fn states_clean_pixels(data: &DataSet) -> bool {
    let Some(Value::Items(codes)) =
        data.0.get(&tags::DEIDENTIFICATION_METHOD_CODE_SEQUENCE).map(|element| &element.value)
    else {
        return false;
    };
    codes.iter().any(|code| code.ascii(tags::CODE_VALUE).as_deref() == Some(CLEAN_PIXELS))
}

/// Clean Pixel Data Option (PS3.16 CID 7050).
const CLEAN_PIXELS: &str = "113101";

/// What a header says about its patient.
struct Person {
    id: String,
    issuer: String,
    name: String,
    accession: String,
}

impl Person {
    fn of(data: &DataSet) -> Self {
        let charset = data.ascii(tags::SPECIFIC_CHARACTER_SET).map_or(Charset::UNSTATED, |value| Charset::of(&value));
        let text = |tag| {
            let text = data.bytes(tag).map(|bytes| charset.decode(bytes)).unwrap_or_default();
            text.trim_matches([' ', '\0']).to_owned()
        };
        Self {
            id: text(tags::PATIENT_ID),
            issuer: text(tags::ISSUER_OF_PATIENT_ID),
            name: text(tags::PATIENT_NAME),
            accession: text(tags::ACCESSION_NUMBER),
        }
    }
}

/// An ID without white space and in capitals: how it is typed does not make another patient.
fn normal_id(id: &str) -> String {
    id.chars().filter(|c| !c.is_whitespace() && *c != '\0').flat_map(char::to_uppercase).collect()
}

/// A name in capitals, its components trimmed, without empty ones at its end: `A^B` and `a ^B^^` are one. Of several groups the first that
/// is not empty counts.
fn normal_name(name: &str) -> String {
    let group = name.split('=').map(|group| group.trim_matches([' ', '^'])).find(|group| !group.is_empty());
    let words = |component: &str| component.split_whitespace().collect::<Vec<_>>().join(" ").to_uppercase();
    group.unwrap_or_default().split('^').map(words).collect::<Vec<_>>().join("^")
}

/// Without a key, a pseudonym is one that has the form.
fn shape_of(id: &str) -> Patient {
    let pseudonym = if is_pseudonym(id) { id.to_owned() } else { String::new() };
    Patient { pseudonym, shift: 0 }
}

fn code(value: &str, meaning: &str) -> DataSet {
    let mut item = DataSet::default();
    item.put(tags::CODE_VALUE, VR::SH, value.as_bytes());
    item.put(tags::CODING_SCHEME_DESIGNATOR, VR::SH, b"DCM");
    item.put(tags::CODE_MEANING, VR::LO, meaning.as_bytes());
    item
}

/// File meta information that names this program and nothing of the sender's.
fn meta(class: &str, instance: &str, syntax: &str) -> DataSet {
    let mut meta = DataSet::default();
    meta.put(tags::FILE_META_INFORMATION_VERSION, VR::OB, &[0, 1]);
    meta.put(tags::MEDIA_STORAGE_SOP_CLASS_UID, VR::UI, class.as_bytes());
    meta.put(tags::MEDIA_STORAGE_SOP_INSTANCE_UID, VR::UI, instance.as_bytes());
    meta.put(tags::TRANSFER_SYNTAX_UID, VR::UI, syntax.as_bytes());
    meta.put(tags::IMPLEMENTATION_CLASS_UID, VR::UI, IMPLEMENTATION_CLASS_UID.as_bytes());
    meta.put(tags::IMPLEMENTATION_VERSION_NAME, VR::SH, IMPLEMENTATION_VERSION_NAME.as_bytes());
    meta
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spelling_makes_no_other_patient() {
        for name in ["A^B", "a^b", "A^B^", " A ^B^^^ ", "A^B=王^小", "=A^B"] {
            assert_eq!(normal_name(name), "A^B", "{name}");
        }
        assert_eq!(normal_name("van  Dyke^Jo"), "VAN DYKE^JO");
        assert_eq!(normal_name("^"), "");
        let deidentifier = Deidentifier::new(Key::from_bytes([7; 32]), Settings::default());
        assert_eq!(deidentifier.patient("ab 12"), deidentifier.patient("AB12 "));
        assert_ne!(deidentifier.patient("AB12"), deidentifier.patient("AB13"));
        let issuer = Settings { issuer: "Ward".into(), ..Settings::default() };
        let other = Deidentifier::new(Key::from_bytes([7; 32]), issuer);
        assert_ne!(deidentifier.patient("AB12"), other.patient("AB12"));
        assert_eq!(other.of_id("AB12", "WARD ").pseudonym, other.patient("AB12").0);
    }
}
