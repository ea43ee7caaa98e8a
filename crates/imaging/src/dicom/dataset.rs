//! The elements of a data set that reading needs, as slices of the file.
//!
//! Everything else is skipped unread, the patient's attributes among it. Every length is checked against the bytes that are left
//! before it is believed.

use std::collections::BTreeMap;
use std::io::Cursor;

use dicom_core::header::{DataElementHeader, Tag, VR};
use dicom_dictionary_std::tags;
use dicom_encoding::transfer_syntax::{Codec, TransferSyntax, TransferSyntaxIndex};
use dicom_parser::StatefulDecode;
use dicom_parser::dataset::LazyDataToken;
use dicom_parser::dataset::lazy_read::LazyDataSetReader;
use dicom_transfer_syntax_registry::{TransferSyntaxRegistry, entries};

use super::SIMULATED_NAME;
use super::part10::{EXPLICIT_BIG, IMPLICIT_LITTLE, Part10};
use crate::error::{FileFormat, ReadError};

/// The elements kept, besides those of the two LUT sequences and the pixels.
const WANTED: [Tag; 34] = [
    tags::PATIENT_ORIENTATION,
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
    /// Whether the patient's name or birth date has a value, which is all that is looked at of them.
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

/// An element or item whose value goes on after the end of the file.
fn truncated(file: &str, what: &str, at: u64) -> ReadError {
    ReadError::Truncated {
        file: file.to_owned(),
        format: FileFormat::Dicom,
        detail: format!("{what} at byte {at} of the data set"),
    }
}

fn malformed(file: &str, at: u64) -> ReadError {
    ReadError::Malformed {
        file: file.to_owned(),
        format: FileFormat::Dicom,
        detail: format!("no element can be read at byte {at} of the data set"),
    }
}

fn fill<'a>(dataset: &mut Dataset<'a>, bytes: &'a [u8], uid: &str, file: &str) -> Result<(), ReadError> {
    // The encoding of the elements, whatever that of the pixels is.
    let layout = match uid {
        IMPLICIT_LITTLE => entries::IMPLICIT_VR_LITTLE_ENDIAN.erased(),
        EXPLICIT_BIG => entries::EXPLICIT_VR_BIG_ENDIAN.erased(),
        _ => entries::EXPLICIT_VR_LITTLE_ENDIAN.erased(),
    };
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
    let mut reader = LazyDataSetReader::new_with_ts(Cursor::new(bytes), &layout).map_err(|_| malformed(file, 0))?;
    let mut walk = Walk { dataset, bytes, file, sequences: Vec::new(), fragments: None, at: 0 };
    while let Some(token) = reader.advance() {
        let Ok(token) = token else {
            // A header that starts in the file's last bytes cannot be whole.
            let left = (bytes.len() as u64).saturating_sub(walk.at);
            return Err(if left < 12 { truncated(file, "an element", walk.at) } else { malformed(file, walk.at) });
        };
        if walk.token(token)? {
            return Ok(());
        }
    }
    if walk.fragments.is_some() {
        return Err(truncated(file, "the pixel data", walk.at));
    }
    if !walk.sequences.is_empty() {
        return Err(truncated(file, "a sequence", walk.at));
    }
    let at = reader.into_decoder().position();
    if at < bytes.len() as u64 {
        return Err(truncated(file, "an element", at));
    }
    Ok(())
}

struct Walk<'w, 'a> {
    dataset: &'w mut Dataset<'a>,
    bytes: &'a [u8],
    file: &'w str,
    /// The sequences that are open, with the number of items seen.
    sequences: Vec<(Tag, usize)>,
    /// Fragments of the pixel data, the basic offset table first.
    fragments: Option<Vec<&'a [u8]>>,
    at: u64,
}

impl<'a> Walk<'_, 'a> {
    /// Takes a token; `true` once the pixel data is complete.
    fn token<S: StatefulDecode>(&mut self, token: LazyDataToken<&mut S>) -> Result<bool, ReadError> {
        match token {
            LazyDataToken::SequenceStart { tag, .. } => self.sequences.push((tag, 0)),
            LazyDataToken::PixelSequenceStart => self.fragments = Some(Vec::new()),
            LazyDataToken::ItemStart { .. } => match (&mut self.fragments, self.sequences.last_mut()) {
                (Some(fragments), _) => fragments.push(&[]),
                (None, Some((_, items))) => *items += 1,
                (None, None) => {}
            },
            LazyDataToken::SequenceEnd => {
                if let Some(fragments) = self.fragments.take() {
                    let fragments = fragments.into_iter().skip(1).collect();
                    self.dataset.pixel_data = Some(PixelData::Encapsulated(fragments));
                    return Ok(true);
                }
                self.sequences.pop();
            }
            LazyDataToken::LazyItemValue { len, decoder } => {
                let value = self.value(len, decoder, "a fragment of the pixel data")?;
                if let Some(last) = self.fragments.as_mut().and_then(|f| f.last_mut()) {
                    *last = value;
                }
            }
            LazyDataToken::LazyValue { header, decoder } => {
                let bytes = self.value(header.len.0, decoder, "an element")?;
                return Ok(self.keep(header, bytes));
            }
            _ => {}
        }
        Ok(false)
    }

    /// The bytes of a value, which the decoder then passes over.
    fn value<S: StatefulDecode>(&mut self, length: u32, decoder: &mut S, what: &str) -> Result<&'a [u8], ReadError> {
        let at = decoder.position();
        let end = at + u64::from(length);
        let value =
            usize::try_from(at).ok().zip(usize::try_from(end).ok()).and_then(|(at, end)| self.bytes.get(at..end));
        let value = value.ok_or_else(|| truncated(self.file, what, at))?;
        decoder.skip_bytes(length).map_err(|_| malformed(self.file, at))?;
        self.at = end;
        Ok(value)
    }

    /// Keeps a wanted value; `true` where it is the pixel data.
    fn keep(&mut self, header: DataElementHeader, bytes: &'a [u8]) -> bool {
        if self.sequences.is_empty() && matches!(header.tag, tags::PATIENT_NAME | tags::PATIENT_BIRTH_DATE) {
            let is_blank = bytes.iter().all(|byte| matches!(byte, b' ' | b'^' | b'=' | 0));
            self.dataset.names_patient |= !is_blank && bytes != SIMULATED_NAME.as_bytes();
        }
        if !WANTED.contains(&header.tag) {
            return false;
        }
        let element = Element { vr: header.vr, bytes };
        let elements = match self.sequences[..] {
            [] if header.tag == tags::PIXEL_DATA => {
                self.dataset.pixel_data = Some(PixelData::Native(element));
                return true;
            }
            [] => &mut self.dataset.elements,
            [(tags::MODALITY_LUT_SEQUENCE, 1)] => self.dataset.modality_lut.get_or_insert_default(),
            [(tags::VOILUT_SEQUENCE, 1)] => self.dataset.voi_lut.get_or_insert_default(),
            _ => return false,
        };
        elements.insert(header.tag, element);
        false
    }
}
