//! What is done to each element: PS3.15 Table E.1-1 with the options in effect, then the list of what else may stay, and for everything
//! else removal.

use std::collections::{BTreeSet, HashMap};
use std::sync::LazyLock;

use dicom_core::Tag;
use dicom_core::VR;
use dicom_dictionary_std::tags;

use crate::dataset::{Known, known};

/// An option of the Basic Profile (PS3.15 E.3). Clean Graphics is always in effect, as overlays, curves and annotations are removed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum ProfileOption {
    /// Retain longitudinal temporal information with modified dates: a patient's dates move by the same number of days.
    ModifiedDates,
    /// Retain patient characteristics: sex, age, size, weight and the like.
    PatientCharacteristics,
    /// Clean descriptors: of texts, the words of a list stay.
    CleanDescriptors,
    /// Retain UIDs.
    Uids,
    /// Retain device identity: serial number, station, model and the like.
    DeviceIdentity,
}

impl ProfileOption {
    /// Those in effect where nothing else is asked for.
    pub const DEFAULT: [Self; 3] = [Self::ModifiedDates, Self::PatientCharacteristics, Self::CleanDescriptors];

    /// All options.
    pub const ALL: [Self; 5] =
        [Self::ModifiedDates, Self::PatientCharacteristics, Self::CleanDescriptors, Self::Uids, Self::DeviceIdentity];

    /// Its name on the command line and in the mark of an output folder.
    pub fn name(self) -> &'static str {
        match self {
            Self::ModifiedDates => "dates",
            Self::PatientCharacteristics => "patient",
            Self::CleanDescriptors => "descriptors",
            Self::Uids => "uids",
            Self::DeviceIdentity => "device",
        }
    }

    /// Its code and meaning (PS3.16 CID 7050).
    pub(crate) fn code(self) -> (&'static str, &'static str) {
        match self {
            Self::ModifiedDates => ("113107", "Retain Longitudinal Temporal Information Modified Dates Option"),
            Self::PatientCharacteristics => ("113108", "Retain Patient Characteristics Option"),
            Self::CleanDescriptors => ("113105", "Clean Descriptors Option"),
            Self::Uids => ("113110", "Retain UIDs Option"),
            Self::DeviceIdentity => ("113109", "Retain Device Identity Option"),
        }
    }
}

/// What is done to an element.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Action {
    /// It goes.
    Remove,
    /// It stays without a value.
    Empty,
    /// A fixed value takes the place of its own.
    Dummy,
    /// A derived UID takes the place of each of its own.
    Uid,
    /// It stays as it is, if it is a UID.
    KeepUid,
    /// Its date moves by the patient's days; a time of day stays.
    Shift,
    /// Words of the list stay.
    Clean,
    /// It stays but for names and identifiers that the header knows.
    Retain,
    /// It stays if it is what its VR demands and has no more values than this; texts are cleaned, codes must be of the list's words.
    Keep(usize),
    /// Each of its items is walked; no more than this many stay.
    Walk(usize),
}

/// A row of Table E.1-1.
struct Row {
    basic: Basic,
    uids: bool,
    device: bool,
    patient: bool,
    dates: bool,
    descriptors: bool,
}

/// The Basic Profile's column. Of several actions the first is for an attribute that its IOD does not require; in the IODs that are
/// de-identified here, those of `X/D` and `X/Z/D` are all of type 3.
#[derive(Clone, Copy)]
enum Basic {
    Remove,
    Empty,
    Dummy,
    Uid,
    Walk,
}

static TABLE: LazyLock<HashMap<Tag, Row>> = LazyLock::new(|| {
    let rows = include_str!("../data/confidentiality_profile.csv").lines().skip(1);
    rows.filter_map(|line| row(line).map(|row| (tag_of(line), row)))
        .filter_map(|(tag, row)| Some((tag?, row)))
        .collect()
});

/// Repeating groups have no single tag: they are removed by a rule of their own.
fn tag_of(line: &str) -> Option<Tag> {
    let number = |range| line.get(range).and_then(|digits| u16::from_str_radix(digits, 16).ok());
    Some(Tag(number(0..4)?, number(4..8)?))
}

