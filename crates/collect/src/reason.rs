//! Why a film was taken or left, and why an injury has none: a code for programs, and a sentence.

use serde::{Deserialize, Serialize};

/// A reason.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Reason {
    /// Taken: the rules want it.
    Taken,
    /// Taken or left by the rules' `unsure`: neither View Position nor a description states the projection.
    ViewUnstated,
    /// Left: neither Body Part Examined nor a description states the part.
    PartUnstated,
    /// Taken or left by the rules' `unsure`: the header's statements contradict each other.
    Contradiction,
    /// Left: not an image that is a radiograph by its SOP class.
    NotAFilm,
    /// Left: another modality.
    Modality,
    /// Left: a secondary capture.
    SecondaryCapture,
    /// Left: another part of the body.
    BodyPart,
    /// Left: another view.
    View,
    /// Left: acquired outside of the window.
    OtherDay,
    /// Left: another image of the same exposure was taken.
    SameExposure,
    /// Left: another image with the same pixel values was taken, turned or not.
    SamePixels,
    /// Left: its description names a copy, and another film was taken.
    Copy,
    /// Left: the rules keep one film, and another was preferred.
    OtherPreferred,
    /// Left: more films than the rules allow for an injury.
    TooMany,
    /// Withheld by the de-identification.
    Withheld,
    /// Withheld: text may be burned into its pixels, and a person must review it.
    ToReview,
    /// Excluded by a person who reviewed it.
    Excluded,
    /// Withheld: the film is of another patient than was asked for, or has an issuer of patient IDs that the registry has not.
    OtherPatient,
    /// The archive did not deliver it.
    NotDelivered,
    /// No film: the archive knows no such patient.
    PatientUnknown,
    /// No film: the patient has no study in the window.
    NoStudyInWindow,
    /// No film: no study in the window has radiographs.
    NoRadiograph,
    /// No film: radiographs, but none that the rules want.
    NoWantedFilm,
    /// No film: each one that the rules want was withheld or excluded.
    AllWithheld,
    /// No film: the patient's number cannot be searched for.
    UnsearchableId,
    /// No film: the archive failed; the next run tries again.
    ArchiveFailed,
    /// Not searched for: the patient was not admitted.
    NotAdmitted,
}

impl Reason {
    /// Its code, as in the report and the journal.
    pub fn code(self) -> &'static str {
        match self {
            Self::Taken => "taken",
            Self::ViewUnstated => "view_unstated",
            Self::PartUnstated => "part_unstated",
            Self::Contradiction => "contradiction",
            Self::NotAFilm => "not_a_film",
            Self::Modality => "modality",
            Self::SecondaryCapture => "secondary_capture",
            Self::BodyPart => "body_part",
            Self::View => "view",
            Self::OtherDay => "other_day",
            Self::SameExposure => "same_exposure",
            Self::SamePixels => "same_pixels",
            Self::Copy => "copy",
            Self::OtherPreferred => "other_preferred",
            Self::TooMany => "too_many",
            Self::Withheld => "withheld",
            Self::ToReview => "to_review",
            Self::Excluded => "excluded",
            Self::OtherPatient => "other_patient",
            Self::NotDelivered => "not_delivered",
            Self::PatientUnknown => "patient_unknown",
            Self::NoStudyInWindow => "no_study_in_window",
            Self::NoRadiograph => "no_radiograph",
            Self::NoWantedFilm => "no_wanted_film",
            Self::AllWithheld => "all_withheld",
            Self::UnsearchableId => "unsearchable_id",
            Self::ArchiveFailed => "archive_failed",
            Self::NotAdmitted => "not_admitted",
        }
    }

    /// In a sentence.
    pub fn sentence(self) -> &'static str {
        match self {
            Self::Taken => "The rules want it.",
            Self::ViewUnstated => "Neither View Position nor a description states the projection: review it.",
            Self::PartUnstated => "Neither Body Part Examined nor a description states the part of the body.",
            Self::Contradiction => "Body part, view and descriptions contradict each other: review it.",
            Self::NotAFilm => "It is not a CR, DX or Secondary Capture image.",
            Self::Modality => "Its modality is not among those of the rules.",
            Self::SecondaryCapture => "It is a secondary capture.",
            Self::BodyPart => "It shows another part of the body.",
            Self::View => "It is another view than a frontal one.",
            Self::OtherDay => "It was acquired outside of the window.",
            Self::SameExposure => "Another image of the same exposure was taken.",
            Self::SamePixels => "Another image with the same pixel values, turned or not, was taken.",
            Self::Copy => "Its description names a copy, and another film was taken.",
            Self::OtherPreferred => "The rules keep one film, and another was preferred.",
            Self::TooMany => "The injury has more films than the rules allow.",
            Self::Withheld => "Its identity cannot be removed for certain.",
            Self::ToReview => "Text may be burned into its pixels: review it.",
            Self::Excluded => "A person who reviewed it excluded it.",
            Self::OtherPatient => {
                "It is of another patient than was asked for, or has an issuer of patient IDs: name it by --issuer."
            }
            Self::NotDelivered => "The PACS did not deliver it.",
            Self::PatientUnknown => "The PACS knows no such patient.",
            Self::NoStudyInWindow => "The patient has no study in the window of days.",
            Self::NoRadiograph => "No study in the window has radiographs.",
            Self::NoWantedFilm => "There are radiographs in the window, but none that the rules want.",
            Self::AllWithheld => "Each film that the rules want was withheld or excluded.",
            Self::UnsearchableId => "The patient's number has characters that a search takes for wildcards.",
            Self::ArchiveFailed => "The PACS failed; the next run tries again.",
            Self::NotAdmitted => "The patient was not admitted, and the rules ask for admitted patients.",
        }
    }
}
