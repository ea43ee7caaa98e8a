//! Storage commitment (PS3.4 annex J, push model): a node asks whether objects are stored for good, and gets a report, often on an
//! association of its own and much later.
//!
//! - The provider reads a [`Request`] in [`Handler::action`](crate::Handler::action), and answers by [`Association::report_commitment`]
//!   on an association that it requests with [`reporting`].
//! - The user asks by [`Association::request_commitment`] on an association with [`requesting`], and gets the [`Report`] either by
//!   [`Association::next_report`] on the same association, or in [`Handler::event_report`](crate::Handler::event_report).

use crate::association::{Association, Context, Incoming};
use crate::client::{Direction, IMPLICIT_VR, Proposal, standard, status_of};
use crate::command::{CommandSet, DataSet, Operation, element};
use crate::dataset::{Encoding, Reader, Tag, write_item};
use crate::error::{DimseError, Malformed};
use crate::{Status, Uid};

/// The SOP class: Storage Commitment Push Model.
pub const STORAGE_COMMITMENT: &str = "1.2.840.10008.1.20.1";
/// Its one instance, which every node has.
pub const STORAGE_COMMITMENT_INSTANCE: &str = "1.2.840.10008.1.20.1.1";
/// Action Type ID: Request Storage Commitment.
const REQUEST: u16 = 1;
/// Event Type ID: Storage Commitment Request Successful.
const ALL_STORED: u16 = 1;
/// Event Type ID: Storage Commitment Request Complete - Failures Exist.
const SOME_FAILED: u16 = 2;
/// The most bytes of a request or report: some ten thousand objects.
pub(crate) const MAX_BYTES: usize = 1 << 20;

const REFERENCED_SOP_CLASS: Tag = 0x0008_1150;
const REFERENCED_SOP_INSTANCE: Tag = 0x0008_1155;
const TRANSACTION: Tag = 0x0008_1195;
const FAILURE_REASON: Tag = 0x0008_1197;
const FAILED_SEQUENCE: Tag = 0x0008_1198;
const REFERENCED_SEQUENCE: Tag = 0x0008_1199;

/// An object by its class and instance.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Reference {
    /// The SOP class.
    pub sop_class: Uid,
    /// The instance.
    pub sop_instance: Uid,
}

/// An object that is not stored, with the reason: `0112H` for one that is not there, `0119H` for one of another class, `0110H`,
/// `0122H`, `0131H` and `0213H` (PS3.3 C.14.1.1).
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Failure {
    /// The object.
    pub reference: Reference,
    /// The reason.
    pub reason: Status,
}

/// A request for commitment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Request {
    /// The transaction, which the report repeats.
    pub transaction: Uid,
    /// The objects.
    pub references: Vec<Reference>,
}

/// The answer to a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Report {
    /// The request's transaction.
    pub transaction: Uid,
    /// What is stored for good.
    pub stored: Vec<Reference>,
    /// What is not.
    pub failed: Vec<Failure>,
}

/// Why a request or a report is not accepted, and the status to answer it with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{reason}")]
pub struct Invalid {
    /// The answer.
    pub status: Status,
    /// The reason, without anything of the peer's text.
    pub reason: Malformed,
}

/// The context in which this node asks for commitment.
pub fn requesting() -> Proposal {
    Proposal::new(STORAGE_COMMITMENT, &[crate::EXPLICIT_VR, IMPLICIT_VR])
}

/// The context in which this node reports: it requests the association as the service's provider, by role selection.
pub fn reporting() -> Proposal {
    Proposal { direction: Direction::Theirs, ..requesting() }
}

