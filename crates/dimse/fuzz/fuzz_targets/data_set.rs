//! Any bytes as the data set of a request or a report of storage commitment, in both encodings: an error, or one that is read from its
//! own bytes as it was.

#![no_main]

use coxa_dimse::commitment::{Report, Request};
use coxa_dimse::{EXPLICIT_VR, IMPLICIT_VR};

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    for syntax in [IMPLICIT_VR, EXPLICIT_VR] {
        if let Ok(request) = Request::from_bytes(syntax, bytes) {
            assert_eq!(Request::from_bytes(syntax, &request.to_bytes(syntax).unwrap()), Ok(request));
        }
        if let Ok(report) = Report::from_bytes(syntax, bytes) {
            assert_eq!(Report::from_bytes(syntax, &report.to_bytes(syntax).unwrap()), Ok(report));
        }
    }
});
