//! The elements of a data set that reading needs, as slices of the file.
//!
//! Everything else is skipped unread, the patient's attributes among it. Every length is checked against the bytes that are left
//! before it is believed.

use std::collections::BTreeMap;

use dicom_core::header::{Tag, VR};
use dicom_dictionary_std::tags;
use dicom_encoding::transfer_syntax::{Codec, TransferSyntax, TransferSyntaxIndex};
use dicom_transfer_syntax_registry::TransferSyntaxRegistry;

use super::SIMULATED_NAME;
use super::part10::{EXPLICIT_BIG, IMPLICIT_LITTLE, Part10};
use super::walk::{Encoding, Flow, Stop, Visit, header_end, walk};
use crate::error::{FileFormat, ReadError};

/// The elements kept, besides those of the two LUT sequences and the pixels.
const WANTED: [Tag; 46] = [
    tags::PATIENT_ORIENTATION,
    tags::STUDY_DESCRIPTION,
    tags::SERIES_DESCRIPTION,
    tags::PROTOCOL_NAME,
    tags::SHUTTER_SHAPE,
    tags::SHUTTER_LEFT_VERTICAL_EDGE,
    tags::SHUTTER_RIGHT_VERTICAL_EDGE,
    tags::SHUTTER_UPPER_HORIZONTAL_EDGE,
    tags::SHUTTER_LOWER_HORIZONTAL_EDGE,
    tags::CENTER_OF_CIRCULAR_SHUTTER,
    tags::RADIUS_OF_CIRCULAR_SHUTTER,
    tags::VERTICES_OF_THE_POLYGONAL_SHUTTER,
    tags::PIXEL_ASPECT_RATIO,
    tags::SOP_CLASS_UID,
    tags::MODALITY,
    tags::IMAGER_PIXEL_SPACING,
    tags::NOMINAL_SCANNED_PIXEL_SPACING,
    tags::BODY_PART_EXAMINED,
    tags::VIEW_POSITION,
    tags::LATERALITY,
    tags::IMAGE_LATERALITY,
    tags::SAMPLES_PER_PIXEL,
    tags::PHOTOMETRIC_INTERPRETATION,
    tags::PLANAR_CONFIGURATION,
    tags::NUMBER_OF_FRAMES,
    tags::ROWS,
    tags::COLUMNS,
    tags::PIXEL_SPACING,
    tags::BITS_ALLOCATED,
    tags::BITS_STORED,
    tags::HIGH_BIT,
    tags::PIXEL_REPRESENTATION,
    tags::PIXEL_PADDING_VALUE,
    tags::PIXEL_PADDING_RANGE_LIMIT,
    tags::WINDOW_CENTER,
    tags::WINDOW_WIDTH,
    tags::VOILUT_FUNCTION,
    tags::RESCALE_INTERCEPT,
    tags::RESCALE_SLOPE,
    tags::PRESENTATION_LUT_SHAPE,
    tags::FLOAT_PIXEL_DATA,
    tags::DOUBLE_FLOAT_PIXEL_DATA,
    tags::PIXEL_DATA_PROVIDER_URL,
    tags::LUT_DESCRIPTOR,
    tags::LUT_DATA,
    tags::PIXEL_DATA,
];

/// A value as it lies in the file.
#[derive(Debug, Clone, Copy)]
pub(super) struct Element<'a> {
    pub(super) vr: VR,
    pub(super) bytes: &'a [u8],
}

/// The pixel data element.
#[derive(Debug)]
pub(super) enum PixelData<'a> {
    /// Uncompressed.
    Native(Element<'a>),
    /// Fragments, without the basic offset table.
    Encapsulated(Vec<&'a [u8]>),
}

type Elements<'a> = BTreeMap<Tag, Element<'a>>;

/// What was kept of a data set.
#[derive(Debug, Default)]
pub(super) struct Dataset<'a> {
    elements: Elements<'a>,
    /// First item of the Modality LUT Sequence.
    modality_lut: Option<Elements<'a>>,
    /// First item of the VOI LUT Sequence.
    voi_lut: Option<Elements<'a>>,
    pub(super) pixel_data: Option<PixelData<'a>>,
    /// Whether the patient's name or birth date has a value; nothing else of them is kept.
    pub(super) names_patient: bool,
    pub(super) big_endian: bool,
}

/// Which elements a [`Dataset`] is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Level {
    /// Those of the data set itself.
    Top,
    /// Those of the first item of the Modality LUT Sequence (0028,3000).
    ModalityLut,
    /// Those of the first item of the VOI LUT Sequence (0028,3010).
    VoiLut,
}

