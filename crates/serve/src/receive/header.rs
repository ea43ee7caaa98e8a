//! An object's header as the database keeps it: the attributes that are looked up, and all of them as DICOM JSON.

use coxa_dimse::Uid;
use coxa_imaging::{DicomHeader, ReadError, dicom_header, dicom_header_from};
use dicom_core::Tag;
use dicom_dictionary_std::{tags, uids};
use dicom_encoding::TransferSyntaxIndex as _;
use dicom_object::InMemDicomObject;
use dicom_transfer_syntax_registry::TransferSyntaxRegistry;

use crate::db::NewFilm;

/// Values up to this many bytes are kept in the database's DICOM JSON; a larger one is in the file alone.
const LARGEST_VALUE: usize = 4096;

/// What is wrong with a header. No value of it is repeated.
#[derive(Debug, thiserror::Error)]
pub enum HeaderError {
    /// It is no DICOM file, or a damaged one.
    #[error("{0}")]
    Malformed(ReadError),
    /// The parser found what the check of its structure did not.
    #[error("the data set cannot be parsed")]
    Unparsable,
    /// A UID that must be there is not, or is none.
    #[error("{name} {tag} is missing or no UID")]
    Uid {
        /// The attribute.
        name: &'static str,
        /// Its tag.
        tag: Tag,
    },
    /// The file cannot be read again.
    #[error("the disk: {0}")]
    Disk(std::io::Error),
    /// The parser crashed.
    #[error("the data set makes the parser crash")]
    Crashed,
}

/// The header of a file, parsed, with its transfer syntax. Pixel data and what follows are left out.
///
/// # Errors
/// When it is no DICOM file or a damaged one: every length was checked before the parser sees it.
pub fn parse(bytes: &[u8]) -> Result<(String, InMemDicomObject), HeaderError> {
    parsed(dicom_header(bytes, "the object").map_err(HeaderError::Malformed)?)
}

/// The same of a file that is read from its beginning, without values that the database does not keep, and the byte at which its data set
/// begins. However large the file is, and whatever it would inflate to, it costs a few MiB.
///
/// # Errors
/// As [`parse`], and the system's reason where the file cannot be read.
pub fn parse_from(reader: impl std::io::Read) -> Result<(String, InMemDicomObject, u64), HeaderError> {
    let (header, data_at) = dicom_header_from(reader, "the object").map_err(|error| match error {
        ReadError::Io { source, .. } => HeaderError::Disk(source),
        error => HeaderError::Malformed(error),
    })?;
    let (transfer_syntax, object) = parsed(header)?;
    Ok((transfer_syntax, object, data_at))
}

fn parsed(header: DicomHeader) -> Result<(String, InMemDicomObject), HeaderError> {
    let known = TransferSyntaxRegistry.get(&header.encoding);
    // Every syntax that is yet to come encodes its header like this one (PS3.5, A.4).
    let syntax = known.or_else(|| TransferSyntaxRegistry.get(uids::EXPLICIT_VR_LITTLE_ENDIAN));
    let object =
        InMemDicomObject::read_dataset_with_ts(header.dataset.as_slice(), syntax.ok_or(HeaderError::Unparsable)?)
            .map_err(|_| HeaderError::Unparsable)?;
    Ok((header.transfer_syntax, object))
}

/// The attributes of a header that are looked up; hash, length, home and source are left to the caller.
///
/// # Errors
/// A UID that is missing or none, as nothing could be found again without.
pub fn attributes(object: &InMemDicomObject, transfer_syntax: &str) -> Result<NewFilm, HeaderError> {
    let text = |tag: Tag| -> String {
        let element = object.element(tag).ok();
        // The database takes no NUL, and a value beyond every VR's limit is none that is looked up.
        let value = element.and_then(|element| element.to_str().ok()).unwrap_or_default();
        value.chars().filter(|c| *c != '\0').take(1024).collect::<String>().trim().to_owned()
    };
    let uid = |name: &'static str, tag: Tag| {
        Uid::parse(&text(tag)).map(|uid| uid.as_str().to_owned()).ok_or(HeaderError::Uid { name, tag })
    };
    let number = |tag: Tag| object.element(tag).ok().and_then(|element| element.to_int::<i64>().ok()).unwrap_or(0);
    let laterality =
        Some(text(tags::IMAGE_LATERALITY)).filter(|side| !side.is_empty()).unwrap_or_else(|| text(tags::LATERALITY));
    Ok(NewFilm {
        sop_instance_uid: uid("SOP Instance UID", tags::SOP_INSTANCE_UID)?,
        sop_class_uid: uid("SOP Class UID", tags::SOP_CLASS_UID)?,
        transfer_syntax: transfer_syntax.to_owned(),
        study_uid: uid("Study Instance UID", tags::STUDY_INSTANCE_UID)?,
        series_uid: uid("Series Instance UID", tags::SERIES_INSTANCE_UID)?,
        patient_name: text(tags::PATIENT_NAME),
        patient_id: text(tags::PATIENT_ID),
        patient_birth_date: text(tags::PATIENT_BIRTH_DATE),
        patient_sex: text(tags::PATIENT_SEX),
        accession_number: text(tags::ACCESSION_NUMBER),
        study_id: text(tags::STUDY_ID),
        study_date: text(tags::STUDY_DATE),
        study_time: text(tags::STUDY_TIME),
        study_description: text(tags::STUDY_DESCRIPTION),
        referring_physician: text(tags::REFERRING_PHYSICIAN_NAME),
        modality: text(tags::MODALITY),
        series_number: text(tags::SERIES_NUMBER),
        series_description: text(tags::SERIES_DESCRIPTION),
        instance_number: text(tags::INSTANCE_NUMBER),
        body_part: text(tags::BODY_PART_EXAMINED),
        view_position: text(tags::VIEW_POSITION),
        laterality,
        rows: number(tags::ROWS),
        columns: number(tags::COLUMNS),
        metadata: metadata(object),
        ..NewFilm::default()
    })
}

/// The header as DICOM JSON, without large values and without what cannot be written.
fn metadata(object: &InMemDicomObject) -> String {
    let is_large = |element: &dicom_object::mem::InMemElement| {
        let length = element.header().len;
        length.get().is_some_and(|length| length as usize > LARGEST_VALUE) && element.vr() != dicom_core::VR::SQ
    };
    let small = InMemDicomObject::from_element_iter(object.iter().filter(|element| !is_large(element)).cloned());
    dicom_json::to_string(&small).map(|text| text.replace("\\u0000", "")).unwrap_or_else(|_| "{}".to_owned())
}
