//! How a request to an archive fails, and whether trying again is of use. No text holds anything of the archive's answers.

use std::time::Duration;

use coxa_dimse::web::WebError;
use coxa_dimse::{DimseError, Malformed, Outcome, Status};
use coxa_schema::Hint as _;

/// What trying again is worth.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Worth {
    /// Later, and more slowly: the archive is busy.
    Slower,
    /// Again: the connection broke, or nothing came in time.
    Again,
    /// Not this request; a smaller one may succeed.
    Smaller,
    /// No request will succeed before a person changes something.
    Never,
}

/// A failed request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Fault {
    pub(crate) worth: Worth,
    pub(crate) text: String,
    pub(crate) hint: Option<String>,
    /// How long the archive asks to be left alone.
    pub(crate) wait: Option<Duration>,
}

impl Fault {
    pub(crate) fn new(worth: Worth, text: impl Into<String>) -> Self {
        Self { worth, text: text.into(), hint: None, wait: None }
    }

    pub(crate) fn with_hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// Of a status other than success; `what` was refused.
    pub(crate) fn of_status(what: &str, status: Status) -> Self {
        let worth = match (status.outcome(), status.0) {
            (_, 0x0122 | 0x0211 | 0xA801) => Worth::Never,
            (Outcome::Busy, _) => Worth::Slower,
            (_, 0x0110) | (Outcome::Canceled, _) => Worth::Again,
            _ => Worth::Smaller,
        };
        let fault = Self::new(worth, format!("{what} was answered with {status}"));
        match status.0 {
            0x0124 => fault.with_hint("allow this node's AE title to query and retrieve at the PACS"),
            0x0122 | 0x0211 => fault.with_hint("the PACS does not offer this: try --retrieve get, move or web"),
            0xA900..=0xA9FF => fault.with_hint("the PACS does not take these keys"),
            _ => fault,
        }
    }

    /// Of an association; `tls` is whether it was to be encrypted.
    pub(crate) fn of_dimse(error: &DimseError, tls: bool) -> Self {
        let text = error.to_string();
        let fault = |worth| Self { hint: error.hint(), ..Self::new(worth, text.clone()) };
        match error {
            DimseError::Rejected { is_transient: true, .. } => fault(Worth::Slower),
            DimseError::Rejected { reason, .. } => {
                let fault = fault(Worth::Never);
                match fault.hint {
                    Some(_) => fault,
                    None if reason.contains("no reason") => fault.with_hint(
                        "the PACS gives no reason: check both AE titles (case counts), and that it knows this node's address",
                    ),
                    None => fault,
                }
            }
            DimseError::NoContext(_) => fault(Worth::Never)
                .with_hint("the PACS does not offer this service to this AE title: allow query and retrieve, or try another --retrieve"),
            DimseError::Malformed(Malformed::Protocol(what)) if what.contains("TLS") => {
                fault(Worth::Never).with_hint("the port speaks TLS: add --tls CA.pem")
            }
            DimseError::Malformed(Malformed::Protocol(_)) => {
                fault(Worth::Never).with_hint("this is not the PACS's DICOM port; for DICOMweb give https://…")
            }
            DimseError::Misuse(_) => fault(Worth::Never),
            DimseError::Connect { .. } => fault(Worth::Again),
            _ if tls => fault(Worth::Again).with_hint("check that the port speaks TLS: a plain one is called without --tls"),
            _ => fault(Worth::Again),
        }
    }

    /// Of DICOMweb.
    pub(crate) fn of_web(error: &WebError) -> Self {
        let worth = match error {
            WebError::Status { status: 429 | 503, .. } => Worth::Slower,
            WebError::Status { status: 300..=399 | 401, .. } => Worth::Never,
            WebError::Status { status: 404, doing, .. } if *doing == "searching" => Worth::Never,
            WebError::Status { status: 400..=499, .. } | WebError::Limit(_) => Worth::Smaller,
            WebError::Root(_) | WebError::Credentials | WebError::Tls(_) => Worth::Never,
            _ => Worth::Again,
        };
        let wait = if let WebError::Status { wait, .. } = error { *wait } else { None };
        Self { hint: error.hint(), wait, ..Self::new(worth, error.to_string()) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_trying_again_is_worth() {
        for (status, worth) in [
            (0xA700, Worth::Slower),
            (0xA702, Worth::Slower),
            (0xA801, Worth::Never),
            (0xA900, Worth::Smaller),
            (0xC001, Worth::Smaller),
            (0x0124, Worth::Smaller),
            (0x0110, Worth::Again),
        ] {
            assert_eq!(Fault::of_status("a find", Status(status)).worth, worth, "{status:04X}");
        }
        let rejected = |reason: &str, is_transient| {
            Fault::of_dimse(&DimseError::Rejected { reason: reason.to_owned(), is_transient }, false)
        };
        assert_eq!(rejected("temporary congestion", true).worth, Worth::Slower);
        let unknown = rejected("calling AE title not recognized", false);
        assert!(unknown.worth == Worth::Never && unknown.hint.unwrap().contains("peer's configuration"));
        let wait = Some(Duration::from_secs(120));
        let busy = WebError::Status { doing: "searching", host: "pacs".into(), status: 503, wait };
        let busy = Fault::of_web(&busy);
        assert_eq!((busy.worth, busy.wait), (Worth::Slower, wait));
        let tls = Fault::of_dimse(&DimseError::Malformed(Malformed::Protocol("a TLS alert")), false);
        assert!(tls.hint.unwrap().contains("--tls"));
        let plain = Fault::of_dimse(&DimseError::Closed("an association was to be answered"), true);
        assert!(plain.hint.unwrap().contains("without --tls"));
    }
}
