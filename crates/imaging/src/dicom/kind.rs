//! What a file is, before what is in it: the SOP classes and modalities of plain films, and one frame only.

use dicom_dictionary_std::{tags, uids};

use super::dataset::{Dataset, Level};
use super::header::term;
use super::part10::uid;
use crate::error::ReadError;

/// The SOP classes of plain films.
const FILM_CLASSES: [&str; 4] = [
    uids::COMPUTED_RADIOGRAPHY_IMAGE_STORAGE,
    uids::DIGITAL_X_RAY_IMAGE_STORAGE_FOR_PRESENTATION,
    uids::DIGITAL_X_RAY_IMAGE_STORAGE_FOR_PROCESSING,
    uids::SECONDARY_CAPTURE_IMAGE_STORAGE,
];

/// Names for the classes that are sent by mistake most often.
const OTHER_CLASSES: [(&str, &str); 16] = [
    (uids::CT_IMAGE_STORAGE, "a CT image"),
    (uids::ENHANCED_CT_IMAGE_STORAGE, "an enhanced (multi-frame) CT image"),
    (uids::MR_IMAGE_STORAGE, "an MR image"),
    (uids::ENHANCED_MR_IMAGE_STORAGE, "an enhanced (multi-frame) MR image"),
    (uids::ULTRASOUND_IMAGE_STORAGE, "an ultrasound image"),
    (uids::ULTRASOUND_MULTI_FRAME_IMAGE_STORAGE, "a multi-frame ultrasound image"),
    (uids::NUCLEAR_MEDICINE_IMAGE_STORAGE, "a nuclear medicine image"),
    (uids::POSITRON_EMISSION_TOMOGRAPHY_IMAGE_STORAGE, "a PET image"),
    (uids::DIGITAL_MAMMOGRAPHY_X_RAY_IMAGE_STORAGE_FOR_PRESENTATION, "a mammogram"),
    (uids::DIGITAL_MAMMOGRAPHY_X_RAY_IMAGE_STORAGE_FOR_PROCESSING, "a mammogram"),
    (uids::X_RAY_ANGIOGRAPHIC_IMAGE_STORAGE, "an angiogram"),
    (uids::X_RAY_RADIOFLUOROSCOPIC_IMAGE_STORAGE, "a fluoroscopy image"),
    (uids::RT_PLAN_STORAGE, "a radiotherapy plan without pixels"),
    (uids::RT_DOSE_STORAGE, "a radiotherapy dose"),
    (uids::RT_IMAGE_STORAGE, "a radiotherapy image"),
    (uids::ENCAPSULATED_PDF_STORAGE, "a PDF document"),
];

/// Modalities (0008,0060) under which a Secondary Capture is a plain film.
const FILM_MODALITIES: [&str; 8] = ["CR", "DX", "RG", "DR", "XR", "HC", "OT", "SC"];

/// Refuses what is no plain film by its SOP class, its modality or its number of frames.
pub(super) fn check(dataset: &Dataset, media_class: Option<&str>, file: &str) -> Result<(), ReadError> {
    let refuse = |what: String, hint| Err(ReadError::NotAFilm { file: file.to_owned(), what, hint });
    const GIVE_FILM: &str = "give a CR, DX or Secondary Capture image of one frame";
    let class = dataset.get(Level::Top, tags::SOP_CLASS_UID).and_then(|e| uid(e.bytes));
    match class.as_deref().or(media_class) {
        Some(class) if FILM_CLASSES.contains(&class) => {
            let is_capture = class == uids::SECONDARY_CAPTURE_IMAGE_STORAGE;
            if let Some(modality) = dataset.text(tags::MODALITY).filter(|_| is_capture)
                && !FILM_MODALITIES.contains(&modality.as_str())
            {
                let shown = term(&modality);
                return refuse(format!("its Modality (0008,0060) is {shown}, not a plain film"), GIVE_FILM);
            }
        }
        Some(class) => {
            let name = OTHER_CLASSES.iter().find(|(uid, _)| *uid == class).map(|(_, name)| *name);
            let what = match name {
                Some(name) => format!("its SOPClassUID (0008,0016) says {name}, not a plain film"),
                None if class.starts_with("1.2.840.10008.") => {
                    format!("its SOPClassUID (0008,0016) is {class}, not that of a plain film")
                }
                None => "its SOPClassUID (0008,0016) is a private one, not that of a plain film".to_owned(),
            };
            return refuse(what, GIVE_FILM);
        }
        None => {
            return Err(ReadError::MissingAttribute {
                file: file.to_owned(),
                name: "SOPClassUID",
                tag: "(0008,0016)".into(),
                hint: "the file does not say what it is; export the film again",
            });
        }
    }
    match dataset.text(tags::NUMBER_OF_FRAMES).map(|text| (text.parse::<u32>(), text)) {
        None | Some((Ok(0 | 1), _)) => Ok(()),
        Some((Ok(frames), _)) => refuse(
            format!("NumberOfFrames (0028,0008) is {frames}, a multi-frame image"),
            "export the frame to read as an image of its own",
        ),
        Some((Err(_), text)) => Err(ReadError::Attribute {
            file: file.to_owned(),
            name: "NumberOfFrames",
            tag: "(0028,0008)".into(),
            value: term(&text),
            expected: "a whole number",
        }),
    }
}
