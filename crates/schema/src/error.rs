//! What an error says beside its message: whose fault it is, and the way out.

/// Whose fault an error is; it decides the exit status of the program.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ErrorKind {
    /// The command line or a setting is wrong: exit status 2.
    Usage,
    /// A file, a film or a table is wrong, or the system refused: exit status 1.
    Input,
    /// The program is wrong; please report it: exit status 70 (`EX_SOFTWARE` of BSD's sysexits).
    Internal,
}

impl ErrorKind {
    /// The exit status of a program that ends with such an error.
    pub fn exit_status(self) -> u8 {
        match self {
            Self::Usage => 2,
            Self::Input => 1,
            Self::Internal => 70,
        }
    }
}

/// An error that knows whose fault it is, and perhaps the way out.
///
/// The error's `Display` is one line that names the file, the row, the tag or the setting, and the value. The hint is a second line;
/// it is never part of the first.
pub trait Hint: std::error::Error {
    /// Whose fault it is.
    fn kind(&self) -> ErrorKind {
        ErrorKind::Input
    }

    /// What to do about it, where there is something to do.
    fn hint(&self) -> Option<String> {
        None
    }
}
