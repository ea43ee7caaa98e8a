//! What result objects need of the film that they are about.

use dicom_core::header::{HasLength as _, Tag, VR};
use dicom_dictionary_std::tags;
use dicom_object::InMemDicomObject;
use dicom_object::mem::InMemElement;

use super::ResultError;
use super::display::Display;
use crate::element::{put, put_empty};

/// Attributes of patient and study that result objects copy from the film: an object whose patient module differs from its study's is
/// refused or corrected by archives. The first part is of type 2: written empty where the film has none (PS3.3 C.7.1.1 and C.7.2.1).
const TYPE_2: [(Tag, VR); 9] = [
    (tags::PATIENT_NAME, VR::PN),
    (tags::PATIENT_ID, VR::LO),
    (tags::PATIENT_BIRTH_DATE, VR::DA),
    (tags::PATIENT_SEX, VR::CS),
    (tags::STUDY_DATE, VR::DA),
    (tags::STUDY_TIME, VR::TM),
    (tags::ACCESSION_NUMBER, VR::SH),
    (tags::REFERRING_PHYSICIAN_NAME, VR::PN),
    (tags::STUDY_ID, VR::SH),
];

/// The rest: copied where the film has them.
const OPTIONAL: [Tag; 14] = [
    tags::ISSUER_OF_PATIENT_ID,
    tags::ISSUER_OF_PATIENT_ID_QUALIFIERS_SEQUENCE,
    tags::PATIENT_BIRTH_TIME,
    tags::OTHER_PATIENT_I_DS_SEQUENCE,
    tags::PATIENT_AGE,
    tags::PATIENT_SIZE,
    tags::PATIENT_WEIGHT,
    tags::PATIENT_IDENTITY_REMOVED,
    tags::DEIDENTIFICATION_METHOD,
    tags::DEIDENTIFICATION_METHOD_CODE_SEQUENCE,
    tags::LONGITUDINAL_TEMPORAL_INFORMATION_MODIFIED,
    tags::ISSUER_OF_ACCESSION_NUMBER_SEQUENCE,
    tags::STUDY_DESCRIPTION,
    tags::STUDY_INSTANCE_UID,
];

const LOSSY: [Tag; 3] =
    [tags::LOSSY_IMAGE_COMPRESSION, tags::LOSSY_IMAGE_COMPRESSION_RATIO, tags::LOSSY_IMAGE_COMPRESSION_METHOD];

/// What result objects need of the film: patient and study as the film has them, the references, the picture's size and the way to
/// the screen. It holds a patient's identity: it is for result objects, never for logs.
#[derive(Clone)]
pub struct ResultSource {
    /// The Specific Character Set to write in, where it cannot be UTF-8: see [`ResultSource::of`].
    pub(super) character_set: Option<InMemElement>,
    pub(super) patient_and_study: InMemDicomObject,
    pub(super) study_uid: String,
    pub(super) series_uid: String,
    pub(super) sop_class_uid: String,
    pub(super) sop_instance_uid: String,
    pub(super) columns: u16,
    pub(super) rows: u16,
    pub(super) spacing_mm: Option<[f64; 2]>,
    pub(super) orientation: [f64; 6],
    pub(super) body_part: Option<String>,
    pub(super) laterality: Option<String>,
    pub(super) aspect_ratio: Option<[String; 2]>,
    pub(super) display: Display,
    pub(super) lossy: InMemDicomObject,
    pub(super) burned_in_annotation: Option<String>,
}

impl std::fmt::Debug for ResultSource {
    /// Without identities.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "ResultSource({}×{})", self.columns, self.rows)
    }
}

impl ResultSource {
    /// Reads what is needed from a film's data set; pixel data may be absent.
    ///
    /// Results are written as UTF-8 (`ISO_IR 192`), from text that `dicom-rs` decoded by the film's Specific Character Set. It does
    /// not decode sets with code extensions (`\\ISO 2022 IR 87`), and holds their bytes as they are: for these films results keep the
    /// film's set and bytes, and the text of the result itself is reduced to ASCII.
    ///
    /// # Errors
    /// [`ResultError::Film`] where a UID is missing or malformed, or rows or columns are missing or 0.
    pub fn of(film: &InMemDicomObject) -> Result<Self, ResultError> {
        Ok(Self {
            character_set: code_extensions(film),
            study_uid: uid(film, tags::STUDY_INSTANCE_UID, "Study Instance UID")?,
            series_uid: uid(film, tags::SERIES_INSTANCE_UID, "Series Instance UID")?,
            sop_class_uid: uid(film, tags::SOP_CLASS_UID, "SOP Class UID")?,
            sop_instance_uid: uid(film, tags::SOP_INSTANCE_UID, "SOP Instance UID")?,
            columns: side(film, tags::COLUMNS, "Columns")?,
            rows: side(film, tags::ROWS, "Rows")?,
            patient_and_study: patient_and_study(film),
            spacing_mm: spacing(film),
            orientation: orientation(film),
            body_part: text(film, tags::BODY_PART_EXAMINED),
            laterality: text(film, tags::LATERALITY).or_else(|| text(film, tags::IMAGE_LATERALITY)),
            aspect_ratio: aspect_ratio(film),
            display: Display::of(film),
            lossy: lossy(film),
            burned_in_annotation: text(film, tags::BURNED_IN_ANNOTATION).filter(|t| t == "YES" || t == "NO"),
        })
    }

    /// The SOP Instance UID of the film.
    pub fn sop_instance_uid(&self) -> &str {
        &self.sop_instance_uid
    }

