//! DICOM films: file meta, the attributes that matter, the pixels, and the way from stored values to display values.

mod color;
mod dataset;
mod dct;
mod header;
mod kind;
mod lut;
mod part10;
mod pixels;
mod registry;
mod shutter;
mod stream;
mod voi;
mod walk;

use crate::error::ReadError;
use crate::grades::Grades;
use crate::limits::check_size;
use crate::radiograph::{Photometric, Radiograph};
use crate::window;
use header::Header;
use pixels::Samples;

pub(crate) use part10::is_dicom;
pub use stream::dicom_header_from;

/// Patient's Name (0010,0010) of simulated films; of even length.
pub const SIMULATED_NAME: &str = "SIMULATED^FILM";

/// Reads the film of a DICOM file.
pub(crate) fn read(bytes: &[u8], file: &str) -> Result<Radiograph, ReadError> {
    read_and_inspect(bytes, file).map(|(film, _)| film)
}

/// As [`read`], with whether the file names its patient.
pub(crate) fn read_and_inspect(bytes: &[u8], file: &str) -> Result<(Radiograph, bool), ReadError> {
    let decoded = Decoded::of(bytes, file)?;
    let names_patient = decoded.names_patient;
    Ok((decoded.film(bytes), names_patient))
}

/// As [`read`], with the values before the window.
pub(crate) fn read_graded(bytes: &[u8], file: &str) -> Result<(Radiograph, Grades), ReadError> {
    let decoded = Decoded::of(bytes, file)?;
    let grades = match &decoded.samples {
        Samples::Gray(gray) => Grades::of_display(&gray.pixels),
        Samples::Codes(codes) => decoded.grades(codes),
    };
    Ok((decoded.film(bytes), grades))
}

/// The stored values of a monochrome film, decoded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredValues {
    /// Bits of a value: Bits Stored, unless the compressed stream has others.
    pub bits: u8,
    /// Bit patterns of so many bits, row after row.
    pub codes: Vec<u16>,
}

/// The stored values of a monochrome DICOM film, as they are before any rescale, window or polarity; `file` is named in errors.
///
/// # Errors
/// [`ReadError`], as for any film; color is not supported.
pub fn stored_values(bytes: &[u8], file: &str) -> Result<StoredValues, ReadError> {
    let Decoded { header, samples, .. } = Decoded::of(bytes, file)?;
    match samples {
        Samples::Codes(codes) => Ok(StoredValues { bits: header.code_bits, codes }),
        Samples::Gray(_) => Err(ReadError::Unsupported {
            file: file.to_owned(),
            what: "the stored values of a color image".into(),
            hint: "export the film as MONOCHROME2",
        }),
    }
}

/// A file's pixels with what says how they are shown.
struct Decoded {
    header: Header,
    samples: Samples,
    mask: Option<Vec<bool>>,
    names_patient: bool,
}

impl Decoded {
    fn of(bytes: &[u8], file: &str) -> Result<Self, ReadError> {
        let part10 = part10::split(bytes, file)?;
        let (dataset, problem) = dataset::collect(&part10, file);
        // What the file is comes before what is wrong with it: "an RT plan" says more than "truncated".
        kind::check(&dataset, part10.media_class.as_deref(), file)?;
        if let Some(problem) = problem {
            return Err(problem);
        }
        let mut header = Header::parse(&dataset, file)?;
        check_size(file, header.columns, header.rows)?;
        let samples = pixels::decode(&dataset, &mut header, &part10.transfer_syntax, file)?;
        let mask =
            header.shutter.as_ref().map(|shutter| shutter.mask(header.rows, header.columns, file)).transpose()?;
        Ok(Self { header, samples, mask, names_patient: dataset.names_patient })
    }

    fn film(self, bytes: &[u8]) -> Radiograph {
        let Self { header, samples, mask, .. } = self;
        let (mut pixels, colored): (Vec<f32>, f32) = match samples {
            Samples::Gray(gray) => (gray.pixels, gray.colored),
            Samples::Codes(codes) => {
                let table = display_table(&header, &codes, mask.as_deref());
                (codes.iter().map(|&code| table[usize::from(code)]).collect(), 0.0)
            }
        };
        for (pixel, is_film) in pixels.iter_mut().zip(mask.iter().flatten()) {
            *pixel = if *is_film { *pixel } else { 0.0 };
        }
        Radiograph {
            width: header.columns,
            height: header.rows,
            pixels,
            colored,
            bit_depth: header.bits_stored,
            photometric: header.photometric.reported(),
            spacing_mm: header.spacing_mm,
            pixel_aspect: header.pixel_aspect,
            exam: Some(header.exam),
            laterality: header.laterality,
            facing: header.facing,
            sha256: coxa_files::sha256(bytes),
        }
    }