fn row(line: &str) -> Option<Row> {
    // Names may hold commas within quotes; the columns after the name never do.
    let mut fields = line.rsplitn(12, ',').collect::<Vec<_>>();
    fields.reverse();
    let [_, basic, uids, device, _, patient, _, dates, descriptors, ..] = fields[..] else { return None };
    let basic = match basic {
        "X" | "X/D" | "X/Z/D" => Basic::Remove,
        "Z" | "X/Z" | "Z/D" => Basic::Empty,
        "D" => Basic::Dummy,
        "U" => Basic::Uid,
        "X/Z/U*" => Basic::Walk,
        _ => return None,
    };
    let has = |field: &str| !field.is_empty();
    let [uids, device, patient, dates, descriptors] = [uids, device, patient, dates, descriptors].map(has);
    Some(Row { basic, uids, device, patient, dates, descriptors })
}

/// How many values or items each keyword of the list may have.
static ALLOWED: LazyLock<HashMap<&'static str, usize>> = LazyLock::new(|| {
    let lines = include_str!("../data/allowed.csv").lines().skip(1);
    lines
        .filter_map(|line| {
            let mut fields = line.splitn(3, ',');
            Some((fields.next()?, fields.next()?.parse().ok()?))
        })
        .collect()
});

/// Items of a sequence that the table keeps: more of them are not of one film.
const MOST_ITEMS: usize = 256;

/// The rules with the options in effect.
#[derive(Debug, Clone)]
pub(crate) struct Rules {
    options: BTreeSet<ProfileOption>,
}

impl Rules {
    pub(crate) fn new(options: BTreeSet<ProfileOption>) -> Self {
        Self { options }
    }

    pub(crate) fn has(&self, option: ProfileOption) -> bool {
        self.options.contains(&option)
    }

    pub(crate) fn options(&self) -> &BTreeSet<ProfileOption> {
        &self.options
    }

    /// What is done to an element, and what the dictionary knows of it; private, unknown and repeating ones go.
    pub(crate) fn action(&self, tag: Tag) -> (Action, Option<Known>) {
        let Some(entry) = known(tag).filter(|_| !is_curve_or_overlay(tag)) else { return (Action::Remove, None) };
        let action = match TABLE.get(&tag) {
            Some(row) => self.of_table(row, tag, entry.vr),
            None => of_list(entry),
        };
        (action, Some(entry))
    }

    fn of_table(&self, row: &Row, tag: Tag, vr: VR) -> Action {
        let is_date = matches!(vr, VR::DA | VR::DT | VR::TM) || tag == tags::TIMEZONE_OFFSET_FROM_UTC;
        let retained = |text| match vr {
            VR::SQ => Action::Walk(MOST_ITEMS),
            VR::UI => Action::KeepUid,
            _ => text,
        };
        let is_cleanable = matches!(vr, VR::LO | VR::LT | VR::SH | VR::ST | VR::UC | VR::UT | VR::SQ);
        if row.dates && is_date && self.has(ProfileOption::ModifiedDates) {
            // Those of a device go with it.
            let is_kept = !row.device || self.has(ProfileOption::DeviceIdentity);
            return if is_kept { Action::Shift } else { Action::Remove };
        }
        if row.uids && self.has(ProfileOption::Uids) {
            return retained(Action::Remove);
        }
        if row.device && !is_date && self.has(ProfileOption::DeviceIdentity) {
            return retained(Action::Retain);
        }
        if row.patient && self.has(ProfileOption::PatientCharacteristics) {
            return retained(Action::Keep(1));
        }
        if row.descriptors && is_cleanable && self.has(ProfileOption::CleanDescriptors) {
            return retained(Action::Clean);
        }
        match row.basic {
            Basic::Remove => Action::Remove,
            Basic::Empty => Action::Empty,
            Basic::Dummy => Action::Dummy,
            Basic::Uid => Action::Uid,
            Basic::Walk => Action::Walk(MOST_ITEMS),
        }
    }

    /// Whether the table removes or replaces an element's text whatever the options: what stands there identifies.
    pub(crate) fn always_identifies(tag: Tag) -> bool {
        let is_plain = |row: &Row| !(row.device || row.patient || row.dates || row.descriptors);
        TABLE.get(&tag).is_some_and(is_plain)
    }
}

fn of_list(entry: Known) -> Action {
    match (ALLOWED.get(entry.keyword), entry.vr) {
        (None, _) => Action::Remove,
        (Some(&most), VR::SQ) => Action::Walk(most),
        (Some(&most), _) => Action::Keep(most),
    }
}

