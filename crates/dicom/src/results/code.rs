//! The coded terms of result objects (PS3.16) and the two of this program's own.

use dicom_core::header::VR;
use dicom_dictionary_std::tags;
use dicom_object::InMemDicomObject;

use crate::element::put;

/// A coded term: value, scheme and meaning (PS3.3 8).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Code {
    value: &'static str,
    scheme: &'static str,
    meaning: &'static str,
}

impl Code {
    /// The item of a code sequence.
    pub(super) fn item(self) -> InMemDicomObject {
        let mut item = InMemDicomObject::new_empty();
        put(&mut item, tags::CODE_VALUE, VR::SH, self.value);
        put(&mut item, tags::CODING_SCHEME_DESIGNATOR, VR::SH, self.scheme);
        put(&mut item, tags::CODE_MEANING, VR::LO, self.meaning);
        item
    }
}

const fn dcm(value: &'static str, meaning: &'static str) -> Code {
    Code { value, scheme: "DCM", meaning }
}

const fn sct(value: &'static str, meaning: &'static str) -> Code {
    Code { value, scheme: "SCT", meaning }
}

/// The designator of the codes that this program defines itself, as no standard one fits.
pub(super) const OWN_SCHEME: &str = "99COXA";

const fn own(value: &'static str, meaning: &'static str) -> Code {
    Code { value, scheme: OWN_SCHEME, meaning }
}

pub(super) const ABSENT: Code = sct("2667000", "Absent");
pub(super) const ALGORITHM_FAMILY: Code = dcm("111000", "Algorithm Family");
pub(super) const ALGORITHM_NAME: Code = dcm("111001", "Algorithm Name");
pub(super) const ALGORITHM_PARAMETERS: Code = dcm("111002", "Algorithm Parameters");
pub(super) const ALGORITHM_VERSION: Code = dcm("111003", "Algorithm Version");
pub(super) const ARTIFICIAL_INTELLIGENCE: Code = dcm("123110", "Artificial Intelligence");
pub(super) const CERTAINTY_OF_FINDING: Code = dcm("111012", "Certainty of Finding");
pub(super) const COMMENT: Code = dcm("121106", "Comment");
pub(super) const DEVICE: Code = dcm("121007", "Device");
pub(super) const DEVICE_OBSERVER_MANUFACTURER: Code = dcm("121014", "Device Observer Manufacturer");
pub(super) const DEVICE_OBSERVER_MODEL_NAME: Code = dcm("121015", "Device Observer Model Name");
pub(super) const DEVICE_OBSERVER_NAME: Code = dcm("121013", "Device Observer Name");
pub(super) const DEVICE_OBSERVER_SERIAL_NUMBER: Code = dcm("121016", "Device Observer Serial Number");
pub(super) const DEVICE_OBSERVER_UID: Code = dcm("121012", "Device Observer UID");
pub(super) const ENGLISH: Code = Code { value: "en-US", scheme: "RFC5646", meaning: "English (United States)" };
pub(super) const FINDING: Code = dcm("121071", "Finding");
pub(super) const FINDING_SITE: Code = sct("363698007", "Finding Site");
pub(super) const FRACTURE: Code = sct("72704001", "Fracture");
pub(super) const HIP_JOINT: Code = sct("24136001", "Hip joint");
pub(super) const IMAGE_REGION: Code = dcm("111030", "Image Region");
pub(super) const IMAGING_MEASUREMENTS: Code = dcm("126010", "Imaging Measurements");
pub(super) const IMAGING_MEASUREMENT_REPORT: Code = dcm("126000", "Imaging Measurement Report");
pub(super) const IMAGING_PROCEDURE: Code = sct("363679005", "Imaging procedure");
pub(super) const LANGUAGE: Code = dcm("121049", "Language of Content Item and Descendants");
pub(super) const LATERALITY: Code = sct("272741003", "Laterality");
pub(super) const LEFT: Code = sct("7771000", "Left");
pub(super) const MEASUREMENT_GROUP: Code = dcm("125007", "Measurement Group");
pub(super) const NO_UNITS: Code = Code { value: "1", scheme: "UCUM", meaning: "no units" };
pub(super) const OBSERVER_TYPE: Code = dcm("121005", "Observer Type");
pub(super) const PERCENT: Code = Code { value: "%", scheme: "UCUM", meaning: "Percent" };
pub(super) const PRESENT: Code = sct("52101004", "Present");
pub(super) const PROCEDURE_REPORTED: Code = dcm("121058", "Procedure reported");
pub(super) const PROCESSING_EQUIPMENT: Code = dcm("109102", "Processing Equipment");
pub(super) const QUALITATIVE_EVALUATIONS: Code =
    Code { value: "C0034375", scheme: "UMLS", meaning: "Qualitative Evaluations" };
pub(super) const QUANTITY: Code = sct("246205007", "Quantity");
pub(super) const RAW_GRAD_CAM: Code = own("GRADCAM", "Raw gradient-weighted class activation");
pub(super) const REGION_SCORE: Code = own("REGIONSCORE", "Strength of finding in region, 0 to 1");
pub(super) const RIGHT: Code = sct("24028007", "Right");
pub(super) const SOURCE: Code = dcm("111040", "Original Source");
pub(super) const SOURCE_IMAGE: Code = dcm("121322", "Source image for image processing operation");
pub(super) const SOURCE_OF_MEASUREMENT: Code = dcm("121112", "Source of Measurement");
pub(super) const SUSPECTED: Code = sct("415684004", "Suspected");
pub(super) const TEST_NOT_DONE: Code = sct("373121007", "Test not done");
pub(super) const TRACKING_IDENTIFIER: Code = dcm("112039", "Tracking Identifier");
pub(super) const TRACKING_UNIQUE_IDENTIFIER: Code = dcm("112040", "Tracking Unique Identifier");
