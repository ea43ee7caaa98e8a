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
mod voi;
mod walk;

use crate::error::ReadError;
use crate::limits::check_size;
use crate::radiograph::{Photometric, Radiograph};
use crate::window;
use header::Header;
use pixels::Samples;

pub(crate) use part10::is_dicom;

/// Patient's Name (0010,0010) of simulated films; of even length.
pub const SIMULATED_NAME: &str = "SIMULATED^FILM";

/// Reads the film of a DICOM file.
pub(crate) fn read(bytes: &[u8], file: &str) -> Result<Radiograph, ReadError> {
    read_and_inspect(bytes, file).map(|(film, _)| film)
}

/// As [`read`], with whether the file names its patient.
pub(crate) fn read_and_inspect(bytes: &[u8], file: &str) -> Result<(Radiograph, bool), ReadError> {
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
    let mask = header.shutter.as_ref().map(|shutter| shutter.mask(header.rows, header.columns, file)).transpose()?;
    let mut pixels: Vec<f32> = match samples {
        Samples::Luma(pixels) => pixels,
        Samples::Codes(codes) => {
            let table = display_table(&header, &codes, mask.as_deref());
            codes.iter().map(|&code| table[usize::from(code)]).collect()
        }
    };
    for (pixel, is_film) in pixels.iter_mut().zip(mask.iter().flatten()) {
        *pixel = if *is_film { *pixel } else { 0.0 };
    }
    let film = Radiograph {
        width: header.columns,
        height: header.rows,
        pixels,
        bit_depth: header.bits_stored,
        photometric: header.photometric.reported(),
        spacing_mm: header.spacing_mm,
        pixel_aspect: header.pixel_aspect,
        exam: Some(header.exam),
        laterality: header.laterality,
        facing: header.facing,
        sha256: coxa_files::sha256(bytes),
    };
    Ok((film, dataset.names_patient))
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
    let stored: Vec<i32> = (0..1u32 << header.code_bits).map(|code| header.stored_value(code)).collect();
    let is_padding = |value: i32| header.padding.as_ref().is_some_and(|range| range.contains(&value));
    let modality: Vec<f64> = stored.iter().map(|&value| header.modality.apply(value)).collect();
    let fractions: Vec<f64> = match &header.voi {
        Some(voi) => modality.iter().map(|&value| voi.apply(value)).collect(),
        None if header.is_display_already() => {
            let largest = f64::from((1u32 << header.bits_stored) - 1);
            stored.iter().map(|&value| (f64::from(value) / largest).min(1.0)).collect()
        }
        None => {
            let levels: Vec<f32> =
                stored.iter().zip(&modality).map(|(&s, &m)| if is_padding(s) { f32::NAN } else { m as f32 }).collect();
            match window::robust_range(codes, header.columns, &levels, mask) {
                Some(range) => modality.iter().map(|&m| f64::from(window::fraction(m as f32, range))).collect(),
                None => vec![0.0; stored.len()],
            }
        }
    };
    let shown = |(&value, &fraction): (&i32, &f64)| {
        let bright = if header.inverted { 1.0 - fraction } else { fraction };
        if is_padding(value) { 0.0 } else { (255.0 * bright) as f32 }
    };
    stored.iter().zip(&fractions).map(shown).collect()
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