impl Request {
    /// Reads the data set of an N-ACTION.
    ///
    /// # Errors
    /// [`Invalid`]: another class, instance or action than the standard's, or a data set without a transaction or an object.
    pub fn of_action(command: &CommandSet, transfer_syntax: &str, data: &[u8]) -> Result<Self, Invalid> {
        let class = command.uid(element::REQUESTED_SOP_CLASS);
        if class.is_none_or(|uid| uid.as_str() != STORAGE_COMMITMENT) {
            return Err(invalid(Status::SOP_CLASS_NOT_SUPPORTED, "is of another SOP class than storage commitment"));
        }
        let instance = command.uid(element::REQUESTED_SOP_INSTANCE);
        if instance.is_none_or(|uid| uid.as_str() != STORAGE_COMMITMENT_INSTANCE) {
            return Err(invalid(Status::NO_SUCH_INSTANCE, "names another instance than the standard's"));
        }
        if command.u16(element::ACTION_TYPE) != Some(REQUEST) {
            return Err(invalid(Status::NO_SUCH_ACTION, "asks for another action than storage commitment"));
        }
        Self::from_bytes(transfer_syntax, data).map_err(|reason| Invalid { status: Status::INVALID_ARGUMENT, reason })
    }

    /// Reads a data set.
    ///
    /// # Errors
    /// [`Malformed`] for one without a transaction or an object, or with one that has no valid UIDs.
    pub fn from_bytes(transfer_syntax: &str, data: &[u8]) -> Result<Self, Malformed> {
        let encoding = encoding(transfer_syntax)?;
        let reader = Reader::new(data, encoding);
        let references = sequence(reader, encoding, REFERENCED_SEQUENCE)?;
        if references.is_empty() {
            return Err(Malformed::DataSet("names no object"));
        }
        let references = references.into_iter().map(|item| reference(item, encoding)).collect::<Result<_, _>>()?;
        Ok(Self { transaction: transaction(reader)?, references })
    }

    /// The data set.
    ///
    /// # Errors
    /// [`DimseError::Misuse`] for a transfer syntax other than the two uncompressed ones of little endian.
    pub fn to_bytes(&self, transfer_syntax: &str) -> Result<Vec<u8>, DimseError> {
        let encoding = encoding(transfer_syntax).map_err(|_| DimseError::Misuse(UNCOMPRESSED))?;
        let mut bytes = Vec::new();
        encoding.write(&mut bytes, TRANSACTION, *b"UI", self.transaction.as_str().as_bytes(), 0);
        let items = self.references.iter().map(|reference| (reference, None));
        write_sequence(&mut bytes, encoding, REFERENCED_SEQUENCE, items);
        Ok(bytes)
    }
}

impl Report {
    /// Reads the data set of an N-EVENT-REPORT.
    ///
    /// # Errors
    /// [`Invalid`]: another class, instance or event than the standard's, or a data set without a transaction or an object.
    pub fn of_event(command: &CommandSet, transfer_syntax: &str, data: &[u8]) -> Result<Self, Invalid> {
        let class = command.uid(element::AFFECTED_SOP_CLASS);
        if class.is_none_or(|uid| uid.as_str() != STORAGE_COMMITMENT) {
            return Err(invalid(Status::SOP_CLASS_NOT_SUPPORTED, "is of another SOP class than storage commitment"));
        }
        let instance = command.uid(element::AFFECTED_SOP_INSTANCE);
        if instance.is_none_or(|uid| uid.as_str() != STORAGE_COMMITMENT_INSTANCE) {
            return Err(invalid(Status::NO_SUCH_INSTANCE, "names another instance than the standard's"));
        }
        if !matches!(command.u16(element::EVENT_TYPE), Some(ALL_STORED | SOME_FAILED)) {
            return Err(invalid(Status::NO_SUCH_EVENT, "reports another event than storage commitment's"));
        }
        Self::from_bytes(transfer_syntax, data).map_err(|reason| Invalid { status: Status::INVALID_ARGUMENT, reason })
    }

