//! Which files are de-identified at all: radiographs that say who they are, and nothing whose identity cannot be removed for certain.

use dicom_dictionary_std::{tags, uids};

use crate::dataset::DataSet;
use crate::parse::File;
use crate::withheld::Withheld;

/// UIDs that every film has.
pub(crate) struct Ids {
    pub(crate) class: String,
    pub(crate) instance: String,
    pub(crate) study: String,
}

const FILMS: [&str; 4] = [
    uids::COMPUTED_RADIOGRAPHY_IMAGE_STORAGE,
    uids::DIGITAL_X_RAY_IMAGE_STORAGE_FOR_PRESENTATION,
    uids::DIGITAL_X_RAY_IMAGE_STORAGE_FOR_PROCESSING,
    uids::SECONDARY_CAPTURE_IMAGE_STORAGE,
];

/// Roots of the SOP classes of documents: encapsulated ones (PDF, CDA, STL, …) and structured reports.
const DOCUMENTS: [&str; 2] = ["1.2.840.10008.5.1.4.1.1.104.", "1.2.840.10008.5.1.4.1.1.88."];

/// Judges a file by its header; `cleans_pixels` is whether burned-in text will be removed.
///
/// # Errors
/// [`Withheld`], the most telling reason first.
pub(crate) fn admit(file: &File, pixels_are_cleaned: bool) -> Result<Ids, Withheld> {
    let data = &file.data;
    let media_class = file.meta.ascii(tags::MEDIA_STORAGE_SOP_CLASS_UID).unwrap_or_default();
    let class = data.ascii(tags::SOP_CLASS_UID).unwrap_or_default();
    if media_class == uids::MEDIA_STORAGE_DIRECTORY_STORAGE || data.0.contains_key(&tags::DIRECTORY_RECORD_SEQUENCE) {
        return Err(Withheld::MediaDirectory);
    }
    let is_document = |class: &str| DOCUMENTS.iter().any(|root| class.starts_with(root));
    if is_document(&class) || is_document(&media_class) || data.0.contains_key(&tags::ENCAPSULATED_DOCUMENT) {
        return Err(Withheld::Document);
    }
    if !FILMS.contains(&class.as_str()) {
        return Err(Withheld::SopClass);
    }
    if class == uids::SECONDARY_CAPTURE_IMAGE_STORAGE {
        admit_capture(data)?;
    }
    admit_pixels(data, class == uids::SECONDARY_CAPTURE_IMAGE_STORAGE, pixels_are_cleaned)?;
    ids(file, class, &media_class)
}

/// Secondary Captures of paper are letters more often than films.
fn admit_capture(data: &DataSet) -> Result<(), Withheld> {
    let conversion = data.ascii(tags::CONVERSION_TYPE).unwrap_or_default();
    let modality = data.ascii(tags::MODALITY).unwrap_or_default();
    let is_paper = matches!(conversion.as_str(), "SD" | "SI") || matches!(modality.as_str(), "DOC" | "SR" | "HC");
    if is_paper { Err(Withheld::ScannedDocument) } else { Ok(()) }
}

fn admit_pixels(data: &DataSet, is_capture: bool, are_cleaned: bool) -> Result<(), Withheld> {
    let burned_in = data.ascii(tags::BURNED_IN_ANNOTATION).unwrap_or_default();
    match burned_in.as_str() {
        _ if are_cleaned => Ok(()),
        "NO" => Ok(()),
        "" if is_capture => Err(Withheld::MayBeBurnedIn),
        "" => Ok(()),
        _ => Err(Withheld::BurnedIn),
    }
}

fn ids(file: &File, class: String, media_class: &str) -> Result<Ids, Withheld> {
    let uid = |tag| file.data.ascii(tag).filter(|uid| is_uid(uid)).ok_or(Withheld::Identity);
    let (instance, study) = (uid(tags::SOP_INSTANCE_UID)?, uid(tags::STUDY_INSTANCE_UID)?);
    uid(tags::SERIES_INSTANCE_UID)?;
    let media_instance = file.meta.ascii(tags::MEDIA_STORAGE_SOP_INSTANCE_UID).unwrap_or_default();
    let agrees = |media: &str, own: &str| media.is_empty() || media == own;
    if !agrees(media_class, &class) || !agrees(&media_instance, &instance) {
        return Err(Withheld::Identity);
    }
    Ok(Ids { class, instance, study })
}

fn is_uid(uid: &str) -> bool {
    (1..=64).contains(&uid.len()) && uid.bytes().all(|b| b.is_ascii_digit() || b == b'.')
}