fn is_curve_or_overlay(tag: Tag) -> bool {
    matches!(tag.group() >> 8, 0x50 | 0x60)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rules(options: &[ProfileOption]) -> Rules {
        Rules::new(options.iter().copied().collect())
    }

    fn action(options: &[ProfileOption], tag: Tag) -> Action {
        rules(options).action(tag).0
    }

    #[test]
    fn the_table_and_the_list_are_read_whole() {
        // 655 rows, of which three are repeating groups.
        assert_eq!(TABLE.len(), 652);
        let listed = include_str!("../data/allowed.csv").lines().count() - 1;
        assert_eq!(ALLOWED.len(), listed);
        let keywords: Vec<_> = ALLOWED.keys().filter(|keyword| tag_by_keyword(keyword).is_none()).collect();
        assert!(keywords.is_empty(), "{keywords:?}");
        for (keyword, tag) in ALLOWED.keys().filter_map(|&keyword| Some((keyword, tag_by_keyword(keyword)?))) {
            assert!(!TABLE.contains_key(&tag), "{keyword} is in the table, which decides");
        }
    }

    fn tag_by_keyword(keyword: &str) -> Option<Tag> {
        use dicom_core::dictionary::DataDictionary as _;
        Some(dicom_dictionary_std::StandardDataDictionary.by_name(keyword)?.tag.inner())
    }

    #[test]
    fn every_option_changes_what_it_should() {
        use ProfileOption::*;
        for (tag, none, option, with) in [
            (tags::STUDY_DATE, Action::Empty, ModifiedDates, Action::Shift),
            (tags::SERIES_DATE, Action::Remove, ModifiedDates, Action::Shift),
            (tags::PATIENT_BIRTH_DATE, Action::Empty, ModifiedDates, Action::Empty),
            (tags::DATE_OF_LAST_CALIBRATION, Action::Remove, ModifiedDates, Action::Remove),
            (tags::PATIENT_AGE, Action::Remove, PatientCharacteristics, Action::Keep(1)),
            (tags::STUDY_DESCRIPTION, Action::Remove, CleanDescriptors, Action::Clean),
            (tags::REQUEST_ATTRIBUTES_SEQUENCE, Action::Remove, CleanDescriptors, Action::Walk(256)),
            (tags::SOP_INSTANCE_UID, Action::Uid, Uids, Action::KeepUid),
            (tags::STATION_NAME, Action::Remove, DeviceIdentity, Action::Retain),
            (tags::PATIENT_NAME, Action::Empty, PatientCharacteristics, Action::Empty),
            (tags::SOURCE_IMAGE_SEQUENCE, Action::Walk(256), Uids, Action::Walk(256)),
        ] {
            assert_eq!((action(&[], tag), action(&[option], tag)), (none, with), "{tag} {option:?}");
        }
    }

    #[test]
    fn private_unlisted_and_repeating_elements_go_whatever_the_options() {
        for tag in [
            Tag(0x0009, 0x0010),
            Tag(0x0029, 0x1010),
            Tag(0x5000, 0x3000),
            Tag(0x6002, 0x3000),
            Tag(0x6000, 0x0010),
            Tag(0x0010, 0x9431),
            tags::PATIENT_ADDRESS,
            tags::ICON_IMAGE_SEQUENCE,
            tags::PROCEDURE_CODE_SEQUENCE,
            Tag(0x0010, 0x0000),
        ] {
            assert_eq!(action(&ProfileOption::ALL, tag), Action::Remove, "{tag}");
        }
    }

    #[test]
    fn every_attribute_of_the_dictionary_is_decided_and_only_those_of_the_list_are_kept() {
        let groups =
            (0..0x0120u16).chain(0x0400..0x0410).chain(0x2000..0x2210).chain(0x3000..0x3020).chain(0x4000..0x4020);
        let all = groups
            .filter(|group| group % 2 == 0)
            .flat_map(|group| (0..=0xFFFFu16).map(move |element| Tag(group, element)));
        let (mut n, mut kept) = (0, BTreeSet::new());
        for entry in all.filter_map(|tag| known(tag).map(|_| tag)) {
            n += 1;
            if let (Action::Keep(_), Some(known)) = rules(&[]).action(entry) {
                kept.insert(known.keyword);
            }
        }
        assert!(n > 4000, "{n}");
        assert!(kept.iter().all(|keyword| ALLOWED.contains_key(keyword)));
        assert!(kept.len() <= ALLOWED.len());
    }
}
