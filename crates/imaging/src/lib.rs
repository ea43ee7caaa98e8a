//! A file (DICOM, PNG, JPEG, TIFF) becomes a [`Radiograph`]; a [`Radiograph`] becomes a [`ModelInput`]; overlays and encoders.
//!
//! # What is read
//! - **DICOM**: Computed Radiography, Digital X-Ray (for presentation and for processing) and Secondary Capture; one frame, 8 or
//!   16 bits allocated, signed or unsigned; uncompressed (little, big endian, deflated), RLE, JPEG (baseline, extended to 12 bits,
//!   lossless), JPEG-LS, JPEG 2000 and High-Throughput JPEG 2000. The modality LUT or rescale, then the VOI LUT or window (a
//!   robust percentile window where the file has neither), then the polarity are applied: what remains is bone bright.
//! - **PNG, JPEG, TIFF**: 8-bit pixels are display values already and pass unchanged; 16-bit pixels are raw detector values more
//!   often than not and get the percentile window. Color is turned to gray (ITU-R BT.601 luma).
//!
//! Nothing else: see [`ReadError`] for the reasons given. Pixels are never mirrored or rotated.
//!
//! # What cannot happen
//! A [`Radiograph`] holds no identity, as patient attributes are skipped unread ([`names_patient`] says whether there is one, and no
//! more). A file whose header asks for more than [`MAX_SIDE`] a side or [`MAX_PIXELS`] in all is refused before anything is allocated
//! for it.

mod codec;
mod dicom;
pub mod encode;
mod error;
pub mod exam;
mod geometry;
mod grades;
mod limits;
pub mod overlay;
mod preprocess;
mod radiograph;
mod raster;
mod read;
mod tiff;
mod window;

pub use dicom::{DicomHeader, SIMULATED_NAME, StoredValues, dicom_header, dicom_header_from, stored_values};
pub use error::{FileFormat, ReadError};
pub use geometry::{Fit, Geometry};
pub use grades::Grades;
pub use limits::{MAX_FILE_BYTES, MAX_PIXELS, MAX_SIDE, MIN_SIDE};
pub use overlay::RgbImage;
pub use preprocess::{ModelInput, preprocess};
pub use radiograph::{Facing, Laterality, Photometric, Radiograph};
pub use read::{FORMAT_BYTES, file_format, is_dicom, names_patient, read, read_bytes, read_graded};