    /// Reads a data set.
    ///
    /// # Errors
    /// [`Malformed`] for one without a transaction or an object, or with one that has no valid UIDs.
    pub fn from_bytes(transfer_syntax: &str, data: &[u8]) -> Result<Self, Malformed> {
        let encoding = encoding(transfer_syntax)?;
        let reader = Reader::new(data, encoding);
        let stored = sequence(reader, encoding, REFERENCED_SEQUENCE)?;
        let failed = sequence(reader, encoding, FAILED_SEQUENCE)?;
        if stored.is_empty() && failed.is_empty() {
            return Err(Malformed::DataSet("names no object"));
        }
        let failure = |item| {
            let reason = Reader::new(item, encoding).find(FAILURE_REASON)?.and_then(<[u8]>::first_chunk::<2>);
            let reason = reason.map_or(Status::PROCESSING_FAILURE, |bytes| Status(u16::from_le_bytes(*bytes)));
            Ok(Failure { reference: reference(item, encoding)?, reason })
        };
        Ok(Self {
            transaction: transaction(reader)?,
            stored: stored.into_iter().map(|item| reference(item, encoding)).collect::<Result<_, _>>()?,
            failed: failed.into_iter().map(failure).collect::<Result<_, _>>()?,
        })
    }

    /// The data set.
    ///
    /// # Errors
    /// [`DimseError::Misuse`] for a transfer syntax other than the two uncompressed ones of little endian.
    pub fn to_bytes(&self, transfer_syntax: &str) -> Result<Vec<u8>, DimseError> {
        let encoding = encoding(transfer_syntax).map_err(|_| DimseError::Misuse(UNCOMPRESSED))?;
        let mut bytes = Vec::new();
        encoding.write(&mut bytes, TRANSACTION, *b"UI", self.transaction.as_str().as_bytes(), 0);
        // Ascending tags: what failed comes first. A sequence without items is left out (PS3.4 table J.3-2).
        if !self.failed.is_empty() {
            let items = self.failed.iter().map(|failure| (&failure.reference, Some(failure.reason)));
            write_sequence(&mut bytes, encoding, FAILED_SEQUENCE, items);
        }
        if !self.stored.is_empty() {
            let items = self.stored.iter().map(|reference| (reference, None));
            write_sequence(&mut bytes, encoding, REFERENCED_SEQUENCE, items);
        }
        Ok(bytes)
    }
}

impl Association {
    /// Asks for commitment (N-ACTION). A report that arrives before the answer is kept for [`Association::next_report`].
    ///
    /// # Errors
    /// [`DimseError::NoContext`] where the class was not agreed on; or the connection's.
    pub async fn request_commitment(&mut self, request: &Request) -> Result<Status, DimseError> {
        let context = self.context(STORAGE_COMMITMENT, None)?;
        let data = request.to_bytes(&context.transfer_syntax)?;
        let id = self.message_id();
        let command = CommandSet::request(Operation::Action, id, DataSet::Follows)
            .with_uid(element::REQUESTED_SOP_CLASS, &standard(STORAGE_COMMITMENT)?)
            .with_uid(element::REQUESTED_SOP_INSTANCE, &standard(STORAGE_COMMITMENT_INSTANCE)?)
            .with_u16(element::ACTION_TYPE, REQUEST);
        self.send_command(context.id, &command).await?;
        self.send_data(context.id, &data).await?;
        loop {
            let Incoming::Command { context, command } = self.receive().await? else {
                return Err(DimseError::Closed("a response was due"));
            };
            if is_event(&command) {
                let report = self.take_report(&context, &command).await?;
                self.early_reports.extend(report);
                continue;
            }
            let status = self.expected(id, &command)?;
            self.skip_data().await?;
            return Ok(status);
        }
    }

    /// Waits for a report on this association, and answers it; `None` once the peer has released the association. A report that is
    /// not valid is answered with its status, and the next one is awaited.
    ///
    /// # Errors
    /// [`DimseError`] of the connection: [`DimseError::Timeout`] where the peer reports on an association of its own instead.
    pub async fn next_report(&mut self) -> Result<Option<Report>, DimseError> {
        if let Some(report) = self.early_reports.pop_front() {
            return Ok(Some(report));
        }
        loop {
            let Incoming::Command { context, command } = self.receive().await? else { return Ok(None) };
            if !is_event(&command) {
                return Err(Malformed::Unexpected("command where a report was due").into());
            }
            if let Some(report) = self.take_report(&context, &command).await? {
                return Ok(Some(report));
            }
        }
    }