impl<'a> Dataset<'a> {
    /// An element with a value of at least one byte.
    pub(super) fn get(&self, level: Level, tag: Tag) -> Option<Element<'a>> {
        let elements = match level {
            Level::Top => &self.elements,
            Level::ModalityLut => self.modality_lut.as_ref()?,
            Level::VoiLut => self.voi_lut.as_ref()?,
        };
        elements.get(&tag).copied().filter(|e| !e.bytes.is_empty())
    }

    /// Whether the sequence of a level has an item.
    pub(super) fn has(&self, level: Level) -> bool {
        match level {
            Level::Top => true,
            Level::ModalityLut => self.modality_lut.is_some(),
            Level::VoiLut => self.voi_lut.is_some(),
        }
    }

    /// 16-bit words of an element, in its byte order.
    pub(super) fn words(&self, element: Element<'a>) -> impl Iterator<Item = u16> + 'a {
        let big_endian = self.big_endian;
        element.bytes.chunks_exact(2).map(move |pair| {
            let pair = [pair[0], pair[1]];
            if big_endian { u16::from_be_bytes(pair) } else { u16::from_le_bytes(pair) }
        })
    }

    /// First value of an unsigned short.
    pub(super) fn unsigned(&self, tag: Tag) -> Option<u16> {
        self.words(self.get(Level::Top, tag)?).next()
    }

    /// The values of a text element, without padding; bytes that are not ASCII become `?`.
    pub(super) fn texts(&self, tag: Tag) -> Vec<String> {
        let Some(element) = self.get(Level::Top, tag) else {
            return Vec::new();
        };
        element
            .bytes
            .split(|&b| b == b'\\')
            .map(|value| {
                let text: String =
                    value.iter().map(|&b| if b.is_ascii() && b != 0 { char::from(b) } else { ' ' }).collect();
                text.trim().to_owned()
            })
            .collect()
    }

    /// First value of a text element, where it is not empty.
    pub(super) fn text(&self, tag: Tag) -> Option<String> {
        self.texts(tag).into_iter().next().filter(|t| !t.is_empty())
    }
}

/// The transfer syntax as the registry knows it.
pub(super) fn syntax(uid: &str) -> Option<&'static TransferSyntax> {
    TransferSyntaxRegistry.get(uid)
}

/// Collects the wanted elements up to the pixel data. A problem on the way comes beside what was collected before it.
pub(super) fn collect<'a>(part10: &'a Part10, file: &str) -> (Dataset<'a>, Option<ReadError>) {
    let mut dataset = Dataset { big_endian: part10.transfer_syntax == EXPLICIT_BIG, ..Dataset::default() };
    let problem = fill(&mut dataset, &part10.dataset, &part10.transfer_syntax, file).err();
    (dataset, problem)
}

fn fill<'a>(dataset: &mut Dataset<'a>, bytes: &'a [u8], uid: &str, file: &str) -> Result<(), ReadError> {
    if syntax(uid).is_none() {
        return Err(ReadError::Unsupported {
            file: file.to_owned(),
            what: format!(
                "TransferSyntaxUID (0002,0010) {}",
                if uid.starts_with("1.2.840.10008.") { uid } else { "a private one" }
            ),
            hint: "export the film uncompressed or as JPEG 2000, JPEG-LS, JPEG or RLE",
        });
    }
    if syntax(uid).is_some_and(|ts| matches!(ts.codec(), Codec::Dataset(_))) {
        return Err(ReadError::Unsupported {
            file: file.to_owned(),
            what: format!("the transfer syntax {}", syntax(uid).map_or("", TransferSyntax::name)),
            hint: "its pixels are elsewhere; export the film with its pixels",
        });
    }
    walk(bytes, encoding_of(uid), dataset).map_err(|stop| error_of(stop, file))
}

/// The data set up to its pixel data, every length in it checked.
pub(super) fn header<'a>(part10: &'a Part10, file: &str) -> Result<&'a [u8], ReadError> {
    let end = header_end(&part10.dataset, encoding_of(&part10.transfer_syntax)).map_err(|stop| error_of(stop, file))?;
    Ok(&part10.dataset[..end])
}

pub(super) fn encoding_of(uid: &str) -> Encoding {
    match uid {
        IMPLICIT_LITTLE => Encoding::ImplicitLittle,
        EXPLICIT_BIG => Encoding::ExplicitBig,
        _ => Encoding::ExplicitLittle,
    }
}

pub(super) fn error_of(stop: Stop, file: &str) -> ReadError {
    match stop {
        Stop::Truncated { what, at } => ReadError::Truncated {
            file: file.to_owned(),
            format: FileFormat::Dicom,
            detail: format!("{what} at byte {at} of the data set"),
        },
        Stop::Malformed { at } => ReadError::Malformed {
            file: file.to_owned(),
            format: FileFormat::Dicom,
            detail: format!("no element can be read at byte {at} of the data set"),
        },
    }
}

impl<'a> Visit<'a> for Dataset<'a> {
    fn value(&mut self, level: Level, tag: Tag, vr: VR, bytes: &'a [u8]) -> Flow {
        if level == Level::Top && matches!(tag, tags::PATIENT_NAME | tags::PATIENT_BIRTH_DATE) {
            let is_blank = bytes.iter().all(|byte| matches!(byte, b' ' | b'^' | b'=' | 0));
            self.names_patient |= !is_blank && bytes != SIMULATED_NAME.as_bytes();
        }
        let element = Element { vr, bytes };
        if level == Level::Top && tag == tags::PIXEL_DATA {
            self.pixel_data = Some(PixelData::Native(element));
            return Flow::Done;
        }
        if WANTED.contains(&tag) {
            let elements = match level {
                Level::Top => &mut self.elements,
                Level::ModalityLut => self.modality_lut.get_or_insert_default(),
                Level::VoiLut => self.voi_lut.get_or_insert_default(),
            };
            elements.insert(tag, element);
        }
        Flow::On
    }

    fn fragments(&mut self, fragments: Vec<&'a [u8]>) -> Flow {
        self.pixel_data = Some(PixelData::Encapsulated(fragments.into_iter().skip(1).collect()));
        Flow::Done
    }

    fn again(&mut self, level: Level) {
        match level {
            Level::Top => {}
            Level::ModalityLut => self.modality_lut = None,
            Level::VoiLut => self.voi_lut = None,
        }
    }
}
