//! What is asked of an archive at each level, and the keys of a C-FIND, C-MOVE or C-GET for it.

use coxa_dimse::Uid;
use coxa_dimse::query::Identifier;
use jiff::civil::Date;

use crate::attributes::tag;

/// The most matches of a search.
pub(crate) const MOST_MATCHES: usize = 2000;

/// What is searched for.
#[derive(Clone, Copy)]
pub(crate) enum Query<'a> {
    Studies { patient: &'a str, days: Option<(Date, Date)> },
    Series { patient: &'a str, study: &'a Uid },
    Instances { patient: &'a str, study: &'a Uid, series: &'a Uid },
}

/// What is retrieved.
#[derive(Clone, Copy)]
pub(crate) enum Scope<'a> {
    Study(&'a Uid),
    Series(&'a Uid, &'a Uid),
    Instance(&'a Uid, &'a Uid, &'a Uid),
}

/// Days as a range of DICOM dates.
pub(crate) fn range((from, to): (Date, Date)) -> String {
    let digits = |date: Date| format!("{:04}{:02}{:02}", date.year(), date.month(), date.day());
    if from == to { digits(from) } else { format!("{}-{}", digits(from), digits(to)) }
}

/// Return keys of series.
pub(crate) const OF_SERIES: [(u32, &[u8; 2], &str); 6] = [
    (tag::SERIES, b"UI", "0020000E"),
    (tag::MODALITY, b"CS", "00080060"),
    (tag::SERIES_DESCRIPTION, b"LO", "0008103E"),
    (tag::SERIES_NUMBER, b"IS", "00200011"),
    (tag::BODY_PART, b"CS", "00180015"),
    (tag::PROTOCOL, b"LO", "00181030"),
];
/// Return keys of studies.
pub(crate) const OF_STUDY: [(u32, &[u8; 2], &str); 5] = [
    (tag::STUDY, b"UI", "0020000D"),
    (tag::PATIENT_ID, b"LO", "00100020"),
    (tag::STUDY_DATE, b"DA", "00080020"),
    (tag::MODALITIES, b"CS", "00080061"),
    (tag::STUDY_DESCRIPTION, b"LO", "00081030"),
];
/// Return keys of instances.
pub(crate) const OF_INSTANCE: [(u32, &[u8; 2], &str); 6] = [
    (tag::SOP_INSTANCE, b"UI", "00080018"),
    (tag::SOP_CLASS, b"UI", "00080016"),
    (tag::INSTANCE_NUMBER, b"IS", "00200013"),
    (tag::IMAGE_TYPE, b"CS", "00080008"),
    (tag::BODY_PART, b"CS", "00180015"),
    (tag::VIEW_POSITION, b"CS", "00185101"),
];

pub(crate) fn identifier(query: Query<'_>, by_patient: bool) -> Identifier {
    let empty = |keys: &[(u32, &'static [u8; 2], &str)]| {
        keys.iter().fold(Identifier::default(), |identifier, (tag, vr, _)| identifier.with(*tag, vr, ""))
    };
    match query {
        Query::Studies { patient, days } => {
            let found = empty(&OF_STUDY).with(tag::LEVEL, b"CS", "STUDY").with(tag::PATIENT_ID, b"LO", patient);
            let found = match days {
                Some(days) => found.with(tag::STUDY_DATE, b"DA", &range(days)),
                None => found,
            };
            if patient.is_ascii() { found } else { found.with(tag::CHARACTER_SET, b"CS", "ISO_IR 192") }
        }
        Query::Series { patient, study } => {
            let found = empty(&OF_SERIES).with(tag::LEVEL, b"CS", "SERIES").with(tag::STUDY, b"UI", study.as_str());
            above(found, by_patient.then_some(patient))
        }
        Query::Instances { patient, study, series } => {
            let found = empty(&OF_INSTANCE).with(tag::LEVEL, b"CS", "IMAGE").with(tag::STUDY, b"UI", study.as_str());
            above(found.with(tag::SERIES, b"UI", series.as_str()), by_patient.then_some(patient))
        }
    }
}

/// The unique key of the patient, which the Patient Root demands at every level and the Study Root forbids.
fn above(identifier: Identifier, patient: Option<&str>) -> Identifier {
    match patient {
        Some(patient) => identifier.with(tag::PATIENT_ID, b"LO", patient),
        None => identifier,
    }
}

pub(crate) fn of_scope(scope: Scope<'_>, patient: Option<&str>) -> Identifier {
    let at = |level: &str, study: &Uid| {
        Identifier::default().with(tag::LEVEL, b"CS", level).with(tag::STUDY, b"UI", study.as_str())
    };
    let found =
        match scope {
            Scope::Study(study) => at("STUDY", study),
            Scope::Series(study, series) => at("SERIES", study).with(tag::SERIES, b"UI", series.as_str()),
            Scope::Instance(study, series, instance) => at("IMAGE", study)
                .with(tag::SERIES, b"UI", series.as_str())
                .with(tag::SOP_INSTANCE, b"UI", instance.as_str()),
        };
    above(found, patient)
}