    async fn take_report(&mut self, context: &Context, command: &CommandSet) -> Result<Option<Report>, DimseError> {
        let data = self.data_whole(MAX_BYTES).await?;
        let report = Report::of_event(command, &context.transfer_syntax, &data);
        let status = report.as_ref().map_or_else(|invalid| invalid.status, |_| Status::SUCCESS);
        self.send_command(context.id, &CommandSet::response_to(command, status)).await?;
        Ok(report.ok())
    }

    /// Reports (N-EVENT-REPORT).
    ///
    /// # Errors
    /// [`DimseError::NoContext`] where the class was not agreed on; or the connection's.
    pub async fn report_commitment(&mut self, report: &Report) -> Result<Status, DimseError> {
        let context = self.context(STORAGE_COMMITMENT, None)?;
        let data = report.to_bytes(&context.transfer_syntax)?;
        let id = self.message_id();
        let event = if report.failed.is_empty() { ALL_STORED } else { SOME_FAILED };
        let command = CommandSet::request(Operation::EventReport, id, DataSet::Follows)
            .with_uid(element::AFFECTED_SOP_CLASS, &standard(STORAGE_COMMITMENT)?)
            .with_uid(element::AFFECTED_SOP_INSTANCE, &standard(STORAGE_COMMITMENT_INSTANCE)?)
            .with_u16(element::EVENT_TYPE, event);
        self.send_command(context.id, &command).await?;
        self.send_data(context.id, &data).await?;
        let (_, response) = self.response(id).await?;
        self.skip_data().await?;
        status_of(&response)
    }
}

/// What is wrong with a transfer syntax that no request or report comes in.
const UNCOMPRESSED: &str = "storage commitment needs an uncompressed transfer syntax of little endian";

fn encoding(transfer_syntax: &str) -> Result<Encoding, Malformed> {
    match transfer_syntax {
        IMPLICIT_VR => Ok(Encoding::Implicit),
        crate::EXPLICIT_VR => Ok(Encoding::Explicit),
        _ => Err(Malformed::DataSet("is in a transfer syntax that storage commitment does not use")),
    }
}

fn is_event(command: &CommandSet) -> bool {
    command.operation() == Some(Operation::EventReport) && !command.is_response()
}

fn invalid(status: Status, reason: &'static str) -> Invalid {
    Invalid { status, reason: Malformed::Command(reason) }
}

fn sequence<'a>(reader: Reader<'a>, encoding: Encoding, tag: Tag) -> Result<Vec<&'a [u8]>, Malformed> {
    reader.find(tag)?.map_or_else(|| Ok(Vec::new()), |value| Reader::items(value, encoding))
}

fn transaction(reader: Reader<'_>) -> Result<Uid, Malformed> {
    uid(reader, TRANSACTION)?.ok_or(Malformed::DataSet("has no valid Transaction UID (0008,1195)"))
}

fn reference(item: &[u8], encoding: Encoding) -> Result<Reference, Malformed> {
    let reader = Reader::new(item, encoding);
    let uids = uid(reader, REFERENCED_SOP_CLASS)?.zip(uid(reader, REFERENCED_SOP_INSTANCE)?);
    let (sop_class, sop_instance) = uids.ok_or(Malformed::DataSet("names an object without valid UIDs"))?;
    Ok(Reference { sop_class, sop_instance })
}

fn uid(reader: Reader<'_>, tag: Tag) -> Result<Option<Uid>, Malformed> {
    let value = reader.find(tag)?.and_then(|value| std::str::from_utf8(value).ok());
    Ok(value.and_then(Uid::parse))
}