    fn grades(&self, codes: &[u16]) -> Grades {
        let header = &self.header;
        let modality: Vec<f64> = (0..1u32 << header.code_bits)
            .map(|code| {
                let stored = header.stored_value(code);
                if header.is_padding(stored) { f64::NAN } else { header.modality.apply(stored) }
            })
            .collect();
        let rendition = Rendition::of(header, codes, self.mask.as_deref());
        let polar = |fraction: f64| if header.inverted { 1.0 - fraction } else { fraction };
        let windows: Vec<_> = header
            .windows
            .iter()
            .map(|(place, window)| (*place, move |value: f64| polar(window.apply(value))))
            .collect();
        let brightness = |value: f64| polar(rendition.apply(header, value));
        Grades::new(codes, self.mask.as_deref(), &modality, header.inverted, brightness, &windows)
    }
}

/// The part of a DICOM file before its pixel data, for a parser that trusts lengths: every one in it was checked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DicomHeader {
    /// Transfer Syntax UID as the file names it.
    pub transfer_syntax: String,
    /// Transfer Syntax UID of `dataset`: another one where the file is deflated.
    pub encoding: String,
    /// The data set up to its pixel data.
    pub dataset: Vec<u8>,
}

/// The header of a DICOM file, which may have any SOP class; `file` is named in errors.
///
/// # Errors
/// No DICOM file, a data set that ends inside of an element or has none where one must be, a deflated one that is too large.
pub fn dicom_header(bytes: &[u8], file: &str) -> Result<DicomHeader, ReadError> {
    if !is_dicom(bytes) {
        return Err(ReadError::UnknownFormat { file: file.to_owned(), hint: "a DICOM file is needed here" });
    }
    let part10 = part10::split(bytes, file)?;
    let dataset = dataset::header(&part10, file)?.to_vec();
    Ok(DicomHeader { transfer_syntax: part10.named_syntax, encoding: part10.transfer_syntax, dataset })
}

/// The display value, 0 to 255, of each code (bit pattern).
///
/// Stored value, then modality LUT or rescale, then VOI LUT or window, then polarity (PS3.3 C.11.1, C.11.2, C.11.6). Without a
/// VOI, 8-bit unsigned pixels without a modality transform are display values already, as those of Secondary Capture are; all
/// others get the percentile window, of the pixels inside the display shutter. Pixel padding is black.
fn display_table(header: &Header, codes: &[u16], mask: Option<&[bool]>) -> Vec<f32> {
    let rendition = Rendition::of(header, codes, mask);
    let shown = |code: u32| {
        let stored = header.stored_value(code);
        let fraction = rendition.apply(header, header.modality.apply(stored));
        let bright = if header.inverted { 1.0 - fraction } else { fraction };
        if header.is_padding(stored) { 0.0 } else { (255.0 * bright) as f32 }
    };
    (0..1u32 << header.code_bits).map(shown).collect()
}

/// How modality values become display values where the file has no VOI of its own.
enum Rendition {
    /// By the file's VOI.
    File,
    /// They are display values already, of this largest one.
    Display(f64),
    /// By the percentile window; none where no pixel counts.
    Percentiles(Option<(f32, f32)>),
}

impl Rendition {
    fn of(header: &Header, codes: &[u16], mask: Option<&[bool]>) -> Self {
        if header.voi.is_some() {
            return Self::File;
        }
        if header.is_display_already() {
            return Self::Display(f64::from((1u32 << header.bits_stored) - 1));
        }
        let level = |code| {
            let stored = header.stored_value(code);
            if header.is_padding(stored) { f32::NAN } else { header.modality.apply(stored) as f32 }
        };
        let levels: Vec<f32> = (0..1u32 << header.code_bits).map(level).collect();
        Self::Percentiles(window::robust_range(codes, header.columns, &levels, mask))
    }

    /// Where a modality value lies in the output range, 0 to 1, before the polarity.
    fn apply(&self, header: &Header, value: f64) -> f64 {
        match (self, &header.voi) {
            (Self::Display(largest), _) => (value / largest).min(1.0),
            (Self::Percentiles(Some(range)), _) => f64::from(window::fraction(value as f32, *range)),
            (Self::File, Some(voi)) => voi.apply(value),
            (Self::Percentiles(None) | Self::File, _) => 0.0,
        }
    }
}

impl Header {
    fn is_padding(&self, stored: i32) -> bool {
        self.padding.as_ref().is_some_and(|range| range.contains(&stored))
    }
}

impl header::Interpretation {
    fn reported(self) -> Photometric {
        match self {
            Self::Monochrome1 => Photometric::Monochrome1,
            Self::Monochrome2 => Photometric::Monochrome2,
            Self::Rgb => Photometric::Rgb,
            Self::YbrFull | Self::YbrFull422 | Self::YbrTransform => Photometric::Other,
        }
    }
}
