//! A surface as its file holds it, and what can be wrong with the file.

/// What is wrong with a file, and on which line (counted from 1; 0 for none).
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Fault {
    pub(super) line: usize,
    pub(super) reason: String,
}

/// A [`Fault`] as an error.
pub(super) fn fault<T>(line: usize, reason: impl Into<String>) -> Result<T, Fault> {
    Err(Fault { line, reason: reason.into() })
}

/// Points and polygons as a file has them.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Raw {
    pub(super) points: Vec<[f32; 3]>,
    pub(super) polygons: Vec<Vec<u32>>,
}
