//! What a status of a response means, and whether it is worth sending again (PS3.4 B.2.3 and C.4, PS3.7 annex C).

/// A status (0000,0900).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Status(pub u16);

/// What becomes of an object after a response.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Outcome {
    /// The peer has it.
    Accepted,
    /// The peer has it, but changed or ignored a part of it.
    AcceptedWithWarning,
    /// More responses follow.
    Pending,
    /// The peer has no room or time now: send again later, and more slowly.
    Busy,
    /// The peer will not take it: sending it again changes nothing.
    Refused,
    /// The operation was canceled.
    Canceled,
}

impl Status {
    /// Success.
    pub const SUCCESS: Self = Self(0x0000);
    /// The operation was canceled.
    pub const CANCEL: Self = Self(0xFE00);
    /// More responses follow.
    pub const PENDING: Self = Self(0xFF00);
    /// Refused: out of resources.
    pub const OUT_OF_RESOURCES: Self = Self(0xA700);
    /// Refused: the SOP class is not supported here.
    pub const SOP_CLASS_NOT_SUPPORTED: Self = Self(0x0122);
    /// Error: the data set does not match the SOP class or instance of the command.
    pub const DATA_SET_MISMATCH: Self = Self(0xA900);
    /// Error: cannot understand.
    pub const CANNOT_UNDERSTAND: Self = Self(0xC000);
    /// The SOP instance of the command is invalid.
    pub const INVALID_INSTANCE: Self = Self(0x0117);
    /// The operation is not one that is known here.
    pub const UNRECOGNIZED_OPERATION: Self = Self(0x0211);
    /// The requestor may not do this.
    pub const NOT_AUTHORIZED: Self = Self(0x0124);
    /// A failure in processing.
    pub const PROCESSING_FAILURE: Self = Self(0x0110);
    /// No such SOP instance.
    pub const NO_SUCH_INSTANCE: Self = Self(0x0112);
    /// No such event type.
    pub const NO_SUCH_EVENT: Self = Self(0x0113);
    /// No such action type.
    pub const NO_SUCH_ACTION: Self = Self(0x0123);
    /// An argument of an event or an action is wrong.
    pub const INVALID_ARGUMENT: Self = Self(0x0115);

    /// What becomes of an object that was sent.
    pub fn outcome(self) -> Outcome {
        match self.0 {
            0x0000 => Outcome::Accepted,
            0x0001 | 0x0107 | 0x0116 | 0xB000..=0xBFFF => Outcome::AcceptedWithWarning,
            0xFF00 | 0xFF01 => Outcome::Pending,
            0xFE00 => Outcome::Canceled,
            0xA700..=0xA7FF | 0x0213 => Outcome::Busy,
            _ => Outcome::Refused,
        }
    }

    /// In words for an administrator.
    pub fn meaning(self) -> &'static str {
        match self.0 {
            0x0000 => "success",
            0x0001 => "success, but optional attributes are not supported",
            0x0107 => "accepted, but an attribute list was wrong in part",
            0x0116 => "accepted, but a value is out of range",
            0x0105 => "no such attribute",
            0x0106 => "an attribute has an invalid value",
            0x0110 => "a failure in processing",
            0x0111 => "the instance exists already",
            0x0112 => "no such instance",
            0x0113 => "no such event",
            0x0115 => "an argument is invalid",
            0x0117 => "the instance's UID is invalid",
            0x0118 => "no such SOP class",
            0x0119 => "the instance is of another SOP class",
            0x0122 => "the SOP class is not supported",
            0x0123 => "no such action",
            0x0124 => "not authorized",
            0x0131 => "the transaction exists already",
            0x0210 => "the message was sent twice",
            0x0211 => "the operation is not supported",
            0x0212 => "an argument is wrong",
            0x0213 => "a resource limitation",
            0xA700 => "out of resources",
            0xA701 => "out of resources: the number of matches cannot be counted",
            0xA702 => "out of resources: sub-operations cannot be performed",
            0xA703..=0xA7FF => "out of resources",
            0xA801 => "the move destination is unknown",
            0xA900..=0xA9FF => "the data set does not match the SOP class",
            0xB000 => "accepted, but data elements were changed",
            0xB006 => "accepted, but data elements were discarded",
            0xB007 => "accepted, but the data set does not match the SOP class",
            0xB001..=0xBFFF => "accepted with a warning",
            0xC000..=0xCFFF => "cannot understand the object",
            0xFE00 => "canceled",
            0xFF00 | 0xFF01 => "pending",
            _ => "a failure",
        }
    }
}

impl std::fmt::Display for Status {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:04X}H ({})", self.0, self.meaning())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_to_do_follows_from_the_status() {
        for (status, outcome) in [
            (0x0000, Outcome::Accepted),
            (0xB000, Outcome::AcceptedWithWarning),
            (0xB007, Outcome::AcceptedWithWarning),
            (0xA700, Outcome::Busy),
            (0xA702, Outcome::Busy),
            (0xA900, Outcome::Refused),
            (0xC000, Outcome::Refused),
            (0x0122, Outcome::Refused),
            (0xFF01, Outcome::Pending),
        ] {
            assert_eq!(Status(status).outcome(), outcome, "{status:04X}");
        }
        assert_eq!(Status(0xA801).to_string(), "A801H (the move destination is unknown)");
    }
}
