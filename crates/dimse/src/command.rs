//! Command sets (PS3.7 section 6.3 and annex E): group 0000, Implicit VR Little Endian.

use std::collections::BTreeMap;

use crate::error::Malformed;
use crate::{Status, Uid};

/// The most bytes that a command set may have; the longest of the standard has some hundreds.
pub const MAX_COMMAND_BYTES: usize = 16 * 1024;

/// Elements of group 0000 by their element number.
pub mod element {
    /// Command Group Length.
    pub const GROUP_LENGTH: u16 = 0x0000;
    /// Affected SOP Class UID.
    pub const AFFECTED_SOP_CLASS: u16 = 0x0002;
    /// Requested SOP Class UID.
    pub const REQUESTED_SOP_CLASS: u16 = 0x0003;
    /// Command Field.
    pub const COMMAND_FIELD: u16 = 0x0100;
    /// Message ID.
    pub const MESSAGE_ID: u16 = 0x0110;
    /// Message ID Being Responded To.
    pub const RESPONDED_MESSAGE_ID: u16 = 0x0120;
    /// Move Destination.
    pub const MOVE_DESTINATION: u16 = 0x0600;
    /// Priority.
    pub const PRIORITY: u16 = 0x0700;
    /// Command Data Set Type.
    pub const DATA_SET_TYPE: u16 = 0x0800;
    /// Status.
    pub const STATUS: u16 = 0x0900;
    /// Error Comment.
    pub const ERROR_COMMENT: u16 = 0x0902;
    /// Affected SOP Instance UID.
    pub const AFFECTED_SOP_INSTANCE: u16 = 0x1000;
    /// Requested SOP Instance UID.
    pub const REQUESTED_SOP_INSTANCE: u16 = 0x1001;
    /// Event Type ID.
    pub const EVENT_TYPE: u16 = 0x1002;
    /// Action Type ID.
    pub const ACTION_TYPE: u16 = 0x1008;
    /// Number of Remaining Sub-operations.
    pub const REMAINING: u16 = 0x1020;
    /// Number of Completed Sub-operations.
    pub const COMPLETED: u16 = 0x1021;
    /// Number of Failed Sub-operations.
    pub const FAILED: u16 = 0x1022;
    /// Number of Warning Sub-operations.
    pub const WARNINGS: u16 = 0x1023;
    /// Move Originator Application Entity Title.
    pub const MOVE_ORIGINATOR: u16 = 0x1030;
    /// Move Originator Message ID.
    pub const MOVE_ORIGINATOR_MESSAGE: u16 = 0x1031;
}

/// What a command asks for (Command Field (0000,0100) without the bit of a response).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[repr(u16)]
pub enum Operation {
    /// C-STORE.
    Store = 0x0001,
    /// C-GET.
    Get = 0x0010,
    /// C-FIND.
    Find = 0x0020,
    /// C-MOVE.
    Move = 0x0021,
    /// C-ECHO.
    Echo = 0x0030,
    /// N-EVENT-REPORT.
    EventReport = 0x0100,
    /// N-ACTION.
    Action = 0x0130,
    /// C-CANCEL.
    Cancel = 0x0FFF,
}

impl Operation {
    const ALL: [Self; 8] =
        [Self::Store, Self::Get, Self::Find, Self::Move, Self::Echo, Self::EventReport, Self::Action, Self::Cancel];
}

/// The bit of Command Field that marks a response.
const RESPONSE: u16 = 0x8000;
/// Command Data Set Type of a message without a data set.
const NO_DATA_SET: u16 = 0x0101;

/// A command set.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct CommandSet {
    elements: BTreeMap<u16, Vec<u8>>,
}

impl CommandSet {
    /// A request.
    pub fn request(operation: Operation, message_id: u16, data: DataSet) -> Self {
        Self::default()
            .with_u16(element::COMMAND_FIELD, operation as u16)
            .with_u16(element::MESSAGE_ID, message_id)
            .with_u16(element::DATA_SET_TYPE, data.type_code())
    }