    /// The Study Instance UID, which the results share.
    pub fn study_instance_uid(&self) -> &str {
        &self.study_uid
    }

    /// Columns and rows of the film.
    pub fn size(&self) -> (u16, u16) {
        (self.columns, self.rows)
    }
}

fn patient_and_study(film: &InMemDicomObject) -> InMemDicomObject {
    let mut copy = copied(film, &OPTIONAL);
    for (tag, vr) in TYPE_2 {
        match film.get(tag) {
            Some(element) if element.vr() == vr => _ = copy.put(element.clone()),
            Some(element) => put(&mut copy, tag, vr, unusual(element)),
            None => put_empty(&mut copy, tag, vr),
        }
    }
    copy
}

/// The text of an element of another VR than its attribute's, as of one that a node passed on as unknown (UN).
fn unusual(element: &InMemElement) -> String {
    let bytes = element.to_bytes().map(|bytes| bytes.into_owned()).unwrap_or_default();
    String::from_utf8(bytes).unwrap_or_default().trim_end_matches([' ', '\0']).to_owned()
}

/// The film's Specific Character Set if it has code extensions (PS3.3 C.12.1.1.2).
fn code_extensions(film: &InMemDicomObject) -> Option<InMemElement> {
    let element = film.get(tags::SPECIFIC_CHARACTER_SET)?;
    let terms = element.to_multi_str().ok()?;
    (terms.len() > 1 || terms.first()?.starts_with("ISO 2022")).then(|| element.clone())
}

/// The elements of these tags that the film has and that are not empty.
pub(super) fn copied(film: &InMemDicomObject, tags: &[Tag]) -> InMemDicomObject {
    let present = tags.iter().filter_map(|&tag| film.get(tag)).filter(|element| !element.is_empty());
    InMemDicomObject::from_element_iter(present.cloned())
}

/// What was compressed with loss once stays so (PS3.3 C.7.6.1.1.5).
fn lossy(film: &InMemDicomObject) -> InMemDicomObject {
    match text(film, tags::LOSSY_IMAGE_COMPRESSION).as_deref() {
        Some("01") => copied(film, &LOSSY),
        Some("00") => copied(film, &LOSSY[..1]),
        _ => InMemDicomObject::new_empty(),
    }
}

/// The first value of a text element, without padding; `None` where it is absent or empty.
pub(super) fn text(film: &InMemDicomObject, tag: Tag) -> Option<String> {
    let value = film.get(tag)?.to_str().ok()?;
    let first = value.split('\\').next()?.trim_matches(|c: char| c == ' ' || c == '\0');
    (!first.is_empty()).then(|| first.to_owned())
}

fn uid(film: &InMemDicomObject, tag: Tag, name: &'static str) -> Result<String, ResultError> {
    let is_uid = |uid: &String| uid.len() <= 64 && uid.bytes().all(|b| b.is_ascii_digit() || b == b'.');
    text(film, tag).filter(is_uid).ok_or(ResultError::Film { tag, name })
}

fn side(film: &InMemDicomObject, tag: Tag, name: &'static str) -> Result<u16, ResultError> {
    let value = film.get(tag).and_then(|element| element.to_int::<u16>().ok());
    value.filter(|&side| side > 0).ok_or(ResultError::Film { tag, name })
}

/// Millimeters between pixel centers, down and across: Pixel Spacing, else Imager Pixel Spacing (at the detector).
fn spacing(film: &InMemDicomObject) -> Option<[f64; 2]> {
    let of = |tag| match film.get(tag)?.to_multi_float64().ok()?[..] {
        [down, across] if [down, across].iter().all(|mm| mm.is_finite() && *mm > 0.0) => Some([down, across]),
        _ => None,
    };
    of(tags::PIXEL_SPACING).or_else(|| of(tags::IMAGER_PIXEL_SPACING))
}

/// Pixel Aspect Ratio, down and across.
fn aspect_ratio(film: &InMemDicomObject) -> Option<[String; 2]> {
    match film.get(tags::PIXEL_ASPECT_RATIO)?.to_multi_int::<u32>().ok()?[..] {
        [down, across] if down > 0 && across > 0 => Some([down.to_string(), across.to_string()]),
        _ => None,
    }
}

/// Image Orientation (Patient) by the first letters of Patient Orientation; that of a frontal film where these are no two axes.
fn orientation(film: &InMemDicomObject) -> [f64; 6] {
    let axis = |letters: &str| match letters.trim().bytes().next()? {
        b'L' => Some([1.0, 0.0, 0.0]),
        b'R' => Some([-1.0, 0.0, 0.0]),
        b'P' => Some([0.0, 1.0, 0.0]),
        b'A' => Some([0.0, -1.0, 0.0]),
        b'H' => Some([0.0, 0.0, 1.0]),
        b'F' => Some([0.0, 0.0, -1.0]),
        _ => None,
    };
    let letters = film.get(tags::PATIENT_ORIENTATION).and_then(|element| element.to_multi_str().ok());
    let axes = letters.as_deref().and_then(|letters| match letters {
        [across, down] => Some((axis(across)?, axis(down)?)),
        _ => None,
    });
    let is_plane = |(a, b): &([f64; 3], [f64; 3])| a.iter().zip(b).all(|(a, b)| a * b == 0.0);
    let (across, down) = axes.filter(is_plane).unwrap_or(([1.0, 0.0, 0.0], [0.0, 0.0, -1.0]));
    [across[0], across[1], across[2], down[0], down[1], down[2]]
}
