//! A small Secondary Capture Image (PS3.3 A.8.1) of no patient, for an administrator who tries whether a destination stores what it is sent.

use coxa_schema::NOTICE;
use dicom_core::header::VR;
use dicom_core::value::PrimitiveValue;
use dicom_dictionary_std::{tags, uids};
use dicom_object::{FileMetaTableBuilder, InMemDicomObject};

use crate::element::{put, put_empty};
use crate::uid::{IMPLEMENTATION_CLASS_UID, IMPLEMENTATION_VERSION_NAME, derived};

/// The patient's name and ID of every test picture.
pub const NAME: &str = "TEST^COXA";
/// See [`NAME`].
pub const PATIENT_ID: &str = "COXA-TEST";

/// Pixels of a side.
const SIDE: u16 = 64;

/// A test picture.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TestPicture {
    /// SOP Instance UID.
    pub sop_instance_uid: String,
    /// The file, Explicit VR Little Endian.
    pub bytes: Vec<u8>,
}

/// A picture of a gray wedge. `seed` makes its UIDs; `date` is `YYYYMMDD` and `time` is `HHMMSS`.
///
/// # Errors
/// When it cannot be encoded, in words.
pub fn test_picture(seed: &str, date: &str, time: &str) -> Result<TestPicture, String> {
    let sop_instance_uid = derived("instance", seed);
    let mut object = InMemDicomObject::new_empty();
    for (tag, vr, value) in [
        (tags::SOP_CLASS_UID, VR::UI, uids::SECONDARY_CAPTURE_IMAGE_STORAGE),
        (tags::SOP_INSTANCE_UID, VR::UI, &sop_instance_uid),
        (tags::STUDY_INSTANCE_UID, VR::UI, &derived("study", seed)),
        (tags::SERIES_INSTANCE_UID, VR::UI, &derived("series", seed)),
        (tags::PATIENT_NAME, VR::PN, NAME),
        (tags::PATIENT_ID, VR::LO, PATIENT_ID),
        (tags::STUDY_DATE, VR::DA, date),
        (tags::STUDY_TIME, VR::TM, time),
        (tags::STUDY_ID, VR::SH, "TEST"),
        (tags::STUDY_DESCRIPTION, VR::LO, "Coxa: test of a destination, may be deleted"),
        (tags::MODALITY, VR::CS, "OT"),
        (tags::CONVERSION_TYPE, VR::CS, "WSD"),
        (tags::SERIES_NUMBER, VR::IS, "1"),
        (tags::INSTANCE_NUMBER, VR::IS, "1"),
        (tags::BURNED_IN_ANNOTATION, VR::CS, "NO"),
        (tags::IMAGE_COMMENTS, VR::LT, NOTICE),
        (tags::PHOTOMETRIC_INTERPRETATION, VR::CS, "MONOCHROME2"),
    ] {
        put(&mut object, tag, vr, value);
    }
    for (tag, vr) in [
        (tags::PATIENT_BIRTH_DATE, VR::DA),
        (tags::PATIENT_SEX, VR::CS),
        (tags::REFERRING_PHYSICIAN_NAME, VR::PN),
        (tags::ACCESSION_NUMBER, VR::SH),
        (tags::LATERALITY, VR::CS),
        (tags::PATIENT_ORIENTATION, VR::CS),
    ] {
        put_empty(&mut object, tag, vr);
    }
    for (tag, value) in [
        (tags::SAMPLES_PER_PIXEL, 1),
        (tags::ROWS, SIDE),
        (tags::COLUMNS, SIDE),
        (tags::BITS_ALLOCATED, 8),
        (tags::BITS_STORED, 8),
        (tags::HIGH_BIT, 7),
        (tags::PIXEL_REPRESENTATION, 0),
    ] {
        put(&mut object, tag, VR::US, value);
    }
    let wedge: Vec<u8> = (0..SIDE).flat_map(|_| (0..SIDE).map(|column| (4 * column) as u8)).collect();
    put(&mut object, tags::PIXEL_DATA, VR::OB, PrimitiveValue::U8(wedge.into()));
    let meta = FileMetaTableBuilder::new()
        .media_storage_sop_class_uid(uids::SECONDARY_CAPTURE_IMAGE_STORAGE)
        .media_storage_sop_instance_uid(&sop_instance_uid)
        .transfer_syntax(uids::EXPLICIT_VR_LITTLE_ENDIAN)
        .implementation_class_uid(IMPLEMENTATION_CLASS_UID)
        .implementation_version_name(IMPLEMENTATION_VERSION_NAME);
    let file = object.with_meta(meta).map_err(|error| error.to_string())?;
    let mut bytes = Vec::new();
    file.write_all(&mut bytes).map_err(|error| error.to_string())?;
    Ok(TestPicture { sop_instance_uid, bytes })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_test_picture_is_read_back_and_valid() {
        let picture = test_picture("node to 2026-01-01", "20260101", "120000").unwrap();
        let object = dicom_object::from_reader(&picture.bytes[..]).unwrap();
        assert_eq!(object.element(tags::PATIENT_NAME).unwrap().to_str().unwrap(), NAME);
        assert_eq!(object.meta().media_storage_sop_instance_uid(), picture.sop_instance_uid);
        assert_ne!(test_picture("another", "20260101", "120000").unwrap().sop_instance_uid, picture.sop_instance_uid);
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("test.dcm");
        std::fs::write(&file, &picture.bytes).unwrap();
        let Some(mut dciodvfy) = coxa_testing::tool("dciodvfy") else { return };
        let output = dciodvfy.arg("-new").arg(&file).output().unwrap();
        let text = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(!text.lines().any(|line| line.starts_with("Error")), "{text}");
    }
}