    /// The response to a request, without a data set.
    pub fn response_to(request: &Self, status: Status) -> Self {
        let mut response = Self::default()
            .with_u16(element::COMMAND_FIELD, request.u16(element::COMMAND_FIELD).unwrap_or(0) | RESPONSE)
            .with_u16(element::RESPONDED_MESSAGE_ID, request.u16(element::MESSAGE_ID).unwrap_or(0))
            .with_u16(element::DATA_SET_TYPE, NO_DATA_SET)
            .with_u16(element::STATUS, status.0);
        for (from, to) in [
            (element::AFFECTED_SOP_CLASS, element::AFFECTED_SOP_CLASS),
            (element::REQUESTED_SOP_CLASS, element::AFFECTED_SOP_CLASS),
            (element::AFFECTED_SOP_INSTANCE, element::AFFECTED_SOP_INSTANCE),
            (element::REQUESTED_SOP_INSTANCE, element::AFFECTED_SOP_INSTANCE),
            (element::EVENT_TYPE, element::EVENT_TYPE),
            (element::ACTION_TYPE, element::ACTION_TYPE),
        ] {
            // What is no UID is not sent back.
            let is_uid = ![element::EVENT_TYPE, element::ACTION_TYPE].contains(&to);
            if let Some(value) = request.elements.get(&from).filter(|_| !is_uid || request.uid(from).is_some()) {
                response.elements.insert(to, value.clone());
            }
        }
        response
    }

    /// With a number of 16 bits.
    #[must_use]
    pub fn with_u16(mut self, element: u16, value: u16) -> Self {
        self.elements.insert(element, value.to_le_bytes().to_vec());
        self
    }

    /// With a UID, padded by NUL.
    #[must_use]
    pub fn with_uid(self, element: u16, uid: &Uid) -> Self {
        self.with_bytes(element, uid.as_str().as_bytes(), 0)
    }

    /// With a text, padded by a space.
    #[must_use]
    pub fn with_text(self, element: u16, text: &str) -> Self {
        self.with_bytes(element, text.as_bytes(), b' ')
    }

    fn with_bytes(mut self, element: u16, bytes: &[u8], padding: u8) -> Self {
        let mut value = bytes.to_vec();
        if value.len() % 2 == 1 {
            value.push(padding);
        }
        self.elements.insert(element, value);
        self
    }

    /// A number of 16 bits.
    pub fn u16(&self, element: u16) -> Option<u16> {
        let bytes = self.elements.get(&element)?.first_chunk::<2>()?;
        Some(u16::from_le_bytes(*bytes))
    }

    /// A UID; `None` where there is none, or what is there is none.
    pub fn uid(&self, element: u16) -> Option<Uid> {
        Uid::parse(std::str::from_utf8(self.elements.get(&element)?).ok()?)
    }

    /// A text of printable ASCII characters, without padding; `None` where it holds anything else.
    pub fn text(&self, element: u16) -> Option<&str> {
        let text = std::str::from_utf8(self.elements.get(&element)?).ok()?.trim_matches([' ', '\0']);
        text.bytes().all(|byte| (0x20..0x7F).contains(&byte)).then_some(text)
    }

    /// What is asked for; `None` where it is not known here.
    pub fn operation(&self) -> Option<Operation> {
        let field = self.u16(element::COMMAND_FIELD)? & !RESPONSE;
        Operation::ALL.into_iter().find(|operation| *operation as u16 == field)
    }

    /// Whether it is a response.
    pub fn is_response(&self) -> bool {
        self.u16(element::COMMAND_FIELD).is_some_and(|field| field & RESPONSE != 0)
    }

    /// The number of the message.
    pub fn message_id(&self) -> u16 {
        self.u16(element::MESSAGE_ID).unwrap_or(0)
    }

    /// The status of a response.
    pub fn status(&self) -> Option<Status> {
        self.u16(element::STATUS).map(Status)
    }

    /// Whether a data set follows.
    pub fn has_data_set(&self) -> bool {
        self.u16(element::DATA_SET_TYPE).is_some_and(|kind| kind != NO_DATA_SET)
    }