fn write_sequence<'a>(
    bytes: &mut Vec<u8>,
    encoding: Encoding,
    tag: Tag,
    references: impl Iterator<Item = (&'a Reference, Option<Status>)>,
) {
    let mut items = Vec::new();
    for (reference, reason) in references {
        let mut item = Vec::new();
        encoding.write(&mut item, REFERENCED_SOP_CLASS, *b"UI", reference.sop_class.as_str().as_bytes(), 0);
        encoding.write(&mut item, REFERENCED_SOP_INSTANCE, *b"UI", reference.sop_instance.as_str().as_bytes(), 0);
        if let Some(Status(reason)) = reason {
            encoding.write(&mut item, FAILURE_REASON, *b"US", &reason.to_le_bytes(), 0);
        }
        write_item(&mut items, &item);
    }
    encoding.write(bytes, tag, *b"SQ", &items, 0);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn object(n: u32) -> Reference {
        Reference {
            sop_class: Uid::parse("1.2.840.10008.5.1.4.1.1.7").unwrap(),
            sop_instance: Uid::parse(&format!("2.25.{n}")).unwrap(),
        }
    }

    #[test]
    fn requests_and_reports_are_read_as_they_were_written() {
        let transaction = Uid::parse("2.25.9").unwrap();
        let failure = Failure { reference: object(3), reason: Status::NO_SUCH_INSTANCE };
        for syntax in [IMPLICIT_VR, crate::EXPLICIT_VR] {
            let request = Request { transaction: transaction.clone(), references: vec![object(1), object(2)] };
            assert_eq!(Request::from_bytes(syntax, &request.to_bytes(syntax).unwrap()), Ok(request));
            for (stored, failed) in [(vec![object(1)], vec![failure.clone()]), (vec![], vec![failure.clone()])] {
                let report = Report { transaction: transaction.clone(), stored, failed };
                assert_eq!(Report::from_bytes(syntax, &report.to_bytes(syntax).unwrap()), Ok(report));
            }
        }
    }

    #[test]
    fn what_is_no_request_is_refused_with_its_status() {
        let request = Request { transaction: Uid::parse("2.25.9").unwrap(), references: vec![object(1)] };
        let data = request.to_bytes(IMPLICIT_VR).unwrap();
        let action = |instance: &str, action| {
            CommandSet::request(Operation::Action, 1, DataSet::Follows)
                .with_text(element::REQUESTED_SOP_CLASS, STORAGE_COMMITMENT)
                .with_text(element::REQUESTED_SOP_INSTANCE, instance)
                .with_u16(element::ACTION_TYPE, action)
        };
        let status = |command: &CommandSet, data: &[u8]| {
            Request::of_action(command, IMPLICIT_VR, data).err().map(|invalid| invalid.status)
        };
        let good = action(STORAGE_COMMITMENT_INSTANCE, 1);
        assert_eq!(status(&good, &data), None);
        assert_eq!(status(&action("../../x", 1), &data), Some(Status::NO_SUCH_INSTANCE));
        let other = good.clone().with_text(element::REQUESTED_SOP_CLASS, "1.2.840.10008.1.1");
        assert_eq!(status(&other, &data), Some(Status::SOP_CLASS_NOT_SUPPORTED));
        assert_eq!(status(&action(STORAGE_COMMITMENT_INSTANCE, 2), &data), Some(Status::NO_SUCH_ACTION));
        for cut in 0..data.len() {
            assert_eq!(status(&good, &data[..cut]), Some(Status::INVALID_ARGUMENT), "{cut}");
        }
        // A path where a UID is due.
        let mut forged = data.clone();
        let at = forged.windows(6).position(|window| window == b"2.25.1").unwrap();
        forged[at..at + 6].copy_from_slice(b"../../");
        assert_eq!(status(&good, &forged), Some(Status::INVALID_ARGUMENT));
    }
}
