//! The bundle that comes with the program.

use crate::{Bundle, ModelError};

/// The bundle that is used where none is named.
///
/// # Errors
/// When this build comes without one.
pub fn bundle() -> Result<Bundle, ModelError> {
    Err(ModelError::Setting("this build comes without a model: name one with --model".into()))
}