    /// The set as bytes, its group length first.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut body = Vec::new();
        for (element, value) in self.elements.iter().filter(|(element, _)| **element != element::GROUP_LENGTH) {
            body.extend([0, 0]);
            body.extend(element.to_le_bytes());
            // Every value is a UID, a title, a comment or a number.
            body.extend((value.len() as u32).to_le_bytes());
            body.extend(value);
        }
        let mut bytes = vec![0, 0, 0, 0, 4, 0, 0, 0];
        bytes.extend((body.len() as u32).to_le_bytes());
        bytes.extend(body);
        bytes
    }

    /// Reads a set.
    ///
    /// # Errors
    /// [`Malformed`]: more than [`MAX_COMMAND_BYTES`], an element that is cut short or of another group, no command field.
    pub fn parse(bytes: &[u8]) -> Result<Self, Malformed> {
        if bytes.len() > MAX_COMMAND_BYTES {
            return Err(Malformed::Command("longer than any command of the standard"));
        }
        let mut elements = BTreeMap::new();
        let mut rest = bytes;
        while !rest.is_empty() {
            let (head, body) =
                rest.split_first_chunk::<8>().ok_or(Malformed::Command("cut short within an element"))?;
            let [g0, g1, e0, e1, length @ ..] = *head;
            if [g0, g1] != [0, 0] {
                return Err(Malformed::Command("holds an element of another group than 0000"));
            }
            let length = u32::from_le_bytes(length) as usize;
            let value = body.get(..length).ok_or(Malformed::Command("cut short within a value"))?;
            elements.insert(u16::from_le_bytes([e0, e1]), value.to_vec());
            rest = &body[length..];
        }
        if !elements.contains_key(&element::COMMAND_FIELD) {
            return Err(Malformed::Command("has no Command Field (0000,0100)"));
        }
        Ok(Self { elements })
    }
}

/// Whether a data set goes with a command.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DataSet {
    /// One follows.
    Follows,
    /// None does.
    Absent,
}

impl DataSet {
    fn type_code(self) -> u16 {
        match self {
            Self::Follows => 0x0001,
            Self::Absent => NO_DATA_SET,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_set_is_read_as_it_was_written() {
        let class = Uid::parse("1.2.840.10008.1.1").unwrap();
        let request =
            CommandSet::request(Operation::Echo, 7, DataSet::Absent).with_uid(element::AFFECTED_SOP_CLASS, &class);
        let read = CommandSet::parse(&request.to_bytes()).unwrap();
        assert_eq!(read.operation(), Some(Operation::Echo));
        assert_eq!((read.message_id(), read.is_response(), read.has_data_set()), (7, false, false));
        assert_eq!(read.uid(element::AFFECTED_SOP_CLASS), Some(class.clone()));
        let response = CommandSet::response_to(&read, Status::SUCCESS);
        assert!(response.is_response());
        assert_eq!(response.u16(element::RESPONDED_MESSAGE_ID), Some(7));
        assert_eq!(response.uid(element::AFFECTED_SOP_CLASS), Some(class));
    }

    #[test]
    fn foreign_bytes_are_refused_with_a_reason() {
        let good = CommandSet::request(Operation::Echo, 1, DataSet::Absent).to_bytes();
        for cut in 1..good.len() {
            let result = CommandSet::parse(&good[..cut]);
            assert!(result.is_err() || cut >= 12, "{cut}");
        }
        assert!(CommandSet::parse(&[8, 0, 0, 0, 0, 0, 0, 0]).is_err());
        assert!(CommandSet::parse(&[0, 0, 0, 1, 0xFF, 0xFF, 0xFF, 0xFF]).is_err());
        assert!(CommandSet::parse(&vec![0; MAX_COMMAND_BYTES + 8]).is_err());
    }

    #[test]
    fn what_is_no_uid_is_not_sent_back() {
        let request = CommandSet::request(Operation::Store, 1, DataSet::Follows)
            .with_text(element::AFFECTED_SOP_INSTANCE, "../../etc/passwd");
        let response = CommandSet::response_to(&request, Status::INVALID_INSTANCE);
        assert_eq!(response.uid(element::AFFECTED_SOP_INSTANCE), None);
        assert_eq!(response.text(element::AFFECTED_SOP_INSTANCE), None);
    }
}
