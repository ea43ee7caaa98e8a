//! Objects that arrive from an archive, as DICOM files in memory.

use coxa_dicom::uid::{IMPLEMENTATION_CLASS_UID, IMPLEMENTATION_VERSION_NAME};
use coxa_dimse::file::of_object;
use coxa_dimse::{Object, Uid};

use crate::fault::Fault;

/// Transfer syntaxes that can be de-identified, the plain ones first.
pub(crate) const SYNTAXES: [&str; 14] = [
    "1.2.840.10008.1.2.1",
    "1.2.840.10008.1.2",
    "1.2.840.10008.1.2.2",
    "1.2.840.10008.1.2.1.99",
    "1.2.840.10008.1.2.4.70",
    "1.2.840.10008.1.2.4.57",
    "1.2.840.10008.1.2.4.80",
    "1.2.840.10008.1.2.4.90",
    "1.2.840.10008.1.2.5",
    "1.2.840.10008.1.2.4.91",
    "1.2.840.10008.1.2.4.50",
    "1.2.840.10008.1.2.4.51",
    "1.2.840.10008.1.2.4.81",
    "1.2.840.10008.1.2.4.201",
];

/// What a retrieval brought, and what went wrong with it.
#[derive(Default)]
pub(crate) struct Arrived {
    /// Whole DICOM files by their instances.
    pub(crate) films: Vec<(Uid, Vec<u8>)>,
    pub(crate) fault: Option<Fault>,
}

/// A DICOM file of an object that came over the network.
pub(crate) fn whole_file(object: &Object, data: &[u8]) -> Vec<u8> {
    of_object(object, (IMPLEMENTATION_CLASS_UID, IMPLEMENTATION_VERSION_NAME), data)
}
